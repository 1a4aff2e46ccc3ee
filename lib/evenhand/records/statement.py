"""What the audit log says of a run that begins: what for, on what grounds, from which sources, and why groups are balanced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from evenhand.plan.load import fingerprint
from evenhand.plan.models import Plan
from evenhand.records.origin import Origin
from evenhand.version import __version__


def statement(
    plan: Plan,
    as_of: datetime,
    versions: Mapping[str, int],
    private: bool,
    key_check: str | None = None,
    origin: Origin | None = None,
) -> dict[str, object]:
    """`versions`: of the sources. `private`: whether the noise is. `key_check`: the key's check value, of a run that begins.
    `origin`: the run whose centers it takes."""
    said: dict[str, object] = {
        "version": __version__,
        "plan": plan.name,
        "fingerprint": fingerprint(plan),
        "purpose": plan.purpose,
        "description": plan.description,
        "legal_basis": plan.legal_basis,
        "as_of": as_of.isoformat(),
        "sources": dict(versions),
        "not_private": not private,
    }
    if origin is not None:
        said["centers"] = {"run_id": origin.run_id, "as_of": origin.as_of.isoformat()}
    if key_check is not None:
        said["key"] = {"id": plan.pseudonyms.key_id, "check": key_check}
    if (moved := plan.privacy.population_moved) is not None:
        said["population_moved"] = moved.model_dump(by_alias=True)
    if (mitigation := plan.fairness.mitigation) is not None:
        said["mitigation"] = {
            "method": mitigation.method,
            "attributes": [a.name for a in plan.mitigated],
            "justification": mitigation.justification,
        }
    return said
