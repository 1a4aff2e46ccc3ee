"""What monitoring reads of a command: a file in Prometheus's text format, for the textfile collector of node_exporter.

It has two halves. One is about the last start, however it ended. The other is about what stands: the last success, the budget,
the verdicts that are published. A start that fails learns nothing of these, and they stay as the start before has left them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from evenhand.errors import ArgumentError, EvenhandError
from evenhand.version import __version__

LAST_START = {
    "evenhand_exit_code": "Exit code of the last start; 0 where it did what it should.",
    "evenhand_start_timestamp_seconds": "When the last start began.",
    "evenhand_end_timestamp_seconds": "When the last start ended.",
    "evenhand_duration_seconds": "How long the last start took.",
    "evenhand_step_duration_seconds": "How long a step took in the last start, also one that failed.",
    "evenhand_run_info": "1: the run that the last start was about, how it stands, and the version of Evenhand.",
}
STANDS = {
    "evenhand_last_success_timestamp_seconds": "When a start last ended with exit code 0.",
    "evenhand_as_of_timestamp_seconds": "The point in time whose consent and events the last published run went by.",
    "evenhand_findings": "Findings of the last published run.",
    "evenhand_verdicts": "Verdicts on fairness of the last published run, by protected attribute.",
    "evenhand_epsilon_limit": "The population's whole privacy budget in its period.",
    "evenhand_epsilon_left": "What is left of the population's privacy budget in its period.",
    "evenhand_runs_left": "How many more runs of this plan the population's privacy budget covers in its period.",
}
OWN = ("plan", "command")  # the labels of every series


@dataclass(frozen=True)
class Metrics:
    """The file of one command on one plan. `plan` is None where the plan cannot be read."""

    file: Path
    command: str
    plan: str | None
    before: list[Metric]
    began: float = field(default_factory=time)

    @classmethod
    def open(cls, file: Path, command: str, plan: str | None) -> Metrics:
        """Look, before any work, whether the file can be written and is that of this command and plan.

        Raises:
            ArgumentError: it is not.
        """
        if file.is_dir() or not os.access(file.parent, os.W_OK):
            raise ArgumentError(
                f"--metrics {file}: no file can be written there; name one in a folder that this account may write"
            )
        try:
            before = list(text_string_to_metric_families(file.read_text(encoding="utf-8"))) if file.exists() else []
        except (OSError, ValueError):
            raise ArgumentError(f"--metrics {file}: holds something else than metrics; name another file") from None
        whose = {tuple(sample.labels.get(name) for name in OWN) for family in before for sample in family.samples}
        if foreign := [of for of in whose if of[1] != command or (plan is not None and of[0] not in (plan, ""))]:
            held = f"evenhand {foreign[0][1]} on plan {foreign[0][0]}" if foreign[0][1] else "another program"
            raise ArgumentError(
                f"--metrics {file}: holds the metrics of {held}; give each command and plan a file of its own, or remove this one"
            )
        return cls(file, command, plan, before)

    def write(self, facts: Mapping[str, Any]) -> None:
        """Replace the file at once, in one rename.

        Raises:
            OSError: it cannot be written.
        """
        write_to_textfile(str(self.file), _Collected([*self._last_start(facts), *self._stands(facts)]))

    @property
    def _own(self) -> list[str]:
        """The values of the labels that every series has: of a plan that cannot be read, the name that it had before."""
        known = (sample.labels["plan"] for family in self.before for sample in family.samples)
        return [next(known, "") if self.plan is None else self.plan, self.command]

    def _last_start(self, facts: Mapping[str, Any]) -> Iterator[Metric]:
        now = time()
        yield self._gauge("evenhand_exit_code", facts["exit_code"])
        yield self._gauge("evenhand_start_timestamp_seconds", round(self.began))
        yield self._gauge("evenhand_end_timestamp_seconds", round(now))
        yield self._gauge("evenhand_duration_seconds", round(now - self.began))
        if steps := facts.get("seconds"):
            yield self._by("evenhand_step_duration_seconds", ["step"], [([step], took) for step, took in steps.items()])
        told = [str(facts.get("run_id") or ""), str(facts["status"]), __version__]
        yield self._by("evenhand_run_info", ["run_id", "status", "version"], [(told, 1)])

    def _stands(self, facts: Mapping[str, Any]) -> Iterator[Metric]:
        learned = {family.name: family for family in self._learned(facts)}
        for family in self.before:
            if family.name in STANDS:
                learned.setdefault(family.name, family)
        yield from learned.values()

    def _learned(self, facts: Mapping[str, Any]) -> Iterator[Metric]:
        if facts["exit_code"] == 0:
            yield self._gauge("evenhand_last_success_timestamp_seconds", round(time()))
        if budget := facts.get("budget"):
            yield self._gauge("evenhand_epsilon_limit", budget["epsilon_total"])
            yield self._gauge("evenhand_epsilon_left", budget["epsilon_left"])
            yield self._gauge("evenhand_runs_left", budget["runs_left"])
        if facts["status"] == "published" and "verdicts" in facts:
            yield self._gauge("evenhand_as_of_timestamp_seconds", datetime.fromisoformat(facts["as_of"]).timestamp())
            yield self._gauge("evenhand_findings", len(facts["findings"]))
            counts = [([attribute, v], n) for attribute, by in facts["verdicts"].items() for v, n in by.items()]
            yield self._by("evenhand_verdicts", ["attribute", "verdict"], counts)

    def _gauge(self, name: str, value: float) -> Metric:
        return self._by(name, [], [([], value)])

    def _by(self, name: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> Metric:
        family = GaugeMetricFamily(name, (LAST_START | STANDS)[name], labels=[*OWN, *labels])
        for of, value in values:
            family.add_metric([*self._own, *of], value)
        return family


@dataclass(frozen=True)
class _Collected:
    families: list[Metric]

    def collect(self) -> list[Metric]:
        return self.families


def metrics(file: str, command: str, plan: str) -> Metrics:
    """Those of a command on the plan in a file.

    Raises:
        ArgumentError: as `Metrics.open`.
    """
    from evenhand.plan.load import load_plan

    try:
        name = load_plan(plan).name
    except EvenhandError:
        name = None  # the command will say why
    return Metrics.open(Path(file), command, name)
