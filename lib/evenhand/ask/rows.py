"""Sums of the features over rows, such as segments or groups: numbers in one part, and the categories of each column in one of theirs.

A customer changes all sums of numbers of a row at once, and one count alone of the categories of a column. So many categories take
nothing from the numbers but one feature's share of the budget, whatever their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.plan.accounting import Unit
from evenhand.plan.categories import Block, beside, blocks, independent, numbers
from evenhand.plan.features import Feature
from evenhand.plan.parted import FULL
from evenhand.privacy.noise import Noise
from evenhand.privacy.question import Integers, Part
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]


def block_part(name: str, block: str) -> str:
    return f"{name}, {block}"


def budget_of_numbers(features: Sequence[Feature]) -> float:
    """The share of the numbers; the categories of each column have that of one feature."""
    return len(numbers(features)) / independent(features)


def block_parts(name: str, rows: int, cost: float, features: Sequence[Feature], unit: Unit) -> tuple[Part, ...]:
    """The counts of customers by row and category, of each column, of a question with that cost for all features."""
    each, why = cost / independent(features), "a customer is in one segment or group, and in one category"
    return tuple(Part(block_part(name, block.name), rows * len(block.columns), 1, each, why, unit) for block in blocks(features))


def block_vectors(name: str, sums: Integers, of_blocks: Sequence[Block]) -> Mapping[str, Integers]:
    """Of sums (rows, features) of fixed-point values those of categories, as counts."""
    return {block_part(name, block.name): (sums[:, block.columns] // FULL).ravel() for block in of_blocks}


@dataclass(frozen=True)
class Rows:
    """Noisy sums of offsets from `origin`, in fixed-point steps, both (rows, features). A category's origin is 0.

    `noise` is by feature that of the part that it is in, `step` (rows, features) what a unit of the part is in steps.
    """

    sums: Floats
    origin: Floats
    noise: tuple[Noise, ...]
    step: Floats

    @property
    def deviation(self) -> Floats:
        """Of the noise, shape (rows, features)."""
        found: Floats = np.array([noise.deviation for noise in self.noise]) * self.step
        return found

    @property
    def excess(self) -> Floats:
        """Excess kurtosis of the noise, shape (features,)."""
        return np.array([noise.excess_kurtosis for noise in self.noise])

    def reach(self, level: float) -> Floats:
        """How far the noise of each sum reaches with that chance, shape (rows, features)."""
        found: Floats = np.array([noise.half_width(level) for noise in self.noise]) * self.step
        return found


def read_rows(
    release: Release, name: str, of_blocks: Sequence[Block], origin: Floats | float, factors: Integers | float = 1.0
) -> Rows:
    """The sums that a release has under that name; those of numbers are offsets from `origin`, multiplied by `factors` (rows, numbers)."""
    width = release.parts[name].width
    of_numbers = release[name].reshape(-1, width) / factors
    rows, d = len(of_numbers), width + sum(len(block.columns) for block in of_blocks)
    at = beside(of_blocks, d)
    sums, start, step = np.empty((rows, d)), np.zeros((rows, d)), np.full((rows, d), float(FULL))
    sums[:, at], start[:, at], step[:, at] = of_numbers, origin, 1.0 / np.asarray(factors)
    parts = [name] * d
    for block in of_blocks:
        own = block_part(name, block.name)
        sums[:, block.columns] = release[own].reshape(rows, -1) * float(FULL)
        for j in block.columns:
            parts[j] = own
    return Rows(sums, start, tuple(release.noise(part) for part in parts), step)
