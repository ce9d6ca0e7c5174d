"""The command and its surroundings: signals, closed pipes, encodings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import _state as _state
from commands import command, posts, run, values
from conftest import KEY, Emulator

from junfeiai._cli.output import Output, command_line


@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", 0)])
@pytest.mark.parametrize("name", ["generate", "wait"])
def test_a_signal_is_like_ctrl_c(name: str, number: int, environment: Path, emulator: Emulator) -> None:
    emulator.scenario(task={"running_s": 1e9})
    given = ["x", "--seconds", "4"] if name == "generate" else [emulator.running()]
    process = subprocess.Popen(command(name, *given), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "status" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "interrupted" in err
    assert "junfeiai wait task_" in err
    assert "Traceback" not in err


def test_an_ignored_signal_stays_ignored(environment: Path, emulator: Emulator) -> None:
    emulator.scenario(api={"create_latency_ms": 1000}, task={"queued_s": 0, "running_s": 0})
    process = subprocess.Popen(
        ["nohup", *command("generate", "x", "--seconds", "4", "-o", "x.mp4")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    posts(emulator, 1)
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert (environment / "x.mp4").is_file()


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_pipe_ends_quietly(closed: str, environment: Path, emulator: Emulator) -> None:
    """Nobody reads any more: nothing is said of it, and what was paid for is saved."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, closed: write_end}
    for name in (["generate", "x", "--seconds", "4", "-o", "x.mp4"], ["pending"], ["get", emulator.finished()], ["--version"]):
        process = subprocess.Popen(command(*name), **streams, text=True)  # type: ignore[call-overload]
        out, err = process.communicate(timeout=60)
        said = (out or "") + (err or "")
        assert process.returncode == 0, said
        assert "Traceback" not in said
        assert "BrokenPipe" not in said
    os.close(write_end)
    assert (environment / "x.mp4").is_file()


def test_a_closed_pipe_of_a_batch(environment: Path, emulator: Emulator) -> None:
    lines = "".join(f'{{"prompt": "ball {n}", "seconds": 4}}\n' for n in range(4))
    (environment / "list.jsonl").write_text(lines)
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen(command("batch", "list.jsonl", "-o", "out"), stdout=write_end, stderr=subprocess.PIPE, text=True)
    os.close(write_end)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert len(list((environment / "out").glob("*.mp4"))) == 4


def test_no_streams_at_all(environment: Path, emulator: Emulator) -> None:
    words = " ".join(command("generate", "x", "--seconds", "4", "-o", "x.mp4"))
    assert subprocess.run(["sh", "-c", f"exec {words} <&- >&- 2>&-"], check=False, timeout=60).returncode == 0
    assert (environment / "x.mp4").is_file()
    batch = " ".join(command("batch", "-", "-o", "out"))
    assert subprocess.run(["sh", "-c", f"exec {batch} <&- 2>&1"], check=False, timeout=60, stdout=subprocess.DEVNULL).returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "cp1252", "utf-16"])
def test_any_encoding_of_the_output(encoding: str, environment: Path, emulator: Emulator) -> None:
    env = {**os.environ, "PYTHONIOENCODING": encoding}

    def said(*arguments: str, code: int = 0) -> tuple[str, str]:
        done = subprocess.run(command(*arguments), capture_output=True, timeout=60, env=env, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout.decode(encoding), done.stderr.decode(encoding)

    out, err = said("generate", "雪 ❄", "--seconds", "4", "-o", "雪❄.mp4")
    assert "file " in out
    assert "Traceback" not in err
    assert (environment / "雪❄.mp4").is_file()
    out, _ = said("save", emulator.finished(), "-o", "雪❄2.mp4", "--json")
    assert json.loads(out)["path"] == "雪❄2.mp4"
    _, err = said("generate", "x", "--seconds", "4", "-o", "雪❄.mp4", code=1)
    assert "error: " in err


def test_a_name_that_is_no_text(environment: Path, emulator: Emulator) -> None:
    name = os.fsdecode(b"\xff.mp4")
    run("save", emulator.finished(), "-o", name)
    [saved] = values(run("save", emulator.finished(), "-o", name, "--overwrite", "--json"))
    assert os.fsencode(saved["path"]) == b"\xff.mp4"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("name", ["generate", "batch"])
def test_what_was_paid_for_is_saved_where_nothing_can_be_said(name: str, stream: str, environment: Path, emulator: Emulator) -> None:
    (environment / "list.jsonl").write_text('{"prompt": "x", "seconds": 4, "output": "x.mp4"}')
    given = ["x", "--seconds", "4", "-o", "out/x.mp4"] if name == "generate" else ["list.jsonl", "-o", "out"]
    with Path("/dev/full").open("w") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full}
        process = subprocess.Popen(command(name, *given), **streams, text=True)  # type: ignore[call-overload]
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, f"{out}{err}"
    assert "Traceback" not in f"{out}{err}"
    assert (environment / "out/x.mp4").is_file()
    assert emulator.stats()["posts"] == 1


def test_arguments_that_are_no_text(emulator: Emulator) -> None:
    odd = os.fsdecode(b"r\xf8d")
    for given, named in ((["create", odd], "prompt"), (["create", "x", "--key", odd], "--key"), (["get", odd], "task_id")):
        assert f"argument {named}: it is not UTF-8" in run(*given, code=2).stderr
    assert emulator.stats()["posts"] == 0
    # The system's encoding knows no such letters, but the prompt is UTF-8.
    run("create", "红球", "--seconds", "4", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    [body] = [one["body_json"] for one in emulator.requests("/video/generations") if one["method"] == "POST"]
    assert body["prompt"] == "红球"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_key_from_a_file_with_a_mark(encoding: str, environment: Path, emulator: Emulator) -> None:
    (environment / "key").write_text(KEY + "\r\n", encoding=encoding)
    run("create", "x", "--seconds", "4", "--api-key-file", "key", env={"JUNFEIAI_API_KEY": "sk-wrong"})
    (environment / "key").write_bytes(b"\x93key\x94")
    assert run("create", "x", "--seconds", "4", "--api-key-file", "key", code=2).stderr.startswith("error: --api-key-file: key is not a text file")


def test_a_command_line_is_one_for_the_shell_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a path in single quotes is another path."""
    words = ["a", r"C:\Users\me\journal", r"C:\my films\ö.mp4", "C:\\my films\\", 'say "hi"', "a&b", "it's", ""]
    monkeypatch.setattr(sys, "platform", "win32")
    written = r'''a C:\Users\me\journal "C:\my films\ö.mp4" "C:\my films\\" "say \"hi\"" "a&b" "it's" ""'''
    assert command_line(words) == written
    output = Output(json=False, progress="none")
    output.journal = r"C:\Users\me\journal"
    assert output.command("export") == r"junfeiai export --journal C:\Users\me\journal"


@pytest.mark.parametrize("old", [True, False])
def test_a_console_of_windows_is_asked_for_escape_sequences(old: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One that knows none is given lines: it would show them."""
    import ctypes

    asked = []

    def get_mode(_: int, mode: Any) -> int:
        mode._obj.value = 3
        return 1

    def set_mode(_: int, mode: int) -> int:
        asked.append(mode)
        return 0 if old else 1

    kernel32 = SimpleNamespace(GetStdHandle=lambda _: 7, GetConsoleMode=get_mode, SetConsoleMode=set_mode)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel32), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Output(json=False, progress="plain").note("saving     45 %", in_place=True)
    assert asked == [7]
    assert capsys.readouterr().err == ("saving     45 %\n" if old else "\r\x1b[Ksaving     45 %")
