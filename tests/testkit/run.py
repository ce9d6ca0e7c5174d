#!/usr/bin/env python3
"""The test kit as strangers use it: their projects, with the packages as they are shipped, in environments of their own.

    run.py                                    builds the packages first
    run.py --wheel PATH --npm PATH            takes this wheel and this tarball of the library

Tests for vitest and jest need those tools: `make test-all` installs them into target/testkit/tools.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
OUT = ROOT / "target" / "testkit"
VENV = ROOT / "target" / "venv"
WASM = ROOT / "bindings-wasm"
TOOLS = OUT / "tools"
CARGO_TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = CARGO_TARGET / "debug" / ("junfeiai-emulator.exe" if sys.platform == "win32" else "junfeiai-emulator")
ENV = {name: value for name, value in os.environ.items() if not name.startswith(("JUNFEIAI_", "PYTEST_", "NODE_", "PYTHONPATH"))}
ENV.update(NO_COLOR="1", CI="1", PYTHONDONTWRITEBYTECODE="1")
# Bounds a hang.
SECONDS = 900

passed = failed = 0


def report(name: str, problems: Iterator[str]) -> None:
    global passed, failed
    found = list(problems)
    passed, failed = passed + (not found), failed + bool(found)
    print(f"{'FAILED' if found else 'ok    '} {name}", flush=True)
    for problem in found:
        print("\n".join(f"       {line}" for line in problem.splitlines()), flush=True)


def run(*command: object, cwd: Path = ROOT, env: dict[str, str] | None = None) -> tuple[bool, str]:
    """Whether a command succeeded, and what it said."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=env or ENV, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0, done.stdout


def must(*command: object, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    ok, said = run(*command, cwd=cwd, env=env)
    if not ok:
        sys.exit(f"{' '.join(map(str, command))}:\n{said}")
    return said


def python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def wheels(library: str | None) -> Path:
    """The two wheels: the program that the other suites have built, without a new compilation."""
    folder = OUT / "wheels"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    maturin = python(VENV).with_name("maturin")
    builds = ["tests/emulator/Cargo.toml", *([] if library else ["bindings-python/Cargo.toml"])]
    for manifest in builds:
        must(maturin, "build", "--quiet", "--locked", "--profile", "dev", "-m", manifest, "--out", folder)
    if library:
        shutil.copy(library, folder)
    return folder


def environment(folder: Path) -> Path:
    """A new environment with the emulator and the extra `testing`. What is not ours comes from the developers' environment, without a registry."""
    venv = OUT / "venv"
    shutil.rmtree(venv, ignore_errors=True)
    must(sys.executable, "-m", "venv", "--without-pip", venv)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs, ours = (must(python(one), "-c", where).strip() for one in (VENV, venv))
    # The folder alone: what stands in its own .pth files, such as our sources, is not read.
    Path(ours, "developers.pth").write_text(f"{theirs}\n", encoding="utf-8")
    pip = [python(VENV), "-m", "pip", "--disable-pip-version-check", "--python", python(venv), "install", "--quiet", "--no-index", "--find-links", folder]
    must(*pip, "--force-reinstall", "--no-deps", "junfeiai", "junfeiai-emulator")
    # What the extra asks for is there.
    must(*pip, "junfeiai[testing]")
    return venv


def modules(library: Path) -> Path:
    """A folder whose node_modules has the packed packages; they have no dependencies beside each other."""
    folder = OUT / "node"
    shutil.rmtree(folder, ignore_errors=True)
    place = folder / "node_modules"
    packed = OUT / "packed"
    shutil.rmtree(packed, ignore_errors=True)
    must("node", ROOT / "tests/emulator/npm/pack.mjs", "--program", PROGRAM, "--out", packed)
    for tarball in [library, *packed.glob("*.tgz")]:
        unpacked = folder / "unpacked"
        unpacked.mkdir(parents=True)
        must("tar", "xzf", tarball, "-C", unpacked, "--strip-components=1")
        target = place / json.loads((unpacked / "package.json").read_text(encoding="utf-8"))["name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        unpacked.rename(target)
    for name in ("@types", "undici-types"):
        (place / name).symlink_to(WASM / "node_modules" / name, target_is_directory=True)
    return folder


def asked_of_registries(folder: Path) -> Iterator[str]:
    """No registry has these names: whoever took one would be installed from there."""
    packages = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "node_modules").rglob("package.json") if "junfeiai" in path.as_posix()]
    ours = {package["name"] for package in packages}
    assert {"junfeiai", "junfeiai-emulator"} < ours, ours
    for package in packages:
        wanted = {name for kind in ("dependencies", "optionalDependencies", "peerDependencies") for name in package.get(kind, {})}
        yield from (f"{package['name']} asks for {name}, which is not beside it" for name in sorted(wanted - ours))


