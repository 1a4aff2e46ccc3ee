"""The audit of all that a run asks to learn segments, one answer after the other deciding what is asked next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit import ALARM, AUDITS, Finding, log_ratio
from bound import epsilon_lower_bound
from evenhand.errors import DataError
from evenhand.learn.learn import learn
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise
from evenhand.privacy.question import Question
from evenhand.privacy.release import Release, made_up
from evenhand.privacy.sample import Sample
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

    def ask(*questions: Question) -> list[Release]:
        return [answer(question) for question in questions]

    def answer(question: Question) -> Release:
        mine, a, b = (question.of_sample(Sample.of(of)) for of in (rows, one, other))
        noisy = {p.name: mechanism(p, mine[p.name]) for p in question.parts}
        for part in question.parts:
            found, first, second = noisy[part.name], a[part.name], b[part.name]
            seen[0] += log_ratio(part, found[None], first, second)[0]
            seen[1] += (found == first)[first != second].sum()
        return made_up(noisy, question.parts, NoNoise())

    try:
        centers = np.sort(learn(ask, plan).centers, axis=0).ravel().astype(float)
    except DataError:
        centers = np.full(max(plan.segments.candidates) * len(plan.features), -1.0)
    return [*seen, *centers]
