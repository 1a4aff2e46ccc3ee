"""The bounds of a balanced plan as linear constraints on each segment.

A group's share of a segment is at least b exactly when its customers less b times all customers of the segment are not
negative: linear in the counts (Bera et al., "Fair Algorithms for Clustering", NeurIPS 2019, section 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.assignment.joint_groups import JointGroups
from evenhand.errors import InfeasibleBounds
from evenhand.plan.models import Plan

Floats = NDArray[np.float64]
SURELY = 2.0  # times the reach of a total; a run stopped in error has spent its budget for nothing
YES, NO, CANNOT_TELL = "yes", "no", "cannot tell"
SLACK = 1e-3  # a bound at the group's very share of everybody leaves a program no room to round in


@dataclass(frozen=True)
class Bound:
    """Lowest and highest share of a segment for a group: as the plan has them, and as they were used.

    `share` is the group's of everybody, at most `reach` from the truth 19 times in 20. The segments together are everybody,
    so bounds that do not hold it are met by no assignment, and those that do are met by one.
    """

    attribute: str
    group: str
    asked: tuple[float, float]
    share: float
    reach: float

    @property
    def ends(self) -> tuple[float, float]:
        """Between which the noise leaves the group's share of everybody, 19 times in 20."""
        return max(self.share - self.reach, 0.0), min(self.share + self.reach, 1.0)

    @property
    def used(self) -> tuple[float, float]:
        """Widened to the group's share of everybody, and a little more, where they do not hold it."""
        return min(self.asked[0], self.share * (1 - SLACK)), max(self.asked[1], self.share * (1 + SLACK))

    @property
    def feasible(self) -> str:
        """Yes, no, or cannot tell, where only the noise may have put the share outside."""
        outside = max(self.asked[0] - self.share, self.share - self.asked[1])
        return YES if outside <= 0 else NO if outside > SURELY * self.reach else CANNOT_TELL


@dataclass(frozen=True)
class Constraints:
    """`coefficients` (constraints, joint groups): in every segment, coefficients times counts must not be negative."""

    coefficients: Floats
    bounds: tuple[Bound, ...] = ()  # what they stand for; a plan's own only

    def surplus(self, table: Floats) -> Floats:
        """How far above the bound each segment is, in customers, shape (constraints, segments)."""
        return self.coefficients @ table  # type: ignore[no-any-return]

    def prices(self, duals: Floats) -> Floats:
        """What a customer of a joint group pays in a segment, from duals (constraints, segments); shape (joint groups, segments)."""
        return -self.coefficients.T @ duals  # type: ignore[no-any-return]


def least_judged(plan: Plan, reach: float) -> float:
    """How many customers a group needs: the plan's minimum in every segment, and more than noise makes of nobody."""
    return max(plan.privacy.minimum_cell * max(plan.segments.candidates), 2 * reach, 1.0)


def judged_members(plan: Plan, totals: Floats, reach: float) -> Floats:
    """The members (groups, joint groups) of the groups large enough to judge; where none is, everybody as one group."""
    members = JointGroups.of(plan).members
    judged: Floats = members[members @ totals >= least_judged(plan, reach)]
    return judged if len(judged) else np.ones((1, members.shape[1]))


def too_small(plan: Plan, totals: Floats, reach: float) -> dict[str, list[str]]:
    """The groups that are too small to judge, by mitigated attribute, given the noisy totals of the joint groups."""
    joint, small = JointGroups.of(plan), dict[str, list[str]]()
    for (attribute, group), size in zip(joint.named, joint.members @ totals, strict=True):
        small.setdefault(attribute, []).extend([group] if size < least_judged(plan, reach) else [])
    return small


def constraints_of(
    plan: Plan, totals: Floats, reach: float, at_least: float | None = None, counted: float | None = None
) -> Constraints:
    """The plan's bounds, given the noisy totals of the joint groups and how far a total may be from the truth.

    With `at_least` another bound, and its inverse, in place of the plan's own. Where a count has told the totals better, to
    `counted`, that says who is large enough and how well shares are known; who was let through before is not refused for it.

    Raises:
        InfeasibleBounds: the plan states shares of a segment that surely do not hold its group's share of everybody. No
            assignment meets those, since the segments together are everybody; all others are met by spreading every cell
            evenly over the segments.
    """
    joint = JointGroups.of(plan)
    bounds = bounds_of(plan, totals, reach if counted is None else counted, at_least)
    if counted is None:
        _refuse_infeasible(bounds)
    rows, place = [], dict(zip(joint.named, joint.members, strict=True))
    for bound in bounds:
        members, (low, high) = place[(bound.attribute, bound.group)], bound.used
        rows += [members - low, high - members]
    return Constraints(np.array(rows).reshape(-1, joint.count), tuple(bounds) if at_least is None else ())


def bounds_of(plan: Plan, totals: Floats, reach: float, at_least: float | None = None) -> list[Bound]:
    """Of the groups large enough to judge, given the noisy totals of the joint groups, each within `reach` of the truth."""
    assert plan.fairness.mitigation is not None
    asked, joint, found = plan.fairness.mitigation.bounds, JointGroups.of(plan), []
    lowest, highest = (asked.at_least, asked.at_most) if at_least is None else (at_least, 1 / at_least)
    everyone = max(float(totals.sum()), 1.0)
    for (attribute, group), members in zip(joint.named, joint.members, strict=True):
        size = float(members @ totals)
        if size < least_judged(plan, reach):
            continue
        share = size / everyone
        stated = asked.shares.get(attribute, {}).get(group) if at_least is None else None
        of_share = reach * float(np.linalg.norm(members - share)) / everyone  # the noises of several totals add up
        found.append(Bound(attribute, group, stated or (lowest * share, highest * share), share, of_share))
    return found


def _refuse_infeasible(bounds: list[Bound]) -> None:
    for of in bounds:
        if of.feasible == NO:
            (low, high), (least, most) = of.asked, of.ends
            raise InfeasibleBounds(
                f"fairness.mitigation.bounds.shares.{of.attribute}.{of.group}: {of.group} are {_outward(least, most)} of everybody, "
                f"19 times in 20, so no assignment gives them between {low:g} and {high:g} of every segment; bounds that hold the "
                "whole of this range can be met; nothing was published"
            )


def _outward(low: float, high: float) -> str:
    """A range in words, rounded so that it grows."""
    return f"between {math.floor(low * 1000) / 1000:g} and {math.ceil(high * 1000) / 1000:g}"
