"""The plan: what one run may read, compute and write, and why. Nothing happens that is not stated here.

Every default that a data protection officer might argue about stands with its key, with a sentence: in data, features,
privacy and fairness beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import Field, Tag, ValidationInfo, field_validator, model_validator

from evenhand.plan.activation import Activation
from evenhand.plan.base import EitherForm, Model, Name, Text
from evenhand.plan.data import Output, Pseudonyms, Sources
from evenhand.plan.distribution import Distribution
from evenhand.plan.entries import ENTRIES, MOST_FEATURES, Entries, expanded
from evenhand.plan.erasure import Erasure
from evenhand.plan.fairness import Fairness
from evenhand.plan.features import Attribute, Feature
from evenhand.plan.movement import Movement
from evenhand.plan.notice import Notice
from evenhand.plan.outcomes import Outcome
from evenhand.plan.privacy import Privacy
from evenhand.plan.retention import Contact, Retention
from evenhand.plan.rewards import Rewards
from evenhand.plan.surveys import Survey

RESERVED = {"run_id", "pseudonym", "key_id", "segment", "imputed", "clipped", "as_of", "box", "joint_group"}
RESERVED |= {"noisy_count", "noisy_count_low", "noisy_count_high", "means_low", "means_high", "centers_low", "centers_high"}
RESERVED |= {"was", "was_in", "label", "fixed_point"}
RESERVED |= {"size", "share"}  # measures of a segment's profile, beside the features

NOT_IN_JAVA = {"Factory", "ROC", "localtime"}  # files of the system's zones, which Spark refuses once it runs


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - NOT_IN_JAVA)  # reads some 600 files


class KRange(Model):
    """The number of segments is chosen on the private summary, at no further budget."""

    at_least: int = Field(ge=2, description="The smallest number that is tried.")
    at_most: int = Field(le=100, description="The largest number that is tried.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.at_least >= self.at_most:
            raise ValueError("at_least must be smaller than at_most")
        return self


Prefer = Literal["fewer", "more"]


class Segments(Model):
    """How many segments there are, and how they are searched for."""

    k: Annotated[Annotated[int, Field(ge=2, le=100), Tag("plain")] | Annotated[KRange, Tag("by-keys")], EitherForm] = Field(
        description="The number of segments. Of a range the number with the greatest silhouette on the private summary is taken."
    )
    prefer: Prefer | None = Field(
        default=None,
        description="Of a range, where several numbers are as good as each other (silhouettes within 0.02): `fewer` takes the smallest of "
        "them, `more` the largest. Unless stated the number with the greatest silhouette is taken, by however little.",
    )
    mllib_seeds: int = Field(default=2, ge=1, le=20, description="How many MLlib fits compete.")
    restarts: int = Field(default=24, ge=1, le=1000, description="How many k-means++ restarts compete with them.")
    when_useless: Literal["block", "publish"] = Field(
        default="block",
        description="What happens when the segments are expected to describe customers worse than one segment for everybody: "
        "`block` publishes nothing; `publish` insists, and the reason stands in `runs`.",
    )
    movement: Movement | None = Field(
        default=None,
        description="How many customers went from which segment to which since the last published run. Without it nobody's segments of two runs "
        "are held against each other.",
    )
    distribution: Distribution | None = Field(
        default=None,
        description="Median and quartiles of each feature in each segment, and who brings the total of features on log scales. Without it "
        "typical values are told alone, and totals of features without a log scale.",
    )

    @model_validator(mode="after")
    def _several(self) -> Self:
        taken = sum(asked.share for asked in (self.movement, self.distribution) if asked)
        if taken >= 1:
            raise ValueError(
                f"the shares of movement and distribution add up to {taken:g}, which leaves nothing to learn segments from"
            )
        if self.prefer is not None and isinstance(self.k, int):
            raise ValueError("prefer chooses among several numbers of segments; state k as a range, or leave prefer out")
        return self

    @property
    def candidates(self) -> range:
        return range(self.k, self.k + 1) if isinstance(self.k, int) else range(self.k.at_least, self.k.at_most + 1)


class Plan(Model):
    """One run's contract. `evenhand.load_plan` reads it, `fingerprint` names it."""

    name: Name = Field(description="What the plan is called in files, tables and reports.")
    purpose: Name = Field(
        description="The purpose in the consent events. It is part of every pseudonym, so that two purposes cannot be joined."
    )
    description: Text = Field(description="What the segments are for, in a sentence.")
    legal_basis: Literal["consent", "legitimate_interest"] = Field(  # GDPR art. 6(1)(a) and (f), 21
        description="`consent` is opt-in: no event means no. `legitimate_interest` is opt-out: no event means yes, and any state "
        "that is no yes means no."
    )
    time_zone: Text = Field(default="UTC", description="The time zone in which days begin and end, such as Europe/Berlin.")
    sources: Sources = Field(description="The Delta tables that may be read.")
    features: list[Feature] = Field(
        min_length=1,
        max_length=MOST_FEATURES,
        description="What is said of a customer in numbers. Segments are learned from these alone.",
    )
    protected: list[Attribute] = Field(
        min_length=1, max_length=20, description="The attributes whose groups are compared. They are measured and never features."
    )
    segments: Segments = Field(description="How many segments there are, and how they are searched for.")
    privacy: Privacy = Field(description="The privacy budget of a run, and of the people over all runs.")
    pseudonyms: Pseudonyms = Field(description="Where the key of the pseudonyms is.")
    fairness: Fairness = Field(default=Fairness(), description="What counts as even, and what is done about unevenness.")
    activation: Activation = Field(default=Activation(), description="How segments are handed out: `evenhand activate`.")
    surveys: list[Survey] = Field(
        default_factory=list,
        max_length=20,
        description="Surveys about the use of data that are counted by segment: `evenhand feedback`. No run reads them.",
    )
    outcomes: list[Outcome] = Field(
        default_factory=list,
        max_length=20,
        description="What came of offers, counted for those who were handed out and held back: `evenhand outcomes`. No run reads it.",
    )
    rewards: Rewards | None = Field(
        default=None,
        description="Points for taking part, the same whatever somebody says: `evenhand rewards`. Without it nothing is given.",
    )
    retention: Retention = Field(default=Retention(), description="How long what is about people is kept.")
    contact: Contact | None = Field(
        default=None,
        description="Who decides about the use of the data, and where a customer turns to; the page for a customer names it.",
    )
    notice: Notice | None = Field(
        default=None,
        description="What customers are told: `evenhand notice` writes the page. A plan without it runs, and has no such page.",
    )
    erasure: Erasure = Field(default=Erasure(), description="How an erasure is certified.")
    output: Output = Field(description="Where the tables and reports go.")

    @field_validator("features", mode="before", json_schema_input_type=Entries)
    @classmethod
    def _expanded(cls, written: Any, info: ValidationInfo) -> list[Feature]:
        """An entry that stands for several features becomes these; everything after sees features alone."""
        sources = info.data.get("sources")
        found = expanded(ENTRIES.validate_python(written, context=info.context), sources.events if sources else {})
        if len(found) > MOST_FEATURES:
            raise ValueError(
                f"the entries stand for {len(found)} features, of which a plan has at most {MOST_FEATURES}; leave some out"
            )
        return found

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in _zones():
            raise ValueError("a time zone such as Europe/Berlin or UTC is needed")
        return zone

    def __repr__(self) -> str:
        return f"<plan {self.name}: {len(self.features)} features, {len(self.protected)} protected attributes, ε = {self.privacy.epsilon:g}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """What `evenhand check` says, for a notebook."""
        from evenhand.plan.explain import explain

        return f"<pre>{escape(explain(self))}</pre>"

    @property
    def is_balanced(self) -> bool:
        """Whether a map and not the nearest center alone decides who is in which segment."""
        return self.fairness.mitigation is not None and self.fairness.mitigation.method == "balanced"

    @property
    def opt_in(self) -> bool:
        return self.legal_basis == "consent"

    @property
    def feature_names(self) -> list[str]:
        return [f.name for f in self.features]

    @property
    def to_find(self) -> list[Feature]:
        """The features whose bounds the plan leaves to the noise to find."""
        return [f for f in self.features if f.bounds is None]

    def with_bounds(self, found: Mapping[str, tuple[float, float]]) -> Self:
        """The plan to go on with, by feature; it has the same canonical form and so the same fingerprint."""
        features = [f.within(*found[f.name]) if f.name in found else f for f in self.features]
        return self.model_copy(update={"features": features})

    def for_customers(self, expected: int) -> Self:
        """The plan as it would be for another number of customers: for advice, never to run."""
        return self.model_copy(update={"privacy": self.privacy.model_copy(update={"expected_customers": expected})})

    @property
    def counted_in_waves(self) -> list[Survey | Outcome]:
        """What is counted after runs, at a price of its own."""
        return [*self.surveys, *self.outcomes]

    def wave_budget(self, asked: Survey | Outcome) -> float:
        """The ε of one wave of a survey, or of one count of an outcome. It is pure ε, with a `delta` too: over few cells Gaussian noise is no smaller."""
        return self.privacy.epsilon * asked.share

    @property
    def bounds_budget(self) -> float:
        """What finding bounds may spend, in the unit of the budget."""
        return self.privacy.budget * self.privacy.split.bounds if self.to_find else 0.0

    @property
    def movement_budget(self) -> float:
        """What counting who went from which segment to which may spend, in the unit of the budget."""
        asked = self.segments.movement
        return (self.privacy.budget - self.bounds_budget) * asked.share if asked else 0.0

    @property
    def distribution_budget(self) -> float:
        """What medians, quartiles and totals by segment may spend, in the unit of the budget."""
        asked = self.segments.distribution
        return (self.privacy.budget - self.bounds_budget) * asked.share if asked else 0.0

    @property
    def shared_budget(self) -> float:
        """What summary, profiles and fairness divide, in the unit of the budget."""
        return self.privacy.budget - self.bounds_budget - self.movement_budget - self.distribution_budget

    @property
    def attribute_names(self) -> list[str]:
        return [a.name for a in self.protected]

    @property
    def mitigated(self) -> list[Attribute]:
        """The attributes whose groups are to be treated evenly; none when mitigation is off."""
        mitigation = self.fairness.mitigation
        if mitigation is None:
            return []
        return [a for a in self.protected if not mitigation.attributes or a.name in mitigation.attributes]
