"""scripts/bench noise [--json FILE]: how long the noise of a large summary takes, 2^16 boxes with counts and 12 features.

OpenDP as in a run, in two threads. Goal: 4 s on two cores. There is no peer: whoever adds noise by this method pays this.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from evenhand.privacy.noise import Gaussian, Laplace, Noise, OpenDPNoise
from measure import Measure, show

BOXES, FEATURES, GOAL, TIMES = 2**16, 12, 4.0, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    # At ε = 1 the counts have a scale of some 5, the sums of offsets one of some 10^5; both take equally long.
    kinds: dict[str, tuple[Noise, Noise]] = {
        "discrete Laplace": (Laplace(5.0), Laplace(1e5)),
        "discrete Gaussian": (Gaussian(5.0), Gaussian(1e5)),
    }
    draws = BOXES * (1 + FEATURES)
    measures = [
        Measure(f"{draws:,} draws, {name}", min(_seconds(*of) for _ in range(TIMES)), "s", f"goal {GOAL:g}; best of {TIMES}")
        for name, of in kinds.items()
    ]
    met = measures[0].value <= GOAL  # the goal is for what a run draws by default
    show(measures, {}, met, "The noise of a summary of 2^16 boxes and 12 features.", options.json)


def _seconds(counts: Noise, sums: Noise) -> float:
    zeros, source, began = np.zeros(BOXES, dtype=np.int64), OpenDPNoise(), time.perf_counter()
    source.add(zeros, counts)
    for _ in range(FEATURES):
        source.add(zeros, sums)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
