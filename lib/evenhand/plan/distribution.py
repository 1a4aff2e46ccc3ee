"""What a plan says about how features are distributed in each segment, and of which features a total is asked."""

from __future__ import annotations

from pydantic import Field

from evenhand.plan.base import Model, Share
from evenhand.plan.expressions import adds_up
from evenhand.plan.features import Feature

TOTALS_SHARE = 0.4  # of its budget for totals of features on log scales, where there are any; the rest for the histograms


class Distribution(Model):
    """Median and quartiles of each feature in each segment, and who brings the total of features on log scales."""

    share: Share = Field(
        description="What the count takes of `privacy.epsilon`, after the bounds and before the rest is divided by `privacy.split`."
    )


def is_additive(feature: Feature) -> bool:
    """Whether a total over customers means something: a sum or a count of their events, of which nobody has less than nothing.

    Decided by the plan alone, and by bounds that were found with noise.
    """
    text = feature.expression
    return feature.events is not None and text is not None and adds_up(text) and feature.limits[0] >= 0
