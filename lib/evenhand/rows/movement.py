"""Who went from which segment to which: a row a move, or one that says why there is nothing to compare."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from evenhand.ask.movement import MOVED, Move, Together
from evenhand.rows.typed import typed

TYPES = {"since": pa.string(), "figure": pa.string(), "before": pa.int32(), "segment": pa.int32(), "not_compared": pa.string()}
TYPES |= dict.fromkeys(("count", "count_low", "count_high"), pa.float64()) | dict.fromkeys(("sure", "suppressed"), pa.bool_())


def movement_rows(found: Iterable[Move], sums: Iterable[Together], since: str) -> pa.Table:
    """A suppressed count keeps its row, without figures; so does its `sure`."""
    table = [
        _row(MOVED, move, since) | {"before": move.before, "segment": move.segment, "sure": move.sure and not move.suppressed}
        for move in found
    ]
    return typed(table + [_row(of.figure, of, since) for of in sums], TYPES)


def _row(figure: str, of: Move | Together, since: str) -> dict[str, object]:
    ends = {"count": of.count.value, "count_low": of.count.low, "count_high": of.count.high}
    shown = {name: None if of.suppressed else float(end) for name, end in ends.items()}
    return dict.fromkeys(TYPES) | {"since": since, "figure": figure, "suppressed": of.suppressed} | shown


def nothing_moved(since: str | None, why: str) -> pa.Table:
    """One row, that says why there is nothing to compare with the run `since`, if there is one."""
    return typed([dict.fromkeys(TYPES) | {"since": since, "not_compared": why}], TYPES)
