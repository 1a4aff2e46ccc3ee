"""The one door between the zones. An aggregate about people leaves the restricted zone through a `Door` only.

It spends the budget and computes the aggregate, only then adds the noise, stores the noisy answer and hands it back as a
`Release`. Only this module can make one, so what is built from a `Release` holds no exact figure.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from evenhand.errors import ClosedDoor, IntegrityError, RunConflict
from evenhand.privacy.noise import Noise, NoiseSource
from evenhand.privacy.question import Integers, Part, Question
from evenhand.privacy.sample import Sample
from evenhand.records.account import SLACK
from evenhand.records.ledger import Ledger
from evenhand.spark.errors import no_values_in_errors
from evenhand.tables.arrow import timestamp
from evenhand.tables.catalog import BUDGET_ENTRIES, RELEASES, TableSpec
from evenhand.tables.store import Store

_KEY = object()  # known to this module only


class Release:
    """A noisy answer. Whatever is computed from it is as private as it is (post-processing), at no further cost."""

    def __init__(self, key: object, question: str, parts: tuple[Part, ...], noisy: Mapping[str, Integers], private: bool):
        if key is not _KEY:
            raise ClosedDoor("a Release comes from privacy.release only")
        self.question = question
        self.parts = MappingProxyType({p.name: p for p in parts})
        self.private = private
        self._noisy = dict(noisy)
        for values in self._noisy.values():
            values.setflags(write=False)

    def __getitem__(self, part: str) -> Integers:
        """The noisy vector of a part, shape (cells,)."""
        return self._noisy[part]

    def noise(self, part: str) -> Noise:
        """The distribution of the noise on every cell of a part."""
        return self.parts[part].noise


class Ask(Protocol):
    """The answers to questions, none of which depends on the answer to another: a run's, or of made-up people."""

    def __call__(self, *questions: Question) -> list[Release]: ...


def asking(people: Sample, noise: NoiseSource) -> Ask:
    """Ask made-up people what a run asks of its customers, with noise of the same distributions, for benches and tests."""

    def ask(*questions: Question) -> list[Release]:
        return [made_up(q.of_sample(people), q.parts, noise) for q in questions]

    return ask


def made_up(exact: Mapping[str, Integers], parts: tuple[Part, ...], noise: NoiseSource) -> Release:
    """An answer that is about nobody, for benches and tests: it is never private.

    Raises:
        ClosedDoor: the noise is private. No budget is spent here, so it must not look as if it were.
    """
    if noise.private:
        raise ClosedDoor("private noise is for a run's door only")
    return Release(_KEY, "made up", parts, add_noise(parts, exact, noise), private=False)


