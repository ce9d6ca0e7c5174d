"""Videos behind a web service of your own: one task per Idempotency-Key, whatever happens to the service.

    pip install fastapi uvicorn
    export JUNFEIAI_API_KEY=sk-... JUNFEIAI_JOURNAL=web.journal VIDEO_FOLDER=videos
    uvicorn fastapi_videos:app

    curl localhost:8000/videos -H 'Idempotency-Key: 4711' --json '{"prompt": "A red ball", "seconds": 6}'
    curl localhost:8000/videos/4711
    curl localhost:8000/videos/4711/file -o ball.mp4    # answers Range requests: a <video> element can seek

A client that got no answer sends the same request again, with the same key: nothing is created twice. Waiting and saving
go on in the background, and after a restart from where they stopped. Several worker processes may share the journal.
This example has no users of its own: where there are some, put the user's id in front of the key.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel

from junfeiai import AsyncClient, AsyncTask, FileLockedError, InvalidRequestError, JunFeiAIError, TargetExistsError, TaskFailedError

FOLDER = Path(os.environ.get("VIDEO_FOLDER", "videos"))
log = logging.getLogger("uvicorn.error")


class Order(BaseModel):
    """What is asked for; more fields of ``create`` can be added here."""

    prompt: str
    seconds: float | None = None
    size: str | None = None


class Videos:
    """The client, and the tasks that this process waits for."""

    def __init__(self) -> None:
        interval = os.environ.get("JUNFEIAI_POLL_SECONDS")
        self.client = AsyncClient(journal=os.environ["JUNFEIAI_JOURNAL"], poll_interval=float(interval) if interval else None)
        self.running: dict[str, asyncio.Task[None]] = {}

    def begin(self, task: AsyncTask) -> None:
        """Waits for a task and saves its video in the background, unless this process does already."""
        if task.id not in self.running:
            self.running[task.id] = asyncio.create_task(self.finish(task))

    async def finish(self, task: AsyncTask) -> None:
        try:
            video = await task.wait(timeout=math.inf)
            await video.save(FOLDER / video.file_name, create_parents=True)
        except (FileLockedError, TargetExistsError):
            log.info("%s: another worker process saves it or has saved it", task.id)
        except JunFeiAIError as error:
            # The next request for it tries again, unless the task itself failed, which the journal knows.
            log.warning("%s: %s", task.id, error)
        finally:
            del self.running[task.id]

    async def status(self, key: str) -> dict[str, Any]:
        """What a client is told of its video."""
        record = await self.client.videos.key(key)
        if record is None:
            raise HTTPException(404, "Nothing was created under this key.")
        # The journal names the file before it is there; the file is there only when it is whole.
        ready = record.path is not None and record.path.exists()
        if not ready and record.task_id and record.state != "failed":
            self.begin(self.client.videos.task(record.task_id))
        return {"key": key, "task_id": record.task_id, "state": "ready" if ready else record.state}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    videos: Videos = Videos()
    app.state.videos = videos
    async with videos.client:
        # What an earlier process has paid for and not finished.
        for entry in await videos.client.videos.pending():
            if entry.task_id:
                videos.begin(videos.client.videos.task(entry.task_id))
        yield
        waiting = list(videos.running.values())
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


app = FastAPI(lifespan=lifespan)
Key = Annotated[str, InPath(pattern=r"^[\w.:-]{1,128}$")]


@app.exception_handler(JunFeiAIError)
async def refused(request: Request, error: JunFeiAIError) -> JSONResponse:
    """Errors of the request are the client's, all others are not; sending it again with the same key is safe in any case."""
    status = 422 if isinstance(error, InvalidRequestError) else 502
    return JSONResponse({"kind": error.kind, "detail": str(error), "task_id": error.task_id}, status)


@app.post("/videos", status_code=202)
async def create(order: Order, request: Request, idempotency_key: Annotated[str, Header(pattern=r"^[\w.:-]{1,128}$")]) -> dict[str, Any]:
    """Creates a video, or finds the one that was created under this key."""
    videos: Videos = request.app.state.videos
    # Nothing is paid for that could not be saved.
    videos.client.videos.check_save(FOLDER / "video.mp4", create_parents=True, overwrite=True)
    try:
        videos.begin(await videos.client.videos.create(**order.model_dump(exclude_none=True), key=idempotency_key))
    except TaskFailedError:
        pass  # An earlier request created it, and it failed: the status says so.
    return await videos.status(idempotency_key)


@app.get("/videos/{key}")
async def read(key: Key, request: Request) -> dict[str, Any]:
    videos: Videos = request.app.state.videos
    return await videos.status(key)


@app.get("/videos/{key}/file")
async def file(key: Key, request: Request) -> FileResponse:
    """The MP4 itself. The API key stays here."""
    videos: Videos = request.app.state.videos
    record = await videos.client.videos.key(key)
    if record is None or record.path is None or not record.path.exists():
        raise HTTPException(404, "It is not ready.")
    return FileResponse(record.path, media_type="video/mp4")
