"""Every kind of failure as the exception it should be."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator

import junfeiai
from junfeiai import Client, JunFeiAIError, _errors, _native

Provoke = Callable[[Client, Emulator, Path], object]


def fault(kind: str, op: str, **fields: Any) -> Callable[[Provoke], Provoke]:
    def before(call: Provoke) -> Provoke:
        def provoke(client: Client, emulator: Emulator, folder: Path) -> object:
            emulator.rule(kind, op=op, **fields)
            return call(client, emulator, folder)

        return provoke

    return before


def create(client: Client, _: Emulator, __: Path) -> object:
    return client.videos.create("x", seconds=4)


def get(client: Client, _: Emulator, __: Path) -> object:
    return client.videos.get("task_1")


def save(client: Client, emulator: Emulator, folder: Path) -> object:
    return client.videos.video(emulator.finished()).save(folder / "x.mp4", timeout=0.5)


def shape(name: str, op: str) -> Callable[[Provoke], Provoke]:
    return fault("error_shape", op, shape=name)


def exists(client: Client, emulator: Emulator, folder: Path) -> object:
    (folder / "x.mp4").write_bytes(b"mine")
    return save(client, emulator, folder)


def failed(client: Client, _: Emulator, __: Path) -> object:
    return client.videos.generate("[fail] x", seconds=4)


def late(client: Client, emulator: Emulator, _: Path) -> object:
    return client.videos.task(emulator.running()).wait(timeout=0.1)


def not_ready(client: Client, emulator: Emulator, _: Path) -> object:
    return client.videos.get(emulator.running()).video()


def nobody_there(_: Client, __: Emulator, ___: Path) -> object:
    return Client(api_key="sk-1", base_url="http://127.0.0.1:9", max_attempts=1).videos.get("task_1")


def too_late(_: Client, emulator: Emulator, __: Path) -> object:
    emulator.rule("hang", op="query")
    return Client(**emulator.options(timeout=0.2, max_attempts=1)).videos.get("task_1")


def no_key(_: Client, __: Emulator, ___: Path) -> object:
    return Client(api_key="")


def no_folder(client: Client, emulator: Emulator, folder: Path) -> object:
    return client.videos.video(emulator.finished()).save(folder / "none" / "x.mp4")


PROVOKED: list[tuple[str, type[JunFeiAIError], Provoke, type[Exception]]] = [
    ("config", junfeiai.ConfigError, no_key, ValueError),
    ("invalid_request", junfeiai.InvalidRequestError, lambda c, e, f: c.videos.create(""), ValueError),
    ("bad_request", junfeiai.BadRequestError, shape("invalid_request", "create")(create), Exception),
    ("authentication", junfeiai.AuthenticationError, shape("invalid_token", "query")(get), Exception),
    ("permission_denied", junfeiai.PermissionDeniedError, shape("no_model_right", "create")(create), Exception),
    (
        "insufficient_balance",
        junfeiai.InsufficientBalanceError,
        shape("insufficient_user_quota", "create")(create),
        junfeiai.PermissionDeniedError,
    ),
    ("not_found", junfeiai.NotFoundError, get, Exception),
    ("rate_limited", junfeiai.RateLimitError, fault("rate_limited", "query", retry_after="seconds", seconds=300)(get), Exception),
    ("upstream", junfeiai.UpstreamError, shape("upstream_401", "create")(create), Exception),
    ("model_unavailable", junfeiai.ModelUnavailableError, shape("model_not_found", "create")(create), Exception),
    ("unexpected_response", junfeiai.UnexpectedResponseError, fault("html", "query", status=200)(get), Exception),
    ("connect", junfeiai.APIConnectionError, nobody_there, ConnectionError),
    ("timeout", junfeiai.APITimeoutError, too_late, TimeoutError),
    ("create_outcome_unknown", junfeiai.CreateOutcomeUnknownError, fault("drop_after_accept", "create")(create), Exception),
    ("task_failed", junfeiai.TaskFailedError, failed, Exception),
    ("wait_timeout", junfeiai.WaitTimeoutError, late, TimeoutError),
    ("not_ready", junfeiai.NotReadyError, not_ready, junfeiai.DownloadError),
    ("file_exists", junfeiai.TargetExistsError, exists, FileExistsError),
    ("io", junfeiai.FileError, no_folder, OSError),
]


@pytest.mark.parametrize(("kind", "cls", "provoke", "builtin"), PROVOKED, ids=[row[0] for row in PROVOKED])
def test_provoked(
    kind: str,
    cls: type[JunFeiAIError],
    provoke: Provoke,
    builtin: type[Exception],
    emulator: Emulator,
    tmp_path: Path,
) -> None:
    client = Client(**emulator.options(max_attempts=1))
    with pytest.raises(JunFeiAIError) as caught:
        provoke(client, emulator, tmp_path)
    error = caught.value
    assert type(error) is cls
    assert isinstance(error, builtin)
    assert error.kind == kind
    assert KEY not in f"{error!r} {error} {error.__dict__}"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert (str(again), again.__dict__) == (str(error), error.__dict__)
    assert copy.copy(error).__dict__ == error.__dict__


def test_every_kind_of_the_core_has_a_class() -> None:
    kinds = {name: number for name, number, _ in _native.ERROR_KINDS}
    assert set(kinds) == set(_errors.KINDS)
    for name, number in kinds.items():
        error = _errors.from_record({"kind": name, "text": "what; next", "number": number, "status": 400})
        assert str(error) == "what; next"
        assert (error.kind, error.number, error.status_code) == (name, number, 400)


def test_an_error_that_is_made_anew_from_its_class_and_text() -> None:
    """Celery does so with the results of its workers in JSON: whoever looks there must not be told that nothing was sent."""
    numbers = {name: number for name, number, _ in _native.ERROR_KINDS}
    for cls in set(_errors.KINDS.values()):
        error = cls(*_errors.from_record({"kind": "internal", "text": "what (task task_1); next"}).args)
        assert _errors.KINDS[error.kind] is cls and error.number == numbers[error.kind]
        assert error.maybe_executed == (cls is junfeiai.CreateOutcomeUnknownError)
        assert "task_1" in str(error)


def test_every_class_is_exported_and_belongs_to_the_family() -> None:
    for name in vars(_errors):
        thing = getattr(_errors, name)
        if isinstance(thing, type) and issubclass(thing, JunFeiAIError):
            assert getattr(junfeiai, name) is thing
            assert name in junfeiai.__all__
            assert thing.__doc__


def test_what_an_error_carries(client: Client, emulator: Emulator) -> None:
    emulator.rule("drop_after_accept", op="create")
    with pytest.raises(junfeiai.CreateOutcomeUnknownError) as lost:
        client.videos.create("x", seconds=4)
    assert lost.value.maybe_executed
    assert lost.value.attempts == 1
    assert emulator.stats()["created_tasks"] == 1

    emulator.scenario()
    with pytest.raises(junfeiai.NotFoundError) as unknown:
        client.videos.get("task_none")
    error = unknown.value
    assert (error.status_code, error.code, error.task_id) == (400, "task_not_exist", "task_none")
    assert error.request_id
    assert error.phase == "query"
    assert not error.maybe_executed

    with pytest.raises(junfeiai.WaitTimeoutError) as late:
        client.videos.task(emulator.running()).wait(timeout=0.05)
    assert late.value.last_status in ("queued", "in_progress")
    assert "wait(" in str(late.value)

    emulator.rule("rate_limited", op="query", retry_after="seconds", seconds=7)
    with pytest.raises(junfeiai.RateLimitError) as limited:
        Client(**emulator.options(max_attempts=1)).videos.get("task_none")
    assert limited.value.retry_after == 7.0
    assert limited.value.transient


def test_a_plain_error_has_every_attribute() -> None:
    error = JunFeiAIError("made by hand")
    for name in ("kind", "code", "status_code", "request_id", "task_id", "retry_after", "maybe_executed", "attempts"):
        assert hasattr(error, name)
