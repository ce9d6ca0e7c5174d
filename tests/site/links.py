"""Links of built pages: each leads to a file that is there, and to a part of it that is there."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8", errors="strict"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        for name in ("id", "name"):
            if value := known.get(name):
                self.ids.add(value)
        for name in ("href", "src"):
            if value := known.get(name):
                self.links.append(value)


class Links:
    """What is checked of a folder of pages; `checked` counts the links."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.pages = sorted(self.root.rglob("*.html"))
        self.checked = 0
        self.page = functools.lru_cache(maxsize=None)(Page)

    def problems(self) -> Iterator[str]:
        for path in self.pages:
            for link in self.page(path).links:
                if problem := self.problem(path, link):
                    yield f"{path.relative_to(self.root)}: {link} {problem}"

    def problem(self, path: Path, link: str) -> str | None:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            # Other sites are not asked: a check must not fail because they are away.
            return None if parts.scheme in ("https", "data", "mailto", "javascript") else "has an odd scheme"
        self.checked += 1
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if self.root not in (target, *target.parents):
            return "leads out of the site"
        if target.is_dir():
            return "is a folder: without a server there is no page for it"
        if not target.exists():
            return "is not there"
        if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in self.page(target).ids and not self.scripted(target, parts.fragment):
            return "has no such part"
        return None

    def scripted(self, target: Path, fragment: str) -> bool:
        """Parts that a reference's own script makes: the letters of Doxygen's indices."""
        return "api/c" in target.as_posix() and fragment.startswith("index_")
