"""Two runs side by side: what their plans state differently, how many segments, and every statistic of fairness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from evenhand.plan.load import canonical
from evenhand.report.facts import Facts
from evenhand.report.words import Row
from evenhand.terminal import hanging


@dataclass(frozen=True)
class Comparison:
    """What two runs say, from their noisy results alone. A difference is sure where the two intervals do not meet."""

    first: Facts
    second: Facts

    @property
    def plans(self) -> list[str]:
        """The keys that the plans state differently, with both values; empty for one plan."""
        mine, theirs = (dict(_leaves(json.loads(canonical(f.plan)))) for f in (self.first, self.second))
        keys = [*mine, *(key for key in theirs if key not in mine)]
        return [f"{key}: {_said(mine, key)}, then {_said(theirs, key)}" for key in keys if mine.get(key) != theirs.get(key)]

    @property
    def statistics(self) -> list[dict[str, Any]]:
        """One row a statistic that either run has: attribute, metric, offer; value, ends and verdict of both; whether they differ for sure."""
        mine, theirs = ({_key(row): row for row in facts.verdicts} for facts in (self.first, self.second))
        return [_beside(key, mine.get(key), theirs.get(key)) for key in dict.fromkeys([*mine, *theirs])]

    @property
    def numbers(self) -> str:
        """Whether one run's segments have the numbers of the other's, and which not."""
        for later, earlier in ((self.second, self.first), (self.first, self.second)):
            if later.lasting is not None and later.lasting.run_id == earlier.run_id:
                return f"in run {later.run_id} {later.lasting.in_a_line}"
        return "neither run was held against the other, so one number may mean two segments"

    def __str__(self) -> str:
        a, b = self.first, self.second
        lines = [f"runs {a.run_id} and {b.run_id}"]
        plans = self.plans
        lines += [
            "  by one plan" if not plans else "  plans differ in",
            *(line for said in plans for line in hanging(said, "    ")),
        ]
        for what, one, other in self._facts():
            lines += hanging(f"{what}: {one}, then {other}")
        lines += hanging(f"numbers: {self.numbers}")
        for row in self.statistics:
            name = " ".join(
                filter(None, [row["attribute"], row["metric"].replace("_", " "), row["offer"] and f"of {row['offer']}"])
            )
            sure = "; differs by more than the noise" if row["differs"] else ""
            lines += hanging(f"{name}: {_figure(row, 'first')}, then {_figure(row, 'second')}{sure}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def as_facts(self) -> dict[str, object]:
        runs = [self.first.run_id, self.second.run_id]
        return {"status": "compared", "runs": runs, "plans": self.plans, "numbers": self.numbers, "statistics": self.statistics}

    def _facts(self) -> Iterator[tuple[str, str, str]]:
        a, b = self.first, self.second
        yield "status", a.status, b.status
        yield "as of", a.moment, b.moment
        yield "segments", str(len(a.labels)), str(len(b.labels))
        yield "labels", _labels(a), _labels(b)


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a plan by its path; an entry of a list of features, attributes or offers by its name."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list) and node and all(isinstance(entry, dict) and "name" in entry for entry in node):
        for entry in node:
            yield from _leaves(entry, f"{path}.{entry['name']}")
    else:
        yield path, node


def _labels(facts: Facts) -> str:
    return "; ".join(f"{number} {label}" for number, label in facts.labels.items())


def _said(leaves: dict[str, Any], key: str) -> str:
    return json.dumps(leaves[key], ensure_ascii=False) if key in leaves else "not stated"


def _key(row: Row) -> tuple[str, str, str]:
    return row["attribute"], row["metric"], row["offer"] or ""


def _beside(key: tuple[str, str, str], mine: Row | None, theirs: Row | None) -> dict[str, Any]:
    found: dict[str, Any] = dict(zip(("attribute", "metric", "offer"), key, strict=True))
    for which, row in (("first", mine), ("second", theirs)):
        for end in ("value", "low", "high", "verdict"):
            found[f"{which}_{end}"] = None if row is None else row[end]
    ends = [found[f"{which}_{end}"] for which in ("first", "second") for end in ("low", "high")]
    found["differs"] = None not in ends and (ends[1] < ends[2] or ends[3] < ends[0])
    return found


def _figure(row: dict[str, Any], which: str) -> str:
    value, low, high, verdict = (row[f"{which}_{end}"] for end in ("value", "low", "high", "verdict"))
    if verdict is None and value is None:
        return "not there"
    figure = "not shown" if value is None else f"{value:.2f}" + (f" ({low:.2f} to {high:.2f})" if None not in (low, high) else "")
    return f"{figure}, {verdict}" if verdict else figure
