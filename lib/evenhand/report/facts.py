"""All that a report says of a run, read from the open zone and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from evenhand.fairness.offers import burdens
from evenhand.plan.groups import group_tables
from evenhand.plan.models import Plan
from evenhand.report.budget import Budget
from evenhand.report.everyone import Typical
from evenhand.report.feedback import Wave
from evenhand.report.lasting import Lasting
from evenhand.report.movement import Moved
from evenhand.report.outcomes import Counted
from evenhand.report.words import Row, Rows, isolated, sure_distance


@dataclass(frozen=True)
class Facts:
    """Rows as dictionaries in the order of the tables; figures are noisy, None where suppressed."""

    run_id: str
    plan: Plan
    plan_fingerprint: str
    status: str
    reasons: list[str]
    as_of: datetime
    versions: dict[str, int]
    not_private: bool
    version: str  # of the software
    made: date  # the run came to this status on that day, in UTC; the open zone tells no moment
    profiles: Rows
    customers: Row  # how many, with the range of the noise
    everyone: dict[str, Typical]  # by feature; empty where no segment is shown
    outside: dict[str, float]  # by feature, the share at most outside of an eighth of its bounds; empty without histograms
    fits: Rows
    curve: Rows
    fairness: Rows
    groups: Rows
    verdicts: Rows
    proxies: Rows
    budget: Budget
    tradeoff: Rows = field(default_factory=list)  # what mitigation was expected to bring and to cost; empty without
    offers: dict[str, list[int]] = field(default_factory=dict)  # the segments that get each
    unsure_offers: dict[str, list[int]] = field(default_factory=dict)  # the segments of which the noise may have decided it
    bounds: Rows = field(default_factory=list)  # of balanced segments, by group, and whether they are kept; empty without
    waves: list[Wave] = field(default_factory=list)  # of each survey the newest
    outcomes: list[Counted] = field(default_factory=list)  # of each outcome and activation the newest
    lasting: Lasting | None = None  # which segments are those of the last run; None of a first run
    distribution: Rows = field(default_factory=list)  # shares of totals by segment, and quartiles where the plan asks
    movement: Moved | None = None  # who went from which segment to which; None where the plan does not ask

    @property
    def moment(self) -> str:
        """The run's point in time on the clocks of the plan's time zone, "2026-03-01 13:00 Europe/Berlin"."""
        zone = self.plan.time_zone
        return f"{self.as_of.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"

    @property
    def labels(self) -> dict[int, str]:
        return {row["segment"]: row["label"] for row in self.profiles}

    @property
    def references(self) -> dict[str, str]:
        """What is even, by attribute or intersection."""
        return {row["attribute"]: row["reference"] for row in self.verdicts}

    @property
    def left_out(self) -> dict[str, list[str]]:
        """The groups that are too small to judge, by attribute or intersection that has any."""
        return {row["attribute"]: row["too_small"] for row in self.verdicts if row["too_small"]}

    @property
    def too_small(self) -> dict[str, str]:
        """The same in words."""
        return in_words(self.left_out)

    @property
    def beside(self) -> dict[str, list[str]]:
        """The groups whose figures are shown and that no verdict on all segments is over, by attribute or intersection."""
        over = {row["attribute"]: row["over"] for row in self.verdicts if row["over"] and not row["offer"]}
        found = {table: [group for group in self.judged(table) if group not in groups] for table, groups in over.items()}
        return {table: groups for table, groups in found.items() if groups}

    @property
    def by_offers(self) -> dict[str, list[str]]:
        """The groups too small for verdicts on all segments that some offer is judged by."""
        over = [(row["attribute"], set(row["over"])) for row in self.verdicts if row["offer"]]
        small = {
            table: [g for g in groups if any(g in of for t, of in over if t == table)] for table, groups in self.left_out.items()
        }
        return {table: groups for table, groups in small.items() if groups}

    def judged(self, table: str) -> list[str]:
        """The groups of an attribute or intersection that are large enough to judge: shares and ratios are among these."""
        small = self.left_out.get(table, [])
        return [group for t in group_tables(self.plan) if t.name == table for group in t.groups if group not in small]

    def compares(self, table: str) -> bool:
        """Whether shares say something: of one group alone they are 1, whatever the customers are."""
        return len(self.judged(table)) > 1

    @property
    def burdens(self) -> set[str]:
        """The offers of which those are better off who are spared."""
        return burdens(self.plan)

    @property
    def unjudged_offers(self) -> list[str]:
        """The offers that no segment gets, or all do."""
        return sorted({offer for row in self.verdicts for offer in row["unjudged_offers"]})

    def group_measures(self, table: str) -> list[tuple[str, str | None]]:
        """What is known of the groups of an attribute or intersection, with the offer that it is about if it is about one."""
        return list(dict.fromkeys((row["measure"], row["offer"]) for row in self.groups if row["attribute"] == table))

    def by_group(self, table: str) -> dict[str, dict[tuple[str, str | None], Row]]:
        """The figures of each group of an attribute or intersection, by what they measure."""
        found: dict[str, dict[tuple[str, str | None], Row]] = {}
        for row in self.groups:
            if row["attribute"] == table:
                found.setdefault(row["group"], {})[row["measure"], row["offer"]] = row
        return found

    @property
    def has_changes(self) -> bool:
        return any(row["change"] is not None for row in self.verdicts)

    @property
    def hides_segments(self) -> bool:
        return any(row["suppressed"] for row in self.profiles)

    @property
    def hides_cells(self) -> bool:
        """Whether a cell of a group that is large enough to judge is not shown."""
        return any(row["suppressed"] and row["group"] in self.judged(row["attribute"]) for row in self.fairness)

    @property
    def judged_unseen(self) -> set[str]:
        """The attributes and intersections with a statistic that is judged without figures, which would give a suppressed cell away."""
        return {row["attribute"] for row in self.verdicts if row["low"] is None and row["threshold"] is not None}

    def worst_first(self, table: str) -> Rows:
        """The cells of an attribute or intersection, the farthest from even for sure first, those without figures last.

        Those whose range holds 1 follow by their value: the noise alone may have put it there.
        """

        def evenness(row: Row) -> tuple[float, float]:
            ratio = row["representation_ratio"]
            return (-sure_distance(row), 2.0 if ratio is None else min(ratio, 1 / ratio) if ratio > 0 else 0.0)

        return sorted((row for row in self.fairness if row["attribute"] == table), key=evenness)

    def measure(self, name: str) -> Rows:
        """The profile rows of one measure, by segment: size, share, or a feature."""
        return [row for row in self.profiles if row["measure"] == name]


def sure_deviations(row: Row) -> float | None:
    """How far a profile row is from everybody's mean; None where it may be on either side, or nothing is shown."""
    low, high = row["deviations_low"], row["deviations_high"]
    apart = not row["suppressed"] and ((low is not None and low > 0) or (high is not None and high < 0))
    return float(row["deviations"]) if apart else None


def in_words(groups: dict[str, list[str]]) -> dict[str, str]:
    """Groups by attribute or intersection, their names in a line."""
    return {table: ", ".join(map(isolated, names)) for table, names in groups.items()}
