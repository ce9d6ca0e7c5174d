"""Videos from Dask: each job is paid for once, and all worker processes share one rate.

    pip install "dask[distributed]"
    export JUNFEIAI_API_KEY=sk-... JUNFEIAI_JOURNAL=redis://localhost:6379/1
    python dask_jobs.py "A red ball" "A blue ball"       # or with DASK_SCHEDULER=tcp://host:8786

Dask runs a job again when its worker dies or is lost, and may run it twice at once. The job's key makes that harmless.
"""

from __future__ import annotations

import argparse
import functools
import os
from typing import Any

import dask
from distributed import Client as Cluster
from distributed import Future, LocalCluster, secede

import junfeiai
from junfeiai.jobs import run

# A worker that dies takes all its jobs with it: by default Dask gives a job up that was on three such workers.
dask.config.set({"distributed.scheduler.allowed-failures": 10})


@functools.cache
def client() -> junfeiai.Client:
    """One for each worker process. Those whose journal is the same database share one request rate, on all machines."""
    rate, interval = os.environ.get("JUNFEIAI_REQUEST_RATE"), os.environ.get("JUNFEIAI_POLL_SECONDS")
    return junfeiai.Client(
        journal=os.environ["JUNFEIAI_JOURNAL"],
        request_rate=float(rate) if rate else None,
        poll_interval=float(interval) if interval else None,
    )


def film(key: str, path: str, request: dict[str, Any]) -> str:
    """Makes one video and returns where it is."""
    secede()  # It only waits: its slot is for jobs that compute.
    return str(run(client(), path, key=key, **request))


def submit(cluster: Cluster, jobs: list[tuple[str, str, dict[str, Any]]]) -> list[Future]:
    """All these jobs at once. Dask's name of a job is made of its key, so the same one is not even submitted twice."""
    return [cluster.submit(film, *job, key=f"film-{job[0]}") for job in jobs]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes a video of each prompt.")
    parser.add_argument("prompts", nargs="+", metavar="PROMPT")
    prompts = parser.parse_args().prompts
    scheduler = os.environ.get("DASK_SCHEDULER")
    with Cluster(scheduler or LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=None)) as cluster:
        listed = [(f"dask/{text}", f"videos/{number}.mp4", {"prompt": text, "seconds": 6}) for number, text in enumerate(prompts)]
        print(*cluster.gather(submit(cluster, listed)), sep="\n")
