"""What has changed since the last published run of the same plan name; both runs' figures are noisy, and public."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evenhand.fairness.rates import Interval, difference
from evenhand.plan.groups import TIMES
from evenhand.plan.load import canonical_json
from evenhand.privacy.intervals import Estimate

Key = tuple[str, str, str]  # table, metric, offer


@dataclass(frozen=True)
class Last:
    """The last run's judged statistics, each with its `basis`, none where its segments are not all the same as today's; each
    group's share of its customers (table, group); and what segments were called in it, by their numbers of today.
    """

    run_id: str
    judgments: Mapping[Key, tuple[Estimate, str]]
    shares: Mapping[tuple[str, str], Estimate]
    labels: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """Now less then. The interval takes the two runs for independent samples: when many customers are in both, it is wider
    than it need be, never narrower."""

    value: float
    low: float
    high: float


def basis(plan: Mapping[str, Any], key: Key, reference: str, over: Sequence[str]) -> str:
    """What a statistic is about, as text: two are compared only where this is the same. `plan` is the plan in JSON.

    The groups and how customers come into them, those that are judged, the offer; what makes the segments; and of the
    representation ratio what it is held against.
    """
    table, metric, offer = key
    groups = [_without(a, "why", "reference") for a in plan["protected"] if a["name"] in table.split(TIMES)]
    offers = [_without(o, "why") for o in plan["fairness"]["offers"] if o["name"] == offer]
    features = [_without(f, "why", "unit", "words") for f in plan["features"]]
    mitigation = _without(plan["fairness"]["mitigation"] or {}, "justification", "share")
    against = reference if metric == "representation_ratio" else None
    return canonical_json([groups, sorted(over), offers, features, mitigation, against])


def _without(part: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in keys}


def changed(now: Estimate, last: Last | None, key: Key, now_basis: str) -> Change | None:
    """None where there is nothing to compare with, only something else under the same name, or nothing known of one of the two."""
    if last is None or (found_then := last.judgments.get(key)) is None:
        return None
    then, then_basis = found_then
    if then_basis != now_basis or not np.isfinite([*_ends(now), *_ends(then)]).all():
        return None
    found = difference(_interval(now), _interval(then))
    return Change(float(found.value), float(found.low), float(found.high))


def _ends(of: Estimate) -> tuple[float, float, float]:
    return of.value, of.low, of.high


def _interval(of: Estimate) -> Interval:
    return Interval(*(np.array(end) for end in _ends(of)))
