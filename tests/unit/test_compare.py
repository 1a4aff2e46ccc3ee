"""Two runs side by side: what is told of their plans and statistics."""

from __future__ import annotations

import json
from pathlib import Path

from test_report import facts

from evenhand.past.compare import Comparison
from evenhand.plan.load import canonical, fingerprint, load_plan
from evenhand.plan.models import Plan


def test_runs_by_one_plan_say_so_and_differ_in_nothing() -> None:
    found = Comparison(facts(), facts())
    assert found.plans == []
    assert "  by one plan" in str(found).splitlines()
    assert found.statistics and not any(row["differs"] for row in found.statistics)


def test_what_plans_state_differently_is_told_by_the_feature_s_name() -> None:
    found = Comparison(facts(), facts(plan={"privacy.epsilon": 0.5, "features.0.missing": 3}))
    assert found.plans == ["features.tenure.missing: 0.0, then 3.0", "privacy.epsilon: 1.0, then 0.5"]
    assert "    privacy.epsilon: 1.0, then 0.5" in str(found).splitlines()


def test_a_statistic_differs_for_sure_where_the_intervals_do_not_meet() -> None:
    mine = facts()
    shifted = [row | {"low": 0.9, "high": 0.95, "value": 0.92} for row in mine.verdicts]
    near = [row | {"low": 0.1, "high": 0.3, "value": 0.2} for row in mine.verdicts]
    one, other = facts(verdicts=near), facts(verdicts=shifted)
    assert all(row["differs"] for row in Comparison(one, other).statistics)
    assert "0.20 (0.10 to 0.30)" in str(Comparison(one, other))
    assert "differs by more than the noise" in " ".join(str(Comparison(one, other)).split())
    assert [line for line in str(Comparison(one, other)).splitlines() if len(line) > 80] == []
    hidden = facts(verdicts=[row | {"low": None, "high": None, "value": None} for row in near])
    assert not any(row["differs"] for row in Comparison(one, hidden).statistics)
    assert "not shown" in str(Comparison(one, hidden))


def test_a_statistic_that_one_run_lacks_is_not_there() -> None:
    found = Comparison(facts(verdicts=[]), facts())
    assert str(found).count("not there, then ") == len(found.statistics) > 0


def test_the_plan_that_a_run_has_stored_is_read_back_as_the_same_plan() -> None:
    for plan in (facts().plan, load_plan(Path(__file__).parents[2] / "conf/demo.yaml")):
        stored = Plan.model_validate(json.loads(canonical(plan)))
        assert fingerprint(stored) == fingerprint(plan)
