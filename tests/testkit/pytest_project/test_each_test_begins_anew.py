"""The emulator is shared by all tests of a run, and nobody sees what another test did with it."""

from __future__ import annotations

import os

import pytest
from junfeiai_emulator import Emulator, EmulatorError

from junfeiai import Client


@pytest.mark.parametrize("number", range(2))
def test_each_test_begins_anew(number: int, junfeiai_emulator: Emulator, junfeiai_client: Client) -> None:
    assert (junfeiai_emulator.requests(), junfeiai_emulator.created_tasks) == ([], 0)
    assert os.environ["JUNFEIAI_BASE_URL"] == junfeiai_emulator.base_url
    junfeiai_emulator.set_time_scale(5_000)
    junfeiai_emulator.fault("html_502", times=None)
    junfeiai_client.videos.task("task_1")
    with pytest.raises(EmulatorError, match="unknown variant"):
        junfeiai_emulator.fault("no_such_fault")  # type: ignore[arg-type]


def test_the_environment_is_as_it_was() -> None:
    assert "JUNFEIAI_BASE_URL" not in os.environ
