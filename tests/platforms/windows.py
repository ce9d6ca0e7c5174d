#!/usr/bin/env python3
"""Builds the tests of the core for Windows, and runs under Wine those that are about files and certificates.

    tests/platforms/windows.py              those of PROGRAMS
    tests/platforms/windows.py save codecs  the programs with these names

It needs mingw, Wine and a Rust compiler with the library's source (Debian: gcc-mingw-w64-x86-64
wine64 rustc-web cargo-web rust-web-src). On Windows itself `cargo test` does the same for Rust.

Wine does not check what a file was opened for, as Windows does: there, one that was opened for appending can neither be cut nor
locked. So the standard library is built with that check (`strict_library`).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TRIPLE = "x86_64-pc-windows-gnu"
# One folder for all other platforms: the library is built once for each.
CROSS = ROOT / "target" / "cross"
STRICT = ROOT / "target" / "strict"
PLACE = ROOT / "target" / "windows"
SOURCE = Path("/usr/lib/rustlib/src/rust/library")
WINE = Path("/usr/lib/wine/wine64")
# No program takes longer than a few of its minutes on a quiet machine.
LIMIT = 900

# What a system does in its own way: files and the judgement of certificates.
PROGRAMS = {"journal", "main_job", "save", "tls"}

passed, failed, left_out = 0, 0, []


def report(name, ok, output="", count=None):
    global passed, failed
    good, bad = count or ((1, 0) if ok else (0, 1))
    passed, failed = passed + good, failed + (bad if ok or bad else 1)
    print(f"{'ok    ' if ok else 'FAILED'} {name}" + (f" ({good})" if count else ""), flush=True)
    if not ok:
        print(output[-6000:], flush=True)
    return ok


def finish():
    for line in left_out:
        print(f"not run: {line}")
    print(f"windows: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def run(command, env, cwd=ROOT, timeout=LIMIT):
    try:
        done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, text=True, errors="replace", timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired as error:
        return False, f"no end within {timeout} s\n{error.stdout}"


# The rights of a handle, as Windows asks for them: FILE_READ_DATA is 1, FILE_WRITE_DATA is 2.
NEED_RIGHT = """\
    fn need_right(&self, any_of: u32) -> io::Result<()> {
        #[link(name = "ntdll")]
        unsafe extern "system" {
            fn NtQueryInformationFile(h: c::HANDLE, io: *mut [usize; 2], info: *mut u32, len: u32, class: i32) -> i32;
        }
        let (mut status, mut access) = ([0usize; 2], 0u32);
        let result = unsafe { NtQueryInformationFile(self.handle.as_raw_handle(), &mut status, &mut access, 4, 8) };
        if result >= 0 && access & any_of == 0 { return Err(io::Error::from_raw_os_error(5)); }
        Ok(())
    }

"""
LOCK = "    fn acquire_lock(&self, flags: c::LOCK_FILE_FLAGS) -> io::Result<()> {\n"
CHECKS = {
    "    pub fn try_lock(&self) -> Result<(), TryLockError> {\n": "        self.need_right(3).map_err(TryLockError::Error)?;\n",
    "    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {\n": "        self.need_right(3).map_err(TryLockError::Error)?;\n",
    "    pub fn truncate(&self, size: u64) -> io::Result<()> {\n": "        self.need_right(2)?;\n",
    LOCK: "        self.need_right(3)?;\n",
}


def strict_library():
    """The source of Rust's library with the checks; gives its folder."""
    place = STRICT / "library"
    mark = STRICT / "done"
    version = subprocess.run(["/usr/bin/rustc", "-V"], text=True, check=True, stdout=subprocess.PIPE).stdout + repr(CHECKS) + NEED_RIGHT
    if not mark.exists() or mark.read_text() != version:
        mark.unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(SOURCE, place, symlinks=False)
        path = place / "std/src/sys/fs/windows.rs"
        text = path.read_text()
        for head, check in CHECKS.items():
            if text.count(head) != 1:
                raise SystemExit(f"windows: {path.relative_to(place)} of this Rust is another: {head.strip()}")
            text = text.replace(head, (NEED_RIGHT if head == LOCK else "") + head + check)
        path.write_text(text)
        mark.write_text(version)
    return place


