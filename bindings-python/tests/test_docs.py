"""Every example in a docstring and in the documents of the repository runs."""

from __future__ import annotations

import doctest
import functools
import inspect
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Emulator, emulator_binary

import junfeiai
from junfeiai import AsyncClient, Client

COLLECTOR = ROOT / "tests" / "docs" / "blocks.py"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples are those of users, who wait as the service wants it; here nobody has to."""
    for cls in (Client, AsyncClient):
        monkeypatch.setattr(junfeiai, cls.__name__, functools.partial(cls, poll_interval=0.02))


def documented() -> list[str]:
    return ["junfeiai", *(name for name in junfeiai.__all__ if ">>>" in (getattr(junfeiai, name).__doc__ or ""))]


@pytest.mark.parametrize("name", documented())
def test_docstring(name: str, emulator: Emulator, environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thing = {"junfeiai": junfeiai, "Client": Client, "AsyncClient": AsyncClient}.get(name) or getattr(junfeiai, name)
    emulator.scenario(task={"ends_after_polls": 1})
    names = {"client": Client(**emulator.options()), "async_client": AsyncClient(**emulator.options())}
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(thing) or "", names, name, None, None)
    assert test.examples
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert result.failed == 0, "".join(said)


def test_everything_is_documented() -> None:
    for name in junfeiai.__all__:
        thing = {"Client": Client, "AsyncClient": AsyncClient}.get(name, getattr(junfeiai, name))
        assert name.startswith("__") or thing.__doc__, name
        if isinstance(thing, type) and not issubclass(thing, BaseException):
            for member in vars(thing):
                assert member.startswith("_") or getattr(thing, member).__doc__, f"{name}.{member}"


def examples() -> list[tuple[str, str]]:
    """The place and the text of every example in the documents, by the collector that all languages use."""
    done = subprocess.run([sys.executable, COLLECTOR, "python"], check=True, stdout=subprocess.PIPE, text=True)
    return [(f"{block['file']}:{block['line']}", block["text"]) for block in json.loads(done.stdout)]


@pytest.mark.parametrize(("where", "text"), [pytest.param(*one, id=one[0]) for one in examples()])
def test_document(where: str, text: str, emulator: Emulator, environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    shutil.copy(COLLECTOR.with_name("company.pem"), environment)
    # The guides' tests import what the emulator's wheel brings.
    monkeypatch.syspath_prepend(ROOT / "tests" / "emulator" / "python")
    monkeypatch.setenv("PATH", f"{emulator_binary().parent}{os.pathsep}{os.environ['PATH']}")
    logger = logging.getLogger("junfeiai")
    handlers, level = logger.handlers[:], logger.level
    try:
        exec(compile(text, where, "exec"), {"__name__": "__main__"})
    finally:
        # What an example switches on is for its own process.
        logger.handlers[:] = handlers
        logger.setLevel(level)
        if "junfeiai.otel" in sys.modules:
            sys.modules["junfeiai.otel"].JunFeiAIInstrumentor().uninstrument()


def test_the_guide_is_among_them() -> None:
    assert len([where for where, _ in examples() if where.startswith("bindings-python/README.md")]) >= 10
