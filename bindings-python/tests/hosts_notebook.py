"""Runs a notebook as Jupyter does: a program for the Python that has nbclient and ipykernel.

    hosts_notebook.py NOTEBOOK   writes the outputs of its cells as JSON
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

# They are not where the types are checked.
nbformat: Any = import_module("nbformat")
nbclient: Any = import_module("nbclient")

with open(sys.argv[1], encoding="utf-8") as file:
    notebook = nbformat.read(file, as_version=4)
nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
json.dump([cell.outputs for cell in notebook.cells if cell.cell_type == "code"], sys.stdout)
