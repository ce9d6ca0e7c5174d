"""The fakes of ``junfeiai.testing``: they have what the real classes have, and do what the test says."""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import (
    AsyncClient,
    Client,
    InvalidRequestError,
    JunFeiAIError,
    RateLimitError,
    TargetExistsError,
    TaskFailedError,
    WaitTimeoutError,
    testing,
)
from junfeiai._errors import KINDS
from junfeiai._native import ERROR_KINDS
from junfeiai.testing import CONTENT, Call, FakeAsyncClient, FakeClient, error, in_turn, record, summary, task, video

STUBS = ast.parse((Path(junfeiai.__file__).parent / "_native.pyi").read_text(encoding="utf-8"))


def fakes() -> list[Any]:
    """One of each kind of fake, synchronous and asynchronous."""
    client, async_client = FakeClient(), FakeAsyncClient()

    async def answer() -> Any:
        return await async_client.videos.video("task_1").serve()

    async def reader() -> Any:
        return await async_client.videos.video("task_1").open()

    return [
        client, async_client, client.videos, async_client.videos, task(), testing.async_task(), video(), testing.async_video(),
        testing.outcome(), testing.async_outcome(), testing.advanced(), testing.async_advanced(), testing.saved(), testing.check_report(),
        client.videos.video("task_1").serve(), asyncio.run(answer()), asyncio.run(reader()),
    ]  # fmt: skip


def real_classes() -> list[type]:
    """What the library gives and nobody can make but itself."""
    found = [getattr(junfeiai, name) for name in junfeiai.__all__]
    kinds = [cls for cls in found if isinstance(cls, type) and not issubclass(cls, BaseException)]
    return [cls for cls in kinds if cls in (Client, AsyncClient) or not inspect.signature(cls).parameters]


def test_there_is_a_fake_of_every_class() -> None:
    assert {fake.__class__ for fake in fakes()} == set(real_classes())


@pytest.mark.parametrize("fake", fakes(), ids=lambda fake: str(fake.__class__.__name__))
def test_a_fake_has_what_the_real_class_has(fake: Any) -> None:
    real = fake.__class__
    assert isinstance(fake, real)
    for name in (name for name in dir(real) if not name.startswith("_")):
        assert callable(getattr(fake, name)) == callable(getattr(real, name)), name
    for name in ("__iter__", "__aiter__", "__enter__", "__aenter__"):
        assert hasattr(fake, name) == hasattr(real, name), name
    with pytest.raises(AttributeError):
        fake.another  # noqa: B018
    if real not in (Client, AsyncClient):
        for name in ("id", "another"):
            with pytest.raises(AttributeError):
                setattr(fake, name, 1)


def returns(cls: str) -> dict[str, str]:
    """What the stubs say that each method of a class gives."""
    body = next(node.body for node in STUBS.body if isinstance(node, ast.ClassDef) and node.name == cls)
    return {node.name: ast.unparse(node.returns) for node in body if isinstance(node, ast.FunctionDef) and node.returns}


@pytest.mark.parametrize("fake", [testing._FakeVideos, testing._FakeTask, testing._FakeVideo, testing._FakeOutcome], ids=lambda fake: fake.__name__)
def test_coroutines_are_where_the_real_ones_are(fake: Any) -> None:
    said = returns(fake._async.__name__)
    for name in fake._calls():
        if said[name].startswith(("Coroutine", "Opening")):
            assert name not in fake._now | fake._each, name
        else:
            assert (name in fake._each) == said[name].startswith("AsyncIterator"), name
            assert (name in fake._now) != (name in fake._each), name


def test_every_method_has_something_to_give() -> None:
    for fake in (testing._FakeClient, testing._FakeVideos, testing._FakeTask, testing._FakeVideo):
        for name in set(fake._calls()) - {"close"}:
            assert callable(getattr(fake, f"_{name}", None) or getattr(fake, name, None)), f"{fake.__name__}.{name}"


def test_dicts_have_the_fields_of_the_real_ones(emulator: Emulator) -> None:
    with Client(**emulator.options()) as client:
        (real,) = client.videos.generate_many([{"prompt": "a", "seconds": 4}])
        task_id = str(real.task_id)
        advanced = client.videos.advance(client.videos.task(task_id).wait_state())
        pairs: list[tuple[Any, Any]] = [
            (real, testing._FakeOutcome),
            (real.result(), testing._FakeVideo),
            (advanced, testing._FakeAdvanced),
            (client.videos.get(task_id), testing._FakeTask),
        ]
        for thing, fake in pairs:
            assert tuple(thing.to_dict()) == fake._fields, fake.__name__
    fakes = FakeClient()
    (outcome,) = fakes.videos.generate_many([{"prompt": "a"}])
    assert json.dumps(outcome.to_dict())
    assert json.dumps(fakes.videos.get("task_1").to_dict())
    assert outcome.to_dict()["video"] == outcome.result().to_dict()


