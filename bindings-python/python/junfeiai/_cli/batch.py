"""``junfeiai batch``: every video of a list, resumable.

The file of a line is named after its request, so that a line whose file exists is done. Each line has a key in the
folder's journal, its own or one made from its request: what was created under it is resumed, and a create request of
unknown outcome is never sent again automatically. One run at a time works in a folder; another one waits for its end
and does what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import (
    AsyncClient,
    AsyncTask,
    AuthenticationError,
    CallCancelledError,
    ConfigError,
    CreateOutcomeUnknownError,
    FileError,
    FileLockedError,
    InsufficientBalanceError,
    InvalidRequestError,
    JournalError,
    JunFeiAIError,
    ModelUnavailableError,
    NoSpaceError,
    NotFoundError,
    Pending,
    PermissionDeniedError,
    TargetExistsError,
    TaskFailedError,
    _native,
)
from . import signals
from .batch_list import Line, name_of, read
from .client_options import client_options, length, little_room
from .exit_codes import OUTCOME_UNKNOWN, exit_code
from .journals import BATCH_JOURNAL, BATCH_LOCK, MANIFEST, manifest_records, note_batch_folder
from .manifest import Manifest
from .output import Output, dollars, error_fields, os_error, own_command, summary_fields


# Errors that every further create request would raise, too.
_ENDS_ALL = (AuthenticationError, InsufficientBalanceError, NoSpaceError, JournalError, ConfigError)


# Create requests in a row whose outcome is not known, after which no more are sent: each may have been charged.
UNKNOWN_LIMIT = 3


def ends_all(error: JunFeiAIError) -> bool:
    """True when creating more would only fail the same way: the key, the balance, the disk, the base URL."""
    if isinstance(error, (FileLockedError, TargetExistsError)):
        return False
    if isinstance(error, NotFoundError) and error.phase == "create":
        return True
    # Other errors with status 403 are about the model; this one is about the client's IP address.
    return isinstance(error, (*_ENDS_ALL, FileError)) or error.code == "access_denied"


class Batch:
    """One run over the list."""

    def __init__(self, client: AsyncClient, lines: list[Line], options: Any, output: Output) -> None:
        self.client = client
        self.lines = lines
        self.folder = Path(options.output)
        self.manifest: Manifest | None = None
        self.progress = Progress(len(lines), output)
        self.options = options
        self.output = output
        # The highest of the lines' codes, whichever ended first.
        self.code = 0
        self.stopped = False
        self.refused_models: set[str] = set()
        # How often requests that were not sent have been withdrawn because of a refused model.
        self.withdrawals = 0
        self.unknown_in_a_row = 0
        self.creating = 0
        # Tasks and intents of the journal that belong to a line of this run.
        self.claimed: set[str] = set()
        # Lines with the same request read the journal one after the other.
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def check_all(self) -> None:
        """Refuses options and files before anything is paid."""
        self.client.videos.generate_many([], concurrency=self.options.concurrency)
        self.client.videos.task("task_none").wait(timeout=self.options.timeout).close()
        records = manifest_records(self.folder)
        pending = {entry.task_id for entry in await self.client.videos.pending()}
        for line in self.lines:
            if not line.done:
                self.check(line)
                await self.check_key(line, records.get(line.request["key"], {}), pending)
        asked = (line.request.get("seconds", line.request.get("duration")) for line in self.lines if not line.done)
        if warning := little_room(self.folder / MANIFEST, sum(map(length, asked))):
            self.output.note(warning)

    def check(self, line: Line) -> None:
        """Refuses a file that could not be saved."""
        self.client.videos.check_save(line.path, connections=self.options.connections, create_parents=True)

    async def check_key(self, line: Line, record: dict[str, Any], pending: set[str | None]) -> None:
        """Refuses a key that could be none, and a line that was paid for under another journal than this."""
        key, task_id = line.request["key"], record.get("task_id")
        unsaved = task_id is not None and task_id not in pending and record.get("state") not in ("saved", "failed")
        if key.startswith(f"batch/{line.fingerprint}") and not unsaved:
            return
        try:
            known = await self.client.videos.key(key)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"{name_of(self.options.file)}, line {line.number}: {error}") from error
        if known is None and unsaved:
            path = self.folder / MANIFEST
            raise ConfigError(
                f"{path} has task {task_id} for line {line.number}, which was paid for, and the journal {self.options.journal} does not: put the journal "
                f"back that was there, or take what has this task out of {path} to pay for another one"
            )

    async def run(self) -> int:
        """Makes the videos that do not exist yet."""
        await self.check_all()
        self.manifest = Manifest(self.folder, self.options.file, self.lines)
        waiting = iter(self.lines)
        count = min(self.options.concurrency, len(self.lines))
        workers = [asyncio.create_task(self.work(waiting)) for _ in range(count)]
        if not workers:
            self.output.note(f"the list {self.options.file} has no requests: nothing to do")
            return self.code
        self.progress.show()
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            self.stop()
            if self.creating:
                self.output.note("create requests that are under way are waited for, each may be charged; Ctrl-C again does not wait")
            # Each one is awaited to its end; gather would return after the first.
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
            self.end()
            raise
        self.end()
        for worker in workers:
            worker.result()
        return self.code

    def end(self) -> None:
        """Puts the results in order and sums up."""
        if self.manifest is not None:
            self.manifest.write()
            if self.manifest.complaint is not None:
                self.output.note(f"the list of results could not be written: {os_error(self.manifest.complaint)}")
        self.progress.end(self.folder / MANIFEST)

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
                self.failed(line, error)

    def failed(self, line: Line, error: JunFeiAIError) -> None:
        """Says and keeps that a line ended with an error, and whether more may be created."""
        self.end_creating(line, error)
        state = "failed" if isinstance(error, TaskFailedError) else "error"
        outcome_unknown = isinstance(error, CreateOutcomeUnknownError)
        self.unknown_in_a_row += outcome_unknown
        if self.unknown_in_a_row >= UNKNOWN_LIMIT and not self.stopped:
            self.stop()
            self.output.note(
                f"{UNKNOWN_LIMIT} create requests in a row have an unknown outcome, and each may have been charged: no more are sent"
            )
        self.note(line, "unknown" if outcome_unknown else state, task_id=error.task_id, error=str(error))
        fields = {"line": line.number, "error": error_fields(error)}
        self.output.result(fields, f"line {line.number}: error: {self.output.text_of(error)}")
        if isinstance(error, JournalError):
            for hint in self.output.journal_hints(error):
                self.output.note(hint)
        if outcome_unknown and not self.output.json:
            self.output.note(f"line {line.number}: find out what became of it:  {self.command('reconcile')}")

    def end_creating(self, line: Line, error: JunFeiAIError) -> None:
        """Sends nothing more that would be refused as well: none at all, or none for this model."""
        self.code = max(self.code, exit_code(error))
        model = str(line.request.get("model"))
        if ends_all(error):
            self.stop()
        elif isinstance(error, (PermissionDeniedError, ModelUnavailableError)) and error.phase == "create" and model not in self.refused_models:
            self.refused_models.add(model)
            # The library withdraws all that wait for their turn; those for other models are handed in again.
            self.withdrawals += 1
            _native._stop_create_requests()

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
                self.code = max(self.code, OUTCOME_UNKNOWN)
                name = str(known.intent)
                text = (
                    "an earlier create request has an unknown outcome: check your account's usage page, then run\n"
                    f"  {self.command('resolve', name, 'TASK_ID')}    if it made a task\n"
                    f"  {self.command('resolve', name, option='--not-created')}    if it made none"
                )
                self.report(line, {"state": "unknown", "intent": name}, text, intent=name)
                return
        if task is None:
            self.code = max(self.code, 1)
            self.report(line, {"state": "not_begun"}, "not begun")
            return
        video = await task.wait(timeout=self.options.timeout)
        summary = await video.save(line.path, connections=self.options.connections, create_parents=True)
        fields = {"task_id": task.id, "state": "saved", **summary_fields(summary)}
        cost = "" if summary.charged_units is None else f", {dollars(summary.charged_units)}"
        self.report(
            line,
            fields,
            f"saved {summary.path} ({summary.bytes} bytes{cost})",
            task_id=task.id,
            duration=summary.duration,
            bytes=summary.bytes,
            cost_units=summary.charged_units,
            cost_usd=summary.charged_usd,
        )

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
        before = self.withdrawals
        creating = asyncio.ensure_future(self.client.videos.create(**line.request))
        self.creating += 1
        try:
            task = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await asyncio.wait([creating])
            error = None if creating.cancelled() else creating.exception()
            if isinstance(error, JunFeiAIError) and not isinstance(error, CallCancelledError):
                self.failed(line, error)
            elif error is None and not creating.cancelled():
                self.created(line, creating.result())
            raise
        except CallCancelledError as error:
            if error.maybe_executed:
                raise
            # It was withdrawn. Where that was meant for another model, this one is handed in again.
            again = self.withdrawals != before
        except JunFeiAIError as error:
            # At once, before other requests leave.
            self.end_creating(line, error)
            # Its entries in the journal belong to this line.
            while await self.known(line) is not None:
                pass
            raise
        else:
            self.unknown_in_a_row = 0
            self.claimed.add(task.id)
            self.created(line, task)
            return task
        finally:
            self.creating -= 1
        return await self.create(line) if again else None

    def created(self, line: Line, task: AsyncTask) -> None:
        """Says and keeps that a line has a task now."""
        if self.manifest is not None:
            self.manifest.note(line, state="created", task_id=task.id, seconds=task.billed_seconds)
        self.output.note(f"line {line.number}: task {task.id}")

    def command(self, *words: str, option: str | None = None) -> str:
        """A command line about this folder's journal."""
        return own_command(*words, options=[*([option] if option else []), *self.output.connection, ("--journal", str(self.folder))])

    def note(self, line: Line, state: str, **fields: Any) -> None:
        """Keeps how a line ended."""
        if self.manifest is not None:
            # The file is what was asked for, whichever run has saved it.
            self.manifest.note(line, state="saved" if state == "exists" else state, **fields)
        self.progress.add(state, fields.get("cost_units"))

    def report(self, line: Line, fields: dict[str, Any], text: str, **kept: Any) -> None:
        """Prints how a line ended."""
        self.note(line, str(fields["state"]), **kept)
        self.output.result({"line": line.number, **fields}, f"line {line.number}: {text}")


