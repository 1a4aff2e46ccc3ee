"""Segments in words: what sets a segment apart from everybody, most telling first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.plan.features import Feature
from evenhand.privacy.summary import Summary

WORDS = 3
NOTICEABLE = 0.4  # standard deviations from everybody's mean
AVERAGE = "close to average"


def labels(centers: NDArray[np.float64], summary: Summary, features: list[Feature]) -> list[str]:
    """One label a segment, all different; centers (k, features) in fixed point."""
    deviation = np.where(summary.deviation > 0, summary.deviation, 1.0)
    away = (centers - summary.mean) / deviation
    found = [_label(row, features, WORDS) for row in away]
    for count in range(WORDS + 1, len(features) + 1):
        if len(set(found)) == len(found):
            break
        found = [_label(row, features, count) if found.count(old) > 1 else old for row, old in zip(away, found, strict=True)]
    return [f"{text} ({found[: i + 1].count(text)})" if found.count(text) > 1 else text for i, text in enumerate(found)]


def _label(away: NDArray[np.float64], features: list[Feature], count: int) -> str:
    order = np.argsort(-np.abs(away), kind="stable")[:count]
    words = [features[j].in_words.high if away[j] > 0 else features[j].in_words.low for j in order if abs(away[j]) >= NOTICEABLE]
    return ", ".join(words) or AVERAGE
