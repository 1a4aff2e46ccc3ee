"""Paths of tables as Delta's SQL needs them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyspark.sql import SparkSession

from evenhand.errors import OutputError
from evenhand.spark.errors import SPARK_ERRORS, condition_of


def absolute(path: str) -> str:
    """The path itself when it is absolute or has a scheme (s3://…), else relative to the working directory.

    SQL on delta.`path` finds no table at a relative path, although the DataFrame reader would.
    """
    return path if ":/" in path else os.path.abspath(path)


def quoted(path: str) -> str:
    """The table at a path as a name in SQL."""
    escaped = absolute(path).replace("`", "``")
    return f"delta.`{escaped}`"


def require_file(path: Path, where: str) -> None:
    """Check, without making it, that a file can be written.

    Raises:
        OutputError: with the place in the plan and what stands in the way; nothing was touched.
    """
    path = path.absolute()
    if os.path.isdir(path):
        raise OutputError(f"{where}: {path} is a folder, a file must go there; remove it, or name another folder")
    folder = path.parent
    there = next(p for p in (folder, *folder.parents) if os.path.lexists(p))
    if not os.path.isdir(there):
        raise OutputError(f"{where}: {there} is not a folder; name another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{where}: nothing can be written in {there}; change its permissions or name another folder")


def is_file(spark: SparkSession, path: str) -> bool:
    """Whether a file stands at a path, no folder, wherever Spark finds it."""
    path = absolute(path).rstrip("/")
    try:
        files = spark.read.format("binaryFile").load(literal(path)).inputFiles()
    except SPARK_ERRORS:
        return False
    return any(unquote(urlsplit(f).path) == unquote(urlsplit(path).path) for f in files)


def is_missing(spark: SparkSession, path: str) -> bool:
    """Whether nothing stands at a path, wherever Spark finds it."""
    if (jvm := getattr(spark, "_jvm", None)) is not None:
        place = jvm.org.apache.hadoop.fs.Path(absolute(path))
        try:
            return not place.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf()).exists(place)
        except SPARK_ERRORS:
            return False  # whoever reads it is told why it cannot be
    try:  # over Spark Connect nothing but a reader can be asked; that it finds nothing is an error, which takes far longer
        spark.read.format("binaryFile").load(literal(absolute(path))).schema  # noqa: B018
    except SPARK_ERRORS as wrong:
        return condition_of(wrong) == "PATH_NOT_FOUND"
    return False


def are_there(spark: SparkSession, files: Sequence[str]) -> bool:
    """Whether every one of the files that a DataFrame says it is read from stands where it says."""
    if not files:
        return True
    try:
        spark.read.format("binaryFile").load([literal(unquote(file)) for file in files]).schema  # noqa: B018
    except SPARK_ERRORS as wrong:
        return condition_of(wrong) != "PATH_NOT_FOUND"
    return True


def literal(path: str) -> str:
    """The path for Spark's reader of files, which takes it as a pattern: none of its signs means anything here."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", path)
