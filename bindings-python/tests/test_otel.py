"""The spans of OpenTelemetry, read from the SDK's exporter in memory."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Emulator
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import junfeiai
from junfeiai import AsyncClient, Client
from junfeiai.otel import JunFeiAIInstrumentor

PROMPT = "a secret prompt"


class Spans:
    """What was exported, and a provider for spans of the test's own."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def all(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def one(self, call: str) -> ReadableSpan:
        (span,) = [span for span in self.all() if attributes(span).get("junfeiai.call") == call]
        return span

    def text(self) -> str:
        return "".join(span.to_json() for span in self.all())


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def number(span: ReadableSpan | trace.Span) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    monkeypatch.delenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", raising=False)
    spans = Spans()
    JunFeiAIInstrumentor().instrument(tracer_provider=spans.provider)
    yield spans
    JunFeiAIInstrumentor().uninstrument()


def test_create_wait_save(spans: Spans, client: Client, tmp_path: Path) -> None:
    task = client.videos.create(PROMPT, seconds=6, size="1280x720")
    video = task.wait()
    summary = video.save(tmp_path / "a secret name.mp4")
    create, wait, save = spans.one("create"), spans.one("wait"), spans.one("save")
    assert create.name == "generate_content grok-image-video"
    expected = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "junfeiai",
        "gen_ai.request.model": "grok-image-video",
        "gen_ai.output.type": "video",
        "gen_ai.response.id": task.id,
        "junfeiai.task.id": task.id,
        "junfeiai.task.reused": False,
        "junfeiai.request.seconds": "6",
        "junfeiai.request.size": "1280x720",
    }
    assert expected.items() <= attributes(create).items()
    assert attributes(wait)["gen_ai.operation.name"] == "wait" and wait.name.startswith("wait")
    statuses = [dict(event.attributes or {})["junfeiai.task.status"] for event in wait.events]
    assert statuses[-1] == "succeeded" and len(statuses) == len(set(statuses))
    assert attributes(save)["junfeiai.video.bytes"] == summary.bytes
    assert attributes(save)["junfeiai.attempts"] == summary.attempts
    for span in (create, wait, save):
        assert span.kind is SpanKind.CLIENT and span.status.status_code is StatusCode.UNSET
        assert attributes(span)["junfeiai.task.id"] == task.id and "error.type" not in attributes(span)
        assert span.instrumentation_scope is not None
        assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == ("junfeiai", junfeiai.__version__)
    for secret in (PROMPT, KEY, "a secret name", "http://"):
        assert secret not in spans.text()


def test_generate_is_one_span_with_the_task_from_its_creation_on(spans: Spans, client: Client) -> None:
    seen: list[str] = []

    def progress(task: junfeiai.Task) -> None:
        seen.append(task.id)
        with spans.tracer.start_as_current_span("callback"):
            pass

    with spans.tracer.start_as_current_span("outer") as outer:
        video = client.videos.generate(PROMPT, model="grok-image-video", seconds=6, on_progress=progress)
    span = spans.one("generate")
    assert parent(span) == number(outer) and attributes(span)["junfeiai.task.id"] == video.task_id == seen[0]
    callbacks = [one for one in spans.all() if one.name == "callback"]
    assert len(callbacks) == len(seen) and {parent(one) for one in callbacks} == {number(span)}


