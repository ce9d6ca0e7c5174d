#!/usr/bin/env python3
"""A rehearsal of a release: in a copy of the repository the version is raised and the place of publication is named; what is
made of it is looked into. Then the workflows, which only a hosting service can run.

    tests/packages/run.py

The npm tarball is the one that `make npm` has made. With JUNFEIAI_ALL the packed crate is compiled with its examples, and a
wheel is built from the sdist; the registry of Rust is asked whether the crate could be published.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import archive
import contents
import dist
import parts
import toolchain
import trials

ROOT = contents.ROOT
WORK = ROOT / "target" / "packages"
TREE = WORK / "tree"
TOOLS = ROOT / "target" / "venv-packages" / "bin"
ALL = bool(os.environ.get("JUNFEIAI_ALL"))

# The version of the rehearsal, its day, and a repository that there is not.
VERSION, DAY, PLACE = "9.8.7", "2030-01-02", "https://example.org/owner/junfeiai"
# What may be sent to the Rust registry.
PUBLISHED = {"junfeiai"}

passed = failed = 0


def report(name: str, problems: Iterable[str]) -> None:
    global passed, failed
    try:
        wrong = list(problems)
    except (OSError, ValueError, AssertionError, RuntimeError, subprocess.CalledProcessError) as error:
        wrong = [str(error), *str(getattr(error, "stdout", None) or "").splitlines()[-20:]]
    passed, failed = passed + (not wrong), failed + bool(wrong)
    print(f"{'FAILED' if wrong else 'ok    '} {name}", *(f"       {problem}" for problem in wrong), sep="\n", flush=True)


def run(*command: str | Path, cwd: Path = ROOT, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=cwd, env={**os.environ, **env}, text=True, check=check, timeout=1200,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def xtask(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return run("cargo", "run", "--quiet", "--locked", "-p", "xtask", "--no-default-features", "--", *words, check=check)


def copy_tree() -> None:
    """The repository without what is built or installed in it: other suites may be at work there."""
    shutil.rmtree(TREE, ignore_errors=True)
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", check=False)
    if listed.returncode:
        built = shutil.ignore_patterns("target", "node_modules", ".git", "__pycache__", "*.so", "*.pyc")
        shutil.copytree(ROOT, TREE, ignore=built, symlinks=True)
        return
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)


# The version.


def one_version() -> Iterable[str]:
    done = xtask("bump", "--check", check=False)
    if done.returncode:
        yield done.stdout


def bumped() -> Iterable[str]:
    """Every place has the new version, and cargo finds its lock files right."""
    xtask("bump", VERSION, "--date", DAY, "--root", str(TREE))
    xtask("bump", "--check", "--tag", f"v{VERSION}", "--root", str(TREE))
    for lock in ("Cargo.toml", "tests/fuzz/Cargo.toml"):
        run("cargo", "metadata", "--quiet", "--locked", "--format-version", "1", "--manifest-path", TREE / lock)
    header = (TREE / "bindings-c/include/junfeiai.h").read_text(encoding="utf-8")
    for line in ('VERSION "9.8.7"', "VERSION_MAJOR 9", "VERSION_MINOR 8", "VERSION_PATCH 7"):
        if f"\n#define JFAI_{line}\n" not in header:
            yield f"junfeiai.h has no JFAI_{line}"
    if f"\n## Unreleased\n\n## {VERSION} - {DAY}\n\n### Added\n" not in (TREE / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield "CHANGELOG.md has no heading of the release, with what was unreleased below it"


def refused(what: str, words: list[str], says: str) -> Iterable[str]:
    done = xtask(*words, "--root", str(TREE), check=False)
    if done.returncode == 0:
        yield f"{what} is taken"
    elif says not in done.stdout:
        yield f"{what}: {done.stdout}"


def wrong_versions_are_refused() -> Iterable[str]:
    yield from refused("a version of four numbers", ["bump", "1.2.3.4", "--date", DAY], "three numbers")
    yield from refused("the same release again", ["bump", VERSION, "--date", DAY], "has 9.8.7 already")
    yield from refused("a day that is none", ["bump", "9.9.0", "--date", "today"], "not a day")
    yield from refused("another tag", ["bump", "--check", "--tag", "v9.8.6"], "v9.8.6 is not v9.8.7")
    yield from refused("a repository without https", ["repository", "example.org/owner", "--ref", "v1"], "not the https address")
    yield from refused("a repository without a tag", ["repository", PLACE, "--ref", ""], "--ref (REF) is the tag or commit")


# One place after the other is made to disagree: text, what replaces it, and what is said.
DISAGREEING = {
    "Cargo.toml": (f'version = "{VERSION}", default-features', 'version = "9.8.6", default-features', "Cargo.toml"),
    "Cargo.lock": (f'name = "junfeiai"\nversion = "{VERSION}"', 'name = "junfeiai"\nversion = "9.8.6"', "Cargo.lock: junfeiai has another version"),
    "tests/fuzz/Cargo.lock": (f'version = "{VERSION}"', 'version = "9.8.6"', "fuzz/Cargo.lock: junfeiai has another version"),
    "bindings-c/include/junfeiai.h": ("JFAI_VERSION_PATCH 7", "JFAI_VERSION_PATCH 6", "JFAI_VERSION_PATCH"),
    "bindings-python/pyproject.toml": ('dynamic = ["version"]', f'version = "{VERSION}"', "dynamic"),
    "bindings-wasm/npm.json": ('"version": "0.0.0"', '"version": "9.8.6"', "npm.json"),
    "CHANGELOG.md": (f"## {VERSION} - ", "## 9.8.6 - ", "CHANGELOG.md"),
    # Even the right number: the next version finds it there.
    "bindings-c/README.md": ("find_package(junfeiai REQUIRED)", f"find_package(junfeiai {VERSION[:3]} REQUIRED)", "bindings-c/README.md:"),
    "bindings-c/README.zh-CN.md": ("libjunfeiai.so.0.MINOR", f"libjunfeiai.so.{VERSION[0]}", "bindings-c/README.zh-CN.md:"),
    "bindings-c/tests/run.py": ('f"JUNFEIAI_{compatible()}"', f'"JUNFEIAI_{VERSION[0]}"', "bindings-c/tests/run.py:"),
}


def disagreement(file: str) -> Iterable[str]:
    """A place that disagrees is named."""
    old, new, says = DISAGREEING[file]
    path = TREE / file
    text = path.read_text(encoding="utf-8")
    if old not in text:
        yield f"{old!r} is not in it"
        return
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        yield from refused(f"{new!r}", ["bump", "--check"], says)
    finally:
        path.write_text(text, encoding="utf-8")


def lines_on_windows() -> Iterable[str]:
    """git writes files there as it finds best, where nobody says how: the tools that edit manifests look for lines, and what is packed
    would have other bytes."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (".gitattributes", "Cargo.toml", "LICENSE-MIT"):
            shutil.copy(ROOT / name, folder)
        run("git", "init", "--quiet", cwd=Path(folder))
        run("git", "add", "--all", cwd=Path(folder))
        for name in ("Cargo.toml", "LICENSE-MIT"):
            (Path(folder) / name).unlink()
            run("git", "-c", "core.autocrlf=true", "checkout", "--quiet", "--", name, cwd=Path(folder))
            if (Path(folder) / name).read_bytes() != (ROOT / name).read_bytes():
                yield f"{name} has other lines in a checkout on Windows: .gitattributes has to say eol=lf"


