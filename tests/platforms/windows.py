#!/usr/bin/env python3
"""Builds for Windows, and runs under Wine, the tests of the core, the emulator, the C library and the Python package.

    tests/platforms/windows.py              all of them
    tests/platforms/windows.py c python     these parts; there are rust, c and python
    tests/platforms/windows.py save codecs  the programs of Rust's tests with these names

It needs mingw, Wine, a Rust compiler with the library's source, and CPython for Windows: `tests/setup.sh platforms`
installs them. On Windows itself `cargo test` does the same for Rust.

Wine does not check what a file was opened for, as Windows does: there, one that was opened for appending can neither be cut nor
locked. So the standard library is built with that check (`strict_library`).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wine
from cross import CARGO, CROSS, ROOT, SOURCE, Program, Suite, environment, run
from wine import PYTHON, WINE, windows_path

TRIPLE = "x86_64-pc-windows-gnu"
BUILT = CROSS / TRIPLE / "debug"
STRICT = ROOT / "target" / "strict"
PLACE = ROOT / "target" / "windows"
GCC, GXX = "x86_64-w64-mingw32-gcc-posix", "x86_64-w64-mingw32-g++-posix"
# Of requirements-dev.txt, what is tested here; there are wheels for Windows of all of them.
PACKAGES = ("pytest", "rich", "shtab", "typing_extensions", "opentelemetry-api", "opentelemetry-sdk")
# What rustc says that the static library needs (--print native-static-libs).
SYSTEM = ("ws2_32", "ntdll", "userenv", "advapi32", "crypt32", "ncrypt", "secur32", "oleaut32", "bcrypt", "kernel32")

# Of the core's: what a system does in its own way, and the whole job. The others can be named.
PROGRAMS = {"journal", "main_job", "save", "tls"}

# What Windows cannot run, and why: programs of Rust's tests and of C's, files of Python's tests, and tests of them. Windows' own
# runners leave out the same (bindings-python/tests/suite.py).
INTERRUPT = "Windows sends no SIGINT to one process"
TERMINATE = "Windows ends a process at once where Unix sends SIGTERM or SIGHUP"
NO_FORK = "there is no fork()"
TOO_LONG = "a name that is too long is refused in other words on Windows"
NO_SHELL = "it runs a shell of Unix"
NO_TERMINAL = "there is no pty"
UNICODE = "every name and argument is Unicode there"
OF_WINDOWS = {
    "ignored.c": "it is compiled to see the warning, and is no program",
    "plugin.c": "it is a shared library, and no program",
    "hostile.c": "it limits its memory by setrlimit()",
    "life.c": "it counts file descriptors and forks",
    "paid.c": "it forks",
    "sigpipe.c": "there is no SIGPIPE",
    "sigpipe.cpp": "there is no SIGPIPE",
    "test_airflow.py": "Airflow does not run on Windows",
    "test_celery.py": "it starts Redis and PostgreSQL, which are installed for Linux",
    "test_dask.py": "it starts Redis, which is installed for Linux",
    "test_django.py": "gunicorn needs fork()",
    "test_docs.py": "it runs the documents' blocks for Linux",
    "test_fork.py": NO_FORK,
    "test_hosts.py": "its packages are installed for Linux",
    "test_cli.py::test_a_bar_on_a_terminal": NO_TERMINAL,
    "test_cli.py::test_a_target_that_cannot_be_written_costs_nothing[/proc/none/x.mp4]": "there is no /proc",
    "test_cli.py::test_a_target_that_cannot_be_written_costs_nothing[long]": TOO_LONG,
    "test_cli.py::test_batch_after_ctrl_c_pays_nothing_twice": INTERRUPT,
    "test_cli.py::test_ctrl_c_in_a_create": INTERRUPT,
    "test_cli.py::test_ctrl_c_says_how_to_go_on": INTERRUPT,
    "test_cli_batch.py::test_a_list_from_a_pipe_of_the_shell": NO_SHELL,
    "test_cli_batch.py::test_a_signal_ends_a_batch_like_ctrl_c": TERMINATE,
    "test_cli_batch.py::test_a_signal_ends_a_batch_on_loops_without_handlers": INTERRUPT,
    "test_cli_batch.py::test_a_terminal_shows_how_far_it_is": NO_TERMINAL,
    "test_cli_batch.py::test_an_output_that_this_system_cannot_name": UNICODE,
    "test_cli_batch.py::test_names_of_the_batch_itself_that_are_one_file_elsewhere": "there they are one file already",
    "test_cli_batch.py::test_names_that_are_one_file_elsewhere": "there they are one file already",
    "test_cli_journals.py::test_a_pipe_is_no_journal_and_nobody_waits_for_its_other_end": "there is no mkfifo()",
    "test_cli_journals.py::test_a_relative_home_is_none": "HOME names no home there",
    "test_cli_journals.py::test_a_user_without_a_home": "there is no pwd",
    "test_cli_streams.py::test_a_name_that_is_no_text": UNICODE,
    "test_cli_streams.py::test_a_signal_is_like_ctrl_c": TERMINATE,
    "test_cli_streams.py::test_an_ignored_signal_stays_ignored": "there is no nohup",
    "test_cli_streams.py::test_arguments_that_are_no_text": UNICODE,
    "test_cli_streams.py::test_no_streams_at_all": NO_SHELL,
    "test_jobs.py::test_a_cron_run_that_is_killed_while_it_creates_is_reported": "whether another process still runs is known on Linux only",
    "test_journal.py::test_forked_children_write_one_journal": NO_FORK,
    "test_keys.py::test_workers_that_are_killed_and_jobs_that_are_delivered_again": "it kills by SIGKILL",
    "test_local_server.py::test_a_player_that_goes_away": INTERRUPT,
    "test_local_server.py::test_a_signal_that_another_thread_receives": INTERRUPT,
    "test_local_server.py::test_completion": NO_SHELL,
    "test_local_server.py::test_play": "a script is no program there",
    "test_local_server.py::test_ranges_and_refusals": INTERRUPT,
    "test_mcp.py::test_a_server_that_is_killed_in_a_create": "it kills by SIGKILL",
    "test_mcp.py::test_a_signal_in_a_create": INTERRUPT,
    "test_mcp.py::test_http_on_this_machine_alone": TERMINATE,
    "test_mcp.py::test_nothing_is_paid_for_that_could_not_be_saved": "there is no /proc",
    "test_process.py::test_fork": NO_FORK,
    "test_process.py::test_fork_of_a_program_with_running_loops": NO_FORK,
    "test_process.py::test_multiprocessing[fork]": NO_FORK,
    "test_refused.py::test_check_save": TOO_LONG,
}
# What is left out under Wine alone, by how this suite sets it up.
COMMAND = "it starts the command again and again, which takes minutes under Wine"
OF_WINE = {
    "ffmpeg_reader.c": "FFmpeg is installed for Linux",
    "panic.c": "it needs the release build",
    "test_cli.py": COMMAND,
    "test_cli_batch.py": COMMAND,
    "test_cli_journals.py": COMMAND,
    "test_cli_streams.py": COMMAND,
    "test_fastapi.py": "its packages are installed for Linux",
    "test_local_server.py": COMMAND,
    "test_mcp.py": "its packages are installed for Linux",
    "test_packaging.py": "its interpreters and tools are installed for Linux",
    "test_serve.py": "its packages are installed for Linux",
    "test_keys.py::test_the_command": COMMAND,
    "test_process.py::test_connections_end_with_their_client": "the /proc that it finds is that of Linux",
}
SKIPS = {**OF_WINDOWS, **OF_WINE}

suite = Suite("windows")


def shown_with_reason(name: str) -> bool:
    """Whether this is not run; its reason is shown at the end."""
    if why := SKIPS.get(name):
        suite.left_out.append(f"{name}: {why}")
    return bool(why)


# The rights of a handle, as Windows asks for them: FILE_READ_DATA is 1, FILE_WRITE_DATA is 2.
NEED_RIGHT = """\
    fn need_right(&self, any_of: u32) -> io::Result<()> {
        #[link(name = "ntdll")]
        unsafe extern "system" {
            fn NtQueryInformationFile(h: c::HANDLE, io: *mut [usize; 2], info: *mut u32, len: u32, class: i32) -> i32;
        }
        let (mut status, mut access) = ([0usize; 2], 0u32);
        let result = unsafe { NtQueryInformationFile(self.handle.as_raw_handle(), &mut status, &mut access, 4, 8) };
        if result >= 0 && access & any_of == 0 { return Err(io::Error::from_raw_os_error(5)); }
        Ok(())
    }

