#!/usr/bin/env python3
"""Gives every scenario of tests/scenarios to every binding of the library and compares what came of it and what the server saw.

    run.py                        everything; prints a matrix and `N passed, M failed`
    run.py --binding c,node          only these bindings
    run.py --scenario create/     only scenarios whose name contains this
    run.py --list                 what there is
    run.py --show --scenario …    what each binding gave, to write expectations from
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import book
import coverage
import bindings
import judge
import plain
import selfcheck
from service import KEY, TIME_SCALE, Service, summary_of

REFERENCE = "rust"
# One behind the other they would take three times as long, all at once they would be in each other's way.
LANES = 3
# The last request may still be on its way to the log when the shim has answered.
SETTLE_S = 30


@dataclass
class Cell:
    """What became of one scenario on one binding."""

    problems: list[str] = field(default_factory=list)
    not_run: str | None = None
    outcome: dict[str, Any] | None = None


def wait_for_log(service: Service, scenario: book.Scenario) -> list[str]:
    scale = scenario.server.get("time_scale", TIME_SCALE)
    give_up = time.monotonic() + SETTLE_S
    while True:
        problems = judge.saw_differences(scenario.server_saw, summary_of(service.saw(), scale))
        if not problems or time.monotonic() > give_up:
            return problems
        time.sleep(0.05)


def lay_out(scenario: book.Scenario, folder: Path) -> None:
    """The files that are there before; the lock of another saver, where one is at work."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in scenario.files.items():
        (folder / name).write_text(text)
    if scenario.lock is None:
        return
    # What every saver writes and honours, in whatever language: core/src/save/lock.rs.
    place = f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    started = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    holder = {"pid": os.getpid(), "place": place, "started": started, "name": "another"}
    (folder / f"{scenario.lock}.part.lock").write_text(json.dumps(holder) + "\n")


def play(scenario: book.Scenario, binding: str, shim: bindings.Shim, service: Service, folder: Path, closed: str) -> Cell:
    """One scenario on one binding."""
    scenario = scenario.for_binding(binding)
    places = {"{key}": KEY, "{base}": f"{service.origin}/v1", "{origin}": service.origin, "{second}": service.second,
              "{closed}": closed, "{dir}": str(folder), "{port}": service.origin.rsplit(":", 1)[1],
              "{second_port}": service.second.rsplit(":", 1)[1], "{201 letters}": "a" * 201, "{4097 letters}": "a" * 4097}
    lay_out(scenario, folder)
    service.prepare(plain.filled(scenario.server, {"{key}": KEY}), scenario.tasks)
    client = {"api_key": "{key}", "base_url": "{base}", "poll_interval": 0.02, **scenario.client}
    if scenario.https and binding in bindings.CA_OPTION:
        client = {"ca_file": str(service.ca), **client}
    steps = [{"do": step["do"], "with": {**step.get("with", {}), "into": f"{{dir}}/.read-{at}"}}
             if step["do"] in ("bytes", "stream", "read_range", "open")
             else {"do": step["do"], "with": ({**client, **step.get("with", {})} if step["do"] == "new_client"
                                              else step.get("with", {}))}
             for at, step in enumerate(scenario.steps)]
    client = {name: value for name, value in client.items() if value is not None}
    line = shim.ask(json.dumps(plain.filled({"client": client, "steps": steps}, places)))
    if KEY in line:
        return Cell(["the API key stands in an outcome"])
    if not line:
        return Cell([f"the shim died or hung: {shim.said()[-2000:]}"])
    given = json.loads(line)
    outcome: dict[str, Any] = {"client": plain.outcome(binding, given["client"]),
               "steps": [plain.outcome(binding, step) for step in given["steps"]]}
    ids = [step["task"]["task_id"] for step in outcome["steps"] if "task" in step]
    ids += [step["video"]["task_id"] for step in outcome["steps"] if "video" in step]

    def file(task: str) -> bytes:
        return service.file(ids[-1] if task == "new" else task)

    for one_way in ("{port}", "{second_port}", "{key}", "{201 letters}", "{4097 letters}"):
        del places[one_way]
    outcome = plain.settled(outcome, {template: text for template, text in places.items() if text})
    if scenario.server_sends_a_date():
        outcome = plain.on_time(outcome)
    problems = judge.differences({"error": scenario.client_error} if scenario.client_error else {}, outcome["client"],
                                 "client", file)
    if outcome["client"] and not scenario.client_error:
        problems.append(f"client: {outcome['client']}")
    elif not scenario.client_error:
        expected = bindings.told(binding, [step["expect"] for step in scenario.steps])
        problems += judge.differences(expected, outcome["steps"], "steps", file)
        problems += [f"step {at} failed: {got.get('error', got)}" for at, (want, got) in enumerate(zip(expected, outcome["steps"]))
                     if ("error" in got) != ("error" in want) or "thrown" in got]
    problems += wait_for_log(service, scenario)
    problems += judge.file_differences(scenario.files_after, folder, file)
    return Cell(problems, None, outcome)


