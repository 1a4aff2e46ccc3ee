"""A table says in which format it is, and only a version that knows the format works with it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from pyspark.sql.types import LongType, StringType, StructField, StructType

from evenhand.errors import OutputError
from evenhand.tables.catalog import ALL, BUDGET, TableSpec
from evenhand.tables.format import FORMAT, check_format

# By the format of each table what it was when that format was last changed.
KNOWN: dict[str, tuple[int, str]] = {
    "prepared": (1, "a4922c2c"),
    "segments": (1, "a5e76f4c"),
    "input_quality": (1, "2bb1b692"),
    "audit_log": (1, "900283de"),
    "leases": (1, "a1f59002"),
    "erased": (1, "a08b450a"),
    "activations": (1, "2e63053f"),
    "activated": (1, "8882a417"),
    "consent_quarantine": (1, "2049ccc0"),
    "recalled": (1, "e5c084c9"),
    "runs": (1, "e1357a01"),
    "budget": (1, "dcb5149f"),
    "budget_entries": (1, "0a35c6c9"),
    "releases": (1, "6ae38148"),
    "feature_bounds": (1, "ae33330c"),
    "private_summary": (1, "589be22f"),
    "segment_centers": (1, "4f685a01"),
    "segment_fits": (1, "eddd15af"),
    "segment_profiles": (1, "c1ab08a3"),
    "segment_distribution": (1, "3f372b3d"),
    "everybody": (1, "18cc04f2"),
    "fairness_stats": (1, "c1cf5d36"),
    "fairness_groups": (1, "d5eb7fc8"),
    "fairness_summary": (1, "64421c81"),
    "fairness_proxies": (1, "32413e05"),
    "movement": (1, "9702a0e1"),
    "assignment_map": (1, "673d0aaf"),
    "mitigation_bounds": (1, "2ccd145e"),
    "mitigation_verdicts": (1, "8a76bcfb"),
    "fairness_tradeoff": (1, "94dcc03e"),
    "feedback": (1, "92b000d8"),
    "outcome_rates": (1, "4f1fd5ad"),
    "outcome_verdicts": (1, "bf132315"),
}


def digest(spec: TableSpec) -> str:
    return sha256(f"{spec.zone} {spec.by_run} {spec.columns}".encode()).hexdigest()[:8]


def schema(said: object) -> StructType:
    """Of a ledger whose first column says a format; None: it says none."""
    metadata = {} if said is None else {FORMAT: said}
    return StructType([StructField("population", StringType(), metadata=metadata), StructField("number", LongType())])


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_no_columns_change_under_one_format(spec: TableSpec) -> None:
    assert KNOWN.get(spec.name) == (spec.format, digest(spec)), (
        f"{spec.name} has other columns: raise its format in catalog.py if a released version wrote the old ones, then put "
        f"{(spec.format, digest(spec))} here"
    )


# What the table says, what this version knows, and what is said to be right.
OTHER = {
    "later": (3, 2, "which a later version wrote; .* install that one"),
    "no number": ("x", 2, "which a later version wrote"),
    "earlier": (1, 2, "which an earlier version wrote; .* go on with the version that wrote it, or begin as"),
    "none": (None, 2, "in format 1 .* which an earlier version wrote"),
}


@pytest.mark.parametrize(("said", "known", "right"), OTHER.values(), ids=OTHER)
def test_another_format_is_refused_in_one_line(said: object, known: int, right: str) -> None:
    with pytest.raises(OutputError, match=right) as wrong:
        check_format(replace(BUDGET, format=known), schema(said), "zone.budget")
    line = str(wrong.value)
    assert line.startswith(f"zone.budget is in format {said or 1} of Evenhand's table budget")
    assert f"writes format {known}" in line and line.endswith("nothing was changed") and "\n" not in line


@pytest.mark.parametrize("said", [1, None])
def test_the_own_format_is_taken_and_so_is_a_table_that_was_made_before_there_were_any(said: object) -> None:
    check_format(BUDGET, schema(said), "zone.budget")
