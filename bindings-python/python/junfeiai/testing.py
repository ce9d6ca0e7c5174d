"""For unit tests without HTTP: results, errors of every kind, and a client that answers what the test says.

>>> from junfeiai.testing import FakeClient, error
>>> client = FakeClient(wait=error("task_failed"))
>>> task = client.videos.create("A small red ball", seconds=6)
>>> task.wait()
Traceback (most recent call last):
junfeiai._errors.TaskFailedError: the task ended in FAILURE; the service returns the charge; ...
>>> client.called("create")
[{'prompt': 'A small red ball', 'seconds': 6}]

A fake is an instance of the class that it stands for (``isinstance``), has its attributes and methods, and refuses arguments and
requests that the real one refuses. Nothing is sent. To test against a service with its faults, use the package
``junfeiai-emulator``.
"""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar, cast

from ._aio import DONE, Opening
from ._errors import KINDS, InvalidRequestError, JunFeiAIError
from ._native import (
    ERROR_KINDS,
    Advanced,
    AsyncAdvanced,
    AsyncClient,
    AsyncOutcome,
    AsyncRangeResponse,
    AsyncTask,
    AsyncVideo,
    AsyncVideoReader,
    AsyncVideos,
    Balance,
    CheckReport,
    CheckStep,
    Client,
    EntryCheck,
    Estimate,
    KeyRecord,
    Outcome,
    Pending,
    RangeResponse,
    Reconciliation,
    Saved,
    SaveProgress,
    Settled,
    Spending,
    Summary,
    Task,
    TaskWarning,
    Video,
    Videos,
    __version__,
)

__all__ = [
    "CONTENT",
    "Call",
    "FakeAsyncClient",
    "FakeClient",
    "advanced",
    "async_advanced",
    "async_outcome",
    "async_task",
    "async_video",
    "check_report",
    "error",
    "in_turn",
    "outcome",
    "record",
    "saved",
    "summary",
    "task",
    "video",
]

if TYPE_CHECKING:
    from typing import Literal

    _Status = Literal["queued", "in_progress", "succeeded", "failed", "unknown"]

T = TypeVar("T")

CONTENT = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2\0\0\0\x08mdat"
"""What the video of a fake holds unless the test says otherwise: the head of an MP4, which no player can show."""

# --- Errors -------------------------------------------------------------------------------------------------------------

# What an error of a kind says of itself unless the test says otherwise.
_STATUS_CODES = {
    "bad_request": 400,
    "authentication": 401,
    "permission_denied": 403,
    "insufficient_balance": 403,
    "not_found": 404,
    "rate_limited": 429,
    "upstream": 502,
    "model_unavailable": 503,
    "unexpected_response": 200,
    "not_offered": 404,
}
_TRANSIENT = {"rate_limited", "upstream", "connect", "connection", "timeout", "not_ready"}
_PHASES = {
    **dict.fromkeys(("config", "untrusted_host", "internal"), "config"),
    **dict.fromkeys(("task_failed", "wait_timeout", "cancelled"), "wait"),
    **dict.fromkeys(("download", "not_ready", "integrity"), "content"),
    **dict.fromkeys(("file_exists", "io", "file_locked", "no_space"), "save"),
    "not_found": "query",
    "not_offered": "check",
    "journal": "journal",
}
_OF_A_TASK = {"not_found", "task_failed", "wait_timeout", "download", "not_ready", "integrity"}
_LAST_STATUSES = {"task_failed": "failed", "wait_timeout": "in_progress", "not_ready": "in_progress"}


def error(kind: str | type[JunFeiAIError], message: str | None = None, **attributes: Any) -> JunFeiAIError:
    """An error of this kind, as a call of the library would raise it: ``error("rate_limited", retry_after=5)``.

    ``kind`` is a name from the guide's table of errors, or a class that belongs to one. ``message`` is what happened; the
    advice of the kind follows it in ``str()``. ``attributes`` are those of ``JunFeiAIError``, such as ``task_id``.

    Raises ``ValueError`` for a kind that there is not, ``TypeError`` for an attribute that there is not.
    """
    numbers = {name: (number, advice) for name, number, advice in ERROR_KINDS}
    name = kind if isinstance(kind, str) else next((name for name, known in KINDS.items() if known is kind), kind.__name__)
    if name not in numbers:
        raise ValueError(f"there is no kind of error {name!r}; there are {', '.join(numbers)}")
    number, advice = numbers[name]
    known = {attribute for attribute in JunFeiAIError.__annotations__ if attribute not in ("kind", "number")}
    if wrong := sorted(attributes.keys() - known):
        raise TypeError(f"errors have no attribute {', '.join(wrong)}; there are {', '.join(sorted(known))}")
    made = KINDS[name]
    first = inspect.cleandoc(made.__doc__ or name).split(". ")[0].split("\n")[0].rstrip(".")
    said = message or first[0].lower() + first[1:]
    found = made(f"{said}; {advice}")
    values = {
        **{attribute: getattr(JunFeiAIError, attribute) for attribute in known},
        "message": said,
        "phase": _PHASES.get(name, "create"),
        "status_code": _STATUS_CODES.get(name),
        "task_id": "task_1" if name in _OF_A_TASK else None,
        "last_status": _LAST_STATUSES.get(name),
        "attempts": 0 if number < 20 else 1,
        "maybe_executed": name == "create_outcome_unknown",
        "transient": name in _TRANSIENT,
        **attributes,
        "kind": name,
        "number": number,
    }
    for attribute, value in values.items():
        setattr(found, attribute, value)
    return found


