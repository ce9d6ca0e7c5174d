"""Every example in a docstring and in both READMEs runs."""

from __future__ import annotations

import doctest
import functools
import inspect
import re
from pathlib import Path

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient, Client

FOLDER = Path(__file__).resolve().parents[1]
READMES = [FOLDER / "README.md", FOLDER / "README.zh-CN.md"]


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
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
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


def blocks(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize(
    ("path", "number"),
    [pytest.param(path, number, id=f"{path.name}-{number}") for path in READMES for number in range(len(blocks(path)))],
)
def test_readme(path: Path, number: int, emulator: Emulator, environment: Path) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    exec(compile(blocks(path)[number], f"{path.name}, example {number}", "exec"), {"__name__": "__main__"})


def test_both_readmes_have_the_same_examples() -> None:
    assert blocks(READMES[0]) == blocks(READMES[1])
    assert len(blocks(READMES[0])) >= 5
