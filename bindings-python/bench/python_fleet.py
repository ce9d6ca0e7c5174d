#!/usr/bin/env python3
"""What many processes on one journal send, and what a claim costs.

    python_fleet.py                  with the wheel in target/wheels (make wheel)
    python_fleet.py PYTHON [PART …]  with the junfeiai of this interpreter; parts: rate claim

The requests are counted by the emulator, not by the clients. Needs Redis and PostgreSQL; what is missing is named.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from python_face import KEY, PYTHON, ROOT, prepare

sys.path.insert(0, str(ROOT / "bindings-python" / "tests"))
from servers import POSTGRES, REDIS, ended, postgres_server, redis_server  # noqa: E402

RATE = 2
WARM, WINDOW = 4, 20
# Of one process, and of each of eight.
CLAIMS = {1: 50, 8: 25}

# Every process has more to ask than the rate allows, from several threads.
ASK = """
import sys, threading, junfeiai
base, journal, rate = sys.argv[1], sys.argv[2] or None, float(sys.argv[3])
client = junfeiai.Client(api_key="%s", base_url=base, journal=journal, request_rate=rate, request_burst=2 * int(rate))
def ask():
    while True:
        try: client.videos.get("task_1")
        except junfeiai.NotFoundError: pass
for _ in range(3): threading.Thread(target=ask, daemon=True).start()
sys.stdin.read()
""" % KEY

# The time of each create request: with new keys, and with the same ones again. Processes that share a rate look at the row of the
# store once a second at most, so what comes sooner waits for that: the pause leaves this wait out.
CLAIM = """
import json, sys, time, junfeiai
base, journal, name, count = sys.argv[1], sys.argv[2] or None, sys.argv[3], int(sys.argv[4])
client = junfeiai.Client(api_key="%s", base_url=base, journal=journal, request_rate=1000, request_burst=1000)
def create(n, pause):
    time.sleep(pause)
    begun = time.perf_counter()
    client.videos.create("a ball", seconds=6, **(dict(key=f"{name}/{n}") if journal else {}))
    return time.perf_counter() - begun
create(-1, 0)
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([[create(n, pause) for n in range(count)] for pause in (1.2, 0) if journal or pause]), flush=True)
""" % KEY


class Service:
    """The emulator, asked for what it counted."""

    def __init__(self, stack):
        binary = ROOT / "target" / "debug" / "junfeiai-emulator"
        command = [binary, "--port", "0", "--api-key", KEY, "--exit-with-stdin", "--quiet", "--time-scale", "60"]
        pipe = subprocess.PIPE
        process = stack.enter_context(ended(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)))
        self.origin = process.stdout.readline().split()[-1]
        self.base = self.origin + "/v1"

    def ask(self, method, path):
        request = urllib.request.Request(f"{self.origin}/__emulator/{path}", method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    def times(self):
        answer = self.ask("GET", "requests")
        entries = answer["requests"] if isinstance(answer, dict) else answer
        return [entry["at_ms"] for entry in entries if "/video/generations" in entry["path"]]


def rate_of(python, service, journal, processes):
    """Requests per second of so many processes, in a window after the bursts of the beginning."""
    service.ask("POST", "reset")
    with ExitStack() as stack:
        for _ in range(processes):
            command = [python, "-c", ASK, service.base, journal, str(RATE)]
            stack.enter_context(ended(subprocess.Popen(command, stdin=subprocess.PIPE)))
        while not service.times():
            time.sleep(0.1)
        begin = service.times()[0] + 1000 * WARM
        time.sleep(WARM + WINDOW + 1)
        return sum(begin <= at < begin + 1000 * WINDOW for at in service.times()) / WINDOW


def claims_of(python, service, journal, processes):
    """Milliseconds of create requests of so many processes at once: with new keys, and with known ones."""
    service.ask("POST", "reset")
    with ExitStack() as stack:
        pipe, running = subprocess.PIPE, []
        for number in range(processes):
            command = [python, "-c", CLAIM, service.base, journal, f"{processes}-{number}", str(CLAIMS[processes])]
            running.append(stack.enter_context(ended(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))))
        for process in running:
            assert process.stdout.readline() == "ready\n"
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        results = [[] for _ in running]

        def read(index, process):
            results[index] = json.loads(process.stdout.readline())

        readers = [threading.Thread(target=read, args=item) for item in enumerate(running)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    return [[1000 * took for one in results for took in one[turn]] for turn in range(len(results[0]))]


def journals(stack):
    """Each kind of journal as a function that makes the address of a new one."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    kinds = {"file": lambda name: str(folder / name)}
    if POSTGRES:
        postgres = stack.enter_context(postgres_server())
        kinds["PostgreSQL"] = lambda name: f"{postgres}?journal={name}"
    if REDIS:
        redis = stack.enter_context(redis_server())
        kinds["Redis"] = lambda name: f"{redis}/1?journal={name}"
    return kinds


def table(about, head, rows):
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join([about, "", *lines]) + "\n"


def rates(python, service, kinds):
    rows = [
        [kind, *(f"{rate_of(python, service, make(f'rate{processes}'), processes):.2f}" for processes in (1, 4, 8))]
        for kind, make in kinds.items()
    ]
    about = f"### Requests per second of a fleet\n\n`request_rate={RATE}` in every process; counted by the emulator during {WINDOW} s."
    return table(about, ["journal", "1 process", "4 processes", "8 processes"], rows)


def costs(python, service, kinds):
    rows = []
    for kind, make in {"none": lambda name: "", **kinds}.items():
        row = [kind]
        for processes in (1, 8):
            turns = claims_of(python, service, make(f"claim{processes}"), processes)
            for took in turns:
                row.append(f"{statistics.median(took):.1f} / {statistics.quantiles(took, n=100)[98]:.1f}")
            row += ["–"] * (2 - len(turns))
        rows.append(row)
    head = ["journal", "1 process, new key", "1 process, known key", "8 processes, new keys", "8 processes, known keys"]
    about = "### The cost of a claim\n\nMilliseconds of a create request to the emulator, median / p99, 1.2 s after the one before. "
    about += "What a row has above the first is the shared rate, the claim of the key and its record."
    return table(about, head, rows)


PARTS = {"rate": rates, "claim": costs}


def run(python=None, parts=()):
    if python is None:
        prepare()
        python = PYTHON
    with ExitStack() as stack:
        service, kinds = Service(stack), journals(stack)
        tables = [PARTS[part](python, service, kinds) for part in parts or PARTS]
    missing = [kind for kind in ("PostgreSQL", "Redis") if kind not in kinds]
    return [*tables, *([f"Not installed here: {', '.join(missing)}.\n"] if missing else [])]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="?", metavar="PYTHON", help="an interpreter that has junfeiai")
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these")
    options = parser.parse_args()
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print("\n".join(run(*filter(None, [options.python]), parts=options.parts)))
