"""Private centers of rows in NumPy: what a run learns, asked of a sample with seeded noise, so that a figure can be had again.

MLlib's fits are left out: they would start Spark for each of hundreds of draws, and compete on the same summary.
"""

from __future__ import annotations

import numpy as np

from evenhand.assignment.nearest import CENTER_BITS
from evenhand.errors import DataError
from evenhand.learn.learn import learn
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import asking
from evenhand.privacy.sample import Sample

CHUNK = 200_000


def private_centers(rows: np.ndarray, plan: Plan, seed: int) -> np.ndarray | None:
    """Centers in the unit cube, shape (k, features), of rows in fixed point; None where the noise leaves too little to cluster."""
    try:
        found = learn(asking(Sample.of(rows), SeededNoise(seed)), plan)
    except DataError:
        return None
    return found.centers / 2**CENTER_BITS / STEPS


def nearest(rows: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest center, and the squared distance to it."""
    points = rows.astype(np.float64)
    scores = (centers**2).sum(axis=1) - 2 * points @ centers.T
    return scores.argmin(axis=1), np.maximum(scores.min(axis=1) + (points**2).sum(axis=1), 0)


def inertia(rows: np.ndarray, centers: np.ndarray) -> float:
    """Sum of squared distances of the rows to the nearest center of the unit cube."""
    chunks = np.array_split(rows, max(1, len(rows) // CHUNK))
    return sum(float(nearest((part + 0.5) / STEPS, centers)[1].sum()) for part in chunks)
