"""What a plan gives for taking part, the same whatever somebody says: consent is free only where a no costs nothing (GDPR art. 7(4), recital 42)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from evenhand.plan.base import Model

Points = Annotated[int, Field(ge=0, le=1_000_000)]


class Rewards(Model):
    """Points for a calendar month; none hang on what was said, on a protected attribute or on the segment."""

    survey: Points = Field(default=0, description="For answering anything in a survey of the plan, for each survey once a month.")
    review: Points = Field(
        default=0, description="For saying anything about the use of one's data, once a month: a yes and a no earn the same."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.survey and not self.review:
            raise ValueError("state points for survey, for review, or for both")
        return self
