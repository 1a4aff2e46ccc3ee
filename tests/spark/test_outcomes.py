"""What came of an offer: whose responses count, for whom, at which cost, and what is refused before anything is spent.

At ε = 16 a table all noise of a count's cells (54) is 0 but with a chance below 2e-5.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from evenhand.ask.outcomes import outcome_counts
from evenhand.cli.main import main
from evenhand.errors import BudgetExhausted, EvenhandError
from evenhand.governance.verify import verify
from evenhand.people import outcomes as outcomes_job
from evenhand.people.activate import activate
from evenhand.people.outcomes import outcomes
from evenhand.privacy.sample import Sample
from evenhand.records.audit import AuditLog
from evenhand.tables import catalog
from published import World, pseudonym, published_world
from sample import write_source

pytestmark = pytest.mark.long  # a run, an activation, and counts of what came of it

RESPONSES = "customer_id STRING, response STRING, at TIMESTAMP, offer STRING, note STRING"
OUTCOME: dict[str, Any] = {
    "name": "response",
    "source": {"path": "responses", "id": "customer_id", "time": "at", "where": "offer = 'all'"},
    "options": ["opened", "bought"],
    "share": 0.48,
}
NONE, OPENED, BOUGHT = range(3)


def response_of(i: int) -> int:
    """Whoever bought need not have a row that says so of opening."""
    return [BOUGHT, OPENED, NONE, OPENED][i % 4]


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Since the run two have left; all others were handed out or, a third of them, held back, and then have responded."""
    found = published_world(spark, tmp_path_factory.mktemp("outcomes"))
    early = datetime.now(UTC) - timedelta(seconds=1)
    activate(plan_of(found), spark, "run-1", f"{found.folder}/out", segments=[1, 2, 3], activation_id="all")
    found.say_no(found.ids[:2])
    now = datetime.now(UTC)
    rows = [(id, "opened", now, "all", "words of my own") for i, id in enumerate(found.ids) if response_of(i) == OPENED]
    rows += [(id, "bought", now, "all", None) for i, id in enumerate(found.ids) if response_of(i) == BOUGHT]
    silent = next(id for i, id in enumerate(found.ids) if response_of(i) == NONE)
    rows += [
        (silent, "bought", early, "all", None),  # before it was handed out
        (silent, "bought", now + timedelta(days=900), "all", None),
        (silent, "bought", now, "another offer", None),
        (silent, "complained", now, "all", None),
        (silent, "bought", None, "all", None),
        ("nobody", "bought", now, "all", None),
        *[(found.ids[4], "opened", now, "all", None)] * 3,  # who has bought
    ]
    write_source(spark, found.folder / "responses", rows, RESPONSES)
    return found


def plan_of(world: World, changes: dict[str, Any] | None = None, **outcome: Any) -> Any:
    return world.plan(changes_of(world, outcome) | (changes or {}))


def changes_of(world: World, outcome: dict[str, Any]) -> dict[str, Any]:
    source = OUTCOME["source"] | {"path": f"{world.folder}/responses"}
    asked = OUTCOME | {"source": source} | outcome
    return {"privacy.epsilon": 100.0, "privacy.minimum_cell": 0, "activation.holdout": 0.3, "outcomes": [asked]}


def spent(world: World) -> list[tuple[str, float]]:
    return [(r.run_id, r.epsilon) for r in world.result.store.read(catalog.BUDGET).orderBy("number").collect()]


def expected(world: World) -> dict[tuple[str, str, str], tuple[float, float]]:
    """By attribute, row and option the share of those handed out, and of those held back, who went at least that far."""
    store, names = world.result.store, world.plan().attribute_names
    register = {bytes(r.pseudonym): r for r in store.read(catalog.ACTIVATED).collect()}
    groups = {bytes(r.pseudonym): r for r in store.read(catalog.PREPARED, "run-1").collect()}
    everybody, went = Counter[tuple[str, str, bool]](), Counter[tuple[str, str, str, bool]]()
    for i, id in enumerate(world.ids):
        if i < 2 or (of := register.get(pseudonym(id))) is None:
            continue
        rows = [("segment", str(of.segment))]
        for name in names:
            attribute = next(a for a in world.plan().protected if a.name == name)
            rows.append((name, attribute.group_names[groups[pseudonym(id)][name]]))
        for row in rows:
            everybody[*row, of.held_back] += 1
            for j, option in enumerate(OUTCOME["options"], 1):
                went[*row, option, of.held_back] += response_of(i) >= [0, OPENED, BOUGHT][j]
    return {
        (*row, option): tuple(  # type: ignore[misc]
            went[*row, option, held] / everybody[*row, held] if everybody[*row, held] else float("nan") for held in (False, True)
        )
        for row in {key[:2] for key in everybody}
        for option in OUTCOME["options"]
    }


