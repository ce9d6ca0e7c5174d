"""The scenarios: JSON files of a theme each in tests/scenarios, checked as they are read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "scenarios"

# What each step is given, and whether it is needed.
STEPS: dict[str, dict[str, bool]] = {
    "new_client": {}, "create": {"request": True, "cancel": False}, "get": {"id": False}, "task_by_id": {"id": False},
    "refresh": {}, "wait": {"timeout": False, "cancel": False},
    "generate": {"request": True, "timeout": False, "cancel": False}, "watch": {}, "task_video": {},
    # `state`: instead of the one that the step before left. `until_done`: with the pauses, until the wait ends.
    "wait_state": {"timeout": False}, "advance": {"state": False, "until_done": False, "cancel": False},
    "video_by_id": {"id": False}, "video_at": {"url": True}, "bytes": {"max_bytes": False, "cancel": False}, "stream": {},
    "read_range": {"start": True, "end": True}, "open": {"parts": True}, "save": {"path": True, "options": False},
    "as_completed": {"ids": True}, "generate_many": {"requests": True, "concurrency": True}, "check": {"account": False},
    "models": {}, "balance": {}, "estimate": {"request": True}, "key": {"key": True}, "pending": {}, "forget": {"id": False}, "reconcile": {"account_token": False, "account_user": False}, "resolve_unknown": {"id": False},
    "resume_pending": {"folder": True},
}
SAW = {"posts", "tasks", "paid", "polls", "gap_s", "content", "ranges", "content_paths", "others", "bodies", "languages", "own_headers", "own_names",
       "read_headers", "second", "key_at_second", "without_key", "most_content_at_once"}
# Faults that end a connection: what they look like over TLS is another thing than over TCP.
ENDINGS = {"cut_body", "stall_body", "wrong_length", "until_close", "drop_before_accept", "drop_after_accept", "reset_after_accept",
           "die_after_charge", "hang"}
FIELDS = {"name", "about", "rows", "https", "server", "tasks", "files", "lock", "client", "client_error", "steps", "server_saw",
          "files_after", "bindings"}
BINDING_FIELDS = {"why", "not_run", "client", "client_error", "steps", "server_saw", "files_after"}


class Mistake(Exception):
    """A scenario that cannot be run as it stands."""


@dataclass
class Scenario:
    name: str
    about: str
    rows: list[str]
    https: bool = False
    server: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    lock: str | None = None
    client: dict[str, Any] = field(default_factory=dict)
    client_error: dict[str, Any] | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    server_saw: dict[str, Any] = field(default_factory=dict)
    files_after: dict[str, Any] = field(default_factory=dict)
    bindings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def server_sends_a_date(self) -> bool:
        """Whether a Retry-After is a date here: what is read of it depends on when it is read."""
        return any(rule.get("fault", {}).get("retry_after") == "date" for rule in self.server.get("rules", []))

    def for_binding(self, binding: str) -> Scenario:
        """The scenario with what is different on this binding."""
        own = self.bindings.get(binding, {})
        changed = own.get("steps", {})
        steps = [{**step, "expect": changed.get(str(at), step.get("expect", {}))} for at, step in enumerate(self.steps)]
        server = leave_time(self.server) if binding == "browser" else self.server
        return Scenario(**{
            **self.__dict__, "steps": steps, "server": server, "client": {**self.client, **own.get("client", {})},
            "client_error": own.get("client_error", self.client_error),
            "server_saw": {**self.server_saw, **own.get("server_saw", {})},
            "files_after": {**self.files_after, **own.get("files_after", {})},
        })

    def is_about_endings(self) -> bool:
        """Lost answers and cut bodies."""
        kinds = {rule["fault"]["kind"] for rule in self.server.get("rules", [])}
        return self.name.startswith("lost/") or bool(kinds & ENDINGS) or "cut_after_s" in self.server.get("content", {})

    def verbs(self) -> set[str]:
        return {step["do"] for step in self.steps}

    def expectations(self) -> list[Any]:
        """All that is expected of the client and of the steps."""
        return [{"error": self.client_error}, *(step["expect"] for step in self.steps)]


def leave_time(server: dict[str, Any]) -> dict[str, Any]:
    """Cut bodies whose connections end a while after the last byte: a browser throws away what the page has not read
    when a connection breaks, and how far a page has come by then would be chance."""
    rules = [{**rule, "fault": {"pause_ms": 500, **rule["fault"]}} if rule["fault"]["kind"] == "cut_body" else rule
             for rule in server.get("rules", [])]
    return {**server, "rules": rules} if rules else server


def check(scenario: dict[str, Any], bindings: set[str]) -> None:
    name = scenario.get("name", "?")

    def refuse(what: str) -> None:
        raise Mistake(f"{name}: {what}")

    for needed in ("name", "about", "rows"):
        if not scenario.get(needed):
            refuse(f"`{needed}` is missing")
    if unknown := set(scenario) - FIELDS:
        refuse(f"no such field: {', '.join(sorted(unknown))}")
    if not scenario.get("steps") and "client_error" not in scenario:
        refuse("neither `steps` nor `client_error`: nothing would be looked at")
    for step in scenario.get("steps", []):
        allowed = STEPS.get(step.get("do"))
        if allowed is None:
            refuse(f"no such step: {step.get('do')}")
            return
        given = step.get("with", {})
        if step["do"] != "new_client":
            if unknown := set(given) - set(allowed):
                refuse(f"{step['do']} does not take {', '.join(sorted(unknown))}")
            if missing := {part for part, needed in allowed.items() if needed} - set(given):
                refuse(f"{step['do']} needs {', '.join(sorted(missing))}")
        if "expect" not in step:
            refuse(f"{step['do']} expects nothing")
        if unknown := set(step) - {"do", "with", "expect"}:
            refuse(f"{step['do']}: no such field: {', '.join(sorted(unknown))}")
    for place, saw in [("server_saw", scenario.get("server_saw", {})),
                       *((binding, own.get("server_saw", {})) for binding, own in scenario.get("bindings", {}).items())]:
        if unknown := set(saw) - SAW:
            refuse(f"{place}: the log does not tell {', '.join(sorted(unknown))}")
    for binding, own in scenario.get("bindings", {}).items():
        if binding not in bindings:
            refuse(f"no such binding: {binding}")
        if unknown := set(own) - BINDING_FIELDS:
            refuse(f"{binding}: no such field: {', '.join(sorted(unknown))}")
        if not own.get("why") and not own.get("not_run"):
            refuse(f"{binding}: `why` it differs, or why it is `not_run`, is missing")


def read(bindings: set[str]) -> list[Scenario]:
    """Every scenario, in the order of files and of their places in them."""
    scenarios: list[Scenario] = []
    for path in sorted(FOLDER.glob("*.json")):
        if path.name == "rows.json":
            continue
        for value in json.loads(path.read_text(encoding="utf-8")):
            value = {**value, "name": f"{path.stem}/{value.get('name', '?')}"}
            check(value, bindings)
            scenario = Scenario(**value)
            scenarios.append(scenario)
            if scenario.is_about_endings() and not scenario.https:
                scenarios.append(Scenario(**{**scenario.__dict__, "name": f"{scenario.name}+https", "https": True}))
    names = [scenario.name for scenario in scenarios]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Mistake(f"two scenarios have the name {', '.join(sorted(twice))}")
    return scenarios


def rows() -> dict[str, Any]:
    """The statements about the service and the library that scenarios show, by their short names."""
    value: dict[str, Any] = json.loads((FOLDER / "rows.json").read_text(encoding="utf-8"))
    return value
