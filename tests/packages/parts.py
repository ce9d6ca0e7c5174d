"""What a release is made of: each part builds its files and lays them into target/dist."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import archive
import contents
import toolchain
from toolchain import PLATFORMS, ROOT, TOOLS, WORK, Missing, Platform

# As cargo calls them, and as the C library's are called, which is built for size.
PROFILES = {"release": "release-c", "dev": "dev"}


@dataclass(frozen=True)
class Part:
    """Something that can be built alone: `make dist PARTS=NAME`."""

    name: str
    build: Callable[[str], Iterable[Path]]
    """Gives the files that it made, for a profile."""
    platform: Platform | None = None


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Runs a command; gives what it said, and all of it when it fails. Programs of Windows want pipes at all ends."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=env, text=True, errors="replace", input="",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-8000:]}")
    return done.stdout


def placed(path: Path) -> Path:
    """Copies a file into target/dist."""
    archive.DIST.mkdir(parents=True, exist_ok=True)
    target = archive.DIST / path.name
    shutil.copyfile(path, target)
    return target


def only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} files are like {pattern}: {', '.join(path.name for path in found)}")
    return found[0]


# Python.


def maturin(platform: Platform, profile: str, manifest: str, compatibility: str, folder: Path) -> Path:
    command = ["build", "--quiet", "--locked", "--profile", profile, "--target", platform.target, "--compatibility", compatibility,
               "--manifest-path", str(ROOT / manifest), "--out", str(folder)]
    run(TOOLS / "maturin", *command, *(() if platform.windows else ("--zig",)), env=toolchain.environment(platform, profile))
    return only(folder, "*.whl")


def wheel(platform: Platform) -> Callable[[str], Iterator[Path]]:
    """The library for CPython 3.10 and newer."""
    def build(profile: str) -> Iterator[Path]:
        compatibility = "off" if platform.windows else platform.wheel.removesuffix(f"_{platform.target.split('-')[0]}")
        with tempfile.TemporaryDirectory() as folder:
            made = maturin(platform, profile, "bindings-python/Cargo.toml", compatibility, Path(folder))
            if not re.search(rf"-cp310-abi3-(?:\w+\.)?{platform.wheel}\.", made.name):
                raise RuntimeError(f"{made.name} is not for {platform.wheel}")
            archive.wheel(made)
            yield placed(made)
    return build


def sdist(profile: str) -> Iterator[Path]:
    yield archive.sdist()


# The emulator: one program, which is in a wheel, in a package of npm and in an archive.


def emulator(platform: Platform) -> Callable[[str], Iterator[Path]]:
    def build(profile: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            made = maturin(platform, profile, "tests/emulator/Cargo.toml", "off", folder)
            made = archive.retag(made, f"py3-none-{platform.program}")
            archive.wheel(made)
            yield placed(made)
            program = unpacked_program(made, folder)
            yield placed(program_archive(platform, program, folder))
            run("node", ROOT / "tests/emulator/npm/pack.mjs", "--program", program, "--platform", platform.npm, "--out", folder / "npm", env=toolchain.clean_environment())
            yield from (placed(path) for path in sorted((folder / "npm").glob("*.tgz")))
    return build


def unpacked_program(wheel_file: Path, folder: Path) -> Path:
    """The program that is in a wheel of the emulator."""
    with zipfile.ZipFile(wheel_file) as zipped:
        name = next(name for name in zipped.namelist() if re.search(r"\.data/scripts/junfeiai-emulator(?:\.exe)?$", name))
        path = folder / name.rsplit("/", 1)[1]
        path.write_bytes(zipped.read(name))
    path.chmod(0o755)
    return path


def program_archive(platform: Platform, program: Path, work: Path) -> Path:
    folder = work / f"junfeiai-emulator-{archive.version()}-{platform.target}"
    folder.mkdir()
    shutil.copy(program, folder)
    emulator_folder = ROOT / "tests" / "emulator"
    for path in (*(ROOT / name for name in ("LICENSE-APACHE", "LICENSE-MIT")),
                 *(emulator_folder / name for name in ("THIRD-PARTY-LICENSES.txt", "README.md", "README.zh-CN.md"))):
        shutil.copyfile(path, folder / path.name)
    packed = work / f"{folder.name}{'.zip' if platform.windows else '.tar.gz'}"
    archive.pack(folder, packed)
    return packed


# C and C++.


def c(platform: Platform) -> Callable[[str], Iterator[Path]]:
    def build(profile: str) -> Iterator[Path]:
        # Called by itself: `cargo run` would name itself as the cargo to build with.
        tools = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
        run("cargo", "build", "--quiet", "--locked", "-p", "xtask", "--no-default-features")
        env = toolchain.environment(platform, profile)
        env["CARGO"], target = toolchain.cargo_of(platform, env)
        if platform.glibc:
            env["JUNFEIAI_C_LINKER"] = toolchain.linker_of(platform)
        yield archive.c(platform.target, [tools / "xtask", "install-c", "--target", target, "--profile", PROFILES[profile]], env)
    return build


# The others.


def crate(profile: str) -> Iterator[Path]:
    """For the Rust registry; it compiles alone, see `trials`."""
    env = dict(toolchain.clean_environment(), CARGO_TARGET_DIR=str(WORK / "crate"))
    run("cargo", "package", "--quiet", "-p", "junfeiai", "--locked", "--no-verify", "--allow-dirty", env=env)
    yield placed(WORK / "crate" / "package" / f"junfeiai-{archive.version()}.crate")


def npm(profile: str) -> Iterator[Path]:
    """For browsers, Node and the others."""
    if not shutil.which("node"):
        raise Missing("npm needs Node: run tests/setup.sh dist")
    toolchain.fetched()
    run("node", ROOT / "bindings-wasm/scripts/build.mjs", env=toolchain.clean_environment())
    yield placed(ROOT / "target" / "npm" / f"junfeiai-{archive.version()}.tgz")


# Which crate each is made of, and where: its list of licences there names what is linked. Wheels bring such a list of their own.
LISTED = {"c": ("junfeiai-c", "bindings-c"), "npm": ("junfeiai-wasm", "bindings-wasm"), "emulator": ("junfeiai-emulator", "tests/emulator")}


def sbom(profile: str) -> Iterator[Path]:
    """The components of the C library, the npm package and the emulator, on all platforms, in CycloneDX's format."""
    tool = ROOT / "target" / "tools" / "bin" / "cargo-cyclonedx"
    if not tool.exists():
        raise Missing(f"{tool.relative_to(ROOT)} is missing: run tests/setup.sh dist")
    with tempfile.TemporaryDirectory() as work:
        # It writes beside each manifest.
        for name in filter(None, run("git", "ls-files", "-z").split("\0")):
            if (ROOT / name).is_file():
                place = Path(work) / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, place)
        run(tool, "cyclonedx", "--format", "json", "--target", "all", "--spec-version", "1.5", "--override-filename", "components", cwd=Path(work), env=toolchain.clean_environment())
        for product, (crate, folder) in LISTED.items():
            made = Path(work) / f"junfeiai-{product}-{archive.version()}{contents.SBOM}"
            listed = linked((ROOT / folder / contents.THIRD).read_text(encoding="utf-8"))
            found = of_one(json.loads((Path(work) / folder / "components.json").read_text(encoding="utf-8")), listed)
            if found["metadata"]["component"]["name"] != crate:
                raise RuntimeError(f"{folder} is {found['metadata']['component']['name']}")
            made.write_text(archive.components(json.dumps(found, indent=2) + "\n"), encoding="utf-8")
            yield placed(made)


