"""The example for Airflow: on stand-ins of Airflow's base classes, and with Airflow itself where ``make test-all`` put it."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from conftest import KEY, ROOT, Emulator
from servers import EXAMPLES, ended, until

import junfeiai

AIRFLOW = ROOT / "target" / "venv-airflow" / "bin" / "python"
# Resolved when they are read: Airflow's venv has no junfeiai of its own.
PACKAGE = Path(junfeiai.__file__).parents[1]


class Deferred(Exception):
    """What a stand-in of ``BaseOperator`` raises, as Airflow's does."""


class Operator:
    def __init__(self, task_id: str) -> None:
        self.task_id = task_id

    def defer(self, *, trigger: Any, method_name: str) -> None:
        raise Deferred(trigger, method_name)


class Trigger:
    pass


class FailException(Exception):
    pass


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    def module(name: str, **names: Any) -> None:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        sys.modules[name].__dict__.update(names)

    for name in ("airflow", "airflow.triggers"):
        module(name)
    module("airflow.triggers.base", BaseTrigger=Trigger, TriggerEvent=lambda payload: SimpleNamespace(payload=payload))
    module("airflow.sdk", BaseOperator=Operator)
    module("airflow.sdk.exceptions", AirflowException=RuntimeError, AirflowFailException=FailException)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "airflow_videos", raising=False)
    yield importlib.import_module("airflow_videos")
    sys.modules.pop("airflow_videos", None)


def engine(example: Any, operator: Any) -> Any:
    """What Airflow does: what goes from a worker to the triggerer and back is JSON, and objects are made anew."""
    context = {"ti": SimpleNamespace(dag_id="films", run_id="today", task_id=operator.task_id, map_index=-1)}
    call = operator.execute
    for _ in range(10):
        try:
            return call(context)
        except Deferred as deferred:
            trigger, method = deferred.args
        path, arguments = trigger.serialize()
        assert path == f"{example.__name__}.VideoTrigger"
        again = example.VideoTrigger(**json.loads(json.dumps(arguments)))

        async def first(trigger: Any = again) -> Any:
            return (await trigger.run().__anext__()).payload

        event = json.loads(json.dumps(asyncio.run(first())))
        call = lambda context, event=event, method=method: getattr(operator, method)(context, event)  # noqa: E731
    raise AssertionError("it was deferred again and again")


def test_operator_and_trigger_on_stand_ins_of_airflows_base_classes(
    example: Any, emulator: Emulator, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUNFEIAI_JOURNAL", str(environment / "journal"))
    monkeypatch.setenv("JUNFEIAI_POLL_SECONDS", "0.05")
    path = str(environment / "v.mp4")

    def operator(**changes: Any) -> Any:
        return example.VideoOperator(**{"task_id": "film", "prompt": "A red ball", "path": path, "request": {"seconds": 6}, **changes})

    assert engine(example, operator()) == path and Path(path).stat().st_size > 0
    # A cleared task runs again, and finds what is there.
    requests = len(emulator.requests())
    assert engine(example, operator()) == path
    assert (len(emulator.requests()), emulator.stats()["posts"]) == (requests, 1)
    # Cleared after its request was changed: nothing is sent, and retries do not help.
    with pytest.raises(FailException, match="seconds"):
        engine(example, operator(request={"seconds": 8}))
    # A key that was rendered as nothing is not replaced by one of each run.
    with pytest.raises(junfeiai.InvalidRequestError, match="key"):
        engine(example, operator(task_id="nameless", key="", path=str(environment / "n.mp4")))
    # A failed video ends the task in the triggerer; a retry learns the same from the journal.
    for _ in range(2):
        with pytest.raises(FailException, match="failed|FAILURE|moderation|fail"):
            engine(example, operator(task_id="fails", prompt="[fail] a ball", path=str(environment / "f.mp4")))
    # The deadline is in the trigger's state.
    emulator.scenario(task={"outcome": "stuck"})
    with pytest.raises(RuntimeError, match="wait_timeout"):
        engine(example, operator(task_id="late", path=str(environment / "l.mp4"), timeout=0.2))
    assert emulator.stats()["posts"] == 3


DAG = """
import sys, pendulum
from airflow.sdk import DAG
from airflow_videos import VideoOperator

with DAG("films", schedule=None) as dag:
    VideoOperator(task_id="film", prompt="A red ball", path=sys.argv[1], key="film-1", request={"seconds": 6})

if __name__ == "__main__":
    print("state:", dag.test(logical_date=pendulum.datetime(2026, 11, 29)).state, flush=True)
"""


@pytest.mark.skipif(not os.environ.get("JUNFEIAI_ALL"), reason="Airflow is installed and tried by make test-all only")
def test_a_run_of_airflow_itself_that_is_killed_and_run_again(emulator: Emulator, tmp_path: Path) -> None:
    assert AIRFLOW.exists(), "run JUNFEIAI_ALL=1 tests/setup.sh test"
    (tmp_path / "films.py").write_text(DAG)
    video, log = tmp_path / "v.mp4", tmp_path / "log"
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(PACKAGE)]),
        "JUNFEIAI_JOURNAL": str(tmp_path / "journal"),
        "JUNFEIAI_API_KEY": KEY,
        "JUNFEIAI_BASE_URL": emulator.base_url,
        "JUNFEIAI_POLL_SECONDS": "0.05",
    }
    with log.open("w") as out:

        def start(*command: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen([str(AIRFLOW), *command], env=environment, cwd=tmp_path, stdout=out, stderr=out)

        with ended(start("-m", "airflow", "db", "migrate")) as migrate:
            assert migrate.wait(300) == 0, log.read_text()[-4000:]
        # It is killed when the video is paid for and does not come.
        emulator.scenario(content={"latency_ms": 600_000})
        with ended(start("films.py", str(video))) as run:
            until("it asks for the video", lambda: emulator.requests("/content") or run.poll() is not None, 300)
            assert run.poll() is None, log.read_text()[-4000:]
            run.kill()
            run.wait()
        emulator.scenario()
        with ended(start("films.py", str(video))) as run:
            assert run.wait(300) == 0, log.read_text()[-4000:]
    assert video.stat().st_size > 0, log.read_text()[-4000:]
    assert "deferr" in log.read_text().lower()
    assert emulator.stats()["posts"] == 1
    assert KEY not in log.read_text()
