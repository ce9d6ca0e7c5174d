"""The JunFeiAI video API on this machine, faults included, for the tests of programs that call it. Costs nothing.

>>> from junfeiai_emulator import Emulator
>>> with Emulator() as emulator, emulator.client() as client:
...     emulator.fault("html_502", on="query")
...     size = len(client.videos.generate("A small red ball").read())
...     emulator.created_tasks, [request.status for request in emulator.requests("query")][:2]
(1, [502, 200])

pytest finds the fixtures ``junfeiai_emulator``, ``junfeiai_client`` and ``async_junfeiai_client`` by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal, get_args

from ._names import ErrorShape, FaultKind, Operation

if TYPE_CHECKING:
    from types import TracebackType

    from junfeiai import AsyncClient, Client

__all__ = ["Emulator", "EmulatorError", "ErrorShape", "FaultKind", "Operation", "SeenRequest", "program"]

_SHAPES = frozenset(get_args(ErrorShape))
# It starts in milliseconds. This bounds a machine that hangs.
_START_SECONDS = 60.0
_CALL_SECONDS = 60.0


class EmulatorError(Exception):
    """The emulator could not be started, has ended, or refused what it was asked for. Its text is one line."""


@dataclass(frozen=True)
class SeenRequest:
    """A request as the emulator saw it, without the key."""

    seq: int
    """Counts from 1; keeps counting after ``clear_requests``."""
    at_ms: int
    """Real milliseconds since the emulator started."""
    op: Operation
    """What it was for."""
    method: str
    """The HTTP method."""
    path: str
    """The path, without the query."""
    query: str
    """The query without ``?``, empty if there is none."""
    host: Literal["first", "second"]
    """Which of the two hosts it came to."""
    headers: Mapping[str, str]
    """Headers by lower-case name; instead of the key, ``authorization`` has what ``key`` says."""
    key: Literal["valid", "other", "none"]
    """What kind of key came with it."""
    body_bytes: int
    """Size of its body in bytes."""
    body_json: Any
    """Its body, if that was JSON: ``body_json["prompt"]``. ``None`` otherwise."""
    range: str | None
    """The ``Range`` header."""
    fault: str | None
    """The fault that struck it."""
    status: int | None
    """The HTTP status of the answer; ``None`` if none was given."""
    sent_bytes: int
    """Bytes of the answer's body that were sent so far."""
    complete: bool
    """True when the answer's body came to its regular end."""
    connection: int
    """The TCP connection, counted from 1."""


_REQUEST_FIELDS = frozenset(field.name for field in fields(SeenRequest))


def program() -> str:
    """The path of the emulator's program: ``JUNFEIAI_EMULATOR``, else the one of this wheel, else the one in ``PATH``.

    Raises ``EmulatorError`` if there is none.
    """
    if path := os.environ.get("JUNFEIAI_EMULATOR"):
        return path
    name = "junfeiai-emulator.exe" if sys.platform == "win32" else "junfeiai-emulator"
    try:
        files = metadata.files("junfeiai-emulator") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name and os.path.exists(installed := file.locate()):
            return str(installed)
    if found := shutil.which(name):
        return found
    raise EmulatorError("the program junfeiai-emulator is not installed; install the wheel again, or set JUNFEIAI_EMULATOR to its path")


