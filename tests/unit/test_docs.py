"""Commands in the README and docs refer to what is there, and every ready plan is sound."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_named_on_a_page_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"```bash\n(.*?)```", text, flags=re.S))
    named = re.findall(r"(?:scripts|jobs|conf|docs|tests)/[\w./-]*\w", commands)
    named += [str((page.parent / link).relative_to(ROOT)) for link in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text)]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_that_a_sentence_names_are_there(page: Path) -> None:
    named = re.findall(r"`((?:lib|scripts|jobs|conf|docs|tests)/[\w./-]*\w)`", prose(page))
    named += [f"lib/evenhand/{path}" for path in re.findall(r"`([a-z]+/[\w/]+\.py)`", prose(page)) if not (ROOT / path).exists()]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name)
def test_a_page_says_first_whom_it_is_for(page: Path) -> None:
    assert re.match(r"# .+\n\n\*For [^*]+\*", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_into_a_page_finds_its_heading(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#\s]*)#([^)\s]+)\)", prose(page))
    pages = [(page.parent / path if path else page, anchor) for path, anchor in links]
    assert [(path.name, anchor) for path, anchor in pages if path.suffix == ".md" and anchor not in anchors(path)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_fence_is_closed_and_every_row_of_a_table_has_as_many_cells_as_its_head(page: Path) -> None:
    assert len(re.findall(r"^ *```", page.read_text(encoding="utf-8"), flags=re.M)) % 2 == 0
    tables = re.findall(r"(?:^\|.*\n)+", prose(page) + "\n", flags=re.M)
    assert [row for table in tables for row in table.splitlines() if cells(row) != cells(table.splitlines()[0])] == []
    assert [table for table in tables if not re.match(r"\|.*\n\|(?: ?:?-+:? ?\|)+\n", table)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_has_one_title_and_skips_no_level_of_headings(page: Path) -> None:
    levels = [len(marks) for marks in re.findall(r"^(#+) ", prose(page), flags=re.M)]
    assert levels[:1] == [1]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def prose(page: Path) -> str:
    """A page without what stands in its fences."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub makes addresses of them: letters, digits and hyphens, in lower case."""
    headings = [re.sub(r"[`*]|\[|\]\([^)]*\)", "", text) for text in re.findall(r"^#+ (.+)$", prose(page), flags=re.M)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def cells(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_tables_in_sql_on_a_page_are_named_by_absolute_paths(page: Path) -> None:
    assert [path for path in re.findall(r"delta\.`([^`]+)`", page.read_text(encoding="utf-8")) if not path.startswith("/")] == []


@pytest.mark.parametrize("plan", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda p: p.name)
def test_every_ready_plan_passes_its_check(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--plan", str(plan)]) == 0
    assert capsys.readouterr().out.startswith("Plan ")


def test_the_readme_s_check_explains_the_demo_s_plan_in_the_words_that_it_shows() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named, shown = (
        re.search(r"^evenhand (check --plan \S+)", readme, flags=re.M),
        re.search(r"```text\n(.*?)```", readme, flags=re.S),
    )
    assert named
    assert shown
    done = subprocess.run(
        [sys.executable, "-m", "evenhand", *named[1].split()], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Plan ")
    said = " ".join(done.stdout.split())  # however wide the terminal is
    assert [line for line in shown[1].splitlines() if " ".join(line.split()) not in said] == []


def test_every_script_stands_on_the_page_for_contributors() -> None:
    there = {p.name + "/" * p.is_dir() for p in (ROOT / "scripts").iterdir() if p.name != "__pycache__"}
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page[page.index("| in `scripts/` |") : page.index("## How the code reads")]
    assert {
        name for row in re.findall(r"^\|.*", table, flags=re.M)[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    } == there
