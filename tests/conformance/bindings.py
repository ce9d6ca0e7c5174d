"""The bindings of the library: how each is built, how its shim is started, and what it cannot do."""

from __future__ import annotations

import functools
import os
import queue
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import native
from service import ROOT, TARGET

SHIMS = Path(__file__).resolve().parent / "shims"
WORK = TARGET / "conformance"
VENV = TARGET / "venv"
# Longest time for one scenario: a hang is a failure, not the end of the run.
PATIENCE_S = 90

PAGE_FILES = "there are no files in a page"
PAGE_PRICES = "a page without a journal reads no prices"
STREAM = "C and C++ read with a reader, not with a stream"
CANCEL = "Python cancels by its own means, Ctrl-C and asyncio's cancel(), which are not this library's errors"
PAGE_READER = "a page has no seekable reader: readRange and response serve for it"
# What a binding has no call for. Each is said in the matrix, with its reason.
CANNOT: dict[str, dict[str, str]] = {
    "browser": {"open": PAGE_READER, "estimate": PAGE_PRICES, **dict.fromkeys(("wait_state", "advance"), "a page has no durable waits"), **dict.fromkeys(("save", "resume_pending"), PAGE_FILES)},
    "c": {"stream": STREAM},
    "cpp": {"stream": STREAM},
    "python": {"cancel": CANCEL},
    "python-async": {"cancel": CANCEL},
}

# Who is told by an option whom to trust. A page cannot be told.
CA_OPTION = {"rust", "python", "python-async", "node", "c", "cpp"}
NO_CA = "a page cannot be given a CA"

# What a binding is never told, and why. It must not be there, whatever a scenario expects of it.
HIDDEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "browser": ("the server exposes no header to pages: request id (where the text has it not), Retry-After, bill and clock",
                ("billed_seconds", "retry_after_s", "request_id", "clock")),
}


class Missing(Exception):
    """A binding that cannot be run on this machine, and why."""


def run(*command: object, **options: Any) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode:
        raise SystemExit(f"conformance: {' '.join(map(str, command))} failed:\n{done.stdout[-8000:]}")


def build_rust() -> list[object]:
    run("cargo", "build", "--locked", "-q", "-p", "conformance-shim")
    return [TARGET / "debug" / "conformance-shim"]


@functools.cache
def build_wheel() -> None:
    good, output = native.build()
    if not good:
        raise SystemExit(f"conformance: the module of Python cannot be built:\n{output[-8000:]}")


def build_python(kind: str) -> list[object]:
    build_wheel()
    return [VENV / "bin" / "python", SHIMS / "shim.py", kind]


@functools.cache
def build_package() -> None:
    run("node", "bindings-wasm/scripts/build.mjs")


def build_npm(shim: str) -> list[object]:
    build_package()
    return ["node", SHIMS / shim]


def build_browser() -> list[object]:
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(chromium).exists():
        raise Missing("no Chromium is installed (Debian: chromium)")
    return build_npm("browser.mjs")


@functools.cache
def build_library() -> None:
    run("cargo", "build", "--locked", "-q", "-p", "junfeiai-c")


def build_c(compiler: list[str], source: str, header: str, package: str) -> list[object]:
    program = WORK / f"shim-{source.rsplit('.', 1)[-1]}"
    if not shutil.which(compiler[0]):
        raise Missing(f"no {compiler[0]} is installed")
    probe = subprocess.run([*compiler, "-fsyntax-only", "-include", header, "-x", "c++" if source.endswith("cpp") else "c",
                            "/dev/null"], capture_output=True, check=False)
    if probe.returncode:
        raise Missing(f"<{header}> is not installed (Debian: {package})")
    build_library()
    WORK.mkdir(parents=True, exist_ok=True)
    # The library is looked for by the name that it has once it is installed.
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    major, minor, _ = version.split(".")
    link = WORK / f"libjunfeiai.so.{major if major != '0' else f'0.{minor}'}"
    link.unlink(missing_ok=True)
    link.symlink_to(TARGET / "debug" / "libjunfeiai_c.so")
    extra = [] if source.endswith("cpp") else ["-lcjson"]
    run(*compiler, "-Wall", "-Wextra", "-Werror", "-g", f"-I{ROOT / 'bindings-c' / 'include'}", SHIMS / source, link, *extra,
        f"-Wl,-rpath,{WORK}", "-o", program)
    return [program]


BUILDS: dict[str, Callable[[], list[object]]] = {
    "rust": build_rust,
    "python": lambda: build_python("sync"),
    "python-async": lambda: build_python("async"),
    "node": lambda: build_npm("node.mjs"),
    "browser": build_browser,
    "c": lambda: build_c(["cc", "-std=gnu11"], "c/shim.c", "cjson/cJSON.h", "libcjson-dev"),
    "cpp": lambda: build_c(["c++", "-std=c++17"], "shim.cpp", "nlohmann/json.hpp", "nlohmann-json3-dev"),
}
NAMES = list(BUILDS)


def cannot(binding: str, scenario: Any) -> str | None:
    """Why this binding does not run this scenario; `None` when it does."""
    own = scenario.bindings.get(binding, {})
    if "not_run" in own:
        return str(own["not_run"])
    if scenario.https and binding not in CA_OPTION:
        return NO_CA
    wanted = scenario.verbs() | {"cancel" for step in scenario.steps if "cancel" in step.get("with", {})}
    return next((why for verb, why in CANNOT.get(binding, {}).items() if verb in wanted), None)


def told(binding: str, expected: Any) -> Any:
    """What is expected on a binding that is not told everything."""
    hidden = HIDDEN.get(binding, ("", ()))[1]
    if isinstance(expected, dict):
        # The request id may still stand in the server's message.
        return {name: None if name in hidden else told(binding, part) for name, part in expected.items()
                if not (name == "request_id" and name in hidden)}
    return [told(binding, part) for part in expected] if isinstance(expected, list) else expected


class Shim:
    """A binding's shim at work: one line in, one line out, for all scenarios."""

    def __init__(self, binding: str, command: list[object], folder: Path) -> None:
        self.binding, self.command, self.folder = binding, command, folder
        self.stderr = folder / "stderr.txt"
        self.process: subprocess.Popen[str] | None = None
        self.lines: queue.Queue[str] = queue.Queue()

    def _start(self) -> subprocess.Popen[str]:
        # Neither the caller's key nor a proxy of this machine is anything to a scenario.
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("JUNFEIAI_") and not name.lower().endswith("_proxy")}
        process = subprocess.Popen([str(part) for part in self.command], cwd=self.folder, env=env, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr.open("a"))
        lines: queue.Queue[str] = queue.Queue()
        self.lines = lines

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.put(line)
            lines.put("")

        threading.Thread(target=listen, daemon=True).start()
        return process

    def ask(self, line: str) -> str:
        """What the shim answers; empty when it died or hung, and then the next question starts it anew."""
        if self.process is None or self.process.poll() is not None:
            self.process = self._start()
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.lines.get(timeout=PATIENCE_S)
        except (queue.Empty, BrokenPipeError):
            answer = ""
        if not answer:
            self.process.kill()
            self.process.wait()
            self.process = None
        return answer

    def said(self) -> str:
        """Everything it wrote on standard error."""
        return self.stderr.read_text(errors="replace") if self.stderr.exists() else ""

    def close(self) -> None:
        if self.process is None:
            return
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
            self.process.wait(timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            print(f"conformance: the shim of {self.binding} did not end by itself", file=sys.stderr)
