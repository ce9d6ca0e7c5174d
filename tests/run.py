#!/usr/bin/env python3
"""Runs every suite of every language and ends with a line for each, then `N passed, N failed`.

    tests/run.py            all suites, without those that only `make test-all` runs
    tests/run.py core docs  only these
    tests/run.py --one      one suite after the other, for a machine with little memory

First everything is built, by one compiler run after the other. Then suites that have nothing in common run side by side:
most of them wait more than they compute. A suite passes when its command succeeds, no test failed, and it ran as many tests as there are: those its runner said
that it would run, and at least those that stand in the sources. Tests that were not run are named with their reason.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "target" / "test-logs"
# Every file of tests for Node, so that none is forgotten; those with another suite of their own are named there.
NODE_TESTS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "bindings-wasm" / "test").glob("*.test.mjs")
                    if path.stem not in ("browser.test", "demo.test", "packaging.test"))
ENV = dict(os.environ, CARGO_TERM_COLOR="never", RUST_BACKTRACE="1", PYTHONUNBUFFERED="1")
# Property tests try new values in each run, and say how a run is repeated.
ENV.setdefault("PROPTEST_RNG_SEED", ENV.get("JUNFEIAI_SEED") or str(time.time_ns() % (1 << 31)))

# Four times what the longest suite takes on a quiet machine, builds from nothing included.
SUITE_SECONDS = 2400

# Run by `make test-all`, or when they are named: they install gigabytes.
LARGE = {"dist", "engines", "site", "targets", "windows"}

# Those whose tables are part of the result.
TABLES = {"engines", "targets"}

# After so many seconds without news a suite says what it is doing.
HEARTBEAT = 15

# Suites of one line share what they install or build; the lines run at the same time. What is in none is a line of its own.
LINES = [["c", "c-release", "emulator", "core-docs", "command", "packages"], ["python", "conformance", "security", "docs"]]
# These have folders for what they build: they run while the others are built.
APART = ["npm-build", "fuzz-build", "lints-wasm"]

# Commands that are one check each: they print no number of tests.
CHECKS = {"format", "lints", "lints-wasm", "pure-core", "fuzz-build", "python-types", "npm-build", "rustdoc"}

CARGO_LISTED = re.compile(r"^running (\d+) tests?$", re.M)
CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored; \d+ measured; (\d+) filtered out", re.M)
CARGO_IGNORED = re.compile(r"^test (\S+).* \.\.\. ignored(?:, (.*))?$", re.M)
TAP_RESULT = re.compile(r"^# tests (\d+)\n(?:# suites \d+\n)?# pass (\d+)\n# fail (\d+)\n# cancelled (\d+)\n# skipped (\d+)\n# todo (\d+)", re.M)
TAP_SKIPPED = re.compile(r"^\s*ok \d+ - (.*?) # (?:SKIP|TODO)(.*)$", re.M)
PLAIN_RESULT = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed", re.M)
PLAIN_SKIPPED = re.compile(r"^not run: (.+)$", re.M)
PYTEST_LISTED = re.compile(r"^collected (\d+) items?", re.M)
# Tests of one place and reason share a line, which says how many they are.
PYTEST_SKIPPED = re.compile(r"^SKIPPED \[(\d+)\] (.+?): (.+)$", re.M)

# What the core may hold without its HTTP features: neither a runtime nor a client nor a clock.
PURE_CORE_BANS = ("tokio", "reqwest", "hyper", "rustls", "socket2", "mio", "web-time", "instant", "chrono", "time")


def suites():
    cargo = ["cargo", "test", "--locked", "--no-fail-fast"]
    names = sorted(path.stem for path in (ROOT / "core" / "tests").glob("*.rs") if path.stem != "stores")
    programs = [word for name in names for word in ("--test", name)]
    node = ["node", "--test", "--test-timeout=240000", "--test-reporter=tap"]
    return {
        "format": ["cargo", "fmt", "--all", "--check"],
        "lints": ["cargo", "clippy", "--locked", "--workspace", "--all-targets", "--features", "junfeiai/postgres,junfeiai/redis",
                  "--", "-D", "warnings"],
        "lints-wasm": [sys.executable, __file__, "--lints-wasm"],
        "pure-core": [sys.executable, __file__, "--pure-core"],
        # Beside what is written from the table of options, what is written by hand of it.
        "options": ["cargo", "run", "-q", "--locked", "-p", "xtask", "--no-default-features", "--", "options", "--check"],
        "layers": [sys.executable, "tests/layers.py"],
        # A workspace of its own, which nothing else would build.
        "fuzz-build": ["cargo", "check", "--locked", "--manifest-path", "tests/fuzz/Cargo.toml", "--target-dir", "target/fuzz-check"],
        # With the parts for databases, whose own tests are in the library; the program "stores" is a suite of its own.
        "core": [*cargo, "-p", "junfeiai", "--features", "postgres,redis", "--lib", *programs],
        # A program that starts the servers which it needs.
        "stores": [*cargo[:3], "-p", "junfeiai", "--features", "postgres,redis", "--test", "stores"],
        # With the documents of the repository, which the published package does not have.
        "core-docs": [*cargo, "-p", "junfeiai", "--features", "postgres,redis", "--doc",
                      "--config", 'build.rustdocflags = ["--cfg", "junfeiai_repository"]'],
        "emulator": [*cargo, "-p", "junfeiai-emulator"],
        "c": [sys.executable, ROOT / "bindings-c" / "tests" / "run.py"],
        "c-release": [sys.executable, ROOT / "bindings-c" / "tests" / "run.py", "--release"],
        "python": [sys.executable, "bindings-python/tests/suite.py", "pytest"],
        "python-types": [sys.executable, "bindings-python/tests/suite.py", "types"],
        # What makes the module's glue and cuts it in parts, where it is built for that.
        "npm-tools": [*cargo, "-p", "xtask-wasm", "--target-dir", "target/wasm-tools"],
        "npm-build": ["bash", "-c", "cargo build --locked -q -p junfeiai-emulator && node bindings-wasm/scripts/build.mjs"],
        "npm-node": [*node, *NODE_TESTS],
        "npm-browser": [*node, "bindings-wasm/test/browser.test.mjs"],
        # Chromium and Firefox.
        "npm-page-journal": [*node, "bindings-wasm/test/page-journal.test.mjs"],
        # Chromium and Firefox; in `make test-all` WebKit, too. The time is that of the whole file.
        "npm-demo": ["node", "--test", "--test-timeout=1800000", "--test-reporter=tap", "bindings-wasm/test/demo.test.mjs"],
        "npm-packaging": [*node, "bindings-wasm/test/packaging.test.mjs"],
        "engines": ["node", "tests/engines/run.mjs"],
        "testkit": [sys.executable, "tests/testkit/run.py"],
        # Core, emulator, C, C++ and Python built for Windows and run under Wine.
        "windows": [sys.executable, "tests/platforms/windows.py"],
        # macOS, Windows-MSVC, 32 bits, arm64 and musl: what can be said of them here. Its table is shown.
        "targets": [sys.executable, "tests/platforms/targets.py"],
        "conformance": [sys.executable, "tests/conformance/run.py"],
        "command": [sys.executable, "tests/conformance/command.py"],
        "docs": [sys.executable, ROOT / "tests" / "docs" / "run.py"],
        # The guides and references as pages, without those of Rust, which are the suite "rustdoc".
        "site": ["bash", "-c", "tests/setup.sh docs && target/venv-docs/bin/python tests/site/run.py"],
        "security": [sys.executable, "tests/security/run.py"],
        # Behind those that build what it looks into.
        "packages": [sys.executable, "tests/packages/run.py"],
        # Every package for every platform that can be built for here, without optimizations. Sources and one wheel are built
        # twice, and compared: all of them would take as long again.
        "dist": ["bash", "-c", "tests/setup.sh dist && python3 tests/packages/dist.py --profile dev --compare sdist --compare crate --compare wheel-linux-x86_64"],
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
    for feature in ("journal", "prices"):
        subprocess.run(["cargo", "clippy", *base, "--features", feature, "--", "-D", "warnings"], cwd=ROOT, check=True)


def lints_wasm():
    """Clippy for what is compiled for wasm32 alone, in the forms that the npm package has: `BUILDS` in its scripts/build.mjs."""
    triple, env = "wasm32-unknown-unknown", dict(os.environ, CARGO_TARGET_DIR=str(ROOT / "target" / "wasm-lints"))
    installed = ["rustup", "target", "list", "--installed"]
    command = ["cargo", "clippy", "--locked", "-p", "junfeiai-wasm", "--target", triple]
    if not shutil.which("rustup") or triple not in subprocess.run(installed, stdout=subprocess.PIPE, text=True, check=True).stdout.split():
        # Debian's, with the library's source.
        if not Path("/usr/bin/clippy-driver").exists():
            print("not run: there is no clippy for wasm32 (Debian: rust-web-clippy)")
            return
        env |= {"RUSTC_BOOTSTRAP": "1", "RUSTC": "/usr/bin/rustc", "PATH": f"/usr/bin{os.pathsep}{env['PATH']}"}
        command = ["/usr/bin/cargo", *command[1:], "-Zbuild-std=std,panic_abort"]
    for features in ("quiet", "quiet,journal", "node"):
        subprocess.run([*command, "--features", features, "--", "-D", "warnings"], cwd=ROOT, env=env, check=True)


class Counts:
    """What a suite's output says: how many tests passed and failed, which were skipped, and what is wrong with the count."""

    def __init__(self, name, output, ok, written=None):
        self.passed = self.failed = 0
        self.skipped = []
        self.problems = []
        if name in CHECKS:
            self.passed, self.failed = (1, 0) if ok else (0, 1)
            return
        listed = self._read(output)
        if listed == 0:
            self.problems.append("it ran no test, or its runner does not say how many")
        if self.passed + self.failed + len(self.skipped) < listed:
            self.problems.append(f"{listed} tests were listed, {self.passed + self.failed} ran and {len(self.skipped)} were skipped")
        written = in_sources(name) if written is None else written
        if self.passed + self.failed + len(self.skipped) < written:
            self.problems.append(f"the sources have {written} tests, {self.passed + self.failed} ran and {len(self.skipped)} were skipped")
        if self.failed == 0 and not ok:
            self.problems.append("its command failed")
        if self.problems:
            self.failed = max(self.failed, 1)

    def _read(self, output):
        """Takes the numbers of whichever runner it was; gives how many tests that wanted to run."""
        if results := CARGO_RESULT.findall(output):
            self.passed, self.failed, ignored, filtered = (sum(int(result[i]) for result in results) for i in range(4))
            self.skipped = [f"{test}: {why or 'no reason is given'}" for test, why in CARGO_IGNORED.findall(output)]
            if ignored != len(self.skipped) or filtered:
                self.problems.append(f"{ignored} tests are ignored and {filtered} filtered out, {len(self.skipped)} of them by name")
            return sum(map(int, CARGO_LISTED.findall(output)))
        if results := TAP_RESULT.findall(output):
            tests, self.passed, failed, cancelled, *left = (sum(int(result[i]) for result in results) for i in range(6))
            self.failed = failed + cancelled
            self.skipped = [f"{test}: {why.strip() or 'no reason is given'}" for test, why in TAP_SKIPPED.findall(output)]
            return tests
        results = PLAIN_RESULT.findall(output)
        self.passed, self.failed = (sum(int(result[i]) for result in results) for i in (0, 1))
        self.skipped = PLAIN_SKIPPED.findall(output) + [f"{test}: {why}" for count, test, why in PYTEST_SKIPPED.findall(output) for _ in range(int(count))]
        return sum(map(int, PYTEST_LISTED.findall(output))) or self.passed + self.failed


