#!/usr/bin/env python3
"""Looks for tests that fail by chance: runs the suites again and again while the machine is busy, and names each test that
ever failed.

    tests/flaky.py --rounds 10 [--seed N] [--stalls] [SUITE ...]

The suites are those of tests/run.py that run tests; what is checked once and for all (format, lints, ...) is left out. Each
round has a seed of its own, JUNFEIAI_SEED for every random test; `--rounds 1 --seed N` repeats a round. Suites that build
or install the same things run one after the other, the others beside each other: they are each other's load. With `--stalls`
a program stands still now and then, which finds what takes for granted that one is quick (stalls.py).
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import run as suites

LOGS = suites.ROOT / "target" / "flaky"

# Linux shares the cores between sessions first, and by `nice` only inside of one: a process that shall take what is left
# must lower its whole session.
LAST = """
import os, sys
os.setsid()
os.nice(19)
try:
    with open("/proc/self/autogroup", "w") as group:
        group.write("19")
except OSError:
    pass  # no such groups here: nice alone decides
parent = int(sys.argv[1])
"""
# Each ends by itself when we are gone. It takes what the suites leave of the cores.
BUSY = LAST + """
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""
# Memory that is written to, and a file that is synced.
NOISE = LAST + """
import time
path = sys.argv[2]
memory = bytearray(64 << 20)
with open(path, "wb") as file:
    while os.getppid() == parent:
        for at in range(0, len(memory), 4096):
            memory[at] = (memory[at] + 1) % 256
        file.seek(0)
        file.write(memory[: 8 << 20])
        file.flush()
        os.fsync(file.fileno())
        time.sleep(0.05)
"""


@contextlib.contextmanager
def busy_machine(stalls, seed):
    """All cores are kept busy by what the suites leave idle, the disk now and then; programs stand still where that is asked for."""
    with tempfile.TemporaryDirectory(prefix="junfeiai-flaky-") as folder:
        parent = str(os.getpid())
        processes = [subprocess.Popen([sys.executable, "-c", BUSY, parent]) for _ in range(os.cpu_count() or 1)]
        processes.append(subprocess.Popen([sys.executable, "-c", NOISE, parent, os.path.join(folder, "noise")]))
        if stalls:
            spared = [str(process.pid) for process in processes]
            processes.append(subprocess.Popen([sys.executable, Path(__file__).with_name("stalls.py"), parent, str(seed), *spared]))
        try:
            yield
        finally:
            for process in processes:
                # Not killed: what stands still goes on first.
                process.terminate()
                process.wait()


def build(names, table):
    """What the rounds would otherwise spend their time on."""
    needed = suites.programs(names, table)
    if any(name.startswith("npm-") or name in ("conformance", "security") for name in names):
        needed["npm-build"] = table["npm-build"]
    for what, command in needed.items():
        print(f"building: {what}", flush=True)
        log = LOGS / "build.log"
        if not suites.Process(command, suites.environment("build"), log).wait("build"):
            print(log.read_text(encoding="utf-8", errors="replace")[-20000:])
            sys.exit("flaky: the build failed")


def rounds(names, table, count, first_seed):
    """Runs them all; gives (round, log) of each failure by test."""
    failed = defaultdict(list)
    for number in range(1, count + 1):
        seed = first_seed + (number - 1) * 1_000_003
        folder = LOGS / f"round-{number}"
        folder.mkdir(parents=True)
        print(f"\n== round {number} of {count}, JUNFEIAI_SEED={seed}", flush=True)
        def suite(name, seed=seed, folder=folder, number=number):
            begun = time.monotonic()
            log = folder / f"{name}.log"
            env = dict(suites.environment(name), JUNFEIAI_SEED=str(seed), PROPTEST_RNG_SEED=str(seed))
            counts, output = suites.run(name, table[name], log, env)
            if suites.Process.interrupted.is_set():
                return
            word = "ok" if counts.failed == 0 else "FAILED"
            took = time.monotonic() - begun
            text = f"{name:<13} {word:<6} {counts.passed:>5} passed {counts.failed:>3} failed {took:>7.1f} s"
            found = suites.failures(output) if counts.failed else []
            for test in found or [f"(the suite: {'; '.join(counts.problems) or 'no test is named'})"] if counts.failed else []:
                text += f"\n   failed: {test}"
                failed[f"{name}: {test}"].append((number, log))
            print(text, flush=True)

        suites.side_by_side(suites.lines_of(names), suite)
    return failed


def table_of(failed, count):
    if not failed:
        return f"nothing failed in {count} rounds"
    lines = [f"{'failed':>7}  {'rounds':<20} test"]
    for test, times in sorted(failed.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(times):>4}/{count:<3} {','.join(str(number) for number, _ in times):<20} {test}")
        lines.append(f"{'':<29}{times[0][1].relative_to(suites.ROOT)}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="how often each suite runs (10)")
    parser.add_argument("--seed", type=int, help="the seed of the first round; without it a new one")
    parser.add_argument("--stalls", action="store_true", help="programs stand still for up to 0.8 s now and then")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="only these")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    table = suites.suites()
    suites.check_names(options.suites, table)
    names = [name for name in options.suites or table if name not in suites.CHECKS and (options.suites or name not in suites.LARGE)]
    if not names:
        parser.error(f"these run no tests: {', '.join(options.suites)}")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1, 1 << 31)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    build(names, table)
    begun = time.monotonic()
    with busy_machine(options.stalls, seed):
        failed = rounds(names, table, options.rounds, seed)
    print(f"\n{options.rounds} rounds of {', '.join(names)} in {(time.monotonic() - begun) / 60:.0f} min, first seed {seed}")
    print(table_of(failed, options.rounds))
    return 1 if failed else 0


if __name__ == "__main__":
    suites.signal.signal(suites.signal.SIGINT, suites.signal.default_int_handler)
    sys.exit(main())
