"""The population's privacy budget: what a run may spend is taken before any noise is drawn, all of it or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import functions as F

from evenhand.errors import ClosedDoor, IntegrityError
from evenhand.governance.audit import SPEND, AuditLog
from evenhand.plan.accounting import Unit
from evenhand.plan.periods import period_of
from evenhand.plan.privacy import Privacy
from evenhand.privacy.account import SLACK, Account, Loss
from evenhand.privacy.question import Question, described
from evenhand.tables.catalog import BUDGET, BUDGET_ENTRIES
from evenhand.tables.store import Store, timestamp


class Ledger:
    """The ledger of one population, in the open zone: it holds no figure about people.

    One row an entry, numbered from 1 through all periods. Reading what is left and appending would be a race, since blind
    appends never conflict. These are not blind: the entry's number stands in the commit as the version of a Delta
    transaction of the population, and Delta refuses or skips a commit whose number is taken. So an entry stands only
    where what was read before it was the whole ledger. The audit log, in the other zone, holds each spending too.
    """

    def __init__(
        self, store: Store, audit: AuditLog, privacy: Privacy, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._audit, self._privacy, self._now = store, audit, privacy, now
        self._known: Account | None = None
        self._reserved: dict[str, dict[str, float]] = {}
        self._unlogged: dict[str, Loss] = {}

    @property
    def unit(self) -> Unit:
        """In what the questions of this run are priced."""
        return self._privacy.unit

    def account(self) -> Account:
        """What the ledger says now."""
        entries = []
        if self._store.exists(BUDGET):
            entries = self._store.read(BUDGET).where(F.col("population") == self._privacy.population).collect()
        self._known = Account.of(entries, self._privacy)
        return self._known

    def refuse_exhausted(self, run_id: str, loss: Loss) -> None:
        """Say before any work that a run cannot be paid; whether it is paid is decided by `reserve` alone.

        Raises:
            BudgetExhausted, PlanError, IntegrityError: as `reserve`.
        """
        account = self.account()
        account.check_terms(self._privacy)
        if not account.check_paid(run_id, loss):
            account.check_covers(loss, period_of(self._privacy.renews, self._now()))

    def reserve(self, run_id: str, questions: Mapping[str, float]) -> None:
        """Spend what all questions of a run take at once; a run that already did is not charged again.

        It is charged to the period of the clock at this moment, not of the run's `as_of`, which whoever starts the run
        is free to choose; resumed later, it stays charged to that period.

        Raises:
            BudgetExhausted: the population's total does not cover it; nothing was spent.
            PlanError: the plan states another total or renewal than the ledger was opened with; nothing was spent.
            IntegrityError: the ledger is older than the audit log, or than its own newest entry or period.
        """
        if self._reserved.get(run_id) == dict(questions):
            return
        loss = self._loss(questions)
        with ThreadPoolExecutor(1) as pool:
            logging = pool.submit(self._audit.spending, self._privacy.population)
            known = self._known or self.account()  # if others have spent since, the number is taken, and it is read again
            self._pay(known, run_id, loss)
            logged = logging.result()
        account = self.account()  # after the log: what is in the log stood in the ledger before
        account.check_holds(logged, self._store.address(BUDGET))
        while not account.check_paid(run_id, loss):
            if len(account.losses) <= len(known.losses):
                raise IntegrityError(
                    f"the ledger of population {self._privacy.population} ({self._store.address(BUDGET)}) is older than its own "
                    "newest entry: it was rolled back; put the newest back; nothing was spent, nothing was released"
                )
            self._pay(account, run_id, loss)
            known, account = account, self.account()
        if run_id not in logged:
            self._unlogged[run_id] = loss
        self._reserved[run_id] = dict(questions)

    def has_paid(self, run_id: str) -> bool:
        """Whether the ledger says now that a run has spent."""
        return run_id in self.account().losses

    def _loss(self, questions: Mapping[str, float]) -> Loss:
        """What the questions of a run take together: the sum of their ε, or the plan's (ε, δ) that their ρ fit into."""
        privacy, cost = self._privacy, sum(questions.values())
        if privacy.unit == "epsilon":
            return Loss(cost)
        if cost > privacy.budget * (1 + SLACK):
            raise ClosedDoor(f"the questions cost ρ = {cost:g}, more than (ε, δ) allows")
        return Loss.of(privacy)

    def _pay(self, account: Account, run_id: str, loss: Loss) -> None:
        """Append the run's entry as the next one, if the account lacks it and the budget covers it."""
        privacy, period = self._privacy, period_of(self._privacy.renews, self._now())
        account.check_terms(privacy)
        if run_id in account.losses:
            return
        account.check_covers(loss, period)
        number = len(account.losses) + 1
        entry = {
            "population": [privacy.population],
            "number": [number],
            "run_id": [run_id],
            "period": [period],
            "epsilon": [loss.epsilon],
            "delta": [loss.delta],
            "total": [privacy.population_total],
            "delta_total": [privacy.population_delta],
            "renews": [privacy.renews],
            "at": timestamp(datetime.now(UTC)),
        }
        self._store.append_once(BUDGET, pa.table(entry), privacy.population, number)

    def covers(self, run_id: str, question: str, cost: float) -> bool:
        """Whether this cost of this question of this run has been spent."""
        return math.isclose(self._reserved.get(run_id, {}).get(question, 0.0), cost, rel_tol=SLACK)

    def log(self, run_id: str) -> None:
        """Write into the audit log what a run has reserved, if it lacks that.

        A process that dies before leaves a spending that the log lacks, which is no contradiction. The door waits for this
        before it adds noise.
        """
        if run_id in self._unlogged:
            loss = self._unlogged.pop(run_id)
            spent = {"population": self._privacy.population, "epsilon": loss.epsilon, "delta": loss.delta}
            self._audit.add(run_id, SPEND, spent)

    def itemize(self, run_id: str, questions: Sequence[Question]) -> None:
        """Write what each question costs, how that is made up, and its parts; again, it changes nothing.

        The door does so once the noisy answers are stored, and before anybody sees them: so an entry without a stored answer
        says that an answer is lost which was seen.
        """
        number, names = len(questions), [question.name for question in questions]
        costs = {unit: [q.cost if self.unit == unit else None for q in questions] for unit in ("epsilon", "rho")}
        items = {
            "population": [self._privacy.population] * number,
            "period": [(self._known or self.account()).periods.get(run_id)] * number,
            "run_id": [run_id] * number,
            "question": names,
            "epsilon": pa.array(costs["epsilon"], pa.float64()),
            "rho": pa.array(costs["rho"], pa.float64()),
            "composition": [question.composition for question in questions],
            "parts": [described(question.parts) for question in questions],
            "at": timestamp(datetime.now(UTC), number),
        }
        self._store.append_once(BUDGET_ENTRIES, pa.table(items), f"{self._privacy.population}/{run_id}/{'+'.join(names)}")
