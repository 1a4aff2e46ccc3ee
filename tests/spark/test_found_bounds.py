"""Bounds found privately, from sources to report: once, from the people who may be used, and from nobody in particular."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from evenhand.ask.bounds import magnitude_histograms
from evenhand.errors import DataError
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.plan.load import fingerprint
from evenhand.plan.magnitudes import BINS, ZERO
from evenhand.plan.models import Plan
from evenhand.prepare.magnitudes import magnitude, magnitudes
from evenhand.sources.open import open_sources, pin_versions
from evenhand.tables import catalog
from sample import CONSENT, NOW, REMOVED, granted, people, write_source, write_sources

pytestmark = pytest.mark.long  # runs that find bounds

Build = Callable[..., Plan]
WITHOUT = {"features.0.bounds": REMOVED, "features.1.bounds": REMOVED}
# Large, so that where the bounds are is no chance: a tenth of it for two features needs some 100 customers.
LARGE = {"privacy.epsilon": 50.0, "privacy.population_total": 120.0, "privacy.expected_customers": 500}


class Forbidden:
    """Noise that must not be drawn."""

    private = True

    def add(self, exact: Any, noise: Any) -> Any:
        raise AssertionError("noise was drawn again")


def found_bounds(result: Result) -> dict[str, tuple[float, float]]:
    return {r.feature: (r.low, r.high) for r in result.store.read(catalog.FEATURE_BOUNDS, result.run_id).collect()}


def intervals_hold(result: Result) -> bool:
    rows = result.store.read(catalog.FEATURE_BOUNDS, result.run_id).collect()
    return all(r.low_low <= r.low <= r.low_high and r.high_low <= r.high <= r.high_high for r in rows)


def histograms(spark: Any, plan: Plan) -> dict[str, np.ndarray]:
    sources = open_sources(spark, plan, pin_versions(spark, plan))
    question = magnitude_histograms(plan)
    return dict(question.vectors(question.in_spark(magnitudes(sources, plan, NOW)).toArrow()))


def test_a_number_is_in_the_bin_whose_edges_hold_it(spark: Any) -> None:
    at = {
        0.0: ZERO, 5e-324: ZERO, 2.0**-10: ZERO, 0.00098: ZERO + 1, 2.0**-9: ZERO + 1, 1.0: ZERO + 10,
        1.001: ZERO + 11, 2.0: ZERO + 11, 3.0: ZERO + 12, 2.0**29: ZERO + 39, 2.0**40: ZERO + 50, 2.0**40 + 1e4: BINS - 1,
        1e12: ZERO + 50, 1e300: BINS - 1, math.inf: BINS - 1, math.nan: None,
    }  # fmt: skip
    rows = [*at.items(), *((-v, None if b is None else 2 * ZERO - b) for v, b in at.items()), (None, None)]
    frame = spark.createDataFrame(rows, "value DOUBLE, wanted INT").withColumn("found", magnitude(F.col("value")))
    assert [tuple(r) for r in frame.where("not (found <=> wanted)").collect()] == []
    kinds = spark.sql("SELECT 3 AS a, 3.5BD AS b, true AS c, 3.0F AS d").select(*[magnitude(F.col(c)) for c in "abcd"])
    assert tuple(kinds.first()) == (ZERO + 12, ZERO + 12, ZERO + 10, ZERO + 12)


def test_a_run_finds_its_bounds_once_and_every_step_goes_on_with_them(spark: Any, plan: Build, tmp_path: Path) -> None:
    """False alarm: the bins at the ends hold some 20 customers and more, with noise of scale 0.4; e^-20."""
    customers, purchases = people(500)
    rich = [("cust-0000-ünï", NOW.replace(month=2), 1e12, "yacht"), ("cust-0001-ünï", NOW.replace(month=2), 1e12, "yacht")]
    write_sources(spark, tmp_path, customers, purchases=purchases + rich)
    without = plan(WITHOUT | LARGE)
    first = run(without, spark, as_of=NOW, run_id="r1")
    bounds = found_bounds(first)
    assert intervals_hold(first)
    assert bounds["tenure"] == (0.0, 32.0)
    assert bounds["spent"][0] == 0.0
    assert 256.0 <= bounds["spent"][1] <= 1024.0  # not 2^40
    centers = np.array([tuple(r) for r in first.centers.select("tenure", "visits").collect()])
    assert sorted(centers[:, 0]) == pytest.approx([2, 8, 15], abs=1.0)
    values = first.profiles.where("measure = 'tenure' AND NOT suppressed").collect()
    assert values
    assert all(0.0 <= r.low <= r.value <= r.high <= 32.0 for r in values)

    spent = first.store.read(catalog.BUDGET).select("run_id", "epsilon")
    entries = {r.question: r for r in first.store.read(catalog.BUDGET_ENTRIES, "r1").collect()}
    assert spent.collect() == [("r1", pytest.approx(50.0))]
    assert entries["bounds"].epsilon == pytest.approx(5.0)
    assert "2.5 (tenure) + 2.5 (spent)" in entries["bounds"].composition
    assert sum(e.epsilon for e in entries.values()) == pytest.approx(50.0)
    assert {r.plan_fingerprint for r in first.store.read(catalog.RUNS, "r1").collect()} == {fingerprint(without)}
    assert "<td>0 to 32 (found privately)</td>" in first.report.read_text(encoding="utf-8")

    # Resumed: nothing is drawn again, and the figures are the same. Each is the first to ask for bounds: what is prepared is kept.
    for steps in (["prepare", "segment"], ["assess"], ["report"]):
        again = run(without, spark, run_id="r1", steps=steps, noise=Forbidden())
        assert found_bounds(again) == bounds
        assert again.profiles.orderBy("segment", "measure").collect() == first.profiles.orderBy("segment", "measure").collect()
    assert spent.collect() == [("r1", pytest.approx(50.0))]


def test_too_few_to_tell_from_noise_stop_the_run_in_one_line_and_nothing_is_published(
    spark: Any, plan: Build, tmp_path: Path
) -> None:
    """False alarm: 30 customers at noise of scale 20 would have to look like 4,800."""
    customers, purchases = people(30)
    write_sources(spark, tmp_path, customers, purchases=purchases)
    with pytest.raises(DataError, match="features: the noise hides the bounds of tenure, spent") as wrong:
        run(plan(WITHOUT), spark, as_of=NOW, run_id="r1")
    assert "\n" not in str(wrong.value)
    runs = spark.read.format("delta").load(f"{tmp_path}/open/runs")
    assert sorted(r.status for r in runs.collect()) == ["failed", "running"]
    for table in ("feature_bounds", "segment_centers"):
        assert not (tmp_path / "open" / table).exists()
    assert not (tmp_path / "restricted" / "prepared").exists()


def test_a_customer_with_two_rows_counts_once_or_not_at_all(spark: Any, plan: Build, tmp_path: Path) -> None:
    customers, purchases = people(50)
    other = (customers[1][0], -5.0, *customers[1][2:])
    write_sources(spark, tmp_path, [*customers, customers[0], other], purchases=purchases)
    found = histograms(spark, plan(WITHOUT))
    assert (found["tenure"].sum(), found["spent"].sum()) == (49, 49)


def test_only_who_may_be_used_is_counted_and_one_more_is_one_more(spark: Any, plan: Build, tmp_path: Path) -> None:
    """Exact, before noise: the same bins whoever is there; one customer more, however far out, adds one to one bin at most."""
    customers, purchases = people(60)
    ids, without = [c[0] for c in customers], plan(WITHOUT)
    write_sources(spark, tmp_path, customers, consent=granted(ids[:40]), purchases=purchases)
    few = histograms(spark, without)
    assert {name: v.sum() for name, v in few.items()} == {"tenure": 40, "spent": 40}
    extra = granted([ids[40]])
    write_source(spark, tmp_path / "consent", granted(ids[:40]) + extra, CONSENT)
    for amounts in ([1e12], [-1e12, 3.0], [math.inf], [math.nan], []):
        bought = [(ids[40], NOW.replace(month=2), a, "x") for a in amounts]
        write_source(
            spark, tmp_path / "purchases", [p for p in purchases if p[0] != ids[40]] + bought,
            "customer_id STRING, purchased_at TIMESTAMP, amount DOUBLE, item STRING",
        )  # fmt: skip
        more = histograms(spark, without)
        for name in few:
            assert few[name].shape == more[name].shape == (BINS,)
            assert np.abs(more[name] - few[name]).sum() <= 1
        assert np.abs(more["spent"] - few["spent"]).sum() == (len(amounts) > 0 and math.isfinite(sum(amounts)))
