"""The plan in plain words, for `--check`: what will be read and why, who is included, what it costs, what to expect."""

from __future__ import annotations

import textwrap
from itertools import groupby

from evenhand.plan.accounting import SYMBOL, half_width
from evenhand.plan.advice import LEVEL, advice, expectations
from evenhand.plan.columns import reasons, source_tables
from evenhand.plan.feature_words import feature_in_words, weights_in_words
from evenhand.plan.geometry import Boxes, most_boxes
from evenhand.plan.groups import group_tables
from evenhand.plan.load import fingerprint
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.plan.notice_checks import wrong_words
from evenhand.plan.periods import EACH
from evenhand.plan.survey_words import rewards_in_words, surveys_in_words
from evenhand.plan.zones import ledger_in_words, zones
from evenhand.terminal import WIDTH, hanging


def explain(plan: Plan) -> str:
    """Several lines; no data is touched for it."""
    parts = [
        f"Plan {plan.name}: {plan.description}",
        f"Fingerprint {fingerprint(plan)}",
        "",
        "Who is included",
        *_wrapped(_who(plan)),
        "",
        "What is read, and nothing else",
        *_what(plan),
        "",
        "What is said of a customer",
        *(line for feature in plan.features for line in hanging(feature_in_words(feature))),
        "",
        "What comes out",
        *_wrapped(_result(plan)),
        *_wrapped(mitigation_in_words(plan)),
        *_wrapped(distribution_in_words(plan)),
        *_wrapped(movement_in_words(plan)),
        "",
        "Where it goes",
        *(f"  {line}" for line in zones(plan)),
        *_wrapped(ledger_in_words(plan)),
        *_wrapped(kept_in_words(plan)),
        *_wrapped(notice_in_words(plan)),
        *_wrapped(rewards_in_words(plan)),
        "",
        "Privacy budget",
        *_budget(plan),
        "",
        "What the noise leaves, 19 times in 20",
        *(line for e in expectations(plan) for line in hanging(e.sentence(plan))),
    ]
    parts += surveys_in_words(plan)
    if warnings := advice(plan):
        parts += ["", "Before you spend", *(line for w in warnings for line in _wrapped(w))]
    parts += ["", *_wrapped("Columns, tables and the key are looked at when a run starts, before anything is written or spent.")]
    return "\n".join(parts)


def _who(plan: Plan) -> str:
    if plan.opt_in:
        rule = "said yes to it (opt-in): no event, a withdrawal or an expired consent means no"
    else:
        rule = "did not object (opt-out): no event means yes, any state that is no yes means no"
    consent = plan.sources.consent
    signals = "all" if consent.signals is None else ", ".join(consent.signals) or "none"
    notice = f" A consent under a notice older than {consent.minimum_notice_version} does not count." * bool(
        consent.minimum_notice_version
    )
    return (
        f"Purpose {plan.purpose}, on the basis of {plan.legal_basis.replace('_', ' ')}: customers who, by their latest event "
        f"at the run's point in time, {rule}.{notice} Signals honored: {signals}. A column that a customer withholds is not used of them. Customers without an id are left out. Ids are compared {_form(plan)}."
    )


def _form(plan: Plan) -> str:
    ids = plan.sources.ids
    done = ["in Unicode's form NFC"] * bool(ids.normalize) + ["without blanks at either end"] * ids.trim
    return ", ".join([*done, *["without regard to case"] * ids.casefold]) or "as they are, to the last sign"


def _what(plan: Plan) -> list[str]:
    tables, lines = source_tables(plan), []
    uses = sorted(reasons(plan), key=lambda use: list(tables).index(use[0]))
    for source, group in groupby(uses, key=lambda use: use[0]):
        table = tables[source]
        at = (
            f"version {table.version}"
            if table.version is not None
            else f"as of {table.timestamp}"
            if table.timestamp
            else "newest version"
        )
        lines.append(f"  {source}: {table.address} ({at})")
        for _, column, why in group:
            lines += textwrap.wrap(f"{column}: {why}", WIDTH, initial_indent="    ", subsequent_indent="      ")
    return lines


def _result(plan: Plan) -> str:
    ks = plan.segments.candidates
    k = str(ks[0]) if len(ks) == 1 else f"{ks[0]} to {ks[-1]}, whichever is best apart,"
    attributes = ", ".join(f"{t.name} ({t.size} groups)" for t in group_tables(plan))
    offers = ", ".join(f"{o.name}{' (a burden)' if o.kind == 'burden' else ''}" for o in plan.fairness.offers)
    selected = f" Selection rates are compared for {offers}." if offers else ""
    gate = "blocks the run" if plan.fairness.when_uneven == "block" else "is reported"
    useless = "block the run" if plan.segments.when_useless == "block" else "are published all the same"
    return (
        f"{k} segments over {len(plan.features)} features ({', '.join(plan.feature_names)}){weights_in_words(plan)}, and whether they treat evenly: "
        f"{attributes}. Unevenness {gate}. Segments expected to be worse than one for everybody {useless}.{selected} Counts below {plan.privacy.minimum_cell} are suppressed."
    )


