"""What a scheduler sees of a run, and of the same line started again: exit codes, one line of JSON, metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyspark
import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import write_key
from evenhand.cli.main import main
from evenhand.errors import EvenhandError
from evenhand.job.api import run
from evenhand.job.arguments import derived_id
from evenhand.job.result import Result
from evenhand.plan.load import load_plan
from evenhand.plan.models import Plan
from evenhand.records.lease import Lease, newest_of
from evenhand.tables.catalog import BUDGET
from evenhand.tables.store import Store
from evenhand.version import __version__
from sample import KEY, NOW, ONE_FEATURE, in_folder, people, plan_yaml, write_sources

ONE_RUN = ONE_FEATURE | {"privacy.epsilon": 3.0, "privacy.population_total": 4.0, "privacy.expected_customers": 500}


class Told(NamedTuple):
    """How a start ended, what it said to programs, and its gauges without labels."""

    exit_code: int
    facts: dict[str, Any]
    gauges: dict[str, float]


@pytest.fixture(scope="module")
def folder(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan and what it reads, with a budget for one run."""
    folder = tmp_path_factory.mktemp("scheduled")
    write_key(folder / "key", KEY)
    write_sources(spark, folder, people(300)[0])
    (folder / "plan.yaml").write_text(plan_yaml(in_folder(folder) | ONE_RUN), encoding="utf-8")
    (folder / "affordable.yaml").write_text(plan_yaml(in_folder(folder) | ONE_RUN | {"privacy.epsilon": 1.0}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def plan(folder: Path) -> Plan:
    return load_plan(folder / "plan.yaml")


@pytest.fixture(scope="module")
def start(folder: Path) -> Callable[..., Told]:
    """Starts a command as a scheduler does."""

    def again(*arguments: str, command: str = "run", plan: str = "plan.yaml") -> Told:
        file = folder / f"{command}.prom"
        line = [command, "--plan", str(folder / plan), "--json", "--quiet", "--metrics", str(file), *arguments]
        with pytest.MonkeyPatch.context() as patch:
            said: list[str] = []
            patch.setattr("evenhand.cli.talk.show", said.append)
            exit_code = main(line)
        families = text_string_to_metric_families(file.read_text(encoding="utf-8"))
        gauges = {s.name: s.value for family in families for s in family.samples if set(s.labels) == {"plan", "command"}}
        return Told(exit_code, json.loads(said[-1]), gauges)

    return again


class Both(NamedTuple):
    """What came of one line that was started a second time while the first was at work, and what the second said meanwhile."""

    first: Told
    second: Result
    said: list[str]


@pytest.fixture(scope="module")
def both(spark: Any, plan: Plan, start: Callable[..., Told]) -> Both:
    line, said = {"as_of": NOW, "run_id": "auto"}, list[str]()

    def retried() -> Result:
        session = spark.newSession()
        while not works(Store(session, plan.output), derived_id(plan, "auto", NOW)) and not first.done():
            time.sleep(1)
        return run(plan, session, **line, wait=10, say=said.append)

    with ThreadPoolExecutor(1) as pool:
        first: Future[Told] = Future()
        second = pool.submit(retried)
        first.set_result(start("--as-of", NOW.isoformat(), "--run-id", "auto"))
        return Both(first.result(), second.result(), said)


def works(store: Store, run_id: str) -> bool:
    with suppress(EvenhandError):  # the table is being made
        return any(holder.works for holder in newest_of(store, run_id).values())
    return False


@pytest.fixture(scope="module")
def first(both: Both) -> Told:
    return both.first


def test_a_retry_while_the_first_try_is_at_work_waits_and_finds_it_published_and_paid_once(
    both: Both, plan: Plan, spark: Any
) -> None:
    assert both.first.exit_code == 0
    assert both.second.run_id == both.first.facts["run_id"] == derived_id(plan, "auto", NOW)
    waited, published = both.said
    assert "is being worked on by process" in waited and "; waiting for that, until " in waited
    assert published.startswith(f"run {both.second.run_id} is published already")
    assert [row.run_id for row in Store(spark, plan.output).read(BUDGET).collect()] == [both.second.run_id]


def test_who_waits_long_enough_goes_on_where_the_other_has_failed_and_who_does_not_is_told_to_try_again(
    first: Told, start: Callable[..., Told], spark: Any, plan: Plan
) -> None:
    other = Lease(Store(spark.newSession(), plan.output), "fought-for")
    other.take()
    try:
        line = ("--as-of", NOW.isoformat(), "--run-id", "fought-for", "--wait")
        late = start(*line, "0", command="prepare", plan="affordable.yaml")
        assert (late.exit_code, late.facts["retry"], late.gauges["evenhand_exit_code"]) == (75, True, 75)
        with ThreadPoolExecutor(1) as pool:
            given_up = pool.submit(lambda: (time.sleep(3), other.end(release=True)))
            on = start(*line, "2", command="prepare", plan="affordable.yaml")
            given_up.result()
        assert (on.exit_code, on.facts["steps"]) == (0, ["prepare"])
    finally:
        other.end(release=True)


def test_a_run_tells_programs_its_state_budget_verdicts_and_times(first: Told) -> None:
    facts = first.facts
    assert (first.exit_code, facts["status"], facts["plan"]) == (0, "published", "small")
    assert facts["versions"] == {"evenhand": __version__, "spark": pyspark.__version__}
    assert Path(facts["report"]).exists() and set(facts["sources"]) == {"customers", "consent"}
    assert list(facts["seconds"]) == ["prepare", "segment", "assess", "report"] and sum(facts["seconds"].values()) > 0
    left = {"epsilon": 3.0, "epsilon_total": 4.0, "epsilon_spent": 3.0, "epsilon_left": 1.0, "runs_left": 0}
    assert {name: facts["budget"][name] for name in left} == left
    assert set(facts["verdicts"]) == {"gender"}
    assert set(facts["verdicts"]["gender"]) == {"even", "uneven", "cannot tell"} and sum(facts["verdicts"]["gender"].values()) > 3


def test_metrics_say_the_same_as_the_line_of_json(first: Told) -> None:
    wanted = {"exit_code": 0, "epsilon_limit": 4, "epsilon_left": 1, "runs_left": 0, "findings": len(first.facts["findings"])}
    assert {name: first.gauges[f"evenhand_{name}"] for name in wanted} == wanted
    assert first.gauges["evenhand_as_of_timestamp_seconds"] == NOW.timestamp()
    assert first.gauges["evenhand_duration_seconds"] >= sum(first.facts["seconds"].values()) - 2


def test_a_run_that_the_budget_refuses_says_what_is_left_and_since_when_nothing_succeeded(
    first: Told, start: Callable[..., Told]
) -> None:
    refused = start("--as-of", NOW.isoformat(), "--run-id", "another")
    assert (refused.exit_code, refused.facts["status"]) == (4, "failed")
    assert (refused.facts["budget"]["epsilon_left"], refused.gauges["evenhand_epsilon_left"]) == (1.0, 1.0)
    kept = [f"evenhand_{name}" for name in ("last_success_timestamp_seconds", "as_of_timestamp_seconds", "findings")]
    assert [refused.gauges[name] for name in kept] == [first.gauges[name] for name in kept]


def test_the_same_line_again_finds_it_published_and_spends_nothing(first: Told, start: Callable[..., Told]) -> None:
    again = start("--as-of", NOW.isoformat(), "--run-id", "auto")
    assert (again.exit_code, again.facts["status"], again.facts["budget"]) == (0, "published", first.facts["budget"])
    assert "seconds" not in again.facts  # no step was done
    assert again.gauges["evenhand_last_success_timestamp_seconds"] >= first.gauges["evenhand_last_success_timestamp_seconds"]
