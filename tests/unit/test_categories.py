"""Features of a column with categories: what the plan makes of them, and that they are learned and told truly."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import adjusted_rand_score

from evenhand.ask.assessment import SUMS, assessment_parts, segment_tallies
from evenhand.ask.histograms import histogram_parts
from evenhand.ask.rows import block_part
from evenhand.assignment.in_numpy import assigned
from evenhand.assignment.nearest import rounded_centers
from evenhand.describe.distances import read_distances
from evenhand.describe.everybody import variances
from evenhand.describe.fifths import read_fifths
from evenhand.describe.label import NOTICEABLE, labels
from evenhand.describe.profiles import read_profiles
from evenhand.describe.worth import worth
from evenhand.errors import PlanError
from evenhand.fairness.proxies import proxies
from evenhand.learn.learn import learn
from evenhand.mitigate.mitigate import mitigate
from evenhand.people.person import sentence
from evenhand.people.why import why
from evenhand.plan.categories import COUNTS, blocks, numbers
from evenhand.plan.columns import needed_columns, reasons
from evenhand.plan.expressions import inspect_row
from evenhand.plan.geometry import STEPS, Boxes, to_fixed
from evenhand.plan.groups import group_tables
from evenhand.plan.load import canonical, parse_plan
from evenhand.plan.method import Method, strength
from evenhand.plan.metric import shares, stretch
from evenhand.plan.models import Plan
from evenhand.plan.parted import FULL, Parted
from evenhand.privacy.noise import NoNoise, SeededNoise
from evenhand.privacy.release import asking
from evenhand.privacy.sample import Sample
from plans import any_plan
from sample import plan_yaml

N = 20_000
CHANNEL: dict[str, Any] = {
    "kind": "categories",
    "name": "channel",
    "why": "offers go out where somebody shops",
    "column": "last channel",
    "categories": {"shop": ["shop", "l'échoppe"], "online": ["web", 1, True]},
}


def with_entry(entry: Any = CHANNEL, **changes: Any) -> Plan:
    return parse_plan(plan_yaml({"features.3": entry | changes}))


def test_each_category_is_a_feature_of_percent_and_the_others_are_the_last() -> None:
    plan = with_entry()
    assert plan.feature_names == ["tenure", "spent", "visits", "channel_shop", "channel_online", "channel_other"]
    assert [f.expression for f in plan.features[3:]] == [
        "if(cast(`last channel` as string) in ('shop', \"l'échoppe\"), 100, 0)",
        "if(cast(`last channel` as string) in ('web', '1', 'true'), 100, 0)",
        "if(cast(`last channel` as string) in ('shop', \"l'échoppe\", 'web', '1', 'true'), 0, 100)",
    ]
    assert {(f.bounds, f.missing, f.unit, f.why) for f in plan.features[3:]} == {((0, 100), 0, "%", CHANNEL["why"])}
    assert all(inspect_row(str(f.expression)) == ("last channel",) for f in plan.features[3:])
    assert needed_columns(plan)["customers"].count("last channel") == 1
    assert [why for _, column, why in reasons(plan) if column == "last channel"] == [f"feature channel: {CHANNEL['why']}"]


def test_the_plan_is_the_same_once_it_was_stored() -> None:
    plan = with_entry(weight=2)
    again = Plan.model_validate(json.loads(canonical(plan)))
    assert canonical(again) == canonical(plan)
    assert blocks(again.features) == blocks(plan.features)
    assert "category" not in canonical(parse_plan(plan_yaml()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": ["rfm"]}, "there is no kind ['rfm']; known: rfm, categories"),
        ({"kind": 7}, "there is no kind 7"),
        ({"others": "shop"}, "shop is the name of two categories; state another as others"),
        ({"categories": {"a": ["x"], "b": ["y", "x"]}}, "the value x is in two categories"),
        ({"categories": {"a": ["true"], "b": [True]}}, "the value true is in two categories"),
        ({"categories": {"a": []}}, "a category without values holds nobody; leave it out"),
        ({"categories": {"a": ["x\\y"]}}, "the value x\\y has a backslash"),
        ({"categories": {"a": [1.5]}}, "a text, a whole number or a boolean is needed"),
        ({"categories": {"a b": ["x"]}}, "a name has small letters"),
        ({"name": "how_somebody_came_to_us_first_of_all"}, "_shop would be the name of a feature, of more than 40 letters"),
        ({"column": "sex"}, "column sex is the protected attribute gender"),
        ({"name": "spent"}, "spent is the name of a feature too; choose another"),
        ({"wheight": 2}, "unknown key; did you mean weight?"),
        ({"weight": 0}, "greater than or equal to 0.05"),
        ({"bounds": [0, 1]}, "unknown key"),
    ],
)
def test_a_mistake_is_told_in_one_line_at_its_place(change: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError) as wrong:
        with_entry(**change)
    (problem,) = wrong.value.problems
    assert told in problem
    assert problem.startswith("line ")
    assert "features." in problem


@pytest.mark.parametrize(
    "by_hand",
    [
        {"category": {"of": "channel", "column": "c", "values": ["a"]}},
        {"category": {"of": "channel", "column": "c", "values": ["a"]}, "bounds": [0, 100], "expression": "if(c = 'a', 100, 0)"},
    ],
)
def test_nobody_can_say_by_hand_that_a_feature_is_a_category(by_hand: dict[str, Any]) -> None:
    """Whether somebody is in one category of a column alone decides how much noise there is."""
    feature = {"name": "x", "why": "t", "expression": "if(c = 'b', 1, 0)", "bounds": [0, 1], "missing": 0} | by_hand
    with pytest.raises(PlanError, match="category is made by an entry of kind: categories; write that"):
        parse_plan(plan_yaml({"features.3": feature}))


def test_categories_that_overlap_are_refused_in_a_stored_plan_too() -> None:
    stored = json.loads(canonical(with_entry()))
    category = stored["features"][3]["category"] | {"values": ["web"]}
    stored["features"][3] |= {"category": category, "expression": "if(cast(`last channel` as string) in ('web'), 100, 0)"}
    with pytest.raises(PlanError, match="made by an entry of kind: categories"):
        parse_plan(json.dumps(stored))


def test_two_columns_of_categories_have_two_names() -> None:
    other = CHANNEL | {"column": "first channel", "categories": {"paper": ["paper"]}, "others": "rest"}
    with pytest.raises(PlanError) as wrong:
        parse_plan(plan_yaml({"features.3": CHANNEL, "features.4": other}))
    assert [problem.split(": ", 1)[1] for problem in wrong.value.problems] == ["features.channel.name: channel is named twice"]
    both = parse_plan(plan_yaml({"features.3": CHANNEL, "features.4": other | {"name": "first"}}))
    assert [block.name for block in blocks(both.features)] == ["channel", "first"]


def test_entries_that_stand_for_too_many_features_are_counted() -> None:
    many = [CHANNEL | {"name": f"c{i}", "categories": {f"v{v}": [v] for v in range(30)}} for i in range(2)]
    with pytest.raises(PlanError, match="the entries stand for 65 features, of which a plan has at most 60; leave some out"):
        parse_plan(plan_yaml({"features.3": many[0], "features.4": many[1]}))


def test_a_plan_of_categories_alone_is_refused() -> None:
    with pytest.raises(PlanError, match="all are categories"):
        parse_plan(plan_yaml({"features": [CHANNEL], "sources.events": {}}))


def test_a_column_counts_like_one_feature_however_many_categories_it_has() -> None:
    for number in (1, 5, 29):
        plan = any_plan(3, categories=(number,), expected=100_000)
        assert strength(plan) == strength(any_plan(4, expected=100_000))
        assert {part.name: part.cells for part in histogram_parts(plan)}["c0"] == number + 1
        assert len({part.cost for part in histogram_parts(plan)}) == 1
        wide = stretch(plan.features)
        # Who differs in the category alone is as far apart as two who are one deviation of evenly spread customers apart.
        assert 2 * wide[-1] ** 2 / wide[0] ** 2 == pytest.approx(1 / 12)
        assert shares(plan.features)["c0"] == pytest.approx(1 / 12 / (3 + 1 / 12))


def people(plan: Plan, points: np.ndarray, category: np.ndarray, seed: int = 0) -> Sample:
    """Customers with values of numbers in the plan's units, and a category each."""
    random, of_numbers = np.random.default_rng(100 + seed), numbers(plan.features)
    fixed = np.zeros((len(points), len(plan.features)), dtype=np.int64)
    fixed[:, of_numbers] = to_fixed(points, [plan.features[j] for j in of_numbers])
    (block,) = blocks(plan.features)
    fixed[:, block.columns] = np.eye(len(block.columns), dtype=np.int64)[category] * FULL
    groups = np.stack([random.integers(0, len(a.group_names), len(points)) for a in plan.protected], axis=1)
    return Sample.of(fixed, groups, random.integers(0, 2**40, len(points)))


