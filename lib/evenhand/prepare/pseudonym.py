"""Pseudonyms: HMAC-SHA-256 (RFC 2104) in native SQL, with the key's pads in a broadcast row.

A key given as a literal would stand in plans, event logs and column names; a row of data does not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType

from evenhand.prepare.consent import ID

BLOCK = 64  # of SHA-256, in bytes
INNER, OUTER = "_inner", "_outer"


@dataclass(frozen=True, repr=False)
class Pads:
    """The two key blocks of HMAC, the inner one followed by the constant start of every message."""

    inner: bytes
    outer: bytes

    @classmethod
    def of(cls, key: bytes, *fields: str) -> Pads:
        """Pads for messages that start with `fields`, each behind its length, so that no two lists of fields collide."""
        block = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
        start = b"".join(len(f.encode()).to_bytes(4, "big") + f.encode() for f in fields)
        return cls(bytes(b ^ 0x36 for b in block) + start, bytes(b ^ 0x5C for b in block))

    def table(self, spark: SparkSession) -> DataFrame:
        """One row with both pads, to be broadcast."""
        rows = pa.table({INNER: pa.array([self.inner], pa.binary()), OUTER: pa.array([self.outer], pa.binary())})
        return spark.createDataFrame(rows)

    def __repr__(self) -> str:
        return "Pads(hidden)"


def hmac_sha256(message: Column, inner: Column, outer: Column) -> Column:
    """HMAC-SHA-256 of a BINARY message, as 32 bytes BINARY."""
    return F.unhex(F.sha2(F.concat(outer, F.unhex(F.sha2(F.concat(inner, message), 256))), 256))


def with_pseudonym(customers: DataFrame, pads: DataFrame, key_id: str) -> DataFrame:
    """The customers with `pseudonym` and `key_id` in place of `_evenhand_id`."""
    binary = isinstance(customers.schema[ID].dataType, BinaryType)
    message = F.col(ID) if binary else F.col(ID).cast("string").cast("binary")
    keyed = customers.crossJoin(F.broadcast(pads))
    return keyed.withColumns({"pseudonym": hmac_sha256(message, F.col(INNER), F.col(OUTER)), "key_id": F.lit(key_id)}).drop(
        ID, INNER, OUTER
    )
