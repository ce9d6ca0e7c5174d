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
# What is said of programs of other processors, and of Windows.
NOT_RUN = ["running it: neither such a processor nor qemu-user is here", "running it: neither Windows nor Wine is here (tests/setup.sh platforms)"]
# As the suite "windows" has it.
WINE = Path("/usr/lib/wine/wine64")
WINE_PREFIX = ROOT / "target" / "windows" / "wine"
WINE_SCRIPT = ROOT / "tests" / "platforms" / "wine.py"
WINDOWS_PYTHON = ROOT / "target" / "tools" / "cpython-3.12.1-1.5.10-windows-x86_64.jar"
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
    return dict(toolchain.clean_environment(), JUNFEIAI_API_KEY=KEY, JUNFEIAI_BASE_URL=f"{origin}/v1", NO_PROXY="127.0.0.1", no_proxy="127.0.0.1",
                WINEPREFIX=str(WINE_PREFIX), WINEDEBUG="-all", DISPLAY="")


def runs_here(platform: Platform) -> bool:
    return sys.platform == "linux" and not platform.windows and platform.target.split("-")[0] == machine.machine()


def windows_path(path: Path) -> str:
    """As programs of Windows know it under Wine: drive Z: is the root."""
    return "Z:" + str(path).replace("/", "\\")


def qemu(platform: Platform) -> str | None:
    """What runs programs of another processor."""
    return None if platform.windows else shutil.which(f"qemu-{platform.target.split('-')[0]}")


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
    if platform.musl:
        # auditwheel would look for them on this machine, where libc.so is another thing.
        with tempfile.TemporaryDirectory() as work:
            shutil.unpack_archive(path, work, "zip")
            if others := [name for name in libraries(Path(work) / "junfeiai" / "_native.abi3.so") if not name.startswith(("libc.so", "libc.musl-"))]:
                raise Failed(f"{path.name}: its module needs {', '.join(others)}")
        result.tested.append("needs nothing but musl's library")
    elif not platform.windows:
        said = run(TOOLS / "auditwheel", "show", path)
        if platform.wheel not in said.replace("\n", " "):
            raise Failed(f"{path.name}: auditwheel does not say {platform.wheel}:\n{said}")
        result.tested.append("symbols of the C library (auditwheel)")
    if platform.windows:
        windows_wheel(path, result)
    elif platform.musl:
        result.not_tested.append("running it: no CPython for musl is here")
    elif runs_here(platform):
        with tempfile.TemporaryDirectory() as work:
            run(sys.executable, "-m", "venv", work)
            python = Path(work) / "bin" / "python"
            run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", path)
            generate([python, "-I"], Path(work).resolve())
            run(Path(work) / "bin" / "junfeiai", "--version")
        result.tested.append(f"a video created and saved, CPython {machine.python_version()}")
    elif (interpreter := foreign_python(platform)) is None:
        result.not_tested.append(f"running it: no {platform.target.split('-')[0]} and no emulation of it here (qemu-user, apt-get)")
    else:
        with tempfile.TemporaryDirectory() as work:
            site = Path(work).resolve() / "site"
            site.mkdir()
            shutil.unpack_archive(path, site, "zip")
            generate([*interpreter, "-s"], site, PYTHONPATH=str(site))
        result.tested.append("a video created and saved, CPython 3.11 under qemu")


def windows_wheel(path: Path, result: Trial) -> None:
    """CPython for Windows under Wine."""
    with tempfile.TemporaryDirectory() as work:
        site = Path(work).resolve() / "site"
        site.mkdir()
        shutil.unpack_archive(path, site, "zip")
        module = site / "junfeiai" / "_native.pyd"
        system_libraries(path, module, result, "python3.dll")
        if not WINDOWS_PYTHON.exists() or not WINE.exists():
            result.not_tested.append("running it: neither Windows nor CPython for it under Wine is here (tests/setup.sh platforms)")
            return
        home = WORK / "python-windows"
        run(sys.executable, WINE_SCRIPT, WINE_PREFIX, home, module, env=toolchain.clean_environment())
        generate([WINE, home / "python.exe", "-s"], windows_path(site), PYTHONPATH=windows_path(site), PYTHONHOME=windows_path(home))
    result.tested.append("a video created and saved, CPython 3.12 under Wine")


def generate(python: list[str | Path], prefix: str | Path, **env: str) -> None:
    with tempfile.TemporaryDirectory() as work, running(emulator_program()) as origin:
        script, saved = Path(work) / "generate.py", Path(work) / "ball.mp4"
        script.write_text(PYTHON, encoding="utf-8")
        run(*python, script, saved, prefix, env={**environment(origin), **env})
        one_video(origin, saved)


# Debian's names of a Python and what it is linked with.
FOREIGN = ["python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "zlib1g", "libexpat1", "libssl3", "libffi8", "libgcc-s1",
           "libbz2-1.0", "liblzma5", "libuuid1", "libsqlite3-0"]


