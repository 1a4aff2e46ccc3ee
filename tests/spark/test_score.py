"""Scoring: today's customers in an earlier run's segments, at no cost, with today's consent and key, all of it or nothing."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from conftest import write_key
from evenhand.cli.main import main
from evenhand.errors import EvenhandError, RunConflict
from evenhand.governance.verify import verify
from evenhand.job.api import run
from evenhand.past.runs import runs
from evenhand.people.access import access
from evenhand.people.activate import activate
from evenhand.people.published import published_run, require_fresh
from evenhand.people.score import score
from evenhand.records.audit import AuditLog
from evenhand.records.last import last_published
from evenhand.tables import catalog
from evenhand.tables.store import Store
from published import World, pseudonym, published_world
from sample import CUSTOMERS, PURCHASES, REMOVED, granted

pytestmark = pytest.mark.long  # runs, and what is scored by them

NEW_KEY = b"another key of thirty-two bytes or more"
NEWCOMER, MOVED, LEFT = "new-0001", 1, 0


# A feature that is an expression over customers, and one whose bounds the run has found.
PLAN: dict[str, Any] = {
    "features.0.column": REMOVED,
    "features.0.expression": "least(years, 20)",
    "features.1.bounds": REMOVED,
}


def grown(spark: Any, folder: Path, changes: dict[str, Any] | None = None) -> World:
    """Since the run one has withdrawn, one has become like another, and one is new and like that one too."""
    found = published_world(spark, folder, changes)
    like = next(i for i, s in found.segment().items() if s != found.segment()[found.ids[MOVED]])
    for table, key, schema in (("customers", "customer_id", CUSTOMERS), ("purchases", "customer_id", PURCHASES)):
        rows = spark.read.format("delta").load(f"{folder}/{table}")
        copies = [rows.where(F.col(key) == like).withColumn(key, F.lit(i)) for i in (NEWCOMER, found.ids[MOVED])]
        kept = rows.where(F.col(key) != found.ids[MOVED]).union(copies[0]).union(copies[1])
        kept.to(spark.createDataFrame([], schema).schema).write.format("delta").mode("overwrite").save(f"{folder}/{table}")
    found.consent(granted([NEWCOMER], datetime.now(UTC) - timedelta(seconds=1)))
    found.say_no([found.ids[LEFT]])
    return found


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    return grown(spark, tmp_path_factory.mktemp("score"), PLAN)


def people_of(world: World, run_id: str, key: bytes | None = None) -> dict[str, int]:
    """The segment of each customer of a run, by id."""
    rows = world.result.store.read(catalog.SEGMENTS, run_id).collect()
    assert {r.key_id for r in rows} == {"test-2" if key else "test-1"}
    found = {bytes(r.pseudonym): r.segment for r in rows}
    assert len(found) == len(rows)
    hashed = {i: pseudonym(i, key, "test-2") if key else pseudonym(i) for i in (*world.ids, NEWCOMER)}
    assert set(found) <= set(hashed.values())
    return {i: found[of] for i, of in hashed.items() if of in found}


def expected_of(world: World) -> dict[str, int]:
    """Whoever is as before is where they were; the two are where the one is whom they are like."""
    before = world.segment()
    like = next(s for i, s in before.items() if s != before[world.ids[MOVED]])
    return {i: s for i, s in before.items() if i != world.ids[LEFT]} | {NEWCOMER: like, world.ids[MOVED]: like}


def records(world: World) -> dict[str, int]:
    """How many rows the tables have in which answers and their costs stand."""
    tables = (catalog.BUDGET, catalog.BUDGET_ENTRIES, catalog.RELEASES, catalog.SEGMENT_CENTERS, catalog.SEGMENT_PROFILES)
    return {spec.name: world.result.store.read(spec).count() for spec in tables}


def state_of(world: World, run_id: str) -> list[Any]:
    rows = world.result.store.read(catalog.RUNS, run_id).where("status = 'published'")
    return rows.withColumns({c: F.unix_micros(c) for c in ("as_of", "centers_as_of")}).collect()


def test_customers_of_today_are_where_the_centers_of_the_run_put_them_and_nothing_is_spent(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, plan = records(world), tmp_path / "plan.yaml"
    plan.write_text(world.yaml(PLAN), encoding="utf-8")
    assert main(["score", "--plan", str(plan), "--run-id", "run-1", "--scoring", "later", "--json", "--quiet"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["run_id"], said["centers_of"], said["status"]) == ("later", "run-1", "published")
    assert people_of(world, "later") == expected_of(world)
    assert records(world) == before
    (row,), (first,) = state_of(world, "later"), state_of(world, "run-1")
    assert (row.centers_of, row.centers_as_of, row.epsilon) == ("run-1", first.as_of, 0.0)
    assert row.as_of > first.as_of
    assert (first.centers_of, first.centers_as_of, first.epsilon) == (None, None, 20.0)
    entries = [e for e in AuditLog(world.result.store).check() if e.run_id == "later"]
    assert [e.action for e in entries] == ["start", "approve", "publish"]
    assert json.loads(entries[0].details)["centers"]["run_id"] == "run-1"
    assert "runs: 2 published" in verify(world.plan(PLAN), world.spark)


def test_started_again_it_says_that_it_is_done_and_does_nothing(world: World) -> None:
    said = list[str]()
    plan, store = world.plan(PLAN), world.result.store
    score(plan, world.spark, "run-1", scoring_id="twice")
    size, versions = len(AuditLog(store).check()), store.read(catalog.SEGMENTS, "twice").inputFiles()
    assert score(plan, world.spark, "run-1", scoring_id="twice", say=said.append) == "twice"
    assert said == ["run twice is published already; nothing was computed again"]
    assert len(AuditLog(store).check()) == size
    assert store.read(catalog.SEGMENTS, "twice").inputFiles() == versions
    with pytest.raises(RunConflict, match="^--as-of: this run was started as of"):
        score(plan, world.spark, "run-1", scoring_id="twice", as_of="2026-05-01")
    with pytest.raises(RunConflict, match="^--run-id: run twice scores by the centers of run-1; take another id"):
        run(plan, world.spark, run_id="twice")
    with pytest.raises(RunConflict, match="^--run-id: run twice has the centers of run run-1; name that one"):
        score(plan, world.spark, "twice")
    with pytest.raises(
        RunConflict, match="run twice put customers into the segments of run run-1 and measured nothing; open that"
    ):
        runs(plan, world.spark).open("twice")
    with pytest.raises(RunConflict, match="^--scoring: run run-1 learns its own centers; take another id"):
        score(plan, world.spark, "run-1", scoring_id="run-1")


def test_cut_off_nothing_is_visible_and_it_goes_on_as_of_the_same_moment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, write, said = world.plan(PLAN), Store.write, list[str]()

    def cut_off(store: Store, spec: catalog.TableSpec, *rest: Any) -> None:
        if spec is catalog.SEGMENTS:
            raise KeyboardInterrupt
        write(store, spec, *rest)

    monkeypatch.setattr(Store, "write", cut_off)
    with pytest.raises(EvenhandError, match="start it again with --scoring cut, and it goes on"):
        score(plan, world.spark, "run-1", scoring_id="cut", as_of="2026-11-01T10:00:00")
    monkeypatch.undo()
    assert state_of(world, "cut") == []
    with pytest.raises(RunConflict, match="run cut is (running|failed), not published"):
        activate(plan, world.spark, "cut", "/nowhere", segments=[1])
    score(plan, world.spark, "run-1", scoring_id="cut", say=said.append)
    (row,) = state_of(world, "cut")
    assert datetime.fromtimestamp(row.as_of / 1e6, UTC) == datetime(2026, 11, 1, 10, tzinfo=UTC)
    # Neither the newcomer's consent nor the withdrawal was there then.
    assert set(people_of(world, "cut")) == set(world.ids)


def test_with_a_new_key_people_have_new_pseudonyms_and_are_handed_out_under_it(world: World, tmp_path: Path) -> None:
    write_key(world.folder / "new", NEW_KEY)
    plan = world.plan(PLAN | {"pseudonyms.key_id": "test-2", "pseudonyms.key_file": f"{world.folder}/new"})
    assert score(plan, world.spark, "run-1", scoring_id="rotated") == "rotated"
    assert people_of(world, "rotated", NEW_KEY) == expected_of(world)
    activate(plan, world.spark, "rotated", f"{tmp_path}/out", offer="preview")
    handed = world.spark.read.format("delta").load(f"{tmp_path}/out").collect()
    assert {(r.id, r.segment) for r in handed} == {(i, s) for i, s in expected_of(world).items() if s in (1, 2)}
    wrong = world.plan(PLAN | {"pseudonyms.key_file": f"{world.folder}/new"})
    with pytest.raises(EvenhandError, match="test-1 stood for another key"):
        score(wrong, world.spark, "run-1", scoring_id="wrong")
    assert world.result.store.rows(catalog.PREPARED, "wrong") is None


def test_what_was_measured_is_as_old_as_the_centers(world: World) -> None:
    plan, store = world.plan(PLAN), world.result.store
    with suppress(RunConflict):
        score(plan, world.spark, "run-1", scoring_id="aged")
    found = published_run(store, plan, "aged")
    require_fresh(found, plan, [])
    old = replace(found, origin=replace(found.learned, as_of=datetime(2026, 1, 2, tzinfo=UTC)))
    with pytest.raises(RunConflict, match="run aged has the centers of run-1, which is as of 2026-01-02, older than activation"):
        require_fresh(old, plan, [])
    last = last_published(store, plan, "run-2", True)  # a run that has measured nothing is none to compare with
    assert last is not None and last.run_id == "run-1"


def test_a_person_is_told_of_it_with_the_words_of_the_run_that_has_learned(world: World) -> None:
    plan, who, file = world.plan(PLAN), world.ids[7], world.folder / "ids.txt"
    score(plan, world.spark, "run-1", scoring_id="told")
    file.write_text(who, encoding="utf-8")
    newest = {"pseudonyms.older": [{"key_id": "test-2", "key_file": f"{world.folder}/new"}]}
    write_key(world.folder / "new", NEW_KEY)
    pages = access(world.plan(PLAN | newest), world.spark, str(file), f"{world.folder}/pages")
    told_of = {r["run_id"]: r for r in json.loads((pages / "person-0001.json").read_text(encoding="utf-8"))["runs"]}
    first, told = told_of["run-1"], told_of["told"]
    assert first["label"]
    assert (told["segment"], told["label"], told["because"]) == (first["segment"], first["label"], first["because"])
    tenure = next(v for v in told["values"] if v["feature"] == "tenure")
    assert tenure["in_source"] == pytest.approx(tenure["used"], abs=0.01)


REFUSED = {
    "no_such_run": ("run-9", {}, "there is no run run-9 in these zones"),
    "other_bounds": ("run-1", {"features.0.bounds": [0, 30]}, "whose features.tenure is not what it was; put that back"),
    "another_purpose": ("run-1", {"purpose": "research"}, "is not used for another"),
}


@pytest.mark.parametrize(("run_id", "changes", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused_before_anything_is_written(
    world: World, run_id: str, changes: dict[str, Any], expected: str
) -> None:
    size = len(AuditLog(world.result.store).check())
    with pytest.raises(RunConflict, match=re.escape(expected)):
        score(world.plan(PLAN | changes), world.spark, run_id)
    assert len(AuditLog(world.result.store).check()) == size


def test_balanced_segments_are_scored_by_the_map_of_their_run_or_not_at_all(spark: Any, tmp_path: Path) -> None:
    """Whoever is as before, under the same key, is in the segment of before: also of those whom the map moves by their hash."""
    balanced = {"method": "balanced", "attributes": ["gender"], "justification": "For this test.", "bounds": {"at_least": 0.8}}
    found = published_world(spark, tmp_path, {"fairness.mitigation": balanced})
    plan, store = found.plan({"fairness.mitigation": balanced}), found.result.store
    score(plan, spark, "run-1", scoring_id="later")
    assert people_of(found, "later") == found.segment()
    with pytest.raises(RunConflict, match="whose fairness.mitigation is not what it was"):
        score(found.plan(), spark, "run-1")
    store.withdraw(catalog.ASSIGNMENT_MAP, "run-1")
    with pytest.raises(
        RunConflict, match=r"run run-1 is balanced and its map is gone from .*assignment_map.*; put it back, or make"
    ):
        score(plan, spark, "run-1")
