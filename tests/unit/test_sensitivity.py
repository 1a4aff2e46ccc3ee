"""What one customer changes, held against what every part of every question declares: over plans, populations and earlier answers at random.

Spark's counting is NumPy's here; that they are the same to the last integer is tested in `tests/privacy/test_audit.py`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asked import MAKERS, Earlier, asked
from evenhand.ask import assessment as tallies
from evenhand.ask.answers import answer_counts
from evenhand.ask.bounds import magnitude_histograms
from evenhand.ask.movement import movement_counts
from evenhand.ask.outcomes import outcome_counts
from evenhand.plan.load import parse_plan
from evenhand.plan.magnitudes import BINS
from evenhand.plan.method import DISTRIBUTION, Method
from evenhand.plan.models import Plan
from evenhand.plan.surveys import Survey
from evenhand.privacy.sample import Sample
from faults import MECHANISMS, each_alone
from plans import any_plan
from sample import plan_yaml
from sensitivity import Change, Mechanism, changes, hardest, somebody, sound
from survey import SURVEY

LIBRARY = Path(__file__).parents[2] / "lib/evenhand"
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def plans(draw: st.DrawFn, bounds: bool = True) -> Plan:
    attributes = draw(st.lists(st.sampled_from([1, 2, 4, -1, -3]), min_size=1, max_size=3))
    epsilon, noisy = draw(st.sampled_from([0.1, 1.0, 10.0, 100.0])), draw(st.booleans())
    strength = draw(st.sampled_from([10, 500, 2_000, 20_000]))  # expected customers × ε, on which the questions asked depend
    return any_plan(
        features=draw(st.integers(1, 6)),
        k=draw(st.integers(2, 6)),
        attributes=attributes,
        crossed=len(attributes) > 1 and draw(st.booleans()),
        mitigation=draw(st.sampled_from([None, "group_blind", "balanced"])),
        epsilon=epsilon,
        delta=1e-7 if noisy else None,
        expected=max(1, round(strength / epsilon)),
        bounds=bounds,
        log=draw(st.booleans()),
        distribution=draw(st.booleans()),
        categories=draw(st.lists(st.integers(1, 5), max_size=2)) if bounds else [],
        weights=draw(st.lists(st.sampled_from([0.01, 0.5, 1.0, 3.0, 100.0]), min_size=1, max_size=6)),
    )


def neighbors(plan: Plan, earlier: Earlier, seed: int) -> tuple[Sample, list[Sample]]:
    """A population, and the same with one customer more or less."""
    random = np.random.default_rng(seed)
    some = somebody(plan, random, int(random.integers(0, 20))) + hardest(plan, earlier, random, 5)
    more = hardest(plan, earlier, random, 8) + somebody(plan, random, 2)
    return some, [some[1:], *(some + more[i : i + 1] for i in range(len(more)))]


def all_changes(plan: Plan, earlier: Earlier, seed: int, mechanism: Mechanism = sound) -> dict[tuple[str, str], list[Change]]:
    """By question and part, between neighbors."""
    some, others = neighbors(plan, earlier, seed)
    found: dict[tuple[str, str], list[Change]] = {}
    for question in asked(plan, earlier):
        one = question.of_sample(some)
        for other in others:
            for change in changes(question.parts, one, question.of_sample(other), mechanism):
                found.setdefault((question.name, change.part.name), []).append(change)
    return found


@settings(max_examples=40)
@given(plans(), SEEDS)
def test_no_customer_changes_a_part_by_more_than_it_declares_nor_more_than_its_noise_hides(plan: Plan, seed: int) -> None:
    for found in all_changes(plan, Earlier.drawn(plan, seed), seed).values():
        assert all(change.holds for change in found), found


@settings(max_examples=30)
@given(plans(), SEEDS)
def test_some_customer_changes_each_part_by_all_that_it_declares(plan: Plan, seed: int) -> None:
    """More would be noise for nothing. The centers are in the lower half of every feature, so that some customers are far from all."""
    found = all_changes(plan, Earlier.drawn(plan, seed, reach=0.4), seed)
    used = {of: max(change.used for change in by_customer) for of, by_customer in found.items()}
    assert min(used.values()) > 0.99, used


@settings(max_examples=30)
@given(plans(bounds=False), SEEDS)
def test_no_customer_changes_the_histograms_that_bounds_are_found_in_by_more_than_they_declare(plan: Plan, seed: int) -> None:
    random = np.random.default_rng(seed)
    bins = random.integers(-1, BINS, (20, len(plan.features)))
    question, nobody = magnitude_histograms(plan), np.zeros((20, 0), dtype=np.int64)
    people = Sample.of(nobody, magnitudes=bins)
    found = changes(question.parts, question.of_sample(people[1:]), question.of_sample(people))
    assert all(change.holds for change in found)
    assert all(change.used == (number >= 0) for change, number in zip(found, bins[0], strict=True))


@settings(max_examples=50)
@given(st.integers(1, 6), st.lists(st.integers(2, 20), min_size=1, max_size=5), SEEDS)
def test_no_customer_changes_the_answers_to_a_survey_by_more_than_they_declare(k: int, options: list[int], seed: int) -> None:
    """One of them has answered everything, and so changes each part by all that it declares."""
    random = np.random.default_rng(seed)
    questions = [{"name": f"q{i}", "asks": "?", "options": list(range(n))} for i, n in enumerate(options)]
    question = answer_counts(Survey.model_validate(SURVEY | {"questions": questions}), k, 1.0)
    given = random.integers(0, np.array(options) + 1, (20, len(options)))
    given[0] = random.integers(1, np.array(options) + 1)
    groups = np.concatenate([random.integers(1, k + 1, (20, 1)), given], axis=1)
    people = Sample.of(np.zeros((20, 0), dtype=np.int64), groups)
    for one, answered in ((0, np.ones(len(options))), (1, given[1] > 0)):
        found = changes(
            question.parts, question.of_sample(people[[i for i in range(20) if i != one]]), question.of_sample(people)
        )
        assert all(change.holds for change in found)
        assert [change.used for change in found] == answered.tolist()


@settings(max_examples=40)
@given(plans(), st.integers(1, 5), SEEDS)
def test_every_customer_changes_each_table_of_outcomes_by_all_that_it_declares_and_no_more(
    plan: Plan, options: int, seed: int
) -> None:
    random, k = np.random.default_rng(seed), 4
    question = outcome_counts(plan, k, options, 1.0)
    columns = [random.integers(1, k + 1, 12), random.integers(0, 2, 12), random.integers(0, options + 1, 12)]
    columns += [random.integers(0, len(a.group_names), 12) for a in plan.protected]
    people = Sample.of(np.zeros((12, 0), dtype=np.int64), np.stack(columns, axis=1))
    found = changes(question.parts, question.of_sample(people[1:]), question.of_sample(people))
    assert all(change.holds and change.used == 1 for change in found)
    assert question.cost == pytest.approx(1.0)


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(1, 8), SEEDS)
def test_every_customer_changes_the_count_of_movement_by_all_that_it_declares_and_no_more(then: int, k: int, seed: int) -> None:
    """New or not; whoever is one more was in any segment of the last run, or in none."""
    random, plan = np.random.default_rng(seed), parse_plan(plan_yaml({"segments.movement": {"share": 0.2}}))
    groups = np.stack([random.integers(0, then + 1, 12), random.integers(1, k + 1, 12)], axis=1)
    people, question = Sample.of(np.zeros((12, 0), dtype=np.int64), groups), movement_counts(then, k, plan)
    for one in range(12):
        others = people[[i for i in range(12) if i != one]]
        found = changes(question.parts, question.of_sample(others), question.of_sample(people))
        assert all(change.holds and change.used == 1 for change in found)


@settings(max_examples=30)
@given(plans(), SEEDS)
def test_questions_cost_what_the_method_gives_them_and_ask_for_the_same_cells_whoever_is_there(plan: Plan, seed: int) -> None:
    earlier = Earlier.drawn(plan, seed)
    made, (some, others) = asked(plan, earlier), neighbors(plan, earlier, seed)
    costs = {question.name: sum(p.cost for p in question.parts) for question in made[:-1]}
    assert costs.pop(DISTRIBUTION, 0.0) == pytest.approx(plan.distribution_budget)
    assert costs == pytest.approx(Method.of(plan).questions)
    assert sum(costs.values()) + sum(p.cost for p in made[-1].parts) == pytest.approx(plan.shared_budget)
    for question in made:
        for people in (some, *others[:2]):
            assert {name: len(vector) for name, vector in question.of_sample(people).items()} == {
                p.name: p.cells for p in question.parts
            }


def test_every_function_of_the_library_that_makes_a_question_is_asked_here() -> None:
    found = set()
    for path in LIBRARY.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for function in ast.walk(ast.parse(text)) if "Question(" in text else ():
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Question"
                for call in ast.walk(function)
            ):
                found.add(f"{'.'.join(path.relative_to(LIBRARY.parent).with_suffix('').parts)}.{function.name}")
    assert found == {f"{maker.__module__}.{maker.__name__}" for maker in MAKERS}


# Of every kind of question, with rows of one figure and of several.
STEPWISE = any_plan(features=4, k=3, attributes=(2, -1), crossed=True, mitigation="balanced", expected=3_000)
GAUSSIAN = any_plan(features=4, k=3, attributes=(2, -1), crossed=True, mitigation="balanced", expected=3_000, delta=1e-6)


def faulty(plan: Plan, mechanism: Mechanism = sound) -> set[str]:
    """The parts, by name, that one customer changes by too much."""
    found = all_changes(plan, Earlier.drawn(plan, 1, reach=0.4), 1, mechanism)
    return {part for (_, part), by_customer in found.items() if not all(change.holds for change in by_customer)}


@pytest.mark.parametrize("plan", [STEPWISE, GAUSSIAN], ids=["Laplace and cubes", "Gaussian"])
def test_noise_that_is_too_small_or_does_not_reach_every_cell_is_found_in_every_part(plan: Plan) -> None:
    every = {part.name for question in asked(plan, Earlier.drawn(plan, 1)) for part in question.parts}
    assert faulty(plan) == set()
    assert faulty(plan, MECHANISMS["noise halved"]) == every
    empty = {"count", "offsets", "joint groups", "near another segment"}  # the others have somebody in every cell
    assert faulty(plan, MECHANISMS["only observed boxes get noise"]) >= empty
    in_rows = {part.name for question in asked(plan, Earlier.drawn(plan, 1)) for part in question.parts if part.width > 1}
    assert faulty(plan, MECHANISMS["the noise of one feature for all"]) == in_rows


def test_a_sensitivity_without_the_root_of_the_features_is_found_in_every_part_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaussian noise for one figure of a row alone."""
    monkeypatch.setattr(tallies, "row_sensitivity", each_alone)
    rows = {p.name for p in tallies.assessment_parts(3, GAUSSIAN) if p.width > 1}
    assert len(rows) == 7
    assert faulty(GAUSSIAN) == rows


def test_a_cap_of_the_costs_that_is_twice_what_is_declared_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = tallies.COST_STEPS

    def twice(distance: np.ndarray, greatest: float) -> np.ndarray:
        return np.minimum((distance / tallies.cost_unit(greatest)).astype(np.int64), 2 * counted - 1)

    monkeypatch.setattr("evenhand.ask.assessment.costs", twice)
    for plan in (STEPWISE, GAUSSIAN):
        assert faulty(plan) == set(map(tallies.cost_part, ("a0", "a1", "a0 × a1")))
