"""Provokes everything that the Python binding can print or leave behind, and searches all of it for the key.

Started by ../run.py with the interpreter of target/venv and the emulator's program as its argument. Says
``N passed, M failed`` at the end.
"""

import asyncio
import contextlib
import copy
import faulthandler
import inspect
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import junfeiai
from junfeiai import AsyncClient, Client, JunFeiAIError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from needles import ECHO_HEADERS, ECHOES, KEY, PASSWORD, TOKEN, Emulator, leak  # noqa: E402

passed = failed = 0
searched = 0


def clean(what, *texts):
    """One check: none of these texts holds a secret."""
    global passed, failed, searched
    for text in texts:
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        searched += len(text)
        if found := leak(text):
            print(f"FAILED {what} shows {found}")
            failed += 1
            return
    passed += 1


def check(what, good):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}")


def show(what, thing):
    """Everything that Python offers to look at an object with."""
    texts = [repr(thing), str(thing), f"{thing!a}", format(thing)]
    for name in dir(thing):
        with contextlib.suppress(Exception):
            value = inspect.getattr_static(thing, name)
            texts += [repr(value), repr(getattr(thing, name))]
    for look in (vars, lambda it: pickle.dumps(it), lambda it: copy.copy(it), lambda it: it.__reduce_ex__(4), json.dumps):
        with contextlib.suppress(Exception):
            texts.append(look(thing) if isinstance(look(thing), bytes) else repr(look(thing)))
    clean(what, *texts)


def show_error(what, error):
    frames = io.StringIO()
    # With the locals of every frame: those of this file hold the key, so only the library's are looked at.
    for part in traceback.TracebackException.from_exception(error, capture_locals=True).stack:
        if "junfeiai" in part.filename and "tests" not in part.filename:
            print(part.filename, part.line, part.locals, file=frames)
    lines = "".join(traceback.format_exception(error))
    clean(what, lines, frames.getvalue(), repr(error), error.args, vars(error), pickle.dumps(error),
          getattr(error, "__notes__", ""), repr(error.__cause__), repr(error.__context__))


def life(emulator, options, folder):
    """Everything goes well: every object that there is, and every file that stays."""
    with Client(journal=folder / "journal", journal_prompts=True, **options) as client:
        show("Client", client)
        show("Videos", client.videos)
        task = client.videos.create(f"a prompt that holds {KEY}", seconds=5, size="1280x720")
        show("Task", task)
        for warning in task.warnings:
            show("TaskWarning", warning)
        for pending in client.videos.pending():
            show("Pending", pending)
        for seen in task.watch():
            show("a task that is watched", seen)
        video = task.wait(on_progress=lambda seen: show("a task in a callback", seen))
        show("Video", video)
        show("Summary", video.save(folder / "v.mp4", sha256=True, on_progress=lambda progress: show("SaveProgress", progress)))
        with video.open() as reader:
            show("reader", reader)
            reader.read(10)
        show("Outcome", list(client.videos.as_completed([task.id, "task_none"])))
        show("CheckReport", client.check(account=True))
        show("Balance", client.balance())
        show("models", client.models())
        show("fingerprint", client.videos.fingerprint("a ball"))
    show("a closed client", client)
    clean("a prompt of the journal", (folder / "journal").read_bytes())


def echoes(emulator, options, folder):
    """The server repeats the key in every way."""
    client = Client(journal=folder / "journal", max_attempts=1, **options)
    calls = [
        lambda: client.videos.create("a ball"), lambda: client.videos.get("task_1"), lambda: client.videos.task("task_1").wait(timeout=0.05),
        lambda: client.videos.video("task_1").save(folder / "e.mp4", timeout=0.05),
        client.models, client.balance, client.check,
    ]
    for body in ECHOES:
        for status in (200, 401, 502):
            fault = {"kind": "status", "status": status, "body": body, "headers": ECHO_HEADERS, "act": True}
            emulator.scenario(rules=[{"match": {"op": "any"}, "fault": fault}])
            for call in calls:
                try:
                    result = call()
                    show("an answer", result)
                    clean("raw", getattr(result, "raw", ""))
                except JunFeiAIError as error:
                    show_error("an error", error)
    emulator.scenario()


