"""Commands in the README and docs refer to what is there, and every ready plan is sound."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand.command import main

STEPS = ("prepare", "segment", "assess", "report")

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_named_on_a_page_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"```bash\n(.*?)```", text, flags=re.S))
    named = re.findall(r"(?:scripts|jobs|conf|docs|tests)/[\w./-]*\w", commands)
    named += [str((page.parent / link).relative_to(ROOT)) for link in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text)]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_tables_in_sql_on_a_page_are_named_by_absolute_paths(page: Path) -> None:
    assert [path for path in re.findall(r"delta\.`([^`]+)`", page.read_text(encoding="utf-8")) if not path.startswith("/")] == []


@pytest.mark.parametrize("plan", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda p: p.name)
def test_every_ready_plan_passes_its_check(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(STEPS), "pipeline", ["--plan", str(plan), "--check"]) == 0
    assert capsys.readouterr().out.startswith("Plan ")


def test_the_readme_s_check_explains_the_demo_s_plan() -> None:
    named = re.search(
        r"^python (jobs/pipeline\.py --plan \S+ --check)", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M
    )
    assert named
    done = subprocess.run([sys.executable, *named[1].split()], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Plan ")
