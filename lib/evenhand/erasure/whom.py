"""Whom an erasure is about: those who ask, nobody as the control, and who of them has come to stand in the zone by right again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.erasure.control import new_number, new_text
from evenhand.erasure.listed import Pair, listed, under_pseudonyms
from evenhand.erasure.quarantine import ROW, containing, meant, type_of_ids
from evenhand.erasure.requests import WHEN, WRITTEN, read_requests
from evenhand.erasure.rewrite import Erasable, table_at
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.prepare.customers import with_ids
from evenhand.prepare.keys import read_key
from evenhand.prepare.pseudonym import INNER, OUTER, Pads, hmac_sha256
from evenhand.sources.open import AS_WRITTEN, people_today
from evenhand.spark.at_once import at_once
from evenhand.tables.arrow import types_of
from evenhand.tables.catalog import ALL, CONSENT_QUARANTINE, TableSpec
from evenhand.tables.cut_off import is_absent
from evenhand.tables.store import Store

RESTRICTED = [spec for spec in ALL if spec.zone == "restricted"]


def people_of_requests(
    spark: SparkSession, plan: Plan, requests: str | None, pairs: Sequence[Pair], known: Mapping[str, str]
) -> DataFrame:
    """Restricted: those who ask, and the control, a row for each purpose and key.

    Columns: `_evenhand_id`, `written` (the id as the requests and the customers have it), requested_at, pseudonym, purpose, key_id,
    asked (false for the control), and `hash`, under which a certificate names a request: keyed, of the id, and no pseudonym.
    """
    kind, asking = "string", None
    if requests is not None:
        customers = with_ids(people_today(spark, plan), plan)
        kind = customers.schema[ID].dataType.simpleString()
        asking = _as_customers_write(read_requests(spark, plan, requests, customers), customers).withColumn("asked", F.lit(True))
    nobody = new_text() if kind in ("string", "binary") else str(new_number())
    columns = f"{ID} STRING, {WRITTEN} ARRAY<STRING>, {WHEN} TIMESTAMP, asked BOOLEAN"
    control = spark.createDataFrame([(nobody, [], None, False)], columns)
    control = control.withColumn(ID, F.col(ID).cast(kind))
    everybody = control if asking is None else asking.unionByName(control)
    return _hashed(under_pseudonyms(everybody, plan, pairs, known), plan)


def spelled(people: DataFrame) -> DataFrame:
    """Restricted: `_evenhand_id`, each id as it is compared and, where it is text, as it is written too."""
    if not isinstance(people.schema[ID].dataType, T.StringType):
        return people.select(ID).distinct()
    return people.select(F.explode(F.array_append(WRITTEN, F.col(ID))).alias(ID)).distinct()


def _as_customers_write(asking: DataFrame, customers: DataFrame) -> DataFrame:
    written = (
        customers.join(F.broadcast(asking.select(ID)), ID, "left_semi")
        .groupBy(ID)
        .agg(F.collect_set(F.col(AS_WRITTEN).cast("string")).alias("_theirs"))
    )
    both = F.array_union(WRITTEN, F.coalesce("_theirs", F.array().cast("array<string>")))
    return asking.join(written, ID, "left").withColumn(WRITTEN, both).drop("_theirs")


def _hashed(people: DataFrame, plan: Plan) -> DataFrame:
    key = plan.pseudonyms
    pads = Pads.of(read_key(key), "erasure", "request", key.key_id).table(people.sparkSession)
    message = F.col(ID) if people.schema[ID].dataType.simpleString() == "binary" else F.col(ID).cast("string").cast("binary")
    keyed = people.crossJoin(F.broadcast(pads))
    return keyed.withColumn("hash", hmac_sha256(message, F.col(INNER), F.col(OUTER))).drop(INNER, OUTER)


@dataclass(frozen=True)
class Zone:
    """The restricted zone as an erasure sees it: its tables, and whose rows stand where.

    `pairs` are the purposes and keys under which somebody may stand in it, `known` the keys' check values by key_id.
    """

    store: Store
    plan: Plan
    pairs: Sequence[Pair]
    known: Mapping[str, str]

    @cached_property
    def tables(self) -> list[Erasable]:
        """Those that are there; of people first."""
        found = [table for table in at_once(self._table, RESTRICTED) if table is not None]
        return sorted(found, key=lambda table: table.by is None)

    def _table(self, spec: TableSpec) -> Erasable | None:
        if not self.store.exists(spec):
            return None
        by = known_by(spec)
        by_run = by == "pseudonym" and "run_id" in types_of(spec)
        return table_at(self.store.spark, spec.name, self.store.address(spec), by, by_run)

    @property
    def of_people(self) -> list[Erasable]:
        return [table for table in self.tables if table.by is not None]

    def present(self, table: Erasable, leaving: DataFrame) -> DataFrame:
        """Restricted: the pseudonyms of those `leaving` (`listed.leaving`) who have rows in a table that have to go."""
        if table.by == ROW:
            return self._meant(table).join(F.broadcast(leaving), "pseudonym", "left_semi").select("pseudonym")
        columns = ["pseudonym", "run_id"] if table.by_run else ["pseudonym"]
        joined = self._rows(table).select(*columns).join(F.broadcast(leaving), "pseudonym")
        return (joined.where(~F.array_contains("kept", F.col("run_id"))) if table.by_run else joined).select("pseudonym")

    def to_be_removed(self, table: Erasable, leaving: DataFrame, forms: DataFrame | None = None) -> DataFrame:
        """Restricted: what has to go from a table, by the column that it is `by`, each value once. `forms` are of those who ask.

        From a table without runs nobody has to go who has consented anew; that is known once the tables with runs are done.
        """
        if table.by == ROW:
            gone = self._meant(table).join(F.broadcast(leaving), "pseudonym", "left_semi").select(ROW)
            return distinct([gone] if forms is None else [gone, containing(self._rows(table), forms)])
        stay = None if table.by_run else self.staying()
        return leaving if stay is None else leaving.join(stay, "pseudonym", "left_anti")

    def staying(self) -> DataFrame | None:
        """Restricted: the pseudonyms on the list of the erased that have rows of a run all the same, once their old ones are gone.

        They have consented anew. None where no table is by run.
        """
        people, by_run = listed(self.store), [t for t in self.of_people if t.by == "pseudonym" and t.by_run]
        if people is None or not by_run:
            return None
        names = F.broadcast(people.select("pseudonym"))
        return distinct([self._rows(table).select("pseudonym").join(names, "pseudonym", "left_semi") for table in by_run])

    def cut_off(self) -> list[str]:
        """Folders of rows that no table has, since the first write of it was cut off."""
        home = self.store.folders()["restricted"]
        absent = {spec.name for spec in RESTRICTED if known_by(spec)} - {table.name for table in self.tables}
        places = {f"{home}/{spec.name}": list(types_of(spec)) for spec in RESTRICTED if home and spec.name in absent}
        return [
            place
            for place, columns in places.items()
            if is_absent(self.store.spark, place, [c for c in columns if c != "run_id"])
        ]

    def _rows(self, table: Erasable) -> DataFrame:
        return self.store.spark.read.table(table.address)

    def _meant(self, table: Erasable) -> DataFrame:
        return meant(self._rows(table), self._kind, self.plan, self.pairs, self.known)

    @cached_property
    def _kind(self) -> T.DataType:
        return type_of_ids(self.store.spark, self.plan)


def known_by(spec: TableSpec) -> str | None:
    """The column by which the rows of a person are known in a table; None where nobody stands in it."""
    return "pseudonym" if "pseudonym BINARY" in spec.columns else ROW if spec is CONSENT_QUARANTINE else None


def distinct(frames: Sequence[DataFrame]) -> DataFrame:
    """All rows of several frames, each once."""
    return reduce(DataFrame.unionByName, frames).distinct()
