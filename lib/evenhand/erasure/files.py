"""The files of a table as they lie on the storage, those included that Spark passes over: names that begin with a dot or _."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.errors import DataError
from evenhand.spark.errors import SPARK_ERRORS
from evenhand.spark.session import SessionError
from evenhand.tables.paths import literal

CHECKSUM = re.compile(r"\.(?P<of>.+)\.crc")
STATUS = re.compile(r"\w+\{path=(?P<path>.*); isDirectory=false; length=(?P<size>\d+);.*", re.DOTALL)  # as Hadoop prints it
MOST_BYTES = 2**31 - 2**10  # of one file, in an array of Java


@dataclass(frozen=True, order=True)
class File:
    path: str
    size: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def hidden(self) -> bool:
        return self.name.startswith((".", "_"))

    @property
    def in_log(self) -> bool:
        return "/_delta_log/" in self.path


def of_hadoop(files: Sequence[File]) -> set[File]:
    """Hadoop's own checksums of files that are there: four bytes for each 512, which tell of nobody."""
    sizes = {file.path: file.size for file in files}
    found = set()
    for file in files:
        folder, _, name = file.path.rpartition("/")
        of = CHECKSUM.fullmatch(name)
        size = sizes.get(f"{folder}/{of['of']}") if of else None
        if size is not None and file.size == 8 + 4 * math.ceil(size / 512):
            found.add(file)
    return found


class Storage:
    """Hadoop's file systems, as Spark reaches them from its driver."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        try:
            self._jvm: Any = spark._jvm
            self._conf = spark._jsparkSession.sessionState().newHadoopConf()  # type: ignore[attr-defined]
        except Exception:  # the client of Connect raises errors of its own
            raise SessionError(
                "erasing looks at every file on the storage, which a session over Spark Connect cannot; run it by spark-submit"
            ) from None

    def files(self, folder: str) -> list[File]:
        """Every file below a folder; none where there is no folder."""
        path = self._path(folder)
        system = self._system(path)
        if not system.exists(path):
            return []
        statuses = self._jvm.org.apache.spark.deploy.SparkHadoopUtil.get().listLeafStatuses(system, path)
        # As text, in one call to the JVM: calls for each file take fifty times as long as to list them.
        told = [STATUS.fullmatch(one) for one in statuses.mkString("\0").split("\0") if one]
        if None in told:  # a file system that prints its files otherwise
            return sorted(File(s.getPath().toString(), s.getLen()) for s in map(statuses.apply, range(statuses.size())))
        return sorted(File(of["path"], int(of["size"])) for of in told if of)

    def qualified(self, path: str) -> str:
        """A path as the storage lists it, with its scheme."""
        return str(self._system(self._path(path)).makeQualified(self._path(path)).toString()).rstrip("/")

    def write(self, path: str, content: bytes) -> None:
        stream = self._system(self._path(path)).create(self._path(path), True)
        stream.write(bytearray(content))
        stream.close()

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all below it."""
        self._system(self._path(path)).delete(self._path(path), True)

    def contents(self, files: Iterable[File]) -> DataFrame:
        """place, content BINARY: a row a file. Raises DataError where a file is too large for a row."""
        files = list(files)
        if large := next((file for file in files if file.size > MOST_BYTES), None):
            raise DataError(
                f"{large.path} is larger than 2 GiB, so that it cannot be searched; compact its table into smaller files"
            )
        if not files:
            return self.spark.createDataFrame([], "place STRING, content BINARY")
        shown = [literal(file.path) for file in files if not file.hidden]
        # Spark reads no hidden file. What is hidden and stays holds no rows: notes of Delta.
        kept = [file for file in files if file.hidden]
        if not kept:
            return self._shown(shown)
        columns = {
            "place": pa.array([file.path for file in kept], pa.string()),
            "content": pa.array([self._read(file.path) for file in kept], pa.binary()),
        }
        hidden = self.spark.createDataFrame(pa.table(columns))
        return self._shown(shown).unionByName(hidden) if shown else hidden

    def _shown(self, paths: list[str]) -> DataFrame:
        return self.spark.read.format("binaryFile").load(paths).select(F.col("path").alias("place"), "content")

    def _read(self, path: str) -> bytes:
        """Nothing where it has a new name by now: a lease that is renewed meanwhile writes its note under a hidden name first."""
        try:
            stream = self._system(self._path(path)).open(self._path(path))
        except SPARK_ERRORS as wrong:
            if "FileNotFoundException" in str(wrong):
                return b""
            raise
        try:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _system(self, path: Any) -> Any:
        """The file system of a path; of the machine's own the one that shows Hadoop's hidden checksums, too."""
        system = path.getFileSystem(self._conf)
        return system.getRawFileSystem() if hasattr(system, "getRawFileSystem") else system
