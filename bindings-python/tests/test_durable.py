"""Durable waits: a dict between the polls, both call modes, and what an engine does with it."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
import time
from typing import Any

import pytest
from conftest import KEY, Emulator

import junfeiai
from junfeiai import Advanced, AsyncAdvanced, AsyncClient, Client


def kept(state: Any) -> dict[str, Any]:
    """What comes back out of a database."""
    again: dict[str, Any] = json.loads(json.dumps(state))
    return again


def test_a_wait_by_steps_of_many_clients(emulator: Emulator) -> None:
    with Client(**emulator.options()) as client:
        task = client.videos.create("a ball", seconds=6)
        state = task.wait_state(timeout=600)
    assert state["junfeiai_wait"] == 1 and state["task_id"] == task.id and KEY not in json.dumps(state)
    assert pickle.loads(pickle.dumps(state)) == state
    for _ in range(500):
        with Client(**emulator.options()) as client:
            step = client.videos.advance(kept(state))
            if step.video is not None:
                assert (step.state, step.retry_after) == (None, None)
                assert step.video.read() == emulator.file(task.id)
                assert repr(step).startswith("Advanced(video=Video(")
                return
            assert step.state is not None and step.retry_after is not None and step.retry_after >= 0
            assert repr(step) == f"Advanced(retry_after={step.retry_after!r})"
            state = step.state
        time.sleep(step.retry_after)
    pytest.fail("it did not end")


def test_the_same_with_asyncio_and_the_clients_mixed(emulator: Emulator) -> None:
    async def main() -> None:
        async with AsyncClient(**emulator.options()) as client:
            task = client.videos.task(emulator.running())
            step = await client.videos.advance(task.wait_state())
            assert isinstance(step, AsyncAdvanced) and step.video is None and step.state is not None
            assert step.state["polls"] == 1 and step.state["status"] == "in_progress"
            with Client(**emulator.options(poll_interval=30)) as other:
                again = other.videos.advance(step.state)
            assert isinstance(again, Advanced) and again.state is not None
            done = await client.videos.advance(client.videos.task(emulator.finished()).wait_state())
            assert done.video is not None and len(await done.video.read(max_bytes=1 << 30)) > 0

    asyncio.run(main())


def test_a_step_that_comes_too_early_sends_nothing(emulator: Emulator) -> None:
    with Client(**emulator.options(poll_interval=30)) as client:
        first = client.videos.advance(client.videos.task(emulator.running()).wait_state())
        assert first.state is not None and first.retry_after is not None and 20 < first.retry_after < 36
        second = client.videos.advance(kept(first.state))
        assert second.state == first.state and second.retry_after is not None and second.retry_after <= first.retry_after
        assert len(emulator.requests("/video/generations/")) == 1


def test_the_end_of_a_wait_is_raised_with_the_task(emulator: Emulator) -> None:
    with Client(**emulator.options()) as client:
        failed = emulator.task(state="finished", outcome="failure", fail_reason="no such picture")
        with pytest.raises(junfeiai.TaskFailedError, match="no such picture") as raised:
            client.videos.advance(client.videos.task(failed).wait_state())
        assert raised.value.task_id == failed
        running = emulator.running()
        state = client.videos.task(running).wait_state(timeout=0.001)
        time.sleep(0.01)
        with pytest.raises(junfeiai.WaitTimeoutError) as late:
            client.videos.advance(state)
        assert late.value.task_id == running


def test_the_timeout_is_the_clients_or_the_calls(client: Client) -> None:
    task = client.videos.task("task_1")
    assert task.wait_state()["policy"]["timeout"] == 1800
    assert task.wait_state(timeout=7)["policy"]["timeout"] == 7
    assert task.wait_state(timeout=math.inf)["deadline"] is None
    with pytest.raises(junfeiai.InvalidRequestError) as raised:
        task.wait_state(timeout=-1)
    assert (raised.value.field, raised.value.task_id) == ("timeout", "task_1")


def test_what_is_no_state_is_refused(client: Client, emulator: Emulator) -> None:
    state = client.videos.task("task_1").wait_state()
    for wrong, field in (({}, "junfeiai_wait"), ({**state, "junfeiai_wait": 2}, "junfeiai_wait"), ({**state, "due": -1}, "due")):
        with pytest.raises(junfeiai.InvalidRequestError) as raised:
            client.videos.advance(wrong)
        assert raised.value.field == field
    others: list[Any] = ["task_1", None, [], 5]
    for other in others:
        with pytest.raises(TypeError, match="argument 'state': expected dict"):
            client.videos.advance(other)
    with pytest.raises(TypeError, match="argument 'state'"):
        client.videos.advance({**state, "more": object()})
    assert emulator.requests("/video/") == []
