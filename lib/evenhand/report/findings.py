"""What a manager should know, in a few sentences: no more than the noise lets anybody say."""

from __future__ import annotations

from evenhand.fairness.judgment import AT_LEAST, CANNOT_TELL, UNEVEN
from evenhand.report.doubts import do_not_act
from evenhand.report.facts import Facts
from evenhand.report.words import METRIC_NAMES, NOT_SHOWN, Row, estimate, isolated, percents, sure_distance

NAMED = 4  # groups in a headline; all stand below


def headline(facts: Facts) -> list[str]:
    """Two sentences for somebody who reads nothing else; of segments that nobody should act on only how many were made."""
    segments = f"{len(facts.labels)} segments"
    first = (
        f"{segments} were made, mostly of noise."
        if do_not_act(facts)
        else f"The customers fall into {segments}{_largest(facts)}."
    )
    return [first, fairness_words(facts)[0]]


def _largest(facts: Facts) -> str:
    """Which segment is the largest, where the noise leaves no doubt."""
    shown = sorted((r for r in facts.measure("share") if not r["suppressed"]), key=lambda row: -float(row["value"]))
    if not shown or any(row["high"] >= shown[0]["low"] for row in shown[1:]):
        return ""
    return f"; the largest, “{isolated(shown[0]['label'])}”, is {percents(shown[0])} of them"


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
        parts.append(f"they do not treat everybody evenly by {_listed(uneven)}")
    if untold:
        parts.append(f"nothing can be told from noise and chance for {_listed(untold)}")
    if unclear:
        parts.append(f"for {_listed(unclear)} not every statistic can be told from noise and chance")
    if not parts:
        parts = [f"every statistic is within its threshold{_left_out(facts)}"]
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
    by = f"By {table.replace('_', ' ')}"
    cell = _surest(facts, table)
    if cell is not None:
        of_shown = ", of what is shown," if table in facts.judged_unseen else ""
        ratio = estimate(cell, "representation_ratio", "representation_ratio_low", "representation_ratio_high")
        return (
            f"{by} the farthest from even{of_shown} is “{isolated(cell['group'])}” in segment {cell['segment']} "
            f"({isolated(facts.labels[cell['segment']])}): {ratio} times as many as an even share would be."
        )
    rows = [row for row in facts.verdicts if row["attribute"] == table and row["verdict"] == UNEVEN]
    return f"{by} uneven is: {'; '.join(_statistic(row) for row in rows)}."


def _surest(facts: Facts, table: str) -> Row | None:
    """Only where the cells together are surely not all even: of twenty even ones one range leaves 1 out on average."""
    overall = [r for r in facts.verdicts if r["attribute"] == table and r["metric"] == "representation_ratio"]
    if any(row["high"] is not None and row["high"] >= 1 for row in overall):
        return None
    first = next(iter(facts.worst_first(table)), None)
    return first if first is not None and sure_distance(first) > 0 else None


def _statistic(row: Row) -> str:
    """ "balance of the worst segment 0.10 (0.08 to 0.12), at least 0.2 asked"."""
    of = f" for {row['offer'].replace('_', ' ')}" if row["offer"] else ""
    asked = f"at {'least' if row['metric'] in AT_LEAST else 'most'} {row['threshold']:g} asked"
    return f"{METRIC_NAMES[row['metric']]}{of} {estimate(row) or f'({NOT_SHOWN})'}, {asked}"
