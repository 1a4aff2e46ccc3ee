"""Evenhand: segments of customers, with their privacy and an even hand.

import evenhand
plan = evenhand.load_plan("conf/demo.yaml")
result = evenhand.run(plan, evenhand.session())
evenhand.runs(plan)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenhand.ask.assessment import segment_tallies as segment_tallies
    from evenhand.ask.boxes import box_sums as box_sums
    from evenhand.assignment.fair_map import with_segment as with_segment
    from evenhand.assignment.nearest import assign as assign
    from evenhand.errors import AdviceWarning as AdviceWarning
    from evenhand.errors import EvenhandError as EvenhandError
    from evenhand.job.api import run as run
    from evenhand.job.result import Result as Result
    from evenhand.past.runs import runs as runs
    from evenhand.people.feedback import feedback as feedback
    from evenhand.people.score import score as score
    from evenhand.plan.load import fingerprint as fingerprint
    from evenhand.plan.load import load_plan as load_plan
    from evenhand.plan.load import parse_plan as parse_plan
    from evenhand.plan.models import Plan as Plan
    from evenhand.prepare.customers import prepared_customers as prepared_customers
    from evenhand.prepare.keys import pads_of as pads_of
    from evenhand.rows.segments import read_centers as read_centers
    from evenhand.sources.open import open_sources as open_sources
    from evenhand.sources.open import pin_versions as pin_versions
    from evenhand.spark.session import session as session
    from evenhand.version import __version__ as __version__

# Loaded on first use: checking a plan must not wait for Spark and scikit-learn.
_WHERE = {
    "run": "job.api",
    "runs": "past.runs",
    "score": "people.score",
    "feedback": "people.feedback",
    "session": "spark.session",
    "__version__": "version",
    "AdviceWarning": "errors",
    "EvenhandError": "errors",
    "fingerprint": "plan.load",
    "load_plan": "plan.load",
    "parse_plan": "plan.load",
    "Plan": "plan.models",
    "open_sources": "sources.open",
    "pin_versions": "sources.open",
    "pads_of": "prepare.keys",
    "prepared_customers": "prepare.customers",
    "box_sums": "ask.boxes",
    "read_centers": "rows.segments",
    "with_segment": "assignment.fair_map",
    "assign": "assignment.nearest",
    "segment_tallies": "ask.assessment",
    "Result": "job.result",
}
__all__ = sorted(_WHERE)


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module evenhand has no attribute {name}")
    return getattr(import_module(f"evenhand.{_WHERE[name]}"), name)
