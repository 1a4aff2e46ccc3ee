"""Handing segments out: to those alone who may be used at that moment, once, apart from all else, and on the record."""

from __future__ import annotations

import csv
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from conftest import write_key
from evenhand.errors import EvenhandError
from evenhand.people.activate import activate
from evenhand.people.destination import Destination
from evenhand.people.recall import _Search, recall
from evenhand.records.audit import AuditLog
from evenhand.report.lasting import Lasting
from evenhand.tables import catalog
from published import World, pseudonym, published_world, remove_customer

pytestmark = pytest.mark.long  # runs, and what is handed out of them

COLUMNS = ["id", "segment", "offer", "activation_id"]


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Since the run one has withdrawn, one's consent has ended, and one is no customer any more."""
    found = published_world(spark, tmp_path_factory.mktemp("activate"))
    withdrew, expired, gone = found.ids[:3]
    found.say_no([withdrew])
    ended = datetime.now(UTC) - timedelta(seconds=1)
    found.consent([(expired, "offers", "granted", ended - timedelta(seconds=1), ended, "web")])
    remove_customer(found, gone)
    return found


def handed(world: World, to: Path | str) -> dict[str, tuple[int, str | None]]:
    rows = world.spark.read.format("delta").load(str(to)).select("id", "segment", "offer").collect()
    assert len({r.id for r in rows}) == len(rows)
    return {r.id: (r.segment, r.offer) for r in rows}


def cut_off(*given: Any) -> None:
    raise KeyboardInterrupt


def register(world: World, activation: str) -> list[Any]:
    rows = world.result.store.read(catalog.ACTIVATED).where(F.col("activation_id") == activation)
    return rows.collect()  # type: ignore[no-any-return]


