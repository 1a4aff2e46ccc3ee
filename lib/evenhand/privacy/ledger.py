"""The population's privacy budget: what a run may spend is taken before any noise is drawn, all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import Row

from evenhand.errors import BudgetExhausted, IntegrityError, PlanError
from evenhand.plan.models import Privacy
from evenhand.plan.periods import period_of, renewal
from evenhand.privacy.witness import Witness
from evenhand.tables.catalog import BUDGET, BUDGET_ENTRIES
from evenhand.tables.spark_errors import retried
from evenhand.tables.store import Store

SLACK = 1e-9  # floating-point rounding of sums of shares

# One conditional UPDATE: reading what is left and then appending would be a race, since blind appends never conflict.
# The head row remembers which run spent what, in the same commit, so that a run that is resumed does not spend twice.
# A population has one row through all periods: a plan that changes when its budget renews, and a clock that goes back,
# meet that row and spend nothing, where a row for each period would have been opened anew.
# Values stand in the text, since Delta binds no parameters here; the plan and the run id allow letters, digits, _ and -.
SPEND = """
UPDATE {head} SET
  spent = if(period = '{period}', spent, 0.0D) + {epsilon!r}D,
  period = '{period}',
  runs = map_concat(runs, map('{run_id}', {epsilon!r}D)),
  periods = map_concat(periods, map('{run_id}', '{period}'))
WHERE population = '{population}' AND total = {total!r}D AND renews = '{renews}' AND NOT map_contains_key(runs, '{run_id}')
  AND (period = '{period}' AND spent + {epsilon!r}D <= total + 1e-9 OR period < '{period}')
"""


@dataclass(frozen=True)
class Head:
    """A population's row: `spent` of `total` in `period`; `runs` and `periods` say what each run spent, and in which."""

    total: float
    renews: str
    period: str
    spent: float
    runs: dict[str, float]
    periods: dict[str, str]