# Where the tests of a suite stand, and how one begins. What a macro or a loop makes of one comes on top.
RUST_TEST = r"(?<!#\[cfg\(windows\)\]\n)^\s*#\[(?:tokio::)?test\b"
NODE_TEST = r"^\s*(?:await )?(?:\w+\.)?test\("
SOURCES = {
    "core": (RUST_TEST, ["core/src/**/*.rs", "core/tests/*.rs"]),
    "emulator": (RUST_TEST, ["tests/emulator/src/**/*.rs", "tests/emulator/tests/*.rs"]),
    "python": (r"^(?:async )?def test_", ["bindings-python/tests/test_*.py"]),
    "npm-tools": (RUST_TEST, ["bindings-wasm/build/src/*.rs"]),
    "npm-node": (NODE_TEST, NODE_TESTS),
    "npm-browser": (NODE_TEST, ["bindings-wasm/test/browser.test.mjs"]),
    "npm-page-journal": (NODE_TEST, ["bindings-wasm/test/page-journal.test.mjs"]),
    "npm-demo": (NODE_TEST, ["bindings-wasm/test/demo.test.mjs"]),
    "npm-packaging": (NODE_TEST, ["bindings-wasm/test/packaging.test.mjs"]),
    "c": (r"\b(?:CHECK|report)\(", ["bindings-c/tests/*.c", "bindings-c/tests/*.cpp", "bindings-c/tests/run.py"]),
    "docs": (r"^    report\(", ["tests/docs/run.py"]),
    "packages": (r"^ +report\(", ["tests/packages/run.py"]),
    "testkit": (r"^    report\(", ["tests/testkit/run.py"]),
    "site": (r"^    report\(", ["tests/site/run.py"]),
    "stores": (r"^async fn \w+\(.*: &Place\)", ["core/tests/stores/cases.rs"]),
    "security": (RUST_TEST, ["tests/security/tests/*.rs"]),
    "conformance": (r'^\s*"name": "', ["tests/scenarios/*.json"]),
    "command": (r'^\s*"name": "', ["tests/scenarios/cli/*.json"]),
}


