"""`make bench`: measures us beside our peers in one run and writes tests/bench/RESULTS.md.

    run.py            everything
    run.py download   only this part; nothing is written
"""

import datetime
import sys

import download
from lab import ROOT, machine

PARTS = {"download": ("Reading one video", download.run)}

HEAD = """# Measurements

Written by `make bench` on {date}, on {machine}. Candidates run in turn (A B C A B C …) after a warm-up, as whole processes; the
figures are medians. Speed above 1 is faster, CPU below 1 is cheaper; both are ratios of one run on one machine, which is what carries over.

"""


def main(names):
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
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
    main(sys.argv[1:])
