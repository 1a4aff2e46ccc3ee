"""Who is in which segment, whatever the method: `prepared` with a column `segment`, in native SQL.

Balanced segments are a price list and a few moves. A customer goes where distance plus the price of the customer's group is
least. Of those for whom another segment is nearly as good a share moves there, and of the others a small one to any segment
that would miss its bounds. Who does is decided by the keyed hash in the pseudonym: the same customer always, to the same segment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import CENTER_BITS, DISTANCE, NUMBERS, Centers, nearest, number_in, scores, squared_distance
from evenhand.plan.geometry import STEPS
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.privacy.question import fingerprint_of
from evenhand.spark.short_code import apart_if_long, in_parts

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
SCORE_UNIT = STEPS**2 << CENTER_BITS  # of one squared distance in the unit cube, in a score
MOST_PRICE = 64.0  # squared distances in the unit cube are at most 60; beyond no price changes anything
HASH_STEPS = 1 << 20
PRICE_TERMS = 5  # a price takes as much code as so many coordinates
OTHER_BITS = 24  # from which bit of the hash another choice is made
GROUP, CELL, MOVED, FIRST, SECOND, PRICES = "joint_group", "_cell", "_moved", "_first", "_second", "_prices"
FAR, REACH = "_far", "_reach"


@dataclass(frozen=True)
class Moves:
    """Shares of customers: `near` (joint groups, k, k, bins) of those near their next segment, who go there; `far`
    (joint groups, k, k) of all who are left of a segment, who go to another.
    """

    near: Floats
    far: Floats

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Moves:
        """Nobody moves; `shape` is that of `near`."""
        return cls(np.zeros(shape), np.zeros(shape[:3]))


@dataclass(frozen=True)
class FairMap:
    """The `centers` by which customers choose, `prices` and `reach` (joint groups, k) and ascending `edges` (bins,) in units
    of the score; `moved` (joint groups, k, k, bins) and `far` (joint groups, k, k), shares of 2^20.

    Of the customers of a joint group who are in segment i, have j next, and lose less than the bin's upper edge and not less
    than its lower one by going there, `moved` of 2^20 go there. Of those then left in segment i `far` go to segment j. Next is
    the smallest segment to which a customer would lose less than its `reach` by going, if there is one. Segments stand here in
    the order of their size; `numbers` (k,) are those that they are published under.
    """

    centers: Centers
    prices: Integers
    edges: Integers
    reach: Integers
    moved: Integers
    far: Integers
    numbers: Integers

    @classmethod
    def of(cls, centers: Centers, prices: Floats, edges: Floats, reach: Floats) -> FairMap:
        """A map without moves, from prices, edges and reach in squared distances of the unit cube."""
        fixed, steps, near = (_in_scores(np.clip(a, -MOST_PRICE, MOST_PRICE)) for a in (prices, edges, reach))
        moves = Moves.none((*prices.shape, prices.shape[1], len(edges)))
        in_order = np.arange(1, len(centers) + 1)
        return cls(centers, fixed, steps, near, moves.near.astype(np.int64), moves.far.astype(np.int64), in_order)

    def moving(self, moves: Moves) -> FairMap:
        """The same with these moves."""
        near, far = (np.rint(np.clip(shares, 0, 1) * HASH_STEPS).astype(np.int64) for shares in (moves.near, moves.far))
        return replace(self, moved=near, far=far)

    @property
    def bins(self) -> int:
        return len(self.edges)

    @property
    def fingerprint(self) -> str:
        """Of the public side of a question asked under this map, so that a stored answer is never read for another."""
        arrays = (self.centers, self.prices, self.edges, self.reach, self.moved, self.far, self.numbers)
        return fingerprint_of(*arrays)


def assignment_fingerprint(centers: Centers, fair_map: FairMap | None) -> str:
    """Of what `with_segment` goes by, for the question that counts its segments."""
    return fingerprint_of(centers) + (f" {fair_map.fingerprint}" if fair_map else "")


def with_segment(prepared: DataFrame, centers: Centers, fair_map: FairMap | None, plan: Plan) -> DataFrame:
    """Restricted: the rows of `prepared` with `segment` and `_distance`, the squared distance to its center in fixed point.

    By the nearest center alone when there is no map; with one, `centers` are those that the distance is to.
    """
    if fair_map is None:
        return nearest(prepared, centers, plan.feature_names, stretch(plan.features))
    found = apart_if_long(with_margin(prepared, fair_map, plan), len(plan.features), len(centers))
    group, cell = np.nonzero(fair_map.moved.reshape(len(fair_map.prices), -1))
    columns = {GROUP: group.astype(np.int32), CELL: cell.astype(np.int32), MOVED: fair_map.moved[fair_map.moved > 0]}
    # A customer beyond the last edge has no cell (null), and meets no move.
    found = found.join(F.broadcast(prepared.sparkSession.createDataFrame(pa.table(columns))), [GROUP, CELL], "left")
    code = F.xxhash64("pseudonym")
    moves = F.pmod(code, F.lit(HASH_STEPS)) < F.coalesce(F.col(MOVED), F.lit(0))
    segment = F.when(moves, F.col(SECOND)).otherwise(F.col(FIRST))
    if fair_map.far.any():
        found = found.withColumn(FAR, F.get(F.col(FAR), F.col(FIRST) - 1))
        place = F.pmod(F.shiftright(code, OTHER_BITS), F.lit(HASH_STEPS)) + 1
        # The shares of the segments lie one after another, the smallest segment's first, since a share moves those behind it
        # when it changes. The hash falls into one of them, or behind all, which is to stay: how many ends does it pass?
        passed = F.array_position(F.sort_array(F.array_append(F.col(FAR), place)), place) - 1
        to = (F.lit(len(centers)) - passed).cast("int")
        segment = F.when(moves, F.col(SECOND)).when(to > 0, to).otherwise(F.col(FIRST))
    number = F.get(F.array(*map(F.lit, fair_map.numbers.tolist())), segment - 1).cast("int")
    assigned = found.select(*prepared.columns, number.alias("segment"))
    distance = squared_distance(F.col("segment"), centers, plan.feature_names, stretch(plan.features))
    return assigned.withColumn(DISTANCE, distance)


def with_margin(prepared: DataFrame, fair_map: FairMap, plan: Plan) -> DataFrame:
    """The rows with their joint group, first and second choice of segment, and the cell of the margin between them.

    The cell is (first * k + second) * bins + bin, segments from 0; null from the last edge on.
    """
    listed = {
        GROUP: np.arange(len(fair_map.prices), dtype=np.int32),
        PRICES: pa.array((fair_map.prices * NUMBERS).astype(np.float64).tolist(), pa.list_(pa.float64())),
        REACH: pa.array((fair_map.reach * NUMBERS).astype(np.float64).tolist(), pa.list_(pa.float64())),
        FAR: pa.array(fair_map.far[:, :, ::-1].cumsum(axis=2).tolist(), pa.list_(pa.list_(pa.int64()))),
    }
    table = F.broadcast(prepared.sparkSession.createDataFrame(pa.table(listed)))
    rows = prepared.withColumn(GROUP, JointGroups.of(plan).code).join(table, GROUP)
    rows = apart_if_long(rows, len(plan.features), len(fair_map.centers))
    # Prices are whole multiples of the packed number's room, so a sum is still an integer below 2^53 and exact.
    listed_prices = [F.coalesce(F.get(F.col(PRICES), F.lit(j)), F.lit(0.0)) for j in range(len(fair_map.centers))]
    unpriced = scores(fair_map.centers, plan.feature_names, stretch(plan.features))
    priced = [score + price for score, price in zip(unpriced, listed_prices, strict=True)]
    parts = [F.array(*part) for part in in_parts(priced, len(plan.feature_names) + PRICE_TERMS)]
    rows = rows.withColumns({"_priced": F.concat(*parts), "_best": reduce(F.least, [F.array_min(part) for part in parts])})
    best, next_best = F.col("_best"), F.get(F.sort_array("_priced"), F.lit(1))
    for j in np.flatnonzero(fair_map.reach.any(axis=0)).tolist():  # the smallest segment comes last, and so first
        of = F.get(F.col("_priced"), F.lit(j))
        draws = (of > best) & (of - best < F.get(F.col(REACH), F.lit(j)))
        next_best = F.when(draws, of).otherwise(next_best)
    rows = rows.withColumns({"_lead": next_best - best, FIRST: number_in(best), SECOND: number_in(next_best)})
    bin_number = F.lit(0)
    for edge in (fair_map.edges * NUMBERS).astype(np.float64).tolist():
        bin_number = bin_number + (F.col("_lead") >= F.lit(edge)).cast("int")
    rows = rows.withColumn("_bin", bin_number)
    k, bins = len(fair_map.centers), fair_map.bins
    cell = ((F.col(FIRST) - 1) * F.lit(k) + (F.col(SECOND) - 1)) * F.lit(bins) + F.col("_bin")
    return rows.withColumn(CELL, F.when(F.col("_bin") < F.lit(bins), cell))


def _in_scores(distances: Floats) -> Integers:
    fixed: Integers = np.rint(distances * SCORE_UNIT).astype(np.int64)
    return fixed
