"""A small world with a published run whose people are erased, each test its own."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from conftest import write_key
from evenhand.erasure.erase import Erased, erase
from evenhand.job.api import run
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.prepare.pseudonym import Pads, with_pseudonym
from evenhand.tables.arrow import types_of
from evenhand.tables.catalog import AUDIT_LOG, CONSENT_QUARANTINE, PREPARED, SEGMENTS, TableSpec
from evenhand.tables.store import Store
from sample import KEY, NOW, ONE_FEATURE, in_folder, people, plan_yaml, write_source, write_sources

COUNT = 120
SMALL = ONE_FEATURE | {"privacy.epsilon": 3.0, "privacy.population_total": 40.0, "privacy.expected_customers": 500}
SIGNING = {"erasure": {"signing_key": {"key_id": "dpo", "key_env": "EVENHAND_TEST_SIGNING"}}}
SIGNED = "EVENHAND_TEST_SIGNING", "a signing key of thirty-two bytes or more"
REQUESTS = "customer_id STRING, requested_at TIMESTAMP"


def name(number: int) -> str:
    return f"cust-{number:04d}-ünï"


class World:
    """A published run of 120 customers; each test erases people of its own."""

    def __init__(self, spark: Any, folder: Path) -> None:
        self.spark, self.folder, self._numbers = spark, folder, count()
        write_key(folder / "key", KEY)
        write_sources(spark, folder, people(COUNT)[0])
        run(self.plan(), spark, as_of=NOW, run_id="first", steps=["prepare", "segment", "assess"])
        self.store = Store(spark, self.plan().output)

    def plan(self, changes: dict[str, Any] | None = None) -> Plan:
        return parse_plan(plan_yaml(in_folder(self.folder) | SMALL | SIGNING | (changes or {})))

    def ask(self, *ids: Any, at: datetime | None = NOW, schema: str = REQUESTS) -> str:
        table = self.folder / f"requests-{next(self._numbers)}"
        write_source(self.spark, table, [(i, at) for i in ids], schema)
        return str(table)

    def erase(self, *ids: Any, at: datetime | None = NOW, **given: Any) -> Erased:
        return erase(self.plan(), self.spark, self.ask(*ids, at=at), **given)

    def pseudonym(self, id: str, key_id: str = "test-1") -> Any:
        one = self.spark.createDataFrame([(id,)], f"{ID} STRING").withColumn("kept", F.col(ID))
        row = with_pseudonym(one, Pads.of(KEY, "offers", "customer", key_id).table(self.spark), key_id).first()
        return bytes(row["pseudonym"])

    def there(self, id: str, key_id: str = "test-1", run_id: str | None = None) -> list[str]:
        """The tables that have rows of somebody."""
        wanted = F.lit(self.pseudonym(id, key_id))
        of = [
            spec
            for spec in (PREPARED, SEGMENTS)
            if not self.store.read(spec, run_id).where(F.col("pseudonym") == wanted).isEmpty()
        ]
        return [spec.name for spec in of]

    def fill(self, spec: TableSpec, *ids: str) -> None:
        """Rows of some people in a table by pseudonym."""
        types = types_of(spec)
        rows = [tuple(self.pseudonym(id) if column == "pseudonym" else None for column in types) for id in ids]
        frame = self.spark.createDataFrame(rows, ", ".join(f"{column} {kind.simpleString()}" for column, kind in types.items()))
        self.store.append_once(spec, frame, "filled")

    def quarantine(self) -> list[str]:
        return [f"{row.customer_id} {row.content}" for row in self.store.read(CONSENT_QUARANTINE).collect()]

    def logged(self, action: str) -> list[dict[str, Any]]:
        rows = self.store.read(AUDIT_LOG).where(F.col("action") == action).orderBy("sequence").collect()
        return [json.loads(row.details) for row in rows]

    def forget(self) -> None:
        """What this process knows of tables, as another process does not."""
        self.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()

    def open_files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in (self.folder / "open").rglob("*") if p.is_file()}
