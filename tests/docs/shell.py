"""Commands in the documents: those of ours are run against the emulator, the rest must name what there is."""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import native
from blocks import ROOT, blocks_of, collect, prose, read, spans

VENV = ROOT / "target" / "venv"
EMULATOR = ROOT / "target" / "debug" / "junfeiai-emulator"
NPM_COMMAND = ROOT / "target" / "npm" / "package" / "dist" / "cli.js"
# Options of others that the guides name.
OTHERS = {"--no-install", "--allow-net", "--allow-read", "--allow-write", "--allow-env", "--path"}
KEY = "sk-test"


def checks():
    """Name and problems of each block, in the order of the documents."""
    subprocess.run(["cargo", "build", "--locked", "--quiet", "-p", "junfeiai-emulator"], cwd=ROOT, check=True)
    good, output = native.build()
    yield "the command can be built", [] if good else [output]
    built = subprocess.run(["node", "bindings-wasm/scripts/build.mjs"], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    yield "the command of the npm package can be built", [] if built.returncode == 0 else [built.stdout]
    yield "options of our commands are those of their help", list(options())
    for block in collect("sh"):
        yield f"{block.file}:{block.line}: its commands", list(shell_block(block))
    for block in collect("console"):
        yield f"{block.file}:{block.line}: the session", list(session(block))
    ours = {(block.file, block.line) for block in collect("sh") if "junfeiai batch" in block.text}
    for block in collect("jsonl"):
        used = any(file == block.file for file, _ in ours) or block.more == "journal"
        yield f"{block.file}:{block.line}: somebody reads it", [] if used else ["no command in this document reads it"]


def options():
    """The guide of a command names no option that there is not; that of the emulator names every one."""

    def known(*command):
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return set(re.findall(r"--[a-z][a-z0-9-]+", said))

    def named_in(document):
        return {option for span in spans(prose(document)) for option in re.findall(r"--[a-z][a-z0-9-]+", span)}

    for document, ours in (("bindings-python/README.md", [VENV / "bin" / "junfeiai"]), ("bindings-wasm/README.md", ["node", NPM_COMMAND])):
        words = re.search(r"COMMAND\n((?:    .*\n)+)", subprocess.run([*ours, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout)[1]
        of_ours = known(*ours, "--help").union(*(known(*ours, word, "--help") for word in re.findall(r"^    (\w+)", words, re.M)))
        for option in sorted(named_in(document) - of_ours - OTHERS):
            yield f"{document}: junfeiai has no {option}"
    of_emulator = known(EMULATOR, "--help") - {"--help", "--version"}
    for option in sorted(of_emulator ^ (named_in("tests/emulator/README.md") - OTHERS)):
        yield f"tests/emulator/README.md: {option} is named in one of the guide and --help alone"


def commands(text):
    """The single commands of a block, comments taken off."""
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        for command in re.split(r"\s*(?:;|&&)\s*", line):
            if command:
                yield command


def shell_block(block):
    ours = []
    for command in commands(block.text):
        words = shlex.split(re.sub(r"\$\([^)]*\)", "", command))
        if words[0] == "junfeiai" or words[:3] == ["npx", "--no-install", "junfeiai"]:
            ours.append(re.sub(r"^npx --no-install junfeiai\b", lambda _: shlex.join(["node", str(NPM_COMMAND)]), command))
        else:
            yield from (f"{command}: {problem}" for problem in named(words))
    if ours:
        yield from run_ours(block, ours)


def named(words):
    """What is wrong with a command that is not run."""
    first, rest = words[0], words[1:]
    plain = [word for word in rest if not word.startswith("-")]
    makefile = read("Makefile")
    if first == "make":
        for word in plain:
            variable = word.partition("=")[0] if "=" in word else None
            if variable and f"$({variable})" not in makefile and variable not in script_variables():
                yield f"the Makefile knows no {variable}"
            if not variable and not re.search(rf"^{re.escape(word)}:", makefile, re.M):
                yield f"the Makefile has no target {word}"
    elif first in ("cargo", "rustup"):
        packages = [word for flag, word in zip(rest, rest[1:]) if flag == "-p"]
        folders = [word for flag, word in zip(rest, rest[1:]) if flag == "--path"]
        known = {tomllib.loads(path.read_text())["package"]["name"] for path in ROOT.glob("*/Cargo.toml")}
        known |= {tomllib.loads(path.read_text())["package"]["name"] for path in ROOT.glob("*/*/Cargo.toml")}
        yield from (f"there is no package {name}" for name in packages if name not in known)
        yield from (f"there is no {folder}/Cargo.toml" for folder in folders if not (ROOT / folder / "Cargo.toml").exists())
        if plain[0] not in ("build", "run", "test", "install", "doc", "clippy", "fmt", "package"):
            yield f"cargo {plain[0]} is not looked at here"
    elif first == "pip":
        extras = tomllib.loads(read("bindings-python/pyproject.toml"))["project"]["optional-dependencies"]
        wanted = [word for word in plain if word != "install"]
        for word in wanted:
            match = re.fullmatch(r"(junfeiai|.*/[\w-]+)(?:\[(\w+)\])?", word)
            there = match and (match[1] == "junfeiai" or (ROOT / match[1] / "pyproject.toml").exists())
            if not (there and match[2] in {None, *extras}):
                yield f"{word} is not ours"
    elif first == "npm":
        if plain[0] != "install" or not all(re.fullmatch(r"junfeiai|(\./)?target/(npm/junfeiai|testkit/junfeiai-emulator)-[\w.*]+\.tgz", word) for word in plain[1:]):
            yield "that is not our package"
    elif first in ("cc", "c++"):
        # The C suite runs these.
        if not re.search(r"^ +readme\.check\(", read("bindings-c/tests/run.py"), re.M):
            yield "the C suite does not run it"
    elif first in ("conan", "vcpkg"):
        # make test-all runs the recipe and the port.
        folders = [word.partition("=")[2] or word for word in rest if "/" in word]
        recipe = "**/conanfile.py" if first == "conan" else "**/portfile.cmake"
        yield from (f"{folder} has none" for folder in folders if not any((ROOT / folder).glob(recipe)))
        if not folders or not re.search(r"^ +packaging\(", read("bindings-c/tests/run.py"), re.M):
            yield "nobody tests this command"
    elif first == "export":
        if not re.match(r"(JUNFEIAI_\w+|PKG_CONFIG_PATH)=", plain[0]):
            yield "that variable is not ours"
    elif first in ("python3", "bash", "node"):
        if not (ROOT / plain[0]).exists():
            yield f"there is no {plain[0]}"
    elif not (ROOT / first).is_file():
        yield "nobody tests this command"


def script_variables():
    return {"SUITES", "PORT", *re.findall(r"\$\{?([A-Z]+)", read("tests/demo.sh"))}


class Emulator:
    def __init__(self):
        command = [EMULATOR, "--port", "0", "--api-key", KEY, "--time-scale", "600", "--quiet", "--exit-with-stdin"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.origin = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()

    def finished_task(self):
        order = urllib.request.Request(f"{self.origin}/__emulator/tasks", b'{"state": "finished"}', {"Content-Type": "application/json"})
        with urllib.request.urlopen(order, timeout=10) as answer:
            return json.load(answer)["id"]


def run_ours(block, lines):
    """The commands in a folder of their own, one after the other; the document's list is there as list.jsonl."""
    with Emulator() as emulator, tempfile.TemporaryDirectory(prefix="junfeiai-docs-") as folder:
        for other in blocks_of(block.file):
            if other.language == "jsonl":
                Path(folder, "list.jsonl").write_text(other.text, encoding="utf-8")
        env = dict(os.environ, JUNFEIAI_API_KEY=KEY, JUNFEIAI_BASE_URL=f"{emulator.origin}/v1", XDG_STATE_HOME=folder,
                   PATH=f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}")
        env.pop("JUNFEIAI_LOG", None)
        for line in lines:
            line = line.replace("TASK_ID", emulator.finished_task())
            Path(folder, "ball.mp4").unlink(missing_ok=True)
            done = subprocess.run(["bash", "-c", line], cwd=folder, env=env, text=True, timeout=300, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode:
                yield f"{line} ended with {done.returncode}: {done.stdout.strip()}"


def session(block):
    """A program that is started, and the first line that it says: numbers may differ."""
    first, *said = block.text.splitlines()
    words = shlex.split(first.removeprefix("$ "))
    if words[0] != "junfeiai-emulator":
        yield f"nobody starts {words[0]}"
        return
    process = subprocess.Popen([EMULATOR, *words[1:], "--exit-with-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    shown = process.stdout.readline().rstrip("\n")
    process.communicate()
    if re.sub(r"\d+", "N", shown) != re.sub(r"\d+", "N", said[0]):
        yield f"it says {shown}"
