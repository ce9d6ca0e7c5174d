"""What is tried with the files of a release, each by itself and away from the sources. What this machine cannot run is said."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform as machine
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import archive
import contents
import toolchain
from parts import Part, run, unpack
from toolchain import ROOT, TOOLS, WORK, Platform

KEY = "sk-test"
NOT_RUN = "running it: no machine of this kind is here"
# Bounds a hang.
SECONDS = 600


class Failed(RuntimeError):
    """A file of the release does not do what it should."""


@dataclass
class Trial:
    """What was tried with a file, and what was not."""

    tested: list[str] = field(default_factory=list)
    not_tested: list[str] = field(default_factory=list)


def trial(part: Part, path: Path) -> Trial:
    """Looks into a file, and runs it where it can be run."""
    if wrong := contents.problems(path):
        raise Failed(f"{path.name}: " + "; ".join(wrong))
    result = Trial(["contents"])
    kind = contents.Package(path).kind
    if kind in ("wheel", "program wheel", "sdist"):
        metadata(path)
        result.tested.append("metadata (twine)")
    if kind == "wheel" and part.platform:
        wheel(part.platform, path, result)
    elif kind == "sdist":
        result.not_tested.append("building a wheel from it: make test-all, suite packages")
    elif kind == "crate":
        crate(path, result)
    elif kind == "npm":
        npm(path, result)
    elif kind == "c" and part.platform:
        c(part.platform, path, result)
    elif kind in ("program", "program wheel", "program npm") and part.platform:
        program(part.platform, kind, path, result)
    return result


def metadata(path: Path) -> None:
    if "PASSED" not in run(TOOLS / "twine", "check", "--strict", path):
        raise Failed(f"{path.name}: twine does not take it")


# The emulator: what everything else is tried with.


@functools.cache
def emulator_program() -> Path:
    """The one of this release where this machine runs it, else the developers'."""
    made = archive.DIST / f"junfeiai-emulator-{archive.version()}-{machine.machine()}-unknown-linux-musl.tar.gz"
    if sys.platform == "linux" and made.exists():
        folder = WORK / "emulator"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return unpack(made, folder) / "junfeiai-emulator"
    if given := os.environ.get("JUNFEIAI_EMULATOR"):
        return Path(given)
    run("cargo", "build", "--quiet", "--locked", "-p", "junfeiai-emulator")
    name = "junfeiai-emulator.exe" if sys.platform == "win32" else "junfeiai-emulator"
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / name


