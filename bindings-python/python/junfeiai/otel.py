"""OpenTelemetry spans for the calls that take long or cost money. Needs the extra ``otel``.

>>> from junfeiai.otel import JunFeiAIInstrumentor
>>> JunFeiAIInstrumentor().instrument()

Every ``create``, ``generate``, ``wait`` and ``save`` of every client, blocking or asyncio, then has a span of kind ``CLIENT``,
with the attributes of the conventions for generative AI. ``generate`` and ``create`` are a ``generate_content``, ``wait`` and
``save`` are operations of those names. ``generate_many``, ``wait_all`` and ``as_completed`` have a span of kind ``INTERNAL``, and
below it one of kind ``CLIENT`` for each task, which ends when the call gives the task's outcome. No span has the API key, a URL or
a path. A prompt, and the text of an error, which may quote one, is in a span only when you ask for it.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping
from contextvars import Context, copy_context
from types import GeneratorType, TracebackType
from typing import Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider, get_tracer, set_span_in_context

from . import AsyncTask, AsyncVideo, AsyncVideos, JunFeiAIError, Task, Video, Videos, __version__
from ._errors import left
from ._native import DEFAULT_MODEL

_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CALLS: tuple[tuple[type, str], ...] = (
    (Videos, "create"),
    (Videos, "generate"),
    (Task, "wait"),
    (Video, "save"),
    (AsyncVideos, "create"),
    (AsyncVideos, "generate"),
    (AsyncTask, "wait"),
    (AsyncVideo, "save"),
    (Videos, "generate_many"),
    (Videos, "wait_all"),
    (Videos, "as_completed"),
    (AsyncVideos, "generate_many"),
    (AsyncVideos, "wait_all"),
    (AsyncVideos, "as_completed"),
)
# Calls about several tasks, and the operation that each of their items is.
_MANY = {"generate_many": "generate_content", "wait_all": "wait", "as_completed": "wait"}
# What `generate_many` keeps alive at a time where nothing else is given.
_CONCURRENCY = 4
_PAID = {"create", "generate"}
# Attributes of results and errors that a span has under another name.
_RESULT = {
    "reused": "junfeiai.task.reused",
    "billed_seconds": "junfeiai.task.billed_seconds",
    "charged_units": "junfeiai.task.charged_units",
    "attempts": "junfeiai.attempts",
    "bytes": "junfeiai.video.bytes",
    "resumed": "junfeiai.video.resumed",
}
_ERROR = {
    "phase": "junfeiai.error.phase",
    "status_code": "http.response.status_code",
    "request_id": "junfeiai.request.id",
    "attempts": "junfeiai.attempts",
    "maybe_executed": "junfeiai.maybe_executed",
}


class JunFeiAIInstrumentor:
    """Switches the spans on and off, for the whole process. All objects of this class are one."""

    _instance: JunFeiAIInstrumentor | None = None
    _originals: dict[tuple[type, str], Callable[..., Any]]

    def __new__(cls) -> JunFeiAIInstrumentor:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
            cls._instance._originals = {}
        return cls._instance

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """True between ``instrument`` and ``uninstrument``."""
        return bool(self._originals)

    def instrumentation_dependencies(self) -> Collection[str]:
        """The packages that are instrumented, for ``opentelemetry-instrument``."""
        return ["junfeiai"]

    def instrument(self, *, tracer_provider: TracerProvider | None = None, capture_content: bool | None = None, **_: Any) -> None:
        """Switches the spans on. Does nothing when they are on already.

        ``tracer_provider`` is the global one by default. ``capture_content`` puts prompts, URLs of images and the text of
        errors into the spans; by default the environment variable ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``
        decides (``true``, ``span_only`` or ``span_and_event``). Other arguments of instrumentors are ignored.

        Raises ``TypeError`` for an argument of another type.
        """
        # "false" counts as true: it would put prompts into the spans of somebody who does not want them there.
        if not isinstance(capture_content, (bool, type(None))):
            raise TypeError(f"argument 'capture_content': expected bool, got {type(capture_content).__name__}")
        if tracer_provider is not None and not callable(getattr(tracer_provider, "get_tracer", None)):
            raise TypeError(f"argument 'tracer_provider': expected TracerProvider, got {type(tracer_provider).__name__}")
        if self._originals:
            return
        if capture_content is None:
            capture_content = os.environ.get(_CAPTURE, "").strip().lower() in ("true", "span_only", "span_and_event")
        tracer = get_tracer("junfeiai", __version__, tracer_provider)
        for owner, name in _CALLS:
            self._originals[owner, name] = getattr(owner, name)
            traced = _traced_many if name in _MANY else _traced
            setattr(owner, name, traced(self._originals[owner, name], owner, name, tracer, capture_content))

    def uninstrument(self, **_: Any) -> None:
        """Switches the spans off. Does nothing when they are off already."""
        for (owner, name), original in self._originals.items():
            setattr(owner, name, original)
        self._originals.clear()


def _traced(original: Callable[..., Any], owner: type, name: str, tracer: Tracer, content: bool) -> Callable[..., Any]:
    if owner.__name__.startswith("Async"):

        def start(this: Any, /, *arguments: Any, **options: Any) -> Any:
            # Arguments are read here, as without spans; the span starts with the await.
            span = _CallSpan(tracer, content, name, this, arguments, options)
            return _awaited(original(this, *arguments, **options), span)

        return functools.wraps(original)(start)

    def call(this: Any, /, *arguments: Any, **options: Any) -> Any:
        task_ids: list[str] = []
        with _kept(task_ids), _CallSpan(tracer, content, name, this, arguments, options) as span:
            result = original(this, *arguments, **options)
            task_ids += _task_ids(result)
            return span.returned(result)

    return functools.wraps(original)(call)


def _traced_many(original: Callable[..., Any], owner: type, name: str, tracer: Tracer, content: bool) -> Callable[..., Any]:
    def call(this: Any, /, *arguments: Any, **options: Any) -> Any:
        span = _ManySpan(tracer, content, name)
        arguments, options = span.watched(arguments, options)
        if name != "wait_all":
            # What is refused is refused here: nothing was begun.
            items = original(this, *arguments, **options)
            return _AsyncItems(items, span) if owner is AsyncVideos else _Items(items, span)
        if owner is AsyncVideos:
            return _all_awaited(original(this, *arguments, **options), span)
        with span:
            return span.all(original(this, *arguments, **options))

    return functools.wraps(original)(call)


async def _all_awaited(coroutine: Coroutine[Any, Any, Any], span: _ManySpan) -> Any:
    with span:
        return span.all(await coroutine)


@contextlib.contextmanager
def _unseen(error: BaseException | None = None) -> Iterator[None]:
    """What fails in a span or in its exporter must not take the place of the result of a call, which was paid for, nor of its error."""
    try:
        yield
    except Exception as failure:
        if failure is not error:
            logging.getLogger("junfeiai").warning("a span could not be written", exc_info=True)


def _task_ids(result: Any) -> list[str]:
    task_id = getattr(result, "id", None) or getattr(result, "task_id", None)
    return [task_id] if task_id else []


@contextlib.contextmanager
def _kept(task_ids: list[str]) -> Iterator[None]:
    """Ctrl-C while an exporter sends a span takes the place of the result of a call: it gets a note of what was paid for."""
    try:
        yield
    except BaseException as error:
        if task_ids:
            text = f"results of {', '.join(task_ids)} were not returned: continue with client.videos.task(id)"
            left(error, text, task_ids, False, True)
        raise


async def _awaited(coroutine: Coroutine[Any, Any, Any], span: _CallSpan) -> Any:
    task_ids: list[str] = []
    with _kept(task_ids), span:
        result = await coroutine
        task_ids += _task_ids(result)
        return span.returned(result)


class _CallSpan:
    """The span of one call, from its start to its end. Puts a callback of its own in front of the caller's."""

    def __init__(
        self, tracer: Tracer, content: bool, name: str, this: Any, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        self._asyncio = type(this).__name__.startswith("Async")
        self._content = content
        self._status: str | None = None
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._span: Span | None = None
        operation = "generate_content" if name in _PAID else name
        attributes: dict[str, str | int | float | bool] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "junfeiai",
            "junfeiai.call": name,
        }
        model: str | None
        if name in _PAID:
            model = _text(options.get("model")) or DEFAULT_MODEL
            attributes |= _request(options, options.get("prompt", arguments[0] if arguments else ""), content)
        else:
            model = getattr(this, "model", None)
            if task_id := this.id if name == "wait" else this.task_id:
                attributes |= {"gen_ai.response.id": task_id, "junfeiai.task.id": task_id}
        if model:
            attributes["gen_ai.request.model"] = model
        title = f"{operation} {model}" if model else operation
        self._started = functools.partial(tracer.start_as_current_span, title, kind=SpanKind.CLIENT, attributes=attributes)
        if name in ("generate", "wait"):
            self._watch(options)

    def _watch(self, options: dict[str, Any]) -> None:
        callback = options.get("on_progress")
        if callback is not None and (not callable(callback) or _is_async(callback)):
            return  # The call refuses it.
        self._callback = callback
        options["on_progress"] = self._on_progress

    def _on_progress(self, task: Any) -> None:
        with _unseen():
            if self._span is not None:
                _set_task(self._span, task.id)
                if task.status != self._status:
                    self._status = task.status
                    self._span.add_event("junfeiai.task.status", {"junfeiai.task.status": task.status})
        if self._callback is None:
            return
        if self._context is None:
            self._callback(task)
        else:
            self._context.run(self._callback, task)

    def __enter__(self) -> _CallSpan:
        # The text of an exception may quote a prompt: it is noted below.
        self._manager = self._started(record_exception=False, set_status_on_exception=False)
        self._span = self._manager.__enter__()
        if self._asyncio:
            # A loop runs the callback in a context of its own: spans that it starts belong below this one.
            self._context = copy_context()
        return self

    def returned(self, result: Any) -> Any:
        """The result of the call, after what is known of it was noted."""
        with _unseen():
            if self._span is not None:
                _succeeded(self._span, result)
        return result

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with _unseen():
            if self._span is not None and error is not None:
                _failed(self._span, error, self._content)
        # It raises the call's own error again, which goes on by itself.
        with _unseen(error):
            self._manager.__exit__(kind, error, trace)


