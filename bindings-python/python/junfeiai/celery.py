"""For Celery: a job that is delivered again continues instead of paying again.

A broker delivers a job more than once: after a worker that died, with ``acks_late``, after a timeout. Only the job itself
can tell, by its key in the client's journal. See ``examples/celery_jobs.py``.
"""

from __future__ import annotations

import os
from typing import Any

from . import Client
from .jobs import interval_in_seconds, step


def run_job(
    task: Any, client: Client, path: str | os.PathLike[str], *, interval: float = 10.0, save: dict[str, Any] | None = None, **request: Any
) -> str:
    """Creates, waits for and saves the video of one job; returns the path of the file.

    Call it in a bound Celery task (``bind=True, max_retries=None``), whose own ``task`` is the first argument. It holds no
    worker while the video is made: it ends the run by ``task.retry`` and looks again ``interval`` seconds later.

    ``client`` needs a ``journal`` that all workers share: a file for the workers of one machine, else the address of a
    database. ``request`` holds the arguments of ``client.videos.create``; ``key`` is the id of the Celery task unless it is
    given, so give one if the job may be sent twice, or if the task is called without a worker, where it has no id. ``save`` holds
    options of ``save``, without the callback.

    Raises ``TypeError`` before anything is paid if ``task`` is no Celery task, ``ValueError`` if its retries are limited, ``TaskFailedError`` if the video failed
    (the charge is returned; ``retry_failed=True`` pays for another one), and ``CreateOutcomeUnknownError`` if a worker died
    between sending the request and writing down its answer: that job is never sent again before ``reconcile`` or
    ``resolve_unknown`` has settled it.
    """
    countdown = interval_in_seconds(interval)
    # It is needed only when the video is paid for.
    if not callable(getattr(task, "retry", None)) or not hasattr(task, "request"):
        raise TypeError(f"argument 'task': expected the bound Celery task, got {type(task).__name__}")
    # Each look at the video is a retry. By default Celery would give the job up after three of them, when it is paid for.
    if (most := getattr(task, "max_retries", None)) is not None:
        raise ValueError(f"this Celery task ends after {most} retries, perhaps before its video is there: define it with max_retries=None")
    key = request.pop("key", None)
    if key is None:
        # A task that was called as a function has no id: all such calls would be one job.
        if task.request.id is None:
            raise ValueError("this Celery task was called without a worker and has no id: call it by delay() or apply_async(), or give key")
        key = f"celery/{task.request.id}"
    if not step(client, path, key=key, save=save, **request):
        raise task.retry(countdown=countdown, max_retries=None)
    return str(path)
