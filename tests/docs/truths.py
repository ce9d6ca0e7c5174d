"""What the sources say about errors, read from the one place of each."""

import ast
import re

from blocks import ROOT


def source(path):
    return (ROOT / path).read_text(encoding="utf-8")


def between(text, start, end):
    if start not in text:
        raise LookupError(f"{start.strip()!r} is not found in the sources any more: say in tests/docs/truths.py where it went")
    return text.split(start, 1)[1].split(end, 1)[0]


class Kind:
    """One row of the core's table of errors."""

    def __init__(self, meaning, variant, number, name, step):
        self.meaning, self.variant, self.number, self.name, self.step = meaning, variant, int(number), name, step
        self.constant = f"JFAI_ERR_{name.upper()}"


def kinds():
    table = between(source("core/src/error.rs"), "\nerror_kinds! {", "\n}")
    row = re.compile(r'((?:\s*///[^\n]*\n)+)\s*(\w+) = (\d+), "(\w+)", "([^"]*)";')
    found = []
    for text, *rest in row.findall(table):
        found.append(Kind(" ".join(line.strip().removeprefix("///").strip() for line in text.strip().splitlines()), *rest))
    assert len(found) == len(re.findall(r"^\s*\w+ = \d+,", table, re.M)), "a row of the table of errors is not understood"
    return found


def python_classes():
    tree = ast.parse(source("bindings-python/python/junfeiai/_errors.py"))
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "KINDS":
            return {key.value: value.id for key, value in zip(node.value.keys, node.value.values, strict=True)}
    raise AssertionError("KINDS is not found")


def typescript_codes():
    return re.findall(r'"(\w+)"', between(source("bindings-wasm/ts/errors.ts"), "export type ErrorCode =", ";"))


def c_statuses():
    return dict(re.findall(r"^  (JFAI_ERR_\w+) = (\d+),", source("bindings-c/include/junfeiai.h"), re.M))
