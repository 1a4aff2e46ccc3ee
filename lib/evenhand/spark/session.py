"""The Spark session with Delta, for jobs; a notebook brings its own. What a run needs of it, whatever it was set to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from threading import Lock
from typing import Any

import pyspark
from pyspark.sql import SparkSession

from evenhand.errors import TRY_AGAIN, EvenhandError
from evenhand.spark.errors import SPARK_ERRORS, condition_of, kind_of, no_values_in_errors
from evenhand.spark.machine import PACKAGES, configured_defaults, delta_package, settings_of_one_machine
from evenhand.spark.quiet import without_noise

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

DELTAS_LOG = "org.apache.spark.sql.delta"

# PySpark hands the pseudonym key's pads to Spark through a file unless this is on; it encrypts what is shuffled and spilled, too.
PRIVATE = {"spark.io.encryption.enabled": "true"}
QUIET = {"spark.ui.showConsoleProgress": "false"}  # a run says itself what it waits for

# Without Delta's extension, DESCRIBE HISTORY describes a table of the name HISTORY.
NO_DELTA = re.compile(
    r"PARSE_SYNTAX_ERROR|DATA_SOURCE_NOT_FOUND|TABLE_OR_VIEW_NOT_FOUND.*`HISTORY`|Cannot find catalog plugin class"
)

NEEDED = {
    "spark.sql.variable.substitute": "false",  # ${…} in an expression would be read from the environment, or the settings
    "spark.sql.ansi.enabled": "false",  # an error would tell whether any row has a value that causes it: null instead
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",  # likewise for a text that older versions of Spark took for a time
    "spark.sql.timestampType": "TIMESTAMP_LTZ",  # a moment, not what a clock on the wall says
    "spark.sql.caseSensitive": "false",
    # Methods above what the JVM compiles (8,000 bytes) run interpreted, 60 times slower at k = 30; Spark splits them.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # While it plans, Spark concludes from each column what holds for those made of it. Of 60 that filled 3 GB, before any row was
    # read. Without it Spark derives fewer filters of its own, which changes no result.
    "spark.sql.constraintPropagation.enabled": "false",
    # Join without sorting where a partition of the smaller side fits in memory, which Spark finds out as it runs.
    "spark.sql.adaptive.maxShuffledHashJoinLocalMapThreshold": str(64 * 2**20),
}

# What a run gives a session that does not say it: Delta reads the log of each small table in 50 tasks unless told otherwise.
GIVEN = {"spark.databricks.delta.snapshotPartitions": "8"}

# Hundreds of settings decide what an expression means, how a type is written or which properties a new table has. Those that
# only say where things are, how fast it goes or what is shown are named here, and a run leaves them as the session has them.
DECIDES = re.compile(r"spark\.(sql|databricks\.delta)\.")
HARMLESS = re.compile(
    r"spark\.sql\.("
    r"catalog\.|catalogImplementation|defaultCatalog|extensions|warehouse\.|artifact\.|hive\.(metastore|version)|"
    r"sources\.(commitProtocolClass|outputCommitterClass)|parquet\.(output\.committer\.class|compression\.codec)|"
    r"adaptive\.|shuffle\.partitions|autoBroadcastJoinThreshold|broadcast|codegen\.|optimizer\.|cbo\.|statistics\.|join\.|"
    r"files\.(max|min|open)|leafNodeDefaultParallelism|maxSinglePartitionBytes|inMemoryColumnarStorage\.|"
    r"session\.localRelation|metadataCacheTTLSeconds|thriftserver\.|streaming\.|ui\.|redaction\.|debug|event\.|"
    r"maxPlanStringLength|maxMetadataStringLength|queryExecutionListeners|planChangeLog\.|repl\.|connect\."
    r")"
    r"|spark\.databricks\.delta\.(snapshotPartitions|optimizeWrite\.|autoCompact\.|optimize\.|vacuum\.|fileListing|snapshotCache)"
)


_AT_WORK, _LOCK = set[str](), Lock()  # the sessions in which a run is at work


class SessionError(EvenhandError):
    """There is no Spark session with Delta to work on, or one that would change what is written."""

    exit_code = 2


class SessionGone(SessionError):
    """Spark cannot be reached: its server, or its cluster, is gone."""

    exit_code = TRY_AGAIN


def session(settings: Mapping[str, str] | None = None) -> SparkSession:
    """A Spark session with Delta: the one that is there, or a new one on this machine.

    `settings` go before all others, for instance `{"spark.driver.memory": "8g"}`. Where nothing on the machine brings Delta, a new
    session fetches its jar, which takes the network and a minute the first time.

    Raises:
        SessionError: Spark does not start, or without Delta.
    """
    return start("evenhand", settings)


def start(app_name: str, settings: Mapping[str, str] | None = None) -> SparkSession:
    """The session that is there or that `spark-submit` prepared, else a new one by `settings` and what one machine needs.

    Raises:
        SessionError: Spark does not start, or without Delta.
    """
    builder = SparkSession.builder.appName(app_name)
    given, own = dict(settings or {}), starts_jvm()
    of_machine = settings_of_one_machine(configured_defaults() | given) if own else {}
    for key, value in (of_machine | DELTA | PRIVATE | QUIET | given).items():
        builder = builder.config(key, value)
    try:
        with without_noise() if own else nullcontext():
            spark = builder.getOrCreate()
    except (OSError, *SPARK_ERRORS) as wrong:  # OSError: there is no Java
        here = (
            isinstance(wrong, OSError) or condition_of(wrong) == "JAVA_GATEWAY_EXITED"
        )  # else a server or a cluster did not answer
        raise (SessionError if here else SessionGone)(
            f"Spark does not start ({kind_of(wrong)}); see that JAVA_HOME is Java 17, and that Delta's jar can be had: run scripts/setup "
            f"in a clone, or have the network for {delta_package()}"
        ) from None
    require_delta(spark)
    return spark


def starts_jvm() -> bool:
    """Whether a new session starts a JVM of its own: none is there, spark-submit prepared none, and no Connect server is named."""
    prepared = {"PYSPARK_GATEWAY_PORT", "SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED"} & set(os.environ)
    context = getattr(pyspark, "SparkContext", None)  # which the client of Connect alone lacks
    return not prepared and context is not None and context._gateway is None and SparkSession.getActiveSession() is None


def require_delta(spark: SparkSession) -> None:
    """Ask Delta for a table that is not there; from here on Delta's log lines do not quote what is in files.

    Raises:
        SessionError: it is no session, it is stopped, its server is gone, or it has no Delta.
    """
    if isinstance(spark, type) or not (hasattr(spark, "sql") and hasattr(spark, "conf")):
        raise SessionError(
            f"spark: a {type(spark).__name__} is no Spark session; leave it out, or give SparkSession.builder.getOrCreate()"
        )
    _quote_no_statistics(spark)
    wrong = _probed(spark)
    if wrong is None or condition_of(wrong).startswith("DELTA"):
        return
    if NO_DELTA.search(f"{condition_of(wrong)} {wrong}"):
        needed = ", ".join(f"{key}={value}" for key, value in ({PACKAGES: delta_package()} | DELTA).items())
        raise SessionError(f"this Spark session has no Delta; take evenhand.session() in its place, or start it with {needed}")
    if condition_of(wrong) in ("", "INVALID_HANDLE"):  # none at all where Spark itself is gone
        raise SessionGone(
            f"this Spark session is stopped, or its server cannot be reached ({type(wrong).__name__}); start another and hand that over"
        )


def _quote_no_statistics(spark: SparkSession) -> None:
    """Keep Delta from noting the least and greatest values and the number of rows of the files that it reads, as it does at INFO.

    For good: what a notebook reads of a run afterwards is about people too. The client of a Connect server has no way to its log.
    """
    with suppress(AttributeError, TypeError, *SPARK_ERRORS):  # over Connect, or where Spark logs by something else than Log4j
        jvm: Any = spark._jvm
        log4j = jvm.org.apache.logging.log4j
        if log4j.LogManager.getLogger(DELTAS_LOG).isInfoEnabled():
            log4j.core.config.Configurator.setLevel(DELTAS_LOG, log4j.Level.WARN)


def _probed(spark: SparkSession) -> Exception | None:
    """What comes of asking Delta for a table that is not there."""
    with no_values_in_errors("session"):  # PySpark would log the answer
        try:
            spark.sql("DESCRIBE HISTORY delta.`/there/is/no/such/table`")
        except Exception as wrong:  # a client that is closed raises whatever its closed parts do
            return wrong
    return None


@contextmanager
def settings(spark: SparkSession, time_zone: str) -> Iterator[None]:
    """What Evenhand's SQL needs of the session, and Spark's own default for all else that decides what is written; put back afterwards.

    One run at a time in a session: what the first to end puts back would change what the other computes.

    Raises:
        SessionError: a run is at work in the session, or it does not let a setting be changed; nothing was written.
    """
    session = _identity(spark)
    with _LOCK:
        if session in _AT_WORK:
            raise SessionError(
                "another run is at work in this Spark session; give each a session of its own, by spark.newSession()"
            )
        _AT_WORK.add(session)
    try:
        with _given(spark, time_zone):
            yield
    finally:
        _AT_WORK.discard(session)


def _identity(spark: SparkSession) -> str:
    """What Spark calls the session: several objects may stand for it."""
    session: Any = spark
    with suppress(AttributeError):  # of a client of Connect
        return str(session.session_id)
    with suppress(AttributeError, OSError, *SPARK_ERRORS):
        return str(session._jsparkSession.sessionUUID())
    return str(id(spark))


@contextmanager
def _given(spark: SparkSession, time_zone: str) -> Iterator[None]:
    before = dict(spark.conf.getAll)
    wanted: dict[str, str | None] = dict.fromkeys(filter(_decides, before))
    wanted |= NEEDED | {"spark.sql.session.timeZone": time_zone}
    wanted = {key: value for key, value in wanted.items() if before.get(key) != value}
    changed: dict[str, str | None] = {}
    try:
        for key, value in wanted.items():
            if _changed(spark, key, value):
                changed[key] = before.get(key)
        for key, value in GIVEN.items():
            if key not in before:
                with suppress(*SPARK_ERRORS):  # it only takes longer without
                    _set(spark, key, value)
                    changed[key] = None
        yield
    finally:
        for key, old in changed.items():
            with suppress(OSError, *SPARK_ERRORS):  # Spark is gone, and its settings with it: what stopped the run is to be told
                _set(spark, key, old)


def _decides(key: str) -> bool:
    return DECIDES.match(key) is not None and not HARMLESS.match(key)


def _changed(spark: SparkSession, key: str, value: str | None) -> bool:
    """Give a setting its value for the run, None for Spark's own. False for what was fixed when Spark started: nothing that decides is."""
    try:
        _set(spark, key, value)
    except SPARK_ERRORS as wrong:
        if value is None and condition_of(wrong) == "CANNOT_MODIFY_STATIC_CONFIG":
            return False
        right = "without it" if value is None else f"with {value}"
        raise SessionError(
            f"{key} of this Spark session can change what is written, and cannot be changed for the run ({kind_of(wrong)}); "
            f"start the session {right}; nothing was written"
        ) from None
    return True


def _set(spark: SparkSession, key: str, value: str | None) -> None:
    if value is None:
        spark.conf.unset(key)
    else:
        spark.conf.set(key, value)
