"""What is asked of the restricted zone: an aggregation of its rows, in parts that each have a sensitivity and a cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from evenhand.errors import ClosedDoor
from evenhand.plan.accounting import SYMBOL, Unit, scale_of
from evenhand.privacy.cube import Cube
from evenhand.privacy.noise import Gaussian, Laplace, Noise
from evenhand.privacy.sample import Sample

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

    `in_spark` makes of `prepared` the rows to count, lazy and still exact; nothing but the door may run it. `in_numpy` counts the
    same rows of a sample. The parts compose sequentially: the question costs the sum of their costs, all of one unit.

    A question `of_sources` reads them for the first time: a file of theirs may be gone, so nothing is spent before it is done.

    `about` is what the answer depends on beside the plan and the run: centers, cuts, prices, by `fingerprint_of`. Stored with
    the answer, it is never read for other ones, whoever or whatever version asks again.
    """

    name: str
    parts: tuple[Part, ...]
    in_spark: Callable[[DataFrame], DataFrame]
    in_numpy: Callable[[Sample], pa.Table]
    vectors: Callable[[pa.Table], Mapping[str, Integers]]
    of_sources: bool = False
    about: str = ""

    def of_sample(self, people: Sample) -> Mapping[str, Integers]:
        """The exact answer, of made-up people."""
        return self.vectors(self.in_numpy(people))

    @property
    def cost(self) -> float:
        return sum(p.cost for p in self.parts)

    @property
    def described(self) -> str:
        """The parts as JSON, as the ledger and the stored answer hold them."""
        return json.dumps([p.described() for p in self.parts], ensure_ascii=False)

    @property
    def composition(self) -> str:
        """How its cost is made up: parts about the same customers add up, the cells of a part share theirs."""
        terms, unit = " + ".join(f"{p.cost:.4g} ({p.name})" for p in self.parts), self.parts[0].unit
        norm = {
            "epsilon": "its L1 sensitivity being over all cells, or over all rows, each by the cell that changes most",
            "rho": "its L2 sensitivity being over all cells",
        }
        return f"sequential over parts: {SYMBOL[unit]} = {terms}; within a part in parallel, {norm[unit]}"


def fingerprint_of(*arrays: Integers) -> str:
    """Of integers that are public, 16 hexadecimal digits; their shapes count too."""
    content = b"".join(f"{a.shape}".encode() + a.astype("<i8").tobytes() for a in arrays)
    return hashlib.sha256(content).hexdigest()[:16]


def histogram_vectors(table: pa.Table, names: Sequence[str], bins: int) -> dict[str, Integers]:
    """A histogram a name, empty bins too, from rows of `bin` and `n`; of name j the bins are numbered from j * bins on."""
    full = np.zeros(len(names) * bins, dtype=np.int64)
    full[table["bin"].to_numpy().astype(np.int64)] = table["n"].to_numpy().astype(np.int64)
    return dict(zip(names, full.reshape(len(names), bins), strict=True))
