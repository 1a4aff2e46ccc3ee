"""What is stored in the notebooks of examples/: plots that can be seen without running them, and nothing of the machine that ran them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))
MACHINE = re.compile(r"/(?:tmp|root|home|work|usr|mnt)/|\bWARN\b|WARNING:|Warning:|\.py:\d+|Traceback")


def outputs(notebook: Path) -> list[list[dict[str, Any]]]:
    """Of each cell of code."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_was_executed_in_order_and_none_failed(notebook: Path) -> None:
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert {output["output_type"] for cell in cells for output in cell["outputs"]} <= {"stream", "execute_result", "display_data"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_plots_can_be_seen_without_running_it(notebook: Path) -> None:
    code = "".join("".join(cell["source"]) for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"])
    drawn = [output for cell in outputs(notebook) for output in cell if "image/svg+xml" in output.get("data", {})]
    assert len(drawn) == code.count("SVG(") >= 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_path_of_a_machine_and_no_warning_of_java_stands_in_it(notebook: Path) -> None:
    assert [path.stem for path in NOTEBOOKS] == ["fairness_and_mitigation", "own_tables"]
    assert [found[0] for cell in outputs(notebook) if (found := MACHINE.search(json.dumps(cell)))] == []


def test_the_report_in_docs_is_the_page_of_the_last_run_in_the_notebook_and_needs_nothing_else() -> None:
    page = (NOTEBOOKS[0].parents[1] / "docs/example-report.html").read_text(encoding="utf-8")
    notebook = next(path for path in NOTEBOOKS if path.stem == "fairness_and_mitigation").read_text(encoding="utf-8")
    last = re.findall(r"run (fairness-\w+-\w+): if it is cut off", notebook)[-1]
    assert last in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert MACHINE.search(page) is None
