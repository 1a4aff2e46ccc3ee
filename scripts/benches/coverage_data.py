"""Populations with known rates of groups in segments, to count on how often intervals hold. Shared with the tests."""

from __future__ import annotations

import numpy as np

from evenhand.privacy.noise import Laplace, Noise

BASE = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
SIZES = np.array([50_000, 40_000, 10_000, 3_000])  # the last: a small group
LITTLE = np.array([[1] * 5, [0.95, 1.05, 1, 0.97, 1.1], [1.02, 0.98, 1, 1.03, 0.95], [1.1, 0.9, 1.05, 0.95, 0.9]])
TRUTHS = {
    "even": np.tile(BASE, (4, 1)),
    "one cell of the small group": np.vstack([BASE, BASE, BASE, [0.36, 0.25, 0.2, 0.15, 0.04]]),
    "all a little uneven": BASE * LITTLE,
    "very uneven": np.array([[0.4, 0.3, 0.1, 0.1, 0.1], [0.2, 0.2, 0.3, 0.2, 0.1], BASE, [0.1, 0.1, 0.2, 0.3, 0.3]]),
}
RARE = np.array([0.3, 0.25, 0.2, 0.15, 0.0985, *[0.0001] * 15])
TWO_OF_TWENTY = np.array([[0.3475, 0.1525], [0.1525, 0.3475]])  # and a thirty-sixth in each of the other eighteen
# Tables of which statistics are held, and cells are not: most of those drown in the noise, and hold always.
WIDE_SIZES = {
    "two of twenty segments differ": np.array([50_000, 50_000]),
    "rare segments, all even": np.array([60_000, 20_000, 10_000, 10_000]),
}
WIDE = {
    "two of twenty segments differ": np.hstack([TWO_OF_TWENTY, np.full((2, 18), 1 / 36)]),
    "rare segments, all even": np.tile(RARE, (4, 1)),
}
TABLE_SHARE = 0.2 * 0.7 / 2  # of a run's ε for the table of one of two attributes


def noise_of(epsilon: float) -> Noise:
    return Laplace(1 / (epsilon * TABLE_SHARE))


def chances(name: str) -> np.ndarray:
    """Of a customer to be in a group and a segment, shape (groups, segments)."""
    truth = (TRUTHS | WIDE)[name]
    table = WIDE_SIZES.get(name, SIZES)[:, None] * truth / truth.sum(axis=1, keepdims=True)
    return table / table.sum()


def offered(segments: int) -> np.ndarray:
    """The first and the last segment get an offer, shape (segments,)."""
    return np.isin(np.arange(segments), [0, segments - 1])


CHOSEN = offered(len(BASE))


def outcomes(p: np.ndarray) -> np.ndarray:
    """Who gets the offer and who does not, shape (groups, 2)."""
    chosen = offered(p.shape[1])
    return np.stack([p[:, chosen].sum(axis=1), p[:, ~chosen].sum(axis=1)], axis=1)


def noisy_tables(name: str, noise: Noise, runs: int, seed: int) -> np.ndarray:
    """Sampled, counted and noised again and again, shape (runs, groups, segments)."""
    random, p = np.random.default_rng(seed), chances(name)
    counts = random.multinomial(WIDE_SIZES.get(name, SIZES).sum(), p.ravel(), runs)
    return (counts + noise.simulated(random, counts.size).reshape(counts.shape)).reshape(runs, *p.shape).astype(float)
