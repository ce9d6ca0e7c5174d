"""Children of ``os.fork()`` whose parent was busy with the client at that moment, and SIGPIPE."""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Emulator

from junfeiai import AsyncClient, Client

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork()")

#: What a child needs at the most, on the slowest machine. One that hangs is killed then.
LIMIT = 60


def in_child(work: Callable[[], object]) -> None:
    """Runs this in a child; fails when it raises or hangs."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    end = time.monotonic() + LIMIT
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert status == 0
            return
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hung")
        time.sleep(0.002)


def until(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(0.005)


def posts(emulator: Emulator) -> int:
    return sum(request["method"] == "POST" for request in emulator.requests())


def create_blocking(emulator: Emulator, client: Client, _: AsyncClient) -> None:
    assert client.videos.create("x", seconds=4).id


def create_asyncio(emulator: Emulator, _: Client, client: AsyncClient) -> None:
    async def main() -> None:
        assert (await client.videos.create("x", seconds=4)).id

    asyncio.run(main())


@pytest.fixture
def busy(emulator: Emulator, client: Client, async_client: AsyncClient) -> Iterator[None]:
    """A blocking and an asyncio client, each with as many create requests in flight as allowed."""
    emulator.rule("hang", op="create", times=8, ms=4000)

    def loop() -> None:
        async def main() -> None:
            creates = [async_client.videos.create("x", seconds=4) for _ in range(4)]
            await asyncio.gather(*creates, return_exceptions=True)

        asyncio.run(main())

    threads = [threading.Thread(target=client.videos.create, args=("x",), kwargs={"seconds": 4}) for _ in range(4)]
    threads.append(threading.Thread(target=loop))
    for thread in threads:
        thread.start()
    until(lambda: posts(emulator) == 8)
    yield
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("create", [create_blocking, create_asyncio])
def test_creates_in_flight_take_no_slot_of_a_child(
    create: Callable[[Emulator, Client, AsyncClient], None],
    emulator: Emulator,
    client: Client,
    async_client: AsyncClient,
) -> None:
    in_child(lambda: create(emulator, client, async_client))
    assert posts(emulator) == 9


@pytest.mark.usefixtures("busy")
def test_multiprocessing_of_a_busy_program(emulator: Emulator, client: Client, async_client: AsyncClient) -> None:
    context = multiprocessing.get_context("fork")
    works = [create_blocking, create_asyncio]
    children = [context.Process(target=work, args=(emulator, client, async_client)) for work in works]
    for child in children:
        child.start()
    for child in children:
        child.join(LIMIT)
        if child.exitcode is None:
            child.kill()
        assert child.exitcode == 0
    assert posts(emulator) == 10


def test_a_journal_that_is_being_written(emulator: Emulator, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal", request_rate=1e6, max_in_flight_creates=1000))
    stop = threading.Event()

    def create() -> None:
        while not stop.is_set():
            client.videos.create("x", seconds=4)

    def child() -> None:
        task = client.videos.create("x", seconds=4)
        assert task.id in {entry.task_id for entry in client.videos.pending()}

    threads = [threading.Thread(target=create) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            in_child(child)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    pending = client.videos.pending()
    assert {entry.kind for entry in pending} == {"task"}
    assert len(pending) == posts(emulator)


def test_what_was_begun_stays_with_the_parent(emulator: Emulator, client: Client, tmp_path: Path) -> None:
    requests = [{"prompt": "x", "seconds": 4}] * 4
    many = client.videos.generate_many(requests, concurrency=1)
    ready = emulator.finished(video_bytes=300_000)
    file = client.videos.video(ready).open()
    assert file.read(8)[4:] == b"ftyp"
    pieces = client.videos.iter_bytes(ready)
    begun = next(pieces)
    first = next(many)
    held: list[Any] = [many, pieces, file]
    del many, pieces, file

    def child() -> None:
        for one in held[:2]:
            with pytest.raises(RuntimeError, match="before fork"):
                next(one)
        with pytest.raises(RuntimeError, match="before fork"):
            held[2].seek(250_000)
        held.clear()
        gc.collect()
        assert client.videos.get(ready).done

    for _ in range(2):
        in_child(child)
    rest, other_pieces, same_file = held
    assert len([first, *rest]) == 4
    assert posts(emulator) == 4, "each was created once"
    whole = emulator.file(ready)
    assert begun + b"".join(other_pieces) == whole
    same_file.seek(250_000)
    assert same_file.read() == whole[250_000:]


@pytest.fixture
def resetting(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Base URL and CA of an https server that resets every connection."""
    rule = {"fault": {"kind": "drop_before_accept", "rst": True}}
    (tmp_path / "resets.json").write_text(json.dumps({"rules": [rule]}))
    server = Emulator("--tls-ca", str(tmp_path / "ca.pem"), "--scenario", str(tmp_path / "resets.json"))
    yield server.base_url, tmp_path / "ca.pem"
    server.close()


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="has no signal masks")
def test_a_reset_connection_does_not_end_the_process(resetting: tuple[str, Path]) -> None:
    base_url, ca_file = resetting
    code = f"""
        import asyncio, os, signal
        import junfeiai
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        options = dict(api_key="sk-1", base_url={base_url!r}, ca_file={str(ca_file)!r}, proxy="", max_attempts=1, request_rate=1000,
                       request_burst=1000)
        client, async_client = junfeiai.Client(**options), junfeiai.AsyncClient(**options)
        ends = []
        def lost(call):
            try: call()
            except (junfeiai.CreateOutcomeUnknownError, junfeiai.APIConnectionError) as error: ends.append(type(error).__name__)
        for _ in range(20):
            lost(lambda: client.videos.create("x", seconds=4))
            lost(lambda: client.videos.get("task_1"))
        async def main():
            for _ in range(20):
                for call in (async_client.videos.create("x", seconds=4), async_client.videos.get("task_1")):
                    try: await call
                    except (junfeiai.CreateOutcomeUnknownError, junfeiai.APIConnectionError) as error: ends.append(type(error).__name__)
        asyncio.run(main())
        print(sorted({{end: ends.count(end) for end in ends}}.items()), signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True)
        reader, writer = os.pipe()
        os.close(reader)
        os.write(writer, b"its own pipe")
    """
    command = [sys.executable, "-I", "-X", "faulthandler", "-c", textwrap.dedent(code)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == "[('APIConnectionError', 40), ('CreateOutcomeUnknownError', 40)] set()\n", (result.returncode, result.stderr)
    assert result.returncode == -signal.SIGPIPE, "its own pipes do what they did"
