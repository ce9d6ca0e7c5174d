#!/usr/bin/env python3
"""Writes python/junfeiai/_native.pyi: one template for both clients, documentation from the module itself; and
python/junfeiai/types.py: the arguments of the calls as dicts, from the table of options.

    stubs.py          writes the files
    stubs.py --check  fails when a file is not what would be written

It needs the module, which `make test SUITES=python-types` builds: target/venv/bin/python bindings-python/stubs.py. Names, parameters
and defaults are then checked against the module by stubtest.
"""

import argparse
import inspect
import re
import sys
import textwrap
import tomllib
from pathlib import Path

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="writes nothing")
    CHECK = parser.parse_args().check

try:
    from junfeiai import _native
except ImportError as error:
    sys.exit(f"stubs.py: {error}; build the module with make test SUITES=python-types, then run: target/venv/bin/python bindings-python/stubs.py")

PACKAGE = Path(__file__).with_name("python") / "junfeiai"

HEADER = '''\
# Written by stubs.py; do not edit.

import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, SupportsIndex, TypeAlias, final

from ._aio import Opening
from ._errors import JunFeiAIError
from .types import Image, VideoRequest

_Status: TypeAlias = Literal["queued", "in_progress", "succeeded", "failed", "unknown"]

__version__: Final[str]
ERROR_KINDS: Final[list[tuple[str, int, str]]]
DEFAULT_MODEL: Final[str]
BUILD: Final[dict[str, str]]

def _shutdown() -> None: ...
def _stop_create_requests() -> None: ...
def _range_of(header: str | None, length: int) -> tuple[int, int, int]: ...
def _panic(videos: Videos | AsyncVideos) -> Any: ...

__all__ = [
''' + "".join(f'    "{name}",\n' for name in _native.__all__) + "]\n"

TABLE = tomllib.loads((Path(__file__).parent.parent / "core" / "options.toml").read_text(encoding="utf-8"))
TYPES = {
    "secret": "str", "endpoint": "str", "text": "str", "url": "str", "texts": "Iterable[str]", "path": "str | os.PathLike[str]",
    "seconds": "float", "number": "float", "count": "int", "flag": "bool", "length": "float | str | SupportsIndex", "image": "Image",
    "images": "Iterable[Image]", "json": "dict[str, Any]", "headers": "Mapping[str, str]", "validate": 'Literal["strict", "default", "off"]',
}


def parameter(option):
    """A parameter of Python. `None` is the same as leaving it out; the default that is shown is the core's."""
    if stub := option.get("python", {}).get("stub"):
        return f"{option['name']}: {stub}"
    default = option.get("default")
    shown = default if isinstance(default, (bool, int)) and option["type"] != "seconds" else None
    return f"{option['name']}: {TYPES[option['type']]} | None = {shown}"


def parameters(group, without=()):
    """The keyword arguments of this group of options."""
    options = [option for option in TABLE[group] if "python" in option.get("in", ["python"]) and option["type"] not in without]
    return ", ".join(parameter(option) for option in options if not option.get("python", {}).get("position"))


CLIENT, REQUEST, WAIT, SAVE = map(parameters, ("client", "request", "wait", "save"))

