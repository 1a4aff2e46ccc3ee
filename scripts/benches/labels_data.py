"""Customers of whom some features have nothing to do with the segments, and what a run's assessment of them says. Shared with the tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evenhand.ask.assessment import segment_tallies
from evenhand.assignment.in_numpy import segment_numbers
from evenhand.assignment.nearest import Centers
from evenhand.describe.label import NOTICEABLE, WORDS
from evenhand.errors import DataError
from evenhand.learn.learn import learn
from evenhand.plan.geometry import to_fixed
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import Release, asking
from evenhand.privacy.sample import Sample

SAME = 0.05
CORNERS = np.array([[20, 20], [80, 20], [50, 80]])
Floats = np.ndarray


@dataclass(frozen=True)
class World:
    """`rows` (customers, features) in the units of `features`, which are the plan's; k segments."""

    rows: Floats
    features: list[dict[str, Any]]
    k: int

    def plan(self, epsilon: float) -> Plan:
        attribute = {"name": "gender", "why": "bench", "column": "sex", "groups": {"female": ["f"], "male": ["m"]}}
        plan = {
            "name": "labels",
            "purpose": "bench",
            "description": "the words of segments",
            "legal_basis": "consent",
            "sources": {"customers": {"path": "none", "id": "id"}, "consent": {"path": "none"}},
            "features": self.features,
            "protected": [attribute],
            "segments": {"k": self.k, "restarts": 4},
            "privacy": {
                "epsilon": epsilon,
                "population": "bench",
                "population_total": epsilon,
                "expected_customers": len(self.rows),
            },
            "pseudonyms": {"key_id": "none", "key_env": "NONE"},
            "output": {"restricted": {"path": "none/restricted"}, "open": {"path": "none/open"}},
        }
        return Plan.model_validate(plan)


def feature(name: str, low: float, high: float, scale: str = "linear") -> dict[str, Any]:
    return {"name": name, "why": "t", "column": f"c_{name}", "bounds": [low, high], "missing": low, "scale": scale}


def _with_third(customers: int, high: float, draw: Callable[[np.random.Generator, int], Floats], scale: str = "linear") -> World:
    """Three clear kinds of customers, and a third feature that is the same in all of them."""
    random = np.random.default_rng(20)
    kind = random.integers(0, 3, customers)
    base = CORNERS[kind] + random.normal(0, 6, (customers, 2))
    features = [feature("first", 0, 100), feature("second", 0, 100), feature("third", 0, high, scale)]
    return World(np.column_stack([base, draw(random, customers)]), features, 3)


def _money(random: np.random.Generator, n: int) -> Floats:
    return np.exp(random.normal(np.log(60), 1, n))


def _shop() -> World:
    """20,000 customers of a shop: five skewed features that hang together, and a sixth that nobody has."""
    random, n = np.random.default_rng(21), 20_000
    kind = random.choice(4, n, p=[0.45, 0.3, 0.2, 0.05])
    often = random.poisson(np.array([1, 4, 9, 30])[kind]) + 1
    basket = np.exp(random.normal(np.log(np.array([30, 40, 60, 80])[kind]), 0.5, n))
    recency = np.minimum(random.exponential(np.array([200, 90, 40, 10])[kind]), 365)
    years = np.minimum(random.exponential(np.array([1, 3, 5, 8])[kind]), 20)
    rows = np.column_stack([recency, often, often * basket, basket, years, np.zeros(n)])
    features = [
        feature("recency", 0, 365),
        feature("often", 0, 100),
        feature("spent", 0, 20_000, "log"),
        feature("basket", 0, 500),
    ]
    return World(rows, [*features, feature("years", 0, 20), feature("returns", 0, 50)], 5)


def _few() -> World:
    """3,000 customers of three kinds that lie close together."""
    random, n = np.random.default_rng(22), 3_000
    kind = random.integers(0, 3, n)
    rows = 30 + 0.5 * CORNERS[kind] + random.normal(0, 10, (n, 2))
    return World(
        np.column_stack([rows, random.normal(50, 15, n)]), [feature(name, 0, 100) for name in ("first", "second", "third")], 3
    )


