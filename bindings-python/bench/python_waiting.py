#!/usr/bin/env python3
"""1,000 and 10,000 tasks waiting with asyncio in one process: ours, and the openai SDK in a loop with `asyncio.sleep`.

The peer's tasks ask every 10 s, their beginnings spread over the first 10 s; one client serves all. We run twice: with as
many requests as the peer's, and with the budget that we have for the service, 2 requests a second for all tasks.
"""

import argparse
import select
import subprocess
import time

from python_face import KEY, PYTHON, Lab, memory_folder, prepare

INTERVAL = 10
WINDOW = 10
PATIENCE = 40

COMMON = """
import asyncio, ctypes, gc, os, resource, sys
base, count, interval, window, rate = sys.argv[1], *map(float, sys.argv[2:])
def resident():
    gc.collect(); ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss")) * 1024
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
async def measure(client, begin):
    await begin(client, asks=1)
    before, tasks = resident(), []
    for _ in range(100):
        tasks += [asyncio.create_task(begin(client)) for _ in range(int(count / 100))]
        await asyncio.sleep(interval / 100)
    await asyncio.sleep(2)
    used = cpu()
    print("window", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    used = cpu() - used
    assert not any(task.done() for task in tasks)
    print(used, (resident() - before) / count, flush=True)
    os._exit(0)
"""

OURS = COMMON + """
import junfeiai
async def begin(client, asks=0):
    if asks: await client.videos.get("task_1")
    else: await client.videos.task("task_1").wait()
asyncio.run(measure(junfeiai.AsyncClient(base_url=base, poll_interval=interval, request_rate=rate, request_burst=4), begin))
"""

PEER = COMMON + """
import openai
async def begin(client, asks=0):
    while (await client.videos.retrieve("task.json")).status not in ("completed", "failed"):
        asks -= 1
        if asks == 0: return
        await asyncio.sleep(interval)
asyncio.run(measure(openai.AsyncOpenAI(api_key="%s", base_url=base[:-3], max_retries=5), begin))
""" % KEY


def measure(lab, code, count, rate):
    """CPU seconds and requests per second of the window, and bytes for each task."""
    command = [PYTHON, "-W", "ignore", "-c", code, lab.url("v1"), str(count), str(INTERVAL), str(WINDOW), str(rate)]
    process = subprocess.Popen(command, env={"JUNFEIAI_API_KEY": KEY}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        said(process)
        before = lab.served()
        time.sleep(WINDOW)
        sent = lab.served() - before - 1
        process.stdin.write("\n")
        process.stdin.flush()
        used, each = map(float, said(process).split())
        return used / WINDOW, sent / WINDOW, each
    finally:
        process.kill()
        process.communicate()


def said(process):
    """The next line that the process prints; what cannot keep up with its own tasks may never come to it."""
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    if not ready:
        raise RuntimeError(f"cannot keep up: it has not begun all its tasks within {PATIENCE} s")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(process.stderr.read().strip().splitlines()[-1])
    return line


def run():
    """The table of this part, as markdown."""
    prepare()
    lines = ["### Waiting asyncio tasks in one process", "",
             "| | tasks | requests/s | CPU of one core | bytes a task |", "|---|---|---|---|---|"]
    with Lab(memory_folder()) as lab:
        for count in (1000, 10_000):
            candidates = [("junfeiai, 2 requests/s for all", OURS, 2), ("junfeiai, every task each 10 s", OURS, count / INTERVAL),
                          ("openai in a loop, each 10 s", PEER, 0)]
            for name, code, rate in candidates:
                try:
                    used, sent, each = measure(lab, code, count, rate)
                    lines.append(f"| {name} | {count} | {sent:.0f} | {used * 100:.1f} % | {each:.0f} |")
                except RuntimeError as why:
                    lines.append(f"| {name} | {count} | {why} | | |")
    return ["\n".join(lines) + "\n"]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(*run(), sep="\n")
