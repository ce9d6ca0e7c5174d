# Written by stubs.py; do not edit.

import io
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias, final

_Status: TypeAlias = Literal["queued", "in_progress", "succeeded", "failed", "unknown"]
_Image: TypeAlias = str | os.PathLike[str] | bytes
_Validate: TypeAlias = Literal["strict", "default", "off"]

__version__: Final[str]
ERROR_KINDS: Final[list[tuple[str, int, str]]]

def _shutdown() -> None: ...
def _stop_creates() -> None: ...
def _panic(videos: Videos | AsyncVideos) -> Any: ...

__all__ = [
    "__version__",
    "ERROR_KINDS",
    "_shutdown",
    "_stop_creates",
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
    "Outcome",
    "AsyncOutcome",
    "Pending",
    "Saved",
    "Balance",
    "CheckStep",
    "EntryCheck",
    "CheckReport",
]

@final
class Summary:
    """What ``save`` did."""
    def __new__(cls, path: Path, bytes: int, duration: float | None, width: int | None, height: int | None, resumed: bool, attempts: int, elapsed: float, sha256: str | None) -> Summary: ...
    @property
    def path(self) -> Path:
        """Where the video is, as ``pathlib.Path``."""
    @property
    def bytes(self) -> int:
        """Length of the file."""
    @property
    def duration(self) -> float | None:
        """Running time in seconds, as the file says."""
    @property
    def width(self) -> int | None:
        """Width in pixels, as the file says: the size asked for is only advice to the model."""
    @property
    def height(self) -> int | None:
        """Height in pixels, as the file says."""
    @property
    def resumed(self) -> bool:
        """True when the file was not read in one go: after a cut, or from what a former call left."""
    @property
    def attempts(self) -> int:
        """Requests sent for it."""
    @property
    def elapsed(self) -> float:
        """Seconds this call took."""
    @property
    def sha256(self) -> str | None:
        """SHA-256 in hexadecimal, when it was asked for."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class SaveProgress:
    """How far a save is."""
    def __new__(cls, bytes: int, total: int | None, rate: float) -> SaveProgress: ...
    @property
    def bytes(self) -> int:
        """Bytes that are there, those of former calls included."""
    @property
    def total(self) -> int | None:
        """Length of the file, once it is known."""
    @property
    def rate(self) -> float:
        """Bytes per second over the last second or so."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class TaskWarning:
    """Something that works but is advised against, or that the caller should know."""
    def __new__(cls, code: str, message: str) -> TaskWarning: ...
    @property
    def code(self) -> str:
        """Which advice it is: ``segment_model``, ``unusual_shape``, ``unusual_length``, ``billed_seconds_differ``."""
    @property
    def message(self) -> str:
        """One line for people."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Balance:
    """What is left on a key."""
    def __new__(cls, name: str | None, unlimited: bool, available_usd: float | None, used_usd: float, expires_at: int | None) -> Balance: ...
    @property
    def name(self) -> str | None:
        """The key's name at the server."""
    @property
    def unlimited(self) -> bool:
        """True when the key itself has no limit; the account's balance, which this call does not tell, still has."""
    @property
    def available_usd(self) -> float | None:
        """What is left, in USD, never below 0; ``None`` when the key has no limit."""
    @property
    def used_usd(self) -> float:
        """What was used up, in USD."""
    @property
    def expires_at(self) -> int | None:
        """When the key ends, in unix seconds; ``None`` when it does not."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Pending:
    """Something paid for, or perhaps paid for, that is not over, as the journal says."""
    def __new__(cls, kind: Literal["task", "unknown"], task_id: str | None, intent: str | None, model: str, seconds: str | None, created_at: int, state: str, fingerprint: str | None, prompt: str | None) -> Pending: ...
    @property
    def kind(self) -> Literal["task", "unknown"]:
        """``task``: wait for it, save it. ``unknown``: a create whose answer never came; look into the account, then call
        ``resolve_unknown``.
        """
    @property
    def task_id(self) -> str | None:
        """The task's id; ``None`` for a create whose outcome is unknown."""
    @property
    def intent(self) -> str | None:
        """The journal's own name of a create whose outcome is unknown."""
    @property
    def model(self) -> str:
        """The model asked for."""
    @property
    def seconds(self) -> str | None:
        """The length asked for, where it is known."""
    @property
    def created_at(self) -> int:
        """Unix seconds of its create."""
    @property
    def state(self) -> str:
        """How far a task was, ``created`` or ``succeeded``; why there is no answer to a create."""
    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the request's body, where it is known."""
    @property
    def prompt(self) -> str | None:
        """The prompt, where the client was told to keep prompts."""
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
        """How it ended: ``ok``, ``warn``, ``fail`` or ``skipped``."""
    @property
    def detail(self) -> str:
        """What was found, one line."""
    @property
    def advice(self) -> str | None:
        """What to do, one line, where something is to be done."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class EntryCheck:
    """One entry as the check found it."""
    def __new__(cls, endpoint: str, in_use: bool, ok: bool, steps: list[CheckStep], latency: float | None, clock_skew: int | None, request_id: str | None) -> EntryCheck: ...
    @property
    def endpoint(self) -> str:
        """The base URL."""
    @property
    def in_use(self) -> bool:
        """True for the entry that calls go to now."""
    @property
    def ok(self) -> bool:
        """True when no step failed: tasks can be created here, as far as can be told without creating one."""
    @property
    def steps(self) -> list[CheckStep]:
        """What was looked at, in order."""
    @property
    def latency(self) -> float | None:
        """Seconds from sending the request to the end of the answer, connecting included."""
    @property
    def clock_skew(self) -> int | None:
        """How many seconds this machine's clock is ahead of the server's; ``None`` when the server's is not shown."""
    @property
    def request_id(self) -> str | None:
        """The server's request id, for the administrator."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...


@final
class AsyncVideoReader:
    """A video that can be read from any place, without a file. ``AsyncVideo.open`` gives it.

    >>> import asyncio
    >>> async def main():
    ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
    ...     async with await video.open() as file:
    ...         await file.seek(4)
    ...         return await file.read(4)
    >>> asyncio.run(main())
    b'ftyp'
    """
    def read(self, size: int = -1) -> Coroutine[Any, Any, bytes]:
        """Up to ``size`` bytes, fewer only at the end of the file; all the rest when it is negative."""
    def seek(self, offset: int, whence: int = 0) -> Coroutine[Any, Any, int]:
        """Moves to another place and gives it. Costs no request."""
    def tell(self) -> Coroutine[Any, Any, int]:
        """Where the next read begins."""
    def size(self) -> Coroutine[Any, Any, int]:
        """Length of the file."""
    def close(self) -> None:
        """Ends the reading and its connection."""
    def __aenter__(self) -> Coroutine[Any, Any, AsyncVideoReader]: ...
    def __aexit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> Coroutine[Any, Any, None]: ...

@final
class Saved:
    """One pending task that ``resume_pending`` is done with."""
    @property
    def task_id(self) -> str:
        """The task."""
    @property
    def summary(self) -> Summary | None:
        """What was saved; ``None`` when it failed."""
    @property
    def error(self) -> Exception | None:
        """Why it failed; ``None`` when it was saved."""
    def result(self) -> Summary:
        """What was saved, or raises why it failed."""

@final
class CheckReport:
    """What ``check`` found. ``str()`` gives a readable text of several lines."""
    @property
    def ok(self) -> bool:
        """True when the entry that calls end up at can be used and the video host answers."""
    @property
    def version(self) -> str:
        """This library's version."""
    @property
    def entries(self) -> list[EntryCheck]:
        """Every entry in the order of preference."""
    @property
    def steps(self) -> list[CheckStep]:
        """``proxy``, ``video_host``, ``models``, ``balance``, in this order."""
    @property
    def models(self) -> list[str] | None:
        """The models of this key, where they were asked for and the server tells them."""
    @property
    def balance(self) -> Balance | None:
        """What is left on the key, where it was asked for and the server tells it."""
    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for ``json.dumps``."""


@final
class Client:
    """A client whose calls block. One for a program is enough: threads may share it, and so may the children of
    ``os.fork()``.

    What is not given comes from ``JUNFEIAI_API_KEY``, ``JUNFEIAI_BASE_URL`` and ``JUNFEIAI_VIDEO_BASE_URL``.
    ``endpoint`` is ``"standard"`` (the default), ``"china"``, a base URL or a short host alias; ``base_url`` is another
    name for it. Durations are in seconds.

    >>> from junfeiai import Client
    >>> with Client() as client:
    ...     task = client.videos.create("A small red ball bouncing once", seconds=6, size="1280x720")
    ...     video = task.wait(on_progress=lambda task: None)
    ...     summary = video.save("ball.mp4")
    >>> summary.width, summary.height
    (1280, 720)
    """
    def __new__(cls, *, api_key: str | None = None, base_url: str | None = None, endpoint: str | None = None, endpoints: Iterable[str] | None = None, video_base_url: str | None = None, trusted_hosts: Iterable[str] | None = None, timeout: float | None = None, create_timeout: float | None = None, connect_timeout: float | None = None, idle_timeout: float | None = None, poll_interval: float | None = None, wait_timeout: float | None = None, max_attempts: int | None = None, request_rate: float | None = None, request_burst: int | None = None, max_in_flight_creates: int | None = None, language: str | None = None, journal: str | os.PathLike[str] | None = None, journal_prompts: bool = False, proxy: str | None = None, ca_file: str | os.PathLike[str] | None = None) -> Client: ...
    @property
    def videos(self) -> Videos:
        """Everything about videos."""
    @property
    def base_url(self) -> str:
        """The base URL that is asked first."""
    @property
    def closed(self) -> bool:
        """True after ``close``."""
    def check(self, *, account: bool = False) -> CheckReport:
        """Looks at every entry, the key, the clock, the proxy and the video host, and says what to do where
        something is wrong. Costs nothing and creates nothing. ``account`` asks for the models and the balance, too.
        """
    def models(self) -> list[str]:
        """The models that this key may use. Beyond the service document: raises ``NotOfferedError`` where the server
        does not tell.
        """
    def balance(self) -> Balance:
        """What is left on this key. Beyond the service document: raises ``NotOfferedError`` where the server does not
        tell; 20 calls in 20 minutes where it does.
        """
    def close(self) -> None:
        """Closes the client. Tasks and videos that came from it go on working; idle connections are closed with the
        last of them.
        """
    def __enter__(self) -> Client: ...
    def __exit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> None: ...

@final
class Videos:
    """Everything about videos: create, look up, read. ``client.videos`` gives it.

    >>> task = client.videos.create("A small red ball bouncing once", seconds=6)
    >>> client.videos.get(task.id).id == task.id
    True
    """
    def create(self, prompt: str = "", *, model: str | None = None, seconds: float | str | None = None, size: str | None = None, image: _Image | None = None, images: Iterable[_Image] | None = None, duration: float | str | None = None, extra: dict[str, Any] | None = None, validate: _Validate | None = None) -> Task:
        """Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it
        provably was not accepted.

        ``image`` and each of ``images`` is a URL, a ``pathlib.Path`` or the bytes of a PNG, JPEG or WebP.
        ``extra`` holds further JSON fields for the model. ``validate`` is ``"strict"`` (advice counts as an
        error), ``"default"`` or ``"off"``.

        Raises ``InvalidRequestError`` before anything is sent, ``CreateOutcomeUnknownError`` when the answer
        is lost, and what the server refuses.
        """
    def generate(self, prompt: str = "", *, model: str | None = None, seconds: float | str | None = None, size: str | None = None, image: _Image | None = None, images: Iterable[_Image] | None = None, duration: float | str | None = None, extra: dict[str, Any] | None = None, validate: _Validate | None = None, timeout: float | None = None, on_progress: Callable[[Task], object] | None = None) -> Video:
        """``create`` and ``wait`` in one: the video of a new task. **This costs money.**

        ``on_progress`` is called with the new task first, and then with every state that a poll shows.
        """
    def get(self, task_id: str) -> Task:
        """Asks for a task's state."""
    def task(self, task_id: str) -> Task:
        """A task by its id, without asking for it: to wait for it again in a later process, for example."""
    def video(self, task_id: str) -> Video:
        """The video of a task that is done, without asking for it."""
    def video_at(self, url: str) -> Video:
        """A video by its address. The key goes along only when the host is on the list."""
    def check_save(self, path: str | os.PathLike[str], *, connections: int = 1, overwrite: bool = False, create_parents: bool = False, sha256: bool = False, verify: bool = True, timeout: float | None = None, rate_limit: float | None = None) -> None:
        """Refuses what ``save`` with these arguments would refuse before it reads anything: options, a file that exists,
        a folder that cannot be written, a full disk. Call it before a create that you pay for. Asks nothing of the
        server and leaves nothing behind.
        """
    def read_range(self, task_id: str, start: int, end: int) -> bytes:
        """Part of a task's video, see ``read_range`` of the video."""
    def iter_bytes(self, task_id: str) -> Iterator[bytes]:
        """A task's video piece by piece, see ``iter_bytes`` of the video."""
    def wait_all(self, task_ids: Iterable[str]) -> list[Outcome]:
        """Waits for all these tasks; gives an outcome for each, in their order. One failure does not end the other waits."""
    def as_completed(self, task_ids: Iterable[str]) -> Iterator[Outcome]:
        """The outcomes of these tasks as they end. The others are asked for while the next one is waited for."""
    def generate_many(self, requests: Iterable[str | Mapping[str, Any]], *, concurrency: int = 4) -> Iterator[Outcome]:
        """Creates a task for each request, a prompt or a mapping with the arguments of ``create``, and waits for its
        video, with at most ``concurrency`` tasks alive. **This costs money.** Gives the outcomes as they end. All
        requests are read before the first is sent; one failure does not stop the rest. Leave the loop to stop.
        """
    def fingerprint(self, prompt: str = "", *, model: str | None = None, seconds: float | str | None = None, size: str | None = None, image: _Image | None = None, images: Iterable[_Image] | None = None, duration: float | str | None = None, extra: dict[str, Any] | None = None, validate: _Validate | None = None) -> str:
        """SHA-256 of a request as ``create`` would send it: what the journal knows it by, see ``Pending``. Checks
        the request as ``create`` does and sends nothing.
        """
    def pending(self) -> list[Pending]:
        """What is left to be done of everything that the client's ``journal`` knows. Asks nothing of the server."""
    def forget(self, task_id: str) -> bool:
        """Takes a task off the journal's list: its video is not wanted, or was taken in another way. False when it
        is not on the list.
        """
    def resolve_unknown(self, intent: str, task_id: str | None = None) -> bool:
        """Ends a create whose outcome was unknown, after you looked into the account: with the id of the task that
        you found there, or without when it made none. False when there is no such create.
        """
    def resume_pending(self, folder: str | os.PathLike[str]) -> Iterator[Saved]:
        """Waits for all pending tasks of the journal and saves them as ``FOLDER/<task id>.mp4``; gives a ``Saved``
        for each when it is done. It can itself be killed and called again.
        """
    def check(self, *, account: bool = False) -> CheckReport:
        """The same as the client's ``check``."""

