"""Python's native module for the suites, in target/venv. Whoever writes its file anew ends the processes that have it mapped, so that
it is built by one suite at a time, and only where a source is newer.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "target" / "venv"
MODULE = ROOT / "bindings-python" / "python" / "junfeiai"
SOURCES = ("Cargo.toml", "Cargo.lock", "core", "bindings-python/Cargo.toml", "bindings-python/build.rs", "bindings-python/pyproject.toml", "bindings-python/src")


def build() -> tuple[bool, str]:
    """Whether it is there, and what the build said."""
    stamp = VENV / "native-module"
    with (VENV / "native-module.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun = time.time()
        if stamp.exists() and any(MODULE.glob("_native*")) and newest() < stamp.stat().st_mtime:
            return True, ""
        env = dict(os.environ, VIRTUAL_ENV=str(VENV), PATH=f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}")
        done = subprocess.run(["maturin", "develop", "--quiet", "--locked"], cwd=ROOT / "bindings-python", env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode == 0:
            stamp.touch()
            # What was written while it was built may not be in it.
            os.utime(stamp, (begun, begun))
        return done.returncode == 0, done.stdout


def newest() -> float:
    times = [0.0]
    for name in SOURCES:
        path = ROOT / name
        times += [one.stat().st_mtime for one in ([path] if path.is_file() else path.rglob("*")) if one.exists()]
    return max(times)
