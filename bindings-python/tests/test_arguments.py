"""Bad input: a TypeError that names the argument, for every argument of every method."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient, Client

GOOD: dict[str, Any] = {
    "path": "x.mp4",
    "task_id": "task_1",
    "url": "http://127.0.0.1:9/x.mp4",
    "start": 0,
    "end": 1,
    "task_ids": ["task_1"],
    "requests": ["x"],
    "intent": "i",
    "key": "film/1",
    "folder": ".",
    "state": {},
}


def owners(client: Any) -> list[Any]:
    videos = client.videos
    return [type(client), client, videos, videos.task("task_1"), videos.video("task_1")]


def cases() -> list[Any]:
    found = []
    for client in (Client(api_key="sk-1"), AsyncClient(api_key="sk-1")):
        for owner in owners(client):
            names = ["new"] if isinstance(owner, type) else [name for name in dir(type(owner)) if name[0] != "_"]
            for name in names:
                call = owner if name == "new" else getattr(owner, name)
                if not callable(call):
                    continue
                parameters = inspect.signature(call).parameters
                title = f"{(owner if name == 'new' else type(owner)).__name__}.{name}"
                found.append(pytest.param(call, None, id=f"{title}(unknown)"))
                found += [pytest.param(call, p, id=f"{title}({p})") for p in parameters]
    return found


@pytest.mark.parametrize(("call", "parameter"), cases())
def test_wrong_type(call: Any, parameter: str | None) -> None:
    parameters = inspect.signature(call).parameters
    arguments = {name: GOOD[name] for name, p in parameters.items() if p.default is p.empty}
    wrong = {"nobody_knows_this": 1} if parameter is None else {parameter: object()}
    name = next(iter(wrong))
    with pytest.raises(TypeError, match=f"'{name}'" if parameter else "unexpected keyword|takes no"):
        call(**{**arguments, **wrong})


@pytest.mark.parametrize(
    "options",
    [{"timeout": -1}, {"timeout": float("nan")}, {"base_url": "https://doc.junfeiai.com/v1"}, {"proxy": "no url"}],
)
def test_options_that_cannot_be_used(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="(?i)" + next(iter(options)).replace("_", ".")):
        Client(api_key="sk-1", **options)


def test_values_that_cannot_be_used(client: Client, emulator: Emulator) -> None:
    video = client.videos.video(emulator.finished())
    with pytest.raises(junfeiai.InvalidRequestError, match="connections"):
        video.save("x.mp4", connections=99)
    with pytest.raises(OverflowError, match="start"):
        video.read_range(-1, 5)
    with pytest.raises(junfeiai.InvalidRequestError, match="empty"):
        video.read_range(5, 5)
    with pytest.raises(junfeiai.InvalidRequestError, match="task id"):
        client.videos.task("")
    with pytest.raises(junfeiai.InvalidRequestError, match="seconds"):
        client.videos.create("x", seconds=-5)
    with pytest.raises(ValueError, match="validate"):
        client.videos.create("x", validate="perhaps")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'extra'"):
        client.videos.create("x", extra={"a": {1, 2}})
    with pytest.raises(TypeError, match="'seconds'"):
        client.videos.create("x", seconds=True)
    assert not emulator.requests("/video/generations")