@final
class Task:
    """A task as it was last seen: paid for, and to be waited for. Two are equal when their ids are.

    >>> task = client.videos.create("A small red ball bouncing once", seconds=6)
    >>> again = client.videos.task(task.id)  # in a later process, for example
    >>> video = again.wait(timeout=60)
    >>> again.refresh().status
    'succeeded'
    """
    @property
    def id(self) -> str:
        """The task's id: what to keep to come back to it."""
    @property
    def status(self) -> _Status:
        """The last seen state: ``queued``, ``in_progress``, ``succeeded``, ``failed``, or ``unknown`` for a task
        that was not asked for yet.
        """
    @property
    def done(self) -> bool:
        """True for ``succeeded`` and ``failed``: nothing comes after them."""
    @property
    def raw_status(self) -> str:
        """The server's own word for the state."""
    @property
    def progress(self) -> float | None:
        """0–100, where the server says it. May stand still or go back."""
    @property
    def billed_seconds(self) -> float | None:
        """The seconds of video that the server billed, where it says so."""
    @property
    def video_url(self) -> str | None:
        """Where the MP4 is, once it succeeded. Reading it needs the key, unless the link is signed."""
    @property
    def fail_reason(self) -> str | None:
        """Why it failed."""
    @property
    def model(self) -> str | None:
        """The model as the server names it; may differ from the one asked for."""
    @property
    def created_at(self) -> int | None:
        """Unix seconds, where the server says it."""
    @property
    def started_at(self) -> int | None:
        """Unix seconds, where the server says it."""
    @property
    def finished_at(self) -> int | None:
        """Unix seconds, where the server says it."""
    @property
    def warnings(self) -> tuple[TaskWarning, ...]:
        """Advice that the request does not follow, and a bill that differs from what was asked."""
    @property
    def raw(self) -> str:
        """The server's last answer, whole, as JSON text; empty for a task that was not asked for yet."""
    def refresh(self) -> Task:
        """Asks for the state anew: a new object, this one stays as it is."""
    def wait(self, *, timeout: float | None = None, on_progress: Callable[[Task], object] | None = None) -> Video:
        """Waits for the end of the task and gives its video. ``timeout`` in seconds is the client's
        ``wait_timeout`` (30 minutes) unless it is given; ``math.inf`` waits as long as it takes.

        Raises ``TaskFailedError``, ``WaitTimeoutError``, or what kept us from asking too often in a row.
        However it ends, the task goes on: call ``wait`` again.
        """
    def watch(self) -> Iterator[Task]:
        """The states as they come, one for each poll. It ends after the last state, or raises what ``wait`` would."""
    def video(self) -> Video:
        """The video, when the last seen state says that there is one; otherwise raises ``NotReadyError`` or
        ``TaskFailedError``.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Video:
    """A video of the service. Result links live about a day: save it soon.

    >>> video = client.videos.generate("A small red ball bouncing once", seconds=6)
    >>> video.read_range(4, 8)
    b'ftyp'
    >>> len(video.read()) == video.save("ball.mp4").bytes
    True
    """
    @property
    def task_id(self) -> str | None:
        """The task that made it, when it is known."""
    @property
    def url(self) -> str | None:
        """Its address, when it is known. Reading it needs the key, unless the link is signed."""
    @property
    def file_name(self) -> str:
        """A file name made from the task id that every system takes, such as ``task_abc.mp4``."""
    def save(self, path: str | os.PathLike[str], *, connections: int = 1, overwrite: bool = False, create_parents: bool = False, sha256: bool = False, verify: bool = True, timeout: float | None = None, rate_limit: float | None = None, on_progress: Callable[[SaveProgress], object] | None = None) -> Summary:
        """Saves the video. The bytes go to ``PATH.part`` and get the final name only when the file is whole,
        checked and on the disk. A save that ended early is gone on with by the next.

        ``connections`` is 1–16; more than one is worth it where each connection is slow. ``overwrite`` replaces
        a file of that name, ``create_parents`` makes missing folders, ``sha256`` computes the hash, ``verify``
        checks the MP4 structure, ``timeout`` is in seconds, ``rate_limit`` in bytes per second.
        ``on_progress`` is called with a ``SaveProgress`` at most every 100 ms, and once at the end.
        """
    def read(self, *, max_bytes: int | None = None) -> bytes:
        """The whole video in memory, length and MP4 structure checked. Refuses more than ``max_bytes`` (1 GiB)."""
    def read_range(self, start: int, end: int) -> bytes:
        """Bytes from ``start`` up to, without, ``end``; fewer when the file ends before."""
    def open(self) -> io.BufferedReader:
        """Opens the video for reading here and there, without a file. Seeking costs no request; a read costs one
        when the bytes are neither cached nor near.
        """
    def iter_bytes(self) -> Iterator[bytes]:
        """The bytes as they come, in order; goes on by itself when a connection breaks. Its length is checked; its
        structure cannot be, since nothing is kept.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...


