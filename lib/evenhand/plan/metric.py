"""How much a difference in each feature counts in a distance. Decided by the plan's weights alone, so it is public.

What is stored of people and asked about them stays as it is: a weight is no part of a value, it stretches the axis along which
two values are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.plan.categories import COUNTS, blocks, numbers
from evenhand.plan.features import Feature

Floats = NDArray[np.float64]


def stretch(features: Sequence[Feature]) -> Floats:
    """By what each axis of the unit cube is multiplied before distances are taken, shape (features,).

    Only the ratios of weights count: the squares are 1 on average, so the greatest squared distance is at most the number of
    features whatever the weights are, and every bound on a distance stays what it is. Exactly 1 where all weights are equal.
    """
    ratios = np.array([feature.weight for feature in features], dtype=np.float64)
    ratios = ratios / ratios.max(initial=0.0)
    stretched: Floats = ratios / np.sqrt(np.mean(ratios**2)) if len(ratios) else ratios
    return stretched


def greatest(features: Sequence[Feature]) -> float:
    """The greatest squared distance that two customers can have; of numbers alone it is how many there are."""
    squares = stretch(features) ** 2
    found = [2 * float(squares[block.columns[0]]) for block in blocks(features)]
    return float(sum(squares[numbers(features)])) + sum(found) if found else float(len(features))


def weights(features: Sequence[Feature]) -> dict[str, float]:
    """The weights that the plan states: by feature, of categories by their entry."""
    of_blocks = {block.name: features[block.columns[0]].weight / COUNTS for block in blocks(features)}
    return {features[j].name: features[j].weight for j in numbers(features)} | of_blocks


def shares(features: Sequence[Feature]) -> dict[str, float]:
    """What each feature has of the greatest squared distance, and all categories of an entry together; in all 1."""
    squares = stretch(features) ** 2
    # Who differs in the category differs in two features of it.
    found = {features[j].name: float(squares[j]) for j in numbers(features)}
    found |= {block.name: 2 * float(squares[block.columns[0]]) for block in blocks(features)}
    return {name: share / sum(found.values()) for name, share in found.items()}