def four_kinds(seed: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    kind = random.integers(0, 4, N)
    points = np.stack([25 + 50 * (kind // 2), 25 + 50 * (kind % 2)], axis=1) + random.normal(0, spread, (N, 2))
    return np.clip(points, 0, 100), kind


def learned(plan: Plan, points: np.ndarray, category: np.ndarray, seed: int) -> np.ndarray:
    sample, ask = people(plan, points, category), asking(people(plan, points, category), SeededNoise(seed))
    found = learn(ask, plan)
    moved = mitigate(ask, found, plan) if plan.fairness.mitigation else found
    return assigned(sample, moved.centers, moved.fair_map, plan)[0]


@pytest.mark.parametrize("method", [None, "group_blind", "balanced"])
def test_twenty_categories_that_say_nothing_drown_nothing(method: str | None) -> None:
    points, kind = four_kinds(1, spread=8)
    category = np.random.default_rng(2).integers(0, 20, N)
    plan = any_plan(2, 4, (2,), mitigation=method, expected=N, categories=(19,))
    assert adjusted_rand_score(kind, learned(plan, points, category, 1)) > 0.95


def test_categories_that_tell_segments_apart_do() -> None:
    """Where the numbers overlap: as many as the plan's weight makes them count."""
    points, kind = four_kinds(1, spread=25)
    category = np.where(np.random.default_rng(2).random(N) < 0.9, kind, 4)
    found = []
    for categories, weight in ((0, 1.0), (4, 1.0), (4, 2.0)):
        plan = any_plan(2, 4, (2,), expected=N, categories=(categories,) if categories else ())
        plan = plan.model_copy(
            update={"features": [f.model_copy(update={"weight": f.weight * weight}) if f.category else f for f in plan.features]}
        )
        if categories:
            found.append(adjusted_rand_score(kind, learned(plan, points, category, 1)))
        else:
            sample = Sample.of(to_fixed(points, plan.features), np.zeros((N, 1), dtype=np.int64))
            centers = learn(asking(sample, SeededNoise(1)), plan).centers
            found.append(adjusted_rand_score(kind, assigned(sample, centers, None, plan)[0]))
    assert found[0] < 0.45 < found[1] < 0.6 < 0.75 < found[2]


@given(st.lists(st.integers(1, 8), min_size=1, max_size=3), st.integers(1, 4), st.floats(0.1, 100), st.integers(0, 2**32 - 1))
def test_boxes_part_everybody_once_and_hold_whom_they_say(
    categories: list[int], features: int, epsilon: float, seed: int
) -> None:
    plan = any_plan(features, categories=categories, epsilon=epsilon, expected=50_000)
    boxes, random = Boxes.of(plan), np.random.default_rng(seed)
    assert boxes.features == len(plan.features)
    from evenhand.ask.boxes import boxes_in

    points = random.integers(0, STEPS, (50, len(plan.features)))
    for block in blocks(plan.features):
        points[:, block.columns] = np.eye(len(block.columns), dtype=np.int64)[random.integers(0, len(block.columns), 50)] * FULL
    keys = boxes_in(Sample.of(points), boxes)
    low, high = boxes.ends
    assert ((points >= low[keys]) & (points <= high[keys])).all()
    assert boxes.count <= max(4, plan.privacy.expected_customers)


def test_the_largest_categories_are_apart_first() -> None:
    parted = Parted.largest((3, 4, 5, 6), [0.1, 0.4, 0.2, 0.3], 3)
    assert parted.of == (2, 0, 2, 1)
    shares_of = np.array([0.1, 0.4, 0.2, 0.3])
    spreads = [Parted.largest((0, 1, 2, 3), shares_of.tolist(), i).spread(shares_of) for i in (1, 2, 3, 4)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(parted.inside(shares_of)[2], [1 / 3, 0, 2 / 3, 0], atol=1e-6)


def released(
    plan: Plan, seed: int, method: Any = SeededNoise, tied: float = 0.5
) -> tuple[Any, Any, Sample, np.ndarray, np.ndarray]:
    points, kind = four_kinds(seed, spread=8)
    random = np.random.default_rng(seed)
    category = np.where(random.random(N) < tied, kind, random.integers(0, 6, N))
    sample = people(plan, points, category, seed)
    centers = (learn(asking(sample, NoNoise()), plan)).centers
    segment, _ = assigned(sample, centers, None, plan)
    (release,) = asking(sample, method(seed) if method is SeededNoise else method())(segment_tallies(centers, None, plan))
    return release, centers, sample, segment, category


def test_without_noise_every_figure_of_a_category_is_exact() -> None:
    plan = any_plan(2, 4, (2,), expected=N, categories=(5,), epsilon=2)
    release, centers, sample, segment, category = released(plan, 0, NoNoise)
    profiles, columns = read_profiles(release, plan), list(blocks(plan.features)[0].columns)
    for s in range(4):
        shares_of = np.bincount(category[segment == s + 1], minlength=6) / (segment == s + 1).sum()
        np.testing.assert_allclose(profiles.value[s, columns], 100 * shares_of, atol=0.01)
    every = np.bincount(category, minlength=6) / N
    np.testing.assert_allclose(variances(release, plan, 4)[0][columns], FULL**2 * every * (1 - every), rtol=1e-9)
    found = worth(release, centers, plan)
    places = sample.points / STEPS * stretch(plan.features)
    apart = ((places - centers[segment - 1] / 16 / STEPS * stretch(plan.features)) ** 2).sum()
    alone = ((places - places.mean(axis=0)) ** 2).sum()
    assert found.alone.value == pytest.approx(alone, rel=1e-3)
    assert found.gain.value == pytest.approx(alone - apart, rel=1e-3)
    (table,) = [t for t in group_tables(plan) if t.name == "a0"]
    told = proxies(release, table, plan, 4, np.ones(table.size, dtype=bool))
    assert {p.feature for p in told} == set(plan.feature_names)
    assert max(p.strength.value for p in told) < 0.05  # groups at random


DRAWS = 200


@pytest.mark.parametrize("delta", [None, 1e-6])
def test_intervals_of_shares_of_categories_hold_what_they_promise(delta: float | None) -> None:
    """95 % for each share; false alarms below 1e-6 by the binomial distribution of the runs, in which cells hang together little."""
    plan = any_plan(2, 4, (2,), expected=N, categories=(5,), epsilon=0.5, delta=delta)
    columns, inside, worths = list(blocks(plan.features)[0].columns), [], []
    exact, centers, sample, segment, category = released(plan, 0, NoNoise)
    truth = np.stack([np.bincount(category[segment == s + 1], minlength=6) / (segment == s + 1).sum() for s in range(4)]) * 100
    value = worth(exact, centers, plan)
    question = segment_tallies(centers, None, plan)
    for seed in range(DRAWS):
        (release,) = asking(sample, SeededNoise(seed))(question)
        found = read_profiles(release, plan)
        inside.append((found.value_low[0, columns[0]] <= truth[0, 0]) & (truth[0, 0] <= found.value_high[0, columns[0]]))
        told = worth(release, centers, plan)
        worths.append(
            told.gain.low <= value.gain.value <= told.gain.high and told.alone.low <= value.alone.value <= told.alone.high
        )
        assert not np.isnan(found.value[:, columns]).any()  # narrow enough to be told
    for held in (inside, worths):
        assert binom.cdf(sum(held), DRAWS, 0.95) > 1e-6 / 2


def test_a_label_says_where_a_category_is_more_common_and_no_segment_has_two_words_of_one_column() -> None:
    plan = any_plan(2, 4, (2,), expected=N, categories=(5,), epsilon=2)
    release, _, _, segment, category = released(plan, 3, tied=0.9)
    words = labels(read_distances(release, plan), plan.features)
    assert any("more with c0 v" in label for label in words)
    assert all(label.count("c0") <= 1 for label in words)
    # A label that says what is fewer is still true, and kept.
    found = read_distances(release, plan)
    told = np.where(found.sure < 0, found.value, 0.0)[:, blocks(plan.features)[0].columns]
    s, c = np.unravel_index(int(told.argmin()), told.shape)
    before = {int(s) + 1: f"fewer with c0 v{c}"}
    assert told[s, c] <= -NOTICEABLE and before[int(s) + 1] not in words[s]
    assert labels(found, plan.features, before)[s] == before[int(s) + 1]
    every = np.bincount(category, minlength=6) / N
    for s, label in enumerate(words, start=1):
        own = np.bincount(category[segment == s], minlength=6) / (segment == s).sum()
        for v in range(5):
            assert f"more with c0 v{v}" not in label or own[v] > every[v]
            assert f"fewer with c0 v{v}" not in label or own[v] < every[v]


def test_categories_have_no_fifths_since_they_have_no_order() -> None:
    from evenhand.ask.histograms import histograms

    plan = any_plan(2, 4, (2,), expected=N, categories=(5,), epsilon=2)
    release, _, sample, _, _ = released(plan, 0)
    (spread,) = asking(sample, SeededNoise(1))(histograms(plan))
    found = read_fifths(release, spread, plan)
    assert (found.low[:, 2:] == 0).all() and (found.high[:, 2:] == 0).all()
    assert (found.low[:, :2] >= 1).all()


def test_the_noise_of_a_category_does_not_grow_with_their_number() -> None:
    of = {}
    for number in (1, 19):
        parts = {p.name: p.noise.deviation for p in assessment_parts(4, any_plan(3, categories=(number,)))}
        of[number] = parts[block_part(SUMS, "c0")], parts[SUMS]
    assert of[1] == of[19]


def test_a_customer_is_told_of_categories_in_shares_of_customers() -> None:
    plan = with_entry()
    values = [0, 0, 0, 0, FULL, 0]
    centers = rounded_centers(np.array([[0, 0, 0, 0, 0.8 * FULL, 0.2 * FULL], [0, 0, 0, 0.9 * FULL, 0.1 * FULL, 0]]))
    told = [sentence(asdict(reason), 1, 2) for reason in why(values, 1, centers, plan.features).reasons]
    assert told[0] == (
        "You are not counted under channel shop, where the middle of segment 1 has 0 % of customers and the middle of segment 2 90 %."
    )
    assert told[1].startswith("You are counted under channel online, where the middle of segment 1 has 80 % of customers")


def test_gaussian_and_found_bounds_live_beside_categories() -> None:
    plan = any_plan(2, 4, (2,), expected=N, categories=(3,), epsilon=1, delta=1e-6)
    points, kind = four_kinds(5, spread=8)
    assert adjusted_rand_score(kind, learned(plan, points, np.random.default_rng(1).integers(0, 4, N), 2)) > 0.95
    assert Method.of(plan).refinements
    assert with_entry().features[3].weight == pytest.approx(COUNTS)