def in_sources(name, root=ROOT):
    """How many tests stand in the sources of a suite: it cannot have run fewer."""
    begin, patterns = SOURCES.get(name, ("", ()))
    files = [path for pattern in patterns for path in root.glob(pattern)]
    found = sum(len(re.findall(begin, path.read_text(encoding="utf-8"), re.M)) for path in files)
    if patterns and not found:
        raise LookupError(f"{name}: no test is found in {', '.join(patterns)}: say in {__file__} where its tests are")
    return found


def failures(output):
    """The names of the tests that failed, as their runner calls them."""
    names, program, pending = [], "", None
    for line in output.splitlines():
        if match := re.match(r"\s+(?:Running (?:unittests )?(\S+) \(|Doc-tests (\S+))", line):
            program = match[1] or match[2]
        elif match := re.match(r"test (.+?)(?: - should panic)? \.\.\. FAILED$", line):
            names.append(f"{program}: {match[1]}")
        elif match := re.match(r"(?:FAILED|ERROR) (\S+\.py(?:::.+?)?)(?: - .*)?$", line):
            names.append(match[1])
        elif match := re.match(r"\s*not ok \d+ - (.+?)(?: # .*)?$", line):
            # Which of them only holds others that failed is said further down.
            pending = match[1]
            names.append(pending)
        elif pending and "subtestsFailed" in line:
            names.remove(pending)
        elif match := re.match(r"(?:FAILED|FAIL) (.+)$", line):
            names.append(match[1])
    return list(dict.fromkeys(names))


