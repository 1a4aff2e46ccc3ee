"""What the operating system says of a process, and how a benchmark is printed and stored."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pyspark.sql import SparkSession

GIB = 2**30


@dataclass(frozen=True)
class Measure:
    name: str
    value: float
    unit: str
    against: str  # what it is held against


def peak_memory(spark: SparkSession) -> float:
    """Peak resident memory of the driver, its JVM and its Python together, in GiB."""
    jvm = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()  # type: ignore[union-attr]
    return (_high_water(jvm) + _high_water(os.getpid())) / GIB


def _high_water(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def show(measures: list[Measure], ratios: dict[str, float], met: bool | None, note: str, json_file: str | None) -> None:
    """A table for people, and for machines one JSON object with `measures`, `ratios` and `met`."""
    if not measures:
        sys.exit("bench: nothing was measured: no case has that name (--only), or its data is not there")
    width = max(len(m.name) for m in measures)
    for m in measures:
        print(f"{m.name:<{width}}  {m.value:>10.3f} {m.unit:<6} {m.against}")
    for name, ratio in ratios.items():
        print(f"{'ratio ' + name:<{width}}  {ratio:>10.3f}")
    print(note)
    if json_file:
        content = {"measures": [asdict(m) for m in measures], "ratios": ratios, "met": met}
        Path(json_file).write_text(json.dumps(content, indent=2), encoding="utf-8")