def test_errors_have_their_kind_and_no_text(spans: Spans, client: Client, emulator: Emulator) -> None:
    with pytest.raises(junfeiai.TaskFailedError) as failed:
        client.videos.generate(f"[fail] {PROMPT}", seconds=6)
    with pytest.raises(junfeiai.InvalidRequestError):
        client.videos.create(PROMPT, seconds=-5)
    emulator.rule("drop_after_accept", op="create", times=1)
    with pytest.raises(junfeiai.CreateOutcomeUnknownError):
        client.videos.create(PROMPT, seconds=6)
    generate, refused, unknown = spans.all()
    assert generate.status.status_code is StatusCode.ERROR
    assert attributes(generate)["error.type"] == generate.status.description == "task_failed"
    assert attributes(generate)["junfeiai.task.id"] == failed.value.task_id
    assert attributes(refused)["error.type"] == "invalid_request" and attributes(refused)["junfeiai.error.phase"] == "create"
    assert attributes(unknown)["error.type"] == "create_outcome_unknown"
    assert attributes(unknown)["junfeiai.maybe_executed"] is True and attributes(unknown)["junfeiai.attempts"] == 1
    assert not [event for span in (refused, unknown) for event in span.events]
    assert PROMPT not in spans.text() and KEY not in spans.text()


def test_the_status_of_a_refusal_is_in_its_span(spans: Spans, client: Client, emulator: Emulator) -> None:
    with Client(**emulator.options(api_key="sk-wrong")) as wrong, pytest.raises(junfeiai.AuthenticationError) as error:
        wrong.videos.create(PROMPT, seconds=6)
    noted = attributes(spans.one("create"))
    assert noted["http.response.status_code"] == 401
    assert noted.get("junfeiai.request.id") == error.value.request_id
    assert "sk-wrong" not in spans.text()


def test_what_a_callback_raises(spans: Spans, client: Client) -> None:
    def stop(task: junfeiai.Task) -> None:
        raise LookupError(PROMPT)

    with pytest.raises(LookupError) as error:
        client.videos.generate("x", seconds=6, on_progress=stop)
    noted = attributes(spans.one("generate"))
    assert noted["error.type"] == "LookupError" and noted["junfeiai.task.id"] == getattr(error.value, "task_id")
    assert PROMPT not in spans.text()


