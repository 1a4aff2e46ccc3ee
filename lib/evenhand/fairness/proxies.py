"""Proxies: how well each feature tells a protected attribute, so that one sees which carries it into the segments.

The correlation ratio (Fisher, 1925): the root of the share of a feature's spread that lies between the groups' means. 0:
the groups do not differ in the mean; 1: the group tells the feature exactly. A feature that sets groups apart by its
spread, and not by its mean, is not found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import MIDDLE, feature_part, feature_sums, group_part
from evenhand.describe.everybody import STANDS_OUT, variances
from evenhand.fairness.intervals import STEPS, inverted, steps
from evenhand.plan.groups import GroupTable
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import Estimate
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
SIMULATIONS = 1_000
LEAST_DRAWN = 0.05  # of a variance, in a draw


@dataclass(frozen=True)
class Proxy:
    """`strength` has no value (NaN) where the noise leaves little of the feature's own variance to compare with."""

    attribute: str
    feature: str
    strength: Estimate


def proxies(release: Release, table: GroupTable, plan: Plan, segments: int, judged: NDArray[np.bool_]) -> list[Proxy]:
    """The features by how well they tell one attribute's judged groups, the strongest first, those of which nothing can be told last."""
    name = table.name
    counts = np.maximum(release[group_part(name)].reshape(table.size, segments).sum(axis=1).astype(np.float64), 1.0)[judged]
    rows, of_counts = feature_sums(release, feature_part(name), plan), release.noise(group_part(name)).deviation * segments**0.5
    means = rows.sums[judged] / counts[:, None]
    of_features, its_errors = variances(release, plan, segments)
    found = []
    for j, feature in enumerate(plan.feature_names):
        mean = np.clip(means[:, j] + rows.origin[0, j], 0, 2 * MIDDLE) - rows.origin[0, j]
        errors = np.sqrt(
            max(of_features[j], 0.0) / counts + (rows.deviation[judged, j] / counts) ** 2 + (mean * of_counts / counts) ** 2
        )
        found.append(Proxy(name, feature, strength_of(mean, counts, errors, of_features[j], its_errors[j])))
    return sorted(found, key=lambda p: -np.nan_to_num(p.strength.value))


def strength_of(means: Floats, counts: Floats, errors: Floats, variance: float, its_error: float) -> Estimate:
    if variance < STANDS_OUT * its_error:  # no upper end then; the lower one against all that the variance may be
        most = max(variance, 0.0) + STANDS_OUT * its_error
        return Estimate(math.nan, strength_of(means, counts, errors, most, 0.0).low, 1.0)
    weights, random = counts / counts.sum(), np.random.default_rng(1)
    middle, seen = float(weights @ means), np.array(max(variance, 1.0))  # of a feature that is the same for all: one step

    def ratio(values: Floats, over: Floats) -> Floats:
        between = (values - (values @ weights)[..., None]) ** 2 @ weights
        return np.sqrt(np.minimum(between / over, 1.0))  # type: ignore[no-any-return]

    truths = middle + steps(means - middle, errors)[:, None] * (means - middle)
    drawn = truths[:, None, :] + random.normal(0.0, 1.0, (len(STEPS), SIMULATIONS, len(means))) * errors
    # The true variance may be any of these; a strength seen is as much too small as the variance seen is too large.
    true = np.maximum(seen + random.normal(0.0, its_error, drawn.shape[:2]), seen * LEAST_DRAWN)
    return inverted(float(ratio(means, seen)), ratio(truths, seen), ratio(drawn, seen * seen / true))
