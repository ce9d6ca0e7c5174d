"""The MCP server with the SDK's own client, over stdio and HTTP, and with what agents do: retries, cancellations, time-outs,
parallel calls, a server that is killed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from commands import _state as _state
from commands import posts, run
from conftest import KEY, Emulator, within_one_day
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from servers import until

FOLDER = Path(__file__).resolve().parents[1]
BALL = {"key": "film/ball", "prompt": "a ball", "seconds": 4, "max_cost": 1}


def words(*options: str) -> list[str]:
    return ["-m", "junfeiai", "mcp", "-o", "videos", "--poll-interval", "0.02", *options]


@contextlib.asynccontextmanager
async def server(*options: str, mode: str = "auto") -> AsyncIterator[Client]:
    """A client of a server of its own, as an agent's program starts it."""
    parameters = StdioServerParameters(command=sys.executable, args=words(*options), env=dict(os.environ))
    with Path("server.log").open("a") as log:
        async with Client(stdio_client(parameters, errlog=log), mode=mode) as client:
            yield client
    assert "Traceback" not in Path("server.log").read_text()


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool returns; its text where it is an error."""
    result = await client.call_tool(tool, arguments)
    text = "".join(getattr(part, "text", "") for part in result.content)
    assert KEY not in text
    if result.is_error:
        return text
    content: Any = result.structured_content
    return content["result"] if isinstance(content, dict) and set(content) == {"result"} else content


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_from_the_request_to_the_file(mode: str, environment: Path, emulator: Emulator) -> None:
    within_one_day()
    async def main() -> None:
        async with server("--max-cost", "1", mode=mode) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert names == {"create_video", "wait_for_video", "save_video", "list_pending", "estimate_cost", "spending"}
            assert (await call(client, "estimate_cost", seconds=6))["usd"] == 0.3
            made = await call(client, "create_video", **BALL)
            assert made["billed_seconds"] == 4
            [entry] = await call(client, "list_pending")
            assert (entry["key"], entry["task_id"]) == ("film/ball", made["task_id"])
            far = await call(client, "wait_for_video", key="film/ball")
            assert (far["status"], far["done"], far["charged_units"]) == ("succeeded", True, 100_000)
            saved = await call(client, "save_video", key="film/ball", name="ball")
            assert saved["path"] == str(environment / "videos" / "ball.mp4")
            assert saved["state"] == "saved"
            [resource] = (await client.list_resources()).resources
            assert str(resource.uri) == saved["resource"] == "junfeiai://videos/ball.mp4"
            [content] = (await client.read_resource(saved["resource"])).contents
            assert base64.b64decode(getattr(content, "blob")) == Path(saved["path"]).read_bytes()
            assert (await call(client, "save_video", key="film/ball", name="ball.mp4"))["state"] == "saved"
            [day] = await call(client, "spending")
            assert (day["creates"], day["charged_usd"]) == (1, 0.2)
            assert await call(client, "list_pending") == []

    asyncio.run(main())
    assert emulator.stats()["posts"] == 1


def test_five_retries_pay_once(environment: Path, emulator: Emulator) -> None:
    """In one session, in parallel, and in a new session: one POST. The guide has the transcript."""
    said: list[str] = []

    async def main() -> None:
        async with server() as client:
            made = [await call(client, "create_video", **BALL) for _ in range(2)]
            made += await asyncio.gather(*(call(client, "create_video", **BALL) for _ in range(2)))
        async with server() as client:
            made.append(await call(client, "create_video", **BALL))
            refused = await call(client, "create_video", **{**BALL, "prompt": "a boat"})
        assert len({one["task_id"] for one in made}) == 1
        for session, one in zip((1, 1, 1, 1, 2), made):
            said.append(f"session {session}: create_video key={one['key']}  created_before={one['created_before']}")
        assert "was used for another request" in refused
        said.append("session 2: create_video key=film/ball, another prompt  refused: The key was used for another request.")

    asyncio.run(main())
    said.append(f"the service received {emulator.stats()['posts']} POST")
    assert blocks("text") == ["\n".join(said) + "\n"]
    assert emulator.stats()["posts"] == 1


def blocks(language: str) -> list[str]:
    """The blocks of the guide."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (FOLDER / "MCP.md").read_text(encoding="utf-8"), re.M | re.S)


