"""What the segments are worth: how much nearer customers are to their center than to that of one segment for everybody.

From the assessment's own sizes and sums, by which nothing was chosen, so at no further budget. The squares of the features
cancel: for customers x in segment j with center c, and the mean m of everybody, |x - m|² - |x - c|² is linear in x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import SIZE, SQUARES, SUMS, feature_sums
from evenhand.assignment.nearest import CENTER_BITS, Centers
from evenhand.plan.advice import is_too_small, remedy
from evenhand.plan.categories import numbers
from evenhand.plan.geometry import STEPS
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.plan.parted import FULL
from evenhand.privacy.intervals import EACH_OF_TWO, Estimate, sum_reach
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
ROUNDING = 0.25  # squared fixed-point steps a customer and feature, which rounded centers and values may cost


@dataclass(frozen=True)
class Worth:
    """Sums of squared distances in the stretched unit cube over all customers: to one center for everybody `alone`, and how much of that
    the segments take away, `gain`; negative where they add to it. The ends are for the noise, 95 % for both together.
    """

    alone: Estimate
    gain: Estimate
    customers: float

    @property
    def times(self) -> Estimate | None:
        """The segments' cost over that of one segment for everybody; None where the noise hides the latter."""
        if self.alone.low <= 0:
            return None
        saved = [gain / alone for gain in (self.gain.low, self.gain.high) for alone in (self.alone.low, self.alone.high)]
        return Estimate(*(max(1 - of, 0.0) for of in (self.gain.value / self.alone.value, max(saved), min(saved))))


def worth(release: Release, centers: Centers, plan: Plan) -> Worth:
    """From the answer to `segment_tallies` about the published centers (k, features)."""
    rows, of_numbers = feature_sums(release, SUMS, plan), numbers(plan.features)
    sizes, origin, sums = release[SIZE].astype(np.float64), rows.origin[0], rows.sums
    at, customers, axes = centers / 2**CENTER_BITS - origin, max(float(sizes.sum()), 1.0), stretch(plan.features) ** 2
    mean = np.clip(sums.sum(axis=0) / customers, -origin, STEPS - origin)
    of_size, of_square = (release.noise(part) for part in (SIZE, SQUARES))
    excess = max(of_size.excess_kurtosis, of_square.excess_kurtosis, float(rows.excess.max()))
    a_sum, a_customer = 2 * (at - mean) * axes, (at**2 * axes).sum(axis=1) - float(axes * mean @ mean)
    gain = float((a_sum * sums).sum() - a_customer @ sizes) + ROUNDING * customers * len(mean)
    of_gain = np.concatenate([(rows.deviation * a_sum).ravel(), of_size.deviation * a_customer])
    # To the first order of the noise, which moves everybody's mean as well: |x|² - 2 x·m + |m|², summed.
    squares, of_a_sum = FULL * sums.sum(axis=0), axes * (FULL - 2 * mean)  # of categories, whose values are 0 or FULL
    squares[of_numbers], of_a_sum[of_numbers] = release[SQUARES], (axes * 2 * mean)[of_numbers]
    alone = float(squares @ axes - 2 * sums.sum(axis=0) @ (axes * mean) + customers * (axes * mean @ mean))
    moved = [of_square.deviation * axes[of_numbers], (rows.deviation * of_a_sum).ravel()]
    of_alone = np.concatenate([*moved, np.full(len(sizes), of_size.deviation * float(axes * mean @ mean))])

    def ranged(value: float, terms: Floats) -> Estimate:
        reach = float(sum_reach(terms, excess, EACH_OF_TWO))
        return Estimate(*(v / STEPS**2 for v in (value, value - reach, value + reach)))

    return Worth(ranged(alone, of_alone), ranged(gain, of_gain), customers)


def useless(found: Worth, plan: Plan) -> list[str]:
    """One line where the segments are expected to be worse than one segment for everybody: by how much, and what would do.

    Expected by the estimate. Where the plan's public numbers give its segments enough people, only when the whole interval
    says so: of a plan that asks little of profiles the estimate may be nothing but noise.
    """
    if found.gain.value >= 0 or (found.gain.high >= 0 and not is_too_small(plan)):
        return []
    of = found.times
    figures = "" if of is None else f", {of.value:.2f} times the squared distance ({of.low:.2f} to {of.high:.2f})"
    said = f"segments: expected to describe customers worse than one segment for everybody{figures}"
    return [f"{said}; {remedy(plan, found.customers)}; segments.when_useless: publish would publish them all the same"]
