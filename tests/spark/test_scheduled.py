"""What a scheduler sees of a run, and of the same line started again: exit codes, one line of JSON, metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyspark
import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import write_key
from evenhand.cli.main import main
from evenhand.version import __version__
from sample import KEY, NOW, in_folder, people, plan_yaml, write_sources

ONE_RUN = {"privacy.epsilon": 3.0, "privacy.population_total": 4.0, "privacy.expected_customers": 500}


class Told(NamedTuple):
    """How a start ended, what it said to programs, and its gauges without labels."""

    exit_code: int
    facts: dict[str, Any]
    gauges: dict[str, float]


@pytest.fixture(scope="module")
def start(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Told]:
    """Starts a run as a scheduler does; all of them in one world, with a budget for one of them."""
    folder = tmp_path_factory.mktemp("scheduled")
    write_key(folder / "key", KEY)
    customers, purchases = people(300)
    write_sources(spark, folder, customers, purchases=purchases)
    (folder / "plan.yaml").write_text(plan_yaml(in_folder(folder) | ONE_RUN), encoding="utf-8")
    file = folder / "evenhand.prom"

    def again(*arguments: str) -> Told:
        line = ["run", "--plan", str(folder / "plan.yaml"), "--json", "--quiet", "--metrics", str(file), *arguments]
        with pytest.MonkeyPatch.context() as patch:
            said: list[str] = []
            patch.setattr("evenhand.cli.talk.show", said.append)
            exit_code = main(line)
        families = text_string_to_metric_families(file.read_text(encoding="utf-8"))
        gauges = {s.name: s.value for family in families for s in family.samples if set(s.labels) == {"plan", "command"}}
        return Told(exit_code, json.loads(said[-1]), gauges)

    return again


@pytest.fixture(scope="module")
def first(start: Callable[..., Told]) -> Told:
    return start("--as-of", NOW.isoformat(), "--run-id", "weekly")


def test_a_run_tells_programs_its_state_budget_verdicts_and_times(first: Told) -> None:
    facts = first.facts
    assert (first.exit_code, facts["run_id"], facts["status"], facts["plan"]) == (0, "weekly", "published", "small")
    assert facts["versions"] == {"evenhand": __version__, "spark": pyspark.__version__}
    assert Path(facts["report"]).exists() and set(facts["sources"]) == {"customers", "consent", "purchases"}
    assert list(facts["seconds"]) == ["prepare", "segment", "assess", "report"] and sum(facts["seconds"].values()) > 0
    left = {"epsilon": 3.0, "epsilon_total": 4.0, "epsilon_spent": 3.0, "epsilon_left": 1.0, "runs_left": 0}
    assert {name: facts["budget"][name] for name in left} == left
    assert set(facts["verdicts"]) == {"gender", "age_band"}
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
    again = start("--as-of", NOW.isoformat(), "--run-id", "weekly")
    assert (again.exit_code, again.facts["status"], again.facts["budget"]) == (0, "published", first.facts["budget"])
    assert "seconds" not in again.facts  # no step was done
    assert again.gauges["evenhand_last_success_timestamp_seconds"] >= first.gauges["evenhand_last_success_timestamp_seconds"]
