"""Programs that read videos, and a notebook: with the packages that ``make test-all`` installs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, ROOT, Emulator
from servers import EXAMPLES

import junfeiai

PYTHON = ROOT / "target" / "venv-hosts" / "bin" / "python"
PACKAGE = Path(junfeiai.__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not os.environ.get("JUNFEIAI_ALL"), reason="PyAV, OpenCV and a notebook's kernel are installed and tried by make test-all only"
)


def run(emulator: Emulator, folder: Path, *command: str) -> str:
    """What this program prints, run by the Python that has the packages; it has no junfeiai of its own."""
    assert PYTHON.exists(), "run JUNFEIAI_ALL=1 tests/setup.sh test"
    emulator.scenario(task={"queued_s": 0, "running_s": 0})
    environment = {
        **os.environ,
        "PYTHONPATH": str(PACKAGE),
        "JUNFEIAI_API_KEY": KEY,
        "JUNFEIAI_BASE_URL": emulator.base_url,
        # Nothing of the user's own, and nothing left in it.
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    done = subprocess.run([str(PYTHON), *command], env=environment, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr
    return done.stdout


def test_pyav_opencv_and_numpy(emulator: Emulator, tmp_path: Path) -> None:
    assert run(emulator, tmp_path, str(Path(__file__).with_name("hosts_media.py"))) == "done\n"


def test_the_notebook(emulator: Emulator, tmp_path: Path) -> None:
    said = json.loads(run(emulator, tmp_path, str(Path(__file__).with_name("hosts_notebook.py")), str(EXAMPLES / "notebook.ipynb")))
    outputs: list[list[dict[str, Any]]] = said
    assert not [output for cell in outputs for output in cell if output["output_type"] == "error"]
    created, saved, shown, _ = outputs
    assert created[-1]["data"]["text/plain"].startswith("Task(id='task_")
    # What a callback prints belongs to the cell that waits.
    assert "succeeded" in "".join(output.get("text", "") for output in saved)
    assert saved[-1]["data"]["text/plain"].startswith("Summary(path=")
    assert "<video" in shown[-1]["data"]["text/html"]
    for name in ("ball.mp4", "ball-0.mp4", "ball-1.mp4"):
        assert (tmp_path / name).read_bytes()[4:8] == b"ftyp"
    assert emulator.stats()["posts"] == 3
