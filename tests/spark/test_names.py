"""Everything by name: sources, zones and destinations are tables and schemas of a catalog that lasts, Hive's with its own small database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from pyspark.sql import functions as F

from at_once import SMALL, publish_at_once
from conftest import SETTINGS, write_key
from evenhand.cli.main import main
from evenhand.errors import OutputError, StorageError
from evenhand.plan.load import parse_plan
from evenhand.tables import store as written
from evenhand.tables.catalog import ALL, BUDGET, PREPARED, RUNS, SEGMENTS
from evenhand.tables.store import Store
from jvm import Jvm
from sample import KEY, REMOVED, as_yaml, in_folder, people, plan_dict, write_sources

pytestmark = pytest.mark.long  # a JVM of its own, four runs and an erasure

ZONES = ("restricted", "open", "erasures")
SOURCES = ("customers", "consent", "purchases")
COUNT = 300


@pytest.fixture(scope="module")
def spark(jvm: Jvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session with a metastore, in place of the one of the other tests."""
    jvm.stop()
    folder = tmp_path_factory.mktemp("hive")
    hive = {
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/metastore;create=true",
        "spark.driver.extraJavaOptions": f"-Dderby.stream.error.file={folder}/derby.log",
    }
    own = Jvm(SETTINGS | hive, folder / "log")
    session = own.session()
    session.sql("CREATE SCHEMA shop")
    session.sql("CREATE SCHEMA crm")
    yield session
    assert "HiveAlterHandler" not in (folder / "log").read_text(errors="replace")  # Hive says there what it refuses
    own.stop()


