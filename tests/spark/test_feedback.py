"""A survey's waves: whose answers count, at which cost, once, and what is refused before anything is spent.

At ε = 16 a question all noise of a wave's 15 cells is 0 but with a chance below 4e-6; tests that compare exact counts together: 2e-5.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from conftest import write_key
from evenhand.ask.answers import answer_counts
from evenhand.cli.main import main
from evenhand.erasure.erase import erase
from evenhand.erasure.listed import add_new
from evenhand.errors import BudgetExhausted, Busy, EvenhandError, RunConflict
from evenhand.governance.verify import verify
from evenhand.people import feedback as feedback_job
from evenhand.people.feedback import feedback
from evenhand.people.retain import retain
from evenhand.people.score import score
from evenhand.plan.load import parse_plan
from evenhand.plan.surveys import Survey
from evenhand.prepare.answers import latest_answers
from evenhand.privacy.noise import OpenDPNoise
from evenhand.privacy.sample import Sample
from evenhand.records.audit import AuditLog
from evenhand.rows.answers import same_segments
from evenhand.sources.open import answers_today
from evenhand.tables import catalog
from published import World, pseudonym, published_world, remove_customer
from sample import CONSENT, CUSTOMERS, customer, in_folder, plan_yaml, write_source
from survey import ANSWERS, SURVEY

pytestmark = pytest.mark.long  # a run, and waves of a survey about its segments

NOW = datetime.now(UTC) - timedelta(seconds=2)
LONG_AGO, FUTURE = NOW - timedelta(days=900), NOW + timedelta(days=900)
CHANGED, TORN, TOOK_BACK, FROM_THE_FUTURE, OLD, NEVER_ASKED, LEFT_OFFERS, LEFT_SURVEYS, ERASED, GONE, SILENT, WITHHOLDS = range(
    12
)


def answers_of(ids: list[str]) -> list[tuple[Any, ...]]:
    """Everybody but one has answered both questions a month ago, and then things have happened."""
    month_ago, rows = NOW - timedelta(days=30), []
    for i, id in enumerate(ids):
        at = LONG_AGO if i == OLD else month_ago
        if i not in (SILENT, TORN):
            rows.append((id, "comfort", str(1 + i % 3), at, f"I am {id}"))
            rows.append((id, "control", ["yes", "no"][i % 2], at, None))
    return [
        *rows,
        (ids[CHANGED], "comfort", "3", NOW, None),
        (ids[TORN], "comfort", "1", NOW, None),
        (ids[TORN], "comfort", "2", NOW, None),
        (ids[TORN], "control", "yes", NOW, None),
        (ids[TORN], "control", "yes", NOW, None),
        (ids[TOOK_BACK], "comfort", "rather not say", NOW, None),
        (ids[TOOK_BACK], "control", None, NOW, None),
        (ids[FROM_THE_FUTURE], "comfort", "3", FUTURE, None),
        (ids[FROM_THE_FUTURE], "comfort", "2", None, None),
        (ids[SILENT], "what else?", "nothing", NOW, None),
        ("nobody-1", "comfort", "3", NOW, None),
        ("", "comfort", "3", NOW, None),
    ]


def expected(world: World) -> Counter[tuple[str, str, int]]:
    """How many chose an option, by question, option and segment."""
    segment, found = world.segment(), Counter[tuple[str, str, int]]()
    for i, id in enumerate(world.ids):
        if i in (OLD, NEVER_ASKED, LEFT_OFFERS, LEFT_SURVEYS, ERASED, GONE, SILENT, TOOK_BACK, WITHHOLDS):
            continue
        if i != TORN:
            found["comfort", "3" if i == CHANGED else str(1 + i % 3), segment[id]] += 1
        found["control", "yes" if i == TORN else ["yes", "no"][i % 2], segment[id]] += 1
    return found


def survey_at(folder: Path, **changes: Any) -> dict[str, Any]:
    return {"surveys": [SURVEY | {"source": SURVEY["source"] | {"path": f"{folder}/answers"}} | changes]}


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    found = published_world(spark, tmp_path_factory.mktemp("feedback"), {"privacy.population_total": 100.0})
    ids, then = found.ids, NOW - timedelta(days=1)
    write_source(spark, found.folder / "answers", answers_of(ids), ANSWERS)
    found.consent([(id, "surveys", "granted", then, None, "web") for i, id in enumerate(ids) if i != NEVER_ASKED])
    found.consent([(ids[LEFT_OFFERS], "offers", "withdrawn", NOW, None, "web")])
    found.consent([(ids[LEFT_SURVEYS], "surveys", "withdrawn", NOW, None, "web")])
    about = [(ids[WITHHOLDS], "surveys", "withdrawn", NOW, None, "web", "data_use.answer")]
    one_column = spark.createDataFrame(about, f"{CONSENT}, attribute STRING").write.format("delta").mode("append")
    one_column.option("mergeSchema", "true").save(f"{found.folder}/consent")
    erased = [(bytearray(pseudonym(ids[ERASED])), "offers", "test-1", NOW)]
    rows = spark.createDataFrame(erased, "pseudonym BINARY, purpose STRING, key_id STRING, requested_at TIMESTAMP")
    add_new(found.result.store, rows, "erasure-1", NOW)
    remove_customer(found, ids[GONE])
    return found


def plan_of(world: World, changes: dict[str, Any] | None = None, **survey: Any) -> Any:
    total = {"privacy.population_total": 100.0, "privacy.epsilon": 100.0, "privacy.minimum_cell": 0}
    return world.plan(total | survey_at(world.folder, **({"share": 0.32} | survey)) | (changes or {}))


def rows_of(world: World, wave: str) -> list[Any]:
    return world.result.store.read(catalog.FEEDBACK, wave).orderBy("question", "segment", "position").collect()  # type: ignore[no-any-return]


def spent(world: World) -> list[tuple[str, float]]:
    rows = world.result.store.read(catalog.BUDGET).orderBy("number").collect()
    return [(r.run_id, r.epsilon) for r in rows]


def test_the_latest_answers_of_those_who_may_be_asked_are_counted_by_segment_and_paid_for(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, before, plan = tmp_path / "plan.yaml", spent(world), plan_of(world)
    changes = {"privacy.population_total": 100.0, "privacy.epsilon": 100.0, "privacy.minimum_cell": 0}
    file.write_text(world.yaml(changes | survey_at(world.folder, share=0.32)), encoding="utf-8")
    assert main(["feedback", "--plan", str(file), "--survey", "data_use", "--wave", "first", "--json", "--quiet"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["wave"], said["status"]) == ("first", "counted")
    rows, counts = rows_of(world, "first"), expected(world)
    assert {(r.question, r.option, r.segment): r["count"] for r in rows} == {
        (q["name"], str(o), s): counts[q["name"], str(o), s] for q in SURVEY["questions"] for o in q["options"] for s in (1, 2, 3)
    }
    for r in rows:
        everybody = sum(n for (q, _, s), n in counts.items() if (q, s) == (r.question, r.segment))
        assert r.share == pytest.approx(r["count"] / everybody)
        assert r.share_low <= r.share <= r.share_high
        assert (r.survey, r.segments_of, r.plan_name, r.suppressed) == ("data_use", "run-1", "small", False)
    assert spent(world) == [*before, ("first", pytest.approx(32.0))]
    entries = [e for e in AuditLog(world.result.store).check() if e.run_id == "first"]
    assert [e.action for e in entries] == ["feedback", "spend", "counted feedback"]
    assert "2 runs have spent" in verify(plan, world.spark)


def test_what_was_wrong_with_the_answers_is_counted_in_the_restricted_zone_and_named_nowhere(world: World) -> None:
    """After the wave above."""
    found = {r.finding: r["count"] for r in world.result.store.read(catalog.INPUT_QUALITY, "first").collect()}
    assert found == {
        "id missing or empty": 1,
        "answer to a question that the plan does not have": 1,
        "answer that is none of the options": 4,  # two that were taken back, two that are withheld
        "answer without a time": 1,
        "answer in the future": 1,
        "answers on one instant that contradict each other": 1,
        "answer that matches no customer": 3,  # of one who is gone, two
    }
    written = [p.read_bytes() for zone in ("restricted", "open") for p in (world.folder / zone).rglob("*") if p.is_file()]
    assert not [True for content in written for text in (b"rather not say", b"what else", b"I am ") if text in content]


def test_the_next_wave_says_what_has_changed_and_the_page_shows_it(world: World) -> None:
    """After the first. One who took an answer back has answered, and who was silent has."""
    segment, later = world.segment(), datetime.now(UTC) - timedelta(seconds=1)
    before, given = expected(world), [(TOOK_BACK, "1"), (SILENT, "2")]
    rows = [(world.ids[i], "comfort", option, later, None) for i, option in given]
    world.spark.createDataFrame(rows, ANSWERS).write.format("delta").mode("append").save(f"{world.folder}/answers")
    now = before + Counter(("comfort", option, segment[world.ids[i]]) for i, option in given)
    feedback(plan_of(world), world.spark, "data_use", wave_id="second")
    assert {r.before for r in rows_of(world, "first")} == {None}
    for r in rows_of(world, "second"):
        here = [sum(n for (q, _, s), n in of.items() if (q, s) == (r.question, r.segment)) for of in (now, before)]
        shares = [of[r.question, r.option, r.segment] / all_here for of, all_here in zip((now, before), here, strict=True)]
        assert r.before == "first"
        assert r.change == pytest.approx(shares[0] - shares[1])
        assert r.change_low <= r.change <= r.change_high
    page = world.result.report.read_text(encoding="utf-8")
    assert "<h2>What customers say about the use of their data</h2>" in page
    assert "Wave second of" in page and "since wave first" in page
    assert "How comfortable are you with what we do with your data?" in page


def test_people_who_were_only_scored_are_counted_in_the_segments_that_they_were_put_into(world: World) -> None:
    """The newest published run is the scored one, whose page is that of the run with the centers."""
    plan = plan_of(world, share=0.002)
    assert score(plan, world.spark, "run-1", scoring_id="scored") == "scored"
    assert feedback(plan, world.spark, "data_use", wave_id="third") == "third"
    rows = rows_of(world, "third")
    assert {(r.segments_of, r.suppressed or r.before) for r in rows} <= {("scored", "second"), ("scored", True)}
    assert "second" in {r.before for r in rows}  # the noise is loud; what it makes of a count below 0 is not shown
    assert "Wave third of" in world.result.report.read_text(encoding="utf-8")


def test_a_segment_is_followed_over_the_runs_in_between(world: World) -> None:
    store = world.result.store
    for run_id, was_in, was in (("next", "run-1", [2, 1, None]), ("after", "next", [3, None, 1])):
        rows = {"segment": [1, 2, 3], "was": pa.array(was, pa.int32()), "was_in": [was_in] * 3}
        store.write(catalog.SEGMENT_CENTERS, pa.table(rows), run_id)
    assert same_segments(store, "run-1", "run-1") == {1: 1, 2: 2, 3: 3}
    assert same_segments(store, "next", "run-1") == {2: 1, 1: 2}
    assert same_segments(store, "after", "run-1") == {2: 3}  # 3 was 1 in `next`, which was 2; 1 was 3 there, which was new
    assert same_segments(store, "run-1", "next") == {}


def test_a_wave_that_was_cut_off_goes_on_with_the_numbers_that_were_released_and_is_charged_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(world, share=0.002)  # loud noise: drawn again, it would be seen
    with monkeypatch.context() as killed:
        killed.setattr(feedback_job, "feedback_rows", cut_off)
        with pytest.raises(KeyboardInterrupt):
            feedback(plan, world.spark, "data_use", wave_id="cut")
    released = answer_to(world, "cut")
    assert world.result.store.rows(catalog.FEEDBACK, "cut") is None
    paid = spent(world)
    said = list[str]()
    for _ in range(2):
        assert feedback(plan, world.spark, "data_use", wave_id="cut", say=said.append) == "cut"
    assert said[-1] == "wave cut is counted already; nothing was computed or spent again"
    assert (spent(world), answer_to(world, "cut")) == (paid, released)
    assert len(rows_of(world, "cut")) == 15
    with pytest.raises(RunConflict, match="cut counts something else, or of other people"):
        feedback(plan_of(world, share=0.003), world.spark, "data_use", wave_id="cut")


class Recorded:
    """Noise as in production, and what it was added to; `stops`: the process ends before it draws any."""

    private = True

    def __init__(self, stops: bool = False) -> None:
        self.exact, self._stops, self._parts = Counter[tuple[int, int]](), stops, 0

    def add(self, exact: Any, noise: Any) -> Any:
        if self._stops:
            raise KeyboardInterrupt
        self._parts += 1
        self.exact.update({(self._parts, cell): int(count) for cell, count in enumerate(exact)})
        return OpenDPNoise().add(exact, noise)


def test_a_wave_that_was_cut_off_between_spending_and_noise_is_charged_once(world: World) -> None:
    plan, before = plan_of(world, share=0.002), spent(world)
    with pytest.raises(KeyboardInterrupt):
        feedback(plan, world.spark, "data_use", wave_id="stopped", noise=Recorded(stops=True))
    assert spent(world) == [*before, ("stopped", pytest.approx(0.2))]
    assert world.result.store.rows(catalog.RELEASES, "stopped") is None
    assert feedback(plan, world.spark, "data_use", wave_id="stopped") == "stopped"
    assert spent(world) == [*before, ("stopped", pytest.approx(0.2))]
    assert len(rows_of(world, "stopped")) == 15


def test_of_two_counts_at_once_one_is_told_to_try_again_and_the_wave_is_paid_for_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another starts while the first counts, and another has been at it since the first has read how the wave stands."""
    plan, before = plan_of(world, share=0.002), spent(world)
    ends = list[str | RunConflict]()

    def meanwhile(name: str, wave: str) -> None:
        """Before the first goes on with this, another counts the same wave."""
        goes_on = getattr(feedback_job, name)

        def other(*given: Any) -> Any:
            monkeypatch.setattr(feedback_job, name, goes_on)
            try:
                ends.append(feedback(plan, world.spark.newSession(), "data_use", wave_id=wave))
            except RunConflict as refused:
                ends.append(refused)
            return goes_on(*given)

        monkeypatch.setattr(feedback_job, name, other)

    meanwhile("answer_shares", "twice")  # the first has the lease
    assert feedback(plan, world.spark, "data_use", wave_id="twice") == "twice"
    meanwhile("answers_today", "overtaken")  # the first has not taken it yet
    with pytest.raises(Busy, match="another process was at wave overtaken until this moment; start it again"):
        feedback(plan, world.spark, "data_use", wave_id="overtaken")
    assert isinstance(ends[0], Busy) and "twice is being worked on" in str(ends[0])
    assert ends[1:] == ["overtaken"]
    assert feedback(plan, world.spark, "data_use", wave_id="overtaken") == "overtaken"
    assert spent(world) == [*before, ("twice", pytest.approx(0.2)), ("overtaken", pytest.approx(0.2))]
    for wave in ("twice", "overtaken"):
        entries = [e.action for e in AuditLog(world.result.store).check() if e.run_id == wave]
        assert entries == ["feedback", "spend", "counted feedback"]
        assert len(rows_of(world, wave)) == 15


