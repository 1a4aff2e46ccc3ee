"""What counts as even, who is offered what, and what is done to treat groups more evenly."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from evenhand.plan.base import Model, Name, Number, Share, Text


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
    cost_ratio: Number = Field(default=1.25, ge=1)  # the worst-served group's mean squared distance over that of all others


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
        for feature, (low, high) in (self.where or {}).items():
            if low is None and high is None:
                raise ValueError(f"where.{feature} has no end; state at least one")
            if low is not None and high is not None and low > high:
                raise ValueError(f"where.{feature} is reversed; write [{high:g}, {low:g}]")
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