"""
LOCK = "    fn acquire_lock(&self, flags: c::LOCK_FILE_FLAGS) -> io::Result<()> {\n"
CHECKS = {
    "    pub fn try_lock(&self) -> Result<(), TryLockError> {\n": "        self.need_right(3).map_err(TryLockError::Error)?;\n",
    "    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {\n": "        self.need_right(3).map_err(TryLockError::Error)?;\n",
    "    pub fn truncate(&self, size: u64) -> io::Result<()> {\n": "        self.need_right(2)?;\n",
    LOCK: "        self.need_right(3)?;\n",
}


def strict_library() -> Path:
    """The source of Rust's library with the checks; gives its folder."""
    place = STRICT / "library"
    mark = STRICT / "done"
    version = subprocess.run(["/usr/bin/rustc", "-V"], text=True, check=True, stdout=subprocess.PIPE).stdout + repr(CHECKS) + NEED_RIGHT
    if not mark.exists() or mark.read_text() != version:
        mark.unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(SOURCE, place, symlinks=False)
        path = place / "std/src/sys/fs/windows.rs"
        text = path.read_text()
        for head, check in CHECKS.items():
            if text.count(head) != 1:
                raise SystemExit(f"windows: {path.relative_to(place)} of this Rust is another: {head.strip()}")
            text = text.replace(head, (NEED_RIGHT if head == LOCK else "") + head + check)
        path.write_text(text)
        mark.write_text(version)
    return place


