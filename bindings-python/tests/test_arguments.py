"""Bad input: a TypeError that names the argument, for every argument of every method."""

from __future__ import annotations

import enum
import functools
import inspect
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Emulator

import junfeiai
from junfeiai import AsyncClient, Client

GOOD: dict[str, Any] = {
    "path": "x.mp4",
    "task_id": "task_1",
    "url": "http://127.0.0.1:9/x.mp4",
    "start": 0,
    "end": 1,
    "task_ids": ["task_1"],
    "requests": ["x"],
    "intent": "i",
    "key": "film/1",
    "folder": ".",
    "state": {},
}


def owners(client: Any) -> list[Any]:
    videos = client.videos
    return [type(client), client, videos, videos.task("task_1"), videos.video("task_1")]


def cases() -> list[Any]:
    found = []
    for client in (Client(api_key="sk-1"), AsyncClient(api_key="sk-1")):
        for owner in owners(client):
            names = ["new"] if isinstance(owner, type) else [name for name in dir(type(owner)) if name[0] != "_"]
            for name in names:
                call = owner if name == "new" else getattr(owner, name)
                if not callable(call):
                    continue
                parameters = inspect.signature(call).parameters
                title = f"{(owner if name == 'new' else type(owner)).__name__}.{name}"
                found.append(pytest.param(call, None, id=f"{title}(unknown)"))
                found += [pytest.param(call, p, id=f"{title}({p})") for p in parameters]
    return found


@pytest.mark.parametrize(("call", "parameter"), cases())
def test_wrong_type(call: Any, parameter: str | None) -> None:
    parameters = inspect.signature(call).parameters
    arguments = {name: GOOD[name] for name, p in parameters.items() if p.default is p.empty}
    wrong = {"nobody_knows_this": 1} if parameter is None else {parameter: object()}
    name = next(iter(wrong))
    with pytest.raises(TypeError, match=f"'{name}'" if parameter else "unexpected keyword|takes no"):
        call(**{**arguments, **wrong})


@pytest.mark.parametrize(
    "options",
    [{"timeout": -1}, {"timeout": float("nan")}, {"base_url": "https://doc.junfeiai.com/v1"}, {"proxy": "no url"}],
)
def test_options_that_cannot_be_used(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="(?i)" + next(iter(options)).replace("_", ".")):
        Client(api_key="sk-1", **options)


def test_values_that_cannot_be_used(client: Client, emulator: Emulator) -> None:
    video = client.videos.video(emulator.finished())
    with pytest.raises(junfeiai.InvalidRequestError, match="connections"):
        video.save("x.mp4", connections=99)
    with pytest.raises(OverflowError, match="start"):
        video.read_range(-1, 5)
    with pytest.raises(junfeiai.InvalidRequestError, match="empty"):
        video.read_range(5, 5)
    with pytest.raises(junfeiai.InvalidRequestError, match="task id"):
        client.videos.task("")
    with pytest.raises(junfeiai.InvalidRequestError, match="seconds"):
        client.videos.create("x", seconds=-5)
    with pytest.raises(ValueError, match="validate"):
        client.videos.create("x", validate="perhaps")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'extra'"):
        client.videos.create("x", extra={"a": {1, 2}})
    with pytest.raises(TypeError, match="'seconds'"):
        client.videos.create("x", seconds=True)
    assert not emulator.requests("/video/generations")


