#!/usr/bin/env python3
"""Builds what a release consists of into target/dist, tries each file by itself, and lists them with their sums.

    tests/packages/dist.py                  everything
    tests/packages/dist.py wheel-linux c    the parts whose names begin so
    tests/packages/dist.py --parts          the names of the parts
    tests/packages/dist.py --twice …        builds everything once more, in a clone in another folder, and compares every byte
    tests/packages/dist.py --compare crate  everything, and this part once more: only said where something is not committed
    tests/packages/dist.py --profile dev …  without optimizations, into target/dist-dev: to try what is here

Files of other parts stay as they are. `tests/setup.sh dist` installs what is needed. The list is target/dist/manifest.json, and for
people target/dist/MANIFEST.md: what was tried with each file, and what was not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import archive
import parts
import toolchain
import trials
from parts import Part
from toolchain import ROOT, Missing

# The second build is here: another folder, of another length.
CLONE = ROOT / "target" / "dist-twice" / "another-clone"


# What went wrong with a part, or with one of its files.
Failures = list[str]
ERRORS = (RuntimeError, OSError, ValueError, subprocess.CalledProcessError)


def made(chosen: Sequence[Part], profile: str, failures: Failures) -> dict[Part, list[Path]]:
    """Builds the parts; those that cannot be built do not keep the others from it."""
    files: dict[Part, list[Path]] = {}
    for part in chosen:
        begun = time.monotonic()
        try:
            files[part] = list(part.build(profile))
        except ERRORS as error:
            failures.append(f"{part.name} cannot be built: {error}")
            continue
        print(f"built  {part.name} in {time.monotonic() - begun:.0f} s: {', '.join(path.name for path in files[part])}", flush=True)
    return files


def tried(files: dict[Part, list[Path]], profile: str, failures: Failures) -> dict[str, dict[str, Any]]:
    """What the list says of each file. The emulator comes first: the others are tried with it."""
    said: dict[str, dict[str, Any]] = {}
    for part, paths in sorted(files.items(), key=lambda item: not item[0].name.startswith("emulator")):
        for path in paths:
            try:
                result = trials.trial(part, path)
            except ERRORS as error:
                failures.append(str(error))
                result = trials.Trial(not_tested=[f"it failed: {str(error).splitlines()[0]}"])
            said[path.name] = {"profile": profile, "tested": result.tested, "not_tested": result.not_tested}
            print(f"tried  {path.name}: {'; '.join(result.tested)}", *(f"       not tried: {text}" for text in result.not_tested), sep="\n", flush=True)
    return said


def clone() -> None:
    """A clone of what is committed, with the same tools and nothing that was built."""
    shutil.rmtree(CLONE.parent, ignore_errors=True)
    CLONE.parent.mkdir(parents=True)
    parts.run("git", "clone", "--quiet", "--shared", ROOT, CLONE)
    (CLONE / "target").mkdir()
    for name in ("venv-dist", "tools"):
        (CLONE / "target" / name).symlink_to(ROOT / "target" / name)
    modules = Path("bindings-wasm", "node_modules")
    if (ROOT / modules).is_dir():
        # Links cost nothing. The build of the package replaces one of its entries, and changes none.
        shutil.copytree(ROOT / modules, CLONE / modules, symlinks=True, copy_function=os.link)


def committed() -> None:
    """A clone has only what is committed."""
    changed = parts.run("git", "status", "--porcelain")
    if changed:
        raise Missing(f"the second build is made from a clone: commit first what differs\n{changed.rstrip()}")


def comparable(words: list[str]) -> list[Part]:
    """The parts of these names; none where the clone would differ."""
    found = parts.chosen(words) if words else []
    try:
        if found:
            committed()
    except RuntimeError as error:
        print(f"not run: {str(error).splitlines()[0]}")
        return []
    return found


def twice(files: dict[Part, list[Path]], profile: str, said: dict[str, dict[str, Any]], failures: Failures) -> None:
    """Builds the parts in the clone, and compares every byte."""
    clone()
    env = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    command = [sys.executable, str(CLONE / "tests/packages/dist.py"), "--profile", profile, "--only-build", *(part.name for part in files)]
    subprocess.run(command, cwd=CLONE, env=env, check=False)
    for path in (path for paths in files.values() for path in paths):
        second = CLONE / path.relative_to(ROOT)
        if second.is_file() and second.read_bytes() == path.read_bytes():
            said.setdefault(path.name, {"profile": profile, "tested": [], "not_tested": []})["tested"].append("the same bytes from another folder")
        else:
            failures.append(f"{path.name} has other bytes when it is built in another folder, or cannot be built there")


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds, tries and lists what a release consists of.")
    parser.add_argument("parts", nargs="*", metavar="PART", help="only the parts whose names begin so")
    parser.add_argument("--parts", action="store_true", dest="names", help="lists the parts")
    parser.add_argument("--profile", choices=tuple(parts.PROFILES), default="release")
    parser.add_argument("--twice", action="store_true", help="builds once more, from a clone in another folder, and compares")
    parser.add_argument("--compare", action="append", default=[], metavar="PART", help="the same with these parts alone, if all is committed")
    parser.add_argument("--only-build", action="store_true", help="tries nothing")
    arguments = parser.parse_args()
    if arguments.names:
        print(*(part.name for part in parts.PARTS), sep="\n")
        return 0
    if arguments.profile != "release":
        archive.DIST = archive.DIST.with_name(f"dist-{arguments.profile}")
    failures: Failures = []
    try:
        chosen = parts.chosen([*arguments.parts, *arguments.compare] if arguments.parts else [])
        # What is missing is said before anything is built or removed.
        for part in chosen:
            if part.platform:
                toolchain.require(part.platform)
        if arguments.twice:
            committed()
        again = chosen if arguments.twice else comparable(arguments.compare)
        if not arguments.parts:
            shutil.rmtree(archive.DIST, ignore_errors=True)
        files = made(chosen, arguments.profile, failures)
        said = {} if arguments.only_build else tried(files, arguments.profile, failures)
        if once_more := {part: paths for part, paths in files.items() if part in again}:
            twice(once_more, arguments.profile, said, failures)
        if files:
            archive.manifest(archive.DIST, said)
            print((archive.DIST / "MANIFEST.md").read_text(encoding="utf-8"))
    except ERRORS as error:
        print(f"dist: {error}", file=sys.stderr)
        print("dist: 0 passed, 1 failed")
        return 1
    for failure in failures:
        print(f"FAILED {failure}", flush=True)
    for name, row in said.items():
        for text in row["not_tested"]:
            print(f"not run: {name}: {text}")
    # The second build is counted by the first.
    if not arguments.only_build:
        print(f"dist: {max(sum(map(len, files.values())) - len(failures), 0)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
