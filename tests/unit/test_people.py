"""A budget is of people, whatever a plan calls them, and a ledger holds what others know of it."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import Row

from evenhand.errors import IntegrityError, OutputError, PlanError
from evenhand.plan.load import canonical, parse_plan
from evenhand.plan.privacy import Privacy
from evenhand.records.book import Book
from evenhand.records.people import People, check_people
from sample import plan_yaml

MINE = People("id-1", "file:/srv/customers", "customer_id")
MADE_ANEW, MOVED_AWAY = People("id-2", MINE.location, "customer_id"), People("id-1", "file:/srv/elsewhere", "Customer_ID")
OTHERS, HOUSEHOLDS = People("id-9", "file:/srv/others", "customer_id"), People("id-1", MINE.location, "household")


def privacy(population: str = "testers", moved_from: str | None = None) -> Privacy:
    changes: dict[str, Any] = {"privacy.population": population}
    if moved_from is not None:
        changes["privacy.population_moved"] = {"from": moved_from, "reason": "the warehouse was renewed"}
    return parse_plan(plan_yaml(changes)).privacy


SPENT = [("testers", MINE)]


@pytest.mark.parametrize("people", [MINE, MADE_ANEW, MOVED_AWAY], ids=["the same", "made anew in its place", "moved"])
def test_the_same_customer_table_stays_the_populations(people: People) -> None:
    check_people(SPENT, privacy(), people)


def test_other_people_may_be_another_population_and_a_ledger_that_is_empty_takes_anybody() -> None:
    check_people(SPENT, privacy("others"), OTHERS)
    check_people([], privacy(), MINE)


AT_ODDS = {
    "under another name": ("others", MINE, "testers"),
    "made anew, under another name": ("others", MADE_ANEW, "testers"),
    "moved, under another name": ("others", MOVED_AWAY, "testers"),
    "other people": ("testers", OTHERS, "file:/srv/customers"),
    "another id column": ("testers", HOUSEHOLDS, "customer_id"),
    "another id column, under another name": ("others", HOUSEHOLDS, "testers"),
}


@pytest.mark.parametrize("case", AT_ODDS)
def test_people_that_the_ledger_knows_otherwise_are_refused_unless_the_plan_says_from_where_they_moved(case: str) -> None:
    population, people, before = AT_ODDS[case]
    with pytest.raises(
        PlanError, match=rf"^privacy.population: .*population_moved, from: {before}, .*nothing was spent$"
    ) as wrong:
        check_people(SPENT, privacy(population), people)
    assert wrong.value.exit_code == 2
    with pytest.raises(PlanError):  # a reason for another move is none for this one
        check_people(SPENT, privacy(population, "somewhere else"), people)
    check_people(SPENT, privacy(population, before), people)
    check_people([*SPENT, (population, people)], privacy(population), people)  # moved once; the ledger knows it now


def test_a_population_does_not_take_over_people_of_another_by_a_reason_that_names_its_own() -> None:
    spent = [("testers", MINE), ("others", OTHERS)]
    for before in (OTHERS.location, "testers"):
        with pytest.raises(PlanError, match=r"privacy.population: "):
            check_people(spent, privacy("others", before), MINE)


def test_a_plan_that_has_not_moved_says_so_in_its_canonical_form_and_a_reason_must_be_stated() -> None:
    assert '"population_moved":null' in canonical(parse_plan(plan_yaml()))
    with pytest.raises(PlanError, match=r"privacy.population_moved.reason: missing"):
        parse_plan(plan_yaml({"privacy.population_moved": {"from": "testers"}}))


def book(*entries: tuple[str, float, bool]) -> Book:
    rows = [Row(number=i, run_id=run, epsilon=epsilon, not_private=not p) for i, (run, epsilon, p) in enumerate(entries, 1)]
    return Book.of(rows, "budget")


@pytest.mark.parametrize("table", ["releases", "runs", "budget_entries"])
def test_a_ledger_that_lacks_what_another_table_knows_is_refused_whichever_it_is(table: str) -> None:
    found = book(("a", 1.0, True))
    found.check_evidence([(table, "a", False), ("budget_entries", "a", None)])
    with pytest.raises(IntegrityError, match=f"lacks spending that stands in {table}, of run b: it was rolled back.*nothing was"):
        found.check_evidence([(table, "a", False), (table, "b", None)])
    with pytest.raises(IntegrityError, match="of run b, c, d and 1 more:"):
        found.check_evidence([(table, run, None) for run in "edcb"])


@pytest.mark.parametrize("private", [True, False])
def test_a_run_that_is_said_to_be_private_by_one_record_only_is_refused(private: bool) -> None:
    with pytest.raises(IntegrityError, match="releases says of run a that it is (not )?private, and the ledger"):
        book(("a", 1.0, private)).check_evidence([("releases", "a", private)])


def test_a_ledger_takes_noise_of_one_kind_only() -> None:
    book().check_noise(True)
    book().check_noise(False)
    book(("a", 1.0, True)).check_noise(True)
    book(("a", 1.0, False)).check_noise(False)
    with pytest.raises(
        OutputError, match="holds a ledger, and noise that is not private does not enter its zone; name other zones"
    ):
        book(("a", 1.0, True)).check_noise(False)
    with pytest.raises(OutputError, match="holds answers that are not private, and a private run would stand beside them"):
        book(("a", 1.0, False)).check_noise(True)
