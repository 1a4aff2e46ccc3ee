"""The centers after private Lloyd steps.

The summary sees people only through its boxes; a step sees them as they are. It costs one more pass and some ε.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.boxes import Summary
from evenhand.ask.steps import SIZES, Step, moved, step_ends, step_sums
from evenhand.assignment.nearest import CENTER_BITS, Centers
from evenhand.learn.cluster import squared_distances
from evenhand.plan.accounting import Unit
from evenhand.plan.categories import Block, blocks
from evenhand.plan.geometry import STEPS
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.release import Ask

Floats = NDArray[np.float64]
REACH = 3.0  # deviations from the center at which a customer's value is clipped; from trials
LEAST_DEVIATION = STEPS / 100  # of a segment, as seen on the summary, which may be a single box


@dataclass(frozen=True)
class Refined:
    """`ends`: from and to of the centers, (k, features) in fixed point each; None where there was no step."""

    centers: Centers
    ends: tuple[Floats, Floats] | None


def refined(ask: Ask, centers: Centers, summary: Summary, plan: Plan) -> Refined:
    """The centers after all steps that the method has; the largest segment first."""
    ends = None
    for number in range(1, len(Method.of(plan).refinements) + 1):
        step = step_around(number, centers, summary, plan.privacy.unit, blocks(plan.features))
        (release,) = ask(step_sums(step, plan))
        order = np.argsort(-release[SIZES], kind="stable")
        low, high = step_ends(release, step)
        centers, ends = moved(release, step)[order], (low[order], high[order])
    return Refined(centers, ends)


def step_around(number: int, centers: Centers, summary: Summary, unit: Unit, of_blocks: Sequence[Block] = ()) -> Step:
    """Step `number` from these centers, its clipping as the summary alone shows it."""
    fixed = centers / 2**CENTER_BITS
    reach = REACH * np.maximum(_deviations(fixed, summary), LEAST_DEVIATION)
    low = np.clip(np.floor(fixed - reach), 0, STEPS - 2).astype(np.int64)
    high = np.clip(np.ceil(fixed + reach), low + 1, STEPS - 1).astype(np.int64)
    for block in of_blocks:
        low[:, block.columns], high[:, block.columns] = 0, STEPS - 1
    return Step(number, centers, low, high, unit, summary.stretch, tuple(of_blocks))


def _deviations(centers: Floats, summary: Summary) -> Floats:
    """Root mean squared offset of the summary's points from their nearest center, shape (k, features)."""
    nearest = squared_distances(summary.points, centers, summary.stretch).argmin(axis=1)
    weights = np.maximum(np.bincount(nearest, weights=summary.weights, minlength=len(centers)), 1.0)
    squares = (summary.points - centers[nearest]) ** 2 * summary.weights[:, None]
    sums = [np.bincount(nearest, weights=column, minlength=len(centers)) for column in squares.T]
    return np.sqrt(np.stack(sums, axis=1) / weights[:, None])
