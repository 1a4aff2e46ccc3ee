"""The privacy budget: how much, of whom, for how long, and how it is divided."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from evenhand.plan.accounting import Unit, rho_of
from evenhand.plan.base import Model, Name, Number, Share, Text
from evenhand.plan.periods import Renews

SIZE_SHARE = 0.2  # of the profiles' ε for the sizes of the segments, the rest for the features
# Of the fairness statistics' ε: tables of groups by segment, mean costs by group, and which features tell the group.
TABLES_SHARE, COSTS_SHARE, PROXIES_SHARE = 0.7, 0.15, 0.15


class Split(Model):
    """How ε, or ρ, is divided. The summary decides where the segments are, so it gets the most.

    `bounds` is taken first, and only when a feature has none in the plan: then its share of ε finds them, and the others
    divide what is left. A tenth of ε = 1 finds a range among some 2,500 customers; of several features each gets its part of it.
    """

    bounds: Share = Field(
        default=0.1,
        description="For finding the bounds that features leave out. Taken first, and only where there are such features, which divide it evenly.",
    )
    summary: Share = Field(default=0.6, description="For learning where the segments are, with mitigation.")
    profiles: Share = Field(default=0.2, description="For the sizes and typical values of the segments.")
    fairness: Share = Field(
        default=0.2, description="For the fairness statistics. `summary`, `profiles` and `fairness` add up to 1."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.summary + self.profiles + self.fairness
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of summary, profiles and fairness add up to {total:g}; they must add up to 1")
        return self


MOST_EXPECTED_TO_FAIL = 0.1  # customers: δ is a chance for each of them that the promise does not hold


class Moved(Model):
    """Why people are no longer counted as the ledger has counted them; it stands in the audit log of each run."""

    before: Text = Field(
        alias="from",
        description="What the ledger knows: a population, a customer table's place or Delta id, or an id column. The refusal names it.",
    )
    reason: Text = Field(description="Why these are the same people.")

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Privacy(Model):
    """The privacy budget of this run, and of the population over all runs."""

    epsilon: Number = Field(gt=0, le=100, description="What this run may spend. Smaller is more private, and noisier.")
    population: Name = Field(description="The name under which the ledger knows these people. It stays the same over all plans.")
    population_moved: Moved | None = Field(
        default=None, description="Only where the ledger knows the people under another name, table or id column."
    )
    population_total: Number = Field(
        gt=0,
        le=1000,
        description="What all runs on these people, and all counts of surveys and outcomes, may spend together; of a plan that `renews`, in one period.",
    )
    delta: Number | None = Field(
        default=None,
        gt=0,
        le=1e-3,
        description="The chance with which ε may be exceeded: Gaussian noise, and a weaker promise. It pays for very many features only.",
    )
    population_delta: Number = Field(
        default=0.0, ge=0, le=1e-2, description="As `population_total`, for `delta`. At 0 no run may spend any."
    )
    renews: Renews = Field(
        default="never",
        description="When the total begins anew, by calendar in UTC. The promise is then per period, and over several what they spent adds up.",
    )
    expected_customers: int = Field(  # far beyond everybody it is a slip of the pen
        ge=1,
        le=10**12,
        description="A public estimate of how many customers there will be. It decides how the segments are learned; the exact number "
        "decides nothing. A run says so where the noisy count is less than half or more than twice as many.",
    )
    split: Split = Field(default=Split(), description="How ε is divided.")
    minimum_cell: int = Field(default=20, ge=0, description="Counts that are below it, noise included, are not shown.")

    @model_validator(mode="after")
    def _covers_one_run(self) -> Self:
        if self.epsilon > self.population_total:
            raise ValueError(f"epsilon {self.epsilon:g} is more than population_total {self.population_total:g}")
        if self.delta is not None and self.delta > self.population_delta:
            raise ValueError(
                f"delta {self.delta:g} is more than population_delta {self.population_delta:g}; state both, or neither"
            )
        if self.delta is not None and self.delta * self.expected_customers > MOST_EXPECTED_TO_FAIL:
            most = MOST_EXPECTED_TO_FAIL / self.expected_customers
            raise ValueError(
                f"delta {self.delta:g} is too large for {self.expected_customers:,} customers, some of whom would lose more than epsilon; "
                f"at most {most:.1g}"
            )
        return self

    @property
    def unit(self) -> Unit:
        """In what the questions of a run are priced."""
        return "epsilon" if self.delta is None else "rho"

    @property
    def budget(self) -> float:
        """What a run may spend, in its unit."""
        return self.epsilon if self.delta is None else rho_of(self.epsilon, self.delta)

    @property
    def runs_covered(self) -> int:
        """How many runs like this one the total covers, in a period where it renews."""
        runs = self.population_total / self.epsilon
        if self.delta is not None:
            runs = min(runs, self.population_delta / self.delta)
        return int(runs + 1e-9)
