"""Log records: the text of an event, with its fields as attributes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Any

_ALWAYS: dict[str, Any] = {"event": None, "task_id": None, "request_id": None, "elapsed": None}
"""The attributes that every record has, so that a format may name them."""


def record(logger: logging.Logger, level: int, text: str, fields: dict[str, Any]) -> None:
    # The record names the caller of the library, not this file.
    logger.log(level, "%s", text, extra={**_ALWAYS, **fields}, stacklevel=2)
