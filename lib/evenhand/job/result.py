"""What a run leaves: its tables and plots as attributes, and a view of itself for a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from pyspark.sql import DataFrame

from evenhand.errors import EvenhandError, RunConflict
from evenhand.fairness.judgment import CANNOT_TELL, EVEN, UNEVEN
from evenhand.plan.models import Plan
from evenhand.report.facts import Facts
from evenhand.report.gather import gather
from evenhand.report.page import glance, report_path
from evenhand.report.plots import plots_of
from evenhand.report.summary import summary_text
from evenhand.tables import catalog
from evenhand.tables.store import Store


@dataclass(frozen=True, repr=False)
class Result:
    """One run's results. `segments` is restricted: rows about people, under pseudonym; all else is open."""

    plan: Plan
    store: Store
    run_id: str

    @property
    def segments(self) -> DataFrame:
        return self.store.read(catalog.SEGMENTS, self.run_id)

    @property
    def centers(self) -> DataFrame:
        return self.store.read(catalog.SEGMENT_CENTERS, self.run_id)

    @property
    def private_summary(self) -> DataFrame:
        return self.store.read(catalog.PRIVATE_SUMMARY, self.run_id)

    @property
    def profiles(self) -> DataFrame:
        return self.store.read(catalog.SEGMENT_PROFILES, self.run_id)

    @property
    def distribution(self) -> DataFrame:
        return self.store.read(catalog.SEGMENT_DISTRIBUTION, self.run_id)

    @property
    def fairness_stats(self) -> DataFrame:
        return self.store.read(catalog.FAIRNESS_STATS, self.run_id)

    @property
    def fairness_groups(self) -> DataFrame:
        return self.store.read(catalog.FAIRNESS_GROUPS, self.run_id)

    @property
    def fairness_proxies(self) -> DataFrame:
        return self.store.read(catalog.FAIRNESS_PROXIES, self.run_id)

    @property
    def fairness_summary(self) -> DataFrame:
        return self.store.read(catalog.FAIRNESS_SUMMARY, self.run_id)

    @property
    def movement(self) -> DataFrame:
        """Raises RunConflict where the plan does not ask for it."""
        if self.plan.segments.movement is None:
            raise RunConflict(f"run {self.run_id} counted no movement: its plan does not state segments.movement")
        return self.store.read(catalog.MOVEMENT, self.run_id)

    @cached_property
    def facts(self) -> Facts:
        """All that the report says, as data."""
        return gather(self.store, self.plan, self.run_id)

    @property
    def plots(self) -> dict[str, str]:
        """Name to SVG."""
        return plots_of(self.facts)

    @property
    def report(self) -> Path:
        return report_path(self.plan, self.run_id)

    def as_facts(self) -> dict[str, object]:
        """What a program wants to know of the run: its state, findings and verdicts, the budget, and where its tables and page are.

        No number of rows: those are exact, and restricted.
        """
        facts, output = self.facts, self.plan.output
        return {
            "run_id": self.run_id,
            "status": facts.status,
            "plan": self.plan.name,
            "fingerprint": facts.plan_fingerprint,
            "as_of": facts.as_of.isoformat(),
            "findings": facts.reasons,
            "verdicts": verdicts(facts),
            "budget": facts.budget.as_facts(self.plan.privacy),
            "report": str(self.report),
            "open": output.open.path or output.open.catalog_schema,
            "restricted": output.restricted.path or output.restricted.catalog_schema,
            "sources": facts.versions,
            "versions": {"evenhand": facts.version, "spark": self.store.spark.version},
        }

    def __repr__(self) -> str:
        try:
            return str(self)
        except EvenhandError:  # after `prepare` alone there is nothing to say
            return f"run {self.run_id} of plan {self.plan.name}, without results yet"

    def __str__(self) -> str:
        return summary_text(self.facts, self.report)

    def _repr_html_(self) -> str:
        try:
            return glance(self.facts)
        except RunConflict as not_yet:  # after `prepare` alone there is nothing to show
            return f"<p>{escape(str(not_yet))}</p>"


def verdicts(facts: Facts) -> dict[str, dict[str, int]]:
    """How many verdicts of each kind there are, by protected attribute or intersection."""
    found = {row["attribute"]: dict.fromkeys((EVEN, UNEVEN, CANNOT_TELL), 0) for row in facts.verdicts}
    for row in facts.verdicts:
        found[row["attribute"]][row["verdict"]] += 1
    return found
