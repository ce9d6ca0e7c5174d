"""The names that the emulator knows, for editors and type checkers. A test compares them with its own."""

from __future__ import annotations

from typing import Literal, TypeAlias

Operation: TypeAlias = Literal["create", "query", "content", "other", "any"]
"""What a request is for: making a task, asking for it, reading its video, anything else, or all of these."""

FaultKind: TypeAlias = Literal[
    "drop_before_accept",
    "drop_after_accept",
    "reset_after_accept",
    "die_after_charge",
    "hang",
    "status",
    "html",
    "error_shape",
    "empty_body",
    "garbage",
    "huge_body",
    "endless_body",
    "deep_json",
    "slow_headers",
    "cut_body",
    "until_close",
    "stall_body",
    "wrong_content_range",
    "wrong_length",
    "change_etag",
    "change_file",
    "redirect",
    "not_ready",
    "json_as_video",
    "rate_limited",
    "no_id",
    "accepted_202",
    "duplicate_request_id",
    "incomplete_file",
    "extra_bytes",
    "header",
]
"""The faults. What each does, and its fields: the emulator's README, "Faults"."""

ErrorShape: TypeAlias = Literal[
    "invalid_token",
    "no_model_right",
    "banned",
    "ip_denied",
    "model_not_found",
    "invalid_request",
    "invalid_json",
    "invalid_seconds",
    "task_not_exist",
    "task_not_exist_404",
    "insufficient_user_quota",
    "pre_consume_token_quota_failed",
    "fail_to_fetch_task",
    "upstream_401",
    "upstream_404",
    "upstream_html",
    "upstream_429",
    "do_request_failed",
    "upstream_unreadable",
    "invalid_response",
    "success_false",
    "empty_500",
    "html_413",
    "html_429",
    "html_502",
    "html_503",
    "html_504",
    "html_524",
    "proxy_502",
    "proxy_416",
    "plain_416",
    "proxy_404",
    "content_not_found",
    "request_blocked",
    "not_completed",
]
"""The errors of the service itself, and of the proxies in front of it."""
