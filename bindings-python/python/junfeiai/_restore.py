"""Unpickling of tasks and videos. A pickle holds an id and the endpoint, never the key.

The key comes from the environment of the process that loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ._errors import JunFeiAIError
from ._native import AsyncClient, AsyncTask, AsyncVideo, Client, Task, Video

T = TypeVar("T")

_clients: dict[str, Client] = {}
_async_clients: dict[str, AsyncClient] = {}


def _client(endpoint: str) -> Client:
    if endpoint not in _clients:
        _clients[endpoint] = Client(endpoint=endpoint)
    return _clients[endpoint]


def _async_client(endpoint: str) -> AsyncClient:
    if endpoint not in _async_clients:
        _async_clients[endpoint] = AsyncClient(endpoint=endpoint)
    return _async_clients[endpoint]


def _of_task(task_id: str, make: Callable[[str], T]) -> T:
    """What `make` gives for a task. An error names the task: where a pool of processes loads the result of a job, nobody else knows it."""
    try:
        return make(task_id)
    except JunFeiAIError as error:
        advice = "set the environment of this process, or send the id and call client.videos.task(id)"
        error.args = (f"task {task_id} cannot be unpickled here: {error.message}; {advice}",)
        error.task_id = task_id
        raise


def task(endpoint: str, task_id: str) -> Task:
    return _of_task(task_id, lambda id: _client(endpoint).videos.task(id))


def video(endpoint: str, task_id: str) -> Video:
    return _of_task(task_id, lambda id: _client(endpoint).videos.video(id))


def video_at(endpoint: str, url: str) -> Video:
    return _client(endpoint).videos.video_at(url)


def async_task(endpoint: str, task_id: str) -> AsyncTask:
    return _of_task(task_id, lambda id: _async_client(endpoint).videos.task(id))


def async_video(endpoint: str, task_id: str) -> AsyncVideo:
    return _of_task(task_id, lambda id: _async_client(endpoint).videos.video(id))


def async_video_at(endpoint: str, url: str) -> AsyncVideo:
    return _async_client(endpoint).videos.video_at(url)
