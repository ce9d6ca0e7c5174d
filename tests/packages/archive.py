#!/usr/bin/env python3
"""Archives whose bytes depend on nothing but what is in them, and the list of what a release consists of.

    tests/packages/archive.py c TARGET          builds the C library; target/dist/junfeiai-c-VERSION-TARGET.tar.gz, .zip for Windows
    tests/packages/archive.py sdist             target/dist/junfeiai-VERSION.tar.gz for PyPI, with the lock file of what is in it
    tests/packages/archive.py wheel FILE ...    the same wheel without what says where and when it was built
    tests/packages/archive.py program FILE ...  the same wheel, of a static program: for every C library of Linux
    tests/packages/archive.py manifest FOLDER   FOLDER/manifest.json, MANIFEST.md and SHA256SUMS of every file in it

Files carry the time SOURCE_DATE_EPOCH, or that of the last commit.
"""

from __future__ import annotations

import argparse
import base64
import csv
import functools
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Where files of a release go; those of a build without optimizations go elsewhere.
DIST = ROOT / "target" / "dist"
CARGO = os.environ.get("CARGO", "cargo")
# The first time that a ZIP file can name.
EARLIEST = 315_532_800


@functools.cache
def moment() -> int:
    """The time that files get."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return max(int(given), EARLIEST)
    said = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True, stdout=subprocess.PIPE, check=False).stdout.strip()
    return max(int(said or 0), EARLIEST)


def pack(folder: Path, archive: Path) -> None:
    """Packs a folder under its own name, in the order of names, without users, times and machines. The archive has its name
    when it is whole."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    partial = archive.with_name(f"{archive.name}.partial")
    (pack_zip if archive.suffix == ".zip" else pack_tar)(folder.parent, paths, partial)
    partial.replace(archive)


