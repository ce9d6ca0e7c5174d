"""``junfeiai batch``: every video of a list, resumable.

The file of a line is named after its request, so that a line whose file exists is done. Each line has a key in the
folder's journal, its own or one made from its request: what was created under it is resumed, and a create request of
unknown outcome is never sent again automatically. One run at a time works in a folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import (
    AsyncClient,
    AsyncTask,
    AuthenticationError,
    CallCancelledError,
    ConfigError,
    FileError,
    FileLockedError,
    InsufficientBalanceError,
    InvalidRequestError,
    JournalError,
    JunFeiAIError,
    NoSpaceError,
    Pending,
    PermissionDeniedError,
    TargetExistsError,
    _native,
)
from .client_options import client_options, image
from .exit_codes import exit_code
from .output import Output, dollars, error_fields, summary_fields


class Line:
    """One request of the list."""

    def __init__(self, number: int, request: dict[str, Any], fingerprint: str, path: Path) -> None:
        self.number = number
        self.request = request
        self.fingerprint = fingerprint
        self.path = path

    @property
    def done(self) -> bool:
        """True when its video exists. A name that no file can have is refused by `check`."""
        with contextlib.suppress(OSError, ValueError):
            return self.path.is_file()
        return False


def read(client: AsyncClient, file: Path, folder: Path) -> list[Line]:
    """Reads and checks the whole list before anything is paid."""
    lines: list[Line] = []
    seen: defaultdict[str, int] = defaultdict(int)
    numbers: dict[str, int] = {}
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not text.strip():
            continue
        try:
            request = json.loads(text)
            if not isinstance(request, dict):
                raise TypeError("a JSON object is expected")
            name = request.pop("output", None)
            if name is not None and not isinstance(name, str):
                raise TypeError(f"argument 'output': expected str, got {type(name).__name__}")
            if isinstance(request.get("image"), str):
                request["image"] = image(request["image"], file.parent)
            if isinstance(request.get("images"), list):
                request["images"] = [image(str(one), file.parent) for one in request["images"]]
            fingerprint = client.videos.fingerprint(**request)
        except (ValueError, TypeError, JunFeiAIError) as error:
            raise InvalidRequestError(f"{file}, line {number}: {error}") from error
        seen[fingerprint] += 1
        twin = f"-{seen[fingerprint]}" if seen[fingerprint] > 1 else ""
        if request.get("key") is None:
            # A line that failed is tried again by the next run.
            request = {"retry_failed": True, **request, "key": f"batch/{fingerprint}{twin}"}
        key = request["key"]
        if number != numbers.setdefault(key, number):
            raise InvalidRequestError(f"{file}, line {number}: its key {key!r} is the one of line {numbers[key]}")
        lines.append(Line(number, request, fingerprint, folder / (name or f"{fingerprint[:16]}{twin}.mp4")))
    paths = [line.path for line in lines]
    if len(set(paths)) < len(paths):
        raise InvalidRequestError(f"{file}: two lines have the same output")
    return lines


# Errors that every further create request would raise, too.
_ENDS_ALL = (AuthenticationError, InsufficientBalanceError, NoSpaceError, JournalError, ConfigError)


def ends_all(error: JunFeiAIError) -> bool:
    """True when creating more would only fail the same way: the key, the balance, the disk."""
    if isinstance(error, (FileLockedError, TargetExistsError)):
        return False
    # Other errors with status 403 are about the model; this one is about the client's IP address.
    return isinstance(error, (*_ENDS_ALL, FileError)) or error.code == "access_denied"


class Batch:
    """One run over the list."""

    def __init__(self, client: AsyncClient, lines: list[Line], options: Any, output: Output) -> None:
        self.client = client
        self.lines = lines
        self.options = options
        self.output = output
        self.code = 0
        self.stopped = False
        self.refused_models: set[str] = set()
        # Tasks and intents of the journal that belong to a line of this run.
        self.claimed: set[str] = set()
        # Lines with the same request read the journal one after the other.
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def check_all(self) -> None:
        """Refuses options and files before anything is paid."""
        self.client.videos.generate_many([], concurrency=self.options.concurrency)
        self.client.videos.task("task_none").wait(timeout=self.options.timeout).close()
        for line in self.lines:
            if not line.done:
                self.check(line)

    def check(self, line: Line) -> None:
        """Refuses a file that could not be saved."""
        self.client.videos.check_save(line.path, connections=self.options.connections, create_parents=True)

    async def run(self) -> int:
        """Makes the videos that do not exist yet."""
        self.check_all()
        waiting = iter(self.lines)
        count = min(self.options.concurrency, len(self.lines))
        workers = [asyncio.create_task(self.work(waiting)) for _ in range(count)]
        if not workers:
            return self.code
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            self.stop()
            # Each one is awaited to its end; gather would return after the first.
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
            raise
        for worker in workers:
            worker.result()
        return self.code

    def stop(self) -> None:
        """Stops creating. Requests in flight complete, and tasks that exist keep running."""
        self.stopped = True
        _native._stop_create_requests()

    async def work(self, waiting: Any) -> None:
        """Takes one line after the other."""
        for line in waiting:
            try:
                await self.make(line)
            except JunFeiAIError as error:
                self.code = self.code or exit_code(error)
                if isinstance(error, PermissionDeniedError) and error.phase == "create":
                    self.refused_models.add(str(line.request.get("model")))
                if ends_all(error):
                    self.stop()
                fields = {"line": line.number, "error": error_fields(error)}
                self.output.result(fields, f"line {line.number}: error: {error}")

    async def make(self, line: Line) -> None:
        """One line: done already, running, of unknown outcome, or new."""
        async with self.locks[line.fingerprint]:
            if line.done:
                self.report(line, {"path": str(line.path), "state": "exists"}, f"exists already: {line.path}")
                return
            # Now, and not only at the start: another program may use this journal.
            known = await self.known(line)
            if known is None:
                task = await self.create(line)
            elif known.task_id:
                task = self.client.videos.task(known.task_id)
            else:
                self.code = self.code or 7
                text = "an earlier create request has an unknown outcome: check your account's usage page, then resolve or forget it"
                self.report(line, {"state": "unknown"}, text)
                return
        if task is None:
            self.code = self.code or 1
            self.report(line, {"state": "not_begun"}, "not begun")
            return
        video = await task.wait(timeout=self.options.timeout)
        summary = await video.save(line.path, connections=self.options.connections, create_parents=True)
        fields = {"task_id": task.id, "state": "saved", **summary_fields(summary)}
        cost = "" if summary.charged_units is None else f", {dollars(summary.charged_units)}"
        self.report(line, fields, f"saved {summary.path} ({summary.bytes} bytes{cost})")

    async def known(self, line: Line) -> Pending | None:
        """The journal's entry of this request that belongs to no other line."""
        for entry in await self.client.videos.pending():
            name = entry.task_id or entry.intent
            # Another program may have created it, without a key.
            mine = entry.key in (None, line.request["key"]) and entry.fingerprint == line.fingerprint
            if mine and name and name not in self.claimed:
                self.claimed.add(name)
                return entry
        return None

    async def create(self, line: Line) -> AsyncTask | None:
        """Creates the task, unless the run was stopped. A request in flight is awaited to its end even after Ctrl-C: it
        is charged in any case.
        """
        if self.stopped or str(line.request.get("model")) in self.refused_models:
            return None
        self.check(line)
        creating = asyncio.ensure_future(self.client.videos.create(**line.request))
        try:
            task = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await asyncio.wait([creating])
            if not creating.cancelled() and creating.exception() is None:
                self.output.note(f"line {line.number}: task {creating.result().id}")
            raise
        except CallCancelledError:
            return None
        except JunFeiAIError:
            # Its entries in the journal belong to this line.
            while await self.known(line) is not None:
                pass
            raise
        self.claimed.add(task.id)
        self.output.note(f"line {line.number}: task {task.id}")
        return task

    def report(self, line: Line, fields: dict[str, Any], text: str) -> None:
        """Prints how a line ended."""
        self.output.result({"line": line.number, **fields}, f"line {line.number}: {text}")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other runs out of the folder. The system releases the lock of a process that ends in any way."""
    path = folder / ".junfeiai-lock"
    with path.open("a+", encoding="utf-8") as file:
        if not _try_lock(file.fileno()):
            file.seek(0)
            who = file.read(1000).strip() or "another process"
            raise FileLockedError(
                f"{folder} is in use by another batch ({who}): wait until it has ended, or use another folder"
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()} since {time.strftime('%Y-%m-%d %H:%M:%S %z')}\n")
        file.flush()
        yield


def _try_lock(descriptor: int) -> bool:
    """False when another process has the lock. On a file system without locks nothing is locked."""
    if sys.platform == "win32":
        import msvcrt

        # Far behind the text, so that other processes can read it.
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def run(options: Any, output: Output) -> int:
    """The command."""
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    options.journal, options.no_journal = str(folder / ".junfeiai-journal"), False
    output.resume_hints = ["run the same command again to resume"]

    async def main() -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            # The second Ctrl-C ends the process at once.
            loop.remove_signal_handler(signal.SIGINT)
            if task is not None:
                task.cancel()

        # Python 3.10 would cancel every task at once, including the create requests in flight.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGINT, stop)
        async with AsyncClient(**client_options(options)) as client:
            lines = read(client, Path(options.file), folder)
            return await Batch(client, lines, options, output).run()

    try:
        with locked(folder):
            return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
