#!/usr/bin/env python3
"""Gives every scenario of tests/scenarios/cli to both commands, that of the Python package and that of the npm package, and to
both in turn on one folder and one journal; compares what they say, how they end, and what the server saw.

    command.py                        everything; prints `N passed, M failed`
    command.py --scenario batch/      only scenarios whose name contains this
    command.py --show --scenario …    what each command gave
    command.py --no-build             with what is built already
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, IO

sys.path.append(str(Path(__file__).resolve().parents[2] / "bindings-python" / "tests"))

import bindings
import servers
from service import KEY, ROOT, TARGET, Service

FOLDER = ROOT / "tests" / "scenarios" / "cli"
# Of each run its own: two may run at a time.
WORK = TARGET / "command" / str(os.getpid())
CLI = TARGET / "npm" / "package" / "dist" / "cli.js"
# Who carries the steps out: each command alone, and both in turn.
RUNS = {"python": ("python",), "node": ("node",), "python+node": ("python", "node"), "node+python": ("node", "python")}
# Longest time for one step: a hang is a failure, not the end of the run.
PATIENCE_S = 90
SCENARIO = {"name", "about", "database", "server", "tasks", "files", "steps", "files_after", "server_saw"}
STEP = {"run", "paste", "env", "stdin", "server", "signal", "code", "json", "out", "err", "not", "keep", "posts", "write", "own_words", "together",
        "terminal", "disk_kib"}

# What differs from run to run.
SETTLED = [
    (r"task_[A-Za-z0-9]{8,}", "{task}"), (r"\b[0-9a-f]{40}\.[0-9a-f]{16}\b|\b[0-9a-f]{16}\b", "{hex}"),
    (r"\b20\d{12}\d*[\w]{8,}", "{request}"),
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "{date}"), (r"127\.0\.0\.1:\d+", "{host}"), (r"\d+\.\d\d s\b", "{time} s"), (r"\d+\.\d MB", "{size} MB"),
    (r"\bin \d+ request", "in {n} request"), (r"\d+ bytes", "{n} bytes"), (r"^bytes     \d+", "bytes     {n}"),
    (r"\b\d+ ms\b", "{n} ms"), (r"journal=[\w-]+", "journal={name}"), (r"process \d+ on \S+ since [-\d: +]+", "{process}"),
    (r"\bport \d+", "port {n}"), (r"\bwithin \d+ s\b", "within {n} s"), (r"[0-9a-f]{64}", "{hash}"), (r"/[\w/-]{20,}/", "{secret}"),
]
# Values of JSON that differ from run to run.
VOLATILE = {"elapsed", "bytes", "created_at", "latency_s", "clock_skew_s", "attempts", "request_id", "progress", "version"}
# What is said of polls, as many as there are.
POLLS = re.compile(r"^(status|saving|refund)    .*\n", re.M)


@dataclass
class Step:
    """What one command said."""

    code: int | list[int]
    out: str
    err: str


@dataclass
class Result:
    """What became of one scenario in one run."""

    problems: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def read() -> list[dict[str, Any]]:
    """Every scenario, in the order of files and of their places in them."""
    found: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.json")):
        for scenario in json.loads(path.read_text(encoding="utf-8")):
            name = scenario["name"] = f"{path.stem}/{scenario['name']}"
            if unknown := set(scenario) - SCENARIO:
                raise SystemExit(f"{name}: no such field: {', '.join(sorted(unknown))}")
            for step in scenario["steps"]:
                if unknown := set(step) - STEP:
                    raise SystemExit(f"{name}: no such field of a step: {', '.join(sorted(unknown))}")
                if {"run", "paste"} & set(step) and not {"code", "json", "out", "err"} & set(step):
                    raise SystemExit(f"{name}: {step.get('run') or step['paste']} expects nothing")
            found.append(scenario)
    return found


def settled(text: str, folder: Path) -> str:
    """The text without what differs from run to run."""
    text = POLLS.sub("", text.replace(str(folder), "{dir}"))
    for pattern, word in SETTLED:
        text = re.sub(pattern, word, text, flags=re.M)
    return text


def plain(value: Any, folder: Path) -> Any:
    """A value of JSON without what differs from run to run."""
    if isinstance(value, dict):
        return {name: "*" if name in VOLATILE and inner is not None else plain(inner, folder) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner, folder) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return settled(value, folder) if isinstance(value, str) else value


def differences(expected: Any, got: Any, place: str) -> list[str]:
    """Every key that is expected, compared exactly. `"*"` is anything but nothing, `{"contains": …}` a part of a text."""
    if expected == "*":
        return [] if got is not None else [f"{place}: there is none"]
    if isinstance(expected, dict) and set(expected) == {"contains"}:
        return [] if expected["contains"] in str(got) else [f"{place}: {got!r} does not contain {expected['contains']!r}"]
    if isinstance(expected, dict) and isinstance(got, dict):
        return [line for name, value in expected.items() for line in differences(value, got.get(name), f"{place}.{name}")]
    if isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            return [f"{place}: {len(expected)} expected, got {len(got)}: {got}"]
        return [line for at, pair in enumerate(zip(expected, got)) for line in differences(*pair, f"{place}[{at}]")]
    return [] if expected == got else [f"{place}: expected {expected!r}, got {got!r}"]


def within(expected: Any, got: Any) -> bool:
    """True for what is expected, or for a number from the first to the second of `{"from": …, "to": …}`."""
    if isinstance(expected, dict) and set(expected) == {"from", "to"}:
        return bool(expected["from"] <= got <= expected["to"])
    return bool(expected == got)


def within_one_day() -> None:
    """A budget is one of a UTC day: waits for the next day when this one ends in a moment."""
    left = 86_400 - time.time() % 86_400
    if left < 300:
        time.sleep(left + 1)


class Player:
    """Plays scenarios for one run, with a service of its own."""

    def __init__(self, name: str, commands: dict[str, list[str]]) -> None:
        self.name = name
        self.turns = [commands[one] for one in RUNS[name]]
        self.folder = WORK / name
        self.service = Service()

    def play(self, scenario: dict[str, Any], database: str | None) -> Result:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "work").mkdir(parents=True)
        for name, text in scenario.get("files", {}).items():
            self._write(name, text)
        self.service.prepare(scenario.get("server", {}), scenario.get("tasks", {}))
        if any("--budget" in run or run[:1] == ["spent"] for run in (step.get("run", []) for step in scenario["steps"])):
            within_one_day()
        result = Result()
        kept: dict[str, str] = {"dir": str(self.folder / "work"), "origin": self.service.origin, "state": str(self.folder / "state")}
        if database:
            kept["database"] = f"{database}?journal={self.name.replace('+', '-')}"
        turn = 0
        for number, step in enumerate(scenario["steps"]):
            place = f"step {number}"
            if "server" in step:
                # The tasks stay.
                self.service._ask("PUT", "scenario", {"seed": 7, "time_scale": 1000, **step["server"]})
            for name, text in step.get("write", {}).items():
                self._write(name, text)
            if not {"run", "paste"} & set(step):
                continue
            if "together" in step:
                # At once, each command as often as the other.
                with ThreadPoolExecutor(step["together"]) as pool:
                    all_of = list(pool.map(lambda at: self._run(step, kept, self.turns[at % len(self.turns)], place, result), range(step["together"])))
                codes = sorted(int(one.code) for one in all_of if not isinstance(one.code, list))
                said = Step(codes, "".join(one.out for one in all_of), "".join(one.err for one in all_of))
            else:
                said = self._run(step, kept, self.turns[turn % len(self.turns)], place, result)
                turn += 1
            result.steps.append(said)
            result.problems += [f"{place}: {problem}" for problem in self._judge(step, said, kept)]
        result.problems += self._afterwards(scenario, kept)
        return result

    def _write(self, name: str, content: str | dict[str, Any]) -> None:
        path = self.folder / "work" / name
        if isinstance(content, str):
            text = content
        else:
            # Many lines alike: `each`, so many times, behind `head`.
            each = (content["each"].replace("{n}", str(number)) for number in range(content["count"]))
            text = (content["head"] + "".join(each)).replace("{now}", str(int(time.time())))
        if name.endswith("/"):
            path.mkdir(parents=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")

    def _run(self, step: dict[str, Any], kept: dict[str, str], command: list[str], place: str, result: Result) -> Step:
        env = {name: value for name, value in os.environ.items() if not name.startswith("JUNFEIAI_")}
        env.update(JUNFEIAI_API_KEY=KEY, JUNFEIAI_BASE_URL=f"{self.service.origin}/v1", XDG_STATE_HOME=kept["state"], COLUMNS="200",
                   PYTHONIOENCODING="utf-8", NO_COLOR="1", NODE_PATH=str(ROOT / "bindings-wasm" / "node_modules"))
        env.update({name: fill(value, kept) for name, value in step.get("env", {}).items()})
        if "paste" in step:
            words = self._pasted(fill(step["paste"], kept), command, env)
        else:
            # Options that all commands take may stand in front.
            hurry = [] if step["run"][0] in ("--version", "--help", "export", "completion") else ["--poll-interval", "0.02"]
            words = [*command, *hurry, *(fill(word, kept) for word in step["run"])]
        if "disk_kib" in step:
            # No file becomes longer, as on a disk that is full, and nobody has to be root for that.
            words = ["bash", "-c", f'ulimit -f {step["disk_kib"]} && exec "$@"', "bash", *words]
        ours, theirs = os.openpty() if step.get("terminal") else os.pipe()
        process = subprocess.Popen(words, cwd=self.folder / "work", env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=theirs, text=True, encoding="utf-8")
        os.close(theirs)
        with ThreadPoolExecutor(2) as pool, open(ours, encoding="utf-8", errors="replace") as messages:
            assert process.stdout and process.stdin
            out, err = Reader(process.stdout), Reader(messages)
            readers = [pool.submit(out.read), pool.submit(err.read)]
            process.stdin.write(step.get("stdin", ""))
            process.stdin.close()
            try:
                if "signal" in step:
                    self._send(step["signal"], process, out, err)
                process.wait(PATIENCE_S)
            except (subprocess.TimeoutExpired, TimeoutError):
                process.kill()
                result.problems.append(f"{place}: it hung")
                process.wait()
            for reader in readers:
                reader.result()
        return Step(process.returncode, out.text, err.text)

    def _pasted(self, line: str, command: list[str], env: dict[str, str]) -> list[str]:
        """A shell that is given a line as it was printed, and knows this command as `junfeiai`."""
        script = self.folder / "bin" / "junfeiai"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} --poll-interval 0.02 "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        env["PATH"] = f"{script.parent}{os.pathsep}{env['PATH']}"
        return ["bash", "-c", line]

    def _send(self, how: dict[str, Any], process: subprocess.Popen[str], out: Reader, err: Reader) -> None:
        """A signal, once the server saw so many create requests, or the command has said something."""
        end = time.monotonic() + PATIENCE_S
        while process.poll() is None:
            posts = json.loads(self.service._ask("GET", "stats"))["posts"]
            if posts >= how.get("posts", 0) and how.get("said", "") in out.text + err.text:
                process.send_signal(getattr(signal, how["send"]))
                return
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.01)

    def _judge(self, step: dict[str, Any], said: Step, kept: dict[str, str]) -> list[str]:
        found = []
        literal = {name: re.escape(value) for name, value in kept.items()}
        if said.code != step.get("code", 0):
            found.append(f"it ended with {said.code}, expected {step.get('code', 0)}: {said.out[-500:]}{said.err[-1500:]}")
        if KEY in said.out + said.err:
            found.append("the API key stands in its output")
        if "Traceback" in said.err or re.search(r"^    at ", said.err, re.M):
            found.append(f"it broke: {said.err[-2000:]}")
        for name, text in (("out", said.out), ("err", said.err)):
            found += [f"std{name} has no {part!r}: {text!r}" for part in step.get(name, []) if not re.search(fill(part, literal), text, re.M)]
        found += [f"{part!r} stands in its output" for part in step.get("not", []) if re.search(fill(part, literal), said.out + said.err, re.M)]
        if "json" in step:
            try:
                got = [json.loads(line) for line in said.out.splitlines()]
            except ValueError as error:
                return [*found, f"it is not JSON: {error}: {said.out[:500]!r}"]
            expected = json.loads(fill(json.dumps(step["json"]), kept))
            if got and all(isinstance(one.get("line"), int) for one in got):
                # The lines of a list end in any order.
                got.sort(key=lambda one: one["line"])
            found += differences(expected, got, "json")
        for name, pattern in step.get("keep", {}).items():
            match = re.search(pattern, said.out + said.err, re.M)
            if match is None:
                found.append(f"{pattern!r} is not in {said.out + said.err!r}")
            kept[name] = match[1] if match else "nothing"
        if "posts" in step:
            posts = json.loads(self.service._ask("GET", "stats"))["posts"]
            if not within(step["posts"], posts):
                found.append(f"the server saw {posts} create requests, expected {step['posts']}")
        return found

    def _afterwards(self, scenario: dict[str, Any], kept: dict[str, str]) -> list[str]:
        saw = self.service.saw()
        stats, log = saw["stats"], saw["log"]
        got = {"posts": stats["posts"], "tasks": stats["created_tasks"], "paid": stats["quota_charged"] - stats["quota_refunded"],
               "bodies": [entry["body_json"] for entry in log if entry["method"] == "POST"]}
        wanted = {"posts": 0, "tasks": 0, **scenario.get("server_saw", {})}
        found = [f"the server saw {name} {got[name]!r}, expected {value!r}" for name, value in wanted.items() if not within(value, got[name])]
        if any("[key]" in entry["query"] or KEY in entry["query"] for entry in log):
            found.append("the key stood in a URL")
        for name, value in scenario.get("files_after", {}).items():
            path = self.folder / "work" / fill(name, kept)
            if value is None and path.exists():
                found.append(f"{name} is there")
            elif value is not None and not path.exists():
                found.append(f"{name} is not there")
            elif isinstance(value, dict):
                if (lines := path.read_text(encoding="utf-8").count("\n")) > value["most_lines"]:
                    found.append(f"{name} has {lines} lines, expected {value['most_lines']} at most")
            elif isinstance(value, list):
                records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
                found += differences(value, records, name)
        for path in self.folder.rglob("*"):
            if path.is_file() and KEY.encode() in path.read_bytes():
                found.append(f"the API key stands in {path.name}")
        return found


class Reader:
    """What a program says, as it says it."""

    def __init__(self, pipe: IO[str]) -> None:
        self.pipe = pipe
        self.text = ""

    def read(self) -> None:
        # Whoever held the other end of a terminal has gone.
        with contextlib.suppress(OSError):
            for line in self.pipe:
                self.text += line


def fill(text: str, kept: dict[str, str]) -> str:
    for name, value in kept.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def compare(scenario: dict[str, Any], results: dict[str, Result]) -> list[str]:
    """What no expectation names is still the same of both commands: every line of text, every field of JSON."""
    if not {"python", "node"} <= set(results):
        return []
    found = []
    pairs = zip((step for step in scenario["steps"] if {"run", "paste"} & set(step)), results["python"].steps, results["node"].steps)
    for number, (step, *both) in enumerate(pairs):
        if "own_words" in step:
            continue
        folders = [WORK / "python" / "work", WORK / "node" / "work"]
        states = [WORK / "python" / "state", WORK / "node" / "state"]
        outs, errs = ([one.out for one in both], [one.err for one in both])
        if "--json" in step.get("run", ()):
            given = [sorted(json.dumps(plain(json.loads(line), folder), sort_keys=True).replace(str(state), "{state}") for line in out.splitlines())
                     for out, folder, state in zip(outs, folders, states)]
        else:
            given = [sorted(settled(out.replace(str(state), "{state}"), folder).splitlines()) for out, folder, state in zip(outs, folders, states)]
        said = [sorted(settled(err.replace(str(state), "{state}"), folder).splitlines()) for err, folder, state in zip(errs, folders, states)]
        for name, (one, other) in (("output", given), ("messages", said)):
            if one != other:
                found.append(f"step {number}: the {name} differ:\n      python {one}\n      node   {other}")
    return found


def databases(scenarios: list[dict[str, Any]], stack: contextlib.ExitStack) -> dict[str, str]:
    """The addresses of those that scenarios name and that are installed here, as long as the stack is open."""
    named = {scenario.get("database") for scenario in scenarios}
    found = {}
    if "postgresql" in named and servers.POSTGRES:
        # It lets everybody in, and so does not look at the password, which no output may show.
        found["postgresql"] = stack.enter_context(servers.postgres_server()).replace("films@", "films:hidden@")
    if "redis" in named and servers.REDIS:
        found["redis"] = stack.enter_context(servers.redis_server()) + "/1"
    return found


def helps(commands: dict[str, list[str]]) -> list[str]:
    """Both have the same commands and options, but for what one of them cannot do."""
    def listed(command: list[str], *words: str) -> str:
        return subprocess.run([*command, *words, "--help"], check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}).stdout

    def names(text: str) -> set[str]:
        return set(re.findall(r"^    ([a-z]+)(?: |$)", text.split("COMMAND\n", 1)[1].split("\n\n")[0], re.M))

    python, node = (names(listed(commands[name])) for name in ("python", "node"))
    found = [f"the commands differ: {python ^ node}"] if python - node != {"mcp"} or node - python else []
    for word in ["", *sorted(python & node)]:
        options = [set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", listed(commands[name], *([word] if word else [])))) for name in ("python", "node")]
        if options[0] != options[1]:
            found.append(f"{word or 'junfeiai'}: the options differ: {options[0] ^ options[1]}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="", help="only those whose name contains this text")
    parser.add_argument("--only", help="only these runs, with commas between them")
    parser.add_argument("--show", action="store_true", help="show what each command gave")
    parser.add_argument("--no-build", action="store_true", help="with what is built already")
    parser.add_argument("--python", default=str(bindings.VENV / "bin" / "python"), help="the interpreter that has the package")
    parser.add_argument("--cli", default=str(CLI), help="the command of the npm package")
    options = parser.parse_args()
    runs = options.only.split(",") if options.only else list(RUNS)
    if unknown := sorted(set(runs) - set(RUNS)):
        parser.error(f"no such run: {', '.join(unknown)}; there are {', '.join(RUNS)}")
    scenarios = [scenario for scenario in read() if options.scenario in scenario["name"]]
    if not scenarios:
        parser.error(f"no scenario's name contains {options.scenario!r}")
    if not options.no_build:
        bindings.run("cargo", "build", "--locked", "-q", "-p", "junfeiai-emulator")
        bindings.build_wheel()
        bindings.build_package()
    commands = {"python": [options.python, "-m", "junfeiai"], "node": ["node", options.cli]}
    players = {name: Player(name, commands) for name in runs}
    passed, failed = 0, 0
    stack = contextlib.ExitStack()
    try:
        addresses = databases(scenarios, stack)
        for scenario in scenarios:
            database = addresses.get(scenario.get("database", ""))
            if "database" in scenario and database is None:
                print(f"not run: {scenario['name']} ({scenario['database']} is not installed)")
                continue
            with ThreadPoolExecutor(len(RUNS)) as pool:
                results = dict(zip(runs, pool.map(lambda name: players[name].play(scenario, database), runs)))
            problems = [f"{name}: {problem}" for name, result in results.items() for problem in result.problems]
            problems += compare(scenario, results)
            passed, failed = passed + (not problems), failed + bool(problems)
            print(f"{'FAIL ' if problems else 'ok   '}{scenario['name']}", flush=True)
            for problem in problems[:12]:
                print(f"  {problem}")
            for name, result in results.items() if options.show else ():
                for number, step in enumerate(result.steps):
                    print(f"  {name}, step {number}: {step.code}\n{step.out}{step.err}")
    finally:
        for player in players.values():
            player.service.close()
        stack.close()
        shutil.rmtree(WORK, ignore_errors=True)
    if not options.scenario:
        problems = helps(commands)
        passed, failed = passed + (not problems), failed + bool(problems)
        print("FAIL help" if problems else "ok   help: both have the same commands and options", *problems, sep="\n  ")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    # A background process starts with SIGINT ignored, one under nohup with SIGHUP; the commands that are tested would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGHUP", "SIGTERM"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    sys.exit(main())
