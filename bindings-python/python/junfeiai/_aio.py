"""The coroutines behind the async client. They do not import asyncio: what they await does."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import Any

    from ._native import AsyncVideoReader


def _begun(start: Any) -> Any:
    try:
        return start()
    except RuntimeError:
        if sys.modules["asyncio"]._get_running_loop() is not None:
            raise
        # Nothing was sent: the loop is asked for first.
        raise RuntimeError(
            "AsyncClient needs an asyncio event loop and none is running in this thread; "
            "with trio, call Client in a thread: await trio.to_thread.run_sync(...)"
        ) from None


async def call(start: Any) -> Any:
    try:
        return await _begun(start)
    except BaseException as error:
        # Cancelled, closed, or ended by a callback: keep the ids of paid tasks.
        start.left(error)
        raise
    finally:
        # The error holds this frame, and what was started its future, which holds the error: a cycle that Python cannot see through.
        del start


async def immediate(value: Any) -> Any:
    return value


class Opening(Coroutine["Any", "Any", "AsyncVideoReader"]):
    """What ``AsyncVideo.open`` returns: await it, or enter it with ``async with``, which closes the video at the end."""

    __slots__ = ("_call", "_file")

    def __init__(self, call: Coroutine[Any, Any, AsyncVideoReader]) -> None:
        self._call = call
        self._file: AsyncVideoReader | None = None

    def __await__(self) -> Generator[Any, Any, AsyncVideoReader]:
        return self._call.__await__()

    def send(self, value: Any, /) -> Any:
        return self._call.send(value)

    def throw(self, *error: Any) -> Any:
        return self._call.throw(*error)

    def close(self) -> None:
        self._call.close()

    async def __aenter__(self) -> AsyncVideoReader:
        self._file = await self._call
        return self._file

    async def __aexit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()


class _Done(Awaitable[None]):
    """Something that is done: it may be awaited, and need not be."""

    __slots__ = ()

    def __await__(self) -> Iterator[Any]:  # type: ignore[override]
        return iter(())


DONE = _Done()