# Licences.


def licences() -> Iterable[str]:
    done = xtask("licences", "--check", check=False)
    if done.returncode:
        yield done.stdout


def published() -> Iterable[str]:
    """Nothing is sent to the Rust registry by accident."""
    packages = json.loads(run("cargo", "metadata", "--quiet", "--locked", "--no-deps", "--format-version", "1").stdout)["packages"]
    for package in packages:
        if package["publish"] is None and package["name"] not in PUBLISHED:
            yield f"{package['name']}: publish = false is missing"


INSTALL = re.compile(r"(?:pip3?|uv|pipx)\b.*\b(?:install|add)\b[^#]*|(?:uvx|npx|bunx|pnpx)\b.*|(?:pnpm|yarn) dlx\b.*|(?:npm|pnpm|yarn|bun)\b.*\b(?:install|i|add)\b[^#]*|cargo (?:add|install)\b[^#]*")
OURS = re.compile(r"(?:^|\s|[\"'])(junfeiai(?:-[\w-]+)?(?:\[[\w,]+\])?(?:[=@]\S+)?)(?=[\"'\s]|$)")


def installed_by(line: str) -> list[str]:
    """Names of ours that a line installs from a registry."""
    commands = [command for command in INSTALL.findall(line) if not re.search(r"--(?:path|find-links|no-index|no-install)\b", command)]
    return [name for command in commands for name in OURS.findall(command)]


def nothing_to_install() -> Iterable[str]:
    """No guide, example or message tells to install a name that no registry has yet: they are claimed by a release, not before."""
    for line, names in {'pip install "junfeiai[cli]"': ["junfeiai[cli]"], "uv add junfeiai": ["junfeiai"], "npm i -D junfeiai-emulator": ["junfeiai-emulator"],
                        "cargo add junfeiai": ["junfeiai"], "npx junfeiai doctor": ["junfeiai"], "npx --no-install junfeiai doctor": [], "pip install ./bindings-python": [], "npm install ./target/npm/junfeiai-*.tgz": [],
                        "pip install --no-index --find-links target/wheels junfeiai": []}.items():
        if installed_by(line) != names:
            yield f"{line}: {installed_by(line)} is found"
    guides = [path for path in sorted(ROOT.rglob("*.md")) if not {"target", "node_modules"} & set(path.relative_to(ROOT).parts)]
    if len(guides) < 10:
        yield f"only {len(guides)} documents are found"
    folders = [ROOT / name for name in ("core/src", "core/examples", "bindings-python/python", "bindings-python/examples", "bindings-wasm/ts", "bindings-wasm/examples",
                                        "bindings-wasm/demo", "bindings-c/include", "bindings-c/examples", "bindings-c/packaging", "tests/emulator")]
    sources = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in (".rs", ".py", ".pyi", ".ts", ".js", ".mjs", ".html", ".ipynb", ".h", ".hpp",
                                                                                                 ".c", ".cpp", ".cmake", ".toml", ".json") and "node_modules" not in path.parts]
    if len(sources) < 100:
        yield f"only {len(sources)} sources are found"
    for guide in guides + sources:
        for number, line in enumerate(guide.read_text(encoding="utf-8").splitlines(), 1):
            yield from (f"{guide.relative_to(ROOT)}:{number}: {name} is in no registry yet" for name in installed_by(line))


# How Python's classifiers call the systems of runners.
SYSTEMS = {"ubuntu": "POSIX :: Linux", "macos": "MacOS", "windows": "Microsoft :: Windows"}


def metadata_of_python() -> Iterable[str]:
    """It names the Pythons and systems that the release tests, and asks for none of our own packages."""
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    job = workflow.partition("\n  wheel-tests:\n")[2].partition("steps:")[0]
    pythons = re.findall(r'"(3\.\d+)"', job)
    systems = {SYSTEMS[runner] for runner in re.findall(r"\b(ubuntu|macos|windows)-", job)}
    if len(pythons) < 5 or len(systems) < 3:
        yield f"the release tests {pythons} on {systems}"
    for file in ("bindings-python/pyproject.toml", "tests/emulator/pyproject.toml"):
        project = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]
        told = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.M)
        if told != pythons or project["requires-python"] != f">={pythons[0]}":
            yield f"{file} names Python {', '.join(told)}, {project['requires-python']}; the release tests {', '.join(pythons)}"
        said = {line.partition(" :: ")[2] for line in project["classifiers"] if line.startswith("Operating System :: ")}
        if said != systems:
            yield f"{file} names the systems {sorted(said)}; the release tests {sorted(systems)}"
        for requirement in [*project["dependencies"], *(one for extra in project.get("optional-dependencies", {}).values() for one in extra)]:
            if re.match(r"junfeiai\b", requirement):
                yield f"{file} asks for {requirement}, which is in no registry yet"


def typed() -> Iterable[str]:
    done = run(ROOT / "target" / "venv" / "bin" / "python", "-m", "mypy", "--strict", "--cache-dir", ROOT / "target" / "mypy", *sorted(Path(__file__).parent.glob("*.py")),
               cwd=Path(__file__).parent, check=False)
    if done.returncode:
        yield done.stdout


# What is made.


def named() -> Iterable[str]:
    """Manifests name the repository; links are whole, and those that were whole are what they were."""
    xtask("repository", PLACE, "--ref", f"v{VERSION}", "--root", str(TREE))
    for file, text in {"Cargo.toml": f'\nrepository = "{PLACE}"\n', "bindings-python/pyproject.toml": f'\nRepository = "{PLACE}"\n',
                       "core/README.md": f"](https://example.org/owner/junfeiai/blob/v{VERSION}/core/docs/ARCHITECTURE.md)"}.items():
        if text not in (TREE / file).read_text(encoding="utf-8"):
            yield f"{file} has no {text.strip()}"
    if json.loads((TREE / "bindings-wasm/npm.json").read_text(encoding="utf-8"))["repository"]["url"] != f"git+{PLACE}.git":
        yield "npm.json names another repository"
    for guide in ("core/README.md", "bindings-python/README.zh-CN.md", "bindings-wasm/README.md"):
        old, new = ((root / guide).read_text(encoding="utf-8") for root in (ROOT, TREE))
        if contents.relative_links(new):
            yield f"{guide} has links to files beside it"
        if re.sub(r"\]\([^)]*\)", "", old) != re.sub(r"\]\([^)]*\)", "", new) or old.count("](http") > new.count("](http"):
            yield f"{guide} differs in more than its links"