@final
class Outcome:
    """The end of one of several tasks: a video, or why there is none.

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
        """Which request it was, counted from 0; ``None`` where tasks were waited for."""
    @property
    def task_id(self) -> str | None:
        """The task, when there is one."""
    @property
    def video(self) -> Video | None:
        """The video; ``None`` when there is none."""
    @property
    def error(self) -> Exception | None:
        """Why there is no video; ``None`` when there is one."""
    def result(self) -> Video:
        """The video, or raises why there is none."""


@final
class AsyncClient:
    """A client for asyncio: the same names as ``Client``, with ``await``, ``async for`` and ``async with``.

    Several event loops may share one. Cancelling the asyncio task ends the work, never the paid task.

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
    def __new__(cls, *, api_key: str | None = None, base_url: str | None = None, endpoint: str | None = None, endpoints: Iterable[str] | None = None, video_base_url: str | None = None, trusted_hosts: Iterable[str] | None = None, timeout: float | None = None, create_timeout: float | None = None, connect_timeout: float | None = None, idle_timeout: float | None = None, poll_interval: float | None = None, wait_timeout: float | None = None, max_attempts: int | None = None, request_rate: float | None = None, request_burst: int | None = None, max_in_flight_creates: int | None = None, language: str | None = None, journal: str | os.PathLike[str] | None = None, journal_prompts: bool = False, proxy: str | None = None, ca_file: str | os.PathLike[str] | None = None) -> AsyncClient: ...
    @property
    def videos(self) -> AsyncVideos:
        """Everything about videos."""
    @property
    def base_url(self) -> str:
        """The base URL that is asked first."""
    @property
    def closed(self) -> bool:
        """True after ``close``."""
    def check(self, *, account: bool = False) -> Coroutine[Any, Any, CheckReport]:
        """Looks at every entry, the key, the clock, the proxy and the video host, and says what to do where
        something is wrong. Costs nothing and creates nothing. ``account`` asks for the models and the balance, too.
        """
    def models(self) -> Coroutine[Any, Any, list[str]]:
        """The models that this key may use. Beyond the service document: raises ``NotOfferedError`` where the server
        does not tell.
        """
    def balance(self) -> Coroutine[Any, Any, Balance]:
        """What is left on this key. Beyond the service document: raises ``NotOfferedError`` where the server does not
        tell; 20 calls in 20 minutes where it does.
        """
    def close(self) -> None:
        """Closes the client. Tasks and videos that came from it go on working; idle connections are closed with the
        last of them.
        """
    def __aenter__(self) -> Coroutine[Any, Any, AsyncClient]: ...
    def __aexit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> Coroutine[Any, Any, None]: ...

