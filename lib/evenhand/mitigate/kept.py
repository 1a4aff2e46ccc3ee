"""Whether the published segments keep the bounds that the plan asked for: kept, missed, or cannot tell.

By the counts of the assessment, which no choice was made by. Bounds are about the customers of this run, so the intervals
are for the noise alone; those of one attribute hold together with 95 % (Bonferroni). A customer cannot be divided, so what
is missed by less than one is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import SIZE, group_part
from evenhand.mitigate.tradeoff_noise import quotient
from evenhand.plan.groups import group_tables
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL, Estimate
from evenhand.privacy.noise import Noise
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
KEPT, MISSED, CANNOT_TELL = "kept", "missed", "cannot tell"
LEAST_NOISE = 1e-3  # customers: at a very great ε a deviation is 0 to a machine
Bounded = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Kept:
    """Of one group: the verdict over all segments, and the one, from 1, in which it is farthest out of its bounds or nearest to them.

    `share` is the group's of that segment. None where all of the group's cells are suppressed; the verdict counts all.
    """

    attribute: str
    group: str
    segment: int | None
    share: Estimate | None
    verdict: str


def kept_bounds(release: Release, plan: Plan, bounded: Bounded, hidden: Mapping[str, Mask]) -> list[Kept]:
    """A verdict for each of the `bounded` groups (attribute, group), from the tallies of the segments.

    `hidden` are the cells that are not shown, by attribute, shape (groups, segments).
    """
    found, tables = list[Kept](), {t.name: t.groups for t in group_tables(plan)}
    for attribute, groups in groupby(bounded, key=lambda b: b[0]):
        part, names = group_part(attribute), [group for _, group in groups]
        sizes = release[SIZE].astype(np.float64)
        counts = release[part].reshape(-1, len(sizes)).astype(np.float64)
        level = 1 - (1 - LEVEL) / (len(names) * (len(sizes) + 1))
        shares = _Shares(sizes, release.noise(part), release.noise(SIZE), level)
        for group in names:
            row = tables[attribute].index(group)
            found.append(_judged(attribute, group, counts[row], shares, plan, hidden[attribute][row]))
    return found


@dataclass(frozen=True)
class _Shares:
    sizes: Floats  # of the segments, counted apart from the groups
    of_count: Noise
    of_size: Noise
    level: float

    def of(self, counts: Floats, sizes: Floats) -> Estimate:
        """Sum of counts over sum of sizes, and its ends; NaN where nobody may be there."""
        of_size, of_count = (max(noise.deviation, LEAST_NOISE) for noise in (self.of_size, self.of_count))
        weight = of_size / of_count  # so that both have the noise of a count
        noisy = np.concatenate([counts, sizes / weight])
        above = np.concatenate([np.ones(len(counts)), np.zeros(len(sizes))])
        low, high = quotient(noisy, self.of_count, above, weight * (1 - above), self.level)
        size = float(sizes.sum())
        value = float(np.clip(counts.sum() / size, 0.0, 1.0)) if size > 0 else np.nan
        return Estimate(value, min(low, value), min(max(high, value), 1.0))


def _judged(attribute: str, group: str, counts: Floats, shares: _Shares, plan: Plan, hidden: Mask) -> Kept:
    assert plan.fairness.mitigation is not None
    bounds, everybody = plan.fairness.mitigation.bounds, shares.of(counts, shares.sizes)
    stated = bounds.shares.get(attribute, {}).get(group)
    # A bound as a ratio is one on the share only as far as the share of everybody is known.
    low = _times(bounds.at_least, everybody) if stated is None else Estimate(*[stated[0]] * 3)
    high = _times(bounds.at_most, everybody) if stated is None else Estimate(*[stated[1]] * 3)
    own = [shares.of(counts[[j]], shares.sizes[[j]]) for j in range(len(counts))]
    verdicts = [_verdict(of, low, high, 1 / max(size, 1.0)) for of, size in zip(own, shares.sizes, strict=True)]
    verdict = MISSED if MISSED in verdicts else CANNOT_TELL if CANNOT_TELL in verdicts else KEPT
    room = [np.inf if np.isnan(of.value) else min(of.value - low.value, high.value - of.value) for of in own]
    nearest = int(np.argmin(np.where(hidden, np.inf, room)))
    if hidden[nearest] or np.isnan(own[nearest].value):
        return Kept(attribute, group, None, None, verdict)
    return Kept(attribute, group, nearest + 1, own[nearest], verdict)


def _verdict(of: Estimate, low: Estimate, high: Estimate, customer: float) -> str:
    if of.high + customer < low.low or of.low - customer > high.high:
        return MISSED
    return KEPT if of.low + customer >= low.high and of.high - customer <= high.low else CANNOT_TELL


def _times(factor: float, of: Estimate) -> Estimate:
    return Estimate(factor * of.value, factor * of.low, factor * of.high)
