"""Whether what came is what was expected, and whether all bindings gave the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

File = Callable[[str], bytes]

# Texts of these kinds quote the platform's own words for a connection or a file, or how far a task happened to be.
_OWN_WORDS = {"connect", "connection", "timeout", "create_outcome_unknown", "wait_timeout", "download", "cancelled", "io",
              "file_locked", "no_space", "journal", "integrity"}
# What of an error's text stems from headers.
_HEADERS = r"(request \{request\}|retry after \d+ s)"
# What depends on when a poll came, or when the scenario began.
_BY_TIME = {"status", "raw_status", "progress", "states", "attempts", "last_status", "resumed", "started_at", "finished_at", "expires_at"}
# What a task says only once it has ended: compared where both polls came on the same side of the end.
_BY_STATUS = {"video_url", "fail_reason"}
# C names the setter that was called, in front of what is said in every language.
_SETTER = re.compile(r"^jfai_\w+: ")
# A key that the service's clock has expired did so some time ago.
_AGO = re.compile(r"\b\d+ (minutes|hours|days) ago")


def differences(expected: Any, got: Any, place: str, file: File) -> list[str]:
    """Every key that is expected, compared exactly. `"*"` is anything but nothing, `{"contains": …}` a part of a text,
    `{"of": task, "from": …, "to": …}` bytes of a task's file."""
    if expected == "*":
        return [] if got is not None else [f"{place}: there is none"]
    if isinstance(expected, dict) and set(expected) == {"contains"}:
        return [] if expected["contains"] in str(got) else [f"{place}: {got!r} does not contain {expected['contains']!r}"]
    if isinstance(expected, dict) and "of" in expected:
        whole = file(expected["of"])
        part = whole[expected.get("from", 0):expected.get("to", len(whole))]
        expected = {"length": len(part), "sha256": hashlib.sha256(part).hexdigest()}
    if isinstance(expected, dict) and isinstance(got, dict):
        return [line for name, value in expected.items()
                for line in differences(value, got.get(name), f"{place}.{name}", file)]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [line for at, pair in enumerate(zip(expected, got))
                for line in differences(*pair, f"{place}[{at}]", file)]
    return [] if expected == got else [f"{place}: expected {expected!r}, got {got!r}"]


def saw_differences(expected: dict[str, Any], saw: dict[str, Any]) -> list[str]:
    """What the server saw. Two numbers in a list are the least and the most; what is not named must not have happened."""
    wanted = {"posts": 0, "tasks": 0, "key_at_second": False, "never_sent": [], **expected}
    found = ["the key stood in a URL"] if saw["key_in_query"] else []
    for name, value in wanted.items():
        got = saw[name]
        if name == "gap_s":
            good = got is not None and got >= value
        elif name in ("bodies", "ranges", "content_paths", "others", "languages", "own_headers", "own_names", "read_headers", "never_sent"):
            good = value == got
        elif isinstance(value, list):
            good = value[0] <= got <= value[1]
        else:
            good = value == got
        if not good:
            found.append(f"the server saw {name} {got!r}, expected {value!r}")
    return found


def file_differences(expected: dict[str, Any], folder: Path, file: File) -> list[str]:
    """Files that must be there, with a task's bytes or a text, or must not."""
    found = []
    for name, value in expected.items():
        path = folder / name
        if value is None:
            found += [f"{name} is there"] if path.exists() else []
        elif not path.exists():
            found.append(f"{name} is not there")
        elif isinstance(value, dict) and path.read_bytes() != file(value["of"]):
            found.append(f"{name} is not the video of {value['of']}")
        elif isinstance(value, str) and value != "*" and path.read_text() != value:
            found.append(f"{name} has other content")
    return found


def comparable(outcome: Any, hidden: tuple[str, ...]) -> Any:
    """An outcome without what may differ between two good runs, and without what one of the bindings is not told."""
    if isinstance(outcome, list):
        return [comparable(part, hidden) for part in outcome]
    if isinstance(outcome, str):
        outcome = _AGO.sub("some time ago", _SETTER.sub("", outcome))
    if isinstance(outcome, str) and "request_id" in hidden:
        return re.sub(rf", {_HEADERS}", "", re.sub(rf" \({_HEADERS}(, {_HEADERS})*\)", "", outcome))
    if not isinstance(outcome, dict):
        return outcome
    drop = _BY_TIME | set(hidden)
    if "maybe_executed" in outcome:
        # JavaScript's message has the advice in it; the text without it is not shown there.
        drop.add("message")
        if outcome["http_status"] is None and outcome["kind"] in _OWN_WORDS:
            drop.add("text")
    return {name: comparable(part, hidden) for name, part in outcome.items() if name not in drop}


def at_one_status(one: Any, other: Any) -> tuple[Any, Any]:
    """Both, without what a task says by its status where the statuses differ: on a busy machine one poll comes later."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [at_one_status(*pair) for pair in zip(one, other)]
        return [left for left, _ in pairs], [right for _, right in pairs]
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return one, other
    drop = _BY_STATUS if "status" in one and "status" in other and one["status"] != other["status"] else set()
    left, right = ({name: part for name, part in outcome.items() if name not in drop} for outcome in (one, other))
    for name in left.keys() & right.keys():
        left[name], right[name] = at_one_status(left[name], right[name])
    return left, right


def strays(reference: dict[str, Any], outcome: dict[str, Any], own_steps: set[str], hidden: tuple[str, ...]) -> list[str]:
    """Where a binding's outcome is not the reference's, but for the steps that the scenario says are different there."""
    found = []
    for at, (one, other) in enumerate(zip(reference["steps"], outcome["steps"])):
        if str(at) not in own_steps:
            one, other = at_one_status(one, other)
            found += unequal(comparable(one, hidden), comparable(other, hidden), f"step {at}")
    if "client_error" not in own_steps:
        found += unequal(comparable(reference["client"], hidden), comparable(outcome["client"], hidden), "client")
    return found


def unequal(one: Any, other: Any, place: str) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        return [line for name in {**one, **other} for line in unequal(one.get(name), other.get(name), f"{place}.{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [line for at, pair in enumerate(zip(one, other)) for line in unequal(*pair, f"{place}[{at}]")]
    return [] if one == other else [f"{place}: {other!r} here, {one!r} in the reference"]
