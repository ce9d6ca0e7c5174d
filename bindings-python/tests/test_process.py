"""What a process does to a library: signals, forks, threads, and its end."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Emulator, press_ctrl_c

import junfeiai
from junfeiai import AsyncClient, Client


def python(code: str, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-X", "faulthandler", "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


BLOCKED: dict[str, Callable[[Client, Emulator, Path], object]] = {
    "get": lambda c, e, f: c.videos.get("task_1"),
    "create": lambda c, e, f: c.videos.create("x", seconds=4),
    "wait": lambda c, e, f: c.videos.task("task_1").wait(),
    "watch": lambda c, e, f: list(c.videos.task("task_1").watch()),
    "save": lambda c, e, f: c.videos.video("task_1").save(f / "x.mp4"),
    "read": lambda c, e, f: c.videos.video("task_1").read(),
    "iter_bytes": lambda c, e, f: list(c.videos.video("task_1").iter_bytes()),
    "check": lambda c, e, f: c.check(),
}


@pytest.mark.parametrize("name", BLOCKED)
def test_ctrl_c(name: str, client: Client, emulator: Emulator, tmp_path: Path) -> None:
    emulator.rule("hang")
    sent = []

    def interrupt() -> None:
        while not emulator.requests():
            time.sleep(0.01)
        sent.append(time.monotonic())
        press_ctrl_c()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        BLOCKED[name](client, emulator, tmp_path)
    taken = time.monotonic() - sent[0]
    thread.join()
    emulator.scenario()
    assert taken < 20, "the answer never comes, and 30 s later it would be given up"
    assert client.videos.get(emulator.finished()).done, "the client still works"


def test_ctrl_c_while_a_poll_is_far_away(client: Client, emulator: Emulator) -> None:
    task = client.videos.task(emulator.running())
    slow = Client(**emulator.options(poll_interval=60)).videos.task(task.id)

    def interrupt() -> None:
        while not emulator.requests("/video/generations/"):
            time.sleep(0.01)
        time.sleep(0.3)
        press_ctrl_c()

    threading.Thread(target=interrupt).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        slow.wait()
    assert time.monotonic() - begun < 30


def test_fork(client: Client, emulator: Emulator) -> None:
    task_id = emulator.finished(video_bytes=500_000)
    video = client.videos.get(task_id).video()
    whole = video.read()  # the pool now holds a connection that belongs to this process
    for _ in range(3):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os._exit(0 if client.videos.get(task_id).done and video.read() == whole else 2)
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert video.read() == whole, "the parent's connections are its own"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method: str, client: Client, emulator: Emulator, environment: Path) -> None:
    task_id = emulator.finished()
    assert client.videos.get(task_id).done
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        # A task travels by its id and finds the key of the place where it arrives.
        states = pool.map(refreshed, [client.videos.task(task_id)] * 4)
    assert states == ["succeeded"] * 4


def refreshed(task: object) -> str:
    status: str = task.refresh().status  # type: ignore[attr-defined]
    return status


def test_fork_of_a_program_with_running_loops(emulator: Emulator, environment: Path) -> None:
    task_id = emulator.finished()
    result = python(f"""
        import asyncio, os
        from junfeiai import AsyncClient
        client = AsyncClient(poll_interval=0.02)
        async def main(): return (await client.videos.get({task_id!r})).status
        assert asyncio.run(main()) == "succeeded"
        child = os.fork()
        if child == 0:
            assert asyncio.run(main()) == "succeeded"
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert asyncio.run(main()) == "succeeded"
    """)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("way", ["end", "sys.exit(3)", "raise"])
def test_the_end_with_work_in_flight(way: str, emulator: Emulator, environment: Path) -> None:
    emulator.rule("hang", op="query")
    line = {"end": "", "raise": "raise LookupError('end')"}.get(way, way)
    result = python(f"""
        import asyncio, sys, threading, time
        from junfeiai import AsyncClient, Client
        client = Client()
        for _ in range(4):
            threading.Thread(target=client.videos.get, args=("task_1",), daemon=True).start()
        async def wait(): await AsyncClient().videos.task("task_1").wait()
        def loop(): asyncio.run(wait())
        threading.Thread(target=loop, daemon=True).start()
        waiting = wait()
        event_loop = asyncio.new_event_loop()
        pending = event_loop.create_task(waiting)
        event_loop.run_until_complete(asyncio.sleep(0.2))
        pending.cancel()
        event_loop.run_until_complete(asyncio.gather(pending, return_exceptions=True))
        event_loop.close()
        time.sleep(0.1)
        {line}
    """)
    assert result.returncode == {"end": 0, "raise": 1}.get(way, 3), result.stderr
    assert "Fatal" not in result.stderr
    assert "panicked" not in result.stderr


# `make test-all` tries the interpreter's end on every interpreter of this machine, and more often.
ALL = bool(os.environ.get("JUNFEIAI_ALL"))


def interpreters() -> list[str]:
    """This one; with `JUNFEIAI_ALL` others of this machine that can load the module, too."""
    if not ALL:
        return [sys.executable]
    found = Path.home().glob(".pyenv/versions/3.*/bin/python")
    others = [path for path in found if int(path.parents[1].name.split(".")[1]) >= 10]
    return [sys.executable, *map(str, sorted(others))]


BUSY = {
    "short": "for _ in range(20_000): pass",
    "endless": "while True: pass",
    "stubborn": """
            while True:
                try:
                    while True: pass
                except BaseException:
                    if leave.is_set(): raise
                    leave.set()""",
    "sleeping": "time.sleep(0.01)",
    "waiting": "time.sleep(1000)",
}


@pytest.mark.parametrize("interpreter", interpreters())
@pytest.mark.parametrize("kind", BUSY)
def test_the_end_with_busy_callbacks(kind: str, interpreter: str, emulator: Emulator, environment: Path) -> None:
    """Daemon threads run Python code with Rust code below it, blocking and asyncio, while the interpreter is taken down."""
    task_id = emulator.running()
    rounds = 15 if ALL else 1
    package = Path(junfeiai.__file__).parents[1]
    code = f"""
        import asyncio, sys, threading, time
        sys.path.insert(0, {str(package)!r})
        from junfeiai import AsyncClient, Client
        client = Client(poll_interval=0.001)
        busy = threading.Semaphore(0)
        leave = threading.Event()
        def notify(_):
            busy.release()
            {BUSY[kind]}
        def blocking():
            client.videos.task({task_id!r}).wait(on_progress=notify)
        def loop():
            async def main():
                await AsyncClient(poll_interval=0.001).videos.task({task_id!r}).wait(on_progress=notify)
            asyncio.run(main())
        for work in [blocking] * 6 + [loop] * 2:
            threading.Thread(target=work, daemon=True).start()
        for _ in range(8):
            busy.acquire()
    """
    ends_well(interpreter, code, rounds)


@pytest.mark.parametrize("interpreter", interpreters())
def test_the_end_while_calls_begin(interpreter: str, emulator: Emulator, environment: Path) -> None:
    """Python code also runs below a call that only begins: an argument's own, that of the event loop, of an import."""
    task_id = emulator.running()
    package = Path(junfeiai.__file__).parents[1]
    code = f"""
        import asyncio, sys, threading, time
        sys.path.insert(0, {str(package)!r})
        from junfeiai import AsyncClient, Client, WaitTimeoutError
        begun = threading.Semaphore(0)
        def compute():
            end = time.monotonic() + 0.7
            while time.monotonic() < end: pass
        class Slow:
            def __float__(self):
                begun.release()
                compute()
                return 0.001
        class SlowLoop(asyncio.SelectorEventLoop):
            def create_future(self):
                begun.release()
                compute()
                return super().create_future()
        def blocking():
            task = Client(poll_interval=0.001).videos.task({task_id!r})
            while True:
                try: task.wait(timeout=Slow())
                except WaitTimeoutError: pass
        def loop():
            async def main():
                task = AsyncClient(poll_interval=0.001).videos.task({task_id!r})
                while True:
                    try: await task.wait(timeout=0.001)
                    except WaitTimeoutError: pass
            SlowLoop().run_until_complete(main())
        for work in [blocking, loop] * 3:
            threading.Thread(target=work, daemon=True).start()
        for _ in range(6):
            begun.acquire()
    """
    ends_well(interpreter, code, 5 if ALL else 1)


