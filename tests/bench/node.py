"""The npm package beside Node's own fetch and the openai SDK: import, one query, one video in memory and in a file."""

import argparse
import shutil
import subprocess

from lab import KEY, MIB, ROOT, Lab, Missing, attempt, clip, loops, memory_folder, rounds, table

SOURCES = ROOT / "tests" / "bench" / "peers" / "node"
PACKAGE = ROOT / "target" / "npm" / "package"
# The peers, installed as their lock file says, and our package beside them, as a user would have it.
PLACE = ROOT / "target" / "bench-node"
CANDIDATES = ("junfeiai", "fetch", "openai")


def prepare():
    """Gives node's own path."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("node and npm are not installed")
    if not (PACKAGE / "package.json").exists():
        raise Missing("there is no npm package; make npm builds it")
    lock, installed = SOURCES / "package-lock.json", PLACE / "installed.json"
    PLACE.mkdir(parents=True, exist_ok=True)
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, PLACE)
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        if subprocess.run(command, cwd=PLACE, stdout=subprocess.DEVNULL).returncode:
            raise Missing("npm ci cannot install the peers")
        shutil.copy(lock, installed)
    for script in SOURCES.glob("*.mjs"):
        shutil.copy(script, PLACE)
    ours = PLACE / "node_modules" / "junfeiai"
    shutil.rmtree(ours, ignore_errors=True)
    shutil.copytree(PACKAGE, ours)
    return node


def imports(node):
    # A file and not `-e`, which would look for packages beside the one who runs this.
    for name in ("junfeiai", "openai"):
        (PLACE / f"import-{name}.mjs").write_text(f'import "{name}";\n')
    (PLACE / "import-nothing.mjs").write_text("")
    candidates = [("Node alone", "nothing"), ("junfeiai", "junfeiai"), ("openai", "openai")]
    results = rounds([(title, [node, PLACE / f"import-{name}.mjs"], {}) for title, name in candidates], 15)
    bare = results["Node alone"]
    lines = ["### Import", "", "| | wall ms | above bare Node, ms | CPU ms | peak MiB |", "|---|---|---|---|---|"]
    for title, series in results.items():
        wall, cpu, rss = (series.median(what) for what in ("wall", "cpu", "rss"))
        lines.append(f"| {title} | {wall * 1e3:.1f} | {(wall - bare.median('wall')) * 1e3:.1f} | {cpu * 1e3:.1f} | {rss:.1f} |")
    return "\n".join(lines) + "\n"


def get(node, lab):
    env = {"JUNFEIAI_API_KEY": KEY}
    # Fewer than the budget that we have for this machine lets through at once.
    candidates = [(name, [node, PLACE / "get.mjs", name, lab.url("v1"), "800"], env) for name in CANDIDATES]
    return loops("One status query, keep-alive, CPU against ours", candidates, "junfeiai")


def save(node, lab, size, title, count):
    out = lab.dir / "node-out"
    out.mkdir(exist_ok=True)
    name = f"node-{size}.mp4"
    lab.video(name, size, clip())
    lab.peer_video(name)
    url, env = lab.url(name), {"JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": lab.url("v1")}
    candidates = [("curl", ["curl", "-sSf", "-H", f"Authorization: Bearer {KEY}", "-o", out / "curl", url], {})]
    candidates += [(peer, [node, PLACE / "save.mjs", peer, url, out / peer], env) for peer in CANDIDATES]
    results = rounds(candidates, count, lambda: [path.unlink() for path in out.iterdir()])
    return table(title, results, "curl")


def in_memory(node, lab, size, title):
    name = f"memory-{size}.mp4"
    lab.video(name, size, clip())
    lab.peer_video(name)
    env = {"JUNFEIAI_API_KEY": KEY, "JUNFEIAI_BASE_URL": lab.url("v1")}
    results = rounds([(peer, [node, PLACE / "bytes.mjs", peer, lab.url(name), str(size)], env) for peer in CANDIDATES], 5)
    return table(title, results, "fetch")


def run():
    """All tables of this part, as markdown."""
    try:
        node = prepare()
    except Missing as why:
        return [f"Not measured here: {why}.\n"]
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    small, large = "8 MiB saved by a script, Node's start included", "1 GiB saved by a script"
    memory = "200 MB to memory, Node's start included"
    with Lab(memory_folder()) as lab:
        return [
            f"Node {version}.\n",
            attempt("Import", lambda: imports(node)),
            attempt("One status query", lambda: get(node, lab)),
            attempt(memory, lambda: in_memory(node, lab, 200_000_000, memory)),
            attempt(small, lambda: save(node, lab, 8 * MIB, small, 10)),
            attempt(large, lambda: save(node, lab, 1024 * MIB, large, 3)),
        ]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(*run(), sep="\n")
