"""One task per key, whoever asks, however often, and whoever is killed in between."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator

from junfeiai import (
    AsyncClient,
    Client,
    CreateOutcomeUnknownError,
    IdempotencyConflictError,
    InvalidRequestError,
    TaskFailedError,
)

REQUEST: dict[str, Any] = {"prompt": "A red ball", "seconds": 6, "key": "film-4711/scene-3"}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def client(emulator: Emulator, journal: Path | None, **options: Any) -> Client:
    return Client(api_key=KEY, base_url=emulator.base_url, poll_interval=0.02, journal=journal, **options)


def seen(emulator: Emulator) -> dict[str, Any]:
    """What the server saw, but for connections that were only opened or closed."""
    return {name: count for name, count in emulator.stats().items() if "connections" not in name}


def test_a_later_call_gets_the_same_task_and_the_saved_file(emulator: Emulator, journal: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    first = client(emulator, journal).videos.create(**REQUEST)
    assert (first.reused, first.saved_path) == (False, None)
    videos = client(emulator, journal).videos
    again = videos.create(**REQUEST)
    assert (again.id, again.reused) == (first.id, True)
    saved = videos.generate(**REQUEST).save(path)
    before = seen(emulator)
    videos = client(emulator, journal).videos
    video = videos.generate(**REQUEST)
    assert (video.task_id, video.saved_path) == (first.id, path)
    assert (video.save(path).bytes, video.save(path).attempts) == (saved.bytes, 0)
    record = videos.key(REQUEST["key"])
    assert record is not None
    assert (record.state, record.attempt, record.task_id, record.path, record.bytes) == ("saved", 1, first.id, path, saved.bytes)
    assert videos.key("another") is None
    assert seen(emulator) == before, "asked the server for what the journal knows"
    assert before["posts"] == 1


def test_errors_of_keys(emulator: Emulator, journal: Path) -> None:
    videos = client(emulator, journal).videos
    task = videos.create(**REQUEST)
    with pytest.raises(IdempotencyConflictError, match='seconds was "6" and is "8"') as conflict:
        videos.create(**{**REQUEST, "seconds": 8})
    assert (conflict.value.task_id, conflict.value.field, conflict.value.maybe_executed) == (task.id, "key", False)
    assert isinstance(conflict.value, InvalidRequestError)
    for key in ("", "k" * 201, "a\nb"):
        with pytest.raises(InvalidRequestError) as refused:
            videos.generate(**{**REQUEST, "key": key})
        assert refused.value.field == "key"
    with pytest.raises(TypeError, match="argument 'key'"):
        videos.create("a", key=7)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="journal"):
        client(emulator, None).videos.create(**REQUEST)
    with pytest.raises(InvalidRequestError, match="retry_failed needs a key"):
        videos.create("a", retry_failed=True)
    assert emulator.stats()["posts"] == 1


def test_a_failed_task_and_a_lost_answer(emulator: Emulator, journal: Path) -> None:
    emulator.scenario(task={"outcome": "failure"})
    videos = client(emulator, journal).videos
    for _ in range(2):
        with pytest.raises(TaskFailedError):
            videos.generate(**REQUEST)
    assert emulator.stats()["posts"] == 1
    emulator.rule("drop_after_accept", op="create", times=1)
    for _ in range(2):
        with pytest.raises(CreateOutcomeUnknownError):
            videos.generate(**REQUEST, retry_failed=True)
    assert emulator.stats()["posts"] == 2
    [unknown] = videos.pending()
    assert (unknown.kind, unknown.key) == ("unknown", REQUEST["key"])
    assert unknown.intent is not None
    assert videos.resolve_unknown(unknown.intent)
    record = videos.key(REQUEST["key"])
    assert record is not None
    assert (record.state, record.attempt) == ("failed", 1), "the attempt that was not made is not the key's"
    assert videos.generate(**REQUEST, retry_failed=True).task_id
    assert emulator.stats()["posts"] == 3


def test_asyncio_calls_at_once_are_one_task(emulator: Emulator, journal: Path) -> None:
    async def main() -> None:
        options: dict[str, Any] = {"api_key": KEY, "base_url": emulator.base_url, "poll_interval": 0.02, "journal": journal}
        clients = [AsyncClient(**options) for _ in range(3)]
        videos = await asyncio.gather(*(clients[n % 3].videos.generate(**REQUEST) for n in range(12)))
        assert len({video.task_id for video in videos}) == 1
        assert emulator.stats()["posts"] == 1
        outcomes = clients[0].videos.generate_many([{**REQUEST, "key": f"k{n % 2}"} for n in range(6)], concurrency=6)
        assert len({outcome.result().task_id async for outcome in outcomes}) == 2
        assert emulator.stats()["posts"] == 3

    asyncio.run(main())


WORKER = """
import sys
from pathlib import Path
from junfeiai import Client, JunFeiAIError
base, key, journal, number = sys.argv[1:]
with Client(api_key=key, base_url=base, poll_interval=0.05, journal=journal) as client:
    print("ready", flush=True)
    video = client.videos.generate(f"job {number}", seconds=6, key=f"job/{number}")
    video.save(Path(journal).parent / f"{number}.mp4")
