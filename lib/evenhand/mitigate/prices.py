"""Nearly the prices of a program over many cells, in seconds, so that the program itself has little left to decide.

Every cell's least price is rounded off by a temperature (the semi-dual of a program regularized by entropy: Cuturi and
Peyré, "Semidual Regularized Optimal Transport", SIAM Review 2018, section 3). What remains is smooth and concave in a few
numbers, one a constraint and segment, however many cells there are; SciPy's L-BFGS finds the greatest at falling temperatures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from evenhand.mitigate.bounds import Constraints
from evenhand.mitigate.cells import Cells

Floats = NDArray[np.float64]
TEMPERATURES = (0.3, 0.03, 0.01)  # in mean costs
MOST_STEPS, REMEMBERED, LEAST_GAIN = 100, 20, 1e-8  # of L-BFGS at each temperature
MISSING = 20.0  # times the greatest distance: what a customer costs whom a bound misses


def smooth_duals(cells: Cells, constraints: Constraints, centers: Floats, guess: Floats | None = None) -> Floats:
    """Duals (constraints, k) near those of the cheapest assignment to centers (k, features) in the unit cube.

    From a guess at the last temperature alone.
    """
    distances, everyone = cells.distances(centers), cells.weights.sum()
    shape = (len(constraints.coefficients), len(centers))
    if shape[0] == 0:
        return np.zeros(shape)
    # Of a small group few customers count in a surplus: in these units all duals are about as steep.
    unit = np.linalg.norm(constraints.coefficients * np.sqrt(cells.totals() / everyone), axis=1)[:, None]
    bounds = np.stack(np.broadcast_arrays(0.0, np.repeat(MISSING * distances.max() * unit, len(centers))), axis=1)
    mean_cost = max(float(cells.weights @ distances.min(axis=1) / everyone), 1e-9)

    def missed(scaled: Floats, temperature: float) -> tuple[float, Floats]:
        """Less the smooth dual, and its slope, a customer."""
        paid = distances + constraints.prices(scaled.reshape(shape) / unit)[cells.groups]
        least = paid.min(axis=1, keepdims=True)
        shares = np.exp((least - paid) / temperature)
        sums = shares.sum(axis=1, keepdims=True)
        value = float(cells.weights @ (least - temperature * np.log(sums))[:, 0])
        return -value / everyone, (constraints.surplus(cells.table(shares / sums)) / unit).ravel() / everyone

    options = {"maxiter": MOST_STEPS, "maxcor": REMEMBERED, "ftol": LEAST_GAIN}
    scaled = np.zeros(shape) if guess is None else guess * unit
    for temperature in TEMPERATURES if guess is None else TEMPERATURES[-1:]:
        asked = (temperature * mean_cost,)
        scaled = minimize(missed, scaled.ravel(), asked, "L-BFGS-B", jac=True, bounds=bounds, options=options).x
    found: Floats = scaled.reshape(shape) / unit
    return found
