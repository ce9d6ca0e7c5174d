#!/usr/bin/env python3
"""Lets programs stand still for moments, as on a machine that swaps or whose cores are taken away, until another process has ended.

    tests/stalls.py PID SEED [PID ...]

What runs below the first process is stopped at random, one after the other, each for up to 0.8 s; none of the further ones. A test that
takes for granted that a program is quick fails soon: `make flaky STALLS=1 ROUNDS=1`. Linux only.
"""

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

# Seconds: the longest stop, and from one to the next.
LONGEST, PAUSE = 0.8, 0.6


def processes():
    """State and parent of each process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # Its name, which may hold anything, is in front of them.
            state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended
        found[int(folder.name)] = (state, int(parent))
    return found


def below(root, known):
    """Processes that descend from one and run: who stands still already may be a test's."""
    def descends(pid):
        while pid in known and pid != root:
            pid = known[pid][1]
        return pid == root
    return [pid for pid, (state, _) in known.items() if pid != root and state not in "TtZ" and descends(pid)]


def tell(pid, what):
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", metavar="PID", type=int, help="what runs below it is stopped; its child is this program")
    parser.add_argument("seed", metavar="SEED", type=int, help="of the random choices")
    parser.add_argument("spared", metavar="PID", type=int, nargs="*", help="not these")
    options = parser.parse_args()
    root, rng, spared = options.root, random.Random(options.seed), {os.getpid(), *options.spared}
    # With an exception what stands still is let go on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while os.getppid() == root:
        if candidates := [pid for pid in below(root, processes()) if pid not in spared]:
            chosen = rng.choice(sorted(candidates))
            try:
                tell(chosen, signal.SIGSTOP)
                time.sleep(rng.uniform(0.05, LONGEST))
            finally:
                tell(chosen, signal.SIGCONT)
        time.sleep(rng.uniform(0, PAUSE))


if __name__ == "__main__":
    main()
