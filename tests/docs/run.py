#!/usr/bin/env python3
"""Every document of this repository is true: its blocks are tested, its tables are those of the sources, its links lead somewhere.

    run.py           checks
    run.py --write   writes the tables of errors anew first
"""

import argparse
import ast
import re
import subprocess
import sys
import tomllib

import defined
import bindings
import shell
import truths
import usage
from blocks import ROOT, blocks_of, code, collect, comments, documents, headings, links, original, prose, read, spans, tables

# Where the blocks of a language are taken from blocks.py to be tested, and by what call.
TAKEN = {
    "python": ("bindings-python/tests/test_docs.py", r'subprocess\.run\(\[sys\.executable, COLLECTOR, "python"\]'),
    "ts": ("bindings-wasm/test/packaging.test.mjs", r'run\("python3", \[join\(root, "tests/docs/blocks\.py"\), "ts"\]\)'),
    "c": ("bindings-c/tests/readme.py", r'blocks\.collect\("c"\)'),
    "cpp": ("bindings-c/tests/readme.py", r'blocks\.collect\("cpp"\)'),
    "cmake": ("bindings-c/tests/readme.py", r'blocks\.collect\("cmake"\)'),
}
HERE = {"sh", "console", "toml", "jsonl"}
# Drawings are no code.
DRAWINGS = {"text"}
# Rust examples are included by the crate whose documentation tests compile them; JSON is read by what reads it.
RUST = ["core/src/lib.rs", "tests/emulator/src/lib.rs"]
JSON = ["core/tests/docs.rs", "tests/emulator/tests/readme.rs"]
# A folder's own runner reads the blocks of its guide.
GUIDES = {
    "tests/conformance/README.md": ("tests/conformance/selfcheck.py", r'\(Path\(__file__\)\.parent / "README\.md"\)\.read_text\('),
    # A translation has the same blocks.
    **dict.fromkeys(("bindings-python/MCP.md", "bindings-python/MCP.zh-CN.md"), ("bindings-python/tests/test_mcp.py", r'\(FOLDER / "MCP\.md"\)\.read_text\(')),
}
# The parts of make dist that belong to a guide.
MADE = {"core": "crate", "bindings-python": "wheel-", "bindings-wasm": "npm", "bindings-c": "c-"}
WITH_NAMES = ["core/docs/ARCHITECTURE.md", "CONTRIBUTING.md"]

passed, failed = 0, 0


def report(name, problems):
    global passed, failed
    try:
        problems = list(problems)
    except (LookupError, AssertionError, ValueError) as error:
        problems = [str(error)]
    passed, failed = passed + (not problems), failed + bool(problems)
    print(f"{'FAILED' if problems else 'ok    '} {name}", flush=True)
    for problem in problems:
        print(f"       {problem}", flush=True)


def included(document, readers):
    """True when one of these sources includes the document."""
    for reader in readers:
        for path in re.findall(r'include_str!\("([^"]+)"\)', read(reader)):
            if ((ROOT / reader).parent / path).resolve() == (ROOT / document).resolve():
                return True
    return False


def calls(place):
    """True when the code of this file, its comments left out, has the call."""
    name, call = place
    return re.search(call, re.sub(r"(?m)(?:^|\s)(?:#|//).*$", "", read(name))) is not None


def untested():
    for name in documents():
        for block in blocks_of(name):
            where = f"{name}:{block.line}"
            if block.language in DRAWINGS or block.language in HERE and block.more != "journal":
                continue
            if block.language in TAKEN:
                if not calls(TAKEN[block.language]):
                    yield f"{where}: {TAKEN[block.language][0]} does not take the blocks of {block.language} from blocks.py"
            elif block.language == "json" and name in GUIDES:
                if not calls(GUIDES[name]):
                    yield f"{where}: {GUIDES[name][0]} does not read this document"
            elif block.language in ("rust", "json", "jsonl"):
                # A translation has the same blocks, which is checked.
                if not included(original(name), RUST if block.language == "rust" else JSON):
                    yield f"{where}: no test includes this document for its {block.language} blocks"
            else:
                yield f"{where}: nobody tests a block of {block.language or 'no language'}"


def manifests():
    """Dependencies as a user with a clone beside the project would write them: the place is ours, the features are there."""
    known = tomllib.loads(read("core/Cargo.toml"))["features"]
    for block in collect("toml"):
        entry = tomllib.loads(block.text).get("dependencies", {}).get("junfeiai", {})
        wrong = [name for name in entry.get("features", []) if name not in known]
        if entry.get("path") != "../junfeiai/core" or wrong:
            yield f"{block.file}:{block.line}: {entry}"


