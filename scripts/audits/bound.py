"""A lower confidence bound on the ε of a mechanism, from samples of its output on two neighboring inputs.

If a mechanism is (ε, δ)-differentially private, P(event | one input) <= e^ε P(event | the other) + δ for every event. So an event
that is too much likelier on one side proves a violation: the event is chosen on one half of the runs, its two
probabilities are bounded on the other half (Clopper and Pearson 1934), and the bound is the logarithm of their quotient.
Jagielski, Ullman, Oprea, "Auditing Differentially Private Machine Learning", NeurIPS 2020, section 3; Ding, Wang, Wang,
Zhang, Kifer, "Detecting Violations of Differential Privacy", CCS 2018, for choosing the event on runs of its own.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
THRESHOLDS = 60  # events tried a statistic; choosing costs no confidence, since it happens on runs of its own
COMMON = 12  # the most frequent values are events too: mass in one point is what forgotten noise looks like


def epsilon_lower_bound(one: Floats, other: Floats, alarm: float, delta: float = 0.0) -> float:
    """A bound that a mechanism of the true ε, at that δ, exceeds with probability `alarm` at most.

    `one` and `other` have the shape (runs, statistics): what was computed from the output on either input.
    """
    best, chosen = -math.inf, None
    for column in range(one.shape[1]):
        a, b = one[::2, column], other[::2, column]
        events = _events(np.concatenate([a, b]))
        hits, other_hits = _hits(events, a), _hits(events, b)
        directions = ((one, other, hits, other_hits), (other, one, other_hits, hits))
        for first, second, first_hits, second_hits in directions:
            found = _bounds(first_hits, second_hits, len(a), alarm, delta)
            event = int(found.argmax())
            if found[event] > best:
                best, chosen = found[event], (first[1::2, column], second[1::2, column], events[event : event + 1])
    if chosen is None:
        return 0.0
    first, second, events = chosen
    return max(0.0, float(_bounds(_hits(events, first), _hits(events, second), len(first), alarm, delta)[0]))


def _events(values: Floats) -> Floats:
    """Intervals, both ends within, shape (events, 2): above or below a threshold, or one value alone."""
    thresholds = np.unique(np.quantile(values, np.linspace(0, 1, THRESHOLDS)))
    found, counts = np.unique(values, return_counts=True)
    common, endless = found[np.argsort(-counts)[:COMMON]], np.full(len(thresholds), np.inf)
    low = np.concatenate([thresholds, -endless, common])
    high = np.concatenate([endless, thresholds, common])
    return np.stack([low, high], axis=1)


def _hits(events: Floats, values: Floats) -> Integers:
    """How many values are in each event."""
    ordered = np.sort(values)
    low, high = events.T
    return np.searchsorted(ordered, high, "right") - np.searchsorted(ordered, low, "left")


def _bounds(hits: Integers, other_hits: Integers, runs: int, alarm: float, delta: float) -> Floats:
    """The bound that each event gives, of its hits in that many runs on either input; -inf where it gives none."""
    low, high = np.zeros(len(hits)), np.ones(len(hits))
    some, not_all = hits > 0, other_hits < runs
    low[some] = beta.ppf(alarm / 2, hits[some], runs - hits[some] + 1) - delta
    high[not_all] = beta.ppf(1 - alarm / 2, other_hits[not_all] + 1, runs - other_hits[not_all])
    bounds = np.full(len(hits), -np.inf)
    positive = low > 0
    bounds[positive] = np.log(low[positive] / high[positive])
    return bounds