print("done", flush=True)
"""


def test_workers_that_are_killed_and_jobs_that_are_delivered_again(emulator: Emulator, journal: Path) -> None:
    """What a broker with late acknowledgements does: a job whose worker died is given to the next one."""
    jobs = 6
    seed = int(os.environ.get("JUNFEIAI_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"repeat with JUNFEIAI_SEED={seed}")
    chance = random.Random(seed)
    # The first create takes longer than any machine needs to kill its worker: by chance alone all kills may come too late.
    emulator.scenario(api={"create_latency_ms": 600_000})
    waiting, done, kills, unknown = list(range(jobs)) * 2, set(), 0, set()
    while waiting:
        number = waiting.pop(0)
        command = [sys.executable, "-c", WORKER, emulator.base_url, KEY, str(journal), str(number)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        worker.stdout.readline()
        if not kills:
            while worker.poll() is None and not emulator.stats()["posts"]:
                time.sleep(0.005)
            worker.send_signal(signal.SIGKILL)
            emulator.scenario(api={"create_latency_ms": 60})
        elif kills < 2 * jobs and chance.random() < 0.7:
            time.sleep(chance.random() * 0.25)
            worker.send_signal(signal.SIGKILL)
        out, error = worker.communicate()
        if worker.returncode == -signal.SIGKILL:
            kills += 1
            waiting.append(number)
        elif worker.returncode == 0:
            done.add(number)
        else:
            assert "CreateOutcomeUnknownError" in error, error
            unknown.add(number)
    assert kills, "nobody was killed"
    # Whatever a job paid for is saved, or named as unknown.
    assert done | unknown == set(range(jobs))
    assert emulator.stats()["posts"] <= jobs
    files = {int(path.stem) for path in journal.parent.glob("*.mp4")}
    assert files == done
    pending = client(emulator, journal).videos.pending()
    assert {entry.key for entry in pending if entry.kind == "unknown"} == {f"job/{number}" for number in unknown}


def test_the_command(emulator: Emulator, tmp_path: Path) -> None:
    environment = {**os.environ, "JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": emulator.base_url, "XDG_STATE_HOME": str(tmp_path / "state")}

    def run(*words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "junfeiai", *words, "--poll-interval", "0.02"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=120, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout

    first = [json.loads(run("generate", "A red ball", "--key", "k", "-o", "v.mp4", "--json")) for _ in range(2)]
    assert first[0]["task_id"] == first[1]["task_id"]
    assert first[1]["attempts"] == 0
    # Another request under the key, and a file that is somebody else's.
    run("generate", "A blue ball", "--key", "k", "-o", "v.mp4", code=2)
    run("generate", "A blue ball", "--key", "other", "-o", "v.mp4", code=1)
    lines = [{"prompt": "a", "key": "line/1", "output": "1.mp4"}, {"prompt": "b", "key": "line/2", "output": "2.mp4"}]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for _ in range(2):
        run("batch", "list.jsonl", "-o", "out")
    (tmp_path / "out" / "1.mp4").unlink()
    run("batch", "list.jsonl", "-o", "out")
    assert emulator.stats()["posts"] == 3, "a file that was lost is read again and not paid for again"
    lines[1]["key"] = "line/1"
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    run("batch", "list.jsonl", "-o", "out2", code=2)
    assert emulator.stats()["posts"] == 3

