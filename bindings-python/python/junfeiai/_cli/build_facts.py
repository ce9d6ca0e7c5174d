"""What ``junfeiai --version`` prints: everything that a report of a defect needs, and nothing about the user."""

from __future__ import annotations

import platform
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from .. import __version__, _native


def build_facts() -> str:
    """A line for the version, and one for each fact of the build."""
    wheel, extras = "not installed as a wheel", []
    try:
        text = metadata.distribution("junfeiai").read_text("WHEEL") or ""
        wheel = ", ".join(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Tag:")) or wheel
    except metadata.PackageNotFoundError:
        pass
    for name in ("rich", "mcp", "shtab"):
        try:
            extras.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            extras.append(f"no {name}")
    module = Path(_native.__file__ or "")
    return "\n".join(
        [
            f"junfeiai {__version__}",
            f"wheel     {wheel}",
            *(f"{name:<9} {fact}" for name, fact in _native.BUILD.items()),
            f"module    {module.name}, {module.stat().st_size} bytes" if module.is_file() else "module    unknown",
            f"python    {platform.python_implementation()} {platform.python_version()}, {sysconfig.get_platform()}",
            f"system    {_system()}, output {sys.stdout.encoding if sys.stdout else 'none'}",
            f"optional  {', '.join(extras)}",
        ]
    )


def _system() -> str:
    """The system and its version. On Windows `platform` would ask a service (WMI) for it, which may not answer."""
    if sys.platform == "win32":
        version = sys.getwindowsversion()
        kind = "Windows" if version.product_type == 1 else "Windows Server"
        return f"{kind} {version.major}.{version.minor}.{version.build}"
    return f"{platform.system()} {platform.release()}"
