"""What the command prints: lines for people, or JSON objects for machines."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

from .. import (
    ConfigError,
    CreateOutcomeUnknownError,
    Estimate,
    InvalidRequestError,
    JournalError,
    JunFeiAIError,
    NotFoundError,
    SaveProgress,
    Spending,
    Summary,
    TaskFailedError,
)
from .._errors import KINDS
from .journals import is_database, shown_journal


def standard_streams() -> None:
    """Where a standard stream is closed, nothing: else the journal could get its number, and a message its text. No text
    ends the command because the terminal's encoding cannot show it: it is escaped there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one.
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _takes_escapes() -> bool:
    """Whether lines can be cleared by escape sequences. A console of Windows has to be asked for that, else it shows them."""
    if sys.platform != "win32":
        return True
    import ctypes

    console, mode = ctypes.windll.kernel32, ctypes.c_ulong()
    # STD_ERROR_HANDLE, and ENABLE_VIRTUAL_TERMINAL_PROCESSING.
    stream = console.GetStdHandle(-12)
    return bool(console.GetConsoleMode(stream, ctypes.byref(mode)) and console.SetConsoleMode(stream, mode.value | 4))


def write(text: str, stream: TextIO | None, end: str = "\n") -> None:
    """Prints. Where nobody reads any more (``| head``), or nothing can be written, the rest is dropped, and the work goes on to
    its end: what was paid for is still saved.
    """
    if stream is None:
        return
    try:
        # In one piece: a signal between a text and its end would take the end away.
        print(text + end, file=stream, end="", flush=True)
    except OSError:
        # A pipe that nobody reads, a full disk, a terminal that is gone. Else the interpreter would complain when it flushes the
        # stream at its end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def os_error(error: OSError) -> str:
    """What the system refuses, in words, and the name that it is about."""
    said = error.strerror or str(error)
    name = error.filename if isinstance(error.filename, str) else ""
    return f"{name or 'the system'}: {said[:1].lower()}{said[1:]}; check the name, its rights and the disk"


# What a terminal would obey, or not show: control characters but for tabs and ends of lines, those that turn the direction of
# writing, and bytes of a file's name that are no text.
_UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\udc80-\udcff]")


