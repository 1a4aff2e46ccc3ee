"""The bounds of a balanced plan as linear constraints on each segment.

A group's share of a segment is at least b exactly when its customers less b times all customers of the segment are not
negative: linear in the counts (Bera et al., "Fair Algorithms for Clustering", NeurIPS 2019, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InfeasibleBounds
from evenhand.plan.models import Plan
from evenhand.privacy.groups import JointGroups

Floats = NDArray[np.float64]
SURELY = 2.0  # times the reach of a total; a run stopped in error has spent its budget for nothing
SLACK = 1e-3  # a bound at the group's very share of everybody leaves a program no room to round in


@dataclass(frozen=True)
class Constraints:
    """`coefficients` (constraints, joint groups): in every segment, coefficients times counts must not be negative."""

    coefficients: Floats

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

    With `at_least` another bound, and its inverse, in place of the plan's own. Who is large enough is judged by the reach
    `counted`, where a count has told the totals better; who was let through before is not refused for it.

    Raises:
        InfeasibleBounds: the plan states shares of a segment that do not hold its group's share of everybody. No
            assignment meets those, since the segments together are everybody; all others are met by spreading every cell
            evenly over the segments.
    """
    assert plan.fairness.mitigation is not None
    bounds, joint = plan.fairness.mitigation.bounds, JointGroups.of(plan)
    lowest, highest = (bounds.at_least, bounds.at_most) if at_least is None else (at_least, 1 / at_least)
    everyone = max(float(totals.sum()), 1.0)
    rows = []
    for (attribute, group), members in zip(joint.named, joint.members, strict=True):
        size = float(members @ totals)
        if size < least_judged(plan, reach if counted is None else counted):
            continue
        share = size / everyone
        low, high = lowest * share, highest * share
        if at_least is None and (stated := bounds.shares.get(attribute, {}).get(group)):
            low, high = stated
            _refuse_infeasible(attribute, group, low, high, share, reach / everyone)
        low, high = min(low, share * (1 - SLACK)), max(high, share * (1 + SLACK))
        rows += [members - low, high - members]
    return Constraints(np.array(rows).reshape(-1, joint.count))


def _refuse_infeasible(attribute: str, group: str, low: float, high: float, share: float, reach: float) -> None:
    if low > share + SURELY * reach or high < share - SURELY * reach:
        raise InfeasibleBounds(
            f"fairness.mitigation.bounds.shares.{attribute}.{group}: {group} are about {share:.3f} of everybody, so no "
            f"assignment gives them between {low:g} and {high:g} of every segment; the tightest feasible bounds are "
            f"{share:.3f} on both sides; nothing was published"
        )
