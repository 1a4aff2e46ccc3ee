"""One person's page: all that is kept about them and why, and no one else's rows."""

from __future__ import annotations

import json
import re
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, LongType

from evenhand.errors import EvenhandError, PlanError
from evenhand.job.api import run
from evenhand.people.access import access, rows_of
from evenhand.people.activate import activate
from evenhand.people.asked import asked
from evenhand.people.recall import recall
from evenhand.people.score import score
from evenhand.plan.load import canonical
from evenhand.prepare.consent import ID
from evenhand.prepare.keys import pads_of
from evenhand.prepare.pseudonym import with_pseudonym
from evenhand.records.audit import AuditLog
from evenhand.records.notice import refuse_silent_change
from evenhand.tables import catalog
from published import World, published_world, remove_customer

CONTACT = {"contact": {"controller": "Example Ltd, 1 High Street", "reach": "privacy@example.com"}}
NOTICE: dict[str, Any] = {"notice": {"version": "1.0", "recipients": []}}
UNKNOWN = "nobody-has-this-id"


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The first person was handed out and has then said no; the second is no customer any more."""
    found = published_world(spark, tmp_path_factory.mktemp("access"), NOTICE)
    activation = activate(found.plan(), spark, "run-1", f"{found.folder}/out", segments=[1, 2, 3], activation_id="act-1")
    found.say_no(found.ids[:1])
    recall(found.plan(), spark, activation)
    remove_customer(found, found.ids[1])
    return found


@pytest.fixture(scope="module")
def pages(world: World) -> Path:
    """Of the first three, with a byte order mark and empty lines in the file, and of an id that nobody has."""
    file = world.folder / "ids.txt"
    file.write_text("\ufeff" + "\n\n".join([*world.ids[:3], UNKNOWN]) + "\r\n", encoding="utf-8")
    return access(world.plan(CONTACT), world.spark, str(file), f"{world.folder}/pages")


def of(pages: Path, number: int) -> dict[str, Any]:
    return json.loads((pages / f"person-{number:04d}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_a_page_says_what_was_said_used_and_decided(world: World, pages: Path) -> None:
    found, first = of(pages, 1), world.ids[0]
    assert found["id"] == first
    assert [event["state"] for event in found["consent"]] == ["granted", "withdrawn"]
    (run,) = found["runs"]
    assert run["segment"] == world.segment()[first]
    source = world.spark.read.format("delta").load(f"{world.folder}/customers").where(F.col("customer_id") == first).first()
    bought = world.spark.read.format("delta").load(f"{world.folder}/purchases").where(F.col("customer_id") == first)
    spent, visits = bought.agg(F.sum("amount"), F.count("*")).first()
    values = {v["feature"]: v for v in run["values"]}
    assert values["tenure"]["in_source"] == source.years
    assert values["tenure"]["used"] == pytest.approx(source.years, abs=0.01)
    assert values["spent"]["in_source"] == pytest.approx(spent)
    assert values["spent"]["used"] == pytest.approx(spent, rel=0.01)
    assert values["visits"]["in_source"] == visits
    assert {g["attribute"]: g["group"] for g in run["groups"]}["gender"] == {"f": "female", "m": "male"}[source.sex]
    assert 1 <= len(run["because"]) <= 3
    assert all(line.startswith("Your ") for line in run["because"])
    assert run["nearest"] == run["segment"]
    assert run["group_was_read"] is None
    (handed,) = found["handed_out"]
    assert (handed["activation_id"], handed["destination"]) == ("act-1", f"{world.folder}/out")
    assert handed["taken_back"]["reason"] == "withdrawn or objected"
    assert found["not_used"] == ["email"]
    assert {(u["source"], u["column"]) for u in found["used"]} >= {("customers", "years"), ("purchases", "amount")}
    assert found["kept"]["segments"] == "13 months"


def test_who_has_left_is_told_what_is_still_kept_and_who_is_unknown_that_nothing_is(pages: Path, world: World) -> None:
    left = of(pages, 2)
    assert left["runs"][0]["segment"] == world.segment()[world.ids[1]]
    assert left["runs"][0]["values"][0]["in_source"] is None
    nobody = of(pages, 4)
    assert (nobody["found"], nobody["runs"], nobody["consent"], nobody["handed_out"]) == (False, [], [], [])
    assert "Nothing is kept about this id" in (pages / "person-0004.html").read_text(encoding="utf-8")


def test_the_page_for_people_says_it_in_words(pages: Path) -> None:
    page = re.sub(r"\s+", " ", (pages / "person-0001.html").read_text(encoding="utf-8"))
    for words in (
        "What is kept about you",
        "That is nearer to",
        "Example Ltd, 1 High Street",
        "privacy@example.com",
        "email",
        "13 months",
    ):
        assert words in page
    assert "<script" not in page


def test_pages_are_their_owner_s_alone_and_hold_nobody_else(world: World, pages: Path) -> None:
    assert stat.S_IMODE(pages.stat().st_mode) == 0o700
    files = sorted(pages.iterdir())
    assert len(files) == 8
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    for number, file in enumerate(files):
        text = file.read_text(encoding="utf-8")
        assert [i for i in world.ids if i in text] == world.ids[number // 2 : number // 2 + 1] * (number < 6)


@pytest.mark.parametrize("kind", [DecimalType(10, 0), LongType()], ids=str)
def test_what_is_no_whole_number_is_no_number_s_customer(world: World, kind: DataType) -> None:
    """Cast to a DECIMAL 1.5 is 2."""
    found = asked(world.spark, ["1.5", "2", "1e1", "two"], kind, world.plan()).collect()
    assert [(row.number, int(row[ID])) for row in found] == [(2, 2)]


def test_only_those_who_ask_leave_a_scan(world: World) -> None:
    """Joined to the few pseudonyms right above the scan, of the run's files alone; neither id nor pseudonym stands in the plan."""
    spark, plan = world.spark, world.plan()
    asking = spark.createDataFrame([(1, world.ids[0])], f"number INT, {ID} STRING")
    under_key = with_pseudonym(asking, pads_of(plan).table(spark), "test-1")
    rows = rows_of(world.result.store, catalog.PREPARED, under_key).where(F.col("run_id").isin("run-1"))
    assert rows.count() == 1
    physical = rows._jdf.queryExecution().executedPlan().toString()
    assert re.search(r"BroadcastHashJoin \[pseudonym#\d+", physical)
    assert re.search(r"PartitionFilters: \[[^\]]*run_id#\d+ = run-1", physical)
    assert "SortMergeJoin" not in physical
    assert world.ids[0] not in physical


