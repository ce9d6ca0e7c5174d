#!/usr/bin/env python3
"""Holds the house: arrows between the rooms of core/src point down, no two files of a crate need each other, and in core a
runtime, an HTTP client, a clock or the target are asked for only where they may be, and no file is opened for appending alone.

    tests/layers.py          checks the sources, and itself against planted faults
    tests/layers.py --draw   prints each room with the rooms below it that it uses
"""

import argparse
import posixpath
import re
import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent

# From the ground up: a room may use those that stand before it. What is in each: core/docs/ARCHITECTURE.md.
ROOMS = [
    "status", "error", "time", "async_compat", "fork", "text", "net", "model", "protocol", "store", "journal", "store_journal", "storage", "platform", "calls", "check",
    "video", "save", "client",
]

# Crates without rooms: their files need each other in one direction.
FLAT = ["bindings-c/src", "bindings-python/src", "bindings-wasm/src"]

# TypeScript, likewise.
SCRIPTS = "bindings-wasm/ts"

# What may be written where: a pattern, why it is bounded, and the only places for it.
BOUNDED = [
    (r"\bcrate::[A-Z]", "names that the crate's root hands on", []),
    (r"\btokio::", "tokio", ["platform/native/", "video/reader_io.rs", "client/blocking/", "client/resume.rs"]),
    (r"\breqwest::", "reqwest", ["platform/native/"]),
    (r"\b(?:Instant|SystemTime)::now\b", "a clock", ["platform/"]),
    (r"\bcfg!?\((?:\w+\()*(?:target_|unix|windows)", "the target", ["platform/", "async_compat.rs", "fork.rs", "text/"]),
    (r"\.await\b|\basync (?:fn|move)\b", "async code", ["platform/", "journal.rs", "store_journal.rs", "calls/", "check/", "video/", "save/", "client/"]),
    (r"\bfs::|\bFile::|\bTcpStream\b", "files and sockets", ["platform/native/", "save/", "model/image.rs"]),
    # Windows neither truncates nor locks a file that is open for appending alone. Linux and Wine do.
    (r"\.append\(true\)", "a file open for appending alone", []),
]


def flatten(tree):
    """The single paths of a `use` tree."""
    whole = re.match(r"^(.*?)\{(.*)\}$", tree, re.S)
    if not whole:
        return [tree]
    parts, depth, part = [], 0, ""
    for char in whole[2]:
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            parts, part = [*parts, part], ""
        else:
            part += char
    return [whole[1] + path for piece in [*parts, part] if piece for path in flatten(piece)]


def code_of(text):
    """A source without comments and without what is only compiled for tests."""
    text = re.sub(r"(?m)(^|\s)//.*$", "", text)
    return text.split("#[cfg(test)]\n#[allow", 1)[0].split("#[cfg(test)]\nmod ", 1)[0]


def read(folder):
    """The modules of a crate: (path, code) by name, those of tests left out."""
    modules = {}
    for path in sorted(folder.rglob("*.rs")):
        place = path.relative_to(folder).as_posix()
        if re.search(r"_tests\b|\btests\.rs$", place):
            continue
        name = re.sub(r"(^|/)(mod|lib)$", "", place[:-3]).replace("/", "::")
        modules[name] = (place, code_of(path.read_text(encoding="utf-8")))
    return modules


def arrows(modules):
    """Which modules each module names."""
    uses = {module: list(imports(module, code)) for module, (_, code) in modules.items()}
    # A name that a module only hands on is its maker's.
    handed_on = {module: {path.split("::")[-1]: path for path in paths} for module, paths in uses.items()}
    found = defaultdict(set)

    def add(module, path, hops=0):
        steps = path.split("::")
        for length in range(len(steps), -1, -1):
            name = "::".join(steps[:length])
            if name in modules:
                maker = handed_on[name].get(steps[length]) if length < len(steps) else None
                if maker and hops < 5:
                    add(module, maker, hops + 1)
                elif name != module:
                    found[module].add(name)
                return

    for module, (_, code) in modules.items():
        for path in uses[module]:
            add(module, path)
        for path in re.findall(r"\bcrate::(\w+(?:::\w+)*)", re.sub(r"\buse\s+[^;]+;", "", code)):
            add(module, path)
    return found


def imports(module, code):
    """What a module's `use` lines name, from the crate's root."""
    own = [step for step in module.split("::") if step]
    for root, tree in re.findall(r"\buse\s+((?:crate|self|super(?:::super)*)::|)([^;]+);", code):
        for path in flatten(re.sub(r"\s+", "", re.sub(r"\bas\s+\w+", "", tree))):
            base = {"crate::": [], "": own, "self::": own}.get(root, own[: len(own) - root.count("super")])
            if root or path.split("::")[0] not in ("std", "core"):
                yield "::".join([*base, path])


def upward(found, rooms):
    """Arrows that run up, and names of rooms that stand in no order."""
    rank = {room: number for number, room in enumerate(rooms)}
    for module, names in sorted(found.items()):
        for name in sorted(names):
            room, other = module.split("::")[0], name.split("::")[0]
            if not module:
                continue
            if missing := [one for one in (room, other) if one not in rank]:
                yield f"{missing[0]} is in no order: add it to ROOMS"
            elif rank[other] > rank[room]:
                yield f"{module} uses {name}, which stands above it"


