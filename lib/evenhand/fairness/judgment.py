"""A statistic with its verdict, and whether its value says anything; what a plan calls uneven, in a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.change import Change, Last, basis, changed
from evenhand.plan.groups import GroupTable
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import Estimate

AT_LEAST = {"representation_ratio", "balance", "selection_ratio"}  # even is at least the threshold; the others, at most
EVEN, UNEVEN, CANNOT_TELL = "even", "uneven", "cannot tell"
WHOLLY_EVEN = {"representation_ratio": 1.0, "selection_ratio": 1.0, "cost_ratio": 1.0}  # balance: everybody's; others 0
# Of the way from even to the threshold. A value at the even end says that all are alike: only an interval as narrow as
# this may say so.
CLOSE, AT_THE_END = 0.25, 0.02


@dataclass(frozen=True)
class Judgment:
    """`estimate` is None where it would give a suppressed cell or rate away: the verdict counts all cells, its figures do not show.

    Its value is NaN where its ends are all that can be told. `threshold` is None where the reference speaks of too few groups
    to judge by it. `over` are the groups that are judged.
    """

    metric: str
    offer: str  # of selection rates, else empty
    estimate: Estimate | None
    threshold: float | None
    verdict: str
    over: Sequence[str] = ()
    change: Change | None = None  # since the last published run


@dataclass(frozen=True)
class Judge:
    """Of one table's statistics, by the plan's thresholds; `reference` is what is even, in words.

    `allowed` are thresholds that the sizes of the groups set where the plan's could not be met or not be missed.
    """

    plan: Plan
    table: GroupTable
    segments: int
    reference: str
    last: Last | None
    allowed: dict[str, float] = field(default_factory=dict)
    balance: float = 0.0  # of everybody

    def of(
        self, metric: str, estimate: Estimate | None, over: NDArray[np.bool_], offer: str = "", shown: bool = True
    ) -> Judgment:
        """`over` are the groups that it is about, shape (groups,)."""
        names = [group for group, is_over in zip(self.table.groups, over, strict=True) if is_over]
        if estimate is None:
            return Judgment(metric, offer, None, None, CANNOT_TELL, names)
        asked = min(float(getattr(self.plan.fairness.thresholds, metric)), self.allowed.get(metric, math.inf))
        said = verdict(estimate.low, estimate.high, asked, metric not in AT_LEAST)
        if not shown:
            return Judgment(metric, offer, None, asked, said, names)
        estimate = told(estimate, asked, self.balance if metric == "balance" else WHOLLY_EVEN.get(metric, 0.0), said)
        found = Judgment(metric, offer, estimate, asked, said, names)
        key, plan = (self.table.name, metric, offer), self.plan.model_dump(mode="json", by_alias=True)
        if self.last is None:
            return found
        now = basis(plan, key, self.reference, names)
        return replace(found, change=changed(estimate, self.last, key, now))


def told(of: Estimate, threshold: float, even: float, said: str) -> Estimate:
    """The estimate, its value NaN where that says nothing.

    A value says nothing where nobody can tell whether it is even and its interval is wider than from even to the threshold;
    nor where it stands at the even end and the interval is wider than a quarter of that.
    """
    tolerance, width = abs(even - threshold), of.high - of.low
    at_the_end = abs(of.value - even) <= AT_THE_END * tolerance
    if (said == CANNOT_TELL and width > tolerance) or (at_the_end and width > CLOSE * tolerance):
        return replace(of, value=math.nan)
    return of


def verdict(low: float, high: float, threshold: float, lower_is_even: bool) -> str:
    """Even or uneven when the whole interval says so, else "cannot tell"."""
    if lower_is_even:
        low, high, threshold = -high, -low, -threshold
    if low >= threshold:
        return EVEN
    return UNEVEN if high < threshold else CANNOT_TELL


def in_a_line(table: str, of: Judgment) -> str:
    """ "gender: balance is 0.10 (0.08 to 0.12), at least 0.2 is even" """
    offer = f" of {of.offer}" if of.offer else ""
    limit = f"at {'least' if of.metric in AT_LEAST else 'most'} {of.threshold:.3g} is even"
    return f"{table}: {of.metric.replace('_', ' ')}{offer} is {_figures(of.estimate)}, {limit}"


def _figures(of: Estimate | None) -> str:
    if of is None:
        return "uneven, figures not shown"
    ends = f"{of.low:.2f} to {of.high:.2f}"
    return ends if math.isnan(of.value) else f"{of.value:.2f} ({ends})"
