#!/usr/bin/env python3
"""The Python face beside its peers: import, one query, one video, a thousand waiting tasks.

    python_face.py              everything
    python_face.py import get   only these parts

Needs the wheel in target/wheels (make wheel), nginx and curl. `run()` gives the tables, for tests/bench/run.py.
"""

import statistics
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "bench"))

from lab import KEY, Lab, clip, measure, memory_folder, rounds  # noqa: E402

MIB = 1 << 20
VENV = ROOT / "target" / "bench-python"
PYTHON = VENV / "bin" / "python"
EMULATOR = ROOT / "target" / "debug" / "junfeiai-emulator"

SAVE = {
    "junfeiai": "import sys, junfeiai; junfeiai.Client().videos.video_at(sys.argv[1]).save(sys.argv[2], overwrite=True)",
    "openai": "import sys, openai; base, name = sys.argv[1].rsplit('/', 1)\n"
    "client = openai.OpenAI(api_key='%s', base_url=base)\n"
    "with client.videos.with_streaming_response.download_content(name) as answer: answer.stream_to_file(sys.argv[2])" % KEY,
    "httpx": "import sys, httpx\n"
    "with httpx.stream('GET', sys.argv[1], headers={'Authorization': 'Bearer %s'}) as answer, open(sys.argv[2], 'wb') as out:\n"
    "    for piece in answer.iter_bytes(): out.write(piece)" % KEY,
}

GET = {
    "junfeiai": "import junfeiai; client = junfeiai.Client(base_url=base, request_rate=1e6, request_burst=10**6)\ncall = lambda: client.videos.get('task_1')",
    "openai": "import openai; client = openai.OpenAI(api_key='%s', base_url=base[:-3])\n"
    "call = lambda: client.videos.retrieve('task.json')" % KEY,
    "httpx": "import httpx; client = httpx.Client(headers={'Authorization': 'Bearer %s'})\n"
    "call = lambda: client.get(base + '/video/generations/task_1').json()" % KEY,
}

LOOP = """
import resource, sys, time
base, count = sys.argv[1], int(sys.argv[2])
%s
for _ in range(50): call()
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
wall, used = time.perf_counter(), cpu()
for _ in range(count): call()
print((cpu() - used) / count * 1e6, (time.perf_counter() - wall) / count * 1e6)
"""

WAITING = """
import asyncio, ctypes, gc, os, sys
from junfeiai import AsyncClient
base, task_id = sys.argv[1:]
def resident():
    gc.collect(); ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss")) * 1024
async def main():
    client = AsyncClient(base_url=base, poll_interval=3600)
    tasks, sizes = [], []
    for total in (200, 1200, 3200):
        while len(tasks) < total:
            more = [asyncio.create_task(client.videos.task(task_id).wait()) for _ in range(min(50, total - len(tasks)))]
            tasks += more
            await asyncio.sleep(0.3)
        await asyncio.sleep(2)
        assert not any(task.done() for task in tasks)
        sizes.append(resident())
    print((sizes[1] - sizes[0]) / 1000, (sizes[2] - sizes[1]) / 2000)
    for task in tasks: task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
asyncio.run(main())
"""


def prepare():
    """An environment with the wheel and the peers, as a user would have it."""
    wheels = sorted((ROOT / "target" / "wheels").glob("junfeiai-*.whl"))
    if not wheels:
        sys.exit("there is no wheel: run make wheel")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([*pip, "-r", FOLDER / "requirements.txt"], check=True)
    subprocess.run([*pip, "--force-reinstall", "--no-deps", wheels[-1]], check=True)
    # Installed wheels have their bytecode; so have all peers here.
    subprocess.run([PYTHON, "-m", "compileall", "-q", VENV / "lib"], check=False)
    return wheels[-1]


def imports(_lab):
    candidates = [("python alone", "pass"), *((name, f"import {name}") for name in ("junfeiai", "httpx", "openai"))]
    commands = [(name, [PYTHON, "-I", "-c", code], {}) for name, code in candidates]
    results = rounds(commands, 15)
    bare = results["python alone"].median("wall")
    lines = ["| | wall ms | above bare Python, ms |", "|---|---|---|"]
    for name, series in results.items():
        wall = series.median("wall")
        lines.append(f"| {name} | {wall * 1e3:.1f} | {(wall - bare) * 1e3:.1f} |")
    ours, theirs = (results[name].median("wall") - bare for name in ("junfeiai", "openai"))
    return "Import", [*lines, "", f"`import openai` takes {theirs / ours:.0f}× as long."]


