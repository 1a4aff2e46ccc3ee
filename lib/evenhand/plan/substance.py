"""What a notice to customers comes to: when that changes, customers must be told anew, under a higher version.

Order, technical keys, reasons in other words, noise and budget do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evenhand.plan.columns import CONSENT, all_uses
from evenhand.plan.models import Plan
from evenhand.plan.spans import normal

Substance = Mapping[str, list[str]]
KEPT = ("prepared", "segments", "activations")  # what is about single people
DOES = {
    "measured": "is measured",
    "learned": "is read to form segments",
    "assigned": "is read to put people into segments",
}


def substance(plan: Plan) -> Substance:
    """By subject what customers are told, sorted; two plans of which it is equal have the same notice."""
    notice = plan.notice
    columns = {f"{use.source}.{use.column}".lower() for use in all_uses(plan) if use.source != CONSENT and use.kind != "id"}
    columns |= {f"{f.events}, how many rows" for f in plan.features if f.events is not None and not f.columns}
    found = {
        "purpose": [f"{plan.purpose}: {_one_line(plan.description)}"],
        "legal basis": [plan.legal_basis.replace("_", " ")],
        "columns": columns,
        "surveys": [f"{survey.name} for {survey.purpose}" for survey in plan.surveys],
        "rewards": ["points for taking part"] if plan.rewards else [],
        "protected attributes": [f"{a.column.lower()} {DOES[use_of_attribute(plan, a.name)]}" for a in plan.protected],
        "recipients": [_one_line(f"{r.name} ({r.transfer})" if r.transfer else r.name) for r in notice.recipients]
        if notice
        else [],
        "retention": [f"{what} {normal(getattr(plan.retention, what))}" for what in KEPT],
        "promised never to be used": [c.lower() for c in notice.never_used] if notice else [],
    }
    return {subject: sorted(set(said)) for subject, said in found.items()}


def use_of_attribute(plan: Plan, name: str) -> str:
    """What a protected attribute is read for at most: a key of `DOES`."""
    if name not in [a.name for a in plan.mitigated]:
        return "measured"
    return "assigned" if plan.is_balanced else "learned"


def differences(before: Substance, now: Substance) -> list[str]:
    """In words, one for each subject that differs; empty where customers were told the same. A promise that is new harms nobody."""
    return list(_differences(before, now))


def _differences(before: Substance, now: Substance) -> Iterator[str]:
    for subject in [*now, *(s for s in before if s not in now)]:
        was, is_now = before.get(subject, []), now.get(subject, [])
        new = [s for s in is_now if s not in was] if subject != "promised never to be used" else []
        gone = [s for s in was if s not in is_now]
        if said := [f"now {', '.join(new)}"] * bool(new) + [f"no longer {', '.join(gone)}"] * bool(gone):
            yield f"{subject}: {', '.join(said)}"


def refusal(version: str, where: str, found: list[str]) -> str:
    """The line by which a plan is refused: `where` names what has the same version."""
    return (
        f"{version} is also the version of the notice {where}, which tells customers something else ({'; '.join(found)}); raise it, "
        "or put that back; nothing was written"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
