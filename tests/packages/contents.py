#!/usr/bin/env python3
"""What is in a package: its licences, nothing of the machine that built it, links that lead somewhere.

    tests/packages/contents.py [--public] FILE ...

A wheel, an sdist, an npm tarball, a crate, an archive of the C library, a wheel, an npm tarball or an archive of the emulator, or a list of components (SBOM). With --public the guides that a registry shows
must name whole addresses, since the files beside them are not shown there (`xtask repository` writes them).
"""

from __future__ import annotations

import argparse
import json
import os
import posixpath
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

OWN = ("LICENSE-APACHE", "LICENSE-MIT")
THIRD = "THIRD-PARTY-LICENSES.txt"

# What a compiler leaves of the machine in what it makes. Documents and tests may name such folders as examples.
# The crate ring brings objects for Windows that were assembled elsewhere, and name that folder.
MACHINES = re.compile(rb"/(?:root|home|Users)/[\w.-]+/|[A-Z]:\\\\?Users\\(?!b\\p\\ring\\)|cargo/registry/src|\.rustup/toolchains|/usr/lib/rustlib/|/(?:index\.crates\.io|github\.com)-[0-9a-f]{16}")
# Programs of Linux have no ending.
COMPILED = re.compile(r"\.(?:so(?:\.[\d.]+)?|pyd|dll|dylib|a|lib|exe|wasm|js|cjs|mjs|json)$|(?:^|/)junfeiai-emulator$")
LEFTOVERS = re.compile(r"(?:^|/)__pycache__(?:/|$)|\.py[co]$|\.part$|(?:^|/)(?:\.DS_Store|\.git|node_modules|target)(?:/|$)")

# The ending of a list of components, in CycloneDX's format.
SBOM = ".cyclonedx.json"

FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Package:
    """A package as names and bytes, and which kind it is."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.files: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        if self.name.endswith(SBOM):
            self.files = {self.name: path.read_bytes()}
        elif self.name.endswith((".whl", ".zip")):
            with zipfile.ZipFile(path) as archive:
                self.files = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
        else:
            with tarfile.open(path) as archive:
                for member in archive.getmembers():
                    if member.isfile():
                        file = archive.extractfile(member)
                        assert file is not None
                        self.files[member.name] = file.read()
                    elif not member.isdir():
                        self.links[member.name] = member.linkname
        self.kind = self._kind()

    def _kind(self) -> str:
        if self.name.endswith(SBOM):
            return "sbom"
        if self.name.endswith(".whl"):
            return "program wheel" if any(re.search(r"\.data/scripts/junfeiai-emulator(?:\.exe)?$", name) for name in self.files) else "wheel"
        if self.name.endswith(".crate"):
            return "crate"
        if any(name.count("/") == 1 and name.endswith("/PKG-INFO") for name in self.files):
            return "sdist"
        if "package/package.json" in self.files:
            return "program npm" if any(name.startswith("package/bin/junfeiai-emulator") for name in self.files) else "npm"
        if any(re.fullmatch(r"[^/]+/junfeiai-emulator(?:\.exe)?", name) for name in self.files):
            return "program"
        if any(name.endswith("/include/junfeiai.h") for name in self.files):
            return "c"
        raise ValueError(f"{self.name}: neither a wheel, an sdist, an npm tarball, a crate nor an archive of the C library or of the emulator")

    def version(self) -> str:
        """As the package itself says it."""
        if self.kind == "sbom":
            return str(json.loads(self.files[self.name])["metadata"]["component"]["version"])
        if self.kind == "program":
            return found(r"^junfeiai-emulator-(\d+\.\d+\.\d+)-", self.name)
        if self.kind in ("npm", "program npm"):
            return str(json.loads(self.files["package/package.json"])["version"])
        if self.kind == "crate":
            return found(r'^version = "([^"]+)"$', self.text(self.only("/Cargo.toml", 1)))
        if self.kind == "c":
            return found(r'^#define JFAI_VERSION "([^"]+)"$', self.text(self.only("/include/junfeiai.h", 2)))
        return found(r"^Version: (.+)$", self.text(self.metadata()))

    def metadata(self) -> str:
        """The file that PyPI reads."""
        return self.only(".dist-info/METADATA", 1) if self.kind in ("wheel", "program wheel") else self.only("/PKG-INFO", 1)

    def only(self, ending: str, depth: int) -> str:
        names = [name for name in self.files if name.endswith(ending) and name.count("/") == depth]
        if len(names) != 1:
            raise ValueError(f"{self.name}: {len(names)} files are called *{ending}")
        return names[0]

    def text(self, name: str) -> str:
        return self.files[name].decode("utf-8")

    def licences(self) -> list[str]:
        """Where the licences have to be."""
        if self.kind == "sbom":
            return []
        if self.kind in ("wheel", "program wheel"):
            folder = f"{posixpath.dirname(self.metadata())}/licenses"
        elif self.kind in ("npm", "program npm"):
            folder = "package"
        elif self.kind == "c":
            folder = f"{next(iter(self.files)).split('/')[0]}/share/licenses/junfeiai"
        else:
            folder = next(iter(self.files)).split("/")[0]
        return [f"{folder}/{name}" for name in (*OWN, *((THIRD,) if self.linked() else ()))]

    def linked(self) -> bool:
        """Whether code of others is in it: not in sources alone, such as a crate, or the emulator's JavaScript."""
        return self.kind != "crate" and "package/bin.mjs" not in self.files

    def guides(self) -> dict[str, str]:
        """The documents that a registry shows, by their place."""
        if self.kind in ("wheel", "program wheel", "sdist"):
            return {self.metadata(): self.text(self.metadata())}
        if self.kind in ("c", "program", "program npm"):
            return {}
        return {name: self.text(name) for name in self.files if re.fullmatch(r"[^/]+/README[\w.-]*\.md", name)}


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.M)
    if not match:
        raise ValueError(f"nothing is like {pattern}")
    return match[1]


