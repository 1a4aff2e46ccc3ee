"""What has changed since the last published run of the same plan name; both runs' figures are noisy, and public."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.fairness.intervals import Estimate
from evenhand.fairness.rates import Interval, difference

Key = tuple[str, str, str]  # table, metric, offer


@dataclass(frozen=True)
class Last:
    """The last run's judged statistics, and each group's share of its customers (table, group)."""

    run_id: str
    judgments: Mapping[Key, Estimate]
    shares: Mapping[tuple[str, str], Estimate]


@dataclass(frozen=True)
class Change:
    """Now less then. The interval takes the two runs for independent samples: when many customers are in both, it is wider
    than it need be, never narrower."""

    value: float
    low: float
    high: float


def changed(now: Estimate, last: Last | None, key: Key) -> Change | None:
    if last is None or (then := last.judgments.get(key)) is None:
        return None
    found = difference(_interval(now), _interval(then))
    return Change(float(found.value), float(found.low), float(found.high))


def _interval(of: Estimate) -> Interval:
    return Interval(np.array(of.value), np.array(of.low), np.array(of.high))