# --- Records ------------------------------------------------------------------------------------------------------------

_DEFAULTS: dict[type, dict[str, Any]] = {
    Summary: {
        "path": Path("video.mp4"), "bytes": len(CONTENT), "duration": 6.0, "width": 1280, "height": 720, "resumed": False, "attempts": 1,
        "elapsed": 0.1,
    },
    SaveProgress: {"bytes": 0, "rate": 0.0},
    TaskWarning: {"code": "unusual_length", "message": "this length is not usual"},
    Balance: {"unlimited": False, "available_usd": 100.0, "used_usd": 0.0},
    Estimate: {"certainty": "unknown", "billed_seconds": 4, "size_ratio": 1.0, "notes": []},
    Pending: {"kind": "task", "task_id": "task_1", "model": "grok-image-video", "created_at": 0, "state": "created"},
    KeyRecord: {
        "key": "key-1", "attempt": 1, "state": "created", "task_id": "task_1", "intent": "intent-1", "model": "grok-image-video",
        "created_at": 0,
    },
    Settled: {
        "intent": "intent-1", "model": "grok-image-video", "created_at": 0, "verdict": "not_charged", "reason": "nothing was charged",
    },
    Reconciliation: {"entries": []},
    Spending: {
        "day": "2026-01-31", "model": "grok-image-video", "creates": 1, "charged_units": 0, "charged_usd": 0.0, "refunded_units": 0,
        "refunded_usd": 0.0, "failed": 0, "unknown": 0, "uncharged": 0,
    },
    CheckStep: {"name": "dns", "status": "ok", "detail": "found"},
    EntryCheck: {"endpoint": "https://junfeiai.com/v1", "in_use": True, "ok": True, "steps": []},
}


def record(kind: type[T], **fields: Any) -> T:
    """A real ``Summary``, ``Estimate``, ``Balance``, ``Pending``, … whose other fields have usual values or ``None``:
    ``record(Balance, available_usd=0.5)``.

    Raises ``TypeError`` for a field that there is not.
    """
    if kind not in _DEFAULTS:
        raise TypeError(f"{kind.__name__} is not one of {', '.join(known.__name__ for known in _DEFAULTS)}")
    names = list(inspect.signature(kind).parameters)
    if wrong := sorted(fields.keys() - set(names)):
        raise TypeError(f"{kind.__name__} has no field {', '.join(wrong)}; there are {', '.join(names)}")
    values = {**dict.fromkeys(names), **_DEFAULTS[kind], **fields}
    return kind(**values)


def summary(path: str | Path = "video.mp4", **fields: Any) -> Summary:
    """A real ``Summary``, the result of ``save``: ``summary("ball.mp4", bytes=1000)``."""
    return record(Summary, path=Path(path), **fields)


# --- What the test says -------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """A call that a fake received."""

    name: str
    """The name of the method."""
    arguments: dict[str, Any]
    """The arguments that were given, by their names."""


class in_turn:
    """Results of consecutive calls: ``FakeClient(create=in_turn(error("rate_limited"), task()))``. A call after the last of
    them fails the test.
    """

    def __init__(self, *results: object) -> None:
        self._results = results
        self._count = 0

    def _next(self, name: str) -> object:
        if self._count == len(self._results):
            raise AssertionError(f"{name} was called once more: the test has {self._count} results for it")
        self._count += 1
        return self._results[self._count - 1]


_RAW = {"queued": "QUEUED", "in_progress": "IN_PROGRESS", "succeeded": "SUCCESS", "failed": "FAILURE", "unknown": ""}
_PROGRESS = {"in_progress": 50.0, "succeeded": 100.0}