# `$X` is the class of the client, `?T` what a call returns: T, or a coroutine of T.
CLIENTS = f'''
class $Client:
    def __new__(cls, *, {CLIENT}) -> $Client: ...
    @property
    def videos(self) -> $Videos: ...
    @property
    def base_url(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def check(self, *, account: bool | None = False) -> ?CheckReport: ...
    def models(self) -> ?list[str]: ...
    def balance(self) -> ?Balance: ...
    def close(self) -> $Closed: ...$aclose
    def $enter(self) -> ?$Client: ...
    def $exit(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> ?None: ...
class $Videos:
    def create(self, prompt: str = "", *, {REQUEST}, timeout: float | None = None) -> ?$Task: ...
    def estimate(self, prompt: str = "", *, {REQUEST}) -> ?Estimate: ...
    def generate(self, prompt: str = "", *, {REQUEST}, {WAIT}) -> ?$Video: ...
    def get(self, task_id: str, *, timeout: float | None = None) -> ?$Task: ...
    def task(self, task_id: str) -> $Task: ...
    def advance(self, state: dict[str, Any]) -> ?$Advanced: ...
    def video(self, task_id: str) -> $Video: ...
    def video_at(self, url: str) -> $Video: ...
    def check_save(self, path: str | os.PathLike[str], *, {parameters("save", without=("callback",))}) -> None: ...
    def read_range(self, task_id: str, start: int, end: int) -> ?bytes: ...
    def iter_bytes(self, task_id: str) -> $Iterator[bytes]: ...
    def wait_all(self, task_ids: Iterable[str]) -> ?list[$Outcome]: ...
    def as_completed(self, task_ids: Iterable[str]) -> $Iterator[$Outcome]: ...
    def generate_many(self, requests: Iterable[str | VideoRequest | Mapping[str, Any]], *, concurrency: int | None = 4) -> $Iterator[$Outcome]: ...
    def fingerprint(self, prompt: str = "", *, {REQUEST}) -> str: ...
    def pending(self) -> ?list[Pending]: ...
    def key(self, key: str) -> ?KeyRecord | None: ...
    def spending(self, since: str | None = None) -> ?list[Spending]: ...
    def forget(self, task_id: str) -> ?bool: ...
    def reconcile(self, *, account_token: str | None = None, account_user: int | str | None = None) -> ?Reconciliation: ...
    def resolve_unknown(self, intent: str, task_id: str | None = None) -> ?bool: ...
    def resume_pending(self, folder: str | os.PathLike[str]) -> $Iterator[Saved]: ...
    def check(self, *, account: bool | None = False) -> ?CheckReport: ...
class $Task:
    @property
    def id(self) -> str: ...
    @property
    def status(self) -> _Status: ...
    @property
    def done(self) -> bool: ...
    @property
    def raw_status(self) -> str: ...
    @property
    def progress(self) -> float | None: ...
    @property
    def billed_seconds(self) -> float | None: ...
    @property
    def charged_units(self) -> int | None: ...
    @property
    def reused(self) -> bool: ...
    @property
    def saved_path(self) -> Path | None: ...
    @property
    def video_url(self) -> str | None: ...
    @property
    def fail_reason(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def created_at(self) -> int | None: ...
    @property
    def started_at(self) -> int | None: ...
    @property
    def finished_at(self) -> int | None: ...
    @property
    def warnings(self) -> tuple[TaskWarning, ...]: ...
    @property
    def raw(self) -> str: ...
    def refresh(self, *, timeout: float | None = None) -> ?$Task: ...
    def wait(self, *, {WAIT}) -> ?$Video: ...
    def wait_state(self, *, {parameters("wait", without=("callback",))}) -> dict[str, Any]: ...
    def watch(self) -> $Iterator[$Task]: ...
    def video(self) -> $Video: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
class $Video:
    @property
    def task_id(self) -> str | None: ...
    @property
    def url(self) -> str | None: ...
    @property
    def saved_path(self) -> Path | None: ...
    @property
    def file_name(self) -> str: ...
    def save(self, path: str | os.PathLike[str], *, {SAVE}) -> ?Summary: ...
    def read(self, *, max_bytes: int | None = None) -> ?bytes: ...
    def read_range(self, start: int, end: int) -> ?bytes: ...
    def open(self) -> $File: ...
    def serve(self, range_header: str | None = None, *, total: int | None = None) -> ?$RangeResponse: ...
    def iter_bytes(self) -> $Iterator[bytes]: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
'''

CLIENTS += '''
class $Outcome:
    @property
    def index(self) -> int | None: ...
    @property
    def task_id(self) -> str | None: ...
    @property
    def video(self) -> $Video | None: ...
    @property
    def error(self) -> JunFeiAIError | None: ...
    def result(self) -> $Video: ...
    def to_dict(self) -> dict[str, Any]: ...
class $Advanced:
    @property
    def video(self) -> $Video | None: ...
    @property
    def state(self) -> dict[str, Any] | None: ...
    @property
    def retry_after(self) -> float | None: ...
    def to_dict(self) -> dict[str, Any]: ...
'''

