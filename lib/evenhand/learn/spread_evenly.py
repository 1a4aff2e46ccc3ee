"""What a criterion comes to where there are no groups: customers spread evenly over a box as wide as the private summary.

Two groups can be cut out of anything. Only what stands out from evenly spread customers is found (Tibshirani, Walther, Hastie,
"Estimating the number of clusters in a data set via the gap statistic", 2001, section 3, reference b).
"""

from __future__ import annotations

import numpy as np

from evenhand.ask.boxes import Summary

POINTS = 1_500


def spread_evenly(summary: Summary) -> Summary:
    """Points of one weight, even along each principal axis of the stretched summary, with its mean and its deviations there."""
    share, random = summary.weights / summary.weights.sum(), np.random.default_rng(1)
    away = (summary.points - summary.mean) * summary.stretch
    variances, axes = np.linalg.eigh((away * share[:, None]).T @ away)
    width = np.sqrt(12 * np.maximum(variances, 0.0))  # an even spread so wide has that variance
    points = summary.mean + ((random.random((POINTS, len(axes))) - 0.5) * width) @ axes.T / summary.stretch
    return Summary(np.arange(POINTS), np.ones(POINTS), points, summary.private, stretch=summary.stretch)
