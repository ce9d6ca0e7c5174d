"""Reading one video: our core beside curl, aria2c, plain reqwest, libcurl, and about what the kernel alone costs."""

import shutil
import sys
import tempfile
from pathlib import Path

import native
from lab import KEY, MIB, ROOT, Lab, available, clip, memory_folder, rounds, table

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
                max(1, count // 2), "junfeiai, 1")
        candidates = []
        for connections in (1, 4, 8):
            ours, _, aria = commands(lab, lab.url("slow/middle.mp4"), out, connections)
            candidates += [(f"{name}, {connections}", command, env) for name, command, env in (ours, aria)]
        compare(f"100 MiB {where}, server gives 20 MB/s to each connection", candidates, max(1, count // 2), "junfeiai, 1")
        with lab.delayed(0.05) as origin:
            candidates = []
            for connections in (1, 8):
                ours, _, aria = commands(lab, f"{origin}/middle.mp4", out, connections)
                candidates += [(f"{name}, {connections}", command, env) for name, command, env in (ours, aria)]
            compare(f"100 MiB {where}, 50 ms round trip", candidates, max(1, count // 2), "aria2c, 8")
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
    """`download.py [MIB [ROUNDS]]`"""
    size = int(sys.argv[1]) * MIB if len(sys.argv) > 1 else 1024 * MIB
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for one in run(size, count):
        print(one, flush=True)


if __name__ == "__main__":
    main()
