"""The exceptions: one class for each way in which a caller may want to handle an error.

Each is also the matching builtin exception. ``KINDS`` maps the kinds of the core to classes.
"""

from __future__ import annotations

from ._native import ERROR_KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class JunFeiAIError(Exception):
    """Base class of this library's errors. Its text is one line: what happened and what to do next."""

    kind: str = "internal"
    """The stable name of the kind, the same in every language."""
    number: int = 0
    """The stable number of the kind, the same in every language."""
    phase: str = ""
    """Where it happened: ``config create query wait content save check journal``."""
    message: str = ""
    """What happened, without the advice that ``str()`` adds."""
    field: str | None = None
    """The option or request field that caused the error, if any."""
    status_code: int | None = None
    """The HTTP status of the response."""
    code: str | None = None
    """The server's error code."""
    server_message: str | None = None
    """The server's message, in its language."""
    request_id: str | None = None
    """The server's request id, for support."""
    task_id: str | None = None
    """The task concerned. Set on every error after a task exists."""
    last_status: str | None = None
    """The last known status of that task."""
    retry_after: float | None = None
    """Seconds the server asked to wait."""
    attempts: int = 0
    """Number of requests sent by this call."""
    maybe_executed: bool = False
    """True when the request may have been executed (and charged) although no response was received."""
    transient: bool = False
    """True when the same call may succeed later without any change."""

    def to_dict(self) -> dict[str, Any]:
        """The attributes that are known as a dict, for ``json.dumps``, and the whole line as ``text``."""
        names = [name for name in JunFeiAIError.__annotations__ if getattr(self, name) is not None]
        return {**{name: getattr(self, name) for name in names}, "text": str(self)}


class ConfigError(JunFeiAIError, ValueError):
    """Invalid client options: no key, an invalid base URL, …"""


class UntrustedHostError(ConfigError):
    """Refused to send the API key to an untrusted host."""


class InvalidRequestError(JunFeiAIError, ValueError):
    """The request was refused before it was sent; nothing was charged."""


class IdempotencyConflictError(InvalidRequestError):
    """The key was used for another request. Nothing was sent."""


class APIStatusError(JunFeiAIError):
    """The server responded with an error."""


class BadRequestError(APIStatusError):
    """The server refused the request's fields (400 and other 4xx)."""


class AuthenticationError(APIStatusError):
    """The key is missing, wrong, expired or used up (401)."""


class PermissionDeniedError(APIStatusError):
    """The account may not do this (403)."""


class InsufficientBalanceError(PermissionDeniedError):
    """The account or the key has not enough balance (403)."""


class NotFoundError(APIStatusError):
    """The task id or the path is unknown."""


class RateLimitError(APIStatusError):
    """Too many requests (429)."""


class UpstreamError(APIStatusError):
    """The service behind the gateway failed (5xx)."""


class ModelUnavailableError(APIStatusError):
    """The server does not offer this model; a retry does not help."""


class UnexpectedResponseError(APIStatusError):
    """The response is not from this API. Check that the base URL ends in /v1."""


class NotOfferedError(APIStatusError):
    """Optional endpoint, not supported by this server."""


class APIConnectionError(JunFeiAIError, ConnectionError):
    """The connection failed or was lost."""


class APITimeoutError(APIConnectionError, TimeoutError):
    """No response in time."""


class CreateOutcomeUnknownError(JunFeiAIError):
    """A create request was sent and its outcome is not known: a task may exist and may have been charged."""

    maybe_executed = True


class TaskFailedError(JunFeiAIError):
    """The task ended in FAILURE; the service returns the charge."""


class WaitTimeoutError(JunFeiAIError, TimeoutError):
    """The wait ended before the task did. The task is still running: call wait with its id again."""


class DownloadError(JunFeiAIError):
    """The download was not completed; what was read is kept for the next attempt."""


class NotReadyError(DownloadError):
    """The video is not available yet."""


class IntegrityError(JunFeiAIError):
    """The downloaded file is incomplete or was changed."""