class Process:
    """One suite in a process group of its own, so that nothing of it is left when it hangs or is interrupted. Its output
    goes into a file, line by line."""

    running = set()
    interrupted = threading.Event()

    def __init__(self, command, env, log):
        self.begun = self.heard = time.monotonic()
        self.last = ""
        self.lines = 0
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, encoding="utf-8", errors="replace", start_new_session=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self.reader.start()

    def _read(self, log):
        with open(log, "w", encoding="utf-8") as file:
            for line in self.process.stdout:
                file.write(line)
                file.flush()
                self.lines += 1
                self.last = line.strip() or self.last

    def wait(self, name):
        """Waits for the end and says meanwhile what it is doing; gives whether the command succeeded."""
        said = self.begun
        Process.running.add(self)
        try:
            while True:
                try:
                    ok = self.process.wait(timeout=1) == 0
                    break
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                    if now - self.begun > SUITE_SECONDS:
                        self.kill()
                        self.process.wait()
                        print(f"   {name}: it hung and was ended after {SUITE_SECONDS} s", flush=True)
                        ok = False
                        break
                    if now - said >= HEARTBEAT:
                        said = now
                        print(f"   {name}: {now - self.begun:4.0f} s, {self.lines} lines: {self.last[:100]}", flush=True)
        finally:
            Process.running.discard(self)
        # Whoever of its children lives on holds the pipe.
        self.reader.join(timeout=10)
        return ok

    def kill(self):
        """Ends it with all that it has started."""
        if os.name == "nt":
            # There are no groups of processes.
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(self.process.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has just ended

    @classmethod
    def end_all(cls):
        """Ends what runs; nothing new begins."""
        cls.interrupted.set()
        for process in list(cls.running):
            process.kill()


def side_by_side(lines, work):
    """Calls `work` with each name, those of one line one after the other, the lines at the same time."""
    def whole(line):
        for name in line:
            if Process.interrupted.is_set():
                return
            work(name)

    with concurrent.futures.ThreadPoolExecutor(max(1, len(lines))) as pool:
        parts = [pool.submit(whole, line) for line in lines if line]
        try:
            for part in concurrent.futures.as_completed(parts):
                part.result()
        except BaseException:
            Process.end_all()
            raise


def lines_of(names):
    """The suites as lines that may run at the same time."""
    lines = [[name for name in line if name in names] for line in LINES]
    return [*lines, [name for name in names if not any(name in line for line in LINES)]]


def programs(names, table):
    """The compiler runs behind these suites: one after the other they are faster than each in the way of the others."""
    return {"tests: " + " ".join(part for part in table[name] if not part.startswith("-"))[:100]: [*table[name], "--no-run"]
            for name in names if table[name][:2] == ["cargo", "test"] and "--doc" not in table[name]}


CARGO = "running {} tests\ntest a ... ok\n{}\ntest result: ok. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; finished in 0.1s\n"
TAP = "{}# tests {}\n# suites 1\n# pass {}\n# fail {}\n# cancelled {}\n# skipped {}\n# todo 0\n"

# Outputs, whether the command succeeded, and what they are to be counted as: passed, failed, skipped.
SAMPLES = [
    (CARGO.format(2, "", 2, 0, 0, 0), True, (2, 0, 0)),
    (CARGO.format(2, "test b ... ignored, it is slow", 1, 0, 1, 0), True, (1, 0, 1)),
    (CARGO.format(2, "", 1, 1, 0, 0), False, (1, 1, 0)),
    (CARGO.format(2, "", 2, 0, 0, 0), False, (2, 1, 0)),
    (CARGO.format(2, "", 1, 0, 0, 0), True, (1, 1, 0)),
    (CARGO.format(2, "", 2, 0, 0, 3), True, (2, 1, 0)),
    (CARGO.format(0, "", 0, 0, 0, 0), True, (0, 1, 0)),
    (TAP.format("", 2, 2, 0, 0, 0), True, (2, 0, 0)),
    (TAP.format("", 3, 1, 1, 1, 0), False, (1, 2, 0)),
    (TAP.format("    ok 1 - a # SKIP no browser\n", 2, 1, 0, 0, 1), True, (1, 0, 1)),
    (TAP.format("", 2, 1, 0, 0, 0), True, (1, 1, 0)),
    ("collected 3 items\nSKIPPED [1] test_a.py:3: no terminal\npython: 2 passed, 0 failed\n", True, (2, 0, 1)),
    ("collected 5 items\nSKIPPED [2] test_a.py:3: no terminal\npython: 3 passed, 0 failed\n", True, (3, 0, 2)),
    ("collected 3 items\npython: 2 passed, 0 failed\n", True, (2, 1, 0)),
    ("not run: valgrind (not installed)\nc: 5 passed, 0 failed\n", True, (5, 0, 1)),
    ("all is well\n", True, (0, 1, 0)),
    ("", True, (0, 1, 0)),
]


# The same with how many tests stand in the sources, and a word of the problem that is found.
WRITTEN = [
    (CARGO.format(2, "", 2, 0, 0, 0), True, 2, (2, 0, 0), None),
    # A macro made one more.
    (CARGO.format(3, "", 3, 0, 0, 0), True, 2, (3, 0, 0), None),
    (CARGO.format(2, "", 2, 0, 0, 0), True, 3, (2, 1, 0), "the sources have 3 tests"),
    # The runner of a file that was left out says nothing of it.
    (TAP.format("", 2, 2, 0, 0, 0), True, 3, (2, 1, 0), "the sources have 3 tests"),
    (TAP.format("    ok 1 - a # SKIP no browser\n", 3, 2, 0, 0, 1), True, 3, (2, 0, 1), None),
    (TAP.format("", 3, 2, 1, 0, 0), False, 3, (2, 1, 0), None),
    ("collected 2 items\npython: 2 passed, 0 failed\n", True, 3, (2, 1, 0), "the sources have 3 tests"),
    ("not run: valgrind (not installed)\nc: 5 passed, 0 failed\n", True, 6, (5, 0, 1), None),
    ("4 passed, 0 failed\n", True, 5, (4, 1, 0), "the sources have 5 tests"),
    ("4 passed, 0 failed\n", False, 4, (4, 1, 0), "its command failed"),
    ("", False, 5, (0, 1, 0), "it ran no test"),
]

# Suites with a file that each could have, and how many tests stand in it.
FILES = [
    ("core", "core/src/a/b.rs", "#[test]\nfn a() {}\n    #[tokio::test(start_paused = true)]\n    async fn b() {}\n// #[test]\n#[cfg(windows)]\n#[test]\nfn c() {}\n#[test_log]\n", 2),
    ("core", "core/tests/a.rs", "#[tokio::test]\nasync fn a() {}\n", 1),
    ("python", "bindings-python/tests/test_a.py", "def test_a():\nasync def test_b():\n    def test_inner():\ndef helper():\n", 2),
    ("npm-browser", "bindings-wasm/test/browser.test.mjs", 'test("a", () => {});\n  await t.test("b", f);\n  t.test("c", f);\nlatest("d");\n// test("e")\n', 3),
    ("npm-node", NODE_TESTS[0], 'test("a", () => {});\ndescribe("b", () => {\n  test("c", f);\n});\n', 2),
    ("c", "bindings-c/tests/a.c", "CHECK(a == b); CHECK(c);\nMYCHECK(d);\n", 2),
    ("docs", "tests/docs/run.py", "    report(a)\n  report(b)\n        report(c)\n", 1),
    ("packages", "tests/packages/run.py", "    report(a)\n        report(b)\nreport(c)\n", 2),
    ("stores", "core/tests/stores/cases.rs", "async fn a(place: &Place) {}\nasync fn b() {}\n", 1),
    ("conformance", "tests/scenarios/a.json", '[\n  {\n    "name": "a",\n    "about": "its \\"name\\": "\n  }\n]\n', 1),
    ("command", "tests/scenarios/cli/a.json", '[\n  {\n    "name": "a"\n  },\n  {\n    "name": "b"\n  }\n]\n', 2),
]


def selfcheck():
    """The counting itself counts right: a suite that runs nothing must never look like one that passed."""
    for output, ok, expected in SAMPLES:
        counts = Counts("sample", output, ok)
        if (found := (counts.passed, counts.failed, len(counts.skipped))) != expected:
            sys.exit(f"tests/run.py counts {found} and not {expected} in {output!r}")
    for output, ok, written, expected, problem in WRITTEN:
        counts = Counts("sample", output, ok, written)
        if (found := (counts.passed, counts.failed, len(counts.skipped))) != expected:
            sys.exit(f"tests/run.py counts {found} and not {expected} in {output!r}, with {written} tests in the sources")
        if not (any(problem in one for one in counts.problems) if problem else not counts.problems):
            sys.exit(f"tests/run.py says {counts.problems} and not {problem} of {output!r}, with {written} tests in the sources")
    # A check is one test, whatever its command says.
    for ok, expected in ((True, (1, 0)), (False, (0, 1))):
        counts = Counts(next(iter(CHECKS)), "5 passed, 0 failed\n", ok)
        if (counts.passed, counts.failed) != expected:
            sys.exit(f"tests/run.py counts {counts.passed} and {counts.failed} and not {expected} for a check")
    for name, path, text, expected in FILES:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, path)
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            # Not one of its places.
            Path(folder, f"other{file.suffix}").write_text(text, encoding="utf-8")
            if (found := in_sources(name, Path(folder))) != expected:
                sys.exit(f"tests/run.py finds {found} tests and not {expected} in {path}: {text!r}")
            file.write_text("", encoding="utf-8")
            try:
                in_sources(name, Path(folder))
                sys.exit(f"tests/run.py does not mind that the suite {name} has no test in its sources")
            except LookupError:
                pass
    if in_sources("rustdoc") != 0:
        sys.exit("tests/run.py finds tests of a suite that has none in sources")
    # Each suite that runs tests is held to its sources, or says here that nothing can be counted there.
    uncounted = CHECKS | LARGE | {"options", "layers", "core-docs", "c-release"}
    if wrong := sorted((set(suites()) - uncounted - set(SOURCES)) | (set(SOURCES) - set(suites()))):
        sys.exit(f"tests/run.py: SOURCES does not say where the tests of these suites are, or says it of suites that there are not: {', '.join(wrong)}")
    for name in SOURCES:
        in_sources(name)


