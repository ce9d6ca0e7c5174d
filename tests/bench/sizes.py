"""How large the packages are that users install, and what they consist of."""

import argparse
import json
import zipfile

from lab import ROOT


def kib(count):
    return f"{count / 1024:.0f}"


def wheel():
    found = sorted((ROOT / "target" / "wheels").glob("junfeiai-*.whl"))
    if not found:
        return "### Python wheel\n\nNot measured here: there is no wheel; make wheel builds it.\n"
    lines = [f"### Python wheel: {kib(found[-1].stat().st_size)} KiB", "", "| in it | KiB unpacked | KiB packed |", "|---|---|---|"]
    with zipfile.ZipFile(found[-1]) as archive:
        kinds = {"native module": [0, 0], "Python and stubs": [0, 0], "the rest": [0, 0]}
        for entry in archive.infolist():
            name = entry.filename
            kind = "native module" if name.endswith((".so", ".pyd")) else "the rest" if ".dist-info/" in name else "Python and stubs"
            kinds[kind][0] += entry.file_size
            kinds[kind][1] += entry.compress_size
    lines += [f"| {kind} | {kib(raw)} | {kib(packed)} |" for kind, (raw, packed) in kinds.items()]
    return "\n".join(lines) + "\n"


def npm():
    sizes = ROOT / "target" / "npm" / "sizes.json"
    tarballs = sorted((ROOT / "target" / "npm").glob("junfeiai-*.tgz"))
    if not sizes.exists() or not tarballs:
        return "### npm package\n\nNot measured here: there is no npm package; make npm builds it.\n"
    lines = [f"### npm package: {kib(tarballs[-1].stat().st_size)} KiB as a tarball", "",
             "| in it | KiB raw | KiB gzip | KiB brotli |", "|---|---|---|---|"]
    for row in json.loads(sizes.read_text()):
        lines.append(f"| {row['name']} | {kib(row['raw'])} | {kib(row['gzip'])} | {kib(row['brotli'])} |")
    return "\n".join(lines) + "\n"


def library():
    folder = ROOT / "target" / "bench-c" / "lib"
    files = [path for path in sorted(folder.glob("libjunfeiai.*")) if path.is_file() and not path.is_symlink()]
    if not files:
        return "### C library\n\nNot measured here: it is not installed; make bench does that.\n"
    lines = ["### C library", "", "| | KiB |", "|---|---|"]
    return "\n".join([*lines, *(f"| {path.name} | {kib(path.stat().st_size)} |" for path in files)]) + "\n"


def run():
    """All tables of this part, as markdown."""
    return [wheel(), npm(), library()]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(*run(), sep="\n")
