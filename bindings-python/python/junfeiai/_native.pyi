# Written by stubs.py; do not edit.

import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, SupportsIndex, TypeAlias, final

from ._aio import Opening
from ._errors import JunFeiAIError
from .types import Image, VideoRequest

_Status: TypeAlias = Literal["queued", "in_progress", "succeeded", "failed", "unknown"]

__version__: Final[str]
ERROR_KINDS: Final[list[tuple[str, int, str]]]
DEFAULT_MODEL: Final[str]
BUILD: Final[dict[str, str]]

def _shutdown() -> None: ...
def _stop_create_requests() -> None: ...
def _range_of(header: str | None, length: int) -> tuple[int, int, int]: ...
def _panic(videos: Videos | AsyncVideos) -> Any: ...

__all__ = [
    "__version__",
    "ERROR_KINDS",
    "BUILD",
    "DEFAULT_MODEL",
    "_shutdown",
    "_stop_create_requests",
    "_range_of",
    "_panic",
    "Client",
    "Videos",
    "Task",
    "Video",
    "AsyncClient",
    "AsyncVideos",
    "AsyncTask",
    "AsyncVideo",
    "Summary",
    "SaveProgress",
    "TaskWarning",
    "AsyncVideoReader",
    "RangeResponse",
    "AsyncRangeResponse",
    "Outcome",
    "AsyncOutcome",
    "Advanced",
    "AsyncAdvanced",
    "Pending",
    "Reconciliation",
    "Settled",
    "KeyRecord",
    "Spending",
    "Saved",
    "Balance",
    "Estimate",
    "CheckStep",
    "EntryCheck",
    "CheckReport",
]

@final
class Summary:
    """The result of ``save``."""
    def __new__(cls, path: Path, bytes: int, duration: float | None, width: int | None, height: int | None, resumed: bool, attempts: int, elapsed: float, sha256: str | None, charged_units: int | None, charged_usd: float | None) -> Summary: ...
    @property
    def path(self) -> Path:
        """The path of the video, as ``pathlib.Path``."""
    @property
    def bytes(self) -> int:
        """Length of the file in bytes."""
    @property
    def duration(self) -> float | None:
        """Duration in seconds, from the file."""
    @property
    def width(self) -> int | None:
        """Width in pixels, from the file: the requested size is only a hint to the model."""
    @property
    def height(self) -> int | None:
        """Height in pixels, from the file."""
    @property
    def resumed(self) -> bool:
        """True when the download was resumed, after a broken connection or from an earlier call."""
    @property
    def attempts(self) -> int:
        """Number of requests sent."""
    @property
    def elapsed(self) -> float:
        """Seconds this call took."""
    @property
    def sha256(self) -> str | None:
        """SHA-256 in hexadecimal, if requested."""
    @property
    def charged_units(self) -> int | None:
        """What the task cost, in the server's units (500000 = 1 USD), if a response or the journal said it."""
    @property
    def charged_usd(self) -> float | None:
        """The same in USD."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class SaveProgress:
    """Progress of a save."""
    def __new__(cls, bytes: int, total: int | None, rate: float) -> SaveProgress: ...
    @property
    def bytes(self) -> int:
        """Bytes saved so far, including those of earlier calls."""
    @property
    def total(self) -> int | None:
        """Length of the file in bytes, once known."""
    @property
    def rate(self) -> float:
        """Bytes per second over the last second or so."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class TaskWarning:
    """A request that works but is not recommended, or something else that the caller should know."""
    def __new__(cls, code: str, message: str) -> TaskWarning: ...
    @property
    def code(self) -> str:
        """The kind of warning: ``segment_model``, ``unusual_shape``, ``unusual_length``, ``billed_seconds_differ``,
        ``journal_failed``, ``price_unknown``.
        """
    @property
    def message(self) -> str:
        """One line of text."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Balance:
    """The balance of a key."""
    def __new__(cls, name: str | None, unlimited: bool, available_usd: float | None, used_usd: float, expires_at: int | None) -> Balance: ...
    @property
    def name(self) -> str | None:
        """The key's name at the server."""
    @property
    def unlimited(self) -> bool:
        """True when the key itself has no limit; the account still has one, which is not reported here."""
    @property
    def available_usd(self) -> float | None:
        """Remaining USD, at least 0; ``None`` when the key has no limit."""
    @property
    def used_usd(self) -> float:
        """Used USD."""
    @property
    def expires_at(self) -> int | None:
        """When the key expires, in Unix seconds; ``None`` when it does not."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Estimate:
    """What a create request will cost. Not in the service document: observed."""
    def __new__(cls, units: int | None, usd: float | None, certainty: Literal["exact", "rounded", "default_group", "last_charge", "unknown"], units_at_most: int | None, billed_seconds: int, price_per_second: float | None, size_ratio: float, group: str | None, group_ratio: float | None, notes: list[str]) -> Estimate: ...
    @property
    def units(self) -> int | None:
        """The charge in the server's units (500000 = 1 USD); ``None`` when it is not known."""
    @property
    def usd(self) -> float | None:
        """The same in USD."""
    @property
    def certainty(self) -> Literal["exact", "rounded", "default_group", "last_charge", "unknown"]:
        """How sure that is: ``exact`` to the unit; ``rounded``, at most this; ``default_group``, for the price group that is
        assumed before the key's first charge; ``last_charge``, as the last charge of this model; ``unknown``.
        """
    @property
    def units_at_most(self) -> int | None:
        """The most it can be in units by the listed prices, whatever the key's group; ``None`` without listed prices."""
    @property
    def billed_seconds(self) -> int:
        """The seconds that the server will bill: 4 without a length, or with one that it cannot read."""
    @property
    def price_per_second(self) -> float | None:
        """USD for one second of video before the group's ratio."""
    @property
    def size_ratio(self) -> float:
        """What the size multiplies the price by."""
    @property
    def group(self) -> str | None:
        """The key's price group, where its log names it."""
    @property
    def group_ratio(self) -> float | None:
        """What the group multiplies the price by."""
    @property
    def notes(self) -> list[str]:
        """What the caller should know of it, a line each."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Pending:
    """An entry of the journal that is not finished: a task, or a create request that may have been charged."""
    def __new__(cls, kind: Literal["task", "unknown"], task_id: str | None, intent: str | None, model: str, seconds: str | None, created_at: int, state: str, fingerprint: str | None, prompt: str | None, key: str | None) -> Pending: ...
    @property
    def kind(self) -> Literal["task", "unknown"]:
        """``task``: wait for it and save it. ``unknown``: a create request without a response; call
        ``reconcile``, or check your account's usage page, then call ``resolve_unknown``.
        """
    @property
    def task_id(self) -> str | None:
        """The task's id; ``None`` for a create request of unknown outcome."""
    @property
    def intent(self) -> str | None:
        """The journal's id of a create request of unknown outcome."""
    @property
    def model(self) -> str:
        """The requested model."""
    @property
    def seconds(self) -> str | None:
        """The requested length, if known."""
    @property
    def created_at(self) -> int:
        """Unix seconds of the create request."""
    @property
    def state(self) -> str:
        """For a task ``created`` or ``succeeded``; for a create request why its outcome is unknown, or ``charged`` when
        ``reconcile`` found its charge.
        """
    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the request's body, if known."""
    @property
    def prompt(self) -> str | None:
        """The prompt, if the client was made with ``journal_prompts``."""
    @property
    def key(self) -> str | None:
        """The key under which it was created."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class KeyRecord:
    """What the journal knows of a key."""
    def __new__(cls, key: str, attempt: int, state: Literal["sending", "unknown", "created", "succeeded", "failed", "saved", "forgotten"], task_id: str | None, intent: str, model: str, created_at: int, path: Path | None, bytes: int | None, charged_units: int | None) -> KeyRecord: ...
    @property
    def key(self) -> str:
        """The key."""
    @property
    def attempt(self) -> int:
        """1 for the first task of the key, one more for each that was created after a failed one."""
    @property
    def state(self) -> Literal["sending", "unknown", "created", "succeeded", "failed", "saved", "forgotten"]:
        """``sending``, ``unknown``, ``created``, ``succeeded``, ``failed``, ``saved`` or ``forgotten``."""
    @property
    def task_id(self) -> str | None:
        """The task's id, once there is a task."""
    @property
    def intent(self) -> str:
        """The journal's id of the create request, for ``resolve_unknown``."""
    @property
    def model(self) -> str:
        """The requested model."""
    @property
    def created_at(self) -> int:
        """Unix seconds of the create request."""
    @property
    def path(self) -> Path | None:
        """Where the video was saved; in a state before ``saved``: where it was about to get its name."""
    @property
    def bytes(self) -> int | None:
        """Its length in bytes."""
    @property
    def charged_units(self) -> int | None:
        """What the task cost, in the server's units (500000 = 1 USD), if that was seen; returned again if it failed."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Settled:
    """A create request whose outcome was unknown, and what became of it."""
    def __new__(cls, intent: str, key: str | None, model: str, seconds: str | None, created_at: int, verdict: Literal["charged", "not_charged", "under_way", "not_known"], reason: str, task_id: str | None, request_id: str | None, charged_units: int | None) -> Settled: ...
    @property
    def intent(self) -> str:
        """The journal's id of the create request."""
    @property
    def key(self) -> str | None:
        """The key under which it was sent."""
    @property
    def model(self) -> str:
        """The requested model."""
    @property
    def seconds(self) -> str | None:
        """The requested length, if known."""
    @property
    def created_at(self) -> int:
        """Unix seconds of the create request."""
    @property
    def verdict(self) -> Literal["charged", "not_charged", "under_way", "not_known"]:
        """``charged``, ``not_charged``, ``under_way`` or ``not_known``."""
    @property
    def reason(self) -> str:
        """Why, in one sentence."""
    @property
    def task_id(self) -> str | None:
        """The task's id, if known: the task is pending now."""
    @property
    def request_id(self) -> str | None:
        """The server's id of the request, if known."""
    @property
    def charged_units(self) -> int | None:
        """What it was charged in the server's units (500000 = 1 USD), if known. A failed task's charge was returned."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Reconciliation:
    """The result of ``reconcile``."""
    def __new__(cls, entries: list[Settled], retry_after: float | None) -> Reconciliation: ...
    @property
    def entries(self) -> list[Settled]:
        """Every create request whose outcome was unknown, oldest first."""
    @property
    def retry_after(self) -> float | None:
        """Seconds until the server answers such questions again, if it refused them now."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Spending:
    """What was created and charged on one day with one model, from the journal."""
    def __new__(cls, day: str, model: str, creates: int, charged_units: int, charged_usd: float, refunded_units: int, refunded_usd: float, failed: int, unknown: int, uncharged: int) -> Spending: ...
    @property
    def day(self) -> str:
        """The day of the create requests in UTC, as ``YYYY-MM-DD``."""
    @property
    def model(self) -> str:
        """The requested model."""
    @property
    def creates(self) -> int:
        """Tasks created."""
    @property
    def charged_units(self) -> int:
        """What they cost, in the server's units (500000 = 1 USD), including what was returned since."""
    @property
    def charged_usd(self) -> float:
        """The same in USD."""
    @property
    def refunded_units(self) -> int:
        """What the service returned of it, for failed tasks."""
    @property
    def refunded_usd(self) -> float:
        """The same in USD."""
    @property
    def failed(self) -> int:
        """Tasks that failed."""
    @property
    def unknown(self) -> int:
        """Create requests of unknown outcome, including those in flight: they may have been charged."""
    @property
    def uncharged(self) -> int:
        """Tasks that have not failed and whose charge was never seen; not in ``charged_units``."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class CheckStep:
    """One step of a check."""
    def __new__(cls, name: str, status: str, detail: str, advice: str | None) -> CheckStep: ...
    @property
    def name(self) -> str:
        """Its stable name: ``dns connect tls answer base_url key clock proxy video_host models balance``."""
    @property
    def status(self) -> str:
        """The result: ``ok``, ``warn``, ``fail`` or ``skipped``."""
    @property
    def detail(self) -> str:
        """What was found, one line."""
    @property
    def advice(self) -> str | None:
        """What to do, one line, if anything."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class EntryCheck:
    """The check of one endpoint."""
    def __new__(cls, endpoint: str, in_use: bool, ok: bool, steps: list[CheckStep], latency: float | None, clock_skew: int | None, request_id: str | None) -> EntryCheck: ...
    @property
    def endpoint(self) -> str:
        """The base URL."""
    @property
    def in_use(self) -> bool:
        """True for the endpoint that is in use now."""
    @property
    def ok(self) -> bool:
        """True when no step failed: as far as can be checked without creating a task, tasks can be created here."""
    @property
    def steps(self) -> list[CheckStep]:
        """The steps, in order."""
    @property
    def latency(self) -> float | None:
        """Seconds from connecting to the end of the response."""
    @property
    def clock_skew(self) -> int | None:
        """How many seconds this machine's clock is ahead of the server's; ``None`` when the server does not report its
        time.
        """
    @property
    def request_id(self) -> str | None:
        """The server's request id, for support."""
    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict, for ``json.dumps``."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...


