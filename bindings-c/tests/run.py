#!/usr/bin/env python3
"""The tests of the C library: builds and installs it, then builds consumers and runs them against the emulator.

    tests/run.py            with cargo's dev profile
    tests/run.py --readme   only the blocks of the documents
    tests/run.py --release  what is shipped: size, symbols, system libraries, the caught panic

With JUNFEIAI_ALL the Conan recipe and the vcpkg port are tried as well, which compile the library once more.
"""

import argparse
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import readme

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORK = TARGET / "c-tests"
HEADER = HERE.parent / "include" / "junfeiai.h"
# The clients of PostgreSQL and Redis are 0.9 MiB of it. This keeps it from growing unseen.
LARGEST = 51 * 1024 * 1024 // 10
SANITIZED = ("api", "async", "threads", "life", "paid", "hostile", "misuse", "cpp")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# What other projects may have on top: none of it is of our headers.
STRICT = [*WARNINGS, "-Wshadow", "-Wconversion", "-Wsign-conversion", "-Wundef"]
SUPPRESSIONS = HERE.parent / "packaging" / "suppressions"
CONAN = TARGET / "venv-conan" / "bin" / "conan"

passed, failed, skipped = 0, 0, []


def report(name, ok, output="", count=None):
    global passed, failed
    good, bad = count or ((1, 0) if ok else (0, 1))
    passed, failed = passed + good, failed + (bad if ok or bad else 1)
    print(f"{'ok    ' if ok else 'FAILED'} {name}" + (f" ({good})" if count else ""), flush=True)
    if not ok:
        print(output[-6000:], flush=True)
    return ok


def run(command, env=None, cwd=ROOT, timeout=300):
    try:
        done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, text=True, errors="replace", timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired as error:
        return False, f"no end within {timeout} s\n{error.stdout}"


def must(name, command, **options):
    ok, output = run(command, **options)
    if not report(name, ok, output):
        finish()
    return output