def project(folder: Path, name: str) -> Path:
    """A stranger's project beside the packages."""
    target = folder / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(HERE / name, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def tests_in(folder: Path, pattern: str, begin: str) -> int:
    return sum(len(re.findall(begin, path.read_text(encoding="utf-8"), re.M)) for path in folder.glob(pattern))


def judged(result: tuple[bool, str], count: str, least: int) -> Iterator[str]:
    """A runner's own tests passed, and were as many as stand in the sources."""
    ok, said = result
    numbers = [int(number) for number in re.findall(count, said)]
    if not ok or not numbers or numbers[-1] < least or least == 0:
        yield f"at least {least} tests were to pass:\n{said}"


def pytest_in(venv: Path, folder: Path) -> Iterator[str]:
    least = tests_in(folder, "test_*.py", r"^def test_")
    yield from judged(run(python(venv), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", ".", cwd=folder), r"(\d+) passed", least)


def types_of(venv: Path, folder: Path) -> Iterator[str]:
    ok, said = run(python(VENV), "-m", "mypy", "--strict", "--cache-dir", OUT / "mypy", "--python-executable", python(venv), ".", cwd=folder)
    if not ok:
        yield said


def node_in(folder: Path) -> Iterator[str]:
    least = tests_in(folder, "*.test.mjs", r"^test\(")
    command = ["node", "--test", "--test-timeout=240000", "--test-reporter=tap", *(path.name for path in sorted(folder.glob("*.test.mjs")))]
    yield from judged(run(*command, cwd=folder), r"# pass (\d+)", least)


def blocks(language: str) -> list[dict[str, str]]:
    """The examples of the guides that are tests."""
    found: list[dict[str, str]] = json.loads(must(sys.executable, ROOT / "tests/docs/blocks.py", language))
    mark = {"python": r"^def test_", "ts": r"^test\("}[language]
    return [block for block in found if re.search(mark, block["text"], re.M)]


def guides_pytest(venv: Path, folder: Path) -> Iterator[str]:
    target = folder / "guides"
    target.mkdir()
    for number, block in enumerate(blocks("python")):
        (target / f"test_{number}.py").write_text(f"# {block['file']}\n{block['text']}", encoding="utf-8")
    yield from pytest_in(venv, target)
    yield from types_of(venv, target)


def types_of_node(folder: Path) -> Iterator[str]:
    """The declarations in the package, for import and require."""
    shown = 'emulator.fault("html_502", { on: "create", times: 2, after_bytes: 5 }).then(async () => (await emulator.requests("query"))[0]?.bodyJson);'
    wrong = '// @ts-expect-error a fault that there is not\nemulator.fault("html_5021");'
    made = "const emulator = new Emulator({ timeScale: 60 }); useEmulator({ beforeAll: f, afterAll: f, beforeEach: f }); new Client(emulator.options({ maxAttempts: 1 }));"
    hook = "const f = (hook: () => Promise<void>): void => { void hook; };"
    text = f'import {{ Client }} from "junfeiai"; import {{ Emulator, useEmulator }} from "junfeiai-emulator";\n{hook}\n{made}\n{shown}\n{wrong}\n'
    for name in ("use.mts", "use.cts"):
        (folder / name).write_text(text, encoding="utf-8")
    options = {"strict": True, "exactOptionalPropertyTypes": True, "noEmit": True, "target": "es2022", "module": "nodenext", "skipLibCheck": False,
               "lib": ["es2023", "dom", "esnext.disposable"], "types": ["node"]}
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["use.mts", "use.cts"]}), encoding="utf-8")
    checks: dict[str, list[object]] = {
        "typescript/bin/tsc": ["-p", folder],
        "publint/src/cli.js": ["run", folder / "node_modules/junfeiai-emulator", "--strict"],
    }
    for tool, arguments in checks.items():
        ok, said = run("node", WASM / "node_modules" / tool, *arguments)
        if not ok:
            yield said


