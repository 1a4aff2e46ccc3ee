"""The budget: taken before any noise, all of it or nothing, by whoever comes first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from evenhand.errors import BudgetExhausted, PlanError
from evenhand.plan.models import Plan
from evenhand.privacy.ledger import Ledger
from evenhand.tables.catalog import BUDGET, BUDGET_ENTRIES
from evenhand.tables.store import Store

ASKED = {"summary": 0.6, "assessment": 0.4}  # ε of 1 of a total of 3


@pytest.fixture
def ledger(spark: Any, plan: Callable[..., Plan]) -> Callable[..., Ledger]:
    def build(changes: dict[str, Any] | None = None) -> Ledger:
        found = plan(changes)
        return Ledger(Store(spark, found.output), found.privacy)

    return build


def test_what_is_reserved_is_spent_and_covers_its_questions_only(ledger: Callable[..., Ledger]) -> None:
    one = ledger()
    assert not one.covers("run-1", "summary", 0.6)
    one.reserve("run-1", ASKED)
    assert one.head() == (3.0, 1.0, {"run-1": 1.0})
    assert one.covers("run-1", "summary", 0.6)
    assert not one.covers("run-1", "summary", 0.7)
    assert not one.covers("run-1", "another question", 0.4)
    assert not one.covers("run-2", "summary", 0.6)


def test_the_same_run_is_not_charged_twice_not_even_by_another_process(ledger: Callable[..., Ledger]) -> None:
    ledger().reserve("run-1", ASKED)
    ledger().reserve("run-1", ASKED)
    assert ledger().head() == (3.0, 1.0, {"run-1": 1.0})


def test_an_exhausted_budget_spends_nothing_and_says_what_is_left(ledger: Callable[..., Ledger]) -> None:
    one = ledger()
    one.reserve("run-1", {"summary": 2.5})
    with pytest.raises(
        BudgetExhausted, match=r"asks for ε = 1, population testers has 0.5 of 3 left; nothing was spent"
    ) as wrong:
        one.reserve("run-2", ASKED)
    assert wrong.value.exit_code == 4
    assert one.head() == (3.0, 2.5, {"run-1": 2.5})
    assert not one.covers("run-2", "summary", 0.6)


def test_the_last_crumb_can_be_spent_although_floats_do_not_add_up(ledger: Callable[..., Ledger]) -> None:
    one = ledger({"privacy.population_total": 0.3, "privacy.epsilon": 0.1})
    for run in ("a", "b", "c"):  # 0.1 + 0.1 + 0.1 > 0.3 in floating point
        one.reserve(run, {"summary": 0.1})
    with pytest.raises(BudgetExhausted):
        one.reserve("d", {"summary": 0.1})


def test_eight_at_once_never_spend_more_than_the_total(ledger: Callable[..., Ledger]) -> None:
    """All on a ledger that does not exist yet, so that even its first row is fought for."""

    def spend(number: int) -> str:
        try:
            ledger().reserve(f"run-{number}", ASKED)
        except BudgetExhausted:
            return "exhausted"
        return "spent"

    ledger()._store.ensure(BUDGET_ENTRIES)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(spend, range(8)))
    total, spent, runs = ledger().head()
    assert sorted(results) == ["exhausted"] * 5 + ["spent"] * 3
    assert (total, spent) == (3.0, pytest.approx(3.0))
    assert sorted(runs) == sorted(f"run-{i}" for i, r in enumerate(results) if r == "spent")


def test_a_population_has_one_head_row_however_it_was_fought_for(ledger: Callable[..., Ledger]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: ledger().reserve(f"run-{i}", {"summary": 0.1}), range(4)))
    assert ledger()._store.read(BUDGET).count() == 1
    assert ledger().head()[1] == pytest.approx(0.4)


def test_another_total_is_refused_and_spends_nothing(ledger: Callable[..., Ledger]) -> None:
    ledger().reserve("run-1", ASKED)
    with pytest.raises(PlanError, match="has a total of 3, the plan says 9; a plan cannot change it"):
        ledger({"privacy.population_total": 9.0}).reserve("run-2", ASKED)
    assert ledger().head() == (3.0, 1.0, {"run-1": 1.0})


def test_a_run_cannot_ask_for_more_than_it_has_reserved(ledger: Callable[..., Ledger]) -> None:
    ledger().reserve("run-1", ASKED)
    with pytest.raises(PlanError, match="run run-1 has spent ε = 1, the plan now asks for 2"):
        ledger().reserve("run-1", {"summary": 2.0})


def test_populations_have_their_own_budgets(ledger: Callable[..., Ledger]) -> None:
    ledger().reserve("run-1", {"summary": 3.0})
    ledger({"privacy.population": "others"}).reserve("run-2", ASKED)
    assert ledger({"privacy.population": "others"}).head() == (3.0, 1.0, {"run-2": 1.0})


def test_the_entries_list_each_question_once_however_often_they_are_written(ledger: Callable[..., Ledger]) -> None:
    one = ledger()
    one.itemize("run-1", ASKED)
    one.itemize("run-1", ASKED)
    found = one._store.read(BUDGET_ENTRIES).select("run_id", "question", "epsilon").collect()
    assert sorted(map(tuple, found)) == [("run-1", "assessment", 0.4), ("run-1", "summary", 0.6)]
