"""``junfeiai serve`` and ``junfeiai play``: a video for players on this machine, with byte ranges so that they can seek.

A file is served from the disk; a task's video is read from the service while it is played, and the key stays here. The
server listens on the loopback address alone, and only who knows the random part of the address gets anything: other
users of the machine, and web pages in a browser of this one, do not.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from .. import Client, ConfigError, JunFeiAIError, Video, _native
from .client_options import client_options
from .output import Output

CHUNK = 1 << 18

# Players that are looked for, and what else they are told.
PLAYERS = {"mpv": ["--force-window"], "vlc": ["--play-and-exit"], "ffplay": ["-autoexit"]}


class Source:
    """What is served: a file of this machine, or the video of a task."""

    def __init__(self, name: str, file: Path | None, video: Video | None) -> None:
        self.name = name
        self.file = file
        self.video = video

    @contextlib.contextmanager
    def open(self) -> Iterator[tuple[BinaryIO, int]]:
        """A seekable file of its own for each request, and its length."""
        opened: Any = self.file.open("rb") if self.file is not None else self.video.open()  # type: ignore[union-attr]
        with opened as reader:
            size = reader.seek(0, os.SEEK_END)
            yield reader, size


class Server(ThreadingHTTPServer):
    """One video under one address."""

    daemon_threads = True
    # On Windows that is no reuse: two servers would have one port, and each some of the requests.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, source: Source, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.source = source
        self.path = f"/{secrets.token_urlsafe(16)}/{quote(source.name)}"

    @property
    def url(self) -> str:
        """The address for players."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.path}"

    def handle_error(self, *_: object) -> None:
        """A player that goes away in the middle of an answer is no error."""


class Handler(BaseHTTPRequestHandler):
    """One connection of a player."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        """The headers alone."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """The video, or a part of it."""
        self._answer(body=True)

    def _not_allowed(self) -> None:
        # What it sends besides is not read.
        self.close_connection = True
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = _not_allowed

    def _answer(self, *, body: bool) -> None:
        # A browser leaves out the port 80.
        host = (self.headers.get("Host") or "").partition(":")[0].lower()
        # A page whose name was made to mean this machine has another host (DNS rebinding).
        if host not in ("127.0.0.1", "localhost") or not secrets.compare_digest(self.path.encode(), self.server.path.encode()):
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            with self.server.source.open() as (reader, size):
                self._send(reader, size, body=body)
        except (JunFeiAIError, OSError) as error:
            if isinstance(error, (BrokenPipeError, ConnectionResetError)) and not isinstance(error, JunFeiAIError):
                self.close_connection = True
                return
            if getattr(self, "_begun", False):
                # The player sees a short answer and asks again.
                self.close_connection = True
                return
            self._refuse(HTTPStatus.BAD_GATEWAY)

    def _send(self, reader: BinaryIO, size: int, *, body: bool) -> None:
        # A part is asked for by GET alone; no version is named here that `If-Range` could mean.
        wanted = self.headers.get("Range") if body and self.headers.get("If-Range") is None else None
        status, start, end = _native._range_of(wanted, size)
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._refuse(HTTPStatus(status), {"Content-Range": f"bytes */{size}"})
            return
        self._begun = True
        self.send_response(status)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "private, no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(end - start))
        if status == HTTPStatus.PARTIAL_CONTENT:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.end_headers()
        if body:
            reader.seek(start)
            left = end - start
            while left and (piece := reader.read(min(left, CHUNK))):
                self.wfile.write(piece)
                left -= len(piece)
            if left:
                self.close_connection = True
        self._begun = False

    def _refuse(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Addresses are secrets: nothing is logged."""


@contextlib.contextmanager
def _running(options: Any) -> Iterator[Server]:
    """The server of what the command names."""
    if not 0 <= options.port <= 65535:
        raise ConfigError("--port is 0 to 65535; 0 takes a free one")
    file = Path(options.what)
    with contextlib.ExitStack() as stack:
        if file.is_file():
            source = Source(file.name, file, None)
        elif not options.what or any(sign in options.what for sign in "/\\.") or file.is_dir():
            raise ConfigError(f"there is no file {options.what}")
        else:
            client = stack.enter_context(Client(**client_options(options)))
            video = client.videos.video(options.what)
            source = Source(video.file_name, None, video)
        # What cannot be read at all is said here and not to the player.
        with source.open():
            pass
        try:
            server = stack.enter_context(Server(source, options.port))
        except OSError as error:
            raise ConfigError(f"--port {options.port} cannot be used: {(error.strerror or str(error)).lower()}; take another one, or leave it out") from error
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def serve(options: Any, output: Output) -> int:
    """The command ``serve``."""
    with _running(options) as server:
        _until_interrupted(lambda: output.result({"url": server.url}, server.url), lambda: output.note("Ctrl-C ends it"))
    return 0


def play(options: Any, output: Output) -> int:
    """The command ``play``."""
    command = _player(options.player)
    with _running(options) as server:
        output.note(f"playing   {server.url}")
        if command:
            code = subprocess.run([*command, server.url], check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
            return 1 if code else 0
        import webbrowser

        if not webbrowser.open(server.url):
            raise ConfigError("no player and no browser was found: install mpv, or name a player by --player COMMAND")
        _until_interrupted(lambda: output.note("Ctrl-C ends it"))
    return 0


def _player(name: str | None) -> list[str]:
    """The player's command line; empty for the browser."""
    if name == "browser":
        return []
    if name is not None:
        if shutil.which(name) is None:
            raise ConfigError(f"there is no player {name}: name a program, or browser")
        return [name, *PLAYERS.get(Path(name).name, [])]
    for player, words in PLAYERS.items():
        if shutil.which(player):
            return [player, *words]
    return []


def _until_interrupted(*said: Callable[[], object]) -> None:
    """A signal is how this command ends, so it is no failure: from the moment on at which the address is ``said``."""
    with contextlib.suppress(KeyboardInterrupt):
        for say in said:
            say()
        while True:
            # Where another thread receives the signal, such as one that is just ending, the wait is not interrupted: what was received
            # is seen when it ends.
            threading.Event().wait(0.5)
