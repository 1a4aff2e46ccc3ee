"""The notebooks of examples/ as a reader runs them: each cell still works and says the same kind of thing as what is stored."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.long  # a kernel and a JVM each, with one and two runs


@pytest.mark.parametrize("name", ["own_tables", "fairness_and_mitigation"])
def test_a_notebook_still_does_what_is_stored_in_it(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbclient", reason="the extra notebooks is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from notebooks import executed

    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    now = executed(tmp_path / "examples" / f"{name}.ipynb")
    stored = (ROOT / "examples" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert _kinds(now) == _kinds(stored)
    assert str(tmp_path) not in now and "WARN" not in now


def _kinds(notebook: str) -> list[list[str]]:
    """Of each cell of code the kinds of its outputs; the figures are those of other noise."""
    cells = [cell for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]
    return [[str(output.get("name") or sorted(output["data"])) for output in cell["outputs"]] for cell in cells]
