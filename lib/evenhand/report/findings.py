"""What a manager should know, in a few sentences: no more than the noise lets anybody say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from evenhand.fairness.judgment import AT_LEAST, CANNOT_TELL, EVEN, UNEVEN
from evenhand.fairness.reference import CUSTOMERS
from evenhand.report.doubts import do_not_act
from evenhand.report.facts import Facts
from evenhand.report.words import (
    NOT_SHOWN,
    Form,
    Row,
    Rows,
    among,
    away_from_even,
    estimate,
    isolated,
    metric_name,
    sure_distance,
)

NAMED = 4  # groups in a headline; all stand below


def headline(facts: Facts) -> list[str]:
    """Two sentences for somebody who reads nothing else; of segments that nobody should act on only how many were made."""
    segments = f"{len(facts.labels)} segments"
    first = (
        f"{segments} were made, mostly from noise."
        if do_not_act(facts)
        else f"{_customers(facts)} fall into {segments}{_largest(facts)}."
    )
    return [first, fairness_words(facts)[0]]


def _customers(facts: Facts) -> str:
    """ "About 60,100 customers"."""
    said = Form.of([facts.customers], least=1).about(facts.customers)
    return f"{said[0].upper()}{said[1:]} customers"


def _largest(facts: Facts) -> str:
    """Which segment is the largest, where the noise leaves no doubt."""
    shown = sorted((r for r in facts.measure("share") if not r["suppressed"]), key=lambda row: -float(row["value"]))
    if not shown or any(row["high"] >= shown[0]["low"] for row in shown[1:]):
        return ""
    return f"; the largest, “{isolated(shown[0]['label'])}”, is {Form.of(shown, percent=True).about(shown[0])} of them"


def fairness_words(facts: Facts) -> list[str]:
    """The verdict, then for each attribute that is surely uneven where it is so, or in what."""
    verdicts: dict[str, set[str]] = {}
    for row in facts.verdicts:
        verdicts.setdefault(row["attribute"], set()).add(row["verdict"])
    uneven = sorted(table for table, found in verdicts.items() if UNEVEN in found)
    untold = sorted(table for table, found in verdicts.items() if found == {CANNOT_TELL})
    unclear = sorted(table for table, found in verdicts.items() if CANNOT_TELL in found and table not in {*uneven, *untold})
    parts = []
    if uneven:
        parts.append(f"the segments surely treat people unevenly by {_listed(uneven)}")
    if untold:
        parts.append(f"for {_listed(untold)} nothing can be said, because noise and chance are too large")
    if unclear:
        parts.append(f"for {_listed(unclear)} some statistics are too uncertain to judge")
    if not parts:
        parts = [f"every statistic is surely within its limit{_left_out(facts)}"]
    return [f"Fairness: {'; '.join(parts)}.", *(_where(facts, table) for table in uneven)]


def _listed(tables: list[str]) -> str:
    return " and ".join(tables).replace("_", " ")


def _left_out(facts: Facts) -> str:
    """The groups of whom "even" says nothing."""
    named, small, beside = [], facts.left_out, facts.beside
    for table in {**small, **beside}:
        groups = [*small.get(table, []), *beside.get(table, [])]
        more = f" and {len(groups) - NAMED} more" if len(groups) > NAMED else ""
        named.append(f"{table.replace('_', ' ')}: {', '.join(map(isolated, groups[:NAMED]))}{more}")
    return f", but some groups are too small to judge ({'; '.join(named)})" if named else ""


def _where(facts: Facts, table: str) -> str:
    """The cell that is farthest from even for sure, if one is; else the statistics that are uneven."""
    cell = _surest(facts, table)
    if cell is not None:
        high = cell["representation_ratio_high"]
        side = "under" if high is not None and high < 1 else "over"
        shown = "of the figures shown, " if table in facts.judged_unseen else ""
        return (
            f"By {table.replace('_', ' ')}, {shown}the group “{isolated(cell['group'])}” is most clearly {side}-represented in segment "
            f"{cell['segment']} ({isolated(facts.labels[cell['segment']])}): "
            f"{away_from_even(cell, _share(facts.references[table]))}."
        )
    rows = [row for row in facts.verdicts if row["attribute"] == table and row["verdict"] == UNEVEN]
    return f"By {table.replace('_', ' ')} these are uneven: {'; '.join(_statistic(row, facts.burdens) for row in rows)}."


def _share(reference: str) -> str:
    return "its share of all customers" if reference == CUSTOMERS else f"its share {among(reference)}"


def _surest(facts: Facts, table: str) -> Row | None:
    """Only where the cells together are surely not all even: of twenty even ones one range leaves 1 out on average."""
    overall = [r for r in facts.verdicts if r["attribute"] == table and r["metric"] == "representation_ratio"]
    if any(row["high"] is not None and row["high"] >= 1 for row in overall):
        return None
    first = next(iter(facts.worst_first(table)), None)
    return first if first is not None and sure_distance(first) > 0 else None


def _statistic(row: Row, burdens: Collection[str]) -> str:
    """ "balance of the worst segment 0.10 (0.08 to 0.12), at least 0.2 asked"."""
    of = f" for {row['offer'].replace('_', ' ')}" if row["offer"] else ""
    asked = f"at {'least' if row['metric'] in AT_LEAST else 'most'} {row['threshold']:.3g} would be even"
    return f"{metric_name(row, burdens)}{of}: {estimate(row) or NOT_SHOWN}, where {asked}"


def verdict_counts(rows: Rows) -> str:
    """ "2 uneven, 5 even, 1 cannot tell", the sure ones first."""
    counts = Counter(row["verdict"] for row in rows)
    return ", ".join(f"{counts[said]} {said}" for said in (UNEVEN, EVEN, CANNOT_TELL) if counts[said])
