"""The floor plan as code: a folder of the package imports from itself and from those before it, from no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "lib/evenhand"
FLOORS = """plan spark tables records privacy prepare sources propose assignment ask learn describe fairness mitigate rows report governance
erasure job past people cli""".split()
ROOT = {"errors", "terminal", "version"}  # files below all folders


def imported(file: Path) -> Iterator[str]:
    """The modules of the package that a file names, as in `plan.models`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if node.module != "evenhand" else [f"evenhand.{a.name}" for a in node.names]
        yield from (name.removeprefix("evenhand.") for name in names if name.startswith("evenhand."))


def test_every_folder_has_its_floor_and_only_a_handful_of_files_stand_at_the_root() -> None:
    assert sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py")) == sorted(FLOORS)
    assert {p.stem for p in PACKAGE.glob("*.py")} == {*ROOT, "__init__", "__main__"}


@pytest.mark.parametrize("floor", FLOORS)
def test_a_folder_imports_from_itself_and_from_those_below(floor: str) -> None:
    below = {*FLOORS[: FLOORS.index(floor) + 1], *ROOT}
    climbs = {
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in (PACKAGE / floor).rglob("*.py")
        for name in imported(file)
        if name.partition(".")[0] not in below
    }
    assert not climbs


def test_the_page_for_contributors_lists_the_folders_in_their_order() -> None:
    page = (Path(__file__).parents[2] / "docs/architecture.md").read_text(encoding="utf-8")
    table = page[page.index("## The folders") :]
    assert re.findall(r"^\| `([a-z]+)` \|", table, flags=re.M) == FLOORS
