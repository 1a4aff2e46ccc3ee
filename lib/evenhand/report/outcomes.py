"""What came of offers: of each activation of a run's segments the newest count of each outcome, by segment and by group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import functions as F

from evenhand.ask.outcomes import SEGMENT
from evenhand.fairness.judgment import CANNOT_TELL
from evenhand.plan.groups import group_tables
from evenhand.plan.models import Plan
from evenhand.report.feedback import in_points, with_its_segments
from evenhand.report.words import NOT_SHOWN, Form, Row, Rows
from evenhand.tables.catalog import OUTCOME_RATES, OUTCOME_VERDICTS
from evenhand.tables.store import Store

RATE, ADDED = ("rate", "rate_low", "rate_high"), ("added", "added_low", "added_high")
METRICS = {  # with the figure, and where that is not shown
    "selection_ratio": (
        "; the group that responds least does so {} times as often as the one that responds most",
        " by how much less the group that responds least does so",
    ),
    "selection_difference": ("; the gap between these two is {} of customers", " by the gap between these two"),
}


@dataclass(frozen=True)
class Responded:
    """An attribute: its rows of `outcome_rates`, by group and option in the plan's order, and of `outcome_verdicts`."""

    attribute: str
    rows: Rows
    verdicts: Rows

    @property
    def of_segments(self) -> bool:
        return self.attribute == SEGMENT

    @property
    def options(self) -> list[str]:
        return list(dict.fromkeys(row["option"] for row in self.rows))

    @property
    def has_holdout(self) -> bool:
        """Whether of anybody it is known what the offer adds."""
        return any(row["added"] is not None for row in self.rows)

    @property
    def by_group(self) -> dict[str, list[str]]:
        """A line a group: of each option the rate with its range, then, with a holdout, what the offer adds."""
        forms = {name: Form.of([r for r in self.rows if r["option"] == name], RATE, percent=True) for name in self.options}
        lines = dict[str, list[str]]()
        for row in self.rows:
            cells = [forms[row["option"]].ranged(row, RATE)]
            if self.has_holdout:
                cells.append(NOT_SHOWN if row["added"] is None else in_points(row, ADDED))
            lines.setdefault(row["group"], []).extend(cells)
        return lines

    @property
    def judged(self) -> list[str]:
        """A sentence for each option and figure that can be judged."""
        of = {(row["option"], row["metric"]): row for row in self.verdicts if row["verdict"] != CANNOT_TELL}
        return [_sentence(of[option, metric]) for option in self.options for metric in METRICS if (option, metric) in of]


@dataclass(frozen=True)
class Counted:
    """The newest count of an outcome of an activation."""

    outcome: str
    activation_id: str
    offer: str | None
    wave_id: str
    day: date  # on which it began, in UTC
    attributes: list[Responded]


def read_counted(store: Store, plan: Plan, run_id: str) -> list[Counted]:
    """Of each activation of a run's segments, or of a run that has only scored into these, the newest count of each outcome."""
    if not store.exists(OUTCOME_RATES):
        return []
    ours = store.read(OUTCOME_RATES).where(F.col("segments_of").isin(*with_its_segments(store, run_id)))
    about = "outcome", "activation_id", "offer", "run_id"
    waves = ours.select(*about, F.unix_micros("as_of").alias("moment"), F.to_date("as_of").alias("day")).distinct()
    newest = {(row.outcome, row.activation_id): row for row in waves.orderBy("moment", "run_id").collect()}
    return [
        Counted(*key, row.offer, row.run_id, row.day, _attributes(store, plan, row.run_id)) for key, row in sorted(newest.items())
    ]


def _attributes(store: Store, plan: Plan, wave_id: str) -> list[Responded]:
    """Segments, then attributes and intersections, in the order of the plan."""
    rates, verdicts = ([row.asDict() for row in store.read(of, wave_id).collect()] for of in (OUTCOME_RATES, OUTCOME_VERDICTS))
    groups = {(table.name, group): i for table in group_tables(plan) for i, group in enumerate(table.groups)}

    def place(row: Row) -> tuple[int, int]:
        return int(row["group"]) if row["attribute"] == SEGMENT else groups[row["attribute"], row["group"]], row["position"]

    names = [SEGMENT, *(table.name for table in group_tables(plan))]
    return [
        Responded(
            name,
            sorted((row for row in rates if row["attribute"] == name), key=place),
            [row for row in verdicts if row["attribute"] == name],
        )
        for name in names
    ]


def _sentence(row: Row) -> str:
    """ "bought: uneven; the gap between these two is 21% (14% to 28%) of customers"; without the figure where that is not shown."""
    with_figure, without = METRICS[row["metric"]]
    shown = Form.of([row], percent=row["metric"] == "selection_difference").ranged(row)
    return f"{row['option']}: {row['verdict']}{without if shown == NOT_SHOWN else with_figure.format(shown)}"
