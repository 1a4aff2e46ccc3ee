"""Sources: what does not fit the plan is told by table and column before anything is written; nothing else is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import functions as F

from evenhand.errors import SourceError
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.prepare.customers import prepared_customers
from evenhand.prepare.magnitudes import magnitudes
from evenhand.prepare.pseudonym import Pads
from evenhand.prepare.sources import Sources
from evenhand.sources.open import open_sources, pin_versions, vanished_files_named
from evenhand.spark.session import settings
from sample import CONSENT, CUSTOMERS, KEY, NOW, PURCHASES, REMOVED, customer, granted, sources_in, write_source, write_sources

Build = Callable[..., Plan]


@pytest.fixture(scope="module")
def shared(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound sources that no test changes."""
    folder = tmp_path_factory.mktemp("sources")
    write_sources(spark, folder, [customer("a"), customer("b")], purchases=[("a", NOW, 5.0, "x")])
    return folder


@pytest.fixture
def sound(shared: Path) -> dict[str, Any]:
    return sources_in(shared)


def opened(spark: Any, plan: Plan) -> Sources:
    return open_sources(spark, plan, pin_versions(spark, plan))


def refusal(spark: Any, plan: Plan) -> str:
    with pytest.raises(SourceError) as wrong:
        opened(spark, plan)
    assert wrong.value.exit_code == 2
    assert "\n" not in str(wrong.value)
    return str(wrong.value)


