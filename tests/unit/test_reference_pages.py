"""The pages that say what a plan may hold and what a run writes say what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from evenhand.plan.load import parse_plan
from evenhand.tables.catalog import TableSpec

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/plan.md").read_text(encoding="utf-8"), flags=re.S)


def test_every_key_and_every_column_stands_on_its_page_as_the_code_has_it() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_page_that_differs_from_the_code_is_named(tmp_path: Path) -> None:
    code = (ROOT / "scripts/reference.py").read_text(encoding="utf-8")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/reference.py").write_text(code, encoding="utf-8")
    for name in ("docs/plan.md", "docs/tables.md", "conf/plan.schema.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = (ROOT / name).read_text(encoding="utf-8").replace("| `segments.restarts` |", "| `segments.tries` |")
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "scripts/reference.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == "docs/plan.md differs from the code; run python scripts/reference.py\n"


def test_a_column_without_a_meaning_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import reference

    spec = TableSpec("segments", "restricted", "segment INT, shoe_size MAP<INT, ARRAY<DOUBLE>>, run_id STRING")
    assert reference.columns_of(spec) == {"segment": "INT", "shoe_size": "MAP<INT, ARRAY<DOUBLE>>", "run_id": "STRING"}
    monkeypatch.setattr(reference, "ALL", (spec,))
    with pytest.raises(SystemExit, match=r"nothing says what segments\.shoe_size means"):
        reference.tables_of("restricted")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split(":")[0])
def test_what_the_page_shows_of_a_plan_can_stand_in_one(example: str) -> None:
    plan = yaml.safe_load((ROOT / "conf/demo.yaml").read_text(encoding="utf-8"))
    shown = yaml.safe_load(example)
    assert len(shown) == 1
    merge(plan, shown)
    if "sources" not in shown:  # a source that no feature uses is refused, and a feature needs its source
        plan["features"] += [{"name": "bought", "why": "x", "events": "purchases", "expression": "count(*)", "missing": 0}]
    if "features" in shown:  # the offers of the plan are by others
        plan["fairness"].pop("offers")
    if "fairness" in shown:
        plan["protected"] = [a for a in plan["protected"] if a["name"] in ("gender", "age_band")]
    assert parse_plan(yaml.safe_dump(plan)).name == "demo"


def merge(into: dict[str, Any], shown: dict[str, Any]) -> None:
    for key, value in shown.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
