"""Which wave of a survey it is: its id, and what one that is started again must agree with; the audit log has both."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evenhand.errors import RunConflict
from evenhand.plan.load import canonical_json
from evenhand.plan.models import Plan
from evenhand.plan.surveys import Survey
from evenhand.records.audit import Entry
from evenhand.records.runs import last_state, left_behind
from evenhand.tables.store import Store
from evenhand.version import __version__

ASK, COUNTED = "feedback", "counted feedback"  # in the audit log: before anything is spent, and once all is there


@dataclass(frozen=True)
class Wave:
    """What is counted: the latest answers before `as_of`, by the segments of the run `segments_of`, at the cost of `epsilon`."""

    wave_id: str
    survey: Survey
    epsilon: float
    segments_of: str
    as_of: datetime

    @property
    def said(self) -> dict[str, Any]:
        """As the audit log has it; started again it must be the same."""
        return {
            "survey": self.survey.model_dump(mode="json", by_alias=True),
            "epsilon": self.epsilon,
            "segments_of": self.segments_of,
            "as_of": self.as_of.isoformat(),
        }

    @property
    def fingerprint(self) -> str:
        """Stored with the answer, which is never read for another wave."""
        return hashlib.sha256(canonical_json(self.said).encode()).hexdigest()[:16]

    def begins(self, plan: Plan, versions: dict[str, int]) -> dict[str, object]:
        """What the audit log says of a wave that begins; `versions` are those of the sources."""
        return self.said | {"version": __version__, "plan": plan.name, "purpose": plan.purpose, "sources": versions}


def begun(entries: Iterable[Entry], wave_id: str) -> dict[str, Any] | None:
    """What the audit log says of a wave that has begun."""
    found = (json.loads(entry.details) for entry in entries if (entry.run_id, entry.action) == (wave_id, ASK))
    return next(found, None)


def gone_on(before: dict[str, Any], wave_id: str, plan: Plan, survey: Survey, run_id: str | None) -> Wave:
    """The wave that is started again; raises RunConflict where the id stands for another one."""
    as_of, segments_of = datetime.fromisoformat(before["as_of"]), run_id or before["segments_of"]
    wave = Wave(wave_id, survey, plan.survey_budget(survey), segments_of, as_of)
    if before["version"] != __version__:
        raise RunConflict(
            f"--wave: Evenhand {before['version']} began {wave_id}; finish it with that version, or take another id"
        )
    if {name: before[name] for name in wave.said} != wave.said or (before["plan"], before["purpose"]) != (
        plan.name,
        plan.purpose,
    ):
        raise RunConflict(
            f"--wave: {wave_id} counts another survey, other questions, or segments of another run; take another id"
        )
    return wave


def refuse_taken(store: Store, wave_id: str) -> None:
    """Raises RunConflict where an id stands for something that is no wave of the audit log."""
    if last_state(store, wave_id) is not None or left_behind(store, wave_id) is not None:
        raise RunConflict(
            f"--wave: {wave_id} is the id of a run, or of something that the audit log does not know; take another id"
        )


def new_id(survey: Survey) -> str:
    """The survey's name, the time, and four digits so that two waves of one second do not meet."""
    return f"wave-{survey.name.replace('_', '-')}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
