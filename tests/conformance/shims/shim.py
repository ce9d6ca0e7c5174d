"""The Python package's shim: `shim.py sync` or `shim.py async`. A scenario's client and steps come as one line of JSON on
standard input, what came of each step goes out as one line. It converts and never decides.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import sys
import time
from typing import Any

import junfeiai


async def given(value: Any) -> Any:
    """What a call gave: the async classes give something to be awaited."""
    return await value if inspect.isawaitable(value) else value


async def listed(values: Any) -> list[Any]:
    """All that an iterator of either kind gives."""
    return [value async for value in values] if hasattr(values, "__aiter__") else list(values)


def error(thrown: BaseException) -> dict[str, Any]:
    if isinstance(thrown, junfeiai.JunFeiAIError):
        names = ("kind number phase message field status_code code server_message request_id task_id last_status "
                 "retry_after attempts maybe_executed transient")
        return {"error": {"text": str(thrown), **{name: getattr(thrown, name) for name in names.split()}}}
    return {"thrown": f"{type(thrown).__name__}: {thrown}"}


def task_of(task: Any) -> dict[str, Any]:
    names = "id status raw_status progress video_url fail_reason model billed_seconds charged_units created_at started_at finished_at"
    warnings = [{"code": warning.code, "message": warning.message} for warning in task.warnings]
    return {"task": {name: getattr(task, name) for name in names.split()}, "warnings": warnings}


def video_of(video: Any) -> dict[str, Any]:
    return {"video": {"task_id": video.task_id, "url": video.url}}


def bytes_of(data: bytes) -> dict[str, Any]:
    return {"bytes": {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}}


def summary_of(summary: Any) -> dict[str, Any]:
    names = "path bytes duration width height resumed attempts sha256"
    return {"summary": {name: getattr(summary, name) for name in names.split()}}


def ended(key: Any, outcome: Any) -> dict[str, Any]:
    return {"key": key, **(error(outcome.error) if outcome.error else video_of(outcome.video))}


class Shim:
    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.client: Any = None
        self.task: Any = None
        self.video: Any = None
        self.kept = ""

    async def run(self, scenario: dict[str, Any]) -> dict[str, Any]:
        try:
            self.client = self.kind(**scenario["client"])
        except Exception as thrown:
            return {"client": error(thrown), "steps": []}
        outcomes = []
        for step in scenario["steps"]:
            try:
                # Where bytes are to be kept is for languages that cannot hash them.
                arguments = {name: value for name, value in step.get("with", {}).items() if name != "into"}
                outcomes.append(await getattr(self, step["do"])(arguments))
            except Exception as thrown:
                outcomes.append(error(thrown))
        return {"client": {}, "steps": outcomes}

    def id(self, step: dict[str, Any]) -> str:
        return str(step["id"] if "id" in step else self.task.id)

    async def seen(self, call: Any) -> dict[str, Any]:
        self.task = await given(call)
        return task_of(self.task)

    async def found(self, call: Any) -> dict[str, Any]:
        self.video = await given(call)
        return video_of(self.video)

    async def new_client(self, step: dict[str, Any]) -> dict[str, Any]:
        self.client = self.kind(**step)
        return {}

    async def create(self, step: dict[str, Any]) -> dict[str, Any]:
        return await self.seen(self.client.videos.create(**step["request"]))

    async def get(self, step: dict[str, Any]) -> dict[str, Any]:
        return await self.seen(self.client.videos.get(self.id(step)))

    async def task_by_id(self, step: dict[str, Any]) -> dict[str, Any]:
        return await self.seen(self.client.videos.task(self.id(step)))

    async def refresh(self, step: dict[str, Any]) -> dict[str, Any]:
        return await self.seen(self.task.refresh())

    async def wait(self, step: dict[str, Any]) -> dict[str, Any]:
        states: list[str] = []
        call = self.task.wait(**step, on_progress=lambda task: states.append(task.raw_status))
        return {**await self.found(call), "states": states}

    async def generate(self, step: dict[str, Any]) -> dict[str, Any]:
        states: list[str] = []
        request = step.pop("request")
        call = self.client.videos.generate(**request, **step, on_progress=lambda task: states.append(task.raw_status))
        return {**await self.found(call), "states": states}

    async def wait_state(self, step: dict[str, Any]) -> dict[str, Any]:
        state = self.task.wait_state(**step)
        self.kept = json.dumps(state)
        return {"later": state}

    async def advance(self, step: dict[str, Any]) -> dict[str, Any]:
        while True:
            state = step["state"] if "state" in step else json.loads(self.kept)
            advanced = await given(self.client.videos.advance(state))
            if advanced.video:
                return await self.found(advanced.video)
            self.kept = json.dumps(advanced.state)
            if not step.get("until_done"):
                return {"later": advanced.state, "pauses": advanced.retry_after > 0}
            time.sleep(advanced.retry_after)

    async def watch(self, step: dict[str, Any]) -> dict[str, Any]:
        return {"states": [task.raw_status for task in await listed(self.task.watch())]}

    async def task_video(self, step: dict[str, Any]) -> dict[str, Any]:
        return await self.found(self.task.video())

    async def video_by_id(self, step: dict[str, Any]) -> dict[str, Any]:
        return await self.found(self.client.videos.video(self.id(step)))

    async def video_at(self, step: dict[str, Any]) -> dict[str, Any]:
        return await self.found(self.client.videos.video_at(step["url"]))

    async def bytes(self, step: dict[str, Any]) -> dict[str, Any]:
        return bytes_of(await given(self.video.read(**step)))

    async def stream(self, step: dict[str, Any]) -> dict[str, Any]:
        return bytes_of(b"".join(await listed(self.video.iter_bytes())))

    async def read_range(self, step: dict[str, Any]) -> dict[str, Any]:
        return bytes_of(await given(self.video.read_range(step["start"], step["end"])))

    async def open(self, step: dict[str, Any]) -> dict[str, Any]:
        file = await given(self.video.open())
        reads = []
        for start, size in step["parts"]:
            await given(file.seek(start))
            reads.append(bytes_of(await given(file.read(size))))
        # The file of the blocking client is one of Python's own: it says its length as those do.
        length = await given(file.size() if hasattr(file, "size") else file.seek(0, 2))
        return {"size": length, "reads": reads}

    async def save(self, step: dict[str, Any]) -> dict[str, Any]:
        return summary_of(await given(self.video.save(step["path"], **step.get("options", {}))))

    async def as_completed(self, step: dict[str, Any]) -> dict[str, Any]:
        outcomes = await listed(self.client.videos.as_completed(step["ids"]))
        return {"ended": [ended(outcome.task_id, outcome) for outcome in outcomes]}

    async def generate_many(self, step: dict[str, Any]) -> dict[str, Any]:
        outcomes = await listed(self.client.videos.generate_many(step["requests"], concurrency=step["concurrency"]))
        return {"ended": [ended(outcome.index, outcome) for outcome in outcomes]}

    async def check(self, step: dict[str, Any]) -> dict[str, Any]:
        return {"report": (await given(self.client.check(**step))).to_dict()}

    async def models(self, step: dict[str, Any]) -> dict[str, Any]:
        return {"models": await given(self.client.models())}

    async def estimate(self, step: dict[str, Any]) -> dict[str, Any]:
        estimate = await given(self.client.videos.estimate(**step["request"]))
        names = "units usd certainty units_at_most billed_seconds price_per_second size_ratio group group_ratio notes"
        return {"estimate": {name: getattr(estimate, name) for name in names.split()}}

    async def balance(self, step: dict[str, Any]) -> dict[str, Any]:
        balance = await given(self.client.balance())
        names = "name unlimited available_usd used_usd expires_at"
        return {"balance": {name: getattr(balance, name) for name in names.split()}}

    async def pending(self, step: dict[str, Any]) -> dict[str, Any]:
        names = "kind task_id model seconds state prompt"
        pending = await given(self.client.videos.pending())
        return {"pending": [{name: getattr(one, name) for name in names.split()} for one in pending]}

    async def key(self, step: dict[str, Any]) -> dict[str, Any]:
        known = await given(self.client.videos.key(step["key"]))
        return {"known": known and {name: getattr(known, name) for name in ("state", "attempt", "task_id", "path")}}

    async def forget(self, step: dict[str, Any]) -> dict[str, Any]:
        return {"found": await given(self.client.videos.forget(self.id(step)))}

    async def reconcile(self, step: dict[str, Any]) -> dict[str, Any]:
        account = {name: step[name] for name in ("account_token", "account_user") if name in step}
        found = await given(self.client.videos.reconcile(**account))
        names = "key model seconds verdict reason task_id request_id charged_units"
        entries = [{name: getattr(one, name) for name in names.split()} for one in found.entries]
        return {"reconciled": {"entries": entries, "retry_after": found.retry_after}}

    async def resolve_unknown(self, step: dict[str, Any]) -> dict[str, Any]:
        pending = await given(self.client.videos.pending())
        intent = next(one.intent for one in pending if one.kind == "unknown")
        return {"found": await given(self.client.videos.resolve_unknown(intent, step.get("id")))}

    async def resume_pending(self, step: dict[str, Any]) -> dict[str, Any]:
        saved = await listed(self.client.videos.resume_pending(step["folder"]))
        ends = [{"id": one.task_id, **(error(one.error) if one.error else summary_of(one.summary))} for one in saved]
        return {"ended": ends}


def at_once(work: Any) -> Any:
    """Runs what never waits: with the blocking client nothing is awaited that is not there already."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a blocking call gave something to be awaited")


def main() -> None:
    binding, run = (junfeiai.AsyncClient, asyncio.run) if sys.argv[1:] == ["async"] else (junfeiai.Client, at_once)
    for line in sys.stdin:
        print(json.dumps(run(Shim(binding).run(json.loads(line))), default=str), flush=True)


if __name__ == "__main__":
    main()
