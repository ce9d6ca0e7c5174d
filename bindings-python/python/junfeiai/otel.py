"""OpenTelemetry spans for the calls that take long or cost money. Needs the extra ``otel``.

>>> from junfeiai.otel import JunFeiAIInstrumentor
>>> JunFeiAIInstrumentor().instrument()

Every ``create``, ``generate``, ``wait`` and ``save`` of every client, blocking or asyncio, then has a span of kind ``CLIENT``,
with the attributes of the conventions for generative AI. ``generate`` and ``create`` are a ``generate_content``, ``wait`` and
``save`` are operations of those names. No span has the API key, a URL or a path. A prompt, and the text of an error, which may
quote one, is in a span only when you ask for it.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
import os
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider, get_tracer

from . import AsyncTask, AsyncVideo, AsyncVideos, JunFeiAIError, Task, Video, Videos, __version__
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
)
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
        """
        if self._originals:
            return
        if capture_content is None:
            capture_content = os.environ.get(_CAPTURE, "").strip().lower() in ("true", "span_only", "span_and_event")
        tracer = get_tracer("junfeiai", __version__, tracer_provider)
        for owner, name in _CALLS:
            self._originals[owner, name] = getattr(owner, name)
            setattr(owner, name, _traced(self._originals[owner, name], owner, name, tracer, capture_content))

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
        with _CallSpan(tracer, content, name, this, arguments, options) as span:
            return span.returned(original(this, *arguments, **options))

    return functools.wraps(original)(call)


@contextlib.contextmanager
def _unseen(error: BaseException | None = None) -> Iterator[None]:
    """What fails in a span or in its exporter must not take the place of the result of a call, which was paid for, nor of its error."""
    try:
        yield
    except Exception as failure:
        if failure is not error:
            logging.getLogger("junfeiai").warning("a span could not be written", exc_info=True)


async def _awaited(coroutine: Coroutine[Any, Any, Any], span: _CallSpan) -> Any:
    with span:
        return span.returned(await coroutine)


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
            attributes["gen_ai.output.type"] = "video"
            for field in ("seconds", "size"):
                if isinstance(value := options.get(field), (str, int, float)):
                    attributes[f"junfeiai.request.{field}"] = str(value)
            if content:
                prompt = options.get("prompt", arguments[0] if arguments else "")
                attributes["gen_ai.input.messages"] = _messages(prompt, options)
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
                self._set_task(task.id)
                if task.status != self._status:
                    self._status = task.status
                    self._span.add_event("junfeiai.task.status", {"junfeiai.task.status": task.status})
        if self._callback is None:
            return
        if self._context is None:
            self._callback(task)
        else:
            self._context.run(self._callback, task)

    def _set_task(self, task_id: str | None) -> None:
        if task_id and self._span is not None:
            self._span.set_attributes({"gen_ai.response.id": task_id, "junfeiai.task.id": task_id})

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
                self._set_task(getattr(result, "id", None) or getattr(result, "task_id", None))
                self._note(result, _RESULT)
                if model := getattr(result, "model", None):
                    self._span.set_attribute("gen_ai.response.model", model)
        return result

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with _unseen():
            if self._span is not None and error is not None:
                self._failed(error)
        # It raises the call's own error again, which goes on by itself.
        with _unseen(error):
            self._manager.__exit__(kind, error, trace)

    def _failed(self, error: BaseException) -> None:
        assert self._span is not None
        if isinstance(error, JunFeiAIError):
            what, text = error.kind, error.kind
            self._note(error, _ERROR)
        else:
            what = text = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
            if getattr(error, "maybe_executed", False):
                self._span.set_attribute("junfeiai.maybe_executed", True)
        self._set_task(getattr(error, "task_id", None))
        if self._content:
            text = str(error) or what
            self._span.record_exception(error)
        self._span.set_attribute("error.type", what)
        self._span.set_status(Status(StatusCode.ERROR, text))

    def _note(self, source: object, names: dict[str, str]) -> None:
        assert self._span is not None
        for field, name in names.items():
            value = getattr(source, field, None)
            if value is not None and value != "":
                self._span.set_attribute(name, value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _messages(prompt: object, options: dict[str, Any]) -> str:
    """The prompt and the URLs of images as the conventions have messages."""
    parts: list[dict[str, str]] = [{"type": "text", "content": str(prompt)}]
    images = options.get("images")
    given = [options.get("image"), *(images if isinstance(images, (list, tuple)) else [])]
    urls = [image for image in given if isinstance(image, str) and not image.startswith("data:")]
    parts += [{"type": "uri", "modality": "image", "uri": url} for url in urls]
    return json.dumps([{"role": "user", "parts": parts}], ensure_ascii=False)


def _is_async(callback: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(type(callback).__call__)