def finish():
    for line in skipped:
        print(f"not run: {line}")
    print("not run: Windows (by the suite windows, under Wine) and macOS (no such machine here)")
    print(f"c: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


class Emulator:
    """The emulator as a program, with a fresh state for every test."""

    def __init__(self):
        command = [TARGET / "debug" / "junfeiai-emulator", "--port", "0", "--api-key", "sk-test", "--time-scale", "600", "--quiet",
                   "--exit-with-stdin"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.origin = self.process.stdout.readline().split()[-1]
        atexit.register(self.process.stdin.close)

    def ask(self, method, path, value=None):
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.origin + path, body, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def fresh(self, scenario=None):
        self.ask("POST", "/__emulator/reset")
        self.ask("PUT", "/__emulator/scenario", {"time_scale": 600, **(scenario or {})})
        self.ask("POST", "/__emulator/tasks", {"id": "task_life", "state": "finished"})

    def env(self, **more):
        return dict(os.environ, JUNFEIAI_API_KEY="sk-test", JUNFEIAI_BASE_URL=self.origin + "/v1", **more)


def program(emulator, name, command, timeout=600, scenario=None, files=(), **env):
    """A test program that ends with "N passed, M failed", or an example that just succeeds."""
    emulator.fresh(scenario)
    # The emulator's ids repeat: what another program left of a file is not resumed.
    out = WORK / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for file in files:
        shutil.copy(file, out)
    ok, output = run(command, env=emulator.env(**env), cwd=out, timeout=timeout)
    counts = re.findall(r"(\d+) passed, (\d+) failed", output)
    count = tuple(map(int, counts[-1])) if counts else None
    if ok and not name.startswith(("example ", "run ")) and not (count and count[0]):
        ok, output = False, f"{output}\nit ran no check"
    said = [line for line in output.splitlines() if line.startswith(("life:", "threads: cancelled", "JUNFEIAI_SEED="))]
    report(name, ok, output, count)
    for line in said[:1]:
        print(f"       {line}")
    return output


def sums(output):
    """What cargo's tests say of themselves."""
    counts = [tuple(map(int, pair)) for pair in re.findall(r"test result: \w+\. (\d+) passed; (\d+) failed", output)]
    return tuple(map(sum, zip(*counts))) if counts else None


def functions():
    return sorted(set(re.findall(r"\b(jfai_\w+)\(", re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S))))


def header(prefix):
    names = functions()
    used = "".join(path.read_text() for path in [*HERE.glob("*.[ch]"), *HERE.glob("*.cpp")])
    missing = [name for name in names if f"{name}(" not in used and f"{name}," not in used]
    report(f"each of the {len(names)} functions is called by a test program", not missing, " ".join(missing))
    hostile = (HERE / "hostile.c").read_text()
    # What takes a callback or a yes or no has no value that could be hostile.
    setters = [name.removeprefix("jfai_") for name in names if re.match(r"jfai_(client_options|request|wait_options|save_options)_(set|add|trust)_", name)
               and not name.endswith(("_progress", "_journal_prompts", "_retry_failed", "_max_cost_strict", "_overwrite", "_create_parents",
                                      "_sha256", "_verify"))]
    missing = [name for name in setters if not re.search(rf"[NTBS]\({name}, |(?:TIMES|INTERVALS)\({name}\)", hostile)]
    report(f"hostile.c tries each of the {len(setters)} setters", len(setters) > 20 and not missing, " ".join(missing))
    wrapper = set(re.findall(r"\bjfai_\w+", re.sub(r"//.*|/\*[\s\S]*?\*/", "", (HEADER.parent / "junfeiai.hpp").read_text())))
    # What C++ needs no wrapper for: the names of numbers, and the streams that std::function callbacks replace.
    own = {"jfai_status_name", "jfai_video_read_range_async", "jfai_client_from_env"}
    missing = [name for name in names if name not in wrapper and name not in own]
    report("the C++ wrapper uses all of them", not missing, " ".join(missing))
    symbols = subprocess.run(["nm", "-D", "--defined-only", prefix / "lib/libjunfeiai.so"], text=True, stdout=subprocess.PIPE).stdout
    own = f"JUNFEIAI_{compatible()}"
    # The version itself stands among them.
    exported = sorted(line.split()[-1].partition("@@") for line in symbols.splitlines() if line.split()[-1] != own)
    found = [name for name, _, _ in exported]
    report("the exported symbols are those of the header", found == names, str(set(found) ^ set(names)))
    report(f"each has the version {own}", {version for _, _, version in exported} == {own}, str(exported[:3]))
    plugin(prefix)
    if shutil.which("doxygen"):
        options = [f"INPUT={HEADER} {HEADER.parent / 'junfeiai.hpp'}", "QUIET=YES", "WARN_AS_ERROR=FAIL_ON_WARNINGS", "GENERATE_LATEX=NO",
                   f"OUTPUT_DIRECTORY={WORK / 'doxygen'}", "ENABLE_PREPROCESSING=YES", "MACRO_EXPANSION=YES", "EXPAND_ONLY_PREDEF=YES",
                   "PREDEFINED=JFAI_API= JFAI_NODISCARD= __cplusplus", "EXTRACT_ALL=NO", "WARN_IF_UNDOCUMENTED=YES", "GENERATE_HTML=NO",
                   "GENERATE_XML=YES"]
        (WORK / "Doxyfile").write_text("\n".join(options) + "\n")
        shutil.rmtree(WORK / "doxygen", ignore_errors=True)
        ok, output = run(["doxygen", WORK / "Doxyfile"])
        report("doxygen has nothing to say", ok, output)
        reference(names)
    else:
        skipped.append("doxygen (not installed)")


def reference(names):
    """What Doxygen has understood: each function is in a group, with all that it takes and returns."""
    groups = list((WORK / "doxygen/xml").glob("group__*.xml"))
    found, missing = set(), []
    for member in (member for path in groups for member in ElementTree.parse(path).iter("memberdef") if member.get("kind") == "function"):
        name = member.findtext("name")
        found.add(name)
        described = [item.text for item in member.iter("parametername")]
        if described != [item.text for item in member.findall("param/declname")]:
            missing.append(f"{name}: its parameters")
        if member.findtext("type") != "void" and member.find("detaileddescription//simplesect[@kind='return']") is None:
            missing.append(f"{name}: its result")
    report(f"each function is in one of {len(groups)} groups", found == set(names), str(found ^ set(names)))
    report("each parameter and result is described", not missing, "\n".join(missing))


def library_version():
    return re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.M)[1]


def compatible():
    """The part of the version that the names of the library and of its symbols have."""
    major, minor, _ = library_version().split(".")
    return f"0.{minor}" if major == "0" else major