@pytest.mark.parametrize("value", ["true", "SPAN_ONLY", "span_and_event"])
def test_prompts_when_the_environment_asks(value: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = Spans()
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    JunFeiAIInstrumentor().instrument(tracer_provider=spans.provider)
    try:
        url = "https://example.org/street.png"
        client.videos.create(PROMPT, seconds=6, image=url)
        with pytest.raises(junfeiai.InvalidRequestError):
            client.videos.create(prompt=PROMPT, seconds=-5)
    finally:
        JunFeiAIInstrumentor().uninstrument()
    created, refused = spans.all()
    parts = [{"type": "text", "content": PROMPT}, {"type": "uri", "modality": "image", "uri": url}]
    assert json.loads(attributes(created)["gen_ai.input.messages"]) == [{"role": "user", "parts": parts}]
    assert json.loads(attributes(refused)["gen_ai.input.messages"])[0]["parts"] == parts[:1]
    assert "seconds" in (refused.status.description or "") and [event.name for event in refused.events] == ["exception"]
    assert KEY not in spans.text()


@pytest.mark.parametrize("value", ["", "false", "no_content", "EVENT_ONLY"])
def test_no_prompts_otherwise(value: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = Spans()
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    JunFeiAIInstrumentor().instrument(tracer_provider=spans.provider)
    try:
        client.videos.create(PROMPT, seconds=6)
    finally:
        JunFeiAIInstrumentor().uninstrument()
    assert len(spans.all()) == 1 and PROMPT not in spans.text()


def test_asyncio(spans: Spans, async_client: AsyncClient, tmp_path: Path) -> None:
    async def one(name: str) -> tuple[int, str]:
        def progress(task: junfeiai.AsyncTask) -> None:
            with spans.tracer.start_as_current_span(f"callback {name}"):
                pass

        with spans.tracer.start_as_current_span(name) as outer:
            task = await async_client.videos.create(PROMPT, seconds=6)
            video = await task.wait(on_progress=progress)
            await video.save(tmp_path / f"{name}.mp4")
            return number(outer), task.id

    async def main() -> list[tuple[int, str]]:
        return await asyncio.gather(*(one(f"job{index}") for index in range(3)))

    for index, (outer, task_id) in enumerate(asyncio.run(main())):
        own = [span for span in spans.all() if attributes(span).get("junfeiai.task.id") == task_id]
        assert sorted(attributes(span)["junfeiai.call"] for span in own) == ["create", "save", "wait"]
        assert {parent(span) for span in own} == {outer}
        (wait,) = [span for span in own if attributes(span)["junfeiai.call"] == "wait"]
        callbacks = [span for span in spans.all() if span.name == f"callback job{index}"]
        assert callbacks and {parent(span) for span in callbacks} == {number(wait)}


def test_a_cancelled_call_keeps_its_task(spans: Spans, async_client: AsyncClient, emulator: Emulator) -> None:
    emulator.scenario(task={"ends_after_polls": 1_000_000})

    async def main() -> str:
        created: asyncio.Queue[str] = asyncio.Queue()
        call = asyncio.create_task(
            async_client.videos.generate(PROMPT, seconds=6, on_progress=lambda task: created.put_nowait(task.id))
        )
        task_id = await created.get()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return task_id

    task_id = asyncio.run(main())
    noted = attributes(spans.one("generate"))
    assert noted["junfeiai.task.id"] == task_id and noted["error.type"].endswith("CancelledError")


def test_each_thread_has_its_own_spans(spans: Spans, client: Client) -> None:
    found: dict[int, str] = {}

    def work() -> None:
        with spans.tracer.start_as_current_span("thread") as outer:
            task_id = client.videos.generate(PROMPT, seconds=6).task_id
            assert task_id is not None
            found[number(outer)] = task_id

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    generated = {parent(span): attributes(span)["junfeiai.task.id"] for span in spans.all() if "junfeiai.call" in attributes(span)}
    assert len(found) == 4 and generated == found


def test_a_callback_that_cannot_be_one_is_refused_as_without_spans(spans: Spans, client: Client, async_client: AsyncClient) -> None:
    async def never(task: object) -> None: ...

    for videos in (client.videos, async_client.videos):
        for bad in (never, 5):
            with pytest.raises(TypeError, match="on_progress"):
                videos.generate("x", on_progress=bad)  # type: ignore[arg-type]


def of(spans: Spans, call: str) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """The span of a call about several tasks, and those of its items in the order of their ends."""
    whole = spans.one(call)
    return whole, [span for span in spans.all() if parent(span) == number(whole)]


def times(span: ReadableSpan) -> tuple[int, int]:
    assert span.start_time is not None and span.end_time is not None
    return span.start_time, span.end_time


def test_each_of_many_has_a_span(spans: Spans, client: Client) -> None:
    failing = {"prompt": f"[fail] {PROMPT}", "seconds": 6, "size": "1280x720"}
    other = {"prompt": "c", "model": "grok-video-1.5", "image": "https://example.org/a.png"}
    requests: list[Any] = [PROMPT, failing, other]
    with spans.tracer.start_as_current_span("outer") as outer:
        outcomes = list(client.videos.generate_many(requests, concurrency=2))
    whole, items = of(spans, "generate_many")
    assert parent(whole) == number(outer) and whole.kind is SpanKind.INTERNAL and whole.name == "generate_many"
    noted = attributes(whole)
    assert [noted[f"junfeiai.{name}"] for name in ("count", "concurrency", "succeeded", "failed")] == [3, 2, 2, 1]
    assert whole.status.status_code is StatusCode.UNSET
    assert [attributes(item)["junfeiai.index"] for item in items] == [outcome.index for outcome in outcomes]
    assert [attributes(item)["junfeiai.task.id"] for item in items] == [outcome.task_id for outcome in outcomes]
    for item in items:
        assert item.kind is SpanKind.CLIENT and attributes(item)["gen_ai.operation.name"] == "generate_content"
        assert times(whole)[0] <= times(item)[0] <= times(item)[1] <= times(whole)[1]
    by_index = {attributes(item)["junfeiai.index"]: item for item in items}
    assert by_index[0].name == "generate_content grok-image-video" and by_index[2].name == "generate_content grok-video-1.5"
    assert attributes(by_index[1])["junfeiai.request.size"] == "1280x720"
    assert attributes(by_index[1])["error.type"] == by_index[1].status.description == "task_failed"
    # Two at a time: the third began when one of the others had ended.
    assert times(by_index[2])[0] >= times(items[0])[1]
    assert PROMPT not in spans.text() and KEY not in spans.text()


def test_waits_for_several(spans: Spans, client: Client, emulator: Emulator) -> None:
    ids = [emulator.finished(), "task_none", emulator.finished()]
    all_ = client.videos.wait_all(ids)
    some = list(client.videos.as_completed(one for one in ids))
    assert [outcome.error is None for outcome in all_] == [True, False, True] and len(some) == 3
    for call in ("wait_all", "as_completed"):
        whole, items = of(spans, call)
        assert attributes(whole)["junfeiai.count"] == 3 and attributes(whole)["junfeiai.failed"] == 1
        assert sorted(attributes(item)["junfeiai.task.id"] for item in items) == sorted(ids)
        assert [attributes(item).get("error.type") for item in items].count("not_found") == 1
        assert {attributes(item)["gen_ai.operation.name"] for item in items} == {"wait"}


def test_several_with_asyncio(spans: Spans, async_client: AsyncClient, emulator: Emulator) -> None:
    ids = [emulator.finished(), emulator.finished()]

    async def main() -> None:
        with spans.tracer.start_as_current_span("outer"):
            assert [outcome.task_id for outcome in await async_client.videos.wait_all(ids)] == ids
            assert len([outcome async for outcome in async_client.videos.as_completed(ids)]) == 2
            many = async_client.videos.generate_many(iter(["a", "b"]), concurrency=1)
            assert sorted([outcome.index or 0 async for outcome in many]) == [0, 1]

    asyncio.run(main())
    (outer,) = [span for span in spans.all() if span.name == "outer"]
    for call in ("wait_all", "as_completed", "generate_many"):
        whole, items = of(spans, call)
        assert parent(whole) == number(outer) and len(items) == 2


def test_a_loop_that_is_left_early_ends_its_span(spans: Spans, client: Client) -> None:
    for outcome in client.videos.generate_many(["a", "b", "c"], concurrency=1):
        assert outcome.error is None
        break
    whole, items = of(spans, "generate_many")
    assert len(items) == 1 and attributes(whole)["junfeiai.succeeded"] == 1


def test_what_is_refused_is_refused_as_without_spans(spans: Spans, client: Client) -> None:
    with pytest.raises(junfeiai.InvalidRequestError, match="concurrency"):
        client.videos.generate_many(["a"], concurrency=0)
    for wrong in ("abc", b"abc", {"prompt": "a"}, 5, io.BytesIO(b"abc")):
        with pytest.raises(TypeError, match="requests"):
            client.videos.generate_many(wrong)  # type: ignore[arg-type]

    def broken() -> Iterator[str]:
        yield "a"
        raise LookupError("the generator's own")

    with pytest.raises(LookupError, match="the generator's own"):
        client.videos.generate_many(broken())
    assert spans.all() == []


def test_prompts_of_many_when_asked(client: Client) -> None:
    spans = Spans()
    JunFeiAIInstrumentor().instrument(tracer_provider=spans.provider, capture_content=True)
    try:
        assert len(list(client.videos.generate_many([PROMPT, {"prompt": PROMPT}]))) == 2
    finally:
        JunFeiAIInstrumentor().uninstrument()
    for item in of(spans, "generate_many")[1]:
        assert json.loads(attributes(item)["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": PROMPT}]


def test_off_and_on_again(client: Client) -> None:
    instrumentor, create = JunFeiAIInstrumentor(), junfeiai.Videos.create
    assert instrumentor is JunFeiAIInstrumentor() and not instrumentor.is_instrumented_by_opentelemetry
    spans = Spans()
    for _ in range(2):
        instrumentor.instrument(tracer_provider=spans.provider, skip_dep_check=True)
        instrumentor.instrument(tracer_provider=spans.provider)
        assert instrumentor.is_instrumented_by_opentelemetry
        assert inspect.signature(junfeiai.Videos.create) == inspect.signature(create)
        assert junfeiai.Videos.create.__doc__ == create.__doc__
        client.videos.create("x", seconds=6)
        instrumentor.uninstrument()
        instrumentor.uninstrument()
        assert junfeiai.Videos.create is create
        client.videos.create("x", seconds=6)
    assert len(spans.all()) == 2


def test_opentelemetry_instrument_finds_it() -> None:
    (found,) = [point for point in entry_points(group="opentelemetry_instrumentor") if point.name == "junfeiai"]
    assert found.load() is JunFeiAIInstrumentor
    assert list(JunFeiAIInstrumentor().instrumentation_dependencies()) == ["junfeiai"]


class Broken(SpanProcessor):
    """As one that exports into a full disk."""

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("no span for you")


def test_an_exporter_that_fails_hides_no_task(
    client: Client, async_client: AsyncClient, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider()
    provider.add_span_processor(Broken())
    instrumentor = JunFeiAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        task = client.videos.create("a", seconds=4)
        assert client.videos.get(task.id).id == task.id
        assert task.wait().task_id == task.id

        async def create() -> str:
            return (await async_client.videos.create("a", seconds=4)).id

        assert asyncio.run(create()) != task.id
        assert "a span could not be written" in caplog.text
        ids = [task.id, task.id]
        assert [outcome.task_id for outcome in client.videos.wait_all(ids)] == ids
        assert [outcome.task_id for outcome in client.videos.as_completed(ids)] == ids
        assert [outcome.error for outcome in client.videos.generate_many(["b", "c"])] == [None, None]

        async def several() -> list[Any]:
            some: list[Any] = [outcome.error for outcome in await async_client.videos.wait_all(ids)]
            return some + [outcome.error async for outcome in async_client.videos.generate_many(["d"])]

        assert asyncio.run(several()) == [None, None, None]
        # The call's own error stays the one that is raised.
        emulator.rule("drop_after_accept", op="create")
        with pytest.raises(junfeiai.CreateOutcomeUnknownError):
            client.videos.create("a", seconds=4)
    finally:
        instrumentor.uninstrument()
    assert emulator.stats()["posts"] == 6


class Pressed(SpanProcessor):
    """As one that exports at once, over a slow network: somebody presses Ctrl-C meanwhile."""

    again = True

    def on_end(self, span: ReadableSpan) -> None:
        if self.again:
            self.again = False
            raise KeyboardInterrupt


def test_ctrl_c_in_an_exporter_hides_no_task(
    client: Client, async_client: AsyncClient, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    provider = TracerProvider()
    pressed = Pressed()
    provider.add_span_processor(pressed)
    instrumentor = JunFeiAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider)

    async def create() -> None:
        await async_client.videos.create("a", seconds=4)

    calls: list[Callable[[], object]] = [
        lambda: client.videos.create("a", seconds=4),
        lambda: client.videos.generate("a", seconds=4),
        lambda: asyncio.run(create()),
        lambda: list(client.videos.generate_many(["a"])),
    ]
    try:
        for call in calls:
            caplog.clear()
            pressed.again = True
            with pytest.raises(KeyboardInterrupt) as caught:
                call()
            [task_id] = getattr(caught.value, "task_ids")
            assert task_id in caplog.text and client.videos.get(task_id).id == task_id
    finally:
        instrumentor.uninstrument()
    assert emulator.stats()["created_tasks"] == len(calls)
