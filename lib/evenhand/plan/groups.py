"""The tables of groups that fairness is measured on, attributes and intersections, and how they are counted in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from evenhand.plan.features import Attribute
from evenhand.plan.models import Plan

TIMES = " × "
MOST_CODES = 256  # joint groups that are counted together: with twenty segments their sums still fit the processor's cache


@dataclass(frozen=True)
class GroupTable:
    """The groups of one attribute, or of several at once."""

    attributes: tuple[Attribute, ...]

    @property
    def name(self) -> str:
        return TIMES.join(a.name for a in self.attributes)

    @property
    def groups(self) -> list[str]:
        """In the order of the table's rows: the last attribute runs fastest."""
        return [TIMES.join(names) for names in product(*(a.group_names for a in self.attributes))]

    @property
    def size(self) -> int:
        return math.prod(len(a.group_names) for a in self.attributes)


def group_tables(plan: Plan) -> list[GroupTable]:
    """One for each attribute, then one for each intersection that the plan states."""
    by_name = {a.name: a for a in plan.protected}
    several = [GroupTable(tuple(by_name[name] for name in names)) for names in plan.fairness.intersections]
    return [GroupTable((a,)) for a in plan.protected] + several


def batches(plan: Plan) -> list[tuple[Attribute, ...]]:
    """Attributes that are counted together, so that every table is a sum over the counts of one batch.

    Counting joint groups takes one look at a customer for several attributes; too many joint groups take it back.
    """
    found: list[tuple[Attribute, ...]] = []
    for table in sorted(group_tables(plan), key=lambda t: -len(t.attributes)):
        for i, batch in enumerate(found):
            together = batch + tuple(a for a in table.attributes if a not in batch)
            if math.prod(len(a.group_names) for a in together) <= MOST_CODES:
                found[i] = together
                break
        else:
            found.append(table.attributes)
    return found
