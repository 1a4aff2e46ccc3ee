"""The population's privacy budget: what a run may spend is taken before any noise is drawn, all of it or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import Row

from evenhand.errors import BudgetExhausted, ClosedDoor, IntegrityError, PlanError
from evenhand.plan.accounting import Unit
from evenhand.plan.periods import period_of, renewal
from evenhand.plan.privacy import Privacy
from evenhand.privacy.witness import Witness
from evenhand.tables.catalog import BUDGET, BUDGET_ENTRIES
from evenhand.tables.spark_errors import retried
from evenhand.tables.store import Store

SLACK = 1e-9  # floating-point rounding of sums of shares; of δ, that part of it

# One conditional UPDATE: reading what is left and then appending would be a race, since blind appends never conflict.
# The head row remembers which run spent what, in the same commit, so that a run that is resumed does not spend twice.
# A population has one row through all periods: a plan that changes when its budget renews, and a clock that goes back,
# meet that row and spend nothing, where a row for each period would have been opened anew.
# Values stand in the text, since Delta binds no parameters here; the plan and the run id allow letters, digits, _ and -.
SPEND = """
UPDATE {head} SET
  spent = if(period = '{period}', spent, 0.0D) + {loss.epsilon!r}D,
  delta_spent = if(period = '{period}', delta_spent, 0.0D) + {loss.delta!r}D,
  period = '{period}',
  runs = map_concat(runs, map('{run_id}', {loss.epsilon!r}D)),
  deltas = map_concat(deltas, map('{run_id}', {loss.delta!r}D)),
  periods = map_concat(periods, map('{run_id}', '{period}'))
WHERE population = '{population}' AND total = {total!r}D AND delta_total = {delta_total!r}D AND renews = '{renews}'
  AND NOT map_contains_key(runs, '{run_id}')
  AND (
    period = '{period}' AND spent + {loss.epsilon!r}D <= total + 1e-9
      AND delta_spent + {loss.delta!r}D <= delta_total * (1 + 1e-9)
    OR period < '{period}'
  )
"""


@dataclass(frozen=True)
class Loss:
    """What a run takes of the population's budget, however it is counted within the run; δ = 0 is pure ε."""

    epsilon: float
    delta: float = 0.0

    @classmethod
    def of(cls, privacy: Privacy) -> Loss:
        return cls(privacy.epsilon, privacy.delta or 0.0)

    def __str__(self) -> str:
        return f"ε = {self.epsilon:g}" + (f", δ = {self.delta:g}" if self.delta else "")


@dataclass(frozen=True)
class Head:
    """A population's row: `spent` of `total` in `period`, as for δ; `runs`, `deltas` and `periods` say what each run
    spent, and in which period.
    """

    total: float
    delta_total: float
    renews: str
    period: str
    spent: float
    delta_spent: float
    runs: dict[str, float]
    deltas: dict[str, float]
    periods: dict[str, str]

    def left(self, period: str) -> Loss:
        fresh = self.period != period
        return Loss(
            max(self.total - (0.0 if fresh else self.spent), 0.0),
            max(self.delta_total - (0.0 if fresh else self.delta_spent), 0.0),
        )