def test_each_source_has_the_columns_of_the_plan_and_no_others(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    found = opened(spark, plan(sound))
    assert found.customers.columns == ["customer_id", "years", "sex", "age"]
    assert found.consent.columns == ["customer_id", "purpose", "state", "recorded_at", "expires_at"]
    assert found.events["purchases"].columns == ["customer_id", "purchased_at", "amount"]


def test_the_files_are_read_for_these_columns_only(
    spark: Any, plan: Build, sound: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    built = plan(sound)
    prepared_customers(opened(spark, built), built, NOW, Pads.of(KEY).table(spark)).explain("formatted")
    schemas = [sorted(re.findall(r"(\w+):", s)) for s in re.findall(r"ReadSchema: struct<(.*)>", capsys.readouterr().out)]
    assert sorted(schemas) == sorted(
        [
            sorted(["customer_id", "years", "sex", "age"]),
            sorted(["customer_id", "purpose", "state", "recorded_at", "expires_at"]),
            sorted(["customer_id", "purchased_at", "amount"]),
        ]
    )


@pytest.mark.parametrize("source", ["customers", "consent", "events.purchases"])
def test_a_missing_table_is_told(spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path, source: str) -> None:
    found = refusal(spark, plan(sound | {f"sources.{source}.path": f"{tmp_path}/nowhere"}))
    assert found.startswith(f"sources.{source.split('.')[-1]}: ")
    assert f"{tmp_path}/nowhere is missing" in found


def test_a_folder_of_parquet_is_not_a_delta_table(spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path) -> None:
    spark.createDataFrame([customer("a")], CUSTOMERS).write.parquet(f"{tmp_path}/plain")
    found = refusal(spark, plan(sound | {"sources.customers.path": f"{tmp_path}/plain"}))
    assert found == f"sources.customers: {tmp_path}/plain is not a Delta table; write it with format delta"


def test_a_missing_column_is_told_with_those_that_are_there(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    found = refusal(spark, plan(sound | {"features.0.column": "tenure_years"}))
    assert "has no column tenure_years; it has age, customer_id, email, sex, years" in found


def test_a_renamed_consent_column_is_told(spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path) -> None:
    write_source(spark, tmp_path / "consent", granted(["a"]), CONSENT.replace("state", "decision"))
    found = refusal(spark, plan(sound | {"sources.consent.path": f"{tmp_path}/consent"}))
    assert "has no column state; it has customer_id, decision" in found


@pytest.mark.parametrize("name", ["a.b.c.d", "nowhere.schema.table", "not a name", "`"])
def test_a_name_that_no_catalog_can_have_is_told(spark: Any, plan: Build, sound: dict[str, Any], name: str) -> None:
    changes = {"sources.customers.path": REMOVED, "sources.customers.name": name}
    assert refusal(spark, plan(sound | changes)).startswith("sources.customers: there can be no table ")


def test_a_path_in_a_file_system_that_is_not_there_is_told(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    found = refusal(spark, plan(sound | {"sources.consent.path": "nofs://bucket/consent"}))
    assert found.startswith("sources.consent: nofs://bucket/consent cannot be read (")


def test_a_spoiled_delta_log_is_told(spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "spoiled" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("not JSON, secret")
    found = refusal(spark, plan(sound | {"sources.customers.path": f"{tmp_path}/spoiled"}))
    assert found.startswith(f"sources.customers: {tmp_path}/spoiled cannot be read (")
    assert "secret" not in found


def test_an_event_column_that_an_expression_cannot_compute_on_is_told(
    spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path
) -> None:
    nested = "customer_id STRING, purchased_at TIMESTAMP, amount STRUCT<euro: INT>, item STRING"
    write_source(spark, tmp_path / "nested", [("a", NOW, (5,), "x")], nested)
    changes = {"sources.events.purchases.path": f"{tmp_path}/nested", "features.1.expression": "sum(amount * 2)"}
    found = refusal(spark, plan(sound | changes))
    assert found == (
        "features.spent.expression: Spark cannot compute it (DATATYPE_MISMATCH) from its columns (amount is struct<euro:int>); "
        "correct the expression, or retype the column at its source"
    )


@pytest.mark.parametrize("where", ["amount", "item > purchased_at + 1", "purchased_at + 1 > as_of"])
def test_a_condition_that_is_none_is_told(spark: Any, plan: Build, sound: dict[str, Any], where: str) -> None:
    found = refusal(spark, plan(sound | {"sources.events.purchases.where": where}))
    assert found.startswith("sources.events.purchases.where: Spark cannot compute it (DATATYPE_MISMATCH) from its columns (")


def test_column_names_are_compared_without_case_as_spark_does(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    assert opened(spark, plan(sound | {"features.0.column": "YEARS"})).customers.columns[1] == "YEARS"


RETYPED: dict[str, tuple[str, str, str]] = {
    "a_feature_as_text": ("customers", "customer_id STRING, years STRING, sex STRING, age INT", "column years is string; it must be a number or a date, for feature tenure"),
    "an_amount_as_text": ("purchases", "customer_id STRING, purchased_at TIMESTAMP, amount STRING, item STRING", "column amount is string; it must be a number, to be added up for feature spent"),
    "bands_of_text": ("customers", "customer_id STRING, years DOUBLE, sex STRING, age STRING", "column age is string; it must be a number, for protected attribute age_band"),
    "groups_of_decimals": ("customers", "customer_id STRING, years DOUBLE, sex DOUBLE, age INT", "column sex is double; it must be text, a whole number or a boolean"),
    "booleans_as_text": ("customers", "customer_id STRING, years DOUBLE, sex BOOLEAN, age INT", "column sex is boolean and never f, which a group of gender names; write it true or false"),
    "words_as_numbers": ("customers", "customer_id STRING, years DOUBLE, sex SMALLINT, age INT", "column sex is smallint and never f, which a group of gender names; write it a whole number"),
    "an_id_that_is_a_float": ("customers", "customer_id DOUBLE, years DOUBLE, sex STRING, age INT", "the id column customer_id is double; it must be text, a whole number or binary"),
    "ids_of_two_kinds": ("customers", "customer_id BIGINT, years DOUBLE, sex STRING, age INT", "that of the customers is a whole number; retype one of them"),
    "consent_times_as_text": ("consent", "customer_id STRING, purpose STRING, state STRING, recorded_at STRING, expires_at TIMESTAMP", "column recorded_at is string; it must be a timestamp"),
    "the_latest_by_text": ("customers", "customer_id STRING, years DOUBLE, sex STRING, age INT, at STRING", "column at is string; it must be a timestamp, a date or a number, since keep_latest_by takes the greatest"),
    "the_latest_by_a_map": ("customers", "customer_id STRING, years DOUBLE, sex STRING, age INT, at MAP<STRING, INT>", "column at is map<string,int>; it must be a timestamp, a date or a number"),
    "the_latest_by_a_variant": ("customers", "customer_id STRING, years DOUBLE, sex STRING, age INT, at VARIANT", "column at is variant; it must be a timestamp, a date or a number"),
    "a_field_in_place_of_a_column": ("customers", "customer_id STRING, years DOUBLE, sex STRING, age INT, at STRUCT<time: TIMESTAMP>", "at.time is a field of at, not a column; have it as a column of its own in "),
    "events_without_a_real_time": ("purchases", "customer_id STRING, purchased_at INT, amount DOUBLE", "column purchased_at is int; it must be a timestamp or a date"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "schema", "expected"), RETYPED.values(), ids=RETYPED.keys())
def test_a_retyped_column_is_told_with_what_it_must_be(
    spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path, source: str, schema: str, expected: str
) -> None:
    spark.sql(f"CREATE TABLE delta.`{tmp_path}/{source}` ({schema}) USING delta")  # types are all that is looked at
    changes = {"sources.events.purchases.path" if source == "purchases" else f"sources.{source}.path": f"{tmp_path}/{source}"}
    if " at " in schema:
        by = "at.time" if "STRUCT" in schema else "at"
        changes["sources.customers.duplicates"] = {"keep_latest_by": by}  # type: ignore[assignment]
    assert expected in refusal(spark, plan(sound | changes))


def test_a_word_that_yaml_takes_for_a_boolean_is_told(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    """Norway is NO, which YAML reads as false: nobody would be in the group, and nothing would be said of it."""
    norway = yaml.safe_load("{norway: [NO], sweden: [SE]}")
    found = refusal(spark, plan(sound | {"protected.0.groups": norway}))
    assert found.startswith(
        "sources.customers: column sex is string and never false, which a group of gender names; write it in quotes"
    )
    opened(spark, plan(sound | {"protected.0.groups": {"norway": ["NO"], "sweden": ["SE"]}}))


def test_whole_number_ids_of_different_widths_fit_each_other(
    spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path
) -> None:
    write_source(
        spark,
        tmp_path / "customers",
        [(1, 1.0, "f", 3)],
        CUSTOMERS.replace("customer_id STRING", "customer_id INT").replace(", email STRING", ""),
    )
    write_source(spark, tmp_path / "consent", granted([1]), CONSENT.replace("customer_id STRING", "customer_id BIGINT"))
    write_source(spark, tmp_path / "purchases", [], PURCHASES.replace("customer_id STRING", "customer_id SMALLINT"))
    here = {f"sources.{s}.path": f"{tmp_path}/{s.split('.')[-1]}" for s in ("customers", "consent", "events.purchases")}
    built = plan(here)
    assert prepared_customers(opened(spark, built), built, NOW, Pads.of(KEY).table(spark)).count() == 1


IDS = {"customers": (CUSTOMERS, "customers"), "consent": (CONSENT, "consent"), "purchases": (PURCHASES, "events.purchases")}


@pytest.mark.parametrize(("source", "by"), [("customers", "path"), ("consent", "name"), ("purchases", "path")])
def test_an_id_that_is_padded_with_blanks_is_told_as_no_objection_would_match_it(
    spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path, source: str, by: str
) -> None:
    schema, place = IDS[source]

    def declared(kind: str) -> Plan:
        at = {"path": f"{tmp_path}/{kind}", "name": f"{source}_by_{by}_{kind}"}
        columns = schema.replace("customer_id STRING", f"customer_id {kind}(20)")
        spark.sql(f"CREATE TABLE {at['name']} ({columns}) USING delta LOCATION '{at['path']}'")
        return plan(sound | {f"sources.{place}.path": REMOVED, f"sources.{place}.{by}": at[by]})

    assert refusal(spark, declared("char")) == (
        f"sources.{source}: the id column customer_id is char(20), whose blanks at the end are part of the id elsewhere; "
        "retype it to STRING and take the blanks off, in every source"
    )
    opened(spark, declared("varchar"))


def test_a_group_whose_values_are_padded_with_blanks_is_told_as_nobody_would_be_in_it(
    spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path
) -> None:
    columns = CUSTOMERS.replace("sex STRING", "sex CHAR(5)")
    spark.sql(f"CREATE TABLE padded_groups ({columns}) USING delta LOCATION '{tmp_path}/padded'")
    found = refusal(spark, plan(sound | {"sources.customers.path": f"{tmp_path}/padded"}))
    assert found.startswith("sources.customers: column sex is char(5), whose values end in blanks that no group of gender names")


def test_the_version_of_the_first_look_is_read_to_the_end(spark: Any, plan: Build, tmp_path: Path) -> None:
    write_sources(spark, tmp_path, [customer("a"), customer("b")])
    built = plan()
    versions = pin_versions(spark, built)
    write_source(spark, tmp_path / "customers", [customer("c")], CUSTOMERS)
    assert versions == {"customers": 0, "consent": 0, "purchases": 0}
    assert open_sources(spark, built, versions).customers.count() == 2
    assert opened(spark, built).customers.count() == 1
    stated = plan({"sources.customers.version": 0})
    assert opened(spark, stated).customers.count() == 2
    assert opened(spark, stated).versions["customers"] == 0


def test_a_version_that_does_not_exist_is_told_with_the_newest(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    assert "has no version 7; the newest is 0" in refusal(spark, plan(sound | {"sources.customers.version": 7}))


def test_a_time_before_the_first_version_is_told(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    found = refusal(spark, plan(sound | {"sources.customers.timestamp": "2001-01-01T00:00:00"}))
    assert "has no version at or before 2001-01-01" in found


def test_a_table_can_be_named_by_its_catalog_name(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    spark.createDataFrame([customer("a")], CUSTOMERS).write.format("delta").mode("overwrite").saveAsTable("named_customers")
    by_name = sound | {"sources.customers.path": REMOVED, "sources.customers.name": "named_customers"}
    found = opened(spark, plan(by_name))
    assert found.customers.columns == ["customer_id", "years", "sex", "age"]
    assert found.customers.count() == 1


def test_a_catalog_name_that_is_missing_or_not_delta_is_told(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    named = sound | {"sources.customers.path": REMOVED}
    assert "table no_such_table is missing" in refusal(spark, plan(named | {"sources.customers.name": "no_such_table"}))
    spark.createDataFrame([customer("a")], CUSTOMERS).write.format("parquet").mode("overwrite").saveAsTable("plain_customers")
    assert "table plain_customers is not a Delta table" in refusal(
        spark, plan(named | {"sources.customers.name": "plain_customers"})
    )


def test_a_view_is_told_as_one(spark: Any, plan: Build, sound: dict[str, Any], shared: Path) -> None:
    spark.sql(f"CREATE TEMPORARY VIEW seen AS SELECT * FROM delta.`{shared}/customers`")
    named = sound | {"sources.customers.path": REMOVED, "sources.customers.name": "seen"}
    assert refusal(spark, plan(named)) == (
        "sources.customers: seen is a view, which has no versions to pin; write it as a Delta table and name that"
    )


@pytest.mark.parametrize("by", ["path", "name"])
def test_a_table_feature_that_delta_does_not_know_is_told(
    spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path, by: str
) -> None:
    at = {"path": f"{tmp_path}/future", "name": "future_customers"}
    spark.sql(f"CREATE TABLE {at['name']} (customer_id STRING) USING delta LOCATION '{at['path']}'")
    unknown = '"readerFeatures":["someFutureFeature"],"writerFeatures":["someFutureFeature"]'
    commit = f'{{"protocol":{{"minReaderVersion":3,"minWriterVersion":7,{unknown}}}}}\n'
    (tmp_path / "future/_delta_log/00000000000000000001.json").write_text(commit)
    try:
        found = refusal(spark, plan(sound | {"sources.customers.path": REMOVED, f"sources.customers.{by}": at[by]}))
    finally:
        (tmp_path / "future/_delta_log/00000000000000000001.json").unlink()
        spark.sql(f"DROP TABLE {at['name']}")
    assert found.startswith(f"sources.customers: {at[by]} uses someFutureFeature, which this session's Delta cannot read; ")


def test_a_version_whose_files_are_gone_is_told(spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path) -> None:
    """As VACUUM takes the files that only older versions need; it is told before the run, or, where a run is resumed, when it is read."""
    folder = tmp_path / "customers"
    write_source(spark, folder, [customer("a")], CUSTOMERS)
    old = [f for f in folder.iterdir() if f.suffix == ".parquet"]
    write_source(spark, folder, [customer("b")], CUSTOMERS)
    built = plan(sound | {"sources.customers.path": str(folder)})
    resumed = open_sources(spark, built, pin_versions(spark, built) | {"customers": 0})
    for file in old:
        file.unlink()
    expected = f"sources.customers: version 0 of {folder} lacks files that it was made of; VACUUM may have taken them; "
    assert refusal(spark, plan(sound | {"sources.customers.path": str(folder), "sources.customers.version": 0})).startswith(
        expected
    )
    assert opened(spark, built).customers.count() == 1
    with pytest.raises(SourceError, match="version 0 of .* lacks files"), vanished_files_named(spark, built, resumed):
        resumed.customers.select("years").collect()


def test_columns_with_dots_and_backticks_in_their_names_compute(
    spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path
) -> None:
    """The latest of two rows has 10 of 20 years; of three purchases two are before the run."""
    names = "TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
    columns = "`cust.id` STRING, `ye``ars` DOUBLE, `s.ex` STRING, age INT, `up.to` DATE, born DATE"
    spark.sql(f"CREATE TABLE delta.`{tmp_path}/customers` ({columns}) USING delta {names}")
    spark.sql(
        f"INSERT INTO delta.`{tmp_path}/customers` VALUES ('a', 10, 'f', 40, DATE '2026-02-01', DATE '1970-01-11'), "
        "('a', 5, 'f', 40, DATE '2025-02-01', DATE '1970-01-01')"
    )
    spark.sql(
        f"CREATE TABLE delta.`{tmp_path}/purchases` (customer_id STRING, `order.date` DATE, `größe.m` DOUBLE) USING delta {names}"
    )
    spark.sql(
        f"INSERT INTO delta.`{tmp_path}/purchases` VALUES ('a', DATE '2026-03-01', 250.0), ('a', DATE '2026-01-01', 250.0), "
        "('a', DATE '2026-03-02', 9.0)"
    )
    changes = sound | {
        "sources.customers": {"path": f"{tmp_path}/customers", "id": "cust.id", "duplicates": {"keep_latest_by": "up.to"}},
        "sources.events.purchases": {"path": f"{tmp_path}/purchases", "id": "customer_id", "time": "order.date"},
        "features.0.column": "ye`ars",
        "features.1": {"name": "spent", "why": "t", "events": "purchases", "expression": "sum(`größe.m`)", "bounds": [0, 1000], "missing": 0},
        "features.3": {"name": "born", "why": "a date, in days", "column": "born", "bounds": [0, 20], "missing": 0},
        "protected.0.column": "s.ex",
    }  # fmt: skip
    built = plan(changes)
    assert features_of(spark, built) == [(STEPS // 2, STEPS // 2, STEPS // 8, STEPS // 2, 0, 1)]
    unbounded = plan(changes | {f"features.{i}.bounds": REMOVED for i in range(4)})
    assert magnitudes(opened(spark, unbounded), unbounded, NOW).count() == 1


def test_a_path_with_blanks_quotes_and_backticks_works(spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path) -> None:
    odd = tmp_path / "it's a `folder`"
    write_source(spark, odd, [customer("a")], CUSTOMERS)
    assert opened(spark, plan(sound | {"sources.customers.path": str(odd)})).customers.count() == 1


def features_of(spark: Any, plan: Plan) -> list[tuple[Any, ...]]:
    rows = prepared_customers(opened(spark, plan), plan, NOW, Pads.of(KEY).table(spark))
    return sorted(tuple(r) for r in rows.select(*plan.feature_names, *plan.attribute_names).collect())


def test_spark_puts_no_variable_into_an_expression(spark: Any) -> None:
    """The plan's check refuses ${…}; were one to get through, it stays what it is."""
    with settings(spark, "UTC"):
        assert spark.range(1).select(F.expr("'${spark.app.name}'")).first()[0] == "${spark.app.name}"


def test_an_expression_may_read_the_id_column(spark: Any, plan: Build, sound: dict[str, Any]) -> None:
    changed = {"features.2.expression": "count(customer_id)", "sources.events.purchases.where": "customer_id is not null"}
    assert features_of(spark, plan(sound | changed)) == features_of(spark, plan(sound))


def test_an_expression_may_read_a_column_of_its_own_named_as_databases_name_their_ids(
    spark: Any, plan: Build, sound: dict[str, Any], tmp_path: Path
) -> None:
    rows = [("a", NOW - timedelta(days=i), float(i % 2), i % 3) for i in range(1, 7)]
    write_source(spark, tmp_path / "mongo", rows, "customer_id STRING, purchased_at TIMESTAMP, amount DOUBLE, _id INT")
    exported = sound | {"sources.events.purchases.path": f"{tmp_path}/mongo"}
    distinct = features_of(spark, plan(exported | {"features.2.expression": "count(distinct _id)"}))
    assert distinct == features_of(spark, plan(exported | {"features.2.expression": "count(*) / 2"}))
    assert distinct != features_of(spark, plan(exported | {"features.2.expression": "count(distinct customer_id)"}))


def test_the_order_of_the_plan_decides_the_code_of_a_group(spark: Any, plan: Build, tmp_path: Path) -> None:
    people = [("a", "f", 29), ("b", "m", 30), ("c", "x", 59), ("d", None, 60), ("e", "", None), ("g", "F", -1)]
    write_sources(spark, tmp_path, [customer(i, 1.0, sex, age) for i, sex, age in people])
    found = sorted(r[3:] for r in features_of(spark, plan()))
    assert found == sorted([(0, 0), (1, 1), (2, 1), (3, 2), (2, 3), (2, 0)])


def test_events_at_or_after_the_point_in_time_do_not_count(spark: Any, plan: Build, tmp_path: Path) -> None:
    late = [("a", NOW + timedelta(days=d), 5.0, "x") for d in (0, 1)]
    early = [("a", NOW - timedelta(microseconds=1), 5.0, "x")]
    visits = plan({"features": [{"name": "visits", "why": "t", "events": "purchases", "expression": "count(*)", "bounds": [0, 16], "missing": 0}]})  # fmt: skip
    write_sources(spark, tmp_path, [customer("a")], purchases=late + early)
    assert features_of(spark, visits)[0][0] == 65536 // 16
