"""The example with real workers, a real broker, and workers that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator
from servers import EXAMPLES, REDIS, redis_server

from junfeiai import Client

pytestmark = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with redis_server() as address:
        yield address


SEND = """
import json, sys
from celery_jobs import app, film
jobs = json.load(sys.stdin)
results = [film.apply_async((job["key"], job["prompt"], job["path"]), dict(seconds=6)) for job in jobs]
ends = []
for result in results:
    try:
        ends.append({"path": result.get(timeout=240)})
    except Exception as error:
        ends.append({"error": type(error).__name__, "text": str(error)})
print(json.dumps(ends))
"""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("place", ["file", "redis"])
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="/proc is needed to find the worker's processes")
def test_jobs_of_workers_that_are_killed_are_paid_for_once(place: str, redis: str, emulator: Emulator, tmp_path: Path) -> None:
    seed = int(os.environ.get("JUNFEIAI_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"repeat with JUNFEIAI_SEED={seed}")
    chance = random.Random(seed)
    number = ["file", "redis"].index(place)
    journal = str(tmp_path / "journal") if place == "file" else f"{redis}/5?journal=jobs"
    environment = {
        **os.environ,
        "PYTHONPATH": str(EXAMPLES),
        "CELERY_BROKER_URL": f"{redis}/{number}",
        "CELERY_RESULT_BACKEND": f"{redis}/{number}",
        "JUNFEIAI_JOURNAL": journal,
        "JUNFEIAI_API_KEY": KEY,
        "JUNFEIAI_BASE_URL": emulator.base_url,
        "JUNFEIAI_POLL_SECONDS": "0.05",
    }
    emulator.scenario(api={"create_latency_ms": 50})
    # Every job is sent twice, as by a caller who did not hear whether the first was taken.
    jobs = [{"key": f"film/{n}", "prompt": f"scene {n}", "path": str(tmp_path / "videos" / f"{n}.mp4")} for n in range(12)]
    command = [sys.executable, "-m", "celery", "-A", "celery_jobs", "worker", "--concurrency", "3", "--loglevel", "WARNING"]
    log = (tmp_path / "worker.log").open("w")
    worker = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    sender = subprocess.Popen(
        [sys.executable, "-c", SEND], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert sender.stdin is not None
    sender.stdin.write(json.dumps(jobs * 2))
    sender.stdin.close()
    kills = 0
    deadline = time.monotonic() + 200
    while sender.poll() is None:
        assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()[-4000:]
        time.sleep(0.05 + chance.random() * 0.2)
        pool = children(worker.pid) if emulator.stats()["posts"] else []
        if pool and kills < 12:
            try:
                os.kill(chance.choice(pool), signal.SIGKILL)
            except ProcessLookupError:
                continue
            kills += 1
    assert sender.stdout is not None
    with sender.stdout:
        ends: list[dict[str, Any]] = json.loads(sender.stdout.read())
    worker.terminate()
    worker.wait(timeout=60)
    log.close()
    with Client(api_key=KEY, base_url=emulator.base_url, journal=journal) as client:
        pending = client.videos.pending()
    unknown = {entry.key for entry in pending if entry.kind == "unknown"}
    stats = emulator.stats()
    print(f"{place}: {len(jobs)} jobs, {len(ends)} deliveries, {kills} kills, {stats['posts']} POSTs, {len(unknown)} unknown")
    assert kills, "nobody was killed"
    assert stats["posts"] <= len(jobs)
    for job, end in zip(jobs * 2, ends):
        if job["key"] in unknown:
            assert end.get("error") == "CreateOutcomeUnknownError", end
        else:
            assert end == {"path": job["path"]}, (end, (tmp_path / "worker.log").read_text()[-4000:])
            assert Path(job["path"]).stat().st_size > 0