@final
class RangeResponse:
    """The answer to a player: status, headers, and the bytes by iterating. Leaving the iteration ends the transfer.
    ``Video.serve`` returns it.

    >>> video = client.videos.generate("A small red ball bouncing once", seconds=6)
    >>> answer = video.serve("bytes=4-7")
    >>> answer.status, answer.headers.get("Content-Length"), b"".join(answer)
    (206, '4', b'ftyp')
    """
    @property
    def status(self) -> int:
        """200, 206 (a part), or 416 (the part lies behind the end)."""
    @property
    def headers(self) -> dict[str, str]:
        """The headers that a player looks at, among them ``Content-Length``, ``Content-Range`` and ``Content-Type``."""
    @property
    def total(self) -> int | None:
        """Length of the whole video in bytes, if known. Give it to the next call of ``serve`` for the same video."""
    def __iter__(self) -> Iterator[bytes]: ...

@final
class AsyncRangeResponse:
    """The answer to a player: status, headers, and the bytes by ``async for``. Leaving the iteration ends the transfer.
    ``AsyncVideo.serve`` returns it.

    >>> import asyncio
    >>> async def main():
    ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
    ...     answer = await video.serve("bytes=4-7")
    ...     return answer.status, b"".join([piece async for piece in answer])
    >>> asyncio.run(main())
    (206, b'ftyp')
    """
    @property
    def status(self) -> int:
        """200, 206 (a part), or 416 (the part lies behind the end)."""
    @property
    def headers(self) -> dict[str, str]:
        """The headers that a player looks at, among them ``Content-Length``, ``Content-Range`` and ``Content-Type``."""
    @property
    def total(self) -> int | None:
        """Length of the whole video in bytes, if known. Give it to the next call of ``serve`` for the same video."""
    def __aiter__(self) -> AsyncIterator[bytes]: ...

