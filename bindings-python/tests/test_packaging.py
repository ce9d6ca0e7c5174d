"""The package in programs that are not a plain CPython script: bundles, gevent, trio, subinterpreters, the development mode."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import Emulator
from test_process import ALL, interpreters

import junfeiai
from junfeiai import AsyncClient

PACKAGE = Path(junfeiai.__file__).parents[1]
BUNDLES = Path(__file__).resolve().parents[2] / "target" / "venv-bundles" / "bin"

# What the native module imports by itself is used: streams, pickles, coroutines, the log.
PROGRAM = """
    import asyncio, logging, pickle, sys
    from junfeiai import AsyncClient, Client
    logging.basicConfig(filename="log.txt", level=logging.DEBUG)
    task_id = sys.argv[1]
    def blocking():
        with Client() as client:
            video = client.videos.video(task_id)
            saved = video.save("blocking.mp4")
            with video.open() as file:
                assert file.read(8)[4:] == b"ftyp"
            assert pickle.loads(pickle.dumps(client.videos.task(task_id))).refresh().status == "succeeded"
            return saved.bytes
    async def main():
        async with AsyncClient() as client:
            video = client.videos.video(task_id)
            async with video.open() as file:
                assert (await file.read(8))[4:] == b"ftyp"
            saved = await video.save("asyncio.mp4")
            return saved.bytes
    print("saved", blocking() == asyncio.run(main()) > 0)
"""


def run(*command: str | Path, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


def python(code: str, *arguments: str, cwd: Path, interpreter: str = sys.executable, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    found = f"import sys; sys.path.insert(0, {str(PACKAGE)!r})\n"
    return run(interpreter, "-I", "-B", "-X", "faulthandler", *options, "-c", found + textwrap.dedent(code), *arguments, cwd=cwd)


def succeeded(done: subprocess.CompletedProcess[str], says: str) -> None:
    assert (done.returncode, done.stdout.strip()) == (0, says), done.stdout + done.stderr


@pytest.mark.parametrize("interpreter", interpreters())
def test_each_python(interpreter: str, emulator: Emulator, environment: Path) -> None:
    """One module for all; with `JUNFEIAI_ALL` every CPython of this machine from 3.10 on is tried."""
    succeeded(python(PROGRAM, emulator.finished(), cwd=environment, interpreter=interpreter), "saved True")


@pytest.mark.parametrize("interpreter", interpreters())
def test_development_mode_has_nothing_to_say(interpreter: str, emulator: Emulator, environment: Path) -> None:
    done = python(PROGRAM, emulator.finished(), cwd=environment, interpreter=interpreter, options=("-X", "dev", "-W", "error"))
    succeeded(done, "saved True")
    assert done.stderr == ""


@pytest.mark.parametrize("interpreter", interpreters())
def test_a_subinterpreter_is_refused(interpreter: str, environment: Path) -> None:
    code = """
        import sys
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        other = interpreters.create()
        program = '''if True:
            import sys
            sys.path.insert(0, PATH)
            try:
                import junfeiai
            except ImportError as error:
                print(error)
        '''.replace("PATH", repr(sys.path[0]))
        getattr(interpreters, "exec", getattr(interpreters, "run_string", None))(other, program)
    """
    done = python(code, cwd=environment, interpreter=interpreter)
    assert done.returncode == 0, done.stderr
    assert "cannot be used in a subinterpreter: import it in the main interpreter, or use threads or processes" in done.stdout
    assert done.stdout.count("\n") == 1


NO_LOOP = "AsyncClient needs an asyncio event loop and none is running in this thread; with trio, call Client in a thread"


def test_without_a_loop_nothing_is_sent(emulator: Emulator, async_client: AsyncClient) -> None:
    for call in (async_client.videos.create("A ball", seconds=4), async_client.videos.get("task_1"), async_client.videos.task("task_1").wait()):
        with pytest.raises(RuntimeError, match=NO_LOOP):
            call.send(None)
    assert emulator.requests() == []


def test_trio(emulator: Emulator, environment: Path) -> None:
    """One clear error, and its advice works."""
    code = """
        import sys, trio
        from junfeiai import AsyncClient, Client
        async def main():
            asyncio_client = AsyncClient()
            try:
                await asyncio_client.videos.create("A ball", seconds=4)
            except RuntimeError as error:
                print(error)
            client = Client(poll_interval=0.02)
            print((await trio.to_thread.run_sync(client.videos.get, sys.argv[1])).status)
        trio.run(main)
    """
    done = python(code, emulator.finished(), cwd=environment)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith(NO_LOOP)
    assert second == "succeeded"
    assert [entry["method"] for entry in emulator.requests()] == ["GET"]


def test_gevent(emulator: Emulator, environment: Path) -> None:
    """Calls in its thread pool leave the other greenlets alone: one of them ends a wait that would not end."""
    code = """
        from gevent import monkey
        monkey.patch_all()
        import gevent, sys, threading
        from junfeiai import Client
        running, finished = sys.argv[1:]
        client = Client(poll_interval=0.02)
        threads = gevent.get_hub().threadpool
        leave, at_work = threading.Event(), []
        class Left(Exception): pass
        # Called in the thread of the pool; whoever waits for a greenlet from there would hang.
        def notify(task):
            at_work.append(task.status)
            if leave.is_set(): raise Left
        def wait():
            try: client.videos.task(running).wait(on_progress=notify)
            except Left: return "left"
        waiting = gevent.spawn(threads.apply, wait)
        while not at_work: gevent.sleep(0.01)
        saved = [gevent.spawn(threads.apply, client.videos.video(finished).save, (f"{n}.mp4",)) for n in range(3)]
        gevent.joinall(saved, raise_error=True)
        leave.set()
        print(len({job.value.bytes for job in saved}), waiting.get(timeout=60))
    """
    succeeded(python(code, emulator.running(), emulator.finished(), cwd=environment), "1 left")


BUILD = {
    "PyInstaller": ["pyinstaller", "--onedir", "--noconfirm", "--log-level", "ERROR", "--paths", str(PACKAGE), "--distpath", ".", "--workpath", "work", "main.py"],
    "cx_Freeze": ["cxfreeze", "build", "--silent", "--target-dir", "main", "--script", "main.py"],
}


@pytest.mark.skipif(not ALL, reason="programs are bundled by make test-all only")
@pytest.mark.parametrize("tool", BUILD)
def test_a_bundle(tool: str, emulator: Emulator, environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only native code imports is in it, too."""
    program, *words = BUILD[tool]
    assert (BUNDLES / program).exists(), "run JUNFEIAI_ALL=1 tests/setup.sh test"
    (environment / "main.py").write_text(textwrap.dedent(PROGRAM))
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE))
    built = run(BUNDLES / program, *words, cwd=environment, timeout=600)
    assert built.returncode == 0, built.stdout + built.stderr
    # Elsewhere, without a Python and without the package beside it.
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("PATH", os.devnull)
    succeeded(run(environment / "main" / "main", emulator.finished(), cwd=environment), "saved True")
