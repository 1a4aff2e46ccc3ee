"""What a run spent and what is left of its population's budget."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date

from evenhand.plan.method import ASSESSMENT, BOUNDS, DISTRIBUTION, MOVEMENT, Method
from evenhand.plan.models import Plan
from evenhand.plan.periods import ALWAYS, renewal
from evenhand.plan.privacy import Privacy
from evenhand.records.ledger import read_book
from evenhand.report.words import Rows
from evenhand.tables import catalog
from evenhand.tables.store import Store


@dataclass(frozen=True)
class Budget:
    """The population's ledger, and what the run's answers cost, part by part."""

    total: float
    spent: float
    parts: Rows  # question, name, cells, sensitivity, epsilon or rho, scale, because
    period: str = ALWAYS  # the newest in which anything was spent
    delta_total: float = 0.0
    delta_spent: float = 0.0

    @property
    def left(self) -> float:
        return max(self.total - self.spent, 0.0)

    @property
    def delta_left(self) -> float:
        return max(self.delta_total - self.delta_spent, 0.0)

    def runs_left(self, epsilon: float, delta: float | None = None) -> int:
        """How many more runs of that ε, and δ, the totals cover, in this period."""
        by_delta = math.inf if delta is None else self.delta_left / delta
        return int(min(self.left / epsilon, by_delta) + 1e-9)

    @property
    def renews(self) -> date | None:
        return renewal(self.period)

    def as_facts(self, privacy: Privacy) -> dict[str, object]:
        """For programs: of the population in the newest period, and how many more runs of this plan that covers."""
        return {
            "population": privacy.population,
            "period": self.period,
            "epsilon": privacy.epsilon,
            "epsilon_total": self.total,
            "epsilon_spent": self.spent,
            "epsilon_left": self.left,
            "runs_left": self.runs_left(privacy.epsilon, privacy.delta),
        }


def read_budget(store: Store, plan: Plan, run_id: str) -> Budget:
    account = read_book(store).account(plan.privacy)
    spent = account.spent(account.newest)
    answers = store.read(catalog.BUDGET_ENTRIES, run_id).select("question", "parts").collect()
    asked = [BOUNDS, *Method.of(plan).questions, ASSESSMENT, DISTRIBUTION, MOVEMENT]
    answers.sort(key=lambda answer: asked.index(answer.question) if answer.question in asked else len(asked))
    parts = [{"question": a.question, **part} for a in answers for part in json.loads(a.parts)]
    return Budget(account.total, spent.epsilon, parts, account.newest, account.delta_total, spent.delta)
