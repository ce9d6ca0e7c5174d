"""One function for each command. They call the library and print; retries are up to the library."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .. import Client, ConfigError, InvalidRequestError, JournalError, JunFeiAIError, Pending, Task, Video
from .client_options import client_options, connection, image, length, little_room
from .exit_codes import OUTCOME_UNKNOWN, exit_code
from .journals import (
    BATCH_JOURNAL,
    default_journal,
    is_database,
    known_journals,
    manifest_records,
    named_journal,
    paid_records,
    shown_journal,
    unwritable,
)
from .output import (
    Output,
    dollars,
    error_fields,
    estimate_fields,
    own_command,
    spending_fields,
    spending_line,
    summary_fields,
    summary_lines,
    write,
)


def _request(options: Any) -> dict[str, Any]:
    if options.prompt == "-":
        raise InvalidRequestError("the prompt is only -, and standard input is not read for it: write the prompt itself")
    images = [image(text) for text in options.image or []]
    return {
        "prompt": options.prompt,
        "model": options.model,
        "seconds": options.seconds,
        "size": options.size,
        "image": images[0] if len(images) == 1 else None,
        "images": images if len(images) > 1 else None,
        "validate": options.validate,
        "key": options.key,
        "retry_failed": options.retry_failed,
    }


def _task_fields(task: Task) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "status": task.status,
        "progress": task.progress,
        "video_url": task.video_url,
        "fail_reason": task.fail_reason,
        "billed_seconds": task.billed_seconds,
        "charged_units": task.charged_units,
    }


def _task_line(task: Task) -> str:
    progress = "" if task.progress is None else f"{task.progress:3.0f} %"
    return f"status    {task.status:<12} {progress}".rstrip()


def _again(options: Any, command: str, task_id: str) -> str:
    given: list[str | tuple[str, str]] = [*connection(options)]
    if getattr(options, "output", None) and command == "save":
        given.append(("-o", options.output))
    if getattr(options, "overwrite", False) and command == "save":
        given.append("--overwrite")
    if options.journal and options.journal != str(default_journal()):
        given.append(("--journal", shown_journal(options.journal)))
    return own_command(command, task_id, options=given)


def _target(output: str | None, name: str) -> Path:
    """The file that is meant: a folder's name with a slash means a file in it."""
    if output and output.endswith(("/", os.sep)):
        return Path(output) / name
    return Path(output or name)


def _created(task: Task, client: Client, output: Output) -> None:
    billed = "" if task.billed_seconds is None else f" (billed {task.billed_seconds:g} s)"
    output.note(f"endpoint  {client.base_url}")
    output.note(f"task      {task.id}{billed}")


def _progress(options: Any, output: Output) -> Callable[[Task], None]:
    last: list[str] = []
    charged: list[int] = []

    def notify(state: Task) -> None:
        if state.status != "failed" and state.charged_units:
            charged[:] = [state.charged_units]
        if state.status == "failed" and charged:
            output.note(f"refund    the server returns {dollars(charged[0])} for a failed task")
        output.resume_hints = _unfinished(options, state.id)
        line = _task_line(state)
        if last != [line]:
            last[:] = [line]
            output.note(line)

    return notify


def _unfinished(options: Any, task_id: str) -> list[str]:
    return [
        f"the task is still running; wait for it:  {_again(options, 'wait', task_id)}",
        f"then save its video:                     {_again(options, 'save', task_id)}",
    ]


def _after_failure(options: Any) -> list[str]:
    """What to change when the task has failed: waiting for it or saving it again is of no use."""
    again = "change the prompt or the images, then create another video"
    if getattr(options, "key", None):
        again += "; for the same key add --retry-failed"
    return [f"the charge is returned; {again}"]


def _save_options(options: Any) -> dict[str, Any]:
    return {
        "connections": options.connections,
        "overwrite": options.overwrite,
        "create_parents": True,
        "sha256": options.sha256,
    }


def _save(video: Video, options: Any, output: Output) -> int:
    if video.task_id:
        output.resume_hints = [f"resume the download:  {_again(options, 'save', video.task_id)}"]
    path = _target(options.output, video.file_name)
    summary = video.save(path, **_save_options(options), on_progress=output.save_progress)
    output.result({"task_id": video.task_id, **summary_fields(summary)}, *summary_lines(summary))
    return 0


