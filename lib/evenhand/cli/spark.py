"""The session of a command: said, and waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenhand.cli.talk import Talk

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def session(name: str, talk: Talk) -> SparkSession:
    """The session that is there, or a new one.

    Raises:
        SessionError: Spark does not start, or without Delta.
    """
    from pyspark.sql import SparkSession

    from evenhand.spark.machine import brings_delta, configured_defaults
    from evenhand.spark.session import start, starts_jvm

    if SparkSession.getActiveSession() is not None:
        return start(name)
    own = starts_jvm()
    talk.say(
        "starting Spark" if not own or brings_delta(configured_defaults()) else "starting Spark; Delta's jar is fetched once"
    )
    talk.wait_for("starting Spark")
    return start(name)
