"""Faults planted on purpose: an audit that does not find them proves nothing. Each says which lines must find it.

The lines, from source rows to what is published:

- `rows`: of neighbors, `prepared` differs in the one customer's row and no other, and every row is in range;
- `change`: no question changes by more than it declares, nor by more than the noise that it asks for hides;
- `waste`: some customer changes each part by all that it declares;
- `counts`: Spark counts what NumPy counts, which the line before relies on;
- `noise`: the statistical audit.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.plan.accounting import Unit
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.privacy.noise import Laplace, NoiseSource
from evenhand.privacy.question import Integers, Part
from sensitivity import OPENDP, Mechanism, sound
from world import (
    BEFORE,
    CASES,
    HIGH,
    NOBODY,
    NOW,
    Prepare,
    Prepared,
    Rows,
    as_they_lie,
    may_not_be_used,
    population,
    prepared,
)


def noise_halved(part: Part, exact: Integers, noise: NoiseSource = OPENDP) -> Integers:
    return noise.add(exact, replace(part.noise, scale=part.noise.scale / 2))


def noise_of_one_feature_for_all(part: Part, exact: Integers, noise: NoiseSource = OPENDP) -> Integers:
    """The sums get the noise that one feature alone would need, although one customer changes all of them."""
    return noise.add(exact, Laplace(part.noise.scale)) if part.width > 1 else sound(part, exact, noise)


def only_observed_noised(part: Part, exact: Integers, noise: NoiseSource = OPENDP) -> Integers:
    """An empty row stays what it is: 0."""
    rows = exact.reshape(-1, part.width)
    observed, noisy = rows.any(axis=1), np.zeros_like(rows)
    if observed.any():
        own = rows[observed].ravel()
        noisy[observed] = sound(replace(part, cells=len(own)), own, noise).reshape(-1, part.width)
    return noisy.ravel()


MECHANISMS: dict[str, Mechanism] = {
    "noise halved": noise_halved,
    "the noise of one feature for all": noise_of_one_feature_for_all,
    "only observed boxes get noise": only_observed_noised,
}


def each_alone(width: int, each: int, unit: Unit) -> int:
    """In the place of `row_sensitivity`: a row of figures declares what one of them changes by, without √d."""
    return each


# On the way from source rows to `prepared`.


def with_every_row(spark: SparkSession, plan: Plan, rows: Rows) -> DataFrame:
    """The rows of one customer are all kept."""
    firsts = {row[0]: row for row in reversed(rows.customers)}.values()
    found = prepared(spark, plan, Rows(tuple(firsts), rows.consent, rows.purchases))
    if others := tuple(row for row in rows.customers if row not in firsts):
        found = found.unionAll(prepared(spark, plan, Rows(others, rows.consent, rows.purchases)))
    return found


def with_each_row_twice(spark: SparkSession, plan: Plan, rows: Rows) -> DataFrame:
    """What a join with something that has two rows a customer leaves."""
    found = prepared(spark, plan, rows)
    return found.unionAll(found)


def without_clipping(spark: SparkSession, plan: Plan, rows: Rows) -> DataFrame:
    """A value up to a hundred times outside the bounds stays there."""
    times = 100
    wide = dict.fromkeys(plan.feature_names, (-times * HIGH, times * HIGH))
    features = [f.model_copy(update={"bounds": wide[f.name]}) for f in plan.features]
    found = prepared(spark, plan.model_copy(update={"features": features}), rows)
    return found.withColumns({n: F.col(n) * 2 * times - times * STEPS for n in plan.feature_names})


def with_events_of_another(spark: SparkSession, plan: Plan, rows: Rows) -> DataFrame:
    """What x bought is counted for somebody else too."""
    theirs = tuple(("low-0", *purchase[1:]) for purchase in rows.purchases if purchase[0] == "x")
    return prepared(spark, plan, rows + Rows(purchases=theirs))


def added_in_the_order_of_rows(spark: SparkSession, plan: Plan, rows: Rows) -> DataFrame:
    """Amounts are added up as doubles, one after the other as the rows lie: so does Spark's `sum` of a DOUBLE."""
    sums: dict[str, float] = {}
    for row in as_they_lie(rows.purchases):
        if row[4] == "sale" and row[1] < NOW:
            sums[row[0]] = sums.get(row[0], 0.0) + (row[2] or 0.0)
    heights = tuple((id, at, None, height, kind) for id, at, _, height, kind in rows.purchases)
    added = tuple((id, BEFORE, total, None, "sale") for id, total in sums.items())
    as_added = [f.model_copy(update={"expression": "max(amount)"}) if f.name == "b" else f for f in plan.features]
    return prepared(spark, plan.model_copy(update={"features": as_added}), Rows(rows.customers, rows.consent, heights + added))


