"""The arguments of the calls as ``TypedDict``s, for programs that keep them: ``client.videos.create(**request)``.

Written by stubs.py; do not edit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, Literal, SupportsIndex, TypeAlias, TypedDict

Image: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A URL that the service fetches, or a PNG, JPEG or WebP as a path, bytes or a file opened with mode ``"rb"``."""


class ClientOptions(TypedDict, total=False):
    """Options of ``Client`` and ``AsyncClient``. Durations are in seconds."""

    api_key: str | None
    """The API key; optional when your reverse proxy adds it."""
    endpoint: str | None
    """The endpoint: ``"standard"``, ``"china"``, a base URL ending in ``/v1``, or a short host alias."""
    base_url: str | None
    """Another name of ``endpoint``; give one of the two."""
    endpoints: Iterable[str] | None
    """Several endpoints, the preferred one first; another is tried only when no connection can be made, so that nothing is
    paid for twice. Task ids are valid on all of them, and all of them get the key.
    """
    video_base_url: str | None
    """A custom domain in place of the documented video host, as scheme and host."""
    trusted_hosts: Iterable[str] | None
    """Further hosts that may receive the key, as ``host`` or ``host:port``."""
    timeout: float | None
    """Timeout of one query."""
    create_timeout: float | None
    """Timeout of a create request: the service can take minutes, and after the timeout the task may still be created and
    charged.
    """
    connect_timeout: float | None
    """Timeout of connecting; at most 5 with several endpoints."""
    idle_timeout: float | None
    """Maximum time without data during a download."""
    poll_interval: float | None
    """Delay between polls: starts at this value, backs off to 10 or twice the value, whichever is less; at least 5 except
    for localhost, at most 24 hours.
    """
    wait_timeout: float | None
    """Timeout of one wait for a task; ``math.inf`` for no limit."""
    max_attempts: int | None
    """Attempts of one call, the first included. A create request is sent again only when it provably was not accepted."""
    max_poll_errors: int | None
    """Polls that may fail in a row before a wait ends with an error."""
    request_rate: float | None
    """Requests per second that all tasks and threads of the client share (a token bucket), at least one in 24 hours.
    Downloads are not limited; after a 429 the rate is halved for a while. Clients whose journal is the same database
    share one rate; without one N processes send N times as much.
    """
    request_burst: int | None
    """Requests that may be sent together after a quiet time; needs ``request_rate``."""
    max_in_flight_creates: int | None
    """Concurrent create requests; the others wait."""
    max_cost: float | None
    """Maximum cost of one create request in USD: a more expensive one is refused before it is sent."""
    max_cost_strict: bool | None
    """Refuses a create request as well if its cost may exceed ``max_cost`` or ``budget``: the server hides its prices, or
    the key's group is not known and another group would pay more. Otherwise an unknown price is a warning.
    """
    budget: float | None
    """Maximum total cost in USD of all create requests of one UTC day, for all clients that share the journal: a request
    that would exceed it is refused before it is sent. Needs ``journal``; see "Know the cost".
    """
    language: str | None
    """``Accept-Language``, which decides the language of the server's messages, such as ``en`` or ``zh-CN``."""
    headers: Mapping[str, str] | None
    """Further headers of every request, by name, for a gateway of yours for example. They are sent only to hosts that may
    receive the key, and their values are never shown.
    """
    user_agent: str | None
    """Your program's name, such as ``my-app/1.2``, added to the ``User-Agent``."""
    journal: str | os.PathLike[str] | None
    """A file that records paid tasks, so that a later process can resume them; several processes of a machine may share
    it. For several machines the address of a database: ``"postgresql://…"``, ``"redis://…"``, ``"valkey://…"``.
    """
    journal_prompts: bool | None
    """Keeps prompts in the journal instead of the SHA-256 of the request."""
    proxy: str | None
    """A proxy instead of the one in ``HTTP_PROXY``, ``HTTPS_PROXY`` or ``ALL_PROXY``; ``""`` for no proxy."""
    ca_file: str | os.PathLike[str] | None
    """Further root certificates as a PEM file, besides the system's and ``SSL_CERT_FILE``."""


class VideoRequest(TypedDict, total=False):
    """Arguments of ``create``, ``estimate`` and ``generate``, and an item of ``generate_many``."""

    prompt: str
    """What the video shows; known models take up to 4096 characters."""
    model: str | None
    """The model: ``"grok-image-video"``, or ``"grok-video-1.5"``, which needs one image."""
    seconds: float | str | SupportsIndex | None
    """Length in seconds; 1–15 for known models, 10 at most with several reference images."""
    size: str | None
    """Frame size such as ``"1280x720"``: a hint to the model."""
    image: Image | None
    """The start image: a URL that the service fetches, or a PNG, JPEG or WebP as a ``pathlib.Path``, bytes or a file
    opened with mode ``"rb"``.
    """
    images: Iterable[Image] | None
    """Up to 7 reference images."""
    duration: float | str | SupportsIndex | None
    """Another name of ``seconds``; give one of the two."""
    extra: dict[str, Any] | None
    """Further JSON fields for the model."""
    validate: Literal["strict", "default", "off"] | None
    """How strictly the request is checked before it is sent; ``"strict"``: treat warnings as errors; ``"off"``: no checks."""
    key: str | None
    """Your own name for the job, 1–200 bytes: one task is created per key, however often it is requested; needs
    ``journal``. See "Exactly once".
    """
    retry_failed: bool | None
    """Creates another task under the key when its task failed."""


class WaitOptions(TypedDict, total=False):
    """Options of ``wait`` and ``generate``, without the callback."""

    timeout: float | None
    """Timeout of the wait; ``math.inf`` for no limit."""
    poll_interval: float | None
    """Delay between polls: starts at this value, backs off to twice of it or to the client's longest delay; at least 5
    except for localhost, at most 24 hours.
    """


class SaveOptions(TypedDict, total=False):
    """Options of ``save`` and ``check_save``, without the callback."""

    connections: int | None
    """Connections used at once, 1–16; more than one helps where each connection is slow."""
    overwrite: bool | None
    """Replaces an existing file; otherwise it is an error."""
    create_parents: bool | None
    """Creates missing folders; otherwise it is an error."""
    sha256: bool | None
    """Computes the SHA-256 of the file."""
    verify: bool | None
    """Checks that every sample of the MP4 is present; if off, bytes that an earlier check refused are used without another
    request.
    """
    timeout: float | None
    """Timeout of the whole save."""
    rate_limit: float | None
    """Maximum number of bytes per second."""
