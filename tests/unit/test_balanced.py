"""The linear program on made cells: bounds held, prices that say who goes where, bounds nobody can meet, the price of fairness."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from evenhand.assignment.fair_map import Moves
from evenhand.assignment.joint_groups import JointGroups
from evenhand.errors import DataError, InfeasibleBounds
from evenhand.mitigate.balanced import assigned, balanced
from evenhand.mitigate.blind import fair_lloyd, group_costs
from evenhand.mitigate.bounds import Constraints, bounds_of, constraints_of, judged_members
from evenhand.mitigate.cells import Cells
from evenhand.mitigate.estimate import Counted, Expected, Presence, Prior, variances
from evenhand.mitigate.moves import Terms, chosen
from evenhand.mitigate.prices import smooth_duals
from evenhand.mitigate.program import solved
from evenhand.mitigate.tradeoff import after, before, curve
from evenhand.mitigate.tradeoff_noise import Ground
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import Laplace
from sample import REMOVED, plan_yaml


def plan_with(bounds: dict[str, Any], attributes: list[str] | None = None, offers: list[Any] | None = None) -> Plan:
    mitigation = {"method": "balanced", "justification": "test", "bounds": bounds, "attributes": attributes or ["gender"]}
    changes = {"features.2": REMOVED, "fairness.mitigation": mitigation, "fairness.offers": offers or []}
    return parse_plan(plan_yaml(changes))


def lopsided(joint: int = 4, seed: int = 3) -> Cells:
    """Three clouds; the first is mostly of joint group 0, the second of group 1, the third mixed."""
    random = np.random.default_rng(seed)
    middles = np.array([[0.2, 0.2], [0.7, 0.3], [0.4, 0.8]])
    points = np.concatenate([m + random.normal(size=(60, 2)) * 0.08 for m in middles])
    counts = np.zeros((len(points), joint))
    for cloud, mostly in enumerate((0, 1, None)):
        mine = slice(60 * cloud, 60 * cloud + 60)
        counts[mine, :2] = random.uniform(2, 4, (60, 2)) if mostly is None else random.uniform(0, 1, (60, 2))
        if mostly is not None:
            counts[mine, mostly] += 6
    return Cells.of(points, counts)


RATIO = ("representation_ratio", "")
STARTS = np.array([[0.2, 0.2], [0.7, 0.3], [0.4, 0.8]])


def ratios(table: np.ndarray, joint: JointGroups) -> np.ndarray:
    groups = joint.members @ table
    shares = groups.sum(axis=1) / table.sum()
    return (groups / table.sum(axis=0))[shares > 0] / shares[shares > 0][:, None]


@pytest.mark.parametrize("at_least", [0.5, 0.8, 0.95, 1.0])
def test_every_segment_holds_the_bounds_on_the_cells(at_least: float) -> None:
    cells, plan = lopsided(), plan_with({"at_least": at_least, "at_most": 1 / at_least})
    found = balanced(cells, constraints_of(plan, cells.totals(), 0.0), STARTS)
    np.testing.assert_allclose(found.shares.sum(axis=1), 1.0)
    table = cells.table(found.shares)
    np.testing.assert_allclose(table.sum(axis=1), cells.totals())
    held = ratios(table, JointGroups.of(plan))
    assert held.min() > at_least - 2e-3
    assert held.max() < 1 / at_least + 2e-3
    free = ratios(cells.table(nearest(cells, STARTS)), JointGroups.of(plan))
    assert free.min() < 0.4  # without the program they do not hold


def nearest(cells: Cells, centers: np.ndarray) -> np.ndarray:
    distances = cells.distances(centers)
    return (distances == distances.min(axis=1, keepdims=True)).astype(float)


def test_attributes_that_overlap_are_held_at_once() -> None:
    plan = plan_with({"at_least": 0.9, "at_most": 1.2}, ["gender", "age_band"])
    joint = JointGroups.of(plan)
    random = np.random.default_rng(5)
    counts = random.uniform(0, 1, (150, joint.count))
    points = random.uniform(0, 1, (150, 2))
    counts[points[:, 0] < 0.5] *= 1 + 4 * joint.members[0]  # women on the left,
    counts[points[:, 1] < 0.5] *= 1 + 4 * joint.members[4]  # the first age band below
    cells = Cells.of(points, counts * 3)
    constraints = constraints_of(plan, cells.totals(), 0.0)
    held = ratios(cells.table(balanced(cells, constraints, STARTS).shares), joint)
    assert held.shape == (8, 3)
    assert held.min() > 0.898 and held.max() < 1.202


def test_the_prices_send_each_cell_where_the_program_sends_it() -> None:
    cells, plan = lopsided(), plan_with({"at_least": 0.9})
    constraints = constraints_of(plan, cells.totals(), 0.0)
    found = balanced(cells, constraints, STARTS)
    paid = cells.distances(found.centers) + constraints.prices(found.duals)[cells.groups]
    whole = found.shares.max(axis=1) > 1 - 1e-9
    assert whole.mean() > 0.95  # a vertex of the program divides a cell or two a constraint
    assert whole.mean() < 1.0
    np.testing.assert_array_equal(paid.argmin(axis=1)[whole], found.shares.argmax(axis=1)[whole])


def test_a_guess_of_prices_changes_the_time_and_not_the_answer() -> None:
    cells, plan = lopsided(), plan_with({"at_least": 0.9})
    constraints = constraints_of(plan, cells.totals(), 0.0)
    none = np.zeros((len(constraints.coefficients), 3))
    whole = assigned(cells, constraints, STARTS, none, reach=np.inf)
    for guess in (none, whole.duals, whole.duals * 3 + 0.1):
        assert assigned(cells, constraints, STARTS, guess, reach=1e-4).cost == pytest.approx(whole.cost, rel=1e-3)


@pytest.mark.parametrize(("low", "high"), [(0.9, 1.0), (0.0, 0.1)])
def test_a_share_that_no_assignment_meets_is_refused_with_the_range_that_the_noise_leaves(low: float, high: float) -> None:
    cells, reach = lopsided(), 30.0
    share, everyone = cells.totals()[0] / cells.totals().sum(), cells.totals().sum()
    of_share = reach * float(np.linalg.norm([1 - share, share, share, share])) / everyone
    with pytest.raises(InfeasibleBounds, match="19 times in 20") as wrong:
        constraints_of(plan_with({"shares": {"gender": {"female": [low, high]}}}), cells.totals(), reach)
    least, most = told(wrong.value)
    assert (least, most) == pytest.approx((share - of_share, share + of_share), abs=1.1e-3)
    assert least <= share - of_share and share + of_share <= most


def test_bounds_that_hold_the_range_of_a_refusal_are_not_refused_on_the_next_run() -> None:
    """Each run draws its noise anew: the noisy share alone as the next bound was refused time and again."""
    truth, random = np.array([9_000.0, 21_000.0, 0.0, 0.0]), np.random.default_rng(3)
    for _ in range(40):
        asked = plan_with({"shares": {"gender": {"female": [0.6, 0.7]}}})
        first, second = truth + random.normal(0, 150, (2, 4))
        with pytest.raises(InfeasibleBounds) as wrong:
            constraints_of(asked, first, reach=300)
        as_told = plan_with({"shares": {"gender": {"female": list(told(wrong.value))}}})
        constraints_of(as_told, second, reach=300)


def told(refusal: InfeasibleBounds) -> tuple[float, float]:
    found = re.search(r"are between ([\d.]+) and ([\d.]+) of everybody", str(refusal))
    assert found is not None
    return float(found[1]), float(found[2])


def test_the_group_s_own_share_is_feasible_and_a_little_more_is_not() -> None:
    cells = lopsided()
    share = float(cells.totals()[0] / cells.totals().sum())
    tight = constraints_of(plan_with({"shares": {"gender": {"female": [share, share]}}}), cells.totals(), 0.0)
    held = cells.table(balanced(cells, tight, STARTS).shares)
    np.testing.assert_allclose(held[0] / held.sum(axis=0), share, atol=2e-3)
    with pytest.raises(InfeasibleBounds):
        constraints_of(plan_with({"shares": {"gender": {"female": [share + 0.01, 1]}}}), cells.totals(), 0.0)
    within_noise = plan_with({"shares": {"gender": {"female": [share + 0.01, 1]}}})
    everybody = float(cells.totals().sum())
    assert constraints_of(within_noise, cells.totals(), 0.006 * everybody).coefficients[0, 0] > 0
    with pytest.raises(InfeasibleBounds):
        constraints_of(within_noise, cells.totals(), 0.004 * everybody)


def test_a_bound_that_is_loosened_is_recorded_as_asked_for_and_as_used() -> None:
    cells = lopsided()
    share, everybody = float(cells.totals()[0] / cells.totals().sum()), float(cells.totals().sum())
    plan = plan_with({"shares": {"gender": {"female": [share + 0.01, 0.9]}}})
    female, male = constraints_of(plan, cells.totals(), 0.006 * everybody).bounds
    assert (female.group, female.asked, female.feasible) == ("female", (share + 0.01, 0.9), "cannot tell")
    assert female.used == (pytest.approx(share, rel=2e-3), 0.9)
    assert male.feasible == "yes" and male.used == male.asked == pytest.approx((0.8 * (1 - share), 1.25 * (1 - share)))
    # A later count that knows better says that it cannot be met, and does not stop what was let through.
    known = constraints_of(plan, cells.totals(), 0.006 * everybody, counted=0.001 * everybody)
    assert known.bounds[0].feasible == "no"


def test_the_noise_of_a_group_s_share_grows_with_the_joint_groups_that_it_is_made_of() -> None:
    one, two = (JointGroups.of(plan_with({}, names)) for names in (["gender"], ["gender", "age_band"]))
    alone = bounds_of(plan_with({}), np.full(one.count, 4e6), 100.0)[0]
    of_four = bounds_of(plan_with({}, ["gender", "age_band"]), np.full(two.count, 1e6), 100.0)[0]
    assert alone.share == of_four.share == 0.25
    assert of_four.reach == pytest.approx(2 * alone.reach)


def test_a_group_too_small_to_judge_is_named_and_nothing_is_asked_for_it() -> None:
    cells = lopsided()
    assert len(constraints_of(plan_with({}), cells.totals(), 0.0).coefficients) == 4  # two groups, from below and from above
    assert before(ground_of(cells), STARTS, plan_with({})).statistics[0].left_out == ("other", "unknown")


def test_fairness_has_a_price_that_grows_with_the_bound() -> None:
    cells, plan = lopsided(), plan_with({"at_least": 0.9})
    free = balanced(cells, Constraints(np.zeros((0, 4))), STARTS).centers
    ground = ground_of(cells)
    points = curve(ground, plan, free)
    prices = [p.price.value for p in points]
    assert all(price >= 1 - 1e-6 for price in prices)
    assert all(a <= b * 1.001 for a, b in zip(prices, prices[1:], strict=False))
    assert prices[-1] > 1.05
    for point in points:
        assert point.bound is not None
        assert point.statistics[0].figures[RATIO].value > point.bound - 3e-3
    first = before(ground, free, plan)
    constraints = constraints_of(plan, cells.totals(), 0.0)
    then = after(ground, constraints, free, np.zeros((len(constraints.coefficients), 3)), free, plan, {"gender": ["unknown"]})
    assert then.statistics[0].left_out == ("unknown",)
    assert first.price.value == 1.0 < then.price.value
    assert then.statistics[0].figures[RATIO].value > 0.89 > first.statistics[0].figures[RATIO].value


def test_an_offer_by_number_reaches_the_segment_that_is_published_under_it_before_and_after() -> None:
    cells, last_first = lopsided(), np.array([3, 2, 1])
    first, last = (plan_with({"at_least": 0.9}, offers=[{"name": "gift", "why": "t", "segments": [n]}]) for n in (1, 3))
    ground, constraints = ground_of(cells), constraints_of(first, cells.totals(), 0.0)
    duals, offered = np.zeros((len(constraints.coefficients), 3)), ("selection_ratio", "gift")

    def figures(plan: Plan, **numbered: Any) -> list[float]:
        points = before(ground, STARTS, plan, **numbered), after(ground, constraints, STARTS, duals, STARTS, plan, {}, **numbered)
        return [point.statistics[0].figures[offered].value for point in points]

    assert figures(first) == figures(last, numbered=lambda centers: last_first)
    assert figures(first) != figures(last)


def test_no_price_is_below_one_though_other_centers_cost_less_than_the_unconstrained_ones_did() -> None:
    """The start was refined among people, and so is not the best for the boxes: moved on them, bounded segments cost less."""
    cells, plan = lopsided(), plan_with({"at_least": 0.9})
    start = STARTS + 0.15
    constraints = constraints_of(plan, cells.totals(), 0.0)
    found = balanced(cells, constraints, start)
    assert found.cost < cells.weights @ cells.distances(start).min(axis=1)
    ground = ground_of(cells)
    then = after(ground, constraints, found.centers, found.duals, start, plan, {})
    blind = before(ground, found.centers, plan, "after", start)
    for point in (before(ground, start, plan), then, blind, *curve(ground, plan, start)):
        assert 1.0 <= point.price.low <= point.price.value <= point.price.high
    prices = [point.price.value for point in curve(ground, plan, start)]
    assert prices[0] < prices[-1]


def test_with_next_to_no_noise_the_ends_of_what_fairness_costs_are_at_the_figures() -> None:
    cells, plan = lopsided(), plan_with({"at_least": 0.9})
    for point in (before(ground_of(cells), STARTS, plan), *curve(ground_of(cells), plan, STARTS)):
        for figure in (point.price, *point.statistics[0].figures.values()):
            assert figure.low == pytest.approx(figure.value, rel=0.02, abs=0.002)
            assert figure.high == pytest.approx(figure.value, rel=0.02, abs=0.002)


def test_before_and_after_say_what_an_intersection_shows_and_no_attribute_alone() -> None:
    """Everywhere half are women and half of the first age, but on the left old women and young men, on the right the others."""
    asked = {"method": "balanced", "justification": "test", "attributes": ["gender", "age_band"], "bounds": {"at_least": 0.9}}
    plan = parse_plan(
        plan_yaml({"features.2": REMOVED, "fairness.mitigation": asked, "fairness.intersections": [["gender", "age_band"]]})
    )
    joint, random = JointGroups.of(plan), np.random.default_rng(5)
    points, counts = random.uniform(0, 1, (150, 2)), np.zeros((150, joint.count))
    alike = joint.digits[:, 0] == joint.digits[:, 1]
    counts[:, (joint.digits < 2).all(axis=1)] = 20.0
    counts[np.ix_(points[:, 0] < 0.5, alike)] = 0.0
    counts[np.ix_(points[:, 0] >= 0.5, ~alike)] = 0.0
    cells = Cells.of(points, counts)
    centers = np.array([[0.25, 0.5], [0.75, 0.5]])
    constraints = constraints_of(plan, cells.totals(), 0.0)
    no_duals, unbounded = np.zeros((len(constraints.coefficients), 2)), {"gender": ["unknown"], "age_band": ["unknown"]}
    ground = ground_of(cells)
    for point in (before(ground, centers, plan), after(ground, constraints, centers, no_duals, centers, plan, unbounded)):
        gender, age, crossed = point.statistics
        assert crossed.attribute == "gender × age_band"
        assert gender.figures[RATIO].value > 0.95 < age.figures[RATIO].value
        assert crossed.figures[RATIO].value < 0.05 and crossed.figures["balance", ""].value < 0.05
        assert len(crossed.left_out) == joint.count - 4 and "female × under 30" not in crossed.left_out


def ground_of(cells: Cells, scale: float = 0.1) -> Ground:
    """Every point a box; the noise is next to nothing unless another `scale` is given."""
    points, box = np.unique(cells.points, axis=0, return_inverse=True)
    counts = np.zeros((len(points), cells.joint))
    counts[box, cells.groups] = cells.weights
    return Ground(points, counts, Laplace(scale), cells, (box, cells.groups))


def test_group_blind_centers_lower_the_worst_off_group_s_cost() -> None:
    """In each of three clouds stand a few of group 1 to the right of the many of group 0, whom plain k-means serves."""
    random = np.random.default_rng(1)
    middles = np.repeat([[0.1, 0.1], [0.1, 0.8], [0.7, 0.4]], 40, axis=0)
    points = np.concatenate([middles, middles + np.array([0.15, 0.0])]) + random.normal(size=(240, 2)) * 0.02
    counts = np.zeros((240, 2))
    counts[:120, 0], counts[120:, 1] = 50.0, 1.0
    cells, members = Cells.of(points, counts), np.eye(2)
    plain = balanced(cells, Constraints(np.zeros((0, 2))), middles[[0, 40, 80]]).centers
    found = fair_lloyd(cells, members, plain)
    worst = group_costs(cells, members, plain).max()
    assert found.costs.max() < 0.5 * worst
    np.testing.assert_allclose(found.costs, group_costs(cells, members, found.centers))
    cost, of_plain = (float(cells.distances(c).min(axis=1) @ cells.weights) for c in (found.centers, plain))
    assert cost >= of_plain * 0.999


def test_a_group_that_noise_alone_could_have_made_is_nobody_s_worst_off_group() -> None:
    plan = plan_with({"at_least": 0.8})
    joint, least = JointGroups.of(plan), 20 * plan.segments.candidates[-1]
    assert plan.privacy.minimum_cell == 20
    totals = np.zeros(joint.count)
    totals[:2] = 50 * least, 2 * least
    np.testing.assert_array_equal(judged_members(plan, totals, reach=0.0), joint.members[:2])
    np.testing.assert_array_equal(judged_members(plan, totals, reach=1.5 * least), joint.members[:1])
    np.testing.assert_array_equal(judged_members(plan, totals, reach=30.0 * least), np.ones((1, joint.count)))


NO_PRICES = np.zeros((2, 2))


def uneven() -> tuple[Presence, Constraints, np.ndarray]:
    """Segment 1 has too few of group 0, which must be 35 % of each; of group 1 there 80 and 200 are near segment 0."""
    counts = np.array([[300.0, 100.0], [300.0, 300.0]])
    near = np.zeros((2, 2, 2, 2))
    near[1, 1, 0] = [80, 200]
    presence = Presence(near, counts - near.sum(axis=(2, 3)), np.zeros((2, 2)))
    return presence, Constraints(np.array([[0.65, -0.35]])), np.array([0.1, 0.2])


def known_from(boxes: Presence, deviation: float) -> Prior:
    """Boxes without noise, and a count of those near that says the same."""
    none = Presence(np.zeros_like(boxes.near), np.zeros_like(boxes.rest), boxes.luck)
    return Prior.of(Expected(boxes, variances(boxes, none), none.near[..., 0]), boxes.near, deviation)


def after_moves(presence: Presence, moves: Moves) -> np.ndarray:
    gone = moves.near * presence.near
    stay = presence.sizes - gone.sum(axis=(2, 3))
    far = moves.far * stay[:, :, None]
    return stay - far.sum(axis=2) + far.sum(axis=1) + gone.sum(axis=(1, 3))


def test_moves_bring_every_segment_within_its_bound_at_the_least_cost() -> None:
    """Those of group 1 whom leaving costs least go, and nobody else."""
    presence, constraints, edges = uneven()
    far = np.full((2, 2, 2), 10.0)
    none = Moves.none(presence.near.shape)
    moves = chosen(presence, Terms(far, NO_PRICES, edges, 0.05), none, constraints, 1e-9)
    assert (constraints.surplus(after_moves(presence, moves)) >= 4.9).all()  # the bound, and five to spare
    assert moves.near[1, 1, 0, 0] == pytest.approx(1.0)  # the nearest all, of the next only as many as it takes
    assert 0 < moves.near[1, 1, 0, 1] < 1
    assert not moves.far.any()
    again = chosen(presence, Terms(far, NO_PRICES, edges, 0.05), moves, constraints, 1e-9)
    np.testing.assert_allclose(again.near, moves.near, atol=1e-6)  # nothing new is known, so there is nothing left to do


def test_who_is_in_a_segment_for_its_price_alone_goes_back_first() -> None:
    """Group 1 is paid 0.5 for being in segment 1: those near its border save as much by leaving it as they were paid."""
    presence, constraints, edges = uneven()
    prices = np.array([[0.0, 0.0], [0.0, -0.5]])
    moves = chosen(
        presence, Terms(np.full((2, 2, 2), 10.0), prices, edges, 0.05), Moves.none(presence.near.shape), constraints, 1e-9
    )
    assert moves.near[1, 1, 0] == pytest.approx([1.0, 177 / 200], abs=0.01)  # as many as segment 0 may have, not 35
    assert (constraints.surplus(after_moves(presence, moves)) >= -1e-6).all()


def test_a_correction_that_must_be_sure_takes_from_those_far_what_those_near_may_not_give() -> None:
    """A hundredth of those near a segment may be moved, however cheap they are: how many they are is not known well."""
    presence, constraints, edges = uneven()
    none, trusted = Moves.none(presence.near.shape), np.full_like(presence.near, 0.01)
    moves = chosen(presence, Terms(np.full((2, 2, 2), 1.0), NO_PRICES, edges, 0.05), none, constraints, 1e-9, trusted)
    assert moves.near.max() == pytest.approx(0.01) and moves.far.any()
    assert (constraints.surplus(after_moves(presence, moves)) >= -1e-6).all()


def test_those_who_moved_may_be_more_than_were_there() -> None:
    """Of a segment in which nobody is left, more are thought near the next than the count finds; the others still move."""
    presence, constraints, edges = uneven()
    presence.near[0, 0, 1], presence.rest[0, 0] = [20, 40], 240.0
    presence.rest[1] = [300.0, -260.0]
    held = Moves(np.where(presence.near > 0, 1.0, 0.0), np.full((2, 2, 2), 0.1))
    moves = chosen(presence, Terms(np.full((2, 2, 2), 1.0), NO_PRICES, edges, 0.05), held, constraints, 1e-9)
    assert not np.array_equal(moves.near, held.near)


def test_those_of_a_segment_whom_all_are_thought_to_have_left_go_where_they_went_before() -> None:
    presence, constraints, edges = uneven()
    presence.rest[1, 1] = -0.5
    held = Moves(np.where(presence.near > 0, 1.0, 0.0), np.zeros((2, 2, 2)))
    held.far[1, 1, 0] = 0.3
    moves = chosen(presence, Terms(np.full((2, 2, 2), 1.0), NO_PRICES, edges, 0.05), held, constraints, 1e-9, 0.0)
    assert moves.far[1, 1, 0] == 0.3
    assert moves.far.sum() > 0.31  # and of the others some go where the bound is missed


def test_a_nearly_empty_segment_is_not_filled_for_the_sake_of_its_margin() -> None:
    """Four customers, all of group 1, and a count that is off by twenty: a few of group 0 make them even, not dozens."""
    presence = Presence(np.zeros((2, 2, 2, 1)), np.array([[1000.0, 0.0], [1000.0, 4.0]]), np.zeros((2, 2)))
    constraints, none = Constraints(np.array([[0.65, -0.35]])), Moves.none((2, 2, 2, 1))
    moves = chosen(presence, Terms(np.full((2, 2, 2), 1.0), NO_PRICES, np.array([0.1]), 0.05), none, constraints, 20.0)
    came = after_moves(presence, moves)[0, 1]
    assert 2 < came < 15


def test_where_nobody_is_near_a_segment_a_share_of_those_far_from_it_goes_there() -> None:
    presence, constraints, edges = uneven()
    alone = Presence(np.zeros_like(presence.near), presence.sizes, presence.luck)
    moves = chosen(
        alone, Terms(np.full((2, 2, 2), 10.0), NO_PRICES, edges, 0.05), Moves.none(presence.near.shape), constraints, 1e-9
    )
    assert moves.far.any() and not moves.near.any()
    assert (constraints.surplus(after_moves(alone, moves)) >= -1e-6).all()


def test_a_count_after_moves_corrects_what_the_boxes_let_expect() -> None:
    """The boxes expect 100 near segment 0, where 160 are: who arrives there shows it."""
    truth = Presence(np.zeros((1, 2, 2, 1)), np.array([[500.0, 500.0]]), np.zeros((1, 2)))
    truth.near[0, 1, 0] = 160
    boxes = Presence(truth.near * 100 / 160, np.array([[500.0, 560.0]]), np.zeros((1, 2)))
    prior = known_from(boxes, 1e6)
    half = Moves(np.where(boxes.near > 0, 0.5, 0.0), np.zeros((1, 2, 2)))
    first = Counted(truth.sizes, 0.1, Moves.none(truth.near.shape))
    assert prior.given([first]).sizes == pytest.approx(truth.sizes, abs=1)
    found = prior.given([first, Counted(after_moves(truth, half), 0.1, half)])
    before, now = (abs(p.near[0, 1, 0, 0] - 160) for p in (prior.given([first]), found))
    assert now < before / 3
    assert found.sizes == pytest.approx(truth.sizes, abs=1)


def test_what_the_hash_added_to_a_segment_is_known_at_the_next_choice() -> None:
    sizes = Presence(np.zeros((1, 2, 2, 1)), np.array([[100.0, 10_000.0]]), np.zeros((1, 2)))
    moves = Moves(np.zeros((1, 2, 2, 1)), np.array([[[0.0, 0.0], [0.01, 0.0]]]))
    prior = known_from(sizes, 1.0)
    counted = [Counted(sizes.sizes, 0.1, Moves.none(sizes.near.shape)), Counted(np.array([[212.0, 9_888.0]]), 0.1, moves)]
    assert prior.given(counted).luck[0] == pytest.approx([12, -12], abs=0.5)


def test_a_count_is_believed_over_what_its_parts_add_up_to() -> None:
    """Five are thought near segment 1 and nobody else is in segment 0, where a count finds nobody."""
    boxes = Presence(np.zeros((1, 2, 2, 1)), np.array([[0.0, 500.0]]), np.zeros((1, 2)))
    boxes.near[0, 0, 1] = 5
    found = known_from(boxes, 1e6).given([Counted(np.array([[0.0, 500.0]]), 0.01, Moves.none(boxes.near.shape))])
    assert found.near[0, 0, 1, 0] > 1
    assert found.sizes[0] == pytest.approx([0, 500], abs=0.1)


def test_a_count_is_believed_where_the_boxes_know_of_nobody() -> None:
    boxes = Presence(np.zeros((1, 10, 10, 1)), np.zeros((1, 10)), np.zeros((1, 10)))
    found = known_from(boxes, 20.0).given([Counted(np.full((1, 10), 200.0), 20.0, Moves.none(boxes.near.shape))])
    assert found.sizes[0] == pytest.approx(np.full(10, 200.0), abs=5)
    nobody = known_from(boxes, 20.0).given([Counted(np.array([[25.0, -25.0] * 5]), 20.0, Moves.none(boxes.near.shape))])
    assert nobody.sizes[0] == pytest.approx(np.zeros(10), abs=3)  # within the noise, so the boxes are believed


@pytest.mark.parametrize("at_least", [0.5, 0.8, 0.9, 1.0])
def test_smooth_prices_bound_the_cost_of_the_program_closely_from_below(at_least: float) -> None:
    plan, cells = plan_with({"at_least": at_least}), lopsided()
    constraints = constraints_of(plan, cells.totals(), 0.0)
    whole = assigned(cells, constraints, STARTS, np.zeros((len(constraints.coefficients), 3)), reach=np.inf)
    for guess in (None, whole.duals, whole.duals * 1.2 + 0.01):
        duals = smooth_duals(cells, constraints, STARTS, guess)
        assert duals.min() >= 0
        paid = cells.distances(STARTS) + constraints.prices(duals)[cells.groups]
        assert 0.998 * whole.cost < paid.min(axis=1) @ cells.weights <= whole.cost * (1 + 1e-9)


def test_without_bounds_there_are_no_prices() -> None:
    cells = lopsided()
    nothing = Constraints(np.zeros((0, cells.joint)))
    found = balanced(cells, nothing, STARTS, rounds=1)
    np.testing.assert_array_equal(found.shares.argmax(axis=1), cells.distances(STARTS).argmin(axis=1))


def test_a_program_without_a_solution_stops_the_run_in_one_line() -> None:
    with pytest.raises(DataError, match=r"HiGHS found no solution \(.*\); nothing was published; state looser bounds$"):
        solved(np.array([1.0]), A_ub=np.array([[1.0]]), b_ub=np.array([-1.0]), bounds=(0, None))
