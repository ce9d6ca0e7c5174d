"""The example for Dask: its worker processes share one rate, some are killed, and every job is paid for once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator
from servers import EXAMPLES, REDIS, ended, redis_server, until

from junfeiai import Client

pytestmark = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")

# With JUNFEIAI_ALL more processes, and the rate that clients of the real service have.
JOBS, RATE, WORKERS = (12, 2.0, 8) if os.environ.get("JUNFEIAI_ALL") else (10, 8.0, 3)

# As a file, since the processes of the cluster import it.
MAIN = """
import json, os, sys
from distributed import Client, LocalCluster
from dask_jobs import submit

if __name__ == "__main__":
    workers = int(sys.argv[1])
    with Client(LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)) as cluster:
        print(json.dumps(list(cluster.run(os.getpid).values())), flush=True)
        jobs = [(job["key"], job["path"], {"prompt": job["prompt"], "seconds": 6}) for job in json.loads(sys.stdin.readline())]
        ends = []
        for future in submit(cluster, jobs * 2):
            error = future.exception(timeout=240)
            ends.append({"path": future.result()} if error is None else {"error": type(error).__name__, "text": str(error)})
        print(json.dumps(ends), flush=True)
"""


def marked(emulator: Emulator) -> int:
    """A request of ours, for the time that the emulator gives it."""
    request = urllib.request.Request(f"{emulator.base_url}/models", headers={"Authorization": f"Bearer {KEY}"})
    urllib.request.urlopen(request, timeout=60).close()
    at: int = emulator.requests("/models")[-1]["at_ms"]
    return at


def test_worker_processes_share_one_rate_and_pay_once(emulator: Emulator, tmp_path: Path) -> None:
    emulator.scenario(task={"ends_after_polls": 3})
    jobs = [{"key": f"film/{n}", "prompt": f"scene {n}", "path": str(tmp_path / "videos" / f"{n}.mp4")} for n in range(JOBS)]
    (tmp_path / "films.py").write_text(MAIN)
    with redis_server() as redis:
        journal = f"{redis}/1?journal=films"
        environment = {
            **os.environ,
            "PYTHONPATH": str(EXAMPLES),
            "JUNFEIAI_JOURNAL": journal,
            "JUNFEIAI_API_KEY": KEY,
            "JUNFEIAI_BASE_URL": emulator.base_url,
            "JUNFEIAI_POLL_SECONDS": "0.05",
            "JUNFEIAI_REQUEST_RATE": str(RATE),
            "DASK_DISTRIBUTED__WORKER__DAEMON": "True",
        }
        command = [sys.executable, "films.py", str(WORKERS)]
        log = (tmp_path / "log").open("w")
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=log, text=True)
        with log, ended(process):
            assert process.stdin is not None and process.stdout is not None
            workers: list[int] = json.loads(process.stdout.readline() or "[]")
            assert len(set(workers)) == WORKERS, (tmp_path / "log").read_text()[-4000:]
            begun = marked(emulator)
            process.stdin.write(json.dumps(jobs) + "\n")
            process.stdin.flush()
            until("some are paid for", lambda: emulator.stats()["posts"] >= 4)
            for worker in workers[:2]:
                os.kill(worker, signal.SIGKILL)
            ends: list[dict[str, Any]] = json.loads(process.stdout.readline() or "[]")
            process.communicate(timeout=120)
        with Client(api_key=KEY, base_url=emulator.base_url, journal=journal) as client:
            unknown = {entry.key for entry in client.videos.pending() if entry.kind == "unknown"}
    assert len(ends) == 2 * JOBS, (tmp_path / "log").read_text()[-4000:]
    for job, end in zip(jobs * 2, ends):
        assert end == {"path": job["path"]} or job["key"] in unknown and end.get("error") == "CreateOutcomeUnknownError", end
    posts = emulator.stats()["posts"]
    assert JOBS - len(unknown) <= posts <= JOBS
    # Files are not limited; all else is, whichever process sends it. Nothing makes a request arrive too early.
    times = [request["at_ms"] - begun for request in emulator.requests("/video/generations")]
    print(f"Dask: {len(times)} requests of {WORKERS} processes in {times[-1] / 1000:.1f} s, {1000 * len(times) / times[-1]:.2f}/s of {RATE}/s")
    assert len(times) >= 4 * (JOBS - len(unknown))
    for number, at in enumerate(times):
        assert number <= 1.1 * RATE * at / 1000 + 2, (number, at, times)
