"""What the library holds is freed, also where it holds itself."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient


class Witness:
    """A local variable of a caller: it is kept as long as the caller's frame is."""


async def of_a_call(client: AsyncClient, _: Emulator) -> weakref.ref[Witness]:
    witness = Witness()
    with pytest.raises(junfeiai.NotFoundError):
        await client.videos.get("task_none")
    return weakref.ref(witness)


async def of_a_loop(client: AsyncClient, emulator: Emulator) -> weakref.ref[Witness]:
    witness = Witness()
    async for _ in client.videos.task(emulator.finished()).watch():
        pass
    return weakref.ref(witness)


async def of_a_cancelled_call(client: AsyncClient, emulator: Emulator) -> weakref.ref[Witness]:
    witness = Witness()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(client.videos.task(emulator.running()).wait(), 0.1)
    return weakref.ref(witness)


async def of_an_open_video(client: AsyncClient, _: Emulator) -> weakref.ref[Witness]:
    witness = Witness()
    with pytest.raises(junfeiai.NotFoundError):
        async with client.videos.video("task_none").open() as file:
            await file.read(1)
    return weakref.ref(witness)


@pytest.mark.parametrize("caller", [of_a_call, of_a_loop, of_a_cancelled_call, of_an_open_video])
def test_the_frames_of_asyncio_callers(
    caller: Callable[[AsyncClient, Emulator], Awaitable[weakref.ref[Witness]]], emulator: Emulator, async_client: AsyncClient
) -> None:
    async def main() -> weakref.ref[Witness]:
        return await caller(async_client, emulator)

    gone = asyncio.run(main())
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("kind", "begin"), [(junfeiai.Outcome, (0, "task_1")), (junfeiai.AsyncOutcome, (0, "task_1")), (junfeiai.Saved, ("task_1",))]
)
def test_the_frames_of_those_who_ask_for_a_result(kind: Any, begin: tuple[object, ...]) -> None:
    """The error of the result holds the frame in which it was raised, which holds the result."""

    def ask() -> weakref.ref[Witness]:
        witness = Witness()
        outcome = kind._unpickled(*begin, None, junfeiai.TaskFailedError("failed"))
        with pytest.raises(junfeiai.TaskFailedError):
            outcome.result()
        return weakref.ref(witness)

    gone = ask()
    gc.collect()
    assert gone() is None
