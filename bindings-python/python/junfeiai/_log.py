"""Log records: the text of an event, with its fields as attributes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Any

_ALWAYS: dict[str, Any] = {"event": None, "task_id": None, "request_id": None, "elapsed": None}
"""The attributes that every record has, so that a format may name them."""


def record(logger: logging.Logger, level: int, text: str, fields: dict[str, Any]) -> None:
    import logging

    extra = {**_ALWAYS, **fields}
    factory = logging.getLogRecordFactory()
    if factory is not logging.LogRecord and logger.isEnabledFor(level):
        # A program's own factory may set attributes of these names, such as the id of its web request. They stay: `logging` raises
        # where one would be overwritten, and the line, which may name a paid task, would be lost.
        own = vars(factory(logger.name, level, __file__, 0, text, (), None, None, None))
        extra = {name: value for name, value in extra.items() if name not in own}
    # The record names the caller of the library, not this file.
    logger.log(level, "%s", text, extra=extra, stacklevel=2)
