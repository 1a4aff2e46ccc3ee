"""Recency, frequency and monetary value from one entry under `features`: three ordinary features, made while the plan is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from evenhand.plan.base import NAME, Column, Model, Name, Number, Text
from evenhand.plan.expressions import quoted_column
from evenhand.plan.features import Feature, Words, ordered

KIND = "rfm"
YEAR = 365
Bounds = Annotated[tuple[Number, Number], AfterValidator(ordered)]
Prefix = Annotated[str, StringConstraints(pattern=NAME, max_length=30)]  # with _frequency a name of 40


class RfmBounds(Model):
    """Between which values customers are told apart; `null` has bounds found with noise, as of any feature."""

    recency: Bounds | None = Field(
        default=None, description="In days. Unless stated 0 to `days`, or to 365. Who never did anything counts as the upper one."
    )
    frequency: Bounds | None = Field(default=(0.0, 100.0), description="Events, on a log scale.")
    monetary: Bounds | None = Field(
        default=(0.0, 10_000.0),
        description="In the unit of the amounts, on a log scale. State it where that is no currency like euro or dollar.",
    )


class Rfm(Model):
    """Three features from one source of events: `recency`, the days since the latest; `frequency`, how many; `monetary`, the sum of
    an amount.
    """

    kind: Literal["rfm"] = Field(description="Says that the entry stands for three features.")
    why: Text = Field(description="Why the purpose needs them, for those who sign the plan.")
    events: Name = Field(description="The event source, by its name under `sources.events`.")
    amount: Column = Field(description="The column of the source with the amount of each event: a number, whose sum is exact.")
    name: Prefix | None = Field(
        default=None,
        description="Stands before the three names, for a plan with several such entries: `online` makes `online_recency`. At most 30 characters.",
    )
    days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Only events of so many days before `as_of` count. All that the source's `where` lets through unless stated.",
    )
    unit: str = Field(default="", description="The unit of the amount in reports, such as EUR.")
    bounds: RfmBounds = Field(default=RfmBounds(), description="Other bounds than the usual ones.")

    def features(self, time: str) -> list[Feature]:
        """The three, of a source whose events are at `time`. Who has no events bought nothing, and that longest ago."""
        at, amount = quoted_column(time), quoted_column(self.amount)
        last, every, each = (
            (at, "count(*)", amount)
            if self.days is None
            else (self._within(at, at), f"count({self._within(at, '1')})", self._within(at, amount))
        )
        longest = float(self.days or YEAR)
        is_found = "recency" in self.bounds.model_fields_set and self.bounds.recency is None
        recency = None if is_found else self.bounds.recency or (0.0, longest)
        rest = {"recency": recency, "frequency": self.bounds.frequency, "monetary": self.bounds.monetary}
        made = {
            "recency": (f"datediff(as_of, max({last}))", "linear", "days", Words(low="bought lately", high="not seen for long")),
            "frequency": (every, "log", "events", Words(low="buys seldom", high="buys often")),
            "monetary": (f"sum({each})", "log", self.unit, Words(low="spends little", high="spends much")),
        }
        return [
            Feature(
                name=f"{self.name}_{part}" if self.name else part,
                why=self.why,
                events=self.events,
                expression=expression,
                bounds=rest[part],
                scale="log" if scale == "log" else "linear",
                missing=_never(rest[part], longest) if part == "recency" else _nothing(rest[part]),
                unit=unit,
                words=words,
            )
            for part, (expression, scale, unit, words) in made.items()
        ]

    def _within(self, at: str, value: str) -> str:
        return f"if({at} >= as_of - interval {self.days} days, {value}, null)"


def _never(bounds: tuple[float, float] | None, longest: float) -> float:
    return longest if bounds is None else bounds[1]


def _nothing(bounds: tuple[float, float] | None) -> float:
    return 0.0 if bounds is None else min(max(0.0, bounds[0]), bounds[1])
