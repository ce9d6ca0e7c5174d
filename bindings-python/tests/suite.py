#!/usr/bin/env python3
"""The Python suites, for tests/run.py: builds the module and the emulator, then runs one of

    suite.py pytest [WORD …]   every test, with the interpreter of target/venv; the words are for pytest
    suite.py types             stubs against the module, mypy --strict on package and tests, pyright where it is installed

and for a release:

    suite.py wheel FOLDER [WORD …]   every test on the wheel of that folder, with the interpreter that runs this, in an environment of its own
"""

import argparse
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
ROOT = FOLDER.parent
VENV = ROOT / "target" / "venv"
ENV = dict(os.environ, VIRTUAL_ENV=str(VENV), PATH=f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}")
ENV.pop("JUNFEIAI_API_KEY", None)
# The guides' tests import what the emulator's wheel brings.
ENV["MYPYPATH"] = str(ROOT / "tests" / "emulator" / "python")


def run(*command: str) -> None:
    print("+", *command, flush=True)
    code = subprocess.run(command, cwd=FOLDER, env=ENV, check=False).returncode
    if code:
        sys.exit(code)


def write_examples() -> list[str]:
    """Each example of the documents as a file, for the type checkers."""
    folder = ROOT / "target" / "python-examples"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    collector = ROOT / "tests" / "docs" / "blocks.py"
    done = subprocess.run([sys.executable, collector, "python"], check=True, stdout=subprocess.PIPE, text=True)
    written = []
    for number, block in enumerate(json.loads(done.stdout)):
        path = folder / f"example_{number}.py"
        path.write_text(f"# {block['file']}:{block['line']}\n{block['text']}", encoding="utf-8")
        written.append(str(path))
    return written


def of_windows() -> tuple[list[str], dict[str, str]]:
    """The files of tests that run on Windows, and the tests of them that do not, with the reasons: those that tests/platforms/windows.py,
    which tries them under Wine, has for Windows itself."""
    platforms = ROOT / "tests" / "platforms"
    sys.path.insert(0, str(platforms))
    skips: dict[str, str] = runpy.run_path(str(platforms / "windows.py"))["OF_WINDOWS"]
    files = sorted(path.name for path in (FOLDER / "tests").glob("test_*.py"))
    for name in files:
        if why := skips.get(name):
            print(f"not run: {name}: {why}", flush=True)
    return [f"tests/{name}" for name in files if name not in skips], {name: why for name, why in skips.items() if ".py::" in name}


def wheel(folder: Path, words: list[str]) -> int:
    """Nothing of the sources is used but the tests, and of the folder nothing but its wheel. Needs the emulator."""
    venv = ROOT / "target" / f"venv-wheel-{sys.version_info.major}.{sys.version_info.minor}"
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(FOLDER / "requirements-dev.txt")], check=True)
    subprocess.run([*pip, "--no-index", "--find-links", str(folder.resolve()), "junfeiai"], check=True)
    env = {name: value for name, value in os.environ.items() if name not in ("JUNFEIAI_API_KEY", "PYTHONPATH")}
    env.update(VIRTUAL_ENV=str(venv), PATH=f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    code = "import junfeiai, sys; print(junfeiai.__file__, sys.version); sys.exit(not junfeiai.__file__.startswith(sys.prefix))"
    subprocess.run([str(python), "-c", code], cwd=FOLDER, env=env, check=True)
    if os.name == "nt" and not words:
        files, skipped = of_windows()
        env.update(PYTHONPATH=str(ROOT / "tests" / "platforms"), JUNFEIAI_SKIPS=json.dumps(skipped))
        words = ["-p", "skips", *files]
    return subprocess.run([str(python), "-m", "pytest", *words], cwd=FOLDER, env=env, check=False).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=("pytest", "types", "wheel"))
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="WORD", help="FOLDER, or words for pytest")
    options = parser.parse_args()
    if options.suite == "wheel":
        if not options.words or not Path(options.words[0]).is_dir():
            parser.error("wheel needs the folder that the wheel is in")
        sys.exit(wheel(Path(options.words[0]), options.words[1:]))
    if options.suite == "types" and options.words:
        parser.error(f"types takes no {options.words[0]}")
    build: Callable[[], tuple[bool, str]] = runpy.run_path(str(ROOT / "tests" / "native.py"))["build"]
    good, output = build()
    if not good:
        sys.exit(f"the module cannot be built:\n{output}")
    if options.suite == "types":
        run("python", "stubs.py", "--check")
        run("stubtest", "junfeiai")
        run("mypy", "--strict", "-p", "junfeiai")
        run("mypy", "--strict", "tests")
        run("mypy", "--strict", "-p", "junfeiai_emulator")
        # The others need packages without types.
        run("mypy", "--strict", "examples/cron_daily.py", "examples/fastapi_videos.py")
        examples = write_examples()
        for example in examples:
            run("mypy", "--strict", example)
        if shutil.which("pyright", path=ENV["PATH"]):
            run("pyright", "--verifytypes", "junfeiai", "--ignoreexternal")
            run("pyright", *examples)
    else:
        run("cargo", "build", "--locked", "--quiet", "-p", "junfeiai-emulator")
        run("python", "-m", "pytest", *options.words)


if __name__ == "__main__":
    main()
