"""A process that ends the moment before it adds noise: the budget is spent, nothing is out, the run can go on.

While it lives, no other takes its run. Ctrl-C ends it as a kill does, with nothing tidied up, and says how to go on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import RunConflict
from evenhand.job.api import run
from evenhand.plan.models import Plan
from evenhand.tables import catalog
from sample import NOW, in_folder, people, plan_yaml, write_sources

CHANGES = {"privacy.epsilon": 3.0, "privacy.population_total": 7.0, "privacy.expected_customers": 500}
KILLED = """
import pathlib, sys, time
import evenhand.job.api
from evenhand.cli.main import main

class Waiting:
    private = True
    def add(self, exact, noise):
        pathlib.Path(sys.argv[1]).touch()
        time.sleep(600)

evenhand.job.api.OpenDPNoise = Waiting
sys.exit(main(["prepare", *sys.argv[2:]]) or main(["segment", *sys.argv[2:]]))
"""


@pytest.mark.long
def test_a_run_cut_off_between_spending_and_noise_has_spent_and_goes_on_at_once(
    spark: Any, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    customers, purchases = people(300)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    (tmp_path / "plan.yaml").write_text(plan_yaml(in_folder(tmp_path) | CHANGES), encoding="utf-8")
    small, drawing = plan(CHANGES), tmp_path / "drawing"
    submit = ["--master", "local[2]", "--driver-memory", "1500m", "--conf", "spark.databricks.delta.snapshotPartitions=1"]
    options = " ".join([*submit, "--conf", "spark.sql.shuffle.partitions=2", "pyspark-shell"])
    arguments = [sys.executable, "-c", KILLED, str(drawing), "--plan", str(tmp_path / "plan.yaml"), "--as-of", NOW.isoformat()]
    environment = os.environ | {"PYSPARK_SUBMIT_ARGS": options}
    said = tmp_path / "said"
    with said.open("w") as err, subprocess.Popen([*arguments, "--run-id", "r1"], env=environment, stderr=err) as other:
        try:
            wait_for(drawing, other)
            with pytest.raises(RunConflict, match=f"run r1 is being worked on by process {other.pid} on .* start it again"):
                run(small, spark, run_id="r1")
            other.send_signal(signal.SIGINT)
            other.wait(60)
        finally:
            other.kill()
    assert other.returncode == 130
    assert [line for line in said.read_text().splitlines() if line.startswith(("evenhand:", "Traceback"))][-1] == (
        "evenhand: interrupted; start it again with --run-id r1, and it goes on where it stopped; what it has spent is not spent again"
    )
    spent = spark.read.format("delta").load(f"{small.output.open.path}/budget").select("run_id", "epsilon")
    assert spent.collect() == [("r1", 3.0)]
    assert not (tmp_path / "open/segment_centers").exists()
    assert not (tmp_path / "restricted/releases").exists()
    result = run(small, spark, run_id="r1")
    assert spent.collect() == [("r1", 3.0)]
    assert result.store.read(catalog.RUNS, "r1").where("status = 'published'").count() == 1
    assert result.segments.count() == 300


def wait_for(file: Path, other: subprocess.Popen[bytes]) -> None:
    for _ in range(3000):
        if file.exists():
            return
        assert other.poll() is None, f"ended with {other.returncode} before it drew noise"
        time.sleep(0.1)
    raise AssertionError("drew no noise in five minutes")
