"""A video as a file object."""

from __future__ import annotations

import asyncio
import io
import os
import random
import threading
import time
import _thread
from typing import Any

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient, Client


def test_as_a_file(client: Client, emulator: Emulator) -> None:
    task_id = emulator.finished(video_bytes=3_000_000)
    whole = emulator.file(task_id)
    with client.videos.video(task_id).open() as file:
        assert isinstance(file, io.BufferedReader)
        assert file.readable()
        assert file.seekable()
        assert not file.writable()
        assert file.read(8)[4:] == b"ftyp"
        assert file.tell() == 8
        assert file.seek(0, io.SEEK_END) == len(whole)
        assert file.read() == b""
        assert file.seek(-100, io.SEEK_END) == len(whole) - 100
        assert file.read() == whole[-100:]
        seed = int(os.environ.get("JUNFEIAI_SEED", "7"))
        print(f"repeat with JUNFEIAI_SEED={seed}")
        choose = random.Random(seed)
        for _ in range(50):
            start, length = choose.randrange(len(whole)), choose.randrange(200_000)
            file.seek(start)
            assert file.read(length) == whole[start : start + length]
        file.seek(0)
        assert file.read() == whole
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


def test_bad_places(client: Client, emulator: Emulator) -> None:
    with client.videos.video(emulator.finished()).open() as file:
        raw: Any = file.raw
        with pytest.raises(ValueError, match="negative"):
            raw.seek(-1)
        with pytest.raises(ValueError, match="whence"):
            raw.seek(0, 7)
        with pytest.raises(junfeiai.InvalidRequestError):
            raw.seek(-1_000_000_000, io.SEEK_END)


def test_errors_come_through(client: Client) -> None:
    with pytest.raises(junfeiai.NotFoundError):
        client.videos.video("task_none").open()


def test_a_read_after_an_error_begins_where_that_one_began(emulator: Emulator) -> None:
    """Bytes that came before the error are not skipped by whoever tries again."""
    client = Client(**emulator.options(max_attempts=1))
    task_id = emulator.finished(video_bytes=3_000_000)
    whole = emulator.file(task_id)
    with client.videos.video(task_id).open() as file:
        raw: Any = file.raw
        assert file.read(10) == whole[:10]
        cut = {"match": {"op": "content"}, "fault": {"kind": "cut_body", "after_bytes": 700_000}, "times": 1}
        emulator.scenario(rules=[cut, {"match": {"op": "content"}, "fault": {"kind": "status", "status": 502, "body": ""}}])
        place = raw.tell()
        with pytest.raises(junfeiai.JunFeiAIError):
            raw.readinto(bytearray(2_900_000))
        emulator.scenario()
        assert raw.tell() == place
        assert file.read() == whole[10:]


def test_ctrl_c_in_a_read(client: Client, emulator: Emulator) -> None:
    file = client.videos.video(emulator.finished(video_bytes=3_000_000)).open()
    emulator.rule("hang")
    before = len(emulator.requests())

    def interrupt() -> None:
        while len(emulator.requests()) == before:
            time.sleep(0.01)
        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        file.seek(2_900_000)
        file.read(10)
    assert time.monotonic() - begun < 20
    emulator.scenario()
    file.seek(4)
    assert file.read(4) == b"ftyp"
    file.close()


def test_asyncio(async_client: AsyncClient, emulator: Emulator) -> None:
    task_id = emulator.finished(video_bytes=1_000_000)
    whole = emulator.file(task_id)

    async def main() -> None:
        video = async_client.videos.video(task_id)
        async with await video.open() as file:
            assert await file.size() == len(whole)
            assert await file.read(10) == whole[:10]
            assert await file.tell() == 10
            assert await file.seek(-5, io.SEEK_END) == len(whole) - 5
            assert await file.read() == whole[-5:]
            await file.seek(0)
            assert await file.read() == whole
        with pytest.raises(ValueError, match="closed"):
            await file.read()

    asyncio.run(main())


def test_a_read_that_is_cancelled_as_its_bytes_come_is_read_again(async_client: AsyncClient, emulator: Emulator) -> None:
    task_id = emulator.finished(video_bytes=300_000)

    async def main() -> None:
        async with async_client.videos.video(task_id).open() as file:
            reading = asyncio.ensure_future(file.read(1000))
            await asyncio.sleep(0)
            # The loop is busy meanwhile, and cancels the read before it sees that it has ended.
            time.sleep(1)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert await file.tell() == 0
            assert await file.read() == emulator.file(task_id)

    asyncio.run(main())


def test_a_cancelled_read_is_read_again(async_client: AsyncClient, emulator: Emulator) -> None:
    """`wait_for` and another try: no byte is skipped."""
    task_id = emulator.finished(video_bytes=3_000_000)
    whole = emulator.file(task_id)

    async def main() -> None:
        async with async_client.videos.video(task_id).open() as file:
            assert await file.read(10) == whole[:10]
            emulator.rule("stall_body", op="content", after_bytes=1_500_000)
            reading = asyncio.ensure_future(file.read(2_900_000))
            # It has read a part when the service has sent it.
            while not any(entry["sent_bytes"] >= 1_500_000 for entry in await asyncio.to_thread(emulator.requests, "/content")):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            emulator.scenario()
            assert await file.tell() == 10
            assert await file.read() == whole[10:]

    asyncio.run(main())
