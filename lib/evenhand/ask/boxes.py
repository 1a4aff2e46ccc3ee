"""The private summary: noisy counts and sums over all boxes of the feature space, in one pass over the people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.ask.histograms import Marginals
from evenhand.plan.accounting import Unit
from evenhand.plan.geometry import COUNTS_SHARE, STEPS, UNIT, Boxes, offset_factors
from evenhand.plan.method import SUMMARY, Method
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL, quotient_ends
from evenhand.privacy.question import Integers, Part, Question, fingerprint_of
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted

COUNT, OFFSETS = "count", "offsets"
EMPTY_KEPT = 8.0  # boxes in which nobody is that are kept all the same, on average and at most; from trials


def box_key(boxes: Boxes, names: list[str]) -> Column:
    """The box of a row of `prepared`: each interval times its stride, added up."""
    pieces = [
        _interval(F.col(names[j]), edges) * F.lit(stride)
        for j, edges, stride in zip(boxes.numbers, boxes.edges, boxes.strides, strict=False)
        if len(edges) > 2
    ]
    for of, stride in zip(boxes.parted, boxes.strides[len(boxes.edges) :], strict=True):
        pieces += [(F.col(names[j]) > 0).cast("int") * F.lit(i * stride) for j, i in zip(of.columns, of.of, strict=True) if i]
    return reduce(lambda a, b: a + b, pieces) if pieces else F.lit(0)


def _interval(value: Column, edges: tuple[int, ...]) -> Column:
    """The number, from 0, of the interval that a value is in."""
    width, rest = divmod(STEPS, len(edges) - 1)
    if rest == 0 and width & (width - 1) == 0 and edges == tuple(range(0, STEPS + 1, width)):
        return F.shiftright(value, width.bit_length() - 1)
    return reduce(lambda a, b: a + b, [(value >= F.lit(edge)).cast("int") for edge in edges[1:-1]])


def boxes_in(people: Sample, boxes: Boxes) -> Integers:
    """The box of every row of a sample."""
    key = np.zeros(len(people), dtype=np.int64)
    for j, edges, stride in zip(boxes.numbers, boxes.edges, boxes.strides, strict=False):
        key += np.searchsorted(np.array(edges[1:-1]), people.points[:, j], side="right") * stride
    for of, stride in zip(boxes.parted, boxes.strides[len(boxes.edges) :], strict=True):
        key += (people.points[:, of.columns] > 0) @ np.array(of.of) * stride
    return key


def box_sums(plan: Plan, marginals: Marginals | None = None) -> Question:
    """Counts, and per feature of numbers the sums of offsets from the box center, over every box, empty or not.

    One customer is in one box: counts have sensitivity 1, the offset of a feature at most half the box's width.
    With `marginals` the boxes are cut where those say, without at midpoints.
    """
    boxes, names = boxes_of(plan, marginals), plan.feature_names
    of_numbers = boxes.numbers
    unit, about = plan.privacy.unit, fingerprint_of(*boxes.arrays)

    def in_spark(prepared: DataFrame) -> DataFrame:
        sums = [F.sum(F.col(names[j]).cast("bigint")).alias(f"s{j}") for j in of_numbers]
        return prepared.groupBy(box_key(boxes, names).alias("box")).agg(F.count("*").alias("n"), *sums)

    def in_numpy(people: Sample) -> pa.Table:
        return counted({"box": boxes_in(people, boxes)}, {f"s{j}": people.points[:, j] for j in of_numbers})

    return Question(SUMMARY, box_parts(plan, boxes), in_spark, in_numpy, lambda table: _vectors(table, boxes, unit), about=about)


def boxes_of(plan: Plan, marginals: Marginals | None) -> Boxes:
    return marginals.boxes(plan) if marginals else Boxes.of(plan)


def _vectors(table: pa.Table, boxes: Boxes, unit: Unit) -> Mapping[str, Integers]:
    keys = table["box"].to_numpy().astype(np.int64)
    n = table["n"].to_numpy().astype(np.int64)
    counts, offsets = np.zeros(boxes.count, dtype=np.int64), np.zeros(boxes.halves.shape, dtype=np.int64)
    counts[keys] = n
    # Summed in SQL, recentered here: the same offset computed per row costs four times as much.
    sums = np.stack([table[f"s{j}"].to_numpy().astype(np.int64) for j in boxes.numbers], axis=1)
    offsets[keys] = (sums - n[:, None] * boxes.centers[keys][:, boxes.numbers]) * offset_factors(boxes.halves[keys], unit)
    return {COUNT: counts, OFFSETS: offsets.ravel()}


def box_parts(plan: Plan, boxes: Boxes) -> tuple[Part, ...]:
    """The counts of the boxes (boxes,), and the offsets of all features of numbers, box by box (boxes * numbers,)."""
    budget, unit = Method.of(plan).summary, plan.privacy.unit
    why = "a customer is in one box, and at most half its width from its center"
    return (
        Part(COUNT, boxes.count, 1, budget * COUNTS_SHARE, "a customer is in one box", unit),
        offsets_part(boxes.count, len(boxes.edges), budget * (1 - COUNTS_SHARE), why, unit),
    )


def offsets_part(rows: int, features: int, cost: float, because: str, unit: Unit) -> Part:
    """The sums of offsets of all features, row by row, times `offset_factors`."""
    norm = "each" if unit == "epsilon" else "together, as a Euclidean length,"
    why = f"{because}; the features' offsets are multiplied by integers that make them {norm} at most {UNIT}"
    return Part(OFFSETS, rows * features, UNIT, cost, why, unit, width=features)


@dataclass(frozen=True)
class Summary:
    """The summary after noise, as weighted points for clustering. All of it may be looked at freely.

    `boxes` (m,) are the keys of the boxes taken for not empty, `weights` (m,) their noisy counts, `points`
    (m, features) their noisy means in fixed point. `around` is the variance that customers are expected to have around their
    point, per feature. Spread out, a box has several points, `known_inside` where they lie as released histograms say. `stretch`
    (features,) is that of the axes, by the plan's weights.
    """

    boxes: Integers
    weights: NDArray[np.float64]
    points: NDArray[np.float64]
    private: bool
    known_inside: bool = False
    around: NDArray[np.float64] | float = 0.0
    stretch: NDArray[np.float64] | float = 1.0

    @property
    def places(self) -> NDArray[np.float64]:
        """The points in the unit cube, its axes stretched: where distances are taken."""
        placed: NDArray[np.float64] = self.points / STEPS * self.stretch
        return placed

    @property
    def mean(self) -> NDArray[np.float64]:
        return np.average(self.points, axis=0, weights=self.weights)  # type: ignore[no-any-return]

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Of the customers, not of the points alone: per feature, shape (features,)."""
        spread = np.average((self.points - self.mean) ** 2 + self.around, axis=0, weights=self.weights)
        return np.sqrt(spread)  # type: ignore[no-any-return]


