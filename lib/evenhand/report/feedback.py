"""What customers say about the use of their data: of each survey the newest wave on a run's segments, and how it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import functions as F

from evenhand.report.words import NOT_SHOWN, Form, Row, Rows
from evenhand.tables.catalog import FEEDBACK, RUNS
from evenhand.tables.store import Store

SHARE, CHANGE = ("share", "share_low", "share_high"), ("change", "change_low", "change_high")


@dataclass(frozen=True)
class Asked:
    """A question: its options in order, and its rows of `feedback`, by segment and option."""

    name: str
    asks: str
    rows: Rows

    @property
    def options(self) -> list[str]:
        return list(dict.fromkeys(row["option"] for row in self.rows))

    @property
    def by_segment(self) -> dict[int, list[str]]:
        """A line a segment: each option's share with its range, and the change in points where there is one."""
        form, found = Form.of(self.rows, SHARE, percent=True), dict[int, list[str]]()
        for row in self.rows:
            share = NOT_SHOWN if row["suppressed"] else form.ranged(row, SHARE)
            found.setdefault(row["segment"], []).append(share + points(row))
        return found


@dataclass(frozen=True)
class Wave:
    """The newest wave of a survey; `before` is the one that it is held against, if any."""

    survey: str
    wave_id: str
    day: date  # on which it began, in UTC
    questions: list[Asked]

    @property
    def before(self) -> str | None:
        return next((row["before"] for asked in self.questions for row in asked.rows if row["before"]), None)


def points(row: Row) -> str:
    """ ", +3.1 points (+1.0 to +5.2)"; empty where there is nothing to compare with."""
    return "" if row["change"] is None else f", {in_points(row, CHANGE)}"


def in_points(row: Row, keys: tuple[str, str, str]) -> str:
    """A difference of two shares, as "+3.1 points (+1.0 to +5.2)". Where chance alone may have made it, the range alone."""
    value, low, high = (100 * row[name] for name in keys)
    ends = f"{low:+.1f} to {high:+.1f}"
    return f"{ends} points" if low <= 0 <= high else f"{value:+.1f} points ({ends})"


def read_waves(store: Store, run_id: str) -> list[Wave]:
    """Of each survey the newest wave by the segments of a run, or of one that has only scored into these; by name."""
    if not store.exists(FEEDBACK):
        return []
    ours = store.read(FEEDBACK).where(F.col("segments_of").isin(*with_its_segments(store, run_id)))
    waves = ours.select("survey", "run_id", F.unix_micros("as_of").alias("moment"), F.to_date("as_of").alias("day")).distinct()
    newest = {row.survey: row for row in waves.orderBy("moment", "run_id").collect()}
    return [_wave(store, row.survey, row.run_id, row.day) for _, row in sorted(newest.items())]


def with_its_segments(store: Store, run_id: str) -> list[str]:
    """The run, and those that have only scored into its segments."""
    scored = store.read(RUNS).where(F.col("centers_of") == run_id).select("run_id").distinct().collect()
    return [run_id, *(row.run_id for row in scored)]


def _wave(store: Store, survey: str, wave_id: str, day: date) -> Wave:
    rows = [row.asDict() for row in store.read(FEEDBACK, wave_id).orderBy("question", "segment", "position").collect()]
    by_question: dict[str, Rows] = {}
    for row in rows:
        by_question.setdefault(row["question"], []).append(row)
    return Wave(survey, wave_id, day, [Asked(name, of[0]["asks"], of) for name, of in by_question.items()])
