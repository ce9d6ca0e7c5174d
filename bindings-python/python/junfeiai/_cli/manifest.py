"""The list of results beside the videos of a batch, ``results.jsonl``: what became of each line."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from .batch_list import Line
from .journals import MANIFEST, manifest_records

# Of a record, in this order.
FIELDS = ("line", "state", "file", "task_id", "seconds", "duration", "bytes", "cost_units", "cost_usd", "error", "intent", "list", "key")


class Manifest:
    """One object per line of the list. While the batch runs, what is new is appended, and the last object of a line
    counts; at the end the file is written anew, in the order of the list.
    """

    def __init__(self, folder: Path, source: str, lines: list[Line]) -> None:
        self.path = folder / MANIFEST
        self.complaint: OSError | None = None
        before = manifest_records(folder)
        self._folder = folder
        self._records: dict[str, dict[str, Any]] = {}
        # Lines of other lists in this folder stay.
        self._others = {key: record for key, record in before.items() if key not in {line.request["key"] for line in lines}}
        for line in lines:
            old = before.get(line.request["key"], {})
            asked = line.request.get("seconds", line.request.get("duration"))
            fixed = {"line": line.number, "file": self._name(line.path), "list": source, "key": line.request["key"], "seconds": asked}
            self._records[line.request["key"]] = {"state": "waiting", **old, **fixed}
        self.write()

    def _name(self, path: Path) -> str:
        with contextlib.suppress(ValueError):
            return str(path.relative_to(self._folder))
        return str(path)

    def note(self, line: Line, **fields: Any) -> None:
        """What has become known of a line."""
        record = self._records[line.request["key"]]
        if "state" in fields:
            record.pop("error", None)
        record.update({name: value for name, value in fields.items() if value is not None})
        try:
            # A list of results that cannot be written loses nothing: the journal knows what was paid for.
            with self.path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(_text(record))
        except OSError as error:
            self.complaint = error

    def write(self) -> None:
        """Writes the file anew, whole or not at all."""
        new = self.path.with_name(self.path.name + ".new")
        try:
            records = [*self._others.values(), *sorted(self._records.values(), key=lambda record: int(record["line"]))]
            new.write_text("".join(map(_text, records)), encoding="utf-8", errors="backslashreplace", newline="\n")
            os.replace(new, self.path)
        except OSError as error:
            self.complaint = error
            with contextlib.suppress(OSError):
                new.unlink()


def _text(record: dict[str, Any]) -> str:
    return json.dumps({name: record[name] for name in FIELDS if record.get(name) is not None}, ensure_ascii=False) + "\n"
