"""Hostile values in every option and argument that there is, by the signatures: each is refused by its name before anything is
sent, or the call works. What pays has its own tests in ``test_refused.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import os
import re
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, ROOT, Emulator

import junfeiai
from junfeiai import AsyncClient, Client, celery, jobs
from junfeiai.testing import FakeAsyncClient, FakeClient


class OwnError(Exception):
    """An error of the code that a value brings along. It may reach the caller as it is."""


class Raises:
    """A number, an index, a path, an iterable, a truth and a text, all of which fail."""

    def _raise(self, *_: object) -> Any:
        raise OwnError("of the value")

    __float__ = __index__ = __fspath__ = __iter__ = __bool__ = __repr__ = __str__ = __call__ = _raise


class Attributes:
    def __getattr__(self, name: str) -> Any:
        raise OwnError(name)


class Texts:
    """What says that it is a number and a path, and gives a text and a number for them."""

    def __float__(self) -> Any:
        return "1"

    def __index__(self) -> Any:
        return 1.5

    def __fspath__(self) -> Any:
        return 5


def fails(*_: object) -> None:
    raise OwnError("called")


HOSTILE: list[Any] = [
    -1, 0, 0.5, math.nan, math.inf, -math.inf, 1e308, 5e-324, 2**31, 2**32, 2**53, 2**63, 2**64, -(2**63), 10**400, True, False,
    "", " ", "x", "\0", "x\0y", "x\ny", "\ud800", "\u202e", "http://[", "nan", "-1", "9" * 5000, "x" * 100_000,
    b"", b"x", bytearray(b"x"), memoryview(b"x"), None, [], [None], ["x"], ["\ud800"], ["x\0"], [b"x"], (), set(), range(3),
    {}, {"x": "y"}, {"x": 1}, {1: 2}, {"\ud800": "x"}, {"x": "\ud800"}, {"x\0": "y"}, {"x": "y\0"},
    object(), object, len, fails, lambda: None, Decimal("1.5"), Decimal("NaN"), Decimal("sNaN"), Fraction(1, 3), 3 + 4j,
    Raises(), Attributes(), Texts(), ..., NotImplemented, Path("x\0y"), Path("/"), Path("missing/folder/x"),
]  # fmt: skip

# Words of an error for an argument where its name, or the name's words, would not be what a reader of the error looks for.
WORDS = {"offset": "seek position", "client": "client"}


def names(error: BaseException, parameter: str) -> bool:
    """The text names the argument: `video_base_url` as it is, or as "the video base URL"."""
    text = str(error).lower().replace("_", " ")
    word = parameter.replace("_", " ")
    return any(one in text for one in (word, word.removesuffix("s"), WORDS.get(parameter, word)))


def known(error: BaseException) -> bool:
    """The error says what was paid for."""
    return bool(getattr(error, "task_id", None) or getattr(error, "task_ids", ()) or getattr(error, "maybe_executed", False))


def wrong(error: BaseException, parameter: str, value: object) -> str | None:
    """What is wrong with the error for this value."""
    if isinstance(error, OwnError) or (parameter == "on_progress" and callable(value)):
        return None  # the value's own
    if not isinstance(error, (TypeError, ValueError, OverflowError, junfeiai.JunFeiAIError)):
        return "it is no documented error"
    if isinstance(error, junfeiai.InternalError):
        return "it is a defect"
    if KEY in str(error):
        return "it shows the key"
    if isinstance(error, junfeiai.JunFeiAIError) and (len(str(error)) > 2000 or re.search(r"[\0-\x1f\x7f]", str(error))):
        return "it is not one line"
    if getattr(error, "maybe_executed", False):
        return "it says that something may have been charged"
    # What the server refused is no refusal of ours: an unknown task, a model that it does not have.
    refused = not isinstance(error, junfeiai.JunFeiAIError) or isinstance(error, (ValueError, junfeiai.FileError, junfeiai.JournalError))
    return "it does not name the argument" if refused and not names(error, parameter) else None


class Cases:
    """Runs calls one after the other in a thread of their own, so that one that hangs is named."""

    LONGEST = 60.0

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.now = ""
        self.done = self.posts = 0
        self.bad: list[str] = []

    def one(self, title: str, parameter: str, value: object, call: Callable[[], object], pays: bool = False) -> None:
        """One call, and what became of it."""
        try:
            shown = repr(value)[:60]
        except OwnError:
            shown = type(value).__name__
        self.now = f"{title}({parameter}={shown})"
        error: BaseException | None = None
        try:
            call()
        except BaseException as raised:
            error = raised
        found = wrong(error, parameter, value) if error is not None else None
        if pays:
            # What was refused has sent nothing, or the server refused it, or the error says what was paid for.
            legal = error is None or known(error) or isinstance(error, junfeiai.APIStatusError)
            found = (None if legal else self.sent()) or found
            self.posts = self.emulator.stats()["posts"]
        if found:
            try:
                text = f"{error!r:.300}"
            except OwnError:
                text = type(error).__name__
            self.bad.append(f"{self.now}: {found}: {text}")
        self.done += 1

    def sent(self) -> str | None:
        """Create requests that nobody knows of."""
        count = self.emulator.stats()["posts"] - self.posts
        return f"{count} create requests were sent" if count else None

    def nothing_sent(self) -> None:
        """After calls that do not pay."""
        if found := self.sent():
            self.bad.append(f"before or in {self.now}: {found}")
            self.posts = self.emulator.stats()["posts"]

    def run(self, cases: Callable[[Cases], None]) -> None:
        ended: list[BaseException | None] = []

        def work() -> None:
            try:
                cases(self)
                ended.append(None)
            except BaseException as error:
                ended.append(error)

        # A daemon: one that hangs must not keep the process.
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        done = -1
        while thread.is_alive():
            thread.join(self.LONGEST)
            assert not thread.is_alive() or self.done > done, f"it hangs: {self.now}"
            done = self.done
        if ended != [None]:
            raise AssertionError(self.now) from ended[0]
        assert not self.bad, f"{len(self.bad)} of {self.done}:\n" + "\n".join(self.bad[:40])


def used(result: Any) -> None:
    """Runs what a blocking call gave."""
    if hasattr(result, "__next__"):
        for _, _ in zip(range(20), result):
            pass


async def awaited(result: Any) -> None:
    """The same for asyncio."""
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__anext__"):
        count = 0
        async for _ in result:
            count += 1
            if count == 20:
                break


def perform(call: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Calls it, blocking or from a loop."""

    async def main() -> None:
        await awaited(call(**arguments))

    owner = type(getattr(call, "__self__", None)).__name__
    if owner.startswith("Async"):
        asyncio.run(main())
    else:
        used(call(**arguments))


