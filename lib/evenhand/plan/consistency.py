"""What only the plan as a whole can get wrong: names that clash, features that are protected, k beyond the summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from evenhand.plan.accounting import LEAST_SHARE, SYMBOL
from evenhand.plan.apart import within
from evenhand.plan.categories import contradictions_of_categories, independent, numbers
from evenhand.plan.columns import source_tables
from evenhand.plan.expressions import inspect_row
from evenhand.plan.geometry import Boxes, most_boxes
from evenhand.plan.groups import MOST_CODES
from evenhand.plan.method import Method
from evenhand.plan.models import RESERVED, Plan
from evenhand.plan.notice_checks import contradictions_of_notice
from evenhand.plan.survey_checks import contradictions_of_surveys

MOST_JOINT_GROUPS = 256
ROUNDING = 1e-9  # of decimal shares that add up to 1


def contradictions(plan: Plan) -> list[str]:
    """One line for each contradiction, with the key's path; empty for a sound plan."""
    return [
        *_names(plan),
        *_features(plan),
        *_segments(plan),
        *_fairness(plan),
        *_mitigation(plan),
        *_budget(plan),
        *contradictions_of_surveys(plan),
        *contradictions_of_notice(plan),
        *_places(plan),
    ]


def _names(plan: Plan) -> list[str]:
    problems, seen = [], set[str]()
    named = [(f"features.{i}.name", n) for i, n in enumerate(plan.feature_names)]
    named += [(f"protected.{i}.name", n) for i, n in enumerate(plan.attribute_names)]
    for path, name in named:
        if name in RESERVED:
            problems.append(f"{path}: {name} is a name in Evenhand's own tables; choose another")
        if name in seen:
            problems.append(f"{path}: {name} is named twice")
        seen.add(name)
    problems += [
        f"sources.events.{name}: {name} is the name of another source; choose another"
        for name in plan.sources.events
        if name in ("customers", "consent")
    ]
    return problems


def _places(plan: Plan) -> list[str]:
    """Nothing that a run writes lies in a table that it reads: whoever cleans that table would remove it."""
    output = plan.output
    zones = {"restricted": output.restricted, "open": output.open, "erasures": output.kept_erasures}
    written = {f"output.{zone}.path": place.path for zone, place in zones.items() if place} | {"output.reports": output.reports}
    read = {f"sources.{name}": table for name, table in source_tables(plan).items()}
    read |= {f"surveys.{survey.name}.source": survey.source for survey in plan.surveys}
    read |= {f"outcomes.{outcome.name}.source": outcome.source for outcome in plan.outcomes}
    return [
        f"{key}: {path} lies in the table of {source} ({table.path}); name a folder apart"
        for key, path in written.items()
        for source, table in read.items()
        if path and table.path and within(path, table.path)
    ]


def _features(plan: Plan) -> list[str]:
    problems = []
    protected = {a.column.lower(): a.name for a in plan.protected}
    for i, feature in enumerate(plan.features):
        for column in feature.columns:
            if attribute := protected.get(column.lower()):
                problems.append(
                    f"features.{i}: column {column} is the protected attribute {attribute}; "
                    "a protected attribute may be measured, not used as a feature"
                )
        if feature.events is not None and feature.events not in plan.sources.events:
            known = sorted(plan.sources.events)
            problems.append(f"features.{i}.events: no event source {feature.events}; {_near(feature.events, known)}")
    problems += contradictions_of_categories(plan.features)
    if not numbers(plan.features):
        problems.append("features: all are categories, which have no order to learn from alone; name a number too")
    used = {f.events for f in plan.features}
    for name, source in plan.sources.events.items():
        for column in inspect_row(source.where) if source.where else ():
            if attribute := protected.get(column.lower()):
                problems.append(
                    f"sources.events.{name}.where: column {column} is the protected attribute {attribute}; "
                    "a protected attribute may be measured, not decide which events count"
                )
        if name not in used:
            problems.append(f"sources.events.{name}: no feature uses it; what is not needed must not be read")
    return problems


def _segments(plan: Plan) -> list[str]:
    # Where the boxes are cut by histograms, those say what is inside; without, a segment needs two.
    most, is_cut = max(plan.segments.candidates), Method.of(plan).marginals > 0
    boxes = most_boxes(plan) if is_cut else Boxes.of(plan).count
    enough = boxes if is_cut else boxes // 2
    if most > enough:
        return [
            f"segments.k: {most} segments are more than the private summary can carry: at {plan.privacy.expected_customers:,} "
            f"expected customers, {independent(plan.features)} features and ε = {plan.privacy.epsilon:g} it has {boxes} boxes, "
            f"enough for {enough} segments"
        ]
    return []