def test_the_configurations_of_the_guide(environment: Path, emulator: Emulator) -> None:
    (environment / "key.txt").write_text(KEY)
    programs = []
    for block in blocks("json"):
        [servers] = json.loads(block).values()
        programs.append(servers["junfeiai"])

    async def tools(connection: Any) -> int:
        async with Client(connection) as client:
            return len((await client.list_tools()).tools)

    for program in programs[:2]:
        assert program["command"] == "junfeiai"
        env = {**os.environ, **({"JUNFEIAI_API_KEY": KEY} if "env" in program else {"JUNFEIAI_API_KEY": ""})}
        parameters = StdioServerParameters(command=sys.executable, args=["-m", "junfeiai", *program["args"]], env=env)
        assert asyncio.run(tools(stdio_client(parameters))) == 6
    [remote] = programs[2:]
    token = remote["headers"]["Authorization"].removeprefix("Bearer ")
    env = {**os.environ, "JUNFEIAI_MCP_TOKEN": token}
    process = subprocess.Popen([sys.executable, *words("--http", "0")], stderr=subprocess.PIPE, text=True, env=env)
    assert process.stderr is not None
    url = process.stderr.readline().split()[-1]
    assert re.sub(r":\d+/", ":8765/", url) == remote["url"]

    async def over_http() -> int:
        async with create_mcp_http_client(headers=remote["headers"]) as http:
            return await tools(streamable_http_client(url, http_client=http))

    try:
        assert asyncio.run(over_http()) == 6
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_parallel_calls_of_the_same_and_of_other_videos(environment: Path, emulator: Emulator) -> None:
    emulator.scenario(api={"create_latency_ms": 300}, task={"queued_s": 0, "running_s": 0})

    async def main() -> None:
        async with server() as client:
            videos = [{**BALL, "key": f"film/{n % 2}", "prompt": f"ball {n % 2}"} for n in range(8)]
            made = await asyncio.gather(*(call(client, "create_video", **video) for video in videos))
            assert len({one["task_id"] for one in made}) == 2
            await asyncio.gather(*(call(client, "wait_for_video", key=f"film/{n % 2}") for n in range(4)))
            saved = await asyncio.gather(*(call(client, "save_video", key="film/1", name="x") for _ in range(4)))
            assert {one["state"] for one in saved} == {"saved"}

    asyncio.run(main())
    assert emulator.stats()["posts"] == 2


def test_a_cancelled_create_is_known_to_the_retry(environment: Path, emulator: Emulator) -> None:
    emulator.scenario(api={"create_latency_ms": 1500})

    async def main() -> None:
        async with server() as client:
            first = asyncio.ensure_future(client.call_tool("create_video", BALL))
            await asyncio.to_thread(posts, emulator, 1)
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await first
            # And by a client that gives up waiting.
            with contextlib.suppress(MCPError):
                await client.call_tool("create_video", BALL, read_timeout_seconds=0.05)
            made = await call(client, "create_video", **BALL)
            assert made["task_id"].startswith("task_")

    asyncio.run(main())
    assert emulator.stats()["posts"] == 1
    assert "unknown" not in run("pending").stdout


def test_a_session_that_ends_in_a_create(environment: Path, emulator: Emulator) -> None:
    """The client closes standard input while the request is under way: its answer is written down all the same."""
    emulator.scenario(api={"create_latency_ms": 500})

    async def main() -> None:
        async with server() as client:
            first = asyncio.ensure_future(client.call_tool("create_video", BALL))
            await asyncio.to_thread(posts, emulator, 1)
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await first

    asyncio.run(main())
    assert "task_" in run("pending").stdout
    assert emulator.stats()["posts"] == 1


