"""``junfeiai mcp``: a server of the Model Context Protocol, by which an agent makes videos and pays once.

Agents retry, give up, cancel and call in parallel. So every create request has a key of the agent's own, by which the journal
knows it again; a request that has left is awaited to its end even when nobody waits for its answer any more; nothing is
created without a limit of its cost; and no call lasts longer than a client allows. What decides is the library.

Needs the package ``mcp`` (the official SDK): ``pip install "mcp>=2,<3"``, the extra ``mcp``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TypeVar

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resources import FileResource
from mcp_types import ToolAnnotations
from pydantic import Field

from .. import (
    AsyncClient,
    AsyncTask,
    CallCancelledError,
    ConfigError,
    CreateOutcomeUnknownError,
    JunFeiAIError,
    KeyRecord,
    SaveProgress,
    Summary,
    TaskFailedError,
    WaitTimeoutError,
    __version__,
    _native,
)
from .client_options import client_options
from .output import Output, estimate_fields, os_error, spending_fields, summary_fields, write
from .signals import handled, raise_ctrl_c

T = TypeVar("T")

INSTRUCTIONS = """Makes videos that cost money. Choose a key for each video, such as "trailer/scene-3", and use the same key
whenever you try again: one video is created and paid per key, however often you call. Another video needs another key.
create_video returns at once with a task id; then call wait_for_video until done is true, and save_video. If a call is
cancelled or times out, call it again with the same key. Ask estimate_cost before an expensive video. When create_video says
that the outcome is unknown, do not try it with another key: a person has to run "junfeiai reconcile"."""

# Limits of cost whose clients are kept.
CLIENTS = 8

KEY: Any = Field(description='Your own name for this video, such as "trailer/scene-3": it is created and paid once per key')
NAME: Any = Field(description="The key that was given to create_video; or give task_id")
TASK_ID: Any = Field(description="The task id that create_video returned; or give key")
PROMPT: Any = Field(description="What the video shows, at most 4096 characters")
MODEL: Any = Field(description="grok-image-video (the default), or grok-video-1.5, which needs one image")
SECONDS: Any = Field(description="Length in seconds, 1-15; without it 4 s are made and billed")
SIZE: Any = Field(description="Frame size such as 1280x720")
IMAGE: Any = Field(description="URL of the start image, or the name of an image in the server's folder")
IMAGES: Any = Field(description="Up to 7 reference images, as URLs or names in the server's folder")


class Tools:
    """The tools, and what runs on when a call has ended."""

    def __init__(self, options: Any) -> None:
        self.folder = Path(options.output).absolute()
        self.limit: float | None = options.max_cost
        # Of one call, in seconds.
        self.longest: float = options.call_limit
        self.given = client_options(options)
        self.clients: dict[float | None, AsyncClient] = {}
        self.running: set[asyncio.Future[Any]] = set()
        self.leaving = False
        # How often requests that had not left were withdrawn.
        self.withdrawals = 0
        # By the path: the task, its save, and the progress of it.
        self.saves: dict[Path, tuple[str, asyncio.Future[Summary], list[SaveProgress]]] = {}
        self.server: MCPServer[Any] | None = None

    def client(self, limit: float | None = None) -> AsyncClient:
        """The client whose create requests cost at most so much."""
        limit = self.limit if limit is None else limit
        if limit not in self.clients:
            given = {**self.given, "max_cost": limit}
            if limit is None:
                given.pop("max_cost_strict", None)
            self.clients[limit] = AsyncClient(**given)
            # An agent may name another limit each time. A client that is in use lives on without this.
            if len(self.clients) > CLIENTS:
                del self.clients[next(iter(self.clients))]
        return self.clients[limit]

    async def to_its_end(self, create: Callable[[], Awaitable[T]]) -> T:
        """Awaits a create request. When this call is cancelled, one that has left goes on: it is charged in any case, and its
        answer has to reach the journal. One that has not left is withdrawn.
        """
        given_up = False

        async def creating() -> T:
            while not given_up and not self.leaving:
                before = self.withdrawals
                try:
                    return await create()
                except CallCancelledError as error:
                    # The library withdraws all that wait for their turn; those of other calls are handed in again.
                    if error.maybe_executed or self.withdrawals == before:
                        raise
            raise ToolError("the server is ending, and the create request was not sent: call create_video again with the same key")

        task: asyncio.Future[T] = asyncio.ensure_future(creating())
        self.running.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            given_up = True
            self.withdraw()
            raise

    def withdraw(self) -> None:
        """Takes back the create requests that have not left."""
        self.withdrawals += 1
        _native._stop_create_requests()

    def leave(self) -> None:
        """The server is ending: nothing more is sent."""
        self.leaving = True
        self.withdraw()

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self.running.discard(task)
        # Nobody may be there to look at it.
        if not task.cancelled():
            task.exception()

    async def drain(self) -> None:
        """Waits for create requests that have left; downloads are resumed by the next call."""
        self.leave()
        for _, save, _ in self.saves.values():
            save.cancel()
        # Standard input is read on meanwhile: a call may have come in before `leave`, and begin only now.
        while self.running:
            await asyncio.wait(set(self.running))

    async def create_video(
        self,
        key: Annotated[str, KEY],
        prompt: Annotated[str, PROMPT],
        model: Annotated[str | None, MODEL] = None,
        seconds: Annotated[int | None, SECONDS] = None,
        size: Annotated[str | None, SIZE] = None,
        image: Annotated[str | None, IMAGE] = None,
        images: Annotated[list[str] | None, IMAGES] = None,
        max_cost: Annotated[float | None, Field(description="The most that it may cost, in USD; the server's own limit holds as well")] = None,
        retry_failed: Annotated[bool, Field(description="Pay for another video if the one of this key failed")] = False,
    ) -> dict[str, Any]:
        """Creates a video. This costs money, once per key: call it again with the same key whenever you are not sure."""
        if not key.strip():
            raise ToolError("give a key: your own name for this video, the same one whenever you try again")
        if key != key.strip():
            # It would be paid for beside the one without them.
            raise ToolError(f"the key {key!r} begins or ends with white space: give it without")
        limits = [limit for limit in (max_cost, self.limit) if limit is not None]
        if not limits:
            raise ToolError("give max_cost, the most that this video may cost in USD: the server was started without --max-cost")
        request = self._request(prompt, model, seconds, size, image, images)
        try:
            # The server may run for days: a disk that is full by now is known before the next video is paid for.
            self.client().videos.check_save(self.folder / "video.mp4", create_parents=True, overwrite=True)
            task = await self.to_its_end(
                lambda: self.client(min(limits)).videos.create(**request, key=key, retry_failed=retry_failed)
            )
        except CreateOutcomeUnknownError as error:
            advice = 'do not try it with another key; a person has to run "junfeiai reconcile" on this machine'
            raise ToolError(f"{error}; {advice}") from error
        except (JunFeiAIError, ValueError, TypeError) as error:
            raise ToolError(str(error)) from error
        return {
            "key": key,
            "task_id": task.id,
            "created_before": task.reused,
            "status": task.status,
            "billed_seconds": task.billed_seconds,
            "warnings": [warning.message for warning in task.warnings],
            "next": "call wait_for_video with this key until done is true, then save_video",
        }

    async def wait_for_video(
        self,
        ctx: Context[Any, Any],
        key: Annotated[str | None, NAME] = None,
        task_id: Annotated[str | None, TASK_ID] = None,
        timeout: Annotated[float, Field(description="Seconds to wait at most in this call", gt=0)] = 45,
    ) -> dict[str, Any]:
        """Waits for a video and says how far it is. Returns before the time limits of clients: call it again until done."""
        task = await self._task(key, task_id)
        states: list[AsyncTask] = []
        reports: set[asyncio.Future[None]] = set()

        def progress(state: AsyncTask) -> None:
            states.append(state)
            if state.progress is not None:
                report = asyncio.ensure_future(ctx.report_progress(state.progress, 100, state.status))
                reports.add(report)
                report.add_done_callback(reports.discard)

        known: dict[str, Any] = {"key": key, "task_id": task.id}
        try:
            await task.wait(timeout=min(timeout, self.longest), on_progress=progress)
        except WaitTimeoutError:
            last = states[-1] if states else task
            wait = {"status": last.status, "progress": last.progress, "done": False}
            return {**known, **wait, "next": "call wait_for_video again"}
        except TaskFailedError as error:
            failed = {"status": "failed", "done": True, "reason": str(error), "charge": "returned"}
            return {**known, **failed, "next": "change the prompt or the images, and use another key or retry_failed"}
        except (JunFeiAIError, ValueError) as error:
            raise ToolError(str(error)) from error
        finally:
            for report in reports:
                report.cancel()
        units = states[-1].charged_units if states else None
        done = {"status": "succeeded", "progress": 100.0, "done": True, "charged_units": units}
        return {**known, **done, "next": "call save_video: the result is kept for about a day"}

    async def save_video(
        self,
        key: Annotated[str | None, NAME] = None,
        task_id: Annotated[str | None, TASK_ID] = None,
        name: Annotated[str | None, Field(description="File name in the server's folder (TASK_ID.mp4)")] = None,
    ) -> dict[str, Any]:
        """Saves a finished video into the server's folder. Returns before the time limits of clients: while state is saving,
        call it again.
        """
        task = await self._task(key, task_id)
        video = self.client().videos.video(task.id)
        path = self.folder / (self._name(name) if name else video.file_name)
        known: dict[str, Any] = {"key": key, "task_id": task.id, "path": str(path), "resource": self._uri(path)}
        other, running, _ = self.saves.get(path, (task.id, None, []))
        if other != task.id and running is not None:
            if not running.done():
                raise ToolError(f"another video, {other}, is being saved under the name {path.name}: give another name")
            del self.saves[path]
        if path not in self.saves:
            # A name that no file can have is refused by the save, with the reason.
            if os.path.isfile(path) and await self._saved_before(key, path, by_name=name is None):
                self._publish(path)
                return {**known, "state": "saved", "bytes": path.stat().st_size}
            told: list[SaveProgress] = []
            try:
                call = video.save(path, create_parents=True, on_progress=told.append)
            except (JunFeiAIError, ValueError) as error:
                raise ToolError(str(error)) from error
            begun = asyncio.ensure_future(call)
            begun.add_done_callback(self._ended)
            self.saves[path] = (task.id, begun, told)
        _, save, told = self.saves[path]
        await asyncio.wait([save], timeout=self.longest)
        if not save.done():
            last = told[-1] if told else None
            far = {"bytes": last.bytes if last else 0, "total": last.total if last else None}
            return {**known, "state": "saving", **far, "next": "call save_video again"}
        # Unless another call has begun to save it anew.
        if path in self.saves and self.saves[path][1] is save:
            del self.saves[path]
        try:
            summary = save.result()
        except JunFeiAIError as error:
            raise ToolError(str(error)) from error
        except asyncio.CancelledError:
            raise ToolError("the server is ending; save it again to resume") from None
        self._publish(path)
        return {**known, "state": "saved", **{name: value for name, value in summary_fields(summary).items() if name != "path"}}

    async def list_pending(self) -> list[dict[str, Any]]:
        """Lists videos that were paid for and not saved, and create requests whose outcome is not known."""
        try:
            entries = await self.client().videos.pending()
        except JunFeiAIError as error:
            raise ToolError(str(error)) from error
        names = ("kind", "task_id", "key", "model", "seconds", "state", "created_at", "intent")
        return [{name: getattr(entry, name) for name in names} for entry in entries]

    async def estimate_cost(
        self,
        prompt: Annotated[str, PROMPT] = "a video",
        model: Annotated[str | None, MODEL] = None,
        seconds: Annotated[int | None, SECONDS] = None,
        size: Annotated[str | None, SIZE] = None,
        image: Annotated[str | None, IMAGE] = None,
        images: Annotated[list[str] | None, IMAGES] = None,
    ) -> dict[str, Any]:
        """Says what a video would cost. Creates nothing and costs nothing."""
        request = self._request(prompt, model, seconds, size, image, images)
        try:
            return estimate_fields(await self.client().videos.estimate(**request))
        except (JunFeiAIError, ValueError, TypeError) as error:
            raise ToolError(str(error)) from error

    async def spending(
        self, since: Annotated[str | None, Field(description="From this UTC day on, such as 2026-01-31")] = None
    ) -> list[dict[str, Any]]:
        """Says what was spent per day and model, from the journal. Asks the server nothing."""
        try:
            return [spending_fields(line) for line in await self.client().videos.spending(since)]
        except (JunFeiAIError, ValueError) as error:
            raise ToolError(str(error)) from error

    def _request(
        self, prompt: str, model: str | None, seconds: int | None, size: str | None, image: str | None, images: list[str] | None
    ) -> dict[str, Any]:
        given = {
            "prompt": prompt,
            "model": model,
            "seconds": seconds,
            "size": size,
            "image": None if image is None else self._image(image),
            "images": None if images is None else [self._image(one) for one in images],
        }
        return {name: value for name, value in given.items() if value is not None}

    def _image(self, text: str) -> str | Path:
        """An agent sends no other files of the machine to the service than those in the folder."""
        if text.startswith(("http://", "https://", "data:")):
            return text
        path = Path(os.path.realpath(self.folder / text.replace("\0", "")))
        if Path(os.path.realpath(self.folder)) not in path.parents:
            raise ToolError(f"an image is a URL or the name of a file in {self.folder}")
        return path

    def _name(self, name: str) -> str:
        if any(sign in name for sign in "/\\\0:") or name.startswith("."):
            raise ToolError("name is a plain file name, without a folder")
        return name if name.lower().endswith(".mp4") else f"{name}.mp4"

    async def _record(self, key: str) -> KeyRecord | None:
        try:
            return await self.client().videos.key(key)
        except JunFeiAIError as error:
            raise ToolError(str(error)) from error

    async def _task(self, key: str | None, task_id: str | None) -> AsyncTask:
        """The task that is meant."""
        if (key is None) == (task_id is None):
            raise ToolError("give key or task_id, and not both")
        if key is not None:
            record = await self._record(key)
            if record is None:
                raise ToolError(f"nothing was created under the key {key!r}: call create_video first")
            task_id = record.task_id
            if task_id is None:
                raise ToolError(f"the create request of the key {key!r} is {record.state}: call create_video again with this key")
        try:
            return self.client().videos.task(str(task_id))
        except (JunFeiAIError, ValueError) as error:
            raise ToolError(str(error)) from error

    async def _saved_before(self, key: str | None, path: Path, *, by_name: bool) -> bool:
        """True when the file is this video. One that is named after its task is."""
        if by_name:
            return True
        record = await self._record(key) if key is not None else None
        return record is not None and record.path == path and record.state == "saved"

    def _uri(self, path: Path) -> str:
        from urllib.parse import quote

        return f"junfeiai://videos/{quote(path.name)}"

    def _publish(self, path: Path) -> None:
        """Offers a saved file as a resource."""
        if self.server is not None:
            resource = FileResource(
                uri=self._uri(path), name=path.name, title=path.name, description=str(path), mime_type="video/mp4", path=path
            )
            self.server.add_resource(resource)

    def build(self) -> MCPServer[Any]:
        """The server with all tools, and the files that are there as resources."""
        server: MCPServer[Any] = MCPServer(
            "junfeiai", title="JunFeiAI video", version=__version__, instructions=INSTRUCTIONS, log_level="WARNING", warn_on_duplicate_resources=False
        )
        looks = ToolAnnotations(read_only_hint=True)
        server.add_tool(
            self.create_video,
            annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True),
        )
        server.add_tool(self.wait_for_video, annotations=looks)
        server.add_tool(
            self.save_video, annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True)
        )
        for tool in (self.list_pending, self.estimate_cost, self.spending):
            server.add_tool(tool, annotations=looks)
        self.server = server
        with contextlib.suppress(OSError):
            for path in sorted(self.folder.glob("*.mp4")):
                self._publish(path)
        return server


class Guard:
    """Answers 401 where the token is missing; on a machine with several users it keeps the others away from the money."""

    def __init__(self, app: Any, token: str) -> None:
        self.app = app
        self.expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers") or []).get(b"authorization", b"")
        if scope["type"] != "http" or hmac.compare_digest(given, self.expected):
            await self.app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Bearer")]})
        await send({"type": "http.response.body", "body": b"the token of JUNFEIAI_MCP_TOKEN is missing"})


def _leave_on_signals(drain: Callable[[], Awaitable[None]]) -> None:
    """A signal ends the server when the requests that have left are answered. The thread that reads standard input cannot be
    interrupted, so the process ends without it.
    """
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Future[None]] = []

    async def leave(number: int) -> None:
        await drain()
        os._exit(128 + number)

    def begin(number: int) -> None:
        # The second one ends it at once.
        if leaving:
            os._exit(128 + number)
        leaving.append(asyncio.ensure_future(leave(number)))

    for number in handled():
        try:
            loop.add_signal_handler(number, begin, number)
        except NotImplementedError:
            # The loops of Windows; they wake up for a signal.
            signal.signal(number, lambda number, _: loop.call_soon_threadsafe(begin, number))


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise ConfigError(f"--http {port} cannot be used: {(error.strerror or str(error)).lower()}; take another port, or 0 for a free one") from error


async def _serve(tools: Tools, port: int | None) -> None:
    server = tools.build()
    try:
        if port is None:
            _leave_on_signals(tools.drain)
            await server.run_stdio_async()
            return
        import uvicorn

        token = os.environ.get("JUNFEIAI_MCP_TOKEN")
        app: Any = server.streamable_http_app(host="127.0.0.1")
        with _listener(port) as listener:
            config = uvicorn.Config(Guard(app, token) if token else app, log_level="warning", timeout_graceful_shutdown=5)
            write(f"listening on http://127.0.0.1:{listener.getsockname()[1]}/mcp", sys.stderr)
            serving = uvicorn.Server(config)
            end = serving.handle_exit

            def handle_exit(sig: int, frame: FrameType | None) -> None:
                # It waits for connections next, and no request leaves meanwhile.
                tools.leave()
                end(sig, frame)

            serving.handle_exit = handle_exit  # type: ignore[method-assign]
            await serving.serve(sockets=[listener])
    finally:
        await tools.drain()


def run(options: Any, _: Output) -> int:
    """The command."""
    if options.output is None:
        try:
            options.output = str(Path.home() / "junfeiai-videos")
        except RuntimeError:
            raise ConfigError("this user has no home folder for the videos: name one by -o DIR") from None
    if options.no_journal:
        raise ConfigError("an agent that retries pays once only with a journal: leave out --no-journal")
    if not 1 <= options.call_limit <= 3600:
        raise ConfigError("--call-limit is 1 to 3600 seconds")
    if options.http is not None and not 0 <= options.http <= 65535:
        raise ConfigError("--http is 0 to 65535; 0 takes a free port")
    try:
        Path(options.output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"-o/--output: {os_error(error)}") from error
    tools = Tools(options)
    # A key that is missing, or an option that cannot be, is said now and not at the first call.
    asyncio.run(_checked(tools))
    if options.http is not None:
        # The server for HTTP raises its signals anew when it has ended.
        raise_ctrl_c()
    asyncio.run(_serve(tools, options.http))
    return 0


async def _checked(tools: Tools) -> None:
    # A video that could not be saved here is not to be paid for.
    tools.client().videos.check_save(tools.folder / f"task_{os.urandom(8).hex()}.mp4")
    tools.clients.clear()