def plugin(prefix):
    """A shared library with the static one in it: several of these must get along in one process."""
    path = WORK / "plugin.so"
    system = ["-lgcc_s", "-lrt", "-lpthread", "-lm", "-ldl"]
    must("build plugin.c", ["cc", "-shared", "-fPIC", "-I", prefix / "include", HERE / "plugin.c", "-L", prefix / "lib", "-l:libjunfeiai.a", *system,
                            "-Wl,--gc-sections", "-o", path])
    symbols = subprocess.run(["nm", "-D", "--defined-only", path], text=True, stdout=subprocess.PIPE).stdout
    exported = [line.split()[-1] for line in symbols.splitlines()]
    report("a shared library that the static one is linked into exports none of it", exported == ["plugin_version"], "\n".join(exported[:40]))


def languages():
    """The headers in the standards that programs may be compiled with, and what a compiler says of a status that is ignored."""
    include = ["-I", HEADER.parent, "-fsyntax-only"]
    (WORK / "header.c").write_text("#include <junfeiai.h>\nint main(void) { return (int)jfai_error_status(NULL); }\n")
    (WORK / "header.cpp").write_text("#include <junfeiai.hpp>\nint main() { return static_cast<int>(jfai_error_status(nullptr)); }\n")
    # windows.h has macros of these names.
    standard = re.findall(r"^#include <.*>$", (HEADER.parent / "junfeiai.hpp").read_text(encoding="utf-8"), re.M)
    macros = ["#define min(a, b) ((a) < (b) ? (a) : (b))", "#define max(a, b) ((a) > (b) ? (a) : (b))"]
    (WORK / "macros.cpp").write_text("\n".join([*standard, *macros, (WORK / "header.cpp").read_text()]))
    jobs = []
    for compiler, standards, name, more in (
            ("gcc", ("c99", "c11", "c17", "c2x"), "header.c", ([],)), ("clang", ("c99", "c11", "c17", "c2x"), "header.c", ([],)),
            ("g++", ("c++17", "c++20", "c++23"), "header.cpp", ([],)), ("g++", ("c++20",), "header.cpp", (["-fno-exceptions", "-fno-rtti"],)),
            ("clang++", ("c++17", "c++20", "c++2b"), "header.cpp", ([],)), ("clang++", ("c++17",), "header.cpp", (["-fno-exceptions", "-fno-rtti"],)),
            ("g++", ("c++17",), "macros.cpp", ([],)),
            # The header of C in C++ before 17.
            ("g++", ("c++11", "c++14"), "header.c", (["-x", "c++"],)),
            # C++20 has another type for UTF-8, which file names of Windows meet.
            ("x86_64-w64-mingw32-gcc", ("c99", "c17"), "header.c", ([],)),
            ("x86_64-w64-mingw32-g++-posix", ("c++17", "c++20"), "header.cpp", ([],))):
        if not shutil.which(compiler):
            skipped.append(f"the headers with {compiler} (not installed)")
            continue
        for standard in standards:
            for flags in more:
                jobs.append((" ".join(["the header with", compiler, standard, *flags]), [compiler, f"-std={standard}", *STRICT, *include, *flags, WORK / name]))
    compile_all(jobs)
    for compiler, flags in (("gcc", []), ("clang", []), ("g++", ["-x", "c++", "-std=c++17"])):
        if shutil.which(compiler):
            compile_only = ["-I", HEADER.parent, "-c", "-o", os.devnull]
            ok, output = run([compiler, *flags, *WARNINGS, *compile_only, HERE / "ignored.c"])
            report(f"{compiler} warns about a status that is ignored", not ok and "jfai_client_options_set_budget" in output, output)
            ok, output = run([compiler, *flags, *WARNINGS, *compile_only, "-DJFAI_NODISCARD=", HERE / "ignored.c"])
            report(f"{compiler} does not where the program turned it off", ok, output)


def no_exceptions(emulator, prefix):
    path = WORK / "no_exceptions"
    must("build no_exceptions.cpp", ["g++", "-std=c++17", "-fno-exceptions", *WARNINGS, "-I", prefix / "include", HERE / "no_exceptions.cpp", "-o", path,
                                     "-L", prefix / "lib", "-ljunfeiai", "-lpthread", f"-Wl,-rpath,{prefix / 'lib'}"])
    program(emulator, "C++ without exceptions", [path])
    ok, output = run([path, "aborts"], env=emulator.env())
    report("what would throw says so and ends the program", not ok and "junfeiai: " in output and "task_no_such_thing" in output, output)


