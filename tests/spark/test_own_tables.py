"""The page "your own tables" as a reader follows it: its files saved, its commands typed, in a folder of its own."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own-tables.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.M | re.S)

pytestmark = pytest.mark.long  # seven processes, most of them with a JVM


def test_whoever_types_what_the_page_says_has_a_report_and_a_list_of_customers(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    paths = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = os.environ | {"PATH": paths, "PYSPARK_SUBMIT_ARGS": "--driver-memory 2g pyspark-shell"}
    said = []
    for kind, text in FENCE.findall(PAGE):
        if kind == "python":
            (tmp_path / "data/shop/load.py").write_text(text, encoding="utf-8")
        if kind == "bash":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            said.append(done.stdout)
    shown = next(text for kind, text in FENCE.findall(PAGE) if kind == "text")
    assert any(shown in text for text in said), "what evenhand init asks to fill in is not what the page shows"
    assert "first.html" in said[-2] and (tmp_path / "data/shop/reports/first.html").exists()
    rows = []
    for file in (tmp_path / "data/shop/segment-1").glob("*.csv"):
        with file.open(encoding="utf-8") as lines:
            rows += csv.DictReader(lines)
    assert len(rows) > 1000 and all(re.fullmatch(r"C\d{6}", row["id"]) and row["segment"] == "1" for row in rows)