def test_who_is_erased_is_not_in_the_next_count(world: World, tmp_path: Path) -> None:
    """The source of answers still has theirs."""
    plan, goes, noises = plan_of(world, share=0.002), world.ids[50], (Recorded(), Recorded())
    feedback(plan, world.spark, "data_use", wave_id="with", noise=noises[0])
    write_source(world.spark, tmp_path / "requests", [(goes, datetime.now(UTC))], "customer_id STRING, requested_at TIMESTAMP")
    erase(plan, world.spark, str(tmp_path / "requests"))
    feedback(plan, world.spark, "data_use", wave_id="without", noise=noises[1])
    gone = noises[0].exact - noises[1].exact
    assert sorted(gone.values()) == [1, 1] and not noises[1].exact - noises[0].exact  # an answer to each of two questions
    assert noises[0].exact.total() > 300


def cut_off(*given: Any) -> None:
    raise KeyboardInterrupt


def answer_to(world: World, wave: str) -> bytes:
    (row,) = world.result.store.read(catalog.RELEASES, wave).collect()
    return bytes(row.noisy)


def test_a_wave_that_the_budget_does_not_cover_is_refused_before_anything_is_spent_or_written(world: World) -> None:
    before, log = spent(world), len(AuditLog(world.result.store).check())
    with pytest.raises(BudgetExhausted, match="nothing was spent") as wrong:  # of 100, less than 48 are left
        feedback(plan_of(world, share=0.5), world.spark, "data_use")
    assert wrong.value.exit_code == 4
    assert (spent(world), len(AuditLog(world.result.store).check())) == (before, log)