class Ledger:
    """The ledger of one population, in the open zone: it holds no figure about people."""

    def __init__(self, store: Store, privacy: Privacy, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store, self._privacy, self._now = store, privacy, now
        self._witness = Witness(store, privacy.population)
        self._reserved: dict[str, dict[str, float]] = {}
        self._charged: dict[str, str] = {}
        self._unwitnessed: dict[str, float] = {}

    @property
    def unit(self) -> Unit:
        """In what the questions of this run are priced."""
        return self._privacy.unit

    def _loss(self, questions: Mapping[str, float]) -> Loss:
        """What the questions of a run take together: the sum of their ε, or the plan's (ε, δ) that their ρ fit into."""
        privacy, cost = self._privacy, sum(questions.values())
        if privacy.unit == "epsilon":
            return Loss(cost)
        if cost > privacy.budget * (1 + SLACK):
            raise ClosedDoor(f"the questions cost ρ = {cost:g}, more than (ε, δ) allows")
        return Loss.of(privacy)

    def reserve(self, run_id: str, questions: Mapping[str, float]) -> None:
        """Spend what all questions of a run take at once; a run that already did is not charged again.

        It is charged to the period of the clock at this moment, not of the run's `as_of`, which whoever starts the run
        is free to choose; resumed later, it stays charged to that period.

        Raises:
            BudgetExhausted: the population's total does not cover it; nothing was spent.
            PlanError: the plan states another total or renewal than the ledger was opened with; nothing was spent.
            IntegrityError: the ledger is older than what was witnessed, or than its own newest period.
        """
        if self._reserved.get(run_id) == dict(questions):
            return
        privacy, loss = self._privacy, self._loss(questions)
        period = period_of(privacy.renews, self._now())
        statement = SPEND.format(
            head=self._store.address(BUDGET),
            population=privacy.population,
            total=privacy.population_total,
            delta_total=privacy.population_delta,
            renews=privacy.renews,
            period=period,
            run_id=run_id,
            loss=loss,
        )
        with ThreadPoolExecutor(1) as pool:
            seeing = pool.submit(self._witness.seen)
            self._open(period)
            retried(lambda: self._store.spark.sql(statement))
            seen = seeing.result()
        head = self.head()  # after the witness: what was witnessed stood in the ledger before
        self._witness.check(seen, head.runs)
        self._check_terms(head)
        self._check_spent(head, run_id, loss, period)
        if run_id not in seen:
            self._unwitnessed[run_id] = loss.epsilon
        self._reserved[run_id], self._charged[run_id] = dict(questions), head.periods[run_id]

    def _open(self, period: str) -> None:
        """The population's row, with nothing spent; of several processes that open it at once one does."""
        privacy = self._privacy
        if self._row() is None:
            row = {
                "population": [privacy.population],
                "total": [privacy.population_total],
                "delta_total": [privacy.population_delta],
                "renews": [privacy.renews],
                "period": [period],
                "spent": [0.0],
                "delta_spent": [0.0],
                "runs": pa.array([[]], pa.map_(pa.string(), pa.float64())),
                "deltas": pa.array([[]], pa.map_(pa.string(), pa.float64())),
                "periods": pa.array([[]], pa.map_(pa.string(), pa.string())),
            }
            self._store.append_once(BUDGET, pa.table(row), privacy.population)

    def _row(self) -> Row | None:
        if not self._store.exists(BUDGET):
            return None
        rows = self._store.read(BUDGET)
        return rows.where(rows.population == self._privacy.population).first()

    def refuse_exhausted(self, run_id: str, loss: Loss) -> None:
        """Say before any work that a run cannot be paid; whether it is paid is decided by `reserve` alone.

        Raises:
            BudgetExhausted, PlanError, IntegrityError: as `reserve`.
        """
        head, period = self.head(), period_of(self._privacy.renews, self._now())
        left = head.left(period)
        self._check_terms(head)
        short = loss.epsilon > left.epsilon + SLACK or loss.delta > left.delta + SLACK * head.delta_total
        if run_id in head.runs or short or head.period > period:
            self._check_spent(head, run_id, loss, period)

    def covers(self, run_id: str, question: str, cost: float) -> bool:
        """Whether this cost of this question of this run has been spent."""
        return math.isclose(self._reserved.get(run_id, {}).get(question, 0.0), cost, rel_tol=SLACK)

    def head(self) -> Head:
        """The population's row; an unspent one when there is none."""
        privacy = self._privacy
        row = self._row()
        if row is None:
            period = period_of(privacy.renews, self._now())
            return Head(privacy.population_total, privacy.population_delta, privacy.renews, period, 0.0, 0.0, {}, {}, {})
        maps = dict(row.runs), dict(row.deltas), dict(row.periods)
        return Head(row.total, row.delta_total, row.renews, row.period, row.spent, row.delta_spent, *maps)

    def _check_terms(self, head: Head) -> None:
        privacy, name = self._privacy, self._privacy.population
        if abs(head.total - privacy.population_total) > SLACK:
            found = f"has a total of {head.total:g}, the plan says {privacy.population_total:g}; a plan cannot change it"
            raise PlanError([f"the ledger of population {name} {found}"], "privacy.population_total")
        if not math.isclose(head.delta_total, privacy.population_delta, rel_tol=SLACK):
            found = f"has a total δ of {head.delta_total:g}, the plan says {privacy.population_delta:g}; a plan cannot change it"
            raise PlanError([f"the ledger of population {name} {found}"], "privacy.population_delta")
        if head.renews != privacy.renews:
            found = f"renews {head.renews}, the plan says {privacy.renews}; a plan cannot change it"
            raise PlanError([f"the ledger of population {name} {found}"], "privacy.renews")

    def _check_spent(self, head: Head, run_id: str, loss: Loss, period: str) -> None:
        name = self._privacy.population
        spent = head.runs.get(run_id)
        if spent is None and period < head.period:
            raise IntegrityError(
                f"the clock is in {period}, the ledger of population {name} has spent in {head.period} already; set the "
                "clock; nothing was spent, nothing was published"
            )
        if spent is None:
            again, left = renewal(head.period), head.left(head.period)
            and_delta = f" and δ = {left.delta:g} of {head.delta_total:g}" if loss.delta else ""
            raise BudgetExhausted(
                f"privacy.epsilon: the run asks for {loss}, population {name} has {left.epsilon:g} of {head.total:g}{and_delta} left"
                f"{f' until {again}' if again else ''}; nothing was spent, nothing was published"
            )
        took = Loss(spent, head.deltas.get(run_id, 0.0))
        if abs(spent - loss.epsilon) > SLACK or not math.isclose(took.delta, loss.delta, rel_tol=SLACK):
            raise PlanError([f"run {run_id} has spent {took}, the plan now asks for {loss}"], "privacy.epsilon")

    def itemize(self, run_id: str, question: str, cost: float, composition: str, parts: str) -> None:
        """Write what a question costs, how that is made up, and its parts (JSON); again, it changes nothing.

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
                "epsilon": pa.array([cost if self.unit == "epsilon" else None], pa.float64()),
                "rho": pa.array([cost if self.unit == "rho" else None], pa.float64()),
                "composition": [composition],
                "parts": [parts],
                "at": pa.array([datetime.now(UTC)], pa.timestamp("us", "UTC")),
            }
        )
        self._store.append_once(BUDGET_ENTRIES, item, f"{self._privacy.population}/{run_id}/{question}")
