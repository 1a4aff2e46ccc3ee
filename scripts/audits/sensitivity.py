"""The audit's deterministic companion: noise is frozen, and what one customer changes is held against what the parts declare.

Where a sample says with luck that a claim is broken, this says it for certain, in a millisecond. It knows nothing of how noise is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from asked import Earlier
from evenhand.ask.boxes import boxes_of
from evenhand.ask.margins import NEAR
from evenhand.plan.categories import blocks
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.plan.parted import FULL
from evenhand.privacy.cube import Cube
from evenhand.privacy.noise import Gaussian, Noise, NoiseSource, OpenDPNoise
from evenhand.privacy.question import Integers, Part
from evenhand.privacy.release import add_noise
from evenhand.privacy.sample import Sample

Mechanism = Callable[..., Integers]  # of a part, its exact cells, and where the noise comes from: OpenDP unless stated
OPENDP = OpenDPNoise()


def sound(part: Part, exact: Integers, noise: NoiseSource = OPENDP) -> Integers:
    """What the door does."""
    return add_noise((part,), {part.name: exact}, noise)[part.name]


class Frozen:
    """Noise that is zero, and a record of what was to get which noise."""

    private = False

    def __init__(self) -> None:
        self.asked: list[tuple[Integers, Noise]] = []

    def add(self, exact: Integers, noise: Noise) -> Integers:
        self.asked.append((exact, noise))
        return exact.copy()


@dataclass(frozen=True)
class Change:
    """What two neighboring inputs change a part by: `moved` in the norm of its sensitivity, `loss` in the unit of its cost.

    `loss` is None where the noise does not hide everything: it differs, lacks in a cell, or is of a kind that the unit knows nothing of.
    """

    part: Part
    moved: int
    loss: Fraction | None

    @property
    def holds(self) -> bool:
        return self.moved <= self.part.sensitivity and self.loss is not None and self.loss <= Fraction(self.part.cost)

    @property
    def used(self) -> float:
        """The share of the declared sensitivity that is needed."""
        return self.moved / self.part.sensitivity


def changes(
    parts: Sequence[Part], one: Mapping[str, Integers], other: Mapping[str, Integers], mechanism: Mechanism = sound
) -> list[Change]:
    """Of each part between the exact vectors of two neighbors."""
    return [Change(p, moved(p, one[p.name], other[p.name]), _loss(p, one[p.name], other[p.name], mechanism)) for p in parts]


def wrong_changes(
    parts: Sequence[Part], one: Mapping[str, Integers], other: Mapping[str, Integers], more: int = 1, mechanism: Mechanism = sound
) -> list[str]:
    """The parts that change by too much between neighbors of which the other has so many customers more, or do not count them."""
    found = changes(parts, one, other, mechanism)
    miscounted = {c.part.name for c in found if c.part.sensitivity == 1 and c.part.name != NEAR and c.moved != more}
    return [c.part.name for c in found if not c.holds or c.moved > more * c.part.sensitivity or c.part.name in miscounted]


def moved(part: Part, one: Integers, other: Integers) -> int:
    """How far apart two of a part's vectors are, in the norm of its sensitivity, rounded up; in Python's own integers."""
    rows = np.abs(other - one).reshape(-1, part.width)
    if part.unit == "epsilon":
        return int(rows.max(axis=1).sum())
    squares = sum(int(v) ** 2 for v in rows[rows > 0])
    return math.isqrt(squares - 1) + 1 if squares else 0


def _loss(part: Part, one: Integers, other: Integers, mechanism: Mechanism) -> Fraction | None:
    """The most that the noise which the mechanism asks for lets through, in exact arithmetic."""
    records = []
    for exact in (one, other):
        frozen = Frozen()
        mechanism(part, exact, frozen)
        records.append(frozen.asked)
    if sum(len(cells) for cells, _ in records[0]) != part.cells or len(records[0]) != len(records[1]):
        return None
    total = Fraction(0)
    for (a, noise), (b, same) in zip(*records, strict=True):
        if noise != same or len(a) != len(b) or isinstance(noise, Gaussian) != (part.unit == "rho"):
            return None
        total += _through(noise, a - b)
    return total


def _through(noise: Noise, difference: Integers) -> Fraction:
    """The logarithm of how much likelier such noise makes an answer at most, or of Gaussian noise the ρ; see docs/mechanisms.md."""
    scale = Fraction(noise.scale)
    if isinstance(noise, Gaussian):
        return sum(int(v) ** 2 for v in difference[difference != 0]) / (2 * scale**2)
    width = noise.width if isinstance(noise, Cube) else 1
    return int(np.abs(difference).reshape(-1, width).max(axis=1).sum()) / scale


def hardest(plan: Plan, earlier: Earlier, random: np.random.Generator, number: int) -> Sample:
    """Customers whose presence is hard to hide: at corners, at the edges of boxes and clippings, on a center and beside it."""
    d, boxes = len(plan.features), boxes_of(plan, earlier.marginals)
    places = [[0, STEPS - 1, *edges[1:-1], *(e - 1 for e in edges[1:-1])] for edges in boxes.edges]
    for step in earlier.steps:
        places = [[*p, *step.low[:, j], *step.high[:, j], *step.middle[:, j]] for j, p in zip(boxes.numbers, places, strict=True)]
    points = np.zeros((number, d), dtype=np.int64)
    points[:, boxes.numbers] = np.stack([random.choice(np.clip(p, 0, STEPS - 1), number) for p in places], axis=1)
    points[0], points[1] = 0, STEPS - 1
    points[2:4] = random.integers(0, 2, (len(points[2:4]), d)) * (STEPS - 1)
    return anybody(plan, random, points)


def somebody(plan: Plan, random: np.random.Generator, number: int) -> Sample:
    """Customers anywhere."""
    return anybody(plan, random, random.integers(0, STEPS, (number, len(plan.features))))


def anybody(plan: Plan, random: np.random.Generator, points: Integers) -> Sample:
    """Customers at the given points, of any groups, and of any one category of each column that has some."""
    points = points.astype(np.int64)
    for block in blocks(plan.features):
        points[:, block.columns] = (
            np.eye(len(block.columns), dtype=np.int64)[random.integers(0, len(block.columns), len(points))] * FULL
        )
    groups = [random.integers(0, len(a.group_names), len(points)) for a in plan.protected]
    hashes = random.integers(-(2**63), 2**63 - 1, len(points), endpoint=True)
    return Sample.of(points, np.stack(groups, axis=1), hashes)
