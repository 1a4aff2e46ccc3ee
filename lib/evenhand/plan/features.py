"""What is said of a customer in numbers, and the protected attributes whose groups are compared."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, Tag, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from evenhand.plan.base import Column, EitherForm, Model, Name, Number, Share, Text, Value, checked, written
from evenhand.plan.category import HUNDRED, Category
from evenhand.plan.expressions import inspect_aggregate, inspect_row


class Words(Model):
    """How a segment is described that is low or high in the feature, for instance "buys seldom", "buys often"."""

    low: Text = Field(description="Said of a segment that is low in the feature.")
    high: Text = Field(description="Said of a segment that is high in the feature.")


def ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    """The same bounds, as far as values between them can be told apart."""
    low, high = bounds
    if low == high:
        raise ValueError(f"the bounds are equal ({low:g}); the second must be greater than the first")
    if low > high:
        raise ValueError(f"the bounds are reversed; write [{high:g}, {low:g}]")
    if not math.isfinite(high - low):
        raise ValueError("the bounds are too far apart for floating point")
    if not math.isfinite(1 / (high - low)):
        raise ValueError("the bounds are too close together for floating point")
    return bounds


class Feature(Model):
    """One number a customer: a column of the customer table, an `expression` over its columns, or an aggregate `expression` over `events`."""

    name: Name = Field(description="What the feature is called in tables and reports.")
    why: Text = Field(description="Why the purpose needs it, for those who sign the plan.")
    column: Column | None = Field(default=None, description="A column of the customer table. Either this, or `expression`.")
    events: Name | None = Field(
        default=None, description="The event source of an `expression`, by its name under `sources.events`."
    )
    expression: Text | None = Field(
        default=None,
        description="With `events` an aggregate over a customer's events, in SQL; without, an expression over columns of the customer "
        "table. `as_of` stands for the run's point in time.",
    )
    bounds: tuple[Number, Number] | None = Field(
        default=None,
        description="Between which values customers are told apart; a value outside is clipped. Public, from the business and not "
        "from a look at the data. Left out, the bounds are found with noise, from `privacy.split.bounds`.",
    )
    scale: Literal["linear", "log"] = Field(
        default="linear", description="`log` is log1p(value - lower bound), for features with a long tail."
    )
    missing: Number = Field(description="What a missing value counts as. It lies within the bounds.")
    weight: Number = Field(
        default=1.0,
        ge=0.01,
        le=100,
        description="How much a difference in the feature counts beside the others: with 2 it counts like one twice as large. Only the "
        "ratios of weights count. Wide bounds make differences small, and a weight makes up for that.",
    )
    unit: str = Field(default="", description="The unit in reports, such as days.")
    words: Words | None = Field(
        default=None, description="How a segment is described that is low or high in the feature. Made of `name` unless stated."
    )
    # Written into the plan's canonical form where an entry of kind categories made the feature.
    category: SkipJsonSchema[Category | None] = Field(
        default=None,
        exclude_if=lambda category: category is None,
        description="Which category it is, of an entry of `kind: categories`.",
    )
    # What the noise said, once it did. No part of the plan: not in its text, its fingerprint or its canonical form.
    _found: tuple[float, float] | None = PrivateAttr(default=None)

    @field_validator("bounds")
    @classmethod
    def _ordered(cls, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if bounds is None else ordered(bounds)

    @field_validator("expression")
    @classmethod
    def _computable(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None or "events" not in info.data:
            return text
        of_events = info.data["events"] is not None
        checked(inspect_aggregate if of_events else inspect_row, text)
        if not of_events and not inspect_row(text):
            raise ValueError(
                "it names no column of the customer table, and so is the same for everybody; for an aggregate state events"
            )
        return text

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is not None) == (self.expression is not None):
            raise ValueError("state either column or expression")
        if self.events is not None and self.expression is None:
            raise ValueError("events take an expression, such as count(*); a column is one of the customer table")
        if self.bounds is not None and not self.bounds[0] <= self.missing <= self.bounds[1]:
            raise ValueError(f"missing is {self.missing:g}, outside the bounds [{self.bounds[0]:g}, {self.bounds[1]:g}]")
        if self.category is not None:
            made = (None, None, self.category.expression, (0.0, HUNDRED), "linear", 0.0)
            if made != (self.column, self.events, self.expression, self.bounds, self.scale, self.missing):
                raise ValueError("category is made by an entry of kind: categories; write that")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The source columns that it is computed from: of its events, or of the customer table."""
        if self.column is not None:
            return (self.column,)
        assert self.expression is not None
        return inspect_row(self.expression) if self.events is None else inspect_aggregate(self.expression)

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

    name: Text = Field(description="Where the shares are from.")
    shares: dict[Text, Share] = Field(description="The share of each group, by its name. Together they are at most 1.")

    @field_validator("shares")
    @classmethod
    def _at_most_everybody(cls, shares: dict[str, float]) -> dict[str, float]:
        if sum(shares.values()) > 1 + 1e-9:
            raise ValueError(f"the shares add up to {sum(shares.values()):g}; they must not be more than 1")
        return shares


