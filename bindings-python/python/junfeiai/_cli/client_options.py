"""What the options of the command are for the library."""

from __future__ import annotations

import codecs
import os
import shutil
from pathlib import Path
from typing import Any

from .. import ConfigError, InvalidRequestError
from .journals import optional_journal, required_journal
from .output import os_error

# What does its work without a journal, and notes in it where there is one.
WITHOUT_JOURNAL = ("get", "wait", "save", "serve", "play")

PAYS = ("generate", "create")

# Arguments that name a file: the system takes any bytes for one.
_FILES = ("api_key_file", "file", "image", "journal", "output", "player", "what")


def read_as_utf8(options: Any) -> str | None:
    """Reads arguments anew that the encoding of the system could not read. Gives the name of one that is no text in UTF-8."""
    for name, value in vars(options).items():
        if name in _FILES or not isinstance(value, str):
            continue
        try:
            value.encode()
        except UnicodeEncodeError:
            try:
                setattr(options, name, os.fsencode(value).decode())
            except UnicodeError:
                return name if name in ("prompt", "task_id", "name") else f"--{name.replace('_', '-')}"
    return None


def client_options(options: Any) -> dict[str, Any]:
    """The client's options out of the command's. The key is never on the command line, where others can read it."""
    given: dict[str, Any] = {"base_url": options.base_url, "poll_interval": options.poll_interval}
    if options.api_key_file:
        try:
            # Some editors begin a file with a mark; what PowerShell of Windows writes by `>` is UTF-16, with one.
            data = Path(options.api_key_file).read_bytes()
            encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
            given["api_key"] = data.decode(encoding).strip()
        except UnicodeDecodeError:
            raise ConfigError(f"--api-key-file: {options.api_key_file} is not a text file: it should hold the key alone") from None
        except OSError as error:
            raise ConfigError(f"--api-key-file: {os_error(error)}") from error
    if getattr(options, "max_cost", None) is not None or getattr(options, "max_cost_strict", False):
        given["max_cost"], given["max_cost_strict"] = options.max_cost, options.max_cost_strict
    if getattr(options, "budget", None) is not None:
        given["budget"] = options.budget
    if options.no_journal and options.command in PAYS:
        for name in ("key", "budget"):
            if getattr(options, name, None) is not None:
                raise ConfigError(f"--{name} needs a journal: leave out --no-journal")
    if not options.no_journal:
        # Commands that neither pay nor list what was paid do without a journal where there is none.
        journal = optional_journal(options.journal) if options.command in WITHOUT_JOURNAL else required_journal(options.journal)
        if journal is not None:
            given["journal"] = options.journal = journal
            given["journal_prompts"] = getattr(options, "journal_prompts", False)
    return given


def connection(options: Any) -> list[tuple[str, str]]:
    """The options of a command line that asks the same endpoint with the same key."""
    given = (("--base-url", options.base_url), ("--api-key-file", options.api_key_file))
    return [(name, value) for name, value in given if value]


def image(text: str, folder: Path | None = None) -> str | Path:
    """A URL as it is, anything else as a file."""
    if not text:
        raise InvalidRequestError("the name of an image is empty: give a file or a URL")
    is_url = text.startswith(("http://", "https://", "data:"))
    return text if is_url else (folder or Path()) / text


def little_room(path: Path, seconds: float) -> str | None:
    """A warning where the videos may not fit on the disk. How long a file will be is not known before it is made."""
    folder = next((one for one in path.absolute().parents if one.is_dir()), None)
    try:
        free = shutil.disk_usage(folder or path.anchor).free
    except OSError:
        return None
    if free >= seconds * 1_000_000:
        return None
    return f"warning: {free / 1e6:.1f} MB are free in {folder}, and a second of video has about 1 MB: make room to have it saved"


def length(seconds: Any) -> float:
    """A length in seconds that was asked for, or the server's."""
    try:
        return float(seconds)
    except (TypeError, ValueError):
        return 4