def sdist() -> Path:
    run(sys.executable, TREE / "tests" / "packages" / "archive.py", "sdist", cwd=TREE, PATH=f"{ROOT / 'target/venv/bin'}{os.pathsep}{os.environ['PATH']}")
    return TREE / "target" / "dist" / f"junfeiai-{VERSION}.tar.gz"


def crate() -> Path:
    run("cargo", "package", "-p", "junfeiai", "--locked", "--no-verify", "--allow-dirty", cwd=TREE, CARGO_TARGET_DIR=str(TREE / "target"))
    return TREE / "target" / "package" / f"junfeiai-{VERSION}.crate"


def tarball() -> Path:
    path = ROOT / "target" / "npm" / f"junfeiai-{archive.version()}.tgz"
    if not path.exists():
        raise ValueError("there is no npm package: run make npm")
    return path


def looked_into(make: Callable[[], Path], version: str, *, public: bool) -> Iterable[str]:
    path = make()
    yield from contents.problems(path, public=public)
    if (said := contents.Package(path).version()) != version:
        yield f"it says that it is {said}"


def from_the_sdist() -> Iterable[str]:
    """Its lock file is that of what is in it."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(sdist_path()) as tar:
        tar.extractall(folder, filter="data")
        manifest = Path(folder) / f"junfeiai-{VERSION}" / "Cargo.toml"
        done = run("cargo", "metadata", "--quiet", "--locked", "--format-version", "1", "--manifest-path", manifest, check=False)
        if done.returncode:
            yield done.stdout
        if ALL:
            # It is for the machine that builds it, and may name its folders.
            wheels = Path(folder) / "wheels"
            run(ROOT / "target/venv/bin/maturin", "build", "--locked", "-m", manifest.parent / "bindings-python" / "Cargo.toml", "--out", wheels,
                CARGO_TARGET_DIR=str(WORK / "build"))
            yield from (problem for problem in contents.problems(next(wheels.glob("*.whl"))) if "names a folder" not in problem)
            # A step of the release.
            shutil.copy(sdist_path(), wheels)
            run("make", "check-wheels", f"DIST={wheels}", PATH=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")


def from_the_crate() -> Iterable[str]:
    """Its examples, tests and documentation compile without the repository."""
    trials.crate(crate_path(), trials.Trial())
    yield from ()


def sdist_path() -> Path:
    return TREE / "target" / "dist" / f"junfeiai-{VERSION}.tar.gz"


def crate_path() -> Path:
    return TREE / "target" / "package" / f"junfeiai-{VERSION}.crate"


def metadata_of_pypi(path: Path) -> Iterable[str]:
    done = run(TOOLS / "twine", "check", "--strict", path, check=False)
    if done.returncode or "PASSED" not in done.stdout:
        yield done.stdout


def twice_the_same() -> Iterable[str]:
    first = sdist_path().read_bytes()
    sdist()
    if sdist_path().read_bytes() != first:
        yield "the sdist has other bytes when it is made again"


# That faults are found.


def wheel(folder: Path, **changes: bytes | None) -> Path:
    """A wheel of what the checks ask for, with other files, or without some."""
    info = f"junfeiai-{VERSION}.dist-info"
    files: dict[str, bytes | None] = {
        "junfeiai/_native.abi3.so": b"\x7fELF", "junfeiai/py.typed": b"", "junfeiai/_native.pyi": b"x: int",
        f"{info}/METADATA": b"".join([f"Metadata-Version: 2.4\nName: junfeiai\nVersion: {VERSION}\n".encode(),
                                      *(f"License-File: {name}\n".encode() for name in (*contents.OWN, contents.THIRD)), b"\n# A guide\n"]),
        **{f"{info}/licenses/{name}": (ROOT / name).read_bytes() for name in contents.OWN},
        f"{info}/licenses/{contents.THIRD}": b"texts", **changes}
    path = folder / f"junfeiai-{VERSION}-cp310-abi3-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(path, "w") as zipped:
        for name, body in files.items():
            if body is not None:
                zipped.writestr(name, body)
    return path


FAULTS: dict[str, tuple[dict[str, bytes | None], str]] = {
    "nothing": ({}, ""),
    "compiled Python": ({"junfeiai/__pycache__/a.cpython-311.pyc": b"x"}, "is left over"),
    "a folder of the machine in the module": ({"junfeiai/_native.abi3.so": b"\x7fELF /home/builder/crates/a.rs"}, "names a folder of the machine"),
    "the registry's folder in the module": ({"junfeiai/_native.abi3.so": b"x/cargo/registry/src/index/a.rs"}, "names a folder of the machine"),
    "the folder of Debian's compiler in the module": ({"junfeiai/_native.abi3.so": b"x/usr/lib/rustlib/src/rust/library/std/src/io/mod.rs"}, "names a folder of the machine"),
    "a folder of the machine in a program": ({"junfeiai/bin/junfeiai-emulator": b"\x7fELF /home/builder/crates/a.rs"}, "names a folder of the machine"),
    "the repository's folder in a text": ({"junfeiai/a.py": str(contents.ROOT).encode()}, "names a folder of the machine"),
    "no licence": ({f"junfeiai-{VERSION}.dist-info/licenses/LICENSE-MIT": None}, "LICENSE-MIT is missing"),
    "another licence": ({f"junfeiai-{VERSION}.dist-info/licenses/LICENSE-MIT": b"mine"}, "not the licence of the project"),
    "no licences of others": ({f"junfeiai-{VERSION}.dist-info/licenses/{contents.THIRD}": None}, f"{contents.THIRD} is missing"),
    "no module": ({"junfeiai/_native.abi3.so": None}, "0 native modules"),
    "no types": ({"junfeiai/py.typed": None}, "py.typed is missing"),
    "a place outside": ({"../evil.py": b"x"}, "unpacked elsewhere"),
}


def fault(name: str) -> Iterable[str]:
    changes, says = FAULTS[name]
    with tempfile.TemporaryDirectory() as folder:
        wrong = contents.problems(wheel(Path(folder), **changes))
    if says and not any(says in problem for problem in wrong):
        yield f"it is not found: {wrong}"
    if not says:
        yield from wrong


def relative_links() -> Iterable[str]:
    text = "[a](b.md) `x` [c](#d) [e](https://example.org/f)\n```c\nf[1](x)\n```\n[g](../h/i.md#j)\n"
    if (found := contents.relative_links(text)) != ["b.md", "../h/i.md#j"]:
        yield f"{found}"


def archives() -> Iterable[str]:
    """The same folder gives the same bytes, whatever its files' times."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "junfeiai-c-1.2.3-x86_64-unknown-linux-gnu"
        library = f"libjunfeiai.so.{VERSION}"
        made = []
        for time in (1_000_000_000, 1_500_000_000):
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "lib").mkdir(parents=True)
            names = [f"lib/{library}", "a.txt"]
            for name in names if time > 1_200_000_000 else reversed(names):
                (folder / name).write_bytes(b"x")
                os.utime(folder / name, (time, time))
            (folder / "lib/libjunfeiai.so").symlink_to(library)
            dist = Path(work) / f"dist-{time}"
            for ending in (".tar.gz", ".zip"):
                archive.pack(folder, dist / f"{folder.name}{ending}")
            made.append([path.read_bytes() for path in sorted(dist.iterdir())])
        if made[0] != made[1]:
            yield "an archive has other bytes when it is made again"
        with tarfile.open(dist / f"{folder.name}.tar.gz") as tar:
            if (link := tar.getmember(f"{folder.name}/lib/libjunfeiai.so")).linkname != library or not link.issym():
                yield "the link is none in the archive"


