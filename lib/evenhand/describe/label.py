"""Segments in words: what sets a segment apart from everybody, most telling first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.describe.distances import Distances
from evenhand.plan.features import Feature

Floats = NDArray[np.float64]
WORDS, BETWEEN, VERY_WORD = 3, ", ", "very "
NOTICEABLE = 0.4  # standard deviations from everybody's mean
# "Very large" (Sawilowsky, "New effect size rules of thumb", 2009). Of a normal distribution one in nine is so far above its mean.
VERY = 1.2
LARGE = 0.8  # (Cohen, "Statistical power analysis for the behavioral sciences", 1988); who is surely nearer is close to average
AVERAGE = "close to average"
UNCLEAR = "too noisy to tell"  # nothing is surely far from average, and something may be
HIDDEN = "not described"  # no figure of it is shown


def labels(distances: Distances, features: list[Feature], before: Mapping[int, str] | None = None) -> list[str]:
    """One label a segment, all different.

    A feature is named where the segment is surely on that side of everybody, and `NOTICEABLE` deviations away or more. So no
    word stands for all segments. `before` is by number what a segment was called in the last run: it is called so again where
    every word of that still holds and no other segment has the same words. Segments of the same words, in whatever order, get
    further ones; then it is said what surely tells two of them apart; or they are numbered, the largest first.
    """
    far = [_named(away, sure) for away, sure in zip(distances.value, distances.sure, strict=True)]
    true = [[_word(features[j], float(of[j])) for j in named] for named, of in zip(far, distances.sure, strict=True)]
    named = [_words(of, sure, features) for of, sure in zip(far, distances.sure, strict=True)]
    kept = {s: old for s, words in enumerate(true) if (old := _spoken((before or {}).get(s + 1, ""), _holding(words)))}
    told = _told(named, kept, len(features))
    while clash := [s for s in kept if Counter(map(frozenset, told))[frozenset(told[s])] > 1]:
        kept = {s: old for s, old in kept.items() if s not in clash}
        told = _told(named, kept, len(features))
    told = [words or [nothing] for words, nothing in zip(told, _of_no_words(distances), strict=True)]
    same = defaultdict(list)
    for segment, words in enumerate(told):
        same[frozenset(words)].append(segment)
    found = [BETWEEN.join(words) for words in told]
    for segments in (group for group in same.values() if len(group) > 1):
        base = found[segments[0]]
        sides = {} if base in (UNCLEAR, HIDDEN) else _sides(segments, distances, features)
        for segment, more in (sides or _numbers(segments, distances)).items():
            found[segment] = f"{base} ({more})"
    return found


def _told(named: Sequence[list[str]], kept: Mapping[int, list[str]], most: int) -> list[list[str]]:
    """By segment what it is kept called, or its first words; more of them where they are those of another segment."""
    told = [kept.get(s, words[:WORDS]) for s, words in enumerate(named)]
    for count in range(WORDS + 1, most + 1):
        alike = Counter(map(frozenset, told))
        told = [words[:count] if alike[frozenset(told[s])] > 1 and s not in kept else told[s] for s, words in enumerate(named)]
    return told


def _holding(words: Sequence[str]) -> set[str]:
    """What is true of a segment of these words: who is very high is high."""
    return {*words, *(word.removeprefix(VERY_WORD) for word in words)}


def _spoken(label: str, words: Collection[str]) -> list[str]:
    """The words of a label, each of them among these; empty where it has any other. A word may hold a comma itself."""
    if label in words:
        return [label]
    for word in words:
        if label.startswith(word + BETWEEN) and (rest := _spoken(label.removeprefix(word + BETWEEN), words)):
            return [word, *rest]
    return []


def _named(away: Floats, sure: Floats) -> list[int]:
    """All features that are surely on one side and noticeably away, the farthest first."""
    told = np.where(sure == 0, 0.0, away)
    return [j for j in np.argsort(-np.abs(told), kind="stable").tolist() if abs(told[j]) >= NOTICEABLE]


def _words(named: list[int], sure: Floats, features: list[Feature]) -> list[str]:
    """Of the categories of a column one, since more of one are fewer of the others; one that is more common, where there is any."""
    told, columns = [], set[str]()
    for j in named:
        of = features[j].category
        if of is None:
            told.append(j)
        elif of.of not in columns:
            columns.add(of.of)
            same = [i for i in named if (its := features[i].category) is not None and its.of == of.of]
            told.append(next((i for i in same if sure[i] > 0), j))
    return [_word(features[j], float(sure[j])) for j in told]


def _word(feature: Feature, sure: float) -> str:
    """The plan's own words stand as they are: nothing is "very bought lately"."""
    word = feature.in_words.high if sure > 0 else feature.in_words.low
    return f"{VERY_WORD}{word}" if feature.words is None and abs(sure) >= VERY else word


def _of_no_words(distances: Distances) -> list[str]:
    """What a segment is called of which no feature is named. A feature whose deviation may be nothing says nothing of it."""
    farthest = np.maximum(np.abs(distances.low), np.abs(distances.high))
    bounded = np.isfinite(farthest)
    near = (np.abs(distances.value) < NOTICEABLE) & (farthest < LARGE)
    average = bounded.any(axis=1) & (near | ~bounded).all(axis=1)
    found = np.where(np.isnan(distances.size), HIDDEN, np.where(average, AVERAGE, UNCLEAR))
    return [str(words) for words in found]


def _sides(same: list[int], distances: Distances, features: list[Feature]) -> dict[int, str]:
    """Of two segments in which feature they surely differ most, to be added to each; empty where they do in none."""
    if len(same) != 2:
        return {}
    between = np.nan_to_num(distances.pairs[same[0], same[1]])
    j = int(np.argmax(np.abs(between)))
    name, sides = features[j].name.replace("_", " "), ("higher", "lower") if between[j] > 0 else ("lower", "higher")
    return {segment: f"{side} {name}" for segment, side in zip(same, sides, strict=True)} if between[j] != 0 else {}


def _numbers(same: list[int], distances: Distances) -> dict[int, str]:
    """The largest first."""
    sizes = np.nan_to_num(distances.size)
    return {segment: str(i) for i, segment in enumerate(sorted(same, key=lambda s: -sizes[s]), start=1)}