def broken(world: World, change: Any) -> str:
    """A table of answers that differs; its path."""
    rows = change(world.spark.read.format("delta").load(f"{world.folder}/answers"))
    path = f"{world.folder}/answers-{abs(hash(tuple(rows.schema.simpleString())))}"
    rows.write.format("delta").mode("overwrite").save(path)
    return path


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "no such survey": ({"survey": "other"}, None, "--survey: the plan names no survey other; it names data_use"),
    "no such run": ({"run_id": "run-9"}, None, "--run-id: there is no run run-9"),
    "the id of a run": ({"wave_id": "run-1"}, None, "--wave: run-1 is the id of a run"),
    "no id": ({"wave_id": "a b"}, None, "letters, digits, - and _ are allowed"),
    "no table": ({}, "nowhere", "surveys.data_use.source: "),
    "a column is missing": ({}, lambda rows: rows.drop("answer"), "surveys.data_use.source: "),
    "times as text": (
        {},
        lambda rows: rows.withColumn("answered_at", F.col("answered_at").cast("string")),
        "surveys.data_use.source: column answered_at is string; it must be a timestamp or a date",
    ),
    "ids as numbers": (
        {},
        lambda rows: rows.withColumn("customer_id", F.lit(7)),
        "surveys.data_use.source: the id column customer_id is a whole number, that of the customers is text",
    ),
    "an option that no answer can be": (
        {},
        lambda rows: rows.withColumn("answer", F.lit(True)),
        "surveys.data_use.source: column answer is boolean and never 1, an option of comfort; write it true or false",
    ),
    "a condition that Spark cannot compute": ({}, {"where": "nothing = 1"}, "surveys.data_use.source"),
}