@final
class AsyncVideoReader:
    """A video open for reading from any position, without a file. ``AsyncVideo.open`` returns it.

    >>> import asyncio
    >>> async def main():
    ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
    ...     async with video.open() as file:
    ...         await file.seek(4)
    ...         return await file.read(4)
    >>> asyncio.run(main())
    b'ftyp'
    """
    def read(self, size: int = -1) -> Coroutine[Any, Any, bytes]:
        """Up to ``size`` bytes, fewer only at the end of the file; all the rest when it is negative."""
    def seek(self, offset: int, whence: int = 0) -> Coroutine[Any, Any, int]:
        """Moves to another position and returns it. Sends no request."""
    def tell(self) -> Coroutine[Any, Any, int]:
        """The position where the next read starts."""
    def size(self) -> Coroutine[Any, Any, int]:
        """Length of the file in bytes."""
    def close(self) -> Awaitable[None]:
        """Closes the video and its connection. May be awaited, and need not be."""
    def aclose(self) -> Coroutine[Any, Any, None]:
        """The same as ``close``, for code that expects a coroutine."""
    def __aenter__(self) -> Coroutine[Any, Any, AsyncVideoReader]: ...
    def __aexit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> Coroutine[Any, Any, None]: ...

@final
class Saved:
    """The result of ``resume_pending`` for one task."""
    @property
    def task_id(self) -> str:
        """The task's id."""
    @property
    def summary(self) -> Summary | None:
        """The saved file; ``None`` on failure."""
    @property
    def error(self) -> JunFeiAIError | None:
        """Why it failed; ``None`` on success."""
    def result(self) -> Summary:
        """Returns ``summary``, or raises ``error``."""
    def to_dict(self) -> dict[str, Any]:
        """``task_id``, ``summary`` and ``error`` as a dict, for ``json.dumps``."""
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class CheckReport:
    """The result of ``check``. ``str()`` returns a readable text of several lines."""
    @property
    def ok(self) -> bool:
        """True when the endpoint in use works and the video host responds."""
    @property
    def version(self) -> str:
        """This library's version."""
    @property
    def entries(self) -> list[EntryCheck]:
        """Every endpoint, the preferred one first."""
    @property
    def steps(self) -> list[CheckStep]:
        """``proxy``, ``video_host``, ``models``, ``balance``, in this order."""
    @property
    def models(self) -> list[str] | None:
        """The models of this key, if requested and reported by the server."""
    @property
    def balance(self) -> Balance | None:
        """The balance of the key, if requested and reported by the server."""
    def to_dict(self) -> dict[str, Any]:
        """The report as a dict, for ``json.dumps``."""


@final
class Client:
    """The synchronous client. One per program is enough: threads may share it, and so may the children of
    ``os.fork()``.

    Options that are not given come from ``JUNFEIAI_API_KEY``, ``JUNFEIAI_BASE_URL`` and
    ``JUNFEIAI_VIDEO_BASE_URL``.
    ``endpoint`` is ``"standard"`` (the default), ``"china"``, a base URL or a short host alias; ``base_url`` is an
    alias of it. Durations are in seconds.

    >>> from junfeiai import Client
    >>> with Client() as client:
    ...     task = client.videos.create("A small red ball bouncing once", seconds=6, size="1280x720")
    ...     video = task.wait(on_progress=lambda task: None)
    ...     summary = video.save("ball.mp4")
    >>> summary.width, summary.height
    (1280, 720)
    """
    def __new__(cls, *, api_key: str | None = None, endpoint: str | None = None, base_url: str | None = None, endpoints: Iterable[str] | None = None, video_base_url: str | None = None, trusted_hosts: Iterable[str] | None = None, timeout: float | None = None, create_timeout: float | None = None, connect_timeout: float | None = None, idle_timeout: float | None = None, poll_interval: float | None = None, wait_timeout: float | None = None, max_attempts: int | None = 4, max_poll_errors: int | None = 20, request_rate: float | None = None, request_burst: int | None = None, max_in_flight_creates: int | None = 4, max_cost: float | None = None, max_cost_strict: bool | None = False, budget: float | None = None, language: str | None = None, headers: Mapping[str, str] | None = None, user_agent: str | None = None, journal: str | os.PathLike[str] | None = None, journal_prompts: bool | None = False, proxy: str | None = None, ca_file: str | os.PathLike[str] | None = None) -> Client: ...
    @property
    def videos(self) -> Videos:
        """The calls about videos."""
    @property
    def base_url(self) -> str:
        """The base URL of the preferred endpoint."""
    @property
    def closed(self) -> bool:
        """True after ``close``."""
    def check(self, *, account: bool | None = False) -> CheckReport:
        """Checks every endpoint, the key, the clock, the proxy and the video host, and gives advice for what is
        wrong. Costs nothing and creates nothing. ``account`` queries the models and the balance as well.
        """
    def models(self) -> list[str]:
        """The models that this key may use. Optional endpoint: raises ``NotOfferedError`` if the server does not
        support it.
        """
    def balance(self) -> Balance:
        """The balance of this key. Optional endpoint: raises ``NotOfferedError`` if the server does not support it.
        Servers that do allow 20 calls in 20 minutes.
        """
    def close(self) -> None:
        """Closes the client. Create requests that wait for their turn in other threads are not sent: they raise
        ``CallCancelledError``. Those that have left run to their end, and tasks and videos made by the client keep working; idle
        connections are closed with the last of them.
        """
    def __enter__(self) -> Client: ...
    def __exit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> None: ...