def account(emulator, options, folder):
    """The account's token: refused, sent back, and in the environment of the command."""
    owner = {"name": "default", "user_id": 7, "access_token": TOKEN}
    client = Client(journal=folder / "account.journal", **options)
    for wrong in (f"Bearer {TOKEN}", f"{TOKEN}\n{TOKEN}", [TOKEN], TOKEN.encode(), {TOKEN: 1}):
        for arguments in ({"account_token": wrong}, {"account_token": TOKEN, "account_user": wrong}):
            try:
                client.videos.reconcile(**arguments)
                check("a wrong token is taken", False)
            except (JunFeiAIError, TypeError) as error:
                show_error("a refused token", error)
    errors = 0
    for echo in [*ECHOES, json.dumps({"success": False, "message": KEY})]:
        body = echo.replace(json.dumps(KEY)[1:-1], json.dumps(TOKEN)[1:-1])
        for status in (200, 401):
            emulator.scenario(accounts=[owner], rules=[{"match": {"op": "create"}, "fault": {"kind": "empty_body"}}])
            with contextlib.suppress(JunFeiAIError):
                client.videos.create("a ball", seconds=6)
            fault = {"kind": "status", "status": status, "body": body, "headers": {"Location": f"http://evil.example/{TOKEN}"}}
            emulator.scenario(rules=[{"match": {"path_contains": "/api/task/self"}, "fault": fault}])
            try:
                show("what was found", client.videos.reconcile(account_token=TOKEN, account_user=7))
            except JunFeiAIError as error:
                errors += 1
                show_error("an error about the account", error)
    check(f"only {errors} errors about the account", errors > 5)
    emulator.scenario(accounts=[owner], rules=[{"match": {"op": "create"}, "fault": {"kind": "empty_body"}}])
    environment = {**os.environ, "JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": emulator.origin + "/v1", "JUNFEIAI_LOG": "trace",
                   "XDG_STATE_HOME": str(folder), "JUNFEIAI_ACCOUNT_TOKEN": TOKEN, "JUNFEIAI_ACCOUNT_USER": "7"}
    for words in (["create", "a ball", "--seconds", "6"], ["reconcile", "-vv"], ["pending"]):
        done = subprocess.run([sys.executable, "-m", "junfeiai", *words], capture_output=True, env=environment, timeout=60, cwd=folder)
        clean(f"junfeiai {words[0]} with a token", done.stdout, done.stderr)
        check(f"the lost task is found: {done.stderr[-300:]!r}", words[0] != "reconcile" or b"task_" in done.stdout)
    emulator.scenario()


def raising(emulator, options, folder):
    """Callbacks and handlers that raise, in both bindings."""
    class Broken(logging.Handler):
        def emit(self, record):
            raise ValueError("the handler's own")

    def broken(_):
        raise LookupError("the callback's own")

    hooked = []
    sys.unraisablehook = lambda args: hooked.append(f"{args.exc_value!r} {args.object!r} {args.err_msg}")
    logger, handler = logging.getLogger("junfeiai"), Broken()
    logger.addHandler(handler)
    client = Client(**options)
    try:
        for call in (lambda: client.videos.create("a ball").wait(on_progress=broken),
                     lambda: client.videos.create("a ball").wait().save(folder / "r.mp4", on_progress=broken)):
            try:
                call()
                check("a callback that raises is passed over", False)
            except LookupError as error:
                show_error("a callback that raises", error)
    finally:
        logger.removeHandler(handler)

    async def main():
        client = AsyncClient(**options)
        show("AsyncClient", client)
        task = await client.videos.create("a ball")
        show("AsyncTask", task)
        waiting = asyncio.ensure_future(task.wait())
        await asyncio.sleep(0)
        show("a future", waiting)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        show("AsyncVideo", client.videos.video(task.id))
        try:
            await client.videos.get("task_none")
        except JunFeiAIError as error:
            show_error("an async error", error)

    asyncio.run(main())
    clean("unraisable errors", *hooked)
    check("the handler that raises was heard", any("the handler's own" in line for line in hooked))


def refusals(options):
    for wrong in (
        {"api_key": f"Bearer {KEY}"}, {"api_key": KEY + "\n" + KEY}, {"api_key": [KEY]}, {"api_key": KEY.encode()}, {"api_key": {KEY: 1}},
        {"base_url": f"https://{KEY}@a.example/v1"}, {"base_url": f"https://a.example/v1?key={KEY}"},
        {"proxy": f"user:{PASSWORD}@ no url"}, {"trusted_hosts": [f"u:{PASSWORD}@a.example"]}, {"timeout": -1}, {"unknown": 1},
        {"headers": {"X-Gateway": PASSWORD + "\n"}}, {"headers": {f"X-Gateway: {PASSWORD}": ""}}, {"headers": {"Host": PASSWORD}},
        {"headers": {"X-Gateway": [PASSWORD]}}, {"headers": [("X-Gateway", PASSWORD)]}, {"headers": {f"{KEY} x": PASSWORD}},
        {"user_agent": PASSWORD + "\r\n"},
    ):
        try:
            Client(**{"api_key": KEY, **wrong})
            check(f"{list(wrong)} is taken", False)
        except (JunFeiAIError, TypeError, ValueError) as error:
            show_error(f"a refused {list(wrong)}", error)
    try:
        Client(**{**options, "base_url": "https://junfeiai.invalid/v1", "proxy": f"http://u:{PASSWORD}@127.0.0.1:9"}).videos.get("task_1")
    except JunFeiAIError as error:
        show_error("a proxy that is not there", error)


