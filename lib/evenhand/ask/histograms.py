"""How each feature is spread, privately: a noisy histogram a feature, and from it the cuts of the boxes.

Boxes cut at midpoints waste themselves on skewed data, where most customers stand in a corner. Where to cut is decided
on noisy histograms, so it is free, and says nothing more about people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.ask.cuts import Cut, best_cuts
from evenhand.plan.geometry import BITS, STEPS, Boxes, most_boxes
from evenhand.plan.method import MARGINALS, Method
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL, sum_half_width
from evenhand.privacy.noise import Noise
from evenhand.privacy.question import Part, Question, histogram_vectors
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted

Floats = NDArray[np.float64]
BIN_BITS = 6
BINS = 2**BIN_BITS  # equal bins over the bounds of every feature
WIDTH = STEPS // BINS
LITTLE = BINS // 8  # bins
LEAST_GAIN = 1e-3  # of all spread: a finer cut that explains less is noise


def histograms(plan: Plan) -> Question:
    """How many customers are in each of 64 equal bins of every feature, empty bins too.

    One customer is in one bin of each feature: sensitivity 1 a feature, and the features compose sequentially.
    """
    names = plan.feature_names

    def in_spark(prepared: DataFrame) -> DataFrame:
        bins = [F.shiftright(F.col(n), BITS - BIN_BITS) + F.lit(j * BINS) for j, n in enumerate(names)]
        return prepared.select(F.explode(F.array(*bins)).alias("bin")).groupBy("bin").agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        bins = (people.points >> (BITS - BIN_BITS)) + np.arange(len(names)) * BINS
        return counted({"bin": bins.ravel()})

    return Question(MARGINALS, histogram_parts(plan), in_spark, in_numpy, lambda table: histogram_vectors(table, names, BINS))


def histogram_parts(plan: Plan) -> tuple[Part, ...]:
    """A part a feature, of 64 cells; each has an even share of the question's cost."""
    each = Method.of(plan).marginals / len(plan.features)
    why, unit = "a customer is in one bin of the feature", plan.privacy.unit
    return tuple(Part(name, BINS, 1, each, why, unit) for name in plan.feature_names)


@dataclass(frozen=True)
class Marginals:
    """Shares of the bins after noise, none negative, shape (features, bins). May be looked at freely."""

    shares: Floats

    @cached_property
    def cuts(self) -> list[list[Cut]]:
        """The best cuts of each feature into 1, 2, ... intervals."""
        return [best_cuts(shares, BINS) for shares in self.shares]

    def boxes(self, plan: Plan) -> Boxes:
        """At most as many boxes as the noise allows, cut where they leave the least spread inside.

        One interval more goes to the feature where it takes away the most spread for the boxes that it costs.
        """
        squares = (stretch(plan.features) ** 2).tolist()  # spread counts as distances do
        options = [[replace(cut, spread=cut.spread * of) for cut in cuts] for cuts, of in zip(self.cuts, squares, strict=True)]
        least, most = LEAST_GAIN * sum(cuts[0].spread for cuts in options), most_boxes(plan)
        chosen = [0] * len(options)
        while (better := _finer(options, chosen, most, least)) is not None:
            chosen[better] += 1
        return Boxes(tuple(tuple(e * WIDTH for e in cuts[c].edges) for cuts, c in zip(options, chosen, strict=True)))

    def inside(self, boxes: Boxes) -> tuple[Floats, Floats]:
        """Mean and variance that customers of a box are expected to have, by its intervals alone, both (boxes, features)."""
        middles = (np.arange(BINS) + 0.5) * WIDTH
        means, variances = [], []
        for shares, edges in zip(self.shares, boxes.edges, strict=True):
            pieces = [slice(a // WIDTH, b // WIDTH) for a, b in zip(edges, edges[1:], strict=False)]
            weights = [shares[p] + 1e-9 for p in pieces]
            mean = [np.average(middles[p], weights=w) for p, w in zip(pieces, weights, strict=True)]
            means.append(np.array(mean))
            spread = [np.average((middles[p] - m) ** 2, weights=w) for p, w, m in zip(pieces, weights, mean, strict=True)]
            variances.append(np.array(spread) + WIDTH**2 / 12)
        return boxes.spread(means), boxes.spread(variances)


def read_marginals(release: Release, plan: Plan) -> Marginals:
    """Post-processing: the nearest histograms (least squares) with the noisy total and no negative bin, as far as they can be
    believed.
    """
    names = plan.feature_names
    return Marginals(np.stack([without_negatives(_believed(release[n].astype(np.float64), release.noise(n))) for n in names]))


def outside_fullest(release: Release, plan: Plan) -> dict[str, tuple[float, float, float]]:
    """By feature the share of customers outside of that eighth of its bounds that holds most of them: value and ends.

    The ends are for the noise, 95 % whichever eighth it made the fullest.
    """
    level, found = 1 - (1 - LEVEL) / (BINS - LITTLE + 1), {}
    for name in plan.feature_names:
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


def _finer(options: list[list[Cut]], chosen: list[int], most: int, least: float) -> int | None:
    """The feature to be cut once more, or None."""
    count = int(np.prod([c + 1 for c in chosen]))
    gains = {}
    for j, (cuts, c) in enumerate(zip(options, chosen, strict=True)):
        if c + 1 < len(cuts) and count // (c + 1) * (c + 2) <= most:
            gain = cuts[c].spread - cuts[c + 1].spread
            if gain > least:
                gains[j] = gain / np.log((c + 2) / (c + 1))
    return max(gains, key=lambda j: gains[j]) if gains else None