@pytest.mark.parametrize(("kind", "number", "advice"), ERROR_KINDS, ids=lambda value: str(value))
def test_errors_of_every_kind(kind: str, number: int, advice: str) -> None:
    made = error(kind)
    assert type(made) is KINDS[kind]
    assert (made.kind, made.number) == (kind, number)
    assert str(made) == f"{made.message}; {advice}"
    assert made.__dict__.keys() >= set(JunFeiAIError.__annotations__)
    assert type(error(KINDS[kind])) is KINDS[kind]
    again = pickle.loads(pickle.dumps(error(kind, "it rains", task_id="task_7", retry_after=5)))
    assert (again.message, again.task_id, again.retry_after, again.kind) == ("it rains", "task_7", 5, kind)


def test_errors_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="rate_limited"):
        error("rate_limit")
    with pytest.raises(ValueError, match="APIStatusError"):
        error(junfeiai.APIStatusError)
    with pytest.raises(TypeError, match="task_ident"):
        error("task_failed", task_ident="task_1")


REAL: list[tuple[str, dict[str, Any], Callable[[Client], object]]] = [
    ("insufficient_balance", {"rules": [{"match": {"op": "create"}, "fault": {"kind": "error_shape", "shape": "insufficient_user_quota"}}]},
     lambda client: client.videos.create("a")),
    ("model_unavailable", {"rules": [{"match": {"op": "create"}, "fault": {"kind": "error_shape", "shape": "model_not_found"}}]},
     lambda client: client.videos.create("a")),
    ("create_outcome_unknown", {"rules": [{"match": {"op": "create"}, "fault": {"kind": "drop_after_accept"}}]},
     lambda client: client.videos.create("a")),
    ("invalid_request", {}, lambda client: client.videos.create("a", seconds=600)),
    ("task_failed", {"task": {"outcome": "failure"}}, lambda client: client.videos.create("a").wait()),
    ("wait_timeout", {"task": {"outcome": "stuck"}}, lambda client: client.videos.create("a").wait(timeout=0.3)),
    ("not_found", {"api": {"unknown_task_status": 404}}, lambda client: client.videos.get("task_8")),
    ("not_offered", {"rules": [{"match": {"op": "other"}, "fault": {"kind": "status", "status": 404}}]}, lambda client: client.models()),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "scenario", "act"), REAL, ids=[kind for kind, _, _ in REAL])
def test_errors_are_like_the_real_ones(kind: str, scenario: dict[str, Any], act: Callable[[Client], object], emulator: Emulator) -> None:
    emulator.scenario(**scenario)
    with Client(**emulator.options()) as client, pytest.raises(JunFeiAIError) as real:
        act(client)
    fake = error(kind)
    assert type(fake) is type(real.value)
    names = ("kind", "number", "phase", "status_code", "maybe_executed", "transient")
    assert [(name, getattr(fake, name)) for name in names] == [(name, getattr(real.value, name)) for name in names]
    assert (fake.task_id is None) == (real.value.task_id is None)


def test_a_task_that_is_not_done_has_no_video(emulator: Emulator) -> None:
    with Client(**emulator.options()) as client, pytest.raises(junfeiai.NotReadyError) as real:
        client.videos.create("a").video()
    with pytest.raises(junfeiai.NotReadyError) as fake:
        task().video()
    names = ("kind", "phase", "last_status", "transient")
    assert [getattr(fake.value, name) for name in names] == [getattr(real.value, name) for name in names]


def test_records() -> None:
    kinds = [cls for name in junfeiai.__all__ if isinstance(cls := getattr(junfeiai, name), type)]
    made = {cls for cls in kinds if not issubclass(cls, BaseException) and cls not in (Client, AsyncClient) and inspect.signature(cls).parameters}
    assert set(testing._DEFAULTS) == made
    for kind in made:
        assert isinstance(record(kind), kind)
    assert record(junfeiai.Balance, available_usd=0.5).available_usd == 0.5
    assert summary("ball.mp4", bytes=7) == record(junfeiai.Summary, path=Path("ball.mp4"), bytes=7)
    with pytest.raises(TypeError, match="available"):
        record(junfeiai.Balance, available=1)
    with pytest.raises(TypeError, match="Summary"):
        record(junfeiai.Task)


