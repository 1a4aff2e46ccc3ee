"""The way from customers to centers as a run goes it, with NumPy in the place of Spark's aggregation.

Geometry, parts, sensitivities, scales, reading and fitting are the library's own. That NumPy and Spark give the same
integers is shown by tests/spark. The accuracy benchmark seeds the noise, so a figure can be had again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pyarrow as pa

from evenhand.ask import boxes as summary
from evenhand.ask import histograms as marginals
from evenhand.assignment.nearest import CENTER_BITS, Centers, rounded_centers
from evenhand.errors import DataError
from evenhand.learn import refine
from evenhand.learn.cluster import fast_fit
from evenhand.learn.spread import spread_out
from evenhand.plan.geometry import BITS, STEPS, Boxes
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.noise import Noise, SeededNoise
from evenhand.privacy.question import Part, histogram_vectors

CHUNK = 200_000


class StandIn:
    """What the driver reads of a `Release`, which only the door can make: noisy vectors, and their noise."""

    private = False

    def __init__(self, noisy: Mapping[str, np.ndarray], parts: tuple[Part, ...]) -> None:
        self._noisy = noisy
        self._noise = {p.name: p.noise for p in parts}

    @classmethod
    def of(cls, exact: Mapping[str, np.ndarray], parts: tuple[Part, ...], noise: SeededNoise) -> StandIn:
        return cls({p.name: noise.add(exact[p.name], p.noise) for p in parts}, parts)

    def __getitem__(self, part: str) -> np.ndarray:
        return self._noisy[part]

    def noise(self, part: str) -> Noise:
        return self._noise[part]


Exact = Callable[[np.ndarray], Mapping[str, np.ndarray]]  # from rows in fixed point to the exact vectors of a question
Ask = Callable[[tuple[Part, ...], Exact], StandIn]


def private_centers(rows: np.ndarray, plan: Plan, seed: int) -> np.ndarray | None:
    """Centers in the unit cube, shape (k, features); None where the noise leaves too little to cluster."""
    noise = SeededNoise(seed)
    centers = learned(plan, lambda parts, exact: StandIn.of(exact(rows), parts, noise))
    return None if centers is None else centers / 2**CENTER_BITS / STEPS


def learned(plan: Plan, ask: Ask) -> Centers | None:
    """The centers to which a run's questions lead, each asked as the answers before it say; None as above."""
    method, names, unit = Method.of(plan), plan.feature_names, plan.privacy.unit
    found = None
    if method.marginals:
        answer = ask(marginals._parts(plan), lambda rows: histogram_vectors(bins(rows), names, marginals.BINS))
        found = marginals.read_marginals(answer, plan)
    boxes = summary.boxes_of(plan, found)
    answer = ask(summary._parts(plan, boxes), lambda rows: summary._vectors(box_table(rows, boxes), boxes, unit))
    points = spread_out(summary.read_summary(answer, plan, found), found, plan)
    try:
        fit = fast_fit(points, max(plan.segments.candidates), plan.segments.restarts)
    except DataError:
        return None
    centers = rounded_centers(fit.centers)
    for number in range(1, len(method.refinements) + 1):
        step = refine.Step.around(number, centers, points, unit)
        answer = ask(refine._parts(step, plan, len(centers)), partial(_step_vectors, step=step))
        centers = refine.moved(answer, step)
    return centers


def _step_vectors(rows: np.ndarray, step: refine.Step) -> Mapping[str, np.ndarray]:
    return refine._vectors(step_table(rows, step), step)


def bins(rows: np.ndarray) -> pa.Table:
    """The rows of `histograms`."""
    width, each = BITS - marginals.BIN_BITS, marginals.BINS
    found = np.bincount(((rows >> width) + np.arange(rows.shape[1]) * each).ravel())
    return pa.table({"bin": np.flatnonzero(found), "n": found[found > 0]})


def box_table(rows: np.ndarray, boxes: Boxes) -> pa.Table:
    """The rows of `box_sums`."""
    key = np.zeros(len(rows), dtype=np.int64)
    for j, (edges, stride) in enumerate(zip(boxes.edges, boxes.strides, strict=True)):
        key += np.searchsorted(np.array(edges[1:-1]), rows[:, j], side="right") * stride
    return _sums("box", key, rows)


def step_table(rows: np.ndarray, step: refine.Step) -> pa.Table:
    """The rows of `step_sums`."""
    segment = np.concatenate([nearest(part, step.centers / 2**CENTER_BITS)[0] for part in chunks(rows)])
    return _sums("segment", segment + 1, np.clip(rows, step.low[segment], step.high[segment]))


def nearest(rows: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest center, and the squared distance to it."""
    points = rows.astype(np.float64)
    scores = (centers**2).sum(axis=1) - 2 * points @ centers.T
    return scores.argmin(axis=1), np.maximum(scores.min(axis=1) + (points**2).sum(axis=1), 0)


def inertia(rows: np.ndarray, centers: np.ndarray) -> float:
    """Sum of squared distances of the rows to the nearest center of the unit cube."""
    return sum(float(nearest((part + 0.5) / STEPS, centers)[1].sum()) for part in chunks(rows))


def chunks(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, max(1, len(rows) // CHUNK))


def _sums(name: str, key: np.ndarray, rows: np.ndarray) -> pa.Table:
    n = np.bincount(key)
    some = np.flatnonzero(n)
    # Doubles add these integers exactly: below 2^53.
    sums = {f"s{j}": np.bincount(key, weights=rows[:, j])[some].astype(np.int64) for j in range(rows.shape[1])}
    return pa.table({name: some, "n": n[some]} | sums)