def _fairness(plan: Plan) -> list[str]:
    problems, by_name = [], {a.name: a for a in plan.protected}
    for i, names in enumerate(plan.fairness.intersections):
        path = f"fairness.intersections.{i}"
        problems += [
            f"{path}: no protected attribute {name}; {_near(name, list(by_name))}" for name in names if name not in by_name
        ]
        if len(set(names)) != len(names) or any(set(names) == set(before) for before in plan.fairness.intersections[:i]):
            problems.append(f"{path}: an attribute or an intersection is named twice")
        cells = math.prod(len(by_name[name].group_names) for name in names if name in by_name)
        if cells > MOST_CODES:
            problems.append(f"{path}: {cells:,} joint groups; at most {MOST_CODES:,} can be counted, and far fewer be judged")
    seen = set[str]()
    for i, offer in enumerate(plan.fairness.offers):
        path = f"fairness.offers.{i}"
        if offer.name in seen:
            problems.append(f"{path}.name: {offer.name} is named twice")
        seen.add(offer.name)
        surely = min(plan.segments.candidates)  # a number that k may not reach would leave the offer to fewer people in silence
        problems += [f"{path}.segments: there is no segment {s} of {surely}" for s in offer.segments or () if s > surely]
        names = plan.feature_names
        problems += [f"{path}.where: no feature {name}; {_near(name, names)}" for name in offer.where or () if name not in names]
    return problems


def _near(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"


def _mitigation(plan: Plan) -> list[str]:
    mitigation = plan.fairness.mitigation
    if mitigation is None:
        return []
    place, known = "fairness.mitigation", ", ".join(plan.attribute_names)
    problems = [
        f"{place}.attributes: {name} is no protected attribute; known: {known}"
        for name in mitigation.attributes
        if name not in plan.attribute_names
    ]
    groups = {a.name: a.group_names for a in plan.mitigated}
    for attribute, shares in mitigation.bounds.shares.items():
        if attribute not in groups:
            problems.append(f"{place}.bounds.shares: {attribute} is not among its attributes; known: {', '.join(groups)}")
            continue
        problems += [
            f"{place}.bounds.shares.{attribute}: no group {group}; known: {', '.join(groups[attribute])}"
            for group in shares
            if group not in groups[attribute]
        ]
        problems += _whole(f"{place}.bounds.shares.{attribute}", shares, groups[attribute])
    joint = math.prod(len(g) for g in groups.values())
    if joint > MOST_JOINT_GROUPS:
        problems.append(
            f"{place}.attributes: they make {joint} combinations of groups, more than the {MOST_JOINT_GROUPS} that can be kept "
            "apart in the noise; name fewer attributes"
        )
    return problems


def _whole(path: str, shares: Mapping[str, tuple[float, float]], groups: Sequence[str]) -> list[str]:
    """Whether every segment can be made up of its groups; those without stated shares may be anything from none to all."""
    least = sum(low for low, _ in shares.values())
    most = sum(shares[g][1] if g in shares else 1.0 for g in groups)
    if least > 1 + ROUNDING:
        named = " and ".join(group for group, (low, _) in shares.items() if low > 0)
        return [f"{path}: the least shares of {named} add up to {least:.4g} of a segment; lower them to 1 together, at most"]
    if most < 1 - ROUNDING:
        return [
            f"{path}: the greatest shares of all groups, {' and '.join(groups)}, add up to {most:.4g} of a segment, which leaves "
            "some of it to nobody; raise them to 1 together, at least"
        ]
    return []


def _budget(plan: Plan) -> list[str]:
    unit, split = plan.privacy.unit, plan.privacy.split
    shares = {name: plan.shared_budget * getattr(split, name) for name in ("summary", "profiles", "fairness")}
    shares |= {"bounds": plan.bounds_budget / len(plan.to_find)} if plan.to_find else {}
    shares = {f"split.{name}": share for name, share in shares.items()}
    shares |= {"segments.movement.share": plan.movement_budget} if plan.segments.movement else {}
    shares |= {"segments.distribution.share": plan.distribution_budget} if plan.segments.distribution else {}
    least = LEAST_SHARE[unit]
    return [
        f"privacy: at epsilon {plan.privacy.epsilon:g} {name} takes {SYMBOL[unit]} = {share:.1g}; its noise fits 64-bit "
        f"integers from {least:g} on, and says something of people far above that"
        for name, share in shares.items()
        if share < least
    ]
