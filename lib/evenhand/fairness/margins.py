"""How near customers are to another segment, privately, and who moves there so that the bounds hold among the customers.

The prices come from boxes, so among the customers themselves the bounds hold only about. One question counts, by group,
those in each segment and those for whom another is nearly as good; a second one, once these have moved, counts again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import sparse
from scipy.optimize import linprog

from evenhand.fairness.assignment import CELL, FIRST, GROUP, FairMap, with_margin, with_segment
from evenhand.fairness.bounds import Constraints
from evenhand.fairness.cells import Cells
from evenhand.plan.method import BALANCE, MARGINS, Method
from evenhand.plan.models import Plan
from evenhand.privacy.groups import JointGroups
from evenhand.privacy.release import Integers, Part, Question, Release
from evenhand.segment.assign import Centers

Floats = NDArray[np.float64]
SEGMENTS, NEAR = "joint groups by segment", "near another segment"
SEGMENTS_SHARE = 0.7  # of the question's ε; where the margins are is known about from the boxes
MOST_CELLS = 1 << 20
MOST_BINS, FIRST_EDGE = 10, 1 / 16  # upper edges of the margins, doubling, in mean costs of a customer
DOUBT = 0.5  # how far the margins seen on the boxes are from the truth, as a fraction
SAFETY = 1.0  # standard deviations of the noise that a segment is kept above its bound, where that is possible
SPARE = 3.0  # customers kept above it besides: nobody can be divided, and the hash divides evenly on average only
SHORTFALL, SAFE = 1000.0, 5.0  # what a missing customer costs, and one above the bound is worth, in mean costs


def edges_of(mean_cost: float, joint: int, k: int) -> Floats:
    """As many bins as leave the question a million cells at most."""
    bins = int(np.clip(MOST_CELLS // (joint * k * k), 1, MOST_BINS))
    edges: Floats = mean_cost * FIRST_EDGE * 2.0 ** np.arange(bins, dtype=np.float64)
    return edges


def margins(prepared: DataFrame, centers: Centers, fair_map: FairMap, plan: Plan) -> Question:
    """Customers by joint group and segment, and by joint group, first and second segment, and lead of the first."""
    k, joint, cost = len(centers), JointGroups.of(plan).count, Method.of(plan).questions[MARGINS]
    cells = k * k * fair_map.bins
    rows = with_margin(prepared, centers, fair_map, plan).groupBy(GROUP, FIRST, CELL).agg(F.count("*").alias("n"))
    why = f"a customer is in one joint group and one segment; prices {fair_map.fingerprint(centers)}"
    parts = (
        Part(SEGMENTS, joint * k, 1, cost * SEGMENTS_SHARE, why, plan.privacy.unit),
        Part(NEAR, joint * cells, 1, cost * (1 - SEGMENTS_SHARE), "and has at most one cell of nearness", plan.privacy.unit),
    )

    def vectors(table: pa.Table) -> Mapping[str, Integers]:
        n, group = (table[c].to_numpy().astype(np.int64) for c in ("n", GROUP))
        cell = table[CELL].fill_null(-1).to_numpy().astype(np.int64)
        by_segment, near = np.zeros(joint * k, dtype=np.int64), np.zeros(joint * cells, dtype=np.int64)
        np.add.at(by_segment, group * k + table[FIRST].to_numpy().astype(np.int64) - 1, n)
        np.add.at(near, (group * cells + cell)[cell >= 0], n[cell >= 0])
        return {SEGMENTS: by_segment, NEAR: near}

    return Question(MARGINS, rows, vectors, parts)


def balance_check(prepared: DataFrame, centers: Centers, fair_map: FairMap, plan: Plan) -> Question:
    """Customers by joint group and segment under a map with its moves."""
    k, joint, cost = len(centers), JointGroups.of(plan).count, Method.of(plan).questions[BALANCE]
    assigned = with_segment(prepared.withColumn(GROUP, JointGroups.of(plan).code), centers, fair_map, plan)
    rows = assigned.groupBy(GROUP, "segment").agg(F.count("*").alias("n"))
    why = f"a customer is in one joint group and one segment; assignment {fair_map.fingerprint(centers)}"

    def vectors(table: pa.Table) -> Mapping[str, Integers]:
        counts = np.zeros(joint * k, dtype=np.int64)
        group, segment = (table[c].to_numpy().astype(np.int64) for c in (GROUP, "segment"))
        counts[group * k + segment - 1] = table["n"].to_numpy().astype(np.int64)
        return {SEGMENTS: counts}

    return Question(BALANCE, rows, vectors, (Part(SEGMENTS, joint * k, 1, cost, why, plan.privacy.unit),))


@dataclass(frozen=True)
class Table:
    """Noisy counts by joint group and segment, `counts` (joint groups, k), none negative, with the noise's `deviation`."""

    counts: Floats
    deviation: float

    @classmethod
    def read(cls, release: Release, joint: int) -> Table:
        return cls(np.maximum(release[SEGMENTS].reshape(joint, -1).astype(np.float64), 0.0), release.noise(SEGMENTS).deviation)


