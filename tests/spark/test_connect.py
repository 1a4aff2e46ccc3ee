"""The demo over Spark Connect gives what it gives on a classic session. A real server, a client in its own process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from conftest import demo_plan, make_demo
from evenhand.job.api import run
from evenhand.plan.load import load_plan
from evenhand.privacy.noise import SeededNoise

HERE = Path(__file__).parent
CUSTOMERS, AS_OF = 10_000, "2026-11-01"
pytestmark = pytest.mark.long

CLIENT = """
import json, sys
from datetime import datetime
from pyspark.sql import SparkSession
from evenhand.job.api import run
from evenhand.plan.load import load_plan
from evenhand.privacy.noise import SeededNoise
from test_connect import figures

plan, url, as_of = sys.argv[1:]
spark = SparkSession.builder.remote(url).getOrCreate()
assert "connect" in type(spark).__module__, type(spark)
result = run(load_plan(plan), spark, as_of=datetime.fromisoformat(as_of), run_id="same", noise=SeededNoise(1))
print(json.dumps({"figures": figures(result), "report": result.report.exists(), "text": str(result)}))
"""


def figures(result: Any) -> dict[str, list[Any]]:
    """What a run published, as rows in a fixed order."""
    tables = {
        "centers": result.centers.orderBy("segment").drop("run_id"),
        "profiles": result.profiles.orderBy("segment", "measure").drop("run_id"),
        "fairness_stats": result.fairness_stats.orderBy("attribute", "group", "segment").drop("run_id"),
        "fairness_summary": result.fairness_summary.orderBy("attribute", "metric").drop("run_id"),
        "sizes": result.segments.groupBy("segment").count().orderBy("segment"),
    }
    return {name: [list(row) for row in rows.collect()] for name, rows in tables.items()}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def folder(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's tables at reduced size, and its plan twice, each with places of its own to write to."""
    found = tmp_path_factory.mktemp("connect")
    sources = make_demo(found, CUSTOMERS)
    for name in ("classic", "remote"):
        path = demo_plan(sources, found / name, expected=8_000)
        plan = path.read_text(encoding="utf-8")
        assert "at_most: 8" in plan  # that many are chosen from on the driver, whatever the session
        path.write_text(plan.replace("at_most: 8", "at_most: 4"), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def url(spark: Any) -> Iterator[str]:
    """Spark's own Connect server on a free loopback port, in the JVM of the tests, which need not start another."""
    port, jvm = free_port(), spark._jvm
    conf, server = jvm.org.apache.spark.SparkEnv.get().conf(), jvm.org.apache.spark.sql.connect.service.SparkConnectService
    conf.set("spark.connect.grpc.binding.port", str(port))
    conf.set("spark.connect.grpc.binding.address", "127.0.0.1")
    server.start(spark.sparkContext._jsc.sc())
    yield f"sc://127.0.0.1:{port}"
    server.stop(jvm.scala.Option.empty(), jvm.scala.Option.empty())


def test_the_same_plan_gives_the_same_result_over_spark_connect(spark: Any, folder: Path, url: str) -> None:
    here = run(
        load_plan(folder / "classic" / "plan.yaml"),
        spark,
        as_of=datetime.fromisoformat(AS_OF),
        run_id="same",
        noise=SeededNoise(1),
    )
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(folder / "remote" / "plan.yaml"), url, AS_OF],
        capture_output=True, text=True, timeout=500, cwd=folder, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    there = json.loads(done.stdout.splitlines()[-1])
    expected = json.loads(json.dumps(figures(here)))
    assert 3 <= len(expected["centers"]) <= 4
    assert expected["fairness_summary"]
    for table, rows in expected.items():
        assert there["figures"][table] == rows, table
    assert there["report"]
    assert "same" in there["text"]
