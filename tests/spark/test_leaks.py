"""After a real spark-submit with its event log: neither the key nor an id stands anywhere that it must not."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conftest import write_key
from evenhand.prepare.pseudonym import Pads
from sample import CUSTOMERS as CUSTOMER_SCHEMA
from sample import KEY, NOW, customer, in_folder, people, plan_yaml, write_source, write_sources

ROOT = Path(__file__).parents[2]
ID = "cust-0007-ünï"
FEATURES = ["tenure", "spent", "visits"]
pytestmark = pytest.mark.slow


JOBS = """
import runpy, sys

job, as_of, good, bad = sys.argv[1:]

def run(plan, run_id):
    sys.argv = [job, "--plan", plan, "--as-of", as_of, "--run-id", run_id]
    runpy.run_path(job, run_name="__main__")

try:
    run(good, "leak-1")
except SystemExit as done:
    assert done.code == 0, done.code
run(bad, "leak-2")
"""


def submit(folder: Path, *plans: str) -> subprocess.CompletedProcess[str]:
    """The job as a scheduler starts it, with everything logged that Spark logs by itself: on one plan, then on another."""
    logs = folder / "events"
    logs.mkdir(exist_ok=True)
    conf = {
        "spark.master": "local[2]",
        "spark.driver.memory": "1500m",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file://{logs}",
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
        "spark.sql.maxPlanStringLength": "10000000",
        "spark.sql.debug.maxToStringFields": "10000",
    }
    options = [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
    (folder / "jobs.py").write_text(JOBS, encoding="utf-8")
    job = [str(folder / "jobs.py"), str(ROOT / "jobs/pipeline.py"), NOW.isoformat(), *[str(folder / plan) for plan in plans]]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "spark-submit"), *options, *job],
        capture_output=True, text=True, timeout=580, cwd=folder, env=os.environ | {"PYSPARK_PYTHON": sys.executable},
    )  # fmt: skip
    (folder / "jobs.stdout").write_text(done.stdout)
    (folder / "jobs.stderr").write_text(done.stderr)
    return done


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run that succeeds, then one that fails on a file that is gone, in one JVM, which takes its time to start."""
    folder = tmp_path_factory.mktemp("leaks")
    write_key(folder / "key", KEY)
    customers, purchases = people(300)
    write_sources(spark, folder, [*customers, customer("twice"), customer("twice", 5.0)], purchases=purchases)
    write_source(spark, folder / "spoiled", [*customers, customer(ID)], CUSTOMER_SCHEMA)
    for file in (folder / "spoiled").glob("*.parquet"):
        file.unlink()
    small = {"privacy.epsilon": 3.0, "privacy.population_total": 6.0, "privacy.expected_customers": 500}
    here = in_folder(folder) | small
    (folder / "plan.yaml").write_text(plan_yaml(here), encoding="utf-8")
    spoiled = {"sources.customers.path": f"{folder}/spoiled", "privacy.population": "spoiled"}
    (folder / "spoiled.yaml").write_text(plan_yaml(here | spoiled), encoding="utf-8")
    done = submit(folder, "plan.yaml", "spoiled.yaml")
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-2000:]  # that of the second
    return folder


def forms(secret: bytes) -> dict[str, bytes]:
    """A secret as it might be written: as it is, in hexadecimal of both cases, in base64 at any offset, as decimals."""
    found = {"raw": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode()}
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + secret)
        found[f"base64 at {offset}"] = encoded[4 if offset else 0 : len(encoded) - 4]
    signed = [b - 256 if b > 127 else b for b in secret[:24]]
    found["bytes"] = ",".join(map(str, secret[:24])).encode()
    found["bytes, spaced"] = ", ".join(map(str, secret[:24])).encode()
    found["signed bytes, spaced"] = ", ".join(map(str, signed)).encode()
    return found


def secrets() -> dict[str, bytes]:
    pads = Pads.of(KEY, "offers", "customer", "test-1")
    return {"key": KEY, "inner pad": pads.inner[:64], "outer pad": pads.outer[:64]}


IDS = [ID, "cust-0000-ünï", "cust-0299-ünï", "cust-0150"]


