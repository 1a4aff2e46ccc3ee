"""Who went from which segment to which: a row a move, or one that says why there is nothing to compare."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from evenhand.ask.movement import Move
from evenhand.rows.typed import typed

TYPES = {"since": pa.string(), "before": pa.int32(), "segment": pa.int32(), "not_compared": pa.string()}
TYPES |= dict.fromkeys(("count", "count_low", "count_high"), pa.float64()) | dict.fromkeys(("sure", "suppressed"), pa.bool_())


def movement_rows(found: Iterable[Move], since: str) -> pa.Table:
    """A suppressed move keeps its row, without figures; so does its `sure`."""
    table: list[dict[str, object]] = [
        {
            "since": since,
            "before": move.before,
            "segment": move.segment,
            "count": None if move.suppressed else float(move.count.value),
            "count_low": None if move.suppressed else float(move.count.low),
            "count_high": None if move.suppressed else float(move.count.high),
            "sure": move.sure and not move.suppressed,
            "suppressed": move.suppressed,
            "not_compared": None,
        }
        for move in found
    ]
    return typed(table, TYPES)


def nothing_moved(since: str | None, why: str) -> pa.Table:
    """One row, that says why there is nothing to compare with the run `since`, if there is one."""
    return typed([dict.fromkeys(TYPES) | {"since": since, "not_compared": why}], TYPES)
