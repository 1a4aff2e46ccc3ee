"""What an even share would be: a group's share of all customers, of the last run's, or of a table from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.change import Last
from evenhand.fairness.rates import Interval, rate, ratio
from evenhand.fairness.worst import near_ends, segment_share
from evenhand.plan.features import Reference
from evenhand.plan.groups import GroupTable
from evenhand.privacy.intervals import LEVEL, Estimate
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
CUSTOMERS = "all customers of this run"
LEAST_REST = 1e-6  # less is rounding, in shares that add up to 1


@dataclass(frozen=True)
class Shares:
    """Of each group, shape (groups,), NaN where the reference says nothing of it alone; None: of this run's own customers.

    `rest` is what it leaves to the several groups in `in_rest`, together.
    """

    name: str
    shares: Interval | None
    rest: float = 0.0
    in_rest: Mask | None = None

    def base(self, judged: Mask) -> Mask:
        """The judged groups that the reference speaks of: both sides are shares among these, shape (groups,).

        Those in the rest only if all are judged: nobody knows what part of it is theirs alone.
        """
        if self.shares is None:
            return judged
        together = self._together(judged)
        return (judged & ~np.isnan(self.shares.value)) | together

    def named(self, groups: Sequence[str], judged: Mask) -> str:
        """Its name, which judged groups it does not speak of, and which it speaks of together only."""
        silent = [group for group, is_silent in zip(groups, judged & ~self.base(judged), strict=True) if is_silent]
        together = [group for group, is_one in zip(groups, self._together(judged), strict=True) if is_one]
        said = [f"without {', '.join(silent)}"] * bool(silent) + [f"{' and '.join(together)} together"] * bool(together)
        return ", ".join([self.name, *said])

    def among(self, base: Mask) -> Interval:
        """The reference's shares among the groups of the base, of those it knows alone, then of the rest, shape (rows,)."""
        assert self.shares is not None
        of = [end[base & ~np.isnan(end)] for end in (self.shares.value, self.shares.low, self.shares.high)]
        of = [np.append(end, self.rest) for end in of] if self._together(base).any() else of
        total = float(of[0].sum())
        return Interval(of[0] / total, of[1] / total, np.minimum(of[2] / total, 1.0))

    def _together(self, judged: Mask) -> Mask:
        if self.in_rest is None or (self.in_rest & ~judged).any():
            return np.zeros(len(judged), dtype=bool)
        return self.in_rest


def reference_shares(table: GroupTable, last: Last | None) -> Shares:
    """The reference of an attribute; intersections are held against this run's customers."""
    stated = table.attributes[0].reference if len(table.attributes) == 1 else "customers"
    if isinstance(stated, Reference):
        known = np.array([stated.shares.get(group, np.nan) for group in table.groups])
        rest = 1.0 - float(np.nansum(known))
        # Who is unknown here is somebody there, of one of its groups.
        in_rest = np.isnan(known) & np.array([group != table.attributes[0].unknown for group in table.groups])
        if rest <= LEAST_REST or in_rest.sum() < 2:
            known = np.where(in_rest, rest if rest > LEAST_REST else np.nan, known)
            return Shares(stated.name, Interval(known, known, known))
        return Shares(stated.name, Interval(known, known, known), rest, in_rest)
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


def against_reference(noisy: Floats, noise: Noise, reference: Shares, judged: Mask) -> Interval:
    """Shares inside segments over those of the reference, shape (judged groups, segments), from a table of that shape.

    Both are shares among the judged groups that the reference speaks of. NaN for groups of which it says nothing alone, and
    everywhere where it speaks of fewer than two.
    """
    ends = [np.full(noisy.shape, np.nan) for _ in range(3)]
    found, rows = _ratios(noisy, noise, reference, judged, LEVEL), _alone(reference, judged)[judged]
    if found is not None:
        for end, figure in zip(ends, (found.value, found.low, found.high), strict=True):
            end[rows] = figure[: rows.sum()]
    return Interval(*ends)


def worst_against_reference(noisy: Floats, noise: Noise, reference: Shares, judged: Mask, over: Mask) -> Estimate | None:
    """The worst of min(r, 1/r) over all cells of the groups that the reference knows, and of those that it knows together;
    None where it speaks of fewer than two. Of the judged groups, shape (judged groups,), those `over` count.

    On the uneven side the worst of the cells' own ends, each at 95 %; on the even side each cell's at a level at which all
    hold at once (Bonferroni).
    """
    own = _ratios(noisy, noise, reference, judged, LEVEL)
    wide = _ratios(noisy, noise, reference, judged, 1 - (1 - LEVEL) / noisy.size)
    if own is None or wide is None:
        return None
    counts = _counting(reference, judged, over)
    own, wide = own[counts], wide[counts]
    with np.errstate(divide="ignore"):
        lowest = np.fmin(own.low, 1 / own.high)
        value = np.fmin(own.value, 1 / own.value)
    if np.isnan(value).all():
        return None
    low, high = float(np.nanmin(lowest)), float(np.nanmin(np.where(np.isnan(value), np.nan, near_ends(wide))))
    return Estimate(min(max(float(np.nanmin(value)), low), high), low, high)


def _counting(reference: Shares, judged: Mask, over: Mask) -> Mask:
    """Which rows of `_ratios` count: of the groups that are `over`, and the rest where one of its groups is."""
    alone, base = _alone(reference, judged)[judged], reference.base(judged)[judged]
    together = base & ~alone
    return np.append(over[alone], (over & together).any()) if together.any() else over[alone]


def _ratios(noisy: Floats, noise: Noise, reference: Shares, judged: Mask, level: float) -> Interval | None:
    """Of the groups that the reference knows alone, then of the rest together, shape (rows, segments)."""
    base, alone = reference.base(judged), _alone(reference, judged)
    of = reference.among(base) if base.any() else None
    if of is None or len(of.value) < 2:
        return None
    table, known, variance = noisy[base[judged]], alone[base], noise.deviation**2
    shares, together = segment_share(table, noise, level), int((~known).sum())
    rows = [[end[known]] for end in (shares.value, shares.low, shares.high)]
    if together:
        own, others = table[~known].sum(axis=0), table[known].sum(axis=0)
        rest = rate(own, others, together * variance, int(known.sum()) * variance, noise.excess_kurtosis / together, level)
        for row, end in zip(rows, (rest.value, rest.low, rest.high), strict=True):
            row.append(end[None])
    all_rows = Interval(*(np.concatenate(row) for row in rows))
    return ratio(all_rows, of[:, None])


def _alone(reference: Shares, judged: Mask) -> Mask:
    """The judged groups that the reference knows alone, shape (groups,)."""
    assert reference.shares is not None
    return judged & ~np.isnan(reference.shares.value)
