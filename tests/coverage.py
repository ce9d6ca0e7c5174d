#!/usr/bin/env python3
"""Which lines and functions of core its own tests reach, by file.

    coverage.py                    runs the tests and prints the table
    coverage.py --missing FILE …   prints the lines of these files (`protocol/call.rs`) that the last run did not reach

By cargo-llvm-cov's way without it: the compiler counts (-Cinstrument-coverage), LLVM's tools of the same version add up.
They come with rustup (`rustup component add llvm-tools`) or with Debian (`apt-get install llvm-22` for LLVM 22). Tests in a
file of their own are left out of the table; those inside a file count with it.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "target" / "coverage"
PROFILES = FOLDER / "profiles"
MERGED = FOLDER / "core.profdata"
BINARIES = FOLDER / "binaries.json"
TESTS = r"(_tests(\.rs|/)|/tests(\.rs|/)|/examples/)"


def output(*command):
    return subprocess.run([str(word) for word in command], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def tool(name):
    """The tool of the compiler's own LLVM: of rustup, or Debian's of the same version."""
    about = output("rustc", "-vV")
    host = re.search(r"^host: (\S+)", about, re.M).group(1)
    major = re.search(r"^LLVM version: (\d+)", about, re.M).group(1)
    place = Path(output("rustc", "--print", "sysroot").strip()) / "lib" / "rustlib" / host / "bin" / name
    found = str(place) if place.exists() else shutil.which(f"{name}-{major}")
    if not found:
        sys.exit(f"coverage: {name} of LLVM {major} is missing; run: rustup component add llvm-tools, or: "
                 f"sudo apt-get install -y --no-install-recommends llvm-{major}")
    return found


def run_tests():
    shutil.rmtree(PROFILES, ignore_errors=True)
    PROFILES.mkdir(parents=True)
    env = dict(os.environ, RUSTFLAGS="-Cinstrument-coverage", CARGO_TARGET_DIR=str(FOLDER), CARGO_TERM_COLOR="never",
               LLVM_PROFILE_FILE=str(PROFILES / "%p-%8m.profraw"))
    command = ["cargo", "test", "--locked", "-p", "junfeiai", "--lib", "--tests"]
    built = subprocess.run([*command, "--no-run", "--message-format=json"], cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE)
    if built.returncode:
        sys.exit(built.returncode)
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    BINARIES.write_text(json.dumps([message["executable"] for message in messages if message.get("executable")]))
    done = subprocess.run([*command, "--no-fail-fast"], cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(done.stdout[-8000:])
        sys.exit("coverage: a test failed")
    # Processes that a test kills leave a profile that is cut off: it is left out.
    output(tool("llvm-profdata"), "merge", "-sparse", "--failure-mode=all", *sorted(PROFILES.glob("*.profraw")), "-o", MERGED)


def cov(*words):
    first, *others = json.loads(BINARIES.read_text())
    objects = [word for binary in others for word in ("-object", binary)]
    return output(tool("llvm-cov"), words[0], first, *objects, f"-instr-profile={MERGED}", *words[1:])


def table():
    found = json.loads(cov("export", "--summary-only", f"--ignore-filename-regex={TESTS}", "--sources", ROOT / "core" / "src"))
    files = sorted(found["data"][0]["files"], key=lambda file: file["filename"])
    print(f"{'file of core/src':<36} {'lines':>7} {'reached':>8} {'functions':>10} {'reached':>8}")
    lines, functions = [0, 0], [0, 0]
    for file in files:
        row = f"{Path(file['filename']).relative_to(ROOT / 'core' / 'src').as_posix():<36}"
        for kind, total, width in (("lines", lines, 7), ("functions", functions, 10)):
            part = file["summary"][kind]
            total[0] += part["count"]
            total[1] += part["covered"]
            row += f" {part['count']:>{width}} {share(part['covered'], part['count']):>8}"
        print(row)
    print(f"{'all of it':<36} {lines[0]:>7} {share(*reversed(lines)):>8} {functions[0]:>10} {share(*reversed(functions)):>8}")


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "–"


def missing(names):
    for name in names:
        path = ROOT / "core" / "src" / name
        print(f"== {name}")
        # number | count | text
        for line in cov("show", "--use-color=false", "--sources", path).splitlines():
            if re.match(r"\s*\d+\|\s+0\|", line):
                print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missing", nargs="+", metavar="FILE", help="only the lines of these that were not reached")
    if names := parser.parse_args().missing:
        missing(names)
    else:
        run_tests()
        table()