def subproject(emulator):
    """The library in the build of another project."""
    build = WORK / "subproject"
    shutil.rmtree(build, ignore_errors=True)
    configure = ["cmake", "-S", HERE / "subproject", "-B", build, f"-DJUNFEIAI_SOURCE={ROOT}", "-DJUNFEIAI_CARGO_PROFILE=dev",
                 f"-DJUNFEIAI_CARGO_TARGET_DIR={TARGET}"]
    must("cmake with FetchContent", configure)
    must("its build calls cargo", ["cmake", "--build", build], timeout=1200)
    for name in ("shared", "static"):
        program(emulator, f"run {name} of FetchContent", [build / name, f"{name}.mp4"])
    # cargo does not guess what CMake's compiler builds for.
    cross = ["cmake", "-S", HERE.parent, "-B", WORK / "cross", "-DCMAKE_SYSTEM_NAME=Linux"]
    shutil.rmtree(WORK / "cross", ignore_errors=True)
    ok, output = run(cross)
    report("cross-compiling without Rust's name of the target is refused", not ok and "Set JUNFEIAI_RUST_TARGET" in output, output)
    ok, output = run([*cross, "-DJUNFEIAI_RUST_TARGET=aarch64-unknown-linux-gnu"])
    report("and configured with it", ok, output)
    refused_builds()
    before = (build / "shared").stat().st_mtime_ns
    ok, output = run(["cmake", "--build", build], timeout=1200)
    report("a second build links nothing anew", ok and (build / "shared").stat().st_mtime_ns == before, output)
    installed = (build / "_deps/junfeiai-build/prefix/lib/cmake/junfeiai/junfeiaiConfig.cmake").read_text()
    asked = re.search(r'INTERFACE_LINK_LIBRARIES "(.*)"', installed)[1].replace("-l", "")
    written = re.findall(r"^  set\(_system (.*)\)$", (HERE.parent / "CMakeLists.txt").read_text(), re.M)[-1]
    report("its list of system libraries is that of rustc", asked.split(";") == written.split(), f"{asked}\n{written}")


