#!/usr/bin/env python3
"""Wine that runs what Rust has built, and CPython for Windows in it.

    tests/platforms/wine.py FOLDER                  sets up Wine in FOLDER (WINEPREFIX)
    tests/platforms/wine.py FOLDER PYTHON MODULE    and unpacks CPython into PYTHON, for MODULE, which uses the stable ABI

`tests/setup.sh platforms` installs what it needs: Wine, mingw, and the archive with CPython.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WINE = Path("/usr/lib/wine/wine64")
GCC = "x86_64-w64-mingw32-gcc"
# What tests/setup.sh fetches. It lacks python3.dll and pip.
PYTHON = ROOT / "target" / "tools" / "cpython-3.12.1-1.5.10-windows-x86_64.jar"

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


def must(command: Sequence[str | Path], env: Mapping[str, str]) -> str:
    """Runs a command, with pipes at all its ends: programs of Windows want that."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=env, text=True, errors="replace", timeout=900, input="", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}:\n{done.stdout[-6000:]}")
    return done.stdout


def environment(folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    return {**env, "WINEPREFIX": str(folder), "WINEDEBUG": "-all", "DISPLAY": ""}


def set_up(folder: Path, env: Mapping[str, str]) -> None:
    """Sets up Wine in a folder, once. It is as Windows 10, which the standard library asks for."""
    library = folder / "drive_c/windows/system32/bcryptprimitives.dll"
    if library.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    env = environment(folder, env)
    for command in (["wineboot", "-i"], ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]):
        must([WINE, *command], env)
    with tempfile.TemporaryDirectory() as work:
        source, made = Path(work, "random.c"), Path(work, "bcryptprimitives.dll")
        source.write_text(RANDOM)
        must([GCC, "-shared", "-O2", "-o", made, source, "-ladvapi32"], env)
        shutil.copy(made, library)


def unpack_python(home: Path) -> None:
    """CPython as the archive has it, without the tests of its own."""
    inside = "org/bytedeco/cpython/windows-x86_64/"
    with zipfile.ZipFile(PYTHON) as jar:
        for name in jar.namelist():
            if name.startswith(inside) and not name.endswith("/") and "/test/" not in name:
                target = home / name.removeprefix(inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(jar.read(name))


def stable_abi(home: Path, module: Path, env: Mapping[str, str]) -> None:
    """A module for every CPython asks python3.dll for its functions, which only leads on to python312.dll."""
    said = must(["x86_64-w64-mingw32-objdump", "-p", module], env)
    asked = re.search(r"DLL Name: python3\.dll\n(.*?)\n\n", said, re.S)
    if not asked:
        raise RuntimeError(f"{module} does not ask for python3.dll")
    names = sorted(set(re.findall(r"\b_?Py\w+$", asked[1], re.M)))
    with tempfile.TemporaryDirectory() as work:
        source, exports = Path(work, "empty.c"), Path(work, "python3.def")
        source.write_text("int unused;\n")
        exports.write_text("\n".join(["LIBRARY python3.dll", "EXPORTS", *(f"{name}=python312.{name}" for name in names)]) + "\n")
        must([GCC, "-shared", "-o", home / "python3.dll", source, exports], env)


def windows_path(path: Path) -> str:
    """Drive Z: is the root."""
    return "Z:" + str(path).replace("/", "\\")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="WINEPREFIX")
    parser.add_argument("python", type=Path, nargs="*", metavar="PYTHON MODULE", help="CPython's folder, and the module that it is for")
    options = parser.parse_args()
    if len(options.python) not in (0, 2):
        parser.error("PYTHON and MODULE belong together")
    env = dict(os.environ)
    set_up(options.folder, env)
    if options.python:
        home, module = options.python
        if not (home / "python.exe").exists():
            unpack_python(home)
        stable_abi(home, module, env)


if __name__ == "__main__":
    main()
