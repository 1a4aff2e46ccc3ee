"""What the audit log says of a run that begins: what for, on what grounds, from which sources, and why groups are balanced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from evenhand.plan.load import fingerprint
from evenhand.plan.models import Plan


def statement(plan: Plan, as_of: datetime, versions: Mapping[str, int], private: bool) -> dict[str, object]:
    """`versions` are those that the sources are pinned to, `private` whether the noise is."""
    said: dict[str, object] = {
        "plan": plan.name,
        "fingerprint": fingerprint(plan),
        "purpose": plan.purpose,
        "description": plan.description,
        "legal_basis": plan.legal_basis,
        "as_of": as_of.isoformat(),
        "sources": dict(versions),
        "not_private": not private,
    }
    if (mitigation := plan.fairness.mitigation) is not None:
        said["mitigation"] = {
            "method": mitigation.method,
            "attributes": [a.name for a in plan.mitigated],
            "justification": mitigation.justification,
        }
    return said
