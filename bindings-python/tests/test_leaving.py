"""Ways out of a paid call that bring neither its result nor its error: no id is lost on them, and nothing more is sent."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import io
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
from conftest import Emulator, press_ctrl_c

import junfeiai
from junfeiai import AsyncClient, Client, _native

T = TypeVar("T")


class Stop(Exception):
    """Raised by callbacks."""


@pytest.fixture
def endless(emulator: Emulator) -> Emulator:
    """A service whose tasks do not end."""
    emulator.scenario(task={"running_s": 1e9})
    return emulator


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "paid.journal"


def eventually(found: Callable[[], T]) -> T:
    """Waits for something that happens in another process or thread."""
    deadline = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return value


def ids(emulator: Emulator, count: int = 1) -> list[str]:
    """The ids of the tasks that were created, once there are so many and each was asked for."""

    def asked() -> set[str]:
        paths = [entry["path"] for entry in emulator.requests("/video/generations/")]
        return {path.rsplit("/", 1)[1] for path in paths}

    return sorted(eventually(lambda: found if len(found := asked()) >= count else None) or ())


def in_flight(emulator: Emulator, count: int = 1) -> bool:
    return eventually(lambda: int(emulator.stats()["posts"]) >= count)


def pressed(when: Callable[[], object]) -> threading.Thread:
    """Presses Ctrl-C as soon as `when` returns."""

    def press() -> None:
        when()
        press_ctrl_c()

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def check(error: BaseException, known: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """The exception, what is printed of it, and the log name the tasks."""
    assert getattr(error, "task_ids", ()) == tuple(known)
    assert getattr(error, "task_id", None) == (known[0] if len(known) == 1 else None)
    notes = "\n".join(getattr(error, "__notes__", ()))
    printed = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    logged = [record for record in caplog.records if record.levelno == logging.WARNING]
    for task_id in known:
        assert task_id in notes
        assert task_id in printed or sys.version_info < (3, 11)
        assert sum(task_id in record.getMessage() for record in logged) == 1
    assert all(record.name == "junfeiai" for record in logged)


def check_journal(emulator: Emulator, journal: Path, known: list[str]) -> None:
    again = Client(**emulator.options(journal=journal))
    assert sorted(str(entry.task_id) for entry in again.videos.pending()) == sorted(known)


BLOCKING: dict[str, Callable[[Client, Any], object]] = {
    "generate": lambda c, notify: c.videos.generate("x", seconds=4, on_progress=notify),
    "wait": lambda c, notify: c.videos.create("x", seconds=4).wait(on_progress=notify),
    "watch": lambda c, _: list(c.videos.create("x", seconds=4).watch()),
    "generate_many": lambda c, _: list(c.videos.generate_many(["x"])),
}


@pytest.mark.parametrize("name", BLOCKING)
def test_ctrl_c(name: str, endless: Emulator, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(**endless.options(journal=journal))
    thread = pressed(lambda: ids(endless))
    with pytest.raises(KeyboardInterrupt) as caught:
        BLOCKING[name](client, None)
    thread.join()
    [task_id] = ids(endless)
    check(caught.value, [task_id], caplog)
    check_journal(endless, journal, [task_id])


@pytest.mark.parametrize("name", ["generate", "wait"])
@pytest.mark.parametrize("cls", [Stop, SystemExit, KeyboardInterrupt, StopIteration, junfeiai.NotFoundError])
def test_a_callback_that_raises(
    name: str, cls: type[BaseException], endless: Emulator, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def stop(_: object) -> None:
        raise cls("enough")

    client = Client(**endless.options(journal=journal))
    with pytest.raises(cls) as caught:
        BLOCKING[name](client, stop)
    [entry] = client.videos.pending()
    check(caught.value, [str(entry.task_id)], caplog)


def test_a_create_in_flight(emulator: Emulator, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    emulator.rule("hang", op="create")
    client = Client(**emulator.options(journal=journal))
    calls: list[Callable[[], object]] = [
        lambda: client.videos.create("x", seconds=4),
        lambda: client.videos.generate("x", seconds=4),
        lambda: list(client.videos.generate_many(["x"])),
    ]
    for number, call in enumerate(calls, 1):
        caplog.clear()
        thread = pressed(lambda: in_flight(emulator, number))  # noqa: B023
        with pytest.raises(KeyboardInterrupt) as caught:
            call()
        thread.join()
        assert getattr(caught.value, "maybe_executed", None) is True
        assert "may have been charged" in caught.value.__notes__[0]
        assert "may have been charged" in caplog.text
        gc.collect()
        assert [entry.kind for entry in client.videos.pending()] == ["unknown"] * number


class Narrow(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class Refusing(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError(name)


class Remote(Exception):
    """As a proxy of something elsewhere, which knows no such attribute in its own way."""

    def __getattr__(self, name: str) -> object:
        raise LookupError(name)


class OtherNotes(Exception):
    __notes__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("cls", [Narrow, Refusing, Remote, OtherNotes])
def test_an_exception_without_room_for_a_note(
    cls: type[Exception], endless: Emulator, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def stop(_: object) -> None:
        raise cls("enough")

    with pytest.raises(cls) as caught:
        client.videos.generate("x", seconds=4, on_progress=stop)
    assert "task_" in caplog.text
    assert cls is not OtherNotes or "task_" in caught.value.__notes__[0]


def test_the_error_of_the_call_itself_is_left_alone(client: Client, async_client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await async_client.videos.generate("[fail] x", seconds=4)

    for call in (lambda: client.videos.generate("[fail] x", seconds=4), lambda: asyncio.run(main())):
        with pytest.raises(junfeiai.TaskFailedError) as caught:
            call()
        assert caught.value.task_id
        assert not hasattr(caught.value, "__notes__")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def logged_once(caplog: pytest.LogCaptureFixture, word: str) -> bool:
    """Lines without an exception are logged by another thread."""
    return eventually(lambda: [record for record in caplog.records if word in record.getMessage()]) != []


def test_generate_many_left(endless: Emulator, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(**endless.options(journal=journal))
    outcomes = client.videos.generate_many(["a", "b", "c"], concurrency=2)
    thread = pressed(lambda: ids(endless, 2))
    with pytest.raises(KeyboardInterrupt) as caught:
        next(outcomes)
    thread.join()
    known = sorted(str(entry.task_id) for entry in client.videos.pending())
    assert len(known) == 2
    assert sorted(caught.value.task_ids) == known  # type: ignore[attr-defined]
    assert all(task_id in caught.value.__notes__[0] for task_id in known)
    del caught, outcomes
    gc.collect()
    logged = [record for record in caplog.records if known[0] in record.getMessage()]
    assert len(logged) == 1, "what was said is not said again"


@pytest.mark.parametrize("blocking", [True, False])
def test_what_a_list_had_is_not_lost_with_it(
    blocking: bool, emulator: Emulator, client: Client, async_client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    hang = {"match": {"op": "create", "nth": [3]}, "fault": {"kind": "hang"}}
    emulator.scenario(task={"queued_s": 0, "running_s": 0}, rules=[hang])
    prompts = ["a", "b", "c", "d"]
    seen: list[BaseException] = []

    async def collect() -> None:
        try:
            _ = [outcome async for outcome in async_client.videos.generate_many(prompts, concurrency=1)]
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    async def cancelled() -> None:
        collecting = asyncio.ensure_future(collect())
        await asyncio.to_thread(in_flight, emulator, 3)
        collecting.cancel()
        await collecting

    if blocking:
        thread = pressed(lambda: in_flight(emulator, 3))
        with pytest.raises(KeyboardInterrupt) as caught:
            list(client.videos.generate_many(prompts, concurrency=1))
        thread.join()
        seen.append(caught.value)
    else:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancelled())
    known = ids(emulator, 2)
    assert sorted(getattr(seen[0], "task_ids", ())) == known and len(known) == 2
    assert getattr(seen[0], "maybe_executed", False)
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    for text in (seen[0].__notes__[0], record.getMessage()):
        assert "may have been charged" in text and all(task_id in text for task_id in known)


def test_a_list_that_ends_says_nothing(emulator: Emulator, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    assert len(list(client.videos.generate_many(["a", "b"]))) == 2
    for outcome in client.videos.generate_many(["a"]):
        assert outcome.result()
        break
    gc.collect()
    # Lines without an exception come from another thread.
    time.sleep(0.2)
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_an_asyncio_loop_that_ends_says_nothing(emulator: Emulator, async_client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0})

    async def main() -> None:
        async for outcome in async_client.videos.generate_many(["a", "b"]):
            assert outcome.result()
        async for _ in async_client.videos.task(emulator.finished()).watch():
            pass

    asyncio.run(main())
    gc.collect()
    # Lines without an exception come from another thread.
    time.sleep(0.2)
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_an_exception_that_another_thread_sets(endless: Emulator, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """As job engines end a job at its time limit, in the thread that runs it."""

    class TimeLimit(BaseException):
        pass

    raised: list[BaseException] = []

    def work() -> None:
        try:
            client.videos.generate("x", seconds=4)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    [task_id] = ids(endless)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeLimit))
    thread.join(30)
    assert not thread.is_alive(), "it waits on"
    assert isinstance(raised[0], TimeLimit)
    check(raised[0], [task_id], caplog)


PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
@pytest.mark.parametrize("base", [Exception, BaseException])
def test_an_exception_that_another_thread_sets_while_an_image_is_read(
    base: type[BaseException], client: Client, emulator: Emulator, tmp_path: Path
) -> None:
    """Nothing has left yet, and nothing leaves any more."""
    time_limit = type("TimeLimit", (base,), {})
    raised: list[BaseException] = []
    os.mkfifo(tmp_path / "image.png")

    def work() -> None:
        try:
            client.videos.create("x", seconds=4, image=tmp_path / "image.png")
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    # Opening it waits until the other thread reads.
    with (tmp_path / "image.png").open("wb") as file:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(time_limit))
        file.write(PNG)
    thread.join(30)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [time_limit]
    assert emulator.stats()["posts"] == 0


IMAGE = """
import os, pathlib, signal, sys, threading
import junfeiai
if sys.argv[1:]:
    import logging
