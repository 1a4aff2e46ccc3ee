"""Many draws of a balanced run at little cost: learning and mitigation as in a run, asked of a sample with seeded noise."""

from __future__ import annotations

import numpy as np

from evenhand.assignment.in_numpy import assigned
from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import CENTER_BITS
from evenhand.learn.learn import learn
from evenhand.mitigate.mitigate import Mitigated, mitigate
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import asking
from evenhand.privacy.sample import Sample


def sample_of(rows: np.ndarray, group: np.ndarray, plan: Plan, seed: int) -> Sample:
    """Rows in fixed point of these joint groups; other attributes have their first group."""
    digits, mitigated = JointGroups.of(plan).digits[group], [a.name for a in plan.mitigated]
    groups = [
        digits[:, mitigated.index(a.name)] if a.name in mitigated else np.zeros(len(rows), dtype=np.int64) for a in plan.protected
    ]
    hashes = np.random.default_rng([seed, 1]).integers(-(2**63), 2**63 - 1, len(rows), endpoint=True)
    return Sample.of(rows, np.stack(groups, axis=1), hashes)


def mitigated(people: Sample, plan: Plan, seed: int) -> Mitigated:
    ask = asking(people, SeededNoise(seed))
    return mitigate(ask, learn(ask, plan), plan)


def balanced_run(rows: np.ndarray, group: np.ndarray, plan: Plan, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Centers in the unit cube and the segment of each row, from 0; `rows` in fixed point, `group` the joint group."""
    people = sample_of(rows, group, plan, seed)
    found = mitigated(people, plan, seed)
    segment, _ = assigned(people, found.centers, found.fair_map, plan)
    return found.centers / 2**CENTER_BITS / STEPS, segment - 1