RECORDS = {
    "Summary": "path: Path, bytes: int, duration: float|None, width: int|None, height: int|None, resumed: bool, "
    "attempts: int, elapsed: float, sha256: str|None, charged_units: int|None, charged_usd: float|None",
    "SaveProgress": "bytes: int, total: int|None, rate: float",
    "TaskWarning": "code: str, message: str",
    "Balance": "name: str|None, unlimited: bool, available_usd: float|None, used_usd: float, expires_at: int|None",
    "Estimate": 'units: int|None, usd: float|None, certainty: Literal["exact", "rounded", "default_group", "last_charge", '
    '"unknown"], units_at_most: int|None, billed_seconds: int, price_per_second: float|None, size_ratio: float, '
    "group: str|None, group_ratio: float|None, notes: list[str]",
    "Pending": 'kind: Literal["task", "unknown"], task_id: str|None, intent: str|None, model: str, seconds: str|None, '
    "created_at: int, state: str, fingerprint: str|None, prompt: str|None, key: str|None",
    "KeyRecord": 'key: str, attempt: int, state: Literal["sending", "unknown", "created", "succeeded", "failed", "saved", '
    '"forgotten"], task_id: str|None, intent: str, model: str, created_at: int, path: Path|None, bytes: int|None, charged_units: int|None',
    "Settled": "intent: str, key: str|None, model: str, seconds: str|None, created_at: int, "
    'verdict: Literal["charged", "not_charged", "under_way", "not_known"], reason: str, task_id: str|None, '
    "request_id: str|None, charged_units: int|None",
    "Reconciliation": "entries: list[Settled], retry_after: float|None",
    "Spending": "day: str, model: str, creates: int, charged_units: int, charged_usd: float, refunded_units: int, "
    "refunded_usd: float, failed: int, unknown: int, uncharged: int",
    "CheckStep": "name: str, status: str, detail: str, advice: str|None",
    "EntryCheck": "endpoint: str, in_use: bool, ok: bool, steps: list[CheckStep], latency: float|None, "
    "clock_skew: int|None, request_id: str|None",
}

REST = '''
class RangeResponse:
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> dict[str, str]: ...
    @property
    def total(self) -> int | None: ...
    def __iter__(self) -> Iterator[bytes]: ...
class AsyncRangeResponse:
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> dict[str, str]: ...
    @property
    def total(self) -> int | None: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
class AsyncVideoReader:
    def read(self, size: int = -1) -> Coroutine[Any, Any, bytes]: ...
    def seek(self, offset: int, whence: int = 0) -> Coroutine[Any, Any, int]: ...
    def tell(self) -> Coroutine[Any, Any, int]: ...
    def size(self) -> Coroutine[Any, Any, int]: ...
    def close(self) -> Awaitable[None]: ...
    def aclose(self) -> Coroutine[Any, Any, None]: ...
    def __aenter__(self) -> Coroutine[Any, Any, AsyncVideoReader]: ...
    def __aexit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> Coroutine[Any, Any, None]: ...
class Saved:
    @property
    def task_id(self) -> str: ...
    @property
    def summary(self) -> Summary | None: ...
    @property
    def error(self) -> JunFeiAIError | None: ...
    def result(self) -> Summary: ...
    def to_dict(self) -> dict[str, Any]: ...
class CheckReport:
    @property
    def ok(self) -> bool: ...
    @property
    def version(self) -> str: ...
    @property
    def entries(self) -> list[EntryCheck]: ...
    @property
    def steps(self) -> list[CheckStep]: ...
    @property
    def models(self) -> list[str] | None: ...
    @property
    def balance(self) -> Balance | None: ...
    def to_dict(self) -> dict[str, Any]: ...
'''


def client(blocking):
    names = {name: name if blocking else f"Async{name}" for name in ("Client", "Videos", "Task", "Video", "Outcome", "Advanced", "RangeResponse", "Iterator")}
    names["File"] = "io.BufferedReader" if blocking else "Opening"
    names["Closed"] = "None" if blocking else "Awaitable[None]"
    names["aclose"] = "" if blocking else "\n    def aclose(self) -> Coroutine[Any, Any, None]: ..."
    names |= {"enter": "__enter__" if blocking else "__aenter__", "exit": "__exit__" if blocking else "__aexit__"}
    text = re.sub(r"\$(\w+)", lambda match: names[match[1]], CLIENTS)
    return re.sub(r"\?([^:]+?): \.\.\.$", r"\1: ..." if blocking else r"Coroutine[Any, Any, \1]: ...", text, flags=re.M)


