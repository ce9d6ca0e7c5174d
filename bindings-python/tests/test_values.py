"""Results: frozen, comparable, picklable, and without the key."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator

from junfeiai import AsyncClient, Balance, CheckStep, Client, EntryCheck, Estimate, SaveProgress, Spending, Summary, TaskWarning

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
    assert type(record).__module__ == "junfeiai"


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
