"""Runs a notebook as Jupyter does: a program for the Python that has nbclient and ipykernel.

    hosts_notebook.py NOTEBOOK   writes the outputs of its cells as JSON
"""

from __future__ import annotations

import json
import sys

import nbformat  # type: ignore[import-not-found]
from nbclient import NotebookClient  # type: ignore[import-not-found]

with open(sys.argv[1], encoding="utf-8") as file:
    notebook = nbformat.read(file, as_version=4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
json.dump([cell.outputs for cell in notebook.cells if cell.cell_type == "code"], sys.stdout)