def lists() -> Iterable[str]:
    """The list of a release: sums, platforms, and what was tried with each file for as long as it is the same file."""
    with tempfile.TemporaryDirectory() as work:
        dist = Path(work)
        names = {"junfeiai-c-1.2.3-x86_64-pc-windows-gnu.zip": "Windows x86_64", "junfeiai-1.2.3.tar.gz": "any",
                 "junfeiai-1.2.3-cp310-abi3-musllinux_1_2_aarch64.whl": "Linux aarch64, musl", "junfeiai-emulator-linux-x64-1.2.3.tgz": "Linux x86_64, any",
                 "junfeiai_emulator-1.2.3-py3-none-manylinux_2_17_aarch64.musllinux_1_1_aarch64.whl": "Linux aarch64, any", "junfeiai-emulator-1.2.3.tgz": "any",
                 "junfeiai-emulator-1.2.3.cyclonedx.json": "any"}
        for name in names:
            (dist / name).write_bytes(name.encode())
        tried = {"profile": "dev", "tested": ["contents", "links"], "not_tested": ["running it: no Windows is here"]}
        rows = archive.manifest(dist, {"junfeiai-c-1.2.3-x86_64-pc-windows-gnu.zip": tried})
        if {row["name"]: row["platform"] for row in rows} != names or [row["name"] for row in rows] != sorted(names):
            yield f"{rows}"
        done = run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=dist, check=False)
        if done.returncode or done.stdout.count(": OK\n") != len(names):
            yield done.stdout
        shown = (dist / "MANIFEST.md").read_text(encoding="utf-8")
        for text in ("windows-gnu.zip (not a release build) |", "| Windows x86_64 | contents; links | running it: no Windows is here |", "| any | nothing |  |"):
            if text not in shown:
                yield f"MANIFEST.md has no {text}"
        first = (dist / "manifest.json").read_bytes()
        archive.manifest(dist)
        if (dist / "manifest.json").read_bytes() != first:
            yield "the list has other bytes when it is made again"
        (dist / "junfeiai-c-1.2.3-x86_64-pc-windows-gnu.zip").write_bytes(b"another")
        if any("links" in row["tested"] for row in archive.manifest(dist)):
            yield "what was tried with another file is said of this one"
        (dist / "junfeiai-1.2.3-cp310-abi3-plan9.whl").write_bytes(b"x")
        try:
            archive.manifest(dist)
            yield "a file of an unknown platform is listed"
        except ValueError:
            pass


def programs_wheel() -> Iterable[str]:
    """The wheel of a static program: pip takes it for both C libraries of Linux, and it is what its name says."""
    info = f"junfeiai_emulator-{VERSION}.dist-info"
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / f"junfeiai_emulator-{VERSION}-py3-none-manylinux_2_34_x86_64.whl"
        files = {f"junfeiai_emulator-{VERSION}.data/scripts/junfeiai-emulator": b"\x7fELF", "junfeiai_emulator/py.typed": b"", "junfeiai_emulator/pytest_plugin.py": b"",
                 f"{info}/METADATA": b"".join([f"Metadata-Version: 2.4\nName: junfeiai-emulator\nVersion: {VERSION}\n".encode(),
                                               *(f"License-File: {name}\n".encode() for name in (*contents.OWN, contents.THIRD)), b"\n# A guide\n"]),
                 f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux_2_34_x86_64\n",
                 **{f"{info}/licenses/{name}": (ROOT / name).read_bytes() for name in contents.OWN}, f"{info}/licenses/{contents.THIRD}": b"texts"}
        files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD")).encode()
        with zipfile.ZipFile(path, "w") as zipped:
            for name, body in files.items():
                zipped.writestr(name, body)
        made = archive.retag(path, archive.static_tag(path.name))
        if made.name != f"junfeiai_emulator-{VERSION}-py3-none-manylinux_2_17_x86_64.musllinux_1_1_x86_64.whl" or path.exists():
            yield made.name
        archive.wheel(made)
        yield from contents.problems(made)
        for tag in ("manylinux_2_17_x86_64", "musllinux_1_1_x86_64"):
            done = run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--only-binary=:all:", "--platform", tag,
                       "--target", Path(work) / tag, made, check=False)
            if done.returncode:
                yield f"{tag}: {done.stdout}"
        wrong = made.rename(made.with_name(f"junfeiai_emulator-{VERSION}-py3-none-win_amd64.whl"))
        if not any("other platforms" in problem for problem in contents.problems(wrong)):
            yield "a name that says another platform is not found"
        try:
            archive.static_tag(wrong.name)
            yield "a program for Windows is said to be one for Linux"
        except ValueError:
            pass


def programs_of_npm() -> Iterable[str]:
    """The emulator's npm package depends on no program that nobody makes."""
    text = (ROOT / "tests/emulator/npm/index.mjs").read_text(encoding="utf-8")
    named = re.findall(r'"([^"]+)"', next(line for line in text.splitlines() if line.startswith("export const PLATFORMS = ")))
    made = sorted(platform.npm for platform in toolchain.PLATFORMS.values() if platform.program)
    if named != made:
        yield f"it names {', '.join(named)}, and make dist makes {', '.join(made)}"