@final
class AsyncVideos:
    """Everything about videos: create, look up, read. ``client.videos`` gives it.

    >>> import asyncio
    >>> async def main():
    ...     task = await async_client.videos.create("A small red ball bouncing once", seconds=6)
    ...     return await async_client.videos.get(task.id) == task
    >>> asyncio.run(main())
    True
    """
    def create(self, prompt: str = "", *, model: str | None = None, seconds: float | str | None = None, size: str | None = None, image: _Image | None = None, images: Iterable[_Image] | None = None, duration: float | str | None = None, extra: dict[str, Any] | None = None, validate: _Validate | None = None) -> Coroutine[Any, Any, AsyncTask]:
        """Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it
        provably was not accepted.

        ``image`` and each of ``images`` is a URL, a ``pathlib.Path`` or the bytes of a PNG, JPEG or WebP.
        ``extra`` holds further JSON fields for the model. ``validate`` is ``"strict"`` (advice counts as an
        error), ``"default"`` or ``"off"``.

        Raises ``InvalidRequestError`` before anything is sent, ``CreateOutcomeUnknownError`` when the answer
        is lost, and what the server refuses.
        """
    def generate(self, prompt: str = "", *, model: str | None = None, seconds: float | str | None = None, size: str | None = None, image: _Image | None = None, images: Iterable[_Image] | None = None, duration: float | str | None = None, extra: dict[str, Any] | None = None, validate: _Validate | None = None, timeout: float | None = None, on_progress: Callable[[AsyncTask], object] | None = None) -> Coroutine[Any, Any, AsyncVideo]:
        """``create`` and ``wait`` in one: the video of a new task. **This costs money.**

        ``on_progress`` is called with the new task first, and then with every state that a poll shows.
        """
    def get(self, task_id: str) -> Coroutine[Any, Any, AsyncTask]:
        """Asks for a task's state."""
    def task(self, task_id: str) -> AsyncTask:
        """A task by its id, without asking for it: to wait for it again in a later process, for example."""
    def video(self, task_id: str) -> AsyncVideo:
        """The video of a task that is done, without asking for it."""
    def video_at(self, url: str) -> AsyncVideo:
        """A video by its address. The key goes along only when the host is on the list."""
    def check_save(self, path: str | os.PathLike[str], *, connections: int = 1, overwrite: bool = False, create_parents: bool = False, sha256: bool = False, verify: bool = True, timeout: float | None = None, rate_limit: float | None = None) -> None:
        """Refuses what ``save`` with these arguments would refuse before it reads anything: options, a file that exists,
        a folder that cannot be written, a full disk. Call it before a create that you pay for. Asks nothing of the
        server and leaves nothing behind.
        """
    def read_range(self, task_id: str, start: int, end: int) -> Coroutine[Any, Any, bytes]:
        """Part of a task's video, see ``read_range`` of the video."""
    def iter_bytes(self, task_id: str) -> AsyncIterator[bytes]:
        """A task's video piece by piece, see ``iter_bytes`` of the video."""
    def wait_all(self, task_ids: Iterable[str]) -> Coroutine[Any, Any, list[AsyncOutcome]]:
        """Waits for all these tasks; gives an outcome for each, in their order. One failure does not end the other waits."""
    def as_completed(self, task_ids: Iterable[str]) -> AsyncIterator[AsyncOutcome]:
        """The outcomes of these tasks as they end. The others are asked for while the next one is waited for."""
    def generate_many(self, requests: Iterable[str | Mapping[str, Any]], *, concurrency: int = 4) -> AsyncIterator[AsyncOutcome]:
        """Creates a task for each request, a prompt or a mapping with the arguments of ``create``, and waits for its
        video, with at most ``concurrency`` tasks alive. **This costs money.** Gives the outcomes as they end. All
        requests are read before the first is sent; one failure does not stop the rest. Leave the loop to stop.
        """
    def fingerprint(self, prompt: str = "", *, model: str | None = None, seconds: float | str | None = None, size: str | None = None, image: _Image | None = None, images: Iterable[_Image] | None = None, duration: float | str | None = None, extra: dict[str, Any] | None = None, validate: _Validate | None = None) -> str:
        """SHA-256 of a request as ``create`` would send it: what the journal knows it by, see ``Pending``. Checks
        the request as ``create`` does and sends nothing.
        """
    def pending(self) -> Coroutine[Any, Any, list[Pending]]:
        """What is left to be done of everything that the client's ``journal`` knows. Asks nothing of the server."""
    def forget(self, task_id: str) -> Coroutine[Any, Any, bool]:
        """Takes a task off the journal's list: its video is not wanted, or was taken in another way. False when it
        is not on the list.
        """
    def resolve_unknown(self, intent: str, task_id: str | None = None) -> Coroutine[Any, Any, bool]:
        """Ends a create whose outcome was unknown, after you looked into the account: with the id of the task that
        you found there, or without when it made none. False when there is no such create.
        """
    def resume_pending(self, folder: str | os.PathLike[str]) -> AsyncIterator[Saved]:
        """Waits for all pending tasks of the journal and saves them as ``FOLDER/<task id>.mp4``; gives a ``Saved``
        for each when it is done. It can itself be killed and called again.
        """
    def check(self, *, account: bool = False) -> Coroutine[Any, Any, CheckReport]:
        """The same as the client's ``check``."""