class Ledger:
    """The ledger of one population, in the open zone: it holds no figure about people."""

    def __init__(self, store: Store, privacy: Privacy, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store, self._privacy, self._now = store, privacy, now
        self._witness = Witness(store, privacy.population)
        self._reserved: dict[str, dict[str, float]] = {}
        self._charged: dict[str, str] = {}
        self._unwitnessed: dict[str, float] = {}

    def reserve(self, run_id: str, questions: Mapping[str, float]) -> None:
        """Spend the ε of all questions of a run at once; a run that already did is not charged again.

        It is charged to the period of the clock at this moment, not of the run's `as_of`, which whoever starts the run
        is free to choose; resumed later, it stays charged to that period.

        Raises:
            BudgetExhausted: the population's total does not cover it; nothing was spent.
            PlanError: the plan states another total or renewal than the ledger was opened with; nothing was spent.
            IntegrityError: the ledger is older than what was witnessed, or than its own newest period.
        """
        if self._reserved.get(run_id) == dict(questions):
            return
        privacy, epsilon = self._privacy, sum(questions.values())
        period = period_of(privacy.renews, self._now())
        statement = SPEND.format(
            head=self._store.address(BUDGET),
            population=privacy.population,
            total=privacy.population_total,
            renews=privacy.renews,
            period=period,
            run_id=run_id,
            epsilon=epsilon,
        )
        with ThreadPoolExecutor(1) as pool:
            seeing = pool.submit(self._witness.seen)
            self._open(period)
            retried(lambda: self._store.spark.sql(statement))
            seen = seeing.result()
        head = self.head()  # after the witness: what was witnessed stood in the ledger before
        self._witness.check(seen, head.runs)
        self._check_terms(head)
        self._check_spent(head, run_id, epsilon, period)
        if run_id not in seen:
            self._unwitnessed[run_id] = epsilon
        self._reserved[run_id], self._charged[run_id] = dict(questions), head.periods[run_id]

    def _open(self, period: str) -> None:
        """The population's row, with nothing spent; of several processes that open it at once one does."""
        privacy = self._privacy
        if self._row() is None:
            row = {
                "population": [privacy.population],
                "total": [privacy.population_total],
                "renews": [privacy.renews],
                "period": [period],
                "spent": [0.0],
                "runs": pa.array([[]], pa.map_(pa.string(), pa.float64())),
                "periods": pa.array([[]], pa.map_(pa.string(), pa.string())),
            }
            self._store.append_once(BUDGET, pa.table(row), privacy.population)

    def _row(self) -> Row | None:
        if not self._store.exists(BUDGET):
            return None
        rows = self._store.read(BUDGET)
        return rows.where(rows.population == self._privacy.population).first()

    def refuse_exhausted(self, run_id: str, epsilon: float) -> None:
        """Say before any work that a run cannot be paid; whether it is paid is decided by `reserve` alone.

        Raises:
            BudgetExhausted, PlanError, IntegrityError: as `reserve`.
        """
        head, period = self.head(), period_of(self._privacy.renews, self._now())
        left = head.total - (head.spent if head.period == period else 0.0)
        self._check_terms(head)
        if run_id in head.runs or epsilon > left + SLACK or head.period > period:
            self._check_spent(head, run_id, epsilon, period)

    def covers(self, run_id: str, question: str, epsilon: float) -> bool:
        """Whether this ε for this question of this run has been spent."""
        return abs(self._reserved.get(run_id, {}).get(question, 0.0) - epsilon) <= SLACK

    def head(self) -> Head:
        """The population's row; an unspent one when there is none."""
        privacy = self._privacy
        row = self._row()
        if row is None:
            return Head(privacy.population_total, privacy.renews, period_of(privacy.renews, self._now()), 0.0, {}, {})
        return Head(row.total, row.renews, row.period, row.spent, dict(row.runs), dict(row.periods))

    def _check_terms(self, head: Head) -> None:
        privacy, name = self._privacy, self._privacy.population
        if abs(head.total - privacy.population_total) > SLACK:
            found = f"has a total of {head.total:g}, the plan says {privacy.population_total:g}; a plan cannot change it"
            raise PlanError([f"the ledger of population {name} {found}"], "privacy.population_total")
        if head.renews != privacy.renews:
            found = f"renews {head.renews}, the plan says {privacy.renews}; a plan cannot change it"
            raise PlanError([f"the ledger of population {name} {found}"], "privacy.renews")

    def _check_spent(self, head: Head, run_id: str, epsilon: float, period: str) -> None:
        name = self._privacy.population
        spent = head.runs.get(run_id)
        if spent is None and period < head.period:
            raise IntegrityError(
                f"the clock is in {period}, the ledger of population {name} has spent in {head.period} already; set the "
                "clock; nothing was spent, nothing was published"
            )
        if spent is None:
            again = renewal(head.period)
            raise BudgetExhausted(
                f"privacy.epsilon: the run asks for ε = {epsilon:g}, population {name} has "
                f"{max(head.total - head.spent, 0):g} of {head.total:g} left"
                f"{f' until {again}' if again else ''}; nothing was spent, nothing was published"
            )
        if abs(spent - epsilon) > SLACK:
            raise PlanError([f"run {run_id} has spent ε = {spent:g}, the plan now asks for {epsilon:g}"], "privacy.epsilon")

    def itemize(self, run_id: str, question: str, epsilon: float, composition: str, parts: str) -> None:
        """Write what a question costs, how its ε is made up, and its parts (JSON); again, it changes nothing.

        Before a run's first entry its spending is witnessed. The door does both beside the pass over the people, and waits
        for them before it adds noise.
        """
        if run_id in self._unwitnessed:
            self._witness.record(run_id, self._unwitnessed.pop(run_id))
        item = pa.table(
            {
                "population": [self._privacy.population],
                "period": [self._charged.get(run_id) or self.head().periods.get(run_id)],
                "run_id": [run_id],
                "question": [question],
                "epsilon": [epsilon],
                "composition": [composition],
                "parts": [parts],
                "at": pa.array([datetime.now(UTC)], pa.timestamp("us", "UTC")),
            }
        )
        self._store.append_once(BUDGET_ENTRIES, item, f"{self._privacy.population}/{run_id}/{question}")
