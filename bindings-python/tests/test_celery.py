"""The example with real workers, a real broker, and workers that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, REPORT, Emulator
from servers import EXAMPLES, POSTGRES, REDIS, ended, postgres_server, redis_server

from junfeiai import Client

pytestmark = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")

# Jobs, and workers that are killed. The numbers decide nothing: with more of them more can go wrong.
JOBS, KILLS = (100, 60) if os.environ.get("JUNFEIAI_ALL") else (8, 8)


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with redis_server() as address:
        yield address


@pytest.fixture
def journal(request: pytest.FixtureRequest, redis: str, tmp_path: Path) -> Iterator[str]:
    match request.param:
        case "file":
            yield str(tmp_path / "journal")
        case "redis":
            yield f"{redis}/5?journal=jobs"
        case _:
            if not POSTGRES:
                pytest.skip("PostgreSQL is not installed")
            with postgres_server() as address:
                yield f"{address}?journal=jobs"


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

# The example, with a line for each run of a job.
COUNTED = """
import os
from celery.signals import task_prerun
from celery_jobs import app

@task_prerun.connect
def begun(task, **_):
    line = "again" if (task.request.delivery_info or {}).get("redelivered") else "first"
    file = os.open("runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\\n".encode())
    os.close(file)
"""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("journal", ["file", "postgresql", "redis"], indirect=True)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="/proc is needed to find the worker's processes")
def test_jobs_of_workers_that_are_killed_are_paid_for_once(journal: str, redis: str, emulator: Emulator, tmp_path: Path) -> None:
    seed = int(os.environ.get("JUNFEIAI_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"repeat with JUNFEIAI_SEED={seed}")
    chance = random.Random(seed)
    place = journal.partition("://")[0] if "://" in journal else "file"
    number = ["file", "postgresql", "redis"].index(place)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(tmp_path)]),
        "CELERY_BROKER_URL": f"{redis}/{number}",
        "CELERY_RESULT_BACKEND": f"{redis}/{number}",
        "JUNFEIAI_JOURNAL": journal,
        "JUNFEIAI_API_KEY": KEY,
        "JUNFEIAI_BASE_URL": emulator.base_url,
        "JUNFEIAI_POLL_SECONDS": "0.05",
    }
    emulator.scenario(api={"create_latency_ms": 50})
    (tmp_path / "counted.py").write_text(COUNTED)
    # Every job is sent twice, as by a caller who did not hear whether the first was taken.
    jobs = [{"key": f"film/{n}", "prompt": f"scene {n}", "path": str(tmp_path / "videos" / f"{n}.mp4")} for n in range(JOBS)]
    command = [sys.executable, "-m", "celery", "-A", "counted", "worker", "--concurrency", "3", "--loglevel", "WARNING"]
    kills = 0
    deadline = time.monotonic() + 200 + 4 * JOBS
    log = (tmp_path / "worker.log").open("w")
    with log, ended(subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)) as worker:
        sender = subprocess.Popen(
            [sys.executable, "-c", SEND], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert sender.stdin is not None and sender.stdout is not None
        sender.stdin.write(json.dumps(jobs * 2))
        sender.stdin.close()
        while sender.poll() is None:
            assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()[-4000:]
            time.sleep(0.05 + chance.random() * 0.2)
            pool = children(worker.pid) if emulator.stats()["posts"] else []
            if pool and kills < KILLS:
                try:
                    os.kill(chance.choice(pool), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                kills += 1
        with sender.stdout:
            ends: list[dict[str, Any]] = json.loads(sender.stdout.read())
    with Client(api_key=KEY, base_url=emulator.base_url, journal=journal) as client:
        unknown = {entry.key for entry in client.videos.pending() if entry.kind == "unknown"}
        records = {job["key"]: client.videos.key(job["key"]) for job in jobs}
    files = 0
    for job in jobs:
        record = records[job["key"]]
        assert record is not None and record.state == ("unknown" if job["key"] in unknown else "saved"), record
        if record.task_id:
            assert Path(job["path"]).read_bytes() == emulator.file(record.task_id)
            files += 1
    posts = Counter(request["body_json"]["prompt"] for request in emulator.requests() if request["method"] == "POST")
    runs = Counter((tmp_path / "runs").read_text().split())
    if not any("redeliveries" in line for line in REPORT):
        REPORT.append("Celery      jobs  sent  runs  kills  redeliveries  POSTs  unknown  files")
    counts = f"{JOBS:5} {len(ends):5} {runs.total():5} {kills:6} {runs['again']:13} {posts.total():6} {len(unknown):8} {files:6}"
    REPORT.append(f"{place:11} {counts}")
    print(*REPORT, sep="\n")
    assert kills, "nobody was killed"
    assert set(posts.values()) == {1} and posts.total() == emulator.stats()["posts"] <= JOBS
    # A worker that died before its request was sent leaves an unknown outcome, too: nobody can tell.
    assert posts.total() >= files == JOBS - len(unknown)
    for job, end in zip(jobs * 2, ends):
        if job["key"] in unknown:
            assert end.get("error") == "CreateOutcomeUnknownError", end
        else:
            assert end == {"path": job["path"]}, (end, (tmp_path / "worker.log").read_text()[-4000:])
