"""What Spark counts for each question, counted in NumPy: the same table from the same rows of `prepared`.

So a question can be asked of thousands of populations in a second. That Spark counts the same to the last integer is tested on
all of them (`tests/privacy/test_audit.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from accuracy_evenhand import bins, box_table
from evenhand.ask import assessment as tallies
from evenhand.assignment.fair_map import CELL, FIRST, GROUP, HASH_STEPS, OTHER_BITS, FairMap
from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import CENTER_BITS, NUMBERS, Centers
from evenhand.learn.refine import Step
from evenhand.plan.geometry import Boxes
from evenhand.plan.groups import GroupTable, batches
from evenhand.plan.magnitudes import BINS
from evenhand.plan.models import Plan

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Customers:
    """Rows of `prepared`: `points` (n, features) in fixed point, `groups` (n, attributes), `hashes` (n,) of the pseudonyms."""

    points: Integers
    groups: Integers
    hashes: Integers

    def __len__(self) -> int:
        return len(self.points)

    def __add__(self, more: Customers) -> Customers:
        return Customers(*(np.concatenate(pair) for pair in zip(self._columns, more._columns, strict=True)))

    def __getitem__(self, rows: object) -> Customers:
        return Customers(*(column[rows] for column in self._columns))  # type: ignore[index]

    @property
    def _columns(self) -> tuple[Integers, Integers, Integers]:
        return self.points, self.groups, self.hashes

    def joint(self, plan: Plan) -> Integers:
        """The joint group of mitigation."""
        of = JointGroups.of(plan)
        return self._code([(plan.attribute_names.index(name), len(groups)) for name, groups in of.attributes])

    def _code(self, attributes: list[tuple[int, int]]) -> Integers:
        code = np.zeros(len(self), dtype=np.int64)
        for i, size in attributes:
            code = code * size + self.groups[:, i]
        return code

    def batch(self, plan: Plan, number: int) -> Integers:
        """The joint group of a batch of attributes that are counted together."""
        return self._code([(plan.attribute_names.index(a.name), len(a.group_names)) for a in batches(plan)[number]])


def magnitude_table(magnitudes: Integers) -> pa.Table:
    """Of `magnitude_histograms`; a bin for each customer and feature, -1 where there is no value."""
    flat = (magnitudes + np.arange(magnitudes.shape[1]) * BINS)[magnitudes >= 0]
    return _counted({"bin": flat})


def histogram_table(people: Customers) -> pa.Table:
    return bins(people.points) if len(people) else _counted({"bin": np.zeros(0, dtype=np.int64)})


def sums_by_box(people: Customers, boxes: Boxes) -> pa.Table:
    return box_table(people.points, boxes)


def group_table(people: Customers, boxes: Boxes, plan: Plan) -> pa.Table:
    key = np.zeros(len(people), dtype=np.int64)
    for j, (edges, stride) in enumerate(zip(boxes.edges, boxes.strides, strict=True)):
        key += np.searchsorted(np.array(edges[1:-1]), people.points[:, j], side="right") * stride
    return _counted({"cell": key * JointGroups.of(plan).count + people.joint(plan)})


def size_table(people: Customers, centers: Centers) -> pa.Table:
    return _counted({"segment": _number_in(_scores(people.points, centers).min(axis=1))})


def step_table(people: Customers, step: Step) -> pa.Table:
    segment = _number_in(_scores(people.points, step.centers).min(axis=1))
    clipped = np.clip(people.points, step.low[segment - 1], step.high[segment - 1])
    return _counted({"segment": segment}, {f"s{j}": clipped[:, j] for j in range(clipped.shape[1])})


def margin_table(people: Customers, fair_map: FairMap, plan: Plan) -> pa.Table:
    first, _, cell = _margins(people, fair_map, plan)
    counted = _counted({GROUP: people.joint(plan), FIRST: first, CELL: cell})
    cells = counted[CELL].to_numpy()
    return counted.set_column(2, CELL, pa.array(cells, mask=cells < 0))


def balance_table(people: Customers, fair_map: FairMap, plan: Plan) -> pa.Table:
    return _counted({GROUP: people.joint(plan), "segment": _balanced(people, fair_map, plan)})


def tally_table(people: Customers, centers: Centers, fair_map: FairMap | None, plan: Plan) -> pa.Table:
    """Of `segment_tallies` after `with_segment`."""
    points, k = people.points, len(centers)
    if fair_map is None:
        score = _scores(points, centers).min(axis=1)
        segment, norm = _number_in(score), (points.astype(np.float64) ** 2).sum(axis=1)
        distance = np.maximum((score >> (NUMBERS.bit_length() - 1)) / 2**CENTER_BITS + norm, 0.0)
    else:
        segment = _balanced(people, fair_map, plan)
        distance = ((points - (centers / 2**CENTER_BITS)[segment - 1]) ** 2).sum(axis=1)
    cost = costs(distance, points.shape[1])
    cells, offset = [], 0
    for number, batch in enumerate(batches(plan)):
        cells.append(people.batch(plan, number) * k + segment + offset * k - 1)
        offset += GroupTable(batch).size
    cell = np.concatenate([*cells, np.full(len(people), tallies.SQUARED)])
    offsets = np.tile(points - tallies.MIDDLE, (len(cells) + 1, 1))
    powers = np.where((cell == tallies.SQUARED)[:, None], offsets**2, offsets)
    each = np.tile(cost, len(cells) + 1)
    sums = {"c": each, "cc": each**2 >> 16} | {f"s{j}": powers[:, j] for j in range(points.shape[1])}
    return _counted({tallies.CELL: cell}, sums)


def costs(distance: Floats, features: int) -> Integers:
    """Squared distances as the assessment counts them."""
    return np.minimum((distance / tallies.cost_unit(features)).astype(np.int64), tallies.COST_STEPS - 1)


def _scores(points: Integers, centers: Centers) -> Integers:
    """The packed scores of `segment.assign`, shape (n, k)."""
    constants = [round(int((center.astype(object) ** 2).sum()) / 2**CENTER_BITS) * NUMBERS for center in centers]
    return np.array(constants) + np.arange(len(centers)) - 2 * NUMBERS * points @ centers.T


def _number_in(scores: Integers) -> Integers:
    return (scores & (NUMBERS - 1)) + 1


def _margins(people: Customers, fair_map: FairMap, plan: Plan) -> tuple[Integers, Integers, Integers]:
    """First and second segment, from 1, and the cell of the margin between them, -1 from the last edge on."""
    group, row, k = people.joint(plan), np.arange(len(people)), len(fair_map.centers)
    priced = _scores(people.points, fair_map.centers) + fair_map.prices[group] * NUMBERS
    best, second = np.sort(priced, axis=1)[:, :2].T
    lead = priced - best[:, None]
    draws = (lead > 0) & (lead < fair_map.reach[group] * NUMBERS)
    last = k - 1 - draws[:, ::-1].argmax(axis=1)
    second = np.where(draws.any(axis=1), priced[row, last], second)
    first, second, lead = _number_in(best), _number_in(second), second - best
    number = (lead[:, None] >= fair_map.edges * NUMBERS).sum(axis=1)
    cell = ((first - 1) * k + second - 1) * fair_map.bins + number
    return first, second, np.where(number < fair_map.bins, cell, -1)


def _balanced(people: Customers, fair_map: FairMap, plan: Plan) -> Integers:
    """The segment under a map with its moves, from 1."""
    group, k = people.joint(plan), len(fair_map.centers)
    first, second, cell = _margins(people, fair_map, plan)
    moved = fair_map.moved.reshape(len(fair_map.prices), -1)[group, cell]
    moves = (np.mod(people.hashes, HASH_STEPS) < moved) & (cell >= 0)
    ends = fair_map.far[:, :, ::-1].cumsum(axis=2)[group, first - 1]
    to = k - (ends <= np.mod(people.hashes >> OTHER_BITS, HASH_STEPS)[:, None]).sum(axis=1)
    return np.where(moves, second, np.where(to > 0, to, first))


def _counted(keys: dict[str, Integers], sums: dict[str, Integers] | None = None) -> pa.Table:
    """The rows by key: how many, and the sums of some columns."""
    stacked = np.stack(list(keys.values()), axis=1)
    found, at = np.unique(stacked, axis=0, return_inverse=True)
    at = at.ravel()
    columns = dict(zip(keys, found.T, strict=True)) | {"n": np.bincount(at, minlength=len(found))}
    for name, values in (sums or {}).items():
        added = np.zeros(len(found), dtype=np.int64)
        np.add.at(added, at, values)
        columns[name] = added
    return pa.table(columns)