class Whole:
    """An integer of another library, such as ``numpy.int64``."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def sent(emulator: Emulator) -> dict[str, Any]:
    """The last create request."""
    body: dict[str, Any] = [one for one in emulator.requests("/video/generations") if one["method"] == "POST"][-1]["body_json"]
    return body


@pytest.mark.parametrize("seconds", [Whole(6), 6, 6.0, "6", Decimal(6)], ids=lambda value: type(value).__name__)
def test_numbers_of_other_libraries(seconds: Any, client: Client, emulator: Emulator) -> None:
    client.videos.create("x", seconds=seconds)
    assert sent(emulator)["seconds"] == "6"
    video = client.videos.video(emulator.finished())
    assert video.read_range(Whole(4), Whole(8)) == b"ftyp"  # type: ignore[arg-type]
    with Client(**emulator.options(max_attempts=Whole(2), timeout=Decimal("1.5"))) as other:
        assert other.videos.get(video.task_id or "").done


@pytest.mark.parametrize("seconds", [True, 6j, [6], None.__class__], ids=repr)
def test_what_is_no_length(seconds: Any, client: Client, emulator: Emulator) -> None:
    with pytest.raises(TypeError, match="'seconds': expected int, float or str, got"):
        client.videos.create("x", seconds=seconds)
    assert not emulator.requests("/video/generations")


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, io.BytesIO], ids=lambda wrap: str(wrap.__name__))
def test_images_in_memory(wrap: Callable[[bytes], Any], client: Client, emulator: Emulator) -> None:
    client.videos.create("x", images=[wrap(PNG), wrap(PNG)], seconds=6)
    first, second = sent(emulator)["images"]
    client.videos.create("x", image=PNG, seconds=6)
    assert first == second == sent(emulator)["image"]
    assert first.startswith("data:image/png;base64,")


def test_images_in_files(client: Client, async_client: AsyncClient, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    client.videos.create("x", image=path, seconds=6)
    expected = sent(emulator)["image"]
    with path.open("rb") as file:
        client.videos.create("x", image=file, seconds=6)
        assert sent(emulator)["image"] == expected
        with pytest.raises(junfeiai.InvalidRequestError, match="PNG, JPEG or WebP"):
            client.videos.create("x", image=file, seconds=6)  # nothing is left in it
    with path.open("rb") as file:
        outcome = next(client.videos.generate_many([{"prompt": "x", "image": file, "seconds": 6}]))
        assert outcome.error is None and sent(emulator)["image"] == expected


class Upload:
    """A file of a web framework, whose ``read`` is a coroutine function."""

    async def read(self) -> bytes:
        return PNG


class Lazy:
    """A file whose ``read`` hands out a coroutine."""

    def read(self) -> Any:
        return Upload().read()


@pytest.mark.parametrize(
    ("image", "hint"),
    [
        (io.StringIO("x"), "its read\\(\\) returned str: open it with mode 'rb'"),
        (Upload(), "pass what `await file.read\\(\\)` returns"),
        (Lazy(), "its read\\(\\) returned coroutine"),
        (5, "expected str \\(a URL\\), os.PathLike, bytes or a file opened with mode 'rb', got int"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_files_that_cannot_be_read(image: Any, hint: str, client: Client, async_client: AsyncClient, emulator: Emulator) -> None:
    for videos in (client.videos, async_client.videos):
        for name, value in (("image", image), ("images", [image])):
            with pytest.raises(TypeError, match=f"argument '{name}': .*{hint}"):
                videos.create("x", **{name: value})  # type: ignore[arg-type]
    assert not emulator.requests("/video/generations")


def test_what_a_file_raises(client: Client, emulator: Emulator) -> None:
    class Broken:
        def read(self) -> bytes:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        client.videos.create("x", image=Broken())  # type: ignore[arg-type]
    assert not emulator.requests("/video/generations")


def test_saving_into_an_open_file(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    video = client.videos.video(emulator.finished())
    with (tmp_path / "x.mp4").open("wb") as file:
        for call in (video.save, client.videos.check_save):
            with pytest.raises(TypeError, match="argument 'path': .*to write into an open file, use iter_bytes"):
                call(file)  # type: ignore[arg-type]
    assert not emulator.requests()


def test_the_poll_interval_of_one_wait(client: Client, emulator: Emulator) -> None:
    with Client(**emulator.options(poll_interval=1000)) as slow:
        video = slow.videos.generate("x", seconds=6, poll_interval=0.02)
        task = slow.videos.task(video.task_id or "")
        assert task.wait(poll_interval=0.02) == video
        state = slow.videos.task(emulator.running()).wait_state(timeout=60, poll_interval=0.25)
        assert state["policy"]["poll_interval"] == 0.25
        for refused in (0, -1):
            with pytest.raises(junfeiai.InvalidRequestError, match="poll_interval") as error:
                slow.videos.generate("x", seconds=6, poll_interval=refused)
            assert error.value.field == "poll_interval"
    assert len([one for one in emulator.requests("/video/generations") if one["method"] == "POST"]) == 1


def test_one_image_is_no_list(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    for value in ("https://example.org/a.png", PNG, bytearray(PNG), memoryview(PNG), tmp_path, io.BytesIO(PNG), {"a": PNG}, 5, None.__class__):
        with pytest.raises(TypeError, match="argument 'images': expected a list or another iterable, got"):
            client.videos.create("x", images=value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="argument 'trusted_hosts': expected a list or another iterable, got str"):
        Client(api_key="sk-1", trusted_hosts="example.org")
    assert not emulator.requests()
    client.videos.create("x", images=(image for image in [PNG, PNG]), seconds=6)
    assert len(sent(emulator)["images"]) == 2


@pytest.mark.parametrize("image", ["cat.png", "/tmp/cat.png", "file:///tmp/cat.png"])
def test_the_name_of_a_file_is_no_url(image: str, client: Client, emulator: Emulator) -> None:
    with pytest.raises(junfeiai.InvalidRequestError, match="give a local file as its bytes") as error:
        client.videos.create("x", image=image, seconds=6)
    assert error.value.field == "image" and not emulator.requests()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda v: v.fingerprint(3), "argument 'prompt': expected str, got int"),
        (lambda v: v.fingerprint("x", size=(1280, 720)), "argument 'size': expected str, got tuple"),
        (lambda v: v.fingerprint("x", extra=[1]), "argument 'extra': expected dict, got list"),
        (lambda v: v.fingerprint("x", extra={"a": float("inf")}), "argument 'extra': Out of range float"),
        (lambda v: v.fingerprint("x", extra={"a": "\ud800"}), "argument 'extra': .*surrogates not allowed"),
        (lambda v: v.fingerprint("x", retry_failed=1), "argument 'retry_failed': expected bool, got int"),
        (lambda v: v.get(5), "argument 'task_id': expected str, got int"),
        (lambda v: v.wait_all([v.task("task_1")]), "argument 'task_ids': expected str, got Task"),
        (lambda v: v.video("task_1").read_range(1.5, 5), "argument 'start': expected int, got float"),
        (lambda v: v.video("task_1").save("x", connections="4"), "argument 'connections': expected int, got str"),
        (lambda v: v.video("task_1").save("x", timeout="4"), "argument 'timeout': expected float, got str"),
        (lambda v: v.resume_pending(b"x"), "argument 'folder': expected str or os.PathLike, got bytes"),
        (lambda v: v.generate_many([{"prompt": "x", "timeout": 5}]), r"requests\[0\]: unexpected keyword argument 'timeout' of a request"),
        (lambda _: Client(api_key=b"sk-1"), "argument 'api_key': expected str, got bytes"),  # type: ignore[arg-type]
        (lambda _: Client(api_key="sk-1", base_url=Path("x")), "argument 'base_url': expected str, got PosixPath|WindowsPath"),  # type: ignore[arg-type]
        (lambda _: Client(api_key="sk-1", endpoints=[1]), "argument 'endpoints': expected str, got int"),  # type: ignore[list-item]
        (lambda _: Client(api_key="sk-1", journal=b"x"), "argument 'journal': expected str or os.PathLike, got bytes"),  # type: ignore[arg-type]
    ],
)
def test_the_words_for_a_wrong_type(call: Callable[[Any], object], text: str, client: Client, emulator: Emulator) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        call(client.videos)
    assert not emulator.requests()


@pytest.mark.parametrize("cls", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_no_wrong_type(cls: type[BaseException], client: Client) -> None:
    """Ctrl-C in an iterator that waits, for example."""

    class Path:
        def __fspath__(self) -> str:
            raise cls

    def images() -> Any:
        yield "https://example.org/a.png"
        raise cls

    calls: list[Callable[[], object]] = [
        lambda: client.videos.fingerprint("x", images=images()),
        lambda: client.videos.fingerprint("x", image=Path()),
        lambda: client.videos.video("task_1").save(Path()),
    ]
    for call in calls:
        with pytest.raises(cls):
            call()

    def broken() -> Any:
        raise LookupError("of the program")
        yield ""

    with pytest.raises(TypeError, match="argument 'images': .*of the program") as caught:
        client.videos.fingerprint("x", images=broken())
    assert isinstance(caught.value.__cause__, LookupError)


def test_an_int_of_a_class_of_its_own(client: Client) -> None:
    class Length(int, enum.Enum):
        SHORT = 4

    assert client.videos.fingerprint("x", seconds=Length.SHORT) == client.videos.fingerprint("x", seconds=4)


def test_a_partial_of_a_coroutine_function_is_refused() -> None:
    async def notify(_who: str, _: object) -> None:
        raise AssertionError("nobody awaits this")

    for client in (Client(api_key="sk-1"), AsyncClient(api_key="sk-1")):
        with pytest.raises(TypeError, match="'on_progress': expected a plain function"):
            client.videos.generate("x", on_progress=functools.partial(notify, "me"))