def film(client: Client, path: Path) -> list[str]:
    """A user's program."""
    seen: list[str] = []
    made = client.videos.create("a ball", seconds=6)
    made.wait(on_progress=lambda state: seen.append(state.status)).save(path)
    return seen


def test_without_results_all_goes_well(tmp_path: Path) -> None:
    client = FakeClient()
    assert film(client, tmp_path / "ball.mp4") == ["queued", "in_progress", "succeeded"]
    assert (tmp_path / "ball.mp4").read_bytes() == CONTENT
    assert [call.name for call in client.calls] == ["create", "wait", "save"]
    assert client.calls[0] == Call("create", {"prompt": "a ball", "seconds": 6})
    assert client.called("save") == [{"path": tmp_path / "ball.mp4"}]
    with pytest.raises(TargetExistsError):
        film(client, tmp_path / "ball.mp4")


def test_the_results_are_those_of_the_test() -> None:
    client = FakeClient(create=in_turn(error("rate_limited"), task("task_77")), wait=lambda timeout=None: video("task_77", content=b"abc"))
    with pytest.raises(RateLimitError):
        client.videos.create("a")
    made = client.videos.create("a")
    assert made == task("task_77")
    assert made.wait(timeout=5) == video("task_77")
    assert client.called("wait") == [{"timeout": 5}]
    with pytest.raises(AssertionError, match="create was called once more"):
        client.videos.create("a")
    own = FakeClient(create=task(wait=error("wait_timeout")), wait=error("task_failed"))
    with pytest.raises(WaitTimeoutError):
        own.videos.create("a").wait()
    with pytest.raises(TaskFailedError):
        own.videos.task("task_8").wait()
    with pytest.raises(TypeError, match="creat"):
        FakeClient(creat=task())
    with pytest.raises(TypeError, match="statos"):
        task(statos="queued")


def test_what_the_library_refuses_is_refused(tmp_path: Path) -> None:
    client = FakeClient()
    with pytest.raises(InvalidRequestError) as refused:
        client.videos.create("a", seconds=600)
    assert refused.value.field == "seconds"
    with pytest.raises(TypeError, match="sceonds"):
        client.videos.create("a", sceonds=6)  # type: ignore[call-arg]
    with pytest.raises(junfeiai.FileError):
        client.videos.generate("a").save(tmp_path / "no" / "folder.mp4")
    with pytest.raises(InvalidRequestError):
        client.videos.task("")
    assert client.called("create") == [{"prompt": "a", "seconds": 600}, {"prompt": "a"}]


def test_a_request_of_several_that_cannot_be_sent(client: Client) -> None:
    wrong: Any = {"prompt": "c", "sceonds": 6}
    for videos in (client.videos, FakeClient().videos):
        outcomes = {outcome.index: outcome.error for outcome in videos.generate_many(["a", {"prompt": "b", "seconds": 600}])}
        assert outcomes[0] is None and isinstance(outcomes[1], InvalidRequestError) and outcomes[1].field == "seconds"
        with pytest.raises(TypeError, match="sceonds"):
            list(videos.generate_many(["a", wrong]))


