"""The search for people in bytes, all at once: its cost is that of the bytes, however many people are looked for.

A needle of at least 2 b - 1 bytes holds, wherever it stands, one whole block of b bytes that begins at a multiple of b. So of
the bytes only every b-th window is looked up, and of a needle its b possible windows are (after Karp and Rabin, "Efficient
randomized pattern-matching algorithms", 1987, with the roles of text and pattern exchanged). A hit is then compared in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

BLOCKS = (16, 8, 4)
PIECE = 2**20  # bytes that are looked at in one go; a file may be larger than an array of its windows


@dataclass(frozen=True, order=True)
class Trace:
    """Somebody stands in a file. Of nobody where it is the control's."""

    place: str
    form: str
    control: bool


def traces(contents: DataFrame, forms: DataFrame) -> set[Trace]:
    """Where any of the forms stands in any of the contents. Only places and names of forms come out.

    `contents` has place and content BINARY, `forms` is as of `forms_of`.
    """
    return collected(standing_in(contents, forms))


def standing_in(contents: DataFrame, forms: DataFrame) -> DataFrame:
    """Restricted: place, form, control, for each form that stands in the contents, as of `traces`."""
    sized = forms.withColumn("block", _block(F.length("needle")))
    known = sized.groupBy("block").agg(F.max(F.length("needle")).alias("longest")).collect()
    if not known:
        return forms.select(F.lit("").alias("place"), "form", "control")  # of nobody
    pieces = _pieces(contents, max(int(row.longest) for row in known))
    return _in_blocks(pieces, sized, sorted(int(row.block) for row in known))


def collected(found: DataFrame) -> set[Trace]:
    """Distinct places and forms; nothing of whom."""
    return {Trace(row.place, row.form, row.control) for row in found.select("place", "form", "control").distinct().collect()}


def _block(length: Column) -> Column:
    chosen = F.lit(BLOCKS[-1])
    for block in reversed(BLOCKS[:-1]):
        chosen = F.when(length >= 2 * block - 1, F.lit(block)).otherwise(chosen)
    return chosen


def _pieces(contents: DataFrame, longest: int) -> DataFrame:
    """place and content, cut so that each stretch of `longest` bytes is whole in one of the pieces."""
    starts = F.sequence(F.lit(0), F.length("content"), F.lit(PIECE))
    cut = contents.select("place", "content", F.explode(starts).alias("start"))
    return cut.select("place", F.expr(f"substring(content, start + 1, {PIECE + longest})").alias("content"))


def _in_blocks(contents: DataFrame, forms: DataFrame, blocks: Sequence[int]) -> DataFrame:
    """place, form, control, for forms of at least 2 * block - 1 bytes, each with its `block`."""
    windows = forms.select(
        "form", "control", "needle", "block", F.explode(F.sequence(F.lit(0), F.col("block") - 1)).alias("into")
    )
    windows = windows.withColumn("hash", F.xxhash64("block", F.expr("substring(needle, into + 1, block)")))
    each = contents.select("place", "content", F.explode(F.array(*map(F.lit, blocks))).alias("block"))
    last = F.greatest(F.length("content") - F.col("block"), F.lit(0))
    at = each.select("*", F.explode(F.sequence(F.lit(0), last, F.col("block"))).alias("at"))
    hashed = at.withColumn("hash", F.xxhash64("block", F.expr("substring(content, at + 1, block)"))).drop("block")
    same = (F.col("at") >= F.col("into")) & (F.expr("substring(content, at - into + 1, length(needle))") == F.col("needle"))
    return hashed.join(F.broadcast(windows), "hash").where(same).select("place", "form", "control")
