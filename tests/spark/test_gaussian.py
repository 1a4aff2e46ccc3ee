"""A run with a δ: Gaussian noise, counted as ρ within the run and as (ε, δ) by the population's ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BudgetExhausted, PlanError
from evenhand.job.api import run
from evenhand.plan.accounting import rho_of
from evenhand.plan.models import Plan
from evenhand.records.account import Loss
from evenhand.records.audit import AuditLog
from evenhand.records.ledger import Ledger
from evenhand.records.people import People
from evenhand.sources.open import people_of
from evenhand.tables import catalog
from evenhand.tables.store import Store
from sample import NOW, people, write_sources

pytestmark = pytest.mark.long  # whole runs

Build = Callable[..., Plan]
MODE = {"privacy.epsilon": 20.0, "privacy.population_total": 1000.0, "privacy.delta": 1e-6, "privacy.population_delta": 1.5e-6}


class Forbidden:
    """Noise that must not be drawn."""

    private = True

    def add(self, exact: Any, noise: Any) -> Any:
        raise AssertionError("noise was drawn again")


def test_a_run_with_a_delta_is_counted_itemized_published_and_resumed(spark: Any, plan: Build, tmp_path: Path) -> None:
    """False alarm: sizes have noise of deviation 3.4; a size 40 off has probability below 1e-30."""
    customers, purchases = people(600)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    first = run(plan(MODE), spark, as_of=NOW, run_id="r1")

    spent = first.store.read(catalog.BUDGET).select("run_id", "epsilon", "delta", "delta_total").collect()
    assert spent == [("r1", 20.0, 1e-6, 1.5e-6)]
    entries = first.store.read(catalog.BUDGET_ENTRIES, "r1").collect()
    assert sum(e.rho for e in entries) == pytest.approx(rho_of(20.0, 1e-6))
    assert {e.epsilon for e in entries} == {None}
    for entry in entries:
        assert entry.composition.startswith("sequential over parts: ρ = ")
        assert sum(p["rho"] for p in json.loads(entry.parts)) == pytest.approx(entry.rho)
    last = first.store.read(catalog.RUNS, "r1").where("status = 'published'").first()
    assert (last.epsilon, last.delta) == (20.0, 1e-6)

    exact = {r.segment: r["count"] for r in first.segments.groupBy("segment").count().collect()}
    for row in first.profiles.where("measure = 'size'").collect():
        assert abs(row.value - exact[row.segment]) < 40
        assert row.low <= row.value <= row.high
    page = first.report.read_text(encoding="utf-8")
    assert "This run spent ε = 20 and δ = 1e-06." in page
    assert "is (ε, δ)-differentially private" in page
    assert "ε = 20 and δ = 1e-06 spent, 980 of 1000 left (0 such runs)" in str(first)

    again = run(plan(MODE), spark, run_id="r1", steps=["segment", "assess"], noise=Forbidden())
    assert again.profiles.orderBy("segment", "measure").collect() == first.profiles.orderBy("segment", "measure").collect()

    # Of ε much is left, of δ half of what a run takes.
    with pytest.raises(BudgetExhausted, match=r"has 980 of 1000 and δ = 5e-07 of 1.5e-06 left; nothing was spent") as wrong:
        run(plan(MODE), spark, as_of=NOW, run_id="r2")
    assert wrong.value.exit_code == 4
    refused, _ = AuditLog(first.store).entries()[-1]
    assert (refused.run_id, refused.action, refused.details) == ("r2", "fail", '{"error":"BudgetExhausted","step":"start"}')
    pure = plan(MODE | {"privacy.delta": None}).privacy
    ledger = Ledger(first.store, AuditLog(first.store), pure, people_of(spark, first.plan))
    ledger.refuse("r3", Loss.of(pure))  # as a run does when it begins; it takes no δ
    ledger.reserve("r3", {"summary": 20.0})
    with pytest.raises(PlanError, match="has a total δ of 1.5e-06, the plan says 1e-05; a plan cannot change it"):
        run(plan(MODE | {"privacy.population_delta": 1e-5}), spark, as_of=NOW, run_id="r4")


def test_delta_is_refused_by_the_ledger_itself_and_renews_with_the_period(spark: Any, plan: Build) -> None:
    from datetime import UTC, datetime

    asked = {"summary": 0.01}
    yearly = plan(MODE | {"privacy.renews": "yearly"})

    def ledger(year: int) -> Ledger:
        store = Store(spark, yearly.output)
        return Ledger(
            store, AuditLog(store), yearly.privacy, People("table", "place", "id"), now=lambda: datetime(year, 5, 1, tzinfo=UTC)
        )

    ledger(2026).reserve("r1", asked)
    with pytest.raises(BudgetExhausted, match="δ = 5e-07"):
        ledger(2026).reserve("r2", asked)
    ledger(2027).reserve("r2", asked)
    account = ledger(2027).account()
    assert account.spent("2027").delta == 1e-6
    assert {run: loss.delta for run, loss in account.losses.items()} == {"r1": 1e-6, "r2": 1e-6}
