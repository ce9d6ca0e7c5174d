"""The command: every command, every exit code, both kinds of output, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator, within_one_day

import junfeiai
from junfeiai._cli.exit_codes import EXIT_CODES, exit_code

from commands import _state as _state
from commands import command, posts, run, values, write_list


def test_generate(environment: Path, emulator: Emulator) -> None:
    result = run("generate", "a ball", "--seconds", "6", "--size", "1280x720", "-o", "out/ball.mp4", "--sha256")
    assert (environment / "out" / "ball.mp4").stat().st_size > 1000
    assert f"file      {Path('out/ball.mp4')}" in result.stdout
    assert "1280x720" in result.stdout
    assert "sha256" in result.stdout
    assert "billed 6 s" in result.stderr
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


def test_estimate_and_limit(emulator: Emulator) -> None:
    text = run("estimate", "--seconds", "6", "--size", "1792x1024").stdout
    assert "0.5 USD (250" in text
    assert "1.666667 times" in text
    [guess] = values(run("estimate", "a ball", "--seconds", "6", "--json"))
    assert (guess["units"], guess["certainty"], guess["billed_seconds"]) == (150_000, "default_group", 6)
    refused = run("generate", "a ball", "--seconds", "7", "--max-cost", "0.3", "-o", "a.mp4", code=2)
    assert "0.35 USD" in refused.stderr
    emulator.scenario(api={"pricing": False, "log": False})
    run("create", "a ball", "--seconds", "6", "--max-cost", "0.3", "--max-cost-strict", code=2)
    assert emulator.stats()["created_tasks"] == 0
    run("create", "a ball", "--seconds", "6", "--max-cost", "0.3")


def test_budget(emulator: Emulator, environment: Path) -> None:
    within_one_day()
    run("create", "a ball", "--seconds", "6", "--budget", "0.8")
    run("generate", "a ball", "--seconds", "6", "--budget", "0.8", "-o", "a.mp4")
    for command in (["create", "a ball", "--seconds", "6"], ["generate", "a ball", "--seconds", "6", "-o", "b.mp4"]):
        refused = run(*command, "--budget", "0.8", code=2)
        assert "0.3 USD are spent and 0.3 USD reserved" in refused.stderr
    assert emulator.stats()["created_tasks"] == 2
    # A batch has a journal of its own. What an earlier run has made is no matter of the budget.
    (environment / "list.jsonl").write_text('{"prompt": "a ball", "seconds": 6}\n' * 3, encoding="utf-8")
    for budget in ("0.8", "0.1"):
        refused = run("batch", "list.jsonl", "-o", "videos", "--budget", budget, code=2)
        assert refused.stdout.count("budget, ") == 1
        assert emulator.stats()["created_tasks"] == 4
    assert "needs a journal" in run("create", "a ball", "--budget", "0.8", "--no-journal", code=2).stderr


def test_spent(emulator: Emulator) -> None:
    within_one_day()
    assert "no create requests" in run("spent").stderr
    saved = run("generate", "a ball", "--seconds", "6", "-o", "a.mp4").stdout
    assert "charge    0.3 USD (150000 units)" in saved
    emulator.scenario(task={"outcome": "failure", "ends_after_polls": 2})
    failed = run("generate", "a ball", "--seconds", "4", "-o", "b.mp4", code=3)
    assert "refund    the server returns 0.2 USD for a failed task" in failed.stderr
    text = run("spent").stdout
    assert "grok-image-video: 2 tasks, charged 0.5 USD, 1 failed, 0.2 USD returned" in text
    assert "total      0.3 USD" in text
    [line] = values(run("spent", "--json", "--since", "2026-01-01"))
    assert (line["charged_units"], line["refunded_units"], line["failed"]) == (250_000, 100_000, 1)
    assert run("spent", "--since", "9999-01-01").stdout == ""
    assert "since" in run("spent", "--since", "soon", code=2).stderr


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
    write_list(environment, 30)
    # Each create takes long enough that Ctrl-C comes before the first has ended.
    emulator.scenario(task={"running_s": 1e9}, api={"create_latency_ms": 5000})
    process = subprocess.Popen(
        command("batch", "list.jsonl", "-o", "out", "--concurrency", "30"), stderr=subprocess.PIPE, text=True
    )
    posts(emulator, 4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert emulator.stats()["posts"] == 4, "those that have left end, the others do not leave"
    assert err.count(": task task_") == 4, err
    emulator.scenario()
    pending = run("pending", "--journal", "out/.junfeiai-journal").stdout
    assert "outcome unknown" not in pending
    assert pending.count("task_") == 4
    # The lines of the four tasks and two others, each task in whichever order it came to be made.
    made = sorted(int(line.split()[1].rstrip(":")) - 1 for line in err.splitlines() if ": task task_" in line)
    numbers = [*made, *[n for n in range(30) if n not in made][:2]]
    (environment / "list.jsonl").write_text("\n".join(json.dumps({"prompt": f"ball {n}", "seconds": 4}) for n in numbers))
    # The four tasks of the first run never end in the emulator: they are given up here, the other two are made.
    run("batch", "list.jsonl", "-o", "out", "--concurrency", "6", "--timeout", "0.5", code=4)
    assert emulator.stats()["created_tasks"] == 6


def test_one_batch_at_a_time(environment: Path, emulator: Emulator) -> None:
    write_list(environment, 30)
    emulator.rule("hang", op="create")
    first = subprocess.Popen(command("batch", "list.jsonl", "-o", "out"), stderr=subprocess.PIPE, text=True)
    posts(emulator, 4)
    second = run("batch", "list.jsonl", "-o", "out", "--no-wait", code=1)
    assert f" on {socket.gethostname()} since " in second.stderr
    # On Windows the interpreter of a virtual environment starts another process.
    assert f"process {first.pid} on " in second.stderr or sys.platform == "win32"
    assert "another folder" in second.stderr
    assert emulator.stats()["posts"] == 4
    first.kill()
    first.communicate()
    # The lock goes with its process. What was in flight is unknown and never sent again by itself.
    emulator.scenario()
    run("batch", "list.jsonl", "-o", "out", code=7)
    assert emulator.stats()["posts"] == 30


def test_batch_looks_into_the_journal_before_each_create(environment: Path, emulator: Emulator) -> None:
    """Another program that uses the same journal has created one of the lines meanwhile."""
    write_list(environment, 2)
    (environment / "out").mkdir()
    journal = environment / "out" / ".junfeiai-journal"
    emulator.scenario(task={"queued_s": 0, "running_s": 3600}, api={"create_latency_ms": 300})
    process = subprocess.Popen(
        command("batch", "list.jsonl", "-o", "out", "--concurrency", "1", "--json"), stdout=subprocess.PIPE, text=True
    )
    posts(emulator, 1)
    emulator.scenario()  # the first task alone is slow, so that the second line waits for long enough
    task = junfeiai.Client(**emulator.options(journal=journal)).videos.create("ball 1", seconds=4)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    saved = {line["line"]: line["task_id"] for line in map(json.loads, out.splitlines())}
    assert saved[2] == task.id
    assert emulator.stats()["posts"] == 2


def test_twins_in_one_batch(environment: Path, emulator: Emulator) -> None:
    """Lines with the same request are as many videos, each in its own file."""
    (environment / "list.jsonl").write_text('{"prompt": "x", "seconds": 4}\n' * 3)
    emulator.scenario(rules=[{"match": {"op": "create"}, "times": 1, "fault": {"kind": "drop_after_accept"}}])
    lines = values(run("batch", "list.jsonl", "-o", "out", "--json", code=7))
    assert sorted(line.get("state", "error") for line in lines) == ["error", "saved", "saved"]
    assert emulator.stats()["posts"] == 3


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401, "body": {"error": {"message": "Invalid token", "type": "new_api_error", "code": ""}}}, 5),
        ({"status": 403, "body": {"code": "insufficient_user_quota", "message": "no money", "data": None}}, 5),
        ({"status": 403, "body": {"error": {"message": "no right", "type": "new_api_error", "code": ""}}}, 5),
    ],
)
def test_batch_ends_at_what_every_create_would_meet(
    fault: dict[str, Any], code: int, environment: Path, emulator: Emulator
) -> None:
    write_list(environment, 30)
    emulator.rule("status", op="create", **fault)
    lines = values(run("batch", "list.jsonl", "-o", "out", "--json", "--concurrency", "3", code=code))
    assert 1 <= emulator.stats()["posts"] <= 3
    assert sorted(line["line"] for line in lines) == list(range(1, 31))
    assert sum(line.get("state") == "not_begun" for line in lines) == 30 - emulator.stats()["posts"]


def test_batch_with_a_bad_key(environment: Path, emulator: Emulator) -> None:
    write_list(environment, 30)
    result = run("batch", "list.jsonl", "-o", "out", env={"JUNFEIAI_API_KEY": "sk-wrong"}, code=5)
    assert 1 <= emulator.stats()["posts"] <= 4
    assert result.stdout.count("not begun") == 30 - emulator.stats()["posts"]


def test_batch_saves_what_is_under_way_when_it_ends(environment: Path, emulator: Emulator) -> None:
    write_list(environment, 4)
    # The third create is refused while the two tasks are running.
    refused = {"match": {"op": "create", "from": 3}, "fault": {"kind": "status", "status": 401, "body": {}}}
    emulator.scenario(task={"queued_s": 0, "running_s": 1800}, rules=[refused])
    lines = values(run("batch", "list.jsonl", "-o", "out", "--json", "--concurrency", "3", code=5))
    states = {line["line"]: line.get("state", "error") for line in lines}
    assert sorted(states.values()) == ["error", "not_begun", "saved", "saved"]
    assert emulator.stats()["posts"] == 3


BAD_TARGETS = ["there.mp4", "folder", "there.mp4/x.mp4", "/proc/none/x.mp4", pytest.param("x" * 300, id="long"), "link/x.mp4"]


@pytest.mark.parametrize("target", BAD_TARGETS)
def test_a_target_that_cannot_be_written_costs_nothing(target: str, environment: Path, emulator: Emulator) -> None:
    (environment / "there.mp4").write_bytes(b"x")
    (environment / "folder").mkdir()
    (environment / "link").symlink_to("nowhere")
    result = run("generate", "x", "--seconds", "4", "-o", target, code=1)
    assert result.stderr.startswith("error: "), result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert emulator.stats()["posts"] == 0
    (environment / "list.jsonl").write_text(json.dumps({"prompt": "x", "output": str(environment / target)}))
    if target != "there.mp4":  # a file that exists is a line that is done
        run("batch", "list.jsonl", "-o", "out", "--allow-outside", code=1)
    assert emulator.stats()["posts"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--connections", "0"], ["--connections", "17"], ["--connections", "9" * 30], ["--timeout", "nan"],
        ["--timeout", "-1"], ["--journal", "there.mp4/journal"], ["--journal", "there.mp4"],
        ["--seconds", "nan"], ["--image", "none.png"], ["--image", "."], ["--poll-interval", "nan"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["generate", "batch"])
def test_options_that_cannot_be_used_cost_nothing(
    name: str, arguments: list[str], environment: Path, emulator: Emulator
) -> None:
    (environment / "there.mp4").write_bytes(b"x" * 1000)
    (environment / "list.jsonl").write_text('{"prompt": "x"}')
    if name == "batch" and arguments[0] in ("--seconds", "--image", "--journal"):
        arguments = ["--concurrency", {"--seconds": "0", "--image": "-1", "--journal": "nan"}[arguments[0]]]
    given = ["x", "-o", "new.mp4"] if name == "generate" else ["list.jsonl", "-o", "out"]
    result = subprocess.run(
        [sys.executable, "-m", "junfeiai", name, *given, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode in (1, 2), result.stderr
    assert "Traceback" not in result.stderr
    assert "error: " in result.stderr
    assert emulator.stats()["posts"] == 0


@pytest.mark.parametrize("output", ["3", '"a\\u0000b.mp4"', "[]", '"x"'])
def test_outputs_of_a_batch(output: str, environment: Path, emulator: Emulator) -> None:
    (environment / "list.jsonl").write_text(f'{{"prompt": "x"}}\n{{"prompt": "y", "output": {output}}}')
    (environment / "out" / "x").mkdir(parents=True)
    result = run("batch", "list.jsonl", "-o", "out", env={}, code=1 if output[0] == '"' else 2)
    assert "error: " in result.stderr
    assert emulator.stats()["posts"] == 0


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], check=False, capture_output=True
    ).returncode == 0
    if not mounted:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_costs_nothing(full_disk: Path, environment: Path, emulator: Emulator) -> None:
    with contextlib.suppress(OSError), (full_disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    result = run("generate", "x", "--seconds", "4", "-o", str(full_disk / "x.mp4"), code=1)
    assert "room" in result.stderr or "space" in result.stderr
    assert emulator.stats()["posts"] == 0


def test_batch_ends_at_a_full_disk(full_disk: Path, environment: Path, emulator: Emulator) -> None:
    write_list(environment, 10)
    emulator.scenario(task={"queued_s": 0, "running_s": 0, "video_bytes": 40_000})
    lines = values(run("batch", "list.jsonl", "-o", str(full_disk / "out"), "--json", "--concurrency", "1", code=1))
    states = [line.get("state", line.get("error", {}).get("kind")) for line in lines]
    assert states[:2] == ["saved", "no_space"], states
    assert set(states[2:]) == {"not_begun"}
    assert emulator.stats()["posts"] == 2


def test_a_read_only_disk_costs_nothing(full_disk: Path, emulator: Emulator) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(full_disk)], check=True)
    result = run("generate", "x", "--seconds", "4", "-o", str(full_disk / "x.mp4"), code=1)
    assert "Read-only" in result.stderr
    assert emulator.stats()["posts"] == 0


@pytest.mark.parametrize("name", ["generate", "create"])
def test_ctrl_c_in_a_create(name: str, environment: Path, emulator: Emulator) -> None:
    emulator.rule("hang", op="create")
    process = subprocess.Popen(command(name, "x", "--seconds", "4"), stderr=subprocess.PIPE, text=True)
    posts(emulator, 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "may have been charged" in err
    assert len(err.splitlines()) == 2, err
    assert "outcome unknown" in run("pending").stdout


def test_reconcile(environment: Path, emulator: Emulator) -> None:
    assert "no create request" in run("reconcile").stderr
    emulator.rule("empty_body", op="create")
    run("create", "x", "--seconds", "4", code=7)
    emulator.rule("drop_before_accept", op="create")
    run("create", "x", "--seconds", "6", code=7)
    emulator.scenario()
    verdicts = [(one["seconds"], one["verdict"]) for one in values(run("reconcile", "--json", code=7))]
    assert ("6", "under_way") in verdicts
    assert len(verdicts) == 2
    assert "under_way" in run("reconcile", code=7).stdout


def test_reconcile_with_the_accounts_token(environment: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.scenario(accounts=[{"name": "default", "user_id": 7, "access_token": "account-token-4711"}])
    run("create", "x", "--seconds", "4")
    emulator.rule("empty_body", op="create")
    run("create", "x", "--seconds", "6", code=7)
    emulator.scenario()
    monkeypatch.setenv("JUNFEIAI_ACCOUNT_TOKEN", "not one")
    assert "account token" in run("reconcile", code=2).stderr
    monkeypatch.setenv("JUNFEIAI_ACCOUNT_TOKEN", "account-token-4711")
    monkeypatch.setenv("JUNFEIAI_ACCOUNT_USER", "7")
    done = run("reconcile", "--json", "-vv")
    [found] = [one for one in values(done) if one["verdict"] == "charged"]
    assert found["task_id"].startswith("task_")
    assert "account-token" not in done.stdout + done.stderr
    assert found["task_id"] in run("pending").stdout


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


def test_without_docstrings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``python -OO`` and some bundlers leave them out."""
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    assert junfeiai.__version__ in run("--version").stdout
    code = "from junfeiai.testing import error; print(error('task_failed'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.startswith("task_failed; "), said


def test_a_bar_needs_its_extra(emulator: Emulator, environment: Path) -> None:
    (environment / "rich.py").write_text("raise ImportError\n")
    result = run("save", emulator.finished(), "--progress", "bar", env={"PYTHONPATH": str(environment)}, code=2)
    assert "pip install rich" in result.stderr
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
