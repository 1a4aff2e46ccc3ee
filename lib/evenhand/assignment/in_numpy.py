"""Who of a sample is in which segment: the twin of `nearest` and `fair_map`, to the last integer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.assignment.fair_map import HASH_STEPS, OTHER_BITS, FairMap
from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import CENTER_BITS, NUMBERS, Centers, linear
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.privacy.sample import Integers, Sample

Floats = NDArray[np.float64]


def segment_numbers(people: Sample, centers: Centers, stretch: Floats | float) -> Integers:
    """The number, from 1, of the nearest center of every row, (n,)."""
    return _number_in(_scores(people, centers, stretch).min(axis=1))


def assigned(people: Sample, centers: Centers, fair_map: FairMap | None, plan: Plan) -> tuple[Integers, Floats]:
    """The segment of every row, from 1, and the squared distance to its center in fixed point, (n,) each."""
    points, axes = people.points.astype(np.float64), stretch(plan.features)
    if fair_map is None:
        score = _scores(people, centers, axes).min(axis=1)
        nearer = (score >> (NUMBERS.bit_length() - 1)) / 2**CENTER_BITS
        return _number_in(score), np.maximum(nearer + (points**2 * axes**2).sum(axis=1), 0.0)
    segment = _balanced(people, fair_map, plan)
    return segment, ((points - (centers / 2**CENTER_BITS)[segment - 1]) ** 2 * axes**2).sum(axis=1)


def choices(people: Sample, fair_map: FairMap, plan: Plan) -> tuple[Integers, Integers, Integers]:
    """First and second segment, from 1, and the cell of the margin between them, -1 from the last edge on; (n,) each."""
    group, row, k = JointGroups.of(plan).of_sample(people, plan), np.arange(len(people)), len(fair_map.centers)
    priced = _scores(people, fair_map.centers, stretch(plan.features)) + fair_map.prices[group] * NUMBERS
    best, second = np.partition(priced, 1, axis=1)[:, :2].T
    lead = priced - best[:, None]
    draws = (lead > 0) & (lead < fair_map.reach[group] * NUMBERS)
    last = k - 1 - draws[:, ::-1].argmax(axis=1)
    second = np.where(draws.any(axis=1), priced[row, last], second)
    first, margin = _number_in(best), second - best
    number = (margin[:, None] >= fair_map.edges * NUMBERS).sum(axis=1)
    cell = ((first - 1) * k + _number_in(second) - 1) * fair_map.bins + number
    return first, _number_in(second), np.where(number < fair_map.bins, cell, -1)


def _balanced(people: Sample, fair_map: FairMap, plan: Plan) -> Integers:
    """The segment under a map with its moves, from 1."""
    group, k = JointGroups.of(plan).of_sample(people, plan), len(fair_map.centers)
    first, second, cell = choices(people, fair_map, plan)
    moved = fair_map.moved.reshape(len(fair_map.prices), -1)[group, cell]
    moves = (np.mod(people.hashes, HASH_STEPS) < moved) & (cell >= 0)
    ends = fair_map.far[:, :, ::-1].cumsum(axis=2)[group, first - 1]
    to = k - (ends <= np.mod(people.hashes >> OTHER_BITS, HASH_STEPS)[:, None]).sum(axis=1)
    number: Integers = fair_map.numbers[np.where(moves, second, np.where(to > 0, to, first)) - 1]
    return number


def _scores(people: Sample, centers: Centers, stretch: Floats | float) -> Integers:
    """The packed scores of `nearest.scores`, (n, k); in doubles, which are exact here as they are in Spark."""
    constants, factors = linear(centers, stretch)
    products = people.points.astype(np.float64) @ (2.0 * NUMBERS * factors.T)
    return (np.array(constants) * NUMBERS + np.arange(len(centers)) - products).astype(np.int64)


def _number_in(scores: Integers) -> Integers:
    return (scores & (NUMBERS - 1)) + 1
