"""Skips the tests of a table, for `pytest -p skips`: JUNFEIAI_SKIPS is an object of JSON with reasons, by `test_file.py::test_name`."""

from __future__ import annotations

import json
import os

import pytest

TABLE: dict[str, str] = json.loads(os.environ["JUNFEIAI_SKIPS"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files = {item.path.name for item in items}
    unknown = {name for name in TABLE if name.split("::")[0] in files}
    for item in items:
        # With its parameters, or with all of them.
        for name in (f"{item.path.name}::{item.name}", f"{item.path.name}::{item.name.split('[')[0]}"):
            if name in TABLE:
                item.add_marker(pytest.mark.skip(reason=TABLE[name]))
                unknown.discard(name)
    if unknown:
        raise pytest.UsageError(f"there is no such test: {', '.join(sorted(unknown))}")
