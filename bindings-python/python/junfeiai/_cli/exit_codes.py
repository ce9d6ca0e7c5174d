"""The exit code of each failure."""

from __future__ import annotations

from .. import (
    APIConnectionError,
    AuthenticationError,
    ConfigError,
    CreateOutcomeUnknownError,
    DownloadError,
    InvalidRequestError,
    JunFeiAIError,
    PermissionDeniedError,
    TaskFailedError,
    WaitTimeoutError,
)

# A create request whose outcome is unknown.
OUTCOME_UNKNOWN = 7

EXIT_CODES: list[tuple[type[JunFeiAIError], int]] = [
    (ConfigError, 2),
    (InvalidRequestError, 2),
    (TaskFailedError, 3),
    (WaitTimeoutError, 4),
    (AuthenticationError, 5),
    (PermissionDeniedError, 5),
    (APIConnectionError, 6),
    (DownloadError, 6),
    (CreateOutcomeUnknownError, OUTCOME_UNKNOWN),
]


def exit_code(error: BaseException) -> int:
    """The exit code for this failure."""
    return next((code for cls, code in EXIT_CODES if isinstance(error, cls)), 1)
