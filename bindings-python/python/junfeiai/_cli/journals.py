"""Where the journals of the command are: the one of the user, and one in the folder of each batch.

The folders of batches are noted in a file beside the user's journal, so that ``pending``, ``resolve`` and ``forget`` find
what they paid for. That list is a convenience: where it cannot be written, ``--journal DIR`` names a folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import ConfigError

# The journal in the folder of a batch, its list of results, and its lock.
BATCH_JOURNAL = ".junfeiai-journal"
MANIFEST = "results.jsonl"
BATCH_LOCK = ".junfeiai-lock"

ADVICE = "name another one by --journal FILE, or use --no-journal"


def state_folder() -> Path | None:
    """The folder of the user's journal; ``None`` for a user without a home."""
    state = os.environ.get("XDG_STATE_HOME")
    # A relative one is to be passed over: the journal would be another one in each folder.
    if state and os.path.isabs(state):
        return Path(state) / "junfeiai"
    local = os.environ.get("LOCALAPPDATA")
    if sys.platform == "win32" and local:
        return Path(local) / "junfeiai"
    try:
        home = Path.home()
        if sys.platform != "win32" and not os.path.isabs(os.environ.get("HOME", "/")):
            # As if there were none: the one that the system has for this user.
            import pwd

            home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (RuntimeError, KeyError):
        return None
    return home / ".local" / "state" / "junfeiai"


def default_journal() -> Path | None:
    """The user's journal."""
    folder = state_folder()
    return None if folder is None else folder / "journal"


def is_database(journal: str) -> bool:
    """True for the address of a database, also for what a path makes of one."""
    return "://" in journal or re.match(r"(postgres(ql)?|rediss?|valkeys?):/", journal) is not None


def shown_journal(journal: str) -> str:
    """A journal as it is shown: an address without its password."""
    if not is_database(journal):
        return journal
    return re.sub(r"([?&]password=)[^&]*", r"\1***", re.sub(r"(?s)^([^:]*:/+[^:@]*:).*@", r"\1***@", journal))


def is_javascript_folder(path: Path) -> bool:
    """True for a folder that the JavaScript library keeps as a journal, which only it reads."""
    return os.path.isfile(path / "junfeiai-journal")


def named_journal(journal: str) -> str:
    """A folder stands for the journal of the batch in it."""
    if not journal:
        raise ConfigError("--journal is empty: name a file, or use --no-journal")
    if not is_database(journal) and is_javascript_folder(Path(journal)):
        raise ConfigError(f"{journal} is a journal of the JavaScript library, which only that reads: use its command, or name another place")
    # Also for a name that no file can have, which is refused later.
    if not is_database(journal) and os.path.isdir(journal):
        return str(Path(journal) / BATCH_JOURNAL)
    return journal


def required_journal(given: str | None) -> str:
    """The journal of a command that pays or that reads it: an error where it cannot be written."""
    if given is not None and is_database(given):
        return given
    path = Path(named_journal(given)) if given is not None else default_journal()
    if path is None:
        raise ConfigError(f"this user has no home folder for the journal of paid tasks; {ADVICE}")
    if error := unwritable(path):
        raise ConfigError(f"the journal {path} cannot be written: {error}; {ADVICE}") from error
    return str(path)


def optional_journal(given: str | None) -> str | None:
    """The journal of a command that does its work without one, too; only one that was named has to be there."""
    if given is not None:
        return required_journal(given)
    path = default_journal()
    return str(path) if path is not None and path.exists() and unwritable(path) is None else None


def unwritable(path: Path) -> OSError | None:
    """Why the journal cannot be written, if it cannot. The library locks it by the file that is opened here."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            lock = path.with_name(path.name + ".lock")
            for file in (path, lock):
                # Opening a pipe waits for its other end, and a device would be replaced by a file.
                if file.exists() and not file.is_file():
                    return OSError(f"{file} is not a regular file")
            lock.open("ab").close()
            if path.exists():
                path.open("ab").close()
    except OSError as error:
        return error
    return None


def _folders_file() -> Path | None:
    folder = state_folder()
    return None if folder is None else folder / "batch-folders"


def note_batch_folder(folder: Path) -> None:
    """Adds the folder of a batch to the list."""
    file = _folders_file()
    if file is None or folder.absolute() in batch_folders():
        return
    with contextlib.suppress(OSError, ValueError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", errors="surrogateescape", newline="\n") as text:
            text.write(json.dumps(str(folder.absolute())) + "\n")


def batch_folders() -> list[Path]:
    """The folders of batches that have a journal."""
    file = _folders_file()
    found: list[Path] = []
    if file is not None:
        with contextlib.suppress(OSError):
            for line in file.read_text(encoding="utf-8", errors="surrogateescape").split("\n"):
                with contextlib.suppress(ValueError, OSError):
                    name = json.loads(line)
                    if isinstance(name, str) and Path(name) not in found and (Path(name) / BATCH_JOURNAL).is_file():
                        found.append(Path(name))
    return found


def known_journals(given: str | None) -> list[str]:
    """The named journal alone, or the user's and those of batches."""
    if given is not None:
        return [required_journal(given)]
    own = default_journal()
    found = [str(own)] if own is not None and own.is_file() and unwritable(own) is None else []
    found += [str(folder / BATCH_JOURNAL) for folder in batch_folders()]
    return found or [required_journal(None)]


def manifest_records(folder: Path) -> dict[str, dict[str, Any]]:
    """What the manifest of a batch says of each key; the last record of a key counts, a torn line is passed over."""
    found: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(OSError):
        for line in (folder / MANIFEST).read_text(encoding="utf-8", errors="replace").split("\n"):
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict) and isinstance(record.get("key"), str):
                    found[record["key"]] = record
    return found


def paid_records(journal: Path) -> Iterator[dict[str, Any]]:
    """Everything readable in a journal that was or may have been paid for, as it is, damaged lines passed over. Reads
    alone: nothing is locked, repaired or moved.
    """
    intents: dict[str, dict[str, Any]] = {}
    tasks: dict[str, dict[str, Any]] = {}
    with journal.open("rb") as file:
        for raw in file:
            try:
                record = json.loads(raw)
                event = record["event"]
            except (ValueError, TypeError, KeyError):
                continue
            intent, task_id, name = (str(record.get(field) or "") for field in ("intent", "task_id", "name"))
            kept = {field: record[field] for field in ("model", "seconds", "prompt") if record.get(field) is not None}
            if event == "intent":
                key = record.get("key")
                kept.update({"key": key["name"]} if isinstance(key, dict) and "name" in key else {})
                intents[intent] = {"intent": intent, "state": "unknown", "created_at": record.get("at"), **kept}
            elif event == "created" and task_id:
                asked = intents.pop(intent, {"created_at": record.get("at")})
                tasks[task_id] = {**asked, **kept, "task_id": task_id, "state": "created"}
            elif event in ("refused", "forgotten") and (intent or name) in intents:
                del intents[intent or name]
            elif (task_id or name) in tasks and event in ("finished", "saving", "saved", "forgotten"):
                tasks[task_id or name]["state"] = record.get("status") or event
    yield from tasks.values()
    yield from intents.values()