def pack_zip(parent: Path, paths: Sequence[Path], archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in paths:
            entry = zipfile.ZipInfo(path.relative_to(parent).as_posix(), time.gmtime(moment())[:6])
            # As made on Unix, wherever it is made.
            entry.create_system, entry.external_attr, entry.compress_type = 3, mode(path) << 16, zipfile.ZIP_DEFLATED
            zipped.writestr(entry, path.read_bytes())


def pack_tar(parent: Path, paths: Sequence[Path], archive: Path) -> None:
    with open(archive, "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed, tarfile.open(
            fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths:
            info = tarfile.TarInfo(path.relative_to(parent).as_posix())
            info.mtime, info.mode = moment(), mode(path)
            if path.is_symlink():
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
                tar.addfile(info)
            else:
                info.size = path.stat().st_size
                with open(path, "rb") as body:
                    tar.addfile(info, body)


def mode(path: Path) -> int:
    return 0o755 if re.search(r"\.(?:so(?:\.[\d.]+)?|dylib|dll|exe)$|^junfeiai-emulator$", path.name) else 0o644


def version() -> str:
    match = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.M)
    assert match, "Cargo.toml has no version"
    return match[1]


INSTALL_C = (CARGO, "run", "--quiet", "--locked", "-p", "xtask", "--no-default-features", "--", "install-c")


def c(target: str, install: Sequence[str | Path] = INSTALL_C, env: Mapping[str, str] | None = None) -> Path:
    """The C library as `install` installs it, by default for the machine that this runs on; the target only names it."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / f"junfeiai-c-{version()}-{target}"
        done = subprocess.run([*map(str, install), "--prefix", str(folder)], cwd=ROOT, env=env, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise RuntimeError(f"the C library cannot be installed:\n{done.stdout[-8000:]}")
        for name in ("README.md", "README.zh-CN.md"):
            document = ROOT / "bindings-c" / name
            place = folder / "share" / "doc" / "junfeiai" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(document, place)
        archive = DIST / f"{folder.name}{'.zip' if 'windows' in target else '.tar.gz'}"
        pack(folder, archive)
    return archive


def sdist() -> Path:
    """What maturin packs, with a lock file of what is in it: `cargo build --locked` refuses that of the whole repository."""
    environments = os.pathsep.join(str(ROOT / "target" / name / "bin") for name in ("venv-dist", "venv"))
    maturin = shutil.which("maturin", path=f"{environments}{os.pathsep}{os.environ['PATH']}")
    if not maturin:
        raise RuntimeError("maturin is missing: run tests/setup.sh dist")
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([maturin, "sdist", "--manifest-path", str(ROOT / "bindings-python" / "Cargo.toml"), "--out", work], check=True)
        made = next(Path(work).glob("*.tar.gz"))
        with tarfile.open(made) as tar:
            tar.extractall(work, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(work)
        folder = Path(work) / made.name[:-len(".tar.gz")]
        metadata = [CARGO, "metadata", "--quiet", "--format-version", "1", "--manifest-path", str(folder / "Cargo.toml")]
        subprocess.run(metadata, check=True, stdout=subprocess.DEVNULL)
        archive = DIST / made.name
        pack(folder, archive)
    return archive


# The parts of this repository in a list of components; in front of them, the folder that it was in.
COMPONENT = re.compile(r'path\+file://[^#"\s]*?/(core|bindings-\w+|tests/[\w-]+)#')
# Where such a part would be found from another part's folder.
DOWNLOAD = re.compile(r'\?download_url=file://[^"#]*')
STAMP = re.compile(r'("timestamp": ")[^"]*(")')


def components(text: str) -> str:
    """A list of components without the folder and the time of the build."""
    stamp = time.strftime(r"\g<1>%Y-%m-%dT%H:%M:%SZ\g<2>", time.gmtime(moment()))
    return STAMP.sub(stamp, DOWNLOAD.sub("", COMPONENT.sub(r"path+file:///\1#", text)))


def wheel(path: Path) -> None:
    """Writes a wheel anew: maturin's list of components names the folder of the repository, and the time."""
    when = moment()
    with zipfile.ZipFile(path) as old:
        entries = [(info, old.read(info)) for info in old.infolist()]
    changed: dict[str, bytes] = {}
    for info, body in entries:
        if re.search(r"\.dist-info/sboms/[^/]+\.json$", info.filename):
            changed[info.filename] = components(body.decode()).encode()
    partial = path.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as new:
        for info, body in entries:
            if info.filename.endswith(".dist-info/RECORD"):
                body = record(body.decode(), changed).encode()
            info.date_time = time.gmtime(when)[:6]
            new.writestr(info, changed.get(info.filename, body))
    partial.replace(path)


def retag(path: Path, tag: str) -> Path:
    """Writes a wheel for other platforms, such as `py3-none-manylinux_2_17_x86_64.musllinux_1_1_x86_64`; gives its new path.

    pip asks the name for the platforms, and the file WHEEL names each of them. For a program that needs no library of the
    system maturin names only one.
    """
    python, abi, platforms = tag.split("-")
    target = path.with_name(f"{'-'.join(path.name.split('-')[:2])}-{tag}.whl")
    with zipfile.ZipFile(path) as old:
        entries = [(info, old.read(info)) for info in old.infolist()]
    [name] = [info.filename for info, _ in entries if info.filename.endswith(".dist-info/WHEEL")]
    lines = [line for line in dict((info.filename, body) for info, body in entries)[name].decode().splitlines() if not line.startswith("Tag: ")]
    said = "\n".join([*filter(None, lines), *(f"Tag: {python}-{abi}-{one}" for one in platforms.split("."))]) + "\n"
    changed = {name: said.encode()}
    path.unlink()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info, body in entries:
            if info.filename.endswith(".dist-info/RECORD"):
                body = record(body.decode(), changed).encode()
            new.writestr(info, changed.get(info.filename, body))
    return target


def static_tag(name: str) -> str:
    """The tag of a wheel with a program that needs no C library, from the name that maturin gave it."""
    match = re.search(r"-py3-none-\w*?linux\w*_(x86_64|aarch64|i686|armv7l)\.", name)
    if not match:
        raise ValueError(f"{name}: it is not a wheel with a program for Linux")
    return f"py3-none-manylinux_2_17_{match[1]}.musllinux_1_1_{match[1]}"


def record(text: str, changed: dict[str, bytes]) -> str:
    """A wheel's list of files with the sums of those that were changed."""
    lines = []
    for row in csv.reader(text.splitlines()):
        if body := changed.get(row[0]):
            digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
            row = [row[0], f"sha256={digest}", str(len(body))]
        lines.append(",".join(row))
    return "\n".join(lines) + "\n"


# Parts of names, and the platform that they stand for; the first one counts.
PLATFORMS = [
    (r"emulator-linux-x64-|^junfeiai[-_]emulator-.*(?:manylinux\w*_x86_64|x86_64-unknown-linux-musl)", "Linux x86_64, any"),
    (r"emulator-linux-arm64-|^junfeiai[-_]emulator-.*(?:manylinux\w*_aarch64|aarch64-unknown-linux-musl)", "Linux aarch64, any"),
    (r"emulator-win32-x64-", "Windows x86_64"),
    (r"emulator-darwin-arm64-", "macOS arm64"),
    (r"emulator-darwin-x64-", "macOS x86_64"),
    (r"\.cyclonedx\.json$|\.crate$|\.tgz$|^junfeiai-[\d.]+\.tar\.gz$", "any"),
    (r"manylinux\w*_x86_64|x86_64-unknown-linux-gnu", "Linux x86_64, glibc"),
    (r"manylinux\w*_aarch64|aarch64-unknown-linux-gnu", "Linux aarch64, glibc"),
    (r"musllinux\w*_x86_64|x86_64-unknown-linux-musl", "Linux x86_64, musl"),
    (r"musllinux\w*_aarch64|aarch64-unknown-linux-musl", "Linux aarch64, musl"),
    (r"win_amd64|x86_64-pc-windows", "Windows x86_64"),
    (r"macosx\w*_arm64|aarch64-apple-darwin", "macOS arm64"),
    (r"macosx\w*_x86_64|x86_64-apple-darwin", "macOS x86_64"),
]


def platform(name: str) -> str:
    for pattern, meaning in PLATFORMS:
        if re.search(pattern, name):
            return meaning
    raise ValueError(f"{name}: of which platform is it?")


# What stands in a folder of a release beside its files.
LISTS = ("manifest.json", "MANIFEST.md", "SHA256SUMS")


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    """What a folder's list says of each file that is still as it was listed."""
    path = folder / "manifest.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["files"] if path.exists() else []
    return {row["name"]: row for row in rows if (folder / row["name"]).is_file() and sha256(folder / row["name"]) == row["sha256"]}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest(folder: Path, said: Mapping[str, Mapping[str, object]] | None = None) -> list[dict[str, Any]]:
    """Writes the list of a folder: name, size in bytes, SHA-256 and platform of every file, in the order of their names, and
    what was tried with it: `profile`, `tested` and `not_tested`, from `said` or else from the list that is there."""
    known = listed(folder)
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.iterdir()):
        if path.name not in LISTS:
            row: dict[str, Any] = {"name": path.name, "size": path.stat().st_size, "sha256": sha256(path), "platform": platform(path.name)}
            tried = {"tested": [], "not_tested": [], **known.get(path.name, {}), **(said or {}).get(path.name, {})}
            row.update({name: tried[name] for name in ("profile", "tested", "not_tested") if name in tried})
            rows.append(row)
    if not rows:
        raise ValueError(f"{folder}: nothing is in it")
    (folder / "manifest.json").write_text(json.dumps({"version": version(), "files": rows}, indent=2) + "\n", encoding="utf-8")
    (folder / "MANIFEST.md").write_text(table(rows), encoding="utf-8")
    (folder / "SHA256SUMS").write_text("".join(f"{row['sha256']}  {row['name']}\n" for row in rows), encoding="utf-8")
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The list for people."""
    lines = [f"# Files of junfeiai {version()}", "", "| file | bytes | SHA-256 | platform | tested | not tested |", "|---|---|---|---|---|---|"]
    for row in rows:
        name = row["name"] + (" (not a release build)" if row.get("profile", "release") != "release" else "")
        cells = [name, str(row["size"]), f"`{row['sha256']}`", row["platform"], "; ".join(row["tested"]) or "nothing", "; ".join(row["not_tested"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Archives and the list of a release.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("c").add_argument("target")
    commands.add_parser("sdist")
    commands.add_parser("wheel").add_argument("files", nargs="+", type=Path)
    commands.add_parser("program").add_argument("files", nargs="+", type=Path)
    commands.add_parser("manifest").add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "manifest":
        for row in manifest(arguments.folder):
            print(f"{row['sha256']}  {row['size']:>10}  {row['platform']:<22}  {row['name']}")
    elif arguments.command == "program":
        for path in arguments.files:
            print(retag(path, static_tag(path.name)))
    elif arguments.command == "wheel":
        for path in arguments.files:
            wheel(path)
    else:
        made = c(arguments.target) if arguments.command == "c" else sdist()
        print(made.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
