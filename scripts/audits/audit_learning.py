"""The audit of all that a run asks to learn segments, one answer after the other deciding what is asked next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accuracy_evenhand import Exact, StandIn, learned
from audit import ALARM, AUDITS, Finding, log_ratio
from bound import epsilon_lower_bound
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.question import Part
from sensitivity import Mechanism, sound

Rows = NDArray[np.int64]


def audit_learning(one: Rows, other: Rows, plan: Plan, case: str, runs: int, mechanism: Mechanism = sound) -> list[Finding]:
    """All answers together, and the centers they lead to, against the ε of all questions; of two tables of features in fixed point."""
    samples = [np.array([_run(rows, one, other, plan, mechanism) for _ in range(runs)]) for rows in (one, other)]
    claim = sum(Method.of(plan).questions.values())
    parts = {"all answers": slice(0, 2), "centers": slice(2, None)}
    return [
        Finding("learning", name, case, claim, epsilon_lower_bound(samples[0][:, some], samples[1][:, some], ALARM / AUDITS))
        for name, some in parts.items()
    ]


def _run(rows: Rows, one: Rows, other: Rows, plan: Plan, mechanism: Mechanism) -> list[float]:
    """Of all answers the log likelihood ratio under the claimed noise and the cells left as on the first input; the centers."""
    seen = np.zeros(2)

    def ask(parts: tuple[Part, ...], exact: Exact) -> StandIn:
        mine, a, b = exact(rows), exact(one), exact(other)
        noisy = {p.name: mechanism(p, mine[p.name]) for p in parts}
        for part in parts:
            found, first, second = noisy[part.name], a[part.name], b[part.name]
            seen[0] += log_ratio(part, found[None], first, second)[0]
            seen[1] += (found == first)[first != second].sum()
        return StandIn(noisy, parts)

    centers = learned(plan, ask)
    width = max(plan.segments.candidates) * len(plan.features)
    return [*seen, *(np.full(width, -1.0) if centers is None else np.sort(centers, axis=0).ravel())]
