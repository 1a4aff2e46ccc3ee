"""Made-up people in NumPy, of whom every question can be asked as a run asks it of those in `prepared`.

For benches, audits and tests: a question is asked of thousands of populations in seconds. That Spark counts the same to the
last integer is tested for every question (`tests/privacy/test_audit.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """Rows as `prepared` has them: `points` (n, features) in fixed point, `groups` (n, attributes) by their position in the
    plan, `hashes` (n,) of the pseudonyms. `magnitudes` (n, features without bounds) are bins, -1 where there is no value.
    """

    points: Integers
    groups: Integers
    hashes: Integers
    magnitudes: Integers

    @classmethod
    def of(
        cls, points: Integers, groups: Integers | None = None, hashes: Integers | None = None, magnitudes: Integers | None = None
    ) -> Sample:
        """What is left out has no columns; hashes are all 0."""
        none, zeros = np.zeros((len(points), 0), dtype=np.int64), np.zeros(len(points), dtype=np.int64)
        return cls(
            points,
            none if groups is None else groups,
            zeros if hashes is None else hashes,
            none if magnitudes is None else magnitudes,
        )

    def __len__(self) -> int:
        return len(self.points)

    def __add__(self, more: Sample) -> Sample:
        return Sample(*(np.concatenate(pair) for pair in zip(self._columns, more._columns, strict=True)))

    def __getitem__(self, rows: NDArray[np.bool_] | Integers | slice) -> Sample:
        return Sample(*(column[rows] for column in self._columns))

    @property
    def _columns(self) -> tuple[Integers, ...]:
        return self.points, self.groups, self.hashes, self.magnitudes

    def combination(self, attributes: Sequence[tuple[int, int]]) -> Integers:
        """The number of each row's combination of groups, given the attributes' positions and sizes; the last runs fastest."""
        code = np.zeros(len(self), dtype=np.int64)
        for position, size in attributes:
            code = code * size + self.groups[:, position]
        return code


def counted(keys: Mapping[str, Integers], sums: Mapping[str, Integers] | None = None) -> pa.Table:
    """What `groupBy(keys)` counts: the keys, how many rows they have as `n`, and the sums of some columns.

    The sums are of doubles, which add integers exactly below 2^53.
    """
    columns = [np.asarray(key, dtype=np.int64) for key in keys.values()]
    packed = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        least = column.min(initial=0)
        packed = packed * (column.max(initial=0) - least + 1) + column - least
    _, first, at = np.unique(packed, return_index=True, return_inverse=True)
    found = {name: column[first] for name, column in zip(keys, columns, strict=True)}
    found["n"] = np.bincount(at, minlength=len(first))
    added = {
        name: np.bincount(at, weights=values, minlength=len(first)).astype(np.int64) for name, values in (sums or {}).items()
    }
    return pa.table(found | added)
