"""The file of `--metrics`: what Prometheus reads of a start that succeeds, one that fails, and of what stands between them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from evenhand.cli.main import main
from evenhand.cli.metrics import LAST_START, STANDS, metrics
from evenhand.cli.talk import Talk
from evenhand.errors import Blocked, BudgetExhausted, DataError

PUBLISHED: dict[str, Any] = {
    "exit_code": 0,
    "status": "published",
    "run_id": "r1",
    "as_of": "2026-03-01T12:00:00+00:00",
    "findings": ["uneven by gender"],
    "seconds": {"prepare": 12, "segment": 7},
    "verdicts": {"gender": {"even": 3, "uneven": 1, "cannot tell": 0}, "gender × age_band": {"even": 4}},
    "budget": {"epsilon_total": 10.0, "epsilon_left": 8.5, "runs_left": 8},
}
Series = dict[tuple[str, ...], float]


@pytest.fixture
def plan_at(plan_file: Callable[..., Path]) -> str:
    return str(plan_file())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "evenhand.prom"


def read(file: Path) -> Series:
    """By name and the labels' values but for plan and command, which every series must have. Strict where Prometheus is."""
    found: Series = {}
    for family in text_string_to_metric_families(file.read_text(encoding="utf-8")):
        assert family.type == "gauge" and family.documentation == (LAST_START | STANDS)[family.name]
        for sample in family.samples:
            labels = dict(sample.labels)
            assert (labels.pop("plan"), labels.pop("command")) == ("small", "run")
            assert found.setdefault((sample.name, *labels.values()), sample.value) == sample.value
            assert sample.timestamp is None  # the textfile collector refuses a file with one
    return found


def test_a_start_that_succeeds_tells_times_budget_and_verdicts(plan_at: str, file: Path) -> None:
    metrics(str(file), "run", plan_at).write(PUBLISHED)
    found = read(file)
    assert found["evenhand_exit_code",] == 0
    assert found["evenhand_step_duration_seconds", "prepare"] == 12
    assert (found["evenhand_epsilon_limit",], found["evenhand_epsilon_left",], found["evenhand_runs_left",]) == (10, 8.5, 8)
    assert found["evenhand_verdicts", "gender", "uneven"] == 1 and found["evenhand_verdicts", "gender × age_band", "even"] == 4
    assert found["evenhand_as_of_timestamp_seconds",] == 1772366400
    assert found["evenhand_end_timestamp_seconds",] == found["evenhand_last_success_timestamp_seconds",] > 1.7e9
    assert {name for name, *_ in found} == {*LAST_START, *STANDS}


