"""`tracing` in `logging.getLogger("junfeiai")`."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import Any

import pytest
from conftest import KEY, Emulator

from junfeiai import AsyncClient, Client


def test_debug_lines(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="junfeiai"):
        task = client.videos.create("a secret prompt", seconds=5)
        task.wait()
    assert {record.name for record in caplog.records} == {"junfeiai"}
    text = caplog.text
    assert "task created" in text
    assert task.id in text
    assert "polled" in text
    assert "unusual_length" in text
    assert {record.levelno for record in caplog.records} >= {logging.WARNING, logging.INFO, logging.DEBUG}
    assert KEY not in text
    assert "a secret prompt" not in text


def test_async_lines(async_client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> str:
        task = await async_client.videos.create("x", seconds=4)
        await task.wait()
        return task.id

    with caplog.at_level(logging.DEBUG, logger="junfeiai"):
        task_id = asyncio.run(main())
    assert f"task created task_id={task_id}" in caplog.text
    assert "polled" in caplog.text


def test_levels_are_obeyed(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="junfeiai"):
        client.videos.create("x", seconds=4).wait()
    assert {record.levelno for record in caplog.records} == {logging.INFO}
    caplog.clear()
    with caplog.at_level(logging.ERROR, logger="junfeiai"):
        client.videos.create("x", seconds=5)
    assert not caplog.records


def test_a_handler_that_raises_harms_nobody(client: Client, emulator: Emulator) -> None:
    class Bad(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise ValueError("bad handler")

    logger, bad = logging.getLogger("junfeiai"), Bad()
    logger.addHandler(bad)
    seen: list[Any] = []
    hook = sys.unraisablehook
    sys.unraisablehook = seen.append
    try:
        assert client.videos.create("x", seconds=5).id
    finally:
        sys.unraisablehook = hook
        logger.removeHandler(bad)
    assert [str(args.exc_value) for args in seen] == ["bad handler"]


def test_logging_is_not_imported_for_nothing(emulator: Emulator, environment: object) -> None:
    code = (
        "import sys, junfeiai; c = junfeiai.Client(poll_interval=0.02)\n"
        "c.videos.create('x', seconds=4).wait(); print('logging' in sys.modules, 'asyncio' in sys.modules)\n"
        "c.videos.create('x', seconds=5)"
    )
    result = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert result.stdout.split() == ["False", "False"]
    assert "5 s is not one of the usual lengths" in result.stderr, "a warning shows without any set-up"
