"""What the command prints: lines for people, or JSON objects for machines."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from .. import Estimate, JunFeiAIError, SaveProgress, Spending, Summary


class Output:
    """Results go to standard output, progress and failures to standard error."""

    def __init__(self, *, json: bool, progress: str) -> None:
        self.json = json
        self.complaint = ""
        self.resume_hints: list[str] = []
        """How to resume after Ctrl-C, one line each."""
        self._quiet = json or progress == "none"
        self._bar: Any = None
        self._shown: float = 0
        self._in_place = sys.stderr.isatty() and not self._quiet
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
        text = json.dumps(fields, ensure_ascii=False) if self.json else "\n".join(lines)
        print(text, flush=True)

    def note(self, text: str, *, in_place: bool = False) -> None:
        """One line of progress."""
        if self._quiet:
            return
        if in_place and self._in_place:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        else:
            self.clear()
            print(text, file=sys.stderr, flush=True)

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
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def failure(self, error: JunFeiAIError) -> None:
        """A failure."""
        self.clear()
        if self.json:
            print(json.dumps({"error": error_fields(error)}, ensure_ascii=False), flush=True)
        else:
            print(f"error: {error}", file=sys.stderr)
            if error.task_id:
                self._print_resume_hints()

    def interrupted(self, error: BaseException) -> None:
        """After Ctrl-C."""
        self.clear()
        print("interrupted", file=sys.stderr)
        self._print_resume_hints()
        if not self.resume_hints:
            for task_id in getattr(error, "task_ids", ()):
                print(f"a task was created and charged; wait for it:  junfeiai wait {task_id}", file=sys.stderr)
        if getattr(error, "maybe_executed", False):
            text = "a create request was in flight and may have been charged: check your account's usage page, and run: junfeiai pending"
            print(text, file=sys.stderr)

    def _print_resume_hints(self) -> None:
        for line in self.resume_hints:
            print(line, file=sys.stderr)


def error_fields(error: BaseException) -> dict[str, Any]:
    """A failure as plain values."""
    kind = getattr(error, "kind", type(error).__name__)
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
    return [*lines, f"play it   open it in a browser, or: ffplay {summary.path}"]
