"""Whether the runner would notice. It goes before every run: a judge that finds nothing wrong with anything proves nothing."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import book
import bindings
import judge
import plain
from service import summary_of

FILE = b"0123456789"


def entry(**fields: Any) -> dict[str, Any]:
    """A request of the emulator's log."""
    return {"method": "GET", "path": "/v1/video/generations/task_a", "host": "first", "key": "valid", "query": "", "range": None,
            "body_json": None, "headers": {}, "at_ms": 0, **fields}


def saw(*log: dict[str, Any], tasks: int = 0) -> dict[str, Any]:
    stats = {"created_tasks": tasks, "quota_charged": 0, "quota_refunded": 0, "max_concurrent_content": 0}
    return summary_of({"log": list(log), "stats": stats}, 1000)


def mistakes() -> list[str]:
    """What the judge would let through, or would find wrong for nothing."""
    found: list[str] = []

    def differs(expected: Any, got: Any, yes: bool) -> None:
        if bool(judge.differences(expected, got, "x", lambda _: FILE)) != yes:
            found.append(f"{got!r} against {expected!r}")

    def sees(expected: dict[str, Any], what: dict[str, Any], yes: bool) -> None:
        if bool(judge.saw_differences(expected, what)) != yes:
            found.append(f"what the server saw, against {expected!r}")

    whole = {"length": 10, "sha256": "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"}
    part = {"length": 2, "sha256": "535fa30d7e25dd8a49f1536779734ec8286108d115da5045d77f3b4185d8f790"}
    for expected, got, yes in (
        ({"kind": "connect"}, {"kind": "connect", "number": 30}, False), ({"kind": "connect"}, {"kind": "timeout"}, True),
        ({"kind": "connect"}, {}, True), ({"field": None}, {}, False), ({"field": None}, {"field": "seconds"}, True),
        ("*", "text", False), ("*", None, True), ([1, 2], [1, 2], False), ([1, 2], [1], True), ([{"a": 1}], [{"a": 2}], True),
        ({"contains": "ab"}, "cabs", False), ({"contains": "ab"}, "a b", True), ({"of": "t"}, whole, False),
        ({"of": "t"}, part, True), ({"of": "t", "from": 2, "to": 4}, part, False),
        ({"of": "t", "from": 2, "to": 4}, whole, True), (False, None, True), (0, None, True),
    ):
        differs(expected, got, yes)
    post = entry(method="POST", path="/v1/video/generations", body_json={"seconds": "6"})
    for wanted, what, yes in (
        ({}, saw(), False), ({}, saw(post), True), ({"posts": 1}, saw(post), False), ({"posts": 1}, saw(post, post), True),
        ({}, saw(tasks=1), True), ({"polls": [1, 2]}, saw(entry(), entry()), False), ({"polls": [1, 2]}, saw(*[entry()] * 3), True),
        ({}, saw(entry(host="second")), True), ({"key_at_second": False}, saw(entry(host="second", key="none")), False),
        ({}, saw(entry(query="key=[key]")), True), ({}, saw(entry(method="HEAD")), True), ({}, saw(entry(range="bytes=0-1,3-4")), True),
        ({"gap_s": 5}, saw(entry(), entry(at_ms=5)), False),
        ({"gap_s": 5}, saw(entry(), entry(at_ms=4)), True), ({"gap_s": 5}, saw(entry()), True),
        ({"posts": 1, "bodies": [{"seconds": 6}]}, saw(post), True), ({"ranges": [None]}, saw(), True),
    ):
        sees(wanted, what, yes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a").write_bytes(FILE)
        for files, yes in (({"a": {"of": "t"}}, False), ({"a": None}, True), ({"b": {"of": "t"}}, True), ({"a": "other"}, True)):
            if bool(judge.file_differences(files, folder, lambda _: FILE)) != yes:
                found.append(f"files against {files!r}")
    outcomes: list[dict[str, Any]] = [{"client": {}, "steps": [{"error": plain.error(binding, record)}]} for binding, record in (
        ("rust", {"kind": "not_found", "status": 404, "code": "x", "maybe_executed": False, "retry_after_s": 1.5, "task_id": "t"}),
        ("c", {"kind": "not_found", "http_status": 404, "server_code": "x", "maybe_executed": False, "retry_after_ms": 1500, "task_id": "t"}),
        ("c", {"kind": "not_found", "http_status": 404, "server_code": "x", "maybe_executed": False, "retry_after_ms": -1}))]
    option = {"code": "config", "message": "pollIntervalMs must be a number of milliseconds, not -20", "field": "pollIntervalMs"}
    if (said := plain.error("node", option))["field"] != "poll_interval" or said["text"] != "poll_interval must be a number of seconds, not -0.02":
        found.append("the name of an option in JavaScript")
    for outcome in outcomes:
        outcome["steps"][0]["error"]["number"] = 24
    if judge.strays(outcomes[0], outcomes[1], set(), ()):
        found.append("two languages' words for one error")
    if len(judge.strays(outcomes[0], outcomes[2], set(), ())) != 2 or judge.strays(outcomes[0], outcomes[2], {"0"}, ()):
        found.append("an error without its task and its Retry-After")
    running, ended, wrong = ({"client": {}, "steps": [{"task": {"status": status, "video_url": url}}]} for status, url in (
        ("queued", None), ("succeeded", "u"), ("succeeded", None)))
    if judge.strays(running, ended, set(), ()) or len(judge.strays(wrong, ended, set(), ())) != 1:
        found.append("an address that is told by the status")
    for broken in ({}, {"name": "n", "about": "a", "rows": ["r"]}, {"name": "n", "about": "a", "rows": ["r"], "steps": [{"do": "get"}]},
                   {"name": "n", "about": "a", "rows": ["r"], "steps": [{"do": "git", "expect": {}}]}):
        try:
            book.check(broken, set(bindings.NAMES))
            found.append(f"the scenario {broken!r}")
        except book.Mistake:
            pass
    # The guide shows one, which has to be right.
    guide = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```json\n(.*?)^```", guide, re.M | re.S)
    if not shown:
        found.append("the guide, which shows no scenario")
    for text in shown:
        book.check(json.loads(text), set(bindings.NAMES))
    return found
