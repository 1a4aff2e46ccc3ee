"""The budget: taken before any noise, all of it or nothing, by whoever comes first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from evenhand.errors import BudgetExhausted, IntegrityError, OutputError, PlanError
from evenhand.plan.load import parse_plan
from evenhand.privacy.question import Part, Question
from evenhand.records.account import Loss
from evenhand.records.audit import AuditLog
from evenhand.records.ledger import Ledger
from evenhand.records.people import People
from evenhand.tables.catalog import AUDIT_LOG, BUDGET, BUDGET_ENTRIES
from evenhand.tables.store import Store
from sample import in_folder, plan_yaml

PEOPLE = People("1234", "file:/srv/customers", "customer_id")
ASKED = {"summary": 0.6, "assessment": 0.4}  # ε of 1 of a total of 3


def at(year: int, month: int = 6) -> Callable[[], datetime]:
    return lambda: datetime(year, month, 1, tzinfo=UTC)


def question(name: str, cost: float) -> Question:
    return Question(
        name, (Part("count", 1, 1, cost, "test"),), lambda people: people, lambda people: pa.table({}), lambda table: {}
    )


def ledger_in(folder: Path, spark: Any) -> Callable[..., Ledger]:
    """A process's view of the ledger; each call is another process, with the base plan or a changed one."""

    def build(
        changes: dict[str, Any] | None = None,
        now: Callable[[], datetime] | None = None,
        people: People = PEOPLE,
        private: bool = True,
    ) -> Ledger:
        found = parse_plan(plan_yaml(in_folder(folder) | (changes or {})))
        store = Store(spark, found.output)
        return Ledger(store, AuditLog(store), found.privacy, people, private, now or at(2026))

    return build


@pytest.fixture
def ledger(spark: Any, tmp_path: Path) -> Callable[..., Ledger]:
    """Of a folder that is empty, or what a test has put there."""
    return ledger_in(tmp_path, spark)