def set_up_wine(env: Mapping[str, str]) -> None:
    try:
        wine.set_up(PLACE / "wine", env)
    except RuntimeError as error:
        suite.must("set up Wine", (False, str(error)))


def build(env: Mapping[str, str], names: set[str]) -> list[Program]:
    """All that is run, or the programs of Rust's tests with these names; in one call of cargo, so that each crate is built once."""
    packages = [word for name in ("junfeiai", "junfeiai-emulator", "junfeiai-c", "junfeiai-python") for word in ("-p", name)]
    tests = sorted(names or PROGRAMS | {path.stem for path in (ROOT / "tests/emulator/tests").glob("*.rs")})
    what = [word for name in tests for word in ("--test", name)] + ([] if names else ["--lib", "--bins"])
    return suite.cargo(env, "build", f"--target={TRIPLE}", *packages, "--features=junfeiai/postgres,junfeiai/redis", *what)


def programs_of_tests() -> set[str]:
    """Those of the core and of the emulator."""
    return {path.stem for folder in ("core", "tests/emulator") for path in (ROOT / folder / "tests").glob("*.rs")}


def rust(env: Mapping[str, str], programs: list[Program]) -> None:
    for program in programs:
        if not shown_with_reason(program.name):
            suite.tests(program, [WINE], env, SKIPS)


class Emulator:
    """The emulator of Windows."""

    def __init__(self, env: Mapping[str, str]) -> None:
        command: list[str | Path] = [WINE, BUILT / "junfeiai-emulator.exe", "--port", "0", "--api-key", "sk-test", "--time-scale", "600", "--quiet"]
        command.append("--exit-with-stdin")
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.origin = self.process.stdout.readline().split()[-1]

    def ask(self, method: str, path: str, value: Any = None) -> None:
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.origin + path, body, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    def fresh(self) -> None:
        self.ask("POST", "/__emulator/reset")
        self.ask("POST", "/__emulator/tasks", {"id": "task_life", "state": "finished"})

    def close(self) -> None:
        self.process.communicate()