class Attribute(Model):
    """A protected attribute: whose groups are compared, never a feature. The groups are public and fixed here.

    Either `groups` (group name to the values that belong to it) or `bands` (ascending cuts of a number). Values
    that no group names are in `others`; null is in `unknown`. Either is null where the plan rules out that anybody is there:
    it is no group then, and whoever is there all the same is counted in `fallback`.
    """

    name: Name = Field(description="What the attribute is called in tables and reports.")
    why: Text = Field(description="Why it is measured, for those who sign the plan.")
    column: Column = Field(description="The column of the customer table. No feature and no condition may read it.")
    groups: dict[Text, list[Value]] | None = Field(
        default=None,
        description="The values that belong to each group, by the group's name. Public and fixed. Either this or `bands`.",
    )
    bands: list[Number] | None = Field(
        default=None,
        min_length=1,
        description="Ascending cuts of a number, which make one group more than there are cuts. Either this or `groups`.",
    )
    others: Text | None = Field(
        default="other",
        description="The name of the group of all values that no group names. `null` where nobody can have one. Of no meaning with `bands`.",
    )
    unknown: Text | None = Field(
        default="unknown", description="The name of the group of those without a value. `null` where there can be nobody."
    )
    reference: Annotated[
        Annotated[Literal["customers", "last_run"], Tag("plain")] | Annotated[Reference, Tag("by-keys")], EitherForm
    ] = Field(
        default="customers",
        description="What is even: the group's share among all `customers` of this run, its share in the `last_run`, or stated shares.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.groups is None) == (self.bands is None):
            raise ValueError("state either groups or bands")
        if self.bands is not None and any(a >= b for a, b in zip(self.bands, self.bands[1:], strict=False)):
            raise ValueError("the bands must ascend")
        names = self.group_names
        if len(names) < 2:
            raise ValueError("one group alone has nobody to be compared with; name another, or leave others or unknown in")
        if len(set(names)) != len(names):
            raise ValueError(f"a group is named twice among {', '.join(names)}")
        values = [written(v) for vs in (self.groups or {}).values() for v in vs]
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
            cuts = [repr(b).removesuffix(".0") for b in self.bands]  # in full: rounded, two cuts could have one name
            between = [f"{a} to under {b}" for a, b in zip(cuts, cuts[1:], strict=False)]
            return [f"under {cuts[0]}", *between, f"{cuts[-1]} and over", *self._possible(self.unknown)]
        return [*(self.groups or {}), *self._possible(self.others, self.unknown)]

    @property
    def fallback(self) -> str:
        """Where somebody is counted of whom the plan says that nobody is like that: the other group of that kind, or the first."""
        return next(iter([*self._possible(None if self.bands else self.others, self.unknown), *self.group_names]))

    def code(self, group: str | None) -> int:
        """The position of a group, or that of the fallback where the plan rules it out."""
        return self.group_names.index(self.fallback if group is None else group)

    @staticmethod
    def _possible(*names: str | None) -> list[str]:
        return [name for name in names if name is not None]
