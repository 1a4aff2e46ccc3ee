"""What is read from the noisy histograms: no more than can be believed, and which features fill little of their bounds."""

from __future__ import annotations

import numpy as np

from evenhand.ask.histograms import BINS, histograms, outside_fullest, read_marginals, without_negatives
from evenhand.plan.crowded import crowded
from evenhand.plan.geometry import STEPS, Boxes
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import Release, asking
from evenhand.privacy.sample import Sample
from sample import BASE, plan_yaml

FEW = 3_000


def asked(rows: np.ndarray, plan: Plan, noise: SeededNoise) -> Release:
    return asking(Sample.of(rows), noise)(histograms(plan))[0]


def plan_of(epsilon: float) -> Plan:
    return parse_plan(
        plan_yaml({"privacy.epsilon": epsilon, "privacy.population_total": 100.0, "privacy.expected_customers": FEW})
    )


def people(seed: int) -> np.ndarray:
    """Even in the first feature, in the lowest twentieth of the second, in the middle of the third."""
    random = np.random.default_rng(seed)
    columns = random.random(FEW), random.random(FEW) / 20, random.normal(0.5, 0.1, FEW)
    return (np.clip(np.stack(columns, axis=1), 0, 1 - 1e-9) * STEPS).astype(np.int64)


def test_a_histogram_that_is_mostly_noise_is_nearer_to_the_truth_than_its_noisy_bins() -> None:
    """Seeded. Cut off below zero alone, the noise of an even feature looks like a few crowds."""
    plan, rows = plan_of(0.5), people(1)
    truth, off = np.stack([np.bincount(c >> 10, minlength=BINS) / FEW for c in rows.T]), []
    for seed in range(10):
        release = asked(rows, plan, SeededNoise(seed))
        shares = read_marginals(release, plan).shares
        assert shares.min() >= 0
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)
        cut = np.stack([without_negatives(release[name].astype(np.float64)) for name in plan.feature_names])
        off.append([((of - truth) ** 2).sum(axis=1) for of in (shares, cut)])
    believed, cut_off = np.mean(off, axis=0)
    assert (believed[[0, 2]] < 0.5 * cut_off[[0, 2]]).all()
    assert believed.sum() < 0.8 * cut_off.sum()  # a single peak, as in the second, is drawn down a little


def test_with_little_noise_the_histograms_are_the_truth() -> None:
    rows = people(1)
    truth = np.stack([np.bincount(c >> 10, minlength=BINS) / FEW for c in rows.T])
    plan = plan_of(100.0)
    np.testing.assert_allclose(read_marginals(asked(rows, plan, SeededNoise(1)), plan).shares, truth, atol=2e-3)


def test_a_feature_that_fills_little_of_its_bounds_is_warned_of_and_no_other() -> None:
    for seed in range(5):
        said = warned(seed, epsilon=10.0)
        assert len(said) == 1
        assert "an eighth of the bounds of spent, so it hardly counts in the segments. Narrower bounds would" in said[0]
    assert not warned(seed=1, epsilon=0.1)  # nothing can be told there


def warned(seed: int, epsilon: float) -> list[str]:
    plan = plan_of(epsilon)
    found = outside_fullest(asked(people(seed), plan, SeededNoise(seed)), plan)
    return crowded({name: most for name, (_, _, most) in found.items()}, plan)


def test_boxes_that_nobody_looked_at_do_not_hang_on_the_order_of_the_features_in_the_plan() -> None:
    forward, backward = (
        parse_plan(plan_yaml({"features": features, "privacy.expected_customers": 250}))
        for features in (BASE["features"], BASE["features"][::-1])
    )
    assert dict(zip(forward.feature_names, Boxes.of(forward).edges, strict=True)) == dict(
        zip(backward.feature_names, Boxes.of(backward).edges, strict=True)
    )
