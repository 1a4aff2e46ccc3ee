"""Evenhand: segments of customers, with their privacy and an even hand.

import evenhand
plan = evenhand.load_plan("conf/demo.yaml")
result = evenhand.run(plan, spark)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenhand.api import run as run
    from evenhand.errors import AdviceWarning as AdviceWarning
    from evenhand.errors import EvenhandError as EvenhandError
    from evenhand.fairness.assignment import with_segment as with_segment
    from evenhand.plan.load import fingerprint as fingerprint
    from evenhand.plan.load import load_plan as load_plan
    from evenhand.plan.load import parse_plan as parse_plan
    from evenhand.plan.models import Plan as Plan
    from evenhand.prepare.customers import prepared_customers as prepared_customers
    from evenhand.prepare.keys import pads_of as pads_of
    from evenhand.privacy.summary import box_sums as box_sums
    from evenhand.privacy.tallies import segment_tallies as segment_tallies
    from evenhand.result import Result as Result
    from evenhand.rows.segments import read_centers as read_centers
    from evenhand.segment.assign import assign as assign
    from evenhand.tables.sources import open_sources as open_sources
    from evenhand.tables.sources import pin_versions as pin_versions

# Loaded on first use: checking a plan must not wait for Spark and scikit-learn.
_WHERE = {
    "run": "api",
    "AdviceWarning": "errors",
    "EvenhandError": "errors",
    "fingerprint": "plan.load",
    "load_plan": "plan.load",
    "parse_plan": "plan.load",
    "Plan": "plan.models",
    "open_sources": "tables.sources",
    "pin_versions": "tables.sources",
    "pads_of": "prepare.keys",
    "prepared_customers": "prepare.customers",
    "box_sums": "privacy.summary",
    "read_centers": "rows.segments",
    "with_segment": "fairness.assignment",
    "assign": "segment.assign",
    "segment_tallies": "privacy.tallies",
    "Result": "result",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module evenhand has no attribute {name}")
    return getattr(import_module(f"evenhand.{_WHERE[name]}"), name)