@final
class Videos:
    """The calls about videos: create, query, read. Available as ``client.videos``.

    >>> task = client.videos.create("A small red ball bouncing once", seconds=6)
    >>> client.videos.get(task.id).id == task.id
    True
    """
    def create(self, prompt: str = "", *, model: str | None = None, seconds: float | str | SupportsIndex | None = None, size: str | None = None, image: Image | None = None, images: Iterable[Image] | None = None, duration: float | str | SupportsIndex | None = None, extra: dict[str, Any] | None = None, validate: Literal["strict", "default", "off"] | None = None, key: str | None = None, retry_failed: bool | None = False, timeout: float | None = None) -> Task:
        """Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it
        provably was not accepted.

        ``image`` and each of ``images`` is a URL, or a PNG, JPEG or WebP as a ``pathlib.Path``, bytes or a file that was
        opened with mode ``"rb"``.
        ``extra`` holds further JSON fields for the model. ``key`` is your own name for the job: one task is created per
        key, whoever asks, however often; a later call returns the same task. ``validate`` is ``"strict"`` (treat warnings as
        errors), ``"default"`` or ``"off"``. ``timeout``: of this create request, in seconds, in place of the client's
        ``create_timeout``; after it the task may still be created and charged.

        Raises ``InvalidRequestError`` before anything is sent, ``CreateOutcomeUnknownError`` when no response
        was received, and an ``APIStatusError`` when the server refuses the request.
        """
    def estimate(self, prompt: str = "", *, model: str | None = None, seconds: float | str | SupportsIndex | None = None, size: str | None = None, image: Image | None = None, images: Iterable[Image] | None = None, duration: float | str | SupportsIndex | None = None, extra: dict[str, Any] | None = None, validate: Literal["strict", "default", "off"] | None = None, key: str | None = None, retry_failed: bool | None = False) -> Estimate:
        """What ``create`` with these arguments will cost. Creates nothing and costs nothing: checks the request, then
        reads the server's price list and the key's log, each at most once in 15 minutes. ``certainty`` of the
        result says how sure it is; where the server does not tell, the cost is unknown, which is no error.

        Raises ``InvalidRequestError``, as ``create`` does.
        """
    def generate(self, prompt: str = "", *, model: str | None = None, seconds: float | str | SupportsIndex | None = None, size: str | None = None, image: Image | None = None, images: Iterable[Image] | None = None, duration: float | str | SupportsIndex | None = None, extra: dict[str, Any] | None = None, validate: Literal["strict", "default", "off"] | None = None, key: str | None = None, retry_failed: bool | None = False, timeout: float | None = None, poll_interval: float | None = None, on_progress: Callable[[Task], object] | None = None) -> Video:
        """Creates a task, waits for it and returns its video. **This costs money.**

        ``on_progress`` is called with the new task first, and then with the result of every poll.
        """
    def get(self, task_id: str, *, timeout: float | None = None) -> Task:
        """Queries a task. ``timeout``: of this query, in seconds, in place of the client's ``timeout``."""
    def task(self, task_id: str) -> Task:
        """A task by its id, without a request: to wait for it in a later process, for example."""
    def advance(self, state: dict[str, Any]) -> Advanced:
        """One step of a durable wait: queries the task if a poll is due, once, and never sleeps until then. ``state`` is
        what ``wait_state`` returned, or the step before; any process may take any step.

        The deadline and the budget of failed polls are in the state: a failed poll raises nothing. Raises what ends a
        ``wait``: ``TaskFailedError``, ``WaitTimeoutError``, ``AuthenticationError``, …
        """
    def video(self, task_id: str) -> Video:
        """The video of a task that has succeeded, without a request."""
    def video_at(self, url: str) -> Video:
        """A video by its URL. The key is sent only to trusted hosts."""
    def check_save(self, path: str | os.PathLike[str], *, connections: int | None = 1, overwrite: bool | None = False, create_parents: bool | None = False, sha256: bool | None = False, verify: bool | None = True, timeout: float | None = None, rate_limit: float | None = None) -> None:
        """Checks the arguments of ``save`` without a download: raises for wrong options, a file that exists, a folder
        that cannot be written or a full disk. Call it before ``create``, which costs money. Sends no request and
        leaves no file behind.
        """
    def read_range(self, task_id: str, start: int, end: int) -> bytes:
        """A byte range of a task's video, see ``read_range`` of the video."""
    def iter_bytes(self, task_id: str) -> Iterator[bytes]:
        """A task's video in chunks, see ``iter_bytes`` of the video."""
    def wait_all(self, task_ids: Iterable[str]) -> list[Outcome]:
        """Waits for all these tasks and returns their outcomes in order. A failure does not end the other waits."""
    def as_completed(self, task_ids: Iterable[str]) -> Iterator[Outcome]:
        """The outcomes of these tasks as they end. All tasks are polled together."""
    def generate_many(self, requests: Iterable[str | VideoRequest | Mapping[str, Any]], *, concurrency: int | None = 4) -> Iterator[Outcome]:
        """Creates a task for each request, a prompt or a mapping with the arguments of ``create``, and waits for its
        video, with at most ``concurrency`` tasks at a time. **This costs money.** Yields the outcomes as they end.
        The types of all arguments are checked, and all images read, before the first request is sent; one that cannot
        be sent, or fails, does not stop the others. Break out of the loop to stop.
        """
    def fingerprint(self, prompt: str = "", *, model: str | None = None, seconds: float | str | SupportsIndex | None = None, size: str | None = None, image: Image | None = None, images: Iterable[Image] | None = None, duration: float | str | SupportsIndex | None = None, extra: dict[str, Any] | None = None, validate: Literal["strict", "default", "off"] | None = None, key: str | None = None, retry_failed: bool | None = False) -> str:
        """SHA-256 of a request as ``create`` would send it; the journal identifies requests by it, see ``Pending``.
        Checks the request as ``create`` does and sends nothing.
        """
    def pending(self) -> list[Pending]:
        """The unfinished tasks and create requests in the client's ``journal``. Sends no request."""
    def key(self, key: str) -> KeyRecord | None:
        """What the client's ``journal`` knows of a key: how far its task is, and where its video was saved. ``None``
        if nothing was created under it. Sends no request.
        """
    def spending(self, since: str | None = None) -> list[Spending]:
        """What was created and charged under the client's ``journal``: a ``Spending`` for each UTC day and model, oldest
        first, from ``since`` (``YYYY-MM-DD``) on. Known are the charges that a wait or a query has seen. A file reaches
        back 400 days, a database 30. Sends no request.
        """
    def forget(self, task_id: str) -> bool:
        """Marks a task in the journal as done, so that it is not pending any more: for a video that was read by ``read``,
        ``iter_bytes``, ``open`` or ``serve`` instead of ``save``, or that is not wanted. False when it is not on the list.
        """
    def reconcile(self, *, account_token: str | None = None, account_user: int | str | None = None) -> Reconciliation:
        """Finds out what became of the create requests whose response was lost, by the usage and the log of the API key,
        and records it in the journal: ``charged`` (stays pending, as a task if its id is known), ``not_charged`` (removed;
        may be created again under its key), ``under_way`` or ``not_known``. Sends two requests, or none if there is
        nothing to find out.

        With ``account_token``, the access token of the account, a lost task is found as well, and pending as a task then:
        up to five more requests, for the account's list of tasks. ``account_user`` is the account's number, which older
        servers want. The token is a stronger secret than an API key: it is held for this call alone.
        """
    def resolve_unknown(self, intent: str, task_id: str | None = None) -> bool:
        """Marks a create request of unknown outcome as resolved, after you checked your account's usage page: with
        the id of the task that you found there, or without one if there is none. False when the journal has no
        such request.
        """
    def resume_pending(self, folder: str | os.PathLike[str]) -> Iterator[Saved]:
        """Waits for all pending tasks of the journal and saves them as ``FOLDER/<task id>.mp4``; yields a ``Saved``
        for each. If it is interrupted, call it again.
        """
    def check(self, *, account: bool | None = False) -> CheckReport:
        """The same as the client's ``check``."""