def without_a_withdrawal(spark: SparkSession, plan: Plan, rows: Rows) -> DataFrame:
    """One row of the consent events is not read."""
    kept = tuple(row for row in rows.consent if row[0] != "x-withdrew" or row[2] == "granted")
    return prepared(spark, plan, Rows(rows.customers, kept, rows.purchases))


def with_a_group_outside(spark: SparkSession, plan: Plan, rows: Rows) -> DataFrame:
    """Who has no value of an attribute gets the number after the last group."""
    last, groups = plan.protected[-1], len(plan.protected[-1].group_names)
    unknown = F.col(last.name) == groups - 1
    return prepared(spark, plan, rows).withColumn(last.name, F.when(unknown, groups).otherwise(F.col(last.name)))


# In what the library says: its text, changed in one place.


def changed(module: ModuleType, this: str, that: str) -> dict[str, Any]:
    """What the module would hold if its text were another.

    Raises:
        ValueError: the text does not stand there just once; the library has changed, and the fault must be planted anew.
    """
    text = inspect.getsource(module)
    if text.count(this) != 1:
        raise ValueError(f"{module.__name__} holds {this!r} {text.count(this)} times")
    another = ModuleType(module.__name__)
    exec(compile(text.replace(this, that), f"{module.__file__} with a fault", "exec"), another.__dict__)
    return another.__dict__


@dataclass(frozen=True)
class Fault:
    """`found_in`: the releases whose statistical audit must find it; none where that cannot. `lines` that must find it too."""

    case: str
    found_in: tuple[str, ...]
    lines: frozenset[str]
    mechanism: Mechanism = sound
    prepare: Prepare = prepared

    @property
    def prepares(self) -> bool:
        """Whether it lies on the way to `prepared`."""
        return self.prepare is not prepared

    def neighbors(self, spark: SparkSession, plan: Plan) -> tuple[Prepared, Prepared]:
        """The population, and the same with the case, both by the faulty way."""
        more = may_not_be_used("x", 0.0) if self.case == NOBODY else CASES[self.case]
        one, other = (Prepared.of(spark, plan, rows, self.prepare) for rows in (population(), population() + more))
        return one, other


BOTH, FIRST = frozenset({"rows", "change"}), ("summary",)
FAULTS = {
    "noise halved": Fault("at a corner", ("summary", "assessment"), frozenset({"change"}), noise_halved),
    "the noise of one feature for all": Fault(
        "at a corner", ("summary", "assessment"), frozenset({"change"}), noise_of_one_feature_for_all
    ),
    "only observed boxes get noise": Fault("alone in an empty box", FIRST, frozenset({"change"}), only_observed_noised),
    # In the summary a value outside the bounds has no box at all, and the driver stops.
    "clipping skipped": Fault("far outside the bounds", ("assessment",), BOTH, prepare=without_clipping),
    "two rows a customer": Fault("would be a second row", ("summary", "assessment"), BOTH, prepare=with_every_row),
    "each row twice": Fault("at a corner", FIRST, BOTH, prepare=with_each_row_twice),
    "events counted for another": Fault("far outside the bounds", FIRST, BOTH, prepare=with_events_of_another),
    "added in the order of rows": Fault("at a corner", FIRST, BOTH, prepare=added_in_the_order_of_rows),
    "a withdrawal not read": Fault(NOBODY, FIRST, BOTH, prepare=without_a_withdrawal),
    # It is no matter of noise: the customer is counted in no group, or in one of another.
    "a group outside": Fault("at the bound, in an empty box", (), BOTH, prepare=with_a_group_outside),
}
