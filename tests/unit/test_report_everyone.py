"""What everybody is like, on the scale on which segments are compared with it, and what the heat map makes of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
from test_report import LABELS, deviations, facts, profile

from evenhand.ask import assessment as tallies
from evenhand.describe.distances import read_distances
from evenhand.describe.profiles import read_profiles
from evenhand.plan.geometry import STEPS, to_unit
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import made_up
from evenhand.report.everyone import Typical, everybody
from evenhand.report.facts import Facts
from evenhand.report.page import render
from evenhand.rows.segments import profile_rows
from sample import plan_yaml


def log_world() -> Facts:
    """Half spend 7.9, three tenths 37, a fifth 698: everybody is at 32 on a log scale, at 155 in units: 37 is above the first."""
    made = facts()
    spent, sizes = {1: 7.9, 2: 37.0, 3: 698.0}, {1: 2000.0, 2: 1200.0, 3: 800.0}
    rows = [row for row in made.profiles if row["measure"] not in ("spent", "size")]
    mean = sum(sizes[s] * math.log1p(spent[s]) for s in LABELS) / sum(sizes.values())
    away = {s: math.log1p(spent[s]) - mean for s in LABELS}
    rows += [profile(s, "spent", spent[s]) | deviations(away[s], away[s] - 0.05, away[s] + 0.05) for s in LABELS]
    rows += [profile(s, "size", sizes[s]) for s in LABELS]
    return replace(made, profiles=rows, everyone=everybody(rows, made.plan))


def test_a_log_scaled_feature_is_held_against_everybody_on_the_log_scale() -> None:
    made = log_world()
    found = made.everyone["spent"]
    mean = 0.5 * math.log1p(7.9) + 0.3 * math.log1p(37) + 0.2 * math.log1p(698)
    assert math.isclose(found.value, math.expm1(mean))
    assert found.low < found.value < found.high
    assert found.value < 37.0


def test_everybody_is_a_row_of_the_table_and_log_scales_are_marked() -> None:
    page = render(log_world())
    table = page.split("Typical values by segment")[1].split("</table>")[0]
    assert ">spent (log)</th>" in table and ">tenure</th>" in table
    assert re.search(r">all customers</th><td>[^<]*</td><td>32 \(\d+ to \d+\)</td>", table)


def test_the_heat_map_does_not_speak_by_color_alone() -> None:
    page = render(log_world())
    assert "▲ 698" in page and "▼ 8" in page
    assert "segment 3 has high spent (698)" in page and "segment 1 has low spent (8)" in page


def test_a_segment_that_is_not_shown_is_not_in_everybody() -> None:
    made = log_world()
    rows = [r | {"value": None, "low": None, "high": None, "suppressed": True} if r["segment"] == 3 else r for r in made.profiles]
    assert everybody(rows, made.plan)["spent"].value < 15
    assert "all customers in the segments shown" in render(replace(made, profiles=rows))


def test_the_range_of_everybody_s_mean_holds_the_true_one() -> None:
    """95 % of 400 draws for each of 3 features; fewer than 365 has a chance below 1 in 300 for the three together."""
    plan = parse_plan(plan_yaml({"privacy.epsilon": 1.0, "privacy.expected_customers": 4000}))
    sizes = np.array([2000, 1200, 800])
    means = np.array([[0.1, 0.3, 0.05], [0.75, 0.5, 0.25], [0.4, 0.95, 0.7]]) * STEPS
    sums = np.rint(sizes[:, None] * (means - tallies.MIDDLE)).astype(np.int64)
    true = to_unit(sums.sum(axis=0) / sizes.sum() + tallies.MIDDLE, plan.features)
    exact = {tallies.SIZE: sizes, tallies.SUMS: sums.ravel(), tallies.SQUARES: np.full(3, sizes.sum() * tallies.MIDDLE**2 // 3)}
    parts = tuple(p for p in tallies.assessment_parts(3, plan) if p.name in exact)
    held = np.zeros(3)
    for seed in range(400):
        release: Any = made_up(exact, parts, SeededNoise(seed))
        rows = profile_rows(read_profiles(release, plan), read_distances(release, plan), list("abc"), plan).to_pylist()
        found = everybody(rows, plan)
        held += [typical_holds(found[name], value) for name, value in zip(plan.feature_names, true, strict=True)]
    assert (held >= 365).all(), held


def typical_holds(found: Typical, true: float) -> bool:
    return found.low <= true <= found.high
