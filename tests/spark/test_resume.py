"""A run that is started again under its id: the very same noise, no second charge, and no other plan."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evenhand.api import run
from evenhand.errors import ArgumentError, IntegrityError, RunConflict
from evenhand.plan.models import Plan
from evenhand.privacy.ledger import Ledger
from evenhand.privacy.noise import NoiseSource, OpenDPNoise
from evenhand.result import Result
from evenhand.tables import catalog
from evenhand.tables.store import Store
from sample import CUSTOMERS, NOW, people, sources_in, write_source, write_sources

Build = Callable[..., Plan]
CHANGES = {"privacy.epsilon": 3.0, "privacy.population_total": 7.0, "privacy.expected_customers": 500}
OPEN = [catalog.RELEASES, catalog.SEGMENT_CENTERS, catalog.PRIVATE_SUMMARY, catalog.SEGMENT_PROFILES, catalog.FAIRNESS_STATS]


@pytest.fixture(scope="module")
def sources(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources that no test changes."""
    folder = tmp_path_factory.mktemp("resume")
    customers, purchases = people(300)
    write_sources(spark, folder, customers, purchases=purchases)
    return folder


@pytest.fixture
def small(plan: Build, sources: Path) -> Plan:
    return plan(sources_in(sources) | CHANGES)


class Power(Exception):
    """Stands for the machine losing it."""


class Interrupted:
    """Noise that is drawn as in production, until the power goes before a given draw."""

    private = True

    def __init__(self, draws: int) -> None:
        self.left = draws

    def add(self, exact: Any, noise: Any) -> Any:
        if self.left == 0:
            raise Power
        self.left -= 1
        return OpenDPNoise().add(exact, noise)


class Forbidden:
    """Noise that must not be drawn."""

    private = True

    def add(self, exact: Any, noise: Any) -> Any:
        raise AssertionError("noise was drawn again")


def figures(result: Result) -> dict[str, list[str]]:
    return {t.name: sorted(str(r.asDict()) for r in result.store.read(t, result.run_id).collect()) for t in OPEN}


def spent(result: Result) -> float:
    return float(sum(entry.epsilon for entry in result.store.read(catalog.BUDGET).collect()))


def test_the_same_id_gives_the_very_same_figures_and_no_second_charge(spark: Any, small: Plan) -> None:
    first = run(small, spark, as_of=NOW, run_id="r1")
    before = figures(first)
    again = run(small, spark, run_id="r1", noise=Forbidden())
    assert figures(again) == before
    assert spent(again) == pytest.approx(3.0)
    assert [r.status for r in again.store.read(catalog.RUNS, "r1").orderBy("at").collect()] == ["running", "published"]


@pytest.mark.parametrize("draws", [0, 2, 5], ids=["before_any_noise", "within_the_summary", "within_the_assessment"])
def test_a_run_that_was_cut_off_published_nothing_and_goes_on_at_no_further_charge(spark: Any, small: Plan, draws: int) -> None:
    noise: NoiseSource = Interrupted(draws)
    with pytest.raises(Power):
        run(small, spark, as_of=NOW, run_id="r1", noise=noise)
    runs = spark.read.format("delta").load(f"{small.output.open.path}/runs")
    assert [r.status for r in runs.collect()] == ["running"]
    again = run(small, spark, run_id="r1")
    assert again.store.read(catalog.RUNS).where("status = 'published'").count() == 1
    assert spent(again) == pytest.approx(3.0)
    assert again.segments.count() == 300


def test_the_steps_one_by_one_give_what_the_whole_gives(spark: Any, small: Plan) -> None:
    for step in ("prepare", "segment", "assess", "report"):
        result = run(small, spark, as_of=NOW if step == "prepare" else None, run_id="r1", steps=[step])
    assert [r.status for r in result.store.read(catalog.RUNS, "r1").orderBy("at").collect()] == ["running", "published"]
    assert spent(result) == pytest.approx(3.0)
    assert result.report.exists()


@pytest.mark.parametrize(("done", "step", "needed"), [(["prepare"], "assess", "segment"), ([], "segment", "prepare")])
def test_a_step_before_its_turn_is_refused_with_the_step_that_is_missing(
    spark: Any, small: Plan, done: list[str], step: str, needed: str
) -> None:
    for earlier in done:
        run(small, spark, as_of=NOW, run_id="r1", steps=[earlier])
    with pytest.raises(RunConflict, match=f"run the step {needed} first, under the same id"):
        run(small, spark, run_id="r1", steps=[step])


def test_another_plan_under_the_same_id_is_refused(spark: Any, small: Plan, plan: Build) -> None:
    run(small, spark, as_of=NOW, run_id="r1", steps=["prepare"])
    changed = small.model_copy(update={"description": "Something else."})
    with pytest.raises(RunConflict, match="started with another plan"):
        run(changed, spark, run_id="r1", steps=["segment"])


