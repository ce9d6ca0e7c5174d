"""What the options of the command are for the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import ConfigError


def client_options(options: Any) -> dict[str, Any]:
    """The client's options out of the command's. The key is never on the command line, where others can read it."""
    given: dict[str, Any] = {"base_url": options.base_url, "poll_interval": options.poll_interval}
    if options.api_key_file:
        try:
            given["api_key"] = Path(options.api_key_file).read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            raise ConfigError(f"{options.api_key_file} is not a text file: it should hold the key alone") from None
    if getattr(options, "max_cost", None) is not None or getattr(options, "max_cost_strict", False):
        given["max_cost"], given["max_cost_strict"] = options.max_cost, options.max_cost_strict
    if getattr(options, "budget", None) is not None:
        given["budget"] = options.budget
    if not options.no_journal:
        try:
            Path(options.journal).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            advice = "name another one by --journal FILE, or use --no-journal"
            raise ConfigError(f"the journal {options.journal} cannot be written: {error}; {advice}") from error
        given["journal"] = options.journal
    return given


def image(text: str, folder: Path | None = None) -> str | Path:
    """A URL as it is, anything else as a file."""
    is_url = text.startswith(("http://", "https://", "data:"))
    return text if is_url else (folder or Path()) / text
