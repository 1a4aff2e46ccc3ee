"""Who went from which segment of the last run to which of this one, in sentences and as a table; or why there is nothing to compare."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from evenhand.ask.movement import CHANGED, MOVED, STAYED
from evenhand.plan.models import Plan
from evenhand.report.lasting import Lasting
from evenhand.report.words import NOT_SHOWN, Form, Row, Rows, isolated
from evenhand.tables.catalog import MOVEMENT, SEGMENT_PROFILES
from evenhand.tables.store import Store

COUNT = ("count", "count_low", "count_high")
NAMED = 5  # moves in sentences; all stand in the table
BEARS_A_FIGURE = 0.25  # of a count: where half of its range is more, the range stands alone


@dataclass(frozen=True)
class Moved:
    """Rows of `movement` by the segment before, the new customers last. `labels` are of the segments of the run `since`.

    `why` says why there is nothing to compare; then there are no rows.
    """

    since: str | None
    rows: Rows = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    lasting: Lasting | None = None
    why: str | None = None
    sums: dict[str, Row] = field(default_factory=dict)  # of all who stayed in their segment, and of all who did not

    def stayed(self, row: Row) -> bool:
        """Whether it is the same segment, whatever its number."""
        return row["before"] is not None and self.lasting is not None and self.lasting.was.get(row["segment"]) == row["before"]

    @property
    def sure(self) -> Rows:
        """The rows that are more than noise makes of nobody."""
        return [row for row in self.rows if row["sure"]]

    @property
    def sentences(self) -> list[str]:
        """Of the largest moves one each, then how many more there are; no move that noise alone may have made."""
        went = sorted((r for r in self.sure if r["before"] is not None and not self.stayed(r)), key=lambda r: -float(r["count"]))
        came = sorted((r for r in self.sure if r["before"] is None), key=lambda r: -float(r["count"]))
        said = [f"{self._customers(row)} went from segment {row['before']} to {self._now(row)}." for row in went[:NAMED]]
        if len(went) > NAMED:
            said.append(f"{len(went) - NAMED} smaller moves stand in the table.")
        if not went:
            said.append("No move from one segment to another stands out of the noise.")
        said += [f"{self._customers(row)} in {self._now(row)} were not in run {self.since}." for row in came[:NAMED]]
        return said

    @property
    def in_all(self) -> str:
        """ "About 81,000 customers (80,900 to 81,100) are in the segment that they were in, and about 9,000 (8,800 to 9,200) in another.";
        empty where it is not to be shown.
        """
        shown = {
            figure: self._counted(row, Form.of([row], COUNT, least=1))
            for figure, row in self.sums.items()
            if not row["suppressed"]
        }
        stayed, changed = shown.get(STAYED), shown.get(CHANGED)
        if stayed is None:
            return f"{changed} who were in run {self.since} too are in another segment now." if changed else ""
        return f"{stayed} are in the segment that they were in{f'; {changed[:1].lower()}{changed[1:]} are in another' if changed else ''}."

    @property
    def by_segment(self) -> list[tuple[str, list[str]]]:
        """A line for each segment before, named, with a count for each segment now; then those who were in none."""
        form, lines = self._form, dict[str, list[str]]()
        for row in self.rows:
            shown = NOT_SHOWN if row["suppressed"] else form.ranged(row, COUNT)
            lines.setdefault(self.name_before(row["before"]), []).append(shown)
        return list(lines.items())

    def name_before(self, segment: int | None) -> str:
        if segment is None:
            return "not there"
        return f"{segment} · {isolated(self.labels[segment])}" if segment in self.labels else str(segment)

    @property
    def _rough(self) -> Form:
        return Form.of(self.rows, COUNT, least=1)

    @property
    def _form(self) -> Form:
        """A digit finer than elsewhere where a step is more than half of the noise: it would move both ends of a range."""
        form = self._rough
        half = max((row["count_high"] - row["count_low"] for row in self.rows if not row["suppressed"]), default=0.0) / 2
        return replace(form, step=max(form.step / 10, 1.0)) if half < 2 * form.step else form

    def _customers(self, row: Row) -> str:
        """ "About 1,200 customers (1,100 to 1,300)"; "200 to 700 customers" where the range bears no figure."""
        return self._counted(row, self._form, self._rough)

    def _counted(self, row: Row, form: Form, rough: Form | None = None) -> str:
        value, low, high = (row[key] for key in COUNT)
        ends = f"{form.number(low)} to {form.number(high)}"
        if (high - low) / 2 > BEARS_A_FIGURE * value:
            return f"{ends} customers"
        return f"{form.number(value)} customers" if low == high else f"About {(rough or form).number(value)} customers ({ends})"

    def _now(self, row: Row) -> str:
        was = self.lasting.was.get(row["segment"]) if self.lasting else None
        return f"segment {row['segment']}{'' if was else ', which is new'}"


def read_movement(store: Store, plan: Plan, run_id: str, lasting: Lasting | None) -> Moved | None:
    """None where the plan does not ask for it, or the run has not come so far."""
    if plan.segments.movement is None or not store.exists(MOVEMENT):
        return None
    rows = [row.asDict() for row in store.read(MOVEMENT, run_id).collect()]
    if not rows:
        return None
    since, why = rows[0]["since"], rows[0]["not_compared"]
    if why is not None:
        return Moved(since, why=why)
    sums = {row["figure"]: row for row in rows if row["figure"] != MOVED}
    rows = [row for row in rows if row["figure"] == MOVED]
    rows.sort(key=lambda row: (row["before"] is None, row["before"], row["segment"]))
    labels = store.read(SEGMENT_PROFILES, since).select("segment", "label").distinct().collect()
    return Moved(since, rows, {row.segment: row.label for row in labels}, lasting, sums=sums)
