"""What the fairness tables publish of small cells: nothing, and nothing from which one follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.ask import assessment as tallies
from evenhand.fairness.assess import RATE, assess_fairness, unevenness
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import made_up
from evenhand.rows.fairness import fairness_groups, fairness_stats, fairness_summary
from sample import plan_yaml

OFFERS = [
    {"name": "second", "why": "test", "segments": [2]},
    {"name": "first", "why": "test", "segments": [1]},
    {"name": "first_two", "why": "test", "segments": [1, 2]},
]
WOMEN_AND_MEN = np.array([[6000, 5, 900, 800], [4000, 700, 800, 950], [0] * 4, [0] * 4])


@pytest.fixture(scope="module")
def published() -> dict[str, list[dict[str, Any]]]:
    """The rows of both tables for gender; four women in ten thousand are in the second segment."""
    plan = parse_plan(
        plan_yaml({"segments.k": 4, "privacy.epsilon": 50.0, "fairness.offers": OFFERS, "privacy.population_total": 50.0})
    )
    of = [table for table in assess_fairness(answer(plan), plan, np.zeros((4, 3), dtype=np.int64)) if table.table == "gender"]
    tables = {"stats": fairness_stats(of), "groups": fairness_groups(of), "summary": fairness_summary(of)}
    return {name: table.to_pylist() for name, table in tables.items()} | {"reasons": [{"line": line} for line in unevenness(of)]}


def answer(plan: Plan) -> Any:
    parts = tallies.assessment_parts(4, plan)
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    exact[tallies.group_part("gender")] = WOMEN_AND_MEN.ravel()
    exact[tallies.SIZE] = WOMEN_AND_MEN.sum(axis=0)
    return made_up(exact, parts, SeededNoise(1))


def test_a_small_cell_takes_the_smallest_along_that_keep_it(published: dict[str, list[dict[str, Any]]]) -> None:
    hidden = {(r["group"], r["segment"]) for r in published["stats"] if r["suppressed"] and r["group"] in ("female", "male")}
    assert hidden == {(g, s) for g in ("female", "male") for s in (2, 3)}
    assert all(r[f] is None for r in published["stats"] if r["suppressed"] for f in ("count", "share", "representation_ratio"))


def test_a_rate_that_is_a_small_cell_over_its_group_is_not_shown(published: dict[str, list[dict[str, Any]]]) -> None:
    rates = {(r["group"], r["offer"]): r for r in published["groups"] if r["measure"] == RATE}
    for group in ("female", "male"):
        assert rates[group, "second"]["suppressed"] and rates[group, "second"]["value"] is None
        assert rates[group, "second"]["low"] is None and rates[group, "second"]["high"] is None
        assert rates[group, "first_two"]["suppressed"]  # the first is shown, so this tells the second
        assert not rates[group, "first"]["suppressed"] and rates[group, "first"]["value"] > 0.5


def test_no_hidden_count_follows_from_the_figures_in_the_tables(published: dict[str, list[dict[str, Any]]]) -> None:
    """The equations that the shown counts, shares, ratios and rates are, in the cells of women and men; ranks tell."""
    groups, lines = ["female", "male"], []
    cells = np.eye(8).reshape(2, 4, 8)
    for row in (r for r in published["stats"] if r["group"] in groups and not r["suppressed"]):
        g, s = groups.index(row["group"]), row["segment"] - 1
        lines.append(cells[g, s])
        lines.append(cells[g, s] - row["share"] * cells[:, s].sum(axis=0))
        # ratio = share / (group / everybody)
        lines.append(row["representation_ratio"] * cells[g].sum(axis=0) - row["share"] * cells.sum(axis=(0, 1)))
    for row in (r for r in published["groups"] if r["measure"] == RATE and r["group"] in groups and not r["suppressed"]):
        chosen = [s - 1 for s in next(o["segments"] for o in OFFERS if o["name"] == row["offer"])]
        g = groups.index(row["group"])
        lines.append(cells[g, chosen].sum(axis=0) - row["value"] * cells[g].sum(axis=0))
    equations = np.array(lines)
    rank = np.linalg.matrix_rank(equations, tol=1e-9)
    for row in (r for r in published["stats"] if r["group"] in groups and r["suppressed"]):
        cell = cells[groups.index(row["group"]), row["segment"] - 1]
        assert np.linalg.matrix_rank(np.vstack([equations, cell]), tol=1e-9) > rank, row


def test_a_statistic_that_counts_a_hidden_cell_has_a_verdict_and_no_figures(published: dict[str, list[dict[str, Any]]]) -> None:
    rows = {(r["metric"], r["offer"]): r for r in published["summary"]}
    figures = ("value", "low", "high", "change")
    for metric in ("representation_ratio", "balance", "total_variation", "jensen_shannon", "cramers_v", "mutual_information"):
        assert all(rows[metric, None][f] is None for f in figures), metric
    assert rows["representation_ratio", None]["verdict"] == "uneven"
    assert all(rows["selection_ratio", "second"][f] is None for f in figures)
    assert rows["selection_ratio", "second"]["verdict"] == "uneven"
    shown = rows["selection_ratio", "first"]
    assert shown["low"] <= shown["value"] <= shown["high"]
    assert rows["cost_ratio", None]["low"] is not None


def test_why_a_run_is_uneven_names_no_figure_of_a_hidden_cell(published: dict[str, list[dict[str, Any]]]) -> None:
    lines = [r["line"] for r in published["reasons"]]
    assert "gender: representation ratio is uneven, figures not shown, at least 0.8 is even" in lines
    told = {line.split(" is ")[0] for line in lines if "(" in line}
    assert (
        "gender: selection difference of first" in told
    )  # 6,000 of 7,705 women, 4,000 of 6,450 men: 0.16, and at most 0.1 is even
    assert told <= {"gender: selection ratio of first", "gender: selection difference of first", "gender: cost ratio"}