def _narrow() -> World:
    """A feature that differs between the kinds, in a fiftieth of its bounds."""
    random, n = np.random.default_rng(23), 100_000
    kind = random.integers(0, 3, n)
    third = np.array([100, 130, 170])[kind] + random.normal(0, 15, n)
    rows = np.column_stack([CORNERS[kind] + random.normal(0, 6, (n, 2)), third])
    return World(rows, [feature("first", 0, 100), feature("second", 0, 100), feature("third", 0, 10_000)], 3)


def _wide() -> World:
    """200,000 customers of eight kinds by six of twelve features."""
    random, n = np.random.default_rng(24), 200_000
    kind = random.integers(0, 8, n)
    told = random.uniform(20, 80, (8, 6))[kind] + random.normal(0, 8, (n, 6))
    rows = np.column_stack([told, random.normal(50, 10, (n, 3)), np.minimum(random.exponential(8, (n, 3)), 100)])
    return World(rows, [feature(f"f{j}", 0, 100) for j in range(12)], 8)


WORLDS: Mapping[str, Callable[[], World]] = {
    "365 for everybody": lambda: _with_third(50_000, 365, lambda _, n: np.full(n, 365.0)),
    "a tenth of the bounds": lambda: _with_third(100_000, 2_000, lambda r, n: r.normal(200, 30, n)),
    "a fiftieth of the bounds": lambda: _with_third(100_000, 10_000, lambda r, n: r.normal(200, 30, n)),
    "log-normal, wide bounds": lambda: _with_third(50_000, 50_000, _money),
    "the same, on a log scale": lambda: _with_third(100_000, 50_000, _money, "log"),
    "98 % zeros": lambda: _with_third(100_000, 365, lambda r, n: np.where(r.random(n) < 0.98, 0, r.exponential(20, n))),
    "a shop": _shop,
    "few customers": _few,
    "narrow, and different": _narrow,
    "twelve features": _wide,
}  # fmt: skip


@dataclass(frozen=True)
class Assessed:
    """A run's release about its segments, and what is true of the same customers, in fixed point.

    `away` (segments, features): true deviations of each segment's mean from everybody's, NaN where nobody is.
    """

    release: Release
    plan: Plan
    centers: Centers
    away: Floats


def assessed(world: World, epsilon: float, seed: int) -> Assessed | None:
    """The segments that a run of that ε learns, and what it releases of them; None where it learns none."""
    plan = world.plan(epsilon)
    fixed = to_fixed(world.rows, plan.features)
    people = Sample.of(fixed, np.zeros((len(fixed), len(plan.protected)), dtype=np.int64))
    ask = asking(people, SeededNoise(seed))
    try:
        centers = learn(ask, plan).centers
    except DataError:
        return None
    (release,) = ask(segment_tallies(centers, None, plan))
    segment = segment_numbers(people, centers, 1.0) - 1
    spread = fixed.std(axis=0)
    means = np.stack(
        [
            fixed[segment == j].mean(axis=0) if (segment == j).any() else np.full(fixed.shape[1], np.nan)
            for j in range(len(centers))
        ]
    )
    away = (means - fixed.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    return Assessed(release, plan, centers, away)


@dataclass(frozen=True)
class Judged:
    """Words of labels: on the wrong side of everybody; about a feature that is the same in the segment and everywhere
    (within `SAME` true deviations); on the right side but nearer than `NOTICEABLE`; true. `sayable`: what could have been said.
    """

    wrong: int
    same: int
    near: int
    true: int
    sayable: int


def judged(said: list[str], found: Assessed) -> Judged:
    """The words of a run's labels against what is true; features are without words of their own, or have "low" and "high"."""
    columns, away = found.plan.feature_names, found.away
    words = [(s, *_side(word)) for s, label in enumerate(said) for word in re.sub(r" \(.*\)$", "", label).split(", ")]
    sides = [(side, away[s, columns.index(name)]) for s, side, name in words if name in columns]
    same = sum(abs(of) < SAME for _, of in sides)
    wrong = sum(not side * of > 0 and not abs(of) < SAME for side, of in sides)
    true = sum(side * of >= NOTICEABLE for side, of in sides)
    most = np.minimum((np.abs(away) >= NOTICEABLE).sum(axis=1), WORDS)
    return Judged(wrong, same, len(sides) - wrong - same - true, true, int(most.sum()))


def _side(word: str) -> tuple[int, str]:
    side, _, name = word.removeprefix("very ").partition(" ")
    return {"high": 1, "low": -1}.get(side, 0), name
