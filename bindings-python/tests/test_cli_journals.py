"""The command and what was paid for: failures, pending, resolve, forget, export, and users without a usable home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import _state as _state
from commands import run, values
from conftest import Emulator
from test_cli import full_disk as full_disk

import junfeiai
from junfeiai._cli.journals import shown_journal


def test_a_folder_with_a_slash_means_a_file_in_it(environment: Path) -> None:
    [saved] = values(run("generate", "x", "--seconds", "4", "-o", "films/", "--json"))
    assert saved["path"] == str(Path("films", f"{saved['task_id']}.mp4"))
    [again] = values(run("save", saved["task_id"], "-o", "more/", "--json"))
    assert again["path"] == str(Path("more", f"{saved['task_id']}.mp4"))


def test_a_failed_task_is_never_waited_for_again(emulator: Emulator) -> None:
    for extra in ([], ["--key", "film/1"]):
        failed = run("generate", "[fail] x", "--seconds", "4", *extra, code=3).stderr
        assert "the charge is returned; change the prompt or the images" in failed
        assert "still running" not in failed
        assert "junfeiai wait" not in failed
        assert ("--retry-failed" in failed) == bool(extra)
    task_id = run("create", "[fail] x", "--seconds", "4").stdout.strip()
    failed = run("wait", task_id, code=3).stderr
    assert "the charge is returned" in failed
    assert "still running; wait" not in failed
    assert "still running" not in run("wait", "task_none", code=1).stderr


def unknown(emulator: Emulator, *arguments: str) -> str:
    """The name of a create request whose response is lost."""
    emulator.rule("drop_after_accept", op="create", times=1)
    lost = run("create", "a lost ball", "--seconds", "6", *arguments, code=7)
    assert "junfeiai reconcile" in lost.stderr
    [entry] = [one for one in values(run("pending", "--json")) if one["kind"] == "unknown"]
    return str(entry["intent"])


def test_pending_says_what_when_and_how_long(emulator: Emulator) -> None:
    run("create", "a kept\nball", "--seconds", "4", "--journal-prompts")
    run("create", "a secret ball", "--seconds", "6")
    first, second = sorted(run("pending").stdout.splitlines(), key=lambda line: "secret" in line or "6 s" in line)
    assert '"a kept ball"' in first
    assert "4 s" in first
    assert "secret" not in second
    assert first.split()[1].count("-") == 2, "a date"
    assert [one["prompt"] for one in values(run("pending", "--json"))] == ["a kept\nball", None]


def test_resolve_and_forget(emulator: Emulator) -> None:
    intent = unknown(emulator)
    assert "junfeiai resolve" in run("pending").stderr
    run("resolve", intent, code=2)
    run("resolve", intent, "task_1", "--not-created", code=2)
    assert "nobody" in run("resolve", "nobody", "--not-created", code=2).stderr
    task_id = emulator.finished()
    assert run("resolve", intent, task_id).stdout.split() == ["created", intent]
    assert task_id in run("pending").stdout
    assert "a task" in run("resolve", task_id, "--not-created", code=2).stderr
    assert run("forget", task_id).stdout.split() == ["forgotten", task_id]
    assert "nothing is pending" in run("pending").stderr
    assert "not created" in run("resolve", unknown(emulator), "--not-created").stdout
    intent = unknown(emulator)
    [settled] = values(run("forget", intent, "--json"))
    assert settled["name"] == intent
    assert emulator.stats()["posts"] == 3


def test_a_damaged_journal_is_not_moved_away(environment: Path, emulator: Emulator) -> None:
    task_id = run("create", "x", "--seconds", "4", "--key", "film/1").stdout.strip()
    lost = unknown(emulator)
    journal = environment / "state" / "junfeiai" / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b"\xff damage\n", *lines[2:]]))
    before = journal.read_bytes()
    for arguments in (["create", "y", "--seconds", "4"], ["pending"]):
        said = run(*arguments, code=1).stderr
        assert "leave the journal where it is" in said
        assert f"junfeiai export --journal {journal}" in said
        assert not any(word in said for word in ("move", "delete", "remove"))
    kept = {one.get("task_id") or one["intent"]: one for one in values(run("export", "--json"))}
    assert kept[task_id]["key"] == "film/1"
    assert kept[task_id]["state"] == "created"
    assert kept[lost]["state"] == "unknown"
    assert journal.read_bytes() == before
    assert emulator.stats()["posts"] == 2


def test_export_says_how_far_a_task_is(environment: Path, emulator: Emulator) -> None:
    run("generate", "x", "--seconds", "4", "-o", "x.mp4")
    run("generate", "[fail] x", "--seconds", "4", code=3)
    run("forget", run("create", "x", "--seconds", "4").stdout.strip())
    assert [one["state"] for one in values(run("export", "--json"))] == ["saved", "failed", "forgotten"]
    assert "nothing that was paid for" in run("export", "--journal", os.devnull).stderr


def test_a_pipe_is_no_journal_and_nobody_waits_for_its_other_end(environment: Path, emulator: Emulator) -> None:
    os.mkfifo("pipe")
    os.mkfifo("j.lock")
    for journal in ("pipe", "j"):
        said = run("create", "x", "--seconds", "4", "--journal", journal, code=2).stderr
        assert "is not a regular file" in said
        with pytest.raises(junfeiai.JournalError, match="not a regular file"):
            junfeiai.Client(**emulator.options(), journal=journal)
    assert sorted(path.name for path in Path().iterdir() if "j" in path.name or "pipe" in path.name) == ["j.lock", "pipe"]
    assert emulator.stats()["posts"] == 0


def test_a_journal_on_a_full_disk(full_disk: Path, environment: Path, emulator: Emulator) -> None:
    journal = full_disk / "journal"
    task_id = run("create", "x", "--seconds", "4", "--journal", str(journal)).stdout.strip()
    with (full_disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    # More than what is left of the last page of the file.
    said = run("create", "y" * 4000, "--seconds", "4", "--journal-prompts", "--journal", str(journal), code=1).stderr
    assert f"make room on the disk of {full_disk}" in said
    assert f"junfeiai export --journal {journal}" in said
    assert "move" not in said
    assert emulator.stats()["posts"] == 1
    assert task_id in run("export", "--journal", str(journal)).stdout


def test_a_batch_on_a_full_disk(full_disk: Path, environment: Path, emulator: Emulator) -> None:
    (full_disk / "out").mkdir()
    (full_disk / "filler").write_bytes(b"")
    with (full_disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    given = json.dumps({"prompt": "x", "seconds": 4})
    said = run("batch", "-", "-o", str(full_disk / "out"), given=given, code=1)
    assert "room" in said.stdout + said.stderr
    assert "Traceback" not in said.stderr
    assert emulator.stats()["posts"] == 0


def test_little_room_is_said_before_it_is_paid(full_disk: Path, environment: Path, emulator: Emulator) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0, "video_bytes": 20_000})
    assert "0.1 MB are free" in run("generate", "x", "--seconds", "4", "-o", str(full_disk / "x.mp4")).stderr
    (full_disk / "x.mp4").unlink()
    assert "MB are free" in run("batch", "-", "-o", str(full_disk / "out"), given='{"prompt": "y", "seconds": 4}').stderr
    assert "MB are free" not in run("generate", "x", "--seconds", "4", "-o", "x.mp4").stderr


NOBODY = """
import pwd, os, sys
def nobody(number): raise KeyError(number)
pwd.getpwuid = nobody
os.environ.pop("HOME", None), os.environ.pop("XDG_STATE_HOME", None)
from junfeiai._cli import main
sys.exit(main([*sys.argv[1:], "--poll-interval", "0.02"]))
"""


def without_home(*arguments: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-c", NOBODY, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_user_without_a_home(environment: Path, emulator: Emulator) -> None:
    task_id = emulator.finished()
    assert "no home folder" in without_home("create", "x", "--seconds", "4", code=2)
    for name in ("pending", "spent", "reconcile", "export"):
        said = without_home(name, code=2)
        assert "--journal FILE" in said, said
    assert emulator.stats()["posts"] == 0
    for arguments in (["get", task_id], ["wait", task_id], ["save", task_id], ["doctor"], ["estimate"], ["--help"], ["--version"]):
        without_home(*arguments)
    without_home("create", "x", "--seconds", "4", "--no-journal")
    without_home("create", "x", "--seconds", "4", "--journal", "here")
    assert "task_" in without_home("pending", "--journal", "here")
    (environment / "list.jsonl").write_text('{"prompt": "x", "seconds": 4}')
    without_home("batch", "list.jsonl", "-o", "out")


def test_the_journal_of_a_user_of_windows(environment: Path, emulator: Emulator) -> None:
    script = "import sys\nfrom junfeiai._cli.journals import default_journal\nsys.platform = 'win32'\nprint(default_journal())"
    env = {**os.environ, "LOCALAPPDATA": str(environment / "local"), "XDG_STATE_HOME": ""}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(environment / "local" / "junfeiai" / "journal")


def test_a_home_that_cannot_be_written(full_disk: Path, environment: Path, emulator: Emulator) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(full_disk)], check=True)
    env = {"XDG_STATE_HOME": str(full_disk / "state")}
    said = run("create", "x", "--seconds", "4", env=env, code=2).stderr
    assert "cannot be written" in said
    assert "--journal FILE, or use --no-journal" in said
    run("save", emulator.finished(), env=env)
    (environment / "list.jsonl").write_text('{"prompt": "x", "seconds": 4}')
    run("batch", "list.jsonl", "-o", "out", env=env)
    assert emulator.stats()["posts"] == 1


@pytest.mark.parametrize("address", ["redis://127.0.0.1:9/0", "redis:/user:secret@127.0.0.1:9/0"])
def test_the_address_of_a_database_is_no_folder(address: str, environment: Path, emulator: Emulator) -> None:
    result = run("create", "x", "--seconds", "4", "--journal", address, code=1)
    assert "secret" not in result.stdout + result.stderr
    assert not (environment / "redis:").exists()
    assert emulator.stats()["posts"] == 0


def test_an_address_is_shown_without_its_password() -> None:
    for scheme in ("postgresql://", "redis:/"):
        for user in ("", "films", "us/er?"):
            shown = shown_journal(f"{scheme}{user}:sec:ret/se@cret@host:1/d?password=secret&journal=films")
            assert shown == f"{scheme}{user}:***@host:1/d?password=***&journal=films"
    assert shown_journal("redis://host:1/0?journal=films") == "redis://host:1/0?journal=films"


def test_a_journal_folder_of_javascript_is_refused(environment: Path, emulator: Emulator) -> None:
    """The JavaScript library alone reads it: taken for something else, it would be paid for what it knows of once more."""
    for folder in ("kept", "out/.junfeiai-journal"):
        (environment / folder).mkdir(parents=True)
        (environment / folder / "junfeiai-journal").write_text("1\n")
    for arguments in (["create", "x", "--seconds", "4"], ["pending"], ["export"]):
        assert "kept is a journal of the JavaScript library" in run(*arguments, "--journal", "kept", code=2).stderr
    [refused] = values(run("pending", "--journal", "kept", "--json", code=2))
    assert refused["error"]["kind"] == "config"
    given = json.dumps({"prompt": "x", "seconds": 4})
    assert "JavaScript" in run("batch", "-", "-o", "out", given=given, code=2).stderr
    assert emulator.stats()["posts"] == 0


@pytest.mark.parametrize("before", [["--json"], ["--json", "-v"], ["--progress", "none", "--json"]])
def test_options_before_the_command(before: list[str], emulator: Emulator) -> None:
    task_id = emulator.finished()
    [state] = values(run(*before, "get", task_id))
    assert state["task_id"] == task_id
    assert values(run("get", task_id, *before)) == [state]


def test_the_version_has_the_facts_of_the_build() -> None:
    said = run("--version").stdout
    for word in ("junfeiai ", "wheel ", "module ", "python ", "system ", "optional "):
        assert f"\n{word}" in f"\n{said}"


@pytest.mark.parametrize(("name", "value"), [("HOME", ""), ("HOME", "here"), ("XDG_STATE_HOME", "here")])
def test_a_relative_home_is_none(name: str, value: str, environment: Path) -> None:
    """The journal would be another one in each folder."""
    import pwd

    script = "from junfeiai._cli.journals import default_journal\nprint(default_journal())"
    env = {**os.environ, "HOME": str(environment / "home"), "XDG_STATE_HOME": "", name: value}
    said = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    home = environment / "home" if name == "XDG_STATE_HOME" else Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert Path(said) == home / ".local" / "state" / "junfeiai" / "journal"


def test_a_batch_whose_journal_cannot_be_used_hides_no_other(environment: Path, emulator: Emulator) -> None:
    emulator.scenario(task={"running_s": 1e9})
    for name in ("first", "second"):
        run("batch", "-", "-o", name, "--timeout", "0.2", given=json.dumps({"prompt": name, "seconds": 4}), code=4)
    # As on a disk that can only be read, for every user.
    lock = environment / "first" / ".junfeiai-journal.lock"
    lock.unlink()
    lock.mkdir()
    listed = run("pending", code=2)
    assert f"the journal {environment / 'first' / '.junfeiai-journal'} cannot be written" in listed.stderr
    assert f"batch {environment / 'second'}, line 1" in listed.stdout
    assert f"the batch in {environment / 'second'} has 1 more" in run("pending", "-o", "here").stderr
    run("reconcile")
    task_id = next(word for word in listed.stdout.split() if word.startswith("task_"))
    assert "forgotten" in run("forget", task_id).stdout
    assert "cannot be written" in run("forget", task_id, code=2).stderr