def environment():
    """What cargo is called with."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUNFEIAI_API", "JUNFEIAI_BASE", "JUNFEIAI_VIDEO"))}
    return dict(env, RUSTC_BOOTSTRAP="1", RUSTC="/usr/bin/rustc", CARGO_TARGET_DIR=str(CROSS), CARGO_PROFILE_DEV_DEBUG="0",
                CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER="x86_64-w64-mingw32-gcc", CARGO_UNSTABLE_BUILD_STD="std,panic_abort",
                __CARGO_TESTS_ONLY_SRC_ROOT=str(strict_library()), WINEPREFIX=str(PLACE / "wine"), WINEDEBUG="-all", DISPLAY="",
                CARGO="/usr/bin/cargo")


# Every Rust program asks for it, and this Wine has none.
RANDOM = """\
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) {
  while (count) {
    ULONG some = count > 65536 ? 65536 : (ULONG)count;
    if (!SystemFunction036(bytes, some)) return FALSE;
    bytes += some; count -= some;
  }
  return TRUE;
}
"""


def set_up_wine(env):
    prefix = Path(env["WINEPREFIX"])
    library = prefix / "drive_c/windows/system32/bcryptprimitives.dll"
    if library.exists():
        return
    for command in (["wineboot", "-i"], ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]):
        ok, output = run([WINE, *command], env, timeout=300)
        if not ok:
            report("set up Wine", False, output)
            finish()
    (PLACE / "random.c").write_text(RANDOM)
    made = PLACE / "bcryptprimitives.dll"
    ok, output = run(["x86_64-w64-mingw32-gcc", "-shared", "-O2", "-o", made, PLACE / "random.c", "-ladvapi32"], env)
    if not ok:
        report("build bcryptprimitives.dll", False, output)
        finish()
    shutil.copy(made, library)


def cargo(env, *arguments):
    """Builds; gives what was built, by package and name, and says why not."""
    command = ["/usr/bin/cargo", *arguments, "--locked", f"--target={TRIPLE}", "--message-format=json-render-diagnostics"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = []
    reader = threading.Thread(target=lambda: said.extend(process.stderr))
    reader.start()
    programs = []
    for line in process.stdout:
        message = json.loads(line)
        if message.get("executable") and message.get("profile", {}).get("test"):
            programs.append((Path(message["manifest_path"]).parent, message["target"]["name"], message["executable"]))
    process.wait()
    reader.join()
    if not report(f"build: cargo {' '.join(arguments)}", process.returncode == 0, "".join(said)):
        finish()
    return programs


def rust(env, wanted):
    names = [word for name in sorted(wanted) for word in ("--test", name)]
    for folder, name, path in sorted(cargo(env, "test", "--no-run", "-p", "junfeiai", *names)):
        ok, output = run([WINE, path, "--test-threads=2"], dict(env, JUNFEIAI_CASES=env.get("JUNFEIAI_CASES", "10")), cwd=folder)
        counts = re.findall(r"test result: \w+\. (\d+) passed; (\d+) failed", output)
        count = tuple(map(sum, zip(*(map(int, pair) for pair in counts)))) if counts else None
        for test, why in re.findall(r"^test (\S+).* \.\.\. ignored(?:, (.*))?$", output, re.M):
            left_out.append(f"{name}: {test}: {why or 'ignored'}")
        report(name, ok and bool(count), output if "failures:" not in output else output[output.index("failures:"):], count)


def main():
    wanted = set(sys.argv[1:]) or PROGRAMS
    missing = [str(tool) for tool in (WINE, SOURCE, "/usr/bin/cargo") if not Path(tool).exists()]
    missing += [tool for tool in ("x86_64-w64-mingw32-gcc",) if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"windows: these are missing: {', '.join(missing)}; on Debian, as root, run: JUNFEIAI_ALL=1 tests/setup.sh test")
    PLACE.mkdir(parents=True, exist_ok=True)
    env = environment()
    set_up_wine(env)
    try:
        rust(env, wanted)
    finally:
        subprocess.run(["/usr/lib/wine/wineserver64", "-k"], env=env, check=False, stderr=subprocess.DEVNULL)
    finish()


if __name__ == "__main__":
    main()