@final
class Task:
    """A paid task, with its last known status. Tasks are equal if their ids are.

    >>> task = client.videos.create("A small red ball bouncing once", seconds=6)
    >>> again = client.videos.task(task.id)  # in a later process, for example
    >>> video = again.wait(timeout=60)
    >>> again.refresh().status
    'succeeded'
    """
    @property
    def id(self) -> str:
        """The task's id. Keep it: the id is enough to continue later."""
    @property
    def status(self) -> _Status:
        """The last known status: ``queued``, ``in_progress``, ``succeeded``, ``failed``, or ``unknown`` for a task
        that was not queried yet.
        """
    @property
    def done(self) -> bool:
        """True for ``succeeded`` and ``failed``, which are final."""
    @property
    def raw_status(self) -> str:
        """The status as the server spells it."""
    @property
    def progress(self) -> float | None:
        """0–100, if the server reports it. May stall or decrease."""
    @property
    def billed_seconds(self) -> float | None:
        """The seconds of video that the server billed, if it reports them."""
    @property
    def charged_units(self) -> int | None:
        """What the server charged for it, in its units: 500,000 are 1 USD. Known after the first query, if the server
        reports it; 0 for a failed task, whose charge is returned.
        """
    @property
    def reused(self) -> bool:
        """True if the task was created by an earlier call with the same ``key``: this one sent no request and cost
        nothing.
        """
    @property
    def saved_path(self) -> Path | None:
        """Where an earlier call with the same ``key`` saved the video, if it did."""
    @property
    def video_url(self) -> str | None:
        """The URL of the MP4, once the task succeeded. Reading it needs the key, unless the URL is signed."""
    @property
    def fail_reason(self) -> str | None:
        """Why the task failed."""
    @property
    def model(self) -> str | None:
        """The model as the server names it; may differ from the requested one."""
    @property
    def created_at(self) -> int | None:
        """When the task was created, in Unix seconds, if the server reports it."""
    @property
    def started_at(self) -> int | None:
        """When the task was started, in Unix seconds, if the server reports it."""
    @property
    def finished_at(self) -> int | None:
        """When the task ended, in Unix seconds, if the server reports it."""
    @property
    def warnings(self) -> tuple[TaskWarning, ...]:
        """Recommendations that the request does not follow, and a billed length other than the requested one."""
    @property
    def raw(self) -> str:
        """The server's last response as JSON text; empty for a task that was not queried yet."""
    def refresh(self, *, timeout: float | None = None) -> Task:
        """Queries the task and returns a new object; this one does not change. ``timeout``: of this query, in seconds,
        in place of the client's ``timeout``.
        """
    def wait(self, *, timeout: float | None = None, poll_interval: float | None = None, on_progress: Callable[[Task], object] | None = None) -> Video:
        """Waits for the end of the task and returns its video. ``timeout`` is in seconds; the default is the client's
        ``wait_timeout`` (30 minutes), and ``math.inf`` waits without a limit. ``poll_interval`` is the delay in seconds
        that polling starts with; the default is the client's.

        Raises ``TaskFailedError``, ``WaitTimeoutError``, or the error of polling after too many failures in a
        row. Unless the task itself failed, it is still running then: call ``wait`` again.
        """
    def wait_state(self, *, timeout: float | None = None, poll_interval: float | None = None) -> dict[str, Any]:
        """Begins a durable wait: a small dict of strings and numbers, for ``videos.advance``. For job queues and workflow
        engines, which must not hold a worker while the video is made. Sends no request. ``timeout`` counts from now;
        the default is the client's ``wait_timeout``, and ``math.inf`` sets no limit. ``poll_interval`` is as in ``wait``.
        """
    def watch(self) -> Iterator[Task]:
        """Yields the task after each poll. Ends after the final status, or raises what ``wait`` would."""
    def video(self) -> Video:
        """The video, if the last known status is ``succeeded``; otherwise raises ``NotReadyError`` or
        ``TaskFailedError``.
        """
    def to_dict(self) -> dict[str, Any]:
        """The task's fields as a dict, for ``json.dumps``: all but ``raw``."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __copy__(self) -> Task: ...
    def __deepcopy__(self, memo: object) -> Task: ...

@final
class Video:
    """A video of the service. Result URLs expire after about a day: save it soon.

    >>> video = client.videos.generate("A small red ball bouncing once", seconds=6)
    >>> video.read_range(4, 8)
    b'ftyp'
    >>> len(video.read()) == video.save("ball.mp4").bytes
    True
    """
    @property
    def task_id(self) -> str | None:
        """The task that made it, if known."""
    @property
    def url(self) -> str | None:
        """Its URL, if known. Reading it needs the key, unless the URL is signed."""
    @property
    def saved_path(self) -> Path | None:
        """Where an earlier call with the same ``key`` saved it, if it did. ``save`` to the same path returns a file that
        is still there without a request.
        """
    @property
    def file_name(self) -> str:
        """A file name made from the task id that is valid on every system, such as ``task_abc.mp4``."""
    def save(self, path: str | os.PathLike[str], *, connections: int | None = 1, overwrite: bool | None = False, create_parents: bool | None = False, sha256: bool | None = False, verify: bool | None = True, timeout: float | None = None, rate_limit: float | None = None, on_progress: Callable[[SaveProgress], object] | None = None) -> Summary:
        """Saves the video. The bytes are written to ``PATH.part``; the final file name appears only after the
        download is complete, verified and synced to disk. An interrupted save is resumed by the next one.

        ``connections`` is 1–16; more than one helps if each connection is slow. ``overwrite`` replaces an
        existing file, ``create_parents`` creates missing folders, ``sha256`` computes the hash, ``verify``
        checks the MP4 structure, ``timeout`` is in seconds, ``rate_limit`` in bytes per second.
        ``on_progress`` is called with a ``SaveProgress`` at most every 100 ms, and once at the end.
        """
    def read(self, *, max_bytes: int | None = None) -> bytes:
        """The whole video as bytes; checks its length and MP4 structure. Refuses more than ``max_bytes`` (1 GiB)."""
    def read_range(self, start: int, end: int) -> bytes:
        """Bytes from ``start`` up to, but not including, ``end``; fewer at the end of the file."""
    def open(self) -> io.BufferedReader:
        """Opens the video as a seekable file object, without a file on disk. Seeking sends no request; a read sends
        one if the bytes are neither cached nor near the current position.
        """
    def serve(self, range_header: str | None = None, *, total: int | None = None) -> RangeResponse:
        """Answers a media player that sent this ``Range`` header (``None``: the whole video), exact to the byte, whatever
        the service does with ``Range``: pass status, headers and bytes on in a route of your web framework. ``total`` is
        the length that an earlier answer had, which saves a query. The bytes resume after a broken connection.
        """
    def iter_bytes(self) -> Iterator[bytes]:
        """The bytes in chunks, in order; resumes after a broken connection. The length is checked; the MP4
        structure is not, since nothing is kept.
        """
    def to_dict(self) -> dict[str, Any]:
        """``task_id``, ``url``, ``saved_path`` and ``file_name`` as a dict, for ``json.dumps``. A signed ``url`` grants
        access without a key.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __copy__(self) -> Video: ...
    def __deepcopy__(self, memo: object) -> Video: ...


@final
class Outcome:
    """The result of one of several tasks: a video, or why there is none.

    >>> requests = ['A red ball', {'prompt': 'A blue ball', 'seconds': 6}]
    >>> outcomes = list(client.videos.generate_many(requests, concurrency=8))
    >>> sorted(outcome.index for outcome in outcomes)
    [0, 1]
    >>> ids = [outcome.task_id for outcome in outcomes]
    >>> [outcome.result().read_range(4, 8) for outcome in client.videos.as_completed(ids)]
    [b'ftyp', b'ftyp']
    """
    @property
    def index(self) -> int | None:
        """The index of the request, from 0; ``None`` for tasks given by their ids."""
    @property
    def task_id(self) -> str | None:
        """The task's id, if there is a task."""
    @property
    def video(self) -> Video | None:
        """The video; ``None`` on failure."""
    @property
    def error(self) -> JunFeiAIError | None:
        """Why there is no video; ``None`` on success."""
    def result(self) -> Video:
        """Returns the video, or raises ``error``."""
    def to_dict(self) -> dict[str, Any]:
        """``index``, ``task_id``, ``video`` and ``error`` as a dict, for ``json.dumps``."""
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Advanced:
    """One step of a durable wait: the video, or what to store and how long to pause.

    >>> import json, time
    >>> kept = json.dumps(client.videos.create("A small red ball bouncing once", seconds=6).wait_state(timeout=60))
    >>> while not (step := client.videos.advance(json.loads(kept))).video:  # each round may run in another process
    ...     kept = json.dumps(step.state)
    ...     time.sleep(step.retry_after)
    >>> step.video.read_range(4, 8)
    b'ftyp'
    """
    @property
    def video(self) -> Video | None:
        """The video; ``None`` while the task is still running."""
    @property
    def state(self) -> dict[str, Any] | None:
        """What to store for the next step, as a dict for ``json.dumps``; ``None`` when the wait has ended."""
    @property
    def retry_after(self) -> float | None:
        """Seconds to pause before the next step; ``None`` when the wait has ended. Sooner is no error: then nothing is
        sent.
        """
    def to_dict(self) -> dict[str, Any]:
        """``video``, ``state`` and ``retry_after`` as a dict, for ``json.dumps``."""
    def __reduce__(self) -> tuple[Any, ...]: ...


