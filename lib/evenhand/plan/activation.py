"""What a plan says about handing segments out: `jobs/activate.py`."""

from __future__ import annotations

from pydantic import Field

from evenhand.plan.base import Model, Number
from evenhand.plan.spans import Span


class Activation(Model):
    """How segments are handed out."""

    max_age: Span = Field(
        default="3 months",  # older segments say too little of who people are today
        description="A run whose point in time is longer ago is not handed out: a number of days, months or years.",
    )
    holdout: Number = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="This share of the people whom an offer would reach does not get it, so that what the offer does can be measured. "
        "A keyed hash decides, for one offer always the same.",
    )
