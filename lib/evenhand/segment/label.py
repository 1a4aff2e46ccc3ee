"""Segments in words: what sets a segment apart from everybody, most telling first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.plan.features import Feature
from evenhand.privacy.summary import Summary
from evenhand.segment.cluster import squared_distances

Floats = NDArray[np.float64]
WORDS = 3
NOTICEABLE = 0.4  # standard deviations from everybody's mean
AVERAGE = "close to average"
UNCLEAR = "too noisy to tell"  # something is far from average, but by less than the noise may have moved it


def labels(centers: Floats, summary: Summary, features: list[Feature], ends: tuple[Floats, Floats] | None = None) -> list[str]:
    """One label a segment, all different; centers (k, features) in fixed point, `ends` from and to of them.

    A feature is spoken of where its center is surely on one side of everybody's mean: of the boxes' mean, and of the centers'
    own, with the noise that both have. So no word can stand for all segments.
    """
    deviation = np.where(summary.deviation > 0, summary.deviation, 1.0)
    away = (centers - summary.mean) / deviation
    noticed = np.abs(away) >= NOTICEABLE
    told = noticed if ends is None else noticed & _apart(centers, summary, ends)
    empty = [UNCLEAR if any_noticed else AVERAGE for any_noticed in np.max(noticed, axis=1)]
    rows = np.where(told, away, 0.0)
    found = [_label(row, features, WORDS) or nothing for row, nothing in zip(rows, empty, strict=True)]
    for count in range(WORDS + 1, len(features) + 1):
        if len(set(found)) == len(found):
            break
        longer = [_label(row, features, count) or nothing for row, nothing in zip(rows, empty, strict=True)]
        found = [new if found.count(old) > 1 else old for new, old in zip(longer, found, strict=True)]
    return [f"{text} ({found[: i + 1].count(text)})" if found.count(text) > 1 else text for i, text in enumerate(found)]


def _apart(centers: Floats, summary: Summary, ends: tuple[Floats, Floats]) -> NDArray[np.bool_]:
    """Which centers are, by their ends, surely above or below everybody's mean, shape (k, features)."""
    nearest = squared_distances(summary.points, centers).argmin(axis=1)
    shares = np.bincount(nearest, summary.weights, len(centers))[:, None] / max(float(summary.weights.sum()), 1.0)
    mean = (shares * centers).sum(axis=0)
    below, above = (np.sqrt(((shares * (end - centers)) ** 2).sum(axis=0)) for end in ends)
    low, high = np.minimum(summary.mean, mean - below), np.maximum(summary.mean, mean + above)
    return (ends[1] < low) | (ends[0] > high)  # type: ignore[no-any-return]


def _label(away: Floats, features: list[Feature], count: int) -> str:
    """The words of the features that are most deviations away, none for those that are not at all."""
    order = np.argsort(-np.abs(away), kind="stable")[:count]
    return ", ".join(features[j].in_words.high if away[j] > 0 else features[j].in_words.low for j in order if away[j] != 0)
