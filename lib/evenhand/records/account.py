"""What a population has spent of its budget: the sum of the ledger's entries, one for each run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Row

from evenhand.errors import BudgetExhausted, IntegrityError, PlanError
from evenhand.plan.periods import renewal
from evenhand.plan.privacy import Privacy

SLACK = 1e-9  # floating-point rounding of sums of shares; of δ, that part of it


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
class Account:
    """A population's terms, as its ledger was opened with, and what each run has spent in which period."""

    population: str
    total: float
    delta_total: float
    renews: str
    losses: dict[str, Loss]
    periods: dict[str, str]

    @classmethod
    def of(cls, entries: Sequence[Row], privacy: Privacy) -> Account:
        """From all rows of the population in `budget`; without any, as the plan opens it."""
        if not entries:
            return cls(privacy.population, privacy.population_total, privacy.population_delta, privacy.renews, {}, {})
        first = min(entries, key=lambda e: e.number)
        losses = {e.run_id: Loss(e.epsilon, e.delta) for e in entries}
        return cls(first.population, first.total, first.delta_total, first.renews, losses, {e.run_id: e.period for e in entries})

    @property
    def newest(self) -> str:
        """The last period in which something was spent; "" when nothing was."""
        return max(self.periods.values(), default="")

    def spent(self, period: str) -> Loss:
        mine = [loss for run, loss in self.losses.items() if self.periods[run] == period]
        return Loss(math.fsum(loss.epsilon for loss in mine), math.fsum(loss.delta for loss in mine))

    def left(self, period: str) -> Loss:
        spent = self.spent(period)
        return Loss(max(self.total - spent.epsilon, 0.0), max(self.delta_total - spent.delta, 0.0))

    def check_terms(self, privacy: Privacy) -> None:
        """Raises PlanError when the plan states another total or renewal than the ledger was opened with."""
        if abs(self.total - privacy.population_total) > SLACK:
            found = f"has a total of {self.total:g}, the plan says {privacy.population_total:g}; a plan cannot change it"
            raise PlanError([f"the ledger of population {self.population} {found}"], "privacy.population_total")
        if not math.isclose(self.delta_total, privacy.population_delta, rel_tol=SLACK):
            found = f"has a total δ of {self.delta_total:g}, the plan says {privacy.population_delta:g}; a plan cannot change it"
            raise PlanError([f"the ledger of population {self.population} {found}"], "privacy.population_delta")
        if self.renews != privacy.renews:
            found = f"renews {self.renews}, the plan says {privacy.renews}; a plan cannot change it"
            raise PlanError([f"the ledger of population {self.population} {found}"], "privacy.renews")

    def check_paid(self, run_id: str, loss: Loss) -> bool:
        """Whether the run has spent that already.

        Raises:
            PlanError: it has spent another.
        """
        spent = self.losses.get(run_id)
        if spent is None:
            return False
        if abs(spent.epsilon - loss.epsilon) > SLACK or not math.isclose(spent.delta, loss.delta, rel_tol=SLACK):
            raise PlanError([f"run {run_id} has spent {spent}, the plan now asks for {loss}"], "privacy.epsilon")
        return True

    def check_covers(self, loss: Loss, period: str) -> None:
        """Whether the period's budget covers what a run would take.

        Raises:
            IntegrityError: something was spent in a later period already.
            BudgetExhausted: too little is left.
        """
        if period < self.newest:
            raise IntegrityError(
                f"the clock is in {period}, the ledger of population {self.population} has spent in {self.newest} already; set the "
                "clock; nothing was spent, nothing was published"
            )
        left, again = self.left(period), renewal(period)
        if loss.epsilon > left.epsilon + SLACK or loss.delta > left.delta + SLACK * self.delta_total:
            and_delta = f" and δ = {left.delta:g} of {self.delta_total:g}" if loss.delta else ""
            raise BudgetExhausted(
                f"privacy.epsilon: the run asks for {loss}, population {self.population} has {left.epsilon:g} of {self.total:g}"
                f"{and_delta} left{f' until {again}' if again else ''}; nothing was spent, nothing was published"
            )
