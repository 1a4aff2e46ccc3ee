"""How many customers of each joint group are where: the best linear estimate from the boxes and all counts so far.

Each count is a few sums over the same unknown numbers, with noise. The estimate weighs what the boxes let expect against
each count by their variances (the linear minimum mean squared error estimate: Kay, "Estimation Theory", 1993, chapter 12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evenhand.assignment.fair_map import Moves
from evenhand.mitigate.cells import Cells
from evenhand.mitigate.choices import Choices

Floats = NDArray[np.float64]
DOUBT = 0.5  # how far what the boxes let expect is from the truth, as a fraction; from trials
LEAST_VARIANCE = 25.0  # of those who are not near another segment
LEAST_NEAR = 0.5  # customers; cells below are left as they are
SURELY = 2.0  # times the expected square: the mean square of ten segments is above that one time in thirty, were it normal


@dataclass(frozen=True)
class Presence:
    """`near` (joint groups, k, k, bins): customers by segment, next best segment, and lead; `rest` (joint groups, k): all others.

    `luck` (joint groups, k): how many more are in a segment after the moves than their shares let expect, since the hash
    divides evenly on average only. Who has moved stays moved, so it is the same at the next count.
    """

    near: Floats
    rest: Floats
    luck: Floats

    @property
    def sizes(self) -> Floats:
        """Customers by joint group and segment, shape (joint groups, k)."""
        return self.rest + self.near.sum(axis=(2, 3))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Counted:
    """Noisy `counts` (joint groups, k) of customers by segment, with the noise's `deviation`, after these `moves`."""

    counts: Floats
    deviation: float
    moves: Moves


@dataclass(frozen=True)
class Expected:
    """What the boxes let expect: `mean` and `variance`, and the `costs` (joint groups, k, k) of going from a segment to another."""

    mean: Presence
    variance: Presence
    costs: Floats


def expected(cells: Cells, centers: Floats, choices: Choices, noise: float) -> Expected:
    """From cells whose weights have a variance of `noise`."""
    joint, k, is_near = cells.joint, len(centers), choices.is_near
    distances = cells.distances(centers)

    def presence(figures: Floats) -> Presence:
        near, rest = np.zeros((joint, k, k, choices.bins)), np.zeros((joint, k))
        places = (cells.groups, choices.first, choices.second, choices.bin)
        np.add.at(near, tuple(a[is_near] for a in places), figures[is_near])
        np.add.at(rest, tuple(a[~is_near] for a in places[:2]), figures[~is_near])
        return Presence(near, rest, np.zeros_like(rest))

    mean, noises = presence(cells.weights), presence(np.full(len(cells.weights), noise))
    costs = np.zeros((joint, k, k))
    own = np.take_along_axis(distances, choices.first[:, None], axis=1)
    np.add.at(costs, (cells.groups, choices.first), (distances - own) * cells.weights[:, None])
    # Where the boxes know of nobody: as far as the centers are apart.
    apart = ((centers[:, None] - centers) ** 2).sum(axis=2)
    size = mean.sizes[:, :, None]
    costs = np.where(size > 0, np.maximum(costs / np.where(size > 0, size, 1.0), 0.0), apart)
    return Expected(mean, variances(mean, noises), costs)


def variances(mean: Presence, noises: Presence) -> Presence:
    """Of what boxes let expect, given the variances of the noise in it."""
    near = (DOUBT * mean.near) ** 2 + mean.near + 1.0 + noises.near
    return Presence(near, (DOUBT * mean.rest) ** 2 + mean.rest + LEAST_VARIANCE + noises.rest, mean.luck)


@dataclass(frozen=True)
class Prior:
    """What is expected before any table of segments is counted, and the variances of it."""

    mean: Presence
    variance: Presence

    @classmethod
    def of(cls, boxes: Expected, near: Floats, deviation: float) -> Prior:
        """From the boxes and a noisy count of those `near` another segment."""
        doubt, noise, known = boxes.variance.near, deviation**2, boxes.mean.near
        mean = np.maximum(known + (near - known) * doubt / (doubt + noise), 0.0)
        mean[:, range(near.shape[1]), range(near.shape[1])] = 0.0
        mean = np.where(known >= LEAST_NEAR, mean, known)  # of very many cells of nobody, noise would make a crowd
        rest, luck = boxes.variance.rest, boxes.mean.luck
        return cls(Presence(mean, boxes.mean.rest, luck), Presence(doubt * noise / (doubt + noise), rest, luck))

    def given(self, counted: Sequence[Counted]) -> Presence:
        """The estimate when these tables were counted; `rest` may be negative, where `near` is too many or where nobody is."""
        near, rest, luck = self.mean.near.copy(), self.mean.rest.copy(), self.mean.luck.copy()
        went, joint, k = _moved(self.mean, counted[-1].moves), *rest.shape
        for group in range(joint):
            cells = np.nonzero(near[group] >= LEAST_NEAR)
            mean = np.concatenate([rest[group], luck[group], near[group][cells]])
            variance = np.concatenate([self.variance.rest[group], went[group], self.variance.near[group][cells]])
            sums = sparse.vstack([_sums(c.moves, group, cells) for c in counted]).tocsr()
            seen = np.concatenate([c.counts[group] for c in counted])
            noise = np.repeat([c.deviation**2 for c in counted], k)
            # Where the first count is further off than it and the boxes can be, the boxes know less than was thought.
            beside, could = seen[:k] - sums[:k] @ mean, sums[:k].multiply(sums[:k]) @ variance + noise[:k]
            variance[:k] += max(0.0, float((beside**2).mean() - SURELY * could.mean()))
            spread = sums.multiply(variance).tocsr()
            found = mean + spread.T @ np.linalg.solve((spread @ sums.T).toarray() + np.diag(noise), seen - sums @ mean)
            luck[group], kept = found[k : 2 * k], np.maximum(found[2 * k :], 0.0)
            near[group][cells] = kept
            # The sums are known far better than their parts: what a part is made larger by is taken off where it is now.
            made, moved = kept - found[2 * k :], counted[-1].moves.near[group][cells]
            off = np.bincount(cells[0], weights=made * (1 - moved), minlength=k)
            off += np.bincount(cells[1], weights=made * moved, minlength=k)
            rest[group] = found[:k] - off
        return Presence(near, rest, luck)


def _moved(presence: Presence, moves: Moves) -> Floats:
    """How many customers leave or reach each segment, shape (joint groups, k): the variance of the hash is about that."""
    near = moves.near * presence.near
    far = moves.far * np.maximum(presence.sizes - near.sum(axis=(2, 3)), 0.0)[:, :, None]
    return near.sum(axis=(1, 3)) + near.sum(axis=(2, 3)) + far.sum(axis=1) + far.sum(axis=2)  # type: ignore[no-any-return]


def _sums(moves: Moves, group: int, cells: tuple[NDArray[np.int64], ...]) -> sparse.csr_matrix:
    """Which share of each unknown is in which segment after the moves, shape (k, k + k + cells)."""
    first, second, _ = cells
    far, k, count = moves.far[group], len(moves.far[group]), len(first)
    stays = sparse.csr_matrix((far + np.diag(1 - far.sum(axis=1))).T)
    moved = moves.near[group][cells]
    leaves = sparse.csr_matrix((1 - moved, (first, np.arange(count))), shape=(k, count))
    arrives = sparse.csr_matrix((moved, (second, np.arange(count))), shape=(k, count))
    luck = sparse.eye(k) * float(far.any() or moved.any())
    return sparse.hstack([stays, luck, stays @ leaves + arrives]).tocsr()