def margins_on(cells: Cells, centers: Floats, fair_map: FairMap, prices: Floats, edges: Floats) -> Floats:
    """The margins that the boxes let expect, shape (joint groups, k, k, bins)."""
    paid = cells.distances(centers) + prices[cells.groups]
    two = np.argsort(paid, axis=1, kind="stable")[:, :2]
    lead = np.take_along_axis(paid, two, axis=1)
    number = np.searchsorted(edges, lead[:, 1] - lead[:, 0], side="right")
    near = number < len(edges)
    expected = np.zeros(fair_map.moved.shape)
    np.add.at(expected, tuple(a[near] for a in (cells.groups, two[:, 0], two[:, 1], number)), cells.weights[near])
    return expected


def read_margins(release: Release, expected: Floats, table: Table) -> Floats:
    """Post-processing: the noisy margins, drawn towards the expected ones the more the noise outweighs the doubt in those.

    Together they are at most what the table says of their segment.
    """
    rows = (*expected.shape[:2], 1, 1)
    of_segment = table.counts.reshape(rows)
    prior = expected * np.minimum(of_segment / np.maximum(expected.sum(axis=(2, 3), keepdims=True), 1.0), 2.0)
    doubt, noise = (DOUBT * prior) ** 2 + prior + 1.0, release.noise(NEAR).deviation ** 2
    found = prior + (release[NEAR].reshape(expected.shape) - prior) * doubt / (doubt + noise)
    found = np.maximum(found, 0.0)
    found[:, range(rows[1]), range(rows[1])] = 0.0
    return found / np.maximum(found.sum(axis=(2, 3), keepdims=True) / np.maximum(of_segment, 1.0), 1.0)  # type: ignore[no-any-return]


def moves(near: Floats, table: Table, before: Floats, constraints: Constraints, edges: Floats, mean_cost: float) -> Floats:
    """The share of each cell of `near` that moves to its second segment, at the least cost, shape (joint groups, k, k, bins).

    `table` was counted with the shares `before` moved. A bound that no move can reach is missed by as few customers as can be;
    what the noise may hide is kept above the bounds as far as there is room.
    """
    cells = np.argwhere(near >= 0.5)
    group, first, second, number = cells.T
    size, k, count = near[tuple(cells.T)], near.shape[1], len(cells)
    if count == 0 or len(constraints.coefficients) == 0:
        return np.zeros_like(near)
    coefficients = constraints.coefficients[:, group]
    place = np.arange(len(coefficients))[:, None] * k
    lines = np.concatenate([(place + first).ravel(), (place + second).ravel()])
    column = np.broadcast_to(np.arange(count), coefficients.shape).ravel()
    values = np.concatenate([coefficients.ravel(), -coefficients.ravel()])
    flow = sparse.csr_matrix((values, (lines, np.tile(column, 2))), shape=(len(coefficients) * k, count))
    left = constraints.surplus(table.counts).ravel() + flow @ (before[tuple(cells.T)] * size)
    noise = table.deviation * np.linalg.norm(constraints.coefficients, axis=1)
    deviation = SPARE + SAFETY * noise
    missing, above = -sparse.eye(len(left)), sparse.csr_matrix(np.repeat(deviation, k)[:, None])
    system = sparse.hstack([flow, missing, above])
    worth = np.full(len(left), SHORTFALL * mean_cost)
    cost = np.concatenate([_middles(edges)[number], worth, [-SAFE * mean_cost * deviation.sum() * k]])
    limits = [(0.0, s) for s in size] + [(0.0, None)] * len(left) + [(0.0, 1.0)]
    solved = linprog(cost, A_ub=system.tocsr(), b_ub=left, bounds=limits, method="highs-ds")
    shares = np.zeros_like(near)
    if solved.status == 0:
        shares[tuple(cells.T)] = solved.x[:count] / size
    return shares


def _middles(edges: Floats) -> Floats:
    return (np.concatenate([[0.0], edges[:-1]]) + edges) / 2  # type: ignore[no-any-return]
