"""What counts as even, who is offered what, and what is done to treat groups more evenly."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from evenhand.plan.base import Model, Name, Number, Share, Text


class Thresholds(Model):
    """What counts as even, per statistic: at least this for ratios and balance, at most this for the others."""

    representation_ratio: Share = Field(
        default=0.8, description="At least, of the worst group and segment: the four-fifths rule."
    )
    balance: Share = Field(default=0.2, description="At least, of the smallest to the largest group of the worst segment.")
    total_variation: Share = Field(default=0.2, description="At most, the share of a group that would have to move.")
    jensen_shannon: Share = Field(default=0.2, description="At most, the distance of a group from everybody else.")
    cramers_v: Share = Field(  # Rea and Parker, 1992
        default=0.2, description="At most. From 0.2 on an association is commonly called moderate."
    )
    mutual_information: Share = Field(
        default=0.1, description="At most, in bits. A segment that tells so much narrows the group down by 7 %."
    )
    selection_ratio: Share = Field(
        default=0.8,
        description="At least, of the lowest to the highest rate at which groups get an offer, or are spared a burden: the four-fifths rule.",
    )
    selection_difference: Share = Field(default=0.1, description="At most, between the highest and the lowest of these rates.")
    cost_ratio: Number = Field(
        default=1.25, ge=1, description="At most, the worst-served group's mean squared distance over that of all others."
    )


class Offer(Model):
    """Who is offered something: the segments by number, or those whose center lies in the stated ranges of features."""

    name: Name = Field(description="What the offer is called in tables and reports.")
    why: Text = Field(description="Why these people get it, for those who sign the plan.")
    kind: Literal["benefit", "burden"] = Field(
        default="benefit",
        description="Whether those who get it are better off, or those who are spared, as with a check or a higher price. The four-fifths rule is "
        "asked of the better off.",
    )
    segments: list[Annotated[int, Field(ge=1, le=100)]] | None = Field(
        default=None,
        min_length=1,
        description="The segments that get it, by number. A segment keeps its number as long as the next run finds it again; a new one "
        "takes a number that is free, and the offer then reaches it. Either this or `where`.",
    )
    where: dict[Name, tuple[Number | None, Number | None]] | None = Field(
        default=None,
        min_length=1,
        description="By feature the range in which a segment's center must lie; `null` is an open end. Either this or `segments`.",
    )

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

    at_least: Number = Field(
        default=0.8,
        gt=0,
        le=1,
        description="The least share of a group in a segment, over its share of everybody: the four-fifths rule.",
    )
    at_most: Number = Field(
        default=1.25, ge=1, description="The greatest share of a group in a segment, over its share of everybody."
    )
    shares: dict[Name, dict[Text, tuple[Number, Number]]] = Field(
        default_factory=dict,
        description="For some groups instead the lowest and highest share of a segment, by attribute and group.",
    )

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

    method: Literal["group_blind", "balanced"] = Field(
        description="`group_blind` lowers the worst-off group's mean cost and assigns without looking at the group. `balanced` keeps "
        "every group's presence in every segment within bounds, and reads the group when it assigns."
    )
    attributes: list[Name] = Field(
        default_factory=list, description="The protected attributes it is about; all of them unless stated."
    )
    justification: Text | None = Field(
        default=None, description="Why the group may be read for an assignment. Required for `balanced`; the report repeats it."
    )
    share: Share = Field(default=0.4, description="Of the summary's ε, for the questions about groups.")
    bounds: Bounds = Field(default=Bounds(), description="How present each group must be in each segment, for `balanced`.")

    @model_validator(mode="after")
    def _justified(self) -> Self:
        if self.method == "balanced" and self.justification is None:
            raise ValueError(
                "balanced reads the protected group of each customer when it assigns a segment, which may be unlawful; "
                "state in justification why it is needed and allowed here"
            )
        return self


class Fairness(Model):
    """What counts as even, who is offered what, and what is done about unevenness."""

    intersections: list[Annotated[list[Name], Field(min_length=2, max_length=4)]] = Field(
        default_factory=list, max_length=10, description="Attributes whose groups are measured together, such as women under 25."
    )
    offers: list[Offer] = Field(
        default_factory=list, max_length=20, description="Who is offered what, so that the rates of groups are compared."
    )
    thresholds: Thresholds = Field(default=Thresholds(), description="What counts as even, by statistic.")
    mitigation: Mitigation | None = Field(
        default=None, description="How the segments are made fairer. Off unless stated: they are as the features make them."
    )
    when_uneven: Literal["report", "block"] = Field(
        default="report", description="What happens when a verdict is `uneven`: it is reported, or nothing is published."
    )
