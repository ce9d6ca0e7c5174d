"""The command: every command, every exit code, both kinds of output, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator

import junfeiai
from junfeiai._cli import EXIT_CODES, exit_code


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "junfeiai", *arguments, "--poll-interval", "0.02"]


def run(*arguments: str, env: dict[str, str] | None = None, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **(env or {})}
    )
    assert result.returncode == code, result.stdout + result.stderr
    assert KEY not in result.stdout + result.stderr
    return result


@pytest.fixture(autouse=True)
def _state(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(environment / "state"))


def values(result: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_generate(environment: Path, emulator: Emulator) -> None:
    result = run("generate", "a ball", "--seconds", "6", "--size", "1280x720", "-o", "out/ball.mp4", "--sha256")
    assert (environment / "out" / "ball.mp4").stat().st_size > 1000
    assert "file      out/ball.mp4" in result.stdout
    assert "1280x720" in result.stdout
    assert "sha256" in result.stdout
    assert "paid for 6 s" in result.stderr
    assert "status    succeeded" in result.stderr
    assert "\x1b" not in result.stderr, "plain lines where there is no terminal"
    assert emulator.stats()["created_tasks"] == 1
    assert "nothing is pending" in run("pending").stderr


def test_step_by_step(environment: Path) -> None:
    task_id = run("create", "a ball", "--seconds", "4").stdout.strip()
    assert task_id.startswith("task_")
    assert task_id in run("pending").stdout
    [state] = values(run("get", task_id, "--json"))
    assert state["task_id"] == task_id
    assert "save" in run("wait", task_id).stdout
    [saved] = values(run("save", task_id, "--json"))
    assert saved["path"] == f"{task_id}.mp4"
    assert saved["bytes"] == (environment / f"{task_id}.mp4").stat().st_size


def test_pending_goes_on(environment: Path) -> None:
    task_id = run("create", "a ball", "--seconds", "4").stdout.strip()
    [saved] = values(run("pending", "-o", "out", "--json"))
    assert saved["task_id"] == task_id
    assert (environment / "out" / f"{task_id}.mp4").exists()


def test_images(emulator: Emulator, environment: Path) -> None:
    (environment / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    run("create", "x", "--model", "grok-video-1.5", "--image", "a.png", "--seconds", "4")
    body = emulator.requests("/video/generations")[0]["body_json"]
    assert body["image"].startswith("data:image/png;base64,")


def test_doctor(emulator: Emulator) -> None:
    assert "ready" in run("doctor").stdout
    [report] = values(run("doctor", "--json", "--account"))
    assert report["ok"] is True
    assert report["balance"]
    bad = run("doctor", "--json", env={"JUNFEIAI_API_KEY": "sk-wrong"}, code=5)
    assert values(bad)[0]["ok"] is False
    run("doctor", env={"JUNFEIAI_BASE_URL": "http://127.0.0.1:9/v1"}, code=6)


def test_batch_runs_again_and_goes_on(environment: Path, emulator: Emulator) -> None:
    lines: list[dict[str, Any]] = [{"prompt": f"ball {n}", "seconds": 4} for n in range(4)]
    lines += [lines[0], {"prompt": "named", "seconds": "4", "output": "named.mp4"}]
    (environment / "list.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    done = values(run("batch", "list.jsonl", "-o", "out", "--concurrency", "3", "--json"))
    assert sorted(line["line"] for line in done) == [1, 2, 3, 4, 5, 6]
    assert (environment / "out" / "named.mp4").exists()
    assert emulator.stats()["created_tasks"] == 6
    again = values(run("batch", "list.jsonl", "-o", "out", "--json"))
    assert {line["state"] for line in again} == {"exists"}
    assert emulator.stats()["created_tasks"] == 6


def test_batch_after_ctrl_c_pays_nothing_twice(environment: Path, emulator: Emulator) -> None:
    lines = [{"prompt": f"ball {n}", "seconds": 4} for n in range(6)]
    (environment / "list.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    emulator.scenario(task={"running_s": 1e9}, api={"create_latency_ms": 1500})
    process = subprocess.Popen(
        command("batch", "list.jsonl", "-o", "out", "--concurrency", "4"), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while emulator.stats()["posts"] < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "run the same command again" in err
    made = emulator.stats()["created_tasks"]
    assert made == 4, "creates under way are heard to their end"
    emulator.scenario()
    assert "outcome unknown" not in run("pending", "--journal", "out/.junfeiai-journal").stdout
    # The four tasks of the first run never end in the emulator: they are given up here, the other two are made.
    run("batch", "list.jsonl", "-o", "out", "--concurrency", "6", "--timeout", "0.5", code=4)
    assert emulator.stats()["created_tasks"] == 6


def test_batch_leaves_unknown_outcomes_alone(environment: Path, emulator: Emulator) -> None:
    (environment / "list.jsonl").write_text('{"prompt": "x", "seconds": 4}\n')
    emulator.rule("drop_after_accept", op="create")
    run("batch", "list.jsonl", "-o", "out", code=7)
    emulator.scenario()
    result = run("batch", "list.jsonl", "-o", "out", code=7)
    assert "outcome" in result.stdout
    assert emulator.stats()["posts"] == 1


@pytest.mark.parametrize("line", ['{"prompt": 3}', "[]", "{", '{"prompt": "x", "sceonds": 3}', '{"prompt": ""}'])
def test_a_bad_list_costs_nothing(line: str, environment: Path, emulator: Emulator) -> None:
    (environment / "list.jsonl").write_text('{"prompt": "good", "seconds": 4}\n' + line)
    assert "list.jsonl, line 2" in run("batch", "list.jsonl", "-o", "out", code=2).stderr
    assert emulator.stats()["posts"] == 0


def test_exit_codes(emulator: Emulator, environment: Path) -> None:
    assert "a ball" not in run("generate", code=2).stderr
    assert "seconds" in run("create", "x", "--seconds", "-5", code=2).stderr
    assert "JUNFEIAI_API_KEY" in run("get", "task_1", "--base-url", "standard", env={"JUNFEIAI_API_KEY": ""}, code=2).stderr
    failed = run("generate", "[fail] x", "--seconds", "4", code=3)
    assert "task_" in failed.stderr
    running = emulator.running()
    late = run("wait", running, "--timeout", "0.2", code=4)
    assert f"junfeiai wait {running}" in late.stderr
    run("get", running, env={"JUNFEIAI_API_KEY": "sk-wrong"}, code=5)
    run("get", running, env={"JUNFEIAI_BASE_URL": "http://127.0.0.1:9/v1"}, code=6)
    [error] = values(run("get", "task_none", "--json", code=1))
    assert error["error"]["kind"] == "not_found"
    assert error["error"]["task_id"] == "task_none"
    emulator.rule("drop_after_accept", op="create")
    run("create", "x", "--seconds", "4", code=7)


def test_every_class_has_an_exit_code_that_is_documented() -> None:
    import junfeiai._cli

    for _, code in EXIT_CODES:
        assert f"{code} " in (junfeiai._cli.__doc__ or "")
    assert exit_code(junfeiai.InsufficientBalanceError()) == 5
    assert exit_code(junfeiai.APITimeoutError()) == 6
    assert exit_code(junfeiai.WaitTimeoutError()) == 4
    assert exit_code(junfeiai.InternalError()) == 1


def test_the_key_from_a_file(environment: Path, emulator: Emulator) -> None:
    (environment / "key").write_text(KEY + "\n")
    run("get", emulator.finished(), "--api-key-file", "key", env={"JUNFEIAI_API_KEY": ""})
    run("get", "task_1", "--api-key-file", "none", code=2)
    result = run("get", "task_1", "--api-key", KEY, code=2)
    assert "never given on the command line" in result.stderr


def test_ctrl_c_says_how_to_go_on(emulator: Emulator, environment: Path) -> None:
    task_id = emulator.running()
    process = subprocess.Popen(command("wait", task_id), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.readline()  # the first state
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"junfeiai wait {task_id}" in err
    assert "Traceback" not in err


def test_verbose_and_log(emulator: Emulator) -> None:
    task_id = emulator.finished()
    assert "DEBUG junfeiai" in run("get", task_id, "-vv").stderr
    assert "DEBUG junfeiai" in run("get", task_id, env={"JUNFEIAI_LOG": "debug"}).stderr
    assert "DEBUG" not in run("get", task_id).stderr


def test_a_bar_needs_its_extra(emulator: Emulator, environment: Path) -> None:
    (environment / "rich.py").write_text("raise ImportError\n")
    result = run("save", emulator.finished(), "--progress", "bar", env={"PYTHONPATH": str(environment)}, code=2)
    assert 'pip install "junfeiai[cli]"' in result.stderr
    assert "%" in run("save", emulator.finished(), "--progress", "plain").stderr


def test_a_bar_on_a_terminal(emulator: Emulator, environment: Path) -> None:
    import pty

    main_end, terminal = pty.openpty()
    arguments = command("save", emulator.finished(video_bytes=2_000_000), "--progress", "bar")
    process = subprocess.Popen(arguments, stderr=terminal, stdout=subprocess.PIPE, env={**os.environ, "TERM": "xterm"})
    os.close(terminal)
    seen = b""
    while True:
        try:
            piece = os.read(main_end, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    assert process.wait(60) == 0
    os.close(main_end)
    process.communicate()
    assert b"saving" in seen
