"""The gates between a finished run and its publication: which findings publish nothing, by the plan."""

from __future__ import annotations

from evenhand.plan.models import Plan


def blocking(plan: Plan, worse: list[str], uneven: list[str]) -> list[str]:
    """The findings that block the run: segments expected to be `worse` than one for everybody, groups treated unevenly."""
    found = worse if plan.segments.when_useless == "block" else []
    return found + (uneven if plan.fairness.when_uneven == "block" else [])