@pytest.fixture
def cases(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cases:
    # Names of files are hostile values, too.
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    return Cases(emulator)


# From the table of options: the variables that a client reads.
VARIABLES = sorted(set(re.findall(r"JUNFEIAI_[A-Z_]+_(?:KEY|URL)\b", (ROOT / "core/options.toml").read_text("utf-8"))))


def works(client: Any, emulator: Emulator) -> None:
    """A client that was made pays for a task and gets it, or its error says what became of it. None is asked but the emulator."""
    if client.base_url == emulator.base_url:
        perform(client.videos.generate, {"prompt": "x", "seconds": 4, "timeout": 20})


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_options_of_the_client(cls: type[Any], emulator: Emulator, cases: Cases) -> None:
    parameters = list(inspect.signature(cls).parameters)
    assert {"api_key", "endpoint", "journal", "max_poll_errors"} <= set(parameters)

    def each(cases: Cases) -> None:
        for parameter in parameters:
            for value in HOSTILE:
                options = emulator.options(**({"request_rate": 5.0} if parameter == "request_burst" else {}))
                if parameter in ("endpoint", "endpoints"):
                    del options["base_url"]
                options[parameter] = value
                cases.one(cls.__name__, parameter, value, lambda options=options: works(cls(**options), emulator), pays=True)  # type: ignore[misc]

    cases.run(each)


def test_variables_of_the_environment(emulator: Emulator, cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(VARIABLES) == 3
    good = {"JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": emulator.base_url}
    # Windows takes no longer ones.
    values = [value[:30_000] for value in HOSTILE if isinstance(value, str) and "\0" not in value and value != "\ud800"]
    if os.name == "posix":
        values += ["\udcff\udcfe"]  # bytes that are no UTF-8

    def each(cases: Cases) -> None:
        for variable in VARIABLES:
            for value in [*values, ",", ",,", f"{emulator.base_url},", f"{emulator.base_url},x"]:
                with pytest.MonkeyPatch.context() as patch:
                    for name, text in {**good, variable: value}.items():
                        patch.setenv(name, text)
                    cases.one("Client", variable.lower(), value, lambda: works(Client(poll_interval=0.02), emulator), pays=True)

    cases.run(each)


GOOD: dict[str, Any] = {
    "url": "http://127.0.0.1:9/x.mp4", "start": 0, "end": 1, "requests": ["x"], "intent": "i", "key": "film/1", "folder": ".", "state": {},
}  # fmt: skip
PAYING = ("create", "generate", "generate_many")


def methods(owner: Any) -> Iterator[tuple[str, Any]]:
    for name in dir(type(owner)):
        if name[0] != "_" and name not in ("close", "aclose") and callable(getattr(owner, name)):
            yield f"{type(owner).__name__}.{name}", getattr(owner, name)


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_arguments_of_the_calls(cls: type[Any], emulator: Emulator, cases: Cases, tmp_path: Path) -> None:
    task_id = emulator.finished()
    good = {**GOOD, "task_id": task_id, "task_ids": [task_id]}
    options = emulator.options(journal=tmp_path / "journal", wait_timeout=5, request_rate=1e6, request_burst=1_000_000)
    client = cls(**options)
    request = inspect.signature(client.videos.fingerprint).parameters

    def each(cases: Cases) -> None:
        for owner in (client, client.videos, client.videos.task(task_id), client.videos.video(task_id)):
            for title, call in methods(owner):
                name = title.split(".")[1]
                parameters = inspect.signature(call).parameters
                needed = {one: good[one] for one, p in parameters.items() if p.default is p.empty and one != "path"}
                if "prompt" in parameters:
                    needed["prompt"] = "x"
                for parameter in parameters:
                    # They are read in one place, which `fingerprint` and `create` go by.
                    if name in ("estimate", "generate") and parameter in request:
                        continue
                    for number, value in enumerate(HOSTILE):
                        path = {"path": f"{cls.__name__}-{parameter}-{number}.mp4"} if "path" in parameters else {}
                        # A legal limit of a byte per second takes its time.
                        limit = {"timeout": 5} if name == "save" else {}
                        arguments = {**needed, **path, **limit, parameter: value}
                        cases.one(title, parameter, value, lambda call=call, a=arguments: perform(call, a), name in PAYING)  # type: ignore[misc]
                    cases.nothing_sent()

    cases.run(each)


def test_arguments_of_a_reader(emulator: Emulator, cases: Cases) -> None:
    video = AsyncClient(**emulator.options()).videos.video(emulator.finished())

    async def read(name: str, arguments: dict[str, Any]) -> None:
        async with video.open() as file:
            await getattr(file, name)(**arguments)

    def each(cases: Cases) -> None:
        for name in ("read", "seek"):
            parameters = inspect.signature(getattr(junfeiai.AsyncVideoReader, name)).parameters
            for parameter in list(parameters)[1:]:
                for value in HOSTILE:
                    arguments = {**({"offset": 0} if name == "seek" else {}), parameter: value}
                    title = f"AsyncVideoReader.{name}"
                    cases.one(title, parameter, value, lambda name=name, a=arguments: asyncio.run(read(name, a)))  # type: ignore[misc]
                cases.nothing_sent()

    cases.run(each)


class AgainLater(Exception):
    """What ends a run of a task that is not done."""


class CeleryTask:
    """A bound task of Celery, as far as a job needs it."""

    max_retries = None

    class request:
        id = "1"

    def retry(self, **_: object) -> Exception:
        return AgainLater()


@pytest.mark.parametrize("job", [jobs.run, jobs.step, celery.run_job], ids=lambda job: str(job.__name__))
def test_arguments_of_a_job(job: Callable[..., object], emulator: Emulator, cases: Cases, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal", wait_timeout=5))
    parameters = [name for name in inspect.signature(job).parameters if name != "request"]

    def once(**arguments: Any) -> None:
        with contextlib.suppress(AgainLater):
            job(**arguments)

    def each(cases: Cases) -> None:
        for parameter in parameters:
            for number, value in enumerate(HOSTILE):
                arguments: dict[str, Any] = {
                    "client": client, "path": f"{parameter}-{number}.mp4", "key": f"{parameter}-{number}", "prompt": "x", "seconds": 4,
                }  # fmt: skip
                if "task" in parameters:
                    arguments["task"] = CeleryTask()
                arguments[parameter] = value
                cases.one(job.__name__, parameter, value, lambda a=arguments: once(**a), pays=True)  # type: ignore[misc]

    cases.run(each)


@pytest.mark.parametrize("save", [0, "", False, [], "overwrite", {1: 2}, {"overwrite": 1}, {"nobody": 1}, {"connections": 0}], ids=repr)
def test_options_of_a_job_s_save_are_judged_before_it_pays(save: Any, emulator: Emulator, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal"))
    for job in (jobs.run, jobs.step):
        with pytest.raises((TypeError, ValueError), match="save|overwrite|nobody|connections"):
            job(client, tmp_path / "x.mp4", key="k", prompt="x", save=save)
    assert emulator.stats()["posts"] == 0


@pytest.mark.parametrize("task", [None, object(), "task", len, Client], ids=repr)
def test_what_is_no_celery_task_pays_for_nothing(task: Any, emulator: Emulator, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal"))
    with pytest.raises(TypeError, match="argument 'task': expected the bound Celery task, got"):
        celery.run_job(task, client, tmp_path / "x.mp4", key="k", prompt="x")
    assert emulator.stats()["posts"] == 0


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_options_of_a_fake(value: Any) -> None:
    for name in ("statuses", "content"):
        try:
            FakeClient(**{name: value})
        except OwnError:
            pass
        except (TypeError, ValueError) as error:
            assert f"argument '{name}'" in str(error)


@pytest.mark.parametrize(("fake", "cls"), [(FakeClient, Client), (FakeAsyncClient, AsyncClient)], ids=["blocking", "asyncio"])
def test_a_fake_refuses_what_the_real_one_refuses(fake: type[Any], cls: type[Any], cases: Cases) -> None:
    """Arguments are judged when a call is made: the real client asks nobody, and what it gives is not awaited."""
    real, faked = cls(api_key=KEY, base_url="http://127.0.0.1:9/v1", proxy=""), fake()
    good = {**GOOD, "task_id": "task_1", "task_ids": ["task_1"], "path": "new.mp4"}
    # Its blocking calls would send something, but for those that are refused.
    judge = AsyncClient(api_key=KEY, base_url="http://127.0.0.1:9/v1", proxy="")

    def owners(client: Any) -> tuple[Any, ...]:
        return client, client.videos, client.videos.task("task_1"), client.videos.video("task_1")

    def each(cases: Cases) -> None:
        for theirs, judges, ours in zip(owners(faked), owners(judge), owners(real)):
            for title, call in methods(ours):
                name = title.split(".")[1]
                parameters = inspect.signature(call).parameters
                needed = {one: good[one] for one, p in parameters.items() if p.default is p.empty}
                needed.update({"prompt": "x"} if "prompt" in parameters else {})
                for parameter in parameters:
                    for value in HOSTILE:
                        arguments = {**needed, parameter: value}
                        try:
                            judged = getattr(judges, name)(**arguments)
                            if inspect.iscoroutine(judged):
                                judged.close()
                            continue
                        except OwnError:
                            continue
                        except (TypeError, ValueError, OverflowError, junfeiai.JunFeiAIError) as error:
                            expected = type(error)

                        def refused(call: Any = getattr(theirs, name), a: dict[str, Any] = arguments, cls: type[Exception] = expected) -> None:
                            try:
                                perform(call, a) if fake is FakeClient else asyncio.run(main(call, a))
                            except cls:
                                return
                            raise AssertionError(f"it is no {cls.__name__}")

                        cases.one(title, parameter, value, refused)

    async def main(call: Any, arguments: dict[str, Any]) -> None:
        await awaited(call(**arguments))

    cases.run(each)


def test_arguments_of_the_instrumentor() -> None:
    otel = pytest.importorskip("junfeiai.otel")
    for name in ("capture_content", "tracer_provider"):
        for value in ("false", 1, object(), [], math.nan):
            with pytest.raises(TypeError, match=f"argument '{name}'"):
                otel.JunFeiAIInstrumentor().instrument(**{name: value})
    assert not otel.JunFeiAIInstrumentor().is_instrumented_by_opentelemetry


def test_a_rate_at_which_nothing_leaves_is_refused(emulator: Emulator) -> None:
    """As a poll interval of more than 24 hours: a create request would wait for ever in the queue."""
    for rate in (5e-324, 1e-300, 1e-6):
        with pytest.raises(junfeiai.ConfigError, match="request_rate must be at least") as error:
            Client(**emulator.options(request_rate=rate))
        assert error.value.field == "request_rate"
    Client(**emulator.options(request_rate=1 / 86_400))


def test_the_field_is_what_the_caller_wrote(client: Client, emulator: Emulator) -> None:
    calls: list[tuple[str, Callable[[], object]]] = [
        ("images", lambda: client.videos.create("x", images=[b"x"])),
        ("image", lambda: client.videos.create("x", image=b"x")),
        ("images", lambda: client.videos.create("x", images=["x"])),
        ("endpoint", lambda: Client(api_key=KEY, endpoint="x")),
        ("endpoints", lambda: Client(api_key=KEY, endpoints=["x"])),
        ("base_url", lambda: Client(api_key=KEY, base_url="x")),
        ("duration", lambda: client.videos.create("x", duration="x")),
        ("language", lambda: Client(**emulator.options(language="x" * 201))),
    ]
    for field, call in calls:
        with pytest.raises((junfeiai.InvalidRequestError, junfeiai.ConfigError)) as error:
            call()
        assert error.value.field == field and names(error.value, field), error.value
    assert emulator.stats()["posts"] == 0


def test_a_prompt_that_is_no_text_is_named_by_its_place(client: Client, async_client: AsyncClient, emulator: Emulator) -> None:
    for videos in (client.videos, async_client.videos):
        for request in ("\ud800", {"prompt": "\ud800"}):
            with pytest.raises(TypeError, match=r"requests\[1\]: argument 'prompt': .*surrogates not allowed"):
                videos.generate_many(["x", request])
        with pytest.raises(TypeError, match=r"requests\[1\]: argument 'image': of the value") as error:
            videos.generate_many(["x", {"prompt": "x", "image": Broken()}])
        assert isinstance(error.value.__cause__, OwnError)
    assert emulator.stats()["posts"] == 0


class Broken:
    def __fspath__(self) -> str:
        raise OwnError("of the value")
