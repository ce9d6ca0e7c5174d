"""What clients do when an answer is lost: how many creates are sent, and what a cut download leaves.

    peers_faults.py           everything, as tables
    peers_faults.py openai    one client

Each client talks to a server of this script's own, on loopback, that reads a create to its end and closes the connection
without an answer (the service has the order then, and charges), or that ends a video in its middle. Nothing leaves the
machine. The versions below are installed into target/peers once.
"""

import argparse
import contextlib
import http.server
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target" / "peers"
PYTHON = FOLDER / "venv" / "bin" / "python"
OWN_PYTHON = ROOT / "target" / "venv" / "bin" / "python"
PACKAGES = {"openai": "3.57.0", "fal-client": "1.0.3", "runwayml": "5.24.0", "lumaai": "1.21.0", "xai-sdk": "1.21.0", "comfy-sdk": "0.5.0"}
NODE_PACKAGES = {"openai": "6.49.0", "@fal-ai/client": "1.10.1", "@runwayml/sdk": "4.20.1", "lumaai": "1.19.1"}
OWN = "junfeiai"

CREATED = {
    "id": "task_1", "task_id": "task_1", "request_id": "task_1", "status": "queued", "state": "queued", "object": "video", "model": "m",
    "created_at": 0, "progress": 0, "seconds": "4", "size": "1280x720", "status_url": "http://x/", "response_url": "http://x/", "cancel_url": "http://x/",
}


class Server(http.server.ThreadingHTTPServer):
    """Counts creates and reads; loses the first `lost` answers to creates, cuts the first `cut` videos in the middle."""

    daemon_threads = True

    def __init__(self, lost=0, cut=0, video=b""):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lost, self.cut, self.video = lost, cut, video
        self.creates, self.keys, self.reads, self.ranges = 0, [], 0, []
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        return body

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.creates += 1
        self.server.keys.append(next((value for name, value in self.headers.items() if "idempoten" in name.lower()), None))
        if self.server.creates <= self.server.lost:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(self.answer(200, json.dumps(CREATED).encode(), Content_Type="application/json"))

    def do_GET(self):
        video = self.server.video
        self.server.reads += 1
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.server.ranges.append(start)
        more = {"Content_Type": "video/mp4", "ETag": '"1"', "Accept_Ranges": "bytes"}
        if start:
            more["Content_Range"] = f"bytes {start}-{len(video) - 1}/{len(video)}"
        body = self.answer(206 if start else 200, video[start:], **more)
        if self.server.reads <= self.server.cut:
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)
        self.wfile.flush()
        if self.close_connection:
            self.connection.shutdown(socket.SHUT_RDWR)


# One function for each client: a create as its guide shows it, everything at its defaults but the address.


def own_create(origin):
    import junfeiai

    junfeiai.Client(api_key="sk-x", base_url=f"{origin}/v1").videos.create("A red ball", seconds=4)


def openai_create(origin):
    import openai

    openai.OpenAI(api_key="x", base_url=f"{origin}/v1").videos.create(prompt="A red ball")


def fal_create(origin):
    import fal_client.client as fal

    fal.QUEUE_URL_FORMAT = f"{origin}/"
    fal.SyncClient(key="x").submit("owner/app", {"prompt": "A red ball"})


def runway_create(origin):
    import runwayml

    client = runwayml.RunwayML(api_key="x", base_url=origin)
    client.text_to_video.create(model="gen4.5", prompt_text="A red ball", ratio="1280:720", duration=4)


def luma_create(origin):
    import lumaai

    lumaai.LumaAI(auth_token="x", base_url=origin).generations.create(model="ray-2", prompt="A red ball")


def comfy_create(origin):
    os.environ["COMFY_BASE_URL"] = origin
    from comfy_sdk import Comfy

    with Comfy(api_key="x") as client:
        client.submit(client.workflows.from_json({"1": {"class_type": "X", "inputs": {}}}))


def own_save(origin, path):
    import junfeiai

    client = junfeiai.Client(api_key="sk-x", base_url=f"{origin}/v1")
    client.videos.video_at(f"{origin}/v1/videos/task_1/content").save(path)


