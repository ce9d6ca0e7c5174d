#!/usr/bin/env python3
"""Checks, builds and tries the Rust crates for other platforms than this one, and prints the table of them.

    tests/platforms/targets.py                 all of PLATFORMS
    tests/platforms/targets.py i686 darwin     those whose names hold one of these words

macOS and Windows-MSVC: what does not compile is found, tests included; nothing is linked, as Apple's and Microsoft's libraries would be
needed for that. 32 bits: the tests of the core and the emulator, which run here. arm64: chosen tests, by qemu. Windows is a suite of its
own, windows.py; what `make dist` builds for musl and arm64 is tried there. It needs a Rust compiler with the library's source, cross
compilers and qemu; `tests/setup.sh platforms` installs them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
    # Each of them with its platform.
    suite.left_out[left_out:] = [f"{triple}: {line}" for line in suite.left_out[left_out:]]
    skipped = len(suite.left_out) - left_out
    table.append((triple, "by the build", " ".join(packages[1::2]), str(suite.passed - before), f"{skipped} skipped" if skipped else ""))


def i686(triple: str) -> None:
    env = environment(CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER="i686-linux-gnu-gcc", CC_i686_unknown_linux_gnu="i686-linux-gnu-gcc")
    tests(triple, env, ["-p", "junfeiai", "-p", "junfeiai-emulator"], ["--lib", "--bins", "--tests"], [])


def aarch64(triple: str) -> None:
    env = environment(CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="aarch64-linux-gnu-gcc", QEMU_LD_PREFIX=str(ARM_LIBRARIES))
    chosen = [word for name in ("main_job", "vectors", "journal", "save") for word in ("--test", name)]
    tests(triple, env, ["-p", "junfeiai"], chosen, ["qemu-aarch64"])


PLATFORMS: dict[str, Callable[[str], None]] = {
    "aarch64-apple-darwin": check,
    "x86_64-apple-darwin": check,
    "x86_64-pc-windows-msvc": check,
    "i686-unknown-linux-gnu": i686,
    "aarch64-unknown-linux-gnu": aarch64,
}


def show() -> None:
    rows = [("platform", "types checked", "built", "tests passed", "left out"), *table,
            ("x86_64-pc-windows-gnu", "", "", "", "the suite windows"),
            ("x86_64-unknown-linux-musl", "", "", "", "static emulator and C library: make dist")]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
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
    for name in chosen:
        PLATFORMS[name](name)
    show()
    suite.finish()


if __name__ == "__main__":
    main()
