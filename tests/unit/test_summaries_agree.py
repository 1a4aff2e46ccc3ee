"""What sums a table up never contradicts a figure of it; a small group hides no other; what says nothing is no value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import evenhand.fairness.intervals
from evenhand.ask import assessment as tallies
from evenhand.fairness.assess import RATE, TableFairness, assess_fairness
from evenhand.fairness.judgment import AT_LEAST, CANNOT_TELL, EVEN, UNEVEN, Judgment, told
from evenhand.fairness.rates import Interval
from evenhand.fairness.worst import near_ends, selection_estimates, table_estimates
from evenhand.plan.load import parse_plan
from evenhand.privacy.intervals import Estimate
from evenhand.privacy.noise import Laplace, SeededNoise
from evenhand.privacy.release import made_up
from evenhand.rows.fairness import fairness_groups, fairness_stats, fairness_summary
from sample import plan_yaml

NOISE = Laplace(1 / 0.042)
# Released counts of a group attribute by segment, with that noise: the cell (5, 2) is 0.53 (0.31 to 0.75), in truth 0.54.
SURELY_UNEVEN = np.array(
    [[12816, 8837, 7973, 6714, 5996, 3377], [3400, 2367, 1614, 1572, 1173, 669], [465, 198, 116, 192, 140, 53],
     [112, 137, 132, 48, 107, 42], [563, 168, 279, 248, 231, 138], [303, 134, 247, 109, 156, 79]], float
)  # fmt: skip


@pytest.fixture(autouse=True)
def _fewer_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evenhand.fairness.intervals, "SIMULATIONS", 200)


def assessed(table: np.ndarray, epsilon: float, seed: int, offered: tuple[int, ...] = (1,), groups: int = 6) -> TableFairness:
    """An attribute with this table of exact counts, shape (groups, segments), at the noise of a run of this ε."""
    named = {f"group {g}": [str(g)] for g in range(groups - 2)}
    changes: dict[str, Any] = {
        "protected": [{"name": "district", "why": "test", "column": "district", "groups": named}],
        "privacy.epsilon": epsilon, "privacy.population_total": 100.0, "segments.k": table.shape[1], "fairness.offers": [{"name": "gift", "why": "test", "segments": list(offered)}],
    }  # fmt: skip
    plan = parse_plan(plan_yaml(changes))
    parts = tallies.assessment_parts(table.shape[1], plan)
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    counts = np.zeros((groups, table.shape[1]), dtype=np.int64)
    counts[: len(table)] = table
    exact |= {tallies.group_part("district"): counts.ravel(), tallies.SIZE: counts.sum(axis=0)}
    release = made_up(exact, parts, SeededNoise(seed))
    return assess_fairness(release, plan, np.zeros((table.shape[1], 3), dtype=np.int64))[0]


def of(found: TableFairness, metric: str) -> Judgment:
    return next(j for j in found.judgments if j.metric == metric)


def drawn_tables() -> list[tuple[np.ndarray, float]]:
    """Groups from 50,000 down to a few hundred, even, a little uneven and very uneven ones among them, at several ε."""
    random, found = np.random.default_rng(7), []
    for i in range(24):
        k, groups = int(random.integers(2, 9)), int(random.integers(2, 7))
        sizes = np.sort(np.exp(random.uniform(np.log(300), np.log(50_000), groups)))[::-1]
        base = random.dirichlet(np.full(k, 5.0))
        strength = [0.0, 0.05, 0.5][i % 3] * (random.random(groups) < 0.5)
        p = base * np.exp(random.normal(size=(groups, k)) * strength[:, None])
        table = np.array([random.multinomial(int(n), row / row.sum()) for n, row in zip(sizes, p, strict=True)])
        found.append((table, float(random.choice([0.1, 0.3, 1.0]))))
    return found


def test_no_summary_contradicts_a_figure_of_its_table() -> None:
    uneven = judged_beside = 0
    for seed, (table, epsilon) in enumerate(drawn_tables()):
        found = assessed(table, epsilon, seed)
        shown = np.where(found.suppressed, np.nan, 1.0)
        nearest = near_ends(Interval(*(end * shown for end in (found.ratios.value, found.ratios.low, found.ratios.high))))
        rates = next(f.figures for f in found.by_group if f.measure == RATE)
        for j in (j for j in found.judgments if j.estimate is not None):
            assert np.isnan(j.estimate.value) or j.estimate.low <= j.estimate.value <= j.estimate.high, j
            if j.metric == "representation_ratio":
                over = np.isin(found.groups, j.over)
                assert j.estimate.low <= nearest[over].min(), (seed, j)
                assert np.isnan(j.estimate.value) or j.estimate.value <= nearest[over].min(), (seed, j)
            if j.metric == "selection_ratio" and np.nanmin(rates.high) < 0.8 * np.nanmax(rates.low):
                assert j.verdict != EVEN, (seed, j)
        if nearest.min() < 0.8:
            uneven += 1
            assert of(found, "representation_ratio").verdict != EVEN, seed
        cells = [j for j in found.judgments if j.metric == "representation_ratio"]
        judged_beside += any(len(found.groups) - len(found.too_small) > len(j.over) for j in cells)
    assert uneven > 3 and judged_beside > 1  # the cases are there


def test_a_group_that_is_hardly_known_does_not_hide_what_is_known_of_the_others() -> None:
    """50,000 and 40,000 treated alike, beside 550 whose average cell is 1.5 times what the noise reaches."""
    base = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    found = assessed(np.outer([50_000, 40_000, 550], base).astype(int), 0.3, seed=1)
    assert "group 2" not in found.too_small
    for metric in ("representation_ratio", "total_variation"):
        judgment = of(found, metric)
        assert (judgment.verdict, judgment.over) == (EVEN, ["group 0", "group 1"]), judgment
    rows = fairness_summary([found]).to_pylist()
    assert next(r for r in rows if r["metric"] == "representation_ratio")["over"] == ["group 0", "group 1"]


def test_such_a_group_counts_where_it_is_surely_uneven() -> None:
    table = np.array([[15_000, 12_500, 10_000, 7_500, 5_000], [12_000, 10_000, 8_000, 6_000, 4_000], [0, 0, 0, 0, 550]])
    judgment = of(assessed(table, 0.3, seed=1), "representation_ratio")
    assert (judgment.verdict, judgment.over) == (UNEVEN, ["group 0", "group 1", "group 2"])


def test_the_worst_cell_is_no_nearer_to_even_than_a_cell_that_surely_is_uneven() -> None:
    for table in (SURELY_UNEVEN, SURELY_UNEVEN[[0, 1, 4]]):
        found = table_estimates(table, NOISE)
        assert found["representation_ratio"].low <= found["representation_ratio"].value <= 0.752
        # A cell of the first group is uneven whatever the others are, if by little: so nothing says that all may be alike.
        assert all(found[name].low > 1e-6 for name in ("total_variation", "jensen_shannon", "cramers_v", "mutual_information"))


def test_a_group_of_which_nothing_is_known_does_not_make_rates_alike_that_surely_are_not() -> None:
    table = np.array([[4_000.0, 6_000], [1_000, 9_000], [30, 25]])
    found = selection_estimates(table, NOISE, np.array([True, False]))
    assert found["selection_ratio"].high < 0.35 and found["selection_difference"].low > 0.2


VALUES = {
    "too wide to say anything": (Estimate(0.97, 0.0, 0.97), 0.8, 1.0, CANNOT_TELL, False),
    "narrow across the threshold": (Estimate(0.79, 0.75, 0.83), 0.8, 1.0, CANNOT_TELL, True),
    "surely uneven, however wide": (Estimate(0.4, 0.1, 0.7), 0.8, 1.0, UNEVEN, True),
    "wholly even by luck": (Estimate(0.0, 0.0, 0.15), 0.2, 0.0, EVEN, False),
    "wholly even, and close": (Estimate(0.0, 0.0, 0.04), 0.2, 0.0, EVEN, True),
    "even, and away from the end": (Estimate(0.07, 0.0, 0.15), 0.2, 0.0, EVEN, True),
    "without an upper end": (Estimate(1.0, 1.0, np.inf), 1.25, 1.0, CANNOT_TELL, False),
}


@pytest.mark.parametrize(("estimate", "threshold", "even", "said", "shown"), VALUES.values(), ids=VALUES.keys())
def test_a_value_stands_only_where_it_says_something(
    estimate: Estimate, threshold: float, even: float, said: str, shown: bool
) -> None:
    found = told(estimate, threshold, even, said)
    assert (found.low, found.high) == (estimate.low, estimate.high)
    assert bool(np.isnan(found.value)) != shown


def test_the_open_tables_hold_no_value_that_says_nothing() -> None:
    found = assessed(np.array([[4_000, 3_000, 2_000], [150, 140, 130], [90, 60, 100]]), 0.5, seed=3)
    cells = [r for r in fairness_stats([found]).to_pylist() if r["representation_ratio_low"] is not None]
    wide = [r for r in cells if r["representation_ratio_low"] < 0.8 and r["representation_ratio_high"] > 1.25]
    assert wide and all(r["representation_ratio"] is None for r in wide)
    assert all((r["representation_ratio"] is None) == (r in wide) for r in cells)
    for row in fairness_summary([found]).to_pylist():
        untold = row["verdict"] == CANNOT_TELL and row["high"] is not None
        if untold and row["high"] - row["low"] > abs(row["threshold"] - (row["metric"] in AT_LEAST)):
            assert row["value"] is None or row["metric"] == "balance", row
    costs = [r for r in fairness_groups([found]).to_pylist() if r["measure"] == "mean squared distance" and not r["suppressed"]]
    assert costs and all(r["value"] is None for r in costs)  # nobody is away from the center, so none need be


def test_an_offer_is_judged_by_a_group_that_is_known_as_a_whole() -> None:
    """A thousand customers over 25 segments, of whom none gets what a fifth of the others get; the noise reaches 43."""
    k, counts = 25, np.zeros((2, 25), dtype=int)
    counts[0], counts[1, 5:] = 19_000 // k, 1_000 // 20
    found = assessed(counts, 0.5, seed=3, offered=(1, 2, 3, 4, 5))
    assert "group 1" in found.too_small
    judgment = of(found, "selection_ratio")
    assert (judgment.verdict, judgment.over) == (UNEVEN, ["group 0", "group 1"])
    assert judgment.estimate is None  # a rate of hardly anybody is not shown
    rates = {r["group"]: r for r in fairness_groups([found]).to_pylist() if r["measure"] == RATE}
    assert rates["group 1"]["suppressed"] and not rates["group 0"]["suppressed"]


@pytest.mark.parametrize("share", [0.005, 0.013, 0.05])
def test_a_small_minority_that_is_wholly_apart_is_not_even_by_any_statistic(share: float) -> None:
    """All of it is in the segment that has 30 % of everybody; of ten million, so that noise does not matter."""
    table = np.array([[0.3 - share, 0.25, 0.2, 0.15, 0.1], [share, 0.02 * share, 0.02 * share, 0.02 * share, 0.02 * share]]) * 1e7
    found = assessed(table.astype(int), 1.0, seed=1)
    for metric in ("representation_ratio", "total_variation", "jensen_shannon", "cramers_v", "mutual_information"):
        assert of(found, metric).verdict == UNEVEN, (metric, of(found, metric))


def test_where_one_segment_holds_nearly_everybody_no_statistic_calls_even_what_could_not_be_otherwise() -> None:
    """Half of all are in each group; the second segment is one in a hundred, and nearly all of it in one group."""
    found = assessed(np.array([[490_000, 10_000], [499_900, 100]]), 8.0, seed=1)
    for metric in ("total_variation", "jensen_shannon", "cramers_v", "mutual_information"):
        assert of(found, metric).verdict == UNEVEN, (metric, of(found, metric))
    fair = assessed(np.array([[495_000, 5_000], [495_000, 5_000]]), 8.0, seed=1)
    assert all(of(fair, metric).verdict == EVEN for metric in ("total_variation", "cramers_v"))


def test_an_offer_for_very_few_of_one_group_alone_is_not_even_by_the_difference() -> None:
    """Two in a hundred get it, nearly all of them in one half: at most four in a hundred of a group could."""
    found = assessed(np.array([[480_000, 20_000], [499_800, 200]]), 8.0, seed=1, offered=(2,))
    judgment = of(found, "selection_difference")
    assert judgment.verdict == UNEVEN and judgment.threshold == pytest.approx(0.25 * 0.0404, rel=0.02)
    same = assessed(np.array([[490_000, 10_000], [490_000, 10_000]]), 8.0, seed=1, offered=(2,))
    assert of(same, "selection_difference").verdict == EVEN