os.mkfifo("image.png")

def press():
    with open("image.png", "wb") as file:
        os.kill(os.getpid(), signal.SIGINT)
        file.write(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(20))

thread = threading.Thread(target=press)
thread.start()
try:
    junfeiai.Client().videos.create("x", seconds=4, image=pathlib.Path("image.png"))
except KeyboardInterrupt:
    print("interrupted")
thread.join()
assert ("logging" in sys.modules) == bool(sys.argv[1:])
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
@pytest.mark.parametrize("words", [[], ["logging"]])
def test_ctrl_c_while_an_image_is_read(words: list[str], emulator: Emulator, environment: Path) -> None:
    """The code of `logging`, where the program has imported it, would be the first in which Python raises it."""
    result = subprocess.run([sys.executable, "-I", "-c", IMAGE, *words], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (0, "interrupted\n"), result.stderr
    assert emulator.stats()["posts"] == 0


def test_a_loop_that_is_left(emulator: Emulator, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    # Both create requests are sent together; the first poll, which reports a failure, comes only after a while.
    client = Client(**emulator.options(journal=journal, poll_interval=0.5))
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    for outcome in client.videos.generate_many(["[fail] a", "[fail] b"], concurrency=2):
        assert isinstance(outcome.error, junfeiai.TaskFailedError)
        break
    assert logged_once(caplog, "a call ended early")


def test_a_loop_that_is_left_asyncio(endless: Emulator, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        client = AsyncClient(**endless.options(journal=journal))
        outcomes = client.videos.generate_many(["a", "b"], concurrency=2)
        step = asyncio.ensure_future(outcomes.__anext__())
        while len(await client.videos.pending()) < 2:
            await asyncio.sleep(0.01)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step

    asyncio.run(main())
    known = [str(entry.task_id) for entry in Client(**endless.options(journal=journal)).videos.pending()]
    assert len(known) == 2
    for task_id in known:
        assert logged_once(caplog, task_id)


def asyncio_ways() -> list[Any]:
    async def cancel(call: Any, ready: Any) -> None:
        task = asyncio.ensure_future(call)
        await ready
        task.cancel()
        await task

    async def timeout(call: Any, ready: Any) -> None:
        async def alarm() -> None:
            await ready
            scope.reschedule(0)

        async with asyncio.timeout(None) as scope:
            waking = asyncio.ensure_future(alarm())
            try:
                await call
            finally:
                await waking

    async def group(call: Any, ready: Any) -> None:
        async def fail() -> None:
            await ready
            raise Stop

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(call)
            tasks.create_task(fail())

    ways = [pytest.param(cancel, asyncio.CancelledError, id="cancel")]
    if sys.version_info >= (3, 11):
        ways.append(pytest.param(timeout, TimeoutError, id="timeout"))
        ways.append(pytest.param(group, BaseException, id="TaskGroup"))
    return ways


@pytest.mark.parametrize(("way", "cls"), asyncio_ways())
@pytest.mark.parametrize("name", ["generate", "create_and_wait"])
def test_asyncio(
    way: Any, cls: type[BaseException], name: str, endless: Emulator, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[BaseException] = []
    client = AsyncClient(**endless.options(journal=journal))

    async def call() -> None:
        try:
            if name == "generate":
                await client.videos.generate("x", seconds=4)
            else:
                task = await client.videos.create("x", seconds=4)
                await task.wait()
        except BaseException as error:
            seen.append(error)
            raise

    async def ready() -> None:
        while not await asyncio.to_thread(endless.requests, "/video/generations/"):
            await asyncio.sleep(0.01)

    async def main() -> None:
        await way(call(), ready())

    with pytest.raises(cls) as caught:
        asyncio.run(main())
    [task_id] = ids(endless)
    check(seen[0], [task_id], caplog)
    check_journal(endless, journal, [task_id])
    printed = "".join(traceback.format_exception(cls, caught.value, caught.value.__traceback__))
    if sys.version_info >= (3, 11) and cls is TimeoutError:
        assert task_id in printed, "the timeout names its cause, which has the note"


def test_wait_for(endless: Emulator, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = AsyncClient(**endless.options(journal=journal))

    async def main() -> None:
        await asyncio.wait_for(client.videos.generate("x", seconds=4), 5)

    with pytest.raises(asyncio.TimeoutError) as caught:
        asyncio.run(main())
    known = ids(endless)
    printed = "".join(traceback.format_exception(type(caught.value), caught.value, caught.value.__traceback__))
    assert known[0] in caplog.text
    assert known[0] in printed or sys.version_info < (3, 11)
    check_journal(endless, journal, known)


def test_an_asyncio_callback_that_raises(endless: Emulator, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = AsyncClient(**endless.options(journal=journal))
    for cls in (Stop, StopIteration):
        caplog.clear()

        def stop(_: object) -> None:
            raise cls("enough")  # noqa: B023

        async def main() -> None:
            await client.videos.generate("x", seconds=4, on_progress=stop)  # noqa: B023

        before = {entry.task_id for entry in asyncio.run(pending(client))}
        with pytest.raises((Stop, RuntimeError)) as caught:
            asyncio.run(main())
        [new] = {entry.task_id for entry in asyncio.run(pending(client))} - before
        check(caught.value, [str(new)], caplog)


async def pending(client: AsyncClient) -> list[junfeiai.Pending]:
    return await client.videos.pending()


def test_a_coroutine_that_is_closed(endless: Emulator, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = AsyncClient(**endless.options(journal=journal))
    loop = asyncio.new_event_loop()
    task = loop.create_task(client.videos.generate("x", seconds=4))

    async def ready() -> None:
        while not await asyncio.to_thread(endless.requests, "/video/generations/"):
            await asyncio.sleep(0.01)

    loop.run_until_complete(ready())
    loop.close()
    task.get_coro().close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    [task_id] = ids(endless)
    assert task_id in caplog.text


def test_a_result_that_nobody_takes(emulator: Emulator, async_client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """The call has ended when it is cancelled, before its coroutine has taken the result."""

    async def main() -> None:
        call = async_client.videos.create("x", seconds=4)
        future: Any = call.send(None)
        future._asyncio_future_blocking = False
        await asyncio.wait([future])
        with pytest.raises(asyncio.CancelledError) as caught:
            call.throw(asyncio.CancelledError())
        check(caught.value, [future.result().id], caplog)
        outcomes: Any = async_client.videos.generate_many(["x"])
        call = outcomes.__anext__()
        future = call.send(None)
        future._asyncio_future_blocking = False
        await asyncio.wait([future])
        caplog.clear()
        with pytest.raises(asyncio.CancelledError) as caught:
            call.throw(asyncio.CancelledError())
        check(caught.value, [future.result().task_id], caplog)

    asyncio.run(main())


def test_an_outcome_that_comes_as_its_step_is_cancelled(emulator: Emulator, async_client: AsyncClient) -> None:
    """As with `wait_for(anext(outcomes), 5)` in a loop: the next step gives it out."""
    emulator.scenario(task={"queued_s": 0, "running_s": 0})

    async def main() -> None:
        outcomes = async_client.videos.generate_many(["x"])
        step = asyncio.ensure_future(outcomes.__anext__())
        await asyncio.sleep(0)
        # The loop is busy while the outcome comes, and cancels the step before it sees that.
        eventually(lambda: ids(emulator))
        time.sleep(1)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        outcome = await outcomes.__anext__()
        assert outcome.task_id == ids(emulator)[0]

        async def rest_of(task_id: str) -> bytes:
            pieces = async_client.videos.video(task_id).iter_bytes()
            first = asyncio.ensure_future(pieces.__anext__())
            await asyncio.sleep(0)
            eventually(lambda: emulator.requests(task_id))
            time.sleep(1)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            return b"".join([piece async for piece in pieces])

        finished = emulator.finished(video_bytes=300_000)
        assert await rest_of(finished) == emulator.file(finished), "no byte is missing"
        with pytest.raises(junfeiai.NotFoundError):
            await rest_of("task_none")

    asyncio.run(main())


def test_an_error_that_comes_as_its_step_is_cancelled(emulator: Emulator, async_client: AsyncClient) -> None:
    """Without it a video that broke off would seem to have ended."""

    async def main() -> None:
        pieces: Any = async_client.videos.video("task_none").iter_bytes()
        call = pieces.__anext__()
        future = call.send(None)
        future._asyncio_future_blocking = False
        await asyncio.wait([future])
        with pytest.raises(asyncio.CancelledError):
            call.throw(asyncio.CancelledError())
        with pytest.raises(junfeiai.NotFoundError):
            await pieces.__anext__()
        # Given out once, the iterator has ended.
        assert [piece async for piece in pieces] == []

    asyncio.run(main())


def test_an_iterator_that_only_its_step_holds(emulator: Emulator, async_client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0}, api={"create_latency_ms": 300})

    async def main() -> None:
        # As with `await anext(…)`: nothing else holds it, from before the step begins.
        outcome = await async_client.videos.generate_many(["x"]).__anext__()
        assert outcome.task_id == ids(emulator)[0]
        outcomes = async_client.videos.generate_many(["y"])
        step = asyncio.ensure_future(outcomes.__anext__())
        await asyncio.to_thread(in_flight, emulator, 2)
        del outcomes
        gc.collect()
        assert (await step).result()

    asyncio.run(main())
    gc.collect()
    # Lines without an exception come from another thread.
    time.sleep(0.2)
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_what_was_created_beside_the_outcome_of_a_last_step(emulator: Emulator, async_client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    hang = {"match": {"op": "create", "nth": [2]}, "fault": {"kind": "hang"}}
    unknown = {"match": {"op": "query"}, "fault": {"kind": "status", "status": 502, "body": ""}}
    emulator.scenario(task={"queued_s": 0, "running_s": 0}, rules=[hang, unknown])

    async def main() -> None:
        outcomes = async_client.videos.generate_many(["[fail] x", "[fail] y"], concurrency=2)
        step = asyncio.ensure_future(outcomes.__anext__())
        await asyncio.sleep(0)
        del outcomes
        # No outcome is known before both requests have left.
        await asyncio.to_thread(in_flight, emulator, 2)
        emulator.scenario(task={"queued_s": 0, "running_s": 0})
        assert (await step).error is not None

    asyncio.run(main())
    assert emulator.stats()["posts"] == 2
    assert logged_once(caplog, "may have been charged")


@pytest.mark.parametrize("count", [30])
def test_cancelling_many_creates_sends_no_more(count: int, emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.rule("hang", op="create")
    seen: list[BaseException] = []

    async def create() -> None:
        try:
            await async_client.videos.create("x", seconds=4)
        except BaseException as error:
            seen.append(error)
            raise

    async def main() -> int:
        while True:
            seen.clear()
            before: int = emulator.stats()["posts"]
            tasks = [asyncio.ensure_future(create()) for _ in range(count)]
            while (await asyncio.to_thread(emulator.stats))["posts"] < before + 4:
                await asyncio.sleep(0.01)
            begun = time.monotonic()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            took = time.monotonic() - begun
            # Longer than a dropped create keeps its slot.
            await asyncio.sleep(1.5)
            # Where the machine stood still, the first slot was free before the last create was cancelled.
            if took < 0.5:
                posts: int = emulator.stats()["posts"]
                return posts - before

    assert asyncio.run(asyncio.wait_for(main(), 300)) == 4
    assert len(seen) == count
    assert sum(getattr(error, "maybe_executed", False) for error in seen) == 4


def test_a_slot_that_comes_free_goes_to_no_cancelled_create(emulator: Emulator) -> None:
    """Some answers come while the others are being cancelled."""
    client = AsyncClient(**emulator.options(request_rate=1000.0, request_burst=1000))
    emulator.scenario(api={"create_latency_ms": 100})

    async def main() -> None:
        tasks = [asyncio.ensure_future(client.videos.create("x", seconds=4)) for _ in range(200)]
        while (await asyncio.to_thread(emulator.stats))["posts"] < 4:
            await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        posts = emulator.stats()["posts"]
        await asyncio.sleep(1.5)
        # A busy server reads the four that had left late; of a slot that is handed on there would be forty more a second.
        assert emulator.stats()["posts"] <= posts + 4

    asyncio.run(main())


@pytest.mark.parametrize("blocking", [True, False])
def test_a_panic_is_an_error_with_the_id(
    blocking: bool, emulator: Emulator, client: Client, async_client: AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        await _native._panic(async_client.videos)

    with pytest.raises(junfeiai.InternalError, match="on purpose") as caught:
        _native._panic(client.videos) if blocking else asyncio.run(main())
    assert caught.value.task_id
    assert "panicked" in capfd.readouterr().err
    assert client.videos.get(caught.value.task_id).id == caught.value.task_id


def test_the_end_of_the_interpreter(endless: Emulator, environment: Path) -> None:
    code = """
        import asyncio, threading
        from junfeiai import AsyncClient, Client
        both = threading.Barrier(3)
        class Once:
            waits = True
            def __call__(self, _):
                if self.waits:
                    self.waits = False
                    both.wait()
        def blocking():
            Client(poll_interval=0.02).videos.generate("x", on_progress=Once())
        def loop():
            async def main():
                await AsyncClient(poll_interval=0.02).videos.generate("y", on_progress=Once())
            asyncio.run(main())
        for work in (blocking, loop):
            threading.Thread(target=work, daemon=True).start()
        both.wait()
    """
    command = [sys.executable, "-I", "-c", textwrap.dedent(code)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("was created and paid for") == 2, result.stderr
    assert endless.stats()["created_tasks"] == 2


CHILD = """
import multiprocessing, sys, threading
if sys.argv[3] == "parent":
    import junfeiai

def left():
    from junfeiai import Client
    for _ in Client(poll_interval=3).videos.generate_many(["[fail] a", "[fail] b"], concurrency=2):
        break

def generate():
    from junfeiai import Client
    task_id = Client(poll_interval=0.02).videos.generate("x", seconds=4).task_id
    with open("made.txt", "a") as file:
        print(task_id, file=file)

def working():
    threading.Thread(target=generate).start()

def pool():
    from concurrent.futures import ThreadPoolExecutor
    ThreadPoolExecutor(1).submit(generate)

def running():
    from junfeiai import Client
    begun = threading.Event()
    generate = Client(poll_interval=0.02).videos.generate
    threading.Thread(target=generate, args=["x"], kwargs={"on_progress": lambda _: begun.set()}, daemon=True).start()
    begun.wait()

if __name__ == "__main__":
    child = multiprocessing.get_context(sys.argv[1]).Process(target=globals()[sys.argv[2]])
    child.start()
    child.join(50)
    if child.exitcode is None:
        child.kill()
        child.join()
        sys.exit("the child does not end")
    sys.exit(child.exitcode)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork()")
@pytest.mark.parametrize("importer", ["parent", "child"])
@pytest.mark.parametrize("way", ["left", "running"])
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_the_end_of_a_child_process(method: str, way: str, importer: str, emulator: Emulator, environment: Path) -> None:
    """Those of `multiprocessing` that were forked run no function of `atexit`."""
    emulator.scenario(task={"queued_s": 0, "running_s": 0 if way == "left" else 1e9})
    (environment / "jobs.py").write_text(CHILD)
    command = [sys.executable, "-W", "error", "jobs.py", method, way, importer]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "a call ended early: task" in result.stderr and "paid for" in result.stderr, result.stderr


@pytest.mark.parametrize("importer", ["parent", "child"])
@pytest.mark.parametrize("way", ["working", "pool"])
@pytest.mark.parametrize("method", [method for method in ("fork", "forkserver", "spawn") if method in multiprocessing.get_all_start_methods()])
def test_the_end_of_a_child_process_with_working_threads(method: str, way: str, importer: str, emulator: Emulator, environment: Path) -> None:
    """Python waits for such threads before a process ends, and so their calls come to their end."""
    emulator.scenario(task={"queued_s": 0, "running_s": 0}, api={"create_latency_ms": 1000})
    (environment / "jobs.py").write_text(CHILD)
    command = [sys.executable, "-W", "error", "jobs.py", method, way, importer]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert (environment / "made.txt").read_text().split() == ids(emulator)


def test_an_asyncio_call_after_the_end_has_begun(emulator: Emulator, environment: Path) -> None:
    """In a function of `atexit` that was registered before this library was imported, and so runs after ours."""
    code = """
        import asyncio, atexit
        @atexit.register
        def last():
            for call in (lambda: asyncio.run(get(AsyncClient())), lambda: Client().videos.get("task_none")):
                try:
                    call()
                except Exception as error:
                    print(type(error).__name__, str(error)[:24])
        from junfeiai import AsyncClient, Client
        async def get(client):
            return await client.videos.get("task_none")
        try:
            asyncio.run(get(AsyncClient()))
        except Exception as error:
            print(type(error).__name__)
    """
    command = [sys.executable, "-I", "-c", textwrap.dedent(code)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    said = [line.split(" ", 1) for line in result.stdout.splitlines()]
    assert [words[0] for words in said] == ["NotFoundError", "RuntimeError", "NotFoundError"]
    assert said[1][1] == "the interpreter is endin"


def test_wrong_arguments_do_not_hide_the_task(client: Client, async_client: AsyncClient, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`create(...).wait(...)` in one line: nobody else has the id."""
    task = client.videos.create("x", seconds=4)
    wrong: Any = "5"
    for videos in (client.videos, async_client.videos):
        waits: Any = videos.task(task.id)
        video: Any = videos.video(task.id)
        calls: list[Callable[[], object]] = [
            lambda: waits.wait(timeout=-1),  # noqa: B023
            lambda: waits.wait(timeout=wrong),  # noqa: B023
            lambda: waits.wait(on_progress=wrong),  # noqa: B023
            lambda: video.save(tmp_path / "x.mp4", connections=wrong),  # noqa: B023
            lambda: video.save(tmp_path / "x.mp4", on_progress=wrong),  # noqa: B023
            lambda: video.save(io.BytesIO()),  # noqa: B023
            lambda: video.save(),  # noqa: B023
            lambda: video.save(tmp_path / "x.mp4", 4),  # noqa: B023
            lambda: video.save(tmp_path / "x.mp4", overwite=True),  # noqa: B023
            lambda: video.read(max_bytes=wrong),  # noqa: B023
            lambda: video.read(1000),  # noqa: B023
            lambda: video.read_range(0, wrong),  # noqa: B023
            lambda: video.serve(total=wrong),  # noqa: B023
            lambda: waits.wait(600),  # noqa: B023
            lambda: waits.wait(timeuot=600),  # noqa: B023
            lambda: waits.wait_state(timeout=wrong),  # noqa: B023
            lambda: waits.wait_state(timeuot=600),  # noqa: B023
            lambda: waits.refresh(timeout=wrong),  # noqa: B023
            lambda: waits.refresh(5),  # noqa: B023
        ]
        for call in calls:
            caplog.clear()
            with pytest.raises((TypeError, junfeiai.InvalidRequestError)) as caught:
                call()
            assert getattr(caught.value, "task_id", None) == task.id
            if isinstance(caught.value, TypeError):
                check(caught.value, [task.id], caplog)


class Held(ThreadingHTTPServer):
    """A service that answers no create request before it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.posts = 0
        self.answer = threading.Event()
        self.options: dict[str, Any] = {"api_key": "sk-1", "base_url": f"http://127.0.0.1:{self.server_port}/v1", "max_in_flight_creates": 1}


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Held)
        server.posts += 1
        server.answer.wait()
        body = b'{"id":"task_1","status":"queued"}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def held() -> Iterator[Held]:
    with Held() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.answer.set()
            server.shutdown()
            thread.join()


def one_task(ended: list[object], server: Held) -> None:
    """The request that had left came to its end, and no other left."""
    cancelled = [error for error in ended if isinstance(error, junfeiai.CallCancelledError)]
    assert len(cancelled) == len(ended) - 1, ended
    for error in cancelled:
        assert "the client was closed" in str(error) and not error.maybe_executed
    assert server.posts == 1


class Pressing(ThreadingHTTPServer):
    """A service that presses Ctrl-C right before one of its answers."""

    daemon_threads = True

    def __init__(self, prompt: str) -> None:
        super().__init__(("127.0.0.1", 0), PressingAnswer)
        self.prompt = prompt
        self.made: list[str] = []

    def handle_error(self, *_: object) -> None:
        pass


class PressingAnswer(BaseHTTPRequestHandler):
    server: Pressing

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.made.append(f"task_{len(self.server.made)}")
        if self.server.prompt == "lost":
            self.press()
            self.close_connection = True
        else:
            self.answer({"id": self.server.made[-1], "status": "queued"}, press=self.server.prompt == "create")

    def do_GET(self) -> None:
        if self.server.prompt.startswith("broken"):
            error = {"error": {"message": "no such task", "type": "invalid_request_error", "code": "task_not_found"}}
            self.answer(error, press=self.server.prompt == "broken", status=404)
            return
        status = "FAILURE" if self.server.prompt.startswith("failing") else "SUCCESS"
        self.answer({"code": "success", "data": {"task_id": self.server.made[-1], "status": status}}, press=True)

    def press(self) -> None:
        press_ctrl_c()

    def answer(self, value: dict[str, Any], press: bool, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if press:
            self.press()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


PRESSED: dict[str, Callable[[Client], object]] = {
    "create": lambda c: c.videos.create("x", seconds=4),
    "lost": lambda c: c.videos.create("x", seconds=4),
    "generate": lambda c: c.videos.generate("x", seconds=4),
    "failing": lambda c: c.videos.generate("x", seconds=4),
    "many": lambda c: list(c.videos.generate_many(["x"])),
    "failing, many": lambda c: list(c.videos.generate_many(["x"])),
}


@pytest.mark.parametrize("name", PRESSED)
def test_ctrl_c_that_comes_with_the_answer(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is raised when the call has its result or its error, and before the program has it."""
    with Pressing(name) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            # The thread looks for signals every 50 ms: most of these come between two looks.
            for _ in range(5):
                caplog.clear()
                client = Client(api_key="sk-1", base_url=f"http://127.0.0.1:{server.server_port}/v1", poll_interval=0.02)
                with pytest.raises(KeyboardInterrupt) as caught:
                    PRESSED[name](client)
                error, cause = caught.value, caught.value.__cause__
                if name == "lost":
                    assert getattr(error, "maybe_executed", False), "the request has left"
                    assert cause is None or isinstance(cause, junfeiai.CreateOutcomeUnknownError)
                elif isinstance(cause, junfeiai.TaskFailedError):
                    assert cause.task_id == server.made[-1]
                elif not getattr(error, "maybe_executed", False):
                    check(error, [server.made[-1]], caplog)
        finally:
            server.shutdown()
            thread.join()


def test_an_error_that_comes_with_ctrl_c_is_raised_by_the_next_step() -> None:
    """Without it a video that broke off would seem to have ended."""
    with Pressing("broken") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            # As above, most come between two looks.
            for _ in range(5):
                client = Client(api_key="sk-1", base_url=f"http://127.0.0.1:{server.server_port}/v1")
                pieces = client.videos.video("task_1").iter_bytes()
                with pytest.raises(KeyboardInterrupt):
                    next(pieces)
                server.prompt = "broken, quietly"
                with pytest.raises(junfeiai.NotFoundError):
                    next(pieces)
                server.prompt = "broken"
                assert list(pieces) == []
        finally:
            server.shutdown()
            thread.join()


def test_ctrl_c_is_not_lost_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Lines that are handed to `logging` run Python code, in which a signal is raised."""
    caplog.set_level(logging.DEBUG, "junfeiai")
    with Pressing("create") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            client = Client(api_key="sk-1", base_url=f"http://127.0.0.1:{server.server_port}/v1", poll_interval=0.02)
            for _ in range(5):
                with pytest.raises(KeyboardInterrupt):
                    client.videos.create("x", seconds=4)
        finally:
            server.shutdown()
            thread.join()


def test_a_handler_of_the_log_that_is_interrupted(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    class Interrupted(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise KeyboardInterrupt

    logger, handler = logging.getLogger("junfeiai"), Interrupted()
    caplog.set_level(logging.DEBUG, "junfeiai")
    logger.addHandler(handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            client.models()
    finally:
        logger.removeHandler(handler)


def test_a_closed_client_sends_no_create_that_waits(held: Held) -> None:
    with Client(**held.options) as client, ThreadPoolExecutor(5) as pool:
        videos = client.videos
        calls = [pool.submit(videos.create, "x", seconds=4) for _ in range(5)]
        eventually(lambda: held.posts)
        client.close()
        held.answer.set()
        ended = [call.exception() or call.result() for call in calls]
    one_task(list(ended), held)


def test_leaving_the_block_of_an_asyncio_client(held: Held) -> None:
    async def main() -> list[object]:
        async with AsyncClient(**held.options) as client:
            calls = [asyncio.ensure_future(client.videos.create("x", seconds=4)) for _ in range(5)]
            while not held.posts:
                await asyncio.sleep(0.01)
        held.answer.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    one_task(asyncio.run(main()), held)


class Blind(asyncio.SelectorEventLoop):
    """A loop that watches no sockets, as that of Windows and those of some windows' toolkits."""

    def add_reader(self, *_: object) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, Blind])
@pytest.mark.parametrize("collected", [True, False])
def test_a_closed_loop_sends_no_create_that_waits(collected: bool, new_loop: Callable[[], asyncio.AbstractEventLoop], held: Held) -> None:
    """Nobody cancels the tasks of a loop that was closed in the middle, and nobody would learn what was paid for."""
    client = AsyncClient(**held.options)
    loop = new_loop()
    calls = [loop.create_task(client.videos.create("x", seconds=4)) for _ in range(5)]

    async def ready() -> None:
        while not held.posts:
            await asyncio.sleep(0.01)

    loop.run_until_complete(ready())
    loop.close()
    for call in calls:
        call._log_destroy_pending = False  # type: ignore[attr-defined]
    if collected:
        for call in calls:
            call.get_coro().close()
    held.answer.set()
    # Longer than a create request waits for the slot of one that has ended.
    time.sleep(1.5)
    assert held.posts == 1


def test_a_client_that_is_only_forgotten_is_not_closed(emulator: Emulator) -> None:
    videos = Client(**emulator.options()).videos
    gc.collect()
    assert videos.create("x", seconds=4).id
