"""The list of a batch: JSON lines or CSV, from a file or standard input, in the encodings that spreadsheets write."""

from __future__ import annotations

import codecs
import csv
import difflib
import inspect
import io
import json
import os
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import AsyncClient, InvalidRequestError, JunFeiAIError
from .client_options import image
from .journals import BATCH_JOURNAL, BATCH_LOCK, MANIFEST
from .output import os_error

# What a line may have besides the arguments of `create`.
OUTPUT = "output"

# How a list of JSON is written.
_FORM = "write each request as one object in one line, without brackets or commas around it"

# What stands beside a video while it is saved.
_BESIDE = (".part", ".part.state", ".part.lock", ".part.stale")

# Longer marks first: UTF-32's begins as UTF-16's.
_MARKS = [
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]


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
        try:
            return self.path.is_file()
        except (OSError, ValueError):
            return False


def read(client: AsyncClient, source: str, folder: Path, *, form: str, allow_outside: bool) -> list[Line]:
    """Reads and checks the whole list before anything is paid. `source` is a file, or `-` for standard input."""
    name = name_of(source)
    if not name:
        raise InvalidRequestError("the name of the list is empty: give a file, or - for standard input")
    # A shell's `<(…)` is a pipe below /dev/fd, where no images are.
    base = Path(source).parent if source != "-" and os.path.isfile(source) else Path()
    try:
        data = _standard_input() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise InvalidRequestError(f"the list {os_error(error)}") from error
    text = _decoded(name, data)
    lines: list[Line] = []
    seen: defaultdict[str, int] = defaultdict(int)
    numbers: dict[str, int] = {}
    for number, given in _rows(name, text, form):
        try:
            request = _request(client, given, base)
            output = request.pop(OUTPUT, None)
            fingerprint = client.videos.fingerprint(**request)
        except (ValueError, TypeError, JunFeiAIError) as error:
            raise InvalidRequestError(f"{name}, line {number}: {error}") from error
        seen[fingerprint] += 1
        twin = f"-{seen[fingerprint]}" if seen[fingerprint] > 1 else ""
        if request.get("key") is None:
            # A line that failed is tried again by the next run.
            request = {"retry_failed": True, **request, "key": f"batch/{fingerprint}{twin}"}
        key = request["key"]
        own = f"{fingerprint[:16]}{twin}.mp4"
        try:
            # A folder's name with a slash means a file in it.
            path = folder / own if not output else _inside(folder, output + own if output.endswith(("/", os.sep)) else output, allow_outside)
        except UnicodeEncodeError as error:
            raise InvalidRequestError(
                f"{name}, line {number}: its output {output!r} cannot be the name of a file: the system's encoding is {error.encoding}; set LC_ALL=C.UTF-8"
            ) from error
        except ValueError as error:
            raise InvalidRequestError(f"{name}, line {number}: {error}") from error
        if number != numbers.setdefault(key, number):
            raise InvalidRequestError(f"{name}, line {number}: its key {key!r} is the one of line {numbers[key]}")
        lines.append(Line(number, request, fingerprint, path))
    taken: dict[str, int] = {}
    for line in lines:
        first = taken.setdefault(_name_on_disk(line.path), line.number)
        if first != line.number:
            raise InvalidRequestError(f"{name}, line {line.number}: its output is the one of line {first}")
    for line in lines:
        file = Path(_name_on_disk(line.path))
        above = next((taken[str(folder)] for folder in file.parents if str(folder) in taken), None)
        if above is not None:
            raise InvalidRequestError(f"{name}, line {line.number}: its output is in a folder that is the file of line {above}")
        beside = next((taken[f"{file}{suffix}"] for suffix in _BESIDE if f"{file}{suffix}" in taken), None)
        if beside is not None:
            raise InvalidRequestError(f"{name}, line {beside}: its output is the name of what is kept while the video of line {line.number} is saved")
    return lines


def name_of(source: str) -> str:
    """What a list is called in messages."""
    return "standard input" if source == "-" else source


def _name_on_disk(path: Path) -> str:
    """The same for two names of one file: Windows and macOS do not tell letters apart by case."""
    try:
        name = os.path.normcase(os.path.realpath(path))
    except (OSError, ValueError):
        # A name that no file can have is refused later, with the reason.
        name = os.path.normcase(os.path.abspath(path))
    # Nor those that are written as one letter or as two.
    return unicodedata.normalize("NFC", name.casefold()) if sys.platform in ("win32", "darwin") else name


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise InvalidRequestError("standard input is closed: give a list by its file name")
    return sys.stdin.buffer.read()


def _decoded(name: str, data: bytes) -> str:
    """The text, in UTF-8 or in what its mark says."""
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidRequestError(f"{name}, line {line}: it is not {encoding.upper()}: save the list as UTF-8") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InvalidRequestError(f"{name}, line {line}: it holds a zero byte, as UTF-16 without a mark does: save the list as UTF-8")
    return text


