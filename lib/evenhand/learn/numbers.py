"""Numbers that last: a segment that the last run had too keeps its number. Made of released centers alone, at no budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.assignment.nearest import CENTER_BITS, Centers
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MEANING = "column", "events", "expression"  # of a feature; bounds, scale, weight and words may change


@dataclass(frozen=True)
class Earlier:
    """The segments of the last run: `places` (k then, features) of their centers in today's fixed point, of the features that
    both runs have, whose positions in today's plan are `columns`; `stretch` (features,) is that of their axes.
    """

    run_id: str
    places: Integers
    columns: list[int]
    stretch: Floats | float = 1.0


@dataclass(frozen=True)
class Numbers:
    """Of each center: its number `now`, from 1, and the one it `was` in the run `run_id`, 0 where the segment is new; (k,) each.

    `run_id` is None in a first run.
    """

    now: Integers
    was: Integers
    run_id: str | None

    @property
    def order(self) -> Integers:
        """The positions of the centers by their numbers."""
        return np.argsort(self.now)


def numbers(centers: Centers, earlier: Earlier | None) -> Numbers:
    """The numbers of centers that stand in the order of their size, as they do in a first run.

    A segment that the last run had too keeps its number while there are as many. Those beyond take the lowest that are free,
    and new segments then the rest.
    """
    k = len(centers)
    if earlier is None:
        return Numbers(np.arange(1, k + 1), np.zeros(k, dtype=np.int64), None)
    today, then = centers[:, earlier.columns] / 2**CENTER_BITS / STEPS, earlier.places / STEPS
    was = _matched(today * earlier.stretch, then * earlier.stretch)
    now = np.where(was <= k, was, 0)
    without = np.flatnonzero(now == 0)
    free = np.setdiff1d(np.arange(1, k + 1), now)
    now[without[np.argsort(np.where(was == 0, np.inf, was)[without], kind="stable")]] = free
    return Numbers(now, was, earlier.run_id)


def _matched(now: Floats, then: Floats) -> Integers:
    """By center of today the number, from 1, of the earlier one that is the same segment; 0 where none is.

    Two are the same where they are nearer to each other than half the way from either to the next center of its own run.
    Whichever way it moved, the center of each is then inside of the other segment, so both hold the same core of customers. No
    segment can be the same as two, so these pairs are the optimal assignment: there is nothing to search for.
    """
    if now.shape[1] == 0:
        return np.zeros(len(now), dtype=np.int64)
    same = _distances(now, then) < np.minimum(_apart(now)[:, None], _apart(then)) / 2
    return np.where(same.any(axis=1), same.argmax(axis=1) + 1, 0)


def _apart(centers: Floats) -> Floats:
    """The distance of each center to the next one, (k,)."""
    between = _distances(centers, centers)
    np.fill_diagonal(between, np.inf)
    nearest: Floats = between.min(axis=1)
    return nearest


def _distances(a: Floats, b: Floats) -> Floats:
    """From each of a to each of b, (a, b)."""
    found: Floats = np.sqrt(((a[:, None] - b) ** 2).sum(axis=2))
    return found


def in_both(plan: Plan, then: Mapping[str, Any]) -> list[int]:
    """The positions of today's features that an earlier plan, in JSON, has under the same name and computed in the same way."""
    before = {of["name"]: _meaning(of, then) for of in then["features"]}
    now = plan.model_dump(mode="json", by_alias=True)
    return [j for j, of in enumerate(now["features"]) if before.get(of["name"]) == _meaning(of, now)]


def _meaning(feature: Mapping[str, Any], plan: Mapping[str, Any]) -> list[Any]:
    events = plan["sources"]["events"].get(feature["events"], {})
    return [*(feature[key] for key in MEANING), events.get("time"), events.get("where")]
