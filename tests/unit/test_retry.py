"""The same line again: which errors say that it may help, and an id that it finds its run by."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException, PySparkException

from evenhand.cli.main import main
from evenhand.cli.talk import Talk
from evenhand.errors import (
    TRY_AGAIN,
    Busy,
    DataError,
    EvenhandError,
    NoRoom,
    OutputError,
    SparkStopped,
    StorageError,
    cannot_write,
)
from evenhand.job.arguments import RUN_ID, derived_id, point_in_time
from evenhand.plan.models import Plan
from evenhand.spark.errors import no_values_in_errors
from evenhand.spark.session import SessionGone
from sample import NOW

OPERATING = (Path(__file__).parents[2] / "docs/operating.md").read_text(encoding="utf-8")


def kinds(of: type[EvenhandError] = EvenhandError) -> Iterator[type[EvenhandError]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


def test_the_page_says_of_every_exit_code_whether_the_same_line_again_helps() -> None:
    page = OPERATING[OPERATING.index("## Exit codes") :]
    told = {int(code): again.strip() for code, again in re.findall(r"^\| (\d+) \| .* \|([^|]+)\|$", page, flags=re.M)}
    assert {kind.exit_code for kind in kinds()} <= set(told)
    assert [code for code, again in told.items() if again.startswith("yes")] == [TRY_AGAIN]
    assert {kind for kind in kinds() if kind.exit_code == TRY_AGAIN} == {Busy, NoRoom, SparkStopped, SessionGone}


def java(said: str) -> PySparkException:
    return PySparkException(f"Job aborted: {said}")


@pytest.mark.parametrize(
    ("wrong", "kind"),
    {
        "executor": (java("ExecutorLostFailure (executor 1 exited caused by one of the running tasks)"), SparkStopped),
        "memory": (java("java.lang.OutOfMemoryError: Java heap space"), SparkStopped),
        "jvm": (ConnectionRefusedError(111, "Connection refused"), SparkStopped),
        "disk": (java(f"java.io.FileNotFoundException: /spill/1 ({os.strerror(errno.ENOSPC)})"), SparkStopped),
        "forbidden": (java(f"java.io.FileNotFoundException: /zone/1 ({os.strerror(errno.EACCES)})"), DataError),
        "gone": (java("java.io.FileNotFoundException: File /zone/part-1.parquet does not exist"), DataError),
        "broken": (java("[FAILED_READ_FILE.NO_HINT] Encountered error while reading file"), DataError),
        "query": (AnalysisException("[UNRESOLVED_COLUMN] A column cannot be resolved"), DataError),
    }.values(),
    ids=["executor", "memory", "jvm", "disk", "forbidden", "gone", "broken", "query"],
)
def test_what_stops_spark_is_told_apart_by_whether_it_may_pass(wrong: Exception, kind: type[EvenhandError]) -> None:
    with pytest.raises(DataError, match="prepare: Spark stopped with ") as told, no_values_in_errors("prepare"):
        raise wrong
    assert type(told.value) is kind
    assert told.value.exit_code == (TRY_AGAIN if kind is SparkStopped else 1)


def test_a_full_disk_may_pass_and_a_disk_that_may_not_be_written_does_not() -> None:
    assert type(cannot_write("t", os.strerror(errno.ENOSPC))) is NoRoom
    assert type(cannot_write("t", os.strerror(errno.EROFS))) is StorageError
    assert type(cannot_write("t", OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), otherwise=OutputError)) is NoRoom
    assert type(cannot_write("t", OSError(errno.EACCES, os.strerror(errno.EACCES)), otherwise=OutputError)) is OutputError


def test_programs_are_told_whether_to_try_again_and_of_a_bug_its_kind_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, plan_file: Callable[..., Path], tmp_path: Path
) -> None:
    for wrong, again in ((NoRoom("full"), True), (DataError("broken"), False)):
        Talk(as_json=True).fail(wrong)
        assert json.loads(capsys.readouterr().out)["retry"] is again

    def bug(path: str) -> None:
        raise RuntimeError("of Ada Lovelace")

    monkeypatch.setattr("evenhand.plan.load.load_plan", bug)
    with pytest.raises(RuntimeError):
        main(["run", "--plan", str(plan_file()), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["exit_code"], told["status"], told["error"], told["retry"]) == (1, "failed", "RuntimeError", False)


def test_a_plan_as_of_a_moment_always_has_one_id_and_no_other_has_it(plan: Callable[..., Plan]) -> None:
    mine = derived_id(plan(), "auto", NOW)
    assert re.fullmatch(r"small-20260301T120000-[0-9a-f]{8}", mine)
    assert derived_id(plan(), "auto", point_in_time("2026-03-01T13:00:00+01:00")) == mine
    others = {
        derived_id(plan({"privacy.epsilon": 2.0}), "auto", NOW),
        derived_id(plan({"description": "Other words."}), "auto", NOW),
        derived_id(plan({"name": "large"}), "auto", NOW),
        derived_id(plan(), "auto", NOW + timedelta(microseconds=1)),
    }
    assert len(others | {mine}) == 5
    assert RUN_ID.fullmatch(derived_id(plan({"name": "n" * 40}), "auto", NOW))
    assert derived_id(plan(), "autumn", NOW) == "autumn"


def test_an_id_is_not_derived_from_a_moment_that_nobody_named(
    plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["run", "--plan", str(plan_file()), "--check", "--run-id", "auto"]
    assert main(line) == 2
    assert "--run-id auto: needs --as-of" in capsys.readouterr().err
    assert main([*line, "--as-of", "2026-03-01"]) == 0


def test_today_is_the_last_midnight_so_that_a_retry_is_as_of_the_same_moment() -> None:
    before = datetime.now(UTC)
    today = point_in_time("today")
    assert today <= before < today + timedelta(days=1, minutes=1) and today.time() == datetime.min.time() and today.tzinfo is UTC