def openai_save(origin, path):
    import openai

    openai.OpenAI(api_key="x", base_url=f"{origin}/v1").videos.download_content("video_1").write_to_file(path)


def openai_stream(origin, path):
    import openai

    videos = openai.OpenAI(api_key="x", base_url=f"{origin}/v1").videos
    with videos.with_streaming_response.download_content("video_1") as answer:
        answer.stream_to_file(path)


def comfy_save(origin, path):
    os.environ["COMFY_BASE_URL"] = origin
    from types import SimpleNamespace

    from comfy_sdk import Comfy
    from comfy_sdk.outputs import Output

    with Comfy(api_key="x") as client:
        Output(SimpleNamespace(id="asset_1"), client._low).to_file(path)


NODE = {
    "openai": 'import OpenAI from "openai"; await new OpenAI({apiKey: "x", baseURL: O + "/v1"}).videos.create({prompt: "A red ball"});',
    "@fal-ai/client": 'import { createFalClient } from "@fal-ai/client"; await createFalClient({credentials: "x", requestMiddleware: async (r) =>'
                      ' ({...r, url: O + "/owner/app"})}).queue.submit("owner/app", {input: {prompt: "A red ball"}});',
    "@runwayml/sdk": 'import RunwayML from "@runwayml/sdk"; await new RunwayML({apiKey: "x", baseURL: O}).textToVideo.create('
                     '{model: "gen4.5", promptText: "A red ball", ratio: "1280:720", duration: 4});',
    "lumaai": 'import { LumaAI } from "lumaai"; await new LumaAI({authToken: "x", baseURL: O}).generations.create({model: "ray-2", prompt: "A red ball"});',
}

CREATES = {OWN: own_create, "openai": openai_create, "fal-client": fal_create, "runwayml": runway_create, "lumaai": luma_create,
           "comfy-sdk": comfy_create}
SAVES = {OWN: (own_save,), "openai": (openai_save, openai_stream), "comfy-sdk": (comfy_save,)}


def outcome(call, *args):
    try:
        call(*args)
        return "done"
    except subprocess.CalledProcessError as error:
        return error.stderr.split()[-1]
    except Exception as error:
        return type(error).__name__


def count_creates(call, lost):
    server = Server(lost=lost)
    end = outcome(call, server.origin)
    return server.creates, end, bool(server.keys and server.keys[0])


