"""What a run says of its segments: one question about all of them, and what follows from its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from evenhand.ask.assessment import segment_tallies
from evenhand.ask.distribution import distribution
from evenhand.ask.histograms import histograms, outside_fullest
from evenhand.assignment.fair_map import FairMap
from evenhand.assignment.nearest import Centers
from evenhand.describe.distances import Distances, read_distances
from evenhand.describe.everybody import Everybody, read_everybody
from evenhand.describe.fifths import Fifths, read_fifths
from evenhand.describe.label import labels
from evenhand.describe.profiles import Profiles, read_profiles
from evenhand.describe.quartiles import Quartiles, read_quartiles
from evenhand.describe.totals import Shares, read_totals
from evenhand.describe.worth import useless, worth
from evenhand.fairness.assess import TableFairness, assess_fairness, unevenness
from evenhand.fairness.change import Last
from evenhand.mitigate.kept import Kept, kept_bounds
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.release import Ask, Release


@dataclass(frozen=True)
class Assessed:
    """`release` answers `segment_tallies`; `spread` the histograms, None where they were not asked for; `last` is the run before,
    None of a first one; `distribution` the histograms and totals by segment, None where the plan does not ask for them.
    """

    plan: Plan
    centers: Centers
    release: Release
    fairness: list[TableFairness]
    spread: Release | None
    last: Last | None
    distribution: Release | None = None

    @property
    def totals(self) -> dict[str, Shares]:
        """Who brings the total, by feature."""
        return read_totals(self.release, self.plan, self.distribution)

    @property
    def quartiles(self) -> Quartiles | None:
        return read_quartiles(self.distribution, self.plan) if self.distribution else None

    @property
    def profiles(self) -> Profiles:
        return read_profiles(self.release, self.plan)

    @cached_property
    def distances(self) -> Distances:
        return read_distances(self.release, self.plan)

    @property
    def outside(self) -> dict[str, tuple[float, float, float]]:
        """By feature the share of customers outside of the fullest eighth of its bounds, where histograms were asked for."""
        return outside_fullest(self.spread, self.plan) if self.spread else {}

    @property
    def fifths(self) -> Fifths | None:
        return read_fifths(self.release, self.spread, self.plan) if self.spread else None

    @property
    def labels(self) -> list[str]:
        return labels(self.distances, self.plan.features, self.last.labels if self.last else {})

    @property
    def everybody(self) -> Everybody:
        return read_everybody(self.release, self.plan, len(self.centers))

    @property
    def worse(self) -> list[str]:
        """One line where the segments are expected to be worse than one for everybody."""
        return useless(worth(self.release, self.centers, self.plan), self.plan)

    @property
    def uneven(self) -> list[str]:
        """A line for each attribute whose groups are surely treated unevenly."""
        return unevenness(self.fairness)

    def kept(self, bounds: list[tuple[str, str]]) -> list[Kept]:
        """Whether the bounds of mitigation, by table and group, were kept."""
        return kept_bounds(self.release, self.plan, bounds, {of.table: of.suppressed for of in self.fairness})


def assess(
    ask: Ask, centers: Centers, fair_map: FairMap | None, plan: Plan, last: Callable[[], Last | None] = lambda: None
) -> Assessed:
    """What these segments are like, and how evenly groups are treated; `last` gives the run before, to compare with."""
    histogram = [histograms(plan)] if Method.of(plan).marginals else []  # learning has had the answer; it is read back
    by_segment = [distribution(centers, fair_map, plan)] if plan.segments.distribution else []
    release, *more = ask(segment_tallies(centers, fair_map, plan), *histogram, *by_segment)
    spread, distributed = more[: len(histogram)], more[len(histogram) :]
    before = last()
    fairness = assess_fairness(release, plan, centers, before)
    return Assessed(
        plan, centers, release, fairness, spread[0] if spread else None, before, distributed[0] if distributed else None
    )
