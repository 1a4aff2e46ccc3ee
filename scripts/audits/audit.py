"""The audit of every release and of the way from the summary to the centers, on neighboring inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from bound import epsilon_lower_bound
from evenhand.ask.boxes import COUNT, Summary, read_summary
from evenhand.errors import DataError
from evenhand.learn.cluster import fast_fit
from evenhand.plan.accounting import epsilon_of
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise
from evenhand.privacy.question import Integers, Part
from evenhand.privacy.release import made_up
from sensitivity import Mechanism, sound
from world import NOBODY, Exact

Floats = NDArray[np.float64]
AUDITS = 1_000  # more than one call makes; the false alarm of all of them together is shared among so many
ALARM = 1e-6
DELTA = 0.05  # at which a ρ is audited: it promises an ε for every δ, and a large one needs the fewest runs


@dataclass(frozen=True)
class Finding:
    """`bound` is a lower confidence bound on ε, of `audit_spread` on ρ; above `claim` the promise is broken."""

    release: str
    part: str
    case: str
    claim: float
    bound: float

    @property
    def passed(self) -> bool:
        return self.bound <= self.claim


def audit_release(one: Exact, other: Exact, case: str, runs: int, mechanism: Mechanism = sound) -> list[Finding]:
    """Each part that differs between the two inputs, and all parts together; of who may not be used the claim is zero."""
    findings, sums = [], [np.zeros((runs, 2)), np.zeros((runs, 2))]
    for part in one.parts:
        a, b = (answer.vectors[part.name].reshape(-1, part.width) for answer in (one, other))
        rows = (a != b).any(axis=1)
        if not rows.any():
            continue
        a, b = a[rows].ravel(), b[rows].ravel()
        samples = [_statistics(part, exact, a, b, runs, mechanism) for exact in (a, b)]
        bound = epsilon_lower_bound(samples[0], samples[1], ALARM / AUDITS, _delta(part))
        findings.append(Finding(one.question, part.name, case, _claim([part], case), bound))
        sums = [s + sample[:, :2] for s, sample in zip(sums, samples, strict=True)]
    together = epsilon_lower_bound(sums[0], sums[1], ALARM / AUDITS, _delta(one.parts[0]))
    return [*findings, Finding(one.question, "all parts", case, _claim(one.parts, case), together)]


def audit_spread(one: Exact, other: Exact, case: str, runs: int, mechanism: Mechanism = sound) -> list[Finding]:
    """Of Gaussian noise more is known than what events tell: a lower bound on each part's ρ, from how far its draws spread.

    That is the squared change over twice the greatest variance that the draws allow (chi-squared), so few runs tell a factor of two.
    Noise of another shape is left to `audit_release`.
    """
    findings = []
    for part in one.parts:
        a, b = one.vectors[part.name], other.vectors[part.name]
        rows = (a != b).reshape(-1, part.width).any(axis=1)
        if not rows.any():
            continue
        exact = np.tile(b.reshape(-1, part.width)[rows].ravel(), runs)
        draws = (mechanism(replace(part, cells=len(exact)), exact) - exact).astype(np.float64)
        most = float((draws**2).sum()) / chi2.ppf(ALARM / AUDITS, len(draws))
        change = float(((b - a).astype(np.float64) ** 2).sum())
        findings.append(Finding(one.question, part.name, case, part.cost, change / (2 * most) if most else np.inf))
    return findings


def _delta(part: Part) -> float:
    return 0.0 if part.unit == "epsilon" else DELTA


def _claim(parts: Sequence[Part], case: str) -> float:
    """The ε that parts promise together, at the δ of the audit where they are priced in ρ; nothing of who may not be used."""
    if case == NOBODY:
        return 0.0
    cost = sum(p.cost for p in parts)
    return cost if parts[0].unit == "epsilon" else epsilon_of(cost, DELTA)


def _statistics(part: Part, exact: Integers, a: Integers, b: Integers, runs: int, mechanism: Mechanism) -> Floats:
    """Of each run: the log likelihood ratio under the claimed noise, the cells left as on the first input, one cell's value.

    Rows that do not differ get noise of their own and tell nothing about which input it was; leaving them out is
    post-processing, so a bound without them is a bound.
    """
    many = replace(part, cells=runs * len(exact))
    noisy = mechanism(many, np.tile(exact, runs)).reshape(runs, len(exact))
    widest = int(np.argmax(np.abs(a - b)))
    return np.stack([log_ratio(part, noisy, a, b), (noisy == a).sum(axis=1), noisy[:, widest]], axis=1).astype(np.float64)


def log_ratio(part: Part, noisy: Integers, a: Integers, b: Integers) -> Floats:
    """How much likelier the claimed noise makes each run of `noisy` (runs, cells) on `b` than on `a`: the logarithm, of Gaussian noise twice that, (runs,)."""
    if part.unit == "epsilon":
        far, near = (np.abs(noisy - c).reshape(len(noisy), -1, part.width).max(axis=2) for c in (a, b))
        return np.asarray((far - near).sum(axis=1) / part.noise.scale)
    squares = ((noisy - c).astype(np.float64) ** 2 for c in (a, b))
    return np.asarray(np.subtract(*squares).sum(axis=1) / part.noise.scale**2)


def audit_path(
    one: Exact, other: Exact, plan: Plan, case: str, runs: int, to_centers: bool, mechanism: Mechanism = sound
) -> Finding:
    """The summary after noise as it is read, or the centers learned from it, against the ε of the whole summary."""
    samples = [_path(exact, plan, runs, to_centers, mechanism) for exact in (one, other)]
    bound = epsilon_lower_bound(samples[0], samples[1], ALARM / AUDITS)
    name = "summary to centers" if to_centers else "summary as read"
    return Finding(name, "all parts", case, sum(p.cost for p in one.parts), bound)


def _path(exact: Exact, plan: Plan, runs: int, to_centers: bool, mechanism: Mechanism) -> Floats:
    noisy = {}
    for part in exact.parts:
        many = replace(part, cells=runs * part.cells)
        noisy[part.name] = mechanism(many, np.tile(exact.vectors[part.name], runs)).reshape(runs, part.cells)
    boxes = len(exact.vectors[COUNT])
    rows = []
    for run in range(runs):
        answer = {name: values[run].copy() for name, values in noisy.items()}
        # The door's own key: the audit stands on both sides of it, with noise that may be faulty on purpose.
        summary = read_summary(made_up(answer, exact.parts, NoNoise()), plan)
        rows.append(_centers(summary, plan) if to_centers else _as_read(summary, boxes))
    return np.array(rows, dtype=np.float64)


def _as_read(summary: Summary, boxes: int) -> list[float]:
    weights = np.zeros(boxes)
    weights[summary.boxes] = summary.weights
    return [*weights.tolist(), float(len(summary.boxes)), float(summary.weights.sum())]


def _centers(summary: Summary, plan: Plan) -> list[float]:
    k = max(plan.segments.candidates)
    try:
        fit = fast_fit(summary, k, plan.segments.restarts)
    except DataError:
        return [-1.0] * (k * len(plan.features) + 1)
    return [*np.sort(fit.centers, axis=0).ravel().tolist(), fit.cost]
