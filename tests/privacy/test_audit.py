"""The promise against samples: no release gives away more than it claims, and faults planted on purpose are found.

False alarm of all tests in this file together: at most 1e-6, by Bonferroni over more audits than there are. That a planted
fault is missed is as unlikely: at these numbers of runs its bound lies more than ten standard errors above the claim.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from alike import PLANS, SEED, different, people
from asked import Earlier
from audit import audit_path, audit_release, audit_spread
from audit_learning import audit_learning
from audit_privacy import EPSILON, PATH_EPSILON, STEPS, Neighbors, for_certain, neighbors
from bound import epsilon_lower_bound
from evenhand.ask import assessment
from evenhand.ask.bounds import bound_parts
from evenhand.privacy.noise import Laplace, OpenDPNoise
from faults import FAULTS, changed, each_alone, noise_halved, only_observed_noised
from sensitivity import wrong_changes
from world import (
    BALANCED,
    CASES,
    METHODS,
    NOBODY,
    Exact,
    Prepared,
    audit_plan,
    exact_answers,
    exact_bounds,
    population,
    wrong_rows,
)

RUNS, AS_READ, AS_READ_FAULTY, CENTERS = 12_000, 6_000, 15_000, 400
LEARNING, LEARNING_FAULTY = 150, 500


@pytest.fixture(scope="module")
def world(spark: Any) -> tuple[Prepared, Neighbors]:
    """What `prepare` makes of the population, and of it with each of the worst cases."""
    return neighbors(spark)


class Audited:
    """Pairs of answers that were audited: other cases and methods may lead to the very same, of which once says all."""

    def __init__(self) -> None:
        self._pairs = set[tuple[Any, ...]]()

    def is_new(self, one: Exact, other: Exact) -> bool:
        vectors = [tuple(vector.tobytes() for _, vector in sorted(of.vectors.items())) for of in (one, other)]
        pair = (one.question, other.parts, *vectors)
        is_new = pair not in self._pairs
        self._pairs.add(pair)
        return is_new


@pytest.fixture(scope="module")
def audited() -> Audited:
    return Audited()


@pytest.mark.parametrize("name", PLANS)
def test_spark_counts_what_numpy_counts_to_the_last_integer(spark: Any, name: str) -> None:
    plan = PLANS[name]
    earlier = Earlier.drawn(plan, SEED, reach=0.4)
    assert different(spark, plan, earlier, people(plan, earlier)) == []


def test_a_cap_of_the_costs_that_spark_counts_otherwise_is_found(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = changed(assessment, "F.lit(COST_STEPS - 1)", "F.lit(2 * COST_STEPS - 1)")["segment_tallies"]
    monkeypatch.setattr("asked.segment_tallies", twice)
    plan = PLANS["one pass, Gaussian, an intersection"]
    earlier = Earlier.drawn(plan, SEED, reach=0.4)
    assert "assessment" in different(spark, plan, earlier, people(plan, earlier))


@pytest.mark.parametrize("method", [STEPS, BALANCED])
def test_from_source_rows_on_one_customer_changes_one_row_and_no_answer_by_more_than_it_declares(
    world: tuple[Prepared, Neighbors], method: str
) -> None:
    """Two rows of one customer, values far outside the bounds, a lone customer in an empty box, and people who said no among them."""
    assert for_certain(*world, audit_plan(EPSILON, method)) == []
    assert for_certain(*world, audit_plan(EPSILON, method, gaussian=True)) == []


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_no_part_of_a_release_gives_away_more_than_it_claims(
    world: tuple[Prepared, Neighbors], method: str, audited: Audited
) -> None:
    one, cases = world
    plan = audit_plan(EPSILON, method)
    without = exact_answers(plan, one.people)
    for case, other in cases.items():
        for name, answer in exact_answers(plan, other.people).items():
            if audited.is_new(without[name], answer):
                for finding in audit_release(without[name], answer, case, RUNS):
                    assert finding.passed, finding


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_by_every_line_that_can(spark: Any, world: tuple[Prepared, Neighbors], name: str) -> None:
    fault = FAULTS[name]
    plan = audit_plan(EPSILON)
    one, other = fault.neighbors(spark, plan) if fault.prepares else (world[0], world[1][fault.case])
    more = 0 if fault.case == NOBODY else 1
    found = {"rows"} if wrong_rows(one, other, plan, more) else set()
    answers = [exact_answers(plan, p.people, fault.found_in or ["assessment"]) for p in (one, other)]
    wrong = [
        part
        for release, answer in answers[1].items()
        for part in wrong_changes(answer.parts, answers[0][release].vectors, answer.vectors, more, fault.mechanism)
    ]
    assert found | ({"change"} if wrong else set()) == fault.lines
    for release in fault.found_in:
        findings = audit_release(answers[0][release], answers[1][release], fault.case, RUNS, fault.mechanism)
        assert any(not f.passed for f in findings), findings


def test_every_planted_fault_is_found_by_two_lines_at_least() -> None:
    assert [name for name, fault in FAULTS.items() if len(fault.lines) + bool(fault.found_in) < 2] == []


@pytest.mark.long
def test_bounds_that_are_found_give_away_no_more_than_they_claim_and_faults_in_them_are_found(spark: Any) -> None:
    plan = audit_plan(EPSILON, without_bounds=True)
    without = exact_bounds(spark, plan, population())
    for case, extra in CASES.items():
        answer = exact_bounds(spark, plan, population() + extra)
        assert answer.parts == without.parts  # the same bins and noise, whoever is there
        assert wrong_changes(answer.parts, without.vectors, answer.vectors) in ([], ["b"])  # one case has no value
        assert all(finding.passed for finding in audit_release(without, answer, case, RUNS))
        if case == "far outside the bounds":
            far = answer
    assert not all(f.passed for f in audit_release(without, far, "far", RUNS, only_observed_noised))
    loud = audit_plan(10 * EPSILON, without_bounds=True)  # where few runs tell a factor of two
    one, other = (Exact(e.question, bound_parts(loud), e.vectors) for e in (without, far))
    assert not all(f.passed for f in audit_release(one, other, "far", RUNS, noise_halved))


@pytest.mark.long
def test_gaussian_noise_gives_away_no_more_than_its_rho_claims_and_faults_in_it_are_found(
    world: tuple[Prepared, Neighbors], audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, cases = world
    plan, case = audit_plan(EPSILON, STEPS, gaussian=True), "at a corner"
    without = exact_answers(plan, one.people)
    assert set(without) == {"marginals", "summary", "refinement 1", "assessment"}
    for name, other in cases.items():
        for question, answer in exact_answers(plan, other.people).items():
            if audited.is_new(without[question], answer):
                assert all(finding.passed for finding in audit_release(without[question], answer, name, RUNS))
                assert all(finding.passed for finding in audit_spread(without[question], answer, name, RUNS))
    for question, answer in exact_answers(plan, cases[case].people).items():
        halved = audit_spread(without[question], answer, case, RUNS, noise_halved)
        assert {f.part for f in halved if not f.passed} >= {p.name for p in answer.parts if p.sensitivity == 1}
    monkeypatch.setattr(assessment, "row_sensitivity", each_alone)
    one, other = (exact_answers(plan, p.people, ["assessment"])["assessment"] for p in (world[0], cases[case]))
    found = {f.part for f in audit_spread(one, other, case, RUNS) if not f.passed}
    assert found >= {assessment.SUMS, assessment.SQUARES, assessment.feature_part("gender")}


@pytest.mark.long
@pytest.mark.parametrize("case", ["alone in an empty box", "far outside the bounds"])
def test_neither_the_summary_as_read_nor_the_centers_give_away_more_than_the_summary_claims(
    world: tuple[Prepared, Neighbors], case: str
) -> None:
    plan = audit_plan(PATH_EPSILON)
    one, other = (exact_answers(plan, p.people, ["summary"])["summary"] for p in (world[0], world[1][case]))
    assert audit_path(one, other, plan, case, AS_READ, to_centers=False).passed
    assert audit_path(one, other, plan, case, CENTERS, to_centers=True).passed
    if case == "alone in an empty box":
        assert not audit_path(one, other, plan, case, AS_READ_FAULTY, False, only_observed_noised).passed


@pytest.mark.long
def test_the_questions_that_one_answer_after_the_other_leads_to_give_away_no_more_than_they_claim_together(
    world: tuple[Prepared, Neighbors],
) -> None:
    """Cuts from noisy histograms, boxes by these cuts, a step from the centers of these boxes; and a fault in it is found."""
    plan, case = audit_plan(PATH_EPSILON, STEPS), "alone in an empty box"
    one, other = world[0].people.points, world[1][case].people.points
    for finding in audit_learning(one, other, plan, case, LEARNING):
        assert finding.passed, finding
    all_answers, _ = audit_learning(one, other, plan, case, LEARNING_FAULTY, only_observed_noised)
    assert not all_answers.passed, all_answers


@pytest.mark.long
def test_the_bound_comes_near_the_truth_and_never_above_it() -> None:
    """Discrete Laplace of ε = 1 on 0 and 1; at 40,000 runs the bound is within a quarter of the truth. False alarm 1e-6."""
    runs = 40_000
    noisy = [OpenDPNoise().add(np.full(runs, exact, dtype=np.int64), Laplace(1.0))[:, None].astype(float) for exact in (0, 1)]
    assert 0.75 < epsilon_lower_bound(noisy[0], noisy[1], 1e-6) <= 1.0


@pytest.mark.long
def test_the_same_input_twice_gives_no_bound() -> None:
    noisy = [OpenDPNoise().add(np.zeros(5_000, dtype=np.int64), Laplace(2.0))[:, None].astype(float) for _ in range(2)]
    assert epsilon_lower_bound(noisy[0], noisy[1], 1e-9) == 0.0
