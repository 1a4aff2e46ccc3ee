"""The published run whose centers another takes, to assign today's customers without learning anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evenhand.errors import RunConflict
from evenhand.plan.features import Attribute, Feature
from evenhand.plan.models import Plan


@dataclass(frozen=True)
class Origin:
    """`plan` is the one that it was made with, with the bounds that it found. `private` is whether its noise was."""

    run_id: str
    as_of: datetime
    plan: Plan
    private: bool

    def bounded(self, plan: Plan) -> Plan:
        """A plan that means the same, with the bounds that this run found."""
        return plan.with_bounds({f.name: f.limits for f in self.plan.to_find})

    def refuse_other_meaning(self, plan: Plan) -> None:
        """Look whether today's plan puts customers where this run's would: keys, paths and words may change.

        Raises:
            RunConflict: it computes other features, counts other events, or balances otherwise.
        """
        then, now = _meanings(self.plan), _meanings(plan)
        if other := next((place for place in [*then, *now] if then.get(place) != now.get(place)), None):
            raise RunConflict(
                f"--run-id: the centers of run {self.run_id} are not for this plan, whose {other} is not what it was; "
                "put that back, or make a new run"
            )


def _meanings(plan: Plan) -> dict[str, object]:
    """By its place in the plan, all that decides in which segment somebody is."""
    found: dict[str, object] = {f"features.{f.name}": _of_feature(f) for f in plan.features}
    found["features"] = plan.feature_names  # whose order is that of the centers' coordinates
    for name, source in plan.sources.events.items():
        found[f"sources.events.{name}"] = source.model_dump(include={"time", "where"})
    if plan.is_balanced:
        found["fairness.mitigation"] = [_of_attribute(a) for a in plan.mitigated]
    return found


def _of_feature(feature: Feature) -> dict[str, object]:
    return feature.model_dump(exclude={"why", "unit", "words"})


def _of_attribute(attribute: Attribute) -> dict[str, object]:
    return attribute.model_dump(exclude={"why", "reference"})
