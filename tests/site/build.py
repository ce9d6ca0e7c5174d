#!/usr/bin/env python3
"""The documents of this repository and the references of all languages as one site that needs no server.

    build.py             target/docs without the Rust reference
    build.py --rustdoc   with it: compiles what the crates need first

English pages are at the top and Chinese ones in `zh`, each with a search of its own; the references of Doxygen, TypeDoc and
rustdoc are in `api`. Guides are staged under short names, so that their links have to be written anew.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "docs"))
import blocks  # noqa: E402
from truths import between, source  # noqa: E402

OUT = ROOT / "target" / "docs"
STAGE = ROOT / "target" / "docs-source"
PACKAGE = ROOT / "bindings-python" / "python" / "junfeiai"

# The name of a page on the site for each document; all others keep their path under "project".
PAGES = {
    "README.md": "index",
    "bindings-python/README.md": "python/index",
    "bindings-python/MCP.md": "python/mcp",
    "bindings-wasm/README.md": "javascript/index",
    "bindings-c/README.md": "c/index",
    "core/README.md": "rust/index",
    "tests/emulator/README.md": "emulator",
    "SECURITY.md": "security",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "core/docs/ARCHITECTURE.md": "architecture",
}
GUIDES = ["python/index", "python/mcp", "javascript/index", "c/index", "rust/index", "emulator", "security"]
PROJECT = ["changelog", "architecture", "contributing"]
# What is built by tools of the other languages, and from where it is linked.
REFERENCES = {"api/c/index.html": "C, C++ (Doxygen)", "api/typescript/index.html": "TypeScript (TypeDoc)", "api/rust/junfeiai/index.html": "Rust (rustdoc)"}
LANGUAGES = {".c": "c", ".cpp": "cpp", ".h": "c", ".hpp": "cpp", ".py": "python", ".mjs": "javascript", ".js": "javascript", ".json": "json",
             ".toml": "toml", ".rs": "rust", ".sh": "bash"}
WORDS = {
    "en": {"guides": "Guides", "reference": "API reference", "project": "Project", "title": "junfeiai"},
    "zh": {"guides": "指南", "reference": "API 参考", "project": "项目（英文）", "title": "junfeiai"},
}


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> None:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")


def page_of(document: str) -> str:
    """The page of a document, in the tree of its language."""
    english = blocks.original(document)
    return PAGES.get(english) or f"project/{english.removesuffix('.md').removesuffix('/README')}"


def language_of(document: str) -> str:
    return "zh" if document.endswith(".zh-CN.md") else "en"


@dataclass
class Site:
    rustdoc: bool
    documents: list[str] = field(default_factory=lambda: sorted({*blocks.documents(), *(name for name in blocks.WRITTEN if (ROOT / name).exists())}))
    sources: set[str] = field(default_factory=set)

    def references(self) -> dict[str, str]:
        return {path: name for path, name in REFERENCES.items() if self.rustdoc or "rust" not in path}

    def translated(self) -> set[str]:
        return {page_of(name) for name in self.documents if language_of(name) == "zh"}

    def stage(self) -> None:
        shutil.rmtree(STAGE, ignore_errors=True)
        for document in self.documents:
            language, page = language_of(document), page_of(document)
            text = "".join(self.lines(document))
            if language == "zh":
                # A line break in a paragraph would become a blank between two characters.
                text = re.sub(r"(?<=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef])\n *(?=[\u4e00-\u9fff（“])", "", text)
            if page == "index":
                text += self.contents(language)
            write(language, f"{page}.md", text)
        for path in sorted(self.sources):
            self.source_page(path)
        write("en", "api/index.md", self.reference_page("en"))
        write("zh", "api/index.md", self.reference_page("zh"))
        write("en", "api/python.rst", python_page())
        for language in WORDS:
            shutil.copy(HERE / "conf.py", STAGE / language / "conf.py")
            write(language, "_static/site.css", (HERE / "site.css").read_text(encoding="utf-8"))

    def lines(self, document: str) -> Iterator[str]:
        """The document with links as the site has them, and fences with a plain name of their language."""
        inside = False
        for line in blocks.read(document).splitlines(keepends=True):
            if fence := re.match(r"(\s*```)(\w*)(.*)$", line):
                inside = not inside
                yield f"{fence[1]}{fence[2]}\n" if inside else line
            elif inside:
                yield line
            else:
                yield re.sub(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)", lambda match: self.link(document, match[1], match[2]), line)

    def link(self, document: str, text: str, target: str) -> str:
        path, _, anchor = target.partition("#")
        anchor = f"#{anchor}" if anchor else ""
        if "://" in target or not path:
            return f"[{text}]({target})"
        name = str(((ROOT / document).parent / path).resolve().relative_to(ROOT))
        if (ROOT / name / "README.md").exists():
            # A folder is its guide, in the reader's language where there is one.
            chinese = f"{name}/README.zh-CN.md"
            name = chinese if language_of(document) == "zh" and chinese in self.documents else f"{name}/README.md"
        here, place = language_of(document), "en"
        if name in self.documents:
            place, page = language_of(name), page_of(name)
        elif (ROOT / name).is_file():
            self.sources.add(name)
            page = f"source/{name}"
        else:
            # A folder of the repository: the site has no listing of it.
            return text
        up = "../" * page_of(document).count("/")
        if place == here:
            return f"[{text}]({up}{page}.md{anchor})"
        # MyST knows one language at a time: the other is another site to it.
        up += "../" if here == "zh" else "zh/"
        return f'<a href="{html.escape(f"{up}{page}.html{anchor}")}">{text}</a>'

    def contents(self, language: str) -> str:
        words, there = WORDS[language], self.translated()
        pages = [page for page in GUIDES if language == "en" or page in there]
        trees = [(words["guides"], pages), (words["reference"], ["api/index"])]
        if language == "en":
            more = sorted({page_of(name) for name in self.documents if page_of(name).startswith("project/")})
            trees.append((words["project"], PROJECT + more))
        return "".join("\n```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(names) + "\n```\n" for caption, names in trees)

    def source_page(self, path: str) -> None:
        text = (ROOT / path).read_text(encoding="utf-8")
        fence = "`" * (max((len(run) for run in re.findall(r"`{3,}", text)), default=2) + 1)
        write("en", f"source/{path}.md", f"---\norphan: true\n---\n\n# {path}\n\n{fence}{LANGUAGES.get(Path(path).suffix, 'text')}\n{text}{fence}\n")

    def reference_page(self, language: str) -> str:
        up = "../" if language == "en" else "../../"
        python = "[Python (Sphinx)](python.rst)" if language == "en" else f'<a href="{up}api/python.html">Python (Sphinx)</a>'
        rows = [f"* {python}", *(f'* <a href="{up}{path}">{name}</a>' for path, name in self.references().items())]
        note = {"en": "Every public name with its documentation. Each reference has a search of its own.",
                "zh": "所有公开的名字及其文档（英文）。每份参考都有自己的搜索。"}[language]
        tree = "\n```{toctree}\n:hidden:\n\npython\n```\n" if language == "en" else ""
        return f"# {WORDS[language]['reference']}\n\n{note}\n\n" + "\n".join(rows) + "\n" + tree


def write(language: str, name: str, text: str) -> None:
    path = STAGE / language / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def python_names() -> list[str]:
    """The public names of the Python package, in the order of its sources."""
    names = re.findall(r'^    "(\w+)",$', between(source("bindings-python/python/junfeiai/__init__.py"), "__all__ = [", "]"), re.M)
    order = re.findall(r"^class (\w+)", source("bindings-python/python/junfeiai/_errors.py") + source("bindings-python/python/junfeiai/_native.pyi"), re.M)
    return sorted((name for name in names if not name.startswith("__")), key=lambda name: order.index(name) if name in order else len(order))


def python_modules() -> dict[str, str]:
    """The public modules of the package and their sources."""
    files = {path.stem: path for path in PACKAGE.glob("*.py")} | {path.parent.name: path for path in PACKAGE.glob("*/__init__.py")}
    return {name: files[name].read_text(encoding="utf-8") for name in sorted(files) if not name.startswith("_")}


def python_page() -> str:
    """One page for the whole package; a new name falls into the group that it belongs to by its own name."""
    names = python_names()
    first = ["Client", "Videos", "Task", "Video"]
    groups = {
        "Client": first,
        "asyncio": [name for name in names if name.startswith("Async")],
        "Results": [name for name in names if name not in first and not name.startswith("Async") and not name.endswith("Error")],
        "Errors": [name for name in names if name.endswith("Error")],
    }
    text = "Python API\n==========\n\nThe guide is :doc:`/python/index`. These names are in the module ``junfeiai`` and are fully typed. The asyncio classes have the\n"
    text += "same methods: calls are awaited, iterators are used by ``async for``.\n"
    for title, members in groups.items():
        text += f"\n{title}\n{'-' * len(title)}\n\n" + "".join(f".. autoapiclass:: junfeiai.{name}\n   :members:\n\n" for name in members)
    for module, code in python_modules().items():
        title = f"junfeiai.{module}"
        functions = re.findall(r"^(?:async )?def ([a-z]\w*)", code, re.M)
        classes = re.findall(r"^class ([A-Z]\w*)", code, re.M)
        text += f"\n{title}\n{'-' * len(title)}\n\n.. autoapimodule:: {title}\n\n"
        text += "".join(f".. autoapifunction:: {title}.{name}\n\n" for name in functions)
        text += "".join(f".. autoapiclass:: {title}.{name}\n   :members:\n\n" for name in classes)
    return text


def sphinx(language: str, out: Path) -> None:
    run(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", STAGE / "doctrees" / language,
        STAGE / language, out, SITE_LANGUAGE=language, SITE_PACKAGE=str(PACKAGE))
    # What only Sphinx itself reads again.
    shutil.rmtree(out / "_sources", ignore_errors=True)


def doxygen(out: Path) -> None:
    out.mkdir(parents=True)
    headers = ROOT / "bindings-c" / "include"
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    inputs = f"{HERE / 'c.dox'} {headers / 'junfeiai.h'} {headers / 'junfeiai.hpp'}"
    lines = [f"@INCLUDE = {HERE / 'Doxyfile'}", f"OUTPUT_DIRECTORY = {out}", f"PROJECT_NUMBER = {version}", f"INPUT = {inputs}"]
    config = STAGE / "Doxyfile"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run("doxygen", config)


def typedoc(out: Path) -> None:
    ts = ROOT / "bindings-wasm" / "ts"
    run("node", HERE / "node_modules" / "typedoc" / "bin" / "typedoc", "--options", HERE / "typedoc.json", "--tsconfig", HERE / "tsconfig.json",
        "--basePath", ts, "--out", out, ts / "index.ts", *(ts / "entries" / f"{name}.ts" for name in ("server", "playback", "slim", "testing")), cwd=HERE)


def rustdoc(out: Path) -> None:
    target = ROOT / "target" / "docs-rust"
    run("cargo", "doc", "--locked", "--quiet", "--no-deps", "-p", "junfeiai", "-p", "junfeiai-emulator", "--features", "junfeiai/postgres,junfeiai/redis",
        CARGO_TARGET_DIR=str(target), RUSTDOCFLAGS="-D warnings")
    shutil.copytree(target / "doc", out)


def build(with_rustdoc: bool = False) -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    Site(with_rustdoc).stage()
    sphinx("en", OUT)
    sphinx("zh", OUT / "zh")
    doxygen(OUT / "api" / "c")
    typedoc(OUT / "api" / "typescript")
    if with_rustdoc:
        rustdoc(OUT / "api" / "rust")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rustdoc", action="store_true", help="the Rust reference, too")
    build(parser.parse_args().rustdoc)
    print(OUT / "index.html")
