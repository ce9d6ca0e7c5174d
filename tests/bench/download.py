"""Reading one video: our core beside curl, aria2c, plain reqwest, libcurl, and about what the kernel alone costs."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import native
from lab import KEY, MIB, ROOT, Lab, Missing, attempt, available, clip, memory_folder, rounds, table

OURS = ROOT / "target" / "release" / "examples" / "save"


def commands(lab, url, out, connections=1, tls=False):
    """(name, command, environment) of each candidate for this URL."""
    env = {"JUNFEIAI_API_KEY": KEY}
    if tls:
        env["BENCH_CA_FILE"] = str(lab.ca)
    ours = ("junfeiai", [str(OURS), url, str(out / "ours.mp4"), str(connections)], env)
    ca = ["--cacert", str(lab.ca)] if tls else []
    curl = ("curl", ["curl", "-sSf", *ca, "-H", f"Authorization: Bearer {KEY}", "-o", str(out / "curl.mp4"), url], {})
    aria = ("aria2c", ["aria2c", "-q", "--no-conf", "--allow-overwrite=true", "--file-allocation=none", "--auto-file-renaming=false",
                       f"-x{connections}", f"-s{connections}", "-k1M", f"--header=Authorization: Bearer {KEY}",
                       *([f"--ca-certificate={lab.ca}"] if tls else []), "-d", str(out), "-o", "aria.mp4", url], {})
    return ours, curl, aria


def libraries(lab, url, out, tls=False):
    """What other programs would build upon, and a yardstick for the least, where there is a C compiler."""
    env = {"JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": lab.url("v1"), **({"BENCH_CA_FILE": str(lab.ca)} if tls else {})}
    makers = [("plain reqwest", lambda: ([native.EXAMPLE, "reqwest-save", url, out / "reqwest.mp4"], env))]
    if not tls:
        makers.append(("libcurl", lambda: ([native.program("libcurl"), "save", url, out / "libcurl.mp4"], env)))
        makers.append(("recv + write alone", lambda: ([native.program("floor"), url, out / "floor.mp4"], env)))
    return available(*makers)


def clean(out):
    for path in out.iterdir():
        path.unlink()


def killed(command, env, part, enough):
    """Runs a save and kills it as soon as its part file has so many bytes; the length of what it left."""
    for _ in range(20):
        process = subprocess.Popen(command, env=dict(os.environ, **env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        while process.poll() is None and (not part.exists() or part.stat().st_size < enough):
            time.sleep(0.0002)
        process.kill()
        process.wait()
        state = part.with_name(part.name + ".state")
        # Where it was read in several parts the length does not say what is there.
        if part.exists() and part.stat().st_size >= enough and '"sparse":true' not in state.read_text():
            return part.stat().st_size
        clean(part.parent)
    raise Missing("no save could be killed near its end")


def resumed(lab, out, big, small_clip, count, where):
    """What is left of a file after a kill near its end, beside a file that is as long as the rest."""
    left = lab.dir / "left"
    left.mkdir()
    (_, command, env), *_ = commands(lab, lab.url("big.mp4"), left)
    there = killed(command, env, left / "ours.mp4.part", big * 15 // 16)
    lab.video("rest.mp4", big - there, small_clip)
    candidates = []
    for connections in (1, 8):
        for name, path in (("resumed", "big.mp4"), ("a file of that length", "rest.mp4")):
            ours, *_ = commands(lab, lab.url(path), out, connections)
            candidates.append((f"{name}, {connections}", ours[1], env))
    turns = iter(range(sys.maxsize))

    def before():
        clean(out)
        if next(turns) % 2 == 0:
            for path in left.iterdir():
                shutil.copy(path, out / path.name)

    results = rounds(candidates, 2 * count, before)
    return table(f"The last {(big - there) / MIB:.0f} of {big // MIB} MiB {where}, after a kill", results, "a file of that length, 1")


def run(big=1024 * MIB, count=5):
    """All tables of this part, as markdown."""
    tables = []
    small_clip = clip()
    memory = memory_folder()
    with Lab(memory) as lab:
        out = lab.dir / "out"
        out.mkdir()
        lab.video("big.mp4", big, small_clip)
        lab.video("small.mp4", 8 * MIB, small_clip)
        lab.video("middle.mp4", 100 * MIB, small_clip)
        lab.video("double.mp4", 200 * MIB, small_clip)
        where = "to memory" if memory else "to disk"

        def compare(title, candidates, turns, base, notes=()):
            tables.append(table(title, rounds(candidates, turns, lambda: clean(out)), base, notes))

        for tls in (False, True):
            url = lab.url("big.mp4", tls)
            more, notes = libraries(lab, url, out, tls)
            compare(f"{big // MIB} MiB {where}, one connection, {'TLS 1.3' if tls else 'plain HTTP'}",
                    [*commands(lab, url, out, tls=tls), *more], count, "curl", notes)
        ours, curl, _ = commands(lab, lab.url("small.mp4"), out)
        more, notes = libraries(lab, lab.url("small.mp4"), out)
        compare(f"8 MiB {where}, process start included", [ours, curl, *more], 4 * count, "curl", notes)
        eight = commands(lab, lab.url("big.mp4"), out, 8)[0]
        one = commands(lab, lab.url("big.mp4"), out, 1)[0]
        compare(f"{big // MIB} MiB {where}, eight connections", [(f"{eight[0]}, 8", *eight[1:]), (f"{one[0]}, 1", *one[1:])],
                count, "junfeiai, 1")
        candidates = []
        for connections in (1, 4, 8):
            ours, _, aria = commands(lab, lab.url("slow/middle.mp4"), out, connections)
            candidates += [(f"{name}, {connections}", command, env) for name, command, env in (ours, aria)]
        compare(f"100 MiB {where}, server gives 20 MB/s to each connection", candidates, max(1, count // 2), "junfeiai, 1")
        with lab.delayed(0.05) as origin:
            for name, size in (("middle", 100), ("double", 200)):
                candidates = []
                for connections in (1, 8):
                    ours, _, aria = commands(lab, f"{origin}/{name}.mp4", out, connections)
                    candidates += [(f"{name}, {connections}", command, env) for name, command, env in (ours, aria)]
                compare(f"{size} MiB {where}, 50 ms round trip", candidates, count, "aria2c, 8")
        tables.append(attempt(f"The end of {big // MIB} MiB", lambda: resumed(lab, out, big, small_clip, count, where)))
        disk = lab.dir if memory is None else Path(tempfile.mkdtemp(prefix="junfeiai-bench-"))
        try:
            if memory:
                candidates = commands(lab, lab.url("big.mp4"), disk)
                tables.append(table(f"{big // MIB} MiB to disk (ours is on the disk when it ends, the others' is not)",
                                    rounds(candidates, count, lambda: clean(disk)), "curl"))
        finally:
            if memory:
                shutil.rmtree(disk, ignore_errors=True)
    return tables


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", nargs="?", type=int, default=1024, metavar="MIB", help="size of the large video (1024)")
    parser.add_argument("rounds", nargs="?", type=int, default=5, metavar="ROUNDS", help="how often each is run (5)")
    options = parser.parse_args()
    for one in run(options.size * MIB, options.rounds):
        print(one, flush=True)


if __name__ == "__main__":
    main()
