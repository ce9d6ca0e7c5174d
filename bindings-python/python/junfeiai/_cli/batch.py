"""``junfeiai batch``: every video of a list, resumable.

A line's video has a name made from the request itself, so that a line whose file stands there is done. A line whose
task is in the folder's journal is gone on with; one whose create has an unknown outcome is never sent again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

from .. import AsyncClient, InvalidRequestError, JunFeiAIError
from .commands import client_options, image
from .output import Output, error_fields, summary_fields


class Line:
    """One request of the list."""

    def __init__(self, number: int, request: dict[str, Any], fingerprint: str, path: Path) -> None:
        self.number = number
        self.request = request
        self.fingerprint = fingerprint
        self.path = path


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


class Batch:
    """The list at work."""

    def __init__(self, client: AsyncClient, lines: list[Line], options: Any, output: Output) -> None:
        self.client = client
        self.lines = lines
        self.options = options
        self.output = output
        self.code = 0
        self.tasks: defaultdict[str, list[str]] = defaultdict(list)
        self.unknown: defaultdict[str, int] = defaultdict(int)

    async def run(self) -> int:
        """Makes what is not made yet."""
        for entry in await self.client.videos.pending():
            if entry.task_id and entry.fingerprint:
                self.tasks[entry.fingerprint].append(entry.task_id)
            elif entry.fingerprint:
                self.unknown[entry.fingerprint] += 1
        waiting = iter(self.lines)
        workers = [asyncio.create_task(self.work(waiting)) for _ in range(max(1, self.options.concurrency))]
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            # Each one is heard to its end; gather would leave at the first.
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
            raise
        for worker in workers:
            worker.result()
        return self.code

    async def work(self, waiting: Any) -> None:
        """Takes one line after the other."""
        for line in waiting:
            try:
                await self.make(line)
            except JunFeiAIError as error:
                from . import exit_code

                self.code = self.code or exit_code(error)
                fields = {"line": line.number, "error": error_fields(error)}
                self.output.result(fields, f"line {line.number}: error: {error}")

    async def make(self, line: Line) -> None:
        """One line: done already, under way, of unknown outcome, or new."""
        if line.path.exists():
            self.tell(line, {"path": str(line.path), "state": "exists"}, f"there already: {line.path}")
            return
        if self.tasks[line.fingerprint]:
            task = self.client.videos.task(self.tasks[line.fingerprint].pop(0))
        elif self.unknown[line.fingerprint]:
            self.unknown[line.fingerprint] -= 1
            self.code = self.code or 7
            text = "a former create has an unknown outcome: look into the account, then resolve or forget it"
            self.tell(line, {"state": "unknown"}, text)
            return
        else:
            task = await self.create(line)
        video = await task.wait(timeout=self.options.timeout)
        summary = await video.save(line.path, connections=self.options.connections, create_parents=True)
        fields = {"task_id": task.id, "state": "saved", **summary_fields(summary)}
        self.tell(line, fields, f"saved {summary.path} ({summary.bytes} bytes)")

    async def create(self, line: Line) -> Any:
        """A create that is under way is heard to its end even after Ctrl-C: it is paid for in any case."""
        creating = asyncio.ensure_future(self.client.videos.create(**line.request))
        try:
            task = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await asyncio.wait([creating])
            raise
        self.output.note(f"line {line.number}: task {task.id}")
        return task

    def tell(self, line: Line, fields: dict[str, Any], text: str) -> None:
        """The end of a line."""
        self.output.result({"line": line.number, **fields}, f"line {line.number}: {text}")


def run(options: Any, output: Output) -> int:
    """The command."""
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    options.journal, options.no_journal = str(folder / ".junfeiai-journal"), False
    output.go_on = ["run the same command again: it goes on where it stopped"]

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
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
