"""Sphinx's settings for both languages; build.py says by the environment which one it is."""

from __future__ import annotations

import builtins
import os
import re
from typing import TYPE_CHECKING

from sphinx.addnodes import pending_xref
from sphinx.search import SearchLanguage

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

CHINESE = os.environ["SITE_LANGUAGE"] == "zh"

project = "junfeiai"
language = "zh_CN" if CHINESE else "en"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "junfeiai"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": [], "footer_icons": []}
myst_heading_anchors = 4
# Listings in JSON may have an ellipsis in them.
suppress_warnings = ["misc.highlighting_failure"]

if not CHINESE:
    extensions.append("autoapi.extension")
    autoapi_dirs = [os.environ["SITE_PACKAGE"]]
    autoapi_file_patterns = ["*.pyi", "*.py"]
    autoapi_generate_api_docs = False
    autoapi_add_toctree_entry = False
    autoapi_python_class_content = "class"


class Chinese(SearchLanguage):
    """Chinese has no blanks between words: every two characters that follow each other are a word, in the index and in what
    is searched for. Sphinx's own splitter for Chinese needs a dictionary in the index and has none in the page, so it finds
    no words that are written together."""

    lang = "zh"
    language_name = "Chinese"
    js_stemmer_code = "var Stemmer = function () { this.stemWord = (word) => word; };"
    js_splitter_code = r"""
var splitQuery = (query) => (query.match(/[\u4e00-\u9fff]+|[A-Za-z0-9_]+/g) || []).flatMap((part) =>
  /[\u4e00-\u9fff]/.test(part) && part.length > 2 ? [...part].slice(1).map((_, i) => part.slice(i, i + 2)) : [part]);
"""

    def split(self, input: str) -> list[str]:  # noqa: A002 (the name in Sphinx)
        words = []
        for part in re.findall(r"[\u4e00-\u9fff]+|[A-Za-z0-9_]+", input):
            if re.match(r"[\u4e00-\u9fff]", part):
                words += [part[i : i + 2] for i in range(max(len(part) - 1, 1))]
            else:
                words.append(part)
        return words

    def word_filter(self, word: str) -> bool:
        return len(word) > 1

    def stem(self, word: str) -> str:
        return word.lower()


def builtins_are_no_links(app: Sphinx, doctree: nodes.document) -> None:
    """``bytes`` in a signature is the builtin, and not the attribute ``bytes`` of some class."""
    for node in list(doctree.findall(pending_xref)):
        if node.get("refdomain") == "py" and hasattr(builtins, node["reftarget"]):
            node.replace_self(node.children)


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", builtins_are_no_links)
    if CHINESE:
        from sphinx.search import languages

        languages["zh"] = Chinese
        languages["zh_CN"] = Chinese