class FileError(JunFeiAIError, OSError):
    """A local file could not be read or written."""


class TargetExistsError(FileError, FileExistsError):
    """The target exists and overwriting was not asked for."""


class FileLockedError(FileError):
    """Another process or call is saving to the same file."""


class NoSpaceError(FileError):
    """There is not enough room on the disk."""


class CallCancelledError(JunFeiAIError):
    """The call was cancelled. An existing task keeps running and stays charged."""


class JournalError(JunFeiAIError):
    """The journal cannot be used."""


class InternalError(JunFeiAIError):
    """A defect of this library."""


KINDS: dict[str, type[JunFeiAIError]] = {
    "config": ConfigError,
    "invalid_request": InvalidRequestError,
    "untrusted_host": UntrustedHostError,
    "idempotency_conflict": IdempotencyConflictError,
    "bad_request": BadRequestError,
    "authentication": AuthenticationError,
    "permission_denied": PermissionDeniedError,
    "insufficient_balance": InsufficientBalanceError,
    "not_found": NotFoundError,
    "rate_limited": RateLimitError,
    "upstream": UpstreamError,
    "model_unavailable": ModelUnavailableError,
    "unexpected_response": UnexpectedResponseError,
    "not_offered": NotOfferedError,
    "connect": APIConnectionError,
    "connection": APIConnectionError,
    "timeout": APITimeoutError,
    "create_outcome_unknown": CreateOutcomeUnknownError,
    "task_failed": TaskFailedError,
    "wait_timeout": WaitTimeoutError,
    "download": DownloadError,
    "not_ready": NotReadyError,
    "integrity": IntegrityError,
    "file_exists": TargetExistsError,
    "io": FileError,
    "file_locked": FileLockedError,
    "no_space": NoSpaceError,
    "cancelled": CallCancelledError,
    "journal": JournalError,
    "internal": InternalError,
}

# What an error of a class says where it was made anew from its class and text alone, as Celery does with a result in JSON.
for _name, _number, _ in ERROR_KINDS:
    if _name in KINDS:
        KINDS[_name].kind, KINDS[_name].number = _name, _number

# The core's names that are named otherwise in Python.
_RENAMED = {"status": "status_code", "retry_after_s": "retry_after"}


def from_record(record: dict[str, Any]) -> JunFeiAIError:
    """The exception of a record of the core. Attributes live in ``__dict__``, which pickles."""
    error = KINDS.get(record["kind"], JunFeiAIError)(record.pop("text"))
    for name, value in record.items():
        setattr(error, _RENAMED.get(name, name), value)
    return error


LOG_LEFT = True
"""False for a program that reports unfinished tasks itself."""


def nothing() -> None:
    """Called by the native code while it waits: the interpreter raises in here what another thread has set for this one."""


def left(error: BaseException, text: str, task_ids: list[str], maybe_executed: bool, log: bool) -> None:
    """Adds what is known of paid tasks to an exception that ends a call from outside, and logs it."""
    note = f"junfeiai: {text}"
    try:
        known = getattr(error, "__notes__", None)
        notes: list[Any] = list(known) if isinstance(known, (list, tuple)) else []
        if note not in notes:
            # What add_note does, which Python 3.10 does not have.
            error.__notes__ = [*notes, note]
            if task_ids:
                error.task_ids = tuple(task_ids)  # type: ignore[attr-defined]
            if len(task_ids) == 1 and getattr(error, "task_id", None) is None:
                error.task_id = task_ids[0]  # type: ignore[attr-defined]
            if maybe_executed:
                error.maybe_executed = True  # type: ignore[attr-defined]
    except Exception:  # a class that refuses attributes, in whatever way: it is only logged
        pass
    if log and LOG_LEFT:
        import logging

        from ._log import record

        fields = {"event": "call_ended_early", "task_id": task_ids[0] if len(task_ids) == 1 else None, "task_ids": task_ids}
        record(logging.getLogger("junfeiai"), logging.WARNING, f"{type(error).__name__}: {text}", fields)
