"""The public geometry of the feature space: fixed point, boxes, and how many of them. Decided by the plan alone.

Nothing here may look at data: the number and the place of the boxes would otherwise tell about people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evenhand.plan.accounting import Unit, like_laplace
from evenhand.plan.features import Feature
from evenhand.plan.method import Method
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan

BITS = 16  # fixed point: 65,536 steps between the bounds, so that a sum over 2^47 customers still fits a BIGINT
STEPS = 2**BITS
COUNTS_SHARE = 0.6  # of the summary's ε for counts, the rest for sums; from trials (docs/decisions/cube-noise.md)
LEAST_MEAN_COUNT = 8.0  # a box should hold on average that many times the noise scale of its count; from trials
MOST_BOX_BITS = 14  # 16,384 boxes; at 8 million customers 2^16 gave the same cost in four times the time
MOST_CUT_BOX_BITS = 16  # boxes cut where the customers are; at a million 2^14 hid the best segments (1.012 for 1.001)
UNIT = 2**30  # one customer changes a row of offsets by that at most, in the norm of its noise; 2^33 customers fit 64 bits

Number = TypeVar("Number", np.int64, np.float64)


def most_boxes(plan: Plan) -> int:
    """As many boxes as the noise allows at the expected population; from public numbers only."""
    method = Method.of(plan)
    noise = like_laplace(method.summary * COUNTS_SHARE, plan.privacy.unit)
    boxes = plan.privacy.expected_customers / noise / LEAST_MEAN_COUNT
    return min(1 << (MOST_CUT_BOX_BITS if method.marginals else MOST_BOX_BITS), max(4, round(boxes)))


def box_bits(plan: Plan) -> int:
    """H of the 2^H boxes that are cut at midpoints."""
    # At least two steps a box: a box of one step would have a half-width of 0, which no noise fits.
    return min(MOST_BOX_BITS, (BITS - 1) * len(plan.features), round(math.log2(most_boxes(plan))))


@dataclass(frozen=True)
class Boxes:
    """The boxes of a grid: per feature the ascending edges of its intervals, from 0 to 65,536, all of them even.

    A box key counts the boxes with the last feature's interval running fastest.
    """

    edges: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, plan: Plan) -> Boxes:
        """The boxes that are cut without looking at anybody: of features that count the same the first by name once more than
        the others, where that does not come out even. The order in the plan says nothing.
        """
        names = sorted(plan.feature_names)
        widths = dict(zip(plan.feature_names, stretch(plan.features).tolist(), strict=True))
        by_name = dict(zip(names, cls.halved([widths[name] for name in names], box_bits(plan)).edges, strict=True))
        return cls(tuple(by_name[name] for name in plan.feature_names))

    @classmethod
    def halved(cls, widths: Sequence[float], bits: int) -> Boxes:
        """2^bits boxes of a space that is so wide by feature: cut midpoint by midpoint across the widest side, of equally wide
        ones the first.
        """
        cuts = [0] * len(widths)
        for _ in range(bits):
            widest = max(range(len(cuts)), key=lambda j: (cuts[j] < BITS - 1, widths[j] / 2 ** cuts[j]))
            cuts[widest] += 1
        return cls(tuple(tuple(range(0, STEPS + 1, STEPS >> halvings)) for halvings in cuts))

    @property
    def features(self) -> int:
        return len(self.edges)

    @cached_property
    def intervals(self) -> tuple[int, ...]:
        """How many intervals each feature has."""
        return tuple(len(edges) - 1 for edges in self.edges)

    @property
    def count(self) -> int:
        return math.prod(self.intervals)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """By how much the key grows from one interval of a feature to the next."""
        return tuple(math.prod(self.intervals[j + 1 :]) for j in range(self.features))

    @cached_property
    def digits(self) -> NDArray[np.int64]:
        """The interval of every box, shape (boxes, features)."""
        return np.stack(np.unravel_index(np.arange(self.count), self.intervals), axis=1).astype(np.int64)

    @cached_property
    def centers(self) -> NDArray[np.int64]:
        """Center of every box in fixed point, shape (boxes, features)."""
        return self.spread([(np.array(e[:-1]) + np.array(e[1:])) // 2 for e in self.edges])

    @cached_property
    def halves(self) -> NDArray[np.int64]:
        """Half the width of every box, shape (boxes, features): the bound of a customer's offset from its center."""
        return self.spread([np.diff(e) // 2 for e in self.edges])

    def spread(self, by_interval: Sequence[NDArray[Number]]) -> NDArray[Number]:
        """Figures of each feature's intervals for every box, shape (boxes, features)."""
        return np.stack([values[self.digits[:, j]] for j, values in enumerate(by_interval)], axis=1)


def offset_factors(halves: NDArray[np.int64], unit: Unit) -> NDArray[np.int64]:
    """What the offsets of a row are multiplied by before noise, so that one scale fits all rows and features.

    `halves` (rows, features) bound a customer's offsets. For ε each offset times its factor is at most UNIT. For ρ their
    squares add up to UNIT² at most, with the least total variance: bound times factor proportional to the root of the bound.
    """
    if unit == "epsilon":
        return UNIT // halves
    shares = np.sqrt(halves / halves.sum(axis=1, keepdims=True))
    factors: NDArray[np.int64] = np.floor(UNIT * shares / halves).astype(np.int64)
    return factors


def to_unit(fixed: NDArray[np.float64], features: list[Feature], end: float = 0.0) -> NDArray[np.float64]:
    """Fixed point back to the plan's units, shape (..., features). Half a step is added, since fixed point rounds down.

    Of the ends of an interval, `end` -1 is the least and 1 the greatest that may have been rounded so.
    """
    share = np.clip((fixed + 0.5 + end / 2) / STEPS, 0.0, 1.0)
    columns = []
    for j, feature in enumerate(features):
        low, high = feature.limits
        if feature.scale == "log":
            columns.append(low + np.expm1(share[..., j] * math.log1p(high - low)))
        else:
            columns.append(low + share[..., j] * (high - low))
    return np.stack(columns, axis=-1)


def to_fixed(values: NDArray[np.float64], features: list[Feature]) -> NDArray[np.int64]:
    """The plan's units to fixed point, clipped to the bounds, NaN imputed; what `prepare` does in SQL, in NumPy."""
    columns = []
    for j, feature in enumerate(features):
        low, high = feature.limits
        value = np.where(np.isnan(values[..., j]), feature.missing, values[..., j])
        value = np.clip(value, low, high) - low
        log = feature.scale == "log"
        steps = np.log1p(value) * (STEPS / math.log1p(high - low)) if log else value * (STEPS / (high - low))
        columns.append(np.minimum(np.floor(steps), STEPS - 1).astype(np.int64))
    return np.stack(columns, axis=-1)