def install_tools() -> None:
    """What the lock file names, once."""
    lock = HERE / "package-lock.json"
    mark = TOOLS / "installed-lock.json"
    if mark.exists() and mark.read_bytes() == lock.read_bytes():
        return
    shutil.rmtree(TOOLS, ignore_errors=True)
    TOOLS.mkdir(parents=True)
    for path in (lock, HERE / "package.json"):
        shutil.copy(path, TOOLS)
    # `npm ci` refuses a lock file when an optional package for another system is not in the registry.
    must("npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=TOOLS)
    shutil.copy(lock, mark)


def with_tool(folder: Path, name: str, count: str, *arguments: str) -> Iterator[str]:
    """A project beside the tools, where the packages are, too."""
    target = project(TOOLS, f"{name}_project")
    for package in ("junfeiai", "junfeiai-emulator", "@junfeiai"):
        link = TOOLS / "node_modules" / package
        if link.is_symlink():
            link.unlink()
        link.symlink_to(folder / "node_modules" / package, target_is_directory=True)
    least = tests_in(target, "*.test.*", r"^test\(")
    result = run(TOOLS / "node_modules" / ".bin" / name, *arguments, cwd=target)
    yield from judged(result, count, least)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--wheel", help="the library's wheel")
    arguments.add_argument("--npm", help="the library's tarball")
    given = arguments.parse_args()
    must("cargo", "build", "--locked", "--quiet", "-p", "junfeiai-emulator", env={**ENV, "CARGO_TARGET_DIR": str(CARGO_TARGET)})
    venv = environment(wheels(given.wheel))
    tarball = Path(given.npm) if given.npm else next((ROOT / "target/npm").glob("junfeiai-*.tgz"), None)
    if tarball is None:
        sys.exit("there is no target/npm/junfeiai-*.tgz: run make npm first")
    folder = modules(tarball)
    film = project(OUT, "pytest_project")
    report("a project with pytest", pytest_in(venv, film))
    report("its types, by mypy", types_of(venv, film))
    kit = project(OUT, "kit")
    report("what the Python package promises", pytest_in(venv, kit))
    report("its types, by mypy", types_of(venv, kit))
    report("the guides' examples for pytest", guides_pytest(venv, kit))
    report("installing the npm packages asks a registry for none of ours", asked_of_registries(folder))
    report("a project with node:test", node_in(project(folder, "node_project")))
    report("what the npm package promises", node_in(project(folder, "kit")))
    report("the npm package's types and entries", types_of_node(folder))
    if os.environ.get("JUNFEIAI_ALL"):
        install_tools()
        report("a project with vitest", with_tool(folder, "vitest", r"Tests\s+(\d+) passed", "run", "--testTimeout=240000", "--hookTimeout=240000"))
        report("a project with jest", with_tool(folder, "jest", r"Tests:\s+(\d+) passed", "--rootDir=.", "--testTimeout=240000"))
    else:
        print("not run: vitest and jest (make test-all installs them)")
    print(f"testkit: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
