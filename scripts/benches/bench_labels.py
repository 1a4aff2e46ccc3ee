"""scripts/bench labels [--draws N] [--json FILE]: whether the words of segments are true, on ten made populations.

Each is learned and assessed as a run does it, at ε = 0.3 and 1; sums and counts by NumPy. A word is wrong on the wrong side of
everybody, or about a feature that is the same everywhere.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, fields
from pathlib import Path

from evenhand.describe.distances import read_distances
from evenhand.describe.label import labels
from labels_data import WORLDS, Judged, assessed, judged

EPSILONS, DRAWS = (0.3, 1.0), 12
NAMES = [field.name for field in fields(Judged)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    print(f"{'customers':<26} {'ε':>4} " + " ".join(f"{name:>8}" for name in NAMES))
    rows = []
    for name, make in WORLDS.items():
        world = make()
        for epsilon in EPSILONS:
            runs = [assessed(world, epsilon, seed) for seed in range(options.draws)]
            found = [judged(labels(read_distances(r.release, r.plan), r.plan.features), r) for r in runs if r is not None]
            rows.append({"customers": name, "epsilon": epsilon} | {of: sum(asdict(run)[of] for run in found) for of in NAMES})
            print(f"{name:<26} {epsilon:>4} " + " ".join(f"{rows[-1][of]:>8}" for of in NAMES), flush=True)
    print(f"{'all':<31} " + " ".join(f"{sum(row[of] for row in rows):>8}" for of in NAMES))
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
