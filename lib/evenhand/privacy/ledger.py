"""The population's privacy budget: what a run may spend is taken before any noise is drawn, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow as pa

from evenhand.errors import BudgetExhausted, PlanError
from evenhand.plan.models import Privacy
from evenhand.tables.catalog import BUDGET, BUDGET_ENTRIES
from evenhand.tables.spark_errors import retried
from evenhand.tables.store import Store

SLACK = 1e-9  # floating-point rounding of sums of shares

# One conditional MERGE: reading what is left and then appending would be a race, since blind appends never conflict.
# The head row remembers which run spent what, in the same commit, so that a run that is resumed does not spend twice.
SPEND = """
MERGE INTO {head} AS head USING {{wish}} AS wish ON head.population = wish.population
WHEN MATCHED AND head.total = wish.total AND NOT map_contains_key(head.runs, wish.run_id) AND head.spent + wish.epsilon <= head.total + 1e-9
  THEN UPDATE SET spent = head.spent + wish.epsilon, runs = map_concat(head.runs, map(wish.run_id, wish.epsilon))
WHEN NOT MATCHED
  THEN INSERT (population, total, spent, runs)
  VALUES (wish.population, wish.total, wish.epsilon, map(wish.run_id, wish.epsilon))
"""
ITEMIZE = """
MERGE INTO {entries} AS entry USING {{items}} AS item
ON entry.population = item.population AND entry.run_id = item.run_id AND entry.question = item.question
WHEN NOT MATCHED THEN INSERT *
"""


class Ledger:
    """The ledger of one population, in the open zone: it holds no figure about people."""

    def __init__(self, store: Store, privacy: Privacy) -> None:
        self._store = store
        self._privacy = privacy
        self._reserved: dict[str, dict[str, float]] = {}

    def reserve(self, run_id: str, questions: Mapping[str, float]) -> None:
        """Spend the ε of all questions of a run at once; a run that already did is not charged again.

        Raises:
            BudgetExhausted: the population's total does not cover it; nothing was spent.
            PlanError: the plan states another total than the ledger was opened with.
        """
        if self._reserved.get(run_id) == dict(questions):
            return
        epsilon = sum(questions.values())
        wish = pa.table(
            {
                "population": [self._privacy.population],
                "total": [self._privacy.population_total],
                "run_id": [run_id],
                "epsilon": [epsilon],
            }
        )
        merge(self._store, SPEND.format(head=self._store.ensure(BUDGET)), wish=wish)
        total, all_spent, runs = self.head()
        self._check_total(total)
        spent = runs.get(run_id)
        if spent is None:
            raise BudgetExhausted(
                f"privacy.epsilon: the run asks for ε = {epsilon:g}, population {self._privacy.population} has "
                f"{max(total - all_spent, 0):g} of {total:g} left; nothing was spent, nothing was published"
            )
        if abs(spent - epsilon) > SLACK:
            raise PlanError([f"run {run_id} has spent ε = {spent:g}, the plan now asks for {epsilon:g}"], "privacy.epsilon")
        self._reserved[run_id] = dict(questions)

    def covers(self, run_id: str, question: str, epsilon: float) -> bool:
        """Whether this ε for this question of this run has been spent."""
        return abs(self._reserved.get(run_id, {}).get(question, 0.0) - epsilon) <= SLACK

    def head(self) -> tuple[float, float, dict[str, float]]:
        """Total, spent, and what each run spent."""
        if not self._store.exists(BUDGET):
            return self._privacy.population_total, 0.0, {}
        rows = self._store.read(BUDGET)
        row = rows.where(rows.population == self._privacy.population).first()
        if row is None:
            return self._privacy.population_total, 0.0, {}
        return row.total, row.spent, dict(row.runs)

    def _check_total(self, total: float) -> None:
        if abs(total - self._privacy.population_total) > SLACK:
            raise PlanError(
                [
                    f"the ledger of population {self._privacy.population} has a total of {total:g}, the plan says "
                    f"{self._privacy.population_total:g}; a plan cannot change it"
                ],
                "privacy.population_total",
            )

    def itemize(self, run_id: str, questions: Mapping[str, float]) -> None:
        """Write the run's spending question by question; again for a resumed run, it changes nothing."""
        now = datetime.now(UTC)
        items = pa.table(
            {
                "population": [self._privacy.population] * len(questions),
                "run_id": [run_id] * len(questions),
                "question": list(questions),
                "epsilon": list(questions.values()),
                "at": pa.array([now] * len(questions), pa.timestamp("us", "UTC")),
            }
        )
        merge(self._store, ITEMIZE.format(entries=self._store.ensure(BUDGET_ENTRIES)), items=items)


def merge(store: Store, statement: str, **sources: pa.Table) -> None:
    """Run a MERGE of small tables from the driver, again when another writer was faster."""
    frames = {name: store.spark.createDataFrame(rows) for name, rows in sources.items()}
    # DataFrames by name are allowed, the stub says literals.
    retried(lambda: store.spark.sql(statement, **frames))  # type: ignore[arg-type]