def words_of_dist() -> Iterable[str]:
    """Parts are chosen by how their names begin; a wrong name and a missing tool are said in one line."""
    for words, names in {("wheel-linux", "npm"): ["npm", "wheel-linux-x86_64", "wheel-linux-aarch64"], ("c-musl-x86_64",): ["c-musl-x86_64"]}.items():
        if (found := [part.name for part in parts.chosen(list(words))]) != names:
            yield f"{words}: {found}"
    if parts.chosen([]) != parts.PARTS:
        yield "without a word it is not all"
    done = run(sys.executable, Path(__file__).with_name("dist.py"), "wheel-plan9", check=False)
    if done.returncode != 1 or not done.stdout.startswith("dist: there is no part wheel-plan9; there are: sdist crate npm "):
        yield done.stdout
    nowhere = toolchain.Platform("nowhere-x86_64", "x86_64-nowhere-windows-none", "", "", "")
    had, toolchain.LIBRARY = toolchain.LIBRARY, Path("/nowhere")
    try:
        toolchain.require(nowhere)
        yield "a library that is not there is not missed"
    except toolchain.Missing as error:
        if "\n" in str(error) or "rustup target add x86_64-nowhere-windows-none" not in str(error) or not str(error).endswith("run tests/setup.sh dist"):
            yield str(error)
    finally:
        toolchain.LIBRARY = had


def built_twice() -> Iterable[str]:
    """What the second build makes otherwise, or does not make, is named. What is not committed keeps nobody from the first."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder, tempfile.TemporaryDirectory() as clone:
        made = [Path(folder) / name for name in ("same", "other", "missing")]
        second = Path(clone) / Path(folder).relative_to(ROOT)
        second.mkdir(parents=True)
        for path in made:
            path.write_bytes(b"x")
        (second / "same").write_bytes(b"x")
        (second / "other").write_bytes(b"y")
        failures: list[str] = []
        said: dict[str, dict[str, Any]] = {}
        with mock.patch.multiple(dist, CLONE=Path(clone), clone=mock.DEFAULT), mock.patch("subprocess.run") as build:
            dist.twice({parts.chosen(["crate"])[0]: made}, "dev", said, failures)
    if build.call_args.args[0][2:] != ["--profile", "dev", "--only-build", "crate"]:
        yield f"{build.call_args}"
    if [failure.split()[0] for failure in failures] != ["other", "missing"] or list(said) != ["same"]:
        yield f"{failures}, {said}"
    for changed, names in (("", ["sdist", "crate"]), (" M core/src/lib.rs\n", [])):
        with mock.patch.object(parts, "run", return_value=changed), contextlib.redirect_stdout(io.StringIO()) as output:
            found = [part.name for part in dist.comparable(["sdist", "crate"])]
        if found != names or output.getvalue().startswith("not run: ") == bool(names):
            yield f"{changed!r}: {found}, {output.getvalue()}"


def environment_of_dist() -> Iterable[str]:
    """What is built notes the commit that the caller names; no other setting changes it, and no key goes to the tools."""
    told = {"JUNFEIAI_COMMIT": "0123456", "CARGO_BUILD_JOBS": "1", "JUNFEIAI_API_KEY": "sk-x", "CARGO_BUILD_TARGET": "nowhere", "RUSTFLAGS": "-O", "CC": "nothing"}
    with mock.patch.dict(os.environ, told):
        kept = sorted(told.keys() & toolchain.clean_environment().keys())
    if kept != ["CARGO_BUILD_JOBS", "JUNFEIAI_COMMIT"]:
        yield f"kept: {kept}"


# In place of cargo: makes files of the names that a target's libraries have, and says what rustc says.
BUILDER = """\
#!{python}
import os, pathlib, subprocess, sys
target = next(word.partition("=")[2] for word in sys.argv if word.startswith("--target="))
folder = pathlib.Path(os.environ["CARGO_TARGET_DIR"], target.partition(".")[0], "release-c")
folder.mkdir(parents=True)
for name in {names!r}:
    (folder / name).write_text(target)
    if name.endswith(".a") and "-linux-" in target:
        # The shared library is linked from it.
        subprocess.run(["cc", "-x", "c", "-c", "-fPIC", "-o", folder / "one.o", "-"], input=b"int jfai_one(void) {{ return 1; }}", check=True)
        (folder / name).unlink()
        subprocess.run(["ar", "rcs", folder / name, folder / "one.o"], check=True)