def get(lab):
    (lab.dir / "www" / "videos").mkdir(exist_ok=True)
    (lab.dir / "www" / "videos" / "task.json").write_text(
        '{"id":"video_1","object":"video","model":"sora-2","status":"in_progress","progress":42,"created_at":1700000000,'
        '"seconds":"6","size":"1280x720"}'
    )
    lines = ["| | CPU µs | wall µs |", "|---|---|---|"]
    found = {}
    for name, count in (("junfeiai", 3000), ("httpx", 1000), ("openai", 1000)):
        runs = []
        for _ in range(3):
            command = [PYTHON, "-c", LOOP % GET[name], lab.url("v1"), str(count)]
            text = subprocess.run(command, check=True, capture_output=True, text=True, env={"JUNFEIAI_API_KEY": KEY}).stdout
            runs.append([float(word) for word in text.split()])
        found[name] = [statistics.median(run[index] for run in runs) for index in (0, 1)]
        lines.append(f"| {name} | {found[name][0]:.0f} | {found[name][1]:.0f} |")
    share = found["openai"][0] / found["junfeiai"][0]
    return "One status query, keep-alive", [*lines, "", f"The openai SDK spends {share:.1f}× as much CPU."]


def save(lab, size, title, count):
    out = lab.dir / "python-out"
    out.mkdir(exist_ok=True)
    name = f"video-{size}.mp4"
    if not (lab.dir / "www" / name).exists():
        lab.video(name, size, clip())
        folder = lab.dir / "www" / "videos" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "content").symlink_to(lab.dir / "www" / name)
    url = lab.url(name)
    env = {"JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": lab.url("v1")}
    candidates = [("curl", ["curl", "-sSf", "-H", f"Authorization: Bearer {KEY}", "-o", out / "curl", url], {})]
    candidates += [(peer, [PYTHON, "-I", "-c", code, url, out / peer], env) for peer, code in SAVE.items()]
    results = rounds(candidates, count, lambda: [path.unlink() for path in out.iterdir()])
    curl = results["curl"]
    lines = ["| | wall s | CPU s | peak MiB | speed | CPU |", "|---|---|---|---|---|---|"]
    for peer, series in results.items():
        wall, cpu, rss = (series.median(what) for what in ("wall", "cpu", "rss"))
        speed, share = curl.median("wall") / wall, cpu / curl.median("cpu")
        lines.append(f"| {peer} | {wall:.3f} | {cpu:.3f} | {rss:.0f} | {speed:.2f}× | {share:.2f}× |")
    return title, lines


def waiting(_lab):
    process = subprocess.Popen([EMULATOR, "--port", "0", "--api-key", KEY, "--quiet", "--exit-with-stdin"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        import json
        import urllib.request

        origin = process.stdout.readline().split()[-1]
        order = urllib.request.Request(f"{origin}/__emulator/tasks", b'{"state": "running", "running_s": 1e9}')
        task_id = json.load(urllib.request.urlopen(order))["id"]
        command = [PYTHON, "-c", WAITING, f"{origin}/v1", task_id]
        run = subprocess.run(command, capture_output=True, text=True, env={"JUNFEIAI_API_KEY": KEY})
        if run.returncode:
            sys.exit(run.stderr)
        first, rest = (float(word) for word in run.stdout.split())
        return "Waiting asyncio tasks", [f"{first:.0f} bytes each for 1,000 beyond 200; {rest:.0f} bytes each for 2,000 more."]
    finally:
        process.communicate()


PARTS = {
    "import": imports,
    "get": get,
    "8mib": lambda lab: save(lab, 8 * MIB, "8 MiB saved by a script, interpreter start included", 15),
    "1gib": lambda lab: save(lab, 1024 * MIB, "1 GiB saved by a script", 5),
    "waiting": waiting,
}


def run(names=()):
    """All tables of this part, as markdown."""
    wheel = prepare()
    tables = [f"Wheel: {wheel.name}, {wheel.stat().st_size / 1e6:.2f} MB, no required dependencies.\n"]
    with Lab(memory_folder()) as lab:
        (lab.dir / "www" / "task.json").write_text(
            '{"code":"success","data":{"task_id":"task_1","status":"IN_PROGRESS","progress":"42%"}}'
        )
        for name in names or PARTS:
            title, lines = PARTS[name](lab)
            tables.append("\n".join([f"### {title}", "", *lines, ""]))
    return tables


if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in PARTS]
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print(*run(sys.argv[1:]), sep="\n")