@functools.cache
def foreign_python(platform: Platform) -> tuple[str | Path, ...] | None:
    """A Python of another processor, unpacked beside the machine's own packages, and how it is run."""
    emulation = qemu(platform)
    if not emulation or not shutil.which("apt-get") or not shutil.which("dpkg"):
        return None
    debian = {"aarch64": "arm64"}[platform.target.split("-")[0]]
    place = WORK / f"python-{debian}"
    program = place / "root" / "usr" / "bin" / "python3.11"
    if not program.exists():
        shutil.rmtree(place, ignore_errors=True)
        for folder in ("lists/partial", "archives/partial", "root", "debs"):
            (place / folder).mkdir(parents=True)
        (place / "status").write_text("")
        options = ["APT::Sandbox::User=root", f"APT::Architecture={debian}", f"APT::Architectures::={debian}", f"Dir::State::lists={place}/lists",
                   f"Dir::State::status={place}/status", f"Dir::Cache::archives={place}/archives", "Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache="]
        words = [word for option in options for word in ("-o", option)]
        try:
            run("apt-get", *words, "-q", "update")
            run("apt-get", *words, "-q", "download", *FOREIGN, cwd=place / "debs")
            for package in sorted((place / "debs").glob("*.deb")):
                run("dpkg", "-x", package, place / "root")
        except RuntimeError as error:
            print(f"dist: no Python for {debian}: {str(error).splitlines()[-1]}", flush=True)
            return None
    return emulation, "-L", place / "root", program


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
    """What compiles C and C++ for a platform, without the tools that have built the library where that is possible."""
    if platform.musl:
        zig = str(TOOLS / "python-zig")
        target = f"{platform.target.split('-')[0]}-linux-musl"
        return [zig, "cc", "-target", target], [zig, "c++", "-target", target]
    prefix = {"windows-x86_64": "x86_64-w64-mingw32-", "linux-aarch64": "" if runs_here(platform) else "aarch64-linux-gnu-",
              "linux-x86_64": "" if runs_here(platform) else "x86_64-linux-gnu-"}[platform.name]
    # On Windows the other kind of mingw has no std::mutex.
    cxx = "g++-posix" if platform.windows and shutil.which(f"{prefix}g++-posix") else "g++"
    found = [[f"{prefix}gcc"], [f"{prefix}{cxx}"]]
    return (found[0], found[1] if shutil.which(found[1][0]) else []) if shutil.which(found[0][0]) else None


def newest_glibc(path: Path) -> tuple[int, ...]:
    """The newest version of symbols that the shared library in an archive asks for."""
    [library] = [body for name, body in contents.Package(path).files.items() if re.search(r"/lib/libjunfeiai\.so\.[\d.]+$", name)]
    return max(tuple(map(int, version.split(b"."))) for version in re.findall(rb"\0GLIBC_([\d.]+)(?=\0)", library))


def c(platform: Platform, path: Path, result: Trial) -> None:
    """What the shared library asks of its system, and the quick start, linked with the shared and the static one by pkg-config."""
    if platform.glibc:
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
        if platform.windows:
            system_libraries(path, folder / "bin" / "junfeiai_c.dll", result)
        env = dict(toolchain.clean_environment(), PKG_CONFIG_LIBDIR=str(folder / "lib" / "pkgconfig"))
        told = {words: run("pkg-config", *words.split(), "junfeiai", env=env).split() for words in ("--cflags", "--libs", "--static --cflags", "--static --libs")}
        ways = [(language, compiler, linked) for language, compiler in zip(("c", "cpp"), found) if compiler for linked in ("shared", "static")
                if linked == "static" or not platform.musl]
        if not found[1]:
            result.not_tested.append(f"C++: no compiler for {platform.target} is here")
        programs = []
        for language, compiler, linked in ways:
            program = Path(work) / f"quickstart-{language}-{linked}{'.exe' if platform.windows else ''}"
            if linked == "shared" and platform.windows:
                # The compiler's own libraries are not where the program is.
                words = [str(folder / "lib" / "libjunfeiai.dll.a") if word == "-ljunfeiai" else word for word in told["--libs"]] + ["-static"]
            elif linked == "shared":
                words = [*told["--libs"], f"-Wl,-rpath,{folder / 'lib'}"]
            else:
                static = [word for word in told["--static --libs"] if word != "-ljunfeiai"]
                words = [str(folder / "lib" / "libjunfeiai.a"), *static, *(["-static"] if platform.musl or platform.windows else [])]
            standard = "-std=c11" if language == "c" else "-std=c++17"
            run(*compiler, standard, *told["--static --cflags" if linked == "static" else "--cflags"], ROOT / "bindings-c" / "examples" / f"quickstart.{language}", "-o", program, *words, env=env)
            programs.append(program)
        if shutil.which("cmake"):
            programs += cmake(platform, found[0], folder, Path(work) / "cmake")
        else:
            result.not_tested.append("its CMake package: no CMake is here")
        if platform.windows:
            for place in {one.parent for one in programs}:
                shutil.copy(folder / "bin" / "junfeiai_c.dll", place)
        what = "quick start in " + " and ".join(dict.fromkeys({"c": "C", "cpp": "C++"}[language] for language, _, _ in ways))
        kinds = " and ".join(dict.fromkeys(linked for _, _, linked in ways)) + (", by pkg-config and CMake" if shutil.which("cmake") else ", by pkg-config")
        started = runner(platform)
        if started is None:
            result.tested.append(f"{what} links, {kinds}")
            result.not_tested.append(NOT_RUN[platform.windows])
            return
        for program in programs:
            with running(emulator_program()) as origin:
                saved = program.with_suffix(".mp4")
                run(*started, program, saved, env=environment(origin))
                one_video(origin, saved)
        result.tested.append(f"{what} creates and saves a video, {kinds}{by(started)}")


