"""What no scenario shows. Every error kind, every fault and error shape of the emulator, every row must be in one, or in a
list below with the reason why it is not.
"""

from __future__ import annotations

import re
from typing import Any

import book
from service import ROOT

# Kinds that no scenario can bring about in every language, and where they are tested instead.
KINDS_ELSEWHERE = {
    "download": "only after eight failures in a row, 70 s of pauses that no option shortens: core/src/protocol/download_tests",
    "no_space": "needs a full disk: core/tests/save.rs and the tests of the bindings",
    "internal": "a defect; the tests of each binding bring about a panic",
}
FAULTS_ELSEWHERE: dict[str, str] = {}
SHAPES_ELSEWHERE: dict[str, str] = {}


def variants(path: str, enum: str) -> set[str]:
    """The names of an enum of the emulator as a scenario writes them."""
    text = (ROOT / path).read_text()
    body = text.split(f"pub enum {enum} {{", 1)[1].split("\n}\n", 1)[0]
    names = set()
    renamed = None
    for line in body.splitlines():
        if found := re.match(r'\s{4}#\[serde\(rename = "(\w+)"\)\]', line):
            renamed = found[1]
        elif found := re.match(r"\s{4}([A-Z]\w*)", line):
            names.add(renamed or re.sub(r"(?<!^)([A-Z])", r"_\1", found[1]).lower())
            renamed = None
    return names


def kinds() -> set[str]:
    """Every error kind of the core's table."""
    text = (ROOT / "core/src/error.rs").read_text()
    return set(re.findall(r'^    [A-Z]\w+ = \d+, "(\w+)",', text, re.M))


def expected_kinds(value: Any) -> set[str]:
    """The kinds of all errors that are expected in here, however deep."""
    if isinstance(value, dict):
        error = value.get("error")
        own = {error["kind"]} if isinstance(error, dict) and "kind" in error else set()
        return own.union(*(expected_kinds(part) for part in value.values()))
    return set().union(*(expected_kinds(part) for part in value)) if isinstance(value, list) else set()


def faults_of(scenario: book.Scenario) -> list[dict[str, Any]]:
    return [rule["fault"] for rule in scenario.server.get("rules", [])]


def gaps(scenarios: list[book.Scenario]) -> list[str]:
    """One line for each thing that is neither shown nor excused, or excused although it is shown."""
    expected = set().union(*(expected_kinds(scenario.expectations()) for scenario in scenarios))
    faults = {fault["kind"] for scenario in scenarios for fault in faults_of(scenario)}
    shapes = {fault["shape"] for scenario in scenarios for fault in faults_of(scenario) if "shape" in fault}
    named = {row for scenario in scenarios for row in scenario.rows}
    rows = book.rows()
    lines = []
    for what, all_, shown, elsewhere in (
        ("error kind", kinds(), expected, KINDS_ELSEWHERE),
        ("fault of the emulator", variants("tests/emulator/src/fault.rs", "Fault"), faults, FAULTS_ELSEWHERE),
        ("error shape of the emulator", variants("tests/emulator/src/errors.rs", "Shape"), shapes, SHAPES_ELSEWHERE),
        ("row", set(rows["shown"]) | set(rows["elsewhere"]), named, rows["elsewhere"]),
    ):
        if not all_:
            lines.append(f"no {what} was found at all: the source that they are read from has changed")
        lines += [f"no scenario shows the {what} {name}" for name in sorted(all_ - shown - set(elsewhere))]
        lines += [f"the {what} {name} is said to be tested elsewhere, but a scenario shows it"
                  for name in sorted(shown & set(elsewhere))]
        lines += [f"a scenario names the {what} {name}, which there is not" for name in sorted(shown - all_)]
    return lines
