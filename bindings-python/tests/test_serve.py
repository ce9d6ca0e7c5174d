"""`Video.serve`: what a route of a web framework hands on to a player."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from conftest import Emulator
from fastapi import FastAPI, Header
from fastapi.responses import StreamingResponse

from junfeiai import AsyncClient, AsyncVideo, Client, NotFoundError, RangeResponse, Video


@pytest.fixture
def video(client: Client, emulator: Emulator) -> Video:
    return client.videos.video(emulator.finished())


CASES: list[tuple[str | None, int, Callable[[bytes], bytes]]] = [
    (None, 200, lambda file: file),
    ("bytes=0-1", 206, lambda file: file[:2]),
    ("bytes=4-", 206, lambda file: file[4:]),
    ("bytes=-3", 206, lambda file: file[-3:]),
    ("bytes=99999999999-", 416, lambda file: b""),
    # What is no range is passed over, as HTTP wants it.
    ("lines=1-2", 200, lambda file: file),
]


@pytest.mark.parametrize(("header", "status", "part"), CASES)
def test_an_answer_is_exact_to_the_byte(video: Video, header: str | None, status: int, part: Callable[[bytes], bytes]) -> None:
    file = video.read()
    for total in (None, len(file)):
        answer = video.serve(header, total=total)
        assert isinstance(answer, RangeResponse)
        assert (answer.status, answer.total) == (status, len(file))
        assert b"".join(answer) == part(file)
        assert answer.headers["Content-Length"] == str(len(part(file)))
        if status == 206:
            start = file.index(part(file)) if header != "bytes=-3" else len(file) - 3
            assert answer.headers["Content-Range"] == f"bytes {start}-{start + len(part(file)) - 1}/{len(file)}"
        if status != 416:
            assert answer.headers["Content-Type"] == "video/mp4"
            assert answer.headers["Cache-Control"] == "private, no-store"


def test_errors_come_before_the_answer(client: Client, video: Video) -> None:
    with pytest.raises(NotFoundError):
        client.videos.video_at(f"{client.base_url}/videos/task_unknown/content").serve()
    bad: Any
    for bad in (b"bytes=0-1", 1, ["bytes=0-1"]):
        with pytest.raises(TypeError, match="range_header"):
            video.serve(bad)
    for bad in ("1", 1.5, True):
        with pytest.raises(TypeError, match="total"):
            video.serve(total=bad)
    with pytest.raises(OverflowError):
        video.serve(total=-1)


def test_a_broken_connection_is_resumed_within_the_answer(video: Video, emulator: Emulator) -> None:
    file = video.read()
    emulator.rule("cut_body", op="content", times=1, after_bytes=100_000)
    assert b"".join(video.serve("bytes=10-")) == file[10:]
    assert len(emulator.requests("/content")) == 2


def test_leaving_early_ends_the_transfer(emulator: Emulator) -> None:
    # Slow enough not to end by itself before we stop looking: the file would take minutes.
    emulator.scenario(content={"rate_bytes_per_s": 256 << 10})
    answer = Client(**emulator.options()).videos.video(emulator.finished(64 << 20)).serve()
    for piece in answer:
        assert piece
        break

    def sent() -> int:
        [request] = emulator.requests("/content")
        return int(request["sent_bytes"])

    del answer
    # Not the number of connections: another program of this machine may ask at this port. A transfer that goes on is told by
    # its bytes, of which the kernel takes more than these without a reader.
    at_first = before = sent()
    time.sleep(1)
    while (after := sent()) > before:
        assert after - at_first < 1 << 20, "the service still sends"
        before = after
        time.sleep(1)


def test_a_route_of_fastapi(emulator: Emulator) -> None:
    app = FastAPI()
    client = AsyncClient(**emulator.options())

    @app.get("/videos/{task_id}")
    async def play(task_id: str, range: Annotated[str | None, Header()] = None) -> StreamingResponse:  # noqa: A002
        answer = await client.videos.video(task_id).serve(range)
        return StreamingResponse(answer, answer.status, answer.headers)

    task_id = emulator.finished()
    file = emulator.file(task_id)

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as page:
            assert (await page.get(f"/videos/{task_id}")).content == file
            part = await page.get(f"/videos/{task_id}", headers={"Range": "bytes=100-199"})
            assert (part.status_code, part.content) == (206, file[100:200])
            assert part.headers["content-range"] == f"bytes 100-199/{len(file)}"
            behind = await page.get(f"/videos/{task_id}", headers={"Range": f"bytes={len(file)}-"})
            assert (behind.status_code, behind.content) == (416, b"")

    asyncio.run(main())


def test_async_videos_are_opened_awaited_and_closed(emulator: Emulator) -> None:
    task_id = emulator.finished()

    async def main() -> None:
        client = AsyncClient(**emulator.options())
        video = client.videos.video(task_id)
        assert isinstance(video, AsyncVideo)
        async with video.open() as file:
            head = await file.read(8)
        with pytest.raises(ValueError, match="closed"):
            await file.read(1)
        # As before: awaited, made a task of, entered after that.
        file = await video.open()
        await file.aclose()
        file = await asyncio.create_task(video.open())
        assert await file.read(8) == head
        await file.close()
        async with await video.open() as file:
            assert await file.read(8) == head
        answer = await video.serve("bytes=0-7")
        assert b"".join([piece async for piece in answer]) == head
        assert repr(answer) == "AsyncRangeResponse(status=206)"
        await client.close()
        await client.close()
        await client.aclose()
        assert client.closed
        # Not awaited: no warning.
        AsyncClient(**emulator.options()).close()

    asyncio.run(main())