def readable(text: str) -> str:
    """A text for people that the server or a list may have written: nothing in it moves the cursor or hides the rest."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def command_line(words: list[str]) -> str:
    """Words as the shell of this system reads them."""
    return " ".join(map(_windows_word if sys.platform == "win32" else _posix_word, words))


def own_command(command: str, *given: str, options: Iterable[str | tuple[str, str]] = ()) -> str:
    """A command line of this program, with flags and options with their values. What begins with ``-`` is no option there: a
    value stands behind ``=``, and arguments stand behind ``--``.
    """
    words: list[str] = []
    for option in options:
        if isinstance(option, str):
            words.append(option)
        elif option[1].startswith("-"):
            # Behind the short name not every parser takes "=".
            words.append(f"{'--output' if option[0] == '-o' else option[0]}={option[1]}")
        else:
            words += option
    dashed = any(word.startswith("-") for word in given)
    return command_line(["junfeiai", command, *([*words, "--", *given] if dashed else [*given, *words])])


def _posix_word(word: str) -> str:
    if not _UNSEEN.search(word):
        return shlex.quote(word)

    def octal(found: re.Match[str]) -> str:
        letter = found[0]
        return f"\\{letter}" if letter in "\\'" else "".join(f"\\{byte:03o}" for byte in letter.encode(errors="surrogateescape"))

    # As bash, zsh, ksh and POSIX since 2024 read it; another shell takes it for another word, and runs nothing else either.
    return "$'" + re.sub(f"{_UNSEEN.pattern}|[\\\\'\n\t]", octal, word) + "'"


def _windows_word(word: str) -> str:
    """For cmd single quotes are letters as others are; each backslash of a path is one, but for those in front of a quote."""
    if re.fullmatch(r"[\w@+=:,./\\-]+", word, re.ASCII):
        return word
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', word)
    return '"' + re.sub(r"(\\+)\Z", r"\1\1", escaped) + '"'


def without_key(text: str) -> str:
    """A text without the key, and without what looks like one. A key of a few letters, as a proxy may be given that wants none, is
    no secret, and stands in other words.
    """
    key = os.environ.get("JUNFEIAI_API_KEY", "")
    return re.sub(r"(?<![\w-])sk-[\w-]+", "sk-…", text.replace(key, "…") if len(key) >= 6 else text)


def json_text(value: Any) -> str:
    """JSON that standard output can show."""
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    return json.dumps(value, ensure_ascii=encoding != "utf8")


class Output:
    """Results go to standard output, progress and failures to standard error."""

    def __init__(self, *, json: bool, progress: str) -> None:
        self.json = json
        self.complaint = ""
        self.resume_hints: list[str] = []
        """How to resume after Ctrl-C, one line each."""
        self.failed_hints: list[str] = []
        """What to change after a failed task, one line each."""
        self.journal: str | None = None
        """The journal of the command."""
        self.connection: list[tuple[str, str]] = []
        """The options of a command line that asks the same endpoint with the same key."""
        self.options: frozenset[str] = frozenset()
        """The names of the command's options, as the library writes them."""
        self._quiet = json or progress == "none"
        self._bar: Any = None
        self._shown: float = 0
        self._in_place = sys.stderr is not None and sys.stderr.isatty() and not self._quiet and _takes_escapes()
        self._batch = ""
        if not self._quiet and (progress == "bar" or (progress == "auto" and self._in_place)):
            try:
                from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
            except ImportError:
                if progress == "bar":
                    self.complaint = "the progress bar needs rich: pip install rich, or use --progress plain"
            else:
                from rich.console import Console

                columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
                self._bar = Progress(*columns, console=Console(stderr=True), transient=True)

    def result(self, fields: dict[str, Any], *lines: str) -> None:
        """One result."""
        self.clear()
        text = "\n".join(lines)
        if self.json:
            text = json_text(fields)
        elif sys.stdout is not None and sys.stdout.isatty():
            # A program that reads an id needs it as it is.
            text = readable(text)
        write(text, sys.stdout)
        self._draw_batch()

    @property
    def terminal(self) -> bool:
        """True when progress is shown in place, to a person."""
        return self._in_place

    def batch_progress(self, text: str) -> None:
        """How far a batch is, at the bottom of a terminal; elsewhere each line of the list says how it ended."""
        self._batch = text
        self.clear()
        self._draw_batch()

    def _draw_batch(self) -> None:
        if self._batch and self._in_place:
            write(f"\r\x1b[K{self._batch}", sys.stderr, end="")

    def note(self, text: str, *, in_place: bool = False) -> None:
        """One line of progress."""
        if self._quiet:
            return
        if in_place and self._in_place:
            write(f"\r\x1b[K{text}", sys.stderr, end="")
        else:
            self.clear()
            write(readable(text), sys.stderr)
            self._draw_batch()

    def save_progress(self, progress: SaveProgress) -> None:
        """Progress of one file."""
        total = progress.total
        if self._quiet or not total:
            return
        if self._bar is not None:
            if not self._bar.task_ids:
                self._bar.start()
                self._bar.add_task("saving", total=total)
            self._bar.update(self._bar.task_ids[0], completed=progress.bytes)
            return
        # Without a terminal, a line every few seconds.
        now = time.monotonic()
        if self._in_place or now - self._shown > 5 or progress.bytes == total:
            self._shown = now
            percent, rate = 100 * progress.bytes // total, progress.rate / 1e6
            self.note(f"saving    {percent:3d} %  {rate:.1f} MB/s", in_place=True)

    def clear(self) -> None:
        """Clears the line that was updated in place."""
        if self._bar is not None and self._bar.task_ids:
            self._bar.stop()
            self._bar.remove_task(self._bar.task_ids[0])
        elif self._in_place:
            write("\r\x1b[K", sys.stderr, end="")

    def failure(self, error: JunFeiAIError) -> None:
        """A failure."""
        self.clear()
        if self.json:
            fields = error_fields(error)
            if isinstance(error, ConfigError):
                # Somebody may have given the key in place of a file or an address.
                fields = {name: without_key(value) if isinstance(value, str) else value for name, value in fields.items()}
            write(json_text({"error": fields}), sys.stdout)
            return
        for line in (f"error: {self.text_of(error)}", *self._hints(error)):
            write(readable(line), sys.stderr)

    def refused(self, kind: str, text: str) -> None:
        """Something that the command cannot do, which is no error of the library."""
        self.clear()
        if self.json:
            write(json_text({"error": {"kind": kind, "text": text}}), sys.stdout)
        else:
            write(readable(f"error: {text}"), sys.stderr)

    def text_of(self, error: JunFeiAIError) -> str:
        """The text of an error for people, with options as they were given."""
        text = self.as_given(str(error)) if isinstance(error, (ConfigError, InvalidRequestError)) else str(error)
        return without_key(text) if isinstance(error, ConfigError) else text

    def as_given(self, text: str) -> str:
        """The text of an error about options, with these as they were given: ``--max-cost`` for ``max_cost``."""

        def sign(found: re.Match[str]) -> str:
            name = found["quoted"] or found[0]
            # The key itself is never given on the command line.
            given = "--api-key-file" if name == "api_key" else f"--{name.replace('_', '-')}"
            return found[0] if name not in self.options else f"argument {given}" if found["quoted"] else given

        # A word of plain English is an option only where it begins the text.
        return re.sub(r"^argument '(?P<quoted>\w+)'|^[a-z]+\b|(?<![\w/.-])[a-z]+(?:_[a-z]+)+\b", sign, text)

    def _hints(self, error: JunFeiAIError) -> list[str]:
        """What to do next, besides what the error says itself."""
        if isinstance(error, TaskFailedError):
            return self.failed_hints or ["the charge of a failed task is returned"]
        if isinstance(error, CreateOutcomeUnknownError):
            return [] if self.journal is None else [f"find out what became of it:  {self.command('reconcile')}"]
        if isinstance(error, JournalError):
            return self.journal_hints(error)
        # What was wrongly asked for is no fault of the download.
        if isinstance(error, (ConfigError, InvalidRequestError)):
            return []
        return self.resume_hints if error.task_id and not isinstance(error, NotFoundError) else []

    def journal_hints(self, error: JunFeiAIError) -> list[str]:
        """What to do about a journal that cannot be used."""
        if self.journal is None or is_database(self.journal):
            return []
        hints = []
        text = str(error).lower()
        # ENOSPC, EDQUOT and EFBIG as the system spells them.
        if any(sign in text for sign in ("no space left", "quota exceeded", "file too large", "os error 28", "os error 112")):
            folder = os.path.dirname(os.path.abspath(self.journal))
            hints.append(f"make room on the disk of {folder}, then run the same command again: nothing is sent before")
        hints.append("leave the journal where it is: it knows what was paid for")
        return [*hints, f"list what it has, to keep it elsewhere:  {self.command('export')}"]

    def command(self, command: str) -> str:
        """A command line that uses the same journal, and the same key."""
        return own_command(command, options=[*self.connection, *([("--journal", shown_journal(self.journal))] if self.journal else [])])

    def interrupted(self, error: BaseException) -> None:
        """After Ctrl-C."""
        self.clear()
        write("interrupted", sys.stderr)
        hints = list(self.resume_hints)
        if not hints:
            for task_id in getattr(error, "task_ids", ()):
                hints.append(f"a task was created and charged; wait for it:  {own_command('wait', task_id, options=self.connection)}")
        if getattr(error, "maybe_executed", False):
            hints.append(
                "a create request was in flight and may have been charged: "
                "check your account's usage page, and run: junfeiai pending"
            )
        for line in hints:
            write(readable(line), sys.stderr)
        if self.json:
            known = {name: getattr(error, name, absent) for name, absent in (("task_id", None), ("maybe_executed", False))}
            write(json_text({"error": {"kind": "cancelled", "text": "; ".join(["interrupted", *hints]), **known}}), sys.stdout)


