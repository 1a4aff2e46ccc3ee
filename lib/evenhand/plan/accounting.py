"""How privacy loss is counted and what noise it takes: pure ε with Laplace noise, or zero-concentrated ρ with Gaussian noise.

A cost is in its unit, and costs of one unit add up when questions compose. Numbers only, so that a plan can be judged
without loading what draws the noise.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

Unit = Literal["epsilon", "rho"]
SYMBOL: dict[Unit, str] = {"epsilon": "ε", "rho": "ρ"}
# What each share of a run's budget takes at least, so that all its noise fits 64-bit integers; noise as large drowns everything.
LEAST_SHARE: dict[Unit, float] = {"epsilon": 1e-4, "rho": 1e-10}
ROUNDING = 2.0**-48  # more than floating point may be wrong by in the few operations below


def rho_of(epsilon: float, delta: float) -> float:
    """The largest ρ whose zero-concentrated privacy implies (ε, δ)-privacy: ε = ρ + 2 sqrt(ρ ln(1/δ)), rounded down.

    Bun and Steinke, "Concentrated Differential Privacy", TCC 2016, proposition 1.3.
    """
    log = -math.log(delta)
    return (epsilon / (math.sqrt(log + epsilon) + math.sqrt(log))) ** 2 * (1 - ROUNDING)


def epsilon_of(rho: float, delta: float) -> float:
    """The ε at which ρ implies (ε, δ): the inverse of `rho_of`, for advice."""
    return rho + 2 * math.sqrt(-rho * math.log(delta))


def row_sensitivity(width: int, each: int, unit: Unit) -> int:
    """Of a row of figures that one customer changes by `each` at most: the largest change for ε, the L2 norm for ρ, rounded up."""
    return each if unit == "epsilon" else math.isqrt(width * each**2 - 1) + 1


def scale_of(sensitivity: int, cost: float, unit: Unit) -> float:
    """The parameter of the noise at that cost, rounded up.

    Laplace: b = L1 sensitivity / ε (Dwork, McSherry, Nissim, Smith, TCC 2006), over rows by the largest change where noise
    has the shape of a cube. Gaussian: σ = L2 sensitivity / sqrt(2 ρ) (Canonne, Kamath, Steinke, "The Discrete Gaussian for
    Differential Privacy", NeurIPS 2020).
    """
    if unit == "epsilon":
        return math.nextafter(sensitivity / cost, math.inf)
    return sensitivity / math.sqrt(2 * cost) * (1 + ROUNDING)


def like_laplace(cost: float, unit: Unit) -> float:
    """The scale of the Laplace noise that is as strong (has the same variance) as the noise at that cost on sensitivity 1."""
    return 1 / cost if unit == "epsilon" else 1 / (2 * math.sqrt(cost))


def half_width(cost: float, unit: Unit, level: float, width: int = 1) -> float:
    """How far noise at that cost reaches with that chance, on either side, in a row that one customer changes by 1 each; for advice."""
    if unit == "epsilon":
        return cube_half_width(width, level) / cost
    return NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(width / (2 * cost))


def cube_half_width(width: int, level: float) -> float:
    """How far a cell of a row of noise shaped to a cube reaches with that chance, in scales; by halving."""
    low, high = 0.0, 1.0
    while cube_beyond(width, high) > 1 - level:
        low, high = high, 2 * high
    while high - low > ROUNDING * high:
        middle = (low + high) / 2
        low, high = (middle, high) if cube_beyond(width, middle) > 1 - level else (low, middle)
    return high


def cube_beyond(width: int, t: float) -> float:
    """P(|noise| > t scales) of such a cell: the mean of (1 - t / R)+, its radius R having the Gamma distribution of shape width + 1.

    That is e^-t times the sum over i < width of (1 - i / width) t^i / i!; for a width of 1 that of Laplace noise.
    """
    total, term = 0.0, math.exp(-t)
    for i in range(width):
        total += (1 - i / width) * term
        term *= t / (i + 1)
    return total


def reach(cost: float, unit: Unit, chance: float) -> float:
    """What noise at that cost on sensitivity 1 exceeds, on one side, with that chance at most.

    P(X > t) <= e^(-t / b) for Laplace noise, e^(-t² / 2σ²) for Gaussian.
    """
    log = -math.log(chance)
    return log / cost if unit == "epsilon" else math.sqrt(log / cost)
