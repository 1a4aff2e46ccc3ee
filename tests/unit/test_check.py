"""`--check` and the command line: explained or refused in one line, without loading Spark."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from evenhand.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str, command: str = "run") -> tuple[int, str, str]:
    code = main([command, *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_check_prints_every_column_with_its_reason_and_the_budget(
    plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "--plan", str(plan_file({"features.1.why": "big spenders get a bigger offer"})), "--check")
    assert (code, err) == (0, "")
    for column in ("customer_id:", "years:", "sex:", "age:", "recorded_at:", "expires_at:", "purchased_at:"):
        assert f"    {column}" in out
    assert "amount: feature spent: big spenders get a bigger offer" in out
    flat = " ".join(out.split())
    assert "ε = 1 of 3 for population testers, at most 3 runs like this one" in flat
    assert "one pass over at most 74 boxes cut where those say, and 1 private step of refinement" in flat
    assert "decided from 3,000 expected customers" in flat
    assert "opt-in" in out


def ledger_of(folder: Path, *populations: str) -> None:
    """The files of a ledger, as far as `--check` reads them."""
    (folder / "open/budget/_delta_log").mkdir(parents=True)
    for number, name in enumerate(populations):
        parquet.write_table(pa.table({"population": [name], "number": [number]}), folder / f"open/budget/{number}.parquet")


def test_check_names_the_zones_where_they_are_and_says_whether_a_ledger_would_begin(
    plan_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(changes: dict[str, object]) -> str:
        return " ".join(run(capsys, "--plan", str(plan_file(changes)), "--check")[1].split())

    relative = {"output.open.path": "open", "output.restricted.path": "../elsewhere", "output.reports": "pages"}
    monkeypatch.chdir("/")
    found = said(relative)
    for where in (f"open zone: {tmp_path}/open", f"restricted zone: {tmp_path.parent}/elsewhere", f"reports: {tmp_path}/pages"):
        assert where in found
    assert "No ledger is there: a new one would begin, for population testers." in found
    (tmp_path / "open/runs").mkdir(parents=True)
    assert "No ledger is there, although runs are" in said(relative)
    ledger_of(tmp_path, "testers", "testers")
    assert "The ledger of population testers is there, and goes on." in said(relative)
    assert "A ledger is there, of testers; that of population others would begin in it." in said(
        relative | {"privacy.population": "others"}
    )
    (tmp_path / "open/budget/2.parquet").write_bytes(b"no parquet")
    assert "budget cannot be read" in said(relative)
    assert "is known once Spark looks" in said({"output.open.path": "s3://bucket/open"})


def test_check_says_that_a_budget_renews_and_what_that_means(
    plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = " ".join(run(capsys, "--plan", str(plan_file({"privacy.renews": "quarterly"})), "--check")[1].split())
    assert "ε = 1 of 3 a quarter for population testers, at most 3 runs like this one a quarter" in out
    assert "the promise holds for each quarter by itself; over several, what they spent adds up" in out


def test_check_warns_before_the_budget_is_spent(plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    few = run(capsys, "--plan", str(plan_file()), "--check")[1]
    many = run(capsys, "--plan", str(plan_file({"privacy.expected_customers": 10_000_000})), "--check")[1]
    assert "Warning: too few customers for ε = 1" in few
    assert "Warning" not in many


def test_check_says_that_no_event_means_yes_under_opt_out(
    plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(capsys, "--plan", str(plan_file({"legal_basis": "legitimate_interest"})), "--check")[1]
    assert "no event means yes, any state that is no yes means no" in " ".join(out.split())


@pytest.mark.parametrize("plan", ["sound", "wrong"])
def test_a_plan_is_checked_without_loading_spark_or_scikit_learn(plan_file: Callable[..., Path], plan: str) -> None:
    path = plan_file({} if plan == "sound" else {"segments.k": 1})
    code = (
        "import sys; from evenhand.cli.main import main; "
        f"code = main(['check', '--plan', {str(path)!r}]); "
        "print(code, [m for m in ('pyspark', 'sklearn', 'numpy.random', 'opendp', 'pandas') if m in sys.modules and m != 'numpy.random'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ("0 []" if plan == "sound" else "2 []")


def test_the_key_file_is_not_needed_for_a_check(
    plan_file: Callable[..., Path], key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = plan_file()
    key_file.unlink()
    assert run(capsys, "--plan", str(path), "--check")[0] == 0


WRONG_ARGUMENTS = {
    "no_plan": (["--check"], "--plan"),
    "unknown_option": (["--plan", "x", "--chekc"], "--chekc"),
    "not_a_time": (["--plan", "x", "--as-of", "yesterday"], "'yesterday' is not a time such as"),
    "a_time_before_all_time": (["--plan", "x", "--as-of", "0001-01-01T00:00:00+14:00"], "is not a time such as"),
    "no_such_plan": (["--plan", "/nowhere/plan.yaml"], "/nowhere/plan.yaml: no such file"),
    "a_surplus_argument": (["--plan", "x", "y"], "y"),
}


@pytest.mark.parametrize(("arguments", "expected"), WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS.keys())
def test_wrong_arguments_are_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("evenhand: ")
    assert len(err.splitlines()) == 1
    assert expected in err


def test_a_later_step_alone_needs_the_id_of_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--plan", "x", command="segment")
    assert code == 2
    assert "--run-id" in err


@pytest.mark.parametrize("arguments", [["--check"], []], ids=["check", "run"])
def test_a_wrong_plan_is_exit_code_2_with_one_line_a_mistake(
    plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    path = plan_file({"segments.k": 1, "privacy.epsilon": -1})
    code, out, err = run(capsys, "--plan", str(path), *arguments)
    assert (code, out) == (2, "")
    first, *mistakes = err.splitlines()
    assert first == f"evenhand: {path}: 2 problems"
    assert [re.sub(r"line \d+: ", "", line.strip()).split(":")[0] for line in mistakes] == ["segments.k", "privacy.epsilon"]
    assert "Traceback" not in err


def test_a_single_mistake_is_a_single_line(plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--plan", str(plan_file({"segments.k": 1})), "--check")
    assert code == 2
    assert len(err.splitlines()) == 1
