"""``junfeiai batch``: every video of a list, resumable.

A line's video has a name made from the request itself, so that a line whose file exists is done. A line whose task is in
the folder's journal is resumed; one whose create has an unknown outcome is never sent again by itself. One run at a time
works in a folder.
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
from .commands import client_options, image
from .output import Output, error_fields, summary_fields


class Line:
    """One request of the list."""

    def __init__(self, number: int, request: dict[str, Any], fingerprint: str, path: Path) -> None:
        self.number = number
        self.request = request
        self.fingerprint = fingerprint
        self.path = path

    @property
    def done(self) -> bool:
        """True when its video is there. A name that no file can have is refused by the check."""
        with contextlib.suppress(OSError, ValueError):
            return self.path.is_file()
        return False


def read(client: AsyncClient, file: Path, folder: Path) -> list[Line]:
    """Reads and checks the whole list before anything is paid for."""
    lines: list[Line] = []
    seen: defaultdict[str, int] = defaultdict(int)
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
        lines.append(Line(number, request, fingerprint, folder / (name or f"{fingerprint[:16]}{twin}.mp4")))
    paths = [line.path for line in lines]
    if len(set(paths)) < len(paths):
        raise InvalidRequestError(f"{file}: two lines have the same output")
    return lines


# What every further create would meet, too.
_ENDS_ALL = (AuthenticationError, InsufficientBalanceError, NoSpaceError, JournalError, ConfigError)


def ends_all(error: JunFeiAIError) -> bool:
    """True when creating more would only fail the same way: the key, the balance, the disk."""
    if isinstance(error, (FileLockedError, TargetExistsError)):
        return False
    # Another 403 is about the model; this one is about the address.
    return isinstance(error, (*_ENDS_ALL, FileError)) or error.code == "access_denied"


class Batch:
    """The list at work."""

    def __init__(self, client: AsyncClient, lines: list[Line], options: Any, output: Output) -> None:
        self.client = client
        self.lines = lines
        self.options = options
        self.output = output
        self.code = 0
        self.stopped = False
        self.refused_models: set[str] = set()
        # Tasks and intents of the journal that a line of this run stands for.
        self.claimed: set[str] = set()
        # Two lines with the same request look into the journal one after the other.
        self.turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def judge(self) -> None:
        """Refuses options and files before anything is paid for."""
        self.client.videos.generate_many([], concurrency=self.options.concurrency)
        self.client.videos.task("task_none").wait(timeout=self.options.timeout).close()
        for line in self.lines:
            if not line.done:
                self.check(line)

    def check(self, line: Line) -> None:
        """Refuses a file that could not be saved."""
        self.client.videos.check_save(line.path, connections=self.options.connections, create_parents=True)

    async def run(self) -> int:
        """Makes what is not made yet."""
        self.judge()
        waiting = iter(self.lines)
        count = min(self.options.concurrency, len(self.lines))
        workers = [asyncio.create_task(self.work(waiting)) for _ in range(count)]
        if not workers:
            return self.code
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            self.stop()
            # Each one is awaited to its end; gather would leave at the first.
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
            raise
        for worker in workers:
            worker.result()
        return self.code

    def stop(self) -> None:
        """Creates no more; requests that have left run to their end, and so do tasks that exist."""
        self.stopped = True
        _native._stop_creates()

    async def work(self, waiting: Any) -> None:
        """Takes one line after the other."""
        for line in waiting:
            try:
                await self.make(line)
            except JunFeiAIError as error:
                from . import exit_code

                self.code = self.code or exit_code(error)
                if isinstance(error, PermissionDeniedError) and error.phase == "create":
                    self.refused_models.add(str(line.request.get("model")))
                if ends_all(error):
                    self.stop()
                fields = {"line": line.number, "error": error_fields(error)}
                self.output.result(fields, f"line {line.number}: error: {error}")

    async def make(self, line: Line) -> None:
        """One line: done already, under way, of unknown outcome, or new."""
        async with self.turns[line.fingerprint]:
            if line.done:
                self.tell(line, {"path": str(line.path), "state": "exists"}, f"exists already: {line.path}")
                return
            # Now, and not only at the beginning: another program may use this journal.
            known = await self.known(line)
            if known is None:
                task = await self.create(line)
            elif known.task_id:
                task = self.client.videos.task(known.task_id)
            else:
                self.code = self.code or 7
                text = "a former create has an unknown outcome: look into the account, then resolve or forget it"
                self.tell(line, {"state": "unknown"}, text)
                return
        if task is None:
            self.code = self.code or 1
            self.tell(line, {"state": "not_begun"}, "not begun")
            return
        video = await task.wait(timeout=self.options.timeout)
        summary = await video.save(line.path, connections=self.options.connections, create_parents=True)
        fields = {"task_id": task.id, "state": "saved", **summary_fields(summary)}
        self.tell(line, fields, f"saved {summary.path} ({summary.bytes} bytes)")

    async def known(self, line: Line) -> Pending | None:
        """What the journal has of this request that no other line stands for."""
        for entry in await self.client.videos.pending():
            name = entry.task_id or entry.intent
            if entry.fingerprint == line.fingerprint and name and name not in self.claimed:
                self.claimed.add(name)
                return entry
        return None

    async def create(self, line: Line) -> AsyncTask | None:
        """Creates the task, unless creating has ended. A request that has left is awaited to its end even after Ctrl-C:
        it is paid for in any case.
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
            # What it may have left in the journal is this line's.
            while await self.known(line) is not None:
                pass
            raise
        self.claimed.add(task.id)
        self.output.note(f"line {line.number}: task {task.id}")
        return task

    def tell(self, line: Line, fields: dict[str, Any], text: str) -> None:
        """The end of a line."""
        self.output.result({"line": line.number, **fields}, f"line {line.number}: {text}")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other runs out of the folder. The system releases the lock of a process that ends, however it does."""
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
    """False when another process has the lock. A file system without locks is no reason to fail."""
    if sys.platform == "win32":
        import msvcrt

        # Far behind the text, which others may read.
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
    output.go_on = ["run the same command again to resume"]

    async def main() -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            # The second Ctrl-C waits for nothing.
            loop.remove_signal_handler(signal.SIGINT)
            if task is not None:
                task.cancel()

        # Python 3.10 would cancel every task at once, the creates that are under way too.
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