def contents(path: Path) -> bytes:
    """A file as text or, for Parquet, its values: compressed pages would hide what they hold."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = pq.ParquetFile(path).read()
    return path.read_bytes() + "\n".join(str(v) for c in table.columns for v in c.to_pylist()).encode()


def places(folder: Path) -> dict[str, list[Path]]:
    files = {zone: [p for p in (folder / zone).rglob("*") if p.is_file()] for zone in ("restricted", "open", "reports", "events")}
    files["output"] = [folder / "jobs.stdout", folder / "jobs.stderr"]
    return files


PLACES = ["restricted", "open", "reports", "events", "output"]


@pytest.mark.parametrize("place", PLACES)
def test_the_key_and_its_pads_stand_nowhere_in_any_form(world: Path, place: str) -> None:
    files = places(world)[place]
    assert files
    for path in files:
        text = contents(path)
        for name, secret in secrets().items():
            for form, written in forms(secret).items():
                assert written not in text, f"{name} as {form} in {path}"


@pytest.mark.parametrize("place", PLACES)
def test_ids_stand_nowhere(world: Path, place: str) -> None:
    files = places(world)[place]
    assert files
    for path in files:
        text = contents(path)
        for id in IDS:
            for form, written in {
                "raw": id.encode(),
                "hex": id.encode().hex().encode(),
                "escaped": id.encode("unicode_escape"),
            }.items():
                assert written not in text, f"{id} as {form} in {path}"


def test_the_search_would_have_found_what_it_looks_for(world: Path) -> None:
    assert any(ID.encode() in contents(p) for p in (world / "customers").rglob("*.parquet"))
    log = b"".join(contents(p) for p in places(world)["events"])
    assert b"SparkListenerSQLExecutionStart" in log
    assert b"_inner" in log
    assert b"test-1" in log
    assert base64.b64encode(b"xy" + KEY + b"z").find(forms(KEY)["base64 at 2"]) > 0


def test_no_statistics_of_the_restricted_zone_are_kept(world: Path) -> None:
    logs = list((world / "restricted").rglob("_delta_log/*.json"))
    assert logs
    for path in logs:
        text = path.read_text()
        assert "minValues" not in text, path
        assert "maxValues" not in text, path


def test_no_mail_address_or_other_column_that_the_plan_does_not_name_is_written(world: Path) -> None:
    for zone in ("restricted", "open", "reports"):
        for path in places(world)[zone]:
            assert b"@example.com" not in contents(path), path


def test_the_failed_run_says_one_line_and_names_nobody(world: Path) -> None:
    """On either output: spark-submit puts what Python writes to standard error on its own standard output."""
    printed = "".join((world / f"jobs.{stream}").read_text() for stream in ("stdout", "stderr"))
    lines = [line for line in printed.splitlines() if line.startswith("evenhand: sources.customers: ")]
    assert len(lines) == 1
    assert "lacks files that it was made of; VACUUM may have taken them" in lines[0]
    assert "Traceback" not in printed


def test_what_a_job_prints_and_logs_holds_no_sum_and_no_mean_of_its_customers(spark: Any, world: Path) -> None:
    """Of everybody and of each segment; small sums, which a line number could equal, are left out."""
    tables = [
        spark.read.format("delta").load(f"{world}/restricted/{t}").where("run_id = 'leak-1'") for t in ("prepared", "segments")
    ]
    people = tables[0].join(tables[1].select("pseudonym", "segment"), "pseudonym").select("segment", *FEATURES).toPandas()
    exact: list[float] = []
    for part in (people, *(of for _, of in people.groupby("segment"))):
        for name in FEATURES:
            total, mean = float(part[name].sum()), float(part[name].mean())
            exact += [total] * (total >= 100_000) + [mean] * (mean != round(mean, 2))
    assert len(exact) > 2 * len(FEATURES)
    printed = "".join((world / f"jobs.{stream}").read_text() for stream in ("stdout", "stderr"))
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", printed)]
    assert len(numbers) > 10
    assert [e for e in exact if any(abs(n - e) <= 1e-9 * e for n in numbers)] == []