def c(env: Mapping[str, str], _programs: list[Program]) -> None:
    """The test programs and examples of C and C++ that need no Unix, with the DLL and with the static library."""
    folder = ROOT / "bindings-c"
    place = PLACE / "c"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shutil.copy(BUILT / "junfeiai_c.dll", place)
    sources = sorted([*folder.glob("tests/*.c"), *folder.glob("tests/*.cpp"), *folder.glob("examples/*.c"), *folder.glob("examples/*.cpp")])
    # One test program is made of the header.
    misuse = place / "misuse.c"
    misuse.write_text(subprocess.run([sys.executable, folder / "tests/misuse.py", folder / "include/junfeiai.h"], text=True, check=True,
                                     stdout=subprocess.PIPE).stdout)
    emulator = Emulator(env)
    env = dict(env, JUNFEIAI_API_KEY="sk-test", JUNFEIAI_BASE_URL=f"{emulator.origin}/v1")
    for source in [*sources, misuse]:
        if shown_with_reason(source.name):
            continue
        compiler = [GXX, "-std=c++17"] if source.suffix == ".cpp" else [GCC, "-std=c11"]
        if source.stem == "no_exceptions":
            compiler.append("-fno-exceptions")
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-D__USE_MINGW_ANSI_STDIO=1"]
        # The compiler's own libraries are linked into the programs.
        ways: dict[str, list[str | Path]] = {"shared": ["-static", f"-L{BUILT}", "-l:libjunfeiai_c.dll.a", "-lws2_32"],
                                             "static": ["-DJFAI_STATIC", "-static", BUILT / "libjunfeiai_c.a", *(f"-l{name}" for name in SYSTEM)]}
        for way, libraries in ways.items():
            name = f"{source.name} ({way})"
            program = place / f"{source.stem}_{source.suffix[1:]}_{way}.exe"
            done = run([*compiler, *warnings, "-I", folder / "include", "-I", folder / "tests", source, "-o", program, *libraries], env)
            if suite.report(f"build {name}", *done):
                consumer(emulator, name, source, program, env)
    emulator.close()


def consumer(emulator: Emulator, name: str, source: Path, program: Path, env: Mapping[str, str]) -> None:
    """Runs a test program, which says how many of its checks passed, or an example."""
    emulator.fresh()
    # The emulator's ids repeat: what another program left of a file is not resumed.
    out = program.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    example = source.parent.name == "examples"
    words = {"resume": ["task_life", "v.mp4"], "stream_reader": ["task_life"], "async_loop": []}.get(source.stem, ["v.mp4"])
    # With an argument that one shows how it is aborted.
    words = words if example else [] if source.stem == "no_exceptions" else [str(out)]
    ok, output = run([WINE, program, *words], env, out)
    counts = re.findall(r"(\d+) passed, (\d+) failed", output)
    count = (int(counts[-1][0]), int(counts[-1][1])) if counts and not example else None
    if ok and not example and not (count and count[0]):
        ok, output = False, f"{output}\nit ran no check"
    if ok and "v.mp4" in words and not (out / "v.mp4").stat().st_size:
        ok, output = False, f"{output}\nit saved no video"
    suite.report(f"example {name}" if example else name, ok, output, count)


def python(env: Mapping[str, str], _programs: list[Program]) -> None:
    """The tests of Python that need no Unix, with CPython for Windows."""
    folder = ROOT / "bindings-python"
    home = interpreter(env)
    # Also the tests of files that are left out as a whole, whose names pytest is not given.
    for name in SKIPS:
        file, _, test = name.partition("::")
        path = folder / "tests" / file
        if file.endswith(".py") and not (path.exists() and f"def {test.split('[')[0]}" in path.read_text(encoding="utf-8")):
            suite.report(f"SKIPS names {name}", False, "there is no such file or test")
    files = [path for path in sorted(folder.glob("tests/test_*.py")) if not shown_with_reason(path.name)]
    tests = {name: why for name, why in SKIPS.items() if ".py::" in name}
    env = dict(env, PYTHONHOME=windows_path(home), JUNFEIAI_EMULATOR=windows_path(BUILT / "junfeiai-emulator.exe"), PYTHONUTF8="0",
               PYTHONDONTWRITEBYTECODE="1", JUNFEIAI_SKIPS=json.dumps(tests), PYTHONPATH=windows_path(Path(__file__).parent))
    command: list[str | Path] = [WINE, home / "python.exe", "-m", "pytest", "-p", "skips", "-p", "no:cacheprovider"]
    command += ["--basetemp=C:\\pt", "-o", "faulthandler_timeout=300", *(path.relative_to(folder).as_posix() for path in files)]
    ok, output = run(command, env, folder, timeout=1800)
    counts = re.findall(r"^python: (\d+) passed, (\d+) failed", output, re.M)
    for number, place, why in re.findall(r"^SKIPPED \[(\d+)\] (.+?): (.+)$", output, re.M):
        suite.left_out += [f"{place}: {why}"] * int(number)
    suite.report("python", ok and bool(counts), output, (int(counts[-1][0]), int(counts[-1][1])) if counts else None)