def read_summary(release: Release, plan: Plan, marginals: Marginals | None = None) -> Summary:
    """Post-processing: drop boxes that are most likely empty, shrink noisy means towards what was known before.

    That is the mean of the box's intervals by the marginals, or its center. Of categories nothing more is asked.
    """
    geometry = boxes_of(plan, marginals)
    noisy = release[COUNT]
    # A box with nobody in it exceeds the half-width of its noise with half of what the level lacks; with 95 % that is 1 in 40.
    # Where segments are counted before they are refined, those that only noise made are found so, and small true boxes are kept.
    level = LEVEL if Method.of(plan).checks else max(LEVEL, 1 - 2 * EMPTY_KEPT / geometry.count)
    boxes = np.flatnonzero(noisy > release.noise(COUNT).half_width(level))
    weights = noisy[boxes].astype(np.float64)
    known = marginals.inside(geometry) if marginals else known_of(geometry)
    found, around, numbers = known[0][boxes], known[1][boxes], geometry.numbers
    middles, spreads = found[:, numbers], around[:, numbers]
    centers, halves = geometry.centers[boxes][:, numbers].astype(np.float64), geometry.halves[boxes].astype(np.float64)
    sizes = np.maximum(weights, 1.0)[:, None] * offset_factors(geometry.halves[boxes], plan.privacy.unit)
    means = centers + release[OFFSETS].reshape(geometry.halves.shape)[boxes] / sizes
    # Wiener shrinkage by the spread inside the box; the noise of a mean has the variance of that of the sum over n².
    points = middles + (means - middles) * spreads / (spreads + (release.noise(OFFSETS).deviation / sizes) ** 2)
    points = np.clip(points, centers - halves, centers + halves)
    # Whom a box holds are nearer to each other the nearer their mean is to its edge (the bound of Bhatia and Davis, 2000).
    inside = (halves**2 - (points - centers) ** 2) / np.maximum(halves**2 - (middles - centers) ** 2, 1.0)
    found[:, numbers], around[:, numbers] = points, spreads * np.minimum(inside, 1.0)
    return Summary(boxes, weights, found, release.private, around=around, stretch=stretch(plan.features))


def known_of(boxes: Boxes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance that customers of a box are expected to have where nothing is known but its ends, (boxes, features) each."""
    means, (low, high) = boxes.centers.astype(np.float64), boxes.ends
    variances = (means - low) * (high - means)  # of values that are one end or the other, as those of categories
    variances[:, boxes.numbers] = boxes.halves**2 / 3.0
    return means, variances


@dataclass(frozen=True)
class BoxIntervals:
    """How far the noise reaches for the boxes of a `Summary`: counts (m,), means in fixed point (m, features)."""

    count_low: NDArray[np.float64]
    count_high: NDArray[np.float64]
    mean_low: NDArray[np.float64]
    mean_high: NDArray[np.float64]


def box_intervals(release: Release, found: Summary, boxes: Boxes) -> BoxIntervals:
    """With 95 % all boxes' counts lie in theirs, and with 95 % all means of a feature.

    All at once, since the noise decides which boxes are kept: those that it made larger.
    """
    level = 1 - (1 - LEVEL) / 2 / boxes.count
    reach, slack = (release.noise(part).half_width(level) for part in (COUNT, OFFSETS))
    low, high = np.maximum(found.weights - reach, 0.0), found.weights + reach
    halves, numbers = boxes.halves[found.boxes], boxes.numbers
    least, most = (end[found.boxes].astype(np.float64) for end in boxes.ends)
    centers = boxes.centers[found.boxes][:, numbers]
    factors = offset_factors(halves, release.parts[OFFSETS].unit)
    sums = release[OFFSETS].reshape(boxes.halves.shape)[found.boxes]
    ends = quotient_ends((sums - slack) / factors, (sums + slack) / factors, low[:, None], high[:, None])
    least[:, numbers], most[:, numbers] = (np.clip(end, -halves, halves) + centers for end in ends)
    return BoxIntervals(low, high, np.fmin(least, found.points), np.fmax(most, found.points))