def program(name, code, environment, signal_ok=False):
    """A program of its own, and all it prints."""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, env={**os.environ, **environment}, timeout=60)
    clean(name, done.stdout, done.stderr)
    check(f"{name} ran: {done.stderr[-300:]!r}", done.returncode == 0 or signal_ok)
    return done.stdout + done.stderr


def programs(emulator, folder):
    environment = {"JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": emulator.origin + "/v1", "JUNFEIAI_LOG": "trace",
                   "RUST_BACKTRACE": "full", "PYTHONFAULTHANDLER": "1", "XDG_STATE_HOME": str(folder), "RUST_LOG": "trace"}
    program("an uncaught error", "import junfeiai\ntry:\n junfeiai.Client().videos.get('task_none')\nexcept junfeiai.NotFoundError:\n import traceback; traceback.print_exc()", environment)
    said = program("a crash with faulthandler", "import faulthandler, os, junfeiai, signal\nfaulthandler.enable()\nclient = junfeiai.Client()\n"
                   "client.videos.create('a ball').wait(on_progress=lambda t: None)\nos.kill(os.getpid(), signal.SIGABRT)", environment, True)
    check("the crash was told", b"Aborted" in said)
    program("everything logged", "import logging, junfeiai\nlogging.basicConfig(level=1)\nc = junfeiai.Client(poll_interval=0.02)\n"
            "v = c.videos.create('a ball', seconds=5).wait()\nv.save('v.mp4', overwrite=True)\nprint(c.check())", environment)
    for words in (["doctor", "--json"], ["get", "task_none"], ["models"], ["balance"], ["--help"], ["pending"]):
        done = subprocess.run([sys.executable, "-m", "junfeiai", *words], capture_output=True, env={**os.environ, **environment}, timeout=60, cwd=folder)
        clean(f"junfeiai {words[0]}", done.stdout, done.stderr)
    # The key of the environment stays there: nothing hands it to children under another name.
    clean("the names of this process", subprocess.run(["ps", "-o", "args=", "-p", str(os.getpid())], capture_output=True).stdout)


def main():
    faulthandler.enable()
    logged = io.StringIO()
    logging.basicConfig(level=1, stream=logged, force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("always")
    emulator = Emulator(sys.argv[1])
    options = {"api_key": KEY, "base_url": emulator.origin + "/v1", "poll_interval": 0.02, "headers": {"X-Gateway": PASSWORD}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        life(emulator, options, folder)
        echoes(emulator, options, folder)
        account(emulator, options, folder)
        raising(emulator, options, folder)
        refusals(options)
        programs(emulator, folder)
        emulator.scenario(task={"result_url": "second_host"})
        video = Client(**options).videos.create("a ball").wait()
        emulator.scenario(content={"rate_bytes_per_s": 2_000})
        try:
            video.save(folder / "p.mp4", timeout=5)
        except JunFeiAIError as error:
            show_error("a save that ends early", error)
        files = [path for path in folder.rglob("*") if path.is_file()]
        check(f"a part stays behind: {[path.name for path in files]}", any(path.name == "p.mp4.part.state" for path in files))
        for path in files:
            clean(f"the file {path.name}", path.read_bytes(), path.name)
    clean("the log", logged.getvalue())
    check("there is a log", "task created" in logged.getvalue() and "polled" in logged.getvalue())
    requests = emulator.requests()
    second = [entry for entry in requests if entry["host"] == "second"]
    check("the second host was asked", bool(second))
    check("the second host saw no key", all(entry["key"] == "none" for entry in second))
    check("the first host saw it", all(entry["key"] == ("other" if entry["path"] == "/api/task/self" else "valid") for entry in requests if entry["host"] == "first"))
    check(f"only {searched} characters were searched", searched > 200_000)
    emulator.process.communicate()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    assert junfeiai.__version__
    sys.exit(main())
