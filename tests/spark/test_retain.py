"""What is due is removed with its files, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from evenhand.cli.main import main
from evenhand.errors import RunConflict
from evenhand.past.runs import runs
from evenhand.people.activate import activate
from evenhand.people.retain import retain
from evenhand.records.alone import alone, others_at_work
from evenhand.records.audit import AuditLog
from evenhand.records.lease import Lease, held
from evenhand.tables import catalog
from published import World, published_world

OF_RUN = (catalog.PREPARED, catalog.SEGMENTS, catalog.INPUT_QUALITY)


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A run and an activation of 14 months ago beside one activation and two runs of now, of which one has not ended."""
    found = published_world(spark, tmp_path_factory.mktemp("retain"))
    store = found.result.store
    for name in ("old", "young"):
        activate(found.plan(), spark, "run-1", f"{found.folder}/{name}", segments=[1, 2, 3], activation_id=f"act-{name}")
    for spec in OF_RUN:
        rows = store.read(spec, "run-1")
        for run_id in ("young-1", "half-1"):
            store.write(spec, rows, run_id)
    runs = store.read(catalog.RUNS, "run-1")
    for run_id, status in (("young-1", "published"), ("half-1", "failed"), ("half-1", "running")):
        row = runs.where("status = 'published'").withColumns({"run_id": F.lit(run_id), "status": F.lit(status)})
        row.write.format("delta").mode("append").save(f"{found.folder}/open/runs")
    old = "SET at = at - INTERVAL 14 MONTHS WHERE"
    spark.sql(f"UPDATE delta.`{found.folder}/open/runs` {old} run_id IN ('run-1', 'half-1')")
    spark.sql(f"UPDATE delta.`{found.folder}/restricted/activations` {old} activation_id = 'act-old'")
    return found


def kept(world: World, spec: catalog.TableSpec, column: str = "run_id") -> set[str]:
    return {row[0] for row in world.result.store.read(spec).select(column).distinct().collect()}


def files(world: World, spec: catalog.TableSpec) -> set[Path]:
    folder = world.folder / "restricted" / spec.name
    return {p for p in folder.rglob("*.parquet") if "_delta_log" not in p.parts}


def test_of_a_run_that_stopped_the_list_says_how(world: World) -> None:
    """Both rows are of one day; which was written last does not count."""
    found = runs(world.plan(), world.spark)
    assert {past.run_id: past.status for past in found} == {"run-1": "published", "young-1": "published", "half-1": "failed"}


def test_nothing_is_removed_while_somebody_is_at_work(world: World) -> None:
    lease = Lease(world.result.store, "at-work")
    lease.take()
    try:
        with pytest.raises(RunConflict, match="at-work is being worked on by process"):
            retain(world.plan(), world.spark)
    finally:
        lease.end(release=True)
    assert kept(world, catalog.PREPARED) == {"run-1", "young-1", "half-1"}


def test_nothing_begins_while_rows_are_removed(world: World) -> None:
    store = world.result.store
    with alone(store), pytest.raises(RunConflict, match="rows are being removed for good by process"):
        Lease(store, "too-early").take()
    with held(store, "later"):
        assert str(others_at_work(store)).startswith("--run-id: run later is being worked on")


def test_what_the_plan_keeps_longer_stays(world: World) -> None:
    longer = dict.fromkeys(("retention.prepared", "retention.segments", "retention.activations", "retention.findings"), "2 years")
    assert retain(world.plan(longer | {"retention.leases": "2 years"}), world.spark) == {}
    assert kept(world, catalog.SEGMENTS) == {"run-1", "young-1", "half-1"}


def test_what_is_due_goes_with_its_files_and_is_said_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (world.folder / "plan.yaml").write_text(world.yaml(), encoding="utf-8")
    assert main(["retain", "--plan", f"{world.folder}/plan.yaml", "--json"]) == 0
    told = capsys.readouterr()
    removed = json.loads(told.out)["removed"]
    assert removed["prepared"] == removed["segments"] == removed["input_quality"] == ["half-1", "run-1"]
    assert removed["activated"] == removed["activations"] == ["act-old"]
    assert "half-1" not in told.err
    for spec in OF_RUN:
        assert kept(world, spec) == {"young-1"}
        assert {p.parent.name for p in files(world, spec)} == {"run_id=young-1"}
    for spec in (catalog.ACTIVATED, catalog.ACTIVATIONS):
        assert kept(world, spec, "activation_id") == {"act-young"}
        named = world.result.store.read(spec).inputFiles()
        assert {p.name for p in files(world, spec)} == {Path(name).name for name in named}
    details = [json.loads(e.details) for e, _ in AuditLog(world.result.store).entries() if e.action == "retain"]
    assert [d["prepared"] for d in details] == [["half-1", "run-1"]]
    assert retain(world.plan(), world.spark) == {}


def test_a_removal_that_was_cut_off_is_finished_by_the_next(world: World) -> None:
    """Rows are out of the newest version, and their files are still there."""
    world.result.store.write(catalog.SEGMENTS, world.result.store.read(catalog.SEGMENTS, "young-1"), "cut-1")
    world.result.store.withdraw(catalog.SEGMENTS, "cut-1")
    assert "run_id=cut-1" in {p.parent.name for p in files(world, catalog.SEGMENTS)}
    retain(world.plan(), world.spark)
    assert {p.parent.name for p in files(world, catalog.SEGMENTS)} == {"run_id=young-1"}
