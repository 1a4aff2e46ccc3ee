"""A job on a cluster of processes: executors that have no Python, and that are killed while they work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pyspark
import pytest

from conftest import write_key
from evenhand.governance.verify import verify
from evenhand.plan.load import load_plan
from evenhand.tables.catalog import BUDGET, RUNS, SEGMENTS
from evenhand.tables.store import Store
from sample import KEY, NOW, in_folder, people, plan_yaml, write_sources

pytestmark = pytest.mark.long  # five processes of Java

ROOT = Path(__file__).parents[2]
SUBMIT = Path(sys.executable).parent / "spark-submit"
PLAN = {"privacy.epsilon": 3.0, "privacy.population_total": 3.0, "privacy.expected_customers": 500}
STEPS = ("[1/4]", "[2/4]", "[3/4]")
UNDER_WAY = 2.0  # seconds after a step says that it begins


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The master's address, and the cluster's folder."""
    folder = tmp_path_factory.mktemp("cluster")
    script = str(ROOT / "scripts/cluster")
    started = subprocess.run([script, "start", str(folder)], capture_output=True, text=True, timeout=300, check=True)
    pids = [int(file.read_text()) for file in folder.glob("*.pid")]
    assert len(pids) == 3
    try:
        yield started.stdout.strip(), folder
    finally:
        subprocess.run([script, "stop", str(folder)], timeout=60, check=True)
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            break
        time.sleep(0.1)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def executors(folder: Path) -> list[int]:
    """The process numbers of this cluster's executors, the oldest first."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line, place = (process / "cmdline").read_bytes(), os.readlink(process / "cwd")
        except OSError:  # it is gone by now
            continue
        if b"CoarseGrainedExecutorBackend" in line and place.startswith(str(folder)):
            found.append(int(process.name))
    return sorted(found)


def two_parts(folder: Path) -> Path:
    """The settings that docs/operating.md tells a cluster to take."""
    ours = (Path(pyspark.__file__).parent / "conf/spark-defaults.conf").read_text(encoding="utf-8")
    path = folder / "cluster.conf"
    path.write_text(ours.partition("# 3.")[0], encoding="utf-8")
    return path


def test_a_run_is_published_once_although_an_executor_is_killed_in_each_step_on_customers(
    spark: Any, cluster: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = cluster
    write_key(tmp_path / "key", KEY)
    customers, purchases = people(300)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    (tmp_path / "plan.yaml").write_text(plan_yaml(in_folder(tmp_path) | PLAN), encoding="utf-8")
    conf = [
        "spark.driver.memory=1500m",
        "spark.driver.host=127.0.0.1",
        "spark.sql.shuffle.partitions=4",
        "spark.ui.enabled=false",
    ]
    options = [
        "--master",
        address,
        "--properties-file",
        str(two_parts(tmp_path)),
        *(part for one in conf for part in ("--conf", one)),
    ]
    job = [
        str(ROOT / "jobs/pipeline.py"),
        "--plan",
        str(tmp_path / "plan.yaml"),
        "--as-of",
        NOW.isoformat(),
        "--run-id",
        "r1",
        "--json",
    ]
    environment = os.environ | {"PYSPARK_PYTHON": "/no/python/here", "PYSPARK_DRIVER_PYTHON": sys.executable}
    killed: list[int] = []

    def kill() -> None:
        if there := executors(folder):
            os.kill(there[0], signal.SIGKILL)
            killed.append(there[0])

    said, steps = list[str](), list(STEPS)
    with subprocess.Popen(
        [str(SUBMIT), *options, *job], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            said.append(line)
            if steps and steps[0] in line:
                steps.pop(0)
                Timer(UNDER_WAY, kill).start()
    assert run.returncode == 0, "".join(said)[-4000:]
    assert len(killed) == len(set(killed)) == len(STEPS), "".join(said)[-4000:]
    facts = json.loads(next(line for line in said if line.startswith("{")))
    assert (facts["run_id"], facts["status"]) == ("r1", "published")
    plan = load_plan(tmp_path / "plan.yaml")
    store = Store(spark, plan.output)
    rows = store.read(SEGMENTS, "r1")
    assert (rows.count(), rows.select("pseudonym").distinct().count()) == (300, 300)
    assert store.read(RUNS, "r1").where("status = 'published'").count() == 1
    assert [(row.run_id, row.epsilon) for row in store.read(BUDGET).collect()] == [("r1", 3.0)]
    assert "runs: 1 published, each as the audit log says" in verify(plan, spark)
    # Both workers had a part in it, and what was killed was replaced.
    launched = (folder / "master.log").read_text(encoding="utf-8").count("Launching executor")
    assert launched >= 2 + len(STEPS)
    assert all(list(folder.glob(f"work-{number}/app-*/*/stderr")) for number in (1, 2))