@pytest.fixture(scope="module")
def folder(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, registered in the catalog."""
    folder = tmp_path_factory.mktemp("names")
    write_key(folder / "key", KEY)
    write_sources(spark, folder, people(COUNT)[0])
    for source in SOURCES:
        spark.sql(f"CREATE TABLE shop.{source} USING delta LOCATION '{folder}/{source}'")
    return folder


def by_name(folder: Path, zones: str) -> dict[str, Any]:
    """The changes of the base plan that name its sources and zones, with the key and the reports in the folder."""
    changes: dict[str, Any] = in_folder(folder) | SMALL
    for source in ("customers", "consent"):
        changes |= {f"sources.{source}.path": REMOVED, f"sources.{source}.name": f"shop.{source}"}
    for zone in ZONES:
        changes |= {f"output.{zone}": {"schema": f"{zones}_{zone}"}}
    for path in ("sources.events.purchases.path", "output.restricted.path", "output.open.path"):
        del changes[path]
    return changes


def make_schemas(spark: Any, zones: str) -> None:
    for zone in ZONES:
        spark.sql(f"CREATE SCHEMA {zones}_{zone}")


class Commands:
    """The commands on one plan, each of which must end well; hands back what they say."""

    def __init__(self, plan: Path, said: pytest.CaptureFixture[str]) -> None:
        self._plan, self._said = plan, said

    def __call__(self, command: str, *more: str) -> str:
        assert main([*command.split(), "--plan", str(self._plan), *more]) == 0, self._said.readouterr().err
        return self._said.readouterr().out


def test_two_runs_and_all_that_is_done_with_them_work_by_name(
    spark: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_schemas(spark, "whole")
    plan = folder / "plan.yaml"
    plan.write_text(as_yaml(plan_dict(by_name(folder, "whole"))), encoding="utf-8")
    store = Store(spark, parse_plan(plan.read_text(encoding="utf-8")).output)
    command = Commands(plan, capsys)

    assert "customers: shop.customers (newest version)" in command("check")
    today = datetime.now(UTC)
    for run_id, days in (("first", 7), ("second", 0)):
        command("run", "--as-of", (today - timedelta(days=days)).isoformat(), "--run-id", run_id)
    assert (folder / "reports/second.html").exists()
    assert store.read(SEGMENTS, "first").count() == store.read(SEGMENTS, "second").count() == COUNT
    assert "numbers: as in run first" in command("runs show", "second")
    assert "second" in command("runs list") and "status: published" in command("runs compare", "first", "second")
    assert "2 published" in command("verify")

    chosen = ("--run-id", "second", "--segments", "1,2")
    for _ in range(2):  # again under its id it adds nothing
        command("activate", *chosen, "--to", "crm.reached", "--activation", "a1")
    reached = [row.id for row in spark.table("crm.reached").collect()]
    assert len(reached) == len(set(reached)) == COUNT
    for place, why in (("whole_restricted.reached", "lie inside each other"), ("no_schema.reached", "create its schema")):
        assert main(["activate", "--plan", str(plan), *chosen, "--to", place]) == 2
        assert why in capsys.readouterr().err
    command("score", "--run-id", "second", "--as-of", today.isoformat(), "--scoring", "s1")
    assert store.read(SEGMENTS, "s1").count() == COUNT

    gone = reached[0]
    asks = spark.createDataFrame([(gone, today)], "customer_id STRING, requested_at TIMESTAMP")
    asks.write.format("delta").saveAsTable("crm.requests")
    assert "is in none of the" in command("erase", "--requests", "crm.requests")
    assert {store.read(table, run).count() for table in (PREPARED, SEGMENTS) for run in ("first", "second")} == {COUNT - 1}
    command("recall", "--activation", "a1")
    assert [(row.id, row.reason) for row in spark.table("crm.reached_recall").collect()] == [(gone, "erased")]

    assert "nothing is due" in command("retain")
    assert "runs: " in command("maintain")
    assert "3 published" in command("verify")
    made = {row.tableName for zone in ZONES for row in spark.sql(f"SHOW TABLES IN whole_{zone}").collect()}
    assert made <= {spec.name for spec in ALL}
    for zone in ("restricted", "erasures"):  # the smallest and greatest values of a file would stand in the log
        places = [spec for spec in ALL if spec.zone == zone and store.exists(spec)]
        details = [spark.sql(f"DESCRIBE DETAIL {store.address(spec)}").select("properties").first() for spec in places]
        assert {detail.properties["delta.dataSkippingNumIndexedCols"] for detail in details} == {"0"}


def test_two_at_once_are_published_in_schemas_without_tables(spark: Any, folder: Path) -> None:
    make_schemas(spark, "at_once")
    here = by_name(folder, "at_once")
    publish_at_once(spark, [("first", here), ("second", here)])


def test_one_runs_rows_are_replaced_and_those_of_others_stay_also_with_a_new_column(spark: Any, folder: Path) -> None:
    make_schemas(spark, "rows")
    store = Store(spark, parse_plan(as_yaml(plan_dict(by_name(folder, "rows")))).output)
    rows = spark.createDataFrame([(b"a", "k", 1), (b"b", "k", 2)], "pseudonym BINARY, key_id STRING, segment INT")
    store.write(SEGMENTS, rows, "one")
    store.write(SEGMENTS, rows.withColumn("extra", F.lit(1)), "two")
    store.write(SEGMENTS, rows.limit(1), "one")
    found = {(row.run_id, row["count"]) for row in store.read(SEGMENTS).groupBy("run_id").count().collect()}
    assert found == {("one", 1), ("two", 2)}
    assert [row.extra for row in store.read(SEGMENTS, "two").collect()] == [1, 1]


def test_a_folder_that_the_catalog_does_not_know_as_its_table_is_told(
    spark: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "WAIT", 0.01)
    make_schemas(spark, "unknown")
    store = Store(spark, parse_plan(as_yaml(plan_dict(by_name(folder, "unknown")))).output)
    place = spark.catalog.getDatabase("unknown_open").locationUri.removeprefix("file:") + "/budget"
    rows = spark.createDataFrame([("testers", 1)], "population STRING, number BIGINT")
    rows = spark.createDataFrame([], BUDGET.columns).unionByName(rows, allowMissingColumns=True)
    rows.write.format("delta").save(place)
    with pytest.raises(
        StorageError, match="the catalog lacks it; CREATE TABLE unknown_open.budget USING delta LOCATION '"
    ) as wrong:
        store.append_once(BUDGET, rows.toArrow(), "testers")
    spark.sql(str(wrong.value).split("; ")[1])
    assert store.read(BUDGET).count() == 1
    spark.sql("DROP TABLE unknown_open.budget")
    shutil.rmtree(f"{place}/_delta_log")
    with pytest.raises(StorageError, match=rf"{place} holds what a first write .* has left; empty that folder"):
        store.append_once(BUDGET, rows.toArrow(), "testers")


@pytest.mark.parametrize("schema", ["nowhere", "no.such.catalog", "not a name"])
def test_a_zone_in_a_schema_that_is_missing_is_told(spark: Any, folder: Path, schema: str) -> None:
    output = parse_plan(as_yaml(plan_dict(by_name(folder, "whole") | {"output.open.schema": schema}))).output
    with pytest.raises(OutputError, match=f"output.open.schema: {schema} is missing; create it, or name the one that holds"):
        Store(spark, output).refuse_foreign_content()


def test_a_schema_whose_tables_would_lie_in_the_restricted_zone_is_told(spark: Any, folder: Path, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA inside LOCATION '{tmp_path}/restricted/open'")
    changes = {"output.restricted": {"path": f"{tmp_path}/restricted"}, "output.open.schema": "inside"}
    output = parse_plan(as_yaml(plan_dict(by_name(folder, "whole") | changes))).output
    with pytest.raises(OutputError, match=f"lie inside each other, {tmp_path}/restricted and "):
        Store(spark, output).refuse_foreign_content()
    assert not Store(spark, output).exists(RUNS)


def test_a_table_that_another_run_is_about_to_register_is_waited_for(spark: Any, folder: Path) -> None:
    """Delta writes the first commit, and tells the catalog afterwards."""
    make_schemas(spark, "late")
    store = Store(spark, parse_plan(as_yaml(plan_dict(by_name(folder, "late")))).output)
    place = spark.catalog.getDatabase("late_open").locationUri.removeprefix("file:") + "/budget"
    spark.createDataFrame([], BUDGET.columns).write.format("delta").save(place)
    register = Timer(1.5, lambda: spark.sql(f"CREATE TABLE late_open.budget USING delta LOCATION '{place}'"))
    register.start()
    store.append_once(BUDGET, spark.createDataFrame([], BUDGET.columns), "testers")
    register.join()
    assert store.read(BUDGET).count() == 0
