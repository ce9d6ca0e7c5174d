"""The C, C++, CMake and compiler blocks of the documents: built against the installed library and run against the emulator."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "docs"))
import blocks  # noqa: E402
import shell  # noqa: E402

# An error that is given back was one: the program says so at its end.
HEADS = {
    "c": "#include <junfeiai.h>\n#include <stdio.h>\n"
         "static int failed;\n"
         "static void noted_free(jfai_error *err) { failed |= err != NULL; jfai_error_free(err); }\n"
         "#define jfai_error_free noted_free\n"
         "int main(void) {\n",
    "cpp": "#include <iostream>\n#include <junfeiai.hpp>\n#include <thread>\nint main() try {\n",
}
TAILS = {
    "c": "return failed;\n}\n",
    "cpp": "} catch (const std::exception &e) {\n  std::cerr << e.what() << '\\n';\n  return 1;\n}\n",
}
# A block that shows what to do with an error has one.
SHOWS_AN_ERROR = "switch (status)"
# What a block owns: `jfai_task *task = NULL;` and the like.
OWNED = re.compile(r"^ *jfai_(\w+) \*(\w+) = NULL;$", re.MULTILINE)


def source(block):
    """A whole program around a block that is not one; the task of the example is one that there is."""
    text = block.text.replace("task_…", "task_life")
    if "int main" in text:
        return text
    tail = TAILS[block.language]
    if SHOWS_AN_ERROR in text:
        tail = tail.replace("failed", "!failed")
    return HEADS[block.language] + text + tail


def kept(block):
    """What a block in C makes and never frees: whoever copies it would leak that."""
    return [name for kind, name in OWNED.findall(block.text) if f"jfai_{kind}_free({name});" not in block.text]


def check(suite, emulator, prefix):
    """Builds and runs each; `suite` is the module with its helpers."""
    folder = suite.WORK / "readme"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    flags = ["-I", prefix / "include", "-L", prefix / "lib", "-ljunfeiai", f"-Wl,-rpath,{prefix / 'lib'}"]
    compilers = {"c": ["gcc", "-std=c11"], "cpp": ["g++", "-std=c++17"]}
    jobs, programs = [], []
    for block in blocks.collect("c"):
        suite.report(f"{block.file}:{block.line} frees what it makes", not kept(block), ", ".join(kept(block)))
    for block in [*blocks.collect("c"), *blocks.collect("cpp")]:
        name = f"{block.file}:{block.line}"
        path = folder / f"{re.sub(r'[^A-Za-z0-9]', '_', name)}.{block.language}"
        path.write_text(source(block), encoding="utf-8")
        jobs.append((name, [*compilers[block.language], *suite.WARNINGS, path, *flags, "-o", path.with_suffix("")]))
        programs.append((name, path))
    suite.compile_all(jobs)
    for name, path in programs:
        suite.program(emulator, f"run {name}", [path.with_suffix("")], files=[blocks.ROOT / "tests/docs/company.pem"])
    builds(suite, prefix, folder, next(path for _, path in programs if path.suffix == ".c"))


def builds(suite, prefix, folder, app):
    """What the guide says about compilers and CMake, to the letter, with one of its programs as app.c."""
    shutil.copy(app, folder / "app.c")
    env = dict(os.environ, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
    for block in blocks.collect("sh"):
        for line in shell.commands(block.text):
            if shlex.split(line)[0] in ("cc", "c++"):
                ok, output = suite.run(["bash", "-c", f"set -o pipefail; {line}"], env=env, cwd=folder)
                suite.report(f"{block.file}:{block.line}: {line[:60]}…", ok, output)
    for number, block in enumerate(blocks.collect("cmake")):
        project = folder / f"cmake-{number}"
        project.mkdir()
        shutil.copy(app, project / "app.c")
        head = "cmake_minimum_required(VERSION 3.16)\nproject(app C)\nadd_executable(app app.c)\n"
        (project / "CMakeLists.txt").write_text(head + block.text, encoding="utf-8")
        options = [f"-DCMAKE_PREFIX_PATH={prefix}"]
        if "FetchContent" in block.text:
            (project / "junfeiai").symlink_to(suite.ROOT)
            options = ["-DJUNFEIAI_CARGO_PROFILE=dev", f"-DJUNFEIAI_CARGO_TARGET_DIR={suite.TARGET}"]
        ok, output = suite.run(["cmake", "-S", project, "-B", project / "build", *options])
        if ok:
            ok, output = suite.run(["cmake", "--build", project / "build"], timeout=1200)
        suite.report(f"{block.file}:{block.line}: CMake", ok, output)