def circles(found):
    """Groups of modules that need each other. A file and the folder of its parts are one."""
    def unit(name, names):
        # `a::b` and `a::b::c`: the longest name with a file of its own one level below a room.
        return "::".join(name.split("::")[:2])

    units = defaultdict(set)
    for module, names in found.items():
        for name in names:
            if module and unit(module, found) != unit(name, found):
                units[unit(module, found)].add(unit(name, found))
    reach = {}

    def all_below(start):
        seen, todo = set(), list(units.get(start, ()))
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += units.get(one, ())
        return seen

    for one in units:
        reach[one] = all_below(one)
    told = set()
    for one in sorted(units):
        if one in reach[one] and one not in told:
            group = sorted(other for other in reach[one] if one in reach.get(other, ()))
            told.update(group)
            ties = [f"{a} -> {b}" for a in group for b in sorted(units[a]) if b in group]
            yield f"a circle of {', '.join(group)}: {', '.join(ties)}"


def script_arrows(modules):
    """The same of TypeScript: `import … from "./x.js"`, types as well."""
    found = {}
    for name, code in modules.items():
        folder = PurePosixPath(name).parent
        named = re.findall(r"""\bfrom\s+["'](\.[^"']+)\.js["']""", code)
        found[name] = {posixpath.normpath((folder / path).as_posix()) for path in named}
    return found


def scripts(folder):
    return {path.relative_to(folder).with_suffix("").as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.ts"))}


def misplaced(modules, bounded):
    for place, code in modules.values():
        for pattern, what, places in bounded:
            if not place.startswith(tuple(places)) and (hit := re.search(pattern, code)):
                yield f"{place} has to do with {what} ({hit[0].strip()}), which belongs to {', '.join(places) or 'no file'}"


def draw(found):
    below = defaultdict(set)
    for module, names in found.items():
        for name in names:
            below[module.split("::")[0]].add(name.split("::")[0])
    for room in reversed(ROOMS):
        print(f"{room:<13} {' '.join(other for other in reversed(ROOMS) if other in below[room] and other != room)}")


def planted():
    """Each check finds what it is there for."""
    def house(**code):
        return {name.replace("__", "::"): (name.replace("__", "/") + ".rs", code_of(text)) for name, text in code.items()}

    rooms = ["low", "high"]
    good = arrows(house(low="", high="use crate::low::Thing;"))
    assert not list(upward(good, rooms)) and not list(circles(good))
    for code in ("use crate::high::Thing;", "use crate::{\n    high::{self, Other},\n};", "fn f() { crate::high::call() }"):
        assert list(upward(arrows(house(low=code, high="")), rooms)), code
    assert not list(upward(arrows(house(low="/// [`x`](crate::high::x)", high="")), rooms))
    assert not list(upward(arrows(house(low="#[cfg(test)]\nmod tests {\n use crate::high::x; }", high="")), rooms))
    assert list(upward(arrows(house(low="", high="", new="use crate::low::x;")), rooms))
    both = arrows(house(low="", low__a="use super::b::B;", low__b="use crate::low::c::C;", low__c="use crate::low::a;"))
    assert list(circles(both)) and not list(upward(both, rooms))
    assert not list(circles(arrows(house(low="mod a; mod b; pub use b::B;", low__a="use super::B;", low__b=""))))
    assert list(circles(arrows(house(low="pub use b::B;", low__a="use super::B;", low__b="use super::a::f;"))))
    assert not list(circles(arrows(house(low="", low__a="mod part;\nuse part::P;", low__a__part="use super::A;"))))
    bounded = [(r"\btokio::", "tokio", ["high/"])]
    assert list(misplaced(house(low="use tokio::time;"), bounded)) and not list(misplaced(house(high__x="use tokio::time;"), bounded))
    for code, found in (("OpenOptions::new().append(true).open(path)", 1), ("journal.append(record)", 0)):
        assert len(list(misplaced(house(platform__native__x=code), BOUNDED))) == found, code
    knot = {"a": 'import type { B } from "./low/b.js";', "low/b": 'import { c } from "../c.js";', "c": 'export { a } from "./a.js";'}
    assert list(circles(script_arrows(knot))) and not list(circles(script_arrows(knot | {"c": ""})))
    return 14


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="prints the rooms")
    options = parser.parse_args()
    modules = read(ROOT / "core" / "src")
    found = arrows(modules)
    if options.draw:
        return draw(found)
    checks = planted()
    faults = [*upward(found, ROOMS), *circles(found), *misplaced(modules, BOUNDED)]
    missing = [room for room in ROOMS if room not in {name.split("::")[0] for name in modules}]
    faults += [f"ROOMS names {room}, which is not there" for room in missing]
    faults = [f"core/src: {fault}" for fault in faults]
    passed = checks + len(modules)
    for folder in FLAT:
        others = read(ROOT / folder)
        passed += len(others)
        faults += [f"{folder}: {circle}" for circle in circles(arrows(others))]
    typescript = scripts(ROOT / SCRIPTS)
    passed += len(typescript)
    faults += [f"{SCRIPTS}: {circle}" for circle in circles(script_arrows(typescript))]
    for fault in faults:
        print(f"FAILED {fault}")
    print(f"layers: {passed - len(faults)} passed, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
