"""The plan: what one run may read, compute and write, and why. Nothing happens that is not stated here.

Every default that a data protection officer might argue about stands in this file, with a sentence.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from evenhand.plan.accounting import Unit, rho_of
from evenhand.plan.expressions import ExpressionError, inspect_aggregate, inspect_condition
from evenhand.plan.periods import Renews

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Column = Annotated[str, StringConstraints(min_length=1, max_length=255)]


def _finite(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number is needed")
    return value


Number = Annotated[float, BeforeValidator(_finite)]
Share = Annotated[float, BeforeValidator(_finite), Field(gt=0, lt=1)]


def _kind(value: Any) -> str:
    return "by-keys" if isinstance(value, dict | BaseModel) else "plain"


# A value that is either plain or a mapping: mistakes are told for the form that was written, not for both.
EitherForm = Discriminator(_kind)

RESERVED = {"run_id", "pseudonym", "key_id", "segment", "imputed", "clipped", "as_of", "box", "noisy_count", "joint_group"}


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Table(Model):
    """A Delta table, by `path` or by catalog `name`, now or at a stated `version` or `timestamp`."""

    path: Text | None = None
    name: Text | None = None
    version: int | None = Field(default=None, ge=0)
    timestamp: datetime | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.name is None):
            raise ValueError("state either path or name")
        if self.version is not None and self.timestamp is not None:
            raise ValueError("state version or timestamp, not both")
        return self

    @property
    def address(self) -> str:
        return self.path or self.name or ""


class KeepLatest(Model):
    """Of several rows with one id the one with the greatest value in `keep_latest_by` stays."""

    keep_latest_by: Column


class Customers(Table):
    """The customer table: one row a customer."""

    id: Column
    duplicates: Annotated[Annotated[Literal["refuse"], Tag("plain")] | Annotated[KeepLatest, Tag("by-keys")], EitherForm] = (
        "refuse"  # nobody is counted twice unless the plan says how to choose
    )


class Events(Table):
    """A table with many rows a customer. Rows at or after the run's `as_of` are not read."""

    id: Column
    time: Column
    where: Text | None = None

    @field_validator("where")
    @classmethod
    def _condition(cls, text: str | None) -> str | None:
        if text is not None:
            _checked(inspect_condition, text)
        return text


class Consent(Table):
    """The consent events, in the columns of the design: purpose, state, recorded_at, expires_at and the id."""

    id: Column = "customer_id"


class Sources(Model):
    customers: Customers
    consent: Consent
    events: dict[Name, Events] = Field(default_factory=dict)


class Words(Model):
    """How a segment is described that is low or high in the feature, for instance "buys seldom", "buys often"."""

    low: Text
    high: Text