@final
class AsyncClient:
    """A client for asyncio: the same names as ``Client``, with ``await``, ``async for`` and ``async with``.

    Several event loops may share one. Cancelling the asyncio task stops waiting; the remote task keeps running and
    stays charged.

    >>> import asyncio
    >>> from junfeiai import AsyncClient
    >>> async def main():
    ...     async with AsyncClient() as client:
    ...         task = await client.videos.create("A small red ball bouncing once", seconds=6, size="1280x720")
    ...         video = await task.wait(timeout=60)
    ...         return await video.save("ball.mp4")
    >>> asyncio.run(main()).width
    1280
    """
    def __new__(cls, *, api_key: str | None = None, endpoint: str | None = None, base_url: str | None = None, endpoints: Iterable[str] | None = None, video_base_url: str | None = None, trusted_hosts: Iterable[str] | None = None, timeout: float | None = None, create_timeout: float | None = None, connect_timeout: float | None = None, idle_timeout: float | None = None, poll_interval: float | None = None, wait_timeout: float | None = None, max_attempts: int | None = 4, max_poll_errors: int | None = 20, request_rate: float | None = None, request_burst: int | None = None, max_in_flight_creates: int | None = 4, max_cost: float | None = None, max_cost_strict: bool | None = False, budget: float | None = None, language: str | None = None, headers: Mapping[str, str] | None = None, user_agent: str | None = None, journal: str | os.PathLike[str] | None = None, journal_prompts: bool | None = False, proxy: str | None = None, ca_file: str | os.PathLike[str] | None = None) -> AsyncClient: ...
    @property
    def videos(self) -> AsyncVideos:
        """The calls about videos."""
    @property
    def base_url(self) -> str:
        """The base URL of the preferred endpoint."""
    @property
    def closed(self) -> bool:
        """True after ``close``."""
    def check(self, *, account: bool | None = False) -> Coroutine[Any, Any, CheckReport]:
        """Checks every endpoint, the key, the clock, the proxy and the video host, and gives advice for what is
        wrong. Costs nothing and creates nothing. ``account`` queries the models and the balance as well.
        """
    def models(self) -> Coroutine[Any, Any, list[str]]:
        """The models that this key may use. Optional endpoint: raises ``NotOfferedError`` if the server does not
        support it.
        """
    def balance(self) -> Coroutine[Any, Any, Balance]:
        """The balance of this key. Optional endpoint: raises ``NotOfferedError`` if the server does not support it.
        Servers that do allow 20 calls in 20 minutes.
        """
    def close(self) -> Awaitable[None]:
        """Closes the client. Create requests that wait for their turn are not sent: they raise ``CallCancelledError``. Those that
        have left run to their end, and tasks and videos made by the client keep working; idle connections are closed with the
        last of them. May be awaited, and need not be.
        """
    def aclose(self) -> Coroutine[Any, Any, None]:
        """The same as ``close``, for code that expects a coroutine."""
    def __aenter__(self) -> Coroutine[Any, Any, AsyncClient]: ...
    def __aexit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> Coroutine[Any, Any, None]: ...

