"""What a person's page says, as data, and its HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from evenhand.people.published import PublishedRun
from evenhand.people.why import why
from evenhand.plan.columns import all_reasons
from evenhand.plan.geometry import to_unit
from evenhand.plan.models import Plan

HALF = 50.0  # percent; who is in a category has 100, but for rounding
BASES = {
    "consent": "you said yes to it (GDPR art. 6(1)(a)); you can take that back at any time",
    "legitimate_interest": "a legitimate interest (GDPR art. 6(1)(f)); you can object at any time",
}
PAGE = Environment(
    loader=PackageLoader("evenhand.people"), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
).get_template("person.html.j2")


@dataclass(frozen=True)
class RunFacts:
    """A published run, with the words for its segments."""

    run: PublishedRun
    labels: Mapping[int, str]


def person(
    plan: Plan,
    customer_id: str,
    rows: Mapping[str, list[dict[str, Any]]],
    runs: Sequence[RunFacts],
    activations: Mapping[str, Mapping[str, Any]],
    unused: Sequence[str],
    now: datetime,
) -> dict[str, Any]:
    """Everything about one person. `rows` are theirs alone, by kind, as `people.access` has read them."""
    source = {name: value for row in rows.get("customer", []) for name, value in row.items()}
    source |= {name: value for row in rows.get("values", []) for name, value in row.items() if name in plan.feature_names}
    of_runs = [found for facts in runs if (found := _of_run(facts, rows, plan, source)) is not None]
    return {
        "id": customer_id,
        "made_at": f"{now:%Y-%m-%d %H:%M} UTC",
        "found": any(rows.values()),
        "purpose": plan.purpose,
        "description": plan.description,
        "legal_basis": BASES[plan.legal_basis],
        "consent": sorted(rows.get("consent", []), key=lambda row: str(row.get("recorded_at"))),
        "used": [{"source": s, "column": c, "why": reason} for s, c, reason in all_reasons(plan)],
        "runs": of_runs,
        "handed_out": [_handed_out(row, activations, rows.get("recalled", [])) for row in rows.get("activated", [])],
        "not_used": list(unused),
        "kept": plan.retention.model_dump(),
        "controller": None if plan.contact is None else plan.contact.controller,
        "reach": None if plan.contact is None else plan.contact.reach,
    }


def _of_run(
    facts: RunFacts, rows: Mapping[str, list[dict[str, Any]]], plan: Plan, source: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What a run knew of the person and decided; None where they are not in it, or no more."""
    run = facts.run
    segment = next((row["segment"] for row in rows.get("segments", []) if row["run_id"] == run.run_id), None)
    prepared = next((row for row in rows.get("prepared", []) if row["run_id"] == run.run_id), None)
    if segment is None and prepared is None:
        return None
    found: dict[str, Any] = {"run_id": run.run_id, "as_of": f"{run.as_of:%Y-%m-%d %H:%M} UTC", "segment": segment}
    found |= {"label": facts.labels.get(segment or 0, ""), "values": [], "groups": [], "because": [], "group_was_read": None}
    if prepared is None:
        return found
    features, values = run.plan.features, [prepared[name] for name in run.plan.feature_names]
    units = to_unit(np.array(values, dtype=np.float64), features)
    found["values"] = [
        {
            "feature": f.name,
            "why": f.why,
            "unit": f.unit,
            "used": _rounded(float(units[j])),
            "in_source": source.get(f.column if f.column is not None else f.name),
            "was_missing": bool(prepared["imputed"] >> j & 1),
            "was_clipped": bool(prepared["clipped"] >> j & 1),
        }
        for j, f in enumerate(features)
    ]
    found["groups"] = [{"attribute": a.name, "group": a.group_names[prepared[a.name]], "why": a.why} for a in run.plan.protected]
    if segment is not None:
        decided = why(values, segment, run.centers, features)
        found["because"] = [sentence(asdict(r), segment, decided.other) for r in decided.reasons]
        found["against"], found["nearest"] = decided.other, decided.nearest
        mitigation = run.plan.fairness.mitigation
        if mitigation is not None and run.plan.is_balanced:
            names = " and ".join(a.name for a in run.plan.mitigated)
            found["group_was_read"] = (
                f"Your group ({names}) was read too, to spread the groups more evenly over the segments: {mitigation.justification}"
            )
    return found


def sentence(reason: Mapping[str, Any], segment: int, other: int) -> str:
    """Why, in one sentence."""
    unit = f" {reason['unit']}" if reason["unit"] else ""
    name = str(reason["feature"]).replace("_", " ")
    value, here, there = (f"{_rounded(reason[key]):g}{unit}" for key in ("value", "here", "there"))
    if reason["of_many"]:
        is_in = "are counted" if reason["value"] > HALF else "are not counted"
        mine, its = (f"{reason[key]:.0f} %" for key in ("here", "there"))
        return f"You {is_in} under {name}, where the middle of segment {segment} has {mine} of customers and the middle of segment {other} {its}."
    return f"Your {name} is {value}. That is nearer to {here}, the middle of segment {segment}, than to {there}, the middle of segment {other}."


def _handed_out(
    row: Mapping[str, Any], activations: Mapping[str, Mapping[str, Any]], recalled: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    header = activations.get(row["activation_id"], {})
    back = next((r for r in recalled if r["activation_id"] == row["activation_id"]), None)
    return {
        "activation_id": row["activation_id"],
        "run_id": header.get("run_id"),
        "segment": row["segment"],
        "offer": header.get("offer"),
        "at": header.get("at"),
        "destination": header.get("destination"),
        "held_back": row["held_back"],
        "taken_back": None if back is None else {"reason": back["reason"], "at": back["at"]},
    }


def _rounded(value: float) -> float:
    """To four digits: fixed point knows no more that matters."""
    return float(f"{value:.4g}")