# The loops of Windows take no handlers of signals.
WITHOUT_HANDLERS = """
import asyncio, sys
def refuse(*_): raise NotImplementedError
asyncio.SelectorEventLoop.add_signal_handler = asyncio.SelectorEventLoop.remove_signal_handler = refuse
from junfeiai._cli import main
sys.exit(main(sys.argv[1:]))
"""


HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}


def messages(*calls: dict[str, Any]) -> list[str]:
    """The beginning of a session, and calls of create_video."""
    first: list[dict[str, Any]] = [{"id": 1, "method": "initialize", "params": HELLO}, {"method": "notifications/initialized"}]
    then = [{"id": 2 + n, "method": "tools/call", "params": {"name": "create_video", "arguments": one}} for n, one in enumerate(calls)]
    return [json.dumps({"jsonrpc": "2.0", **message}) for message in first + then]


@pytest.mark.parametrize("way", ["stdio", "without handlers", "http"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_a_create(number: int, way: str, environment: Path, emulator: Emulator) -> None:
    # The server for HTTP has ended long before the answer comes.
    emulator.scenario(api={"create_latency_ms": 3000 if way == "http" else 1000})
    command = ["-c", WITHOUT_HANDLERS, *words()[2:]] if way == "without handlers" else words()
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, *command, *(["--http", "0"] if way == "http" else [])], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdin is not None and process.stderr is not None
    if way == "http":
        port = int(process.stderr.readline().split(":")[-1].split("/")[0])
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        for message in messages(BALL):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", "/mcp", message, headers)
            if "create_video" in message:
                posts(emulator, 1)
            else:
                answer = connection.getresponse()
                assert answer.status in (200, 202), answer.read()
                if session := answer.headers.get("mcp-session-id"):
                    headers["mcp-session-id"] = session
                answer.read()
            connection.close()
    else:
        for message in messages(BALL):
            process.stdin.write(message + "\n")
            process.stdin.flush()
        posts(emulator, 1)
    process.send_signal(number)
    # Standard input is still open: the signal alone ends it.
    assert process.wait(60) == 128 + number
    _, err = process.communicate()
    assert "Traceback" not in err, err
    assert "task_" in run("pending").stdout


class Gate(ThreadingHTTPServer):
    """Stands before the emulator, and lets no create request through before it is opened."""

    daemon_threads = True

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(("127.0.0.1", 0), Through)
        self.emulator = emulator
        self.prompts: list[str] = []
        self.opened = threading.Event()


class Through(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        gate = self.server
        assert isinstance(gate, Gate)
        body = self.rfile.read(int(self.headers["content-length"])) if self.command == "POST" else None
        if body is not None:
            gate.prompts.append(json.loads(body)["prompt"])
            gate.opened.wait()
        headers = {name: self.headers[name] for name in ("authorization", "content-type") if name in self.headers}
        request = urllib.request.Request(gate.emulator.origin + self.path, body, headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, data = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, data = error.code, error.read()
            error.close()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def gate(environment: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    with Gate(emulator) as server:
        monkeypatch.setenv("JUNFEIAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.opened.set()
            server.shutdown()
            thread.join()


def balls(count: int) -> list[dict[str, Any]]:
    return [{**BALL, "key": f"film/{n}", "prompt": f"ball {n}"} for n in range(count)]


def test_a_create_that_is_cancelled_before_it_has_left(environment: Path, emulator: Emulator, gate: Gate) -> None:
    """Four are under way at a time. One that waits for its turn is withdrawn with its call, and the others are not."""

    async def main() -> None:
        async with server() as client:
            calls = {ball["prompt"]: asyncio.ensure_future(call(client, "create_video", **ball)) for ball in balls(7)}
            await asyncio.to_thread(until, "four have left", lambda: len(gate.prompts) == 4)
            waiting = sorted(set(calls) - set(gate.prompts))
            given_up = [calls[prompt] for prompt in waiting[:2]]
            for one in given_up:
                one.cancel()
            await asyncio.wait(given_up)
            # The server has been told by now, and has seen it when it answers what came behind it.
            await call(client, "list_pending")
            gate.opened.set()
            made = await asyncio.gather(*calls.values(), return_exceptions=True)
            assert sum(isinstance(one, asyncio.CancelledError) for one in made) == 2
            assert len({one["task_id"] for one in made if isinstance(one, dict)}) == 5
            assert sorted(gate.prompts) == sorted(set(calls) - set(waiting[:2]))
            # The agent may change its mind.
            again = await call(client, "create_video", **next(ball for ball in balls(7) if ball["prompt"] == waiting[0]))
            assert not again["created_before"]

    asyncio.run(main())
    assert emulator.stats()["posts"] == 6


WITH_SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="there a process is ended by SIGTERM without its knowledge")


@pytest.mark.parametrize("way", [pytest.param("signal", marks=WITH_SIGNALS), "closed"])
def test_a_server_that_ends_sends_nothing_more(way: str, environment: Path, emulator: Emulator, gate: Gate) -> None:
    """What has left is waited for; what waits for its turn, and what an agent asks for meanwhile, is not sent."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, *words()], stdin=pipe, stdout=pipe, text=True)
    assert process.stdin is not None and process.stdout is not None
    # Answers that do not come are not waited for without end.
    limit = threading.Timer(120, process.kill)
    limit.daemon = True
    limit.start()
    *first, last = messages(*balls(7))
    for message in first:
        process.stdin.write(message + "\n")
        process.stdin.flush()
    until("four have left", lambda: len(gate.prompts) == 4)
    if way == "signal":
        process.send_signal(signal.SIGTERM)
        # Those that waited are answered when the signal was seen.
        refused: list[str] = []
        while len(refused) < 2:
            line = process.stdout.readline()
            assert line
            refused += [line] if "the server is ending" in line else []
        process.stdin.write(last + "\n")
        process.stdin.flush()
        assert "the server is ending" in process.stdout.readline()
    else:
        process.stdin.close()
    gate.opened.set()
    assert process.wait(60) == (128 + signal.SIGTERM if way == "signal" else 0)
    limit.cancel()
    process.stdin.close()
    process.stdout.close()
    assert len(gate.prompts) == emulator.stats()["posts"] == 4
    assert run("pending").stdout.count("task_") == 4


def test_a_server_that_is_killed_in_a_create(environment: Path, emulator: Emulator) -> None:
    """Nobody knows what became of the request, and no retry sends it again."""
    emulator.rule("hang", op="create")

    async def killed() -> None:
        parameters = StdioServerParameters(command=sys.executable, args=["-c", PID, *words()[2:]], env=dict(os.environ))
        with contextlib.suppress(MCPError):
            async with Client(stdio_client(parameters)) as client:
                call = asyncio.ensure_future(client.call_tool("create_video", BALL))
                await asyncio.to_thread(posts, emulator, 1)
                os.kill(int(Path("pid").read_text()), signal.SIGKILL)
                with contextlib.suppress(MCPError):
                    await asyncio.wait_for(call, 30)

    async def again() -> None:
        async with server() as client:
            for _ in range(3):
                said = await call(client, "create_video", **BALL)
                assert "junfeiai reconcile" in said
                assert "another key" in said
            assert "call create_video again with this key" in await call(client, "wait_for_video", key="film/ball")

    asyncio.run(killed())
    emulator.scenario()
    asyncio.run(again())
    assert emulator.stats()["posts"] == 1


PID = """
import os, pathlib, sys
pathlib.Path("pid").write_text(str(os.getpid()))
from junfeiai._cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_limits_of_the_cost(environment: Path, emulator: Emulator) -> None:
    async def main() -> None:
        free = {name: value for name, value in BALL.items() if name != "max_cost"}
        async with server() as client:
            assert "give max_cost" in await call(client, "create_video", **free)
            assert "0.2 USD" in await call(client, "create_video", **{**BALL, "max_cost": 0.1})
            for bad in (-1, "much"):
                assert isinstance(await call(client, "create_video", **{**BALL, "max_cost": bad}), str)
        async with server("--max-cost", "0.1") as client:
            assert "0.2 USD" in await call(client, "create_video", **BALL), "the server's limit holds as well"
            assert emulator.stats()["posts"] == 0
        async with server("--max-cost", "0.2") as client:
            assert "task_id" in await call(client, "create_video", **free)

    asyncio.run(main())


def test_what_is_refused_costs_nothing(environment: Path, emulator: Emulator) -> None:
    (environment / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    (environment / "videos").mkdir()
    (environment / "videos" / "link.png").symlink_to("../secret.png")

    async def main() -> None:
        async with server() as client:
            for change, said in (
                ({"key": " "}, "give a key"),
                ({"key": "film/ball\n"}, "white space"),
                ({"key": "x" * 201}, "key"),
                ({"prompt": ""}, "prompt"),
                ({"seconds": 99}, "seconds"),
                ({"image": "../secret.png"}, "an image is a URL or the name of a file in"),
                ({"image": "/etc/passwd"}, "an image is a URL or the name of a file in"),
                ({"image": "link.png"}, "an image is a URL or the name of a file in"),
                ({"images": ["none.png"]}, "none.png"),
            ):
                assert said in await call(client, "create_video", **{**BALL, **change}), change
            without_key = {name: value for name, value in BALL.items() if name != "key"}
            assert "key" in await call(client, "create_video", **without_key)
            for tool in ("wait_for_video", "save_video"):
                assert "call create_video first" in await call(client, tool, key="nobody")
                assert "give key or task_id" in await call(client, tool)
                assert "task id" in (await call(client, tool, task_id="a b/c")).lower()
            for name in ("../x", "/x", "a\\b", ".hidden", "a:b", "\0"):
                assert "plain file name" in await call(client, "save_video", task_id=emulator.finished(), name=name)
            assert "shorter name" in await call(client, "save_video", task_id=emulator.finished(), name="x" * 300)
            assert "since" in await call(client, "spending", since="soon")
            # Since the server began its folder has become one in which nothing can be saved.
            (environment / "videos" / "link.png").unlink()
            (environment / "videos").rmdir()
            (environment / "videos").write_text("a file")
            assert "is not a folder" in await call(client, "create_video", **BALL)

    asyncio.run(main())
    assert emulator.stats()["posts"] == 0


def test_a_wait_returns_within_the_limit_of_clients(environment: Path, emulator: Emulator) -> None:
    running = emulator.running()
    told: list[float] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async def main() -> None:
        async with server("--call-limit", "1") as client:
            far = await call(client, "wait_for_video", task_id=running, timeout=3600)
            assert (far["done"], far["next"]) == (False, "call wait_for_video again")
            assert far["task_id"] == running
            assert far["status"] in ("queued", "in_progress", "unknown")
            for _ in range(60):
                # A slow machine may not have an answer within the limit.
                await client.call_tool("wait_for_video", {"task_id": running, "timeout": 0.3}, progress_callback=progress)
                if told:
                    break
            # A call that is cancelled leaves the next one alone.
            first = asyncio.ensure_future(client.call_tool("wait_for_video", {"task_id": running}))
            await asyncio.sleep(0)
            first.cancel()
            assert not (await call(client, "wait_for_video", task_id=running, timeout=0.1))["done"]
            made = await call(client, "create_video", **{**BALL, "prompt": "[fail] x"})
            while not (failed := await call(client, "wait_for_video", key="film/ball"))["done"]:
                pass
            assert (failed["status"], failed["done"], failed["charge"], failed["task_id"]) == ("failed", True, "returned", made["task_id"])
            another = await call(client, "create_video", **{**BALL, "prompt": "[fail] x", "retry_failed": True})
            assert another["task_id"] != made["task_id"]

    asyncio.run(main())
    assert told


def test_a_long_save_is_resumed_by_the_next_call(environment: Path, emulator: Emulator) -> None:
    task_id = emulator.finished(video_bytes=2_000_000)
    emulator.scenario(content={"rate_bytes_per_s": 300_000})

    async def main() -> None:
        async with server("--call-limit", "1") as client:
            first = await call(client, "save_video", task_id=task_id)
            assert first["state"] == "saving", first
            assert not Path(first["path"]).exists()
            emulator.scenario()
            for _ in range(60):
                saved = await call(client, "save_video", task_id=task_id)
                if saved["state"] == "saved":
                    break
            assert Path(saved["path"]).read_bytes() == emulator.file(task_id)

    asyncio.run(main())


def test_two_videos_under_one_name(environment: Path, emulator: Emulator) -> None:
    """The second is not taken for saved: the service keeps it for a day only."""
    one, two = emulator.finished(video_bytes=2_000_000), emulator.finished()
    emulator.scenario(content={"rate_bytes_per_s": 300_000})

    async def main() -> None:
        async with server("--call-limit", "1") as client:
            first = await call(client, "save_video", task_id=one, name="ball")
            assert first["state"] == "saving", first
            refused = await call(client, "save_video", task_id=two, name="ball")
            assert f"another video, {one}, is being saved under the name ball.mp4" in refused
            emulator.scenario()
            while (saved := await call(client, "save_video", task_id=one, name="ball"))["state"] != "saved":
                pass
            assert Path(saved["path"]).read_bytes() == emulator.file(one)
            assert "exists" in await call(client, "save_video", task_id=two, name="ball")
            assert (await call(client, "save_video", task_id=two, name="boat"))["state"] == "saved"

    asyncio.run(main())


def test_http_on_this_machine_alone(environment: Path, emulator: Emulator) -> None:
    env = {**os.environ, "JUNFEIAI_MCP_TOKEN": "token-of-this-test"}
    for variables in (dict(os.environ), env):
        process = subprocess.Popen([sys.executable, *words("--http", "0")], stderr=subprocess.PIPE, text=True, env=variables)
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        assert url.startswith("http://127.0.0.1:")
        try:
            if variables is env:
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}), timeout=30)
                assert refused.value.code == 401
                refused.value.close()
            else:
                asyncio.run(over_http(url))
                for header in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
                    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json", **header})
                    with pytest.raises(urllib.error.HTTPError) as refused:
                        urllib.request.urlopen(request, timeout=30)
                    assert refused.value.code in (403, 421)
                    refused.value.close()
        finally:
            process.terminate()
            _, err = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM, err
        assert "Traceback" not in err
    assert emulator.stats()["posts"] == 1


async def over_http(url: str) -> None:
    async with Client(url) as one, Client(url) as other:
        made = await asyncio.gather(*(call(client, "create_video", **BALL) for client in (one, other, one, other, one)))
        assert len({result["task_id"] for result in made}) == 1
        assert (await call(other, "wait_for_video", key="film/ball"))["done"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--no-journal"], "pays once only with a journal"), (["--call-limit", "0"], "--call-limit"), (["--max-cost", "-1"], "--max-cost"),
        (["-o", "a.mp4"], "error: -o/--output: a.mp4: file exists; check the name"), (["--http", "70000"], "--http is 0 to 65535"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(options: list[str], said: str, environment: Path) -> None:
    (environment / "a.mp4").write_bytes(b"x")
    assert said in run("mcp", *options, code=2).stderr


def test_a_port_that_is_taken(environment: Path, emulator: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"--http {port} cannot be used: address already in use" in run("mcp", "--http", str(port), code=2).stderr


def test_nothing_is_paid_for_that_could_not_be_saved(environment: Path) -> None:
    """A folder in which no file can be made, whoever asks."""
    assert "/proc/self" in run("mcp", "-o", "/proc/self", code=1).stderr


def test_without_the_sdk(environment: Path) -> None:
    (environment / "mcp.py").write_text("raise ImportError(name='mcp')\n")
    assert 'pip install "mcp>=2,<3"' in run("mcp", env={"PYTHONPATH": str(environment)}, code=2).stderr
    (environment / "mcp.py").unlink()
    assert "JUNFEIAI_API_KEY" in run("mcp", "--base-url", "standard", env={"JUNFEIAI_API_KEY": ""}, code=2).stderr