# As the guide has it; the libraries of mingw itself are not where the program is.
CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project(trial C)
set(CMAKE_C_STANDARD 11)
if(MINGW)
  add_link_options(-static)
endif()
find_package(junfeiai {version} REQUIRED CONFIG)
add_executable(quickstart "{quickstart}")
target_link_libraries(quickstart junfeiai::junfeiai)
add_executable(quickstart-static "{quickstart}")
target_link_libraries(quickstart-static junfeiai::static)
"""


def cmake(platform: Platform, compiler: list[str], folder: Path, work: Path) -> list[Path]:
    """The quick start, linked with what an archive's CMake package names."""
    work.mkdir()
    quickstart = ROOT / "bindings-c" / "examples" / "quickstart.c"
    (work / "CMakeLists.txt").write_text(CMAKE.format(version=archive.version(), quickstart=quickstart.as_posix()), encoding="utf-8")
    options = [f"-DCMAKE_C_COMPILER={';'.join(compiler)}", f"-Djunfeiai_DIR={folder / 'lib' / 'cmake' / 'junfeiai'}"]
    if not runs_here(platform):
        options += [f"-DCMAKE_SYSTEM_NAME={'Windows' if platform.windows else 'Linux'}", f"-DCMAKE_SYSTEM_PROCESSOR={platform.target.split('-')[0]}"]
    run("cmake", "-S", work, "-B", work / "build", *options, env=toolchain.clean_environment())
    run("cmake", "--build", work / "build", env=toolchain.clean_environment())
    return [work / "build" / f"{name}{'.exe' if platform.windows else ''}" for name in ("quickstart", "quickstart-static")]


def by(started: list[str | Path]) -> str:
    return f" ({'Wine' if started[0] == WINE else Path(started[0]).name})" if started else ""


def runner(platform: Platform) -> list[str | Path] | None:
    """What a program of a platform is started with; None: it cannot be."""
    if runs_here(platform):
        return []
    if platform.windows:
        if not WINE.exists():
            return None
        run(sys.executable, WINE_SCRIPT, WINE_PREFIX, env=toolchain.clean_environment())
        return [WINE]
    emulation = qemu(platform)
    if not emulation:
        return None
    sysroot = Path(f"/usr/{platform.target.split('-')[0]}-linux-gnu")
    return [emulation] if platform.musl else [emulation, "-L", sysroot] if sysroot.is_dir() else None


# The emulator's own files.


def program(platform: Platform, kind: str, path: Path, result: Trial) -> None:
    with tempfile.TemporaryDirectory() as work:
        unpack(path, Path(work))
        found = [one for one in Path(work).rglob("junfeiai-emulator*") if one.is_file() and one.name in ("junfeiai-emulator", "junfeiai-emulator.exe")]
        if len(found) != 1:
            raise Failed(f"{path.name}: {len(found)} programs are in it")
        found[0].chmod(0o755)
        if platform.windows:
            system_libraries(path, found[0], result)
        elif needed := libraries(found[0]):
            raise Failed(f"{path.name}: it needs {', '.join(needed)}")
        else:
            result.tested.append("needs no library")
        started = runner(platform)
        if started is None:
            result.not_tested.append(NOT_RUN[platform.windows])
        else:
            with running(*started, found[0]) as origin:
                asked(origin, "stats")
            result.tested.append(f"starts and answers{by(started)}")
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


# What is part of every Windows that Rust's library runs on.
SYSTEM_DLLS = re.compile(r"(?:advapi32|bcrypt|bcryptprimitives|crypt32|kernel32|ktmw32|msvcrt|ncrypt|ntdll|ole32|oleaut32|secur32|shell32|user32|userenv|ws2_32)\.dll|api-ms-win-[\w-]+\.dll")


def system_libraries(path: Path, file: Path, result: Trial, *more: str) -> None:
    """A file of Windows asks for no DLL but the system's: for none of the compiler's."""
    needed = re.findall(r"DLL Name: (\S+)", run("x86_64-w64-mingw32-objdump", "-p", file))
    if not needed:
        raise Failed(f"{path.name}: it is not known which libraries {file.name} needs")
    if foreign := [name for name in needed if not SYSTEM_DLLS.fullmatch(name.lower()) and name not in more]:
        raise Failed(f"{path.name}: {file.name} needs {', '.join(foreign)}")
    result.tested.append("needs no library but the system's" + "".join(f" and {name}" for name in more))
