"""How the segments are learned, and what each question of it may spend: a public rule, from numbers in the plan alone.

A look at exact costs would choose better, and would tell about people. So the rule sees the expected population, the
number of features, the largest k and ε, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from evenhand.plan.accounting import like_laplace
from evenhand.plan.categories import independent
from evenhand.plan.models import Plan

BOUNDS, MARGINALS, SUMMARY = "bounds", "marginals", "summary"
GROUPS, MARGINS = "groups", "margins"
ASSESSMENT, MOVEMENT, DISTRIBUTION = "assessment", "movement", "distribution"
# In `strength`, expected customers × ε of the learning / (k × features); with Gaussian noise, that of noise as strong. All
# from trials over several draws of the mixes in docs/evidence/accuracy.md, at 10^4 to 10^6 customers.
PLAIN_BELOW = 20.0  # histograms and steps are mostly noise here; a single question, asked loudly, says as much or is refused
PLAIN_FROM = 30_000.0  # from here on, and for very many customers, one pass over fixed boxes is within two percent ...
VERY_MANY = 4_000_000  # ... and each further pass over the people would take seconds
SEVERAL_STEPS_FROM = 500.0  # the noise of a step is so small that three of them, at less ε each, come further than one
SEVERAL_STEPS = 3
MARGINALS_SHARE, REFINEMENTS_SHARE = 0.15, 0.3  # of the learning's budget, the rest for the boxes
# Of the mitigation's budget. Where the groups are needs little; how many of each are in a segment at last decides what is kept.
GROUPS_SHARE, MARGINS_SHARE = 0.15, 0.25  # when balanced, the rest for the counts of the balance
BALANCES = 3  # counts where noise rules, each corrected after; where it does not, the first correction is as good as all
CHECKS, CHECKS_SHARE = 2, 0.1  # of the learning's budget, before the only step, when balanced: see learn/checked.py


def learning_budget(plan: Plan) -> float:
    """What is spent on the segments themselves, in the unit of the plan's budget: without what mitigation takes of it."""
    asked = plan.fairness.mitigation
    return plan.shared_budget * plan.privacy.split.summary * (1 - (asked.share if asked else 0.0))


def strength(plan: Plan) -> float:
    """How far a segment's mean stands above its noise, by public numbers."""
    noise = like_laplace(learning_budget(plan) / independent(plan.features), plan.privacy.unit)
    return plan.privacy.expected_customers / (max(plan.segments.candidates) * noise)


@dataclass(frozen=True)
class Method:
    """What each question costs, in the unit of the plan's budget: `marginals` (0: the boxes are cut at midpoints), `summary`,
    each of the `checks` and of the `refinements`; with mitigation those of its own questions by name, the first of them asked
    with the summary and the others last.
    """

    marginals: float
    summary: float
    refinements: tuple[float, ...]
    mitigation: tuple[tuple[str, float], ...] = ()
    checks: tuple[float, ...] = ()

    @property
    def moves_centers(self) -> bool:
        """Whether mitigation may move the centers on the boxes; where noise rules those, steps on the people know better."""
        return len(self.refinements) != 1

    @classmethod
    def of(cls, plan: Plan) -> Method:
        budget, above, asked = learning_budget(plan), strength(plan), plan.fairness.mitigation
        whole, is_balanced = plan.shared_budget * plan.privacy.split.summary, plan.is_balanced
        quick = above >= PLAIN_FROM and plan.privacy.expected_customers >= VERY_MANY
        one_step = PLAIN_BELOW <= above < SEVERAL_STEPS_FROM
        mitigation = _mitigation(whole - budget, is_balanced, BALANCES if above < SEVERAL_STEPS_FROM else 1) if asked else ()
        if quick or above < PLAIN_BELOW:
            return cls(0.0, budget, (), mitigation)
        steps = 1 if one_step else SEVERAL_STEPS
        checks = (budget * CHECKS_SHARE / CHECKS,) * CHECKS if one_step and is_balanced else ()
        marginals, each = budget * MARGINALS_SHARE, budget * REFINEMENTS_SHARE / steps
        return cls(marginals, budget - marginals - steps * each - sum(checks), (each,) * steps, mitigation, checks)

    @property
    def questions(self) -> dict[str, float]:
        """The cost of each question by its name, in the order of asking."""
        first = {MARGINALS: self.marginals} if self.marginals else {}
        checks = {check(i): e for i, e in enumerate(self.checks, 1)}
        steps = {refinement(i): e for i, e in enumerate(self.refinements, 1)}
        return first | {SUMMARY: self.summary} | dict(self.mitigation[:1]) | checks | steps | dict(self.mitigation[1:])

    @property
    def balances(self) -> int:
        """How often the balance is counted."""
        return sum(name.startswith("balance ") for name, _ in self.mitigation)


def questions_of(plan: Plan) -> dict[str, float]:
    """The cost of every question that a run of the plan may ask, by its name, in the order of asking."""
    split, budget = plan.privacy.split, plan.shared_budget
    first = {BOUNDS: plan.bounds_budget} if plan.to_find else {}
    last = {DISTRIBUTION: plan.distribution_budget} if plan.segments.distribution else {}
    last |= {MOVEMENT: plan.movement_budget} if plan.segments.movement else {}
    return first | Method.of(plan).questions | {ASSESSMENT: budget * (split.profiles + split.fairness)} | last


def _mitigation(budget: float, is_balanced: bool, counts: int) -> tuple[tuple[str, float], ...]:
    if not is_balanced:
        return ((GROUPS, budget),)
    last = budget * (1 - GROUPS_SHARE - MARGINS_SHARE) / counts
    first = ((GROUPS, budget * GROUPS_SHARE), (MARGINS, budget * MARGINS_SHARE))
    return first + tuple((balance(i), last) for i in range(1, counts + 1))


def check(number: int) -> str:
    """The name of the question whether the noise made a segment, from 1."""
    return f"check {number}"


def balance(number: int) -> str:
    """The name of the count of the groups once customers have moved, from 1."""
    return f"balance {number}"


def refinement(number: int) -> str:
    """The name of the question of a private Lloyd step, from 1."""
    return f"refinement {number}"
