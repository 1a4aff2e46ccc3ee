"""Small files are written together, and all that stands in the tables stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evenhand.cli.main import main
from evenhand.errors import Busy
from evenhand.governance.maintain import maintain
from evenhand.governance.verify import verify
from evenhand.job.api import run
from evenhand.records.audit import AuditLog
from evenhand.records.lease import held
from evenhand.tables import catalog
from published import World, published_world


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
    assert maintain(world.plan(), world.spark)["budget"] == 1