class Emulator:
    """A running emulator. It listens on a free port of this machine, and ends with ``stop``, with the ``with`` block, and
    with this process, however that ends.

    ``api_key`` is the key that works. ``time_scale`` is the number of the service's seconds per real second: at 600 a task of
    about 53 s takes a tenth of a second. ``port`` 0 is a free one. ``second_host`` opens a second host for the same files, which
    must never see the key. ``video_bytes`` is the size of every video in bytes; by default it follows from the request.
    ``scenario`` is how the service behaves, see the emulator's README.

    Raises ``EmulatorError`` if it cannot start.
    """

    api_key: str
    """The key that works."""
    origin: str
    """``http://127.0.0.1:PORT``."""
    base_url: str
    """The base URL for clients: ``http://127.0.0.1:PORT/v1``."""
    second_origin: str | None
    """The second host, if it was asked for."""

    def __init__(
        self,
        *,
        api_key: str = "sk-test",
        time_scale: float = 600.0,
        port: int = 0,
        second_host: bool = False,
        video_bytes: int | None = None,
        scenario: Mapping[str, Any] | None = None,
    ) -> None:
        command = [program(), "--port", str(port), "--api-key", api_key, "--time-scale", str(time_scale), "--quiet", "--exit-with-stdin"]
        if second_host:
            command += ["--second-port", "0"]
        if video_bytes is not None:
            command += ["--video-bytes", str(video_bytes)]
        pipe = subprocess.PIPE
        try:
            # In a session of its own, so that Ctrl-C in a debugger is not meant for it.
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8", start_new_session=True
            )
        except OSError as error:
            raise EmulatorError(f"{command[0]} cannot be started: {error}") from error
        lines = self._first_lines(2 if second_host else 1)
        self.api_key = api_key
        self.origin = lines[0].split()[-1]
        self.base_url = f"{self.origin}/v1"
        self.second_origin = lines[1].split()[-1] if second_host else None
        # Straight to it, whatever proxy the environment names.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        if scenario is not None:
            try:
                self.set_scenario(scenario)
            except EmulatorError:
                self.stop()
                raise

    def _first_lines(self, count: int) -> list[str]:
        assert self._process.stdout is not None
        watchdog = threading.Timer(_START_SECONDS, self._process.kill)
        watchdog.start()
        try:
            lines = [self._process.stdout.readline() for _ in range(count)]
        finally:
            watchdog.cancel()
        if not all(lines):
            _, said = self._process.communicate()
            raise EmulatorError(f"the emulator did not start: {said.strip() or f'it ended with {self._process.returncode}'}")
        return lines

    @property
    def port(self) -> int:
        """The port."""
        return int(self.origin.rpartition(":")[2])

    @property
    def environment(self) -> dict[str, str]:
        """The variables that send a program to this emulator: ``JUNFEIAI_API_KEY``, ``JUNFEIAI_BASE_URL``, ``NO_PROXY``."""
        bypassed = ",".join(filter(None, [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), "127.0.0.1"]))
        return {"JUNFEIAI_API_KEY": self.api_key, "JUNFEIAI_BASE_URL": self.base_url, "NO_PROXY": bypassed, "no_proxy": bypassed}

    def options(self, **options: Any) -> dict[str, Any]:
        """Options for ``junfeiai.Client``: key, base URL, no proxy, and polls every 20 ms. What is given here comes on top."""
        return {"api_key": self.api_key, "base_url": self.base_url, "poll_interval": 0.02, "proxy": "", **options}

    def client(self, **options: Any) -> Client:
        """A ``junfeiai.Client`` of this emulator, with further ``options``."""
        from junfeiai import Client

        return Client(**self.options(**options))

    def async_client(self, **options: Any) -> AsyncClient:
        """A ``junfeiai.AsyncClient`` of this emulator, with further ``options``."""
        from junfeiai import AsyncClient

        return AsyncClient(**self.options(**options))

    def fault(
        self,
        name: FaultKind | ErrorShape,
        on: Operation = "any",
        *,
        times: int | None = 1,
        match: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """Lets a fault strike the next requests: a kind of fault (``drop_after_accept``), or an error of the service
        (``insufficient_user_quota``).

        ``on`` is the kind of request. ``times`` is how many of them it strikes; ``None`` is all. ``match`` has further conditions
        of a rule, such as ``{"nth": [3]}``. ``fields`` are those of the fault, such as ``after_bytes`` of ``cut_body``. Faults that were
        asked for before come first.

        >>> emulator.fault("cut_body", on="content", after_bytes=10_000)
        """
        fault = {"kind": "error_shape", "shape": name, **fields} if name in _SHAPES else {"kind": name, **fields}
        rule = {"match": {"op": on, **(match or {})}, "fault": fault, **({} if times is None else {"times": times})}
        self._call("POST", "rules", rule)

    def set_scenario(self, scenario: Mapping[str, Any]) -> None:
        """Sets how the service behaves from now on, in place of the scenario before and of all faults; ``{}`` is a healthy
        service. Tasks stay. The fields: the emulator's README, "Scenario".
        """
        self._call("PUT", "scenario", dict(scenario))

    def change(self, **fields: Any) -> None:
        """Changes fields of the scenario and leaves the others as they are.

        >>> emulator.change(task={"outcome": "failure", "fail_reason": "the prompt was refused"})
        """
        self._call("PATCH", "scenario", fields)

    def set_time_scale(self, scale: float) -> None:
        """Sets the number of the service's seconds per real second from now on."""
        self.change(time_scale=scale)

    def add_task(self, state: Literal["queued", "running", "finished", "failed"] = "finished", **fields: Any) -> str:
        """Puts a task into this state, without a create request and without a charge; returns its id. ``fields`` are ``id``,
        ``model``, ``prompt``, ``seconds``, and those of ``task`` in the scenario.
        """
        task_id: str = self._call("POST", "tasks", {"state": state, **fields})["id"]
        return task_id

    def requests(self, op: Operation = "any") -> list[SeenRequest]:
        """The requests that arrived, oldest first; those for ``op`` alone, if it is given."""
        seen: list[dict[str, Any]] = self._call("GET", "requests")
        return [
            SeenRequest(**{name: value for name, value in entry.items() if name in _REQUEST_FIELDS})
            for entry in seen
            if op in ("any", entry["op"])
        ]

    def clear_requests(self) -> None:
        """Forgets the requests that arrived."""
        self._call("DELETE", "requests")

    def stats(self) -> dict[str, int]:
        """Counters: ``created_tasks``, ``posts``, ``quota_charged``, ``quota_refunded``, ``max_concurrent_requests``, …"""
        counters: dict[str, int] = self._call("GET", "stats")
        return counters

    @property
    def created_tasks(self) -> int:
        """How many tasks create requests have made: each of them would have cost money."""
        return self.stats()["created_tasks"]

    def video(self, task_id: str) -> bytes:
        """The exact bytes of a task's video, to compare them with what was saved."""
        return self._bytes("GET", f"video/{task_id}")

    def reset(self) -> None:
        """Forgets tasks, requests and counters, and behaves healthily again. The time scale stays."""
        self._call("POST", "reset")

    def stop(self) -> None:
        """Ends the emulator and waits for its end. May be called again."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.communicate()

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Emulator {self.origin}>"

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        text = self._bytes(method, path, body)
        return json.loads(text) if text else None

    def _bytes(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.origin}/__emulator/{path}", data, method=method)
        try:
            with self._opener.open(request, timeout=_CALL_SECONDS) as response:
                answer: bytes = response.read()
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            try:
                said = json.loads(said)["error"]
            except (ValueError, KeyError, TypeError):
                pass
            raise EmulatorError(f"the emulator refused {method} {path}: {said}") from None
        except OSError as error:
            code = self._process.poll()
            raise EmulatorError(f"the emulator does not answer: {error}" if code is None else f"the emulator has ended with {code}") from error
        return answer
