"""The coroutines behind the async client. They do not import asyncio: what they await does."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


async def call(start: Any) -> Any:
    try:
        return await start()
    except BaseException as error:
        # Cancelled, closed, or ended by a callback: keep the ids of paid tasks.
        start.left(error)
        raise


async def immediate(value: Any) -> Any:
    return value
