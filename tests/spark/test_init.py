"""`evenhand init` on real Delta tables: by their schemas alone, and never over a file that is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evenhand.cli.main import main
from sample import customer, people, write_sources


@pytest.fixture
def tables(spark: Any, tmp_path: Path) -> Path:
    """Three sources without a file of rows: who reads a row of them fails."""
    customers, purchases = people(5)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    for file in tmp_path.glob("*/*.parquet"):
        file.unlink()
    return tmp_path


def arguments(folder: Path) -> list[str]:
    named = [
        "--customers",
        str(folder / "customers"),
        "--events",
        str(folder / "purchases"),
        "--consent",
        str(folder / "consent"),
    ]
    return ["init", *named, "--out", str(folder / "plan.yaml")]


def test_a_plan_is_proposed_from_schemas_alone_and_says_what_to_fill_in(
    spark: Any, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments(tables), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [gap["key"] for gap in told["fill_in"]] == ["purpose", "protected.sex.groups", "privacy.expected_customers"]
    text = (tables / "plan.yaml").read_text(encoding="utf-8")
    assert "path: customers\n" in text and "path: purchases\n" in text
    assert main(["check", "--plan", str(tables / "plan.yaml")]) == 2
    said = capsys.readouterr().err
    told_by_check = re.findall(r"line (\d+): ([\w.]+): input should be", said)
    assert told_by_check == [(str(gap["line"]), gap["key"]) for gap in told["fill_in"] if "groups" not in gap["key"]]


def test_a_file_that_is_there_is_left_alone(spark: Any, tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tables / "plan.yaml").write_text("mine")
    assert main(arguments(tables)) == 2
    assert "was left as it is" in capsys.readouterr().err
    assert (tables / "plan.yaml").read_text() == "mine"


def test_a_table_that_is_not_there_is_named_with_its_option(
    spark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spark.createDataFrame([customer("a")], "id STRING, years DOUBLE, sex STRING, age INT, email STRING").write.parquet(
        str(tmp_path / "customers")
    )
    assert main(arguments(tmp_path)) == 2
    assert "--customers: " in capsys.readouterr().err
    assert not (tmp_path / "plan.yaml").exists()


@pytest.mark.long
def test_a_process_of_its_own_starts_spark_and_says_nothing_but_its_own_lines(tables: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "evenhand", *arguments(tables)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.splitlines() == ["evenhand: starting Spark"]
    assert done.stdout.splitlines()[2] == "Fill in first:"
    assert (tables / "plan.yaml").exists()
