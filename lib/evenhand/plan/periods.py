"""When a population's budget renews: the calendar period, in UTC, in which an ε is spent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

Renews = Literal["never", "yearly", "quarterly", "monthly"]
ALWAYS = "always"
EACH = {"never": "", "yearly": "year", "quarterly": "quarter", "monthly": "month"}


def period_of(renews: Renews, moment: datetime) -> str:
    """The period's name: "always", "2026", "2026-Q4" or "2026-11". Of one kind, a later period sorts after an earlier one.

    In UTC whatever the plan's time zone, which could otherwise be changed to reach a fresh budget a day early.
    """
    day = moment.astimezone(UTC)
    names = {
        "never": ALWAYS,
        "yearly": f"{day:%Y}",
        "quarterly": f"{day:%Y}-Q{(day.month + 2) // 3}",
        "monthly": f"{day:%Y-%m}",
    }
    return names[renews]


def renewal(period: str) -> date | None:
    """The first day of the next period; None for a budget that never renews."""
    if period == ALWAYS:
        return None
    year, _, rest = period.partition("-")
    last = 12 if not rest else int(rest[1:]) * 3 if rest.startswith("Q") else int(rest)
    return date(int(year) + (last == 12), last % 12 + 1, 1)
