"""Small cells are not shown, and cannot be computed from what is shown.

Post-processing: all figures are private before and after. What is kept back are figures that the noise makes worthless,
and that would draw attention to a handful of people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def suppressed_cells(small: Mask, counts: NDArray[np.float64], column_totals: bool = True) -> Mask:
    """The small cells, and as many of the next smallest as it takes that no total gives one of them away.

    Shares give away the totals of segments (columns) and groups (rows): a total less the cells that are shown is the cell
    that is not, when it is the only one. Without `column_totals` only the rows' totals are known.
    """
    hidden = small.copy()
    while (known := recoverable(hidden, column_totals)).any() and not hidden.all():
        # The cell that helps most: in the row and the column of such cells before in one of them, then the smallest.
        helps = np.repeat(known.any(axis=1, keepdims=True), hidden.shape[1], axis=1).astype(int)
        helps += known.any(axis=0) * column_totals
        shown = np.argwhere(~hidden)
        order = np.lexsort((counts[tuple(shown.T)], -helps[tuple(shown.T)]))
        hidden[tuple(shown[order[0]])] = True
    return hidden


def recoverable(hidden: Mask, column_totals: bool = True) -> Mask:
    """Which hidden cells the totals determine: those that no solution of the linear system of all totals leaves free."""
    cells = np.argwhere(hidden)
    found = np.zeros_like(hidden)
    if len(cells) == 0:
        return found
    lines = [cells[:, 0] == g for g in range(hidden.shape[0])]
    if column_totals:
        lines += [cells[:, 1] == s for s in range(hidden.shape[1])]
    system = np.array(lines, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(system, full_matrices=True)
    free = directions[int((sizes > 1e-9).sum()) :]
    fixed = np.abs(free).max(axis=0, initial=0.0) < 1e-9
    found[tuple(cells[fixed].T)] = True
    return found
