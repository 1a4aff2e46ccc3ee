"""Why somebody is in a segment, in plain words: the features that decide it against the next nearest center."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.assignment.nearest import CENTER_BITS, Centers
from evenhand.plan.features import Feature
from evenhand.plan.geometry import to_unit
from evenhand.plan.metric import stretch

MOST_NAMED = 3


@dataclass(frozen=True)
class Reason:
    """A feature whose value is nearer to the center of the own segment than to that of the other; all in the feature's unit.

    `of_many` is whether it is one of the categories of a column: the centers are then shares of customers.
    """

    feature: str
    unit: str
    value: float
    here: float
    there: float
    of_many: bool = False


@dataclass(frozen=True)
class Why:
    """`nearest` is the segment of the nearest center; where that is not the own one, balancing has decided. `other` is what it
    is compared with: the nearest center but for the own.
    """

    segment: int
    nearest: int
    other: int
    reasons: list[Reason]


def why(values: Sequence[int], segment: int, centers: Centers, features: list[Feature]) -> Why:
    """`values` in fixed point, in the order of the features; at most three reasons, the one that counts most first.

    |x - there|² - |x - here|², stretched by the weights, is a sum over the features: what each adds to it is how much it speaks
    for the own segment.
    """
    fixed: NDArray[np.float64] = centers / 2**CENTER_BITS
    squares = stretch(features) ** 2
    point = np.asarray(values, dtype=np.float64)
    apart = ((fixed - point) ** 2 * squares).sum(axis=1)
    others = [s for s in range(1, len(fixed) + 1) if s != segment]
    other = min(others, key=lambda s: apart[s - 1])
    here, there = fixed[segment - 1], fixed[other - 1]
    speaks = ((point - there) ** 2 - (point - here) ** 2) * squares
    value, own, its = (to_unit(of, features) for of in (point, here, there))
    order = [j for j in np.argsort(-speaks, kind="stable").tolist() if speaks[j] > 0][:MOST_NAMED]
    reasons = [
        Reason(f.name, f.unit or "", float(value[j]), float(own[j]), float(its[j]), f.category is not None)
        for j, f in ((j, features[j]) for j in order)
    ]
    return Why(segment, int(np.argmin(apart)) + 1, other, reasons)
