"""Executes the notebooks in examples/ and stores what comes out in them: python scripts/notebooks.py [NOTEBOOK …]

The page of the last run in fairness_and_mitigation.ipynb becomes docs/example-report.html.

Needs the extra `notebooks`: pip install --editable '.[notebooks]' --constraint constraints.txt
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
WITH_PAGE = "fairness_and_mitigation.ipynb"


def main() -> None:
    for path in map(Path, sys.argv[1:] or sorted(map(str, (ROOT / "examples").glob("*.ipynb")))):
        print(f"{path}: executing", file=sys.stderr)
        path.write_text(executed(path), encoding="utf-8")
        if path.name == WITH_PAGE:
            (ROOT / "docs/example-report.html").write_text(newest_page(path), encoding="utf-8")


def executed(path: Path) -> str:
    """A notebook with what its cells say when they are executed in its folder, paths as they are below the folder above that."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=1800, record_timing=False, resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    notebook.metadata.pop("language_info", None)  # which Python it was changes nothing
    return nbformat.writes(notebook).replace(f"{path.parent.parent.resolve()}/", "") + "\n"


def newest_page(path: Path) -> str:
    """The page of the last run that a notebook has made, with paths as in the notebook."""
    pages = (path.parent.parent / "data/notebook-fairness/reports").glob("*.html")
    page = max(pages, key=lambda page: page.stat().st_mtime).read_text(encoding="utf-8")
    return page.replace(f"{path.parent.parent.resolve()}/", "")


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """What was written piece by piece to one stream as one output: where it was cut depends on the machine."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        if kept and output.output_type == "stream" and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


if __name__ == "__main__":
    main()