def translations():
    for name in documents():
        english = original(name)
        if english == name:
            continue
        if [level for level, _ in headings(name)] != [level for level, _ in headings(english)]:
            yield f"{name}: the headings are not those of {english}"
        ours, theirs = ([(block.language, block.more, code(block)) for block in blocks_of(one)] for one in (name, english))
        if ours != theirs:
            odd = next((block.line for block, theirs_too in zip(blocks_of(name), theirs) if (block.language, block.more, code(block)) != theirs_too), "end")
            yield f"{name}:{odd}: the blocks are not those of {english}, comments apart"
        yield from (f"{name}:{line}: this comment is not translated" for line in comments_in_english(name))
        ours, theirs = ({title: [spans(" ".join(row)) for row in rows] for title, rows in tables(one).items()} for one in (name, english))
        for title in theirs.keys() | ours.keys():
            if ours.get(title) != theirs.get(title):
                yield f"{name}: the names in {title} are not those of {english}"
        ours, theirs = ({original(link).split("#")[0] for link in links(one)} - {"README.md"} for one in (name, english))
        if ours != theirs:
            yield f"{name}: the links are not those of {english}: {ours ^ theirs}"


def comments_in_english(name):
    """Lines of a Chinese document's blocks whose comment has words, and none in Chinese. Code in a comment stays as it is."""
    for block in blocks_of(name):
        for number, line in enumerate(block.text.splitlines(), block.line + 1):
            for comment in comments(block.language, line):
                if len(re.findall(r"[A-Za-z]{2,}", re.sub(r"\S*[_=/.:(){}]\S*", "", comment))) > 2 and not re.search(r"[\u4e00-\u9fff]", comment):
                    yield number


def dead_links():
    for name in documents():
        for link in links(name):
            path, _, part = link.partition("#")
            target = ((ROOT / name).parent / path) if path else ROOT / name
            if "://" in link:
                continue
            if not target.exists():
                yield f"{name}: {link} is not there"
            elif part and part not in {anchor(text) for _, text in headings(str(target.resolve().relative_to(ROOT)))}:
                yield f"{name}: {link} has no such heading"


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def names_that_are_nothing():
    """Paths and names of items in the documents for those who change the code."""
    files, known = defined.files(), defined.definitions()
    for document in WITH_NAMES:
        for span in spans(re.sub(r"```.*?```", "", read(document), flags=re.S)):
            if re.fullmatch(r"[\w./-]+", span) and ("/" in span or re.search(r"\.(rs|py|md|json|toml|sh|h|hpp|ts|mjs)$", span)):
                if span.split("/")[0] not in ("target", "NAME") and not any(f"/{span.strip('/')}/" in f"/{name}/" for name in files):
                    yield f"{document}: there is no {span}"
            elif re.fullmatch(r"(?:\w+::)*\w+(?:\(\))?", span):
                yield from (f"{document}: nothing in the sources is called {part}" for part in re.findall(r"\w+", span)
                            if part not in known)


def first_names(document, table, column=0):
    return [name for row in tables(document)[table] for name in spans(row[column])]


def features():
    """The rows of the table of features are the features that there are."""
    known = {name for name in tomllib.loads(read("core/Cargo.toml"))["features"] if name != "default"}
    for document in ("core/README.md", "core/README.zh-CN.md"):
        shown = set(first_names(document, "features"))
        for what, lot in (("has no row for", known - shown), ("has a row for what is not there:", shown - known)):
            if lot:
                yield f"{document}: the table of features {what} {', '.join(sorted(lot))}"


def error_rows(document, kinds):
    """The rows of a table of errors: meaning and advice are the core's, in Chinese those of the core's Chinese guide."""
    words = {kind.name: (kind.meaning, f"{kind.step[0].upper()}{kind.step[1:]}.") for kind in kinds}
    if document != original(document):
        words = {name: (row[3], row[4]) for row in tables("core/README.zh-CN.md")["errors"] for name in spans(row[1])}
    classes = truths.python_classes()
    binding = document.split("/")[0]
    for kind in kinds:
        own = {"core": [f"`{kind.name}`", f"`{kind.variant}`"], "bindings-python": [f"`{kind.name}`", f"`{classes[kind.name]}`"],
               "bindings-wasm": [f"`{kind.name}`"], "bindings-c": [f"`{kind.constant}`"]}[binding]
        yield [str(kind.number), *own, *(word.replace("|", "\\|") for word in words[kind.name])]


