"""The command's local server for players, and what starts a player."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from commands import _state as _state
from commands import command, run
from conftest import KEY, Emulator

from junfeiai import _native


@contextlib.contextmanager
def serving(what: str) -> Iterator[str]:
    process = subprocess.Popen(command("serve", what), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert KEY not in out + err


def ask(url: str, method: str = "GET", path: str | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request(method, parts.path if path is None else path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["file", "task"])
def test_ranges_and_refusals(kind: str, environment: Path, emulator: Emulator) -> None:
    task_id = emulator.finished(video_bytes=500_000)
    whole = emulator.file(task_id)
    (environment / "a film.mp4").write_bytes(whole)
    with serving("a film.mp4" if kind == "file" else task_id) as url:
        assert url.startswith("http://127.0.0.1:")
        status, headers, body = ask(url)
        assert (status, headers["content-type"], headers["accept-ranges"], body) == (200, "video/mp4", "bytes", whole)
        status, headers, body = ask(url, Range="bytes=100-199")
        assert (status, headers["content-range"], body) == (206, f"bytes 100-199/{len(whole)}", whole[100:200])
        status, headers, body = ask(url, Range=f"bytes={len(whole) - 5}-")
        assert (status, body) == (206, whole[-5:])
        assert ask(url, Range="bytes=-7")[2] == whole[-7:]
        status, headers, body = ask(url, Range=f"bytes={len(whole)}-")
        assert (status, headers["content-range"], body) == (416, f"bytes */{len(whole)}", b"")
        status, headers, body = ask(url, "HEAD")
        assert (status, int(headers["content-length"]), body) == (200, len(whole), b"")
        path = urlsplit(url).path
        for other in ("/", path + "x", "/x" + path, "/../" + path, "/" + path.rsplit("/", 1)[1]):
            assert ask(url, path=other)[0] == 404
        assert ask(url, Host="evil.example:80")[0] == 404
        assert ask(url, Host="LOCALHOST")[0] == 200  # the port 80 is left out
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, body = ask(url, method)
            assert (status, headers["allow"], body) == (405, "GET, HEAD", b"")
        # This server names no version: what was meant is another file, or the same one by chance.
        status, headers, body = ask(url, **{"Range": "bytes=0-9", "If-Range": '"another"'})
        assert (status, body) == (200, whole)
        assert "content-range" not in headers
        assert ask(url, "HEAD", Range="bytes=0-9")[:2][0] == 200
        assert ask(url, "HEAD", Range=f"bytes={len(whole)}-")[0] == 200


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        (None, 200, (0, 10)), ("bytes=0-", 206, (0, 10)), ("bytes=3-5", 206, (3, 6)), ("bytes=3-99", 206, (3, 10)),
        ("bytes=-3", 206, (7, 10)), ("bytes=-99", 206, (0, 10)), ("bytes=-0", 416, None), ("bytes=10-", 416, None),
        ("bytes=5-3", 200, (0, 10)), ("bytes=-", 200, (0, 10)), ("bytes=0-1,4-5", 200, (0, 10)), ("lines=0-1", 200, (0, 10)),
    ],
)  # fmt: skip
def test_which_bytes(header: str | None, status: int, part: tuple[int, int] | None) -> None:
    found, *place = _native._range_of(header, 10)
    assert found == status
    assert part is None or tuple(place) == part


def test_a_player_that_goes_away(environment: Path, emulator: Emulator) -> None:
    (environment / "x.mp4").write_bytes(bytes(5_000_000))
    with serving("x.mp4") as url:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection.request("GET", parts.path)
        connection.getresponse().read(10)
        connection.close()
        assert ask(url, Range="bytes=0-3")[2] == bytes(4)


def test_what_cannot_be_served(environment: Path, emulator: Emulator) -> None:
    (environment / "folder").mkdir()
    for what in ("none.mp4", "folder", "a/b"):
        assert "there is no file" in run("serve", what, code=2).stderr
    run("serve", "task_none", code=1)
    run("serve", emulator.running(), code=6)
    assert "--port" in run("serve", emulator.finished(), "--port", "70000", code=2).stderr
    (environment / "a.mp4").write_bytes(b"x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run("serve", "a.mp4", "--port", str(port), code=2).stderr
        assert said == f"error: --port {port} cannot be used: address already in use; take another one, or leave it out\n"


PLAYER = """
import pathlib, sys, urllib.request
pathlib.Path("said").write_text(" ".join(sys.argv[1:]))
with urllib.request.urlopen(sys.argv[2]) as answer:
    pathlib.Path("played.mp4").write_bytes(answer.read())
"""


def test_play(environment: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A player that reads the address it is given, first of those that are known."""
    folder = environment / "bin"
    folder.mkdir()
    player = folder / "mpv"
    player.write_text(f"#!{sys.executable}\n{PLAYER}")
    player.chmod(player.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    task_id = emulator.finished()
    run("play", task_id)
    assert Path("said").read_text().startswith("--force-window http://127.0.0.1:")
    assert Path("played.mp4").read_bytes() == emulator.file(task_id)
    player.write_text("#!/bin/sh\nexit 3\n")
    run("play", "played.mp4", "--player", "mpv", code=1)
    assert "there is no player" in run("play", "played.mp4", "--player", "nobody-has-this", code=2).stderr


def test_completion(environment: Path, emulator: Emulator) -> None:
    script = run("completion", "bash").stdout
    assert "--max-cost" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    for shell in ("zsh", "fish", "tcsh"):
        assert "generate" in run("completion", shell).stdout
    (environment / "shtab.py").write_text("raise ImportError\n")
    assert "pip install shtab" in run("completion", "bash", env={"PYTHONPATH": str(environment)}, code=2).stderr


ANOTHER_THREAD = """
import signal, threading
from junfeiai._cli import local_server
threading.Timer(5, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)).start()
local_server._until_interrupted()
print("ended")
"""


def test_a_signal_that_another_thread_receives() -> None:
    done = subprocess.run([sys.executable, "-c", ANOTHER_THREAD], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "ended\n"


def test_a_port_of_windows_is_had_by_one_server() -> None:
    """There its option for reuse lets two have it."""
    script = "import sys\nfrom junfeiai._cli import main\nimport http.server\nsys.platform = 'win32'\nfrom junfeiai._cli.local_server import Server\nprint(Server.allow_reuse_address)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "False\n", done.stderr
