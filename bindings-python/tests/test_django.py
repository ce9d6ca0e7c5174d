"""The example for Django below gunicorn, whose worker processes are forked before or after the client is made, and below ASGI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from conftest import KEY, Emulator
from servers import EXAMPLES, answers, ended, free_port, until

ORDER = {"prompt": "A red ball", "seconds": 6}
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork()")


# The views below ASGI: a module beside the example.
ASGI = '''
import django_videos
from django.core.asgi import get_asgi_application
from django.http import StreamingHttpResponse
from django.urls import path
from junfeiai import AsyncClient

client = AsyncClient()

async def play(request, task_id):
    answer = await client.videos.video(task_id).serve(request.headers.get("Range"))
    return StreamingHttpResponse(answer, status=answer.status, headers=answer.headers)

django_videos.urlpatterns.append(path("play/<str:task_id>", play))
application = get_asgi_application()
'''


@contextmanager
def site(emulator: Emulator, folder: Path, *options: str) -> Iterator[httpx.Client]:
    """The site below gunicorn, with two worker processes of two threads each."""
    server = ["gunicorn", "django_videos:application", "--workers", "2", "--threads", "2", "--graceful-timeout", "5", *options, "--bind"]
    with served(emulator, folder, lambda port: [*server, f"127.0.0.1:{port}"]) as http:
        yield http


@contextmanager
def served(emulator: Emulator, folder: Path, server: Callable[[int], list[str]]) -> Iterator[httpx.Client]:
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(folder), os.environ.get("PYTHONPATH", "")]),
        "JUNFEIAI_JOURNAL": str(folder / "journal"),
        "JUNFEIAI_API_KEY": KEY,
        "JUNFEIAI_BASE_URL": emulator.base_url,
    }
    command = [sys.executable, "-m", *server(port), "--log-level", "warning"]
    with ended(subprocess.Popen(command, env=environment, cwd=folder)) as process:
        until("the site starts", lambda: answers(port) or process.poll() is not None)
        # Each request may go to another worker: none is kept open.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits) as http:
            yield http


def post(http: httpx.Client, key: str, **changes: object) -> httpx.Response:
    return http.post("/videos", json={**ORDER, **changes}, headers={"Idempotency-Key": key})


@pytest.mark.parametrize("options", [["--preload"], []], ids=["the client is made before the fork", "the client is made after the fork"])
def test_one_key_creates_once_in_all_workers(options: list[str], emulator: Emulator, tmp_path: Path) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    with site(emulator, tmp_path, *options) as http:
        workers: set[int] = set()

        def one(number: int) -> tuple[str, str]:
            answer = post(http, f"scene-{number % 3}")
            assert answer.status_code == 202, answer.text
            task_id: str = answer.json()["task_id"]
            state = http.get(f"/videos/{task_id}").json()
            workers.update((answer.json()["worker"], state["worker"]))
            return f"scene-{number % 3}", task_id

        def both_worked() -> set[tuple[str, str]] | None:
            with ThreadPoolExecutor(8) as pool:
                found = set(pool.map(one, range(24)))
            return found if len(workers) == 2 else None

        # Which worker takes a connection is the system's choice.
        found = until("both workers answer", both_worked)
    assert len(found) == 3 and len({task_id for _, task_id in found}) == 3
    assert emulator.stats()["posts"] == 3
    assert KEY not in (tmp_path / "journal").read_text()


def test_a_player_gets_its_ranges(emulator: Emulator, tmp_path: Path) -> None:
    task_id = emulator.finished()
    expected = emulator.file(task_id)
    with site(emulator, tmp_path, "--preload") as http:
        whole = http.get(f"/videos/{task_id}/file")
        assert (whole.status_code, whole.content) == (200, expected) and whole.headers["content-type"] == "video/mp4"
        part = http.get(f"/videos/{task_id}/file", headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert part.headers["content-range"] == f"bytes 4-7/{len(expected)}"
        behind = http.get(f"/videos/{task_id}/file", headers={"Range": f"bytes={len(expected)}-"})
        assert behind.status_code == 416
        # A player that turns away in the middle holds no worker.
        for _ in range(8):
            with http.stream("GET", f"/videos/{task_id}/file") as stream:
                assert next(stream.iter_raw())
        assert http.get(f"/videos/{task_id}").json()["status"] == "succeeded"


def test_a_player_below_asgi(emulator: Emulator, tmp_path: Path) -> None:
    task_id = emulator.finished()
    expected = emulator.file(task_id)
    (tmp_path / "site_asgi.py").write_text(ASGI)
    with served(emulator, tmp_path, lambda port: ["uvicorn", "site_asgi:application", "--port", str(port), "--lifespan", "off"]) as http:
        whole = http.get(f"/play/{task_id}")
        assert (whole.status_code, whole.content) == (200, expected) and whole.headers["content-type"] == "video/mp4"
        part = http.get(f"/play/{task_id}", headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        # The blocking client of the other views works beside it.
        assert http.get(f"/videos/{task_id}").json()["status"] == "succeeded"


def test_answers_to_wrong_requests(emulator: Emulator, tmp_path: Path) -> None:
    with site(emulator, tmp_path) as http:
        assert http.post("/videos", json=ORDER).status_code == 422
        refused = post(http, "long", seconds=99)
        assert (refused.status_code, refused.json()["kind"]) == (422, "invalid_request")
        unknown = http.get("/videos/task_nobody")
        assert (unknown.status_code, unknown.json()["kind"]) == (404, "not_found")
        assert http.get("/videos").status_code == 405
        early = http.get(f"/videos/{emulator.running()}/file")
        assert (early.status_code, early.json()["kind"]) == (409, "not_ready")
        assert KEY not in refused.text + unknown.text + early.text
    assert emulator.stats()["posts"] == 0
