"""Scripts for people: each says its usage, refuses what it does not know before it does anything, and can be started as it stands."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blocks import ROOT

FOLDERS = ("tests", "bindings-c", "bindings-python", "bindings-wasm")
# Beside those that name their interpreter in the first line.
OTHERS = (
    "tests/bench/run.py", "tests/bench/download.py", "tests/bench/node.py", "tests/bench/peers_faults.py", "tests/bench/sizes.py", "tests/docs/blocks.py",
    "tests/emulator/npm/pack.mjs", "tests/engines/run.mjs", "bindings-wasm/demo/server.mjs", "bindings-wasm/scripts/build.mjs",
)
FIRST_LINE = re.compile(rb"#!/usr/bin/env (?:python3|bash)\n")
UNKNOWN = "--no-such-option"
# Bounds a hang: what is begun by mistake.
SECONDS = 60


def executables() -> list[str]:
    """Files whose first line names Python or bash, without what is built or installed."""
    found = []
    for folder in FOLDERS:
        for place, folders, files in os.walk(ROOT / folder):
            folders[:] = sorted(name for name in folders if name not in ("node_modules", "target", "__pycache__"))
            for name in sorted(files):
                path = Path(place, name)
                if path.suffix in (".py", ".sh") and path.is_file() and FIRST_LINE.match(path.read_bytes()[:40]):
                    found.append(path.relative_to(ROOT).as_posix())
    return found


def said(name: str, word: str, folder: Path) -> tuple[int | None, str]:
    """The exit code of a script that is called with one word, and what it said; no code: it had to be ended."""
    interpreter = {".py": sys.executable, ".sh": "bash", ".mjs": "node"}[Path(name).suffix]
    # Whoever pays by mistake reaches nobody.
    env = dict(os.environ, JUNFEIAI_API_KEY="sk-nothing", JUNFEIAI_BASE_URL="http://127.0.0.1:9/v1", PORT="0", COLUMNS="200", PYTHONDONTWRITEBYTECODE="1")
    process = subprocess.Popen([interpreter, str(ROOT / name), word], cwd=folder, env=env, text=True, errors="replace", start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=SECONDS)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, process.communicate()[0]


def of_script(name: str) -> list[str]:
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        code, output = said(name, "--help", Path(folder))
        if code != 0 or not output.lower().startswith("usage: "):
            wrong.append(f"{name} --help ends with {code}, and says {output[-300:]!r}")
        code, output = said(name, UNKNOWN, Path(folder))
        # Where something else is missing as well, that is said first.
        if code != 2 or not (UNKNOWN in output or output.startswith("usage: ")):
            wrong.append(f"{name} {UNKNOWN} ends with {code}, and says {output[-300:]!r}")
        if left := sorted(path.name for path in Path(folder).iterdir()):
            wrong.append(f"{name} leaves {', '.join(left)}")
    return wrong


def of_make() -> Iterator[str]:
    """Without a target it lists them, and pays for nothing."""
    env = dict(os.environ, JUNFEIAI_API_KEY="sk-nothing", JUNFEIAI_BASE_URL="http://127.0.0.1:9/v1", MAKEFLAGS="")
    # Said, and not done: should it begin something, that is shown.
    for words in (["make", "--dry-run"], ["make"]):
        done = subprocess.run(words, cwd=ROOT, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
        if done.returncode or "demo.sh" in done.stdout:
            yield f"{' '.join(words)} begins with the demo, which may cost money: {done.stdout[:300]}"
            return
    targets = re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    yield from (f"make does not list {name}" for name in targets if not re.search(rf"^make {name} +\S", done.stdout, re.M))


def of_setup() -> Iterator[str]:
    """On a system without Debian's packages the setup names what is missing, and no command that is not there."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("bash", "cargo", "dirname", "id", "python3", "sed"):
            if not (program := shutil.which(name)):
                yield f"{name} is missing here"
                return
            (Path(folder) / name).symlink_to(program)
        done = subprocess.run(["bash", str(ROOT / "tests" / "setup.sh")], env={"PATH": folder, "HOME": os.environ.get("HOME", folder)}, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
    if done.returncode != 1 or not re.match(r"setup: these are missing, .*: gcc libc6-dev[^\n]*\n$", done.stdout) or "apt-get" in done.stdout:
        yield f"without a C compiler the setup ends with {done.returncode} and says {done.stdout[-300:]!r}"


def of_demo() -> Iterator[str]:
    """Without a key it runs against the emulator, wherever cargo builds that: CARGO_TARGET_DIR names a folder that repositories share."""
    with tempfile.TemporaryDirectory() as work:
        root, elsewhere = Path(work, "root"), Path(work, "elsewhere")
        # In place of what is built and installed.
        programs = {root / "target/venv/bin/maturin": "exit 0", root / "target/demo/venv/bin/pip": "exit 0", Path(work, "bin/cargo"): "exit 0",
                    root / "target/demo/venv/bin/junfeiai": 'echo "$JUNFEIAI_BASE_URL $*"',
                    elsewhere / "debug/junfeiai-emulator": "echo listening on http://127.0.0.1:9; exec sleep 60"}
        for path, text in programs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            path.chmod(0o755)
        (root / "tests").mkdir()
        shutil.copy(ROOT / "tests" / "demo.sh", root / "tests")
        env = {"PATH": f"{work}/bin:{os.environ['PATH']}", "CARGO_TARGET_DIR": str(elsewhere)}
        done = subprocess.run(["bash", str(root / "tests" / "demo.sh")], env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SECONDS, check=False)
    if done.returncode or "http://127.0.0.1:9/v1 generate " not in done.stdout:
        yield f"with CARGO_TARGET_DIR the demo ends with {done.returncode} and says {done.stdout[-300:]!r}"


def problems() -> Iterator[str]:
    yield from of_make()
    yield from of_setup()
    yield from of_demo()
    found = executables()
    if len(found) < 20:
        yield f"only {len(found)} scripts are found"
    yield from (f"{name} cannot be executed: chmod +x {name}" for name in found if not os.access(ROOT / name, os.X_OK))
    with ThreadPoolExecutor(2) as pool:
        for wrong in pool.map(of_script, [*found, *OTHERS]):
            yield from wrong
