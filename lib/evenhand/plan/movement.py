"""What a plan says about movement between segments from run to run, and what counting it may cost."""

from __future__ import annotations

from pydantic import Field

from evenhand.plan.base import Model, Share


class Movement(Model):
    """How many customers went from which segment of the last published run to which of this one."""

    share: Share = Field(
        description="What the count takes of `privacy.epsilon`, after the bounds and before the rest is divided by `privacy.split`. A first "
        "run has nothing to compare, and leaves it unused."
    )