def _rows(name: str, text: str, form: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and fields of each line that is not empty."""
    if form == "auto":
        first = text.lstrip()[:1]
        form = "csv" if name.lower().endswith((".csv", ".tsv")) or (first not in ("", "{", "[") and "prompt" in _head(text)) else "jsonl"
    if form == "csv":
        yield from _csv_rows(name, text)
        return
    # JSON may hold U+2028, U+0085 and others where `splitlines` would cut.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line, parse_constant=_no_number, object_pairs_hook=_once)
        except _GivenTwice as error:
            raise InvalidRequestError(f"{name}, line {number}: field {error.args[0]!r} is given twice: leave out one of them") from error
        except RecursionError:
            raise InvalidRequestError(f"{name}, line {number}: it is not JSON that can be read: it is nested too deeply") from None
        except ValueError as error:
            raise InvalidRequestError(f"{name}, line {number}: it is not JSON: {error}; {_FORM}") from error
        if not isinstance(fields, dict):
            raise InvalidRequestError(f"{name}, line {number}: a JSON object is expected: {_FORM}")
        yield number, fields


class _GivenTwice(Exception):
    """A field of an object that stands there twice: one of them would be passed over."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _GivenTwice(next(field for at, (field, _) in enumerate(pairs) if field in dict(pairs[:at])))
    return fields


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _head(text: str) -> str:
    return text.lstrip().split("\n", 1)[0].lower()


def _csv_rows(name: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """CSV with a line of field names; spreadsheets of some countries separate by semicolons. Empty cells are not given."""
    separator = max(",;\t", key=_head(text).count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    names: list[str] = []
    ended = 0
    while True:
        number = ended + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidRequestError(f"{name}, line {number}: it is not CSV: {error}") from error
        ended = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = [cell.strip() for cell in cells]
            if "prompt" not in names:
                near = difflib.get_close_matches("prompt", [one.lower() for one in names], 1)
                hint = f": write it as prompt, not {next(one for one in names if one.lower() == near[0])!r}" if near else ""
                raise InvalidRequestError(f"{name}, line {number}: the first line of CSV names the fields, one of them prompt{hint}")
            twice = next((one for at, one in enumerate(names) if one and one in names[:at]), None)
            if twice is not None:
                raise InvalidRequestError(f"{name}, line {number}: field {twice!r} is given twice: leave out one of them")
            continue
        if len(cells) > len(names) and any(cells[len(names) :]):
            raise InvalidRequestError(f"{name}, line {number}: it has {len(cells)} cells, but the first line names {len(names)} fields")
        yield number, {field: _cell(name, number, field, cell) for field, cell in zip(names, cells) if field and cell != ""}


def _cell(name: str, number: int, field: str, cell: str) -> Any:
    """Text stands for itself, but for the fields that are none."""
    if field == "images":
        return [one.strip() for one in cell.split("|") if one.strip()]
    if field in ("extra", "retry_failed"):
        try:
            return json.loads(cell.lower() if field == "retry_failed" else cell)
        except ValueError as error:
            raise InvalidRequestError(f"{name}, line {number}: field {field!r} is not JSON: {error}") from error
    return cell


def _request(client: AsyncClient, given: dict[str, Any], base: Path) -> dict[str, Any]:
    """The arguments of `create`. A field that does not exist is named, with the one that may be meant."""
    known = [*inspect.signature(client.videos.create).parameters, OUTPUT]
    for field in given:
        if field not in known:
            near = difflib.get_close_matches(field.lower(), known, 1)
            advice = f"did you mean {near[0]!r}?" if near else "fields of a model go into 'extra'"
            raise TypeError(f"there is no field {field!r}: {advice}")
        try:
            json.dumps(given[field], ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError(f"field {field!r} holds half of a letter (a lone surrogate), which cannot be sent: correct it") from None
        except RecursionError:
            raise ValueError(f"field {field!r} is nested too deeply") from None
    request = dict(given)
    name = request.get(OUTPUT)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"argument 'output': expected str, got {type(name).__name__}")
    if isinstance(request.get("image"), str):
        request["image"] = image(request["image"], base)
    if isinstance(request.get("images"), list):
        request["images"] = [image(one, base) if isinstance(one, str) else one for one in request["images"]]
    return request


def _inside(folder: Path, name: str, allow_outside: bool) -> Path:
    """The file of a line. A list from elsewhere writes nowhere but into the folder, unless that is allowed."""
    path = folder / name
    if "\0" in name:
        # A name that no file can have is refused later, with the reason.
        return path
    inside = Path(os.path.realpath(folder))
    meant = Path(os.path.realpath(path))
    if not allow_outside and inside not in meant.parents and meant != inside:
        raise ValueError(f"its output {name!r} is outside of {folder}: give --allow-outside to allow that")
    own = Path(_name_on_disk(meant))
    if own.parent == Path(_name_on_disk(inside)) and (own.name in (MANIFEST, f"{MANIFEST}.new", BATCH_LOCK) or own.name.startswith(BATCH_JOURNAL)):
        raise ValueError(f"its output {name!r} is a file of the batch itself: choose another name")
    return path
