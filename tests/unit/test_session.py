"""A platform that holds a setting which decides what is written: the run is refused, and what was changed is put back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.logger import PySparkLogger

from evenhand.spark.errors import TALKATIVE, no_values_in_errors
from evenhand.spark.session import SessionError, require_delta, settings

HELD = "spark.databricks.delta.properties.defaults.appendOnly"


class Held:
    """The settings of a managed session that lets go of all but one."""

    def __init__(self, given: dict[str, str]) -> None:
        self.getAll = dict(given)

    def set(self, key: str, value: str) -> None:
        self.getAll[key] = value

    def unset(self, key: str) -> None:
        if key == HELD:
            raise AnalysisException("no", errorClass="CONFIG_NOT_AVAILABLE", messageParameters={})
        self.getAll.pop(key, None)


def test_a_session_that_holds_such_a_setting_is_refused_by_its_name_and_left_as_it_was() -> None:
    given = {"spark.sql.retainGroupColumns": "false", "spark.sql.timestampType": "TIMESTAMP_NTZ", HELD: "a-secret"}
    session: Any = SimpleNamespace(conf=Held(given))
    with pytest.raises(SessionError) as wrong, settings(session, "UTC"):
        raise AssertionError("the run has begun")
    assert str(wrong.value) == (
        f"{HELD} of this Spark session can change what is written, and cannot be changed for the run (CONFIG_NOT_AVAILABLE); "
        "start the session without it; nothing was written"
    )
    assert wrong.value.exit_code == 2
    assert session.conf.getAll == given


def test_a_session_that_has_all_as_it_must_be_is_not_asked_to_change_anything() -> None:
    session: Any = SimpleNamespace(conf=Held({}))
    with settings(session, "UTC"):
        needed = dict(session.conf.getAll)
    held: Any = SimpleNamespace(conf=SimpleNamespace(getAll=needed))  # has neither set nor unset
    with settings(held, "UTC"):
        pass


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `HISTORY` cannot be found. == SQL == DESCRIBE HISTORY delta.`/x`",
            "has no Delta",
        ),
        (
            "SparkException: Cannot find catalog plugin class for catalog 'spark_catalog': org.apache.spark.sql.delta",
            "has no Delta",
        ),
        ("SparkException: [INTERNAL_ERROR] No active or default Spark session found SQLSTATE: XX000", "is stopped"),
    ],
)
def test_what_spark_answers_without_delta_is_told_from_what_it_answers_when_it_is_stopped(answer: str, said: str) -> None:
    """As Spark 4.2.0 put it; tests/spark/test_leaks.py has the sessions themselves."""

    def sql(_: str) -> None:
        raise RuntimeError(answer)

    session: Any = SimpleNamespace(conf=None, sql=sql)
    with pytest.raises(SessionError, match=f"this Spark session {said}"):
        require_delta(session)


def test_what_stopped_a_run_is_told_although_spark_is_gone_when_its_settings_are_put_back() -> None:
    class Gone(Held):
        def unset(self, key: str) -> None:
            raise ConnectionRefusedError

    with pytest.raises(ValueError, match="what stopped it"), settings(SimpleNamespace(conf=Gone({})), "UTC"):  # type: ignore[arg-type]
        raise ValueError("what stopped it")


def test_of_runs_side_by_side_the_last_to_end_lets_pyspark_tell_values_again() -> None:
    loggers = [PySparkLogger.getLogger(name) for name in TALKATIVE]
    before = [logger.disabled for logger in loggers]
    one, other = no_values_in_errors("one"), no_values_in_errors("other")
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert all(logger.disabled for logger in loggers)
    other.__exit__(None, None, None)
    assert [logger.disabled for logger in loggers] == before


def test_a_second_run_in_a_session_is_refused_until_the_first_has_ended() -> None:
    """The one that ends first would put back settings on which it hangs whether the other stops on a value."""
    session: Any = SimpleNamespace(conf=Held({}), session_id="one")
    with settings(session, "UTC"):
        with pytest.raises(SessionError, match="another run is at work in this Spark session"), settings(session, "UTC"):
            pass
        with settings(SimpleNamespace(conf=Held({}), session_id="another"), "UTC"):  # type: ignore[arg-type]
            pass
    with settings(session, "UTC"):
        pass
