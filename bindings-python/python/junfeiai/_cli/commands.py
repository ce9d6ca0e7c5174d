"""One function for each command. They call the library and print; retries are up to the library."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import Client, Task, Video
from .client_options import client_options, image
from .exit_codes import OUTCOME_UNKNOWN, exit_code
from .output import (
    Output,
    dollars,
    error_fields,
    estimate_fields,
    spending_fields,
    spending_line,
    summary_fields,
    summary_lines,
)


def _request(options: Any) -> dict[str, Any]:
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
    words = ["junfeiai", command, task_id]
    if options.base_url:
        words += ["--base-url", options.base_url]
    if getattr(options, "output", None) and command == "save":
        words += ["-o", options.output]
    return shlex.join(words)


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
    path = Path(options.output or video.file_name)
    summary = video.save(path, **_save_options(options), on_progress=output.save_progress)
    output.result({"task_id": video.task_id, **summary_fields(summary)}, *summary_lines(summary))
    return 0


def generate(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        # Before anything is paid. Without --output the file is named after the task, which does not exist yet.
        path = Path(options.output or f"task_{os.urandom(8).hex()}.mp4")
        known = client.videos.key(options.key) if options.key else None
        # What this key has saved there is not in the way.
        if known is None or known.path != path.absolute():
            client.videos.check_save(path, **_save_options(options))
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
        output.resume_hints = _unfinished(options, options.task_id)
        task = client.videos.task(options.task_id)
        video = task.wait(timeout=options.timeout, on_progress=_progress(options, output))
    fields = {"task_id": video.task_id, "status": "succeeded", "video_url": video.url}
    output.result(fields, f"done; save its video:  {_again(options, 'save', options.task_id)}")
    return 0


def save(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        return _save(client.videos.video(options.task_id), options, output)


def pending(options: Any, output: Output) -> int:
    with Client(**client_options(options)) as client:
        if options.output:
            return _resume(client, options, output)
        entries = client.videos.pending()
    for entry in entries:
        fields = {name: getattr(entry, name) for name in ("kind", "task_id", "intent", "model", "seconds", "state")}
        what = entry.task_id or f"create request {entry.intent}, outcome unknown: check your account's usage page"
        output.result({**fields, "created_at": entry.created_at}, f"{entry.state:<10} {what}  {entry.model}")
    if not entries:
        output.note("nothing is pending")
    return 0


def _resume(client: Client, options: Any, output: Output) -> int:
    code = 0
    output.resume_hints = ["run the same command again to resume"]
    for saved in client.videos.resume_pending(options.output):
        if saved.error is not None:
            code = code or exit_code(saved.error)
            output.result({"task_id": saved.task_id, "error": error_fields(saved.error)}, f"error: {saved.error}")
        elif saved.summary is not None:
            fields = {"task_id": saved.task_id, **summary_fields(saved.summary)}
            output.result(fields, f"saved     {saved.summary.path}")
    return code


def reconcile(options: Any, output: Output) -> int:
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
    "reconcile": reconcile,
    "spent": spent,
    "doctor": doctor,
}
