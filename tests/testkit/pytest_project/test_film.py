"""Tests as the guide shows them: fixtures that pytest finds by itself, and fakes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from film import film, film_by_environment, film_later
from junfeiai_emulator import Emulator

from junfeiai import AsyncClient, Client
from junfeiai.testing import FakeClient, error


def test_a_video_is_saved(junfeiai_emulator: Emulator, junfeiai_client: Client, tmp_path: Path) -> None:
    said = film(junfeiai_client, "a ball", tmp_path / "ball.mp4")
    [request] = junfeiai_emulator.requests("create")
    assert (request.body_json["prompt"], request.body_json["seconds"], request.key) == ("a ball", "6", "valid")
    [task_id] = {seen.path.split("/")[-1] for seen in junfeiai_emulator.requests("query")}
    assert (tmp_path / "ball.mp4").read_bytes() == junfeiai_emulator.video(task_id)
    assert said == f"{(tmp_path / 'ball.mp4').stat().st_size} bytes"


def test_a_lost_answer_is_not_paid_for_twice(junfeiai_emulator: Emulator, junfeiai_client: Client, tmp_path: Path) -> None:
    junfeiai_emulator.fault("drop_after_accept", on="create")
    assert film(junfeiai_client, "a ball", tmp_path / "ball.mp4") == "look at the usage page"
    assert junfeiai_emulator.created_tasks == 1


def test_an_account_without_money(junfeiai_emulator: Emulator, junfeiai_client: Client, tmp_path: Path) -> None:
    junfeiai_emulator.fault("insufficient_user_quota", on="create")
    assert film(junfeiai_client, "a ball", tmp_path / "ball.mp4") == "top up the account"


def test_a_program_that_makes_its_own_client(junfeiai_emulator: Emulator, tmp_path: Path) -> None:
    junfeiai_emulator.change(task={"outcome": "failure"})
    assert film_by_environment("a ball", tmp_path / "ball.mp4") == "try another prompt"


def test_asyncio(junfeiai_emulator: Emulator, async_junfeiai_client: AsyncClient, tmp_path: Path) -> None:
    junfeiai_emulator.fault("cut_body", on="content", after_bytes=5_000)
    size = asyncio.run(film_later(async_junfeiai_client, "a ball", tmp_path / "ball.mp4"))
    assert size == (tmp_path / "ball.mp4").stat().st_size
    assert [seen.fault for seen in junfeiai_emulator.requests("content")][0] == "cut_body"


@pytest.mark.parametrize(("kind", "said"), [("task_failed", "try another prompt"), ("create_outcome_unknown", "look at the usage page")])
def test_without_http(kind: str, said: str, tmp_path: Path) -> None:
    client = FakeClient(generate=error(kind))
    assert film(client, "a ball", tmp_path / "ball.mp4") == said
    assert client.called("generate") == [{"prompt": "a ball", "seconds": 6}]