def error_fields(error: BaseException) -> dict[str, Any]:
    """A failure as plain values."""
    # An error that the command raises itself has no record of the core.
    kind = vars(error).get("kind") or next((name for name, cls in KINDS.items() if cls is type(error)), type(error).__name__)
    return {"kind": kind, "text": str(error), **{k: v for k, v in vars(error).items() if k != "kind"}}


def dollars(units: int | None) -> str:
    """Units of the server in USD: one is two millionths."""
    return "unknown" if units is None else f"{units / 500000:.6f}".rstrip("0").rstrip(".") + " USD"


def estimate_fields(estimate: Estimate) -> dict[str, Any]:
    """An estimate as plain values."""
    return {
        "units": estimate.units,
        "usd": estimate.usd,
        "certainty": estimate.certainty,
        "units_at_most": estimate.units_at_most,
        "billed_seconds": estimate.billed_seconds,
        "price_per_second": estimate.price_per_second,
        "size_ratio": estimate.size_ratio,
        "group": estimate.group,
        "group_ratio": estimate.group_ratio,
        "notes": estimate.notes,
    }


def spending_fields(spending: Spending) -> dict[str, Any]:
    """A day's spending as plain values."""
    return {
        "day": spending.day,
        "model": spending.model,
        "creates": spending.creates,
        "charged_units": spending.charged_units,
        "charged_usd": spending.charged_usd,
        "refunded_units": spending.refunded_units,
        "refunded_usd": spending.refunded_usd,
        "failed": spending.failed,
        "unknown": spending.unknown,
        "uncharged": spending.uncharged,
    }


