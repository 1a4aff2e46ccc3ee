"""How much a difference in each feature counts in a distance. Decided by the plan's weights alone, so it is public.

What is stored of people and asked about them stays as it is: a weight is no part of a value, it stretches the axis along which
two values are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.plan.features import Feature

Floats = NDArray[np.float64]


def stretch(features: Sequence[Feature]) -> Floats:
    """By what each axis of the unit cube is multiplied before distances are taken, shape (features,).

    Only the ratios of weights count: the squares are 1 on average, so the greatest squared distance is the number of features
    whatever the weights are, and every bound on a distance stays what it is. Exactly 1 where all weights are equal.
    """
    ratios = np.array([feature.weight for feature in features], dtype=np.float64)
    ratios = ratios / ratios.max(initial=0.0)
    stretched: Floats = ratios / np.sqrt(np.mean(ratios**2)) if len(ratios) else ratios
    return stretched


def shares(features: Sequence[Feature]) -> Floats:
    """What each feature has of the greatest squared distance, shape (features,); together 1."""
    squares = stretch(features) ** 2
    of: Floats = squares / squares.sum()
    return of