@final
class AsyncVideos:
    """The calls about videos: create, query, read. Available as ``client.videos``.

    >>> import asyncio
    >>> async def main():
    ...     task = await async_client.videos.create("A small red ball bouncing once", seconds=6)
    ...     return await async_client.videos.get(task.id) == task
    >>> asyncio.run(main())
    True
    """
    def create(self, prompt: str = "", *, model: str | None = None, seconds: float | str | SupportsIndex | None = None, size: str | None = None, image: Image | None = None, images: Iterable[Image] | None = None, duration: float | str | SupportsIndex | None = None, extra: dict[str, Any] | None = None, validate: Literal["strict", "default", "off"] | None = None, key: str | None = None, retry_failed: bool | None = False, timeout: float | None = None) -> Coroutine[Any, Any, AsyncTask]:
        """Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it
        provably was not accepted.

        ``image`` and each of ``images`` is a URL, or a PNG, JPEG or WebP as a ``pathlib.Path``, bytes or a file that was
        opened with mode ``"rb"``.
        ``extra`` holds further JSON fields for the model. ``key`` is your own name for the job: one task is created per
        key, whoever asks, however often; a later call returns the same task. ``validate`` is ``"strict"`` (treat warnings as
        errors), ``"default"`` or ``"off"``. ``timeout``: of this create request, in seconds, in place of the client's
        ``create_timeout``; after it the task may still be created and charged.

        Raises ``InvalidRequestError`` before anything is sent, ``CreateOutcomeUnknownError`` when no response
        was received, and an ``APIStatusError`` when the server refuses the request.
        """
    def estimate(self, prompt: str = "", *, model: str | None = None, seconds: float | str | SupportsIndex | None = None, size: str | None = None, image: Image | None = None, images: Iterable[Image] | None = None, duration: float | str | SupportsIndex | None = None, extra: dict[str, Any] | None = None, validate: Literal["strict", "default", "off"] | None = None, key: str | None = None, retry_failed: bool | None = False) -> Coroutine[Any, Any, Estimate]:
        """What ``create`` with these arguments will cost. Creates nothing and costs nothing: checks the request, then
        reads the server's price list and the key's log, each at most once in 15 minutes. ``certainty`` of the
        result says how sure it is; where the server does not tell, the cost is unknown, which is no error.

        Raises ``InvalidRequestError``, as ``create`` does.
        """
    def generate(self, prompt: str = "", *, model: str | None = None, seconds: float | str | SupportsIndex | None = None, size: str | None = None, image: Image | None = None, images: Iterable[Image] | None = None, duration: float | str | SupportsIndex | None = None, extra: dict[str, Any] | None = None, validate: Literal["strict", "default", "off"] | None = None, key: str | None = None, retry_failed: bool | None = False, timeout: float | None = None, poll_interval: float | None = None, on_progress: Callable[[AsyncTask], object] | None = None) -> Coroutine[Any, Any, AsyncVideo]:
        """Creates a task, waits for it and returns its video. **This costs money.**

        ``on_progress`` is called with the new task first, and then with the result of every poll.
        """
    def get(self, task_id: str, *, timeout: float | None = None) -> Coroutine[Any, Any, AsyncTask]:
        """Queries a task. ``timeout``: of this query, in seconds, in place of the client's ``timeout``."""
    def task(self, task_id: str) -> AsyncTask:
        """A task by its id, without a request: to wait for it in a later process, for example."""
    def advance(self, state: dict[str, Any]) -> Coroutine[Any, Any, AsyncAdvanced]:
        """One step of a durable wait: queries the task if a poll is due, once, and never sleeps until then. ``state`` is
        what ``wait_state`` returned, or the step before; any process may take any step.

        The deadline and the budget of failed polls are in the state: a failed poll raises nothing. Raises what ends a
        ``wait``: ``TaskFailedError``, ``WaitTimeoutError``, ``AuthenticationError``, …
        """
    def video(self, task_id: str) -> AsyncVideo:
        """The video of a task that has succeeded, without a request."""
    def video_at(self, url: str) -> AsyncVideo:
        """A video by its URL. The key is sent only to trusted hosts."""
    def check_save(self, path: str | os.PathLike[str], *, connections: int | None = 1, overwrite: bool | None = False, create_parents: bool | None = False, sha256: bool | None = False, verify: bool | None = True, timeout: float | None = None, rate_limit: float | None = None) -> None:
        """Checks the arguments of ``save`` without a download: raises for wrong options, a file that exists, a folder
        that cannot be written or a full disk. Call it before ``create``, which costs money. Sends no request and
        leaves no file behind.
        """
    def read_range(self, task_id: str, start: int, end: int) -> Coroutine[Any, Any, bytes]:
        """A byte range of a task's video, see ``read_range`` of the video."""
    def iter_bytes(self, task_id: str) -> AsyncIterator[bytes]:
        """A task's video in chunks, see ``iter_bytes`` of the video."""
    def wait_all(self, task_ids: Iterable[str]) -> Coroutine[Any, Any, list[AsyncOutcome]]:
        """Waits for all these tasks and returns their outcomes in order. A failure does not end the other waits."""
    def as_completed(self, task_ids: Iterable[str]) -> AsyncIterator[AsyncOutcome]:
        """The outcomes of these tasks as they end. All tasks are polled together."""
    def generate_many(self, requests: Iterable[str | VideoRequest | Mapping[str, Any]], *, concurrency: int | None = 4) -> AsyncIterator[AsyncOutcome]:
        """Creates a task for each request, a prompt or a mapping with the arguments of ``create``, and waits for its
        video, with at most ``concurrency`` tasks at a time. **This costs money.** Yields the outcomes as they end.
        The types of all arguments are checked, and all images read, before the first request is sent; one that cannot
        be sent, or fails, does not stop the others. Break out of the loop to stop.
        """
    def fingerprint(self, prompt: str = "", *, model: str | None = None, seconds: float | str | SupportsIndex | None = None, size: str | None = None, image: Image | None = None, images: Iterable[Image] | None = None, duration: float | str | SupportsIndex | None = None, extra: dict[str, Any] | None = None, validate: Literal["strict", "default", "off"] | None = None, key: str | None = None, retry_failed: bool | None = False) -> str:
        """SHA-256 of a request as ``create`` would send it; the journal identifies requests by it, see ``Pending``.
        Checks the request as ``create`` does and sends nothing.
        """
    def pending(self) -> Coroutine[Any, Any, list[Pending]]:
        """The unfinished tasks and create requests in the client's ``journal``. Sends no request."""
    def key(self, key: str) -> Coroutine[Any, Any, KeyRecord | None]:
        """What the client's ``journal`` knows of a key: how far its task is, and where its video was saved. ``None``
        if nothing was created under it. Sends no request.
        """
    def spending(self, since: str | None = None) -> Coroutine[Any, Any, list[Spending]]:
        """What was created and charged under the client's ``journal``: a ``Spending`` for each UTC day and model, oldest
        first, from ``since`` (``YYYY-MM-DD``) on. Known are the charges that a wait or a query has seen. A file reaches
        back 400 days, a database 30. Sends no request.
        """
    def forget(self, task_id: str) -> Coroutine[Any, Any, bool]:
        """Marks a task in the journal as done, so that it is not pending any more: for a video that was read by ``read``,
        ``iter_bytes``, ``open`` or ``serve`` instead of ``save``, or that is not wanted. False when it is not on the list.
        """
    def reconcile(self, *, account_token: str | None = None, account_user: int | str | None = None) -> Coroutine[Any, Any, Reconciliation]:
        """Finds out what became of the create requests whose response was lost, by the usage and the log of the API key,
        and records it in the journal: ``charged`` (stays pending, as a task if its id is known), ``not_charged`` (removed;
        may be created again under its key), ``under_way`` or ``not_known``. Sends two requests, or none if there is
        nothing to find out.

        With ``account_token``, the access token of the account, a lost task is found as well, and pending as a task then:
        up to five more requests, for the account's list of tasks. ``account_user`` is the account's number, which older
        servers want. The token is a stronger secret than an API key: it is held for this call alone.
        """
    def resolve_unknown(self, intent: str, task_id: str | None = None) -> Coroutine[Any, Any, bool]:
        """Marks a create request of unknown outcome as resolved, after you checked your account's usage page: with
        the id of the task that you found there, or without one if there is none. False when the journal has no
        such request.
        """
    def resume_pending(self, folder: str | os.PathLike[str]) -> AsyncIterator[Saved]:
        """Waits for all pending tasks of the journal and saves them as ``FOLDER/<task id>.mp4``; yields a ``Saved``
        for each. If it is interrupted, call it again.
        """
    def check(self, *, account: bool | None = False) -> Coroutine[Any, Any, CheckReport]:
        """The same as the client's ``check``."""

