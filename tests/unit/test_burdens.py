"""An offer that is a burden: judged by who is spared, and told so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_report import facts

from evenhand.errors import PlanError
from evenhand.fairness.offers import burdens
from evenhand.fairness.selection import offered
from evenhand.mitigate.tradeoff import Choice, by_size
from evenhand.plan.explain import explain
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import Laplace
from evenhand.report.findings import fairness_words
from evenhand.report.page import render
from evenhand.report.summary import summary_text
from evenhand.report.words import METRIC_NAMES, SPARED
from sample import plan_yaml

QUIET = Laplace(0.1)
GETS = np.array([True, False])


def told(rates: tuple[float, float], burden: bool) -> tuple[float, float, list[float]]:
    """Ratio and difference of two groups of 100,000 of which so many get an offer, and the rates that are published."""
    table = np.array([[rate, 1 - rate] for rate in rates]) * 100_000
    cells = np.zeros(table.shape, dtype=bool)
    found = offered(table, QUIET, cells, np.ones(2, dtype=bool), {"check": GETS}, 10, 0.8, {"check"} if burden else ())["check"]
    return found.estimates["selection_ratio"].value, found.estimates["selection_difference"].value, found.rates.value.tolist()


@pytest.mark.parametrize(
    ("rates", "benefit", "burden"),
    [((0.9, 0.96), 0.9 / 0.96, 0.04 / 0.1), ((0.3, 0.1), 1 / 3, 0.7 / 0.9), ((0.5, 0.5), 1.0, 1.0)],
)
def test_four_fifths_is_asked_of_those_who_are_better_off(rates: tuple[float, float], benefit: float, burden: float) -> None:
    as_benefit, as_burden = told(rates, False), told(rates, True)
    assert as_benefit[0] == pytest.approx(benefit, abs=0.02) and as_burden[0] == pytest.approx(burden, abs=0.02)
    # The gap is the same either way, and the rates that are shown are those of who gets it.
    assert [as_burden[1], as_benefit[1]] == pytest.approx([abs(rates[0] - rates[1])] * 2, abs=0.01)
    assert as_burden[2] == as_benefit[2] == pytest.approx(list(rates), abs=1e-6)


def test_a_small_group_is_judged_where_it_is_surely_spared_less_often_and_not_where_it_is_surely_charged_less() -> None:
    """Of 400, whose cells noise of scale 30 hides, all get what a half of the others get."""
    table, noise = np.array([[50_000.0, 50_000.0], [52_000.0, 50_000.0], [400.0, 0.0]]), Laplace(30.0)
    hidden, large = np.zeros(table.shape, dtype=bool), np.array([True, True, False])
    hidden[2] = True
    found = {kind: offered(table, noise, hidden, large, {"check": GETS}, 10, 0.8, kind)["check"] for kind in ((), ("check",))}
    assert found["check",].over[2]
    assert found["check",].estimates["selection_ratio"].high < 0.8


OFFERS = [
    {"name": "price_rise", "why": "costs", "segments": [1], "kind": "burden"},
    {"name": "gift", "why": "thanks", "segments": [2]},
]


def test_the_plan_says_which_offers_are_burdens_and_the_check_repeats_it() -> None:
    plan = parse_plan(plan_yaml({"fairness.offers": OFFERS}))
    assert burdens(plan) == {"price_rise"}
    assert "price_rise (a burden), gift" in " ".join(explain(plan).split())
    with pytest.raises(PlanError, match="kind"):
        parse_plan(plan_yaml({"fairness.offers": [OFFERS[0] | {"kind": "penalty"}]}))


def test_mitigation_is_held_against_those_who_are_spared() -> None:
    plan = parse_plan(plan_yaml({"fairness.offers": OFFERS}))
    found = Choice(np.array([[0.1, 0.1, 0.1], [0.5, 0.5, 0.5], [0.9, 0.9, 0.9]])).better_off(plan, by_size)
    assert found["price_rise"].tolist() == [False, True, True]
    assert found["gift"].tolist() == [False, True, False]


def test_page_headline_and_terminal_say_whom_the_ratio_is_about() -> None:
    made = facts(plan={"fairness.offers": OFFERS})
    ratio = [
        {**made.verdicts[0], "metric": "selection_ratio", "offer": offer, "verdict": "uneven"} for offer in ("price_rise", "gift")
    ]
    made = replace(made, offers={"price_rise": [1], "gift": [2]})
    page = render(replace(made, verdicts=[*made.verdicts, *ratio]))
    assert f"<td>{SPARED} for price rise</td>" in page
    assert f"<td>{METRIC_NAMES['selection_ratio']} for gift</td>" in page
    assert "price rise (a burden)" in page and "gift (a burden)" not in page
    assert any(SPARED in sentence for sentence in fairness_words(replace(made, verdicts=ratio, fairness=[])))
    told = " ".join(summary_text(replace(made, verdicts=ratio), Path("report.html")).split())
    assert "selection ratio of being spared price rise" in told and "selection ratio of gift" in told