def record(name, fields):
    parts = [part.split(": ") for part in re.split(r", (?=\w+: )", fields)]
    lines = [f"class {name}:", f"    def __new__(cls, {fields}) -> {name}: ..."]
    for field, kind in parts:
        lines += ["    @property", f"    def {field}(self) -> {kind}: ..."]
    lines += ["    def to_dict(self) -> dict[str, Any]: ...", "    def __hash__(self) -> int: ..."]
    for operator in ("eq", "ne"):
        lines.append(f"    def __{operator}__(self, other: object, /) -> bool: ...")
    lines.append("    def __reduce__(self) -> tuple[Any, ...]: ...")
    return "\n".join(lines) + "\n"


def documented(text):
    """The stubs with the documentation of the module."""
    out, owner = [], None
    for line in text.splitlines():
        if match := re.match(r"class (\w+):", line):
            owner = getattr(_native, match[1])
            out += ["", "@final", line, *quote(owner, "    ")]
        elif match := re.match(r"    def (\w+)\(", line):
            line = line.replace("|None", " | None")
            doc = [] if match[1].startswith("__") else quote(getattr(owner, match[1]), "        ")
            out += [re.sub(r": \.\.\.$", ":", line), *doc] if doc else [line]
        else:
            out.append(line)
    return "\n".join(out) + "\n"


def quote(thing, indent):
    doc = inspect.getdoc(thing)
    if not doc:
        sys.exit(f"{thing} has no documentation")
    return quoted(doc, indent)


def quoted(doc, indent):
    return textwrap.indent(f'"""{doc}"""' if "\n" not in doc else f'"""{doc}\n"""', indent).splitlines()


TYPES_HEADER = '''\
"""The arguments of the calls as ``TypedDict``s, for programs that keep them: ``client.videos.create(**request)``.

Written by stubs.py; do not edit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, Literal, SupportsIndex, TypeAlias, TypedDict

Image: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A URL that the service fetches, or a PNG, JPEG or WebP as a path, bytes or a file opened with mode ``"rb"``."""
'''

DICTS = {
    "client": ("ClientOptions", "Options of ``Client`` and ``AsyncClient``. Durations are in seconds."),
    "request": ("VideoRequest", "Arguments of ``create``, ``estimate`` and ``generate``, and an item of ``generate_many``."),
    "wait": ("WaitOptions", "Options of ``wait`` and ``generate``, without the callback."),
    "save": ("SaveOptions", "Options of ``save`` and ``check_save``, without the callback."),
}


def explained(option):
    """What an option does, as a docstring."""
    text = option.get("python", {}).get("en", option["en"])
    text = re.sub(r"\{(\d+)s\}", r"\1", text).replace("{forever}", "math.inf").replace("`", "``")
    return textwrap.fill(text[0].upper() + text[1:] + ".", 116)


def dicts():
    text = TYPES_HEADER
    for group, (name, doc) in DICTS.items():
        text += f'\n\nclass {name}(TypedDict, total=False):\n    """{doc}"""\n\n'
        for option in TABLE[group]:
            if "python" in option.get("in", ["python"]) and option["type"] != "callback":
                optional = "" if option.get("python", {}).get("position") else " | None"
                lines = [f"    {option['name']}: {TYPES[option['type']]}{optional}", *quoted(explained(option), "    ")]
                text += "\n".join(lines) + "\n"
    return text


def main():
    records = "".join(record(name, fields) for name, fields in RECORDS.items())
    files = {"_native.pyi": HEADER + documented(records + REST + client(True) + client(False)), "types.py": dicts()}
    for name, text in files.items():
        target = PACKAGE / name
        if not CHECK:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            sys.exit(f"python/junfeiai/{name} is not what stubs.py writes: run stubs.py")


if __name__ == "__main__":
    main()
