"""Headers of the caller's own, the name in the User-Agent, and timeouts of single calls."""

from __future__ import annotations

import asyncio
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient, Client
from junfeiai.testing import FakeAsyncClient, FakeClient

SECRET = "s3cret-value"


def test_headers_and_user_agent_go_with_every_request(emulator: Emulator) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    client = Client(**emulator.options(headers={"X-Tenant": "blue", "Cookie": "a=1"}, user_agent="my-app/1.2"))
    task = client.videos.create("a red ball")
    client.videos.get(task.id)
    assert task.wait().read()
    requests = emulator.requests()
    assert len(requests) >= 4
    for request in requests:
        headers = request["headers"]
        assert (headers["x-tenant"], headers["cookie"]) == ("blue", "a=1")
        assert headers["user-agent"] == f"junfeiai/{junfeiai.__version__} (python) my-app/1.2"


def test_any_mapping_is_taken(emulator: Emulator) -> None:
    class Own(dict[str, str]):
        pass

    client = Client(**emulator.options(headers=Own({"X-Tenant": "blue"})))
    task = emulator.finished()
    assert client.videos.get(task).done
    assert emulator.requests()[-1]["headers"]["x-tenant"] == "blue"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Authorization": SECRET}, "the header Authorization cannot be set"),
        ({"range": SECRET}, "the header range cannot be set"),
        ({"X-Tenant": f"{SECRET}\n"}, "the value of the header X-Tenant holds a line break"),
        ({"X-Tenant": f"{SECRET}é"}, "the value of the header X-Tenant holds"),
        ({f"X-Tenant: {SECRET}": ""}, 'the header "X-Tenant…" has a name'),
        ({"": SECRET}, "a header has no name"),
        ({"X-A": SECRET, "x-a": SECRET}, "is given twice"),
        ({"X-A": SECRET * 1000}, "longer than"),
    ],
)
def test_headers_that_cannot_be_sent(headers: dict[str, str], said: str) -> None:
    for make in (Client, AsyncClient):
        with pytest.raises(junfeiai.ConfigError, match=said.replace("…", ".")) as error:
            make(api_key="sk-1", headers=headers)
        assert error.value.field == "headers"
        assert SECRET not in f"{error.value} {error.value!r}"


@pytest.mark.parametrize("headers", [[("X-A", SECRET)], SECRET, {"X-A": 5}, {5: SECRET}, {"X-A": None}, {"X-A": SECRET.encode()}])
def test_what_is_no_mapping_of_strings(headers: Any) -> None:
    with pytest.raises(TypeError, match="argument 'headers': expected a mapping of str to str") as error:
        Client(api_key="sk-1", headers=headers)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "é", "a" * 201])
def test_names_that_cannot_be_sent(name: str) -> None:
    with pytest.raises(junfeiai.ConfigError, match="user_agent") as error:
        Client(api_key="sk-1", user_agent=name)
    assert error.value.field == "user_agent"


def test_values_are_shown_nowhere(emulator: Emulator) -> None:
    client = Client(**emulator.options(headers={"X-Gateway": SECRET}))
    emulator.rule("status", status=401, body=f'{{"message": "not {SECRET}", "code": "{SECRET}"}}')
    with pytest.raises(junfeiai.AuthenticationError) as error:
        client.videos.get("task_1")
    shown = f"{client!r} {error.value} {error.value!r} {error.value.message} {error.value.server_message} {error.value.code}"
    assert SECRET not in shown
    assert "***" in shown
    assert SECRET.encode() not in pickle.dumps(error.value)


# What no timeout can be, and the error of it.
BAD: list[tuple[Any, type[Exception]]] = [
    (0, junfeiai.InvalidRequestError), (-1, junfeiai.InvalidRequestError), (math.nan, ValueError), ("5", TypeError), (True, TypeError),
]  # fmt: skip


@pytest.mark.parametrize(("timeout", "expected"), BAD, ids=repr)
def test_a_bad_timeout_sends_nothing(timeout: Any, expected: type[Exception], emulator: Emulator) -> None:
    client = Client(**emulator.options())
    aclient = AsyncClient(**emulator.options())
    calls: list[Callable[[], Any]] = [
        lambda: client.videos.create("x", timeout=timeout),
        lambda: client.videos.get("task_1", timeout=timeout),
        lambda: client.videos.task("task_1").refresh(timeout=timeout),
        lambda: asyncio.run(_awaited(lambda: aclient.videos.create("x", timeout=timeout))),
        lambda: asyncio.run(_awaited(lambda: aclient.videos.get("task_1", timeout=timeout))),
        lambda: FakeClient().videos.create("x", timeout=timeout),
        lambda: FakeClient().videos.get("task_1", timeout=timeout),
        lambda: asyncio.run(_awaited(lambda: FakeAsyncClient().videos.create("x", timeout=timeout))),
    ]
    for call in calls:
        with pytest.raises(expected, match="timeout"):
            call()
    assert emulator.stats()["posts"] == 0
    assert emulator.requests() == []


async def _awaited(call: Any) -> Any:
    return await call()


def test_a_timeout_of_one_call(emulator: Emulator) -> None:
    emulator.rule("hang")
    client = Client(**emulator.options(max_attempts=1))
    with pytest.raises(junfeiai.CreateOutcomeUnknownError) as unknown:
        client.videos.create("x", timeout=3)
    assert unknown.value.maybe_executed
    with pytest.raises(junfeiai.APITimeoutError) as late:
        client.videos.get("task_1", timeout=3)
    assert (late.value.task_id, late.value.message.endswith("within 3 s")) == ("task_1", True)
    assert emulator.stats()["posts"] == 1


def test_a_long_timeout_of_one_call(emulator: Emulator) -> None:
    """The client's is too short for anything, the call's is not."""
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    client = Client(**emulator.options(timeout=1e-6, create_timeout=1e-6, max_attempts=1))
    task = client.videos.create("x", timeout=60)
    assert client.videos.get(task.id, timeout=60).refresh(timeout=60).done
    assert FakeClient().videos.create("x", timeout=60).refresh(timeout=5).id == "task_1"
    with pytest.raises(junfeiai.APITimeoutError):
        client.videos.get(task.id)


@pytest.mark.parametrize("interval", [math.inf, 1e308, 86_400.001])
def test_a_poll_that_never_comes_is_refused(interval: float, emulator: Emulator) -> None:
    with pytest.raises(junfeiai.ConfigError, match="poll_interval must be at most 24 hours"):
        Client(**emulator.options(poll_interval=interval))
    client = Client(**emulator.options())
    task = client.videos.task("task_1")
    waits: list[Callable[[], Any]] = [
        lambda: task.wait(poll_interval=interval),
        lambda: task.wait_state(poll_interval=interval),
        lambda: client.videos.generate("x", poll_interval=interval),
    ]
    for call in waits:
        with pytest.raises(junfeiai.InvalidRequestError, match="poll_interval must be at most 24 hours") as error:
            call()
        assert error.value.field == "poll_interval"
    assert emulator.stats()["posts"] == 0
