"""Proxies: how well each feature tells a protected attribute, so that one sees which carries it into the segments.

The correlation ratio (Fisher, 1925): the root of the share of a feature's spread that lies between the groups' means. 0:
the groups do not differ in the mean; 1: the group tells the feature exactly. A feature that sets groups apart by its
spread, and not by its mean, is not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.intervals import STEPS, Estimate, inverted, steps
from evenhand.plan.groups import GroupTable
from evenhand.plan.models import Plan
from evenhand.privacy.release import Release
from evenhand.privacy.tallies import MIDDLE, SIZE, SQUARES, SUMS, feature_part, group_part

Floats = NDArray[np.float64]
SIMULATIONS = 1_000


@dataclass(frozen=True)
class Proxy:
    attribute: str
    feature: str
    strength: Estimate


def proxies(release: Release, table: GroupTable, plan: Plan, segments: int, judged: NDArray[np.bool_]) -> list[Proxy]:
    """The features by how well they tell one attribute's judged groups, the strongest first."""
    name, d = table.name, len(plan.features)
    counts = np.maximum(release[group_part(name)].reshape(table.size, segments).sum(axis=1).astype(np.float64), 1.0)[judged]
    means = release[feature_part(name)].reshape(table.size, d).astype(np.float64)[judged] / counts[:, None]
    noise, of_counts = release.noise(feature_part(name)), release.noise(group_part(name)).deviation * segments**0.5
    variances = _variances(release, plan)
    found = []
    for j, feature in enumerate(plan.feature_names):
        mean = np.clip(means[:, j], -MIDDLE, MIDDLE)
        errors = np.sqrt(variances[j] / counts + (noise.deviation / counts) ** 2 + (mean * of_counts / counts) ** 2)
        found.append(Proxy(name, feature, _strength(mean, counts, errors, variances[j])))
    return sorted(found, key=lambda p: -p.strength.value)


def _strength(means: Floats, counts: Floats, errors: Floats, variance: float) -> Estimate:
    weights = counts / counts.sum()
    middle = float(weights @ means)

    def ratio(values: Floats) -> Floats:
        between = (values - (values @ weights)[..., None]) ** 2 @ weights
        return np.sqrt(np.minimum(between / max(variance, 1.0), 1.0))  # type: ignore[no-any-return]

    truths = middle + steps(means - middle, errors)[:, None] * (means - middle)
    drawn = truths[:, None, :] + np.random.default_rng(1).normal(0.0, 1.0, (len(STEPS), SIMULATIONS, len(means))) * errors
    return inverted(float(ratio(means)), ratio(truths), ratio(drawn))


def _variances(release: Release, plan: Plan) -> Floats:
    """Of each feature over everybody, from the noisy sums and squares; at least one step."""
    n = max(float(release[SIZE].sum()), 1.0)
    sums = release[SUMS].reshape(-1, len(plan.features)).sum(axis=0).astype(np.float64)
    return np.maximum(release[SQUARES] / n - (sums / n) ** 2, 1.0)  # type: ignore[no-any-return]
