"""Every method of the blocking client."""

from __future__ import annotations

import hashlib
import math
import os
import threading
import time
from pathlib import Path

import pytest
from conftest import KEY, Emulator, within_one_day

import junfeiai
from junfeiai import Client, SaveProgress, Summary, Task


def test_a_working_folder_that_changes_during_a_save(client: Client, emulator: Emulator, environment: Path) -> None:
    task_id = emulator.finished(video_bytes=300_000)
    other = environment / "other"
    other.mkdir()
    video = client.videos.video(task_id)
    summary = video.save("ball.mp4", sha256=True, on_progress=lambda _: os.chdir(other))
    assert Path.cwd() == other
    assert summary.sha256 == hashlib.sha256((environment / "ball.mp4").read_bytes()).hexdigest()
    assert sorted(path.name for path in environment.iterdir()) == ["ball.mp4", "other"]
    assert not list(other.iterdir())


def test_create_wait_save(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    emulator.scenario(task={"ends_after_polls": 2})
    task = client.videos.create(model="grok-image-video", prompt="a red ball", seconds=6, size="1280x720")
    assert (task.status, task.billed_seconds, task.warnings) == ("queued", 6.0, ())
    seen: list[tuple[str, float | None]] = []
    video = task.wait(timeout=1800, on_progress=lambda t: seen.append((t.status, t.progress)))
    assert seen[-1] == ("succeeded", 100.0)
    assert len(seen) > 1
    reported: list[SaveProgress] = []
    summary = video.save(tmp_path / "ball.mp4", connections=2, sha256=True, on_progress=reported.append)
    assert isinstance(summary, Summary)
    assert summary.path == tmp_path / "ball.mp4"
    assert (summary.width, summary.height, round(summary.duration or 0)) == (1280, 720, 6)
    assert summary.path.read_bytes() == emulator.file(task.id)
    assert reported[-1].bytes == reported[-1].total == summary.bytes
    assert len(summary.sha256 or "") == 64
    assert emulator.stats()["created_tasks"] == 1


def test_get_refresh_watch_and_reattach(client: Client) -> None:
    task = client.videos.create("a ball", seconds=4)
    assert client.videos.get(task.id) == task
    again = client.videos.task(task.id)
    assert again.status == "unknown"
    assert again.raw == ""
    states = list(again.watch())
    assert states[-1].status == "succeeded"
    assert states[-1].done
    assert states[-1].video_url
    assert states[-1].video().read_range(4, 8) == b"ftyp"
    assert task.status == "queued", "a task is what was seen when it was made"
    assert task.refresh().raw.startswith("{")


def test_generate(client: Client) -> None:
    seen: list[Task] = []
    video = client.videos.generate("a ball", seconds=4, on_progress=seen.append)
    assert video.task_id == seen[0].id
    assert video.file_name == f"{seen[0].id}.mp4"


def test_reading(client: Client, emulator: Emulator) -> None:
    task_id = emulator.finished(video_bytes=3_000_000)
    whole = emulator.file(task_id)
    video = client.videos.video(task_id)
    assert video.read() == whole
    assert b"".join(video.iter_bytes()) == whole
    assert video.read_range(1000, 2_000_000) == whole[1000:2_000_000]
    assert client.videos.read_range(task_id, 10, 20) == whole[10:20]
    assert b"".join(client.videos.iter_bytes(task_id)) == whole
    url = f"{emulator.base_url}/videos/{task_id}/content"
    assert client.videos.video_at(url).read() == whole
    with pytest.raises(junfeiai.InvalidRequestError):
        video.read(max_bytes=1000)


def test_images(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    (tmp_path / "a.png").write_bytes(png)
    client.videos.create("x", seconds=4, image="https://example.org/a.png")
    client.videos.create("x", seconds=4, image=tmp_path / "a.png")
    client.videos.create("x", seconds=4, images=[png, "https://example.org/b.png"])
    bodies = [entry["body_json"] for entry in emulator.requests() if entry["method"] == "POST" and "body_json" in entry]
    assert bodies[0]["image"] == "https://example.org/a.png"
    assert bodies[1]["image"].startswith("data:image/png;base64,")
    assert [image[:14] for image in bodies[2]["images"]] == ["data:image/png", "https://exampl"]
    with pytest.raises(junfeiai.InvalidRequestError, match="not PNG, JPEG or WebP"):
        client.videos.create("x", image=b"GIF89a")
    with pytest.raises(OSError, match="cannot be read"):
        client.videos.create("x", image=tmp_path / "none.png")


def test_what_travels(client: Client, emulator: Emulator) -> None:
    client.videos.create("x", seconds=6.0, extra={"aspect_ratio": "16:9", "seed": 7})
    body = emulator.requests("/video/generations")[0]["body_json"]
    assert body == {"model": "grok-image-video", "prompt": "x", "seconds": "6", "aspect_ratio": "16:9", "seed": 7}


def test_warnings(client: Client) -> None:
    task = client.videos.create("x", seconds=5)
    assert [warning.code for warning in task.warnings] == ["unusual_length"]
    with pytest.raises(junfeiai.InvalidRequestError, match="5 s"):
        client.videos.create("x", seconds=5, validate="strict")


def test_cost(emulator: Emulator) -> None:
    with Client(**emulator.options(max_cost=0.3)) as client:
        guess = client.videos.estimate("a ball", seconds=6)
        assert (guess.units, guess.usd, guess.certainty, guess.billed_seconds) == (150_000, 0.3, "default_group", 6)
        with pytest.raises(junfeiai.InvalidRequestError, match=r"0\.35 USD.*max_cost") as refused:
            client.videos.create("a ball", seconds=7)
        assert refused.value.field == "max_cost"
        with pytest.raises(junfeiai.InvalidRequestError, match="seconds"):
            client.videos.estimate("a ball", seconds=99)
        assert emulator.stats()["created_tasks"] == 0
        client.videos.create("a ball", seconds=6)
    with Client(**emulator.options()) as client:
        assert client.videos.estimate("a ball", seconds=6).certainty == "exact"
    with pytest.raises(junfeiai.ConfigError, match="max_cost"):
        Client(**emulator.options(max_cost=-1))
    with pytest.raises(ValueError, match="max_cost"):
        Client(**emulator.options(max_cost=float("nan")))
    with pytest.raises(TypeError, match="max_cost"):
        Client(**emulator.options(max_cost="0.3"))


def test_budget(emulator: Emulator, tmp_path: Path) -> None:
    within_one_day()
    options = emulator.options(journal=tmp_path / "journal", budget=0.6)
    with Client(**options) as client, Client(**options) as other:
        client.videos.create("a ball", seconds=6, key="film/1")
        with pytest.raises(junfeiai.InvalidRequestError, match=r"0\.35 USD.*0\.3 USD reserved.*UTC day.*budget") as refused:
            other.videos.create("a ball", seconds=7)
        assert refused.value.field == "budget"
        other.videos.create("a ball", seconds=6)
        assert other.videos.create("a ball", seconds=6, key="film/1").reused
    assert emulator.stats()["created_tasks"] == 2
    with pytest.raises(junfeiai.ConfigError, match="budget needs a journal"):
        Client(**emulator.options(budget=1))
    with pytest.raises(junfeiai.ConfigError, match="budget"):
        Client(**emulator.options(journal=tmp_path / "journal", budget=0))
    with pytest.raises(ValueError, match="budget"):
        Client(**emulator.options(budget=float("nan")))
    with pytest.raises(TypeError, match="budget"):
        Client(**emulator.options(budget="0.3"))


def test_check_models_balance(client: Client) -> None:
    report = client.check(account=True)
    assert report.ok
    assert [step.status for step in report.entries[0].steps if step.name == "key"] == ["ok"]
    assert report.models == client.models()
    assert "grok-image-video" in client.models()
    left = client.balance().available_usd
    assert left is not None and left > 0
    assert report.to_dict()["ok"] is True
    assert "ready" in str(client.videos.check())


def test_a_callback_that_raises_ends_the_call(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise LookupError("enough")

    task = client.videos.create("x", seconds=4)
    with pytest.raises(LookupError, match="enough"):
        task.wait(on_progress=stop)
    emulator.scenario(content={"rate_bytes_per_s": 5_000_000})
    task_id = emulator.finished(video_bytes=2_000_000)
    video = client.videos.video(task_id)
    with pytest.raises(LookupError, match="enough"):
        video.save(tmp_path / "x.mp4", on_progress=stop)
    assert not (tmp_path / "x.mp4").exists()
    assert video.save(tmp_path / "x.mp4").bytes == len(emulator.file(task_id))


def test_calls_inside_a_callback(client: Client) -> None:
    inner: list[str] = []
    client.videos.generate("x", seconds=4, on_progress=lambda task: inner.append(task.refresh().id))
    assert inner


def test_threads_share_a_client(client: Client, emulator: Emulator) -> None:
    ids = [emulator.finished(video_bytes=200_000) for _ in range(5)]
    files = {task_id: emulator.file(task_id) for task_id in ids}
    wrong: list[str] = []

    def work(number: int) -> None:
        task_id = ids[number % 5]
        for _ in range(3):
            if client.videos.get(task_id).wait().read() != files[task_id]:
                wrong.append(task_id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_other_threads_run_while_one_waits(client: Client, emulator: Emulator) -> None:
    emulator.rule("hang", op="query", times=1, ms=3000, act=True)
    task = client.videos.task(emulator.finished())
    waiting = threading.Thread(target=task.refresh)
    begun = time.monotonic()
    waiting.start()
    turns = 0
    while waiting.is_alive():
        turns += 1
        time.sleep(0.001)
    assert time.monotonic() - begun > 0.4
    assert turns > 5, "the GIL was held"


def test_a_slow_callback_holds_up_nobody_else(client: Client, emulator: Emulator) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: object) -> None:
        entered.set()
        assert leave.wait(20)

    waiting = threading.Thread(target=client.videos.task(emulator.running()).wait, kwargs={"on_progress": slow}, daemon=True)
    waiting.start()
    assert entered.wait(20)
    task_id = emulator.finished(video_bytes=300_000)
    assert client.videos.get(task_id).done
    assert len(client.videos.video(task_id).read()) == len(emulator.file(task_id))
    assert waiting.is_alive()
    leave.set()


def test_what_was_opened_in_one_thread_is_read_in_others(client: Client, emulator: Emulator) -> None:
    task_id = emulator.finished(video_bytes=4_000_000)
    whole = emulator.file(task_id)
    file, pieces = client.videos.video(task_id).open(), iter(client.videos.video(task_id).iter_bytes())
    read: list[bytes] = [next(pieces)]

    def go_on() -> None:
        assert client.videos.get(task_id).done, "other calls come between"
        read.append(next(pieces))
        place = len(b"".join(read)) % 1000
        file.seek(place)
        assert file.read(700_000) == whole[place : place + 700_000]

    for _ in range(4):
        thread = threading.Thread(target=go_on)
        thread.start()
        thread.join(60)
    read.extend(pieces)
    assert b"".join(read) == whole
    file.close()
    assert client.videos.get(task_id).done


def test_waiting_for_ever_and_not_at_all(client: Client, emulator: Emulator) -> None:
    task = client.videos.task(emulator.running())
    with pytest.raises(TimeoutError):
        task.wait(timeout=0)
    emulator.scenario()
    assert client.videos.create("x", seconds=4).wait(timeout=math.inf).task_id


def test_closed(emulator: Emulator) -> None:
    with Client(**emulator.options()) as client:
        videos = client.videos
        assert not client.closed
    assert client.closed
    with pytest.raises(RuntimeError, match="closed"):
        _ = client.videos
    assert videos.get(emulator.finished()).done
    client.close()


def test_environment(environment: Path, emulator: Emulator) -> None:
    client = Client()
    assert client.base_url == emulator.base_url
    assert KEY not in repr(client)
    assert client.videos.get(emulator.finished()).done