def relative_links(text: str) -> list[str]:
    """Links of a document to files beside it."""
    links, code = [], False
    for line in text.splitlines():
        if FENCE.match(line):
            code = not code
        elif not code:
            links += LINK.findall(line)
    return [link for link in links if not re.match(r"#|[a-z][a-z0-9+.-]*:", link)]


def here() -> list[bytes]:
    """Folders of this machine that no file of a package may name."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    return [str(path).encode() for path in (ROOT, home)]


def problems(path: Path, *, public: bool = False) -> list[str]:
    """What is wrong with a package."""
    package = Package(path)
    wrong = []
    for name, body in package.files.items():
        if LEFTOVERS.search(name):
            wrong.append(f"{name} is left over")
        if name.startswith("/") or ".." in name.split("/"):
            wrong.append(f"{name} would be unpacked elsewhere")
        # A licence or a source file may have any folder in it as an example, one that was made here may not.
        places = [place for place in here() if place in body]
        if COMPILED.search(name):
            places += [match[0] for match in MACHINES.finditer(body)][:3]
        wrong += [f"{name} names a folder of the machine that made it: {place.decode()}" for place in dict.fromkeys(places)]
    for name, target in package.links.items():
        if posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) not in {*package.files, *package.links}:
            wrong.append(f"the link {name} leads to {target}, which is not there")
    for name in package.licences():
        if not package.files.get(name):
            wrong.append(f"{name} is missing")
        elif posixpath.basename(name) in OWN and package.files[name] != (ROOT / posixpath.basename(name)).read_bytes():
            wrong.append(f"{name} is not the licence of the project")
    if package.kind in ("wheel", "program wheel", "sdist"):
        told = re.findall(r"^License-File: (.+)$", package.text(package.metadata()), re.M)
        wrong += [f"the metadata does not name {name}" for name in (*OWN, THIRD) if name not in told]
    guides = package.guides()
    if not guides and package.kind not in ("c", "program", "program npm", "sbom"):
        wrong.append("no README is in it")
    for name, text in guides.items():
        for link in relative_links(text):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), link.split("#")[0]))
            there = target in package.files or any(file.startswith(f"{target}/") for file in package.files)
            # PyPI and the Rust registry show the document alone; npm shows a package's files.
            if public and package.kind != "npm":
                wrong.append(f"{posixpath.basename(name)}: {link} is no whole address")
            elif not there and package.kind == "npm" and package.linked():
                wrong.append(f"{posixpath.basename(name)}: {link} leads nowhere")
    return wrong + of_its_kind(package)


def of_its_kind(package: Package) -> list[str]:
    """What each kind of package has to have, and no other."""
    names = package.files
    if package.kind == "wheel":
        native = [name for name in names if re.fullmatch(r"junfeiai/_native(?:\.abi3\.so|\.pyd)", name)]
        wrong = [] if len(native) == 1 else [f"{len(native)} native modules are in it"]
        if not re.fullmatch(r"junfeiai-[\d.]+-cp310-abi3-\w+(?:\.\w+)*\.whl", package.name):
            wrong.append("its name is not that of one wheel for CPython 3.10 and newer")
        return wrong + [f"{name} is missing" for name in ("junfeiai/py.typed", "junfeiai/_native.pyi") if name not in names]
    if package.kind == "sdist":
        return [f"{name} is missing" for name in ("Cargo.lock", "pyproject.toml") if not any(file.endswith(f"/{name}") for file in names)]
    if package.kind == "crate":
        sources = {name: body.decode() for name, body in names.items() if name.endswith(".rs")}
        folder = next(iter(names)).split("/")[0]
        missing = [path for path in sorted((ROOT / "core" / "src").rglob("*.rs")) if f"{folder}/{path.relative_to(ROOT / 'core').as_posix()}" not in names]
        return [f"{name} uses the emulator, which comes with no crate" for name, text in sources.items() if "junfeiai_emulator" in text] + [
            f"{path.relative_to(ROOT)} is missing" for path in missing]
    if package.kind == "program wheel":
        wrong = [] if re.fullmatch(r"junfeiai_emulator-[\d.]+-py3-none-\w+(?:\.\w+)*\.whl", package.name) else ["its name is not that of a wheel with a program"]
        told = sorted(re.findall(r"^Tag: py3-none-(.+)$", package.text(package.only(".dist-info/WHEEL", 1)), re.M))
        if told != sorted(package.name[:-len(".whl")].split("-")[-1].split(".")):
            wrong.append(f"its name says other platforms than its file WHEEL: {', '.join(told)}")
        return wrong + [f"{name} is missing" for name in ("junfeiai_emulator/py.typed", "junfeiai_emulator/pytest_plugin.py") if name not in names]
    if package.kind == "sbom":
        return components(json.loads(names[package.name]))
    if package.kind == "program":
        return [f"{name} is missing" for name in ("README.md", THIRD) if not any(file.endswith(f"/{name}") for file in names)]
    if package.kind in ("npm", "program npm"):
        manifest = json.loads(names["package/package.json"])
        scripts = [name for name in manifest.get("scripts", {}) if "install" in name or name == "prepare"]
        return [f"{name} runs on the user's machine" for name in scripts]
    headers = [name for name in ("include/junfeiai.hpp", "lib/pkgconfig/junfeiai.pc", "lib/cmake/junfeiai/junfeiaiConfig.cmake")
               if not any(file.endswith(f"/{name}") for file in names)]
    if "-musl." in package.name:
        # One file with its C library: nothing is loaded when it runs.
        return [f"{name} is missing" for name in headers] + ([] if any(file.endswith(".a") for file in names) else ["the static library is missing"])
    libraries = [kind for kind, pattern in {"shared": r"\.(?:so\.[\d.]+|dylib|dll)$", "static": r"\.(?:a|lib)$"}.items()
                 if not any(re.search(pattern, file) for file in names)]
    return [f"{name} is missing" for name in headers] + [f"the {kind} library is missing" for kind in libraries]


def components(sbom: dict[str, Any]) -> list[str]:
    """What is wrong with a list of components: each has a version, a licence and an address, and one that all packages have is in it."""
    rows = sbom["components"]
    wrong = [f"{row.get('name')} has no {name}" for row in rows for name in ("version", "licenses", "purl") if not row.get(name)]
    if "serde_json" not in {row.get("name") for row in rows}:
        wrong.append("serde_json is not in it")
    known = {sbom["metadata"]["component"]["bom-ref"], *(row["bom-ref"] for row in rows)}
    return wrong + [f"{row['ref']} is no component" for row in sbom["dependencies"] if row["ref"] not in known]


def main() -> int:
    parser = argparse.ArgumentParser(description="What is in a package.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--public", action="store_true", help="the guides must name whole addresses")
    arguments = parser.parse_args()
    failed = 0
    for path in arguments.files:
        wrong = problems(path, public=arguments.public)
        failed += bool(wrong)
        print(f"{'FAILED' if wrong else 'ok    '} {path.name}", *(f"       {problem}" for problem in wrong), sep="\n", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
