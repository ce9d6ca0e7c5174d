"""One job by steps and at once, and the example for cron, whose runs overlap and are killed."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import KEY, Emulator
from servers import EXAMPLES, ended, until

from junfeiai import AsyncClient, Client, CreateOutcomeUnknownError, IdempotencyConflictError, InvalidRequestError, TargetExistsError, TaskFailedError
from junfeiai.celery import run_job
from junfeiai.jobs import run, step

JOB: dict[str, Any] = {"prompt": "A red ball", "seconds": 6, "key": "film-4711/scene-3"}


@pytest.fixture
def client(emulator: Emulator, tmp_path: Path) -> Client:
    return Client(**emulator.options(journal=tmp_path / "journal"))


def test_steps_of_one_job(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "videos" / "v.mp4"
    emulator.scenario(task={"ends_after_polls": 2})
    steps = [step(client, path, **JOB)]
    while not steps[-1]:
        steps.append(step(client, path, **JOB))
        assert len(steps) < 6
    assert path.read_bytes() == emulator.file(emulator.requests("/video/generations/")[0]["path"].rsplit("/", 1)[-1])
    requests = len(emulator.requests())
    assert step(client, path, **JOB) and run(client, path, **JOB) == path
    assert (len(emulator.requests()), emulator.stats()["posts"]) == (requests, 1)
    with pytest.raises(IdempotencyConflictError):
        step(client, path, **{**JOB, "seconds": 8})


def test_a_query_that_fails_for_the_moment_does_not_end_the_job(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    assert not step(client, path, **JOB)
    emulator.rule("status", op="query", status=502, body="")
    assert not step(client, path, **JOB)
    assert any(request["status"] == 502 for request in emulator.requests())
    emulator.scenario()
    assert run(client, path, **JOB) == path
    assert emulator.stats()["posts"] == 1


def test_files_that_are_there_are_told_apart(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"another film")
    for call in (run, step):
        with pytest.raises(TargetExistsError):
            call(client, path, **JOB)
    assert emulator.stats()["posts"] == 0
    path.unlink()
    assert run(client, path, **JOB) == path
    # Somebody replaced the file: it is neither taken for ours nor overwritten, and nothing is asked again and again.
    path.write_bytes(b"another film")
    for call in (run, step):
        with pytest.raises(TargetExistsError):
            call(client, path, **JOB)
    path.unlink()
    assert step(client, path, **JOB) and path.stat().st_size > 100
    assert emulator.stats()["posts"] == 1


def test_another_file_that_appears_during_the_download(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    """Another worker would have changed the journal: nothing is asked again and again."""
    path = tmp_path / "v.mp4"
    video = client.videos.generate(**JOB)
    size = len(emulator.file(str(video.task_id)))
    with pytest.raises(TargetExistsError):
        video.save(path, rate_limit=max(size // 2, 1), on_progress=lambda _: path.write_bytes(b"another film"))
    for call in (step, run):
        with pytest.raises(TargetExistsError):
            call(client, path, **JOB)
    assert path.read_bytes() == b"another film"
    path.unlink()
    assert run(client, path, **JOB) == path
    assert (path.stat().st_size, emulator.stats()["posts"]) == (size, 1)


def test_ends_of_a_job(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    failing = {**JOB, "prompt": "[fail] a ball"}
    for _ in range(2):
        with pytest.raises(TaskFailedError):
            run(client, tmp_path / "f.mp4", **failing)
    assert emulator.stats()["posts"] == 1
    emulator.rule("drop_after_accept", op="create", times=1)
    for call in (run, step):
        with pytest.raises(CreateOutcomeUnknownError):
            call(client, tmp_path / "u.mp4", **{**JOB, "key": "lost"})
    assert emulator.stats()["posts"] == 2


def bound(id: str | None, max_retries: int | None = None) -> Any:
    """A Celery task, bound to its run; without an id where it was called as a function."""

    def retry(**options: Any) -> Exception:
        return Again(options)

    return SimpleNamespace(request=SimpleNamespace(id=id), retry=retry, max_retries=max_retries)


class Again(Exception):
    """Celery's own for a run that comes again."""