@pytest.mark.parametrize(("arguments", "table", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_input_is_one_line_and_nothing_is_spent_or_left(world: World, arguments: Any, table: Any, expected: str) -> None:
    before, log = spent(world), len(AuditLog(world.result.store).check())
    source = {"path": f"{world.folder}/answers"}
    if table is not None:
        source = source | table if isinstance(table, dict) else {"path": broken(world, table) if callable(table) else f"/{table}"}
    plan = plan_of(world, source=SURVEY["source"] | source)
    with pytest.raises(EvenhandError) as wrong:
        feedback(plan, world.spark, **({"survey": "data_use"} | arguments))
    assert expected in str(wrong.value) and "\n" not in str(wrong.value)
    assert wrong.value.exit_code == 2
    assert (spent(world), len(AuditLog(world.result.store).check())) == (before, log)


def test_a_key_that_is_not_the_run_s_is_refused(world: World, tmp_path: Path) -> None:
    write_key(tmp_path / "other", b"another key of thirty-two bytes or more")
    before = spent(world)
    with pytest.raises(EvenhandError, match="test-1 stood for another key") as wrong:
        feedback(plan_of(world, {"pseudonyms.key_file": f"{tmp_path}/other"}), world.spark, "data_use")
    assert wrong.value.exit_code == 2
    assert spent(world) == before


def test_what_a_wave_found_wrong_and_its_lease_are_kept_no_longer_than_the_plan_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime.now(UTC) + timedelta(days=500)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return later

    with monkeypatch.context() as time:
        time.setattr("evenhand.people.retain.datetime", Later)
        removed = retain(plan_of(world), world.spark)
    assert {"first", "cut"} <= set(removed["input_quality"]) & set(removed["leases"])
    with pytest.raises(RunConflict, match=r"the rows of run \S+ in segments are not kept any more"):
        feedback(plan_of(world), world.spark, "data_use")
    assert len(rows_of(world, "first")) == 15


def test_spark_counts_what_numpy_counts(spark: Any) -> None:
    survey, random = Survey.model_validate(SURVEY), np.random.default_rng(3)
    segment, comfort, control = (random.integers(low, high, 500) for low, high in ((1, 5), (0, 4), (0, 3)))
    question = answer_counts(survey, 5, 1.0)
    rows: Iterable[tuple[int, int, int]] = [
        (int(segment[i]), q, int(of[i])) for q, of in enumerate((comfort, control)) for i in range(500) if of[i]
    ]
    frame = spark.createDataFrame(list(rows), "segment INT, question INT, option INT")
    in_spark = question.vectors(question.in_spark(frame).toArrow())
    none = np.zeros((500, 0), dtype=np.int64)
    in_numpy = question.of_sample(Sample.of(none, np.stack([segment, comfort, control], axis=1)))
    assert {name: vector.tolist() for name, vector in in_spark.items()} == {n: v.tolist() for n, v in in_numpy.items()}
    assert question.cost == pytest.approx(1.0)


def test_a_person_has_one_answer_to_a_question_however_many_rows_and_spellings_there_are(spark: Any, tmp_path: Path) -> None:
    """The sensitivity of 1 rests on it: whatever stands in the sources of one person, at most one row a question comes of it."""
    ids = [" A ", "a", "A", "b", "b", "c"]
    write_source(spark, tmp_path / "customers", [customer(id) for id in ids], CUSTOMERS)
    events = [(id, purpose, "granted", NOW, None, "web") for id in ("A", "b", "c") for purpose in ("offers", "surveys")]
    write_source(spark, tmp_path / "consent", events, CONSENT)
    random, options = np.random.default_rng(5), ["1", "2", "3", "x", None, "yes", "no", ""]
    rows = [
        (str(random.choice(ids)), str(random.choice(["comfort", "control"])), options[random.integers(8)], at, None)
        for at in [NOW - timedelta(days=int(d)) for d in random.integers(0, 5, 400)]
    ]
    write_source(spark, tmp_path / "answers", rows, ANSWERS)
    plan = parse_plan(plan_yaml(in_folder(tmp_path) | survey_at(tmp_path) | {"sources.ids": {"trim": True, "casefold": True}}))
    survey = plan.surveys[0]
    today = answers_today(spark, plan, survey)
    found = latest_answers(today.events["data_use"], survey, datetime.now(UTC)).collect()
    assert len({(r[0], r.question) for r in found}) == len(found)
    last: dict[tuple[str, int], set[int]] = {}
    for id, question, answer, at, _ in rows:
        of = (id.strip().upper(), ["comfort", "control"].index(question))
        named = [str(o) for o in SURVEY["questions"][of[1]]["options"]]
        newest = max(t for i, q, _, t, _ in rows if (i.strip().upper(), q) == (of[0], question))
        if at == newest:
            last.setdefault(of, set()).add(named.index(answer) + 1 if answer in named else 0)
    expected = {(i, q): options.pop() for (i, q), options in last.items() if len(options) == 1 and options != {0}}
    assert {(r[0], r.question): r.option for r in found} == expected
