"""What may stand under `features`: a feature, or an entry that stands for several, which it becomes while the plan is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter

from evenhand.plan import categories, rfm
from evenhand.plan.categories import Categories
from evenhand.plan.data import Events
from evenhand.plan.features import Feature
from evenhand.plan.rfm import Rfm

KINDS = {rfm.KIND: Rfm, categories.KIND: Categories}
RFM_PARTS = 3
MOST_FEATURES = 60


def _kind(entry: Any) -> str:
    if isinstance(entry, Rfm | Categories):
        return type(entry).__name__
    if not isinstance(entry, Mapping) or "kind" not in entry:
        return Feature.__name__
    return KINDS[entry["kind"]].__name__


def _known(entry: Any) -> Any:
    if isinstance(entry, Mapping) and "kind" in entry and entry["kind"] not in [*KINDS]:  # a list is in no dictionary
        raise ValueError(f"there is no kind {entry['kind']}; known: {', '.join(KINDS)}; a single feature has none")
    return entry


# Mistakes are told for the form that was written. The tags are the names of the models, by which their keys are found.
Entry = Annotated[
    Annotated[Feature, Tag(Feature.__name__)]
    | Annotated[Rfm, Tag(Rfm.__name__)]
    | Annotated[Categories, Tag(Categories.__name__)],
    Discriminator(_kind),
    BeforeValidator(_known),
]
Entries = Annotated[list[Entry], Field(min_length=1, max_length=MOST_FEATURES)]
ENTRIES: TypeAdapter[list[Feature | Rfm | Categories]] = TypeAdapter(Entries)


def expanded(entries: Sequence[Feature | Rfm | Categories], events: Mapping[str, Events]) -> list[Feature]:
    """All features in order. Of a source that the plan lacks, which is refused afterwards, no time is known."""
    return [feature for entry in entries for feature in _features(entry, events)]


def _features(entry: Feature | Rfm | Categories, events: Mapping[str, Events]) -> list[Feature]:
    match entry:
        case Rfm():
            source = events.get(entry.events)
            return entry.features(source.time if source else "time")
        case Categories():
            return entry.features()
        case _:
            return [entry]


def written_at(entries: Any) -> list[int]:
    """By feature the position of the entry that it is from, of entries as YAML has them."""
    each = map(_count, entries) if isinstance(entries, list) else []
    return [i for i, count in enumerate(each) for _ in range(count)]


def _count(entry: Any) -> int:
    if not isinstance(entry, Mapping):
        return 1
    if entry.get("kind") == rfm.KIND:
        return RFM_PARTS
    named = entry.get("categories")
    return len(named) + 1 if entry.get("kind") == categories.KIND and isinstance(named, Mapping) else 1
