"""The periods of a budget that renews."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.plan.periods import period_of, renewal

KINDS: list[Any] = ["never", "yearly", "quarterly", "monthly"]
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2999, 12, 31), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("renews", "period", "next_start"),
    [
        ("never", "always", None),
        ("yearly", "2026", date(2027, 1, 1)),
        ("quarterly", "2026-Q4", date(2027, 1, 1)),
        ("monthly", "2026-11", date(2026, 12, 1)),
    ],
)
def test_a_period_has_a_name_and_an_end(renews: Any, period: str, next_start: date | None) -> None:
    assert period_of(renews, datetime(2026, 11, 24, tzinfo=UTC)) == period
    assert renewal(period) == next_start


def test_the_year_ends_in_utc_wherever_the_clock_is() -> None:
    east = datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert period_of("yearly", east) == "2026"


@given(st.sampled_from(KINDS), MOMENTS, MOMENTS)
def test_later_periods_sort_after_earlier_ones(renews: Any, one: datetime, other: datetime) -> None:
    first, second = sorted([one, other])
    assert period_of(renews, first) <= period_of(renews, second)


@given(st.sampled_from(KINDS[1:]), MOMENTS)
def test_the_day_of_renewal_is_the_first_of_another_period(renews: Any, moment: datetime) -> None:
    end = renewal(period_of(renews, moment))
    assert end is not None
    start = datetime(end.year, end.month, end.day, tzinfo=UTC)
    assert moment < start
    assert period_of(renews, start - timedelta(seconds=1)) == period_of(renews, moment) < period_of(renews, start)
