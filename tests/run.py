#!/usr/bin/env python3
"""Runs every suite of every language and ends with a line for each, then `N passed, N failed`.

    tests/run.py            all suites
    tests/run.py core docs  only these
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "target" / "test-logs"
ENV = dict(os.environ, CARGO_TERM_COLOR="never", RUST_BACKTRACE="1")

# No suite takes a quarter of this, builds from nothing included.
SUITE_SECONDS = 1500

CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.M)
TAP_RESULT = re.compile(r"^# pass (\d+)\n# fail (\d+)\n# cancelled (\d+)", re.M)
PLAIN_RESULT = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed", re.M)

# What the core may hold without its HTTP features: neither a runtime nor a client nor a clock.
PURE_CORE_BANS = ("tokio", "reqwest", "hyper", "rustls", "socket2", "mio", "web-time", "instant", "chrono", "time")


def suites():
    cargo = ["cargo", "test", "--locked"]
    node = ["node", "--test", "--test-timeout=240000", "--test-reporter=tap"]
    return {
        "format": ["cargo", "fmt", "--all", "--check"],
        "lints": ["cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"],
        "pure-core": [sys.executable, __file__, "--pure-core"],
        "core": [*cargo, "-p", "junfeiai", "--lib", "--tests"],
        "core-docs": [*cargo, "-p", "junfeiai", "--doc"],
        "emulator": [*cargo, "-p", "junfeiai-emulator"],
        "c": [sys.executable, ROOT / "bindings-c" / "tests" / "run.py"],
        "c-release": [sys.executable, ROOT / "bindings-c" / "tests" / "run.py", "--release"],
        "python": [sys.executable, "bindings-python/tests/suite.py", "pytest"],
        "python-types": [sys.executable, "bindings-python/tests/suite.py", "types"],
        "npm-build": ["bash", "-c", "cargo build --locked -q -p junfeiai-emulator && node bindings-wasm/scripts/build.mjs"],
        "npm-node": [*node, "bindings-wasm/test/node.test.mjs", "bindings-wasm/test/server.test.mjs"],
        "npm-browser": [*node, "bindings-wasm/test/browser.test.mjs"],
        "npm-packaging": [*node, "bindings-wasm/test/packaging.test.mjs"],
        "conformance": [sys.executable, "tests/conformance/run.py"],
        "docs": [sys.executable, ROOT / "tests" / "docs" / "run.py"],
        "security": [sys.executable, "tests/security/run.py"],
        "rustdoc": ["cargo", "doc", "--locked", "--no-deps", "--workspace", "--document-private-items"],
    }


def pure_core():
    """The core without its HTTP features compiles and pulls none of what they bring."""
    base = ["--locked", "-p", "junfeiai", "--no-default-features"]
    subprocess.run(["cargo", "clippy", *base, "--", "-D", "warnings"], cwd=ROOT, check=True)
    tree = ["cargo", "tree", *base, "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    text = subprocess.run(tree, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    names = {line.split()[0] for line in text.splitlines() if line.strip()}
    banned = sorted(names.intersection(PURE_CORE_BANS))
    print(f"{len(names)} crates: {' '.join(sorted(names))}")
    if "serde_json" not in names:
        sys.exit("the list of crates is not the core's")
    if banned:
        sys.exit(f"the core without features pulls {', '.join(banned)}")
    subprocess.run(["cargo", "clippy", *base, "--features", "journal", "--", "-D", "warnings"], cwd=ROOT, check=True)


def count(output, ok):
    """Passed and failed tests as the runner says them; a suite without such lines counts as one."""
    tap = [(good, str(int(bad) + int(cut))) for good, bad, cut in TAP_RESULT.findall(output)]
    found = CARGO_RESULT.findall(output) or tap or PLAIN_RESULT.findall(output)
    passed, failed = (sum(int(pair[i]) for pair in found) for i in (0, 1))
    if not found:
        return (1, 0) if ok else (0, 1)
    return passed, failed if ok else max(failed, 1)


def run(command, env):
    """One suite in a process group of its own, so that nothing of it is left when it hangs or is interrupted."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, errors="replace", start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        output, _ = process.communicate(timeout=SUITE_SECONDS)
        return output, process.returncode == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return f"{process.communicate()[0]}\nthe suite hung: it was ended after {SUITE_SECONDS} s\n", False
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def main(names):
    table = suites()
    unknown = [name for name in names if name not in table]
    if unknown:
        sys.exit(f"no such suite: {', '.join(unknown)}; there are {', '.join(table)}")
    LOGS.mkdir(parents=True, exist_ok=True)
    lines, total_passed, total_failed = [], 0, 0
    for name in names or table:
        begun = time.monotonic()
        print(f"== {name}: {' '.join(map(str, table[name]))}", flush=True)
        env = dict(ENV, RUSTDOCFLAGS="-D warnings") if name == "rustdoc" else ENV
        output, ok = run(table[name], env)
        (LOGS / f"{name}.log").write_text(output)
        if not ok:
            print(output[-20000:], flush=True)
        passed, failed = count(output, ok)
        total_passed += passed
        total_failed += failed
        word = "ok" if failed == 0 else "FAILED"
        lines.append(f"{name:<12} {word:<6} {passed:>5} passed {failed:>3} failed {time.monotonic() - begun:>7.1f} s")
        print(lines[-1], flush=True)
    print("\n" + "\n".join(lines))
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


if __name__ == "__main__":
    # A shell that runs us in the background lets us ignore Ctrl-C, and children inherit that: some tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.argv[1:] == ["--pure-core"]:
        pure_core()
    else:
        sys.exit(main(sys.argv[1:]))