def xai_creates(lost):
    """xai-sdk speaks gRPC: its own stub of the service, behind a relay that closes the connection when a create is there."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    import xai_sdk
    from xai_sdk.proto import deferred_pb2, video_pb2_grpc

    creates, open_sockets, keys = [], [], []

    def generate(request, context):
        creates.append(request)
        if len(creates) <= lost:
            for one in list(open_sockets):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        return deferred_pb2.StartDeferredResponse(request_id="task_1")

    class Video(video_pb2_grpc.VideoServicer):
        def GenerateVideo(self, request, context):
            keys.append(any("idempoten" in name.lower() for name, _ in context.invocation_metadata()))
            return generate(request, context)

    server = grpc.server(ThreadPoolExecutor(8))
    video_pb2_grpc.add_VideoServicer_to_server(Video(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    listener = socket.create_server(("127.0.0.1", 0))

    def pipe(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def relay():
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            open_sockets.extend((near, far))
            threading.Thread(target=pipe, args=(near, far), daemon=True).start()
            threading.Thread(target=pipe, args=(far, near), daemon=True).start()

    threading.Thread(target=relay, daemon=True).start()
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    client = xai_sdk.Client(api_key="x", api_host=host, use_insecure_channel=True, timeout=60)
    end = outcome(lambda: client.video.start(prompt="A red ball", model="grok-imagine-video"))
    return len(creates), end, keys[0]


def measure(name):
    """What one client does, as JSON on standard output."""
    if name == "xai-sdk":
        found = {"creates": [xai_creates(1), xai_creates(10**6)]}
    else:
        found = {"creates": [count_creates(CREATES[name], 1), count_creates(CREATES[name], 10**6)]}
    found["saves"] = []
    for save in SAVES.get(name, ()):
        video = (FOLDER / "video.mp4").read_bytes()
        server = Server(cut=1, video=video)
        path = Path(tempfile.mkdtemp(dir=FOLDER)) / "video.mp4"
        end = outcome(save, server.origin, path)
        length = path.stat().st_size if path.exists() else None
        left = "nothing" if length is None else "the whole file" if length == len(video) else f"{100 * length // len(video)} % under the final name"
        found["saves"].append([save.__name__, server.ranges, end, left])
    found["version"] = importlib.metadata.version(name)
    print(json.dumps(found))


def measure_node(name):
    imports, call = NODE[name].split("; ", 1)
    program = f"{imports};\nconst O = process.argv[2];\ntry {{ {call} }} catch (error) {{ console.error(error.constructor.name); process.exit(1); }}\n"
    path = FOLDER / "create.mjs"
    path.write_text(program)

    def create(origin):
        subprocess.run(["node", path, origin], cwd=FOLDER, check=True, capture_output=True, text=True, timeout=120)

    return {"creates": [count_creates(create, 1), count_creates(create, 10**6)]}


def install():
    """The peers, of the versions named above, where they are not there yet."""
    mark = FOLDER / "installed.json"
    wanted = json.dumps([PACKAGES, NODE_PACKAGES])
    if mark.exists() and mark.read_text() == wanted:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", FOLDER / "venv"], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    *(f"{name}=={version}" for name, version in PACKAGES.items())], check=True)
    (FOLDER / "package.json").write_text('{"private": true}\n')
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error",
                    *(f"{name}@{version}" for name, version in NODE_PACKAGES.items())], cwd=FOLDER, check=True)
    mark.write_text(wanted)


def draw_video():
    """A small real video, drawn by the emulator."""
    emulator = ROOT / "target" / "debug" / "junfeiai-emulator"
    process = subprocess.Popen([emulator, "--port", "0", "--quiet", "--exit-with-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        origin = process.stdout.readline().split()[-1]
        order = urllib.request.Request(f"{origin}/__emulator/tasks", b'{"video_bytes": 4194304}', {"Content-Type": "application/json"})
        with urllib.request.urlopen(order) as answer:
            task = json.load(answer)["id"]
        with urllib.request.urlopen(f"{origin}/__emulator/video/{task}") as answer:
            (FOLDER / "video.mp4").write_bytes(answer.read())
    finally:
        process.stdin.close()
        process.wait(10)


def run(names=()):
    """The tables, for `make bench`."""
    install()
    draw_video()
    creates = ["### A create whose answer is lost\n", "The server has read the whole order and closes the connection without an answer. Each POST is one\n"
               "paid task, unless the service knows an idempotency key that came with it; the service of this project knows none.\n",
               "| client | POSTs, the first answer lost | POSTs, every answer lost | ends with | sends an idempotency key |", "|---|---|---|---|---|"]
    saves = ["### A download that is cut in its middle\n", "| client | requests, by their first byte | ends with | what is there under the final name |", "|---|---|---|---|"]
    for name in names or [OWN, *PACKAGES]:
        python = OWN_PYTHON if name == OWN else PYTHON
        text = subprocess.run([python, __file__, "--measure", name], check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(text.splitlines()[-1])
        (first, *_), (every, end, key) = found["creates"]
        creates.append(f"| {name} {found['version']} (Python) | {first} | {every} | `{end}` | {'yes' if key else 'no'} |")
        for save, ranges, ended, left in found["saves"]:
            saves.append(f"| {name}, `{save}` | {', '.join(map(str, ranges))} | `{ended}` | {left} |")
    for name in () if names else NODE_PACKAGES:
        (first, *_), (every, end, key) = measure_node(name)["creates"]
        creates.append(f"| {name} {NODE_PACKAGES[name]} (Node) | {first} | {every} | `{end}` | {'yes' if key else 'no'} |")
    return ["\n".join(creates) + "\n", "\n".join(saves) + "\n"]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        warnings.simplefilter("ignore")
        measure(sys.argv[2])
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("clients", nargs="*", metavar="CLIENT", help="only these")
        names = parser.parse_args().clients
        if unknown := [name for name in names if name not in (OWN, *PACKAGES)]:
            parser.error(f"no such client: {', '.join(unknown)}; there are {', '.join((OWN, *PACKAGES))}")
        print("\n".join(run(names)))