print("note: native-static-libs: {system}", file=sys.stderr)
"""


def installed(
    target: str, names: list[str], files: set[str], *, shared: bool, system: str = "-lpthread -lc -lpthread", once: tuple[str, ...] = ("-lpthread", "-lc"), name: str = "",
) -> Iterable[str]:
    """What is installed of the C library for a target that the compiler makes these files for."""
    run("cargo", "build", "--quiet", "--locked", "-p", "xtask", "--no-default-features")
    program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "xtask"
    with tempfile.TemporaryDirectory() as work:
        cargo, prefix = Path(work) / "cargo", Path(work) / "prefix"
        cargo.write_text(BUILDER.format(python=sys.executable, names=names, system=system), encoding="utf-8")
        cargo.chmod(0o755)
        run(program, "install-c", "--target", target, "--prefix", prefix, CARGO=str(cargo), CARGO_TARGET_DIR=f"{work}/target")
        found = {path.relative_to(prefix).as_posix() for folder in ("lib", "bin") for path in (prefix / folder).glob("*") if not path.is_dir()}
        if found != files:
            yield f"{sorted(found)}"
        config = (prefix / "lib/cmake/junfeiai/junfeiaiConfig.cmake").read_text(encoding="utf-8")
        if ("SHARED" in config) != shared or "add_library(junfeiai::static STATIC IMPORTED)" not in config:
            yield config
        # Programs link with the same name everywhere.
        if config.count("add_library(junfeiai::junfeiai ") != 1 or ("add_library(junfeiai::junfeiai INTERFACE IMPORTED)" in config) == shared:
            yield config
        if f'INTERFACE_LINK_LIBRARIES "{";".join(once)}"' not in config or (name and f'IMPORTED_SONAME "{name}"' not in config):
            yield config
        package = (prefix / "lib/pkgconfig/junfeiai.pc").read_text(encoding="utf-8")
        lines = f"-ljunfeiai\nLibs.private: {' '.join(once)}\n" if shared else f"-ljunfeiai {' '.join(once)}\nLibs.private:"
        # As the CMake target has it: on Windows the header means the DLL without it.
        if lines not in package or "\nCflags.private: -DJFAI_STATIC\n" not in package:
            yield package


def installs() -> Iterable[str]:
    version = archive.version()
    so = {f"lib/libjunfeiai.so{end}" for end in ("", f".{version}", "." + ".".join(version.split(".")[:2 if version.startswith("0.") else 1]))}
    yield from installed("x86_64-unknown-linux-gnu.2.17", ["libjunfeiai_c.so", "libjunfeiai_c.a"], {"lib/libjunfeiai.a", *so}, shared=True)
    yield from installed("x86_64-unknown-linux-musl", ["libjunfeiai_c.a"], {"lib/libjunfeiai.a"}, shared=False)
    yield from installed("x86_64-pc-windows-gnu", ["junfeiai_c.dll", "libjunfeiai_c.dll.a", "libjunfeiai_c.a"],
                         {"bin/junfeiai_c.dll", "lib/libjunfeiai.dll.a", "lib/libjunfeiai.a"}, shared=True)
    yield from installed("x86_64-pc-windows-msvc", ["junfeiai_c.dll", "junfeiai_c.dll.lib", "junfeiai_c.lib"],
                         {"bin/junfeiai_c.dll", "lib/junfeiai.lib", "lib/junfeiai_static.lib"}, shared=True,
                         system="kernel32.lib ntdll.lib kernel32.lib /defaultlib:msvcrt", once=("kernel32.lib", "ntdll.lib", "-defaultlib:msvcrt"))
    # A framework is two words, and programs look for a library beside it only by its whole name.
    compatible = ".".join(version.split(".")[:2 if version.startswith("0.") else 1])
    dylib = {f"lib/libjunfeiai{end}.dylib" for end in ("", f".{version}", f".{compatible}")}
    yield from installed("aarch64-apple-darwin", ["libjunfeiai_c.dylib", "libjunfeiai_c.a"], {"lib/libjunfeiai.a", *dylib}, shared=True,
                         system="-framework Security -framework CoreFoundation -lc -lSystem -lc",
                         once=("-framework Security", "-framework CoreFoundation", "-lc", "-lSystem"), name=f"@rpath/libjunfeiai.{compatible}.dylib")


def refused_installs() -> Iterable[str]:
    """Before anything is built: another system, and folders beside the prefix, which DESTDIR does not reach."""
    run("cargo", "build", "--quiet", "--locked", "-p", "xtask", "--no-default-features")
    program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "xtask"
    for words, says in ((["--target", "aarch64-linux-android"], "for Linux, macOS and Windows, not for aarch64-linux-android"),
                        *((["--libdir", folder], f'LIBDIR) is a folder below the prefix, such as lib64, and not "{folder}"') for folder in ("/usr/lib64", "../lib", ""))):
        with tempfile.TemporaryDirectory() as prefix:
            # A build would fail, and say something else.
            done = run(program, "install-c", "--prefix", prefix, *words, check=False, CARGO="/bin/false")
        if done.returncode == 0 or says not in done.stdout:
            yield f"{words}: {done.stdout}"


def unwritable_prefix() -> Iterable[str]:
    """It is named before anything is built."""
    run("cargo", "build", "--quiet", "--locked", "-p", "xtask", "--no-default-features")
    program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "xtask"
    with tempfile.NamedTemporaryFile() as file:
        # A file is no folder, whoever asks.
        done = run(program, "install-c", "--prefix", file.name, check=False, CARGO="/bin/false")
        if done.returncode == 0 or f"{file.name}/include cannot be written: " not in done.stdout or "PREFIX" not in done.stdout:
            yield done.stdout


def no_folders() -> Iterable[str]:
    """What is compiled with the settings of a release names no folder of this machine, and without them it does."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        source, out = Path(folder) / "a.rs", Path(folder) / "a.so"
        source.write_text('#[unsafe(no_mangle)] pub extern "C" fn place() -> *const u8 { file!().as_ptr() }\n', encoding="utf-8")
        for flags, found in (([f"--remap-path-prefix={place}={name}" for place, name in toolchain.remapped()], False), ([], True)):
            run("rustc", "--edition=2024", "--crate-type=cdylib", *flags, "-o", out, source)
            if (str(ROOT).encode() in out.read_bytes()) != found:
                yield f"with {flags or 'no flags'} the folder is {'not ' if found else ''}in it"


def release_folder() -> Iterable[str]:
    """What `make dist` has left in target/dist."""
    listed = archive.listed(archive.DIST)
    for path in sorted(archive.DIST.iterdir()):
        if path.name not in archive.LISTS:
            yield from (f"{path.name}: {problem}" for problem in contents.problems(path))
            if path.name not in listed:
                yield f"{path.name} is not the file that manifest.json lists"


SBOM = """{"metadata": {
    "timestamp": "2026-01-01T00:00:00.0Z", "component": {"bom-ref": "path+file:///home/builder/junfeiai/bindings-python#junfeiai-python@9.8.7"}},
  "components": [{"bom-ref": "path+file:///D:/a/junfeiai/core#junfeiai@9.8.7"}, {"bom-ref": "registry+https://example.org/index#itoa@1.0.0"}]}"""


def wheels_are_made_anew() -> Iterable[str]:
    """Without the folder and the time of the build, installable, and with the same bytes twice."""
    info = f"junfeiai-{VERSION}.dist-info"
    name = f"{info}/sboms/junfeiai-python.cyclonedx.json"
    with tempfile.TemporaryDirectory() as folder:
        # The sum of what was there before the change, which must not be that of the result.
        path = wheel(Path(folder), **{name: SBOM.encode(), f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
                                      f"{info}/RECORD": f"{name},sha256=AAAA,1\n{info}/RECORD,,\n".encode()})
        path = path.rename(path.with_name(f"junfeiai-{VERSION}-py3-none-any.whl"))
        if not any("names a folder of the machine" in problem for problem in contents.problems(path)):
            yield "nothing was to be done"
        archive.wheel(path)
        first = path.read_bytes()
        archive.wheel(path)
        if path.read_bytes() != first:
            yield "a wheel has other bytes when it is made again"
        yield from (problem for problem in contents.problems(path) if "names a folder" in problem)
        said = json.loads(contents.Package(path).text(name))
        references = [said["metadata"]["component"]["bom-ref"], *(component["bom-ref"] for component in said["components"])]
        if references != ["path+file:///bindings-python#junfeiai-python@9.8.7", "path+file:///core#junfeiai@9.8.7", "registry+https://example.org/index#itoa@1.0.0"]:
            yield f"{references}"
        if "2026-01-01" in json.dumps(said):
            yield "the time of the build is in it"
        # pip compares the sums of RECORD.
        done = run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--target", Path(folder) / "site", path, check=False)
        if done.returncode:
            yield done.stdout
        digest = f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(contents.Package(path).files[name]).digest()).rstrip(b'=').decode()},"
        if digest not in contents.Package(path).text(f"{info}/RECORD"):
            yield "RECORD has not the sum of the changed file"


