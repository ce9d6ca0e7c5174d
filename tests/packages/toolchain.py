"""Which compiler builds for a platform, and with what environment.

rustup's compiler where it has the platform's library; else Debian's, which brings the source of the library and builds that
as well. What is built depends on the sources alone: neither on the folders of this machine nor on the time.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import archive

ROOT = archive.ROOT
TOOLS = ROOT / "target" / "venv-dist" / "bin"
WORK = ROOT / "target" / "dist-build"
# One folder for all platforms: Rust's library is built once for each. Not `target/cross`, where that of the suite "windows" is,
# which has checks of its own.
CROSS = ROOT / "target" / "cross-release"
DEBIAN = Path("/usr/bin")
LIBRARY = Path("/usr/lib/rustlib/src/rust/library")


class Missing(RuntimeError):
    """A tool is missing; the text says how it is installed."""


@dataclass(frozen=True)
class Platform:
    """A platform that is built for."""

    name: str
    """As the parts call it: `linux-x86_64`."""
    target: str
    """As Rust calls it."""
    wheel: str
    """What pip calls it: the tag of a wheel of the library."""
    program: str
    """The tags of a wheel with a static program, which needs no C library. Empty: none is made."""
    npm: str
    """As Node calls it, where a package with the program is made for it."""
    glibc: str = ""
    """The oldest glibc that programs run with."""

    @property
    def windows(self) -> bool:
        return "-windows-" in self.target

    @property
    def musl(self) -> bool:
        return self.target.endswith("-musl")


PLATFORMS = {platform.name: platform for platform in (
    Platform("linux-x86_64", "x86_64-unknown-linux-gnu", "manylinux_2_17_x86_64", "", "", "2.17"),
    Platform("linux-aarch64", "aarch64-unknown-linux-gnu", "manylinux_2_17_aarch64", "", "", "2.17"),
    Platform("musl-x86_64", "x86_64-unknown-linux-musl", "musllinux_1_2_x86_64", "manylinux_2_17_x86_64.musllinux_1_1_x86_64", "linux-x64"),
    Platform("musl-aarch64", "aarch64-unknown-linux-musl", "musllinux_1_2_aarch64", "manylinux_2_17_aarch64.musllinux_1_1_aarch64", "linux-arm64"),
    Platform("windows-x86_64", "x86_64-pc-windows-gnu", "win_amd64", "win_amd64", "win32-x64"),
)}


@functools.cache
def rustup_targets() -> frozenset[str]:
    """The targets whose library rustup has installed."""
    if not shutil.which("rustup"):
        return frozenset()
    done = subprocess.run(["rustup", "target", "list", "--installed"], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return frozenset(done.stdout.split())


def require(platform: Platform) -> None:
    """Says what is missing before anything is built."""
    wrong = []
    if not (TOOLS / "maturin").exists():
        wrong.append("target/venv-dist")
    if platform.target not in rustup_targets() and not (LIBRARY.is_dir() and (DEBIAN / "cargo").exists() and (DEBIAN / "rustc").exists()):
        wrong.append(f"Rust's library for {platform.target} (rustup target add {platform.target}, or Debian's rustc-web cargo-web rust-web-src)")
    if platform.windows and not shutil.which("x86_64-w64-mingw32-gcc"):
        wrong.append("gcc-mingw-w64-x86-64")
    if wrong:
        raise Missing(f"{platform.name} needs {', '.join(wrong)}: run tests/setup.sh dist")


def remapped() -> list[tuple[str, str]]:
    """Folders of this machine, and what stands for them in what is built. Of two that fit, rustc takes the last."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    # Below `src` is a folder with the registry's name.
    registries = sorted(path for path in (home / "registry" / "src").glob("*") if path.is_dir())
    # The second build has the tools of the first by a link, and zig names the folder that its headers are in.
    tools = TOOLS.parent.resolve()
    return [(str(ROOT), "junfeiai"), (str(tools), "junfeiai/target/venv-dist"), (str(LIBRARY), "rust"), *((str(path), "crates") for path in registries)]


