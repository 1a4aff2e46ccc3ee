"""What follows from counts of responses: rates, what an offer adds, and whether all groups respond alike."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import PlanError
from evenhand.fairness.outcomes import response_verdicts, responses
from evenhand.plan.explain import explain
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import Laplace
from sample import plan_yaml

OPTIONS = ["opened", "bought"]
OUTCOME = {
    "name": "response",
    "source": {"path": "responses", "id": "customer_id", "time": "at"},
    "options": OPTIONS,
    "share": 0.3,
}
NOISE = Laplace(2.0)
PLAN = parse_plan(plan_yaml())


def counts(given: list[list[int]], held: list[list[int]]) -> np.ndarray:
    """Of two groups: how many did nothing, opened only, and bought."""
    return np.array([given, held], dtype=np.float64)


EVEN = counts([[8_000, 1_500, 500], [4_000, 750, 250]], [[900, 80, 20], [450, 40, 10]])
UNEVEN = counts([[8_000, 1_500, 500], [4_700, 250, 50]], [[900, 80, 20], [450, 40, 10]])


def test_whoever_bought_has_opened_and_the_offer_adds_what_those_held_back_lack() -> None:
    opened, bought = responses(EVEN, NOISE, OPTIONS, 0, 0.8)
    assert opened.given.value == pytest.approx([0.2, 0.2])
    assert bought.given.value == pytest.approx([0.05, 0.05])
    assert opened.held.value == pytest.approx([0.1, 0.1])
    assert opened.added.value == pytest.approx([0.1, 0.1])
    assert (opened.added.low > 0.05).all() and (opened.added.high < 0.15).all()


@pytest.mark.parametrize(("table", "verdict"), [(EVEN, "even"), (UNEVEN, "uneven")], ids=["even", "uneven"])
def test_an_uneven_result_is_seen_even_where_the_selection_was_even(table: np.ndarray, verdict: str) -> None:
    """The same shares of both groups were handed out."""
    found = {(v.option, v.metric): v for v in response_verdicts(table, NOISE, ["f", "m"], OPTIONS, 0, PLAN.fairness)}
    of = found["opened", "selection_ratio"]
    assert (of.verdict, of.threshold, of.over) == (verdict, 0.8, ["f", "m"])
    assert of.estimate is not None
    assert of.estimate.low <= (1.0 if verdict == "even" else 0.3) <= of.estimate.high


def test_of_a_handful_nothing_is_said() -> None:
    few = counts([[8_000, 1_500, 500], [3, 2, 1]], [[900, 80, 20], [0, 0, 1]])
    opened, _ = responses(few, NOISE, OPTIONS, 20, 0.8)
    assert np.isnan(opened.given.low[1]) and np.isnan(opened.added.value[1])
    assert not np.isnan(opened.given.value[0])
    verdicts = list(response_verdicts(few, NOISE, ["f", "m"], OPTIONS, 20, PLAN.fairness))
    assert {v.verdict for v in verdicts} == {"cannot tell"}


def test_a_rate_that_would_give_a_small_count_away_is_not_shown() -> None:
    """Twelve have bought, fewer than may be told; so is the rate of buying hidden."""
    rare = counts([[8_000, 1_500, 12], [4_000, 750, 250]], [[900, 80, 20], [450, 40, 30]])
    _, bought = responses(rare, NOISE, OPTIONS, 20, 0.8)
    assert np.isnan(bought.given.low[0])


def test_an_outcome_of_a_plan_is_checked_and_explained() -> None:
    said = " ".join(explain(parse_plan(plan_yaml({"outcomes": [OUTCOME]}))).split())
    assert "response: responses" in said
    assert "response: what came of the offer" in said
    assert "opened, bought" in said and "ε = 0.3 of the 3 of population testers" in said
    for changes, line in (
        ({"name": "consent"}, "consent is the name of another survey, outcome or source"),
        ({"options": ["a", "a"]}, "option a is named twice"),
        ({"share": 1e-5}, "each of 3 gets ε = 3e-06"),
    ):
        with pytest.raises(PlanError, match=line):
            parse_plan(plan_yaml({"outcomes": [OUTCOME | changes]}))