@final
class AsyncTask:
    """A task as it was last seen: paid for, and to be waited for. Two are equal when their ids are.

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
        """The task's id: what to keep to come back to it."""
    @property
    def status(self) -> _Status:
        """The last seen state: ``queued``, ``in_progress``, ``succeeded``, ``failed``, or ``unknown`` for a task
        that was not asked for yet.
        """
    @property
    def done(self) -> bool:
        """True for ``succeeded`` and ``failed``: nothing comes after them."""
    @property
    def raw_status(self) -> str:
        """The server's own word for the state."""
    @property
    def progress(self) -> float | None:
        """0–100, where the server says it. May stand still or go back."""
    @property
    def billed_seconds(self) -> float | None:
        """The seconds of video that the server billed, where it says so."""
    @property
    def video_url(self) -> str | None:
        """Where the MP4 is, once it succeeded. Reading it needs the key, unless the link is signed."""
    @property
    def fail_reason(self) -> str | None:
        """Why it failed."""
    @property
    def model(self) -> str | None:
        """The model as the server names it; may differ from the one asked for."""
    @property
    def created_at(self) -> int | None:
        """Unix seconds, where the server says it."""
    @property
    def started_at(self) -> int | None:
        """Unix seconds, where the server says it."""
    @property
    def finished_at(self) -> int | None:
        """Unix seconds, where the server says it."""
    @property
    def warnings(self) -> tuple[TaskWarning, ...]:
        """Advice that the request does not follow, and a bill that differs from what was asked."""
    @property
    def raw(self) -> str:
        """The server's last answer, whole, as JSON text; empty for a task that was not asked for yet."""
    def refresh(self) -> Coroutine[Any, Any, AsyncTask]:
        """Asks for the state anew: a new object, this one stays as it is."""
    def wait(self, *, timeout: float | None = None, on_progress: Callable[[AsyncTask], object] | None = None) -> Coroutine[Any, Any, AsyncVideo]:
        """Waits for the end of the task and gives its video. ``timeout`` in seconds is the client's
        ``wait_timeout`` (30 minutes) unless it is given; ``math.inf`` waits as long as it takes.

        Raises ``TaskFailedError``, ``WaitTimeoutError``, or what kept us from asking too often in a row.
        However it ends, the task goes on: call ``wait`` again.
        """
    def watch(self) -> AsyncIterator[AsyncTask]:
        """The states as they come, one for each poll. It ends after the last state, or raises what ``wait`` would."""
    def video(self) -> AsyncVideo:
        """The video, when the last seen state says that there is one; otherwise raises ``NotReadyError`` or
        ``TaskFailedError``.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class AsyncVideo:
    """A video of the service. Result links live about a day: save it soon.

    >>> import asyncio
    >>> async def main():
    ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
    ...     return await video.read_range(4, 8)
    >>> asyncio.run(main())
    b'ftyp'
    """
    @property
    def task_id(self) -> str | None:
        """The task that made it, when it is known."""
    @property
    def url(self) -> str | None:
        """Its address, when it is known. Reading it needs the key, unless the link is signed."""
    @property
    def file_name(self) -> str:
        """A file name made from the task id that every system takes, such as ``task_abc.mp4``."""
    def save(self, path: str | os.PathLike[str], *, connections: int = 1, overwrite: bool = False, create_parents: bool = False, sha256: bool = False, verify: bool = True, timeout: float | None = None, rate_limit: float | None = None, on_progress: Callable[[SaveProgress], object] | None = None) -> Coroutine[Any, Any, Summary]:
        """Saves the video. The bytes go to ``PATH.part`` and get the final name only when the file is whole,
        checked and on the disk. A save that ended early is gone on with by the next.

        ``connections`` is 1–16; more than one is worth it where each connection is slow. ``overwrite`` replaces
        a file of that name, ``create_parents`` makes missing folders, ``sha256`` computes the hash, ``verify``
        checks the MP4 structure, ``timeout`` is in seconds, ``rate_limit`` in bytes per second.
        ``on_progress`` is called with a ``SaveProgress`` at most every 100 ms, and once at the end.
        """
    def read(self, *, max_bytes: int | None = None) -> Coroutine[Any, Any, bytes]:
        """The whole video in memory, length and MP4 structure checked. Refuses more than ``max_bytes`` (1 GiB)."""
    def read_range(self, start: int, end: int) -> Coroutine[Any, Any, bytes]:
        """Bytes from ``start`` up to, without, ``end``; fewer when the file ends before."""
    def open(self) -> Coroutine[Any, Any, AsyncVideoReader]:
        """Opens the video for reading here and there, without a file. Seeking costs no request; a read costs one
        when the bytes are neither cached nor near.
        """
    def iter_bytes(self) -> AsyncIterator[bytes]:
        """The bytes as they come, in order; goes on by itself when a connection breaks. Its length is checked; its
        structure cannot be, since nothing is kept.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...


@final
class AsyncOutcome:
    """The end of one of several tasks: a video, or why there is none.

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
        """Which request it was, counted from 0; ``None`` where tasks were waited for."""
    @property
    def task_id(self) -> str | None:
        """The task, when there is one."""
    @property
    def video(self) -> AsyncVideo | None:
        """The video; ``None`` when there is none."""
    @property
    def error(self) -> Exception | None:
        """Why there is no video; ``None`` when there is one."""
    def result(self) -> AsyncVideo:
        """The video, or raises why there is none."""
