"""The example for FastAPI as a service of its own, which is killed in the middle and started again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import KEY, Emulator
from servers import EXAMPLES, answers, ended, free_port, until

ORDER = {"prompt": "A red ball", "seconds": 6}


class Service:
    """The web service as a process, and a client of it."""

    def __init__(self, process: subprocess.Popen[Any], origin: str) -> None:
        self.process = process
        self.http = httpx.Client(base_url=origin, timeout=60)

    def post(self, key: str | None, **changes: Any) -> httpx.Response:
        return self.http.post("/videos", json={**ORDER, **changes}, headers={} if key is None else {"Idempotency-Key": key})

    def state(self, key: str) -> str:
        answer = self.http.get(f"/videos/{key}")
        assert answer.status_code == 200, answer.text
        state: str = answer.json()["state"]
        return state

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def service(emulator: Emulator, folder: Path, *options: str) -> Iterator[Service]:
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(EXAMPLES),
        "JUNFEIAI_JOURNAL": str(folder / "journal"),
        "JUNFEIAI_API_KEY": KEY,
        "JUNFEIAI_BASE_URL": emulator.base_url,
        "JUNFEIAI_POLL_SECONDS": "0.05",
        "VIDEO_FOLDER": str(folder / "videos"),
    }
    command = [sys.executable, "-m", "uvicorn", "fastapi_videos:app", "--port", str(port), "--log-level", "warning", *options]
    with ended(subprocess.Popen(command, env=environment, cwd=folder)) as process:
        until("the web service starts", lambda: answers(port) or process.poll() is not None)
        one = Service(process, f"http://127.0.0.1:{port}")
        with one.http:
            yield one


def test_a_key_of_the_client_makes_one_video_across_a_restart(emulator: Emulator, tmp_path: Path) -> None:
    # No byte of a video comes before the service was killed.
    emulator.scenario(content={"latency_ms": 600_000})
    with service(emulator, tmp_path) as web:
        first = web.post("scene-1")
        assert first.status_code == 202 and first.json()["state"] != "ready"
        assert web.post("scene-1").json()["task_id"] == first.json()["task_id"]
        until("it asks for the video", lambda: emulator.requests("/content"))
        assert web.http.get("/videos/scene-1/file").status_code == 404
        web.kill()
    emulator.scenario()
    with service(emulator, tmp_path) as web:
        # Nobody asks for it: what was paid for is finished because the journal has it.
        until("the video is saved", lambda: list((tmp_path / "videos").glob("*.mp4")))
        assert web.state("scene-1") == "ready"
        again = web.post("scene-1")
        assert (again.status_code, again.json()["task_id"], again.json()["state"]) == (202, first.json()["task_id"], "ready")
        whole = web.http.get("/videos/scene-1/file")
        assert whole.content == emulator.file(first.json()["task_id"]) and whole.headers["content-type"] == "video/mp4"
        part = web.http.get("/videos/scene-1/file", headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
    assert emulator.stats()["posts"] == 1


def test_a_service_that_is_killed_while_it_creates_does_not_create_again(emulator: Emulator, tmp_path: Path) -> None:
    emulator.scenario(api={"create_latency_ms": 600_000})
    with service(emulator, tmp_path) as web:
        with pytest.raises(httpx.TimeoutException):
            web.http.post("/videos", json=ORDER, headers={"Idempotency-Key": "lost"}, timeout=0.5)
        until("the request is sent", lambda: emulator.stats()["posts"])
        web.kill()
    emulator.scenario()
    with service(emulator, tmp_path) as web:
        for _ in range(2):
            answer = web.post("lost")
            assert (answer.status_code, answer.json()["kind"]) == (502, "create_outcome_unknown"), answer.text
        assert web.state("lost") == "unknown"
        assert web.post("another").status_code == 202
    assert emulator.stats()["posts"] == 2


def test_answers_to_wrong_requests_and_failed_videos(emulator: Emulator, tmp_path: Path) -> None:
    with service(emulator, tmp_path) as web:
        assert web.post(None).status_code == 422
        assert web.post("a/b").status_code == 422
        refused = web.post("long", seconds=99)
        assert (refused.status_code, refused.json()["kind"]) == (422, "invalid_request")
        assert web.http.get("/videos/long").status_code == 404
        assert emulator.stats()["posts"] == 0
        assert web.post("taken").status_code == 202
        other = web.post("taken", seconds=8)
        assert (other.status_code, other.json()["kind"]) == (422, "idempotency_conflict")
        assert web.post("fails", prompt="[fail] a ball").status_code == 202
        until("it fails", lambda: web.state("fails") == "failed")
        assert web.post("fails", prompt="[fail] a ball").json()["state"] == "failed"
        until("the other one is ready", lambda: web.state("taken") == "ready")
    assert emulator.stats()["posts"] == 2
    assert KEY not in (tmp_path / "journal").read_text()


def test_what_cannot_be_saved_is_not_paid_for(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "videos").write_text("a file in the place of the folder")
    with service(emulator, tmp_path) as web:
        refused = web.post("scene-1")
        assert (refused.status_code, refused.json()["kind"]) == (502, "io"), refused.text
    assert emulator.stats()["posts"] == 0


def test_one_key_creates_once_in_two_worker_processes(emulator: Emulator, tmp_path: Path) -> None:
    with service(emulator, tmp_path, "--workers", "2") as web:
        # The supervisor listens before its workers do.
        until("a worker answers", lambda: web.http.get("/videos/nobody").status_code == 404)

        def one(number: int) -> tuple[str, str]:
            # A connection of its own for each: the system hands them to either worker.
            with httpx.Client(base_url=web.http.base_url, timeout=60) as http:
                key = f"scene-{number % 3}"
                answer = http.post("/videos", json=ORDER, headers={"Idempotency-Key": key})
                assert answer.status_code == 202, answer.text
                return key, answer.json()["task_id"]

        def is_ready(key: str) -> bool:
            return web.state(key) == "ready"

        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(one, range(24)))
        assert len(found) == 3 and len({task_id for _, task_id in found}) == 3
        for key, task_id in found:
            until(f"{key} is ready", partial(is_ready, key))
            assert web.http.get(f"/videos/{key}/file").content == emulator.file(task_id)
    assert emulator.stats()["posts"] == 3