class _Script:
    """What a test gives its fakes, and what they saw."""

    def __init__(self, statuses: Iterable[str] = ("queued", "in_progress", "succeeded"), content: bytes = CONTENT, **results: object) -> None:
        try:
            self.statuses = tuple(statuses)
        except TypeError:
            raise TypeError(f"argument 'statuses': expected an iterable of str, got {type(statuses).__name__}") from None
        if not isinstance(content, (bytes, bytearray, memoryview)):
            raise TypeError(f"argument 'content': expected bytes, got {type(content).__name__}")
        self.content = content
        self.results = results
        self.calls: list[Call] = []
        self.by_key: dict[str, _FakeTask] = {}
        self.created = 0
        self.polls: dict[str, int] = {}
        self._real: Client | None = None
        self._judge: AsyncVideos | None = None
        if not self.statuses or any(not isinstance(status, str) or status not in _RAW for status in self.statuses):
            raise ValueError(f"argument 'statuses': expected some of {', '.join(_RAW)}; got {self.statuses!r:.200}")
        _check_names(results)

    @property
    def real(self) -> Client:
        """A client that judges arguments. It is asked for nothing that sends a request; its address is nobody's."""
        if self._real is None:
            self._real = Client(api_key="sk-test", base_url="http://127.0.0.1:9/v1", proxy="")
        return self._real

    @property
    def judge(self) -> AsyncVideos:
        """Calls that refuse arguments when they are called, and send nothing, since nobody awaits them: close what they give."""
        if self._judge is None:
            self._judge = AsyncClient(api_key="sk-test", base_url="http://127.0.0.1:9/v1", proxy="").videos
        return self._judge

    def check(self, request: Mapping[str, Any]) -> None:
        """Refuses a request as ``create`` does."""
        given = {name: value for name, value in request.items() if name in ("key", "retry_failed")}
        self.real.videos.fingerprint(**{name: value for name, value in request.items() if name not in given})
        self.judge.create("x", **given).close()

    def check_wait(self, options: Mapping[str, Any]) -> None:
        """Refuses the arguments of a wait as the real calls do."""
        self.judge.task("task_1").wait(**options).close()

    def check_timeout(self, timeout: float | None, phase: str, task_id: str | None = None) -> None:
        """Refuses a timeout of one request as the real calls do."""
        try:
            state = self.real.videos.task("task_1").wait_state(timeout=timeout)
        except InvalidRequestError as refused:
            raise error("invalid_request", refused.message, field="timeout", phase=phase, task_id=task_id) from None
        if timeout is not None and state["policy"]["timeout"] == 0:
            raise error("invalid_request", "timeout must be more than zero", field="timeout", phase=phase, task_id=task_id)


def _check_names(results: Mapping[str, object]) -> None:
    known = {name for cls in (_FakeClient, _FakeVideos, _FakeTask, _FakeVideo) for name in cls._calls()} - {"close"}
    if wrong := sorted(results.keys() - known):
        raise TypeError(f"there is no method {', '.join(wrong)}; a result can be given for {', '.join(sorted(known))}")


# --- Fakes --------------------------------------------------------------------------------------------------------------


