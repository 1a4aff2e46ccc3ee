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


def joint_sensitivity(values: int, each: int, unit: Unit) -> int:
    """Of a vector of which one customer changes so many values by `each` at most: L1 for ε, L2 for ρ, rounded up."""
    return values * each if unit == "epsilon" else math.isqrt(values * each**2 - 1) + 1


def scale_of(sensitivity: int, cost: float, unit: Unit) -> float:
    """The parameter of the noise at that cost, rounded up.

    Laplace: b = L1 sensitivity / ε (Dwork, McSherry, Nissim, Smith, TCC 2006). Gaussian: σ = L2 sensitivity / sqrt(2 ρ)
    (Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020).
    """
    if unit == "epsilon":
        return math.nextafter(sensitivity / cost, math.inf)
    return sensitivity / math.sqrt(2 * cost) * (1 + ROUNDING)


def like_laplace(cost: float, unit: Unit) -> float:
    """The scale of the Laplace noise that is as strong (has the same variance) as the noise at that cost on sensitivity 1."""
    return 1 / cost if unit == "epsilon" else 1 / (2 * math.sqrt(cost))


def half_width(cost: float, unit: Unit, level: float) -> float:
    """How far noise at that cost on sensitivity 1 reaches with that chance, on either side; for advice."""
    if unit == "epsilon":
        return -math.log(1 - level) / cost
    return NormalDist().inv_cdf((1 + level) / 2) / math.sqrt(2 * cost)


def reach(cost: float, unit: Unit, chance: float) -> float:
    """What noise at that cost on sensitivity 1 exceeds, on one side, with that chance at most.

    P(X > t) <= e^(-t / b) for Laplace noise, e^(-t² / 2σ²) for Gaussian.
    """
    log = -math.log(chance)
    return log / cost if unit == "epsilon" else math.sqrt(log / cost)
