"""Whether an offer comes to the same for all: rates of response by group, what the offer adds to them, and a verdict on the groups.

A rate of response is a rate of selection in other columns: options take the place of segments, and whoever went at least as far
as an option is "chosen". So it is known, hidden and judged as those are (`fairness.selection`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.judgment import AT_LEAST, CANNOT_TELL, WHOLLY_EVEN, told, verdict
from evenhand.fairness.known import with_cells
from evenhand.fairness.rates import Interval, difference
from evenhand.fairness.selection import Offered, offered
from evenhand.plan.fairness import Fairness
from evenhand.privacy.intervals import Estimate
from evenhand.privacy.noise import Noise
from evenhand.privacy.suppression import suppressed_cells

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Response:
    """Of one option the rates of those who got the offer and of those held back, and what it adds; shape (rows,), NaN where not shown."""

    option: str
    given: Interval
    held: Interval

    @property
    def added(self) -> Interval:
        return difference(self.given, self.held)


@dataclass(frozen=True)
class ResponseVerdict:
    """Of those who got the offer how evenly the groups respond. `estimate` is None where it is not shown; its value may be NaN."""

    option: str
    metric: str
    estimate: Estimate | None
    threshold: float
    verdict: str
    over: list[str]


def responses(noisy: Floats, noise: Noise, options: Sequence[str], minimum: float, threshold: float) -> list[Response]:
    """From counts of shape (arms, rows, none and options)."""
    given, held = (_offered(arm, noise, options, minimum, threshold) for arm in noisy)
    return [Response(option, given[option].rates, held[option].rates) for option in options]


def response_verdicts(
    noisy: Floats, noise: Noise, rows: Sequence[str], options: Sequence[str], minimum: float, asked: Fairness
) -> Iterator[ResponseVerdict]:
    """For every option the lowest rate of a group over the highest, and the gap between them, of those who got the offer."""
    found = _offered(noisy[0], noise, options, minimum, asked.thresholds.selection_ratio)
    for option, of in found.items():
        over = [row for row, is_over in zip(rows, of.over, strict=True) if is_over]
        for metric in ("selection_ratio", "selection_difference"):
            limit = float(getattr(asked.thresholds, metric))
            estimate = of.estimates.get(metric)
            if estimate is None:
                yield ResponseVerdict(option, metric, None, limit, CANNOT_TELL, over)
                continue
            said = verdict(estimate.low, estimate.high, limit, metric not in AT_LEAST)
            shown = told(estimate, limit, WHOLLY_EVEN.get(metric, 0.0), said) if of.shown else None
            yield ResponseVerdict(option, metric, shown, limit, said, over)


def _offered(arm: Floats, noise: Noise, options: Sequence[str], minimum: float, threshold: float) -> dict[str, Offered]:
    large, hidden = with_cells(arm, noise, minimum), np.ones(arm.shape, dtype=bool)
    if large.any():
        hidden[large] = suppressed_cells(arm[large] < minimum, arm[large])
    reached = {option: np.arange(arm.shape[1]) > j for j, option in enumerate(options)}
    return offered(arm, noise, hidden, large, reached, minimum, threshold)