@final
class AsyncTask:
    """A paid task, with its last known status. Tasks are equal if their ids are.

    >>> import asyncio
    >>> async def main():
    ...     task = await async_client.videos.create("A small red ball bouncing once", seconds=6)
    ...     async for state in task.watch():
    ...         last = state.status
    ...     return last
    >>> asyncio.run(main())
    'succeeded'
    """
    @property
    def id(self) -> str:
        """The task's id. Keep it: the id is enough to continue later."""
    @property
    def status(self) -> _Status:
        """The last known status: ``queued``, ``in_progress``, ``succeeded``, ``failed``, or ``unknown`` for a task
        that was not queried yet.
        """
    @property
    def done(self) -> bool:
        """True for ``succeeded`` and ``failed``, which are final."""
    @property
    def raw_status(self) -> str:
        """The status as the server spells it."""
    @property
    def progress(self) -> float | None:
        """0–100, if the server reports it. May stall or decrease."""
    @property
    def billed_seconds(self) -> float | None:
        """The seconds of video that the server billed, if it reports them."""
    @property
    def charged_units(self) -> int | None:
        """What the server charged for it, in its units: 500,000 are 1 USD. Known after the first query, if the server
        reports it; 0 for a failed task, whose charge is returned.
        """
    @property
    def reused(self) -> bool:
        """True if the task was created by an earlier call with the same ``key``: this one sent no request and cost
        nothing.
        """
    @property
    def saved_path(self) -> Path | None:
        """Where an earlier call with the same ``key`` saved the video, if it did."""
    @property
    def video_url(self) -> str | None:
        """The URL of the MP4, once the task succeeded. Reading it needs the key, unless the URL is signed."""
    @property
    def fail_reason(self) -> str | None:
        """Why the task failed."""
    @property
    def model(self) -> str | None:
        """The model as the server names it; may differ from the requested one."""
    @property
    def created_at(self) -> int | None:
        """When the task was created, in Unix seconds, if the server reports it."""
    @property
    def started_at(self) -> int | None:
        """When the task was started, in Unix seconds, if the server reports it."""
    @property
    def finished_at(self) -> int | None:
        """When the task ended, in Unix seconds, if the server reports it."""
    @property
    def warnings(self) -> tuple[TaskWarning, ...]:
        """Recommendations that the request does not follow, and a billed length other than the requested one."""
    @property
    def raw(self) -> str:
        """The server's last response as JSON text; empty for a task that was not queried yet."""
    def refresh(self, *, timeout: float | None = None) -> Coroutine[Any, Any, AsyncTask]:
        """Queries the task and returns a new object; this one does not change. ``timeout``: of this query, in seconds,
        in place of the client's ``timeout``.
        """
    def wait(self, *, timeout: float | None = None, poll_interval: float | None = None, on_progress: Callable[[AsyncTask], object] | None = None) -> Coroutine[Any, Any, AsyncVideo]:
        """Waits for the end of the task and returns its video. ``timeout`` is in seconds; the default is the client's
        ``wait_timeout`` (30 minutes), and ``math.inf`` waits without a limit. ``poll_interval`` is the delay in seconds
        that polling starts with; the default is the client's.

        Raises ``TaskFailedError``, ``WaitTimeoutError``, or the error of polling after too many failures in a
        row. Unless the task itself failed, it is still running then: call ``wait`` again.
        """
    def wait_state(self, *, timeout: float | None = None, poll_interval: float | None = None) -> dict[str, Any]:
        """Begins a durable wait: a small dict of strings and numbers, for ``videos.advance``. For job queues and workflow
        engines, which must not hold a worker while the video is made. Sends no request. ``timeout`` counts from now;
        the default is the client's ``wait_timeout``, and ``math.inf`` sets no limit. ``poll_interval`` is as in ``wait``.
        """
    def watch(self) -> AsyncIterator[AsyncTask]:
        """Yields the task after each poll. Ends after the final status, or raises what ``wait`` would."""
    def video(self) -> AsyncVideo:
        """The video, if the last known status is ``succeeded``; otherwise raises ``NotReadyError`` or
        ``TaskFailedError``.
        """
    def to_dict(self) -> dict[str, Any]:
        """The task's fields as a dict, for ``json.dumps``: all but ``raw``."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __copy__(self) -> AsyncTask: ...
    def __deepcopy__(self, memo: object) -> AsyncTask: ...

@final
class AsyncVideo:
    """A video of the service. Result URLs expire after about a day: save it soon.

    >>> import asyncio
    >>> async def main():
    ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
    ...     return await video.read_range(4, 8)
    >>> asyncio.run(main())
    b'ftyp'
    """
    @property
    def task_id(self) -> str | None:
        """The task that made it, if known."""
    @property
    def url(self) -> str | None:
        """Its URL, if known. Reading it needs the key, unless the URL is signed."""
    @property
    def saved_path(self) -> Path | None:
        """Where an earlier call with the same ``key`` saved it, if it did. ``save`` to the same path returns a file that
        is still there without a request.
        """
    @property
    def file_name(self) -> str:
        """A file name made from the task id that is valid on every system, such as ``task_abc.mp4``."""
    def save(self, path: str | os.PathLike[str], *, connections: int | None = 1, overwrite: bool | None = False, create_parents: bool | None = False, sha256: bool | None = False, verify: bool | None = True, timeout: float | None = None, rate_limit: float | None = None, on_progress: Callable[[SaveProgress], object] | None = None) -> Coroutine[Any, Any, Summary]:
        """Saves the video. The bytes are written to ``PATH.part``; the final file name appears only after the
        download is complete, verified and synced to disk. An interrupted save is resumed by the next one.

        ``connections`` is 1–16; more than one helps if each connection is slow. ``overwrite`` replaces an
        existing file, ``create_parents`` creates missing folders, ``sha256`` computes the hash, ``verify``
        checks the MP4 structure, ``timeout`` is in seconds, ``rate_limit`` in bytes per second.
        ``on_progress`` is called with a ``SaveProgress`` at most every 100 ms, and once at the end.
        """
    def read(self, *, max_bytes: int | None = None) -> Coroutine[Any, Any, bytes]:
        """The whole video as bytes; checks its length and MP4 structure. Refuses more than ``max_bytes`` (1 GiB)."""
    def read_range(self, start: int, end: int) -> Coroutine[Any, Any, bytes]:
        """Bytes from ``start`` up to, but not including, ``end``; fewer at the end of the file."""
    def open(self) -> Opening:
        """Opens the video as a seekable file object, without a file on disk. Seeking sends no request; a read sends
        one if the bytes are neither cached nor near the current position.
        """
    def serve(self, range_header: str | None = None, *, total: int | None = None) -> Coroutine[Any, Any, AsyncRangeResponse]:
        """Answers a media player that sent this ``Range`` header (``None``: the whole video), exact to the byte, whatever
        the service does with ``Range``: pass status, headers and bytes on in a route of your web framework. ``total`` is
        the length that an earlier answer had, which saves a query. The bytes resume after a broken connection.
        """
    def iter_bytes(self) -> AsyncIterator[bytes]:
        """The bytes in chunks, in order; resumes after a broken connection. The length is checked; the MP4
        structure is not, since nothing is kept.
        """
    def to_dict(self) -> dict[str, Any]:
        """``task_id``, ``url``, ``saved_path`` and ``file_name`` as a dict, for ``json.dumps``. A signed ``url`` grants
        access without a key.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __copy__(self) -> AsyncVideo: ...
    def __deepcopy__(self, memo: object) -> AsyncVideo: ...


@final
class AsyncOutcome:
    """The result of one of several tasks: a video, or why there is none.

    >>> import asyncio
    >>> async def main():
    ...     prompts = "A red ball", "A blue ball"
    ...     outcomes = async_client.videos.generate_many(prompts, concurrency=8)
    ...     return sorted([outcome.index async for outcome in outcomes])
    >>> asyncio.run(main())
    [0, 1]
    """
    @property
    def index(self) -> int | None:
        """The index of the request, from 0; ``None`` for tasks given by their ids."""
    @property
    def task_id(self) -> str | None:
        """The task's id, if there is a task."""
    @property
    def video(self) -> AsyncVideo | None:
        """The video; ``None`` on failure."""
    @property
    def error(self) -> JunFeiAIError | None:
        """Why there is no video; ``None`` on success."""
    def result(self) -> AsyncVideo:
        """Returns the video, or raises ``error``."""
    def to_dict(self) -> dict[str, Any]:
        """``index``, ``task_id``, ``video`` and ``error`` as a dict, for ``json.dumps``."""
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class AsyncAdvanced:
    """One step of a durable wait: the video, or what to store and how long to pause.

    >>> import asyncio
    >>> async def main():
    ...     task = await async_client.videos.create("A small red ball bouncing once", seconds=6)
    ...     step = await async_client.videos.advance(task.wait_state())
    ...     return step.video is None and step.state.get("task_id") == task.id
    >>> asyncio.run(main())
    True
    """
    @property
    def video(self) -> AsyncVideo | None:
        """The video; ``None`` while the task is still running."""
    @property
    def state(self) -> dict[str, Any] | None:
        """What to store for the next step, as a dict for ``json.dumps``; ``None`` when the wait has ended."""
    @property
    def retry_after(self) -> float | None:
        """Seconds to pause before the next step; ``None`` when the wait has ended. Sooner is no error: then nothing is
        sent.
        """
    def to_dict(self) -> dict[str, Any]:
        """``video``, ``state`` and ``retry_after`` as a dict, for ``json.dumps``."""
    def __reduce__(self) -> tuple[Any, ...]: ...
