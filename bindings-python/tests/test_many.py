"""Many tasks at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient, Client

REQUESTS: list[Any] = ["a ball", {"prompt": "[fail] x", "seconds": 4}, {"prompt": "another", "size": "1280x720"}]


class DataFrame:
    """As that of pandas, which iterates over the names of its columns."""

    def __iter__(self) -> Iterator[str]:
        return iter(["prompt", "seconds"])

    def itertuples(self) -> Iterator[tuple[object, ...]]:
        return iter([(0, "a ball", 6)])


def test_generate_many(client: Client, emulator: Emulator) -> None:
    outcomes = {outcome.index: outcome for outcome in client.videos.generate_many(REQUESTS, concurrency=2)}
    assert set(outcomes) == {0, 1, 2}
    assert outcomes[0].result().read_range(4, 8) == b"ftyp"
    assert outcomes[0].error is None
    assert outcomes[0].video == outcomes[0].result()
    assert outcomes[0].task_id == outcomes[0].result().task_id
    assert isinstance(outcomes[1].error, junfeiai.TaskFailedError)
    assert outcomes[1].video is None
    assert outcomes[1].task_id == outcomes[1].error.task_id
    with pytest.raises(junfeiai.TaskFailedError):
        outcomes[1].result()
    assert "error=TaskFailedError" in repr(outcomes[1])
    assert emulator.stats()["created_tasks"] == 3


def test_wait_all_and_as_completed(client: Client, emulator: Emulator) -> None:
    ids = [emulator.finished(), "task_none", "no id!", emulator.finished()]
    outcomes = client.videos.wait_all(ids)
    assert [outcome.task_id for outcome in outcomes] == ids
    assert [outcome.error is None for outcome in outcomes] == [True, False, False, True]
    assert isinstance(outcomes[1].error, junfeiai.NotFoundError)
    assert {outcome.task_id for outcome in client.videos.as_completed(iter(ids))} == set(ids)
    assert client.videos.wait_all([]) == []


def test_a_bad_request_costs_nothing(client: Client, emulator: Emulator) -> None:
    with pytest.raises(TypeError, match="'prompt'"):
        client.videos.generate_many(["good", {"prompt": 3}])
    with pytest.raises(TypeError, match="unexpected keyword argument 'sceonds' of a request"):
        client.videos.generate_many([{"prompt": "x", "sceonds": 3}])
    with pytest.raises(TypeError, match="mapping"):
        client.videos.generate_many([3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="iterable"):
        client.videos.generate_many("one prompt is not a list of them")
    with pytest.raises(TypeError, match=r'got DataFrame: pass its to_dict\("records"\)'):
        client.videos.generate_many(DataFrame())
    with pytest.raises(junfeiai.InvalidRequestError, match="concurrency"):
        client.videos.generate_many(["x"], concurrency=0)
    assert emulator.stats()["posts"] == 0


def test_leaving_the_loop_stops(client: Client, emulator: Emulator) -> None:
    for outcome in client.videos.generate_many(["x"] * 50, concurrency=1):
        assert outcome.result()
        break
    assert emulator.stats()["created_tasks"] <= 2


def test_asyncio(async_client: AsyncClient, emulator: Emulator) -> None:
    async def main() -> None:
        outcomes = {outcome.index: outcome async for outcome in async_client.videos.generate_many(REQUESTS)}
        assert await outcomes[0].result().read_range(4, 8) == b"ftyp"
        assert isinstance(outcomes[1].error, junfeiai.TaskFailedError)
        ids = [emulator.finished() for _ in range(3)]
        assert [outcome.task_id for outcome in await async_client.videos.wait_all(ids)] == ids
        seen = [outcome.task_id async for outcome in async_client.videos.as_completed(ids)]
        assert sorted(map(str, seen)) == sorted(ids)

    asyncio.run(main())


def test_the_budget_of_the_client(emulator: Emulator) -> None:
    client = Client(**emulator.options(request_rate=1000.0, request_burst=1000, max_in_flight_creates=1))
    emulator.scenario(api={"create_latency_ms": 30})
    assert all(outcome.error is None for outcome in client.videos.generate_many(["x"] * 5, concurrency=5))
    with pytest.raises(junfeiai.ConfigError, match="request_burst"):
        Client(api_key="sk-1", request_burst=3)