class _Fake:
    """Stands for an object of a real class: its attributes are values, and its methods give what the test says, else what the
    method of the same name with an underscore does.
    """

    __slots__ = ("_asynchronous", "_own", "_script", "_values")

    _script: _Script
    _asynchronous: bool
    _values: dict[str, Any]
    _own: Mapping[str, object]
    _sync: ClassVar[type]
    """The real class of the synchronous client; its methods have the signatures of both."""
    _async: ClassVar[type]
    """That of the asynchronous client."""
    _now: ClassVar[frozenset[str]] = frozenset()
    """Methods that are no coroutines in the asynchronous class either."""
    _each: ClassVar[frozenset[str]] = frozenset()
    """Methods that iterate."""
    _identity: ClassVar[str | None] = None
    """The attribute that makes two of them equal."""

    def __init__(
        self, script: _Script, asynchronous: bool, values: Mapping[str, Any] | None = None, own: Mapping[str, object] | None = None
    ) -> None:
        for name, value in (("_script", script), ("_asynchronous", asynchronous), ("_values", dict(values or {})), ("_own", own or {})):
            object.__setattr__(self, name, value)

    @classmethod
    def _calls(cls) -> list[str]:
        return [name for name in dir(cls._sync) if not name.startswith("_") and callable(getattr(cls._sync, name))]

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return self._async if self._asynchronous else self._sync

    def __getattr__(self, name: str) -> Any:
        values = object.__getattribute__(self, "_values")
        if name in values:
            return values[name]
        if not name.startswith("_") and name in self._calls():
            return self._method(name)
        raise AttributeError(f"'{self.__class__.__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"attribute '{name}' of '{self.__class__.__name__}' objects is not writable")

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.__class__), *self._values})

    def __eq__(self, other: object) -> bool:
        if self._identity is None or not isinstance(other, self.__class__):
            return self is other
        return bool(getattr(self, self._identity) == getattr(other, self._identity))

    def __hash__(self) -> int:
        return id(self) if self._identity is None else hash(getattr(self, self._identity))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self._values[name]!r}" for name in ("id", "status", "task_id", "error") if name in self._values)
        return f"{self.__class__.__name__}({shown})"

    def __reduce__(self) -> Any:
        raise TypeError("a fake cannot be pickled")

    def _method(self, name: str) -> Callable[..., Any]:
        """A method as the class has it: a coroutine function or not."""

        def now(*args: Any, **options: Any) -> Any:
            return self._begin(name, args, options)()

        def each(*args: Any, **options: Any) -> Iterator[Any]:
            found = self._begin(name, args, options)
            return (one for results in (found,) for one in results())

        async def later(found: Callable[[], Any]) -> Any:
            return found()

        async def one_by_one(found: Callable[[], Any]) -> AsyncIterator[Any]:
            for one in found():
                yield one

        if not self._asynchronous or name in self._now:
            return each if name in self._each else now
        if name in self._each:
            return lambda *args, **options: one_by_one(self._begin(name, args, options))
        if name == "open":
            return lambda *args, **options: Opening(later(self._begin(name, args, options)))
        return lambda *args, **options: later(self._begin(name, args, options))

    def _begin(self, name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Callable[[], Any]:
        """Notes a call and gives what carries it out. Arguments that the real method has not are refused."""
        try:
            arguments = dict(inspect.signature(getattr(self._sync, name)).bind(self, *args, **options).arguments)
        except TypeError as wrong:
            raise TypeError(f"{self.__class__.__name__}.{name}(): {wrong}") from None
        del arguments["self"]
        self._script.calls.append(Call(name, arguments))
        return lambda: self._result(name, arguments)

    def _do(self, name: str, **options: Any) -> Any:
        """A call of another method, without awaiting."""
        return self._begin(name, (), options)()

    def _result(self, name: str, arguments: dict[str, Any]) -> Any:
        scripted = self._own if name in self._own else self._script.results
        if name not in scripted:
            return self._adopt(getattr(self, f"_{name}")(**arguments))
        result: Any = scripted[name]
        if isinstance(result, in_turn):
            result = result._next(name)
        if isinstance(result, BaseException):
            raise result
        return self._adopt(result(**arguments) if callable(result) else result)

    def _adopt(self, thing: Any) -> Any:
        """What a test gave, as a part of this client: it notes its calls here, and is of its kind."""
        if isinstance(thing, list):
            return [self._adopt(one) for one in thing]
        if isinstance(thing, Iterator):
            return (self._adopt(one) for one in thing)
        fake = type(thing)
        if not issubclass(fake, _Fake) or issubclass(fake, _FakeReader):
            return thing
        values = {name: self._adopt(value) for name, value in thing._values.items()}
        return fake(self._script, self._asynchronous, values, thing._own)

    def _make(self, fake: type[_F], values: Mapping[str, Any]) -> _F:
        return fake(self._script, self._asynchronous, values)


_F = TypeVar("_F", bound=_Fake)


class _FakeRecord(_Fake):
    """One whose fields can be had as a dict."""

    __slots__ = ()

    _fields: ClassVar[tuple[str, ...]]
    """Those that the real class gives."""

    def __copy__(self: _F) -> _F:
        return self

    def __deepcopy__(self: _F, memo: object) -> _F:
        return self

    def to_dict(self) -> dict[str, Any]:
        return {name: _plain(getattr(self, name)) for name in self._fields}


def _plain(value: Any) -> Any:
    """A value as `json.dumps` takes it."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return str(value) if isinstance(value, (BaseException, os.PathLike)) else value


class _FakeTask(_FakeRecord):
    _sync, _async = Task, AsyncTask
    _fields = (
        "id", "status", "done", "raw_status", "progress", "billed_seconds", "charged_units", "reused", "saved_path", "video_url",
        "fail_reason", "model", "created_at", "started_at", "finished_at", "warnings",
    )  # fmt: skip
    _now = frozenset({"to_dict", "video", "wait_state"})
    _each = frozenset({"watch"})
    _identity = "id"

    def _polled(self) -> _FakeTask:
        """The task with its next status; a final one stays."""
        if self.done:
            return self
        number = self._script.polls.get(self.id, 0)
        self._script.polls[self.id] = number + 1
        return self._with(**_by_status(self.id, self._script.statuses[min(number, len(self._script.statuses) - 1)]))

    def _with(self, **changes: Any) -> _FakeTask:
        return _FakeTask(self._script, self._asynchronous, {**self._values, **changes}, self._own)

    def _to_the_end(self) -> Iterator[_FakeTask]:
        task, script = self, self._script
        while True:
            task = task._polled()
            yield task
            if task.done:
                task._video_if_done()
                return
            if script.polls[task.id] >= len(script.statuses) and script.statuses[-1] not in ("succeeded", "failed"):
                raise error("wait_timeout", task_id=task.id, last_status=task.status)

    def _video_if_done(self) -> _FakeVideo:
        if self.status == "failed":
            raise error("task_failed", self.fail_reason, task_id=self.id)
        if self.status != "succeeded":
            raise error("not_ready", task_id=self.id, last_status=self.status, transient=False)
        return self._make(_FakeVideo, _video_values(self.id, self.video_url, self.saved_path, self._script))

    def _refresh(self, timeout: float | None = None) -> _FakeTask:
        self._script.check_timeout(timeout, "query", self.id)
        return self._polled()

    def _wait(
        self, timeout: float | None = None, poll_interval: float | None = None, on_progress: Callable[[Any], object] | None = None
    ) -> _FakeVideo:
        self._script.check_wait({"timeout": timeout, "poll_interval": poll_interval, "on_progress": on_progress})
        last = self
        for last in self._to_the_end():
            if on_progress is not None:
                on_progress(last)
        return last._video_if_done()

    def _wait_state(self, **options: Any) -> dict[str, Any]:
        return self._script.real.videos.task(self.id).wait_state(**options)

    def _watch(self) -> Iterator[_FakeTask]:
        return self._to_the_end()

    def _video(self) -> _FakeVideo:
        return self._video_if_done()


class _FakeVideo(_FakeRecord):
    _sync, _async = Video, AsyncVideo
    _fields = ("task_id", "url", "saved_path", "file_name")
    _now = frozenset({"to_dict"})
    _each = frozenset({"iter_bytes"})
    _identity = "_place"

    @property
    def _place(self) -> tuple[object, object]:
        return (self.task_id, self.url if self.task_id is None else None)

    def _save(self, path: Any, on_progress: Callable[[SaveProgress], object] | None = None, **options: Any) -> Summary:
        content = self._script.content
        self._judge.save(path, on_progress=on_progress, **options).close()
        self._script.real.videos.check_save(path, **options)
        if options.get("create_parents"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
        if on_progress is not None:
            on_progress(record(SaveProgress, bytes=len(content), total=len(content)))
        return summary(path, bytes=len(content))

    @property
    def _judge(self) -> AsyncVideo:
        """As that of the script, for this video."""
        videos = self._script.judge
        return videos.video(self.task_id) if self.task_id else videos.video_at(self.url or "https://junfeiai.com/video.mp4")

    def _read(self, max_bytes: int | None = None) -> bytes:
        self._judge.read(max_bytes=max_bytes).close()
        return self._script.content

    def _read_range(self, start: int, end: int) -> bytes:
        self._judge.read_range(start, end).close()
        if end <= start:
            raise error("invalid_request", f"the range {start}..{end} is empty", field="range", phase="content", task_id=self.task_id)
        return self._script.content[start:end]

    def _open(self) -> Any:
        file = io.BufferedReader(cast("io.RawIOBase", io.BytesIO(self._script.content)))
        return _FakeReader(self._script, self._asynchronous, {"_file": file}) if self._asynchronous else file

    def _serve(self, range_header: str | None = None, total: int | None = None) -> _Fake:
        self._judge.serve(range_header, total=total).close()
        # Whoever asks for a range may be given everything.
        size = len(self._script.content)
        headers = {"Content-Length": str(size), "Content-Type": "video/mp4"}
        fake = _FakeAsyncRangeResponse if self._asynchronous else _FakeRangeResponse
        return self._make(fake, {"status": 200, "headers": headers, "total": size})

    def _iter_bytes(self) -> Iterator[bytes]:
        return iter([self._script.content])


class _FakeReader(_Fake):
    """What the asynchronous ``open`` gives."""

    _sync = _async = AsyncVideoReader

    async def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        return data

    async def seek(self, offset: int, whence: int = 0) -> int:
        position: int = self._file.seek(offset, whence)
        return position

    async def tell(self) -> int:
        position: int = self._file.tell()
        return position

    async def size(self) -> int:
        return len(self._script.content)

    def close(self) -> Any:
        self._file.close()
        return DONE

    async def aclose(self) -> None:
        self._file.close()

    async def __aenter__(self) -> _FakeReader:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._file.close()


class _FakeRangeResponse(_Fake):
    _sync, _async = RangeResponse, AsyncRangeResponse

    def __iter__(self) -> Iterator[bytes]:
        return iter([self._script.content])


class _FakeAsyncRangeResponse(_Fake):
    _sync, _async = RangeResponse, AsyncRangeResponse

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._script.content


class _FakeOutcome(_FakeRecord):
    _sync, _async = Outcome, AsyncOutcome
    _fields = ("index", "task_id", "video", "error")
    _now = frozenset({"result", "to_dict"})

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.video


class _FakeSaved(_FakeRecord):
    _sync = _async = Saved
    _fields = ("task_id", "summary", "error")

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.summary


class _FakeAdvanced(_FakeRecord):
    _sync, _async = Advanced, AsyncAdvanced
    _fields = ("video", "state", "retry_after")
    _now = frozenset({"to_dict"})


class _FakeCheckReport(_Fake):
    _sync = _async = CheckReport

    def to_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, "version": self.version, "models": self.models}


class _FakeVideos(_Fake):
    _sync, _async = Videos, AsyncVideos
    _now = frozenset({"check_save", "fingerprint", "task", "video", "video_at"})
    _each = frozenset({"as_completed", "generate_many", "iter_bytes", "resume_pending"})

    def _create(self, timeout: float | None = None, **request: Any) -> _FakeTask:
        script, key = self._script, request.get("key")
        script.check(request)
        script.check_timeout(timeout, "create")
        if key in script.by_key:
            return script.by_key[key]._with(reused=True)
        script.created += 1
        made = self._make(_FakeTask, _task_values(f"task_{script.created}", "queued", model=request.get("model")))
        if key is not None:
            script.by_key[key] = made
        return made

    def _estimate(self, **request: Any) -> Estimate:
        self._script.check(request)
        return record(Estimate)

    def _generate(
        self, timeout: float | None = None, poll_interval: float | None = None, on_progress: Callable[[Any], object] | None = None,
        **request: Any,
    ) -> Any:  # fmt: skip
        given = {"timeout": timeout, "poll_interval": poll_interval, "on_progress": on_progress}
        waiting = {name: value for name, value in given.items() if value is not None}
        # Before anything would be paid.
        self._script.check_wait(waiting)
        made = self._do("create", **request)
        if on_progress is not None:
            on_progress(made)
        return made._do("wait", **waiting)

    def _get(self, task_id: str, timeout: float | None = None) -> _FakeTask:
        task = self._task(task_id)
        self._script.check_timeout(timeout, "query", task.id)
        return task._polled()

    def _task(self, task_id: str) -> _FakeTask:
        # The real one refuses what cannot be an id.
        return self._make(_FakeTask, _task_values(self._script.real.videos.task(task_id).id, "unknown"))

    def _advance(self, state: dict[str, Any]) -> _FakeAdvanced:
        self._script.judge.advance(state).close()
        video = self._task(state["task_id"])._do("wait")
        return self._make(_FakeAdvanced, {"video": video, "state": None, "retry_after": None})

    def _video(self, task_id: str) -> _FakeVideo:
        known = self._script.real.videos.video(task_id)
        return self._make(_FakeVideo, _video_values(known.task_id, known.url, None, self._script))

    def _video_at(self, url: str) -> _FakeVideo:
        known = self._script.real.videos.video_at(url)
        return self._make(_FakeVideo, _video_values(known.task_id, known.url, None, self._script))

    def _check_save(self, path: Any, **options: Any) -> None:
        self._script.real.videos.check_save(path, **options)

    def _read_range(self, task_id: str, start: int, end: int) -> bytes:
        return self._video(task_id)._read_range(start, end)

    def _iter_bytes(self, task_id: str) -> Iterator[bytes]:
        return self._video(task_id)._iter_bytes()

    def _outcome(self, index: int | None, task: Callable[[], Any], task_id: str | None) -> _FakeOutcome:
        values: dict[str, Any] = {"index": index, "task_id": task_id, "video": None, "error": None}
        try:
            made = task()
            values["task_id"] = made.id
            values["video"] = made._do("wait")
        except JunFeiAIError as failed:
            values["error"] = failed
        return self._make(_FakeOutcome, values)

    def _as_completed(self, task_ids: Iterable[str]) -> Iterator[_FakeOutcome]:
        known = list(task_ids) if isinstance(task_ids, Iterator) else task_ids
        self._script.real.videos.as_completed(known)
        for one in known:
            made = self._task(one)
            yield self._outcome(None, lambda made=made: made, one)  # type: ignore[misc]

    def _wait_all(self, task_ids: Iterable[str]) -> list[_FakeOutcome]:
        return list(self._as_completed(task_ids))

    def _generate_many(self, requests: Iterable[str | Mapping[str, Any]], concurrency: int | None = None) -> Iterator[_FakeOutcome]:
        real = self._script.real.videos
        if isinstance(requests, (str, bytes, Mapping)) or hasattr(requests, "itertuples") or not isinstance(requests, Iterable):
            real.generate_many(requests)  # which refuses them
        real.generate_many([], concurrency=concurrency)
        wanted = []
        for index, one in enumerate(requests):
            if not isinstance(one, (str, Mapping)):
                real.generate_many(["x"] * index + [one])  # the same
            wanted.append({"prompt": one} if isinstance(one, str) else dict(one))
        for index, one in enumerate(wanted):
            # A request that cannot be sent is an outcome, as with the real one; a wrong type is not.
            try:
                self._script.check(one)
            except InvalidRequestError:
                pass
            except TypeError as refused:
                raise TypeError(f"requests[{index}]: {refused}") from refused.__cause__
        for index, one in enumerate(wanted):
            yield self._outcome(index, lambda one=one: self._do("create", **one), None)  # type: ignore[misc]

    def _fingerprint(self, **request: Any) -> str:
        return self._script.real.videos.fingerprint(**request)

    def _pending(self) -> list[Pending]:
        return []

    def _key(self, key: str) -> KeyRecord | None:
        self._script.judge.key(key).close()
        known = self._script.by_key.get(key)
        return None if known is None else record(KeyRecord, key=key, task_id=known.id)

    def _spending(self, since: str | None = None) -> list[Spending]:
        self._script.judge.spending(since).close()
        return []

    def _forget(self, task_id: str) -> bool:
        self._script.judge.forget(task_id).close()
        return False

    def _reconcile(self, **options: Any) -> Reconciliation:
        self._script.judge.reconcile(**options).close()
        return record(Reconciliation)

    def _resolve_unknown(self, intent: str, task_id: str | None = None) -> bool:
        self._script.judge.resolve_unknown(intent, task_id).close()
        return False

    def _resume_pending(self, folder: Any) -> Iterator[Any]:
        self._script.real.videos.resume_pending(folder)
        return iter(())

    def _check(self, account: bool | None = None) -> Any:
        self._script.judge.check(account=account).close()
        return check_report()


class _FakeClient(_Fake):
    _sync, _async = Client, AsyncClient

    def _models(self) -> list[str]:
        return ["grok-image-video", "grok-video-1.5"]

    def _balance(self) -> Balance:
        return record(Balance)

    def _check(self, account: bool | None = None) -> Any:
        self._script.judge.check(account=account).close()
        return check_report()


def _by_status(task_id: str, status: str) -> dict[str, Any]:
    """The attributes of a task that follow from its status."""
    return {
        "status": status,
        "done": status in ("succeeded", "failed"),
        "raw_status": _RAW[status],
        "progress": _PROGRESS.get(status),
        "video_url": f"https://junfeiai.com/v1/videos/{task_id}/content" if status == "succeeded" else None,
        "fail_reason": "the video could not be made" if status == "failed" else None,
    }


def _task_values(task_id: str, status: str, model: str | None = None, **given: Any) -> dict[str, Any]:
    known = {
        **dict.fromkeys(("billed_seconds", "charged_units", "saved_path", "created_at", "started_at", "finished_at")),
        "id": task_id,
        "model": model or "grok-image-video",
        "reused": False,
        "warnings": (),
        "raw": "",
        **_by_status(task_id, status),
    }
    if wrong := sorted(given.keys() - known.keys()):
        raise TypeError(f"tasks have no attribute or method {', '.join(wrong)}")
    return {**known, **given}


def _video_values(task_id: str | None, url: str | None, saved_path: Path | None, script: _Script) -> dict[str, Any]:
    # The real one, which sends nothing, knows how a file is named.
    real = script.real.videos.video(task_id) if task_id else script.real.videos.video_at(url or "https://junfeiai.com/video.mp4")
    return {"task_id": task_id, "url": url, "saved_path": saved_path, "file_name": real.file_name}


def _apart(given: Mapping[str, Any], cls: type[_Fake]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes, and results of methods. The name of both is a method's."""
    calls = cls._calls()
    return {name: value for name, value in given.items() if name not in calls}, {name: value for name, value in given.items() if name in calls}


def _a_task(asynchronous: bool, task_id: str, status: str, given: Mapping[str, Any]) -> _FakeTask:
    if status not in _RAW:
        raise ValueError(f"there is no status {status!r}; there are {', '.join(_RAW)}")
    values, results = _apart(given, _FakeTask)
    return _FakeTask(_Script(), asynchronous, _task_values(task_id, status, **values), results)


def task(id: str = "task_1", status: _Status = "queued", **given: Any) -> Task:
    """A fake ``Task``: ``task(status="in_progress", progress=42.0, wait=error("wait_timeout"))``.

    ``given`` are attributes, and results of its methods: a value, an exception to raise, a function that is called with the
    arguments, or ``in_turn(…)``. Unless ``wait`` is given, the task succeeds after two polls.
    """
    return cast("Task", _a_task(False, id, status, given))


def async_task(id: str = "task_1", status: _Status = "queued", **given: Any) -> AsyncTask:
    """A fake ``AsyncTask``, as ``task``."""
    return cast("AsyncTask", _a_task(True, id, status, given))


def _a_video(asynchronous: bool, task_id: str | None, content: bytes, given: Mapping[str, Any]) -> _FakeVideo:
    values, results = _apart(given, _FakeVideo)
    script = _Script(content=content)
    known = _video_values(task_id, values.pop("url", None), values.pop("saved_path", None), script)
    if wrong := sorted(values.keys() - known.keys()):
        raise TypeError(f"videos have no attribute or method {', '.join(wrong)}")
    return _FakeVideo(script, asynchronous, {**known, **values}, results)


def video(task_id: str | None = "task_1", *, content: bytes = CONTENT, **given: Any) -> Video:
    """A fake ``Video``, whose file holds ``content``: ``save`` writes it. ``given`` are as for ``task``."""
    return cast("Video", _a_video(False, task_id, content, given))


def async_video(task_id: str | None = "task_1", *, content: bytes = CONTENT, **given: Any) -> AsyncVideo:
    """A fake ``AsyncVideo``, as ``video``."""
    return cast("AsyncVideo", _a_video(True, task_id, content, given))


def outcome(video: Video | None = None, error: Exception | None = None, *, index: int | None = None, task_id: str | None = "task_1") -> Outcome:
    """A fake ``Outcome`` with a video or an error."""
    return cast("Outcome", _FakeOutcome(_Script(), False, {"index": index, "task_id": task_id, "video": video, "error": error}))


def async_outcome(
    video: AsyncVideo | None = None, error: Exception | None = None, *, index: int | None = None, task_id: str | None = "task_1"
) -> AsyncOutcome:
    """A fake ``AsyncOutcome`` with a video or an error."""
    return cast("AsyncOutcome", _FakeOutcome(_Script(), True, {"index": index, "task_id": task_id, "video": video, "error": error}))


def advanced(video: Video | None = None, *, state: dict[str, Any] | None = None, retry_after: float | None = None) -> Advanced:
    """A fake ``Advanced``: a step of a durable wait, with the video or with what to store and how long to pause."""
    return cast("Advanced", _FakeAdvanced(_Script(), False, {"video": video, "state": state, "retry_after": retry_after}))


def async_advanced(
    video: AsyncVideo | None = None, *, state: dict[str, Any] | None = None, retry_after: float | None = None
) -> AsyncAdvanced:
    """A fake ``AsyncAdvanced``, as ``advanced``."""
    return cast("AsyncAdvanced", _FakeAdvanced(_Script(), True, {"video": video, "state": state, "retry_after": retry_after}))


def saved(task_id: str = "task_1", summary: Summary | None = None, error: Exception | None = None) -> Saved:
    """A fake ``Saved``, one result of ``resume_pending``, with a summary or an error."""
    return cast("Saved", _FakeSaved(_Script(), False, {"task_id": task_id, "summary": summary, "error": error}))


def check_report(
    ok: bool = True,
    *,
    version: str = __version__,
    entries: Iterable[EntryCheck] = (),
    steps: Iterable[CheckStep] = (),
    models: list[str] | None = None,
    balance: Balance | None = None,
) -> CheckReport:
    """A fake ``CheckReport``, the result of ``check``."""
    values = {"ok": ok, "version": version, "entries": list(entries), "steps": list(steps), "models": models, "balance": balance}
    return cast("CheckReport", _FakeCheckReport(_Script(), False, values))


# --- Clients ------------------------------------------------------------------------------------------------------------


def _open(client: FakeClient | FakeAsyncClient) -> None:
    """Refuses the calls of a closed client as the real one does."""
    if client.closed:
        raise RuntimeError("the client is closed")


# For type checkers a fake is the real class, which is final: a program that takes a client takes a fake.
if TYPE_CHECKING:
    from ._native import AsyncClient as _AsyncClientBase, Client as _ClientBase
else:
    _ClientBase = _AsyncClientBase = object


class FakeClient(_ClientBase):  # type: ignore[misc]
    """A ``Client`` for unit tests. It sends nothing.

    ``results`` are those of its methods, of ``videos``, and of the tasks and videos that it makes, by the method's name: a
    value, an exception to raise, a function that is called with the arguments, or ``in_turn(…)`` for consecutive calls. Methods
    without a result do what they would do if all goes well: tasks have the ids ``task_1``, ``task_2``, …, ``generate`` calls
    ``create`` and ``wait``, and ``save`` writes ``content``. ``statuses`` are those that consecutive polls of a task see.

    Arguments are checked by the library: what the real client refuses before it sends anything is refused here.
    """

    def __new__(
        cls, *, statuses: Iterable[_Status] = ("queued", "in_progress", "succeeded"), content: bytes = CONTENT, **results: object
    ) -> FakeClient:
        return object.__new__(cls)

    def __init__(
        self, *, statuses: Iterable[_Status] = ("queued", "in_progress", "succeeded"), content: bytes = CONTENT, **results: object
    ) -> None:
        self._script = _Script(statuses, content, **results)
        self._fake = _FakeClient(self._script, False)
        self._closed = False

    @property
    def calls(self) -> list[Call]:
        """All calls of the client, of ``videos``, and of its tasks and videos, oldest first."""
        return self._script.calls

    def called(self, name: str) -> list[dict[str, Any]]:
        """The arguments of each call of this method, oldest first."""
        return [call.arguments for call in self._script.calls if call.name == name]

    @property
    def videos(self) -> Videos:
        """The calls about videos."""
        _open(self)
        return cast("Videos", _FakeVideos(self._script, False))

    @property
    def base_url(self) -> str:
        """An address that is nobody's."""
        return self._script.real.base_url

    @property
    def closed(self) -> bool:
        """True after ``close``."""
        return self._closed

    def check(self, *, account: bool | None = False) -> CheckReport:
        """The result that the test gave, else a report without a fault."""
        _open(self)
        return cast("CheckReport", self._fake._do("check", account=account))

    def models(self) -> list[str]:
        """The result that the test gave, else the documented models."""
        _open(self)
        return cast("list[str]", self._fake._do("models"))

    def balance(self) -> Balance:
        """The result that the test gave, else 100 USD."""
        _open(self)
        return cast("Balance", self._fake._do("balance"))

    def close(self) -> None:
        """Closes it: ``closed`` is true then."""
        self._closed = True

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return Client


class FakeAsyncClient(_AsyncClientBase):  # type: ignore[misc]
    """An ``AsyncClient`` for unit tests, as ``FakeClient``. Tasks and videos of ``task`` and ``video`` may be given as results,
    too: the client makes asynchronous ones of them.
    """

    def __new__(
        cls, *, statuses: Iterable[_Status] = ("queued", "in_progress", "succeeded"), content: bytes = CONTENT, **results: object
    ) -> FakeAsyncClient:
        return object.__new__(cls)

    def __init__(
        self, *, statuses: Iterable[_Status] = ("queued", "in_progress", "succeeded"), content: bytes = CONTENT, **results: object
    ) -> None:
        self._script = _Script(statuses, content, **results)
        self._fake = _FakeClient(self._script, True)
        self._closed = False

    @property
    def calls(self) -> list[Call]:
        """All calls of the client, of ``videos``, and of its tasks and videos, oldest first."""
        return self._script.calls

    def called(self, name: str) -> list[dict[str, Any]]:
        """The arguments of each call of this method, oldest first."""
        return [call.arguments for call in self._script.calls if call.name == name]

    @property
    def videos(self) -> AsyncVideos:
        """The calls about videos."""
        _open(self)
        return cast("AsyncVideos", _FakeVideos(self._script, True))

    @property
    def base_url(self) -> str:
        """An address that is nobody's."""
        return self._script.real.base_url

    @property
    def closed(self) -> bool:
        """True after ``close``."""
        return self._closed

    async def check(self, *, account: bool | None = False) -> CheckReport:
        """The result that the test gave, else a report without a fault."""
        _open(self)
        return cast("CheckReport", self._fake._do("check", account=account))

    async def models(self) -> list[str]:
        """The result that the test gave, else the documented models."""
        _open(self)
        return cast("list[str]", self._fake._do("models"))

    async def balance(self) -> Balance:
        """The result that the test gave, else 100 USD."""
        _open(self)
        return cast("Balance", self._fake._do("balance"))

    def close(self) -> Any:
        """Closes it: ``closed`` is true then. May be awaited, and need not be."""
        self._closed = True
        return DONE

    async def aclose(self) -> None:
        """The same as ``close``."""
        self._closed = True

    async def __aenter__(self) -> FakeAsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._closed = True

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return AsyncClient
