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
from evenhand.plan.categories import blocks, numbers
from evenhand.plan.features import Feature
from evenhand.plan.method import Method
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.plan.parted import FULL, Parted

BITS = 16  # fixed point: 65,536 steps between the bounds, so that a sum over 2^47 customers still fits a BIGINT
STEPS = 2**BITS
BIN_BITS = 6  # of the 64 equal bins of a histogram of a feature
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
    return min(MOST_BOX_BITS, (BITS - 1) * len(numbers(plan.features)), round(math.log2(most_boxes(plan))))


@dataclass(frozen=True)
class Boxes:
    """The boxes of a grid: per feature of numbers the ascending edges of its intervals, from 0 to 65,536, all of them even; then
    for each column of categories which of them are apart.

    A box key counts the boxes with the last interval running fastest.
    """

    edges: tuple[tuple[int, ...], ...]
    parted: tuple[Parted, ...] = ()

    @classmethod
    def of(cls, plan: Plan) -> Boxes:
        """The boxes that are cut without looking at anybody: of features that count the same the first by name once more than
        the others, where that does not come out even. The order in the plan says nothing.
        """
        of_numbers = numbers(plan.features)
        wide, in_order = stretch(plan.features), sorted(of_numbers, key=lambda j: plan.features[j].name)

        def halved(bits: int) -> Boxes:
            return cls.halved([float(wide[j]) for j in in_order], bits)

        bits, parted = float(box_bits(plan)), []
        for block in sorted(blocks(plan.features), key=lambda block: (-wide[block.columns[0]], block.name)):
            # All apart or none: without histograms nobody knows which are large. Two categories are root of two apart.
            left = bits - math.log2(len(block.columns))
            is_apart = left >= 0 and halved(int(left)).widest(wide[in_order]) <= math.sqrt(2) * wide[block.columns[0]]
            bits = left if is_apart else bits
            parted.append(Parted(block.columns, tuple(range(len(block.columns))) if is_apart else (0,) * len(block.columns)))
        by_feature = dict(zip(in_order, halved(int(bits)).edges, strict=True))
        return cls(tuple(by_feature[j] for j in of_numbers), tuple(sorted(parted, key=lambda of: of.columns)))

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
        return len(self.edges) + sum(len(of.columns) for of in self.parted)

    @property
    def arrays(self) -> list[NDArray[np.int64]]:
        """All that it is, for a fingerprint."""
        return [np.array(edges) for edges in self.edges] + [np.array(of.of) for of in self.parted]

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The positions among all features of those that `edges` are of."""
        others = {j for of in self.parted for j in of.columns}
        return tuple(j for j in range(self.features) if j not in others)

    def widest(self, widths: NDArray[np.float64]) -> float:
        """The widest interval of a feature of numbers, the widths of all being given."""
        widest: float = max(
            width * float(np.diff(edges).max()) / STEPS for width, edges in zip(widths.tolist(), self.edges, strict=True)
        )
        return widest

    @cached_property
    def intervals(self) -> tuple[int, ...]:
        """How many intervals each feature of numbers has, and each column of categories."""
        return (*(len(edges) - 1 for edges in self.edges), *(of.intervals for of in self.parted))

    @property
    def count(self) -> int:
        return math.prod(self.intervals)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """By how much the key grows from one interval to the next, of each of `intervals`."""
        return tuple(math.prod(self.intervals[j + 1 :]) for j in range(len(self.intervals)))

    @cached_property
    def digits(self) -> NDArray[np.int64]:
        """The interval of every box, shape (boxes, intervals)."""
        return np.stack(np.unravel_index(np.arange(self.count), self.intervals), axis=1).astype(np.int64)

    @cached_property
    def centers(self) -> NDArray[np.int64]:
        """Center of every box in fixed point, shape (boxes, features). Of categories that are together each is as likely."""
        of_blocks = [FULL * of.members // of.members.sum(axis=1, keepdims=True) for of in self.parted]
        return self.spread([(np.array(e[:-1]) + np.array(e[1:])) // 2 for e in self.edges], of_blocks)

    @cached_property
    def halves(self) -> NDArray[np.int64]:
        """Half the width of every box in the features of numbers, shape (boxes, numbers): the bound of a customer's offset from its center."""
        return self._of_numbers([np.diff(e) // 2 for e in self.edges])

    @cached_property
    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """From and to of the mean of a box's customers in fixed point, shape (boxes, features) each."""
        alone = [of.members & (of.members.sum(axis=1, keepdims=True) == 1) for of in self.parted]
        low = self.spread([np.array(e[:-1]) for e in self.edges], [FULL * of for of in alone])
        return low, self.spread([np.array(e[1:]) for e in self.edges], [FULL * of.members for of in self.parted])

    def spread(self, by_interval: Sequence[NDArray[Number]], of_blocks: Sequence[NDArray[Number]] = ()) -> NDArray[Number]:
        """Figures of each feature's intervals, and of categories (intervals, categories), for every box: shape (boxes, features)."""
        found = np.empty((self.count, self.features), dtype=np.result_type(*by_interval, *of_blocks))
        found[:, self.numbers] = self._of_numbers(by_interval)
        for i, (of, figures) in enumerate(zip(self.parted, of_blocks, strict=True), start=len(self.edges)):
            found[:, of.columns] = figures[self.digits[:, i]]
        return found

    def _of_numbers(self, by_interval: Sequence[NDArray[Number]]) -> NDArray[Number]:
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
