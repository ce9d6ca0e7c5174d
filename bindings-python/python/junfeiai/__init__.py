"""Client for the JunFeiAI video API: creates, waits for and downloads videos safely.

>>> from junfeiai import Client
>>> with Client() as client:  # the key comes from JUNFEIAI_API_KEY
...     task = client.videos.create("A small red ball bouncing once", seconds=6, size="1280x720")
...     video = task.wait()
...     summary = video.save("ball.mp4")
>>> summary.path.name
'ball.mp4'
"""

from . import _main_interpreter  # before the native module is loaded
from ._errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    CallCancelledError,
    ConfigError,
    CreateOutcomeUnknownError,
    DownloadError,
    FileError,
    FileLockedError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    IntegrityError,
    InternalError,
    InvalidRequestError,
    JournalError,
    JunFeiAIError,
    ModelUnavailableError,
    NoSpaceError,
    NotFoundError,
    NotOfferedError,
    NotReadyError,
    PermissionDeniedError,
    RateLimitError,
    TargetExistsError,
    TaskFailedError,
    UnexpectedResponseError,
    UntrustedHostError,
    UpstreamError,
    WaitTimeoutError,
)
from ._native import (
    Advanced,
    AsyncAdvanced,
    AsyncClient,
    AsyncOutcome,
    AsyncRangeResponse,
    AsyncTask,
    AsyncVideo,
    AsyncVideoReader,
    AsyncVideos,
    Balance,
    CheckReport,
    CheckStep,
    Client,
    EntryCheck,
    Estimate,
    KeyRecord,
    Outcome,
    Pending,
    RangeResponse,
    Reconciliation,
    SaveProgress,
    Saved,
    Settled,
    Spending,
    Summary,
    Task,
    TaskWarning,
    Video,
    Videos,
    __version__,
)
from . import _processes  # what it asks for needs the native module

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "Advanced",
    "AsyncAdvanced",
    "AsyncClient",
    "AsyncOutcome",
    "AsyncRangeResponse",
    "AsyncTask",
    "AsyncVideo",
    "AsyncVideoReader",
    "AsyncVideos",
    "AuthenticationError",
    "BadRequestError",
    "Balance",
    "CallCancelledError",
    "CheckReport",
    "CheckStep",
    "Client",
    "ConfigError",
    "CreateOutcomeUnknownError",
    "DownloadError",
    "EntryCheck",
    "Estimate",
    "FileError",
    "FileLockedError",
    "IdempotencyConflictError",
    "InsufficientBalanceError",
    "IntegrityError",
    "InternalError",
    "InvalidRequestError",
    "JournalError",
    "JunFeiAIError",
    "KeyRecord",
    "ModelUnavailableError",
    "NoSpaceError",
    "NotFoundError",
    "NotOfferedError",
    "NotReadyError",
    "Outcome",
    "Pending",
    "PermissionDeniedError",
    "RangeResponse",
    "RateLimitError",
    "Reconciliation",
    "SaveProgress",
    "Saved",
    "Settled",
    "Spending",
    "Summary",
    "TargetExistsError",
    "Task",
    "TaskFailedError",
    "TaskWarning",
    "UnexpectedResponseError",
    "UntrustedHostError",
    "UpstreamError",
    "Video",
    "Videos",
    "WaitTimeoutError",
    "__version__",
]


def _imported_by_native_code() -> None:
    """Never called. Tools that bundle a program find here what only the native module imports."""
    import asyncio
    import contextvars
    import functools
    import json
    import logging

    from . import _aio, _reader, _restore