class Feature(Model):
    """One number a customer: a column of the customer table, or an aggregate `expression` over an event table."""

    name: Name
    why: Text
    column: Column | None = None
    events: Name | None = None
    expression: Text | None = None
    bounds: tuple[Number, Number] | None = None  # public; without them they are found privately, from split.bounds
    scale: Literal["linear", "log"] = "linear"  # log is log1p(value - lower bound)
    missing: Number
    unit: str = ""
    words: Words | None = None
    # What the noise said, once it did. No part of the plan: not in its text, its fingerprint or its canonical form.
    _found: tuple[float, float] | None = PrivateAttr(default=None)

    @field_validator("bounds")
    @classmethod
    def _ordered(cls, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
        if bounds is None:
            return None
        low, high = bounds
        if low == high:
            raise ValueError(f"the bounds are equal ({low:g}); the second must be greater than the first")
        if low > high:
            raise ValueError(f"the bounds are reversed; write [{high:g}, {low:g}]")
        if not math.isfinite(high - low):
            raise ValueError("the bounds are too far apart for floating point")
        return bounds

    @field_validator("expression")
    @classmethod
    def _aggregate(cls, text: str | None) -> str | None:
        if text is not None:
            _checked(inspect_aggregate, text)
        return text

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        from_events = self.events is not None or self.expression is not None
        if (self.column is not None) == from_events:
            raise ValueError("state either column, or events with expression")
        if from_events and (self.events is None or self.expression is None):
            raise ValueError("events and expression belong together")
        if self.bounds is not None and not self.bounds[0] <= self.missing <= self.bounds[1]:
            raise ValueError(f"missing is {self.missing:g}, outside the bounds [{self.bounds[0]:g}, {self.bounds[1]:g}]")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """The plan's bounds, or those that were found privately."""
        bounds = self.bounds or self._found
        if bounds is None:
            raise RuntimeError(f"the bounds of feature {self.name} are not found yet")
        return bounds

    def within(self, low: float, high: float) -> Self:
        """The feature with bounds that were found; widened to what is missing, which is public."""
        feature = self.model_copy()
        feature._found = (min(low, self.missing), max(high, self.missing))
        return feature

    @property
    def in_words(self) -> Words:
        human = self.name.replace("_", " ")
        return self.words or Words(low=f"low {human}", high=f"high {human}")


class Reference(Model):
    """Shares of groups outside of this run, for instance in the census, that segments are held against."""

    name: Text
    shares: dict[Text, Share]

    @field_validator("shares")
    @classmethod
    def _at_most_everybody(cls, shares: dict[str, float]) -> dict[str, float]:
        if sum(shares.values()) > 1 + 1e-9:
            raise ValueError(f"the shares add up to {sum(shares.values()):g}; they must not be more than 1")
        return shares


class Attribute(Model):
    """A protected attribute: whose groups are compared, never a feature. The groups are public and fixed here.

    Either `groups` (group name to the values that belong to it) or `bands` (ascending cuts of a number). Values
    that no group names are in `others`; null is in `unknown`.
    """

    name: Name
    why: Text
    column: Column
    groups: dict[Text, list[str | int | bool]] | None = None
    bands: list[Number] | None = Field(default=None, min_length=1)
    others: Text = "other"
    unknown: Text = "unknown"
    # What is even: a group's share among all customers of this run unless another reference is stated.
    reference: Annotated[
        Annotated[Literal["customers", "last_run"], Tag("plain")] | Annotated[Reference, Tag("by-keys")], EitherForm
    ] = "customers"

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.groups is None) == (self.bands is None):
            raise ValueError("state either groups or bands")
        if self.bands is not None and any(a >= b for a, b in zip(self.bands, self.bands[1:], strict=False)):
            raise ValueError("the bands must ascend")
        names = self.group_names
        if len(set(names)) != len(names):
            raise ValueError(f"a group is named twice among {', '.join(names)}")
        values = [str(v) for vs in (self.groups or {}).values() for v in vs]
        if len(set(values)) != len(values):
            raise ValueError("a value is in two groups")
        if isinstance(self.reference, Reference):
            for group in self.reference.shares:
                if group not in names:
                    raise ValueError(f"reference.shares: no group {group}; known: {', '.join(names)}")
        return self

    @property
    def group_names(self) -> list[str]:
        """Every group a customer can be in, in the order of its code in `prepared`."""
        if self.bands is not None:
            cuts = [f"{b:g}" for b in self.bands]
            between = [f"{a} to under {b}" for a, b in zip(cuts, cuts[1:], strict=False)]
            return [f"under {cuts[0]}", *between, f"{cuts[-1]} and over", self.unknown]
        return [*(self.groups or {}), self.others, self.unknown]


class KRange(Model):
    """The number of segments is chosen on the private summary, at no further budget."""

    at_least: int = Field(ge=2)
    at_most: int = Field(le=100)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.at_least >= self.at_most:
            raise ValueError("at_least must be smaller than at_most")
        return self


class Segments(Model):
    k: Annotated[Annotated[int, Field(ge=2, le=100), Tag("plain")] | Annotated[KRange, Tag("by-keys")], EitherForm]
    mllib_seeds: int = Field(default=3, ge=1, le=20)  # how many MLlib fits compete
    restarts: int = Field(default=24, ge=1, le=1000)  # how many k-means++ restarts compete with them

    @property
    def candidates(self) -> range:
        return range(self.k, self.k + 1) if isinstance(self.k, int) else range(self.k.at_least, self.k.at_most + 1)


SIZE_SHARE = 0.2  # of the profiles' ε for the sizes of the segments, the rest evenly for the features
# Of the fairness statistics' ε: tables of groups by segment, mean costs by group, and which features tell the group.
TABLES_SHARE, COSTS_SHARE, PROXIES_SHARE = 0.7, 0.15, 0.15


