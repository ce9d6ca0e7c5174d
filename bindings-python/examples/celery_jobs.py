"""Videos from Celery: each job is paid for once, however often it is delivered.

    pip install "celery[redis]"
    export JUNFEIAI_API_KEY=sk-...
    export CELERY_BROKER_URL=redis://localhost:6379/0 JUNFEIAI_JOURNAL=redis://localhost:6379/1
    celery -A celery_jobs worker

    python -c "from celery_jobs import film; film.delay('film-4711/scene-3', 'A red ball', 'videos/scene-3.mp4', seconds=6)"
"""

from __future__ import annotations

import functools
import os
from typing import Any

from celery import Celery, Task

from junfeiai import Client
from junfeiai.celery import run_job

app = Celery("films", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ.get("CELERY_RESULT_BACKEND"))
# A job leaves the queue when it is done, and comes back when its worker dies.
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)


@functools.cache
def client() -> Client:
    """One for each worker process: limits and connections are shared by its jobs."""
    return Client(journal=os.environ["JUNFEIAI_JOURNAL"])


@app.task(bind=True, max_retries=None)
def film(self: Task, key: str, prompt: str, path: str, **request: Any) -> str:
    """Makes one video and returns where it is."""
    interval = float(os.environ.get("JUNFEIAI_POLL_SECONDS", "10"))
    return run_job(self, client(), path, interval=interval, prompt=prompt, key=key, **request)
