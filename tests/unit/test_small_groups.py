"""Groups that drown in the noise of the boxes, and not in that of the segments' counts: balanced like all, and never in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_balanced import STARTS, ground_of, lopsided, plan_with

from evenhand.mitigate.bounds import constraints_of, too_small
from evenhand.mitigate.tradeoff import before
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from evenhand.rows.mitigation import bounded_rows, tradeoff_rows
from fairness_evenhand import balanced_run, mitigated, sample_of
from sample import plan_yaml

K, KINDS = 4, 4


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("customers", "minority"), [(20_000, 0.05), (10_000, 0.03), (100_000, 0.01)])
def test_a_small_minority_is_in_every_segment_although_the_boxes_do_not_show_it(
    customers: int, minority: float, seed: int
) -> None:
    """Without a bound all of it is in the segment of one kind of people, at four times its share of everybody."""
    asked = {"method": "balanced", "justification": "test", "attributes": ["gender"]}
    changes: dict[str, Any] = {"privacy.expected_customers": customers, "segments.k": K, "fairness.mitigation": asked}
    plan, random = parse_plan(plan_yaml(changes)), np.random.default_rng(seed)
    middles, kind = random.uniform(10_000, 55_000, (KINDS, 3)), random.integers(0, KINDS, customers)
    rows = np.clip(random.normal(middles[kind], 4_000), 0, STEPS - 1).astype(np.int64)
    group = ((kind == 0) & (random.random(customers) < minority * KINDS)).astype(np.int64)
    _, segment = balanced_run(rows, group, plan, seed)
    table = np.array([np.bincount(segment[group == g], minlength=K) for g in (0, 1)])
    shares = table / table.sum(axis=0) / (table.sum(axis=1) / customers)[:, None]
    # 0.8 to 1.25 was asked; of 75 customers a segment, with noise of some 30 in each count, so one draw in nine is at 0.5.
    assert shares.min() > 0.45 and shares.max() < 1.7


def test_an_attribute_of_which_nothing_can_be_told_has_its_row_which_says_so() -> None:
    cells, plan = lopsided(), plan_with({})
    lost = ground_of(cells, scale=1e6)
    point = before(lost, STARTS, plan)
    rows = {row["metric"]: row for row in tradeoff_rows([point]).to_pylist()}
    assert all(row["left_out"] == ["female", "male", "other", "unknown"] for row in rows.values())
    assert rows["price"]["value"] > 0 and rows["representation_ratio"]["value"] is None and rows["balance"]["high"] is None
    assert too_small(plan, cells.totals(), lost.reach) == {"gender": ["female", "male", "other", "unknown"]}


def test_a_count_that_knows_better_bounds_a_group_that_the_boxes_would_let_go() -> None:
    cells, plan = lopsided(), plan_with({})
    lost = 10 * float(cells.totals().sum())
    assert len(constraints_of(plan, cells.totals(), lost).coefficients) == 0
    assert len(constraints_of(plan, cells.totals(), lost, counted=0.0).coefficients) == 4
    assert too_small(plan, cells.totals(), 0.0) == {"gender": ["other", "unknown"]}


def test_bounds_a_little_outside_of_a_group_s_share_of_everybody_are_not_loosened_in_silence() -> None:
    """40 % are women; the noise of the boxes lets 45 % through, the counts of the segments say that no assignment can."""
    bounds = {"shares": {"gender": {"female": [0.45, 0.55]}}}
    asked = {"method": "balanced", "justification": "test", "attributes": ["gender"], "bounds": bounds}
    customers, random = 20_000, np.random.default_rng(1)
    plan = parse_plan(plan_yaml({"privacy.expected_customers": customers, "segments.k": K, "fairness.mitigation": asked}))
    middles, kind = random.uniform(10_000, 55_000, (KINDS, 3)), random.integers(0, KINDS, customers)
    rows = np.clip(random.normal(middles[kind], 4_000), 0, STEPS - 1).astype(np.int64)
    group = (random.random(customers) > 0.4).astype(np.int64)
    found = mitigated(sample_of(rows, group, plan, 1), plan, 1)
    row = bounded_rows(found.bounds).to_pylist()[0]
    assert (row["group"], row["asked_low"], row["asked_high"], row["feasible"]) == ("female", 0.45, 0.55, "no")
    assert row["share_low"] < (group == 0).mean() < row["share_high"] < 0.42
    assert row["used_low"] == pytest.approx(row["share"], rel=2e-3) and row["used_high"] == 0.55
