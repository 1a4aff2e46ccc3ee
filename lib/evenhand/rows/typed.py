"""Rows as an Arrow table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def typed(table: list[dict[str, object]], types: dict[str, pa.DataType], names: Sequence[str] = ()) -> pa.Table:
    columns = {name: [row[name] for row in table] for name in names or table[0]}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})
