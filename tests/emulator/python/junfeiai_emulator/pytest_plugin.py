"""Fixtures for pytest, which finds them by the entry point of this package.

Each test gets the emulator as after its start: healthy, without tasks and requests. The process is the same for all tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import Emulator

if TYPE_CHECKING:
    from junfeiai import AsyncClient, Client


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("junfeiai_time_scale", "the service's seconds per real second in tests with junfeiai_emulator", default="600")


@pytest.fixture(scope="session")
def junfeiai_emulator_process(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """The emulator that all tests of this session share, for fixtures of a wider scope than a test."""
    with Emulator(time_scale=float(pytestconfig.getini("junfeiai_time_scale"))) as emulator:
        yield emulator


@pytest.fixture
def junfeiai_emulator(
    junfeiai_emulator_process: Emulator, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> Emulator:
    """The emulator, healthy and empty. ``JUNFEIAI_API_KEY`` and ``JUNFEIAI_BASE_URL`` name it: no client of this test that takes
    its options from the environment reaches the paid service.
    """
    emulator = junfeiai_emulator_process
    emulator.reset()
    emulator.set_time_scale(float(pytestconfig.getini("junfeiai_time_scale")))
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JUNFEIAI_VIDEO_BASE_URL", raising=False)
    return emulator


@pytest.fixture
def junfeiai_client(junfeiai_emulator: Emulator) -> Iterator[Client]:
    """A ``junfeiai.Client`` of the emulator, which polls every 20 ms."""
    with junfeiai_emulator.client() as client:
        yield client


@pytest.fixture
def async_junfeiai_client(junfeiai_emulator: Emulator) -> Iterator[AsyncClient]:
    """A ``junfeiai.AsyncClient`` of the emulator, which polls every 20 ms. Any plugin for asynchronous tests will do."""
    client = junfeiai_emulator.async_client()
    yield client
    client.close()