class Split(Model):
    """How ε, or ρ, is divided. The summary decides where the segments are, so it gets the most.

    `bounds` is taken first, and only when a feature has none in the plan: then its share of ε finds them, and the others
    divide what is left. A tenth of ε = 1 finds a range among some 2,500 customers; of several features each gets its part of it.
    """

    bounds: Share = 0.1
    summary: Share = 0.6
    profiles: Share = 0.2
    fairness: Share = 0.2

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.summary + self.profiles + self.fairness
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of summary, profiles and fairness add up to {total:g}; they must add up to 1")
        return self


MOST_EXPECTED_TO_FAIL = 0.1  # customers: δ is a chance for each of them that the promise does not hold


class Privacy(Model):
    """The privacy budget of this run, and of the population over all runs."""

    epsilon: Number = Field(gt=0, le=100)
    population: Name
    population_total: Number = Field(gt=0, le=1000)  # over all runs, or over those of one period when it renews
    # None: pure ε, the stronger promise. With a δ, ε may be exceeded with that chance; it pays for many features only.
    delta: Number | None = Field(default=None, gt=0, le=1e-3)
    population_delta: Number = Field(default=0.0, ge=0, le=1e-2)  # as population_total; 0 lets no run spend any δ
    renews: Renews = "never"  # with another value the promise is per calendar period; over several their ε add up
    expected_customers: int = Field(ge=1)  # a public estimate; the exact number is never used to decide anything
    split: Split = Split()
    minimum_cell: int = Field(default=20, ge=0)  # noisy counts below it are suppressed

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


class Pseudonyms(Model):
    """Where the key is: a reference, never the key. `key_id` stands beside each pseudonym, so that keys can change."""

    key_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
    key_file: Text | None = None
    key_env: Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.key_file is None) == (self.key_env is None):
            raise ValueError("state either key_file or key_env")
        return self


class Thresholds(Model):
    """What counts as even, per statistic: at least this for ratios and balance, at most this for the others."""

    representation_ratio: Share = 0.8  # the four-fifths rule, on the worst cell
    balance: Share = 0.2
    total_variation: Share = 0.2
    jensen_shannon: Share = 0.2
    cramers_v: Share = 0.2  # from 0.2 on an association is commonly called moderate (Rea and Parker, 1992)
    mutual_information: Share = 0.1  # bits; a segment that tells so much narrows the group down by 7 %
    selection_ratio: Share = 0.8  # the four-fifths rule
    selection_difference: Share = 0.1
    cost_ratio: Number = Field(default=1.25, ge=1)  # the worst-served group's mean squared distance over everybody's


class Offer(Model):
    """Who is offered something: the segments by number, or those whose center lies in the stated ranges of features."""

    name: Name
    why: Text
    segments: list[Annotated[int, Field(ge=1, le=100)]] | None = Field(default=None, min_length=1)
    where: dict[Name, tuple[Number | None, Number | None]] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.segments is None) == (self.where is None):
            raise ValueError("state either segments or where")
        return self


class Bounds(Model):
    """How present each group must be in each segment, as a representation ratio: share in the segment over share of everybody.

    `shares` states the lowest and highest share of a segment for some groups instead, by attribute and group.
    """

    at_least: Number = Field(default=0.8, gt=0, le=1)  # the four-fifths rule
    at_most: Number = Field(default=1.25, ge=1)
    shares: dict[Name, dict[Text, tuple[Number, Number]]] = Field(default_factory=dict)

    @field_validator("shares")
    @classmethod
    def _shares(cls, shares: dict[str, dict[str, tuple[float, float]]]) -> dict[str, dict[str, tuple[float, float]]]:
        for attribute, groups in shares.items():
            for group, (low, high) in groups.items():
                if not 0 <= low <= high <= 1:
                    raise ValueError(
                        f"{attribute}, {group}: two ascending shares between 0 and 1 are needed, not {low:g}, {high:g}"
                    )
        return shares