class Progress:
    """How many lines have ended, how fast, and how long the rest may take; drawn in a terminal alone."""

    def __init__(self, total: int, output: Output) -> None:
        self.total = total
        self.output = output
        self.started = time.monotonic()
        self.states: Counter[str] = Counter()
        self.units = 0

    def add(self, state: str, units: int | None) -> None:
        """One more line has ended."""
        self.states[state] += 1
        self.units += units or 0
        self.show()

    def show(self) -> None:
        """Draws it."""
        if self.output.terminal:
            self.output.batch_progress(self.text(time.monotonic() - self.started))

    def text(self, elapsed: float) -> str:
        """For example ``[############------------------] 12 of 30  3.1/min  ETA 5:48``."""
        ended = sum(self.states.values())
        # Those that were there already took no time.
        made = ended - self.states["exists"]
        filled = 30 * ended // max(self.total, 1)
        text = f"[{'#' * filled}{'-' * (30 - filled)}] {ended} of {self.total}"
        if made and elapsed > 0 and ended < self.total:
            left = int((self.total - ended) * elapsed / made)
            hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
            eta = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
            text += f"  {60 * made / elapsed:.1f}/min  ETA {eta}"
        return text

    def end(self, manifest: Path) -> None:
        """Sums up, for people at a terminal."""
        if not self.output.terminal:
            return
        self.output.batch_progress("")
        parts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in self.states.most_common())
        cost = f"; charged {dollars(self.units)}" if self.units else ""
        self.output.note(f"{sum(self.states.values())} of {self.total}: {parts or 'nothing to do'}{cost}; see {manifest}")