async def never_awaited(_: object) -> None:
    raise AssertionError("nobody awaits this")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: c.videos.generate("a", timeout=-1), "timeout must be a number of seconds"),
        (lambda c: c.videos.generate("a", timeout="5"), "argument 'timeout'"),
        (lambda c: c.videos.generate("a", poll_interval=0), "poll_interval must be more than zero"),
        (lambda c: c.videos.generate("a", on_progress=3), "argument 'on_progress': expected a callable"),
        (lambda c: c.videos.generate("a", on_progress=never_awaited), "argument 'on_progress': expected a plain function"),
        (lambda c: c.videos.create("a", key=3), "argument 'key'"),
        (lambda c: c.videos.create("a", retry_failed="yes"), "argument 'retry_failed'"),
        (lambda c: list(c.videos.generate_many("abc")), "argument 'requests'"),
        (lambda c: list(c.videos.generate_many(["a"], concurrency=0)), "concurrency must be at least 1"),
        (lambda c: c.videos.wait_all("abc"), "argument 'task_ids'"),
        (lambda c: c.videos.advance({}), "this is no wait state"),
        (lambda c: c.videos.video("task_1").save("x.mp4", timeout=-1), "timeout must be a number of seconds"),
        (lambda c: c.videos.video("task_1").save("x.mp4", on_progress=3), "argument 'on_progress': expected a callable"),
        (lambda c: c.videos.video("task_1").read_range(-1, 5), "argument 'start'"),
        (lambda c: c.videos.video("task_1").read_range(5, 5), "the range 5..5 is empty"),
        (lambda c: c.videos.video("task_1").read(max_bytes="x"), "argument 'max_bytes'"),
        (lambda c: c.videos.video("task_1").serve(5), "argument 'range_header'"),
    ],
)
def test_arguments_are_refused_as_by_the_real_client(call: Callable[[Any], Any], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fake = FakeClient()
    for client in (Client(api_key="sk-1", base_url="http://127.0.0.1:9/v1", proxy=""), fake):
        with pytest.raises((InvalidRequestError, TypeError, OverflowError), match=text):
            call(client)
    assert not list(tmp_path.iterdir())
    assert fake.called("wait") == []


def test_options_of_a_wait() -> None:
    client = FakeClient()
    seen: list[str] = []
    video = client.videos.generate("a", timeout=60, poll_interval=5, on_progress=lambda state: seen.append(state.status))
    assert video == client.videos.task("task_1").wait(timeout=60, poll_interval=5)
    assert seen == ["queued", "queued", "in_progress", "succeeded"]


def test_a_closed_client() -> None:
    with FakeClient() as client:
        pass
    other = FakeAsyncClient()
    other.close()
    for call in (lambda: client.videos, client.models, client.balance, client.check, lambda: other.videos, lambda: asyncio.run(other.models())):
        with pytest.raises(RuntimeError, match="the client is closed"):
            call()


def test_statuses_of_polls() -> None:
    client = FakeClient(statuses=["queued", "failed"])
    made = client.videos.create("a")
    assert [made.refresh().status, client.videos.get(made.id).status] == ["queued", "failed"]
    with pytest.raises(TaskFailedError) as failed:
        client.videos.create("b").wait()
    assert failed.value.task_id == "task_2"
    with pytest.raises(WaitTimeoutError):
        list(FakeClient(statuses=["in_progress"]).videos.create("a").watch())
    with pytest.raises(ValueError, match="statuses"):
        FakeClient(statuses=["done"])  # type: ignore[list-item]


def test_keys_and_many() -> None:
    client = FakeClient()
    first, again = (client.videos.create("a", key="scene-1") for _ in range(2))
    assert (first.id, again.id, first.reused, again.reused) == ("task_1", "task_1", False, True)
    known = client.videos.key("scene-1")
    assert known is not None and known.task_id == "task_1"
    failing = FakeClient(wait=in_turn(video("task_1"), error("task_failed")))
    outcomes = list(failing.videos.generate_many(["a", "b"]))
    assert [(one.index, one.task_id, type(one.error)) for one in outcomes] == [(0, "task_1", type(None)), (1, "task_2", TaskFailedError)]
    assert outcomes[0].result() == video("task_1")
    with pytest.raises(TaskFailedError):
        outcomes[1].result()


def test_asyncio(tmp_path: Path) -> None:
    client = FakeAsyncClient(create=task("task_77"), content=b"0123456789")

    async def program() -> tuple[list[str], bytes, bytes, bytes]:
        made = await client.videos.create("a")
        assert made == testing.async_task("task_77")
        seen = [str(state.status) async for state in made.watch()]
        result = await made.wait()
        await result.save(tmp_path / "ball.mp4")
        async with result.open() as file:
            await file.seek(4)
            part = await file.read(2)
        assert [one.index async for one in client.videos.generate_many(["a", "b"])] == [0, 1]
        assert [one.task_id for one in await client.videos.wait_all(["task_5"])] == ["task_5"]
        served = b"".join([piece async for piece in await result.serve("bytes=0-")])
        await client.close()
        return seen, await result.read_range(1, 3), part, served

    assert asyncio.run(program()) == (["queued", "in_progress", "succeeded"], b"12", b"45", b"0123456789")
    assert (tmp_path / "ball.mp4").read_bytes() == b"0123456789"
    assert client.closed


def test_a_fake_sends_nothing() -> None:
    """What it asks of the library are calls that send nothing: they work where nothing can be reached."""
    client = FakeClient()
    for name in ("task", "video"):
        getattr(client.videos, name)("task_1")
    client.videos.video_at("https://junfeiai.com/a.mp4")
    state = client.videos.task("task_1").wait_state(timeout=5)
    assert client.videos.advance(state).video == video("task_1")
    assert client.videos.fingerprint("a") == FakeClient().videos.fingerprint("a")
    assert client.videos.check().ok and client.models() and client.balance().available_usd == 100.0


def test_the_example_of_the_module() -> None:
    said: list[str] = []
    found = doctest.DocTestParser().get_doctest(inspect.getdoc(testing) or "", {}, "testing", None, None)
    assert found.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=said.append).failed == 0, "".join(said)
