"""Videos from Airflow 3 (and 2.10): an operator that holds no worker while the video is made.

    pip install apache-airflow
    export JUNFEIAI_API_KEY=sk-... JUNFEIAI_JOURNAL=postgresql://user:password@host/db?journal=films

Put this file where workers and the triggerer import modules from (PYTHONPATH or the plugins folder), and in a DAG:

    from airflow_videos import VideoOperator

    VideoOperator(task_id="film", prompt="The weather of {{ ds }}", path="/videos/{{ ds }}.mp4", request={"seconds": 6}, retries=3)

A worker creates the video and ends; the triggerer waits for it, with thousands of others in one process; a worker saves it.
Retries, cleared tasks, and workers and triggerers that die create nothing again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

try:
    from airflow.sdk import BaseOperator
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:  # Airflow 2
    from airflow.exceptions import AirflowException, AirflowFailException
    from airflow.models import BaseOperator

from junfeiai import AsyncClient, Client, IdempotencyConflictError, JunFeiAIError, TaskFailedError
from junfeiai.jobs import step


def options() -> dict[str, Any]:
    """Options of the clients; the API key comes from the environment and is in no table of Airflow."""
    interval = os.environ.get("JUNFEIAI_POLL_SECONDS")
    return {"poll_interval": float(interval)} if interval else {}


class VideoTrigger(BaseTrigger):
    """Waits for a task in the triggerer. Its state is a small dict with the deadline in it, which survives a restart."""

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__()
        self.state = state

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "airflow_videos.VideoTrigger", {"state": self.state}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            async with AsyncClient(**options()) as client:
                while (taken := await client.videos.advance(self.state)).state is not None:
                    self.state = taken.state
                    await asyncio.sleep(taken.retry_after or 0)
        except JunFeiAIError as error:
            yield TriggerEvent({"error": f"{error.kind}: {error}", "final": isinstance(error, TaskFailedError)})
        else:
            yield TriggerEvent({"task_id": self.state["task_id"]})


class VideoOperator(BaseOperator):
    """Makes one video and returns its path. ``key`` is the run and the task unless it is given: a retry has the same one.

    ``timeout`` is that of the wait, in seconds. ``request`` holds the other arguments of ``client.videos.create``.
    """

    template_fields = ("prompt", "path", "key")

    def __init__(
        self,
        *,
        prompt: str,
        path: str,
        key: str | None = None,
        timeout: float = 3600,
        request: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.prompt, self.path, self.key, self.timeout = prompt, path, key, timeout
        self.request = request or {}

    def execute(self, context: Any) -> str:
        instance = context["ti"]
        # One that was rendered as nothing is refused below: with a key of its own every run would pay.
        own = f"airflow/{instance.dag_id}/{instance.run_id}/{instance.task_id}/{instance.map_index}"
        key = own if self.key is None else self.key
        job = {**self.request, "prompt": self.prompt, "key": key}
        try:
            with Client(journal=os.environ["JUNFEIAI_JOURNAL"], **options()) as client:
                if step(client, self.path, **job):
                    return self.path
                state = client.videos.create(**job).wait_state(timeout=self.timeout)
        except (TaskFailedError, IdempotencyConflictError) as error:
            # Airflow's retries would only find the same again.
            raise AirflowFailException(str(error)) from error
        self.defer(trigger=VideoTrigger(state), method_name="resume")

    def resume(self, context: Any, event: dict[str, Any]) -> str:
        """Called in a worker when the wait has ended."""
        if event.get("error"):
            raise (AirflowFailException if event["final"] else AirflowException)(event["error"])
        return self.execute(context)