def environment(name):
    return dict(ENV, RUSTDOCFLAGS="-D warnings") if name == "rustdoc" else dict(ENV)


def run(name, command, log, env=None):
    """Runs one suite; gives its counts and its output."""
    ok = Process(command, env or environment(name), log).wait(name)
    output = Path(log).read_text(encoding="utf-8", errors="replace")
    return Counts(name, output, ok), output


def check_names(names, table):
    if unknown := [name for name in names if name not in table]:
        sys.exit(f"no such suite: {', '.join(unknown)}; there are {', '.join(table)}")


def main(names, one):
    table = suites()
    check_names(names, table)
    selfcheck()
    LOGS.mkdir(parents=True, exist_ok=True)
    print(f"property tests: PROPTEST_RNG_SEED={ENV['PROPTEST_RNG_SEED']}", flush=True)
    names = [name for name in table if name in names] if names else [name for name in table if name not in LARGE or ENV.get("JUNFEIAI_ALL")]
    results, printing = {}, threading.Lock()

    def suite(name):
        begun = time.monotonic()
        print(f"== {name}: {' '.join(map(str, table[name]))}", flush=True)
        counts, output = run(name, table[name], LOGS / f"{name}.log")
        if Process.interrupted.is_set():
            return
        word = "ok" if counts.failed == 0 else "FAILED"
        left_out = f" {len(counts.skipped):>2} skipped" if counts.skipped else ""
        line = f"{name:<13} {word:<6} {counts.passed:>5} passed {counts.failed:>3} failed {time.monotonic() - begun:>7.1f} s{left_out}"
        results[name] = counts, line
        with printing:
            if counts.failed:
                print(output[-20000:])
                for test in failures(output):
                    print(f"   failed: {test}")
                for problem in counts.problems:
                    print(f"   {name}: {problem}")
            if name in TABLES:
                print("\n".join(text for text in output.splitlines() if text.startswith(("| ", "|--"))))
            print(line, flush=True)

    def build(command):
        """What fails here fails in its suite, too, which shows it."""
        print(f"== building: {command}", flush=True)
        Process(built[command], environment("build"), LOGS / "build.log").wait("building")

    built = programs(names, table)
    if one or len(names) == 1:
        side_by_side([names], suite)
    else:
        checks = [name for name in names if name in CHECKS]
        with_what = {**dict.fromkeys(checks, suite), **dict.fromkeys(built, build)}
        apart = [name for name in checks if name in APART]
        side_by_side([[*(name for name in checks if name not in APART), *built], apart], lambda what: with_what[what](what))
        side_by_side(lines_of([name for name in names if name not in CHECKS]), suite)

    print("\n" + "\n".join(results[name][1] for name in names))
    skipped = [f"   {name} left out {test}" for name in names for test in results[name][0].skipped]
    if skipped:
        print(f"\nskipped: {len(skipped)}\n" + "\n".join(skipped) + "\n")
    total_passed, total_failed = (sum(getattr(counts, which) for counts, _ in results.values()) for which in ("passed", "failed"))
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


if __name__ == "__main__":
    # A shell that runs us in the background lets us ignore Ctrl-C, and children inherit that: some tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What a suite says is shown as far as the terminal, or a pipe of Windows, has letters for it.
    sys.stdout.reconfigure(errors="replace")
    if sys.argv[1:] == ["--pure-core"]:
        pure_core()
    elif sys.argv[1:] == ["--lints-wasm"]:
        lints_wasm()
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--one", action="store_true", help="one suite after the other")
        parser.add_argument("suites", nargs="*", metavar="SUITE", help="only these")
        options = parser.parse_args()
        try:
            sys.exit(main(options.suites, options.one))
        except KeyboardInterrupt:
            sys.exit("interrupted")
