#!/usr/bin/env python3
"""Checks, builds and tries the Rust crates for other platforms than this one, and prints the table of them.

    tests/platforms/targets.py                 all of PLATFORMS
    tests/platforms/targets.py i686 darwin     those whose names hold one of these words

The rows of Windows and musl are what the suite windows and `make dist` left here: target/test-logs, and the manifest of target/dist.

macOS and Windows-MSVC: what does not compile is found, tests included; nothing is linked, as Apple's and Microsoft's libraries would be
needed for that. 32 bits: the tests of the core and the emulator, which run here. arm64: chosen tests, by qemu. Windows is a suite of its
own, windows.py; what `make dist` builds for musl and arm64 is tried there. It needs a Rust compiler with the library's source, cross
compilers and qemu; `tests/setup.sh platforms` installs them.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from cross import CARGO, CROSS, ROOT, SOURCE, Suite, environment, run

ARM_LIBRARIES = Path("/usr/aarch64-linux-gnu")
CRATES = [word for name in ("junfeiai", "junfeiai-emulator", "junfeiai-c", "junfeiai-python", "junfeiai-security", "xtask") for word in ("-p", name)]
FEATURES = "--features=junfeiai/postgres,junfeiai/redis"

ITSELF = "it starts itself, which this system cannot do without qemu"
# Tests that are not run on a platform, and why.
SKIPS: dict[str, dict[str, str]] = {
    "i686-unknown-linux-gnu": {
        "stores": "it starts PostgreSQL and Redis, and is run by its own suite",
    },
    "aarch64-unknown-linux-gnu": {
        "journal::many_processes_and_threads_write_at_once": ITSELF,
        "save::another_working_folder_changes_nothing": ITSELF,
    },
}

suite = Suite("targets")
# By platform: types checked, built, tests that passed, and what was left out.
table: list[tuple[str, str, str, str, str]] = []

# Stands for a C compiler whose objects nobody will link: build scripts want one.
IMPOSTOR = """\
#!/bin/sh
out= before=
for word in "$@"; do
  case $word in
    -Fo*|/Fo*) out=${word#?Fo} ;;
    -out:*|/OUT:*|/out:*|-OUT:*) out=${word#*:} ;;
    *.a|*.lib) [ -z "$out" ] && out=$word ;;
  esac
  [ "$before" = -o ] && out=$word
  before=$word
done
[ -n "$out" ] && : >"$out"
exit 0
"""


def check(triple: str) -> None:
    impostor = CROSS / "impostor"
    impostor.parent.mkdir(parents=True, exist_ok=True)
    impostor.write_text(IMPOSTOR)
    impostor.chmod(0o755)
    env = environment(**{f"{tool}_{triple.replace('-', '_')}": str(impostor) for tool in ("CC", "CXX", "AR")})
    suite.cargo(env, "check", f"--target={triple}", *CRATES, FEATURES, "--all-targets")
    table.append((triple, f"{len(CRATES) // 2} crates and their tests", "no", "none", "there is no such machine, nor its libraries"))


def tests(triple: str, env: dict[str, str], packages: list[str], what: list[str], command: list[str]) -> None:
    """Builds tests and runs them by `command`."""
    skips = SKIPS[triple]
    before, left_out = suite.passed, len(suite.left_out)
    programs = suite.cargo(env, "build", f"--target={triple}", *packages, FEATURES, *what)
    before += 1
    for program in programs:
        if why := skips.get(program.name):
            suite.left_out.append(f"{program.name}: {why}")
        else:
            suite.tests(program, command, env, skips)
    why = reasons(suite.left_out[left_out:])
    # Each of them with its platform.
    suite.left_out[left_out:] = [f"{triple}: {line}" for line in suite.left_out[left_out:]]
    table.append((triple, "by the build", " ".join(packages[1::2]), str(suite.passed - before), why))


def i686(triple: str) -> None:
    env = environment(CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER="i686-linux-gnu-gcc", CC_i686_unknown_linux_gnu="i686-linux-gnu-gcc")
    tests(triple, env, ["-p", "junfeiai", "-p", "junfeiai-emulator"], ["--lib", "--bins", "--tests"], [])


def aarch64(triple: str) -> None:
    env = environment(CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="aarch64-linux-gnu-gcc", QEMU_LD_PREFIX=str(ARM_LIBRARIES))
    chosen = [word for name in ("main_job", "vectors", "journal", "save") for word in ("--test", name)]
    tests(triple, env, ["-p", "junfeiai"], chosen, ["qemu-aarch64"])


# What pyo3 would ask such an interpreter.
FREE_THREADED = """\
implementation=CPython
version=3.14
shared=true
abi3=false
pointer_width=64
build_flags=Py_GIL_DISABLED
suppress_build_script_link_lines=true
"""


def free_threaded(name: str) -> None:
    """The wheel's module for CPython without its global lock, which does not load a module for the stable ABI: it builds and links."""
    config = CROSS / f"{name}.txt"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(FREE_THREADED, encoding="utf-8")
    env = environment(PYO3_CONFIG_FILE=str(config))
    for cross in [name for name in env if name.startswith("PYO3_CROSS")]:
        del env[cross]
    suite.cargo(env, "build", "--target=x86_64-unknown-linux-gnu", "-p", "junfeiai-python")
    ok, symbols = run(["nm", "-D", CROSS / "x86_64-unknown-linux-gnu" / "debug" / "lib_native.so"], env)
    # Where several threads run Python at once, objects are locked.
    wanted = [(" T ", "PyInit__native"), (" U ", "PyCriticalSection_Begin")]
    lost = [symbol for kind, symbol in wanted if not any(kind in line and line.endswith(symbol) for line in symbols.splitlines())]
    suite.report("the module is one for CPython without the GIL", ok and not lost, f"{', '.join(lost)}\n{symbols}")
    table.append((name, "by the build", "junfeiai-python", "none", "no such interpreter is in a registry"))


