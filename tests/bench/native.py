"""One query, and 8 MiB, from Rust and C: our core and our C library beside reqwest and libcurl."""

import os
import shutil
import subprocess

from lab import KEY, MIB, ROOT, Lab, Missing, attempt, available, clip, loops, memory_folder, rounds, table

EXAMPLE = ROOT / "target" / "release" / "examples" / "call"
SOURCES = ROOT / "tests" / "bench" / "peers"
BUILT = ROOT / "target" / "bench-native"
# `make bench` installs the C library there.
INSTALLED = ROOT / "target" / "bench-c"
# What each C program is linked with, by pkg-config; the floor needs nothing.
PACKAGES = {"floor": None, "libcurl": "libcurl", "junfeiai": "junfeiai"}


def program(name):
    """A C program of `peers/`, built when it is older than its source."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("there is no C compiler")
    flags = []
    if PACKAGES[name]:
        env = dict(os.environ, PKG_CONFIG_PATH=str(INSTALLED / "lib" / "pkgconfig"))
        asked = ["pkg-config", "--cflags", "--libs", PACKAGES[name]]
        if shutil.which("pkg-config") is None or (found := subprocess.run(asked, env=env, capture_output=True, text=True)).returncode:
            raise Missing(f"pkg-config does not find {PACKAGES[name]}")
        flags = [*found.stdout.split(), f"-Wl,-rpath,{INSTALLED / 'lib'}"]
    BUILT.mkdir(parents=True, exist_ok=True)
    out = BUILT / name
    sources = [SOURCES / f"{name}.c", SOURCES / "clock.h"]
    if not out.exists() or out.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", out, sources[0], *flags], check=True)
    return out


def get(lab):
    base, env = lab.url("v1"), {"JUNFEIAI_API_KEY": KEY}
    count = "10000"
    candidates, notes = available(
        ("junfeiai, Rust, async", lambda: ([EXAMPLE, "get-async", base, count], env)),
        ("junfeiai, Rust, blocking", lambda: ([EXAMPLE, "get", base, count], env)),
        ("junfeiai, C", lambda: ([program("junfeiai"), "get", base, count], {**env, "JUNFEIAI_BASE_URL": base})),
        ("plain reqwest", lambda: ([EXAMPLE, "reqwest-get", base, count], env)),
        ("libcurl", lambda: ([program("libcurl"), "get", base, count], env)),
    )
    return loops("One status query, keep-alive, CPU against our async core", candidates, candidates[0][0], notes=notes)


def save(lab):
    out = lab.dir / "native-out"
    out.mkdir()
    lab.video("small.mp4", 8 * MIB, clip())
    url, env = lab.url("small.mp4"), {"JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": lab.url("v1")}
    ours = program("junfeiai")
    candidates, notes = available(
        ("curl", lambda: (["curl", "-sSf", "-H", f"Authorization: Bearer {KEY}", "-o", out / "curl", url], {})),
        ("junfeiai, C", lambda: ([ours, "save", url, out / "ours"], env)),
        ("libcurl", lambda: ([program("libcurl"), "save", url, out / "libcurl"], env)),
    )
    results = rounds(candidates, 15, lambda: [path.unlink() for path in out.iterdir()])
    return table("8 MiB saved by a C program", results, "curl", notes)


def run():
    """All tables of this part, as markdown."""
    with Lab(memory_folder()) as lab:
        return [attempt("One status query", lambda: get(lab)), attempt("8 MiB saved by a C program", lambda: save(lab))]
