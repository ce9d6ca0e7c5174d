"""What the suites of other platforms share: cargo with a library that is built from source, running programs, and counting."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent
# One folder for all other platforms, which is no other compiler's: the library is built once for each.
CROSS = ROOT / "target" / "cross"
SOURCE = Path("/usr/lib/rustlib/src/rust/library")
CARGO = Path("/usr/bin/cargo")
# No program takes longer than a few of its minutes on a quiet machine.
LIMIT = 900


class Program(NamedTuple):
    """A program of tests that cargo has built, and the folder that cargo would run it in."""

    folder: Path
    name: str
    path: str


class Suite:
    """Counts what passed and failed, and ends as tests/run.py reads it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.passed = self.failed = 0
        self.left_out: list[str] = []

    def report(self, name: str, ok: bool, output: str = "", count: tuple[int, int] | None = None) -> bool:
        good, bad = count or ((1, 0) if ok else (0, 1))
        self.passed, self.failed = self.passed + good, self.failed + (bad if ok or bad else 1)
        print(f"{'ok    ' if ok else 'FAILED'} {name}" + (f" ({good})" if count else ""), flush=True)
        if not ok:
            print(output[-6000:], flush=True)
        return ok

    def must(self, name: str, result: tuple[bool, str]) -> None:
        if not result[0]:
            self.report(name, *result)
            self.finish()

    def finish(self) -> NoReturn:
        for line in self.left_out:
            print(f"not run: {line}")
        print(f"{self.name}: {self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)

    def need(self, missing: Iterable[str | Path]) -> None:
        """Ends when something is missing, with the command that installs it."""
        names = [str(tool) for tool in missing if not (Path(tool).exists() or shutil.which(tool))]
        if names:
            sys.exit(f"{self.name}: these are missing: {', '.join(names)}; on Debian, as root, run: tests/setup.sh platforms")

    def cargo(self, env: Mapping[str, str], *arguments: str) -> list[Program]:
        """Builds; gives the programs of tests. Without them there is nothing more to do."""
        command = [str(CARGO), *arguments, "--locked", "--message-format=json-render-diagnostics"]
        process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, errors="replace", stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None and process.stderr is not None
        said: list[str] = []
        reader = threading.Thread(target=said.extend, args=(process.stderr,))
        reader.start()
        programs = []
        for line in process.stdout:
            message = json.loads(line)
            if message.get("executable") and message.get("profile", {}).get("test"):
                programs.append(Program(Path(message["manifest_path"]).parent, message["target"]["name"], message["executable"]))
        process.wait()
        reader.join()
        if not self.report(f"build: cargo {' '.join(arguments)}", process.returncode == 0, "".join(said)):
            self.finish()
        return sorted(programs)

    def tests(self, program: Program, command: Sequence[str | Path], env: Mapping[str, str], skips: Mapping[str, str]) -> None:
        """Runs a program of tests, without those that `skips` names: its tests, by `program::test`."""
        ours = {key.removeprefix(f"{program.name}::"): why for key, why in skips.items() if key.startswith(f"{program.name}::")}
        words = [word for test in ours for word in ("--skip", test)]
        ok, output = run([*command, program.path, "--test-threads=2", *(["--exact", *words] if ours else [])], env, program.folder)
        count = counted(output)
        for test, why in re.findall(r"^test (\S+).* \.\.\. ignored(?:, (.*))?$", output, re.M):
            self.left_out.append(f"{program.name}::{test}: {why or 'no reason is given'}")
        self.left_out += [f"{program.name}::{test}: {why}" for test, why in ours.items()]
        filtered = sum(map(int, re.findall(r"(\d+) filtered out", output)))
        if count and filtered != len(ours):
            ok, output = False, f"{filtered} of these tests are there: {', '.join(ours)}"
        self.report(program.name, ok and bool(count), output[max(output.find("failures:"), 0):], count)


def counted(output: str) -> tuple[int, int] | None:
    """What cargo's tests say of themselves: how many passed, and how many failed."""
    counts = re.findall(r"test result: \w+\. (\d+) passed; (\d+) failed", output)
    return (sum(int(count[0]) for count in counts), sum(int(count[1]) for count in counts)) if counts else None


def run(command: Sequence[str | Path], env: Mapping[str, str], cwd: Path = ROOT, timeout: float = LIMIT) -> tuple[bool, str]:
    """Whether it succeeded, and what it said. All its ends are pipes: programs of Windows want that."""
    words = [str(part) for part in command]
    try:
        done = subprocess.run(words, cwd=cwd, env=env, text=True, errors="replace", timeout=timeout, input="",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        return False, f"no end within {timeout} s\n{said.decode(errors='replace') if isinstance(said, bytes) else said}"


def environment(**more: str) -> dict[str, str]:
    """What cargo and the programs of tests are called with."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("JUNFEIAI_") or name == "JUNFEIAI_SEED"}
    env |= {"RUSTC_BOOTSTRAP": "1", "RUSTC": "/usr/bin/rustc", "CARGO": str(CARGO), "CARGO_TARGET_DIR": str(CROSS),
            "CARGO_UNSTABLE_BUILD_STD": "std,panic_abort", "CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_INCREMENTAL": "0",
            "PYO3_CROSS": "1", "PYO3_CROSS_PYTHON_VERSION": "3.12",
            # Few of the random cases: the other suites of the core have tried them here.
            "JUNFEIAI_CASES": os.environ.get("JUNFEIAI_CASES", "10")}
    return env | more