@pytest.fixture(scope="module")
def paid_folder(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a ledger that two runs have spent from, and the audit log that says so; what changes them is done to a copy."""
    folder = tmp_path_factory.mktemp("paid")
    for run in ("run-1", "run-2"):
        one = ledger_in(folder, spark)()
        one.reserve(run, ASKED)
        one.log(run)
    return folder


@pytest.fixture
def paid(spark: Any, paid_folder: Path) -> Iterator[Callable[..., Ledger]]:
    """Two runs have spent 2 of 3, and that is what they have spent when the test is over."""
    found = ledger_in(paid_folder, spark)
    yield found
    assert spending(found()) == (3.0, 2.0, {"run-1": 1.0, "run-2": 1.0})


def spending(one: Ledger) -> tuple[float, float, dict[str, float]]:
    account = one.account()
    losses = {run: loss.epsilon for run, loss in account.losses.items()}
    return account.total, account.spent(account.newest).epsilon, losses


def test_what_is_reserved_is_spent_and_covers_its_questions_only(ledger: Callable[..., Ledger]) -> None:
    one = ledger()
    assert not one.covers("run-1", "summary", 0.6)
    one.reserve("run-1", ASKED)
    assert not one.paid_by_another("run-1")
    assert spending(one) == (3.0, 1.0, {"run-1": 1.0})
    assert one.covers("run-1", "summary", 0.6)
    assert not one.covers("run-1", "summary", 0.7)
    assert not one.covers("run-1", "another question", 0.4)
    assert not one.covers("run-2", "summary", 0.6)


def test_the_same_run_is_not_charged_twice_not_even_by_another_process(paid: Callable[..., Ledger]) -> None:
    again = paid()
    again.reserve("run-1", ASKED)
    assert again.paid_by_another("run-1")


def test_an_exhausted_budget_spends_nothing_and_says_what_is_left(paid: Callable[..., Ledger]) -> None:
    one, asked = paid(), {"summary": 1.5}
    with pytest.raises(
        BudgetExhausted, match=r"asks for ε = 1.5, population testers has 1 of 3 left; nothing was spent"
    ) as wrong:
        one.reserve("run-3", asked)
    assert wrong.value.exit_code == 4
    assert not one.covers("run-3", "summary", 1.5)


def test_the_last_crumb_can_be_spent_although_floats_do_not_add_up(ledger: Callable[..., Ledger]) -> None:
    one = ledger({"privacy.population_total": 0.3, "privacy.epsilon": 0.1})
    for run in ("a", "b", "c"):  # 0.1 + 0.1 + 0.1 > 0.3 in floating point
        one.reserve(run, {"summary": 0.1})
    with pytest.raises(BudgetExhausted):
        one.reserve("d", {"summary": 0.1})


def test_sixteen_at_once_never_spend_more_than_the_total_and_lose_no_entry(spark: Any, ledger: Callable[..., Ledger]) -> None:
    """All on a ledger that does not exist yet, so that even its first row is fought for; each in transactions of its own."""
    total, asked = {"privacy.population_total": 1.2}, {"summary": 0.06, "assessment": 0.04}
    summary = question("summary", 0.06)

    def spend(number: int) -> str:
        one, run = ledger(total), f"run-{number}"
        try:
            one.reserve(run, asked)
        except BudgetExhausted:
            return "exhausted"
        one.log(run)
        one.itemize(run, [summary])
        return "spent"

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(spend, range(16)))
    winners = sorted(f"run-{i}" for i, r in enumerate(results) if r == "spent")
    assert sorted(results) == ["exhausted"] * 4 + ["spent"] * 12
    assert spending(ledger(total)) == (1.2, pytest.approx(1.2), dict.fromkeys(winners, pytest.approx(0.1)))
    store = ledger().store
    assert sorted((r.run_id, r.question) for r in store.read(BUDGET_ENTRIES).collect()) == [(w, "summary") for w in winners]
    assert sorted(r.run_id for r in store.read(AUDIT_LOG).collect()) == winners


def test_entries_are_numbered_without_a_gap_however_they_were_fought_for(ledger: Callable[..., Ledger]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: ledger().reserve(f"run-{i % 3}", {"summary": 0.1}), range(4)))
    assert sorted(r.number for r in ledger().store.read(BUDGET).collect()) == [1, 2, 3]
    assert spending(ledger()) == (3.0, pytest.approx(0.3), dict.fromkeys(["run-0", "run-1", "run-2"], 0.1))


def test_what_others_spend_after_a_look_at_the_ledger_counts(ledger: Callable[..., Ledger]) -> None:
    """A run looks at the ledger when it opens and spends later: then a look of before is worth nothing."""
    early, late = ledger(), ledger()
    early.refuse("run-1", Loss(2.5))
    late.reserve("run-2", {"summary": 1.0})
    with pytest.raises(BudgetExhausted, match="has 2 of 3 left"):
        early.reserve("run-1", {"summary": 2.5})
    early.reserve("run-1", {"summary": 2.0})
    assert spending(ledger()) == (3.0, 3.0, {"run-2": 1.0, "run-1": 2.0})


def test_another_total_is_refused_and_spends_nothing(paid: Callable[..., Ledger]) -> None:
    with pytest.raises(PlanError, match="has a total of 3, the plan says 9; a plan cannot change it"):
        paid({"privacy.population_total": 9.0}).reserve("run-3", ASKED)


def test_a_run_cannot_ask_for_more_than_it_has_reserved(paid: Callable[..., Ledger]) -> None:
    with pytest.raises(PlanError, match="run run-1 has spent ε = 1, the plan now asks for ε = 2"):
        paid().reserve("run-1", {"summary": 2.0})


def test_populations_have_their_own_budgets(ledger: Callable[..., Ledger]) -> None:
    ledger().reserve("run-1", {"summary": 3.0})
    others = People("5678", "file:/srv/others", "customer_id")
    with pytest.raises(PlanError, match="the ledger counts file:/srv/customers by customer_id as population testers"):
        ledger({"privacy.population": "others"}).reserve("run-2", ASKED)
    ledger({"privacy.population": "others"}, people=others).reserve("run-2", ASKED)
    assert spending(ledger({"privacy.population": "others"})) == (3.0, 1.0, {"run-2": 1.0})


def test_the_entries_list_each_question_once_however_often_they_are_written(spark: Any, ledger: Callable[..., Ledger]) -> None:
    one = ledger()
    one.reserve("run-1", ASKED)
    asked = [question(name, epsilon) for name, epsilon in ASKED.items()]
    for _ in range(2):
        one.itemize("run-1", asked)
    found = one.store.read(BUDGET_ENTRIES).select("run_id", "period", "question", "epsilon", "composition", "parts").collect()
    assert sorted(map(tuple, found)) == sorted(("run-1", "always", q.name, q.cost, q.composition, q.described) for q in asked)


def test_of_runs_with_and_without_private_noise_that_begin_a_ledger_at_once_one_kind_gets_in(
    ledger: Callable[..., Ledger],
) -> None:
    """Of two populations, so that neither meets the other in its own account."""

    def spend(number: int) -> str:
        people = People(f"table {number}", f"place {number}", "customer_id")
        one = ledger({"privacy.population": f"p{number}"}, people=people, private=bool(number % 2))
        try:
            one.reserve(f"run-{number}", ASKED)
        except OutputError:
            return "refused"
        return "spent"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(spend, range(4)))
    assert sorted(results) == ["refused", "refused", "spent", "spent"]
    assert results[0] == results[2] != results[1] == results[3]


def tampered(spark: Any, how: str, address: str) -> None:
    if how == "rolled back":
        spark.sql(f"RESTORE TABLE {address} TO VERSION AS OF 0")
    elif how == "emptied":
        spark.sql(f"DELETE FROM {address}")
    else:
        spark.sql(f"UPDATE {address} SET epsilon = 0.1 WHERE run_id = 'run-1'")


@pytest.mark.parametrize("how", ["rolled back", "emptied", "made cheaper"])
def test_a_ledger_that_lacks_spending_of_the_audit_log_is_refused(
    spark: Any, ledger: Callable[..., Ledger], paid_folder: Path, tmp_path: Path, how: str
) -> None:
    shutil.copytree(paid_folder, tmp_path, dirs_exist_ok=True)
    tampered(spark, how, ledger().store.address(BUDGET))
    for run in ("run-3", "run-3", "run-1"):  # a second try does not pass either, nor does a run that was paid for
        with pytest.raises(
            IntegrityError, match=r"lacks spending that stands in the audit log, of run run-\d.*nothing was released"
        ) as wrong:
            ledger().reserve(run, ASKED)
        assert wrong.value.exit_code == 5
        assert "\n" not in str(wrong.value)
    with pytest.raises(IntegrityError, match="lacks spending that stands in the audit log"):  # before any work
        ledger().refuse("run-3", Loss(1.0))


@pytest.mark.parametrize("how", ["rolled back", "emptied"])
def test_a_ledger_that_was_rolled_back_is_refused_without_the_audit_log_too(
    spark: Any, ledger: Callable[..., Ledger], paid_folder: Path, tmp_path: Path, how: str
) -> None:
    """The number of the newest entry stays in Delta's log."""
    shutil.copytree(paid_folder / "open", tmp_path / "open")
    tampered(spark, how, ledger().store.address(BUDGET))
    before = ledger().store.read(BUDGET).count()
    with pytest.raises(IntegrityError, match=r"older than its own newest entry: it was rolled back.*nothing was spent"):
        ledger().reserve("run-3", ASKED)
    assert ledger().store.read(BUDGET).count() == before


def test_a_ledger_that_lacks_an_entry_in_between_is_refused(
    spark: Any, ledger: Callable[..., Ledger], paid_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(paid_folder / "open", tmp_path / "open")
    spark.sql(f"DELETE FROM {ledger().store.address(BUDGET)} WHERE run_id = 'run-1'")
    with pytest.raises(IntegrityError, match=r"its 1 entries are not numbered from 1 to 1; put the newest version back"):
        ledger().reserve("run-3", ASKED)


def test_a_process_that_died_between_spending_and_logging_it_goes_on(ledger: Callable[..., Ledger]) -> None:
    ledger().reserve("run-1", ASKED)
    for run in ("run-2", "run-1"):
        one = ledger()
        one.reserve(run, ASKED)
        for _ in ASKED:
            one.log(run)
    assert spending(ledger()) == (3.0, 2.0, {"run-1": 1.0, "run-2": 1.0})
    assert sorted(r.run_id for r in ledger().store.read(AUDIT_LOG).collect()) == ["run-1", "run-2"]


YEARLY = {"privacy.renews": "yearly", "privacy.population_total": 1.5}


def test_a_budget_that_renews_can_be_spent_again_in_the_next_period_only_whatever_plan_or_clock_say(
    ledger: Callable[..., Ledger],
) -> None:
    ledger(YEARLY, at(2026)).reserve("run-1", ASKED)
    with pytest.raises(BudgetExhausted, match="has 0.5 of 1.5 left until 2027-01-01; nothing was spent"):
        ledger(YEARLY, at(2026, 12)).reserve("run-2", ASKED)
    with pytest.raises(PlanError, match="renews yearly, the plan says monthly; a plan cannot change it"):
        ledger(YEARLY | {"privacy.renews": "monthly"}, at(2026, 7)).reserve("run-2", ASKED)
    ledger(YEARLY, at(2027, 1)).reserve("run-3", ASKED)
    with pytest.raises(IntegrityError, match="the clock is in 2026, the ledger of population testers has spent in 2027 already"):
        ledger(YEARLY, at(2026)).reserve("run-2", ASKED)
    account = ledger(YEARLY, at(2027, 1)).account()
    assert (account.newest, account.spent("2027"), account.spent("2026")) == ("2027", Loss(1.0), Loss(1.0))
    assert account.periods == {"run-1": "2026", "run-3": "2027"}


def test_a_run_that_is_resumed_in_the_next_period_stays_charged_to_its_own(spark: Any, ledger: Callable[..., Ledger]) -> None:
    ledger(YEARLY, at(2026)).reserve("run-1", ASKED)
    late = ledger(YEARLY, at(2027))
    late.reserve("run-1", ASKED)
    late.itemize("run-1", [question("summary", 0.6)])
    assert (late.account().newest, late.account().spent("2027")) == ("2026", Loss(0.0))
    assert [r.period for r in late.store.read(BUDGET_ENTRIES).collect()] == ["2026"]
