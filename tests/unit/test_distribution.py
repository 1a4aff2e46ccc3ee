"""Median, quartiles and who brings the total: what is asked, and that ranges hold the true figures and no more than noise makes of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from test_report import facts

from evenhand.ask import assessment as tallies
from evenhand.ask.distribution import (
    AMOUNT,
    TOTALS,
    added_up,
    amounts_of,
    distribution,
    distribution_parts,
    furthest_off,
    histogram_part,
)
from evenhand.ask.histograms import BINS, WIDTH
from evenhand.assignment.nearest import rounded_centers
from evenhand.describe.quartiles import QUARTILES, Quartiles, read_quartiles
from evenhand.describe.totals import Shares, read_totals
from evenhand.errors import PlanError
from evenhand.plan.advice import advice
from evenhand.plan.distribution import is_additive
from evenhand.plan.explain import explain
from evenhand.plan.geometry import STEPS, to_fixed, to_unit
from evenhand.plan.load import parse_plan
from evenhand.plan.method import DISTRIBUTION, questions_of
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise, SeededNoise
from evenhand.privacy.release import asking, made_up
from evenhand.privacy.sample import Sample
from evenhand.report.distribution import brings
from evenhand.report.page import render
from evenhand.rows.distribution import TOTAL, distribution_rows
from sample import plan_yaml

ASKED: dict[str, Any] = {"segments.distribution": {"share": 0.1}}
SEGMENTS, CONSTANT = np.array([40_000, 15_000, 5_000, 60]), 4.0


def plan_with(changes: dict[str, Any] | None = None) -> Plan:
    return parse_plan(plan_yaml(ASKED | {"segments.k": 4, "privacy.population_total": 200.0} | (changes or {})))


@cache
def world() -> tuple[np.ndarray, np.ndarray]:
    """Values (customers, features), and segments from 1, the last of them tiny: `tenure` is 4 for everybody, `spent` has a long tail, and `visits` too."""
    random, segment = np.random.default_rng(3), np.repeat(np.arange(4), SEGMENTS)
    spent = random.lognormal(np.array([2.0, 3.5, 5.0, 6.0])[segment], 1.0)
    visits = random.poisson(np.array([0.5, 2.0, 6.0, 12.0])[segment]).astype(float)
    return np.stack([np.full(len(segment), CONSTANT), spent, visits], axis=1), segment + 1


@cache
def exact(log: bool) -> dict[str, np.ndarray]:
    """The exact answers to both questions, of these segments."""
    plan, (values, segment) = plan_with(), world()
    fixed = to_fixed(values, plan.features)
    told: dict[str, np.ndarray] = {p.name: np.zeros(p.cells, dtype=np.int64) for p in tallies.assessment_parts(4, plan)}
    told[tallies.SIZE] = np.bincount(segment, minlength=5)[1:]
    told[tallies.SUMS] = np.stack([(fixed[segment == s] - tallies.MIDDLE).sum(axis=0) for s in range(1, 5)]).ravel()
    if not log:
        return told
    asked = {
        histogram_part(name): np.concatenate([np.bincount(fixed[segment == s, j] // WIDTH, minlength=BINS) for s in range(1, 5)])
        for j, name in enumerate(plan.feature_names)
    }
    amounts = [[amounts_of(fixed[segment == s, j], plan.features[j]).sum() for j in added_up(plan)] for s in range(1, 5)]
    return asked | {TOTALS: np.array(amounts).ravel()}


def read(plan: Plan, noise: SeededNoise | NoNoise) -> tuple[Quartiles, dict[str, Shares]]:
    release = made_up(exact(False), tallies.assessment_parts(4, plan), noise)
    asked = made_up(exact(True), distribution_parts(4, plan), noise)
    return read_quartiles(asked, plan), read_totals(release, plan, asked)


@cache
def true_quartiles() -> np.ndarray:
    """Of values inside the bounds, (quartiles, segments, features)."""
    values, segment = world()
    inside = np.clip(values, 0, [20, 1000, 16])
    return np.stack(
        [[np.quantile(inside[segment == s], at, axis=0, method="inverted_cdf") for s in range(1, 5)] for at in QUARTILES.values()]
    )


@cache
def true_shares() -> dict[str, np.ndarray]:
    values, segment = world()
    inside = np.clip(values, 0, [20, 1000, 16])
    sums = np.stack([inside[segment == s].sum(axis=0) for s in range(1, 5)])
    return {"spent": sums[:, 1] / sums[:, 1].sum(), "visits": sums[:, 2] / sums[:, 2].sum()}


NOISE = [(0.3, None), (1.0, None), (10.0, None), (1.0, 1e-7)]


@pytest.mark.parametrize(("epsilon", "delta"), NOISE)
def test_true_quartiles_and_shares_are_in_their_ranges_19_times_in_20(epsilon: float, delta: float | None) -> None:
    """400 draws of each of 44 figures; one that is in its range with 95 % is missed more than 41 times less than once in 30,000."""
    gaussian = {"privacy.delta": delta, "privacy.population_delta": 2 * delta} if delta else {}
    plan = plan_with({"privacy.epsilon": epsilon} | gaussian)
    missed, missed_shares = np.zeros((3, 4, 3)), {name: np.zeros(4) for name in true_shares()}
    for seed in range(400):
        quartiles, totals = read(plan, SeededNoise(seed))
        missed += (true_quartiles() < quartiles.low - 1e-9) | (true_quartiles() > quartiles.high + 1e-9)
        assert set(totals) == set(missed_shares)
        for name, of in totals.items():
            missed_shares[name] += (true_shares()[name] < of.low) | (true_shares()[name] > of.high)
    assert missed.max() <= 41, missed
    assert max(of.max() for of in missed_shares.values()) <= 41, missed_shares


def test_without_noise_a_quartile_is_in_its_bin_and_a_share_is_right_to_a_thousandth() -> None:
    quartiles, totals = read(plan_with({"privacy.epsilon": 100.0}), NoNoise())
    for name, shares in totals.items():
        assert shares.value == pytest.approx(true_shares()[name], abs=1e-3)
    plan = plan_with({"privacy.epsilon": 100.0})
    sure = quartiles.high[:, :3] - quartiles.low[:, :3]  # of segments that are not tiny
    assert sure[..., 0].max() < 2 * 20 / BINS
    assert np.nanmax(np.abs(quartiles.value[:, :3, 0] - CONSTANT)) < 20 / BINS
    bins = to_fixed(true_quartiles(), plan.features) // WIDTH * WIDTH
    assert (to_unit(bins - 0.5, plan.features)[:, :3] >= quartiles.low[:, :3] - 1e-9).all()


def test_a_value_stands_in_its_range_and_noise_that_leaves_nothing_leaves_the_range_alone() -> None:
    for epsilon in (0.3, 1.0, 10.0):
        for seed in range(20):
            quartiles, totals = read(plan_with({"privacy.epsilon": epsilon}), SeededNoise(seed))
            for of in (quartiles, *totals.values()):
                told = ~np.isnan(of.value)
                assert (of.low <= of.high).all()
                assert (of.low[told] <= of.value[told]).all()
                assert (of.value[told] <= of.high[told]).all()
    tiny = [read(plan_with({"privacy.epsilon": 0.3}), SeededNoise(seed))[0].value[:, 3] for seed in range(20)]
    assert np.isnan(tiny).mean() > 0.8


def test_the_exact_answer_is_the_histograms_and_amounts_of_whoever_is_nearest_to_a_center() -> None:
    plan, (values, _) = plan_with(), world()
    some = values[::97]
    points = to_fixed(some, plan.features)
    centers = rounded_centers(np.quantile(points, [0.2, 0.5, 0.8, 0.99], axis=0))
    groups = np.zeros((len(points), 2), dtype=np.int64)
    question = distribution(centers, None, plan)
    (found,) = asking(Sample.of(points, groups), NoNoise())(question)
    for name in plan.feature_names:
        assert found[histogram_part(name)].sum() == len(some)
    total = found[TOTALS].sum() / AMOUNT * 1000
    assert total == pytest.approx(np.clip(some[:, 1], 0, 1000).sum(), rel=3e-3)
    assert question.cost == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"features.1.expression": "count(*)"}, True),
        ({"features.1.expression": "sum(if(amount > 0, amount, 0))"}, True),
        ({"features.1.expression": "count(distinct amount)"}, False),
        ({"features.1.expression": "avg(amount)"}, False),
        ({"features.1.expression": "sum(amount) / count(*)"}, False),
        ({"features.1.bounds": [-5, 1000]}, False),
    ],
    ids=["a sum", "a count", "of a condition", "distinct", "a mean", "a quotient", "below zero"],
)
def test_a_total_is_told_of_sums_and_counts_that_are_never_below_zero(changes: dict[str, Any], told: bool) -> None:
    assert is_additive(plan_with(changes).features[1]) == told


def test_a_column_of_the_customer_table_has_no_total() -> None:
    assert not is_additive(plan_with().features[0])


def test_without_the_question_totals_of_features_without_a_log_scale_are_told_all_the_same() -> None:
    plan = parse_plan(plan_yaml({"segments.k": 4}))
    release = made_up(exact(False), tallies.assessment_parts(4, plan), NoNoise())
    assert set(read_totals(release, plan, None)) == {"visits"}
    assert DISTRIBUTION not in questions_of(plan)


@pytest.mark.parametrize("changes", [{}, {"privacy.delta": 1e-6, "privacy.population_delta": 1e-5}])
def test_it_takes_its_share_first_and_a_run_costs_what_it_did(changes: dict[str, Any]) -> None:
    plan = plan_with(changes | {"segments.movement": {"share": 0.2}})
    assert sum(questions_of(plan).values()) == pytest.approx(plan.privacy.budget)
    assert questions_of(plan)[DISTRIBUTION] == pytest.approx(0.1 * plan.privacy.budget)
    assert sum(p.cost for p in distribution_parts(4, plan)) == pytest.approx(plan.distribution_budget)
    assert plan.shared_budget == pytest.approx(0.7 * plan.privacy.budget)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segments.distribution": {"share": 1}}, "segments.distribution.share:"),
        ({"segments.distribution": {"share": 1e-6}}, "segments.distribution.share takes ε = 1e-06"),
        (
            {"segments.distribution": {"share": 0.6}, "segments.movement": {"share": 0.4}},
            "the shares of movement and distribution add up to 1, which leaves nothing",
        ),
    ],
)
def test_shares_that_say_nothing_or_leave_nothing_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        plan_with(changes)


def test_the_check_tells_the_price_and_how_far_off_a_median_may_be() -> None:
    said = " ".join(explain(plan_with()).split())
    assert "It takes ε = 0.1 of the run's." in said
    assert "distribution ε = 0.1 (10%)" in said
    assert "customers below a median: within" in said
    assert any("customers below a median will be uncertain" in line for line in advice(plan_with()))
    assert "Distribution" not in explain(parse_plan(plan_yaml()))


def rows() -> list[dict[str, Any]]:
    quartiles, totals = read(plan_with({"privacy.epsilon": 10.0}), SeededNoise(1))
    hidden = np.array([False, False, True, True])
    made: list[dict[str, Any]] = distribution_rows(totals, quartiles, hidden, plan_with()).to_pylist()
    return made


def test_a_suppressed_segment_has_rows_without_figures() -> None:
    hidden = [row for row in rows() if row["segment"] > 2]
    assert len(hidden) == 2 * (3 * 3 + 2)
    assert {(row["value"], row["low"], row["high"], row["suppressed"]) for row in hidden} == {(None, None, None, True)}
    assert all(row["high"] is not None for row in rows() if row["segment"] <= 2)


def test_of_nothing_there_is_a_table_without_rows() -> None:
    assert len(distribution_rows({}, None, np.zeros(3, dtype=bool), plan_with())) == 0


def test_the_page_says_who_brings_the_total_and_shows_medians_and_nothing_where_there_is_none() -> None:
    made = [row | {"segment": row["segment"]} for row in rows() if row["segment"] <= 3]
    page = render(replace(facts(), distribution=made))
    assert "Who brings the total" in page and "Median and quartiles in each segment" in page
    assert "not shown" in page.split("Who brings the total")[1].split("</table>")[0]
    assert "Who brings the total" not in render(facts())


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ((0.61, 0.58, 0.64), " Brings about 61% of all spent."),
        ((0.01, 0.007, 0.014), " Brings 0.7% to 1.4% of all spent."),
        ((0.1, 0.02, 0.3), ""),
        ((None, 0.1, 0.9), ""),
    ],
    ids=["sure", "little", "too wide", "a range alone"],
)
def test_a_segment_is_said_to_bring_what_noise_leaves_no_doubt_of(figures: tuple[float | None, float, float], said: str) -> None:
    found = [
        {"segment": s, "feature": name, "figure": TOTAL, "unit": "", "suppressed": False}
        | dict(zip(("value", "low", "high"), figures, strict=True))
        for name in ("visits", "spent")
        for s in (1, 2, 3)
    ]
    assert brings(replace(facts(), distribution=found), 1) == said
    assert brings(facts(), 1) == ""


def test_amounts_rise_with_the_value_and_are_as_near_to_it_as_stated() -> None:
    feature = plan_with().features[1]
    fixed = np.arange(STEPS)
    told, (relative, absolute) = amounts_of(fixed, feature).astype(float), furthest_off(feature)
    assert (np.diff(told) > 0).all()
    assert relative < 3e-3 and absolute < 2e-5 * AMOUNT
    for end in (-1.0, 1.0):  # an amount is rounded down to fixed point
        true = to_unit(fixed[:, None] * 1.0, [feature], end)[:, 0] / 1000 * AMOUNT
        assert (np.abs(told - true) <= relative * told + absolute).all()
