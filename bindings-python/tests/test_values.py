"""Results: frozen, comparable, picklable, and without the key."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator

import junfeiai
from junfeiai import AsyncClient, Balance, CheckStep, Client, EntryCheck, Estimate, SaveProgress, Spending, Summary, TaskWarning, _restore, testing

RECORDS = [
    Summary(Path("a.mp4"), 1, 6.0, 1280, 720, False, 1, 0.5, None, 150_000, 0.3),
    Spending("2026-11-29", "grok-image-video", 2, 300_000, 0.6, 150_000, 0.3, 1, 0, 0),
    SaveProgress(1, None, 0.5),
    TaskWarning("unusual_length", "5 s is not usual"),
    Balance(None, False, 1.5, 0.5, None),
    Estimate(150_000, 0.3, "exact", 150_000, 6, 0.05, 1.0, "vip", 1.0, ["a note"]),
    EntryCheck("https://x/v1", True, True, [CheckStep("dns", "ok", "found", None)], 0.1, None, None),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records(record: Any) -> None:
    again = pickle.loads(pickle.dumps(record))
    assert again == record
    assert type(again) is type(record)
    assert type(record).__name__ in repr(record)
    field = next(name for name in dir(record) if name[0] != "_")
    assert f"{field}=" in repr(record)
    with pytest.raises(AttributeError):
        setattr(record, field, 1)
    with pytest.raises(AttributeError):
        record.another = 1
    assert record != object()
    assert hash(again) == hash(record) and len({again, record}) == 1
    fields = json.loads(json.dumps(record.to_dict()))
    assert list(fields) == list(record.to_dict()) and set(fields) == {name for name in dir(record) if name[0] != "_"} - {"to_dict"}
    assert type(record).__module__ == "junfeiai"


def test_the_hash_is_that_of_the_value() -> None:
    step = CheckStep("dns", "ok", "found", None)
    entries = [EntryCheck("https://x/v1", True, True, [step], 0.0, None, None), EntryCheck("https://x/v1", True, True, [step], -0.0, None, None)]
    assert entries[0] == entries[1] and hash(entries[0]) == hash(entries[1])
    others = {*RECORDS, *entries, Summary(Path("b.mp4"), 1, 6.0, 1280, 720, False, 1, 0.5, None, 150_000, 0.3)}
    assert len(others) == len(RECORDS) + 2


def test_dicts_for_json(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    def through(thing: Any) -> Any:
        return json.loads(json.dumps(thing.to_dict()))

    task = client.videos.create("x", seconds=5)
    made = through(task)
    assert (made["id"], made["status"], made["saved_path"]) == (task.id, task.status, None)
    assert [warning["code"] for warning in made["warnings"]] == ["unusual_length"]
    assert set(made) == {name for name, value in vars(junfeiai.Task).items() if name[0] != "_" and not callable(value)} - {"raw"}
    video = task.wait()
    assert through(video) == {"task_id": task.id, "url": video.url, "saved_path": None, "file_name": f"{task.id}.mp4"}
    summary = video.save(tmp_path / "x.mp4")
    assert through(summary)["path"] == str(tmp_path / "x.mp4")
    good, bad = client.videos.wait_all([task.id, client.videos.create("[fail] x", seconds=6).id])
    assert through(good)["video"]["task_id"] == task.id and through(good)["error"] is None
    error = through(bad)["error"]
    assert bad.error is not None and through(bad)["video"] is None
    assert (error["kind"], error["task_id"], error["text"]) == ("task_failed", bad.error.task_id, str(bad.error))
    step = client.videos.advance(client.videos.task(emulator.running()).wait_state())
    assert through(step) == {"video": None, "state": step.state, "retry_after": step.retry_after}


def test_every_result_has_a_dict_and_a_hash() -> None:
    for name in junfeiai.__all__:
        thing = getattr(junfeiai, name)
        if isinstance(thing, type) and not name.endswith(("Client", "Videos", "Reader", "RangeResponse")):
            assert callable(getattr(thing, "to_dict", None)), name
            assert thing.__hash__ is not None, name


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_tasks_and_videos_by_id(cls: Any, emulator: Emulator, environment: Path) -> None:
    client = cls(**emulator.options())
    task_id = emulator.finished()
    for thing in (
        client.videos.task(task_id),
        client.videos.video(task_id),
        client.videos.video_at("https://example.org/a.mp4?exp=1"),
    ):
        data = pickle.dumps(thing)
        assert KEY.encode() not in data
        again = pickle.loads(data)
        assert again == thing
        assert hash(again) == hash(thing)
        assert type(again) is type(thing)
    assert client.videos.task("task_1") != client.videos.task("task_2")
    assert client.videos.task("task_1") != "task_1"
    assert len({client.videos.task("task_1"), client.videos.task("task_1")}) == 1


def test_an_unpickled_task_works(client: Client, emulator: Emulator, environment: Path) -> None:
    task = client.videos.task(emulator.finished())
    assert pickle.loads(pickle.dumps(task)).wait().read_range(4, 8) == b"ftyp"


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_a_task_is_its_own_copy(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one with the key of the environment, which may be another one or none: `dataclasses.asdict` copies what a program keeps."""
    monkeypatch.delenv("JUNFEIAI_API_KEY", raising=False)
    videos = cls(api_key=KEY).videos
    for thing in (videos.task("task_1"), videos.video("task_1"), videos.video_at("https://example.org/a.mp4")):
        assert copy.copy(thing) is thing and copy.deepcopy({"job": [thing]})["job"][0] is thing
    for fake in (testing.task(), testing.video()):
        assert copy.copy(fake) is fake and copy.deepcopy({"job": [fake]})["job"][0] is fake