@functools.cache
def fetched() -> None:
    """The sources of all crates are there: their folders have to be known before they are compiled."""
    subprocess.run([os.environ.get("CARGO", "cargo"), "fetch", "--quiet", "--locked"], cwd=ROOT, check=True)


def clean_environment() -> dict[str, str]:
    """Without what would change what is built, but for the commit that it notes."""
    unwanted = re.compile(r"(?:CARGO_(?!HOME|NET|HTTP|REGISTR|SOURCE|BUILD_JOBS)|RUST(?!UP)|CC|CXX|AR|CFLAGS|LDFLAGS|PYO3_|MATURIN_|JUNFEIAI_(?!COMMIT)|VIRTUAL_ENV|PYTHON(?:PATH|HOME))\w*")
    env = {name: value for name, value in os.environ.items() if not unwanted.fullmatch(name)}
    return dict(env, SOURCE_DATE_EPOCH=str(archive.moment()), LC_ALL="C.UTF-8", TZ="UTC", PYTHONDONTWRITEBYTECODE="1")


def environment(platform: Platform, profile: str) -> dict[str, str]:
    """What cargo, maturin and xtask are called with."""
    require(platform)
    fetched()
    env = clean_environment()
    flags = [f"--remap-path-prefix={folder}={name}" for folder, name in remapped()]
    if platform.windows:
        flags.append("-Clink-arg=-Wl,--no-insert-timestamp")
        env["CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER"] = "x86_64-w64-mingw32-gcc"
        # No Python for Windows is needed: what it exports is generated.
        env.update(PYO3_CROSS="1", PYO3_CROSS_PYTHON_VERSION="3.10")
    if platform.musl:
        # Debian's compiler has none of the files that begin a program; zig has.
        flags.append("-Clink-self-contained=no")
    env["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)
    env["CFLAGS"] = " ".join(shlex.quote(f"-ffile-prefix-map={folder}={name}") for folder, name in remapped())
    env["CC_SHELL_ESCAPED_FLAGS"] = "1"
    path = [str(TOOLS), env["PATH"]]
    cargo = shutil.which("cargo") or "cargo"
    if platform.target in rustup_targets():
        env["CARGO_TARGET_DIR"] = str(CROSS / "rustup")
    else:
        env.update(CARGO_TARGET_DIR=str(CROSS / "debian"), RUSTC_BOOTSTRAP="1", RUSTC=str(DEBIAN / "rustc"), CARGO_UNSTABLE_BUILD_STD="std,panic_abort")
        cargo = str(DEBIAN / "cargo")
        path.insert(0, str(linked(WORK / "debian", {name: DEBIAN / name for name in ("cargo", "rustc")})))
    env["CARGO"] = cargo
    env["PATH"] = os.pathsep.join(path)
    if profile == "dev":
        env.update(CARGO_PROFILE_DEV_DEBUG="0", CARGO_PROFILE_DEV_STRIP="symbols", CARGO_INCREMENTAL="0")
    return env


def linked(folder: Path, programs: dict[str, Path]) -> Path:
    """A folder for PATH with these programs alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in programs.items():
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return folder


def cargo_of(platform: Platform, env: dict[str, str]) -> tuple[str, str]:
    """What builds in place of cargo, and the target as that is told it. zig links for Linux: it has the headers and
    symbols of every glibc, and musl."""
    if platform.windows:
        return env["CARGO"], platform.target
    program = WORK / f"cargo-{platform.name}"
    WORK.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\nCARGO={shlex.quote(env['CARGO'])} exec {shlex.quote(str(TOOLS / 'cargo-zigbuild'))} \"$@\"\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program), platform.target + (f".{platform.glibc}" if platform.glibc else "")


def linker_of(platform: Platform) -> str:
    """What links the C library by itself, against the same glibc."""
    program = WORK / f"cc-{platform.name}"
    WORK.mkdir(parents=True, exist_ok=True)
    system = platform.target.replace("-unknown-", "-") + (f".{platform.glibc}" if platform.glibc else "")
    program.write_text(f"#!/bin/sh\nexec {shlex.quote(str(TOOLS / 'python'))} -m ziglang cc -target {system} \"$@\"\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)
