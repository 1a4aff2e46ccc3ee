"""The demo over Spark Connect gives what it gives on a classic session. A real server, a client in its own process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from conftest import SETTINGS, demo_plan, make_demo
from evenhand.api import run
from evenhand.plan.load import load_plan
from evenhand.privacy.noise import SeededNoise

HERE = Path(__file__).parent
CUSTOMERS, AS_OF = 10_000, "2026-11-01"
pytestmark = pytest.mark.slow

CLIENT = """
import json, sys
from datetime import datetime
from pyspark.sql import SparkSession
from evenhand.api import run
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


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's tables at reduced size, and its plan twice, each with places of its own to write to."""
    found = tmp_path_factory.mktemp("connect")
    sources = make_demo(found, CUSTOMERS)
    for name in ("classic", "remote"):
        demo_plan(sources, found / name, expected=8_000)
    return found


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A Connect server on a free loopback port, stopped at the end with all that it started."""
    port = free_port()
    conf = SETTINGS | {"spark.master": "local[2]", "spark.connect.grpc.binding.port": str(port)}
    conf |= {"spark.connect.grpc.binding.address": "127.0.0.1", "spark.sql.warehouse.dir": str(folder / "warehouse")}
    options = [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
    command = [str(Path(sys.executable).parent / "spark-submit"), *options]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    log = (folder / "server.log").open("w")
    server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        for _ in range(240):
            if is_listening(port):
                break
            assert server.poll() is None, (folder / "server.log").read_text()
            time.sleep(0.5)
        else:
            pytest.fail((folder / "server.log").read_text())
        yield f"sc://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        log.close()


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
    assert 3 <= len(expected["centers"]) <= 8
    assert expected["fairness_summary"]
    for table, rows in expected.items():
        assert there["figures"][table] == rows, table
    assert there["report"]
    assert "same" in there["text"]
