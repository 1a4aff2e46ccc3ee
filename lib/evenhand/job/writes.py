"""Small writes beside each other: a Delta commit of a few rows is mostly waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Protocol, TypeAlias

import pyarrow as pa
from pyspark.sql import DataFrame

from evenhand.tables.catalog import TableSpec

AT_ONCE = 4
Rows: TypeAlias = DataFrame | pa.Table


class Write(Protocol):
    """Begins to write rows into a table, or what makes them."""

    def __call__(self, spec: TableSpec, rows: Rows | Callable[[], Rows]) -> None: ...


@contextmanager
def beside(pool: ThreadPoolExecutor, write: Callable[[TableSpec, Rows], None]) -> Iterator[Write]:
    """Begin writes that are all done, or the error of one is raised, when the block ends.

    Where the block itself fails they are waited for all the same: what this process writes, it writes before it goes on.
    """
    begun: list[Future[None]] = []

    def begin(spec: TableSpec, rows: Rows | Callable[[], Rows]) -> None:
        begun.append(pool.submit(lambda: write(spec, rows() if callable(rows) else rows)))

    try:
        yield begin
    finally:
        wait(begun)
    for written in begun:
        written.result()
