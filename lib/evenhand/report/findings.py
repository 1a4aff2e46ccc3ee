"""What a manager should know, in a few sentences: no more than the noise lets anybody say."""

from __future__ import annotations

from evenhand.fairness.assess import AT_LEAST, CANNOT_TELL, UNEVEN
from evenhand.report.facts import Facts
from evenhand.report.words import METRIC_NAMES, NOT_SHOWN, Row, estimate, sure_distance


def headline(facts: Facts) -> list[str]:
    """Two sentences for somebody who reads nothing else."""
    shown = [row for row in facts.measure("share") if not row["suppressed"]]
    largest = max(shown, key=lambda row: row["value"], default=None)
    first = f"The customers fall into {len(facts.labels)} segments"
    if largest is not None:
        first += f"; the largest, “{largest['label']}”, is about {largest['value']:.0%} of them"
    return [f"{first}.", fairness_words(facts)[0]]


def fairness_words(facts: Facts) -> list[str]:
    """The verdict, then for each attribute that is surely uneven where it is so, or in what."""
    uneven = sorted({row["attribute"] for row in facts.verdicts if row["verdict"] == UNEVEN})
    unclear = sorted({row["attribute"] for row in facts.verdicts if row["verdict"] == CANNOT_TELL} - set(uneven))
    parts = []
    if uneven:
        parts.append(f"they do not treat everybody evenly by {' and '.join(uneven).replace('_', ' ')}")
    if unclear:
        parts.append(f"for {' and '.join(unclear).replace('_', ' ')} not every statistic can be told from noise and chance")
    said = [f"Fairness: {'; '.join(parts) if parts else 'every statistic is within its threshold'}."]
    return said + [_where(facts, table) for table in uneven]


def _where(facts: Facts, table: str) -> str:
    """The cell that is farthest from even for sure, if one is; else the statistics that are uneven."""
    by = f"By {table.replace('_', ' ')}"
    cell = _surest(facts, table)
    if cell is not None:
        of_shown = ", of what is shown," if table in facts.judged_unseen else ""
        ratio = estimate(cell, "representation_ratio", "representation_ratio_low", "representation_ratio_high")
        return (
            f"{by} the farthest from even{of_shown} is “{cell['group']}” in segment {cell['segment']} "
            f"({facts.labels[cell['segment']]}): {ratio} times as many as an even share would be."
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
