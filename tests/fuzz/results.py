#!/usr/bin/env python3
"""Writes RESULTS.md from target/fuzz-results.txt, where run.sh notes each run: the last long one of every target."""

import argparse
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOTES = HERE.parent.parent / "target" / "fuzz-results.txt"
LONG = 300
LINE = re.compile(r"(\S+) +(\w+) +(\d+) executions in (\d+) s, cov: (\d+) ft: (\d+) corp: (\d+), nothing found")

HEAD = """# Fuzzing: the last long run of every target

Written by `results.py` after `make fuzz SECONDS=600` (any run of 300 s or more counts). None of these runs found anything; what earlier ones found is corrected and has a
test. Edges and features are libFuzzer's `cov` and `ft`, with the address sanitizer; the corpus is what it keeps, seeds from
[tests/vectors](../vectors) included.

| target | day | seconds | executions | edges | features | corpus |
|---|---|--:|--:|--:|--:|--:|
"""


def main():
    rows = {}
    for day, target, executions, seconds, edges, features, corpus in LINE.findall(NOTES.read_text()):
        if int(seconds) >= LONG:
            rows[target] = f"| `{target}` | {day} | {seconds} | {int(executions):,} | {edges} | {features} | {corpus} |\n"
    if rows:
        for target in {path.stem for path in HERE.glob("fuzz_targets/*.rs")} - set(rows):
            rows[target] = f"| `{target}` | no long run yet | | | | | |\n"
        (HERE / "RESULTS.md").write_text(HEAD + "".join(rows[target] for target in sorted(rows)))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
