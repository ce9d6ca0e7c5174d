#!/usr/bin/env python3
"""Holds what SECURITY.md promises: the Rust tests here, then what Python, Node and C print, then the table in README.md.

    run.py            all of it
    run.py rust c     only these parts: rust python node c table deny
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import native
from needles import ECHO_HEADERS, ECHOES, KEY, Emulator, leak

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EMULATOR = TARGET / "debug" / "junfeiai-emulator"
TEST = re.compile(r"(?:fn |test\(\"|def )([^\"(]+)")

passed = failed = 0
left_out = []


def note(what, good, output=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}\n{output[-6000:]}", flush=True)


def run(command, **options):
    return subprocess.run([str(word) for word in command], cwd=options.pop("cwd", ROOT), text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=1200, **options)


def counted(what, done, pattern):
    """Takes over the numbers that a part says itself."""
    global passed, failed
    pairs = [tuple(map(int, pair)) for pair in re.findall(pattern, done.stdout, re.M)]
    good, bad = (sum(pair[i] for pair in pairs) for i in (0, 1))
    passed, failed = passed + good, failed + bad
    print(f"{what}: {good} good, {bad} bad", flush=True)
    if bad or done.returncode or not good:
        failed += 0 if bad else 1
        print(done.stdout[-12000:], flush=True)


def rust():
    counted("rust", run(["cargo", "test", "--locked", "-p", "junfeiai-security"]), r"^test result: \w+\. (\d+) passed; (\d+) failed")


def python():
    venv = TARGET / "venv"
    env = dict(os.environ, VIRTUAL_ENV=str(venv), PATH=f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}")
    note("maturin builds the module", *native.build())
    counted("python", run([venv / "bin" / "python", HERE / "python" / "output.py", EMULATOR], env=env), r"^(\d+) passed, (\d+) failed")


def node():
    package = TARGET / "npm" / "package"
    # The suite npm-build goes before; alone, what it made is made here.
    if not (package / "package.json").exists():
        built = run(["node", ROOT / "bindings-wasm" / "scripts" / "build.mjs"])
        note("the package is built", built.returncode == 0, built.stdout)
    counted("node", run(["node", HERE / "node" / "output.mjs", EMULATOR, package]), r"^(\d+) passed, (\d+) failed")


def c():
    built = run(["cargo", "build", "--locked", "-q", "-p", "junfeiai-c", "--features", "test-panic"])
    note("the static library is built", built.returncode == 0, built.stdout)
    work = TARGET / "c-tests"
    work.mkdir(parents=True, exist_ok=True)
    program = work / "security-output"
    built = run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", HERE / "c" / "output.c", "-I", ROOT / "bindings-c" / "include",
                 TARGET / "debug" / "libjunfeiai_c.a", "-lgcc_s", "-lrt", "-lpthread", "-lm", "-ldl", "-o", program])
    note("the C program is built", built.returncode == 0, built.stdout)
    emulator = Emulator(EMULATOR)
    env = dict(os.environ, JUNFEIAI_API_KEY=KEY, JUNFEIAI_BASE_URL=emulator.origin + "/v1", JUNFEIAI_LOG="trace", RUST_BACKTRACE="full")
    scenarios = [("everything goes well", {}), ("on another host", {"task": {"result_url": "second_host"}}),
                 ("a save that ends early", {"task": {"video_bytes": 8 << 20}, "content": {"rate_bytes_per_s": 1_000_000}})]
    for body in ECHOES:
        for status in (200, 401, 502):
            fault = {"kind": "status", "status": status, "body": body, "headers": ECHO_HEADERS, "act": True}
            scenarios.append((f"{status} {body[:30]}", {"rules": [{"match": {"op": "any"}, "fault": fault}]}))
    texts, kept = 0, set()
    for name, scenario in scenarios:
        emulator.scenario(**scenario)
        with tempfile.TemporaryDirectory() as folder:
            save = 900 if "rules" in scenario else 4000 if "content" in scenario else 30_000
            done = run([program, folder, 200 if "rules" in scenario else 30_000, save], env=env)
            note(f"c, {name}: it ran", done.returncode == 0 and "panicked" in done.stdout, done.stdout)
            note(f"c, {name}: no secret is printed", not leak(done.stdout), str(leak(done.stdout)))
            texts += sum(map(int, re.findall(r"(\d+) texts were said", done.stdout)))
            for path in Path(folder).iterdir():
                kept.add(path.name)
                text = path.read_bytes().decode("latin-1")
                note(f"c, {name}: none is left in {path.name}", not leak(text), str(leak(text)))
    note(f"c: there was something to search: {texts} texts, {sorted(kept)}", texts > 500 and {"journal", "v.mp4", "v.mp4.part.state"} <= kept)
    second = [request for request in emulator.requests() if request["host"] == "second"]
    note("c: the second host saw no key", second and all(request["key"] == "none" for request in second))
    emulator.process.communicate()


def table():
    """Every promise of SECURITY.md stands in the table, and every test that the table names exists."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if re.match(r"\| P\d+ ", line)]
    promises = re.findall(r"\*\*(P\d+)\.", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    chinese = re.findall(r"\*\*(P\d+)\.", (ROOT / "SECURITY.zh-CN.md").read_text(encoding="utf-8"))
    held = [row.split("|")[1].split()[0] for row in rows]
    note(f"promises {promises} are those of the table {held}", bool(promises) and promises == held)
    note("both languages promise the same", promises == chinese, f"{promises} {chinese}")
    sources = {}
    for row in rows:
        tests = re.findall(r"`([^`]+)`", row.split("|")[3])
        note(f"{row.split('|')[1].strip()} has tests", bool(tests))
        for place in tests:
            file, _, name = place.partition("::")
            path = ROOT / file
            if not path.exists():
                note(f"{place}: the file is there", False)
                continue
            names = sources.setdefault(file, set(TEST.findall(path.read_text(encoding="utf-8"))))
            note(f"{place}: the test is there", not name or name in names)


def deny():
    """Licences, bans and sources of the dependencies, where cargo-deny is installed."""
    tool = shutil.which("cargo-deny") or shutil.which("cargo-deny", path=TARGET / "tools" / "bin")
    if not tool:
        left_out.append("cargo deny (not installed: cargo install cargo-deny --locked --root target/tools)")
        return
    done = run([tool, "--offline", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"])
    note("cargo deny: licences, bans, sources", done.returncode == 0, done.stdout)
    if done.returncode == 0:
        print(f"cargo deny: {done.stdout.strip().splitlines()[-1]}")


PARTS = {"rust": rust, "python": python, "node": node, "c": c, "table": table, "deny": deny}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these")
    names = parser.parse_args().parts
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    built = run(["cargo", "build", "--locked", "-q", "-p", "junfeiai-emulator"])
    note("the emulator is built", built.returncode == 0, built.stdout)
    for name in names or PARTS:
        PARTS[name]()
    for line in left_out:
        print(f"not run: {line}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
