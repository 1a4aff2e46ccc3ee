"""How boxes part the customers by the categories of one column: some categories alone, the others together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FULL = 2**16 - 1  # fixed point of who is in a category; who is not has 0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parted:
    """`columns` are the positions of the categories among the features, `of` the number, from 0, of the interval that each is in.

    Who is in no category, which no source can bring about, counts for the interval 0.
    """

    columns: tuple[int, ...]
    of: tuple[int, ...]

    @classmethod
    def largest(cls, columns: Sequence[int], shares: Sequence[float], intervals: int) -> Parted:
        """The largest categories alone, and all others together in the last interval. The shares are public or noisy."""
        order = sorted(range(len(columns)), key=lambda c: (-shares[c], c))
        rank = {c: min(i, intervals - 1) for i, c in enumerate(order)}
        return cls(tuple(columns), tuple(rank[c] for c in range(len(columns))))

    @property
    def intervals(self) -> int:
        return max(self.of) + 1

    @property
    def members(self) -> NDArray[np.bool_]:
        """Which category is in which interval, shape (intervals, categories)."""
        found: NDArray[np.bool_] = np.arange(self.intervals)[:, None] == np.array(self.of)
        return found

    def inside(self, shares: Floats) -> Floats:
        """The shares of the categories among the customers of each interval, shape (intervals, categories)."""
        weights = self.members * (np.maximum(shares, 0.0) + 1e-9)
        found: Floats = weights / weights.sum(axis=1, keepdims=True)
        return found

    def spread(self, shares: Floats) -> float:
        """The variance inside the intervals, summed over the categories, of values that are 0 or 1; shares (categories,) of everybody."""
        within = self.inside(shares)
        mass = (self.members * np.maximum(shares, 0.0)).sum(axis=1)
        return float(mass @ (within * (1 - within)).sum(axis=1))
