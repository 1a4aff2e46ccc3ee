"""Small files are written together, and all that stands in the tables stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from evenhand.cli.main import main
from evenhand.errors import Busy, RunConflict
from evenhand.governance import abandon
from evenhand.governance.maintain import maintain
from evenhand.governance.verify import verify
from evenhand.job.api import run
from evenhand.past.runs import runs
from evenhand.records.audit import AuditLog
from evenhand.records.lease import held
from evenhand.tables import catalog
from evenhand.tables.format import FORMAT
from published import World, published_world

STAGED = (catalog.PREPARED, catalog.SEGMENTS, catalog.SEGMENT_CENTERS)


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    return published_world(spark, tmp_path_factory.mktemp("maintain"))


def rows(world: World) -> dict[str, list[str]]:
    """All rows of all tables, but those that say who was at work."""
    store = world.result.store
    kept = [spec for spec in catalog.ALL if store.exists(spec) and spec not in (catalog.LEASES, catalog.AUDIT_LOG)]
    return {spec.name: sorted(map(str, store.read(spec).collect())) for spec in kept}


def on_disk(world: World, spec: catalog.TableSpec) -> set[str]:
    folder = world.folder / spec.zone / spec.name
    return {path.name for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts}


def newest(world: World, spec: catalog.TableSpec) -> set[str]:
    return {Path(name).name for name in world.result.store.read(spec).inputFiles()}


def test_nothing_is_touched_while_somebody_is_at_work(world: World) -> None:
    before = newest(world, catalog.RUNS)
    with held(world.result.store, "at-work"), pytest.raises(Busy, match="at-work is being worked on by process"):
        maintain(world.plan(), world.spark)
    assert newest(world, catalog.RUNS) == before


def test_each_small_table_is_one_file_with_the_same_rows_and_its_records_still_agree(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [
        spec
        for spec in (catalog.AUDIT_LOG, catalog.RELEASES, catalog.RUNS, catalog.BUDGET_ENTRIES)
        if len(newest(world, spec)) > 1
    ]
    assert catalog.AUDIT_LOG in many and catalog.RUNS in many
    before, entries, read_by_others = rows(world), AuditLog(world.result.store).entries(), newest(world, catalog.RUNS)
    (world.folder / "plan.yaml").write_text(world.yaml(), encoding="utf-8")
    assert main(["maintain", "--plan", f"{world.folder}/plan.yaml", "--json"]) == 0
    fewer = json.loads(capsys.readouterr().out)["fewer"]
    assert fewer.keys() >= {spec.name for spec in many} and fewer["runs"] == len(read_by_others) - 1
    assert rows(world) == before
    for spec in many:
        assert len(newest(world, spec)) == 1, spec.name
    # Whoever has begun to read an open table goes on; of restricted ones nothing old is left.
    assert on_disk(world, catalog.RUNS) >= read_by_others
    assert on_disk(world, catalog.AUDIT_LOG) == newest(world, catalog.AUDIT_LOG)
    assert on_disk(world, catalog.PREPARED) == newest(world, catalog.PREPARED)
    found = AuditLog(world.result.store).entries()
    assert found[: len(entries)] == entries and [entry.action for entry, _ in found[len(entries) :]] == ["maintain"]
    assert f"audit log: {len(found)} entries, none missing or changed" in verify(world.plan(), world.spark)


def test_what_comes_after_it_goes_on_as_before(world: World) -> None:
    """Numbers that are taken stay taken: the ledger, the audit log and the leases are counted on."""
    again = run(world.plan(), world.spark, run_id="run-1", steps=["assess"])  # is published, and stays so
    assert again.run_id == "run-1"
    second = run(world.plan({"privacy.epsilon": 5.0}), world.spark, run_id="run-2", steps=["prepare", "segment", "assess"])
    store = second.store
    assert [row.number for row in store.read(catalog.BUDGET).orderBy("number").collect()] == [1, 2]
    assert "runs: 2 published" in verify(world.plan(), world.spark)
    assert maintain(world.plan(), world.spark).fewer["budget"] == 1


def stopped(world: World, run_id: str, days: int, status: str = "failed", plan: str = "small") -> None:
    """A run of so many days ago that has staged something in each zone, as the published one has."""
    store = world.result.store
    for spec in STAGED:
        store.write(spec, store.read(spec, "run-1").drop("run_id"), run_id)
    changed = {"run_id": run_id, "plan_name": plan}
    row = store.read(catalog.RUNS, "run-1").where("status = 'published'").withColumns({k: F.lit(v) for k, v in changed.items()})
    row = row.withColumn("at", F.date_trunc("DAY", F.current_timestamp()) - F.expr(f"INTERVAL {days} DAYS"))
    for one in {"running", status}:
        row.withColumn("status", F.lit(one)).write.format("delta").mode("append").save(f"{world.folder}/open/runs")


def test_a_run_that_nobody_goes_on_with_is_given_up_and_what_it_had_staged_is_removed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for run_id, days in (("old-1", 31), ("old-2", 400), ("young-1", 28), ("heard-1", 31), ("poor-1", 31), ("other-1", 31)):
        status = {"old-2": "running", "poor-1": "refused"}.get(run_id, "failed")
        stopped(world, run_id, days, status, "other" if run_id == "other-1" else "small")
    log = AuditLog(world.result.store)
    log.add("heard-1", "fail", {})  # of this moment
    spent = world.result.store.read(catalog.BUDGET).count()

    def cut_off(*_: Any) -> None:
        raise KeyboardInterrupt

    for name in ("_mark", "_remove"):  # after the log has it; after `runs` has it, too
        with monkeypatch.context() as patched:
            patched.setattr(abandon, name, cut_off)
            with pytest.raises(KeyboardInterrupt):
                maintain(world.plan(), world.spark)
    assert main(["maintain", "--plan", f"{world.folder}/plan.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["abandoned"] == []  # the one before had come as far as that

    found = {past.run_id: (past.status, past.findings) for past in runs(world.plan(), world.spark)}
    for run_id in ("old-1", "old-2"):
        assert found.pop(run_id) == ("abandoned", ("nobody had gone on with it for 30 days",))
    assert {run_id: status for run_id, (status, _) in found.items()} == {
        "run-1": "published", "run-2": "published", "young-1": "failed", "heard-1": "failed", "poor-1": "refused", "other-1": "failed"
    }  # fmt: skip
    there = {"run-1", "young-1", "heard-1", "poor-1", "other-1"}
    for spec in STAGED:
        assert {r.run_id for r in world.result.store.read(spec).collect()} - {"run-2"} == there, spec.name
    assert on_disk(world, catalog.PREPARED) == newest(world, catalog.PREPARED)
    assert world.result.store.read(catalog.BUDGET).count() == spent
    logged = [entry.run_id for entry, _ in log.entries() if entry.action == "abandon"]
    assert sorted(logged) == ["old-1", "old-2"]  # once each
    assert "runs: 2 published" in verify(world.plan(), world.spark)

    before = rows(world)
    with pytest.raises(RunConflict, match=r"given up on \d{4}-.*what it had spent stays spent; take another id"):
        run(world.plan(), world.spark, run_id="old-1")
    assert rows(world) == before


def test_every_table_says_in_which_format_it_is(world: World) -> None:
    """Written together, cleaned and deleted from, each still does."""
    store = world.result.store
    there = [spec for spec in catalog.ALL if store.exists(spec)]
    assert len(there) > 15
    said = {spec.name: [f.metadata[FORMAT] for f in store.read(spec).schema if f.metadata] for spec in there}
    assert said == {spec.name: [spec.format] for spec in there}


def test_a_table_of_a_later_version_stops_every_command_before_it_reads_or_writes(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The zones are those of a version to come: this one knows no format of the ledger."""
    (world.folder / "plan.yaml").write_text(world.yaml(), encoding="utf-8")
    before = rows(world)
    with monkeypatch.context() as patched:
        patched.setattr("evenhand.tables.format.FORMAT", "evenhand.other")  # which no table says, so all seem to be of the first
        patched.setattr("evenhand.tables.format.FIRST", 2)
        for command in (["run", "--run-id", "next"], ["verify"], ["runs", "list"], ["maintain"]):
            assert main([*command, "--plan", f"{world.folder}/plan.yaml"]) == 2, command
            lines = [
                line
                for line in capsys.readouterr().err.splitlines()
                if line.startswith("evenhand: ") and " is in format 2 " in line
            ]
            assert len(lines) == 1 and "later version wrote" in lines[0], command
    assert rows(world) == before
