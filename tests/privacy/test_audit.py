"""The promise against samples: no release gives away more than it claims, and faults planted on purpose are found.

False alarm of all tests in this file together: at most 1e-6, by Bonferroni over more audits than there are. That a planted
fault is missed is as unlikely: at these numbers of runs its bound lies more than ten standard errors above the claim.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audit import audit_path, audit_release
from audit_learning import audit_learning, fixed_point
from audit_privacy import EPSILON, GAUSSIAN_RUNS, PATH_EPSILON, STEPS
from bound import epsilon_lower_bound
from evenhand.privacy.noise import Laplace, OpenDPNoise
from faults import FAULTS, noise_halved, only_observed_noised
from world import CASES, METHODS, Exact, audit_plan, exact_answers, exact_bounds, moved

RUNS, AS_READ, AS_READ_FAULTY, CENTERS = 12_000, 6_000, 15_000, 400
LEARNING, LEARNING_FAULTY = 150, 500
Answers = dict[str, Exact]


@pytest.fixture(scope="module")
def without(spark: Any) -> Answers:
    return exact_answers(spark, audit_plan(EPSILON), [])


@pytest.fixture(scope="module", params=METHODS)
def neighbors(spark: Any, request: pytest.FixtureRequest) -> tuple[Answers, dict[str, Answers]]:
    """By method of learning: the exact answers without the customer, and with each of the worst cases."""
    plan = audit_plan(EPSILON, request.param)
    return exact_answers(spark, plan, []), {case: exact_answers(spark, plan, extra) for case, extra in CASES.items()}


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


def test_no_part_of_a_release_gives_away_more_than_it_claims(
    neighbors: tuple[Answers, dict[str, Answers]], audited: Audited
) -> None:
    without, cases = neighbors
    for case, answers in cases.items():
        for name, answer in answers.items():
            if audited.is_new(without[name], answer):
                for finding in audit_release(without[name], answer, case, RUNS):
                    assert finding.passed, finding


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(spark: Any, without: Answers, name: str) -> None:
    fault = FAULTS[name]
    answers = exact_answers(spark, audit_plan(EPSILON), CASES[fault.case], fault.prepare, fault.found_in)
    for release in fault.found_in:
        findings = audit_release(without[release], answers[release], fault.case, RUNS, fault.mechanism)
        assert any(not f.passed for f in findings), findings


def test_bounds_that_are_found_give_away_no_more_than_they_claim_and_faults_in_them_are_found(spark: Any) -> None:
    plan = audit_plan(EPSILON, without_bounds=True)
    without = exact_bounds(spark, plan, [])
    for case, extra in CASES.items():
        answer = exact_bounds(spark, plan, extra)
        assert answer.parts == without.parts  # the same bins and noise, whoever is there
        for part in answer.parts:
            assert moved(part, without.vectors[part.name], answer.vectors[part.name]) <= part.sensitivity
        assert all(finding.passed for finding in audit_release(without, answer, case, RUNS))
    far = exact_bounds(spark, plan, CASES["far outside the bounds"])
    assert not all(f.passed for f in audit_release(without, far, "far", RUNS, only_observed_noised))
    loud = audit_plan(10 * EPSILON, without_bounds=True)  # where few runs tell a factor of two
    one, other = (exact_bounds(spark, loud, extra) for extra in ([], CASES["far outside the bounds"]))
    assert not all(f.passed for f in audit_release(one, other, "far", RUNS, noise_halved))


def test_gaussian_noise_gives_away_no_more_than_its_rho_claims_and_halved_it_is_found(spark: Any, audited: Audited) -> None:
    plan = audit_plan(EPSILON, STEPS, gaussian=True)
    without = exact_answers(spark, plan, [])
    assert set(without) == {"marginals", "summary", "refinement 1", "assessment"}
    for case, extra in CASES.items():
        for name, answer in exact_answers(spark, plan, extra).items():
            assert answer.parts == without[name].parts
            for part in answer.parts:
                assert moved(part, without[name].vectors[part.name], answer.vectors[part.name]) <= part.sensitivity
            if audited.is_new(without[name], answer):
                assert all(finding.passed for finding in audit_release(without[name], answer, case, RUNS))
    answer = exact_answers(spark, plan, CASES["at a corner"], only=["summary"])["summary"]
    assert not all(f.passed for f in audit_release(without["summary"], answer, "at a corner", GAUSSIAN_RUNS, noise_halved))


@pytest.mark.parametrize("case", ["alone in an empty box", "far outside the bounds"])
def test_neither_the_summary_as_read_nor_the_centers_give_away_more_than_the_summary_claims(spark: Any, case: str) -> None:
    plan = audit_plan(PATH_EPSILON)
    one, other = (exact_answers(spark, plan, extra, only=["summary"])["summary"] for extra in ([], CASES[case]))
    assert audit_path(one, other, plan, case, AS_READ, to_centers=False).passed
    assert audit_path(one, other, plan, case, CENTERS, to_centers=True).passed
    if case == "alone in an empty box":
        assert not audit_path(one, other, plan, case, AS_READ_FAULTY, False, only_observed_noised).passed


def test_the_questions_that_one_answer_after_the_other_leads_to_give_away_no_more_than_they_claim_together(spark: Any) -> None:
    """Cuts from noisy histograms, boxes by these cuts, a step from the centers of these boxes; and a fault in it is found."""
    plan, case = audit_plan(PATH_EPSILON, STEPS), "alone in an empty box"
    one, other = (fixed_point(spark, plan, extra) for extra in ([], CASES[case]))
    for finding in audit_learning(one, other, plan, case, LEARNING):
        assert finding.passed, finding
    all_answers, _ = audit_learning(one, other, plan, case, LEARNING_FAULTY, only_observed_noised)
    assert not all_answers.passed, all_answers


def test_every_choice_before_noise_is_the_same_for_neighbors(neighbors: tuple[Answers, dict[str, Answers]]) -> None:
    """The released cells, their number and their noise: what of them depended on people would be released without noise."""
    without, cases = neighbors
    for answers in cases.values():
        for name, answer in answers.items():
            assert answer.parts == without[name].parts
            assert {n: v.shape for n, v in answer.vectors.items()} == {n: v.shape for n, v in without[name].vectors.items()}


def test_no_customer_changes_an_answer_by_more_than_its_sensitivity(neighbors: tuple[Answers, dict[str, Answers]]) -> None:
    """Two rows of one customer, values far outside the bounds and a lone customer in an empty box among them."""
    without, cases = neighbors
    for answers in cases.values():
        for name, answer in answers.items():
            for part in answer.parts:
                assert moved(part, without[name].vectors[part.name], answer.vectors[part.name]) <= part.sensitivity


def test_the_bound_comes_near_the_truth_and_never_above_it() -> None:
    """Discrete Laplace of ε = 1 on 0 and 1; at 40,000 runs the bound is within a quarter of the truth. False alarm 1e-6."""
    runs = 40_000
    noisy = [OpenDPNoise().add(np.full(runs, exact, dtype=np.int64), Laplace(1.0))[:, None].astype(float) for exact in (0, 1)]
    assert 0.75 < epsilon_lower_bound(noisy[0], noisy[1], 1e-6) <= 1.0


def test_the_same_input_twice_gives_no_bound() -> None:
    noisy = [OpenDPNoise().add(np.zeros(5_000, dtype=np.int64), Laplace(2.0))[:, None].astype(float) for _ in range(2)]
    assert epsilon_lower_bound(noisy[0], noisy[1], 1e-9) == 0.0
