"""Features that are expressions over the customers' table: computed as the plan says, of every value that a row may have."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from evenhand.errors import SourceError
from evenhand.plan.features import Feature
from evenhand.plan.models import Plan
from evenhand.prepare.customers import prepared_customers, timestamp_sql
from evenhand.prepare.features import customer_values
from evenhand.prepare.magnitudes import magnitudes
from evenhand.prepare.pseudonym import Pads
from evenhand.sources.open import open_sources, pin_versions
from evenhand.spark.session import settings
from expression_cases import frame, hostile
from sample import CONSENT, KEY, NOW, ONE_FEATURE, REMOVED, granted, write_source

pytestmark = pytest.mark.filterwarnings("error")

Build = Callable[..., Plan]
COLUMNS = "customer_id STRING, country STRING, joined_on DATE, paid DOUBLE, income DOUBLE, sex STRING, email STRING"
FAR = date(9999, 12, 31)
EXPRESSIONS = {
    "is_german": "if(country = 'DE', 1, 0)",
    "days_with_us": "datediff(as_of, joined_on)",
    "paid_share": "paid / income",
    "joined": "cast(joined_on < as_of - interval 30 days as int)",
}
PEOPLE = {
    "usual": ("DE", date(2026, 2, 1), 25.0, 100.0),
    "null": (None, None, None, None),
    "nan": ("FR", date(2026, 2, 27), math.nan, 100.0),
    "zero": ("FR", FAR, 25.0, 0.0),
    "endless": ("FR", date(1, 1, 1), math.inf, 100.0),
}
EXPECTED = {  # by who they are: days of 64, the others in quarters; None is missing
    "usual": (1, 28, 0.25, 0),
    "null": (0, None, None, None),  # `if` takes what is unknown for a no
    "nan": (0, 2, None, 0),
    "zero": (0, 0, None, 0),  # nobody divides by zero
    "endless": (0, 64, 1, 1),
}


def feature(name: str, **more: Any) -> dict[str, Any]:
    bounds = [0, 64] if name == "days_with_us" else [0, 1]
    return {"name": name, "why": "a test", "expression": EXPRESSIONS.get(name), "bounds": bounds, "missing": 0} | more


@pytest.fixture
def planned(plan: Build, tmp_path: Path) -> Build:
    attribute = {"name": "gender", "why": "a test", "column": "sex", "groups": {"female": ["f"]}}
    changes = ONE_FEATURE | {"features": [feature(name) for name in EXPRESSIONS], "protected": [attribute]}
    for removed in ("features.1", "features.2", "protected.1"):
        changes.pop(removed)
    return lambda more=(): plan(changes | dict(more))


def write(spark: Any, folder: Path, people: dict[str, tuple[Any, ...]], withheld: dict[str, str] | None = None) -> None:
    rows = [(who, *values, "f", "nobody@example.com") for who, values in people.items()]
    write_source(spark, folder / "customers", rows, COLUMNS)
    consent = [(*row, None) for row in granted(people)]
    consent += [(who, "offers", "refused", NOW - timedelta(days=1), None, "web", name) for who, name in (withheld or {}).items()]
    write_source(spark, folder / "consent", consent, f"{CONSENT}, attribute STRING")


def of_each(spark: Any, plan: Plan) -> dict[str, tuple[float | None, ...]]:
    """By customer each feature as a share of its bounds, None where it was missing; run alone, since a pseudonym tells no name."""
    found, sources = {}, open_sources(spark, plan, pin_versions(spark, plan))
    ids = [row[0] for row in sources.customers.select("customer_id").distinct().collect()]
    for who in ids:
        one = type(sources)(sources.customers.where(F.col("customer_id") == who), sources.consent, {}, {})
        (row,) = prepared_customers(one, plan, NOW, Pads.of(KEY).table(spark)).collect()
        steps = [row[f.name] / 65535 * f.limits[1] for f in plan.features]
        found[who] = tuple(None if row["imputed"] >> i & 1 else round(step, 2) for i, step in enumerate(steps))
    return found


@pytest.mark.parametrize("duplicates", ["leave_out", {"keep_latest_by": "paid"}], ids=["unanimous", "latest"])
def test_a_feature_is_what_its_expression_says_of_the_customer_s_row(
    spark: Any, planned: Build, tmp_path: Path, duplicates: object
) -> None:
    write(spark, tmp_path, PEOPLE)
    with settings(spark, "Europe/Berlin"):
        assert of_each(spark, planned({"sources.customers.duplicates": duplicates})) == EXPECTED


def test_it_reads_the_columns_that_it_names_and_no_others(spark: Any, planned: Build, tmp_path: Path) -> None:
    write(spark, tmp_path, PEOPLE)
    built = planned()
    found = open_sources(spark, built, pin_versions(spark, built)).customers.columns
    assert found == ["customer_id", "country", "joined_on", "paid", "income", "sex"]


def test_an_expression_does_not_see_what_a_person_withholds(spark: Any, planned: Build, tmp_path: Path) -> None:
    write(spark, tmp_path, dict.fromkeys(("a", "b", "c"), PEOPLE["usual"]), {"b": "Joined_On", "c": "customers.income"})
    found = of_each(spark, planned())
    assert found == {"a": (1, 28, 0.25, 0), "b": (1, None, 0.25, None), "c": (1, 28, None, 0)}


def test_a_date_that_is_a_feature_too_stays_a_date_for_an_expression(spark: Any, planned: Build, tmp_path: Path) -> None:
    """And bounds are found on the same values, of a date as of an expression."""
    write(spark, tmp_path, PEOPLE | {"again": PEOPLE["usual"]})
    first = (date(2026, 2, 1) - date(1970, 1, 1)).days
    as_column = feature("first_day", expression=None, column="joined_on", bounds=[first, first + 64], missing=first)
    as_column = {key: value for key, value in as_column.items() if value is not None}
    built = planned({"features.4": as_column})
    rows = prepared_customers(open_sources(spark, built, pin_versions(spark, built)), built, NOW, Pads.of(KEY).table(spark))
    assert {tuple(r) for r in rows.where("is_german = 65535").select("first_day", "days_with_us").collect()} == {(0, 28 * 1024)}
    unbounded = planned({"features.4": as_column} | {f"features.{i}.bounds": REMOVED for i in range(5)})
    bins = magnitudes(open_sources(spark, unbounded, pin_versions(spark, unbounded)), unbounded, NOW)
    there = {name: bins.where(F.col(name).isNotNull()).count() for name in ("days_with_us", "paid_share", "is_german")}
    assert there == {"days_with_us": 5, "paid_share": 3, "is_german": 6}


HOSTILE = [
    "day < as_of", "datediff(as_of, day)", "month(day)", "t > day", "n * n", "l + l", "l / n", "int(s)", "cast(s as date) < as_of",
    "pow(d, e)", "c * c", "d % e", "f", "date_add(day, n) < as_of", "months_between(as_of, day)", "if(s = 'abc', 1, null)",
]  # fmt: skip


def test_no_value_of_a_customer_stops_a_run(spark: Any) -> None:
    """Neither the least and the greatest of each type, nor dates that Spark has and no calendar: they are missing."""
    with settings(spark, "Europe/Berlin"):
        rows = frame(spark, hostile(60))
        far = [f"date_from_unix_date({days})" for days in (-106_000_000, 109_000_000)]
        rows = rows.withColumn("day", F.expr(f"case n % 3 when 1 then {far[0]} when 2 then {far[1]} else day end"))
        made = [Feature(name=f"f{i}", why="x", expression=text, bounds=(0, 1), missing=0) for i, text in enumerate(HOSTILE)]
        found = customer_values(rows, made, ["n"], timestamp_sql(NOW))
        assert {f.dataType.simpleString() for f in found.schema[1:]} == {"double"}
        values = found.collect()
    assert all(any(row[f.name] is not None for row in values) for f in made)
    far = [row for row in values if row.n is not None and math.fmod(row.n, 3) in (1, 2)]
    assert len(far) > 10
    assert {(row.f0, row.f1, row.f2) for row in far} == {(None, None, None)}


def test_what_is_no_number_is_told_with_its_place_before_a_row_is_read(spark: Any, planned: Build, tmp_path: Path) -> None:
    write(spark, tmp_path, PEOPLE)
    built = planned({"features.1.expression": "least(joined_on, joined_on)"})
    with pytest.raises(SourceError, match=r"^features.days_with_us.expression: Spark cannot compute it .* \(joined_on is date\)"):
        open_sources(spark, built, pin_versions(spark, built))
    built = planned({"features.0.expression": "if(land = 'DE', 1, 0)"})
    with pytest.raises(SourceError, match=r"^sources.customers: .* has no column land; it has country"):
        open_sources(spark, built, pin_versions(spark, built))
