"""Whatever can be refused is refused before anything is paid for: hostile values in every argument of every paying call."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient, Client

PAYING = ["create", "generate", "generate_many"]


class Raises:
    """Whatever is done with it fails."""

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)

    def __iter__(self) -> Iterator[object]:
        raise LookupError("iter")

    def __fspath__(self) -> str:
        raise LookupError("fspath")


async def coroutine_function(_: object) -> None:
    raise AssertionError("nobody awaits this")


class CoroutineCallable:
    async def __call__(self, _: object) -> None:
        raise AssertionError("nobody awaits this")


HOSTILE: list[Any] = [
    math.nan, math.inf, -math.inf, -0.0, 0, -1, 1e308, 5e-324, 2**31, 2**63, 2**64, -(2**63), 10**400, True, False,
    "", " ", "\0", "x\0y", "\ud800", "nan", "-1", "9" * 5000, "x" * 100_000, b"", b"x", bytearray(b"x"),
    [], [None], [3], [[]], [b""], [b"\x89PNG"], (), {}, {"prompt": "x"}, {1: 2}, set(), object(), object, len, Raises(),
    Path("/nowhere/image.png"), Path("/"), Path("x\0y"), 3 + 4j, coroutine_function, CoroutineCallable(),
    lambda: None, lambda a, b: None, ..., NotImplemented, ["x", 3], ["x", {"prompt": "y", "nobody": 1}],
    ["x", {"prompt": "y", "images": ["x", 3]}], ["x", {"prompt": "y", "image": Path("/nowhere/image.png")}],
]  # fmt: skip


def parameters(name: str) -> list[str]:
    found = inspect.signature(getattr(junfeiai.Videos, name)).parameters
    return [name for name in found if name != "self"]


def hostile_cases(random_: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every value in every argument, and some of them together."""
    for name in PAYING:
        needed = {"requests": ["x"]} if name == "generate_many" else {"prompt": "x"}
        for parameter in parameters(name):
            for value in HOSTILE:
                yield name, {**needed, parameter: value}
        for _ in range(60):
            chosen = random_.sample(parameters(name), random_.randint(2, 4 if len(parameters(name)) > 3 else 2))
            yield name, {**needed, **{parameter: random_.choice(HOSTILE) for parameter in chosen}}
        for unknown in ("nobody", "Timeout", "on_Progress", "self", "client", "", "timeout "):
            yield name, {**needed, unknown: 1}


def attempt(call: Callable[..., Any], arguments: dict[str, Any]) -> BaseException | None:
    try:
        call(**arguments)
    except BaseException as error:
        return error
    return None


def known(error: BaseException) -> bool:
    """The error says what was paid for."""
    return bool(getattr(error, "task_id", None) or getattr(error, "task_ids", ()) or getattr(error, "maybe_executed", False))


@pytest.mark.parametrize("blocking", [True, False])
def test_hostile_values(blocking: bool, emulator: Emulator, tmp_path: Path) -> None:
    seed = int(os.environ.get("JUNFEIAI_SEED") or random.randrange(2**32))
    print(f"JUNFEIAI_SEED={seed}")
    options = emulator.options(request_rate=1e6, request_burst=1_000_000)
    client, async_client = Client(**options), AsyncClient(**options)
    emulator.scenario(task={"queued_s": 0, "running_s": 0})

    def run_blocking(name: str, **arguments: Any) -> None:
        made = getattr(client.videos, name)(**arguments)
        if name == "generate_many":
            list(made)

    def run_asyncio(name: str, **arguments: Any) -> None:
        async def main() -> None:
            made = getattr(async_client.videos, name)(**arguments)
            if name == "generate_many":
                async for _ in made:
                    pass
            else:
                await made

        asyncio.run(main())

    run = run_blocking if blocking else run_asyncio
    posts = 0
    for name, arguments in hostile_cases(random.Random(seed)):
        error = attempt(functools.partial(run, name), arguments)
        shown = f"{name}({ {key: repr(value)[:60] for key, value in arguments.items()} }) -> {error!r:.300}"
        now = emulator.stats()["posts"]
        assert error is None or isinstance(error, Exception), shown
        assert type(error).__name__ not in ("PanicException", "InternalError"), shown
        if isinstance(error, (TypeError, ValueError, OverflowError)) and not isinstance(error, junfeiai.APIStatusError):
            assert now == posts or known(error), f"paid, and then refused: {shown}"
        elif error is not None:
            assert now == posts or known(error) or isinstance(error, junfeiai.APIStatusError), shown
        posts = now


