"""Real servers on free loopback ports, with their data in a temporary folder, and the processes of examples."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
REDIS = shutil.which("redis-server") or shutil.which("valkey-server")
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_PATH = os.pathsep.join([*map(str, _FOLDERS), os.environ.get("PATH", "")])
# PostgreSQL refuses to run as root: then somebody else runs it.
_OTHER = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
POSTGRES = all(shutil.which(name, path=_PATH) for name in ("initdb", "postgres", *_OTHER[:1]))

T = TypeVar("T")


def until(what: str, look: Callable[[], T | None], seconds: float = 120) -> T:
    """Waits until ``look`` returns something, and gives it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """A process that ends with the block: gently where it can, and in any case."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def redis_server() -> Iterator[str]:
    """The address of a Redis that keeps what it is told, without the number of a database."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(REDIS), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes"]
        with ended(subprocess.Popen(command, stdout=subprocess.DEVNULL)):
            until("redis starts", lambda: answers(port))
            yield f"redis://127.0.0.1:{port}"


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a database of PostgreSQL."""
    port = free_port()
    environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        data = str(folder / "data")
        make = [*_OTHER, "initdb", "-D", data, "--username=films", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(make, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        serve = [*_OTHER, "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        log = folder / "log"
        with log.open("w") as file, ended(subprocess.Popen(serve, env=environment, cwd=folder, stdout=file, stderr=file)):
            until("postgres starts", lambda: "ready to accept connections" in log.read_text())
            yield f"postgresql://films@127.0.0.1:{port}/postgres"