def generate(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        # Before anything is paid. Without --output the file is named after the task, which does not exist yet.
        path = _target(options.output, f"task_{os.urandom(8).hex()}.mp4")
        known = client.videos.key(options.key) if options.key else None
        # What this key has saved there is not in the way.
        if known is None or known.path != path.absolute():
            client.videos.check_save(path, **_save_options(options))
        if warning := little_room(path, length(options.seconds)):
            output.note(warning)
        output.failed_hints = _after_failure(options)
        notify = _progress(options, output)
        created: list[Task] = []

        def first(task: Task) -> None:
            if not created:
                created.append(task)
                _created(task, client, output)
            notify(task)

        video = client.videos.generate(**_request(options), timeout=options.timeout, on_progress=first)
        return _save(video, options, output)


def create(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        task = client.videos.create(**_request(options))
        _created(task, client, output)
    output.result(_task_fields(task), task.id)
    return 0


def estimate(options: Any, output: Output) -> int:
    options.no_journal = True
    with Client(**client_options(options)) as client:
        found = client.videos.estimate(**_request(options))
    cost = "unknown" if found.usd is None else f"{dollars(found.units)} ({found.units} units)"
    lines = [f"cost      {cost}", f"certainty {found.certainty}", f"billed    {found.billed_seconds} s"]
    output.result(estimate_fields(found), *lines, *(f"note      {note}" for note in found.notes))
    return 0


def get(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        task = client.videos.get(options.task_id)
    lines = [f"task      {task.id}", _task_line(task)]
    lines += [f"video     {task.video_url}"] if task.video_url else []
    lines += [f"charge    {dollars(task.charged_units)}"] if task.charged_units is not None else []
    lines += [f"reason    {task.fail_reason}"] if task.fail_reason else []
    output.result(_task_fields(task), *lines)
    return 0


def wait(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        output.resume_hints, output.failed_hints = _unfinished(options, options.task_id), _after_failure(options)
        task = client.videos.task(options.task_id)
        video = task.wait(timeout=options.timeout, on_progress=_progress(options, output))
    fields = {"task_id": video.task_id, "status": "succeeded", "video_url": video.url}
    output.result(fields, f"done; save its video:  {_again(options, 'save', options.task_id)}")
    return 0


def save(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        output.failed_hints = _after_failure(options)
        return _save(client.videos.video(options.task_id), options, output)


def _journals(options: Any) -> Iterator[str]:
    """Each journal that is meant: the one that was named, or the user's and those of batches."""
    if options.no_journal:
        raise ConfigError("this command reads the journal: leave out --no-journal, or name another one by --journal FILE")
    for journal in known_journals(options.journal):
        options.journal = journal
        yield journal


def _unusable(journal: str, error: JunFeiAIError) -> bool:
    """True where it is this journal that cannot be used: others can be."""
    return isinstance(error, JournalError) or (isinstance(error, ConfigError) and not is_database(journal) and unwritable(Path(journal)) is not None)


def _batch_line(journal: str, key: str | None) -> dict[str, Any]:
    """Where the entry of a batch's journal comes from: the folder, and the line of its list."""
    path = Path(journal)
    if path.name != BATCH_JOURNAL:
        return {}
    record = manifest_records(path.parent).get(key or "", {})
    return {"folder": str(path.parent), "list": record.get("list"), "line": record.get("line")}


def _pending_line(entry: Pending, place: dict[str, Any]) -> str:
    """An entry for people: state, date, what it is and what for."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created_at))
    what = entry.task_id or f"create request {entry.intent}, outcome unknown: check your account's usage page"
    parts = [f"{entry.state:<10} {when}  {what}  {entry.model}"]
    parts += [f"{entry.seconds} s"] if entry.seconds else []
    if entry.prompt:
        prompt = " ".join(entry.prompt.split())
        parts.append(f'"{prompt}"' if len(prompt) <= 60 else f'"{prompt[:59]}…"')
    if place:
        parts.append(f"batch {place['folder']}" + (f", line {place['line']}" if place["line"] else ""))
    return "  ".join(parts)


def pending(options: Any, output: Output) -> int:
    if options.output:
        named = options.journal
        with Client(**client_options(options)) as client:
            code = _resume(client, options, output)
        if named is None:
            _tell_of_batches(options, output)
        return code
    code, count, unknown = 0, 0, []
    for journal in _journals(options):
        try:
            with Client(**client_options(options)) as client:
                entries = client.videos.pending()
        except (JournalError, ConfigError) as error:
            if not _unusable(journal, error):
                raise
            # The other journals are read all the same.
            output.journal = journal
            output.failure(error)
            code = max(code, exit_code(error))
            continue
        for entry in entries:
            names = ("kind", "task_id", "intent", "model", "seconds", "state", "created_at", "key", "prompt")
            fields = {name: getattr(entry, name) for name in names}
            place = _batch_line(journal, entry.key)
            output.result({**fields, "journal": shown_journal(journal), **place}, _pending_line(entry, place))
            count += 1
            if entry.task_id is None and journal not in unknown:
                unknown.append(journal)
    if not count and not code:
        output.note("nothing is pending")
    for journal in unknown:
        # The command looks into one journal.
        named = [] if journal == str(default_journal()) else [("--journal", str(Path(journal).parent) if Path(journal).name == BATCH_JOURNAL else shown_journal(journal))]
        again = own_command("reconcile", options=[*connection(options), *named])
        output.note(f"what became of a create request of unknown outcome:  {again}  (or, by hand, junfeiai resolve)")
    return code


def _resume(client: Client, options: Any, output: Output) -> int:
    code = 0
    output.resume_hints = ["run the same command again to resume"]
    for saved in client.videos.resume_pending(options.output):
        if saved.error is not None:
            code = max(code, exit_code(saved.error))
            output.result({"task_id": saved.task_id, "error": error_fields(saved.error)}, f"error: {saved.error}")
        elif saved.summary is not None:
            fields = {"task_id": saved.task_id, **summary_fields(saved.summary)}
            output.result(fields, f"saved     {saved.summary.path}")
    return code


def _of_batches(options: Any) -> Iterator[tuple[str, list[Pending]]]:
    """The folders of batches, and what is pending in each, where something is."""
    for journal in known_journals(None):
        if Path(journal).name != BATCH_JOURNAL:
            continue
        options.journal = journal
        try:
            with Client(**client_options(options)) as client:
                entries = client.videos.pending()
        except (JournalError, ConfigError) as error:
            if not _unusable(journal, error):
                raise
            continue
        if entries:
            yield str(Path(journal).parent), entries


def _tell_of_batches(options: Any, output: Output) -> None:
    """Says what was paid for in the folders of batches, which save it to the files of their lists."""
    for folder, entries in _of_batches(options):
        again = own_command("pending", options=[("-o", options.output), *connection(options), ("--journal", folder)])
        output.note(f"the batch in {folder} has {len(entries)} more, which are not saved: run it again, or  {again}")


def _settle(options: Any, output: Output, change: Callable[[Client, Pending], bool], state: str) -> int:
    """Applies `change` to the pending entry that the command names, in whichever journal it is."""
    name = options.name
    broken: JunFeiAIError | None = None
    for journal in _journals(options):
        try:
            with Client(**client_options(options)) as client:
                found = [entry for entry in client.videos.pending() if name in (entry.task_id, entry.intent)]
                settled = next((entry for entry in found if change(client, entry)), None)
        except (JournalError, ConfigError) as error:
            if not _unusable(journal, error):
                raise
            # It may be in another one.
            output.journal, broken = journal, error
            continue
        if settled is not None:
            place = _batch_line(journal, settled.key)
            line = f" (batch {place['folder']}, line {place['line']})" if place.get("line") else ""
            output.result({"name": name, "state": state, "journal": shown_journal(journal), **place}, f"{state:<10} {name}{line}")
            return 0
    if broken is not None:
        raise broken
    raise ConfigError(f"no journal has a pending {name}: junfeiai pending lists what there is; --journal names another journal")


def resolve(options: Any, output: Output) -> int:
    def change(client: Client, entry: Pending) -> bool:
        if entry.task_id is not None or entry.intent is None:
            raise ConfigError(f"{options.name} is a task, whose outcome is known: wait for it, or forget it")
        return client.videos.resolve_unknown(entry.intent, options.task_id)

    return _settle(options, output, change, "created" if options.task_id else "not created")


def forget(options: Any, output: Output) -> int:
    def change(client: Client, entry: Pending) -> bool:
        if entry.task_id is not None:
            return client.videos.forget(entry.task_id)
        return entry.intent is not None and client.videos.resolve_unknown(entry.intent)

    return _settle(options, output, change, "forgotten")


def export(options: Any, output: Output) -> int:
    journal = named_journal(options.journal) if options.journal else default_journal()
    if journal is None:
        raise ConfigError("this user has no home folder: name the journal by --journal FILE")
    if is_database(str(journal)):
        raise ConfigError("export reads a file, and this is the address of a database: junfeiai pending lists what it has")
    if not Path(journal).exists():
        raise ConfigError(f"there is no journal {journal}: name another one by --journal FILE")
    count = 0
    for record in paid_records(Path(journal)):
        count += 1
        name = record.get("task_id") or f"create request {record.get('intent')}"
        what = "  ".join(str(record[field]) for field in ("model", "key", "prompt") if record.get(field))
        output.result(record, f"{record['state']:<10} {name}  {what}".rstrip())
    if not count:
        output.note(f"{journal} names nothing that was paid for")
    return 0


def reconcile(options: Any, output: Output) -> int:
    named = options.journal
    with Client(**client_options(options)) as client:
        # Never arguments: those are visible to others on the machine.
        token = os.environ.get("JUNFEIAI_ACCOUNT_TOKEN") or None
        user = os.environ.get("JUNFEIAI_ACCOUNT_USER") or None
        found = client.videos.reconcile(account_token=token, account_user=user if token else None)
    names = ("intent", "key", "model", "seconds", "created_at", "verdict", "reason", "task_id", "request_id", "charged_units")
    for entry in found.entries:
        what = entry.task_id or f"create request {entry.intent}"
        output.result({name: getattr(entry, name) for name in names}, f"{entry.verdict:<11} {what}  {entry.model}: {entry.reason}")
    if not found.entries:
        output.note("no create request is of unknown outcome")
    for folder, entries in _of_batches(options) if named is None else ():
        if count := sum(entry.task_id is None for entry in entries):
            again = own_command("reconcile", options=[*connection(options), ("--journal", folder)])
            output.note(f"the batch in {folder} has {count} of unknown outcome:  {again}")
    if found.retry_after is not None:
        output.note(f"ask again in {found.retry_after:.0f} s")
    settled = all(entry.verdict in ("charged", "not_charged") for entry in found.entries)
    return 0 if settled else OUTCOME_UNKNOWN


def spent(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        lines = client.videos.spending(options.since)
    for line in lines:
        output.result(spending_fields(line), spending_line(line))
    if not lines:
        output.note("the journal knows of no create requests")
    elif not options.json:
        charged, returned = (sum(getattr(line, f"{name}_units") for line in lines) for name in ("charged", "refunded"))
        print(f"total      {dollars(charged - returned)}", flush=True)
    return 0


def doctor(options: Any, output: Output) -> int:
    options.no_journal = True
    with Client(**client_options(options)) as client:
        report = client.check(account=options.account)
    output.result(report.to_dict(), str(report))
    if report.ok:
        return 0
    failed = [step.name for entry in report.entries for step in entry.steps if step.status == "fail"]
    return 5 if "key" in failed else 6


def serve(options: Any, output: Output) -> int:
    from . import local_server

    return local_server.serve(options, output)


def play(options: Any, output: Output) -> int:
    from . import local_server

    return local_server.play(options, output)


def completion(options: Any, _: Output) -> int:
    try:
        import shtab
    except ImportError:
        raise ConfigError('completion needs shtab: pip install shtab') from None
    from . import parser

    top = parser()
    for action in _actions(top):
        # What is the name of a file or a folder is completed as one.
        names = action.metavar if isinstance(action.metavar, str) else ""
        kind = shtab.FILE if "FILE" in names else shtab.DIR if names == "DIR" else None
        if kind is not None:
            action.complete = kind  # type: ignore[attr-defined]
    write(shtab.complete(top, options.shell), sys.stdout)
    return 0


def _actions(top: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options and arguments of the command and of each of its commands."""
    for action in top._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)


def mcp(options: Any, output: Output) -> int:
    try:
        from .mcp_server import run
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("mcp", "mcp_types", "pydantic"):
            raise
        raise ConfigError('the MCP server needs the package mcp, version 2: pip install "mcp>=2,<3"') from None
    return run(options, output)


def batch(options: Any, output: Output) -> int:
    # asyncio is slow to import, and only this command needs it.
    from .batch import run

    return run(options, output)


COMMANDS: dict[str, Callable[[Any, Output], int]] = {
    "generate": generate,
    "create": create,
    "estimate": estimate,
    "get": get,
    "wait": wait,
    "save": save,
    "batch": batch,
    "pending": pending,
    "resolve": resolve,
    "forget": forget,
    "export": export,
    "reconcile": reconcile,
    "spent": spent,
    "doctor": doctor,
    "serve": serve,
    "play": play,
    "mcp": mcp,
    "completion": completion,
}