def test_the_farthest_response_counts_by_segment_and_group_beside_those_who_were_held_back(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, before = tmp_path / "plan.yaml", spent(world)
    file.write_text(world.yaml(changes_of(world, {})), encoding="utf-8")
    given = ["--plan", str(file), "--outcome", "response", "--activation", "all", "--wave", "first", "--json", "--quiet"]
    assert main(["outcomes", *given]) == 0
    assert json.loads(capsys.readouterr().out)["wave"] == "first"
    rows = {(r.attribute, r.group, r.option): r for r in world.result.store.read(catalog.OUTCOME_RATES, "first").collect()}
    told, truth = 0, expected(world)
    for key, (given_rate, held_rate) in truth.items():
        row = rows[key]
        if row.rate is not None:  # else too little is known
            assert (row.rate, row.rate_low <= row.rate <= row.rate_high) == (pytest.approx(given_rate), True)
        if row.rate is not None and row.held_back_rate is not None:
            told += 1
            assert row.held_back_rate == pytest.approx(held_rate)
            assert row.added == pytest.approx(given_rate - held_rate)
            assert row.added_low <= row.added <= row.added_high
    assert told >= 8
    verdicts = world.result.store.read(catalog.OUTCOME_VERDICTS, "first").collect()
    assert {(v.attribute, v.option, v.metric) for v in verdicts} == {
        (a, o, m) for a in ("gender", "age_band") for o in OUTCOME["options"] for m in ("selection_ratio", "selection_difference")
    }
    assert {v.verdict for v in verdicts} <= {"even", "uneven", "cannot tell"}
    assert spent(world) == [*before, ("first", pytest.approx(48.0))]
    page = (world.folder / "reports" / "run-1.html").read_text(encoding="utf-8")
    assert "What came of offers" in page and "Activation all, count first of" in page
    entries = [e.action for e in AuditLog(world.result.store).check() if e.run_id == "first"]
    assert entries == ["outcomes", "spend", "counted outcomes"]
    assert "2 runs have spent" in verify(plan_of(world), world.spark)
    quality = {r.finding: r["count"] for r in world.result.store.read(catalog.INPUT_QUALITY, "first").collect()}
    assert quality == {
        "id missing or empty": 0,
        "response that is none of the options": 1,
        "response without a time": 1,
        "response in the future": 1,
        "response that matches no customer": 1,
    }
    written = [p.read_bytes() for zone in ("restricted", "open") for p in (world.folder / zone).rglob("*") if p.is_file()]
    assert not [True for content in written for text in (b"words of my own", b"complained") if text in content]


def test_a_count_that_was_cut_off_goes_on_with_what_was_released_and_is_charged_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*given: Any) -> None:
        raise KeyboardInterrupt

    plan, store = plan_of(world, share=0.01), world.result.store
    with monkeypatch.context() as killed:
        killed.setattr(outcomes_job, "outcome_rows", cut_off)
        with pytest.raises(KeyboardInterrupt):
            outcomes(plan, world.spark, "response", "all", wave_id="cut")
    assert store.rows(catalog.OUTCOME_RATES, "cut") is None
    released, paid = store.read(catalog.RELEASES, "cut").collect(), spent(world)
    said = list[str]()
    for _ in range(2):
        outcomes(plan, world.spark, "response", "all", wave_id="cut", say=said.append)
    assert said[-1] == "wave cut is counted already; nothing was computed or spent again"
    assert (store.read(catalog.RELEASES, "cut").collect(), spent(world)) == (released, paid)


def test_bad_input_is_one_line_and_nothing_is_spent(world: World) -> None:
    before, log = spent(world), len(AuditLog(world.result.store).check())
    source = OUTCOME["source"] | {"path": f"{world.folder}/responses"}
    refused: list[tuple[Any, dict[str, Any], str, int]] = [
        (plan_of(world), {"outcome": "other"}, "--outcome: the plan names no outcome other; it names response", 2),
        (plan_of(world), {"activation_id": "none"}, "--activation: there is no activation none", 2),
        (plan_of(world, source=source | {"response": "said"}), {}, "outcomes.response.source: ", 2),
        (plan_of(world, source=source | {"path": "/nowhere"}), {}, "outcomes.response.source: ", 2),
        (plan_of(world, share=0.6), {}, "nothing was spent", 4),
    ]
    for plan, given, line, code in refused:
        with pytest.raises(EvenhandError) as wrong:
            outcomes(plan, world.spark, **({"outcome": "response", "activation_id": "all"} | given))
        assert line in str(wrong.value) and "\n" not in str(wrong.value)
        assert wrong.value.exit_code == code
        assert isinstance(wrong.value, BudgetExhausted) == (code == 4)
    assert (spent(world), len(AuditLog(world.result.store).check())) == (before, log)


def test_spark_counts_what_numpy_counts(spark: Any, world: World) -> None:
    plan, random, n = world.plan({"fairness.intersections": [["gender", "age_band"]]}), np.random.default_rng(4), 400
    sizes = [len(a.group_names) for a in plan.protected]
    columns = [
        random.integers(1, 4, n),
        random.integers(0, 2, n),
        random.integers(0, 3, n),
        *(random.integers(0, s, n) for s in sizes),
    ]
    question = outcome_counts(plan, 3, 2, 1.0)
    names = ["segment", "held_back", "option", *plan.attribute_names]
    rows = [tuple(int(column[i]) for column in columns) for i in range(n)]
    frame = spark.createDataFrame(rows, ", ".join(f"{name} INT" for name in names)).withColumn(
        "held_back", F.col("held_back") == 1
    )
    in_spark = question.vectors(question.in_spark(frame).toArrow())
    in_numpy = question.of_sample(Sample.of(np.zeros((n, 0), dtype=np.int64), np.stack(columns, axis=1)))
    assert {name: vector.tolist() for name, vector in in_spark.items()} == {k: v.tolist() for k, v in in_numpy.items()}
    assert all(vector.sum() == n for vector in in_numpy.values())