def mitigation_in_words(plan: Plan) -> str:
    """What is done to treat groups more evenly, and what that reads; empty when mitigation is off."""
    mitigation = plan.fairness.mitigation
    if mitigation is None:
        return ""
    names = " and ".join(a.name for a in plan.mitigated)
    if mitigation.method == "group_blind":
        return (
            f"Mitigation, group-blind: the centers are placed so that the worst-off group of {names} is as well described as "
            "possible. The group is read while learning; customers are assigned to the nearest center without looking at it."
        )
    bounds = mitigation.bounds
    stated = (
        ", or for single groups as stated, which can be met only where that holds the group's share of everybody; where it does not "
        "the run stops, or, where the noise let it through, the report says so"
    ) * bool(bounds.shares)
    return (
        f"Mitigation, balanced: in every segment the share of each group of {names} is to lie between {bounds.at_least:g} and "
        f"{bounds.at_most:g} times its share of everybody{stated}; a group "
        "that is too small to be told from the noise has no bound, and the report names it. The group of "
        "each customer is read when the segment is assigned: two customers alike in every feature may be treated differently for "
        f"their group, which may be unlawful where this runs. Justification in the plan: {mitigation.justification}"
    )


def movement_in_words(plan: Plan) -> str:
    """What is counted of customers who change segment, its price, and how far noise moves it; empty where nothing is."""
    if plan.segments.movement is None:
        return ""
    unit = plan.privacy.unit
    return (
        "Movement: how many customers went from which segment of the last published run to which of this one, and how many were not there, "
        f"found by pseudonym where both runs have one key. It takes {SYMBOL[unit]} = {plan.movement_budget:.4g} of the run's; each count is within "
        f"{half_width(plan.movement_budget, unit, LEVEL):,.0f} customers, 19 times in 20. A run with nothing to compare leaves that unused."
    )


def distribution_in_words(plan: Plan) -> str:
    """What is asked of features by segment beside typical values, and its price; empty where nothing is."""
    if plan.segments.distribution is None:
        return ""
    unit = plan.privacy.unit
    return (
        "Distribution: median and quartiles of each feature in each segment, and of features on log scales that are a sum or a count of events "
        f"the share of each segment in the total. It takes {SYMBOL[unit]} = {plan.distribution_budget:.4g} of the run's."
    )


def kept_in_words(plan: Plan) -> str:
    """How long what is about people is kept."""
    kept = plan.retention
    return (
        f"What is about people is kept: prepared rows {kept.prepared}, segments {kept.segments}, activations {kept.activations}, findings "
        f"on the input {kept.findings}, leases {kept.leases}; evenhand retain removes what is due. A run that "
        f"stops may be gone on with for {kept.unfinished}; then evenhand maintain gives it up. The audit log, the ledger and the noisy "
        "answers name no customer and are kept."
    )


def notice_in_words(plan: Plan) -> str:
    """What customers are told; empty where the plan has no notice."""
    notice = plan.notice
    if notice is None:
        return ""
    told = f"Customers are told so in notice {notice.version} ({', '.join(notice.languages)}); evenhand notice writes it"
    return f"{told} once its words are right: {'; '.join(wrong)}." if (wrong := wrong_words(plan)) else f"{told}."


def _budget(plan: Plan) -> list[str]:
    privacy, split = plan.privacy, plan.privacy.split
    each_share = (("summary", split.summary), ("profiles", split.profiles), ("fairness", split.fairness))
    spent = [("bounds", plan.bounds_budget)] if plan.to_find else []
    spent += [(name, plan.shared_budget * share) for name, share in each_share]
    spent += [("distribution", plan.distribution_budget)] if plan.segments.distribution else []
    spent += [("movement", plan.movement_budget)] if plan.segments.movement else []
    delta, counted = "", []
    if privacy.delta is not None:
        delta = f" and δ = {privacy.delta:g} of {privacy.population_delta:g}"
        counted = [
            f"within the run as ρ = {privacy.budget:.3g} (zero-concentrated, Gaussian noise); over runs ε and δ add up",
            f"at most {privacy.delta * privacy.expected_customers:.1g} customers are expected to lose more than that ε",
        ]
    each = EACH[privacy.renews]
    a_period = f" a {each}" if each else ""
    caveat = [f"the promise holds for each {each} by itself; over several, what they spent adds up"] if each else []
    return [
        *hanging(
            f"ε = {privacy.epsilon:g} of {privacy.population_total:g}{delta}{a_period} for population {privacy.population}, "
            f"at most {privacy.runs_covered} runs like this one{a_period}"
        ),
        *(line for sentence in caveat + counted for line in hanging(sentence, "    ")),
        *(f"    {name:<12} {SYMBOL[privacy.unit]} = {cost:.4g} ({cost / privacy.budget:.0%})" for name, cost in spent),
        *(_wrapped(finding(plan)) if plan.to_find else []),
        *_wrapped(learning(plan)),
    ]


def finding(plan: Plan) -> str:
    """One sentence on the bounds that the plan does not state."""
    names = " and ".join(f.name for f in plan.to_find)
    return (
        f"The bounds of {names} are found privately before anything is prepared: powers of two (or zero), from a noisy histogram "
        "over a public range; they are published."
    )


def learning(plan: Plan) -> str:
    """One sentence on the questions from which the segments are learned."""
    method, how = Method.of(plan), f"one pass over {Boxes.of(plan).count:,} boxes that are cut at midpoints"
    if method.marginals:
        steps = f"{len(method.refinements)} private step{'s' * (len(method.refinements) > 1)} of refinement"
        boxes = f"one pass over at most {most_boxes(plan):,} boxes cut where those say"
        how = ", ".join(["a private histogram a feature", f"{boxes}, and {steps}" if method.refinements else f"and {boxes}"])
    if method.mitigation:
        how += f"; mitigation asks for {', '.join(f'{name} ({SYMBOL[plan.privacy.unit]} = {e:.3g})' for name, e in method.mitigation)}"
    return f"Segments are learned by {how}; decided from {plan.privacy.expected_customers:,} expected customers."


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