def test_results_that_hold_others(client: Client, emulator: Emulator, environment: Path, async_client: AsyncClient) -> None:
    """What a pool of processes sends back is whole: a result that cannot be sent is lost there, with the id of its task."""

    async def asynchronous() -> list[Any]:
        step = await async_client.videos.advance(async_client.videos.task(emulator.running()).wait_state())
        return [*await async_client.videos.wait_all([emulator.finished(), "task_none"]), step]

    journal = Client(**emulator.options(journal=environment / "journal"))
    for prompt in ("a", "[fail] b"):
        journal.videos.create(prompt, seconds=6)
    done = client.videos.advance(client.videos.task(emulator.finished()).wait_state())
    outcomes = [*client.videos.generate_many(["a", "[fail] b"]), *client.videos.wait_all([emulator.finished(), "task_none"])]
    results: list[Any] = [*outcomes, done, *journal.videos.resume_pending("videos"), *asyncio.run(asynchronous())]
    for result in results:
        for again in (pickle.loads(pickle.dumps(result)), copy.copy(result), copy.deepcopy(result)):
            assert type(again) is type(result)
            for name in result.to_dict():
                one, other = getattr(again, name), getattr(result, name)
                assert (type(one), str(one), vars(one)) == (type(other), str(other), vars(other)) if name == "error" and other else one == other
        assert KEY.encode() not in pickle.dumps(result)


def test_what_is_not_pickled_says_what_to_send(client: Client, async_client: AsyncClient) -> None:
    for thing, advice in (
        (client, "one in each process, and send the ids of tasks"),
        (async_client, "one in each process, and send the ids of tasks"),
        (client.videos, "a client in each process, and send the ids of tasks"),
        (client.check(), r"send what its to_dict\(\) returns"),
    ):
        with pytest.raises(TypeError, match=f"'{type(thing).__name__}' objects cannot be pickled: .*{advice}"):
            pickle.dumps(thing)


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_a_task_that_cannot_be_unpickled_is_named(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job in another process created it, and the result arrives where no key is in the environment."""
    for name in ("JUNFEIAI_API_KEY", "JUNFEIAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_restore, "_clients", {})
    monkeypatch.setattr(_restore, "_async_clients", {})
    videos = cls(api_key=KEY).videos
    for thing in (videos.task("task_1"), videos.video("task_1")):
        with pytest.raises(junfeiai.ConfigError, match=r"task task_1 .*JUNFEIAI_API_KEY.*client\.videos\.task\(id\)") as error:
            pickle.loads(pickle.dumps(thing))
        assert error.value.task_id == "task_1"


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_no_key_in_any_repr(cls: Any, emulator: Emulator) -> None:
    client = cls(**emulator.options())
    things = [client, client.videos, client.videos.task("task_1"), client.videos.video("task_1")]
    signed = client.videos.video_at("https://example.org/a.mp4?exp=1&sig=secret")
    for thing in [*things, signed]:
        assert KEY not in repr(thing) + str(thing)
        assert "secret" not in repr(thing)
        with pytest.raises(AttributeError):
            thing.another = 1
    with pytest.raises(TypeError):
        pickle.dumps(client)