@contextlib.contextmanager
def locked(folder: Path, output: Output, *, wait: bool) -> Iterator[None]:
    """Keeps other runs out of the folder, or waits for their end. The system releases the lock of a process that ends in
    any way.
    """
    path = folder / BATCH_LOCK
    with path.open("a+", encoding="utf-8") as file:
        said = False
        while not _try_lock(file.fileno()):
            file.seek(0)
            who = file.read(1000).strip() or "another process"
            if not wait:
                raise FileLockedError(
                    f"{folder} is in use by another batch ({who}): wait until it has ended, or use another folder"
                )
            if not said:
                output.note(f"another batch is working in {folder} ({who}): this one does what is left when it has ended")
                said = True
            time.sleep(0.2)
        # A full disk is no reason to leave the folder unlocked: only who holds it is not said then.
        with contextlib.suppress(OSError):
            _name_holder(file.fileno())
        yield


def _name_holder(descriptor: int) -> None:
    """Writes who holds the lock. On Windows `platform.node` would ask a service (WMI), which may not answer."""
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S %z')}\n".encode())


def _try_lock(descriptor: int) -> bool:
    """False when another process has the lock. On a file system without locks nothing is locked."""
    if sys.platform == "win32":
        import msvcrt

        # Far behind the text, so that other processes can read it.
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:
            # A drive without locks: nobody's end can be waited for.
            pass
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
    own = folder / BATCH_JOURNAL
    if options.journal is not None and os.path.realpath(options.journal) not in map(os.path.realpath, (folder, own)):
        # Whoever names one that machines share would pay once on each of them.
        raise ConfigError(f"--journal is not for a batch, which keeps its journal in its folder, {own}: leave it out")
    folder.mkdir(parents=True, exist_ok=True)
    options.journal, options.no_journal = str(own), False
    output.journal = options.journal
    output.resume_hints = ["run the same command again to resume"]
    # Standard input may be slow, or a terminal. Within the loop no signal would interrupt that, and other runs would wait for it.
    client = AsyncClient(**client_options(options))
    lines = read(client, options.file, folder, form=options.format, allow_outside=options.allow_outside)
    received: list[int] = []

    async def main() -> int:
        task = asyncio.current_task()

        def stop(number: int) -> None:
            received.append(number)
            if task is not None:
                task.cancel()

        # Python 3.10 would cancel every task at once, including the create requests in flight.
        with signals.first(stop):
            async with client:
                note_batch_folder(folder)
                return await Batch(client, lines, options, output).run()

    try:
        with locked(folder, output, wait=not options.no_wait):
            return asyncio.run(main())
    except asyncio.CancelledError:
        raise signals.Signalled(received[0] if received else signal.SIGINT) from None
