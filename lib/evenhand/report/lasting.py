"""Which segments are those of the last run, which are new, and which have ended, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.report.words import isolated
from evenhand.tables.catalog import SEGMENT_CENTERS, SEGMENT_PROFILES
from evenhand.tables.store import Store


@dataclass(frozen=True)
class Lasting:
    """`was` is by segment its number in the run `run_id`, None where it is new; `ended` the label of each segment of that run that
    is none of these, by its number there.
    """

    run_id: str
    was: dict[int, int | None]
    ended: dict[int, str]

    @property
    def as_before(self) -> bool:
        return not self.ended and all(was == number for number, was in self.was.items())

    @property
    def none_found(self) -> bool:
        return not any(self.was.values())

    @property
    def sentence(self) -> str:
        """ "Segments keep the numbers that they had in run autumn"."""
        if self.none_found:
            return f"No segment of run {self.run_id} was found again, so no number means what it meant there."
        where = "" if self.as_before else ", where they were found again; fairness is not compared with that run"
        return f"Segments keep the numbers that they had in run {self.run_id}{where}."

    @property
    def differences(self) -> dict[int, str]:
        """By segment what is not as before, in a sentence; nothing of each where that is so of all."""
        if self.none_found:
            return {}
        return {
            number: f"New since run {self.run_id}." if was is None else f"Segment {was} in run {self.run_id}."
            for number, was in self.was.items()
            if was != number
        }

    @property
    def ends(self) -> str:
        """ "Not found again: segment 2 (buys often) of run autumn."; empty where all were, or none."""
        if not self.ended or self.none_found:
            return ""
        named = ", ".join(f"{number} ({isolated(label)})" for number, label in self.ended.items())
        return f"Not found again: segment{'s' if len(self.ended) > 1 else ''} {named} of run {self.run_id}."

    @property
    def in_a_line(self) -> str:
        """ "as in run autumn, but 3 is new, 2 was 5; not found again: 4"."""
        if self.none_found:
            return f"no segment of run {self.run_id} was found again"
        differs, ended = self.unlike(sorted(self.was)), ", ".join(map(str, self.ended))
        return f"as in run {self.run_id}{f', but {differs}' if differs else ''}{f'; not found again: {ended}' if ended else ''}"

    def unlike(self, numbers: Sequence[int]) -> str:
        """Which of these segments are not as before: "3 is new, 2 was 5"; empty where all are."""
        new = [str(n) for n in numbers if n in self.was and self.was[n] is None]
        said = [f"{', '.join(new)} {'are' if len(new) > 1 else 'is'} new"] if new else []
        return ", ".join(said + [f"{n} was {was}" for n in numbers if (was := self.was.get(n)) is not None and was != n])


def read_lasting(store: Store, run_id: str) -> Lasting | None:
    """None for a first run."""
    rows = store.read(SEGMENT_CENTERS, run_id).select("segment", "was", "was_in").orderBy("segment").collect()
    if not rows or rows[0].was_in is None:
        return None
    was, last = {row.segment: row.was for row in rows}, rows[0].was_in
    labels = store.read(SEGMENT_PROFILES, last).select("segment", "label").distinct().orderBy("segment").collect()
    return Lasting(last, was, {row.segment: row.label for row in labels if row.segment not in was.values()})
