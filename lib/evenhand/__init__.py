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
    from evenhand.errors import EvenhandError as EvenhandError
    from evenhand.plan.load import fingerprint as fingerprint
    from evenhand.plan.load import load_plan as load_plan
    from evenhand.plan.load import parse_plan as parse_plan
    from evenhand.plan.models import Plan as Plan
    from evenhand.prepare.customers import prepared_customers as prepared_customers
    from evenhand.privacy.summary import box_sums as box_sums
    from evenhand.privacy.summary import read_summary as read_summary
    from evenhand.result import Result as Result
    from evenhand.segment.assign import assign as assign
    from evenhand.segment.cluster import best_fit as best_fit

# Loaded on first use: checking a plan must not wait for Spark and scikit-learn.
_WHERE = {
    "run": "api",
    "EvenhandError": "errors",
    "fingerprint": "plan.load",
    "load_plan": "plan.load",
    "parse_plan": "plan.load",
    "Plan": "plan.models",
    "prepared_customers": "prepare.customers",
    "box_sums": "privacy.summary",
    "read_summary": "privacy.summary",
    "Result": "result",
    "assign": "segment.assign",
    "best_fit": "segment.cluster",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module evenhand has no attribute {name}")
    return getattr(import_module(f"evenhand.{_WHERE[name]}"), name)
