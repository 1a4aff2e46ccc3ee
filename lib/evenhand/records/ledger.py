"""The population's privacy budget: what a run may spend is taken before any noise is drawn, all of it or nothing."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa

from evenhand.errors import ClosedDoor, IntegrityError
from evenhand.plan.accounting import Unit
from evenhand.plan.periods import period_of
from evenhand.plan.privacy import Privacy
from evenhand.records.account import SLACK, Account, Loss
from evenhand.records.audit import SPEND, AuditLog
from evenhand.records.book import Book
from evenhand.records.evidence import evidence
from evenhand.records.people import People
from evenhand.tables.arrow import timestamp
from evenhand.tables.catalog import BUDGET, BUDGET_ENTRIES
from evenhand.tables.store import Store


class Priced(Protocol):
    """A question as the ledger knows it: what it costs in the run's unit, how that is made up, and its parts as JSON."""

    @property
    def name(self) -> str: ...
    @property
    def cost(self) -> float: ...
    @property
    def composition(self) -> str: ...
    @property
    def described(self) -> str: ...


class Ledger:
    """What one run spends from the ledger of its zone, which is open: it holds no figure about people.

    One row an entry, numbered from 1 through all populations and periods. Reading what is left and appending would be a
    race, since blind appends never conflict. These are not blind: the entry's number stands in the commit as the version of
    a Delta transaction, and Delta refuses or skips a commit whose number is taken. So an entry stands only where what was
    read before it was the whole ledger. The audit log, in the other zone, holds each spending too.
    """

    def __init__(
        self,
        store: Store,
        audit: AuditLog,
        privacy: Privacy,
        people: People,
        private: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`people` is whom the plan's population is, `private` whether the noise of this run is."""
        self.store, self._audit, self._privacy, self._now = store, audit, privacy, now
        self._people, self._private = people, private
        self._name = secrets.token_hex(8)  # of this process, in the entries that it writes
        self._known: Book | None = None
        self._reserved: dict[str, dict[str, float]] = {}
        self._unlogged: dict[str, Loss] = {}

    @property
    def unit(self) -> Unit:
        """In what the questions of this run are priced."""
        return self._privacy.unit

    def account(self) -> Account:
        """What the ledger says now of the plan's population."""
        return self._look().account(self._privacy)

    def refuse(self, run_id: str, loss: Loss, spending: Callable[[], Mapping[str, float]] | None = None) -> None:
        """Say before any work that a run may not spend; whether it does is decided by `reserve` alone.

        `spending` is what the audit log says, where somebody has read it.

        Raises:
            BudgetExhausted, PlanError, OutputError, IntegrityError: as `reserve`, or another table knows of spending that the
                ledger does not.
        """
        # Before the ledger: what is known elsewhere stood in the ledger before.
        elsewhere, logged = evidence(self.store), (spending or self._audit.spending)()
        book = self._look()
        book.check_logged(logged)
        book.check_evidence(elsewhere)
        account = self._allowed(book)
        if not account.check_paid(run_id, loss):
            account.check_covers(loss, period_of(self._privacy.renews, self._now()))

    def reserve(self, run_id: str, questions: Mapping[str, float]) -> None:
        """Spend what all questions of a run take at once; a run that already did is not charged again (`paid_by_another`).

        It is charged to the period of the clock at this moment, not of the run's `as_of`, which whoever starts the run
        is free to choose; resumed later, it stays charged to that period.

        Raises:
            BudgetExhausted: the population's total does not cover it; nothing was spent.
            PlanError: the plan states another total, renewal or people than the ledger knows; nothing was spent.
            OutputError: the noise is private and the zone is not, or the other way round; nothing was spent.
            IntegrityError: the ledger is older than the audit log, or than its own newest entry or period.
        """
        if self._reserved.get(run_id) == dict(questions):
            return
        loss = self.loss_of(questions)
        with ThreadPoolExecutor(1) as pool:
            logging = pool.submit(self._audit.spending)
            known = self._known or self._look()  # if others have spent since, the number is taken, and it is read again
            self._pay(known, run_id, loss)
            logged = logging.result()
        book = self._look()  # after the log: what is in the log stood in the ledger before
        book.check_logged(logged)
        while not self._allowed(book).check_paid(run_id, loss):
            if len(book.entries) <= len(known.entries):
                raise IntegrityError(
                    f"the ledger ({book.address}) is older than its own newest entry: it was rolled back; put the newest back; "
                    "nothing was spent, nothing was released"
                )
            self._pay(book, run_id, loss)
            known, book = book, self._look()
        if run_id not in logged:
            self._unlogged[run_id] = loss
        self._reserved[run_id] = dict(questions)

    def paid_by_another(self, run_id: str) -> bool:
        """Whether what is reserved for a run was paid by another process, in a start of the run before this one."""
        return bool((self._known or self._look()).of_run[run_id].paid_by != self._name)

    def has_paid(self, run_id: str) -> bool:
        """Whether the ledger says now that a run has spent."""
        return run_id in self.account().losses

    def _look(self) -> Book:
        self._known = read_book(self.store)
        return self._known

    def _allowed(self, book: Book) -> Account:
        """The account of the population, where this run may spend from it at all."""
        account = book.account(self._privacy)
        account.check_terms(self._privacy)
        book.check_people(self._privacy, self._people)
        book.check_noise(self._private)
        return account

    def loss_of(self, questions: Mapping[str, float]) -> Loss:
        """What the questions of a run take together: the sum of their ε, or the plan's (ε, δ) that their ρ fit into."""
        privacy, cost = self._privacy, sum(questions.values())
        if privacy.unit == "epsilon":
            return Loss(cost)
        if cost > privacy.budget * (1 + SLACK):
            raise ClosedDoor(f"the questions cost ρ = {cost:g}, more than (ε, δ) allows")
        return Loss.of(privacy)

    def _pay(self, book: Book, run_id: str, loss: Loss) -> None:
        """Append the run's entry as the next one, if the ledger lacks it and the budget covers it."""
        privacy, people, period = self._privacy, self._people, period_of(self._privacy.renews, self._now())
        account = self._allowed(book)
        if run_id in account.losses:
            return
        account.check_covers(loss, period)
        number = len(book.entries) + 1
        entry = {
            "population": [privacy.population],
            "customers_table": [people.table],
            "customers_location": [people.location],
            "id_column": [people.id_column],
            "number": [number],
            "run_id": [run_id],
            "paid_by": [self._name],
            "period": [period],
            "epsilon": [loss.epsilon],
            "delta": [loss.delta],
            "total": [privacy.population_total],
            "delta_total": [privacy.population_delta],
            "renews": [privacy.renews],
            "not_private": [not self._private],
            "at": timestamp(datetime.now(UTC)),
        }
        self.store.append_once(BUDGET, pa.table(entry), "entries", number)

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
            spent: dict[str, object] = {"population": self._privacy.population, "epsilon": loss.epsilon, "delta": loss.delta}
            self._audit.add(run_id, SPEND, spent | {"customers": str(self._people), "not_private": not self._private})

    def itemize(self, run_id: str, questions: Sequence[Priced]) -> None:
        """Write what each question costs, how that is made up, and its parts; again, it changes nothing.

        The door does so once the noisy answers are stored, and before anybody sees them: so an entry without a stored answer
        says that an answer is lost which was seen.
        """
        number, names = len(questions), [question.name for question in questions]
        costs = {unit: [q.cost if self.unit == unit else None for q in questions] for unit in ("epsilon", "rho")}
        items = {
            "population": [self._privacy.population] * number,
            "period": [(self._known or self._look()).of_run[run_id].period] * number,
            "run_id": [run_id] * number,
            "question": names,
            "epsilon": pa.array(costs["epsilon"], pa.float64()),
            "rho": pa.array(costs["rho"], pa.float64()),
            "composition": [question.composition for question in questions],
            "parts": [question.described for question in questions],
            "at": timestamp(datetime.now(UTC), number),
        }
        self.store.append_once(BUDGET_ENTRIES, pa.table(items), f"{self._privacy.population}/{run_id}/{'+'.join(names)}")


def read_book(store: Store) -> Book:
    """What the ledger of a zone says now; empty where it has not begun.

    Raises:
        IntegrityError: an entry is missing or stands twice.
    """
    return Book.of(store.read(BUDGET).collect() if store.exists(BUDGET) else [], store.address(BUDGET))