@contextlib.contextmanager
def running(*command: str | Path) -> Iterator[str]:
    """An emulator that runs; gives where."""
    process = subprocess.Popen([*map(str, command), "--api-key", KEY, "--time-scale", "600", "--quiet", "--exit-with-stdin"], text=True, env=environment(""),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdin and process.stdout
    try:
        line = process.stdout.readline()
        match = re.match(r"listening on (http://\S+)\s*$", line)
        if not match:
            raise Failed(f"{' '.join(map(str, command))} does not start: {line}{process.stdout.read()}")
        yield match[1]
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def asked(origin: str, path: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{origin}/__emulator/{path}", timeout=SECONDS) as response:
        body: bytes = response.read()
        return body


def one_video(origin: str, saved: Path) -> None:
    """One task was created and paid for, and the file has the bytes of its video."""
    created = json.loads(asked(origin, "stats"))["created_tasks"]
    if created != 1:
        raise Failed(f"{created} tasks were created")
    [task] = {entry["path"].rsplit("/", 1)[-1] for entry in json.loads(asked(origin, "requests")) if entry["op"] == "query"}
    if saved.read_bytes() != asked(origin, f"video/{task}"):
        raise Failed(f"{saved.name} is not the video")


def environment(origin: str) -> dict[str, str]:
    """What sends a program to an emulator."""
    return dict(toolchain.clean_environment(), JUNFEIAI_API_KEY=KEY, JUNFEIAI_BASE_URL=f"{origin}/v1", NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")


def runs_here(platform: Platform) -> bool:
    return sys.platform == "linux" and platform.target.split("-")[0] == machine.machine()


# Python.

PYTHON = """\
import sys
from junfeiai import Client
out, prefix = sys.argv[1:]
import junfeiai
assert junfeiai.__file__.startswith(prefix), junfeiai.__file__
with Client(poll_interval=0.05) as client:
    client.videos.generate("A small red ball", seconds=4).save(out)
"""


def wheel(platform: Platform, path: Path, result: Trial) -> None:
    run(TOOLS / "abi3audit", "--strict", path)
    result.tested.append("stable ABI (abi3audit)")
    said = run(TOOLS / "auditwheel", "show", path)
    if platform.wheel not in said.replace("\n", " "):
        raise Failed(f"{path.name}: auditwheel does not say {platform.wheel}:\n{said}")
    result.tested.append("symbols of the C library (auditwheel)")
    if runs_here(platform):
        with tempfile.TemporaryDirectory() as work:
            run(sys.executable, "-m", "venv", work)
            python = Path(work) / "bin" / "python"
            run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", path)
            generate([python, "-I"], Path(work).resolve())
            run(Path(work) / "bin" / "junfeiai", "--version")
        result.tested.append(f"a video created and saved, CPython {machine.python_version()}")
    else:
        result.not_tested.append(NOT_RUN)


def generate(python: list[str | Path], prefix: Path) -> None:
    with tempfile.TemporaryDirectory() as work, running(emulator_program()) as origin:
        script, saved = Path(work) / "generate.py", Path(work) / "ball.mp4"
        script.write_text(PYTHON, encoding="utf-8")
        run(*python, script, saved, prefix, env=environment(origin))
        one_video(origin, saved)


# The Rust registry's.


def crate(path: Path, result: Trial) -> None:
    """Its library, examples, tests and documentation compile without the repository."""
    with tempfile.TemporaryDirectory() as work:
        folder = unpack(path, Path(work))
        env = dict(toolchain.clean_environment(), CARGO_TARGET_DIR=str(WORK / "crate-alone"), CARGO_PROFILE_DEV_DEBUG="0", CARGO_INCREMENTAL="0")
        run("cargo", "test", "--quiet", "--locked", "--no-run", "--lib", "--examples", cwd=folder, env=env)
        said = run("cargo", "test", "--locked", "--doc", cwd=folder, env=env)
        count = re.search(r"test result: ok\. (\d+) passed", said)
        if not count or count[1] == "0":
            raise Failed(f"{path.name}: none of its documentation was tested:\n{said}")
    result.tested += ["library, examples and tests compile alone", f"{count[1]} examples of its documentation"]


# JavaScript.

NODE = """\
import { Client } from "junfeiai";
const video = await new Client({ pollIntervalMs: 50 }).videos.generate({ prompt: "A small red ball", seconds: 4 });
await video.save(process.argv[2]);
"""


def npm(path: Path, result: Trial) -> None:
    if "package/bin.mjs" in contents.Package(path).files:
        with tempfile.TemporaryDirectory() as work:
            modules(Path(work), path)
            (Path(work) / "start.mjs").write_text("import { Emulator } from \"junfeiai-emulator\";\nconst emulator = await Emulator.start();\n"
                                                  "console.log((await emulator.stats()).created_tasks);\nawait emulator.stop();\n", encoding="utf-8")
            if (said := run("node", Path(work) / "start.mjs", env=dict(toolchain.clean_environment(), JUNFEIAI_EMULATOR=str(emulator_program())))).strip() != "0":
                raise Failed(f"{path.name}: {said}")
        result.tested.append("starts an emulator in Node")
        return
    tools = ROOT / "bindings-wasm" / "node_modules" / ".bin"
    run(tools / "publint", "run", path, "--strict")
    # As the suite npm-packaging asks it.
    run(tools / "attw", path, "--exclude-entrypoints", "./junfeiai.wasm", "./playback-worker.js", "--ignore-rules", "cjs-resolves-to-esm", "--profile", "node16")
    with tempfile.TemporaryDirectory() as work, running(emulator_program()) as origin:
        modules(Path(work), path)
        (Path(work) / "generate.mjs").write_text(NODE, encoding="utf-8")
        saved = Path(work) / "ball.mp4"
        run("node", Path(work) / "generate.mjs", saved, env=environment(origin))
        one_video(origin, saved)
    version = run("node", "--version").strip()
    result.tested += ["entries and types (publint, attw)", f"a video created and saved, Node {version}"]


def modules(folder: Path, *tarballs: Path) -> None:
    for tarball in tarballs:
        with tempfile.TemporaryDirectory() as work:
            package = unpack(tarball, Path(work))
            name = json.loads((package / "package.json").read_text(encoding="utf-8"))["name"]
            (folder / "node_modules" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(package, folder / "node_modules" / name)


# C and C++.


def compilers(platform: Platform) -> tuple[list[str], list[str]] | None:
    """What compiles C and C++ for a platform: not the tools that have built the library."""
    prefix = "" if runs_here(platform) else f"{platform.target.split('-')[0]}-linux-gnu-"
    found = [[f"{prefix}gcc"], [f"{prefix}g++"]]
    return (found[0], found[1] if shutil.which(found[1][0]) else []) if shutil.which(found[0][0]) else None


def newest_glibc(path: Path) -> tuple[int, ...]:
    """The newest version of symbols that the shared library in an archive asks for."""
    [library] = [body for name, body in contents.Package(path).files.items() if re.search(r"/lib/libjunfeiai\.so\.[\d.]+$", name)]
    return max(tuple(map(int, version.split(b"."))) for version in re.findall(rb"\0GLIBC_([\d.]+)(?=\0)", library))


def c(platform: Platform, path: Path, result: Trial) -> None:
    """What the shared library asks of glibc, and the quick start, linked with the shared and the static one by pkg-config."""
    newest = newest_glibc(path)
    if newest > tuple(map(int, platform.glibc.split("."))):
        raise Failed(f"{path.name}: the shared library asks for glibc {'.'.join(map(str, newest))}, not {platform.glibc}")
    result.tested.append(f"asks for nothing newer than glibc {platform.glibc}")
    found = compilers(platform)
    if not found or not shutil.which("pkg-config"):
        result.not_tested.append(f"compiling and running the quick start: no compiler for {platform.target} or no pkg-config is here")
        return
    with tempfile.TemporaryDirectory() as work:
        folder = unpack(path, Path(work))
        env = dict(toolchain.clean_environment(), PKG_CONFIG_LIBDIR=str(folder / "lib" / "pkgconfig"))
        told = {words: run("pkg-config", *words.split(), "junfeiai", env=env).split() for words in ("--cflags", "--libs", "--static --libs")}
        ways = [(language, compiler, linked) for language, compiler in zip(("c", "cpp"), found) if compiler for linked in ("shared", "static")]
        if not found[1]:
            result.not_tested.append(f"C++: no compiler for {platform.target} is here")
        programs = []
        for language, compiler, linked in ways:
            program = Path(work) / f"quickstart-{language}-{linked}"
            if linked == "shared":
                words = [*told["--libs"], f"-Wl,-rpath,{folder / 'lib'}"]
            else:
                static = [word for word in told["--static --libs"] if word != "-ljunfeiai"]
                words = ["-DJFAI_STATIC", str(folder / "lib" / "libjunfeiai.a"), *static]
            standard = "-std=c11" if language == "c" else "-std=c++17"
            run(*compiler, standard, *told["--cflags"], ROOT / "bindings-c" / "examples" / f"quickstart.{language}", "-o", program, *words, env=env)
            programs.append(program)
        what = "quick start in " + " and ".join(dict.fromkeys({"c": "C", "cpp": "C++"}[language] for language, _, _ in ways))
        kinds = " and ".join(dict.fromkeys(linked for _, _, linked in ways))
        if not runs_here(platform):
            result.tested.append(f"{what} links, {kinds}")
            result.not_tested.append(NOT_RUN)
            return
        for program in programs:
            with running(emulator_program()) as origin:
                saved = Path(work) / f"{program.stem}.mp4"
                run(program, saved, env=environment(origin))
                one_video(origin, saved)
        result.tested.append(f"{what} creates and saves a video, {kinds}")


# The emulator's own files.


def program(platform: Platform, kind: str, path: Path, result: Trial) -> None:
    with tempfile.TemporaryDirectory() as work:
        unpack(path, Path(work))
        found = [one for one in Path(work).rglob("junfeiai-emulator") if one.is_file()]
        if len(found) != 1:
            raise Failed(f"{path.name}: {len(found)} programs are in it")
        found[0].chmod(0o755)
        if needed := libraries(found[0]):
            raise Failed(f"{path.name}: it needs {', '.join(needed)}")
        result.tested.append("needs no library")
        if runs_here(platform):
            with running(found[0]) as origin:
                asked(origin, "stats")
            result.tested.append("starts and answers")
        else:
            result.not_tested.append(NOT_RUN)
        if kind == "program wheel":
            installable(platform, path, runs_here(platform), result)


def installable(platform: Platform, path: Path, here: bool, result: Trial) -> None:
    """pip takes it on each of the platforms that its name says; where it runs, the module finds the program."""
    with tempfile.TemporaryDirectory() as work:
        for tag in platform.program.split("."):
            folder = Path(work) / tag
            run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--only-binary=:all:",
                "--platform", tag, "--target", folder, path)
        result.tested.append(f"pip installs it for {' and '.join(platform.program.split('.'))}")
        if here:
            venv = Path(work) / "venv"
            run(sys.executable, "-m", "venv", venv)
            run(venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", path)
            code = "import sys\nfrom junfeiai_emulator import Emulator, program\nassert program().startswith(sys.prefix), program()\nwith Emulator() as one: assert one.created_tasks == 0"
            run(venv / "bin" / "python", "-I", "-c", code, env=toolchain.clean_environment())
            result.tested.append("the module starts it")


def libraries(path: Path) -> list[str]:
    """The libraries and the loader that an ELF program asks for."""
    said = run(TOOLS / "python", "-c", "import sys\nfrom elftools.elf.elffile import ELFFile\n"
               "for segment in ELFFile(open(sys.argv[1], 'rb')).iter_segments():\n"
               "    if segment['p_type'] == 'PT_INTERP': print(segment.get_interp_name())\n"
               "    if segment['p_type'] == 'PT_DYNAMIC': print(*(tag.needed for tag in segment.iter_tags('DT_NEEDED')), sep='\\n')", path)
    return said.split()
