"""`tracing` in `logging.getLogger("junfeiai")`."""

from __future__ import annotations

import asyncio
import io
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator

from junfeiai import AsyncClient, Client, Task


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


def fields(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if vars(record)["event"] == event]


def test_the_fields_of_records(client: Client, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.DEBUG, logger="junfeiai"):
        task = client.videos.create("a secret prompt", seconds=5)
        summary = task.wait().save(tmp_path / "x.mp4")
    assert all({"event", "task_id", "request_id", "elapsed"} <= vars(record).keys() for record in caplog.records)
    (created,) = fields(caplog, "task_created")
    requests = fields(caplog, "request")
    create = next(request for request in requests if request["phase"] == "create")
    assert created["task_id"] == task.id and created["model"] == "grok-image-video"
    assert created["request_id"] == create["request_id"] is not None
    assert all(isinstance(request["elapsed"], float) and request["elapsed"] >= 0 for request in requests)
    assert {request["request_id"] for request in requests} - {None} and {request["attempt"] for request in requests} == {1}
    polled = fields(caplog, "polled")
    assert {poll["task_id"] for poll in polled} == {task.id} and polled[-1]["status"] == "succeeded"
    (warning,) = fields(caplog, "warning")
    assert warning["code"] == "unusual_length" and warning["levelno"] == logging.WARNING
    (saved,) = fields(caplog, "video_saved")
    assert (saved["task_id"], saved["bytes"], saved["attempts"]) == (task.id, summary.bytes, summary.attempts)
    assert isinstance(saved["elapsed"], float) and saved["path"] == str(summary.path)
    # The line of the caller, where the call blocks.
    assert created["filename"] == "test_logging.py"
    text = str([vars(record) for record in caplog.records])
    assert KEY not in text and "a secret prompt" not in text


def test_the_fields_of_a_call_that_ends_early(client: Client, emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    def stop(task: Task) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError) as error:
        client.videos.generate("x", seconds=6, on_progress=stop)
    for outcome in client.videos.as_completed([emulator.finished(), emulator.running()]):
        assert outcome.error is None
        break
    raised, *left = fields(caplog, "call_ended_early")
    assert raised["task_id"] == getattr(error.value, "task_id") and raised["task_ids"] == [raised["task_id"]]
    assert all(record["request_id"] is None for record in (raised, *left))


def test_a_format_may_name_the_fields(client: Client) -> None:
    stream, logger = io.StringIO(), logging.getLogger("junfeiai")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(event)s|%(task_id)s|%(request_id)s|%(elapsed)s"))
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        task = client.videos.create("x", seconds=6)
        task.refresh()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    lines = [line.split("|") for line in stream.getvalue().splitlines()]
    assert [line[1] for line in lines if line[0] == "task_created"] == [task.id]
    assert [line[0] for line in lines].count("request") == 2


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


def test_attributes_that_the_program_sets_itself(client: Client, emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A factory of records that adds the id of the web request, for example: `logging` refuses to overwrite it."""
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **options: Any) -> logging.LogRecord:
        record = before(*args, **options)
        record.request_id = record.task_id = "of the program"
        return record

    def stop(task: Task) -> None:
        raise LookupError("enough")

    logging.setLogRecordFactory(factory)
    try:
        with caplog.at_level(logging.DEBUG, logger="junfeiai"), pytest.raises(LookupError) as error:
            client.videos.generate("x", seconds=6, on_progress=stop)
    finally:
        logging.setLogRecordFactory(before)
    (left,) = fields(caplog, "call_ended_early")
    task_id = getattr(error.value, "task_id")
    assert task_id in str(left["args"]) and left["task_ids"] == [task_id]
    assert {vars(record)["task_id"] for record in caplog.records} == {"of the program"}
    assert fields(caplog, "task_created") and fields(caplog, "request")


def test_logging_is_not_imported_for_nothing(emulator: Emulator, environment: object) -> None:
    code = (
        "import sys, junfeiai; c = junfeiai.Client(poll_interval=0.02)\n"
        "c.videos.create('x', seconds=4).wait(); print('logging' in sys.modules, 'asyncio' in sys.modules)\n"
        "c.videos.create('x', seconds=5)"
    )
    result = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.split() == ["False", "False"]
    assert "5 s is not one of the usual lengths" in result.stderr, "a warning shows without any set-up"
