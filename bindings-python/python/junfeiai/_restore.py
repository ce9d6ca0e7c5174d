"""Unpickling of tasks and videos. A pickle holds an id and the endpoint, never the key.

The key comes from the environment of the process that loads it.
"""

from __future__ import annotations

from ._native import AsyncClient, AsyncTask, AsyncVideo, Client, Task, Video

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


def task(endpoint: str, task_id: str) -> Task:
    return _client(endpoint).videos.task(task_id)


def video(endpoint: str, task_id: str) -> Video:
    return _client(endpoint).videos.video(task_id)


def video_at(endpoint: str, url: str) -> Video:
    return _client(endpoint).videos.video_at(url)


def async_task(endpoint: str, task_id: str) -> AsyncTask:
    return _async_client(endpoint).videos.task(task_id)


def async_video(endpoint: str, task_id: str) -> AsyncVideo:
    return _async_client(endpoint).videos.video(task_id)


def async_video_at(endpoint: str, url: str) -> AsyncVideo:
    return _async_client(endpoint).videos.video_at(url)
