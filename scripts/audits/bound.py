"""A lower confidence bound on the ε of a mechanism, from samples of its output on two neighboring inputs.

If a mechanism is (ε, δ)-differentially private, P(event | one input) <= e^ε P(event | the other) + δ for every event. So an event
that is too much likelier on one side proves a violation: the event is chosen on one half of the runs, its two
probabilities are bounded on the other half (Clopper and Pearson 1934), and the bound is the logarithm of their quotient.
Jagielski, Ullman, Oprea, "Auditing Differentially Private Machine Learning", NeurIPS 2020, section 3; Ding, Wang, Wang,
Zhang, Kifer, "Detecting Violations of Differential Privacy", CCS 2018, for choosing the event on runs of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Floats = NDArray[np.float64]
THRESHOLDS = 60  # events tried a statistic; choosing costs no confidence, since it happens on runs of its own
COMMON = 12  # the most frequent values are events too: mass in one point is what forgotten noise looks like


def epsilon_lower_bound(one: Floats, other: Floats, alarm: float, delta: float = 0.0) -> float:
    """A bound that a mechanism of the true ε, at that δ, exceeds with probability `alarm` at most.

    `one` and `other` have the shape (runs, statistics): what was computed from the output on either input.
    """
    best, chosen = -math.inf, None
    for column in range(one.shape[1]):
        a, b = one[::2, column], other[::2, column]
        for event in _events(np.concatenate([a, b])):
            for first, second, swapped in ((a, b, False), (b, a, True)):
                found = _bound(int(event(first).sum()), int(event(second).sum()), len(first), alarm, delta)
                if found > best:
                    best, chosen = found, (event, column, swapped)
    if chosen is None:
        return 0.0
    event, column, swapped = chosen
    first, second = (other, one) if swapped else (one, other)
    hits = [int(event(side[1::2, column]).sum()) for side in (first, second)]
    return max(0.0, _bound(*hits, len(first[1::2]), alarm, delta))


class _Event:
    def __init__(self, kind: str, value: float) -> None:
        self.kind, self.value = kind, value

    def __call__(self, values: Floats) -> NDArray[np.bool_]:
        if self.kind == "at least":
            return values >= self.value
        return values <= self.value if self.kind == "at most" else values == self.value


def _events(values: Floats) -> Iterator[_Event]:
    for threshold in np.unique(np.quantile(values, np.linspace(0, 1, THRESHOLDS))):
        yield _Event("at least", float(threshold))
        yield _Event("at most", float(threshold))
    found, counts = np.unique(values, return_counts=True)
    for value in found[np.argsort(-counts)[:COMMON]]:
        yield _Event("equal", float(value))


def _bound(hits: int, other_hits: int, runs: int, alarm: float, delta: float) -> float:
    low = beta.ppf(alarm / 2, hits, runs - hits + 1) - delta if hits else 0.0
    if low <= 0:
        return -math.inf
    high = beta.ppf(1 - alarm / 2, other_hits + 1, runs - other_hits) if other_hits < runs else 1.0
    return float(np.log(low / high))