class _ManySpan:
    """The span of a call about several tasks, and those of its items. Nothing of it may raise: tasks are paid for."""

    def __init__(self, tracer: Tracer, content: bool, name: str) -> None:
        self._tracer, self._content, self._name = tracer, content, name
        self._attributes: dict[str, str | int | float | bool] = {"gen_ai.provider.name": "junfeiai", "junfeiai.call": name}
        self._requests: list[Any] = []
        self._concurrency: int | None = None
        # When each item began; by its index where it has one.
        self._begun: list[int] = []
        self._alive = 0
        self._span: Span | None = None
        # Of all outcomes so far: a `list(…)` that is interrupted loses them all.
        self._task_ids: list[str] = []
        self._ended = {"succeeded": 0, "failed": 0}

    def watched(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the call, after what the spans say of them was noted. A generator is noted as it is read."""
        with _unseen():
            what = "requests" if self._name == "generate_many" else "task_ids"
            given = options.get(what, arguments[0] if arguments else None)
            if self._name == "generate_many":
                concurrency = options.get("concurrency")
                self._concurrency = concurrency if isinstance(concurrency, int) else _CONCURRENCY
                self._attributes["junfeiai.concurrency"] = self._concurrency
            if isinstance(given, (list, tuple)):
                self._requests = list(given)
            elif isinstance(given, (GeneratorType, map)):
                noted = self._noted(given)
                return ((noted, *arguments[1:]), options) if arguments else ((), {**options, what: noted})
        return arguments, options

    def _noted(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self._requests.append(item)
            yield item

    def begin(self, current: bool = False) -> None:
        """Starts the span, once; and the items that begin now."""
        with _unseen():
            if self._span is None and not current:
                self._span = self._tracer.start_span(self._name, kind=SpanKind.INTERNAL, attributes=self._attributes)
            if self._concurrency is not None:
                while self._alive < self._concurrency and len(self._begun) < max(len(self._requests), 1):
                    self._begun.append(time.time_ns())
                    self._alive += 1
            elif not self._begun:
                self._begun.append(time.time_ns())

    def item(self, outcome: Any) -> Any:
        """The outcome of an item, after its span was written."""
        self._task_ids += _task_ids(outcome)
        with _kept(self._task_ids), _unseen():
            if self._span is None:
                return outcome
            self._alive -= 1
            self._ended["failed" if outcome.error else "succeeded"] += 1
            operation = _MANY[self._name]
            attributes: dict[str, str | int | float | bool] = {"gen_ai.operation.name": operation, "gen_ai.provider.name": "junfeiai"}
            begun, model = self._begun[0], None
            index = outcome.index
            if index is not None:
                attributes["junfeiai.index"] = index
                begun = self._begun[index] if index < len(self._begun) else begun
                request = self._requests[index] if index < len(self._requests) else None
                fields: Mapping[str, Any] = request if isinstance(request, Mapping) else {"prompt": request or ""}
                model = _text(fields.get("model")) or DEFAULT_MODEL
                attributes |= {"gen_ai.request.model": model, **_request(fields, fields.get("prompt", ""), self._content)}
            if outcome.task_id:
                attributes |= {"gen_ai.response.id": outcome.task_id, "junfeiai.task.id": outcome.task_id}
            span = self._tracer.start_span(
                f"{operation} {model}" if model else operation, context=set_span_in_context(self._span), kind=SpanKind.CLIENT,
                attributes=attributes, start_time=begun,
            )  # fmt: skip
            if outcome.error:
                _failed(span, outcome.error, self._content)
            else:
                _succeeded(span, outcome.video)
            span.end()
        return outcome

    def end(self, error: BaseException | None = None) -> None:
        """Ends the span, once."""
        with _unseen():
            span, self._span = self._span, None
            if span is not None:
                self._close(span, error)
                span.end()

    def _close(self, span: Span, error: BaseException | None) -> None:
        span.set_attributes({f"junfeiai.{name}": count for name, count in self._ended.items()})
        if self._requests:
            span.set_attribute("junfeiai.count", len(self._requests))
        if error is not None:
            _failed(span, error, self._content)

    def all(self, outcomes: list[Any]) -> list[Any]:
        """The outcomes of `wait_all`, after their spans were written."""
        for outcome in outcomes:
            self.item(outcome)
        return outcomes

    def __enter__(self) -> _ManySpan:
        with _unseen():
            self._manager = self._tracer.start_as_current_span(
                self._name, kind=SpanKind.INTERNAL, attributes=self._attributes, record_exception=False, set_status_on_exception=False
            )
            self._span = self._manager.__enter__()
        self.begin(current=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with _unseen():
            if self._span is not None:
                self._close(self._span, error)
        with _unseen(error):
            if self._span is not None:
                self._manager.__exit__(kind, error, trace)


class _Items(Iterator[Any]):
    """The outcomes of a call, each with its span. A loop that is left early ends the span of the call when this is dropped."""

    def __init__(self, items: Iterator[Any], span: _ManySpan) -> None:
        self._items, self._span = items, span

    def __next__(self) -> Any:
        self._span.begin()
        try:
            outcome = next(self._items)
        except StopIteration:
            self._span.end()
            raise
        except Exception as error:
            self._span.end(error)
            raise
        return self._span.item(outcome)

    def __del__(self) -> None:
        self._span.end()


class _AsyncItems(AsyncIterator[Any]):
    """The same for ``async for``. A step that was cancelled is no end: the next one continues."""

    def __init__(self, items: AsyncIterator[Any], span: _ManySpan) -> None:
        self._items, self._span = items, span

    async def __anext__(self) -> Any:
        self._span.begin()
        try:
            outcome = await self._items.__anext__()
        except StopAsyncIteration:
            self._span.end()
            raise
        except Exception as error:
            self._span.end(error)
            raise
        return self._span.item(outcome)

    def __del__(self) -> None:
        self._span.end()


def _set_task(span: Span, task_id: str | None) -> None:
    if task_id:
        span.set_attributes({"gen_ai.response.id": task_id, "junfeiai.task.id": task_id})


def _succeeded(span: Span, result: Any) -> None:
    _set_task(span, getattr(result, "id", None) or getattr(result, "task_id", None))
    _note(span, result, _RESULT)
    if model := getattr(result, "model", None):
        span.set_attribute("gen_ai.response.model", model)


def _failed(span: Span, error: BaseException, content: bool) -> None:
    if isinstance(error, JunFeiAIError):
        what, text = error.kind, error.kind
        _note(span, error, _ERROR)
    else:
        what = text = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        if getattr(error, "maybe_executed", False):
            span.set_attribute("junfeiai.maybe_executed", True)
    _set_task(span, getattr(error, "task_id", None))
    if content:
        text = str(error) or what
        span.record_exception(error)
    span.set_attribute("error.type", what)
    span.set_status(Status(StatusCode.ERROR, text))


def _note(span: Span, source: object, names: dict[str, str]) -> None:
    for field, name in names.items():
        value = getattr(source, field, None)
        if value is not None and value != "":
            span.set_attribute(name, value)


def _request(options: Mapping[str, Any], prompt: object, content: bool) -> dict[str, str | int | float | bool]:
    """What a span says of a request."""
    attributes: dict[str, str | int | float | bool] = {"gen_ai.output.type": "video"}
    for field in ("seconds", "size"):
        if isinstance(value := options.get(field), (str, int, float)):
            attributes[f"junfeiai.request.{field}"] = str(value)
    if content:
        attributes["gen_ai.input.messages"] = _messages(prompt, options)
    return attributes


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _messages(prompt: object, options: Mapping[str, Any]) -> str:
    """The prompt and the URLs of images as the conventions have messages."""
    parts: list[dict[str, str]] = [{"type": "text", "content": str(prompt)}]
    images = options.get("images")
    given = [options.get("image"), *(images if isinstance(images, (list, tuple)) else [])]
    urls = [image for image in given if isinstance(image, str) and not image.startswith("data:")]
    parts += [{"type": "uri", "modality": "image", "uri": url} for url in urls]
    return json.dumps([{"role": "user", "parts": parts}], ensure_ascii=False)


def _is_async(callback: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(type(callback).__call__)