# Gives up the GIL while the interpreter is taken down, so that other threads get to ask for it.
SLOW_END = """
    import time
    class Last:
        def __del__(self, sleep=time.sleep): sleep(0.05)
    last = Last()
"""


def ends_well(interpreter: str, code: str, rounds: int) -> None:
    for number in range(rounds):
        command = [interpreter, "-I", "-X", "faulthandler", "-c", textwrap.dedent(SLOW_END) + textwrap.dedent(code)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, f"round {number}: {result.returncode}\n{result.stderr}"
        assert "Fatal" not in result.stderr


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts sockets in /proc")
def test_connections_end_with_their_client(emulator: Emulator, environment: Path) -> None:
    task_id = emulator.finished(video_bytes=5_000_000)
    result = python(f"""
        import os
        from junfeiai import Client
        def sockets():
            found = 0
            for entry in os.listdir("/proc/self/fd"):
                try: found += os.readlink("/proc/self/fd/" + entry).startswith("socket:")
                except OSError: pass
            return found
        counts = [sockets()]
        for close in (True, False):
            client = Client()
            pieces = client.videos.iter_bytes({task_id!r})
            assert next(pieces)
            assert client.videos.get({task_id!r}).done
            counts.append(sockets())
            del pieces
            assert client.videos.get({task_id!r}).done
            if close: client.close()
            del client
            counts.append(sockets())
        print(*(count - counts[0] for count in counts))
    """)
    assert result.returncode == 0, result.stderr
    _, first, closed, second, dropped = map(int, result.stdout.split())
    assert min(first, second) > 0
    assert (closed, dropped) == (0, 0)


def test_calls_in_atexit(emulator: Emulator, environment: Path) -> None:
    task_id = emulator.finished()
    result = python(f"""
        import atexit
        import junfeiai
        client = junfeiai.Client()
        atexit.register(lambda: print(client.videos.get({task_id!r}).status))
    """)
    assert result.stdout == "succeeded\n", result.stderr


def test_a_call_that_ended_with_its_own_error_is_not_reported_at_exit(emulator: Emulator, environment: Path) -> None:
    task_id = emulator.task(state="finished", outcome="failure")
    result = python(f"""
        import asyncio
        import junfeiai
        client = junfeiai.AsyncClient()
        async def main():
            for call in (client.videos.task({task_id!r}).wait, lambda: client.videos.advance(client.videos.task({task_id!r}).wait_state())):
                try:
                    await call()
                except junfeiai.TaskFailedError as error:
                    print(error.kind)
        asyncio.run(main())
    """)
    assert (result.stdout, result.stderr) == ("task_failed\ntask_failed\n", ""), result.stderr


def test_import_brings_nothing_along() -> None:
    result = python("import sys; before = set(sys.modules); import junfeiai; print(*sorted(set(sys.modules) - before))")
    assert set(result.stdout.split()) <= {
        "__future__", "atexit", "junfeiai", "junfeiai._errors", "junfeiai._main_interpreter", "junfeiai._native",
        "junfeiai._processes",
        # What tells a subinterpreter before CPython 3.12.
        "_xxsubinterpreters",
    }, result.stdout


def test_an_async_client_needs_no_loop_to_be_made() -> None:
    assert AsyncClient(api_key="sk-1").base_url
