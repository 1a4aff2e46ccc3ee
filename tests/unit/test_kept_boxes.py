"""Which boxes are taken for not empty: hardly one with nobody in it however many boxes there are, and those with people."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, poisson

from evenhand.ask.boxes import COUNT, EMPTY_KEPT, OFFSETS, box_parts, read_summary
from evenhand.plan.geometry import Boxes
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import Release, made_up
from sample import plan_yaml

MISTAKEN = 1e-6  # a false alarm of each test here, over seeds
UNITS: dict[str, dict[str, float]] = {"epsilon": {}, "rho": {"privacy.delta": 1e-9, "privacy.population_delta": 1e-9}}


def counted(customers: int, boxes_with: int, people: int, unit: str) -> tuple[Plan, np.ndarray, Release]:
    """One pass over as many boxes as the plan's expected customers allow, the first of them with `people` each."""
    plan = parse_plan(plan_yaml({"privacy.expected_customers": customers} | UNITS[unit]))
    boxes = Boxes.of(plan)
    counts = np.where(np.arange(boxes.count) < boxes_with, people, 0)
    exact = {COUNT: counts, OFFSETS: np.zeros(boxes.count * boxes.features, dtype=np.int64)}
    return plan, counts, made_up(exact, box_parts(plan, boxes), SeededNoise(5))


@pytest.mark.parametrize("unit", UNITS)
def test_of_very_many_boxes_as_few_empty_ones_are_kept_as_of_some_hundred(unit: str) -> None:
    """They drew a center each to where nobody is: one in forty was kept, of 16,384 boxes some 400."""
    plan, counts, answer = counted(50_000_000, 0, 0, unit)
    assert len(counts) == 2**14
    assert len(read_summary(answer, plan).boxes) <= poisson.isf(MISTAKEN, EMPTY_KEPT)


@pytest.mark.parametrize("unit", UNITS)
def test_of_few_boxes_one_empty_one_in_forty_is_kept_and_those_with_people_are(unit: str) -> None:
    plan, counts, answer = counted(20_000, 20, 10_000, unit)
    kept = read_summary(answer, plan).boxes
    assert set(range(20)) <= set(kept.tolist())
    assert len(kept) - 20 <= binom.isf(MISTAKEN, len(counts) - 20, 0.025)
