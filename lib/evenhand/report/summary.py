"""The last lines of a job, for the person who started it."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from pathlib import Path

from evenhand.plan.crowded import crowded
from evenhand.plan.groups import group_tables
from evenhand.report.doubts import do_not_act, miscounted
from evenhand.report.facts import Facts
from evenhand.report.words import NOT_SHOWN, SHORT_NAMES, Form, Row
from evenhand.terminal import WIDTH


def summary_text(facts: Facts, report: Path) -> str:
    """At most a screen of noisy figures and verdicts, and where the report is."""
    lines = [f"{len(facts.labels)} segments, run {facts.run_id}, {facts.status}"]
    if facts.not_private:
        lines.append("NOT PRIVATE: noise was replaced for a test or a benchmark; do not publish")
    doubts = [f"DO NOT ACT ON THIS: {why}" for why in [do_not_act(facts)] if why] + [said for said in [miscounted(facts)] if said]
    doubts += crowded(facts.outside, facts.plan)
    lines += [line for doubt in doubts for line in textwrap.wrap(doubt, WIDTH)]
    shares = {row["segment"]: row for row in facts.measure("share")}
    sizes = facts.measure("size")
    counted, part = Form.of(sizes, least=1), Form.of(list(shares.values()), percent=True)
    for row in sizes:
        about = f"{part.about(shares[row['segment']])}, {counted.about(row)} customers" if not row["suppressed"] else NOT_SHOWN
        lines += _hanging(f"{row['segment']:>3}  {row['label']}: {about}", "       ")
    if facts.lasting is not None:
        lines += _hanging(f"numbers: {facts.lasting.in_a_line}", "      ")
    for table in group_tables(facts.plan):
        of = [row for row in facts.verdicts if row["attribute"] == table.name]
        by_verdict = {
            v: [_metric(row, facts.burdens) for row in of if row["verdict"] == v] for v in ("uneven", "cannot tell", "even")
        }
        said = "; ".join(f"{v}: {', '.join(metrics)}" for v, metrics in by_verdict.items() if metrics)
        lines += _hanging(f"{table.name.replace('_', ' ')}: {said}", "      ")
    budget, epsilon, delta = facts.budget, facts.plan.privacy.epsilon, facts.plan.privacy.delta
    and_delta = f" and δ = {delta:g}" if delta else ""
    delta_left = f", δ = {budget.delta_left:g} of {budget.delta_total:g}" if delta else ""
    more = budget.runs_left(epsilon, delta)
    until = f", renews {budget.renews}" if budget.renews else ""
    lines += _hanging(
        f"privacy: ε = {epsilon:g}{and_delta} spent, {budget.left:g} of {budget.total:g} left "
        f"({more} such run{'s' if more != 1 else ''}){delta_left}{until}",
        "      ",
    )
    lines.append(f"report: {report}")
    return "\n".join(lines)


def _hanging(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent=indent)


def _metric(row: Row, burdens: Collection[str]) -> str:
    spared = "being spared " if row["metric"] == "selection_ratio" and row["offer"] in burdens else ""
    of = f" of {spared}{row['offer'].replace('_', ' ')}" if row["offer"] else ""
    return f"{SHORT_NAMES[row['metric']]}{of}"