def test_what_a_job_refuses_costs_nothing(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    for interval, cls in ((-1, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("5", TypeError), (None, TypeError), (True, TypeError)):
        wrong: Any = interval
        with pytest.raises(cls, match="argument 'interval'"):
            run(client, path, interval=wrong, **JOB)
        with pytest.raises(cls, match="argument 'interval'"):
            run_job(bound("1"), client, path, interval=wrong, **JOB)
    other: Any = AsyncClient(**emulator.options(journal=tmp_path / "journal"))
    for call in (run, step):
        with pytest.raises(TypeError, match="argument 'client': expected Client, got AsyncClient"):
            call(other, path, **JOB)
    with pytest.raises(ValueError, match="call it by delay"):
        run_job(bound(None), client, path, prompt="A red ball", seconds=6)
    # Celery's default: the job would end as failed, paid for and without its video.
    with pytest.raises(ValueError, match="define it with max_retries=None"):
        run_job(bound("1", max_retries=3), client, path, **JOB)
    # An order without a number: as the key of every such order the run's own id would pay for each delivery.
    with pytest.raises(InvalidRequestError, match="key"):
        run_job(bound("1"), client, path, prompt="A red ball", seconds=6, key="")
    assert not emulator.requests()
    # A job that has a name of its own needs no worker for it.
    with pytest.raises(Again):
        run_job(bound(None), client, path, interval=5, **JOB)
    with pytest.raises(Again) as again:
        run_job(bound("one"), client, path, interval=5, prompt="A blue ball", seconds=6)
    assert again.value.args == ({"countdown": 5.0, "max_retries": None},)
    assert emulator.stats()["posts"] == 2


class Cron:
    """Runs of the example, as cron starts them."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "JUNFEIAI_JOURNAL": "daily.journal",
            "JUNFEIAI_API_KEY": KEY,
            "JUNFEIAI_BASE_URL": emulator.base_url,
            "JUNFEIAI_POLL_SECONDS": "0.05",
        }

    def start(self, day: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(EXAMPLES / "cron_daily.py"), day]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=pipe, stderr=pipe, text=True)

    def run(self, day: str) -> tuple[int, str, str]:
        with self.start(day) as process:
            out, error = process.communicate(timeout=120)
        return process.returncode, out, error


def test_cron_runs_that_overlap_and_are_killed_pay_once(emulator: Emulator, tmp_path: Path) -> None:
    cron = Cron(emulator, tmp_path)
    # Two runs at once for the same day.
    with cron.start("2026-11-28") as one, cron.start("2026-11-28") as two:
        ends = [process.communicate(timeout=120) for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0), ends
    assert ends[0][0] == ends[1][0] == f"2026-11-28: {Path('videos/2026-11-28.mp4')}\n"
    assert emulator.stats()["posts"] == 1
    # The next day's run is killed when its video is paid for and does not come.
    emulator.scenario(content={"latency_ms": 600_000})
    with ended(cron.start("2026-11-29")) as process:
        until("it asks for the video", lambda: len([one for one in emulator.requests("/content") if one["status"] is None]))
        process.kill()
        process.communicate()
    assert not (tmp_path / "videos" / "2026-11-29.mp4").exists()
    emulator.scenario()
    # The day after finishes it, with its own.
    code, out, error = cron.run("2026-11-30")
    assert (code, error, len(out.splitlines())) == (0, "", 2)
    days = ["2026-11-28.mp4", "2026-11-29.mp4", "2026-11-30.mp4"]
    assert sorted(file.name for file in (tmp_path / "videos").iterdir()) == days
    assert cron.run("2026-11-30")[0] == 0
    assert emulator.stats()["posts"] == 3


def test_a_cron_run_that_is_killed_while_it_creates_is_reported(emulator: Emulator, tmp_path: Path) -> None:
    cron = Cron(emulator, tmp_path)
    emulator.scenario(api={"create_latency_ms": 600_000})
    with ended(cron.start("2026-11-29")) as process:
        until("the request is sent", lambda: emulator.stats()["posts"])
        process.kill()
        process.communicate()
    emulator.scenario()
    code, out, error = cron.run("2026-11-30")
    assert (code, out.count("\n")) == (1, 1) and error.startswith("2026-11-29: ") and "usage" in error, (out, error)
    assert emulator.stats()["posts"] == 2