def linked(licences: str) -> set[tuple[str, str]]:
    """Names and versions of the list at the beginning of a file of licences."""
    rows = re.findall(r"^(\S+) (\d\S*) {2,}\S", licences.split("\n\n")[1], re.M)
    if not rows:
        raise RuntimeError("a file of licences lists nothing")
    return set(rows)


def of_one(sbom: dict[str, Any], listed: set[tuple[str, str]]) -> dict[str, Any]:
    """The components of one package, and of this project: cargo knows the features of a whole workspace only, and with them what
    other packages are linked with, tools and macros."""
    kept = [row for row in sbom["components"] if (row["name"], row["version"]) in listed or row["bom-ref"].startswith("path+")]
    if lost := listed - {(row["name"], row["version"]) for row in kept}:
        raise RuntimeError(f"no components: {sorted(lost)}")
    known = {sbom["metadata"]["component"]["bom-ref"], *(row["bom-ref"] for row in kept)}
    edges = [{**row, "dependsOn": [one for one in row.get("dependsOn", []) if one in known]} for row in sbom["dependencies"] if row["ref"] in known]
    return {**sbom, "components": kept, "dependencies": edges}


PARTS = [
    Part("sdist", sdist), Part("crate", crate), Part("npm", npm), Part("sbom", sbom),
    *(Part(f"wheel-{name}", wheel(platform), platform) for name, platform in PLATFORMS.items()),
    *(Part(f"c-{name}", c(platform), platform) for name, platform in PLATFORMS.items()),
    *(Part(f"emulator-{name}", emulator(platform), platform) for name, platform in PLATFORMS.items() if platform.program),
]


def chosen(words: list[str]) -> list[Part]:
    """The parts of these names; `wheel` and `wheel-linux` are all whose names begin so. Without a word, all."""
    unknown = [word for word in words if not any(part.name == word or part.name.startswith(f"{word}-") for part in PARTS)]
    if unknown:
        raise Missing(f"there is no part {', '.join(unknown)}; there are: {' '.join(part.name for part in PARTS)}")
    return [part for part in PARTS if not words or any(part.name == word or part.name.startswith(f"{word}-") for word in words)]


def unpack(path: Path, folder: Path) -> Path:
    """Unpacks an archive; gives the folder that is in it."""
    if path.suffix in (".zip", ".whl"):
        with zipfile.ZipFile(path) as zipped:
            zipped.extractall(folder)
    else:
        with tarfile.open(path) as tar:
            tar.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(folder)
    inside = [one for one in folder.iterdir() if one.is_dir()]
    return inside[0] if len(inside) == 1 else folder
