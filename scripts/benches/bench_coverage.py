"""scripts/bench coverage [--rows N] [--json FILE]: how often fairness intervals hold, over N draws a case.

A population with known rates is sampled and noised N times; an interval should hold 93 to 97 % of the times, and those of
worst cases at least 93 %.
"""

from __future__ import annotations

import argparse

import numpy as np

from coverage_data import TRUTHS, WIDE, chances, noise_of, noisy_tables, offered, outcomes
from evenhand.fairness.statistics import METRICS, SELECTION
from evenhand.fairness.worst import representation, selection_estimates, selection_rates, table_estimates
from evenhand.privacy.noise import Noise
from measure import Measure, show

GOALS = (0.93, 0.97)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100, help="draws a case")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    measures: list[Measure] = []
    least, cells = 1.0, []
    for epsilon in (0.1, 1.0):
        for name in TRUTHS | WIDE:
            held = _held(name, noise_of(epsilon), options.rows)
            for figure, share in held.items():
                measures.append(Measure(figure, share, "held", f"0.95; {name}, ε = {epsilon:g}"))
                if figure.startswith(("cell", "group")):
                    cells.append(share)
                least = min(least, share)
    ratios = {"least": least, "least of cells and groups": min(cells), "most of cells and groups": max(cells)}
    doubt = 3 * (0.05 * 0.95 / options.rows) ** 0.5
    met = least >= GOALS[0] - doubt and max(cells) <= GOALS[1] + doubt
    show(measures, ratios, met, f"Goal: {GOALS[0]} to {GOALS[1]}, give or take {doubt:.3f} at {options.rows} draws", options.json)


def _held(name: str, noise: Noise, draws: int) -> dict[str, float]:
    p = chances(name)
    chosen = offered(p.shape[1])
    truths = {m: float(f(p * 1e9)) for m, f in METRICS.items()} | {m: float(f(outcomes(p) * 1e9)) for m, f in SELECTION.items()}
    ratios, selected = p / p.sum(axis=0) / p.sum(axis=1, keepdims=True), outcomes(p)[:, 0] / outcomes(p).sum(axis=1)
    held: dict[str, list[float]] = {}
    for table in noisy_tables(name, noise, draws, seed=1):
        found = table_estimates(table, noise) | selection_estimates(table, noise, chosen)
        for metric, value in truths.items():
            held.setdefault(metric, []).append(found[metric].low - 1e-6 <= value <= found[metric].high + 1e-6)
        if name in WIDE:
            continue
        cells, groups = representation(table, noise), selection_rates(table, noise, chosen)
        for size, rows in (("large", slice(0, 3)), ("small", slice(3, 4))):
            inside = ((cells.low <= ratios) & (ratios <= cells.high))[rows]
            held.setdefault(f"cells, representation ratio, {size} groups", []).append(float(inside.mean()))
            inside = ((groups.low <= selected) & (selected <= groups.high))[rows]
            held.setdefault(f"groups, selection rate, {size}", []).append(float(inside.mean()))
    return {figure: float(np.mean(values)) for figure, values in held.items()}


if __name__ == "__main__":
    main()
