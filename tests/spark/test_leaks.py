"""After a real spark-submit with its event log: neither the key nor an id stands anywhere that it must not."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyspark
import pytest
from pyspark.core import context

from conftest import write_key
from evenhand.prepare.pseudonym import Pads
from sample import CUSTOMERS as CUSTOMER_SCHEMA
from sample import KEY, NOW, customer, in_folder, people, plan_yaml, write_source, write_sources

ROOT = Path(__file__).parents[2]
ID = "cust-0007-ünï"
FEATURES = ["tenure", "spent", "visits"]
pytestmark = pytest.mark.long


JOBS = """
import os, runpy, sys
import evenhand
from pyspark.sql import SparkSession
from test_leaks import Keeping

def refused(what, spark):
    try:
        evenhand.run(evenhand.load_plan(good), spark)
    except evenhand.EvenhandError as wrong:
        print(f"{what}: {wrong}")

os.makedirs("handed_over")
Keeping.install("handed_over")
job, as_of, good, bad = sys.argv[1:]

def run(plan, run_id):
    sys.argv = [job, "--plan", plan, "--as-of", as_of, "--run-id", run_id]
    runpy.run_path(job, run_name="__main__")

try:
    run(good, "leak-1")
except SystemExit as done:
    assert done.code == 0, done.code
spark = SparkSession.getActiveSession()
try:
    run(bad, "leak-2")
finally:
    spark.stop()
    refused("a stopped session", spark)
    builtin = {"spark.sql.extensions": "", "spark.sql.catalog.spark_catalog": "builtin"}
    refused("a session without Delta", SparkSession.builder.config(map=builtin).getOrCreate())
"""


class Keeping:
    """The module `os` for PySpark, with a copy of each file that PySpark hands over to Spark and deletes."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @classmethod
    def install(cls, folder: str) -> None:
        context.os = cls(folder)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def unlink(self, path: str) -> None:
        shutil.copy(path, self.folder)
        os.unlink(path)


def as_on_a_cluster(folder: Path) -> Path:
    """A folder of settings with what the docs tell a cluster to take and nothing else: Spark logs as it does by itself."""
    ours = (Path(pyspark.__file__).parent / "conf/spark-defaults.conf").read_text(encoding="utf-8").splitlines()
    three = [line for line in ours if line.startswith(("spark.jars", "spark.sql.extensions", "spark.sql.catalog."))]
    assert len(three) == 3
    folder.mkdir()
    (folder / "spark-defaults.conf").write_text("\n".join(three), encoding="utf-8")
    return folder


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
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    surroundings = {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": path, "SPARK_CONF_DIR": str(as_on_a_cluster(folder / "conf"))}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "spark-submit"), *options, *job],
        capture_output=True, text=True, timeout=580, cwd=folder, env=os.environ | surroundings,
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
    # A text where the plan wants a number: what cannot be computed with is in no message.
    purchases = [(id, at, amount, f"said by {id}") for id, at, amount, _ in purchases]
    write_sources(spark, folder, [*customers, customer("twice"), customer("twice", 5.0)], purchases=purchases)
    write_source(spark, folder / "spoiled", [*customers, customer(ID)], CUSTOMER_SCHEMA)
    for file in (folder / "spoiled").glob("*.parquet"):
        file.unlink()
    small = {"privacy.epsilon": 3.0, "privacy.population_total": 6.0, "privacy.expected_customers": 500}
    here = in_folder(folder) | small | {"features.2.expression": "sum(cast(item as double))"}
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


def test_nothing_is_handed_over_to_spark_on_disk(world: Path) -> None:
    assert list((world / "handed_over").iterdir()) == []


def test_a_copy_of_what_is_handed_over_on_disk_would_have_been_found(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a session without the encryption that the jobs turn on."""
    monkeypatch.setattr(context, "os", Keeping(str(tmp_path)))
    Pads.of(KEY, "offers", "customer", "test-1").table(spark)
    found = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert secrets()["inner pad"] in found
    assert secrets()["outer pad"] in found


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


def test_what_is_logged_holds_no_statistics_of_files(world: Path) -> None:
    """Delta notes those of every file of a table that it opens: the least and greatest values, and how many rows there are."""
    for path in places(world)["output"]:
        assert not re.search(r"numRecords|minValues|maxValues", contents(path).decode("utf-8", "replace")), path


def test_the_search_would_have_found_what_it_looks_for(world: Path) -> None:
    assert any(ID.encode() in contents(p) for p in (world / "customers").rglob("*.parquet"))
    log = b"".join(contents(p) for p in places(world)["events"])
    assert b"SparkListenerSQLExecutionStart" in log
    assert b"(TID " in b"".join(contents(p) for p in places(world)["output"])  # Spark's own lines about tasks are there
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


def test_a_session_that_cannot_be_used_is_told_in_one_line(world: Path) -> None:
    printed = (world / "jobs.stdout").read_text()
    assert "a stopped session: this Spark session is stopped, or its server cannot be reached (" in printed
    assert (
        "a session without Delta: this Spark session has no Delta; take evenhand.session() in its place, or start it with spark.jars.packages="
        in printed
    )


def test_what_a_job_prints_and_warns_of_holds_no_sum_and_no_mean_of_its_customers(spark: Any, world: Path) -> None:
    """Of everybody and of each segment; small sums, which a line number could equal, are left out. So is what Spark notes by itself,
    with thousands of sizes and durations, some of which would equal a sum by chance.
    """
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
    printed = "\n".join(line for line in printed.splitlines() if " INFO " not in line)
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", printed)]
    assert len(numbers) > 10
    assert [e for e in exact if any(abs(n - e) <= 1e-9 * e for n in numbers)] == []
