"""What Spark needs on one machine, for a session that nobody else has configured: the files beside this one, which conf/ links to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = "spark.jars.packages"
OPTIONS = "spark.driver.extraJavaOptions"
POOLS = "spark.scheduler.allocation.file"


def delta_package() -> str:
    """Delta's jar for the Spark and the delta-spark that are installed, as Spark's packages are named."""
    try:
        spark, delta = version("pyspark"), version("delta-spark")
    except PackageNotFoundError:
        return read_defaults(HERE / "spark-defaults.conf")[PACKAGES]
    return f"io.delta:delta-spark_{'.'.join(spark.split('.')[:2])}_2.13:{delta}"


def settings_of_one_machine(configured: Mapping[str, str]) -> dict[str, str]:
    """Settings with Delta for a JVM that is about to start, but for those that are configured; none where that brings Delta already."""
    if brings_delta(configured):
        return {}
    ours = read_defaults(HERE / "spark-defaults.conf") | {PACKAGES: delta_package(), POOLS: str(HERE / "fairscheduler.xml")}
    ours[OPTIONS] += f" -Dlog4j2.configurationFile={(HERE / 'log4j2.properties').as_uri()}"
    return {key: value for key, value in ours.items() if key not in configured}


def brings_delta(configured: Mapping[str, str]) -> bool:
    """Whether the jars that Spark is told to load are Delta's among others, or it lies among Spark's own."""
    named = [configured.get(key, "") for key in ("spark.jars", PACKAGES, "spark.driver.extraClassPath")]
    return any("delta-spark" in jars for jars in [*named, os.environ.get("PYSPARK_SUBMIT_ARGS", "")]) or any(
        (spark_home() / "jars").glob("delta-spark*.jar")
    )


def configured_defaults() -> dict[str, str]:
    """What the machine's own spark-defaults.conf says, where there is one."""
    folder = os.environ.get("SPARK_CONF_DIR") or spark_home() / "conf"
    file = Path(folder) / "spark-defaults.conf"
    return read_defaults(file) if file.exists() else {}


def spark_home() -> Path:
    import pyspark

    return Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)


def read_defaults(file: Path) -> dict[str, str]:
    """The settings of a file in the form of spark-defaults.conf."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = [re.split(r"[\s=]+", line, maxsplit=1) for line in lines if line and not line.startswith("#")]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
