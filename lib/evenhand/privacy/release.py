"""The one door between the zones. An aggregate about people leaves the restricted zone through `Door.release` only.

It spends the budget and computes the aggregate, only then adds the noise, stores the noisy answer and hands it back as a
`Release`. Only this module can make one, so what is built from a `Release` holds no exact figure.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.errors import ClosedDoor, IntegrityError
from evenhand.plan.accounting import SYMBOL, Unit, scale_of
from evenhand.privacy.cube import Cube
from evenhand.privacy.ledger import Ledger
from evenhand.privacy.noise import Gaussian, Laplace, Noise, NoiseSource
from evenhand.tables.catalog import RELEASES
from evenhand.tables.spark_errors import no_values_in_errors
from evenhand.tables.store import Store, timestamp

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """One vector of integers that gets noise of one scale.

    `sensitivity` is how much the vector changes at most when one customer is added or removed. Where `cost` is a ρ, as a
    Euclidean length (L2). Where it is an ε, summed over its rows of `width` cells, a row by the cell of it that changes
    most: over its cells (L1) by default. Where a customer touches one cell all are the same. `because` says why.
    """

    name: str
    cells: int
    sensitivity: int
    cost: float
    because: str
    unit: Unit = "epsilon"
    width: int = 1

    def __post_init__(self) -> None:
        if min(self.cells, self.width, self.sensitivity) < 1 or not 0 < self.cost < float("inf"):
            raise ClosedDoor(f"part {self.name}: cells, width, sensitivity and cost must be positive")
        if self.cells % self.width:
            raise ClosedDoor(f"part {self.name}: {self.cells} cells are not full rows of {self.width}")

    @property
    def noise(self) -> Noise:
        scale = scale_of(self.sensitivity, self.cost, self.unit)
        if self.unit == "rho":
            return Gaussian(scale)
        return Laplace(scale) if self.width == 1 else Cube(scale, self.width)

    def described(self) -> dict[str, object]:
        """For the ledger, the stored answer and the report."""
        return {
            "name": self.name,
            "cells": self.cells,
            "width": self.width,
            "sensitivity": self.sensitivity,
            self.unit: self.cost,
            "scale": self.noise.scale,
            "because": self.because,
        }


@dataclass(frozen=True)
class Question:
    """What is asked of the restricted zone: an aggregation, and how its rows become one vector a part.

    `rows` is lazy and still exact; nothing but the door may run it. The parts compose sequentially: the question costs
    the sum of their costs, all of one unit.

    A question about the sources themselves has `texts`, their columns of text that `rows` computes with: a value there
    may yet stop Spark, so nothing is spent before it is done.
    """

    name: str
    rows: DataFrame
    vectors: Callable[[pa.Table], Mapping[str, Integers]]
    parts: tuple[Part, ...]
    texts: tuple[str, ...] | None = None

    @property
    def cost(self) -> float:
        return sum(p.cost for p in self.parts)

    @property
    def composition(self) -> str:
        """How its cost is made up: parts about the same customers add up, the cells of a part share theirs."""
        terms, unit = " + ".join(f"{p.cost:.4g} ({p.name})" for p in self.parts), self.parts[0].unit
        norm = {
            "epsilon": "its L1 sensitivity being over all cells, or over all rows, each by the cell that changes most",
            "rho": "its L2 sensitivity being over all cells",
        }
        return f"sequential over parts: {SYMBOL[unit]} = {terms}; within a part in parallel, {norm[unit]}"


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
        answered: bool = False,
    ) -> None:
        """`questions` are all that the run will ask, with their costs: they are spent for the whole run at once, or not at all.

        `answered` says that a resumed run has come to its end before, with an answer to each.
        """
        self._store, self._ledger, self._noise, self._run_id, self._questions = store, ledger, noise, run_id, questions
        self._answered = answered
        self._resumed = resumed  # a new run has no answer yet; asking Delta for it would take jobs

    def release(self, question: Question) -> Release:
        """The noisy answer to a question: read back when this run has asked it before, drawn once otherwise.

        Raises:
            BudgetExhausted: the population's budget does not cover the run; nothing was spent.
            IntegrityError: a stored answer does not belong to this question, or is gone.
        """
        if question.name in self._asked:
            return self._stored(question)
        if self._answered:  # a second draw would tell more than was paid for
            raise IntegrityError(
                f"the answer to {question.name} of run {self._run_id} is gone from {self._store.address(RELEASES)}: put the table "
                "back as it was; no noise was drawn again"
            )
        with no_values_in_errors(f"computing {question.name}", question.texts or ()), ThreadPoolExecutor(1) as pool:
            # Spent before any noise is drawn; beside the pass over the people where that cannot stop on a value.
            spent = pool.submit(self._spend, question) if question.texts is None else None
            exact = question.vectors(question.rows.toArrow())
            spent.result() if spent else self._spend(question)
        noisy = add_noise(question.parts, exact, self._noise)
        del exact
        self._store.append_once(RELEASES, self._answer(question, noisy), f"{self._run_id}/{question.name}")
        # Another process under the same run id may have been faster; then its answer counts and ours is never seen.
        return self._stored(question)

    @cached_property
    def _asked(self) -> set[str]:
        """What this run had asked before, if it is resumed. An answer that is stored meanwhile is found by `append_once`."""
        if not self._resumed or not self._store.exists(RELEASES):
            return set()
        return {row.question for row in self._store.read(RELEASES, self._run_id).select("question").collect()}

    def _spend(self, question: Question) -> None:
        ledger, run_id = self._ledger, self._run_id
        ledger.reserve(run_id, self._questions)
        if any(part.unit != ledger.unit for part in question.parts):
            raise ClosedDoor(f"{question.name} is not priced in {ledger.unit}, as the run is")
        if not ledger.covers(run_id, question.name, question.cost):
            raise ClosedDoor(f"{question.cost:g} for {question.name} is not among the run's questions")
        ledger.itemize(run_id, question.name, question.cost, question.composition, _described(question.parts))

    def _answer(self, question: Question, noisy: Mapping[str, Integers]) -> pa.Table:
        packed = zlib.compress(b"".join(noisy[p.name].astype("<i8").tobytes() for p in question.parts), 1)
        return pa.table(
            {
                "run_id": [self._run_id],
                "question": [question.name],
                "parts": [_described(question.parts)],
                "noisy": pa.array([packed], pa.binary()),
                "not_private": [not self._noise.private],
                "at": timestamp(datetime.now(UTC)),
            }
        )

    def _stored(self, question: Question) -> Release:
        mine = self._store.read(RELEASES, self._run_id).where(F.col("question") == question.name)
        found = mine.select("parts", "noisy", "not_private").collect()  # one row; `first` would take more jobs
        if not found:
            raise IntegrityError(f"the answer to {question.name} was stored and is not there")
        row = found[0]
        if row.parts != _described(question.parts):
            raise IntegrityError(f"run {self._run_id}: the stored answer to {question.name} is to another question")
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


def _described(parts: tuple[Part, ...]) -> str:
    return json.dumps([p.described() for p in parts], ensure_ascii=False)


def _checked(part: Part, values: Integers) -> Integers:
    if values.dtype != np.int64 or values.shape != (part.cells,):
        raise ClosedDoor(f"part {part.name} must be {part.cells} integers")
    return values