def interpreter(env: Mapping[str, str]) -> Path:
    """CPython with the packages of the tests and with ours."""
    home = PLACE / "python"
    site = home / "lib" / "site-packages"
    lines = (ROOT / "bindings-python" / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    # What these need on Windows only.
    wanted = [line for line in lines if line.split("==")[0] in PACKAGES] + ["colorama"]
    mark = home / "made"
    if not mark.exists() or mark.read_text() != "\n".join(wanted):
        shutil.rmtree(home, ignore_errors=True)
        wine.unpack_python(home)
        pip: list[str | Path] = [ROOT / "target/venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        suite.must("packages of the tests for Windows", run([*pip, "--platform=win_amd64", "--python-version=3.12", "--only-binary=:all:",
                                                             "--target", site, *wanted], dict(os.environ)))
        mark.write_text("\n".join(wanted))
    package = site / "junfeiai"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "bindings-python/python/junfeiai", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    module = package / "_native.pyd"
    shutil.copy(BUILT / "_native.dll", module)
    # What an installer writes of the package.
    version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.M)
    assert version
    info = site / f"junfeiai-{version[1]}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: junfeiai\nVersion: {version[1]}\n")
    (info / "entry_points.txt").write_text(entry_points())
    try:
        wine.stable_abi(home, module, env)
    except RuntimeError as error:
        suite.must("build python3.dll", (False, str(error)))
    return home


def entry_points() -> str:
    """As the wheel has them, of pyproject.toml."""
    text = (ROOT / "bindings-python" / "pyproject.toml").read_text(encoding="utf-8")
    groups = re.findall(r"^\[project\.(scripts|entry-points\.(\w+))\]\n((?:\w+ = .+\n)+)", text, re.M)
    lines = [f"[{group or 'console_scripts'}]\n{rows}" for _, group, rows in groups]
    assert lines, "pyproject.toml has no entry points"
    return "\n".join(lines).replace('"', "")


PARTS = {"rust": rust, "c": c, "python": python}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part, or a program of Rust's tests")
    given = parser.parse_args().names
    parts = [name for name in PARTS if name in given]
    names = {name for name in given if name not in PARTS}
    if unknown := sorted(names - programs_of_tests()):
        parser.error(f"there is no {', '.join(unknown)}; there are the parts {', '.join(PARTS)} and the programs {', '.join(sorted(programs_of_tests()))}")
    if names and (others := [name for name in parts if name != "rust"]):
        parser.error(f"{' '.join(others)} and programs of Rust's tests are built in different ways: give one or the other")
    suite.need([WINE, SOURCE, CARGO, GCC, GXX])
    if not names and (not parts or "python" in parts):
        suite.need([PYTHON])
    PLACE.mkdir(parents=True, exist_ok=True)
    env = environment(CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER="x86_64-w64-mingw32-gcc", __CARGO_TESTS_ONLY_SRC_ROOT=str(strict_library()),
                      WINEPREFIX=str(PLACE / "wine"), WINEDEBUG="-all", DISPLAY="")
    set_up_wine(env)
    programs = build(env, names)
    try:
        for name in parts or (["rust"] if names else PARTS):
            PARTS[name](env, programs)
    finally:
        subprocess.run(["/usr/lib/wine/wineserver64", "-k"], env=env, check=False, stderr=subprocess.DEVNULL)
    suite.finish()


if __name__ == "__main__":
    main()
