"""The JVM behind the tests' Spark session: it has its own log, and a fresh one takes over before it keeps too much."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENDS = "Uncaught exception in thread"
LAST_LINES = 40  # of its log, told when it dies
MOST_KEPT = 0.3  # of its heap after a collection: what is left must do for any one file of tests


class Jvm:
    """One JVM at a time, with one session on it. What it prints goes to a file, since a dead JVM answers nothing."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        self._settings, self._log = settings, log
        self._gateway: Any = None

    def session(self) -> Any:
        """The session of the JVM; a new JVM where there is none, where it died, or where it keeps too much."""
        from pyspark import SparkConf, SparkContext
        from pyspark.java_gateway import launch_gateway
        from pyspark.sql import SparkSession

        if self._gateway is not None and (self.last_words() or self.kept() > MOST_KEPT):
            self.stop()
        if self._gateway is None:
            conf = SparkConf(loadDefaults=False).setAll(list(self._settings.items()))
            with self._log.open("wb") as out:
                self._gateway = launch_gateway(conf, {"stdout": out, "stderr": out})
            SparkContext._ensure_initialized(gateway=self._gateway)
        session = SparkSession.builder.config(map=dict(self._settings)).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        return session

    def died(self) -> bool:
        return self._gateway is not None and self._gateway.proc.poll() is not None

    def _is_dying(self) -> bool:
        """Whether Spark has said that it ends the JVM; it goes on for a moment, and what was asked of it fails before."""
        return self._gateway is not None and ENDS in self._printed()

    def _printed(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _let_it_end(self) -> None:
        try:
            self._gateway.proc.wait(60)
        except subprocess.TimeoutExpired:
            self._gateway.proc.kill()
            self._gateway.proc.wait()

    def kept(self) -> float:
        """The share of the heap that is still in use once what Delta keeps of its tables is let go."""
        self._gateway.jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # of every table that a test made, for an hour
        gc.collect()  # what Python has let go of, the JVM may let go of
        self._gateway.jvm.java.lang.System.gc()
        runtime = self._gateway.jvm.java.lang.Runtime.getRuntime()
        return float((runtime.totalMemory() - runtime.freeMemory()) / runtime.maxMemory())

    def last_words(self) -> str:
        """How the JVM ended and the end of what it printed; empty while it lives."""
        if self._is_dying():
            self._let_it_end()
        if not self.died():
            return ""
        lines = self._printed().splitlines()[-LAST_LINES:]
        return "\n".join([f"exit code {self._gateway.proc.returncode}; the end of its log:", *lines])

    def stop(self) -> None:
        """End the JVM, dead or alive, and let PySpark forget it."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        if self._gateway is None:
            return
        if not self.died() and (session := SparkSession.getActiveSession()) is not None:
            session.stop()
        SparkSession._instantiatedSession = None
        SparkContext._active_spark_context = None
        self._gateway.shutdown()
        self._gateway.proc.stdin.close()  # on which the JVM ends itself
        self._let_it_end()
        SparkContext._gateway = SparkContext._jvm = None
        self._gateway = None
