"""What a plan says about outcomes: what came of an offer, and what a count of that may cost."""

from __future__ import annotations

from pydantic import Field, field_validator

from evenhand.plan.base import Column, Model, Name, Share, Text, Value, written
from evenhand.plan.data import Events
from evenhand.plan.surveys import MOST_OPTIONS, refuse_twice


class Responses(Events):
    """A table with a row a response to an offer: whose, what, and when. Other columns are not read."""

    time: Column = Field(description="When it was. Only what was after the handing out and before the count began counts.")
    where: Text | None = Field(
        default=None,
        description="A condition that a response must meet, such as the offer. It may not read a protected attribute.",
    )
    response: Column = Field(default="response", description="The column with the response: text, a whole number or a boolean.")


class Outcome(Model):
    """What came of an offer, counted by segment, protected group and holdout: `evenhand outcomes`."""

    name: Name = Field(description="What it is called in tables.")
    source: Responses = Field(description="The table of the responses, a row a response.")
    options: list[Value] = Field(
        min_length=1,
        max_length=MOST_OPTIONS,
        description="The responses that count, from the least on: whoever has bought has opened. A person's farthest counts; any other is "
        "neither counted nor stored.",
    )
    share: Share = Field(
        description="What a count takes from `privacy.population_total`, as a share of `privacy.epsilon` and beside what runs take. "
        "Segments, protected attributes and intersections divide it evenly."
    )

    @field_validator("options")
    @classmethod
    def _each_once(cls, options: list[str | int | bool]) -> list[str | int | bool]:
        return refuse_twice(options)

    @property
    def option_names(self) -> list[str]:
        return [written(option) for option in self.options]
