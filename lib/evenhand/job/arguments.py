"""What a caller hands over, in a notebook or on the command line, checked before anything is touched."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from evenhand.errors import ArgumentError

if TYPE_CHECKING:
    from evenhand.plan.models import Plan

EXAMPLES = "2026-10-31, 2026-10-31T18:00:00+01:00 or today"
TODAY, AUTO = "today", "auto"
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")


def point_in_time(given: object) -> datetime:
    """A moment in UTC, from a `datetime` or from ISO text; in UTC already where it has no offset. "today" is the last midnight in UTC.

    Raises:
        ArgumentError: it is neither, or before the year 1 or after 9999 in UTC.
    """
    if given == TODAY:
        return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
        if isinstance(moment, datetime):
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise ArgumentError(f"as_of: {given!r} is not a time; give a datetime, or text such as {EXAMPLES}")


def checked_id(run_id: str) -> str:
    """Raises ArgumentError where it is no id of a run."""
    if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
        raise ArgumentError(
            f"--run-id {run_id!r}: letters, digits, - and _ are allowed, at most 80, and a letter or digit comes first"
        )
    return run_id


def derived_id(plan: Plan, run_id: str, as_of: datetime | None) -> str:
    """The id as it is given; for "auto" one that the same plan as of the same moment always has, and no other.

    Raises:
        ArgumentError: it is no id of a run, or "auto" without a moment: each start would be as of another, and so pay again.
    """
    from evenhand.plan.load import fingerprint  # not before: help loads this file, and no plan

    if run_id != AUTO:
        return checked_id(run_id)
    if as_of is None:
        raise ArgumentError(
            f"--run-id auto: needs --as-of, such as {EXAMPLES}; without it every start would be another run, and be paid for"
        )
    digest = sha256(f"{fingerprint(plan)} {as_of.isoformat()}".encode()).hexdigest()[:8]
    return f"{plan.name.replace('_', '-')}-{as_of:%Y%m%dT%H%M%S}-{digest}"


def checked_minutes(given: float) -> float:
    """How long to wait; raises ArgumentError where it is no number of minutes."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < math.inf:
        raise ArgumentError(f"wait: {given!r} is no number of minutes; 0 waits for nobody")
    return given


def checked_steps(given: Sequence[str], known: Iterable[str]) -> list[str]:
    """Raises ArgumentError where it is no list of known steps."""
    names = list(known)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ArgumentError(f"steps: a list is needed, such as ['prepare'], not {given!r}; known: {', '.join(names)}")
    steps: list[str] = list(given)
    if unknown := [step for step in steps if step not in names]:
        raise ArgumentError(f"steps: there is no {unknown[0]}; known: {', '.join(names)}")
    if not steps:
        raise ArgumentError(f"steps: none is named; known: {', '.join(names)}")
    return steps


def checked_noise(given: Any) -> Any:
    """Raises ArgumentError where it is no source of noise."""
    if isinstance(given, type) or not (
        isinstance(getattr(given, "private", None), bool) and callable(getattr(given, "add", None))
    ):
        raise ArgumentError(f"noise: {given!r} is no source of noise; leave it out, and OpenDP's is used")
    return given


def checked_say(given: Any) -> Any:
    """Raises ArgumentError where nothing can be said to it."""
    if not callable(given):
        raise ArgumentError(f"say: {given!r} is no function; give one that takes a line, such as print")
    return given