def errors(write):
    kinds = truths.kinds()
    if set(truths.python_classes()) != {kind.name for kind in kinds}:
        yield "bindings-python: KINDS are not the kinds of the core"
    if missing := {kind.name for kind in kinds} - set(truths.typescript_codes()):
        yield f"bindings-wasm: ErrorCode has no {', '.join(missing)}"
    constants = truths.c_statuses()
    yield from (f"bindings-c: {kind.constant} is not {kind.number}" for kind in kinds if constants.get(kind.constant) != str(kind.number))
    in_chinese = set(first_names("core/README.zh-CN.md", "errors", 1))
    missing = [kind.name for kind in kinds if kind.name not in in_chinese or kind.name not in truths.python_classes()]
    yield from (f"core/README.zh-CN.md: the table of errors needs a row for {name}" for name in missing if name not in in_chinese)
    for binding in ("core", "bindings-python", "bindings-wasm", "bindings-c") if not missing else ():
        for document in (f"{binding}/README.md", f"{binding}/README.zh-CN.md"):
            rows = [f"| {' | '.join(row)} |" for row in error_rows(document, kinds)]
            text = read(document)
            head, table = re.search(r"(<!-- table: errors -->\n\|.*\n\|.*\n)((?:\|.*\n)*)", text).groups()
            if table.splitlines() != rows:
                if write:
                    (ROOT / document).write_text(text.replace(head + table, head + "\n".join(rows) + "\n"), encoding="utf-8")
                else:
                    yield f"{document}: its table of errors is not that of the sources: run tests/docs/run.py --write"


def peers():
    """The versions in the comparison are those that the script installs and measures."""
    measured = ast.parse(read("tests/bench/peers_faults.py"))
    lists = {node.targets[0].id: ast.literal_eval(node.value) for node in measured.body
             if isinstance(node, ast.Assign) and node.targets[0].id in ("PACKAGES", "NODE_PACKAGES")}
    assert len(lists) == 2 and all(lists.values()), "tests/bench/peers_faults.py does not say what it installs"
    for name, version in [pair for packages in lists.values() for pair in packages.items()]:
        for document in ("README.md", "README.zh-CN.md"):
            if not re.search(rf"(?<![\w.-]){re.escape(f'{name} {version}')}(?![\w-]|\.\d)", read(document)):
                yield f"{document}: it does not say {name} {version}"


def crate():
    """What would be published of the core: its guide is in it, its texts are there, and docs.rs builds what there is on a server."""
    listed = subprocess.run(["cargo", "package", "--list", "--allow-dirty", "-p", "junfeiai"], cwd=ROOT, check=True, stdout=subprocess.PIPE,
                            text=True).stdout.split()
    manifest = tomllib.loads(read("core/Cargo.toml"))
    yield from (f"{name} is not in the package" for name in ("README.md", "Cargo.toml", "src/lib.rs") if name not in listed)
    if manifest["package"]["readme"] != "README.md" or not manifest["package"]["description"]:
        yield "the readme or the description is missing"
    told = manifest["package"]["metadata"]["docs"]["rs"]["features"]
    yield from (f"docs.rs is told of {name}, which is no feature" for name in told if name not in manifest["features"])


def beginnings():
    """A guide begins with what is needed and how it is installed, then comes a program; each way to make packages is one that there is."""
    parts = subprocess.run([sys.executable, "tests/packages/dist.py", "--parts"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    for document in (f"{binding}/README{end}.md" for binding in ("core", "bindings-python", "bindings-wasm", "bindings-c") for end in ("", ".zh-CN")):
        first = blocks_of(document)[0]
        if first.language not in ("sh", "toml"):
            yield f"{document}:{first.line}: the first block is {first.language}: it must be what installs the library"
        asked = re.findall(r'`make dist PARTS="([^"]+)"`', prose(document))
        if not asked:
            yield f"{document}: it does not say how the packages of other systems are made"
        yield from (f"{document}: make dist has no part {word}" for words in asked for word in words.split()
                    if not any(part == word or part.startswith(f"{word}-") for part in parts))
        if missing := {part.rsplit("-", 1)[0] for part in parts if part.startswith(MADE[document.split("/")[0]])} - set(" ".join(asked).split()):
            yield f"{document}: it does not name {', '.join(sorted(missing))}"


def main(write):
    report("the tables of errors are those of the sources", errors(write))
    report("the table of features is that of the manifest", features())
    report("every binding has what the core has", bindings.problems())
    report("every guide begins with how it is installed, and names the packages that there are", beginnings())
    report("every block has somebody who tests it", untested())
    report("both languages have the same headings, blocks, tables and links", translations())
    report("every link leads somewhere", dead_links())
    report("paths and names in the documents for contributors are there", names_that_are_nothing())
    report("dependencies are named as they are", manifests())
    report("the package of the core is complete", crate())
    report("the comparison names the versions that are measured", peers())
    report("scripts say their usage, and refuse what they do not know", usage.problems())
    for name, problems in shell.checks():
        report(name, problems)
    print(f"docs: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="writes the tables of errors anew first")
    main(parser.parse_args().write)