LICENCES = """\
This package holds code of other projects.

The Rust standard library                 MIT OR Apache-2.0
serde_json 1.0.2                          MIT OR Apache-2.0

serde_json 1.0.2, tokio 1.2.3:
"""


def listed_components() -> Iterable[str]:
    """Of a workspace's components, those of one package; and what such a list must not lack is missed."""
    row = {"licenses": [{"expression": "MIT"}], "purl": "pkg:cargo/x"}
    own = {"bom-ref": "path+file:///tmp/x/bindings-c#junfeiai-c@1.2.3", "name": "junfeiai-c", "version": "1.2.3", "purl": "pkg:cargo/junfeiai-c@1.2.3?download_url=file://."}
    rows = [{**row, "bom-ref": "path+file:///tmp/x/core#1.2.3", "name": "junfeiai", "version": "1.2.3"},
            {**row, "bom-ref": "registry#serde_json@1.0.2", "name": "serde_json", "version": "1.0.2"},
            {**row, "bom-ref": "registry#tokio@1.2.3", "name": "tokio", "version": "1.2.3"}]
    edges = [{"ref": own["bom-ref"], "dependsOn": [rows[0]["bom-ref"], rows[2]["bom-ref"]]}, {"ref": rows[1]["bom-ref"]}, {"ref": rows[2]["bom-ref"]}]
    whole = {"metadata": {"component": own}, "components": rows, "dependencies": edges}
    one = parts.of_one(whole, parts.linked(LICENCES))
    if [found["name"] for found in one["components"]] != ["junfeiai", "serde_json"] or [len(edge["dependsOn"]) for edge in one["dependencies"]] != [1, 0]:
        yield f"{one}"
    try:
        yield f"a component that is linked is not missed: {parts.of_one({**whole, 'components': rows[:1]}, parts.linked(LICENCES))}"
    except RuntimeError as error:
        if "serde_json" not in str(error):
            yield str(error)
    said = archive.components(json.dumps(one))
    if "/tmp" in said or "file://." in said or "path+file:///core#1.2.3" not in said:
        yield said
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"junfeiai-c-1.2.3{contents.SBOM}"
        wanted = [("", said), ("names a folder", said.replace("path+file:///core", "path+file:///home/builder/junfeiai/core")), ("has no version", said.replace('"version": "1.0.2"', '"version": ""')),
                  ("has no licenses", said.replace('"expression": "MIT"', "").replace("{}", "")), ("serde_json is not in it", said.replace('"serde_json"', '"serde"')),
                  ("is no component", said.replace('"ref": "registry#serde_json@1.0.2"', '"ref": "registry#serde_json@1.0.3"'))]
        for word, text in wanted:
            path.write_text(text, encoding="utf-8")
            wrong = contents.problems(path)
            if (not word and wrong) or (word and not any(word in problem for problem in wrong)):
                yield f"{word or 'what is right'}: {wrong}"
        if contents.Package(path).version() != "1.2.3":
            yield contents.Package(path).version()


# The workflows.

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Programs of the steps that are neither ours nor cargo.
OTHERS = {"npm", "rustup", "gh", "pip", "git"}


def actionlint() -> Path | None:
    found = shutil.which("actionlint") or ROOT / "target" / "tools" / "actionlint"
    return Path(found) if Path(found).is_file() else None


def linted(linter: Path) -> Iterable[str]:
    done = run(linter, "-no-color", "-shellcheck", TOOLS / "shellcheck", *WORKFLOWS, check=False)
    yield from done.stdout.splitlines() if done.returncode else ()


def linter_finds(linter: Path) -> Iterable[str]:
    """It is asked for, and shellcheck with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bad.yml"
        path.write_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    needs: nobody\n    steps:\n      - run: echo $HOME/$(ls)\n", encoding="utf-8")
        done = run(linter, "-no-color", "-shellcheck", TOOLS / "shellcheck", path, check=False)
    yield from (f"{word} is not found" for word in ("nobody", "SC2046") if word not in done.stdout)


def commands(workflow: Path) -> Iterable[tuple[int, str]]:
    """The commands of the steps with their lines."""
    for number, line in enumerate(workflow.read_text(encoding="utf-8").splitlines(), 1):
        if match := re.match(r"\s+(?:- )?run: (.+)$", line):
            for command in match[1].split(" && "):
                yield number, re.sub(r"\$\{\{.*?\}\}", "X", command)


def steps() -> Iterable[str]:
    """What a step does is kept where it can be run by everybody: each is one call of what there is."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    words_of_xtask = set(re.findall(r"^  ([a-z][\w-]+)  ", xtask("--help").stdout, re.M))
    suites = set(run(sys.executable, "-c", "import run; print(*run.suites())", cwd=ROOT / "tests").stdout.split())
    count = 0
    for workflow in WORKFLOWS:
        for number, command in commands(workflow):
            count += 1
            words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
            where = f"{workflow.name}:{number}: "
            if words[0] in ("|", ">"):
                yield f"{where}a script of its own belongs into the Makefile or a file"
            elif words[0] == "make":
                yield from (f"{where}make has no {word}" for word in words[1:] if word not in targets)
            elif words[0] in ("python", "python3", "bash") and words[1] != "-m":
                yield from [f"{where}there is no {words[1]}"] if not (ROOT / words[1]).is_file() else ()
                if words[1] == "tests/run.py":
                    yield from (f"{where}there is no suite {word}" for word in words[2:] if word not in suites | {"X"})
            elif words[0] == "cargo":
                if "xtask" in words and words[words.index("--") + 1] not in words_of_xtask:
                    yield f"{where}xtask has no {words[words.index('--') + 1]}"
            elif words[0] not in {"python", *OTHERS}:
                yield f"{where}{words[0]} is not looked at here"
    if count < 10:
        yield f"only {count} commands are found in the workflows"


def dry_runs(program: str, **env: str) -> Iterable[str]:
    """The steps of a release that do everything but the sending, as they are written."""
    found = [command for workflow in WORKFLOWS for _, command in commands(workflow) if command.startswith(f"{program} ") and "--dry-run" in command]
    if not found:
        yield f"no step is a dry run of {program}"
    for command in found:
        run("env", *(f"{name}={value}" for name, value in env.items()), "bash", "-c", command, cwd=TREE)


