"""A service of one's own for each test: the emulator of this repository, started once and reset in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from junfeiai import AsyncClient, Client

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-test-0123456789"

# Lines that stand at the end of the output, also when all tests pass.
REPORT: list[str] = []

# A background process starts with SIGINT ignored, one under nohup with SIGHUP; some of these tests send them to their children.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _name in ("SIGHUP", "SIGTERM"):
    if hasattr(signal, _name):
        signal.signal(getattr(signal, _name), signal.SIG_DFL)


def press_ctrl_c() -> None:
    """Sends SIGINT to this process, as a terminal does. On Windows `os.kill` would end the process."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)


def within_one_day() -> None:
    """A budget is one of a UTC day: waits for the next day when this one ends in a moment."""
    left = 86_400 - time.time() % 86_400
    if left < 120:
        time.sleep(left + 1)


def emulator_binary() -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return Path(os.environ.get("JUNFEIAI_EMULATOR", target / "debug" / "junfeiai-emulator"))


class Emulator:
    """The emulator as a process of its own; it ends with us, however we end."""

    def __init__(self, *options: str) -> None:
        command = [str(emulator_binary()), "--port", "0", "--api-key", KEY, "--exit-with-stdin", "--quiet", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.origin = self.process.stdout.readline().split()[-1]
        self.base_url = self.origin + "/v1"

    def close(self) -> None:
        self.process.communicate()

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.origin}/__emulator/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def reset(self) -> None:
        self._call("POST", "reset")

    def scenario(self, **scenario: Any) -> None:
        self._call("PUT", "scenario", scenario)

    def rule(self, fault: str, *, op: str = "any", times: int | None = None, **fields: Any) -> None:
        rule: dict[str, Any] = {"match": {"op": op}, "fault": {"kind": fault, **fields}}
        if times is not None:
            rule["times"] = times
        self.scenario(rules=[rule])

    def task(self, **fields: Any) -> str:
        answer: dict[str, str] = self._call("POST", "tasks", fields)
        return answer["id"]

    def running(self) -> str:
        """A task that does not end."""
        return self.task(state="running", running_s=1e9)

    def finished(self, video_bytes: int | None = None) -> str:
        return self.task(state="finished", **({} if video_bytes is None else {"video_bytes": video_bytes}))

    def requests(self, op: str = "") -> list[dict[str, Any]]:
        answer: Any = self._call("GET", "requests")
        entries: list[dict[str, Any]] = answer["requests"] if isinstance(answer, dict) else answer
        return [entry for entry in entries if op in entry["path"]]

    def stats(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._call("GET", "stats")
        return answer

    def file(self, task_id: str) -> bytes:
        with urllib.request.urlopen(f"{self.origin}/__emulator/video/{task_id}", timeout=60) as answer:
            data: bytes = answer.read()
        return data

    def options(self, **options: Any) -> dict[str, Any]:
        return {"api_key": KEY, "base_url": self.base_url, "poll_interval": 0.02, **options}


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    emulator = Emulator("--time-scale", "600")
    yield emulator
    emulator.close()


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    _emulator.reset()
    return _emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Client]:
    with Client(**emulator.options()) as client:
        yield client


@pytest.fixture
def async_client(emulator: Emulator) -> AsyncClient:
    return AsyncClient(**emulator.options())


@pytest.fixture
def environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment of a user's program: key and endpoint in variables, and an empty folder."""
    monkeypatch.setenv("JUNFEIAI_API_KEY", KEY)
    monkeypatch.setenv("JUNFEIAI_BASE_URL", emulator.base_url)
    monkeypatch.delenv("JUNFEIAI_LOG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pytest_collection_finish(session: pytest.Session) -> None:
    # tests/run.py compares it with what ran.
    session.config.get_terminal_writer().line(f"collected {len(session.items)} items")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in REPORT:
        terminalreporter.write_line(line)
    stats = terminalreporter.stats
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    terminalreporter.write_line(f"python: {len(stats.get('passed', []))} passed, {failed} failed")
