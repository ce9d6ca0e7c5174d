"""The emulator of the service as a process of one binding, and what it saw."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
KEY = "sk-conformance-0123456789abcdef"
# Service seconds in a real second: what takes the service a minute is over in 60 ms.
TIME_SCALE = 1000


class Service:
    """Ends with us, however we end: it watches its standard input."""

    def __init__(self, ca: Path | None = None) -> None:
        """With the path of a CA file it speaks TLS, and that file holds the CA."""
        command = [str(TARGET / "debug" / "junfeiai-emulator"), "--port", "0", "--second-port", "0", "--api-key", KEY,
                   "--exit-with-stdin", "--quiet", *(["--tls-ca", str(ca)] if ca else [])]
        self.ca = ca
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.origin = self.process.stdout.readline().split()[-1]
        self.second = self.process.stdout.readline().split()[-1]

    def close(self) -> None:
        self.process.communicate()

    def _ask(self, method: str, path: str, body: Any = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        # It is steered without TLS, whatever its certificate is.
        request = urllib.request.Request(f"http://{self.origin.split('://')[1]}/__emulator/{path}", data, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return bytes(answer.read())

    def prepare(self, scenario: dict[str, Any], tasks: dict[str, dict[str, Any]]) -> None:
        """As after a start, with this scenario, and these tasks in it."""
        self._ask("POST", "reset")
        self._ask("PUT", "scenario", {"seed": 7, "time_scale": TIME_SCALE, **scenario})
        if self.ca:
            # What a user would take for the CA of the certificate that is shown now.
            self.ca.write_bytes(self._ask("GET", "ca"))
        for name, task in tasks.items():
            self._ask("POST", "tasks", {"id": name, **task})

    def file(self, task_id: str) -> bytes:
        """The exact bytes of a task's video."""
        return self._ask("GET", f"video/{task_id}")

    def saw(self) -> dict[str, Any]:
        """Requests and money since `prepare`, without a browser's preflights."""
        log = json.loads(self._ask("GET", "requests"))
        log = [entry for entry in log if entry["method"] != "OPTIONS"]
        stats = json.loads(self._ask("GET", "stats"))
        return {"log": log, "stats": stats}


def kind_of(entry: dict[str, Any]) -> str:
    """What a request of the log is for, as the emulator's rules name it."""
    path = entry["path"]
    if entry["method"] == "POST":
        return "create"
    if path.startswith("/v1/video/generations/"):
        return "query"
    if path.endswith("/content") or path.startswith(("/video/grok/", "/redirect/", "/v1/files/")):
        return "content"
    return "other"


def summary_of(saw: dict[str, Any], time_scale: float) -> dict[str, Any]:
    """The log in the terms of `server_saw`."""
    by_kind: dict[str, list[dict[str, Any]]] = {"create": [], "query": [], "content": [], "other": []}
    for entry in saw["log"]:
        by_kind[kind_of(entry)].append(entry)
    at: dict[str, list[int]] = {}
    for entry in by_kind["query"]:
        at.setdefault(entry["path"], []).append(entry["at_ms"])
    gaps = [later - sooner for times in at.values() for sooner, later in zip(times, times[1:])]
    languages = sorted({entry["headers"].get("accept-language", "") for entry in saw["log"]})
    return {
        "posts": len(by_kind["create"]),
        "tasks": saw["stats"]["created_tasks"],
        "paid": saw["stats"]["quota_charged"] - saw["stats"]["quota_refunded"],
        "polls": len(by_kind["query"]),
        "gap_s": min(gaps) * time_scale / 1000 if gaps else None,
        "content": len(by_kind["content"]),
        "ranges": [entry["range"] for entry in by_kind["content"]],
        "content_paths": [f"{{{'origin' if entry['host'] == 'first' else 'second'}}}{entry['path']}"
                          for entry in by_kind["content"]],
        "others": [entry["path"] for entry in by_kind["other"]],
        "bodies": [entry["body_json"] for entry in by_kind["create"]],
        "languages": languages,
        "own_headers": {host: sorted({entry["headers"].get("x-test-tenant") for entry in saw["log"] if entry["host"] == host}, key=str)
                        for host in ("first", "second")},
        "own_names": sorted({agent.split(") ", 1)[1] for entry in saw["log"]
                             if (agent := entry["headers"].get("user-agent", "")).startswith("junfeiai/") and ") " in agent}),
        "second": len([entry for entry in saw["log"] if entry["host"] == "second"]),
        "key_at_second": any(entry["key"] != "none" for entry in saw["log"] if entry["host"] == "second"),
        "without_key": len([entry for entry in saw["log"] if entry["host"] == "first" and entry["key"] == "none"]),
        "key_in_query": any("[key]" in entry["query"] or KEY in entry["query"] for entry in saw["log"]),
        "read_headers": [dict(pairs) for pairs in sorted({
            tuple((name, entry["headers"].get(name)) for name in ("accept-encoding", "cache-control"))
            for entry in by_kind["content"]})],
        # HEAD is answered with 404 or a page, several ranges at once with everything.
        "never_sent": [entry["method"] for entry in saw["log"]
                       if entry["method"] not in ("GET", "POST") or "," in (entry["range"] or "")],
        "most_content_at_once": saw["stats"]["max_concurrent_content"],
    }
