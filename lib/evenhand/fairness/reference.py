"""What an even share would be: a group's share of all customers, of the last run's, or of a table from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.change import Last
from evenhand.fairness.intervals import Estimate
from evenhand.fairness.rates import Interval, rate, ratio
from evenhand.fairness.worst import segment_share
from evenhand.plan.features import Reference
from evenhand.plan.groups import GroupTable
from evenhand.privacy.intervals import LEVEL
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
CUSTOMERS = "all customers of this run"
LEAST_REST = 1e-6  # less is rounding, in shares that add up to 1


@dataclass(frozen=True)
class Shares:
    """Of each group, shape (groups,), NaN where the reference says nothing of it alone; None: of this run's own customers.

    `rest` is what it leaves to the groups in `in_rest`, together.
    """

    name: str
    shares: Interval | None
    rest: float = 0.0
    in_rest: Mask | None = None

    def base(self, judged: Mask) -> Mask:
        """The judged groups that the reference speaks of: both sides are shares among these, shape (groups,)."""
        if self.shares is None:
            return judged
        known = ~np.isnan(self.shares.value)
        return judged & (known if self.in_rest is None else known | self.in_rest)

    def named(self, groups: Sequence[str], judged: Mask) -> str:
        """Its name, and which judged groups it does not speak of."""
        silent = [group for group, is_silent in zip(groups, judged & ~self.base(judged), strict=True) if is_silent]
        return f"{self.name}, without {', '.join(silent)}" if silent else self.name

    def among(self, base: Mask) -> Interval:
        """The reference's shares among the groups of the base, shape (groups of the base,)."""
        assert self.shares is not None
        of = Interval(*(end[base] for end in (self.shares.value, self.shares.low, self.shares.high)))
        total = float(np.nansum(of.value)) + (self.rest if np.isnan(of.value).any() else 0.0)
        return Interval(of.value / total, of.low / total, np.minimum(of.high / total, 1.0))


def reference_shares(table: GroupTable, last: Last | None) -> Shares:
    """The reference of an attribute; intersections are held against this run's customers."""
    stated = table.attributes[0].reference if len(table.attributes) == 1 else "customers"
    if isinstance(stated, Reference):
        known = np.array([stated.shares.get(group, np.nan) for group in table.groups])
        rest = 1.0 - float(np.nansum(known))
        # Who is unknown here is somebody there, of one of its groups.
        in_rest = np.isnan(known) & np.array([group != table.attributes[0].unknown for group in table.groups])
        return Shares(stated.name, Interval(known, known, known), rest, in_rest if rest > LEAST_REST else None)
    if stated == "last_run" and last is not None:
        then = [last.shares.get((table.name, group)) for group in table.groups]
        if any(then):
            ends = [[getattr(e, end) if e else np.nan for e in then] for end in ("value", "low", "high")]
            return Shares(f"customers of run {last.run_id}", Interval(*(np.array(e) for e in ends)))
    return Shares(CUSTOMERS, None)


def customer_shares(noisy: Floats, noise: Noise, level: float = LEVEL) -> Interval:
    """Each group's share of all customers, shape (groups,), from a table of shape (groups, segments)."""
    (groups, segments), variance = noisy.shape, noise.deviation**2
    totals = noisy.sum(axis=1)
    others = (groups - 1) * segments
    return rate(totals, totals.sum() - totals, segments * variance, others * variance, noise.excess_kurtosis / segments, level)


def against_reference(noisy: Floats, noise: Noise, reference: Shares, judged: Mask, level: float = LEVEL) -> Interval:
    """Shares inside segments over those of the reference, shape (judged groups, segments), from a table of that shape.

    Both are shares among the judged groups that the reference speaks of. NaN for groups of which it says nothing alone, and
    everywhere where it speaks of fewer than two.
    """
    base = reference.base(judged)
    ends = [np.full(noisy.shape, np.nan) for _ in range(3)]
    if base.sum() > 1:
        of, rows = reference.among(base), base[judged]
        shares = segment_share(noisy[rows], noise, level)
        found = ratio(shares, Interval(of.value[:, None], of.low[:, None], of.high[:, None]))
        for end, figure in zip(ends, (found.value, found.low, found.high), strict=True):
            end[rows] = np.where(np.isnan(of.value[:, None]), np.nan, figure)
    return Interval(*ends)


def worst_against_reference(noisy: Floats, noise: Noise, reference: Shares, judged: Mask) -> Estimate:
    """The worst of min(r, 1/r) over all cells whose group the reference knows.

    On the uneven side the worst of the cells' own ends, each at 95 %; on the even side each cell's at a level at which all
    hold at once (Bonferroni).
    """
    own = against_reference(noisy, noise, reference, judged)
    wide = against_reference(noisy, noise, reference, judged, 1 - (1 - LEVEL) / noisy.size)
    with np.errstate(divide="ignore"):
        lowest = np.fmin(own.low, 1 / own.high)
        highest = np.where((wide.low <= 1) & (wide.high >= 1), 1.0, np.where(wide.high < 1, wide.high, 1 / wide.low))
        value = np.fmin(own.value, 1 / own.value)
    if np.isnan(value).all():
        return Estimate(1.0, 0.0, 1.0)
    low, high = float(np.nanmin(lowest)), float(np.nanmin(np.where(np.isnan(value), np.nan, highest)))
    return Estimate(min(max(float(np.nanmin(value)), low), high), low, high)
