"""Several runs into the same zones at once."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from evenhand.errors import RunConflict
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.plan.load import parse_plan
from evenhand.tables.catalog import BUDGET, RUNS
from sample import NOW, ONE_FEATURE, plan_yaml

# What is fought for are the tables, whatever they hold.
SMALL = ONE_FEATURE | {"privacy.epsilon": 3.0, "privacy.population_total": 20.0, "privacy.expected_customers": 500}


def publish_at_once(spark: Any, runs: list[tuple[str, dict[str, Any]]]) -> None:
    """Run the base plan with these changes under these ids, each in a thread and a session of its own; all are published, once.

    Without the report, which writes no table.
    """
    together = Barrier(len(runs))

    def go(one: tuple[str, dict[str, Any]]) -> Any:
        plan, session = parse_plan(plan_yaml(one[1])), spark.newSession()
        together.wait()
        try:
            return run(plan, session, as_of=NOW, run_id=one[0], steps=["prepare", "segment", "assess"])
        except RunConflict as refused:
            return str(refused)

    with ThreadPoolExecutor(len(runs)) as pool:
        ends = list(pool.map(go, runs))
    results = [end for end in ends if isinstance(end, Result)]
    for refused in (end for end in ends if isinstance(end, str)):
        assert re.search(rf"run \w+ is being worked on by process {os.getpid()} on .* since .* UTC; start it again", refused)
    ids = {run_id for run_id, _ in runs}
    assert {result.run_id for result in results} == ids
    store = results[0].store
    published = [r.run_id for r in store.read(RUNS).where("status = 'published'").collect()]
    assert sorted(r for r in published if r in ids) == sorted(ids)
    assert {r.run_id for r in store.read(BUDGET).collect()} >= ids
    assert [r.segments.count() for r in results] == [300] * len(results)
