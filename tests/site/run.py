#!/usr/bin/env python3
"""Builds the site, without the Rust reference, and looks at it: its links, what the references name, and its search in a browser."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import build  # which finds the helpers of tests/docs
from links import Links

import blocks  # isort: skip
from truths import source  # isort: skip

ROOT = build.ROOT
passed, failed = 0, 0


def report(name: str, problems: Iterable[str]) -> None:
    global passed, failed
    found = list(problems)
    passed, failed = passed + (not found), failed + bool(found)
    print(f"{'FAILED' if found else 'ok    '} {name}", flush=True)
    for problem in found[:50]:
        print(f"       {problem}", flush=True)


def dead_links() -> Iterator[str]:
    links = Links(build.OUT)
    yield from links.problems()
    print(f"       {len(links.pages)} pages, {links.checked} links", flush=True)
    if links.checked < 5000:
        yield f"only {links.checked} links were looked at"


def check_of_links() -> Iterator[str]:
    """The check itself finds what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "a.html").write_text('<a href="b.html#there">x</a><a href="#here"></a><p id="here"><a href="https://example.org">', encoding="utf-8")
        (root / "b.html").write_text('<p id="there"><img src="no.png"><a href="a.html#gone"><a href="../out.html"><a href="http://x">', encoding="utf-8")
        found = [problem.split(" ", 1)[1] for problem in Links(root).problems()]
    expected = ["no.png is not there", "a.html#gone has no such part", "../out.html leads out of the site", "http://x has an odd scheme"]
    if found != expected:
        yield f"it finds {found}"


def documents() -> Iterator[str]:
    """Every document has its page, with all of its headings."""
    for document in blocks.documents():
        page = build.OUT / ("zh" if build.language_of(document) == "zh" else "") / f"{build.page_of(document)}.html"
        if not page.exists():
            yield f"{document} has no page"
        elif (count := len(re.findall(r"<h[1-6]>", page.read_text(encoding="utf-8")))) < len(blocks.headings(document)):
            yield f"{document}: {count} headings of {len(blocks.headings(document))}"


def python_reference() -> Iterator[str]:
    text = (build.OUT / "api" / "python.html").read_text(encoding="utf-8")
    names = [f"junfeiai.{name}" for name in build.python_names()]
    assert len(names) > 50
    names += ["junfeiai.Client.balance", "junfeiai.Videos.create", "junfeiai.AsyncVideos.create", "junfeiai.jobs.run", "junfeiai.JunFeiAIError.task_id"]
    yield from (f"{name} is not there" for name in names if f'id="{name}"' not in text)


def typescript_reference() -> Iterator[str]:
    exported = source("bindings-wasm/ts/index.ts")
    names = {name for group in re.findall(r"^export (?:type )?\{(.*?)\}", exported, re.M) for name in re.findall(r"(?:type )?(\w+)", group)} - {"type"}
    names = {name for name in names if not name.startswith("__")} - {"playbackOf"}
    assert len(names) > 20
    pages = {path.stem.rpartition(".")[2] for path in (build.OUT / "api" / "typescript").rglob("*.html")}
    yield from (f"{name} has no page" for name in sorted(names | {"createProxyHandler", "registerPlayback"}) if name not in pages)


def c_reference() -> Iterator[str]:
    pages = [path.read_text(encoding="utf-8") for path in (build.OUT / "api" / "c").glob("group__junfeiai__*.html")]
    text = "".join(pages)
    names = set(re.findall(r"\b(jfai_\w+)\(", re.sub(r"//.*|/\*[\s\S]*?\*/", "", source("bindings-c/include/junfeiai.h"))))
    assert len(names) > 100
    yield from (f"{name} is not there" for name in sorted(names) if f"{name}()</h2>" not in text)
    if (groups := len(pages)) < 15:
        yield f"its functions are in {groups} groups"


def browser() -> None:
    if not (shutil.which("chromium") and shutil.which("node")):
        print("not run: the site in a browser (chromium or node is not installed)", flush=True)
        return
    done = subprocess.run(["node", "tests/site/look.mjs", str(build.OUT), str(ROOT / "target" / "docs-screenshots")], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, check=False)
    lines = [line for line in done.stdout.splitlines() if line]
    report("pages in a browser, from files: search, narrow screens, errors", [] if done.returncode == 0 else lines)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    build.build()
    report("the check of links finds what is wrong", check_of_links())
    report("every link leads somewhere", dead_links())
    report("every document has its page", documents())
    report("Python's reference has every public name", python_reference())
    report("TypeScript's reference has every export", typescript_reference())
    report("C's reference has every function", c_reference())
    browser()
    print(f"site: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