class Door:
    """The door of one run."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        noise: NoiseSource,
        run_id: str,
        questions: Mapping[str, float],
        resumed: bool,
    ) -> None:
        """`questions` are all that the run will ask, with their costs: they are spent for the whole run at once, or not at all."""
        self._store, self._ledger, self._noise, self._run_id, self._questions = store, ledger, noise, run_id, questions
        self._resumed = resumed  # a new run has no answer yet; asking Delta for it would take jobs

    def release(self, people: DataFrame, *questions: Question) -> list[Release]:
        """The noisy answers to questions of which none depends on the answer to another.

        Read back where this run has asked before, else drawn, once. `people` are the rows that are asked about.

        Raises:
            BudgetExhausted: the population's budget does not cover the run; nothing was spent.
            IntegrityError: a stored answer does not belong to its question, or is gone.
        """
        handed_out, stored = self._before
        new = [question for question in questions if question.name not in stored]
        for question in new:
            if question.name in handed_out:  # a second draw would tell more than was paid for
                raise IntegrityError(
                    f"the answer to {question.name} of run {self._run_id} is gone from {self._store.address(RELEASES)}: put the "
                    "table back as it was; no noise was drawn again"
                )
        if new:
            self._draw(people, new)
        with ThreadPoolExecutor(1) as pool:
            itemized = pool.submit(self._itemize, questions)  # before anybody sees the answers
            # Another process under the same run id may have been faster; then its answers count and ours are never seen.
            found = self._stored(questions)
            itemized.result()
        return found

    def _draw(self, people: DataFrame, questions: Sequence[Question]) -> None:
        """Spend, compute, add noise, store."""
        names, is_first = [q.name for q in questions], any(q.of_sources for q in questions)
        with no_values_in_errors(f"computing {' and '.join(names)}"), ThreadPoolExecutor(len(names) + 1) as pool:
            # Spent before any noise is drawn; beside the pass over the people where that is not the first look at the sources.
            spent = None if is_first else pool.submit(self.spend, questions)
            exact = list(pool.map(lambda q: q.vectors(q.in_spark(people).toArrow()), questions))
            spent.result() if spent else self.spend(questions)
        noisy = [add_noise(q.parts, vectors, self._noise) for q, vectors in zip(questions, exact, strict=True)]
        del exact
        self._store.append_once(RELEASES, self._answers(questions, noisy), f"{self._run_id}/{'+'.join(names)}")
        self._before[1].update(names)  # so that a later step of this process reads them back

    @cached_property
    def _before(self) -> tuple[set[str], set[str]]:
        """The questions whose answers were handed out before, and those with a stored answer: read in this order, since
        another process may be at the same run.
        """
        handed_out = {row.question: row.rho if row.epsilon is None else row.epsilon for row in self._asked_in(BUDGET_ENTRIES)}
        for question, cost in handed_out.items():
            if not math.isclose(self._questions.get(question, 0.0), cost, rel_tol=SLACK):
                raise IntegrityError(
                    f"run {self._run_id} has had an answer to {question} for {cost:g}, which is not what this program would ask: the "
                    "budget was divided otherwise; start a new run"
                )
        return set(handed_out), {row.question for row in self._asked_in(RELEASES)}

    def _asked_in(self, table: TableSpec) -> list[Row]:
        """The questions of a run that is resumed, by a table. What is added meanwhile is found by `append_once`."""
        if not self._resumed or not self._store.exists(table):
            return []
        rows = self._store.read(table, self._run_id)
        return rows.select("question", *(c for c in ("epsilon", "rho") if table is BUDGET_ENTRIES)).collect()

    def spend(self, questions: Sequence[Question]) -> None:
        """Take the budget of the whole run, where it has not been taken, before any noise is drawn."""
        ledger, run_id = self._ledger, self._run_id
        ledger.reserve(run_id, self._questions)
        if not self._resumed and ledger.paid_by_another(run_id):  # its lease and its answers are not where ours are
            raise RunConflict(
                f"--run-id: another process has begun run {run_id} with this open zone and another restricted one; plans on the same "
                "people share both; nothing was released"
            )
        for question in questions:
            if any(part.unit != ledger.unit for part in question.parts):
                raise ClosedDoor(f"{question.name} is not priced in {ledger.unit}, as the run is")
            if not ledger.covers(run_id, question.name, question.cost):
                raise ClosedDoor(f"{question.cost:g} for {question.name} is not among the run's questions")
        ledger.log(run_id)

    def _itemize(self, questions: Sequence[Question]) -> None:
        new = [question for question in questions if question.name not in self._before[0]]
        if new:
            self._ledger.itemize(self._run_id, new)
            self._before[0].update(question.name for question in new)  # asked again with others, it is no new item

    def _answers(self, questions: Sequence[Question], noisy: Sequence[Mapping[str, Integers]]) -> pa.Table:
        packed = [
            zlib.compress(b"".join(vectors[p.name].astype("<i8").tobytes() for p in question.parts), 1)
            for question, vectors in zip(questions, noisy, strict=True)
        ]
        number = len(questions)
        return pa.table(
            {
                "run_id": [self._run_id] * number,
                "question": [question.name for question in questions],
                "about": [question.about for question in questions],
                "parts": [question.described for question in questions],
                "noisy": pa.array(packed, pa.binary()),
                "not_private": [not self._noise.private] * number,
                "at": timestamp(datetime.now(UTC), number),
            }
        )

    def _stored(self, questions: Sequence[Question]) -> list[Release]:
        names = [question.name for question in questions]
        mine = self._store.read(RELEASES, self._run_id).where(F.col("question").isin(names))
        found = mine.select("question", "about", "parts", "noisy", "not_private").collect()  # small; `first` would take more jobs
        rows = {row.question: row for row in found}
        return [self._read(question, rows.get(question.name)) for question in questions]

    def _read(self, question: Question, row: Row | None) -> Release:
        if row is None:
            raise IntegrityError(f"the answer to {question.name} was stored and is not there")
        if row.not_private == self._noise.private:
            raise IntegrityError(f"run {self._run_id}: the stored answer to {question.name} has noise of another kind")
        if (row.about, row.parts) != (question.about, question.described):
            raise IntegrityError(
                f"run {self._run_id}: the stored answer to {question.name} is to another question, or about other centers or "
                "boxes; it cannot be asked again: start a new run"
            )
        flat = np.frombuffer(zlib.decompress(bytes(row.noisy)), dtype="<i8").astype(np.int64)
        ends = np.cumsum([p.cells for p in question.parts])
        if len(flat) != ends[-1]:
            raise IntegrityError(f"run {self._run_id}: the stored answer to {question.name} is incomplete")
        pieces = np.split(flat, ends[:-1])
        noisy = {p.name: piece.copy() for p, piece in zip(question.parts, pieces, strict=True)}
        return Release(_KEY, question.name, question.parts, noisy, private=not row.not_private)


def add_noise(parts: tuple[Part, ...], exact: Mapping[str, Integers], noise: NoiseSource) -> dict[str, Integers]:
    """Independent noise on every cell of every part, the zeros too: which cells are not zero would tell about people."""
    return {p.name: noise.add(_checked(p, exact[p.name]), p.noise) for p in parts}


def _checked(part: Part, values: Integers) -> Integers:
    if values.dtype != np.int64 or values.shape != (part.cells,):
        raise ClosedDoor(f"part {part.name} must be {part.cells} integers")
    return values
