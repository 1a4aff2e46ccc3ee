"""Linear programs: SciPy's HiGHS, whose answer is used or whose failure is an error, in one line."""

from __future__ import annotations

from typing import Any

from scipy.optimize import OptimizeResult, linprog

from evenhand.errors import DataError


def solved(price: Any, **program: Any) -> OptimizeResult:
    """The cheapest solution of a program as `scipy.optimize.linprog` takes it, by the dual simplex method.

    Raises:
        DataError: there is none, or HiGHS gave up.
    """
    found = linprog(price, method="highs-ds", **program)
    if found.x is None:
        why = found.message.split(".")[0]
        raise DataError(
            f"fairness.mitigation.bounds: HiGHS found no solution ({why}); nothing was published; state looser bounds"
        )
    return found
