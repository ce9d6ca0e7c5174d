"""Tasks that one process paid for and the next one resumes."""

from __future__ import annotations

import asyncio
import os
import pickle
from pathlib import Path

import pytest
from conftest import KEY, Emulator

import junfeiai
from junfeiai import AsyncClient, Client


def test_pending_and_resume(emulator: Emulator, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    client = Client(**emulator.options(journal=journal))
    task = client.videos.create("a secret prompt", seconds=6)
    again = Client(**emulator.options(journal=journal))
    [entry] = again.videos.pending()
    assert (entry.kind, entry.task_id, entry.model, entry.seconds, entry.state) == (
        "task", task.id, "grok-image-video", "6", "created",
    )  # fmt: skip
    text = journal.read_text()
    assert KEY not in text
    assert "secret prompt" not in text
    [saved] = list(again.videos.resume_pending(tmp_path / "out"))
    assert saved.task_id == task.id
    assert saved.error is None
    assert saved.summary is not None
    assert saved.result().path == tmp_path / "out" / f"{task.id}.mp4"
    assert again.videos.pending() == []


def test_failures_are_reported_and_stop_no_other(emulator: Emulator, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal"))
    bad = client.videos.create("[fail] x", seconds=4)
    good = client.videos.create("x", seconds=4)
    results = {saved.task_id: saved for saved in client.videos.resume_pending(tmp_path)}
    assert results[good.id].error is None
    assert isinstance(results[bad.id].error, junfeiai.TaskFailedError)
    with pytest.raises(junfeiai.TaskFailedError):
        results[bad.id].result()
    assert "error=" in repr(results[bad.id])


def test_forget_and_resolve(emulator: Emulator, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal", journal_prompts=True))
    task = client.videos.create("x", seconds=4)
    assert client.videos.pending()[0].prompt == "x"
    assert client.videos.forget(task.id)
    assert not client.videos.forget(task.id)
    emulator.rule("drop_after_accept", op="create")
    with pytest.raises(junfeiai.CreateOutcomeUnknownError):
        client.videos.create("x", seconds=4)
    [entry] = client.videos.pending()
    assert (entry.kind, entry.task_id) == ("unknown", None)
    assert entry.intent
    assert client.videos.resolve_unknown(entry.intent, "task_found")
    [found] = client.videos.pending()
    assert found.task_id == "task_found"
    assert not client.videos.resolve_unknown(entry.intent)


def test_without_a_journal(client: Client, tmp_path: Path) -> None:
    with pytest.raises(junfeiai.ConfigError, match="journal"):
        client.videos.pending()
    with pytest.raises(junfeiai.ConfigError, match="journal"):
        list(client.videos.resume_pending(tmp_path))
    (tmp_path / "journal").write_text("not a journal\n" * 3)
    with pytest.raises(junfeiai.JournalError):
        Client(api_key="sk-1", journal=tmp_path / "journal")


def test_asyncio(emulator: Emulator, tmp_path: Path) -> None:
    async def main() -> None:
        client = AsyncClient(**emulator.options(journal=tmp_path / "journal"))
        await client.videos.create("x", seconds=4)
        assert len(await client.videos.pending()) == 1
        saved = [saved async for saved in client.videos.resume_pending(tmp_path)]
        assert saved[0].result().bytes
        assert not await client.videos.forget("task_1")

    asyncio.run(main())


def test_forked_children_write_one_journal(emulator: Emulator, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal"))
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                client.videos.create("the same prompt", seconds=4)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len({entry.task_id for entry in client.videos.pending()}) == 4


def test_reconcile(emulator: Emulator, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal"))
    assert client.videos.reconcile() == junfeiai.Reconciliation([], None)
    client.videos.create("x", seconds=4)
    # The charge is found by the id of the response, whose body was of no use.
    emulator.rule("empty_body", op="create")
    with pytest.raises(junfeiai.CreateOutcomeUnknownError):
        client.videos.create("x", seconds=6, key="film/1")
    emulator.scenario()
    [entry] = client.videos.reconcile().entries
    assert (entry.verdict, entry.key, entry.seconds, entry.charged_units) == ("charged", "film/1", "6", 150_000)
    assert entry.request_id
    assert entry.reason
    [unknown] = [entry for entry in client.videos.pending() if entry.kind == "unknown"]
    assert (unknown.intent, unknown.state) == (entry.intent, "charged")
    assert pickle.loads(pickle.dumps(entry)) == entry


def test_reconcile_with_the_accounts_token(emulator: Emulator, tmp_path: Path) -> None:
    account = {"name": "default", "user_id": 7, "access_token": "account-token-4711"}
    emulator.scenario(accounts=[account])
    client = Client(**emulator.options(journal=tmp_path / "journal"))
    client.videos.create("x", seconds=4)
    emulator.rule("empty_body", op="create")
    with pytest.raises(junfeiai.CreateOutcomeUnknownError):
        client.videos.create("x", seconds=6, key="film/1")
    emulator.scenario()
    for bad in ("", "two words", "tok\u00e9n-secret", "a\nbcdef", client_key := emulator.options()["api_key"]):
        with pytest.raises(junfeiai.ConfigError, match="account token") as caught:
            client.videos.reconcile(account_token=bad)
        assert caught.value.field == "account_token"
        assert client_key not in str(caught.value)
    for number in (-1, "", "me"):
        with pytest.raises(junfeiai.ConfigError) as caught:
            client.videos.reconcile(account_token="account-token-4711", account_user=number)
        assert caught.value.field == "account_user"
    with pytest.raises(junfeiai.ConfigError, match="account_token"):
        client.videos.reconcile(account_user=7)
    with pytest.raises(junfeiai.AuthenticationError, match="check the account token"):
        client.videos.reconcile(account_token="no-such-token", account_user=7)
    [entry] = client.videos.reconcile(account_token="account-token-4711", account_user=7).entries
    assert (entry.verdict, entry.charged_units) == ("charged", 150_000)
    assert client.videos.create("x", seconds=6, key="film/1").id == entry.task_id
    assert {one.task_id for one in client.videos.pending()} >= {entry.task_id}
    assert "account-token" not in (tmp_path / "journal").read_text()

    async def again() -> None:
        async with AsyncClient(**emulator.options(journal=tmp_path / "journal")) as client:
            assert (await client.videos.reconcile(account_token="account-token-4711", account_user="7")).entries == []

    asyncio.run(again())


def test_reconcile_without_an_answer(emulator: Emulator, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncClient(**emulator.options(journal=tmp_path / "journal")) as client:
            emulator.rule("drop_before_accept", op="create")
            with pytest.raises(junfeiai.CreateOutcomeUnknownError):
                await client.videos.create("x", seconds=6)
            emulator.scenario()
            [entry] = (await client.videos.reconcile()).entries
            assert (entry.verdict, entry.task_id, entry.charged_units) == ("under_way", None, None)

    asyncio.run(main())
    with pytest.raises(junfeiai.ConfigError):
        Client(**emulator.options()).videos.reconcile()