def test_a_start_that_fails_leaves_the_last_success_and_what_is_published(
    plan_at: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evenhand.cli.metrics.time", lambda: 1_000.0)
    metrics(str(file), "run", plan_at).write(PUBLISHED)
    before = read(file)
    monkeypatch.setattr("evenhand.cli.metrics.time", lambda: 5_000.0)
    talk = Talk(as_json=False)
    talk.metrics = metrics(str(file), "run", plan_at)
    talk.begun("r2")
    talk.took("prepare", 3.4)
    talk.fail(DataError("Spark stopped"))
    found = read(file)
    assert (found["evenhand_exit_code",], found["evenhand_end_timestamp_seconds",]) == (1, 5_000)
    assert [key[1:3] for key in found if key[0] == "evenhand_run_info"] == [("r2", "failed")]
    assert {key: value for key, value in found.items() if key[0] == "evenhand_step_duration_seconds"} == {
        ("evenhand_step_duration_seconds", "prepare"): 3
    }
    assert found["evenhand_last_success_timestamp_seconds",] == 1_000
    stand = [key for key in before if key[0] in STANDS]
    assert {key: found.get(key) for key in stand} == {key: before[key] for key in stand}


def test_a_start_that_the_budget_stops_tells_what_is_left_of_it(plan_at: str, file: Path) -> None:
    metrics(str(file), "run", plan_at).write(PUBLISHED)
    for wrong in (BudgetExhausted("too little"), Blocked("blocked", ["uneven"])):
        talk = Talk(as_json=False)
        talk.metrics = metrics(str(file), "run", plan_at)
        talk.known["budget"] = {"epsilon_total": 10.0, "epsilon_left": 0.5, "runs_left": 0}
        talk.fail(wrong)
        found = read(file)
        assert (found["evenhand_exit_code",], found["evenhand_runs_left",]) == (wrong.exit_code, 0)
        assert found["evenhand_findings",] == 1  # of the run that is published


def test_a_plan_that_cannot_be_read_any_more_fails_under_its_name(plan_file: Callable[..., Path], file: Path) -> None:
    metrics(str(file), "run", str(plan_file())).write(PUBLISHED)
    assert main(["run", "--plan", str(plan_file({"segments.k": 1})), "--metrics", str(file)]) == 2
    found = read(file)
    assert found["evenhand_exit_code",] == 2 and "evenhand_last_success_timestamp_seconds" in {name for name, *_ in found}


def test_a_first_start_with_a_wrong_plan_is_told_without_a_name(plan_file: Callable[..., Path], file: Path) -> None:
    assert main(["run", "--plan", str(plan_file({"segments.k": 1})), "--metrics", str(file)]) == 2
    assert 'evenhand_exit_code{command="run",plan=""} 2.0' in file.read_text()
    metrics(str(file), "run", str(plan_file())).write(PUBLISHED)
    assert read(file)["evenhand_exit_code",] == 0


def test_the_collector_may_read_the_file_and_never_sees_half_of_one(plan_at: str, file: Path) -> None:
    before = os.umask(0o022)
    try:
        for _ in range(2):
            held = metrics(str(file), "run", plan_at)
            reading = file.open("rb") if file.exists() else None
            held.write(PUBLISHED)
            if reading is not None:  # whoever has the old one open reads that to its end
                assert reading.read().endswith(b"\n") and os.fstat(reading.fileno()).st_nlink == 0
                reading.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert sorted(path.name for path in file.parent.glob("evenhand.prom*")) == ["evenhand.prom"]


@pytest.mark.parametrize(
    ("held", "said"),
    {
        "text": ("name,age\n", "holds something else than metrics"),
        "others": ("node_load1 0.3\n", "holds the metrics of another program"),
        "command": (
            'evenhand_exit_code{plan="small",command="retain"} 0\n',
            "holds the metrics of evenhand retain on plan small",
        ),
        "plan": ('evenhand_exit_code{plan="large",command="run"} 0\n', "holds the metrics of evenhand run on plan large"),
    }.values(),
    ids=["text", "others", "command", "plan"],
)
def test_a_file_of_something_else_is_refused_before_any_work_and_stays(
    plan_at: str, file: Path, held: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(held)
    assert main(["run", "--plan", plan_at, "--metrics", str(file)]) == 2
    assert said in capsys.readouterr().err and file.read_text() == held


def test_a_folder_that_is_missing_is_refused_before_any_work(plan_at: str, tmp_path: Path, capsys: Any) -> None:
    assert main(["run", "--plan", plan_at, "--metrics", str(tmp_path / "none/evenhand.prom")]) == 2
    assert "no file can be written there" in capsys.readouterr().err


def test_what_is_done_is_done_though_its_metrics_cannot_be_written(plan_at: str, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "textfiles"
    folder.mkdir()
    talk = Talk(as_json=True)
    talk.metrics = metrics(str(folder / "evenhand.prom"), "run", plan_at)
    folder.rmdir()
    talk.answer("published", PUBLISHED)
    said = capsys.readouterr()
    assert json.loads(said.out)["status"] == "published"
    assert "Warning: the metrics cannot be written" in said.err and said.err.count("\n") == 1


def test_a_check_is_no_start(plan_at: str, file: Path) -> None:
    assert main(["run", "--plan", plan_at, "--check", "--metrics", str(file)]) == 0
    assert not file.exists()


def test_json_is_one_line_and_says_how_long_each_step_took(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk(as_json=True)
    talk.took("prepare", 41.7)
    talk.answer("done", {"status": "done", "run_id": "r1"})
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and json.loads(out)["seconds"] == {"prepare": 42}
