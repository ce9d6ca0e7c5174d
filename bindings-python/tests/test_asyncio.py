"""The async client, and what only asyncio has: cancelling, several loops, tasks and gathers."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient, AsyncTask, SaveProgress, Summary

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 30))


def test_every_method(emulator: Emulator, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncClient(**emulator.options()) as client:
            task = await client.videos.create("a ball", seconds=6, size="1280x720")
            seen: list[AsyncTask] = []
            video = await task.wait(on_progress=seen.append)
            assert seen[-1].status == "succeeded"
            reported: list[SaveProgress] = []
            summary = await video.save(tmp_path / "a.mp4", on_progress=reported.append)
            whole = emulator.file(task.id)
            assert summary.path.read_bytes() == whole
            assert reported[-1].bytes == summary.bytes
            assert await video.read() == whole
            assert await video.read_range(4, 8) == whole[4:8]
            assert b"".join([piece async for piece in video.iter_bytes()]) == whole
            assert [state.status async for state in task.watch()][-1] == "succeeded"
            assert (await client.videos.get(task.id)) == task
            assert (await task.refresh()).video() == video
            assert (await client.videos.generate("a ball", seconds=4)).task_id != task.id
            assert await client.videos.read_range(task.id, 0, 4) == whole[:4]
            assert (await client.check()).ok
            assert "grok-image-video" in await client.models()
            assert (await client.videos.estimate("a ball", seconds=6)).usd == 0.3
            left = (await client.balance()).available_usd
            assert left is not None and left > 0
            with pytest.raises(junfeiai.NotFoundError) as caught:
                await client.videos.get("task_none")
            assert caught.value.task_id == "task_none"
        assert client.closed

    run(main())


def test_nothing_begins_before_the_await(async_client: AsyncClient, emulator: Emulator) -> None:
    async def main() -> None:
        call = async_client.videos.create("x", seconds=4)
        await asyncio.sleep(0.1)
        assert emulator.stats()["created_tasks"] == 0
        await call
        with pytest.raises(RuntimeError):
            await call

    run(main())


def test_tasks_and_gather(async_client: AsyncClient) -> None:
    async def main() -> None:
        videos = await asyncio.gather(*(async_client.videos.generate("x", seconds=4) for _ in range(20)))
        assert len({video.task_id for video in videos}) == 20
        task = asyncio.create_task(async_client.videos.create("x", seconds=4))
        assert (await task).status == "queued"

    run(main())


def test_cancelling_ends_the_work_and_not_the_task(async_client: AsyncClient, emulator: Emulator) -> None:
    async def main() -> None:
        task = async_client.videos.task(emulator.running())
        waiting = asyncio.create_task(task.wait())
        while not emulator.requests("/video/generations"):
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 30)
        # A poll that had left may be read late by a busy server; who still asks does it twice a second at least.
        deadline, before = time.monotonic() + 30, -1
        while (now := len(emulator.requests("/video/generations"))) != before:
            assert time.monotonic() < deadline, "it still asks"
            before = now
            await asyncio.sleep(1)
        assert (await task.refresh()).id == task.id

    run(main())


def test_a_cancelled_save_lets_go_of_its_file(async_client: AsyncClient, emulator: Emulator, tmp_path: Path) -> None:
    async def main() -> None:
        emulator.scenario(content={"rate_bytes_per_s": 500_000})
        video = async_client.videos.video(emulator.finished(video_bytes=5_000_000))
        for _ in range(3):
            begun = asyncio.Event()

            def reported(_: object, begun: asyncio.Event = begun) -> None:
                begun.set()

            saving = await begin(lambda told=reported: video.save(tmp_path / "a.mp4", on_progress=told), begun)
            saving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await saving
        emulator.scenario()
        summary = await (await begin(lambda: video.save(tmp_path / "a.mp4"), asyncio.Event()))
        assert summary.resumed

    async def begin(save: Callable[..., Coroutine[Any, Any, Summary]], begun: asyncio.Event) -> asyncio.Task[Summary]:
        """A cancelled save is waited for a moment only: on a busy machine its file may be let go of later."""
        deadline = time.monotonic() + 60
        while True:
            saving, heard = asyncio.create_task(save()), asyncio.create_task(begun.wait())
            await asyncio.wait([saving, heard], return_when=asyncio.FIRST_COMPLETED)
            heard.cancel()
            if not (saving.done() and isinstance(saving.exception(), junfeiai.FileLockedError) and time.monotonic() < deadline):
                return saving
            await asyncio.sleep(0.05)

    run(main())


def test_callbacks_run_in_the_thread_of_the_loop(async_client: AsyncClient) -> None:
    async def main() -> None:
        threads: set[int] = set()
        await async_client.videos.generate(
            "x", seconds=4, on_progress=lambda _: threads.add(threading.get_ident())
        )
        assert threads == {threading.get_ident()}

    run(main())


def test_callbacks_see_the_variables_of_their_caller(async_client: AsyncClient) -> None:
    """As with `Client`, and as `call_soon` does it: the number of a request in a web server's log, for example."""
    number: contextvars.ContextVar[int] = contextvars.ContextVar("number")

    async def call(mine: int) -> set[int | None]:
        number.set(mine)
        seen: set[int | None] = set()
        await async_client.videos.generate("x", seconds=4, on_progress=lambda _: seen.add(number.get(None)))
        assert number.get() == mine
        return seen

    async def main() -> None:
        assert await asyncio.gather(*(call(mine) for mine in range(5))) == [{mine} for mine in range(5)]

    run(main())


