"""Running the command in tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "junfeiai", *arguments, "--poll-interval", "0.02"]


def run(
    *arguments: str, env: dict[str, str] | None = None, code: int = 0, given: str | bytes | None = None
) -> subprocess.CompletedProcess[str]:
    data = given.encode() if isinstance(given, str) else given
    done = subprocess.run(
        command(*arguments), input=data or b"", capture_output=True, timeout=120, check=False, env={**os.environ, **(env or {})}
    )
    result = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert result.returncode == code, result.stdout + result.stderr
    assert KEY not in result.stdout + result.stderr
    return result


def values(result: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.split("\n") if line]


def write_list(folder: Path, count: int) -> None:
    lines = [{"prompt": f"ball {n}", "seconds": 4} for n in range(count)]
    (folder / "list.jsonl").write_text("\n".join(json.dumps(line) for line in lines))


def posts(emulator: Emulator, count: int) -> None:
    deadline = time.monotonic() + 60
    while emulator.stats()["posts"] < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _state(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(environment / "state"))