def dry_run_of_npm() -> Iterable[str]:
    folder = TREE / "target" / "dist"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(tarball(), folder)
    # Nobody is at this address: what is not sent need not be asked for.
    yield from dry_runs("npm", npm_config_registry="http://127.0.0.1:9/", npm_config_fetch_retries="0", npm_config_cache=str(WORK / "npm"))


# The suites that have more tests in `make test-all`.
LONG = """
import run
for name, (_, patterns) in run.SOURCES.items():
    if any("JUNFEIAI_ALL" in path.read_text(encoding="utf-8") for pattern in patterns for path in run.ROOT.glob(pattern)):
        print(name)
"""


def long_forms() -> Iterable[str]:
    """What is left out where every change is tested is run by a job that has the time."""
    long = run(sys.executable, "-c", LONG, cwd=ROOT / "tests").stdout.split()
    if len(long) < 4:
        yield f"only {' '.join(long)} have long forms"
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    jobs = [job for job in re.split(r"^(?=  [\w-]+:\n)", text, flags=re.M) if '\n      JUNFEIAI_ALL: "1"\n' in job]
    named = {word for job in jobs for words in re.findall(r'SUITES="([^"]*)"', job) for word in words.split()}
    yield from (f"no job of ci.yml runs all of the suite {name}" for name in long if name not in named)


def pinned() -> Iterable[str]:
    """An action is named by its commit, which nobody can move, with its version behind it. In a container the folder of the
    repository is known to the shell alone: what the host calls it is another folder there."""
    count = 0
    for workflow in WORKFLOWS:
        for number, line in enumerate(workflow.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{workflow.name}:{number}: "
            if match := re.match(r"\s+(?:- )?uses: (.+)$", line):
                count += 1
                if not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40} # v\d+(?:\.\d+)*", match[1]):
                    yield f"{where}{match[1]} is not named by its commit and version: owner/name@COMMIT # v1.2.3"
            elif re.match(r"\s+(?:- )?run: .*github\.workspace", line):
                yield f"{where}in a container github.workspace is the host's folder: use \"$GITHUB_WORKSPACE\""
    if count < 10:
        yield f"only {count} actions are found in the workflows"
    for workflow in WORKFLOWS:
        for job in re.split(r"\n(?=  [\w-]+:\n)", workflow.read_text(encoding="utf-8")):
            # As root: Firefox refuses a home of somebody else, which is what steps have there.
            if re.search(r"container:(?:\n +image:)? rust:", job) and "\n      HOME: /root\n" not in job:
                yield f"{workflow.name}: {job.split(':')[0].strip()} runs in a container without HOME: /root"


def bounded() -> Iterable[str]:
    """A job that hangs ends: the host would wait for six hours. What is longer than that says nothing."""
    count = 0
    for workflow in WORKFLOWS:
        jobs = re.split(r"^jobs:\n", workflow.read_text(encoding="utf-8"), maxsplit=1, flags=re.M)[-1]
        for job in re.split(r"^(?=  [\w-]+:\n)", jobs, flags=re.M):
            if not (name := re.match(r"  ([\w-]+):\n", job)):
                continue
            count += 1
            minutes = re.findall(r"^    timeout-minutes: (\d+)$", job, re.M)
            if len(minutes) != 1 or not 0 < int(minutes[0]) < 360:
                yield f"{workflow.name}: the job {name[1]} has no timeout-minutes of less than 360"
    if count < 10:
        yield f"only {count} jobs are found in the workflows"


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    copy_tree()
    report("every place names the same version", one_version())
    report("a version is raised everywhere", bumped())
    report("a version that cannot be is refused", wrong_versions_are_refused())
    for file in DISAGREEING:
        report(f"another version in {file} is found", disagreement(file))
    report("files have the same lines in a checkout on Windows", lines_on_windows())
    report("the licences of what is built are up to date", licences())
    report("only what shall be published can be", published())
    report("no guide names what no registry has", nothing_to_install())
    report("Python's metadata names what is tested and what there is", metadata_of_python())
    report("the repository is named for a release", named())
    made: list[tuple[str, Callable[[], Path], str, bool]] = [
        ("sdist", sdist, VERSION, True), ("crate", crate, VERSION, True), ("npm tarball", tarball, archive.version(), False)]
    for name, make, version, public in made:
        report(f"the {name} holds what it should and no more", looked_into(make, version, public=public))
    report("the sdist can be built with its lock file" + (", and a wheel that PyPI would take is" if ALL else ""), from_the_sdist())
    report("the sdist has the same bytes twice", twice_the_same())
    report("PyPI would take the sdist", metadata_of_pypi(sdist_path()))
    if ALL:
        report("the crate compiles alone, with its examples, tests and documentation", from_the_crate())
    else:
        print("not run: the crate alone, a wheel of the sdist (make test-all)")
    for name in FAULTS:
        report(f"a wheel with {name}", fault(name))
    report("links to files are told from others", relative_links())
    report("archives have the same bytes twice", archives())
    report("the list of a release", lists())
    report("the wheel of a program is for every C library", programs_wheel())
    report("the emulator's npm package names the programs that are made", programs_of_npm())
    report("what make dist is told", words_of_dist())
    report("two builds of make dist are compared", built_twice())
    report("what make dist takes from the environment", environment_of_dist())
    report("the C library is installed as each platform makes it", installs())
    report("what cannot be installed is refused before it is built", refused_installs())
    report("a folder that cannot be written is named before the library is built", unwritable_prefix())
    report("no folder of the machine is compiled into a release", no_folders())
    if (archive.DIST / "manifest.json").exists():
        report("the files in target/dist hold what they should and no more", release_folder())
    else:
        print("not run: the files of a release (make dist makes them)")
    report("wheels say neither where nor when they were built", wheels_are_made_anew())
    report("lists of components hold what is linked, and no folder", listed_components())
    report("the tools of this suite have types", typed())
    report("the steps of the workflows name what there is", steps())
    report("the npm package could be published", dry_run_of_npm())
    if ALL:
        report("the crate could be published", dry_runs("cargo", CARGO_TARGET_DIR=str(TREE / "target")))
    else:
        print("not run: a dry run of cargo publish, which asks the registry (make test-all)")
    report("long forms of suites are run by a workflow", long_forms())
    report("the actions of the workflows are pinned, and folders are those of the job", pinned())
    report("every job of the workflows has a time limit", bounded())
    if linter := actionlint():
        report("actionlint and shellcheck have nothing to say of the workflows", linted(linter))
        report("they would say it", linter_finds(linter))
    else:
        print("not run: actionlint (not installed; it needs Go: tests/setup.sh test)")
    shutil.rmtree(WORK, ignore_errors=True)
    print(f"packages: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