def test_an_offer_goes_to_the_people_of_its_segments_who_may_still_be_used(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = Lasting("autumn", {1: 1, 2: None, 3: None}, {})
    monkeypatch.setattr("evenhand.people.activate.read_lasting", lambda store, run_id: earlier if run_id == "run-1" else None)
    said: list[str] = []
    activation = activate(world.plan(), world.spark, "run-1", f"{tmp_path}/out", offer="preview", say=said.append)
    assert [line.partition("; ")[2].partition(".")[0] for line in said if line.startswith("Warning: offer preview names")] == [
        "against run autumn 2 is new"
    ]
    expected = {i: (s, "preview") for i, s in world.segment().items() if s in (1, 2) and i not in world.ids[:3]}
    assert handed(world, f"{tmp_path}/out") == expected
    frame = world.spark.read.format("delta").load(f"{tmp_path}/out")
    assert frame.columns == COLUMNS
    assert {r.activation_id for r in frame.select("activation_id").distinct().collect()} == {activation}
    kept = register(world, activation)
    assert {bytes(r.pseudonym) for r in kept} == {pseudonym(i) for i in expected}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


def test_segments_by_number_go_to_a_csv_that_its_owner_alone_can_read(world: World, tmp_path: Path) -> None:
    activation = activate(world.plan(), world.spark, "run-1", f"{tmp_path}/out", form="csv", segments=[3])
    files = list((tmp_path / "out").iterdir())
    rows = [row for file in sorted(files) if file.suffix == ".csv" for row in csv.DictReader(file.open(encoding="utf-8"))]
    assert {(r["id"], r["segment"]) for r in rows} == {
        (i, "3") for i, s in world.segment().items() if s == 3 and i not in world.ids[:3]
    }
    assert {(r["offer"], r["activation_id"]) for r in rows} == {("", activation)}
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_a_holdout_is_kept_back_by_keyed_hash_always_the_same_and_on_the_register(world: World, tmp_path: Path) -> None:
    everybody = {i for i in world.segment() if i not in world.ids[:3]}
    plan = world.plan({"activation.holdout": 0.3})
    first, again = (activate(plan, world.spark, "run-1", f"{tmp_path}/{n}", segments=[1, 2, 3]) for n in ("a", "b"))
    given = set(handed(world, f"{tmp_path}/a"))
    assert given == set(handed(world, f"{tmp_path}/b"))
    back = [{bytes(r.pseudonym) for r in register(world, a) if r.held_back} for a in (first, again)]
    assert back[0] == back[1] == {pseudonym(i) for i in everybody - given}
    assert 0.15 < len(back[0]) / len(everybody) < 0.45  # false alarm below 1e-6: 237 people, standard deviation 0.03


def test_people_under_a_key_that_has_been_replaced_are_found_with_it(world: World, tmp_path: Path) -> None:
    write_key(world.folder / "new", b"another key of thirty-two bytes or more")
    new = {"pseudonyms.key_id": "test-2", "pseudonyms.key_file": f"{world.folder}/new"}
    older = {"pseudonyms.older": [{"key_id": "test-1", "key_file": f"{world.folder}/key"}]}
    activate(world.plan(new | older), world.spark, "run-1", f"{tmp_path}/out", segments=[1])
    assert set(handed(world, f"{tmp_path}/out")) == {i for i, s in world.segment().items() if s == 1 and i not in world.ids[:3]}
    with pytest.raises(EvenhandError, match="pseudonyms.older: the run is under key_id test-1, which the plan does not name"):
        activate(world.plan(new), world.spark, "run-1", f"{tmp_path}/other", segments=[1])
    wrong = {"pseudonyms.older": [{"key_id": "test-1", "key_file": f"{world.folder}/new"}]}
    with pytest.raises(EvenhandError, match="test-1 stood for another key"):
        activate(world.plan(new | wrong), world.spark, "run-1", f"{tmp_path}/other", segments=[1])
    assert not (tmp_path / "other").exists()


def test_ids_are_handed_out_as_the_source_writes_them(world: World, tmp_path: Path, spark: Any) -> None:
    """They are compared in one form, but whoever gets them knows the customer by the other."""
    spaced = (
        spark.read.format("delta")
        .load(f"{world.folder}/customers")
        .withColumn("customer_id", F.concat(F.lit(" "), "customer_id"))
    )
    spaced.write.format("delta").save(f"{tmp_path}/customers")
    plan = world.plan({"sources.customers.path": f"{tmp_path}/customers", "sources.ids": {"trim": True}})
    activate(plan, spark, "run-1", f"{tmp_path}/out", segments=[1])
    assert set(handed(world, f"{tmp_path}/out")) == {
        f" {i}" for i, s in world.segment().items() if s == 1 and i not in world.ids[:3]
    }


@pytest.mark.parametrize("form", ["delta", "csv"])
def test_what_was_cut_off_is_done_once_when_it_is_started_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    def hand_out() -> str:
        return activate(
            world.plan(), world.spark, "run-1", f"{tmp_path}/out", form=form, segments=[1], activation_id=f"cut-{form}"
        )

    with monkeypatch.context() as before_the_destination:
        before_the_destination.setattr(Destination, "write", cut_off)
        with pytest.raises(KeyboardInterrupt):
            hand_out()
    assert not (tmp_path / "out").exists()
    on_record = register(world, f"cut-{form}")
    assert on_record
    hand_out()
    hand_out()
    reader = world.spark.read.format(form).option("header", "true")
    assert reader.load(f"{tmp_path}/out").count() == len(on_record) == len(register(world, f"cut-{form}"))
    entries = [e.action for e, _ in AuditLog(world.result.store).entries() if f'"cut-{form}"' in e.details]
    assert entries == ["activate", "handed out"]


def test_an_activation_s_id_stands_for_one_thing(world: World, tmp_path: Path) -> None:
    activate(world.plan(), world.spark, "run-1", f"{tmp_path}/out", segments=[1], activation_id="one-thing")
    with pytest.raises(EvenhandError, match="one-thing handed out something else"):
        activate(world.plan(), world.spark, "run-1", f"{tmp_path}/out", segments=[2], activation_id="one-thing")


def unpublished(world: World, run_id: str, status: str) -> None:
    runs = world.result.store.read(catalog.RUNS).where("status = 'published' AND run_id = 'run-1'")
    changed = runs.withColumns({"run_id": F.lit(run_id), "status": F.lit(status), "reasons": F.array(F.lit("uneven"))})
    changed.write.format("delta").mode("append").save(f"{world.folder}/open/runs")


REFUSED: dict[str, tuple[dict[str, Any], str, int]] = {
    "a run that is not there": ({"run_id": "run-2"}, "there is no run run-2", 2),
    "a blocked run": ({"run_id": "blocked-1"}, "run blocked-1 is blocked, nothing was published: uneven", 3),
    "a run that has not ended": ({"run_id": "half-1"}, "run half-1 is failed, not published", 2),
    "an offer that the plan does not name": (
        {"offer": "else", "segments": None},
        "names no offer else; it names preview, nobody",
        2,
    ),
    "an offer that reaches nobody": ({"offer": "nobody", "segments": None}, "nobody reaches no segment", 2),
    "a segment that is not there": ({"segments": [4]}, "has the segments 1 to 3", 2),
    "no segment": ({"segments": []}, "has the segments 1 to 3", 2),
    "both": ({"offer": "preview"}, "state one of both", 2),
    "a form that is none": ({"form": "xml"}, "delta, parquet or csv", 2),
    "a zone": ({"to": "{world}/restricted/out"}, "the restricted zone .* lie inside each other", 2),
    "the open zone in other letters": ({"to": "{world}/x/../open/out"}, "the open zone .* lie inside each other", 2),
    "a source": ({"to": "{world}/customers"}, "the source customers .* lie inside each other", 2),
    "over another table": ({"to": "{here}/table"}, "table holds something else \\(x int; not id string", 2),
    "over other files": ({"to": "{here}/files", "form": "parquet"}, "files holds something else", 2),
    "a store of objects": ({"to": "s3://bucket/x", "form": "csv"}, "on this machine's own disk", 2),
    "a schema that is not there": ({"to": "nowhere.out"}, "there can be no Delta table nowhere.out", 2),
}


@pytest.fixture(scope="module")
def elsewhere(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("elsewhere")
    world.spark.createDataFrame([(1,)], "x INT").write.format("delta").save(f"{here}/table")
    (here / "files").mkdir()
    (here / "files/letter.txt").write_text("keep me")
    unpublished(world, "blocked-1", "blocked")
    unpublished(world, "half-1", "failed")
    return here


@pytest.mark.long
@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_and_nothing_is_handed_out(world: World, elsewhere: Path, case: str) -> None:
    given, why, code = REFUSED[case]
    wanted = {"run_id": "run-1", "to": "{here}/out", "segments": [1]} | given
    to = wanted.pop("to").replace("{world}", str(world.folder)).replace("{here}", str(elsewhere))
    before = AuditLog(world.result.store).entries()
    with pytest.raises(EvenhandError, match=why) as wrong:
        activate(world.plan(), world.spark, wanted.pop("run_id"), to, **wanted)
    assert wrong.value.exit_code == code
    assert "\n" not in str(wrong.value)
    assert AuditLog(world.result.store).entries() == before
    assert not (elsewhere / "out").exists()
    assert sorted(p.name for p in (elsewhere / "files").iterdir()) == ["letter.txt"]


def test_what_people_agreed_to_for_one_purpose_is_not_used_for_another(world: World, tmp_path: Path) -> None:
    with pytest.raises(EvenhandError, match="for the purpose offers, and this is plan small for research"):
        activate(world.plan({"purpose": "research"}), world.spark, "run-1", f"{tmp_path}/out", segments=[1])


def test_an_offer_that_means_something_else_now_is_refused(world: World, tmp_path: Path) -> None:
    changed = world.plan({"fairness.offers.0.segments": [3]})
    with pytest.raises(EvenhandError, match="did not measure preview as the plan now has it"):
        activate(changed, world.spark, "run-1", f"{tmp_path}/out", offer="preview")


def test_nobody_is_named_in_logs(world: World, tmp_path: Path) -> None:
    """Delta's log would hold the least and the greatest id of every file."""
    activate(world.plan(), world.spark, "run-1", f"{tmp_path}/out", segments=[1, 2, 3])
    logs = [*(tmp_path / "out/_delta_log").rglob("*"), *(world.folder / "restricted/activated/_delta_log").rglob("*")]
    text = b"".join(p.read_bytes() for p in logs if p.is_file())
    assert text
    assert b"cust-" not in text
    details = [json.loads(e.details) for e, _ in AuditLog(world.result.store).entries() if e.action == "activate"]
    assert details[-1]["segments"] == [1, 2, 3]
    assert details[-1]["purpose"] == "offers"
    assert "cust-" not in json.dumps(details)


@pytest.fixture
def by_name(spark: Any, world: World) -> Any:
    spark.sql("CREATE DATABASE handed_out")
    yield "handed_out.preview"
    spark.sql("DROP DATABASE handed_out CASCADE")


def test_a_table_of_the_catalog_takes_one_activation_after_the_other(world: World, by_name: str, spark: Any) -> None:
    for segment in (1, 2):
        activate(world.plan(), spark, "run-1", by_name, segments=[segment])
    found = {r.id: r.segment for r in spark.read.table(by_name).collect()}
    assert found == {i: s for i, s in world.segment().items() if s in (1, 2) and i not in world.ids[:3]}


def listed(world: World, place: str, form: str) -> list[tuple[str, str]]:
    folders = [str(p) for p in Path(place).glob("0*")] if form == "csv" else [place]
    reader = world.spark.read.format(form).option("header", "true")
    return sorted((r.id, r.reason) for folder in folders for r in reader.load(folder).collect())


@pytest.mark.parametrize(("form", "first"), [("delta", 3), ("csv", 8)])
def test_whoever_may_not_be_used_any_more_is_listed_once_with_the_reason_also_when_cut_off(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, first: int
) -> None:
    withdrew, ended, gone, erased, late = world.ids[first : first + 5]
    activation = activate(world.plan(), world.spark, "run-1", f"{tmp_path}/out", form=form, segments=[1, 2, 3])

    def take_back() -> list[tuple[str, str]]:
        place = recall(world.plan(), world.spark, activation)
        assert place == f"{tmp_path}/out-recall"
        return listed(world, place, form) if Path(place).exists() else []

    assert take_back() == []
    world.say_no([withdrew, erased])
    before = datetime.now(UTC) - timedelta(seconds=1)
    world.consent([(ended, "offers", "granted", before - timedelta(seconds=1), before, "web")])
    remove_customer(world, gone)
    erase = f"DELETE FROM delta.`{world.folder}/restricted/activated` WHERE pseudonym = X'{pseudonym(erased).hex()}'"
    world.spark.sql(erase)
    with monkeypatch.context() as before_the_record:
        before_the_record.setattr(_Search, "record", cut_off)
        with pytest.raises(KeyboardInterrupt):
            take_back()
    expected = [(withdrew, "withdrawn or objected"), (ended, "consent has ended"), (gone, "not a customer any more")]
    expected = sorted([*expected, (erased, "withdrawn or objected")])
    assert take_back() == expected
    world.say_no([late])
    assert take_back() == sorted([*expected, (late, "withdrawn or objected")])
    assert take_back() == sorted([*expected, (late, "withdrawn or objected")])
    rows = world.result.store.read(catalog.RECALLED).where(F.col("activation_id") == activation).collect()
    assert sorted((bytes(r.pseudonym), r.reason) for r in rows) == sorted(
        (pseudonym(i), why) for i, why in [*expected, (late, "withdrawn or objected")]
    )


def test_an_activation_that_is_not_there_is_told(world: World) -> None:
    with pytest.raises(EvenhandError, match="there is no activation act-none"):
        recall(world.plan(), world.spark, "act-none")
