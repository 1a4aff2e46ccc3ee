"""Intervals for the added noise."""

from __future__ import annotations

import math

LEVEL = 0.95


def half_width(scale: float, level: float = LEVEL) -> int:
    """The smallest t with P(|noise| <= t) >= level for discrete Laplace noise of that scale.

    P(|X| > t) = 2 p^(t+1) / (1 + p) with p = exp(-1/scale).
    """
    p = math.exp(-1.0 / scale)
    return max(0, math.ceil(math.log((1 - level) * (1 + p) / 2) / math.log(p) - 1))
