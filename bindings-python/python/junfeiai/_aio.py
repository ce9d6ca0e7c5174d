"""The coroutines behind the async client. They know nothing of asyncio: what they await does."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any


async def call(start: Callable[[], Awaitable[Any]]) -> Any:
    return await start()


async def immediate(value: Any) -> Any:
    return value