class Mitigation(Model):
    """How the segments are made fairer.

    `group_blind` lowers the worst-off group's mean cost, and assigns without looking at the group. `balanced` keeps every
    group's presence in every segment within bounds; it reads the group when it assigns, so it needs a justification.
    """

    method: Literal["group_blind", "balanced"]
    attributes: list[Name] = Field(default_factory=list)  # all protected ones unless stated
    justification: Text | None = None
    share: Share = 0.4  # of the summary's ε, for the questions about groups
    bounds: Bounds = Bounds()

    @model_validator(mode="after")
    def _justified(self) -> Self:
        if self.method == "balanced" and self.justification is None:
            raise ValueError(
                "balanced reads the protected group of each customer when it assigns a segment, which may be unlawful; "
                "state in justification why it is needed and allowed here"
            )
        return self


class Fairness(Model):
    intersections: list[Annotated[list[Name], Field(min_length=2, max_length=4)]] = Field(default_factory=list, max_length=10)
    offers: list[Offer] = Field(default_factory=list, max_length=20)
    thresholds: Thresholds = Thresholds()
    mitigation: Mitigation | None = None  # off: the segments are as the features make them
    when_uneven: Literal["report", "block"] = "report"  # block publishes nothing when a verdict is "uneven"


class Output(Model):
    """Where the two zones are: a folder (`path`) or a catalog schema (`schema`) each, and the folder for reports."""

    restricted: Place
    open: Place
    reports: Text = "reports"

    @model_validator(mode="after")
    def _apart(self) -> Self:
        a, b = self.restricted, self.open
        if a.path and b.path:
            one, other = (PurePath(os.path.normpath(p)).parts for p in (a.path, b.path))
            if one[: len(other)] == other or other[: len(one)] == one:
                raise ValueError("the restricted and the open zone must not lie inside each other")
        if a.catalog_schema and a.catalog_schema == b.catalog_schema:
            raise ValueError("the restricted and the open zone must be two schemas")
        return self


class Place(Model):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    path: Text | None = None
    catalog_schema: Text | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.catalog_schema is None):
            raise ValueError("state either path or schema")
        return self


class Plan(Model):
    """One run's contract. `evenhand.load_plan` reads it, `fingerprint` names it."""

    name: Name
    purpose: Name
    description: Text
    legal_basis: Literal["consent", "legitimate_interest"]  # opt-in, or opt-out (GDPR art. 6(1)(a) and (f), 21)
    time_zone: Text = "UTC"  # in which dates are cut
    sources: Sources
    features: list[Feature] = Field(min_length=1, max_length=60)
    protected: list[Attribute] = Field(min_length=1, max_length=20)
    segments: Segments
    privacy: Privacy
    pseudonyms: Pseudonyms
    fairness: Fairness = Fairness()
    output: Output

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("a time zone such as Europe/Berlin or UTC is needed") from None
        return zone

    @property
    def opt_in(self) -> bool:
        return self.legal_basis == "consent"

    @property
    def feature_names(self) -> list[str]:
        return [f.name for f in self.features]

    @property
    def to_find(self) -> list[Feature]:
        """The features whose bounds the plan leaves to the noise to find."""
        return [f for f in self.features if f.bounds is None]

    def with_bounds(self, found: Mapping[str, tuple[float, float]]) -> Self:
        """The plan to go on with, by feature; it has the same canonical form and so the same fingerprint."""
        features = [f.within(*found[f.name]) if f.name in found else f for f in self.features]
        return self.model_copy(update={"features": features})

    @property
    def bounds_budget(self) -> float:
        """What finding bounds may spend, in the unit of the budget."""
        return self.privacy.budget * self.privacy.split.bounds if self.to_find else 0.0

    @property
    def shared_budget(self) -> float:
        """What summary, profiles and fairness divide, in the unit of the budget."""
        return self.privacy.budget - self.bounds_budget

    @property
    def attribute_names(self) -> list[str]:
        return [a.name for a in self.protected]

    @property
    def mitigated(self) -> list[Attribute]:
        """The attributes whose groups are to be treated evenly; none when mitigation is off."""
        mitigation = self.fairness.mitigation
        if mitigation is None:
            return []
        return [a for a in self.protected if not mitigation.attributes or a.name in mitigation.attributes]


def _checked(inspect: Any, text: str) -> None:
    try:
        inspect(text)
    except ExpressionError as wrong:
        raise ValueError(str(wrong)) from None
