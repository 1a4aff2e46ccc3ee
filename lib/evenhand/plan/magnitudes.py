"""The public bins in which bounds are looked for: zero, and powers of two from 2^-10 to 2^40 on either side of it."""

from __future__ import annotations

import math

from evenhand.plan.accounting import Unit, reach

LEAST, MOST = -10, 40  # a thousandth to a million millions: whatever unit a feature has, it is in there
SIDE = MOST - LEAST + 1  # bins on either side of zero; the outermost is open-ended
BINS = 2 * SIDE + 1
ZERO = SIDE  # the bin of what is nearer to zero than 2^-10
# By how much a value may exceed a power of two and still be in the bin below: log2 of 2^29 is 29.000000000000004.
SLACK = 1e-9
CHANCE = 1e-5  # that of all empty bins of a feature one stands out, which would stretch the bounds to it
WANTED = 15  # a bin that stands out by chance may hold at most one customer in that many; else the data says too little


def edges(bin: int) -> tuple[float, float]:
    """Lower and upper edge. Bin s above zero holds (2^(s - 11), 2^(s - 10)], which whole powers of two fit from below.

    The zero bin counts as zero, and the outermost as one power of two wide.
    """
    steps = abs(bin - ZERO)
    if steps == 0:
        return 0.0, 0.0
    inner, outer = 2.0 ** (LEAST + steps - 1), 2.0 ** (LEAST + steps)
    return (inner, outer) if bin > ZERO else (-outer, -inner)


def threshold(cost: float, unit: Unit) -> float:
    """The noisy count above which a bin is not empty: all empty bins stay below but with probability CHANCE."""
    return reach(cost, unit, CHANCE / BINS)


def customers_needed(cost: float, unit: Unit) -> int:
    """From how many customers on the bounds of a feature are found at that cost."""
    return math.ceil(WANTED * threshold(cost, unit))
