"""The report: one self-contained HTML page that needs neither network nor script."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from functools import cache, partial
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from evenhand.describe.label import NOTICEABLE
from evenhand.errors import OutputError, cannot_write
from evenhand.fairness.assess import COST, SHARE
from evenhand.fairness.judgment import AT_LEAST
from evenhand.plan.advice import advice
from evenhand.plan.columns import reasons, source_tables
from evenhand.plan.crowded import crowded
from evenhand.plan.explain import learning, mitigation_in_words
from evenhand.plan.features import Feature
from evenhand.plan.groups import group_tables
from evenhand.plan.metric import weights
from evenhand.plan.models import Plan
from evenhand.plan.periods import EACH
from evenhand.report.distribution import added, quartiles_by_feature, totals_by_segment
from evenhand.report.doubts import do_not_act, miscounted
from evenhand.report.drawing import NARROW, WIDE, Paper
from evenhand.report.facts import Facts, in_words
from evenhand.report.fifths import fifths_in_words
from evenhand.report.findings import fairness_words, headline, verdict_counts
from evenhand.report.gather import gather
from evenhand.report.limits import adapted
from evenhand.report.number_of_segments import chosen_in_words, no_natural_groups
from evenhand.report.offers import rule
from evenhand.report.plots import plots_of
from evenhand.report.segment_map import map_of
from evenhand.report.segment_sentences import segment_sentences
from evenhand.report.words import (
    ALONE,
    NOT_SHOWN,
    PLAIN,
    TOO_SMALL,
    Form,
    Row,
    among,
    estimate,
    isolated,
    metric_name,
    percents,
    plain,
)
from evenhand.tables.store import Store


def report_path(plan: Plan, run_id: str) -> Path:
    return Path(plan.output.reports) / f"{run_id}.html"


def write_report(store: Store, plan: Plan, run_id: str) -> Path:
    """Write the page of a run; whoever opens it sees the old one or the new one, never half of one.

    Raises:
        OutputError, NoRoom: the page cannot be written; what the run has published stays.
    """
    page, path = render(gather(store, plan, run_id)), report_path(plan, run_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(page)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as wrong:
        left = f"; run {run_id} stays as it is: run the step report again with --run-id {run_id} once it can be"
        raise cannot_write(f"output.reports: {path}", wrong, left, OutputError) from None
    return path


def render(facts: Facts) -> str:
    """The whole page."""
    return _template("page.html.j2").render(**_context(facts, WIDE, NARROW))


def glance(facts: Facts) -> str:
    """The part that a notebook shows: headline, segments, verdicts."""
    return _template("glance.html.j2").render(**_context(facts, WIDE))


def _charts(facts: Facts, papers: tuple[Paper, ...]) -> dict[str, Markup]:
    """Each plot for a wide and a narrow screen, where a page is for both; its style shows one of them. Ours, every text escaped."""
    drawn = {paper.kind: plots_of(facts, paper) for paper in papers}
    return {
        name: Markup("".join(f'<div class="{kind}">{of[name]}</div>' for kind, of in drawn.items())) for name in drawn[WIDE.kind]
    }


def _context(facts: Facts, *papers: Paper) -> dict[str, object]:
    plan = facts.plan
    uses, sources = sorted(reasons(plan), key=lambda use: list(facts.versions).index(use[0])), source_tables(plan)
    return {
        "facts": facts,
        "plan": plan,
        "plots": _charts(facts, papers),
        "headline": headline(facts),
        "do_not_act": do_not_act(facts),
        "miscounted": miscounted(facts),
        "crowded": crowded(facts.outside, plan),
        "sentences": segment_sentences(facts),
        "fifths": fifths_in_words(facts),
        "map": map_of(facts),
        "added": added(plan, facts.distribution),
        "totals": totals_by_segment(facts),
        "quartiles": quartiles_by_feature(facts),
        "by_recency": any(name.endswith("recency") for name in plan.feature_names),
        "natural": no_natural_groups(facts),
        "chosen": chosen_in_words(facts),
        "warnings": advice(plan, spread_is_known=bool(facts.outside)),
        "weights": weights(plan.features),
        "learning": learning(plan),
        "mitigation": mitigation_in_words(plan),
        "read": [
            (name, sources[name], facts.versions[name], list(group)) for name, group in groupby(uses, key=lambda use: use[0])
        ],
        "winner": next((f for f in facts.fits if f["chosen"]), None),
        "each": EACH[plan.privacy.renews],
        "tables": group_tables(plan),
        "fairness_words": fairness_words(facts),
        "rule": {offer.name: rule(offer, plan, facts.lasting) for offer in plan.fairness.offers},
        "not_shown": NOT_SHOWN,
        "too_small": TOO_SMALL,
        "alone": ALONE,
        "typical": partial(_typical, facts),
        "costs": Form.of(facts.fits, ("cost", "cost_low", "cost_high")),
        "everyone": {name: asdict(typical) for name, typical in facts.everyone.items()},
        "noticeable": NOTICEABLE,
        "share_of_customers": SHARE,
        "cost": COST,
        "first_layer": PLAIN,
    }


def _typical(facts: Facts, feature: Feature, row: Row) -> str:
    """A typical value with its range; one precision for all of a column, but on a log scale, where the noise is a part of the value."""
    rows = [row] if feature.scale == "log" else [of for of in facts.measure(feature.name) if not of["suppressed"]]
    return Form.of(rows).ranged(row)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("evenhand.report", "templates"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "form": Form.of,
        "among": among,
        "plain": plain,
        "verdict_counts": verdict_counts,
        "percents": percents,
        "estimate": estimate,
        "metric_name": metric_name,
        "at_least": AT_LEAST,
    }
    environment.filters |= {"isolated": isolated, "in_words": in_words, "adapted": adapted}
    return environment.get_template(name)
