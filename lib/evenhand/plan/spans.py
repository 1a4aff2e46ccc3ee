"""A span of time as a plan writes it, such as "3 months": in days, months or years of the calendar."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

from evenhand.plan.base import Text

SPAN = re.compile(r"(\d{1,4}) (day|month|year)s?")
MOST_MONTHS, MOST_DAYS = 1200, 36_500  # a hundred years


def _span(text: str) -> str:
    found = SPAN.fullmatch(text)
    if found is None or int(found[1]) == 0 or _months(text) > MOST_MONTHS or _days(text) > MOST_DAYS:
        raise ValueError('a span such as "30 days", "13 months" or "2 years" is needed, of a hundred years at most')
    return text


Span = Annotated[Text, AfterValidator(_span)]


def before(moment: datetime, span: str) -> datetime:
    """The moment a span earlier, in UTC; of a day that the month does not have, the month's last (31 March less 1 month: 28 February)."""
    moment = moment.astimezone(UTC) - timedelta(days=_days(span))
    year, month = divmod(moment.year * 12 + moment.month - 1 - _months(span), 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))


def normal(span: str) -> str:
    """A span in one way only: 1 year is 12 months."""
    return f"{_days(span)} days" if _days(span) else f"{_months(span)} months"


def amount(span: str) -> tuple[int, str]:
    """The number, and day, month or year."""
    number, unit = span.split(" ")
    return int(number), unit.removesuffix("s")


def _days(span: str) -> int:
    number, unit = span.split(" ")
    return int(number) if unit.startswith("day") else 0


def _months(span: str) -> int:
    number, unit = span.split(" ")
    return 0 if unit.startswith("day") else int(number) * (12 if unit.startswith("year") else 1)
