"""Small cells are not shown, and cannot be computed from what is shown.

Post-processing: all figures are private before and after. What is kept back are figures that the noise makes worthless,
and that would draw attention to a handful of people.

Shares and ratios give away the totals of groups (rows) and segments (columns), and a total less the cells that are shown is
the cell that is not, when it is the only one. So other cells are hidden along ("complementary suppression"; Willenborg
and de Waal, "Elements of Statistical Disclosure Control", 2001, chapter 6).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def suppressed_cells(small: Mask, counts: NDArray[np.float64]) -> Mask:
    """The small cells, and those that keep the totals from giving one of them away; shape (groups, segments).

    The largest cell that is hidden along is as small as it can be, then the second largest, and so on; none is hidden that
    could be shown. A cell that is alone in its row cannot be kept back so: nothing is shown then.
    """
    totals, by_size = table_totals(small.shape), np.argsort(counts, axis=None, kind="stable")
    others = by_size[~small.ravel()[by_size]]

    def with_others(cells: NDArray[np.intp]) -> Mask:
        hidden = small.copy()
        hidden.flat[cells] = True
        return hidden

    def is_kept(hidden: Mask) -> bool:
        return not (recoverable(hidden, totals) & small).any()

    # Hiding more never gives away a small cell that was kept, so as many of the smallest as it takes are found by halving.
    along = others[: bisect_left(range(len(others)), True, key=lambda n: is_kept(with_others(others[:n])))]
    for cell in along[::-1]:
        if is_kept(with_others(along[along != cell])):
            along = along[along != cell]
    return with_others(along)


def withheld_rates(hidden: Mask, offers: Sequence[Mask]) -> list[Mask]:
    """For each offer, the groups whose rate is not shown, shape (groups,); `offers` are the segments that get them.

    A rate gives away how many of a group are in the offer's segments together, one total more.
    """
    totals, withheld = table_totals(hidden.shape), []
    for chosen in offers:
        tells = np.zeros(len(hidden), dtype=bool)
        for group in np.flatnonzero(hidden.any(axis=1)):
            subtotal = np.zeros_like(hidden)
            subtotal[group, chosen] = True
            more = np.vstack([totals, subtotal.ravel()])
            tells[group] = recoverable(hidden, more).any()
            totals = totals if tells[group] else more
        withheld.append(tells)
    return withheld


def table_totals(shape: tuple[int, ...]) -> Mask:
    """Which cells each total adds up, shape (totals, cells). Where there is one row only, a column's total is the cell."""
    groups, segments = np.indices(shape)
    rows, columns = [groups == g for g in range(shape[0])], [segments == s for s in range(shape[1])]
    return np.array([line.ravel() for line in (rows + columns if shape[0] > 1 else rows)])


def recoverable(hidden: Mask, totals: Mask) -> Mask:
    """Which hidden cells the totals determine, the shown cells being known: those of leverage 1 in the totals' equations."""
    equations = totals[:, hidden.ravel()].astype(np.float64)
    inverse = np.linalg.pinv(equations @ equations.T, rcond=1e-9, hermitian=True)
    found = np.zeros_like(hidden)
    found[hidden] = ((inverse @ equations) * equations).sum(axis=0) > 1 - 1e-6
    return found
