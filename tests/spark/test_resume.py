"""A run that is started again under its id: the very same noise, no second charge, and no other plan."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import write_key
from evenhand.errors import ArgumentError, BudgetExhausted, IntegrityError, Interrupted, RunConflict
from evenhand.job.api import run
from evenhand.job.flow import STEPS
from evenhand.job.result import Result
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import OpenDPNoise
from evenhand.records.audit import AuditLog
from evenhand.records.ledger import Ledger
from evenhand.sources.open import people_of
from evenhand.tables import catalog
from evenhand.tables.store import Store
from sample import CUSTOMERS, KEY, NOW, people, plan_yaml, sources_in, write_source, write_sources

pytestmark = pytest.mark.long  # many runs

Build = Callable[..., Plan]
After = Callable[[str], Result]
CHANGES = {"privacy.epsilon": 3.0, "privacy.population_total": 7.0, "privacy.expected_customers": 500}
OPEN = [catalog.RELEASES, catalog.SEGMENT_CENTERS, catalog.PRIVATE_SUMMARY, catalog.SEGMENT_PROFILES, catalog.FAIRNESS_STATS]


@pytest.fixture(scope="module")
def small(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """On sources that no test changes, with its output in the working directory: copied elsewhere, a run is still that run."""
    folder = tmp_path_factory.mktemp("resume")
    customers, purchases = people(300)
    write_sources(spark, folder, customers, purchases=purchases)
    here = {"pseudonyms.key_file": str(write_key(folder / "key", KEY))}
    return parse_plan(plan_yaml(sources_in(folder) | here | CHANGES))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def stages(spark: Any, small: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run whose steps were started one by one, as each of them left it, in a folder of its name."""
    folder = tmp_path_factory.mktemp("stages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        for step in STEPS:
            run(small, spark, as_of=NOW if step == "prepare" else None, run_id="r1", steps=[step])
            shutil.copytree(".", folder / step)
    return folder


@pytest.fixture
def after(spark: Any, small: Plan, stages: Path) -> After:
    """Goes on in the test's folder from where a step has left the run."""

    def go(step: str) -> Result:
        shutil.copytree(stages / step, ".", dirs_exist_ok=True)
        return Result(small, Store(spark, small.output), "r1")

    return go


class Power(Exception):
    """Stands for the machine losing it."""


class CutOff:
    """Noise that is drawn as in production, until the power goes before a given draw, or somebody presses Ctrl-C."""

    private = True

    def __init__(self, draws: int, ctrl_c: bool = False) -> None:
        self.left, self.ctrl_c = draws, ctrl_c

    def add(self, exact: Any, noise: Any) -> Any:
        if self.left == 0 and self.ctrl_c:
            signal.raise_signal(signal.SIGINT)
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


def test_the_steps_one_by_one_give_what_the_whole_gives(after: After) -> None:
    result = after("report")
    assert sorted(r.status for r in result.store.read(catalog.RUNS, "r1").collect()) == ["published", "running"]
    assert spent(result) == pytest.approx(3.0)
    assert result.segments.count() == 300
    assert result.report.exists()


def test_the_same_id_gives_the_very_same_figures_and_no_second_charge(spark: Any, small: Plan, after: After) -> None:
    before = figures(after("assess"))
    again = run(small, spark, run_id="r1", noise=Forbidden())
    assert figures(again) == before
    assert spent(again) == pytest.approx(3.0)
    assert sorted(r.status for r in again.store.read(catalog.RUNS, "r1").collect()) == ["published", "running"]


def test_a_published_run_is_not_done_again_and_its_page_is_made_anew_where_it_is_gone(
    spark: Any, small: Plan, after: After
) -> None:
    """Nothing is written for it, and no source is read; a page is made from the open zone alone."""
    store = after("report").store
    versions = {path: len(list(path.iterdir())) for path in Path().rglob("_delta_log")}
    page = Path("reports/r1.html").read_text()
    said: list[str] = []
    was = "run r1 is published already, as of 2026-03-01 12:00 UTC; nothing was computed or spent again"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evenhand.job.state.open_sources", None)
        run(small, spark, run_id="r1", say=said.append)
        assert said == [was]
        Path("reports/r1.html").unlink()
        assert str(run(small, spark, run_id="r1", say=said.append).report) == "reports/r1.html"
        assert said[1:] == [f"{was}; its page was made anew"]
        assert Path("reports/r1.html").read_text() == page
    assert {path: len(list(path.iterdir())) for path in Path().rglob("_delta_log")} == versions
    assert [e.action for e, _ in AuditLog(store).entries()].count("publish") == 1


def test_a_run_that_cannot_be_paid_any_more_leaves_nobody_behind_and_stands_as_refused(
    spark: Any, small: Plan, after: After
) -> None:
    """Another has spent the budget between two of its steps."""
    store = after("prepare").store
    for other in ("r2", "r3"):
        ledger_of(store, small).reserve(other, {"all": 3.0})
    with pytest.raises(BudgetExhausted) as wrong:
        run(small, spark, run_id="r1", steps=["segment"])
    assert store.read(catalog.PREPARED, "r1").isEmpty()
    assert store.read(catalog.INPUT_QUALITY, "r1").isEmpty()
    found = store.read(catalog.RUNS, "r1").select("status", "reasons").collect()
    assert sorted(map(tuple, found)) == [("refused", [str(wrong.value)]), ("running", [])]


def test_a_run_that_was_cut_off_published_nothing_and_goes_on_at_no_further_charge(spark: Any, small: Plan) -> None:
    """Before any noise, within the marginals, and within the assessment: each time it goes on from where it was, and says so."""
    store, said = Store(spark, small.output), list[str]()
    for draws, known in ((0, set()), (2, set()), (5, {"marginals", "summary"})):
        with pytest.raises(Interrupted if draws == 2 else Power) as wrong:
            run(small, spark, as_of=NOW, run_id="r1", noise=CutOff(draws, ctrl_c=draws == 2), say=said.append)
        if draws == 2:
            assert "interrupted; start it again with --run-id r1, and it goes on where it stopped" in str(wrong.value)
            assert wrong.value.exit_code == 130
        assert [r.status for r in store.read(catalog.RUNS).collect()] == ["running"]
        assert answered(store) == known
    failed = [json.loads(e.details) for e, _ in AuditLog(store).entries() if e.action == "fail"]
    last = "assess" if store.exists(catalog.SEGMENT_CENTERS) else "segment"
    assert failed == [
        {"error": error, "step": step} for error, step in (("Power", "segment"), ("Interrupted", "segment"), ("Power", last))
    ]
    again = run(small, spark, run_id="r1", say=said.append)
    assert "run r1: if it is cut off, start it again under this id and it goes on where it stopped" in said
    resumed = "run r1: resumed, as of 2026-03-01 12:00 UTC; it goes on with the step "
    assert [line for line in said if "resumed" in line] == [resumed + step for step in ("segment", "segment", last)]
    assert again.store.read(catalog.RUNS).where("status = 'published'").count() == 1
    assert spent(again) == pytest.approx(3.0)
    assert again.segments.count() == 300


def ledger_of(store: Store, plan: Plan) -> Ledger:
    return Ledger(store, AuditLog(store), plan.privacy, people_of(store.spark, plan))


def answered(store: Store) -> set[str]:
    return {r.question for r in store.read(catalog.RELEASES).collect()} if store.exists(catalog.RELEASES) else set()


@pytest.mark.parametrize(("done", "step", "needed"), [("prepare", "assess", "segment"), (None, "segment", "prepare")])
def test_a_step_before_its_turn_is_refused_with_the_step_that_is_missing(
    spark: Any, small: Plan, after: After, done: str | None, step: str, needed: str
) -> None:
    if done is not None:
        after(done)
    with pytest.raises(RunConflict, match=f"run the step {needed} first, under the same id"):
        run(small, spark, run_id="r1", steps=[step])


def test_another_plan_or_another_point_in_time_under_the_same_id_is_refused(spark: Any, small: Plan, after: After) -> None:
    after("prepare")
    changed = small.model_copy(update={"description": "Something else."})
    with pytest.raises(RunConflict, match="started with another plan"):
        run(changed, spark, run_id="r1", steps=["segment"])
    with pytest.raises(RunConflict, match="started as of 2026-03-01T12:00:00"):
        run(small, spark, as_of=NOW + timedelta(seconds=1), run_id="r1", steps=["prepare"])
    run(small, spark, as_of=NOW, run_id="r1", steps=["prepare"])
    spark.sql(f"UPDATE delta.`{Path().absolute()}/open/runs` SET version = '0.0.9'")
    with pytest.raises(RunConflict, match=r"Evenhand 0.0.9 began this run, this is \d.*finish it with that version"):
        run(small, spark, run_id="r1", steps=["segment"])


def test_a_run_leaves_nothing_before_it_stands_in_runs(spark: Any, small: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would be new again under its id: with another moment, and the people of the old one."""
    without_power_for(catalog.RUNS, monkeypatch)
    with pytest.raises(Power):
        run(small, spark, as_of=NOW, run_id="r1")
    store = Store(spark, small.output)
    assert not [t.name for t in (catalog.PREPARED, catalog.RELEASES, catalog.BUDGET) if store.exists(t)]


def without_power_for(table: catalog.TableSpec, patch: pytest.MonkeyPatch) -> None:
    """Lets the power go when a table is to be written."""
    write = Store.write

    def lost(store: Store, spec: catalog.TableSpec, *rest: Any) -> None:
        if spec is table:
            raise Power
        write(store, spec, *rest)

    patch.setattr(Store, "write", lost)


def test_a_resumed_run_reads_the_sources_as_they_were(spark: Any, plan: Build, tmp_path: Path) -> None:
    changing, (customers, purchases) = plan(CHANGES), people(300)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    with pytest.MonkeyPatch.context() as patch:
        without_power_for(catalog.PREPARED, patch)
        with pytest.raises(Power):
            run(changing, spark, as_of=NOW, run_id="r1")
    write_source(spark, tmp_path / "customers", people(10)[0], CUSTOMERS)
    again = run(changing, spark, run_id="r1", steps=["prepare"])
    assert again.store.read(catalog.PREPARED).count() == 300


def test_an_id_of_which_runs_knows_nothing_and_another_table_does_is_refused(spark: Any, small: Plan, after: After) -> None:
    after("prepare")
    shutil.rmtree("open/runs")
    with pytest.raises(RunConflict, match=r"prepared` holds rows of run r1, which is not in `runs`; take another id"):
        run(small, spark, as_of=NOW + timedelta(days=1), run_id="r1")


def test_what_was_found_wrong_with_the_input_is_counted_although_the_run_was_cut_off_before(
    spark: Any, small: Plan, after: After
) -> None:
    counted = Path("restricted/input_quality")
    found = {tuple(r) for r in after("prepare").store.read(catalog.INPUT_QUALITY, "r1").collect()}
    counted.rename("before")
    again = run(small, spark, run_id="r1", steps=["prepare"])
    assert {tuple(r) for r in again.store.read(catalog.INPUT_QUALITY, "r1").collect()} == found != set()


def test_no_noise_is_drawn_again_for_an_answer_that_was_seen_and_is_lost(spark: Any, small: Plan, after: After) -> None:
    after("segment")
    shutil.rmtree("restricted/releases")
    with pytest.raises(IntegrityError, match="is gone from .*releases.*no noise was drawn again") as wrong:
        run(small, spark, run_id="r1", noise=Forbidden())
    assert wrong.value.exit_code == 5


def test_an_answer_that_was_stored_and_not_seen_is_handed_out_by_the_next_start(spark: Any, small: Plan, after: After) -> None:
    def lost(ledger: Ledger, *rest: Any) -> None:
        raise Power

    store = after("prepare").store
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "itemize", lost)
        with pytest.raises(Power):
            run(small, spark, run_id="r1", steps=["segment"])
    (stored,) = store.read(catalog.RELEASES).collect()
    assert not store.exists(catalog.PRIVATE_SUMMARY)
    run(small, spark, run_id="r1", steps=["segment"])
    assert stored in store.read(catalog.RELEASES).collect()
    assert stored.question in {r.question for r in store.read(catalog.BUDGET_ENTRIES).collect()}


OTHERWISE = {
    "of other parts": (catalog.RELEASES, "parts = replace(parts, 'count', 'cuont')", "to another question"),
    "about other boxes": (catalog.RELEASES, "about = reverse(about) WHERE question = 'summary'", "about other centers or boxes"),
    "for another price": (catalog.BUDGET_ENTRIES, "epsilon = epsilon / 2 WHERE question = 'summary'", "divided otherwise"),
}


@pytest.mark.parametrize("how", OTHERWISE)
def test_a_stored_answer_to_another_question_is_not_taken_for_this_one(spark: Any, small: Plan, after: After, how: str) -> None:
    table, change, said = OTHERWISE[how]
    spark.sql(f"UPDATE {after('segment').store.address(table)} SET {change}")
    with pytest.raises(IntegrityError, match=said) as wrong:
        run(small, spark, run_id="r1", steps=["segment"])
    assert wrong.value.exit_code == 5


@pytest.mark.parametrize("run_id", ["", "a b", "a'b", "../x", "x" * 81, "-x", "a\nb", "ü"])
def test_an_id_that_could_not_stand_in_a_path_or_a_query_is_refused(spark: Any, small: Plan, run_id: str) -> None:
    with pytest.raises(ArgumentError, match="--run-id"):
        run(small, spark, run_id=run_id)
    assert not Path("open").exists()