def test_the_audit_log_says_that_and_not_of_whom(world: World, pages: Path) -> None:
    entries = [e for e, _ in AuditLog(world.result.store).entries() if e.action == "access"]
    assert entries
    assert not any("cust-" in e.details or "cust-" in e.run_id for e in entries)


@pytest.mark.parametrize(
    ("text", "to", "why"),
    [
        (b"", "pages2", "has no id; write 1 to 10,000, one a line"),
        (b"\xff\xfe1\x00", "pages2", "is not UTF-8 text"),
        (b"secret-id\x07", "pages2", "an id with a sign that cannot be printed"),
        (b"secret-id", "restricted/pages", "the restricted zone .* lie inside each other"),
        (b"secret-id", "taken", "taken holds something else"),
        (None, "pages2", "cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_one_line_without_the_id(world: World, tmp_path: Path, text: bytes | None, to: str, why: str) -> None:
    (world.folder / "taken").mkdir(exist_ok=True)
    (world.folder / "taken/letter.txt").write_text("keep me")
    if text is not None:
        (tmp_path / "ids").write_bytes(text)
    with pytest.raises(EvenhandError, match=why) as wrong:
        access(world.plan(), world.spark, str(tmp_path / "ids"), f"{world.folder}/{to}")
    assert "secret-id" not in str(wrong.value)
    assert not (world.folder / "pages2").exists()
    assert [p.name for p in (world.folder / "taken").iterdir()] == ["letter.txt"]


UNTOLD: dict[str, Any] = NOTICE | {"retention.segments": "2 years"}
TELLS = (
    "notice.version: 1.0 is also the version of the notice of run run-1, which tells customers something else (retention: now segments 24 "
    "months, no longer segments 13 months); raise it, or put that back; nothing was written"
)


def test_nothing_begins_by_a_plan_that_tells_customers_something_else_under_the_same_version(world: World) -> None:
    store, plan = world.result.store, world.plan(UNTOLD)
    before = len(AuditLog(store).check()), store.read(catalog.RUNS).count()
    for begin in (lambda: run(plan, world.spark, run_id="untold"), lambda: score(plan, world.spark, "run-1")):
        with pytest.raises(PlanError) as refused:
            begin()
        assert (str(refused.value), refused.value.exit_code) == (TELLS, 2)
    assert (len(AuditLog(store).check()), store.read(catalog.RUNS).count()) == before
    assert store.rows(catalog.PREPARED, "untold") is None


TOLD = {
    "as before": NOTICE | {"privacy.epsilon": 1.0},
    "under a higher version": UNTOLD | {"notice.version": "1.1"},
    "by another plan": UNTOLD | {"name": "another"},
    "for another purpose": UNTOLD | {"purpose": "research"},
    "to nobody": {"retention.segments": "2 years"},
}


@pytest.mark.parametrize("case", TOLD)
def test_a_plan_begins_whose_customers_have_been_told_or_that_has_no_notice(world: World, case: str) -> None:
    refuse_silent_change(world.result.store, world.plan(TOLD[case]))


def test_a_version_is_the_same_however_it_is_written_and_the_newest_run_counts(world: World) -> None:
    store = world.result.store
    with pytest.raises(PlanError, match="^notice.version: 1 is also the version of the notice of run run-1"):
        refuse_silent_change(store, world.plan(UNTOLD | {"notice.version": "1"}))
    (row,) = store.read(catalog.RUNS).where("run_id = 'run-1' AND status = 'published'").collect()
    later = row.asDict() | {"run_id": "run-2", "at": row.at + timedelta(days=1), "plan": canonical(world.plan(UNTOLD))}
    frame = world.spark.createDataFrame([later], store.read(catalog.RUNS).schema)
    store.write(catalog.RUNS, frame, "run-2")
    try:
        refuse_silent_change(store, world.plan(UNTOLD))
        with pytest.raises(PlanError, match="of the notice of run run-2"):
            refuse_silent_change(store, world.plan(NOTICE))
    finally:
        world.spark.sql(f"DELETE FROM {store.address(catalog.RUNS)} WHERE run_id = 'run-2'")
