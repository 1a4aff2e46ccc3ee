"""A small world with a published run, for tests of what is done with it afterwards."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conftest import write_key
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from sample import CONSENT, KEY, in_folder, people, plan_yaml, write_sources

COUNT = 240
OFFERS = [
    {"name": "preview", "why": "test", "segments": [1, 2]},
    {"name": "nobody", "why": "test", "where": {"tenure": [19.99, None]}},
]


@dataclass(frozen=True)
class World:
    folder: Path
    spark: Any
    ids: list[str]
    result: Result

    def plan(self, changes: dict[str, Any] | None = None) -> Plan:
        return parse_plan(self.yaml(changes))

    def yaml(self, changes: dict[str, Any] | None = None) -> str:
        """The plan of the run, or one that is changed by dotted path."""
        return plan_yaml(in_folder(self.folder) | _RUN | (changes or {}))

    def segment(self) -> dict[str, int]:
        """The segment of each customer of the run, by id."""
        by_pseudonym = {bytes(r.pseudonym): r.segment for r in self.result.segments.collect()}
        found = {i: by_pseudonym.get(pseudonym(i)) for i in self.ids}
        return {i: segment for i, segment in found.items() if segment is not None}

    def say_no(self, ids: list[str], state: str = "withdrawn") -> None:
        """More consent events, of this moment."""
        self.consent([(i, "offers", state, datetime.now(UTC), None, "web") for i in ids])

    def consent(self, events: list[tuple[Any, ...]]) -> None:
        self.spark.createDataFrame(events, CONSENT).write.format("delta").mode("append").save(f"{self.folder}/consent")


_RUN: dict[str, Any] = {"privacy.epsilon": 20.0, "privacy.population_total": 100.0, "fairness.offers": OFFERS}


def published_world(spark: Any, folder: Path, changes: dict[str, Any] | None = None) -> World:
    """Customers who said yes, and a run of this moment under the id "run-1"."""
    write_key(folder / "key", KEY)
    customers, purchases = people(COUNT)
    write_sources(spark, folder, customers, purchases=purchases)
    plan = parse_plan(plan_yaml(in_folder(folder) | _RUN | (changes or {})))
    return World(folder, spark, [c[0] for c in customers], run(plan, spark, run_id="run-1"))


def pseudonym(id: str, key: bytes = KEY, key_id: str = "test-1", purpose: str = "offers") -> bytes:
    """By Python's own HMAC."""
    start = b"".join(len(f.encode()).to_bytes(4, "big") + f.encode() for f in (purpose, "customer", key_id))
    return hmac.new(key, start + id.encode(), hashlib.sha256).digest()


def remove_customer(world: World, id: str) -> None:
    world.spark.read.format("delta").load(f"{world.folder}/customers").where(f"customer_id <> '{id}'").write.format("delta").mode(
        "overwrite"
    ).save(f"{world.folder}/customers")
