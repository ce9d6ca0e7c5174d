#!/usr/bin/env python3
"""The Python binding beside its peers: import, one query, one video.

    python_face.py              everything
    python_face.py import get   only these parts

Needs the wheel in target/wheels (make wheel), nginx and curl. `run()` gives the tables, for tests/bench/run.py.
"""

import argparse
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import native  # noqa: E402
from lab import KEY, MIB, Lab, available, clip, loops, memory_folder, rounds, table  # noqa: E402

VENV = ROOT / "target" / "bench-python"
PYTHON = VENV / "bin" / "python"

SAVE = {
    "junfeiai": "import sys, junfeiai; junfeiai.Client().videos.video_at(sys.argv[1]).save(sys.argv[2], overwrite=True)",
    "openai": "import sys, openai; base, name = sys.argv[1].rsplit('/', 1)\n"
    "client = openai.OpenAI(api_key='%s', base_url=base)\n"
    "with client.videos.with_streaming_response.download_content(name) as answer: answer.stream_to_file(sys.argv[2])" % KEY,
    "httpx": "import sys, httpx\n"
    "with httpx.stream('GET', sys.argv[1], headers={'Authorization': 'Bearer %s'}) as answer, open(sys.argv[2], 'wb') as out:\n"
    "    for piece in answer.iter_bytes(): out.write(piece)" % KEY,
    "obstore": "import sys, obstore; from obstore.store import HTTPStore\n"
    "base, name = sys.argv[1].rsplit('/', 1)\n"
    "options = {'allow_http': True, 'default_headers': {'Authorization': 'Bearer %s'}}\n"
    "with open(sys.argv[2], 'wb') as out:\n"
    "    for piece in obstore.get(HTTPStore.from_url(base, client_options=options), name): out.write(piece)" % KEY,
    # One file at a time, in ranges of 10 MiB, as huggingface_hub calls it.
    "hf_transfer": "import sys, hf_transfer\n"
    "hf_transfer.download(sys.argv[1], sys.argv[2], max_files=1, chunk_size=10 << 20, headers={'Authorization': 'Bearer %s'})" % KEY,
}

GET = {
    "junfeiai": "import junfeiai; client = junfeiai.Client(base_url=base, request_rate=1e6, request_burst=10**6)\n"
    "call = lambda: client.videos.get('task_1')",
    "httpx": "import httpx; client = httpx.Client(headers={'Authorization': 'Bearer %s'})\n"
    "call = lambda: client.get(base + '/video/generations/task_1').json()" % KEY,
    "openai": "import openai; client = openai.OpenAI(api_key='%s', base_url=base[:-3])\n"
    "call = lambda: client.videos.retrieve('task.json')" % KEY,
}

ASYNC_GET = {
    "junfeiai": GET["junfeiai"].replace("Client(", "AsyncClient("),
    "httpx": "import httpx; client = httpx.AsyncClient(headers={'Authorization': 'Bearer %s'})\n"
    "async def call(): return (await client.get(base + '/video/generations/task_1')).json()" % KEY,
    "openai": GET["openai"].replace("OpenAI(", "AsyncOpenAI("),
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

ASYNC_LOOP = """
import asyncio, resource, sys, time
base, count = sys.argv[1], int(sys.argv[2])
%s
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
async def main():
    for _ in range(50): await call()
    wall, used = time.perf_counter(), cpu()
    for _ in range(count): await call()
    print((cpu() - used) / count * 1e6, (time.perf_counter() - wall) / count * 1e6)
asyncio.run(main())
"""


def prepare():
    """An environment with the wheel and the peers, as a user would have it; made anew when the list of peers changes."""
    wheels = sorted((ROOT / "target" / "wheels").glob("junfeiai-*.whl"))
    if not wheels:
        sys.exit("there is no wheel: run make wheel")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pins, installed = FOLDER / "requirements.txt", VENV / "installed.txt"
    if not installed.exists() or installed.read_bytes() != pins.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        subprocess.run([*pip, "-r", pins], check=True)
        installed.write_bytes(pins.read_bytes())
    subprocess.run([*pip, "--force-reinstall", "--no-deps", wheels[-1]], check=True)
    # Installed wheels have their bytecode; so have all peers here.
    subprocess.run([PYTHON, "-m", "compileall", "-q", VENV / "lib"], check=False)


def imports(_lab):
    candidates = [("python alone", "pass")]
    candidates += [(name, f"import {name}") for name in ("junfeiai", "httpx", "openai", "obstore", "hf_transfer")]
    commands = [(name, [PYTHON, "-I", "-c", code], {}) for name, code in candidates]
    results = rounds(commands, 15)
    bare = results["python alone"].median("wall")
    lines = ["### Import", "", "| | wall ms | above bare Python, ms | peak MiB |", "|---|---|---|---|"]
    for name, series in results.items():
        wall = series.median("wall")
        lines.append(f"| {name} | {wall * 1e3:.1f} | {(wall - bare) * 1e3:.1f} | {series.median('rss'):.1f} |")
    ours, theirs = (results[name].median("wall") - bare for name in ("junfeiai", "openai"))
    return "\n".join([*lines, "", f"`import openai` takes {theirs / ours:.0f}× as long."]) + "\n"


def get(lab, loop=LOOP, calls=None, title="One status query, keep-alive, CPU against ours"):
    calls = calls or GET
    counts = {"junfeiai": "5000", "httpx": "1000", "openai": "1000"}
    env = {"JUNFEIAI_API_KEY": KEY}
    candidates = [(name, [PYTHON, "-c", loop % code, lab.url("v1"), counts[name]], env) for name, code in calls.items()]
    return loops(title, candidates, "junfeiai", 5)


def save(lab, size, title, count):
    out = lab.dir / "python-out"
    out.mkdir(exist_ok=True)
    name = f"video-{size}.mp4"
    lab.video(name, size, clip())
    lab.peer_video(name)
    url = lab.url(name)
    env = {"JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": lab.url("v1")}
    candidates = [("curl", ["curl", "-sSf", "-H", f"Authorization: Bearer {KEY}", "-o", out / "curl", url], {})]
    candidates += [(peer, [PYTHON, "-I", "-c", code, url, out / peer], env) for peer, code in SAVE.items()]
    floor, notes = available(("recv + write alone", lambda: ([native.program("floor"), url, out / "floor"], env)))
    results = rounds(candidates + floor, count, lambda: [path.unlink() for path in out.iterdir()])
    wall, cpu = (results["openai"].median(what) / results["junfeiai"].median(what) for what in ("wall", "cpu"))
    note = f"The openai SDK takes {wall:.1f}× as long and {cpu:.1f}× as much CPU as we do."
    return table(title, results, "curl", [note, *notes])


PARTS = {
    "import": imports,
    "get": get,
    "async-get": lambda lab: get(lab, ASYNC_LOOP, ASYNC_GET, "One status query with asyncio, keep-alive, CPU against ours"),
    "8mib": lambda lab: save(lab, 8 * MIB, "8 MiB saved by a script, interpreter start included", 10),
    "1gib": lambda lab: save(lab, 1024 * MIB, "1 GiB saved by a script", 3),
}


def run(names=()):
    """All tables of this part, as markdown."""
    prepare()
    with Lab(memory_folder()) as lab:
        return [PARTS[name](lab) for name in names or PARTS]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these")
    names = parser.parse_args().parts
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print(*run(names), sep="\n")