def refused_builds():
    """What cannot be built for, or built with, is said when a project is configured."""
    place = WORK / "refused"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    old, broken, msvc, musl = place / "cargo-old", place / "cargo-broken", place / "cargo-msvc", place / "cargo-musl"
    rustup, alpine = place / "rustc-rustup", place / "rustc-alpine"
    musl.write_text("#!/bin/sh\necho 'cargo 9.1.0'\necho 'host: x86_64-unknown-linux-musl'\n")
    rustup.write_text("#!/bin/sh\necho 'target_feature=\"crt-static\"'\n")
    alpine.write_text("#!/bin/sh\necho 'target_env=\"musl\"'\n")
    msvc.write_text("#!/bin/sh\necho 'cargo 9.1.0'\necho 'host: x86_64-pc-windows-msvc'\n")
    old.write_text("#!/bin/sh\necho 'cargo 1.63.0 (fd9c4297c 2022-07-01)'\n")
    broken.write_text("#!/bin/sh\necho 'no default toolchain' >&2\nexit 1\n")
    for path in (old, broken, msvc, musl, rustup, alpine):
        path.chmod(0o755)
    oldest = re.search(r'^rust-version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    # Neither where PATH leads nor where the system has its programs.
    nowhere = ("-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF", "-DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF", f"-DCMAKE_MAKE_PROGRAM={shutil.which('make')}")
    for name, options, says in (
        ("another system", ["-DCMAKE_SYSTEM_NAME=Emscripten"], "Linux, macOS (Darwin) and Windows, not for Emscripten"),
        ("no cargo", nowhere, f"install Rust {oldest} or newer"),
        ("an old cargo", [f"-DJUNFEIAI_CARGO={old}"], f"Rust {oldest} or newer is needed, and {old} is of 1.63"),
        ("mingw and a cargo for MSVC", ["-DCMAKE_SYSTEM_NAME=Windows", "-DMINGW=1", f"-DJUNFEIAI_CARGO={msvc}"],
         "set JUNFEIAI_RUST_TARGET to x86_64-pc-windows-gnu"),
        ("musl and rustup's compiler", [f"-DJUNFEIAI_CARGO={musl}", f"-DJUNFEIAI_RUSTC={rustup}"], "no shared library for x86_64-unknown-linux-musl"),
        ("a cargo that does not run", [f"-DJUNFEIAI_CARGO={broken}"], "It said: no default toolchain"),
    ):
        ok, output = run(["cmake", "-S", HERE.parent, "-B", place / name, *options], env=dict(os.environ, HOME=str(place), CARGO_HOME=str(place)))
        report(f"CMake with {name} is refused", not ok and says in re.sub(r"\s+", " ", output), output)
    for name, rustc, env in (("a compiler that makes shared libraries", alpine, {}), ("RUSTFLAGS that ask for them", rustup, {"RUSTFLAGS": "-Ctarget-feature=-crt-static"})):
        ok, output = run(["cmake", "-S", HERE.parent, "-B", place / f"with-{rustc.name}", f"-DJUNFEIAI_CARGO={musl}", f"-DJUNFEIAI_RUSTC={rustc}"], env=dict(os.environ, **env))
        report(f"CMake with musl and {name} is configured", ok, output)


def packaging(emulator):
    """The Conan recipe, and the vcpkg port with stand-ins for vcpkg's functions."""
    if not os.environ.get("JUNFEIAI_ALL"):
        skipped.append("Conan and vcpkg (make test-all)")
        return
    env = dict(os.environ, CONAN_HOME=str(WORK / "conan"), CARGO_TARGET_DIR=str(TARGET))
    shutil.rmtree(WORK / "conan", ignore_errors=True)
    must("conan detects the machine", [CONAN, "profile", "detect"], env=env)
    output = must("conan create", [CONAN, "create", HERE.parent / "packaging/conan", "-o", "junfeiai/*:cargo_profile=dev"], env=env, timeout=2400)
    ok, said = run([CONAN, "create", HERE.parent / "packaging/conan", "-s:h", "os=FreeBSD", "-o", "junfeiai/*:rust_target=x86_64-unknown-freebsd"], env=env)
    report("Conan for another system is refused", not ok and "for Linux, macOS and Windows, not for FreeBSD" in said, said)
    report("a program finds the package, shared and static", output.count(f"junfeiai {library_version()}: fits its header") == 2, output)
    prefix = WORK / "vcpkg"
    shutil.rmtree(prefix, ignore_errors=True)
    must("the portfile of vcpkg", ["cmake", f"-DPREFIX={prefix}", "-DPROFILE=dev", "-P", HERE / "vcpkg.cmake"], env=dict(os.environ, CARGO_TARGET_DIR=str(TARGET)),
         timeout=2400)
    report("the port has the version of the library", json.loads((HERE.parent / "packaging/vcpkg/junfeiai/vcpkg.json").read_text())["version"] == library_version())
    build = WORK / "vcpkg-program"
    shutil.rmtree(build, ignore_errors=True)
    # As vcpkg's toolchain does.
    must("cmake with the port", ["cmake", "-S", HERE.parent / "packaging/conan/test_package", "-B", build, f"-Djunfeiai_DIR={prefix / 'share/junfeiai'}"])
    must("build with the port", ["cmake", "--build", build])
    for name in ("shared", "static"):
        ok, output = run([build / name])
        report(f"{name} of the port runs", ok and "fits its header" in output, output)
    report("nothing of the port is where vcpkg wants nothing", not (prefix / "lib/cmake").exists() and (prefix / "share/junfeiai/copyright").exists())


def compile_all(jobs):
    """Runs (name, command) pairs two at a time; gives the names that failed."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda job: (job[0], *run(job[1], timeout=1200)), jobs))
    for name, ok, output in done:
        report(f"build {name}", ok, output)


def consumers(emulator, prefix):
    misuse = subprocess.run([sys.executable, HERE / "misuse.py", HEADER], text=True, check=True, stdout=subprocess.PIPE).stdout
    (WORK / "misuse.c").write_text(misuse)
    out = WORK / "out"
    for cc, cxx in (("gcc", "g++"), ("clang", "clang++")):
        if not shutil.which(cc):
            skipped.append(f"{cc} (not installed)")
            continue
        build = WORK / f"cmake-{cc}"
        build.mkdir(exist_ok=True)
        shutil.copy(WORK / "misuse.c", build / "misuse.c")
        must(f"cmake with {cc}", ["cmake", "-S", HERE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={cc}",
                                  f"-DCMAKE_CXX_COMPILER={cxx}", "-DCMAKE_BUILD_TYPE=Debug"])
        must(f"build with cmake and {cc}: C11, C++17, {' '.join(WARNINGS)}", ["cmake", "--build", build, "-j", "2"], timeout=1200)
        names = ["api", "api_static", "cpp", "cpp_static"] + (["async", "threads", "life", "paid", "hostile", "misuse"] if cc == "gcc" else [])
        for name in names:
            output = program(emulator, f"{name} ({cc})", [build / name, out])
            if name == "cpp":
                report("what a completion function throws is a line on standard error", "junfeiai: the completion function threw mine" in output, output)
        program(emulator, f"exit ({cc}): a static client ends after main()", [build / "exit_cpp"], MALLOC_PERTURB_="165")
    env = dict(os.environ, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
    flags = {static: subprocess.run(["pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "junfeiai"], env=env,
                                    text=True, check=True, stdout=subprocess.PIPE).stdout.split() for static in (False, True)}
    report("pkg-config knows the version", run(["pkg-config", f"--exact-version={library_version()}", "junfeiai"], env=env)[0])
    jobs, programs = [], []
    for compiler, source, standard in (("gcc", "api.c", "-std=gnu11"), ("clang", "api.c", "-std=gnu11"), ("g++", "cpp.cpp", "-std=c++17"),
                                       ("clang++", "cpp.cpp", "-std=c++17")):
        for static in (False, True) if shutil.which(compiler) else ():
            name = f"pkg-config-{compiler}-{'static' if static else 'shared'}"
            libraries = ["-l:libjunfeiai.a" if flag == "-ljunfeiai" else flag for flag in flags[static]] if static else flags[static]
            rest = [] if static else [f"-Wl,-rpath,{prefix / 'lib'}"]
            jobs.append((name, [compiler, standard, *WARNINGS, HERE / source, *libraries, *rest, "-lpthread", "-o", WORK / name]))
            programs.append(name)
    compile_all(jobs)
    for name in programs:
        program(emulator, name, [WORK / name, out])
    moved = WORK / "moved"
    shutil.rmtree(moved, ignore_errors=True)
    shutil.copytree(prefix, moved, symlinks=True)
    libraries = subprocess.run(["pkg-config", "--libs", "junfeiai"], env=dict(env, PKG_CONFIG_PATH=str(moved / "lib/pkgconfig")), text=True,
                               stdout=subprocess.PIPE).stdout
    report("the installed tree may be moved", str(moved) in os.path.normpath(libraries.split("-L")[-1].split()[0]), libraries)
    shutil.rmtree(moved)


def resets(emulator):
    """Programs with the default disposition of SIGPIPE, and a server that resets every connection."""
    folder = WORK / "resets"
    folder.mkdir(exist_ok=True)
    (folder / "resets.json").write_text(json.dumps({"rules": [{"fault": {"kind": "drop_before_accept", "rst": True}}]}))
    command = [TARGET / "debug" / "junfeiai-emulator", "--tls-ca", folder / "ca.pem", "--scenario", folder / "resets.json", "--quiet", "--exit-with-stdin"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    origin = server.stdout.readline().split()[-1]
    for name in ("sigpipe", "sigpipe_cpp"):
        program(emulator, f"{name}: a reset connection does not end the process", [WORK / "cmake-gcc" / name, f"{origin}/v1", folder / "ca.pem", "20"])
    server.communicate()


def refused_words(emulator, name, path):
    """Words that are no file pay for nothing."""
    emulator.fresh(None)
    for words in (["--help"], ["a.mp4", "b.mp4"]):
        ok, output = run([path, *words], env=emulator.env(), cwd=WORK / "out")
        report(f"example {name} {' '.join(words)} says its usage", not ok and output.startswith("usage: "), output)
    report(f"example {name} paid for none of that", emulator.ask("GET", "/__emulator/stats")["created_tasks"] == 0)


def examples(emulator):
    build, out = WORK / "cmake-gcc", WORK / "out"
    for language in ("c", "cpp"):
        for name in ("quickstart", "progress"):
            program(emulator, f"example {language}_{name}", [build / f"{language}_{name}", f"{language}_{name}.mp4"])
            refused_words(emulator, f"{language}_{name}", build / f"{language}_{name}")
        program(emulator, f"example {language}_resume", [build / f"{language}_resume", "task_life", f"{language}_resume.mp4"])
        report(f"example {language}_resume wrote its file", (out / f"{language}_resume.mp4").exists())
        program(emulator, f"example {language}_async_loop", [build / f"{language}_async_loop"])
        report(f"example {language}_async_loop saved three", len(list(out.glob("task_*.mp4"))) == 3)
    boxes = program(emulator, "example cpp_stream_reader", [build / "cpp_stream_reader", "task_life"])
    report("it lists the boxes", "ftyp" in boxes and "moov" in boxes, boxes)
    if (build / "c_ffmpeg_reader").exists():
        said = program(emulator, "example c_ffmpeg_reader", [build / "c_ffmpeg_reader", "task_life"])
        report("FFmpeg reads and seeks", "1280x720" in said and "frames from the middle" in said, said)
    else:
        skipped.append("the FFmpeg example (libavformat-dev is not installed)")


def sanitizers(emulator, prefix):
    static = ["-I", prefix / "include", "-l:libjunfeiai.a", "-L", prefix / "lib", "-lgcc_s", "-lrt", "-lpthread", "-lm", "-ldl"]
    shared = ["-I", prefix / "include", "-L", prefix / "lib", "-ljunfeiai", "-lpthread", f"-Wl,-rpath,{prefix / 'lib'}"]
    if shutil.which("clang"):
        flags = ["-g", "-O1", "-fno-omit-frame-pointer"]
        both = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
        jobs = []
        for name in SANITIZED:
            source = WORK / "misuse.c" if name == "misuse" else HERE / (f"{name}.cpp" if name == "cpp" else f"{name}.c")
            compiler = ["clang++", "-std=c++17"] if name == "cpp" else ["clang", "-std=gnu11"]
            jobs.append((f"asan-{name}", [*compiler, *flags, *both, "-I", HERE, source, "-o", WORK / f"asan-{name}", *static]))
        jobs.append(("asan-quickstart", ["clang", "-std=gnu11", *flags, *both, HERE.parent / "examples/quickstart.c", "-o", WORK / "asan-quickstart", *static]))
        for name in ("threads", "async", "paid"):
            jobs.append((f"tsan-{name}", ["clang", "-std=gnu11", *flags, "-fsanitize=thread", HERE / f"{name}.c", "-o", WORK / f"tsan-{name}",
                                          *shared]))
        compile_all(jobs)
        # Examples are copied: what they do with their errors is copied, too.
        ok, output = run([WORK / "asan-quickstart", "q.mp4"], cwd=WORK / "out", env={**emulator.env(ASAN_OPTIONS="detect_leaks=1"), "JUNFEIAI_API_KEY": "sk-wrong"})
        report("the first example frees its error", not ok and "error: " in output and "Sanitizer" not in output, output)
        for name in SANITIZED:
            # The leak check at the end is part of it: the library's threads are gone by then.
            program(emulator, f"address and undefined behaviour: {name}", [WORK / f"asan-{name}", WORK / "out", "500"], SANITIZED="1",
                    ASAN_OPTIONS="detect_leaks=1:halt_on_error=1", UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
        for name in ("threads", "async", "paid"):
            program(emulator, f"threads (C side): {name}", [WORK / f"tsan-{name}", WORK / "out"],
                    TSAN_OPTIONS=f"suppressions={SUPPRESSIONS / 'tsan.supp'}:halt_on_error=1:exitcode=66")
    else:
        skipped.append("the sanitizers (clang is not installed)")
    if shutil.which("valgrind"):
        check = ["valgrind", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
                 "--errors-for-leak-kinds=definite,indirect,possible", "-q", f"--suppressions={HERE / 'valgrind.supp'}"]
        for name in ("api", "async", "paid"):
            program(emulator, f"valgrind: {name}", [*check, WORK / "cmake-gcc" / name, WORK / "out"], timeout=600, SANITIZED="1")
    else:
        skipped.append("valgrind (not installed)")


def release(emulator):
    prefix = WORK / "release"
    shutil.rmtree(prefix, ignore_errors=True)
    said = must("install-c of the release build", [*XTASK, "install-c", "--prefix", "/usr", "--destdir", prefix], timeout=1200)
    prefix /= "usr"
    print("       " + said.strip().splitlines()[-1])
    library = (prefix / "lib/libjunfeiai.so").resolve()
    size = library.stat().st_size
    report(f"the shared library has {size} bytes = {size / 1048576:.2f} MiB, at most 5.1", size <= LARGEST)
    header(prefix)
    dynamic = subprocess.run(["readelf", "-d", library], text=True, stdout=subprocess.PIPE).stdout
    report("its soname has the version", f"[libjunfeiai.so.{compatible()}]" in dynamic, dynamic)
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    report(f"it needs {' '.join(needed)}", all(name.startswith(("libc.", "libm.", "libgcc_s.", "ld-linux")) for name in needed))
    archive = subprocess.run(["nm", "--defined-only", prefix / "lib/libjunfeiai.a"], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    report("no library has the function that panics for the tests", "jfai_create" in archive and "jfai_test" not in archive)
    # The same profile once more, with that function.
    must("build the library that panics", [*CARGO, "rustc", "--locked", "-p", "junfeiai-c", "--lib", "--crate-type", "staticlib", "--profile", "release-c",
                                           "--features", "test-panic"], timeout=1200)
    must("build panic.c", ["cc", *WARNINGS, HERE / "panic.c", "-o", WORK / "panic", "-I", prefix / "include", TARGET / "release-c/libjunfeiai_c.a",
                           "-lgcc_s", "-lrt", "-lpthread", "-lm", "-ldl"])
    program(emulator, "a panic of the release build is caught", [WORK / "panic"])
    must("build api.c", ["cc", *WARNINGS, HERE / "api.c", "-o", WORK / "api-release", "-I", prefix / "include", "-L", prefix / "lib",
                         "-ljunfeiai", f"-Wl,-rpath,{prefix / 'lib'}"])
    program(emulator, "api with the release build", [WORK / "api-release", WORK / "out"])
    if shutil.which("valgrind"):
        check = ["valgrind", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible", "-q",
                 f"--suppressions={prefix / 'share/junfeiai/valgrind.supp'}"]
        program(emulator, "valgrind with the suppressions that are installed", [*check, WORK / "api-release", WORK / "out"], timeout=600, SANITIZED="1")
    else:
        skipped.append("valgrind (not installed)")


CARGO = ["cargo", "--quiet"]
XTASK = [*CARGO, "run", "--locked", "-p", "xtask", "--"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", action="store_true", help="only the blocks of the documents")
    parser.add_argument("--release", action="store_true", help="what is shipped")
    options = parser.parse_args()
    begun = time.monotonic()
    WORK.mkdir(parents=True, exist_ok=True)
    must("build the emulator", [*CARGO, "build", "--locked", "-p", "junfeiai-emulator"], timeout=1200)
    must("the header is what the sources say", [*XTASK, "header", "--check"], timeout=1200)
    if not (options.release or options.readme):
        ok, output = run([*CARGO, "test", "--locked", "-p", "junfeiai-c", "--lib"], timeout=1200)
        report("the tests inside the library: panics on purpose, pauses", ok, output, sums(output))
    emulator = Emulator()
    if options.release:
        release(emulator)
    else:
        prefix = WORK / "prefix"
        shutil.rmtree(prefix, ignore_errors=True)
        must("install-c", [*XTASK, "install-c", "--profile", "dev", "--prefix", prefix], timeout=1200)
        # Or all suites compile the same crates in turn, and each takes the emulator from under the others.
        again = must("cargo after it", [*CARGO, "build", "--locked", "-p", "junfeiai-emulator", "--message-format", "json"], timeout=1200)
        units = [json.loads(line) for line in again.splitlines() if line.startswith('{"reason":"compiler-artifact"')]
        stale = sorted(unit["package_id"] for unit in units if not unit["fresh"])
        report("cargo after it compiles nothing anew", units and not stale, "\n".join(stale))
        if not options.readme:
            header(prefix)
            languages()
            consumers(emulator, prefix)
            no_exceptions(emulator, prefix)
            subproject(emulator)
            packaging(emulator)
            resets(emulator)
            examples(emulator)
            sanitizers(emulator, prefix)
        readme.check(sys.modules[__name__], emulator, prefix)
    print(f"{time.monotonic() - begun:.0f} s")
    finish()


if __name__ == "__main__":
    main()
