"""The fenced blocks, tables, headings and links of this repository's documents, for the suites that test them.

    blocks.py LANGUAGE   its blocks as JSON, for suites in other languages
"""

import argparse
import json
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Written by a program, with what programs printed.
WRITTEN = {"tests/bench/RESULTS.md"}


@dataclass
class Block:
    file: str
    line: int
    language: str
    more: str  # what stands behind the language
    text: str


def documents():
    """Every document by its path from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return sorted(name for name in names if name not in WRITTEN and (ROOT / name).exists())


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks_of(name):
    found, opened = [], None
    for number, line in enumerate(read(name).splitlines(), 1):
        if opened is None and (start := re.match(r"\s*```(\w*)[\s,]*(.*)$", line)):
            opened = Block(name, number, start[1], start[2], "")
        elif opened is not None and re.match(r"\s*```\s*$", line):
            found.append(opened)
            opened = None
        elif opened is not None:
            opened.text += line + "\n"
    if opened is not None:
        raise ValueError(f"{name}:{opened.line}: the block has no end")
    return found


# What stands between quotation marks is no comment: "https://…".
SLASHES = r"""(?P<text>"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`)|//[^\n]*|/\*.*?\*/"""
HASHES = r"""(?P<text>"(?:\\.|[^"\\\n])*"|'[^'\n]*')|(?<!\S)#[^\n]*"""
COMMENTS = {**dict.fromkeys(("rust", "ts", "c", "cpp"), SLASHES), **dict.fromkeys(("python", "sh", "toml", "cmake"), HASHES)}


def code(block):
    """A block without its comments, which a translation translates, and without the lines that have nothing else."""
    text = block.text
    if block.language in COMMENTS:
        text = re.sub(COMMENTS[block.language], lambda match: match["text"] or "", text, flags=re.S)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def comments(language, line):
    """The comments in a line of a block."""
    return [match[0] for match in re.finditer(COMMENTS.get(language, "(?!)"), line) if not match["text"]]


def collect(language):
    """All blocks in a language. A translation has the same ones, which is checked: each is given once."""
    found = [block for name in documents() for block in blocks_of(name) if block.language == language]
    originals = {(original(block.file), code(block)) for block in found if original(block.file) == block.file}
    return [block for block in found if original(block.file) == block.file or (original(block.file), code(block)) not in originals]


def original(name):
    """The English document of a translation; itself for every other."""
    return name.replace(".zh-CN.md", ".md")


def prose(name):
    """The text without its blocks."""
    return re.sub(r"^\s*```.*?^\s*```\s*$", "", read(name), flags=re.M | re.S)


def headings(name):
    return re.findall(r"^(#+) (.*)$", prose(name), re.M)


def links(name):
    return re.findall(r"\]\(([^)\s]+)\)", prose(name))


def spans(text):
    return re.findall(r"`([^`]+)`", text)


def tables(name):
    """Every table as a list of rows of cells, without the two rows of its head, under its name.

    A table gets its name by a comment before it: <!-- table: NAME -->.
    """
    found, title, rows = {}, None, []
    for line in [*prose(name).splitlines(), ""]:
        if mark := re.match(r"<!-- table: (\S+) -->", line):
            title = mark[1]
        elif line.startswith("|"):
            # An escaped bar is part of its cell.
            rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]])
        elif rows:
            found[title or f"table {len(found) + 1}"] = rows[2:]
            title, rows = None, []
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", help="such as python, ts, c, sh")
    print(json.dumps([asdict(block) for block in collect(parser.parse_args().language)]))
