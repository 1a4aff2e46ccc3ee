"""How each feature is spread, privately: a noisy histogram a feature, and from it the cuts of the boxes.

Boxes cut at midpoints waste themselves on skewed data, where most customers stand in a corner. Where to cut is decided
on noisy histograms, so it is free, and says nothing more about people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.ask.cuts import Cut, best_cuts
from evenhand.plan.categories import Block, blocks, independent, numbers
from evenhand.plan.geometry import BIN_BITS, BITS, STEPS, Boxes, most_boxes
from evenhand.plan.method import MARGINALS, Method
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.plan.parted import FULL, Parted
from evenhand.privacy.intervals import LEVEL, sum_half_width
from evenhand.privacy.noise import Noise
from evenhand.privacy.question import Integers, Part, Question, histogram_vectors
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted

Floats = NDArray[np.float64]
BINS = 2**BIN_BITS  # equal bins over the bounds of every feature
WIDTH = STEPS // BINS
LITTLE = BINS // 8  # bins
LEAST_GAIN = 1e-3  # of all spread: a finer cut that explains less is noise


def histograms(plan: Plan) -> Question:
    """How many customers are in each of 64 equal bins of every feature of numbers, and in each category of a column, empty ones too.

    One customer is in one bin of each feature: sensitivity 1 a feature, and the features compose sequentially.
    """
    names, of_numbers, of_blocks = plan.feature_names, numbers(plan.features), blocks(plan.features)
    histograms = [names[j] for j in of_numbers] + [block.name for block in of_blocks]

    def in_spark(prepared: DataFrame) -> DataFrame:
        bins = [F.shiftright(F.col(names[j]), BITS - BIN_BITS) for j in of_numbers]
        bins += [_category([(F.col(names[j]) > 0).cast("int") for j in block.columns]) for block in of_blocks]
        numbered = [bin + F.lit(i * BINS) for i, bin in enumerate(bins)]
        return prepared.select(F.explode(F.array(*numbered)).alias("bin")).groupBy("bin").agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        bins = [people.points[:, j] >> (BITS - BIN_BITS) for j in of_numbers]
        bins += [(people.points[:, block.columns] > 0) @ np.arange(len(block.columns)) for block in of_blocks]
        return counted({"bin": np.concatenate([bin + i * BINS for i, bin in enumerate(bins)])})

    def vectors(table: pa.Table) -> Mapping[str, Integers]:
        found = histogram_vectors(table, histograms, BINS)
        return found | {block.name: found[block.name][: len(block.columns)] for block in of_blocks}

    return Question(MARGINALS, histogram_parts(plan), in_spark, in_numpy, vectors)


def _category(members: list[Column]) -> Column:
    """The number, from 0, of the one category that a customer is in."""
    return reduce(lambda a, b: a + b, [member * F.lit(i) for i, member in enumerate(members)])


def histogram_parts(plan: Plan) -> tuple[Part, ...]:
    """A part a feature of numbers, of 64 cells, and one a column of categories; each has an even share of the question's cost."""
    each = Method.of(plan).marginals / independent(plan.features)
    why, unit = "a customer is in one bin of the feature", plan.privacy.unit
    of_numbers = [Part(plan.feature_names[j], BINS, 1, each, why, unit) for j in numbers(plan.features)]
    why = "a customer is in one category"
    return (*of_numbers, *(Part(block.name, len(block.columns), 1, each, why, unit) for block in blocks(plan.features)))