def all_of(binding: str, scenarios: list[book.Scenario], command: list[object] | str, closed: str) -> dict[str, Cell]:
    """Every scenario on one binding, one after the other, with a service of its own."""
    if isinstance(command, str):
        return {scenario.name: Cell(not_run=command) for scenario in scenarios}
    folder = bindings.WORK / binding
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ca = folder / "ca.pem"
    # Over TCP and over TLS; the shim is started when the CA is there.
    services = {False: Service(), True: Service(ca)}
    shim = bindings.Shim(binding, command, folder)
    cells = {}
    try:
        for scenario in scenarios:
            why = bindings.cannot(binding, scenario)
            cells[scenario.name] = Cell(not_run=why) if why else play(
                scenario, binding, shim, services[scenario.https], folder / "work", closed)
    finally:
        shim.close()
        for service in services.values():
            service.close()
    if KEY in shim.said():
        next(iter(cells.values())).problems.append("the API key stands on standard error")
    return cells


def compare_bindings(scenarios: list[book.Scenario], table: dict[str, dict[str, Cell]]) -> None:
    """What no expectation names must still be the same everywhere."""
    for scenario in scenarios:
        reference = table.get(REFERENCE, {}).get(scenario.name)
        for binding, cells in table.items():
            cell = cells[scenario.name]
            if binding == REFERENCE or reference is None or reference.outcome is None or cell.outcome is None:
                continue
            own = scenario.bindings.get(binding, {})
            differ = set(own.get("steps", {})) | ({"client_error"} if "client_error" in own else set())
            cell.problems += judge.strays(reference.outcome, cell.outcome, differ, bindings.HIDDEN.get(binding, ("", ()))[1])


def print_matrix(scenarios: list[book.Scenario], table: dict[str, dict[str, Cell]]) -> tuple[int, int]:
    width = max(len(scenario.name) for scenario in scenarios) + 1
    notes: dict[str, int] = {}
    differs: list[str] = []
    print(" " * width + "".join(f"{binding:>13}" for binding in table))
    for scenario in scenarios:
        row = []
        for binding, cells in table.items():
            cell = cells[scenario.name]
            mark = "~" if cell.not_run is None and binding in scenario.bindings else ""
            word = f"({notes.setdefault(cell.not_run, len(notes) + 1)})" if cell.not_run else "FAIL" if cell.problems else "ok"
            row.append(f"{word + mark:>13}")
            if mark:
                differs.append(f"  {scenario.name} on {binding}: {scenario.bindings[binding]['why']}")
        print(f"{scenario.name:<{width}}" + "".join(row))
    for binding, (why, _) in bindings.HIDDEN.items():
        if binding in table:
            print(f"\n{binding}: {why}")
    if notes:
        print("\nnot run:")
        for why, number in notes.items():
            print(f"  ({number}) {why}")
    if differs:
        print("\n~ what is expected is different there:")
        print("\n".join(differs))
    every = [(scenario.name, binding, table[binding][scenario.name]) for scenario in scenarios for binding in table]
    bad = [(name, binding, cell) for name, binding, cell in every if cell.problems]
    for name, binding, cell in bad:
        print(f"\nFAIL {name} on {binding}")
        for problem in cell.problems[:12]:
            print(f"  {problem}")
    return sum(not cell.problems and not cell.not_run for _, _, cell in every), len(bad)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binding", help="only these, with commas between them")
    parser.add_argument("--scenario", default="", help="only those whose name contains this text")
    parser.add_argument("--list", action="store_true", help="show the scenarios and what each is about")
    parser.add_argument("--show", action="store_true", help="show what each binding gave")
    options = parser.parse_args()
    wanted = options.binding.split(",") if options.binding else bindings.NAMES
    if unknown := set(wanted) - set(bindings.NAMES):
        parser.error(f"no such binding: {', '.join(sorted(unknown))}; there are {', '.join(bindings.NAMES)}")
    every = book.read(set(bindings.NAMES))
    scenarios = [scenario for scenario in every if options.scenario in scenario.name]
    if options.list:
        for scenario in scenarios:
            print(f"{scenario.name}: {scenario.about}")
        return 0
    if not scenarios:
        parser.error(f"no scenario's name contains {options.scenario!r}")
    if mistakes := selfcheck.mistakes():
        print("the runner itself is wrong about:\n  " + "\n  ".join(mistakes))
        return 1
    gaps = coverage.gaps(every)

    bindings.run("cargo", "build", "--locked", "-q", "-p", "junfeiai-emulator")
    commands: dict[str, list[object] | str] = {}
    for binding in wanted:
        try:
            commands[binding] = bindings.BUILDS[binding]()
        except bindings.Missing as missing:
            commands[binding] = str(missing)
    # A port that is taken and does not listen: whoever connects is refused.
    with socket.socket() as nobody, ThreadPoolExecutor(LANES) as pool:
        nobody.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        begun = time.monotonic()
        # The slowest begin first.
        order = sorted(wanted, key=lambda binding: binding not in ("browser", "node"))
        running = {binding: pool.submit(all_of, binding, scenarios, commands[binding], closed) for binding in order}
        table = {binding: running[binding].result() for binding in wanted}
    compare_bindings(scenarios, table)
    if options.show:
        for binding, cells in table.items():
            for name, cell in cells.items():
                print(f"{name} on {binding}: {json.dumps(cell.outcome, indent=1, ensure_ascii=False)}")
    passed, failed = print_matrix(scenarios, table)
    if gaps:
        print("\nFAIL coverage")
        for gap in gaps:
            print(f"  {gap}")
    print(f"\n{len(scenarios)} scenarios, {len(wanted)} bindings, {time.monotonic() - begun:.0f} s")
    failed += 1 if gaps else 0
    passed += 0 if gaps else 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
