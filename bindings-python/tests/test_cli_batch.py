"""The command's batches: the forms and encodings of lists, outputs, the list of results, joining, signals, and terminals."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import _state as _state
from commands import command, posts, run, values, write_list
from conftest import Emulator

from junfeiai._cli.batch import Progress
from junfeiai._cli.output import Output

LIST = '{"prompt": "wind\u2028and\u0085rain", "seconds": 4}\n\n{"prompt": "雪", "seconds": 6, "output": "snow.mp4"}\n'


def prompts(emulator: Emulator) -> list[str]:
    return sorted(entry["body_json"]["prompt"] for entry in emulator.requests("/video/generations") if entry["method"] == "POST")


def results(folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "results.jsonl").read_text(encoding="utf-8").split("\n") if line]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_of_a_list(encoding: str, end: str, environment: Path, emulator: Emulator) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (environment / "list.jsonl").write_bytes((mark + LIST).replace("\n", end).encode(encoding))
    done = values(run("batch", "list.jsonl", "-o", "out", "--json"))
    assert sorted(one["line"] for one in done) == [1, 3]
    assert prompts(emulator) == ["wind\u2028and\u0085rain", "雪"]
    assert Path("out/snow.mp4").is_file()


def test_a_list_in_another_encoding(environment: Path, emulator: Emulator) -> None:
    (environment / "list.jsonl").write_bytes('{"prompt": "x"}\n{"prompt": "Möwe"}'.encode("latin-1"))
    assert "list.jsonl, line 2: it is not UTF-8" in run("batch", "list.jsonl", "-o", "out", code=2).stderr
    assert emulator.stats()["posts"] == 0


CSV = 'prompt,seconds,size,output,images\r\n"A ball, red\r\nand round",4,,ball.mp4,\r\n,,,,\r\nA boat,6,1280x720,,https://a.example/1.png|https://a.example/2.png\r\n'


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(separator: str, environment: Path, emulator: Emulator) -> None:
    text = CSV.replace(",", separator).replace(f"ball{separator}", "ball,")
    (environment / "list.csv").write_text(text, encoding="utf-8-sig", newline="")
    done = values(run("batch", "list.csv", "-o", "out", "--json"))
    assert sorted(one["line"] for one in done) == [2, 5]
    bodies = [one["body_json"] for one in emulator.requests("/video/generations") if one["method"] == "POST"]
    first, second = sorted(bodies, key=lambda body: str(body["prompt"]))
    assert first["prompt"] == "A ball, red\r\nand round"
    assert "size" not in first
    assert (second["seconds"], second["size"], len(second["images"])) == ("6", "1280x720", 2)
    assert Path("out/ball.mp4").is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompt,sconds\nx,4\n", "line 2: there is no field 'sconds': did you mean 'seconds'?"),
        ("text,seconds\nx,4\n", "line 1: the first line of CSV names the fields"),
        ("prompt,seconds\nx,4,5\n", "line 2: it has 3 cells"),
        ('prompt\n"x\n', "line 2: it is not CSV"),
        ("prompt,seconds\nx,4\ny,many\n", "line 3"),
        ("prompt,retry_failed\nx,perhaps\n", "line 2: field 'retry_failed'"),
    ],
)
def test_csv_that_cannot_be_read(text: str, said: str, environment: Path, emulator: Emulator) -> None:
    assert said in run("batch", "-", "-o", "out", "--format", "csv", given=text, code=2).stderr
    assert emulator.stats()["posts"] == 0


def test_standard_input(environment: Path, emulator: Emulator) -> None:
    (environment / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    given = '{"prompt": "x", "seconds": 4, "model": "grok-video-1.5", "image": "a.png"}'
    for _ in range(2):
        run("batch", "-", "-o", "out", given=given)
    run("batch", "-", "-o", "out", given="seconds,prompt\n4,y\n")
    run("batch", "-", "-o", "out", given="")
    assert emulator.stats()["created_tasks"] == 2
    assert "standard input, line 1: it is not JSON" in run("batch", "-", "-o", "out", given="{", code=2).stderr


@pytest.mark.parametrize(("field", "near"), [("sceonds", "'seconds'"), ("Prompt", "'prompt'"), ("zzz", "'extra'")])
def test_a_misspelt_field(field: str, near: str, emulator: Emulator) -> None:
    said = run("batch", "-", "-o", "out", given=json.dumps({"prompt": "x", field: "4"}), code=2).stderr
    assert f"line 1: there is no field '{field}'" in said
    assert near in said
    assert emulator.stats()["posts"] == 0


OUTSIDE = ["../x.mp4", "/tmp/x.mp4", "a/../../x.mp4", "link/x.mp4", "results.jsonl", ".junfeiai-lock", ".junfeiai-journal.new"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_outputs_stay_in_the_folder(name: str, environment: Path, emulator: Emulator) -> None:
    (environment / "out").mkdir()
    (environment / "out" / "link").symlink_to("..")
    given = json.dumps({"prompt": "x", "output": name})
    said = run("batch", "-", "-o", "out", given=given, code=2).stderr
    assert "standard input, line 1: its output" in said
    assert emulator.stats()["posts"] == 0


def test_outputs_outside_of_the_folder_on_demand(environment: Path) -> None:
    given = json.dumps({"prompt": "x", "seconds": 4, "output": "../x.mp4"})
    run("batch", "-", "-o", "out", "--allow-outside", given=given)
    assert (environment / "x.mp4").is_file()


def test_an_output_that_is_a_folder(environment: Path, emulator: Emulator) -> None:
    given = "\n".join(json.dumps({"prompt": f"x{end}", "seconds": 4, "output": f"a{end}"}) for end in ("/", os.sep * 2))
    paths = {one["path"] for one in values(run("batch", "-", "-o", "out", "--json", given=given))}
    assert len(paths) == 2
    assert {Path(path).parent for path in paths} == {Path("out/a")}
    twice = '{"prompt": "x", "output": "a.mp4"}\n{"prompt": "y", "output": "./a.mp4"}'
    assert "line 2: its output is the one of line 1" in run("batch", "-", "-o", "out", given=twice, code=2).stderr


def test_the_list_of_results(environment: Path, emulator: Emulator) -> None:
    lines = ['{"prompt": "x", "seconds": 4, "output": "x.mp4"}', '{"prompt": "[fail] y", "seconds": 6}', '{"prompt": "z", "seconds": "4"}']
    run("batch", "-", "-o", "out", given="\n".join(lines[:2]), code=3)
    first, second = results("out")
    task_id = first["task_id"]
    assert (first["line"], first["state"], first["file"], first["seconds"], first["list"]) == (1, "saved", "x.mp4", 4, "-")
    assert (first["cost_units"], first["cost_usd"]) == (100_000, 0.2)
    assert first["bytes"] == Path("out/x.mp4").stat().st_size
    assert (second["line"], second["state"]) == (2, "failed")
    assert second["task_id"].startswith("task_")
    assert "error" in second
    # Another list of the same folder, in which one line has moved.
    run("batch", "-", "-o", "out", given="\n".join([lines[2], lines[0]]))
    kept = results("out")
    assert [(one["line"], one["state"]) for one in kept] == [(2, "failed"), (1, "saved"), (2, "saved")]
    assert kept[2]["task_id"] == task_id, "what was known stays"
    Path("out/results.jsonl").write_bytes(b'{"torn')
    run("batch", "-", "-o", "out", given=lines[0])
    assert [one["state"] for one in results("out")] == ["saved"]


def test_results_that_cannot_be_written_lose_nothing(environment: Path, emulator: Emulator) -> None:
    (environment / "out" / "results.jsonl").mkdir(parents=True)
    said = run("batch", "-", "-o", "out", given='{"prompt": "x", "seconds": 4, "output": "x.mp4"}').stderr
    assert "the list of results could not be written" in said
    assert Path("out/x.mp4").is_file()


def test_an_unknown_outcome_is_settled_by_its_line(environment: Path, emulator: Emulator) -> None:
    lines = [json.dumps({"prompt": f"ball {n}", "seconds": 4}) for n in range(3)]
    emulator.scenario(rules=[{"match": {"op": "create"}, "times": 1, "fault": {"kind": "drop_after_accept"}}])
    first = run("batch", "-", "-o", "out", "--concurrency", "1", given="\n".join(lines), code=7)
    assert "junfeiai reconcile --journal out" in first.stderr
    again = run("batch", "-", "-o", "out", "--json", given="\n".join(lines), code=7)
    [lost] = [one for one in values(again) if one["state"] == "unknown"]
    assert lost["line"] == 1
    said = run("batch", "-", "-o", "out", given="\n".join(lines), code=7).stdout
    assert f"junfeiai resolve {lost['intent']} --not-created --journal out" in said
    # Both know the folder and the line, without being told the journal.
    assert f"batch {environment / 'out'}, line 1" in run("pending").stdout
    # Neither minds that another journal is damaged.
    damaged = environment / "state" / "junfeiai" / "journal"
    damaged.write_text("damage\n")
    assert "line 1" in run("pending", code=1).stdout
    assert "line 1)" in run("resolve", lost["intent"], "--not-created").stdout
    assert "leave the journal where it is" in run("resolve", "nobody", "--not-created", code=1).stderr
    run("batch", "-", "-o", "out", given="\n".join(lines))
    assert emulator.stats()["posts"] == 4
    assert {one["state"] for one in results("out")} == {"saved"}


def test_a_second_batch_joins_the_first(environment: Path, emulator: Emulator) -> None:
    write_list(environment, 3)
    emulator.scenario(task={"queued_s": 0, "running_s": 600})
    first = subprocess.Popen(command("batch", "list.jsonl", "-o", "out"), stdout=subprocess.PIPE, text=True)
    posts(emulator, 3)
    second = run("batch", "list.jsonl", "-o", "out", "--json")
    out, _ = first.communicate(timeout=60)
    assert first.returncode == 0, out
    assert {one["state"] for one in values(second)} == {"exists"}
    assert emulator.stats()["posts"] == 3
    run("batch", "list.jsonl", "-o", "out", "--no-wait")


@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", 0)])
def test_a_signal_ends_a_batch_like_ctrl_c(number: int, environment: Path, emulator: Emulator) -> None:
    write_list(environment, 30)
    emulator.scenario(task={"running_s": 1e9}, api={"create_latency_ms": 5000})
    process = subprocess.Popen(command("batch", "list.jsonl", "-o", "out"), stderr=subprocess.PIPE, text=True)
    posts(emulator, 4)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert emulator.stats()["posts"] == 4
    assert sum(one["state"] == "created" for one in results("out")) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="no other process can be sent Ctrl-C alone, nor SIGTERM at all")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_list_is_read(number: int, environment: Path, emulator: Emulator) -> None:
    """Of a list that does not end. It keeps nobody out of the folder meanwhile."""
    process = subprocess.Popen(command("batch", "-", "-o", "out"), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stderr is not None
    # More than a pipe holds: it is being read when this is written.
    process.stdin.write(b"\n" * 300_000)
    process.stdin.flush()
    write_list(environment, 1)
    run("batch", "list.jsonl", "-o", "out", "--no-wait")
    process.send_signal(number)
    try:
        assert process.wait(60) == 128 + number
    finally:
        process.kill()
        process.stdin.close()
        err = process.stderr.read()
        process.stderr.close()
    assert b"Traceback" not in err, err
    assert emulator.stats()["posts"] == 1


# The loops of Windows take no handlers of signals.
WITHOUT_HANDLERS = """
import asyncio, sys
def refuse(*_): raise NotImplementedError
asyncio.SelectorEventLoop.add_signal_handler = asyncio.SelectorEventLoop.remove_signal_handler = refuse
from junfeiai._cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_batch_on_loops_without_handlers(number: int, environment: Path, emulator: Emulator) -> None:
    write_list(environment, 30)
    emulator.scenario(task={"running_s": 1e9}, api={"create_latency_ms": 5000})
    words = ["batch", "list.jsonl", "-o", "out", "--poll-interval", "0.02"]
    process = subprocess.Popen([sys.executable, "-c", WITHOUT_HANDLERS, *words], stderr=subprocess.PIPE, text=True)
    posts(emulator, 4)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert emulator.stats()["posts"] == 4
    assert sum(one["state"] == "created" for one in results("out")) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="another signal is sent in place of it")
