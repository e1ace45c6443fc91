"""Runs docs/notebook.ipynb in an empty folder and writes what its cells say into it: `make notebook`.

Nothing of the machine is kept: times of cells are left out, and a run's own folders lie in a temporary one.
"""

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

__all__ = ["main"]

NOTEBOOK = Path(__file__).with_name("notebook.ipynb")


def main() -> None:
    """Run every cell; the first that fails ends it, and nothing is written."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, record_timing=False, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        outputs = [
            o for o in cell.get("outputs", ()) if o.get("name") != "stderr"
        ]  # progress, and what a machine says of itself
        if cell.cell_type == "code":
            cell.outputs = outputs
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
