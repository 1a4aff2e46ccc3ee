"""Which wave it is of what is counted after a run: its id, what one that is started again must agree with, and its door."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evenhand.errors import Busy, RunConflict
from evenhand.plan.load import canonical_json
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Outcome
from evenhand.plan.surveys import Survey
from evenhand.privacy.noise import NoiseSource
from evenhand.privacy.question import Question
from evenhand.privacy.release import Door
from evenhand.records.account import Loss
from evenhand.records.audit import AuditLog, Entry
from evenhand.records.lease import Lease
from evenhand.records.ledger import Ledger
from evenhand.records.runs import last_state, left_behind
from evenhand.sources.open import people_of
from evenhand.tables.store import Store
from evenhand.version import __version__

# In the audit log: before anything is spent, and once all is there.
ASK_SURVEY, SURVEY_COUNTED = "feedback", "counted feedback"
ASK_OUTCOME, OUTCOME_COUNTED = "outcomes", "counted outcomes"
BEGINS = ASK_SURVEY, ASK_OUTCOME


@dataclass(frozen=True)
class Wave:
    """What is counted as of a moment at the cost of `epsilon`: a survey by the segments of the run `about`, or an outcome of the activation
    `about`.
    """

    wave_id: str
    asked: Survey | Outcome
    epsilon: float
    about: str
    as_of: datetime

    @property
    def said(self) -> dict[str, Any]:
        """As the audit log has it; started again it must be the same."""
        return {
            "asked": self.asked.model_dump(mode="json", by_alias=True),
            "epsilon": self.epsilon,
            "about": self.about,
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
    found = (json.loads(entry.details) for entry in entries if entry.run_id == wave_id and entry.action in BEGINS)
    return next(found, None)


def gone_on(before: dict[str, Any], wave_id: str, plan: Plan, asked: Survey | Outcome, about: str | None) -> Wave:
    """The wave that is started again; raises RunConflict where the id stands for another one."""
    as_of = datetime.fromisoformat(before["as_of"])
    wave = Wave(wave_id, asked, plan.wave_budget(asked), about or before["about"], as_of)
    if before["version"] != __version__:
        raise RunConflict(
            f"--wave: Evenhand {before['version']} began {wave_id}; finish it with that version, or take another id"
        )
    if {name: before[name] for name in wave.said} != wave.said or (before["plan"], before["purpose"]) != (
        plan.name,
        plan.purpose,
    ):
        raise RunConflict(f"--wave: {wave_id} counts something else, or of other people; take another id")
    return wave


def refuse_taken(store: Store, wave_id: str) -> None:
    """Raises RunConflict where an id stands for something that is no wave of the audit log."""
    if last_state(store, wave_id) is not None or left_behind(store, wave_id) is not None:
        raise RunConflict(
            f"--wave: {wave_id} is the id of a run, or of something that the audit log does not know; take another id"
        )


def refuse_begun(audit: AuditLog, wave_id: str, lease: Lease) -> None:
    """Look, once a wave that is new has been taken, that nobody has begun it since the log was read.

    Its moment would be another, and what it has spent could not be gone on with.

    Raises:
        Busy: somebody has.
    """
    if not lease.is_first and begun(audit.check(), wave_id) is not None:
        raise Busy(f"--wave: another process was at wave {wave_id} until this moment; start it again")


def new_id(asked: Survey | Outcome) -> str:
    """The name of what is counted, the time, and four digits so that two waves of one second do not meet."""
    return f"wave-{asked.name.replace('_', '-')}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def door_of(store: Store, audit: AuditLog, plan: Plan, wave: Wave, noise: NoiseSource, question: Question, is_new: bool) -> Door:
    """The door of a wave, which asks one question.

    Pure ε whatever the plan's noise, so that it is a spending of its own.

    Raises:
        BudgetExhausted: the population's total does not cover it; nothing was spent.
        PlanError, IntegrityError, OutputError: as the ledger says of a run.
    """
    privacy = plan.privacy.model_copy(update={"epsilon": wave.epsilon, "delta": None})
    ledger = Ledger(store, audit, privacy, people_of(store.spark, plan), noise.private)
    ledger.refuse(wave.wave_id, Loss(wave.epsilon))
    return Door(store, ledger, noise, wave.wave_id, {question.name: question.cost}, resumed=not is_new)
