"""Examples that are programs pay for nothing that was not asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import KEY, Emulator
from servers import EXAMPLES


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--help"], 0, "usage: cron_daily.py"),
        (["--dry-run"], 2, "unrecognized arguments: --dry-run"),
        (["tomorrow"], 2, "invalid calendar_day value: 'tomorrow'"),
        (["2026-13-45"], 2, "invalid calendar_day value: '2026-13-45'"),
        (["2026-11-28", "2026-11-29"], 2, "unrecognized arguments: 2026-11-29"),
    ],
)
def test_cron_with_what_is_no_day(emulator: Emulator, tmp_path: Path, words: list[str], code: int, says: str) -> None:
    env = {**os.environ, "JUNFEIAI_JOURNAL": "daily.journal", "JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": emulator.base_url, "JUNFEIAI_POLL_SECONDS": "0.05"}
    command = [sys.executable, str(EXAMPLES / "cron_daily.py"), *words]
    done = subprocess.run(command, env=env, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
    assert (done.returncode, says in done.stdout) == (code, True), done.stdout
    assert emulator.stats()["posts"] == 0
    assert not list(tmp_path.iterdir())
