"""`make bench`: measures us beside our peers in one run and writes tests/bench/RESULTS.md.

    run.py            everything
    run.py download   only this part; nothing is written. Parts: download native waiting python python-waiting python-fleet node sizes faults
"""

import argparse
import datetime
import subprocess
import sys

import download
import native
import node
import peers_faults
import sizes
from lab import ROOT, machine

sys.path.insert(0, str(ROOT / "bindings-python" / "bench"))
import python_face  # noqa: E402
import python_fleet  # noqa: E402
import python_waiting  # noqa: E402


def waiting():
    """What the core's own example measures: 10,000 tasks that wait in one process."""
    example = ROOT / "target" / "release" / "examples" / "waiting"
    text = subprocess.run([example, "10000", "15"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return ["### Tasks waiting in one process, the core alone\n\n```\n" + text + "```\n"]


PARTS = {
    "download": ("Reading one video", download.run),
    "native": ("Rust and C", native.run),
    "waiting": ("Waiting", waiting),
    "python": ("Python", python_face.run),
    "python-waiting": ("Python, waiting", python_waiting.run),
    "python-fleet": ("Python, many processes on one journal", python_fleet.run),
    "node": ("JavaScript in Node", node.run),
    "sizes": ("Package sizes", sizes.run),
    "faults": ("Clients when answers are lost", peers_faults.run),
}

HEAD = """# Measurements

Written by `make bench` on {date}, on {machine}. Candidates run in turn (A B C A B C …) after a warm-up, as whole processes; the
figures are medians. Speed above 1 is faster, CPU below 1 is cheaper; both are ratios of one run on one machine, which is what carries over.
What is measured and how: [README.md](README.md).

All of it ran on one machine over loopback: no real network, no real service, no browser, no other system or processor.

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these")
    names = parser.parse_args().parts
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    text = HEAD.format(date=datetime.date.today().isoformat(), machine=machine())
    print(text)
    for name in names or PARTS:
        title, part = PARTS[name]
        text += f"## {title}\n\n"
        print(f"## {title}\n", flush=True)
        for table in part():
            text += table + "\n"
            print(table, flush=True)
    if not names:
        path = ROOT / "tests" / "bench" / "RESULTS.md"
        path.write_text(text)
        print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