def test_a_run_leaves_nothing_before_it_stands_in_runs(
    spark: Any, small: Plan, plan: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would be new again under its id: with another moment, and the people of the old one."""
    write = Store.write

    def lost(store: Store, spec: catalog.TableSpec, *rest: Any) -> None:
        if spec is catalog.RUNS:
            raise Power
        write(store, spec, *rest)

    monkeypatch.setattr(Store, "write", lost)
    with pytest.raises(Power):
        run(small, spark, as_of=NOW, run_id="r1")
    store = Store(spark, small.output)
    assert not [t.name for t in (catalog.PREPARED, catalog.RELEASES, catalog.BUDGET) if store.exists(t)]


def test_an_id_of_which_runs_knows_nothing_and_another_table_does_is_refused(spark: Any, small: Plan) -> None:
    run(small, spark, as_of=NOW, run_id="r1", steps=["prepare"])
    shutil.rmtree(f"{small.output.open.path}/runs")
    with pytest.raises(RunConflict, match=r"prepared` holds rows of run r1, which is not in `runs`; take another id"):
        run(small, spark, as_of=NOW + timedelta(days=1), run_id="r1")


def test_what_was_found_wrong_with_the_input_is_counted_although_the_run_was_cut_off_before(spark: Any, small: Plan) -> None:
    first = run(small, spark, as_of=NOW, run_id="r1", steps=["prepare"])
    before = first.store.read(catalog.INPUT_QUALITY, "r1").count()
    shutil.rmtree(f"{small.output.restricted.path}/input_quality")
    again = run(small, spark, run_id="r1", steps=["prepare"])
    assert again.store.read(catalog.INPUT_QUALITY, "r1").count() == before > 0


@pytest.mark.parametrize("steps", [["prepare", "segment", "assess"], ["prepare", "segment"]], ids=["ended", "cut_off"])
def test_no_noise_is_drawn_again_for_an_answer_that_was_seen_and_is_lost(spark: Any, small: Plan, steps: list[str]) -> None:
    run(small, spark, as_of=NOW, run_id="r1", steps=steps)
    shutil.rmtree(f"{small.output.restricted.path}/releases")
    with pytest.raises(IntegrityError, match="is gone from .*releases.*no noise was drawn again") as wrong:
        run(small, spark, run_id="r1", noise=Forbidden())
    assert wrong.value.exit_code == 5


def test_an_answer_that_was_stored_and_not_seen_is_handed_out_by_the_next_start(
    spark: Any, small: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(ledger: Ledger, *rest: Any) -> None:
        raise Power

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "itemize", lost)
        with pytest.raises(Power):
            run(small, spark, as_of=NOW, run_id="r1", steps=["prepare", "segment"])
    store = Store(spark, small.output)
    (stored,) = store.read(catalog.RELEASES).collect()
    assert not store.exists(catalog.PRIVATE_SUMMARY)
    run(small, spark, run_id="r1", steps=["segment"])
    assert stored in store.read(catalog.RELEASES).collect()
    assert stored.question in {r.question for r in store.read(catalog.BUDGET_ENTRIES).collect()}


def test_another_point_in_time_under_the_same_id_is_refused(spark: Any, small: Plan) -> None:
    run(small, spark, as_of=NOW, run_id="r1", steps=["prepare"])
    with pytest.raises(RunConflict, match="started as of 2026-03-01T12:00:00"):
        run(small, spark, as_of=NOW + timedelta(seconds=1), run_id="r1", steps=["prepare"])
    run(small, spark, as_of=NOW, run_id="r1", steps=["prepare"])


def test_a_resumed_run_reads_the_sources_as_they_were(spark: Any, plan: Build, tmp_path: Path) -> None:
    small, (customers, purchases) = plan(CHANGES), people(300)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    with pytest.raises(Power):
        run(small, spark, as_of=NOW, run_id="r1", noise=Interrupted(0))
    write_source(spark, tmp_path / "customers", people(10)[0], CUSTOMERS)
    again = run(small, spark, run_id="r1")
    assert again.segments.count() == 300


def test_a_stored_answer_to_another_question_is_not_taken_for_this_one(spark: Any, small: Plan) -> None:
    run(small, spark, as_of=NOW, run_id="r1", steps=["prepare", "segment"])
    spark.sql(f"UPDATE delta.`{small.output.restricted.path}/releases` SET parts = replace(parts, 'count', 'cuont')")
    with pytest.raises(IntegrityError) as wrong:
        run(small, spark, run_id="r1", steps=["segment"])
    assert wrong.value.exit_code == 5


@pytest.mark.parametrize("run_id", ["", "a b", "a'b", "../x", "x" * 81, "-x", "a\nb", "ü"])
def test_an_id_that_could_not_stand_in_a_path_or_a_query_is_refused(spark: Any, small: Plan, run_id: str) -> None:
    with pytest.raises(ArgumentError, match="--run-id"):
        run(small, spark, run_id=run_id)
    assert not Path(small.output.open.path or "").exists()
