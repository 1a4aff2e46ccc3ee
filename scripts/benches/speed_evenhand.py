"""Evenhand's side of the speed benchmark: the whole job as jobs/pipeline.py runs it, with the time of each line it says."""

from __future__ import annotations

import json
import sys
import time

import evenhand
from evenhand.job.flow import DOING
from evenhand.spark.session import start
from measure import peak_memory


def main(plan_file: str, out: str, as_of: str) -> None:
    from datetime import datetime

    spark = start("evenhand bench")
    plan = evenhand.load_plan(plan_file)
    said: list[tuple[float, str]] = []
    began = time.perf_counter()
    result = evenhand.run(
        plan, spark, as_of=datetime.fromisoformat(as_of), say=lambda line: said.append((time.perf_counter() - began, line))
    )
    whole = time.perf_counter() - began
    centers = [row.fixed_point for row in result.centers.orderBy("segment").collect()]
    bench = {
        "steps": _between(said, whole),
        "training": _said(said, "learned ") - _said(said, DOING["segment"]),
        "whole": whole,
        "memory": peak_memory(spark),
        "centers": [[c / 16 / 65536 for c in center] for center in centers],
        "run_id": result.run_id,
    }
    with open(f"{out}.json", "w", encoding="utf-8") as file:
        json.dump(bench, file)


def _said(said: list[tuple[float, str]], words: str) -> float:
    """When a line with these words was said."""
    return next(at for at, line in said if words in line)


def _between(said: list[tuple[float, str]], whole: float) -> dict[str, float]:
    ends = [at for at, _ in said[1:]] + [whole]
    return {line.split(":")[0]: end - at for (at, line), end in zip(said, ends, strict=True)}


if __name__ == "__main__":
    main(*sys.argv[1:4])