@dataclass(frozen=True)
class Marginals:
    """Shares of the bins after noise, none negative, shape (features, bins). May be looked at freely.

    Of a category all are in the first bin, who are not in it, or in the last.
    """

    shares: Floats

    @cached_property
    def cuts(self) -> list[list[Cut]]:
        """The best cuts of each feature into 1, 2, ... intervals; meant for features of numbers."""
        return [best_cuts(shares, BINS) for shares in self.shares]

    def parted(self, block: Block) -> list[Parted]:
        """A column's categories in 1, 2, ... intervals, the largest alone first."""
        shares = self.shares[block.columns, -1].tolist()
        return [Parted.largest(block.columns, shares, i) for i in range(1, len(block.columns) + 1)]

    def boxes(self, plan: Plan) -> Boxes:
        """At most as many boxes as the noise allows, cut where they leave the least spread inside.

        One interval more goes to the feature where it takes away the most spread for the boxes that it costs.
        """
        of_numbers, of_blocks = numbers(plan.features), blocks(plan.features)
        squares = stretch(plan.features) ** 2  # spread counts as distances do
        spreads = [[cut.spread * squares[j] for cut in self.cuts[j]] for j in of_numbers]
        for block in of_blocks:
            shares, of = self.shares[block.columns, -1], squares[block.columns[0]] * BINS**2
            spreads.append([parted.spread(shares) * of for parted in self.parted(block)])
        least, most = LEAST_GAIN * sum(each[0] for each in spreads), most_boxes(plan)
        chosen = [0] * len(spreads)
        while (better := _finer(spreads, chosen, most, least)) is not None:
            chosen[better] += 1
        edges = tuple(tuple(e * WIDTH for e in self.cuts[j][c].edges) for j, c in zip(of_numbers, chosen, strict=False))
        return Boxes(edges, tuple(self.parted(block)[c] for block, c in zip(of_blocks, chosen[len(of_numbers) :], strict=True)))

    def inside(self, boxes: Boxes) -> tuple[Floats, Floats]:
        """Mean and variance that customers of a box are expected to have, by its intervals alone, both (boxes, features)."""
        middles = (np.arange(BINS) + 0.5) * WIDTH
        means, variances = [], []
        for shares, edges in zip(self.shares[list(boxes.numbers)], boxes.edges, strict=True):
            pieces = [slice(a // WIDTH, b // WIDTH) for a, b in zip(edges, edges[1:], strict=False)]
            weights = [shares[p] + 1e-9 for p in pieces]
            mean = [np.average(middles[p], weights=w) for p, w in zip(pieces, weights, strict=True)]
            means.append(np.array(mean))
            spread = [np.average((middles[p] - m) ** 2, weights=w) for p, w, m in zip(pieces, weights, mean, strict=True)]
            variances.append(np.array(spread) + WIDTH**2 / 12)
        of_blocks = [of.inside(self.shares[of.columns, -1]) for of in boxes.parted]
        of_mean, of_variance = [FULL * inside for inside in of_blocks], [FULL**2 * inside * (1 - inside) for inside in of_blocks]
        return boxes.spread(means, of_mean), boxes.spread(variances, of_variance)


def read_marginals(release: Release, plan: Plan) -> Marginals:
    """Post-processing: the nearest histograms (least squares) with the noisy total and no negative bin, as far as they can be
    believed.
    """
    found = np.zeros((len(plan.features), BINS))
    for j in numbers(plan.features):
        name = plan.feature_names[j]
        found[j] = without_negatives(_believed(release[name].astype(np.float64), release.noise(name)))
    for block in blocks(plan.features):
        inside = without_negatives(release[block.name].astype(np.float64))  # of few cells, which have no neighbors
        found[block.columns, 0], found[block.columns, -1] = 1 - inside, inside
    return Marginals(found)


def outside_fullest(release: Release, plan: Plan) -> dict[str, tuple[float, float, float]]:
    """By feature of numbers the share of customers outside of that eighth of its bounds that holds most of them: value and ends.

    The ends are for the noise, 95 % whichever eighth it made the fullest.
    """
    level, found = 1 - (1 - LEVEL) / (BINS - LITTLE + 1), {}
    for name in (plan.feature_names[j] for j in numbers(plan.features)):
        noisy = release[name].astype(np.float64)
        total = max(float(noisy.sum()), 1.0)
        outside = total - float(np.convolve(noisy, np.ones(LITTLE), "valid").max())
        reach = sum_half_width(release.noise(name), BINS - LITTLE, level)
        share, low, high = (float(np.clip(end / total, 0.0, 1.0)) for end in (outside, outside - reach, outside + reach))
        found[name] = (share, low, high)
    return found


def _believed(noisy: Floats, noise: Noise) -> Floats:
    """The histogram with its differences drawn towards zero by as much of them as is noise, level by level of halving it.

    In the Haar basis the noise is the same in every coefficient, and each level is shrunk as a whole (James and Stein,
    "Estimation with quadratic loss", 1961; Donoho and Johnstone, "Adapting to unknown smoothness via wavelet shrinkage",
    JASA 1995, section 2). Where all is noise, cut off below zero it would look like a few crowds anywhere.
    """
    if len(noisy) == 1:
        return noisy
    left, right = noisy[::2], noisy[1::2]
    means, differences = (left + right) / np.sqrt(2), (left - right) / np.sqrt(2)
    of_noise = max(len(differences) - 2, 0) * noise.deviation**2
    differences = differences * max(1 - of_noise / max(float((differences**2).sum()), 1e-12), 0.0)
    means = _believed(means, noise)
    return np.stack([means + differences, means - differences], axis=1).ravel() / np.sqrt(2)  # type: ignore[no-any-return]


def without_negatives(noisy: Floats) -> Floats:
    """Projection onto the simplex, as shares (Duchi et al., "Efficient projections onto the l1-ball", ICML 2008, figure 1)."""
    total = max(float(noisy.sum()), 1.0)
    falling = np.sort(noisy)[::-1]
    surplus = (np.cumsum(falling) - total) / np.arange(1, len(noisy) + 1)
    shift = surplus[np.flatnonzero(falling > surplus)[-1]]
    return np.maximum(noisy - shift, 0.0) / total  # type: ignore[no-any-return]


def _finer(spreads: list[list[float]], chosen: list[int], most: int, least: float) -> int | None:
    """Which is to be cut once more, or None; `spreads` are what is left inside of 1, 2, ... intervals."""
    count = int(np.prod([c + 1 for c in chosen]))
    gains = {}
    for j, (left, c) in enumerate(zip(spreads, chosen, strict=True)):
        if c + 1 < len(left) and count // (c + 1) * (c + 2) <= most:
            gain = left[c] - left[c + 1]
            if gain > least:
                gains[j] = gain / np.log((c + 2) / (c + 1))
    return max(gains, key=lambda j: gains[j]) if gains else None
