"""What the Python package promises beside its fixtures."""

from __future__ import annotations

import dataclasses
import doctest
import inspect
import os
import re
import signal
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import junfeiai_emulator
import pytest
from junfeiai_emulator import Emulator, EmulatorError, ErrorShape, FaultKind, Operation, SeenRequest


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError:
        return False
    return True


def gone(port: int) -> bool:
    """Waits until nobody listens; bounds only a hang."""
    deadline = time.monotonic() + 60
    while accepts(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def named(emulator: Emulator, rule: dict[str, Any]) -> set[str]:
    """The names that the emulator knows, as it says when it is asked for one that it does not know."""
    with pytest.raises(EmulatorError) as refused:
        emulator._call("POST", "rules", rule)
    return set(re.findall(r"`(\w+)`", str(refused.value).split("expected one of")[1]))


def test_names_are_those_of_the_emulator(junfeiai_emulator: Emulator) -> None:
    assert named(junfeiai_emulator, {"fault": {"kind": "?"}}) == set(get_args(FaultKind))
    assert named(junfeiai_emulator, {"fault": {"kind": "error_shape", "shape": "?"}}) == set(get_args(ErrorShape))
    assert named(junfeiai_emulator, {"fault": {"kind": "no_id"}, "match": {"op": "?"}}) == set(get_args(Operation))
    assert not set(get_args(FaultKind)) & set(get_args(ErrorShape)), "one name for two"


def test_requests_have_what_the_emulator_says(junfeiai_emulator: Emulator) -> None:
    with junfeiai_emulator.client() as client:
        client.videos.create("a ball")
    [entry] = junfeiai_emulator._call("GET", "requests")
    assert set(entry) == {field.name for field in dataclasses.fields(SeenRequest)}
    [request] = junfeiai_emulator.requests()
    assert dataclasses.asdict(request) == entry
    assert junfeiai_emulator.requests("query") == []
    junfeiai_emulator.clear_requests()
    assert junfeiai_emulator.requests() == []


def test_an_emulator_of_its_own() -> None:
    with Emulator(api_key="sk-own", second_host=True, video_bytes=300_000, scenario={"task": {"queued_s": 0, "running_s": 0}}) as emulator:
        assert emulator.second_origin and emulator.second_origin != emulator.origin
        with emulator.client() as client:
            assert len(client.videos.generate("a ball").read()) == 300_000
        assert len(emulator.video(emulator.add_task(seconds=4))) == 300_000
        with pytest.raises(EmulatorError, match="no such task"):
            emulator.video("task_1")
        with pytest.raises(EmulatorError, match="outcom"):
            emulator.change(task={"outcom": "failure"})
    emulator.stop()
    assert gone(emulator.port)
    with pytest.raises(EmulatorError, match="has ended with 0"):
        emulator.requests()


def test_what_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EmulatorError, match="cannot start"):
            Emulator(port=taken.getsockname()[1])
    with pytest.raises(EmulatorError, match="unknown field `rage`"):
        Emulator(scenario={"content": {"rage": "ignore"}})
    monkeypatch.setenv("JUNFEIAI_EMULATOR", "/no/such/program")
    with pytest.raises(EmulatorError, match="/no/such/program"):
        Emulator()


def test_the_program_is_that_of_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUNFEIAI_EMULATOR", raising=False)
    path = Path(junfeiai_emulator.program())
    assert path.is_relative_to(sys.prefix)
    said = subprocess.run([path, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert said.split() == ["junfeiai-emulator", metadata.version("junfeiai-emulator")]
    assert metadata.version("junfeiai-emulator") == metadata.version("junfeiai")


START = "import sys, time, junfeiai_emulator as e; it = e.Emulator(); print(it.port, flush=True); time.sleep(600)"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_it_ends_with_its_parent_however_that_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert accepts(port)
        parent.send_signal(signal.SIGKILL)
    assert gone(port)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sessions")
def test_ctrl_c_in_the_terminal_is_not_meant_for_it() -> None:
    with Emulator() as emulator:
        assert os.getsid(emulator._process.pid) != os.getsid(0)


def test_a_proxy_of_the_environment_is_not_asked(junfeiai_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Emulator() as emulator, emulator.client() as client:
        client.videos.create("a ball")
        assert emulator.created_tasks == 1
    from junfeiai import Client

    with Client() as client:
        client.videos.create("a ball")
    assert junfeiai_emulator.created_tasks == 1


def test_the_plugin_costs_nothing_where_it_is_not_used() -> None:
    """pytest loads it in every environment where it is installed: the library itself comes with the first fixture."""
    code = "import sys, junfeiai_emulator.pytest_plugin; print('junfeiai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout == "False\n"


def test_a_thousand_tasks_at_once(junfeiai_emulator: Emulator) -> None:
    junfeiai_emulator.change(task={"queued_s": 0, "running_s": 0})
    with junfeiai_emulator.client(max_in_flight_creates=100, poll_interval=0.5) as client:
        outcomes = list(client.videos.generate_many((f"ball {number}" for number in range(1_000)), concurrency=1_000))
    assert [one.error for one in outcomes if one.error is not None] == []
    assert len({one.task_id for one in outcomes}) == junfeiai_emulator.created_tasks == 1_000


def test_examples(junfeiai_emulator: Emulator) -> None:
    module = sys.modules["junfeiai_emulator"]
    for thing in (module, Emulator.fault, Emulator.change):
        found = doctest.DocTestParser().get_doctest(inspect.getdoc(thing) or "", {"emulator": junfeiai_emulator}, "example", None, None)
        assert found.examples
        said: list[str] = []
        assert doctest.DocTestRunner().run(found, out=said.append).failed == 0, "".join(said)


def test_everything_is_documented() -> None:
    for name, member in vars(Emulator).items():
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            assert member.__doc__, name
    assert "JUNFEIAI_API_KEY" not in os.environ