def test_ctrl_break_of_windows_ends_a_batch_like_ctrl_c(environment: Path, emulator: Emulator) -> None:
    write_list(environment, 30)
    emulator.scenario(task={"running_s": 1e9}, api={"create_latency_ms": 5000})
    script = "import signal\nsignal.SIGBREAK = signal.SIGUSR1\n" + WITHOUT_HANDLERS
    process = subprocess.Popen([sys.executable, "-c", script, "batch", "list.jsonl", "-o", "out"], stderr=subprocess.PIPE, text=True)
    posts(emulator, 4)
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGUSR1, err
    assert "run the same command again" in err
    assert sum(one["state"] == "created" for one in results("out")) == 4


def test_outputs_that_differ_by_case_only(environment: Path, emulator: Emulator) -> None:
    given = '{"prompt": "x", "seconds": 4, "output": "A.mp4"}\n{"prompt": "y", "seconds": 4, "output": "a.mp4"}'
    script = "import sys\nfrom junfeiai._cli import batch_list, main\nsys.platform = 'darwin' if sys.platform == 'linux' else sys.platform\nsys.exit(main(sys.argv[1:]))"
    arguments = [sys.executable, "-c", script, "batch", "-", "-o", "out"]
    done = subprocess.run(arguments, input=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "line 2: its output is the one of line 1" in done.stderr
    assert emulator.stats()["posts"] == 0
    run("batch", "-", "-o", "out", "--poll-interval", "0.02", given=given, code=0 if sys.platform == "linux" else 2)


def test_a_terminal_shows_how_far_it_is(environment: Path, emulator: Emulator) -> None:
    import pty

    write_list(environment, 3)
    main_end, terminal = pty.openpty()
    process = subprocess.Popen(command("batch", "list.jsonl", "-o", "out"), stdout=subprocess.DEVNULL, stderr=terminal)
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
    text = seen.decode()
    assert "0 of 3" in text
    assert "2 of 3" in text
    assert "3 of 3: 3 saved; charged 0.6 USD; see out/results.jsonl" in text
    run("batch", "list.jsonl", "-o", "out")
    assert " of 3" not in run("batch", "list.jsonl", "-o", "out").stderr


def test_the_rate_and_the_time_left() -> None:
    progress = Progress(30, Output(json=False, progress="none"))
    assert progress.text(5).endswith("] 0 of 30")
    progress.states.update(exists=2, saved=9, failed=1)
    assert progress.text(200).endswith("[############------------------] 12 of 30  3.0/min  ETA 6:00")
    assert progress.text(20_000).endswith("ETA 10:00:00")
    progress.states.update(saved=18)
    assert progress.text(200).endswith("30 of 30")


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_names_that_are_one_file_elsewhere(platform: str, environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By case, and by whether a letter with a mark is written as one or as two."""
    from junfeiai._cli import batch_list

    names = [batch_list._name_on_disk(environment / name) for name in ("Möwe.mp4", "mo\u0308we.mp4", "MÖWE.MP4")]
    assert len(set(names)) == 3
    monkeypatch.setattr(sys, "platform", platform)
    names = [batch_list._name_on_disk(environment / name) for name in ("Möwe.mp4", "mo\u0308we.mp4", "MÖWE.MP4")]
    assert len(set(names)) == 1


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_names_of_the_batch_itself_that_are_one_file_elsewhere(platform: str, environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from junfeiai._cli import batch_list

    names = ("RESULTS.jsonl", "Results.jsonl.NEW", ".Junfeiai-Lock", ".JUNFEIAI-journal.lock")
    for name in names:
        assert batch_list._inside(environment, name, False) == environment / name
    monkeypatch.setattr(sys, "platform", platform)
    for name in names:
        with pytest.raises(ValueError, match="is a file of the batch itself"):
            batch_list._inside(environment, name, False)


@pytest.mark.parametrize(("error", "taken"), [(None, True), (PermissionError(13, "denied"), False), (OSError(22, "invalid"), True)])
def test_the_lock_of_a_batch_on_windows(error: OSError | None, taken: bool, environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive without locks holds nobody up for ever."""
    from junfeiai._cli import batch

    def locking(*_: int) -> None:
        if error is not None:
            raise error

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.setattr(sys, "platform", "win32")
    with (environment / "lock").open("a+") as file:
        assert batch._try_lock(file.fileno()) is taken


def test_nothing_is_asked_of_the_service_of_windows_that_may_not_answer(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WMI, which `platform` asks: neither for who holds the folder nor for the facts of the build."""
    from junfeiai._cli import batch, build_facts

    def ask() -> None:
        raise AssertionError("WMI was asked")

    monkeypatch.setattr(platform, "uname", ask)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "getwindowsversion", lambda: SimpleNamespace(major=10, minor=0, build=22631, product_type=1), raising=False)
    with (environment / "lock").open("a+", encoding="utf-8") as file:
        batch._name_holder(file.fileno())
    # As os.hostname() has it for the command in JavaScript.
    assert (environment / "lock").read_text(encoding="utf-8").startswith(f"process {os.getpid()} on {socket.gethostname()} since ")
    assert "\nsystem    Windows 10.0.22631, output " in build_facts.build_facts()


def test_an_output_that_this_system_cannot_name(environment: Path, emulator: Emulator) -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = run("batch", "-", "-o", "out", given='{"prompt": "x", "output": "红.mp4"}', env=env, code=2).stderr
    assert "line 1: its output" in said
    assert "set LC_ALL=C.UTF-8" in said
    assert emulator.stats()["posts"] == 0


def test_a_list_from_a_pipe_of_the_shell(environment: Path, emulator: Emulator) -> None:
    (environment / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    line = json.dumps({"prompt": "x", "seconds": 4, "model": "grok-video-1.5", "image": "a.png"})
    words = ["bash", "-c", "exec \"$@\" batch <(printf '%s' \"$LIST\") -o out", "bash", *command()]
    done = subprocess.run(words, env={**os.environ, "LIST": line}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert emulator.stats()["created_tasks"] == 1
