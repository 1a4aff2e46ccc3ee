"""Whatever a session was set to, a run writes the same tables, or it is refused before it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conftest import write_key
from evenhand.job.api import run
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import SeededNoise
from evenhand.spark.advised import lacking
from evenhand.spark.session import settings
from evenhand.tables import catalog
from sample import KEY, NOW, in_folder, people, plan_yaml, write_sources

pytestmark = pytest.mark.long  # whole runs

DEFAULTS = "spark.databricks.delta.properties.defaults"
ODD = {
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.collation.objectLevel.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.execution.arrow.useLargeVarTypes": "true",
    "spark.sql.execution.pyspark.binaryAsBytes": "false",
    "spark.sql.files.ignoreMissingFiles": "true",
    "spark.sql.function.concatBinaryAsString": "true",
    "spark.sql.legacy.charVarcharAsString": "true",
    "spark.sql.legacy.timeParserPolicy": "LEGACY",
    "spark.sql.parquet.binaryAsString": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MILLIS",
    "spark.sql.parser.escapedStringLiterals": "true",
    "spark.sql.parser.quotedRegexColumnNames": "true",
    "spark.sql.preserveCharVarcharTypeInfo": "true",
    "spark.sql.readSideCharPadding": "false",
    "spark.sql.retainGroupColumns": "false",
    "spark.sql.runSQLOnFiles": "false",
    "spark.sql.session.timeZone": "America/St_Johns",
    "spark.sql.sources.default": "json",
    "spark.sql.sources.partitionOverwriteMode": "DYNAMIC",
    "spark.sql.storeAssignmentPolicy": "LEGACY",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.databricks.delta.stalenessLimit": "1h",
    f"{DEFAULTS}.appendOnly": "true",
    f"{DEFAULTS}.columnMapping.mode": "name",
    f"{DEFAULTS}.dataSkippingNumIndexedCols": "7",
    f"{DEFAULTS}.enableChangeDataFeed": "true",
    f"{DEFAULTS}.enableDeletionVectors": "true",
}
SPEED = {
    "spark.sql.shuffle.partitions": "3",
    "spark.sql.adaptive.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
}
TIMES = {"at", "run_id"}


def odd_session(spark: Any) -> Any:
    session = spark.newSession()
    for key, value in (ODD | SPEED).items():
        session.conf.set(key, value)
    return session


def test_a_run_in_an_odd_session_writes_what_one_in_a_plain_session_does_into_tables_that_both_can_use(
    spark: Any, tmp_path: Path
) -> None:
    write_key(tmp_path / "key", KEY)
    customers, purchases = people(60)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    changes = {
        "features.2.expression": 'count(if(item = "thing", 1, null))',
        "privacy.epsilon": 20.0,
        "privacy.population_total": 40.0,
        "privacy.expected_customers": 500,
        "segments.k": 2,
        "time_zone": "Europe/Berlin",
    }
    plan, store = parse_plan(plan_yaml(in_folder(tmp_path) | changes)), None
    for run_id, session in (("odd", odd_session(spark)), ("plain", spark)):
        steps = ["prepare", "segment", "assess"]
        store = run(plan, session, as_of=NOW, run_id=run_id, steps=steps, noise=SeededNoise(1)).store
    assert store is not None
    compared = 0
    for spec in catalog.ALL:
        if spec in (catalog.AUDIT_LOG, catalog.BUDGET, catalog.LEASES) or not store.exists(spec):
            continue
        odd, plain = (sorted(map(str, without_times(store.read(spec, run_id)))) for run_id in ("odd", "plain"))
        assert odd == plain, spec.name
        compared += 1
        properties = {row.key: row.value for row in spark.sql(f"SHOW TBLPROPERTIES {store.address(spec)}").collect()}
        ours = {key: value for key, value in properties.items() if "min" not in key}
        assert ours == ({"delta.dataSkippingNumIndexedCols": "0"} if spec.zone == "restricted" else {}), spec.name
    assert compared > 10


def without_times(rows: Any) -> list[Any]:
    """Nor with what is said of the run before, which the first of them does not have."""
    return list(rows.drop(*TIMES, "was", "was_in", "change", "change_low", "change_high").collect())


def test_the_settings_that_decide_what_is_written_are_sparks_own_during_a_run_and_the_sessions_afterwards(spark: Any) -> None:
    session = odd_session(spark)
    before = dict(session.conf.getAll)
    with settings(session, "Europe/Berlin"):
        during = dict(session.conf.getAll)
    assert dict(session.conf.getAll) == before
    assert {key for key in ODD if key in during and during[key] == ODD[key]} == set()
    assert {key: during[key] for key in SPEED} == SPEED
    assert during["spark.sql.session.timeZone"] == "Europe/Berlin"
    assert during["spark.sql.timestampType"] == "TIMESTAMP_LTZ"


def test_a_session_is_given_what_it_should_have_for_the_length_of_a_run_and_told_what_it_cannot_be_given(spark: Any) -> None:
    key, session = "spark.databricks.delta.snapshotPartitions", spark.newSession()
    session.conf.set(key, "3")
    with settings(session, "UTC"):
        assert session.conf.get(key) == "3"  # its own
    session.conf.unset(key)
    with settings(session, "UTC"):
        assert session.conf.get(key) == "8"
    assert key not in session.conf.getAll
    (line,) = lacking(session)  # the tests' session keeps compiled code, and encrypts nothing
    assert "spark.io.encryption.enabled is not true" in line
