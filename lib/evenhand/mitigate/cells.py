"""The customers as mitigation sees them: weighted points of joint groups, made of the private summaries alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import qmc

from evenhand.ask.boxes import Summary, known_of
from evenhand.ask.histograms import Marginals
from evenhand.learn.spread import with_mean
from evenhand.plan.geometry import STEPS, Boxes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_SPREAD = 8  # points that one cell is spread over; from trials
POINTS = 16_000  # of all cells together, which HiGHS solves within a second or two


@dataclass(frozen=True)
class Cells:
    """`points` (n, features) in the unit cube, its axes stretched by the plan's weights, their `weights` (n,) in customers, their joint group `groups` (n,)."""

    points: Floats
    weights: Floats
    groups: Integers
    joint: int  # how many joint groups there are

    @classmethod
    def of(cls, points: Floats, counts: Floats) -> Cells:
        """From boxes with points (boxes, features) and counts (boxes, joint groups)."""
        box, group = np.nonzero(counts > 0)
        return cls(points[box], counts[box, group], group.astype(np.int64), counts.shape[1])

    def totals(self) -> Floats:
        """Customers of each joint group, shape (joint groups,)."""
        return self.sums(np.ones_like(self.weights))

    def sums(self, figures: Floats) -> Floats:
        """Figures a customer, (n,), added up over the customers of each joint group, shape (joint groups,)."""
        return np.bincount(self.groups, weights=self.weights * figures, minlength=self.joint).astype(np.float64)

    def table(self, shares: Floats) -> Floats:
        """Joint group by segment, when each point goes to the segments in these shares, (n, k); shape (joint groups, k)."""
        count = len(self.weights)
        members = sparse.csr_matrix((self.weights, (self.groups, np.arange(count))), shape=(self.joint, count))
        table: Floats = members @ shares
        return table

    def distances(self, centers: Floats) -> Floats:
        """Squared distances to centers in the unit cube, shape (n, k)."""
        return distances(self.points, centers)


def distances(points: Floats, centers: Floats) -> Floats:
    """Squared distances in the unit cube, shape (points, centers)."""
    squared: Floats = (points**2).sum(1)[:, None] - 2 * points @ centers.T + (centers**2).sum(1)
    return np.maximum(squared, 0.0)


def coarse_cells(summary: Summary, counts: Floats) -> Cells:
    """One point a box and joint group: the noisy mean of the box."""
    return Cells.of(summary.places, counts)


def fine_cells(summary: Summary, counts: Floats, boxes: Boxes, marginals: Marginals | None) -> Cells:
    """Several points a box and joint group, spread as widely as customers are expected to be inside the box.

    A border between segments cuts through boxes; from single points nothing could be said of where. The spread is that of
    the marginals, and never wider than the mean allows: variance at most (high - mean)(mean - low) (Bhatia and Davis, 2000).
    """
    cells = int((counts > 0).sum())
    each = int(np.clip(round(POINTS / max(cells, 1)), 1, MOST_SPREAD))
    if each == 1:
        return coarse_cells(summary, counts)
    low, high = (end[summary.boxes] / STEPS * summary.stretch for end in boxes.ends)
    mean, known = summary.places, marginals.inside(boxes) if marginals else known_of(boxes)
    variance = known[1][summary.boxes] / STEPS**2 * summary.stretch**2
    deviation = np.sqrt(np.minimum(variance, np.maximum((high - mean) * (mean - low), 0.0)))
    count = len(mean) * each
    draws = qmc.Sobol(mean.shape[1], seed=1).random_base2(max(1, (count - 1).bit_length()))[:count]
    offsets = ((draws - 0.5) * np.sqrt(12)).reshape(len(mean), each, -1) * deviation[:, None]
    low, mean, high = low[:, None], mean[:, None], high[:, None]
    points = with_mean(mean, np.clip(mean + offsets, low, high), low, high)
    return Cells.of(points.reshape(count, -1), np.repeat(counts / each, each, axis=0))