def test_a_callback_that_raises_ends_the_call(async_client: AsyncClient) -> None:
    async def main() -> None:
        def stop(_: object) -> None:
            raise LookupError("enough")

        with pytest.raises(LookupError, match="enough"):
            await async_client.videos.generate("x", seconds=4, on_progress=stop)

    run(main())


def test_one_client_in_several_loops(async_client: AsyncClient, emulator: Emulator) -> None:
    task_id = emulator.finished()
    for _ in range(3):
        assert run(async_client.videos.get(task_id)).done
    results: list[bool] = []

    def loop() -> None:
        async def main() -> bool:
            states = await asyncio.gather(*(async_client.videos.get(task_id) for _ in range(10)))
            return all(state.done for state in states)

        results.append(run(main()))

    threads = [threading.Thread(target=loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4


def test_a_loop_that_ends_early(async_client: AsyncClient, emulator: Emulator) -> None:
    emulator.rule("hang", op="query", ms=300, act=True)

    async def main() -> None:
        asyncio.get_running_loop().create_task(async_client.videos.get("task_1"))
        await asyncio.sleep(0.05)

    asyncio.run(main())
    emulator.scenario()
    assert run(async_client.videos.get(emulator.finished())).done


def test_a_loop_that_watches_no_sockets(async_client: AsyncClient, emulator: Emulator) -> None:
    class Blind(asyncio.SelectorEventLoop):
        def add_reader(self, *_: object) -> None:
            raise NotImplementedError

    async def main() -> None:
        threads: set[int] = set()
        await async_client.videos.generate("x", seconds=4, on_progress=lambda _: threads.add(threading.get_ident()))
        assert threads == {threading.get_ident()}
        assert all(task.done for task in await asyncio.gather(*(async_client.videos.get(done) for _ in range(5))))

    done = emulator.finished()
    loop = Blind()
    loop.run_until_complete(asyncio.wait_for(main(), 30))
    loop.close()


def test_a_closed_loop_goes_with_what_it_waited_for(async_client: AsyncClient, emulator: Emulator) -> None:
    descriptors = Path("/proc/self/fd")
    gone: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    def closed_in_the_middle() -> None:
        emulator.rule("hang", op="query", ms=300, act=True)
        while True:
            loop = asyncio.new_event_loop()
            waiting = loop.create_task(async_client.videos.get("task_1"))
            loop.run_until_complete(asyncio.sleep(0.05))
            loop.close()
            if not waiting.done():
                break
            # This process stood still, and the answer came first.
            waiting.exception()
        waiting.get_coro().close()
        waiting._log_destroy_pending = False  # type: ignore[attr-defined]
        gone.append(weakref.ref(loop))

    before = 0
    for turn in range(6):
        closed_in_the_middle()
        time.sleep(0.5)
        gc.collect()
        emulator.scenario()
        assert run(async_client.videos.get(emulator.finished())).done
        if turn == 1 and descriptors.exists():
            before = len(list(descriptors.iterdir()))
    deadline = time.monotonic() + 60
    while any(loop() for loop in gone) and time.monotonic() < deadline:
        time.sleep(0.05)
        gc.collect()
    assert [loop() for loop in gone] == [None] * 6
    if before:
        assert len(list(descriptors.iterdir())) <= before + 2


def test_the_loop_stays_free(async_client: AsyncClient, emulator: Emulator) -> None:
    async def main() -> None:
        emulator.rule("hang", op="query", times=1, ms=3000, act=True)
        call = asyncio.create_task(async_client.videos.get(emulator.finished()))
        turns = 0
        while not call.done():
            turns += 1
            await asyncio.sleep(0.001)
        assert turns > 5, "the loop was held up"

    run(main())


def test_without_a_loop() -> None:
    client = AsyncClient(api_key="sk-1")
    call = client.videos.get("task_1")
    with pytest.raises(RuntimeError, match="loop"):
        call.send(None)


def test_an_iterator_left_early(async_client: AsyncClient, emulator: Emulator) -> None:
    async def main() -> None:
        video = async_client.videos.video(emulator.finished(video_bytes=5_000_000))
        async for piece in video.iter_bytes():
            assert piece
            break
        pieces = video.iter_bytes()
        assert await pieces.__anext__()
        with pytest.raises(StopAsyncIteration):
            while True:
                await pieces.__anext__()
        with pytest.raises(StopAsyncIteration):
            await pieces.__anext__()

    run(main())