def spending_line(spending: Spending) -> str:
    """A day's spending as a line of text."""
    tasks = "task" if spending.creates == 1 else "tasks"
    parts = [f"{spending.day} {spending.model}: {spending.creates} {tasks}, charged {dollars(spending.charged_units)}"]
    if spending.failed:
        parts.append(f"{spending.failed} failed, {dollars(spending.refunded_units)} returned")
    if spending.uncharged:
        parts.append(f"{spending.uncharged} with a charge not seen yet")
    if spending.unknown:
        parts.append(f"{spending.unknown} with an unknown outcome")
    return ", ".join(parts)


def summary_fields(summary: Summary) -> dict[str, Any]:
    """A saved file as plain values."""
    return {
        "path": str(summary.path),
        "bytes": summary.bytes,
        "duration": summary.duration,
        "width": summary.width,
        "height": summary.height,
        "resumed": summary.resumed,
        "attempts": summary.attempts,
        "elapsed": summary.elapsed,
        "sha256": summary.sha256,
        "charged_units": summary.charged_units,
        "charged_usd": summary.charged_usd,
    }


def summary_lines(summary: Summary) -> list[str]:
    """A saved file as lines of text."""
    lines = [
        f"file      {summary.path}",
        f"bytes     {summary.bytes} in {summary.attempts} request(s), {summary.elapsed:.2f} s",
    ]
    if summary.width and summary.height and summary.duration is not None:
        lines.append(f"video     {summary.width}x{summary.height}, {summary.duration:.2f} s, structure checked")
    if summary.sha256:
        lines.append(f"sha256    {summary.sha256}")
    if summary.charged_units is not None:
        lines.append(f"charge    {dollars(summary.charged_units)} ({summary.charged_units} units)")
    path = str(summary.path)
    return [*lines, f"play it   open it in a browser, or: {command_line(['ffplay', f'./{path}' if path.startswith('-') else path])}"]