@pytest.mark.parametrize("asyncio_", [False, True])
@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("generate", {"on_progress": 3}, "'on_progress': expected a callable"),
        ("generate", {"on_progress": coroutine_function}, "'on_progress': expected a plain function"),
        ("generate", {"on_progress": CoroutineCallable()}, "'on_progress': expected a plain function"),
        ("generate", {"on_progres": len}, "unexpected keyword argument 'on_progres'"),
        ("generate", {"timeout": math.nan}, "'timeout'"),
        ("generate", {"timeout": -1}, "timeout"),
        ("generate", {"timeout": True}, "'timeout': expected float, got bool"),
        ("generate", {"timeout": "5"}, "'timeout'"),
        ("generate", {"poll_interval": math.nan}, "'poll_interval'"),
        ("generate", {"poll_interval": 0}, "poll_interval"),
        ("generate", {"poll_interval": True}, "'poll_interval': expected float, got bool"),
        ("generate_many", {"requests": ["x"], "concurrency": 0}, "concurrency"),
        ("generate_many", {"requests": ["x"], "concurrency": -1}, "concurrency"),
        ("generate_many", {"requests": ["x"], "concurrency": True}, "'concurrency': expected int, got bool"),
        ("generate_many", {"requests": ["x"], "concurrency": 2**70}, "'concurrency'"),
        ("generate_many", {"requests": ["x"], "concurrency": 1.5}, "'concurrency'"),
        ("generate_many", {"requests": 3}, "'requests'"),
        ("generate_many", {"requests": {"prompt": "x"}}, "'requests'"),
        ("generate_many", {"requests": b"abc"}, "'requests'"),
        ("generate_many", {"requests": ["x", {"prompt": "x", "seconds": True}]}, r"requests\[1\].*'seconds'"),
        ("create", {"images": "https://example.org/a.png"}, "'images'"),
    ],
)
def test_refusals_name_the_argument(
    asyncio_: bool, name: str, arguments: dict[str, Any], text: str, emulator: Emulator
) -> None:
    client: Any = (AsyncClient if asyncio_ else Client)(**emulator.options())
    given = {"prompt": "x", **arguments} if name != "generate_many" else arguments
    # When it is called: nothing has to be awaited for the error.
    with pytest.raises((TypeError, ValueError, OverflowError), match=text):
        getattr(client.videos, name)(**given)
    assert emulator.stats()["posts"] == 0


def test_images_that_cannot_be_read(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    for image in (tmp_path / "none.png", tmp_path, tmp_path / "text.png"):
        with pytest.raises(junfeiai.JunFeiAIError):
            client.videos.create("x", image=image)
        with pytest.raises(junfeiai.JunFeiAIError):
            client.videos.generate_many(["x", {"prompt": "x", "images": [image]}])
    assert emulator.stats()["posts"] == 0


def test_check_save(client: Client, async_client: AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_bytes(b"x")
    for videos in (client.videos, async_client.videos):
        check: Any = videos.check_save
        check(tmp_path / "new.mp4")
        check(tmp_path / "there.mp4", overwrite=True)
        check(tmp_path / "a" / "b" / "new.mp4", create_parents=True)
        for path, options, cls, text in (
            ("there.mp4", {}, junfeiai.TargetExistsError, "there.mp4"),
            ("", {}, junfeiai.FileError, "folder"),
            ("none/x.mp4", {}, junfeiai.FileError, "does not exist"),
            ("there.mp4/x.mp4", {"create_parents": True}, junfeiai.FileError, "there.mp4"),
            ("x\0y.mp4", {}, junfeiai.FileError, "NUL"),
            ("x" * 250 + ".mp4", {}, junfeiai.FileError, "too long"),
            ("new.mp4", {"connections": 0}, junfeiai.InvalidRequestError, "connections"),
            ("new.mp4", {"rate_limit": -1}, junfeiai.InvalidRequestError, "rate_limit"),
            ("new.mp4", {"connections": True}, TypeError, "connections"),
            ("new.mp4", {"nobody": 1}, TypeError, "nobody"),
        ):
            with pytest.raises(cls, match=text):
                check(str(tmp_path) + "/" + path, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["there.mp4"], "it leaves nothing behind"


@pytest.mark.parametrize("journal", ["missing/folder/journal", "folder", "text", "\udcff"])
def test_a_journal_that_cannot_be_used(journal: str, emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("not a journal\n" * 3)
    with pytest.raises((junfeiai.JournalError, ValueError)):
        Client(**emulator.options(journal=str(tmp_path / journal))).videos.create("x")
    assert emulator.stats()["posts"] == 0


def test_a_journal_that_cannot_be_written_any_more(emulator: Emulator, tmp_path: Path) -> None:
    client = Client(**emulator.options(journal=tmp_path / "journal"))
    (tmp_path / "journal").unlink()
    (tmp_path / "journal").mkdir()
    for call in (client.videos.create, client.videos.generate):
        with pytest.raises(junfeiai.JournalError, match="nothing was sent"):
            call("x", seconds=4)
    [outcome] = client.videos.generate_many(["x"])
    assert isinstance(outcome.error, junfeiai.JournalError)
    assert emulator.stats()["posts"] == 0


NUMBERS = [
    "timeout", "create_timeout", "connect_timeout", "idle_timeout", "poll_interval", "wait_timeout", "max_attempts",
    "max_poll_errors", "request_rate", "request_burst", "max_in_flight_creates", "max_cost", "budget",
]  # fmt: skip


@pytest.mark.parametrize("value", [math.inf, 1e308, 1e19, 2**31, 2**62, 5e-324, 0, -1, math.nan, True], ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_the_client(name: str, value: Any, emulator: Emulator, tmp_path: Path) -> None:
    """Each is refused by its name, or the client works: a panic is neither."""
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    needed: dict[str, dict[str, Any]] = {"request_burst": {"request_rate": 2.0}, "budget": {"journal": tmp_path / "journal"}}
    given: dict[str, Any] = {name: value, **needed.get(name, {})}
    try:
        client = Client(**emulator.options(**given))
    except (TypeError, ValueError, OverflowError) as error:
        assert name in str(error)
        assert emulator.stats()["posts"] == 0
        return
    assert client.check().entries
    try:
        # A far poll is legal, and so is an answer that cannot come in time.
        client.videos.generate("x", seconds=4, timeout=0.2)
    except junfeiai.JunFeiAIError as error:
        assert not isinstance(error, junfeiai.InternalError), error
        assert known(error) or emulator.stats()["created_tasks"] == 0
