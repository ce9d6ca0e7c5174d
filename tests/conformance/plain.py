"""One form for what all bindings give: the names of the core, seconds, `None` for what is not there.

Here alone is known what each language calls a thing. A shim hands over what its language gives; `plain` makes it
comparable, with nothing in it that differs from run to run (ports, folders, ids of new tasks).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Names = dict[str, str]

# What a binding calls a thing -> what the core calls it. What is not named here has the core's name.
_PYTHON: Names = {"status_code": "http_status", "retry_after": "retry_after_s", "duration": "duration_s", "id": "task_id"}
_JS: Names = {
    "code": "kind", "message": "text", "status": "http_status", "serverCode": "code", "serverMessage": "server_message",
    "requestId": "request_id", "taskId": "task_id", "lastStatus": "last_status", "maybeExecuted": "maybe_executed",
    "retryAfterMs": "retry_after_ms",
}
_C: Names = {"status": "number", "message": "text", "detail": "message", "server_code": "code", "is_transient": "transient"}
_CORE: Names = {"status": "http_status"}
ERROR_NAMES: dict[str, Names] = {"rust": _CORE, "python": _PYTHON, "python-async": _PYTHON, "node": _JS, "browser": _JS,
                                 "c": _C, "cpp": _C}
OTHER_NAMES: Names = {
    "id": "task_id", "rawStatus": "raw_status", "videoURL": "video_url", "failReason": "fail_reason",
    "billedSeconds": "billed_seconds", "chargedUnits": "charged_units", "createdAt": "created_at", "startedAt": "started_at", "finishedAt": "finished_at",
    "duration": "duration_s", "durationMs": "duration_ms", "availableUSD": "available_usd", "usedUSD": "used_usd",
    "expiresAt": "expires_at", "inUse": "in_use",
}
ERROR_KEYS = ("kind", "number", "phase", "field", "http_status", "code", "server_message", "request_id", "task_id",
              "last_status", "retry_after_s", "attempts", "maybe_executed", "transient", "message", "text")
TASK_KEYS = ("task_id", "status", "raw_status", "progress", "video_url", "fail_reason", "model", "billed_seconds", "charged_units")
TASK_TIMES = ("created_at", "started_at", "finished_at")
SUMMARY_KEYS = ("bytes", "width", "height", "duration_s", "resumed", "attempts", "sha256")
# Errors call an option or a method what the caller wrote: in JavaScript in camelCase, times in milliseconds.
_JS_OPTIONS: Names = {
    "apiKey": "api_key", "baseURL": "base_url", "videoBaseURL": "video_base_url", "trustedHosts": "trusted_hosts", "userAgent": "user_agent", "timeoutMs": "timeout",
    "createTimeoutMs": "create_timeout", "connectTimeoutMs": "connect_timeout", "caFile": "ca_file", "idleTimeoutMs": "idle_timeout", "waitTimeoutMs": "wait_timeout",
    "pollIntervalMs": "poll_interval", "maxAttempts": "max_attempts", "maxBytes": "max_bytes", "createParents": "create_parents",
    "taskId": "task_id", "rateLimit": "rate_limit", "requestRate": "request_rate", "requestBurst": "request_burst", "maxInFlightCreates": "max_in_flight_creates",
    "maxCost": "max_cost", "maxCostStrict": "max_cost_strict", "retryFailed": "retry_failed", "accountToken": "account_token", "accountUser": "account_user",
    "waitState": "wait_state",
}
MILLISECONDS = re.compile(r"a number of milliseconds, not (-?[\d.]+)")
OPTION_NAMES: dict[str, Names] = {"node": _JS_OPTIONS, "browser": _JS_OPTIONS}
KEY_STATES = ("sending", "unknown", "created", "succeeded", "failed", "saved", "forgotten")
VERDICTS = ("charged", "not_charged", "under_way", "not_known")
PENDING_STATES = {1: ("task", "created"), 2: ("task", "succeeded"), 3: ("unknown", None)}

# The ids of tasks that a scenario creates; those that it puts in have names of their own.
NEW_ID = re.compile(r"task_(?!0{32})[0-9A-Za-z]{32}\b")
SIGNATURE = re.compile(r"exp=\d+&sig=\w+")
REQUEST_ID = re.compile(r"\b20\d{21}[0-9a-f]{8}[0-9A-Za-z]{8}\b")


def renamed(value: dict[str, Any], names: Names) -> dict[str, Any]:
    return {names.get(name, name): part for name, part in value.items()}


def absent(value: Any) -> Any:
    """C says -1, 0 or an empty text where nothing is known."""
    return None if value in ("", -1) else value


def seconds(value: dict[str, Any], name: str) -> float | None:
    """A duration that is given in seconds or in milliseconds."""
    given, ms = absent(value.get(f"{name}_s")), absent(value.get(f"{name}_ms"))
    if given is None and ms is None:
        return None
    return round(float(given) if given is not None else ms / 1000, 3)


def error(binding: str, value: dict[str, Any]) -> dict[str, Any]:
    record = renamed(value, ERROR_NAMES[binding])
    plain = {name: record.get(name) for name in ERROR_KEYS}
    options = OPTION_NAMES.get(binding, {})
    for name in ("field", "message", "text"):
        if (text := plain[name]) is not None:
            text = re.sub(r"\w+", lambda word: options.get(word[0], word[0]), text)
            plain[name] = MILLISECONDS.sub(lambda time: f"a number of seconds, not {float(time[1]) / 1000:g}", text)
    plain["retry_after_s"] = seconds(record, "retry_after")
    plain["http_status"] = record.get("http_status") or None
    # C has no word for "none was seen" but the one for a state that is not known.
    plain["last_status"] = None if record.get("last_status") == "unknown" else record.get("last_status")
    plain["request_id"] = "some" if record.get("request_id") else None
    return plain


def task(value: dict[str, Any]) -> dict[str, Any]:
    given = renamed(value, OTHER_NAMES)
    plain = {name: absent(given.get(name)) for name in TASK_KEYS}
    # The moment is the emulator's own; that it is told, and as a time, is what can be compared.
    plain.update({name: None if absent(given.get(name)) is None else "some" for name in TASK_TIMES})
    return plain


def summary(value: dict[str, Any]) -> dict[str, Any]:
    given = renamed(value, OTHER_NAMES)
    plain = {name: given.get(name) for name in SUMMARY_KEYS}
    plain.update({side: given.get(side) or None for side in ("width", "height")})
    plain["duration_s"] = seconds(given, "duration")
    return plain


def read(value: dict[str, Any]) -> dict[str, Any]:
    if "file" in value:
        return {"length": value["length"], "sha256": hashlib.sha256(Path(value["file"]).read_bytes()).hexdigest()}
    return value


def balance(value: dict[str, Any]) -> dict[str, Any]:
    given = renamed(value, OTHER_NAMES)
    return {name: absent(given.get(name)) for name in ("name", "unlimited", "available_usd", "used_usd", "expires_at")}


def estimate(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "units": absent(value["units"])}


def report(value: dict[str, Any]) -> dict[str, Any]:
    def steps(list_: list[dict[str, Any]]) -> dict[str, str]:
        return {step["name"]: step["status"] for step in list_}
    def key(list_: list[dict[str, Any]]) -> str | None:
        return next((step["detail"] for step in list_ if step["name"] == "key"), None)
    entries = [{"endpoint": entry["endpoint"], "in_use": entry["in_use"], "ok": entry["ok"], "steps": steps(entry["steps"]),
                "key": key(entry["steps"])} for entry in (renamed(entry, OTHER_NAMES) for entry in value["entries"])]
    return {"ok": value["ok"], "entries": entries, "steps": steps(value["steps"]), "models": value.get("models"),
            "balance": balance(value["balance"]) if value.get("balance") else None}


def wait_state(value: dict[str, Any]) -> dict[str, Any]:
    """Of a durable wait, what does not hang on the moment."""
    plain = {name: value[name] for name in ("junfeiai_wait", "task_id", "polls", "errors", "not_found", "status")}
    return {**plain, "fields": sorted(value), "has_deadline": value["deadline"] is not None}


def pending(value: dict[str, Any]) -> dict[str, Any]:
    kind, state = value.get("kind"), value.get("state") or value.get("reason")
    if isinstance(value.get("state"), int):
        kind, state = PENDING_STATES[value["state"]]
        state = state or value["reason"]
    return {"kind": kind, "task_id": absent(value.get("task_id")), "model": value["model"], "seconds": value.get("seconds"),
            "state": state, "prompt": absent(value.get("prompt"))}


def reconciled(value: dict[str, Any]) -> dict[str, Any]:
    def one(entry: dict[str, Any]) -> dict[str, Any]:
        names = ("key", "model", "seconds", "reason", "task_id", "charged_units")
        verdict = entry["verdict"]
        return {**{name: absent(entry.get(name)) for name in names},
                "verdict": VERDICTS[verdict - 1] if isinstance(verdict, int) else verdict,
                "request_id": "some" if entry.get("request_id") else None}
    again = value.get("retry_after", seconds(value, "retry_after"))
    return {"entries": [one(entry) for entry in value["entries"]], "retry_after_s": again}


def known_key(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    state = value["state"]
    return {"state": KEY_STATES[state - 1] if isinstance(state, int) else state, "attempt": value["attempt"],
            "task_id": absent(value["task_id"]), "path": absent(value["path"])}


def outcome(binding: str, value: dict[str, Any]) -> dict[str, Any]:
    """What came of one step."""
    shapes: dict[str, Callable[[Any], Any]] = {
        "task": task, "summary": summary, "bytes": read, "balance": balance, "estimate": estimate, "report": report,
        "warnings": lambda list_: [warning["code"] for warning in list_],
        "video": lambda video: {name: absent(part) for name, part in video.items()},
        "error": lambda record: error(binding, record),
        "reads": lambda parts: [read(part["bytes"]) for part in parts],
        "later": wait_state,
        # The order within a second is that of a database.
        "pending": lambda list_: sorted((pending(one) for one in list_), key=lambda one: str(one["seconds"])), "known": known_key, "reconciled": reconciled,
        "ended": lambda list_: sorted((outcome(binding, one) for one in list_), key=lambda one: str(one["key"])),
    }
    plain: dict[str, Any] = {}
    for name, part in value.items():
        if name == "id":
            plain["key"] = part
        else:
            plain[name] = shapes[name](part) if name in shapes else part
    return plain


# A Retry-After that is a date is 90 s ahead; a moment of that may have passed when it is read.
AHEAD_S = 90.0
PASSED = re.compile(r"\bretry after 8[5-9] s\b")


def on_time(value: Any) -> Any:
    """The same as if no time had passed between a date's being written and its being read."""
    if isinstance(value, dict):
        result = {name: on_time(part) for name, part in value.items()}
        if isinstance(pause := result.get("retry_after_s"), float) and AHEAD_S - 5 <= pause < AHEAD_S:
            result["retry_after_s"] = AHEAD_S
        return result
    if isinstance(value, list):
        return [on_time(part) for part in value]
    return PASSED.sub(f"retry after {AHEAD_S:.0f} s", value) if isinstance(value, str) else value


def settled(value: Any, places: dict[str, str]) -> Any:
    """The same with templates in place of what differs from run to run."""
    if isinstance(value, dict):
        return {name: settled(part, places) for name, part in value.items()}
    if isinstance(value, list):
        return [settled(part, places) for part in value]
    if isinstance(value, str):
        for template, text in places.items():
            value = value.replace(text, template)
        for pattern, template in ((NEW_ID, "{new task}"), (REQUEST_ID, "{request}"), (SIGNATURE, "{signature}")):
            value = pattern.sub(template, value)
        return value
    return value


def filled(value: Any, places: dict[str, str]) -> Any:
    """The other way round: templates become what they stand for."""
    if isinstance(value, dict):
        return {name: filled(part, places) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, places) for part in value]
    if isinstance(value, str):
        for template, text in places.items():
            value = value.replace(template, text)
    return value