PLATFORMS: dict[str, Callable[[str], None]] = {
    "aarch64-apple-darwin": check,
    "x86_64-apple-darwin": check,
    "x86_64-pc-windows-msvc": check,
    "i686-unknown-linux-gnu": i686,
    "aarch64-unknown-linux-gnu": aarch64,
    "cpython-3.14t": free_threaded,
}


def reasons(left_out: Iterable[str]) -> str:
    """Of lines such as `test: why`: each reason, and for how many it is one."""
    return "; ".join(f"{why} ({count})" for why, count in Counter(line.partition(": ")[2] or line for line in left_out).items())


def windows(target: Path) -> tuple[str, str, str, str, str]:
    """What the suite windows said when it was last run."""
    log = target / "test-logs" / "windows.log"
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    said = re.search(r"^windows: (\d+) passed, (\d+) failed$", text, re.M)
    if not said:
        return ("x86_64-pc-windows-gnu", "no", "no", "none", "run the suite windows before")
    failed = "" if said[2] == "0" else f", {said[2]} failed"
    return ("x86_64-pc-windows-gnu", "by the build", "junfeiai junfeiai-emulator junfeiai-c junfeiai-python", f"{said[1]} under Wine{failed}",
            reasons(re.findall(r"^not run: (.+)$", text, re.M)))


def musl(target: Path, machine: str) -> tuple[str, str, str, str, str]:
    """What `make dist` last built for it and tried."""
    triple = f"{machine}-unknown-linux-musl"
    manifests = sorted(target.glob("dist*/manifest.json"), key=lambda path: path.stat().st_mtime)
    files = [row for path in manifests[-1:] for row in json.loads(path.read_text(encoding="utf-8"))["files"]
             if triple in row["name"] or f"musllinux_1_2_{machine}" in row["name"]]
    if not files:
        return (triple, "no", "no", "none", "run make dist before")
    return (triple, "by the build", f"{len(files)} files of make dist", f"{sum(len(row['tested']) for row in files)} trials",
            reasons(why for row in files for why in row["not_tested"]))


def others() -> Iterable[str]:
    """The rows of other suites are what these say."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        if [windows(target)[3], musl(target, "x86_64")[3]] != ["none", "none"]:
            yield "a row is made of nothing"
        for name, text in {"test-logs/windows.log": "ok     save (7)\nnot run: a.py: no fork\nnot run: b.py::test_a: no fork\nwindows: 7 passed, 1 failed\n",
                           "dist-dev/manifest.json": json.dumps({"files": [
                               {"name": "junfeiai-c-1.2.3-x86_64-unknown-linux-musl.tar.gz", "tested": ["contents", "links"], "not_tested": ["running it: no musl"]},
                               {"name": "junfeiai-c-1.2.3-x86_64-pc-windows-gnu.zip", "tested": ["contents"], "not_tested": []}]})}.items():
            (target / name).parent.mkdir()
            (target / name).write_text(text, encoding="utf-8")
        if windows(target)[3:] != ("7 under Wine, 1 failed", "no fork (2)"):
            yield f"{windows(target)}"
        if musl(target, "x86_64")[2:] != ("1 files of make dist", "2 trials", "no musl (1)"):
            yield f"{musl(target, 'x86_64')}"


def show() -> None:
    target = ROOT / "target"
    rows = [("platform", "types checked", "built", "tests passed", "left out"), *table, windows(target), *(musl(target, name) for name in ("x86_64", "aarch64"))]
    # The last one may be long.
    widths = [*(max(len(row[column]) for row in rows) for column in range(4)), 0]
    for row in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help=f"parts of the names of {', '.join(PLATFORMS)}")
    words = parser.parse_args().words
    if unknown := [word for word in words if not any(word in name for name in PLATFORMS)]:
        parser.error(f"no platform has this in its name: {', '.join(unknown)}; there are {', '.join(PLATFORMS)}")
    chosen = [name for name in PLATFORMS if not words or any(word in name for word in words)]
    needs: dict[str, list[str | Path]] = {
        "i686-unknown-linux-gnu": ["i686-linux-gnu-gcc"],
        "aarch64-unknown-linux-gnu": ["aarch64-linux-gnu-gcc", "qemu-aarch64", ARM_LIBRARIES],
    }
    suite.need([SOURCE, CARGO, *(tool for name in chosen for tool in needs.get(name, []))])
    suite.report("the table has what other suites say", not (wrong := list(others())), "\n".join(wrong))
    for name in chosen:
        PLATFORMS[name](name)
    show()
    suite.finish()


if __name__ == "__main__":
    main()
