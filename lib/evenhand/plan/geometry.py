"""The public geometry of the feature space: fixed point, boxes, and how many of them. Decided by the plan alone.

Nothing here may look at data: the number and the place of the boxes would otherwise tell about people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evenhand.plan.models import Feature, Plan

BITS = 16  # fixed point: 65,536 steps between the bounds, so that the sum over 2^47 customers still fits a BIGINT
STEPS = 2**BITS
COUNTS_SHARE = 0.4  # of the summary's ε for counts, the rest for sums; good in trials (DESIGN, "Split")
LEAST_MEAN_COUNT = 8.0  # a box should hold on average that many times the noise scale of its count; from trials
MOST_BOX_BITS = 14  # 16,384 boxes; at 8 million customers 2^16 gave the same cost in four times the time


def box_bits(plan: Plan) -> int:
    """H of the 2^H boxes: as fine as the noise allows at the expected population; from public numbers only."""
    epsilon = plan.privacy.epsilon * plan.privacy.split.summary * COUNTS_SHARE
    boxes = plan.privacy.expected_customers * epsilon / LEAST_MEAN_COUNT
    # At least two steps a box: a box of one step would have a half-width of 0, which no noise fits.
    return min(MOST_BOX_BITS, (BITS - 1) * len(plan.features), max(2, round(math.log2(max(boxes, 1)))))


@dataclass(frozen=True)
class Boxes:
    """2^H boxes, cut midpoint by midpoint, cycling through the features; box keys are the features' top bits."""

    features: int
    bits: int

    @classmethod
    def of(cls, plan: Plan) -> Boxes:
        return cls(len(plan.features), box_bits(plan))

    @property
    def count(self) -> int:
        return int(2**self.bits)

    @cached_property
    def cuts(self) -> tuple[int, ...]:
        """How often each feature is halved; they differ by one at most."""
        every, rest = divmod(self.bits, self.features)
        return tuple(every + (j < rest) for j in range(self.features))

    @cached_property
    def half_widths(self) -> tuple[int, ...]:
        """Half a box's width per feature, in fixed-point steps: the bound of a customer's offset from the center."""
        return tuple(STEPS >> (c + 1) for c in self.cuts)

    @cached_property
    def shifts(self) -> tuple[int, ...]:
        """Where each feature's top bits stand in the box key: the first feature's stand highest."""
        below = [sum(self.cuts[j + 1 :]) for j in range(self.features)]
        return tuple(below)

    @cached_property
    def centers(self) -> NDArray[np.int64]:
        """Center of every box in fixed point, shape (2^H, features)."""
        keys = np.arange(self.count, dtype=np.int64)
        columns = []
        for cut, shift, half in zip(self.cuts, self.shifts, self.half_widths, strict=True):
            top = (keys >> shift) & ((1 << cut) - 1)
            columns.append(top * (2 * half) + half)
        return np.stack(columns, axis=1)


def to_unit(fixed: NDArray[np.float64], features: list[Feature]) -> NDArray[np.float64]:
    """Fixed point back to the plan's units, shape (..., features). Half a step is added, since fixed point rounds down."""
    share = np.clip((fixed + 0.5) / STEPS, 0.0, 1.0)
    columns = []
    for j, feature in enumerate(features):
        low, high = feature.bounds
        if feature.scale == "log":
            columns.append(low + np.expm1(share[..., j] * math.log1p(high - low)))
        else:
            columns.append(low + share[..., j] * (high - low))
    return np.stack(columns, axis=-1)


def to_fixed(values: NDArray[np.float64], features: list[Feature]) -> NDArray[np.int64]:
    """The plan's units to fixed point, clipped to the bounds, NaN imputed; what `prepare` does in SQL, in NumPy."""
    columns = []
    for j, feature in enumerate(features):
        low, high = feature.bounds
        value = np.where(np.isnan(values[..., j]), feature.missing, values[..., j])
        value = np.clip(value, low, high) - low
        log = feature.scale == "log"
        steps = np.log1p(value) * (STEPS / math.log1p(high - low)) if log else value * (STEPS / (high - low))
        columns.append(np.minimum(np.floor(steps), STEPS - 1).astype(np.int64))
    return np.stack(columns, axis=-1)
