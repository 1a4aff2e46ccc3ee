"""A wrong argument in a notebook, and a reader who has seen enough: one clear line, or silence; never a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from evenhand.erasure.erase import erase
from evenhand.errors import ArgumentError, EvenhandError
from evenhand.governance.maintain import maintain
from evenhand.governance.verify import verify
from evenhand.job.api import run
from evenhand.job.arguments import point_in_time
from evenhand.people.access import access
from evenhand.people.activate import activate
from evenhand.people.consent_import import import_consent
from evenhand.people.feedback import feedback
from evenhand.people.notice import notice
from evenhand.people.outcomes import outcomes
from evenhand.people.recall import recall
from evenhand.people.receipt import write_receipt
from evenhand.people.retain import retain
from evenhand.people.rewards import rewards
from evenhand.people.score import score
from evenhand.plan.load import load_plan, parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import OpenDPNoise
from evenhand.spark.session import require_delta

ROOT = Path(__file__).parents[2]

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "as_of_is_no_time": ({"as_of": "yesterday"}, "as_of: 'yesterday' is not a time; give a datetime, or text such as 2026-10-31"),
    "as_of_is_a_number": ({"as_of": 20261031}, "as_of: 20261031 is not a time"),
    "as_of_is_a_date": ({"as_of": date(2026, 10, 31)}, "as_of: datetime.date(2026, 10, 31) is not a time"),
    "as_of_is_before_all_time": ({"as_of": "0001-01-01T00:00:00+05:00"}, "is not a time"),
    "steps_is_one_text": ({"steps": "prepare"}, "steps: a list is needed, such as ['prepare'], not 'prepare'; known: prepare, segment"),
    "steps_is_no_list": ({"steps": 1}, "steps: a list is needed"),
    "a_step_is_unknown": ({"steps": ["prepare", "publish"]}, "steps: there is no publish; known: prepare, segment, assess, report"),
    "a_step_is_no_text": ({"steps": [["prepare"]]}, "steps: there is no ['prepare']"),
    "no_step": ({"steps": []}, "steps: none is named"),
    "run_id_is_a_number": ({"run_id": 7}, "--run-id 7: letters, digits, - and _ are allowed"),
    "noise_is_a_number": ({"noise": 0.5}, "noise: 0.5 is no source of noise; leave it out"),
    "noise_is_a_class": ({"noise": OpenDPNoise}, "is no source of noise"),
    "nobody_hears": ({"say": "out.log"}, "say: 'out.log' is no function"),
    "spark_is_text": ({"spark": "local[2]"}, "spark: a str is no Spark session; leave it out"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_argument_is_one_line_before_spark_is_asked(
    plan: Callable[..., Plan], arguments: dict[str, Any], expected: str
) -> None:
    with pytest.raises(EvenhandError) as wrong:
        run(plan(), **{"spark": "none is needed", **arguments})
    assert expected in str(wrong.value)
    assert "\n" not in str(wrong.value)
    assert wrong.value.exit_code == 2


@pytest.mark.parametrize("given", ["conf/demo.yaml", Path("conf/demo.yaml"), {"name": "x"}, None], ids=repr)
def test_what_is_no_plan_is_refused_with_how_to_read_one(given: Any) -> None:
    with pytest.raises(ArgumentError, match=r"plan: a \w+ is no plan; read one first: evenhand.load_plan\('conf/demo.yaml'\)"):
        run(given)


OTHERS: dict[str, Callable[[Any, Any, str], object]] = {
    "score": lambda plan, spark, _: score(plan, spark, "run-1"),
    "activate": lambda plan, spark, _: activate(plan, spark, "run-1", "out", segments=[1]),
    "recall": lambda plan, spark, _: recall(plan, spark, "act-1"),
    "access": lambda plan, spark, ids: access(plan, spark, ids, "pages"),
    "receipt": lambda plan, spark, ids: write_receipt(plan, spark, ids, "receipt.json"),
    "import": lambda plan, spark, _: import_consent(plan, spark, "events.csv"),
    "feedback": lambda plan, spark, _: feedback(plan, spark, "data_use"),
    "outcomes": lambda plan, spark, _: outcomes(plan, spark, "response", "act-1"),
    "rewards": lambda plan, spark, _: rewards(plan, spark, "2026-10", "out"),
    "retain": lambda plan, spark, _: retain(plan, spark),
    "erase": lambda plan, spark, _: erase(plan, spark),
    "verify": lambda plan, spark, _: verify(plan, spark),
    "maintain": lambda plan, spark, _: maintain(plan, spark),
    "notice": lambda plan, spark, _: notice(plan, "pages"),
}


@pytest.mark.parametrize("do", OTHERS.values(), ids=OTHERS.keys())
def test_so_it_is_by_whatever_else_is_done_with_a_plan(do: Callable[[Any, Any, str], object], tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("a", encoding="utf-8")
    with pytest.raises(ArgumentError, match="plan: a str is no plan; read one first"):
        do("conf/demo.yaml", "none is needed", str(ids))


@pytest.mark.parametrize("read", [load_plan, parse_plan])
@pytest.mark.parametrize("given", [5, None, {"name": "x"}], ids=repr)
def test_what_no_plan_can_be_read_from_is_refused(read: Any, given: Any) -> None:
    with pytest.raises(EvenhandError, match="is needed, not"):
        read(given)


def test_a_path_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(EvenhandError, match="cannot be read"):
        load_plan("a\0b")


def test_a_point_in_time_may_be_text_as_on_the_command_line() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for given in ("2026-03-01T12:00", "2026-03-01T13:00:00+01:00", noon, noon.replace(tzinfo=None)):
        assert point_in_time(given) == noon
    assert point_in_time("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_session_of_another_kind_is_no_session() -> None:
    with pytest.raises(EvenhandError, match="is no Spark session"):
        require_delta(type)  # type: ignore[arg-type]


@pytest.fixture
def nobody_reads() -> Iterator[int]:
    """The writing end of a pipe whose reader has gone, as that of `| head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("arguments", [["--check"], ["--help"]], ids=" ".join)
def test_a_reader_who_has_seen_enough_is_no_error(
    plan_file: Callable[..., Path], nobody_reads: int, arguments: list[str]
) -> None:
    job = [sys.executable, "jobs/pipeline.py", "--plan", str(plan_file()), *arguments]
    done = subprocess.run(job, stdout=nobody_reads, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_that_nobody_reads_keeps_its_exit_code(nobody_reads: int) -> None:
    job = [sys.executable, "jobs/pipeline.py", "--plan", "/no/such/plan"]
    assert subprocess.run(job, stderr=nobody_reads, cwd=ROOT).returncode == 2


def test_a_terminal_that_has_no_epsilon_is_told_all_the_same(plan_file: Callable[..., Path]) -> None:
    job = [sys.executable, "jobs/pipeline.py", "--plan", str(plan_file()), "--check"]
    done = subprocess.run(job, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03b5 = 1" in done.stdout
