"""A process that is killed the moment before it adds noise: the budget is spent, nothing is out, the run can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand.api import run
from evenhand.plan.models import Plan
from evenhand.tables import catalog
from sample import NOW, in_folder, people, plan_yaml, write_sources

CHANGES = {"privacy.epsilon": 3.0, "privacy.population_total": 7.0, "privacy.expected_customers": 500}
KILLED = """
import os, signal, sys
from evenhand.api import run
from evenhand.plan.load import load_plan
from evenhand.session import start
from datetime import datetime

class Killed:
    private = True
    def add(self, exact, noise):
        os.kill(os.getpid(), signal.SIGKILL)

run(load_plan(sys.argv[1]), start("killed"), as_of=datetime.fromisoformat(sys.argv[2]), run_id="r1", noise=Killed())
"""


@pytest.mark.slow
def test_a_run_killed_between_spending_and_noise_has_spent_and_goes_on(
    spark: Any, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    customers, purchases = people(300)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    (tmp_path / "plan.yaml").write_text(plan_yaml(in_folder(tmp_path) | CHANGES), encoding="utf-8")
    submit = ["--master", "local[2]", "--driver-memory", "1500m", "--conf", "spark.databricks.delta.snapshotPartitions=1"]
    options = " ".join([*submit, "--conf", "spark.sql.shuffle.partitions=2", "pyspark-shell"])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "plan.yaml"), NOW.isoformat()],
        capture_output=True, text=True, timeout=300, env=os.environ | {"PYSPARK_SUBMIT_ARGS": options}, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    small = plan(CHANGES)
    spent = spark.read.format("delta").load(f"{small.output.open.path}/budget").select("run_id", "epsilon")
    assert spent.collect() == [("r1", 3.0)]
    assert not (tmp_path / "open/segment_centers").exists()
    assert not (tmp_path / "restricted/releases").exists()
    result = run(small, spark, run_id="r1")
    assert spent.collect() == [("r1", 3.0)]
    assert result.store.read(catalog.RUNS, "r1").where("status = 'published'").count() == 1
    assert result.segments.count() == 300
