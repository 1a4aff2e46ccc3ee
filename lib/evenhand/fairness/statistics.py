"""Fairness statistics of one table of counts, group by segment. Definitions only; noise and intervals are elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def segment_shares(counts: Floats) -> Floats:
    """Share of each group inside each segment, r_gj = n_gj / n_j, shape (..., groups, segments); NaN where n_j is 0."""
    return _divided(counts, counts.sum(axis=-2, keepdims=True))


def representation_ratio(counts: Floats) -> Floats:
    """Share of each group inside each segment over its share of everyone, r_gj / r_g, shape (..., groups, segments).

    1.0 is even; 0.5 means half as present as in the population. NaN where the segment or the group is empty.
    Bera et al., "Fair Algorithms for Clustering", NeurIPS 2019, section 2.
    """
    everyone = _divided(counts.sum(axis=-1, keepdims=True), counts.sum(axis=(-2, -1), keepdims=True))
    return _divided(segment_shares(counts), everyone)


def worst_representation(counts: Floats) -> Floats:
    """The representation ratio of the worst cell, min(r, 1/r) over all cells, shape (...); 1.0 is even."""
    ratio = representation_ratio(counts)
    with np.errstate(divide="ignore"):
        worse = np.where(ratio > 0, np.minimum(ratio, 1.0 / np.where(ratio > 0, ratio, 1.0)), 0.0)
    return np.nanmin(np.where(np.isnan(ratio), np.nan, worse), axis=(-2, -1))  # type: ignore[no-any-return]


def balance(counts: Floats) -> Floats:
    """Smallest over largest group within a segment, the worst segment: min_j min_g n_gj / max_g n_gj, shape (...).

    Chierichetti et al., "Fair Clustering Through Fairlets", NeurIPS 2017, for more than two groups.
    """
    return np.nanmin(_divided(counts.min(axis=-2), counts.max(axis=-2)), axis=-1)  # type: ignore[no-any-return]


def total_variation(counts: Floats) -> Floats:
    """Greatest total variation distance between a group's distribution over segments and everybody else's, shape (...).

    0.0 is even; 0.2 means that 20 % of a group would have to be in another segment, to be spread as the others are.
    """
    return np.nanmax(total_variations(counts), axis=-1)  # type: ignore[no-any-return]


def total_variations(counts: Floats) -> Floats:
    """Of each group, shape (..., groups)."""
    group, others = distributions(counts)
    return np.abs(group - others).sum(axis=-1) / 2  # type: ignore[no-any-return]


def jensen_shannon(counts: Floats) -> Floats:
    """Greatest Jensen-Shannon distance between a group's distribution over segments and everybody else's, 0 to 1, shape (...).

    The root of the divergence in bits (Endres and Schindelin, "A new metric for probability distributions", 2003).
    """
    return np.nanmax(jensen_shannons(counts), axis=-1)  # type: ignore[no-any-return]


def jensen_shannons(counts: Floats) -> Floats:
    """Of each group, shape (..., groups)."""
    group, others = distributions(counts)
    middle = (group + others) / 2
    divergence = (_information(group, middle) + _information(others, middle)) / 2
    return np.sqrt(np.maximum(divergence, 0.0))  # type: ignore[no-any-return]


def cramers_v(counts: Floats) -> Floats:
    """Association of segment and attribute, 0 (none) to 1 (one tells the other), shape (...).

    Cramér, "Mathematical Methods of Statistics", 1946, chapter 21.
    """
    total = counts.sum(axis=(-2, -1), keepdims=True)
    expected = counts.sum(axis=-1, keepdims=True) * counts.sum(axis=-2, keepdims=True) / np.maximum(total, 1e-12)
    squares = np.nan_to_num(_divided((counts - expected) ** 2, expected)).sum(axis=(-2, -1)) / np.maximum(total[..., 0, 0], 1e-12)
    return np.sqrt(squares / max(min(counts.shape[-2:]) - 1, 1))  # type: ignore[no-any-return]


def mutual_information(counts: Floats) -> Floats:
    """What the segment tells about the group, in bits, shape (...); 0 is nothing. Shannon, 1948, section 12."""
    joint = counts / np.maximum(counts.sum(axis=(-2, -1), keepdims=True), 1e-12)
    independent = joint.sum(axis=-1, keepdims=True) * joint.sum(axis=-2, keepdims=True)
    return np.maximum(_information(joint, independent).sum(axis=-1), 0.0)  # type: ignore[no-any-return]


def selection_ratio(counts: Floats) -> Floats:
    """Lowest over highest selection rate of groups; outcomes are (gets the offer, does not), shape (..., groups, 2).

    The four-fifths rule asks for at least 0.8 (US EEOC, Uniform Guidelines 1978, 29 CFR 1607.4 D). Where nobody gets the
    offer nobody is treated differently: 1.
    """
    rates = _divided(counts[..., 0], counts.sum(axis=-1))
    lowest, highest = np.nanmin(rates, axis=-1), np.nanmax(rates, axis=-1)
    return np.where(highest == 0, 1.0, _divided(lowest, highest))


def selection_difference(counts: Floats) -> Floats:
    """Highest less lowest selection rate of groups, 0 to 1, shape (...)."""
    rates = _divided(counts[..., 0], counts.sum(axis=-1))
    return np.nanmax(rates, axis=-1) - np.nanmin(rates, axis=-1)  # type: ignore[no-any-return]


METRICS: dict[str, Callable[[Floats], Floats]] = {
    "representation_ratio": worst_representation,
    "balance": balance,
    "total_variation": total_variation,
    "jensen_shannon": jensen_shannon,
    "cramers_v": cramers_v,
    "mutual_information": mutual_information,
}
SELECTION: dict[str, Callable[[Floats], Floats]] = {
    "selection_ratio": selection_ratio,
    "selection_difference": selection_difference,
}


def distributions(counts: Floats) -> tuple[Floats, Floats]:
    """Over segments, of each group and of all others together, shape (..., groups, segments) each; NaN where nobody is."""
    others = counts.sum(axis=-2, keepdims=True) - counts
    return _divided(counts, counts.sum(axis=-1, keepdims=True)), _divided(others, others.sum(axis=-1, keepdims=True))


def _information(a: Floats, b: Floats) -> Floats:
    """Sum over the last axis of a log2(a / b), 0 where a is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(
            a > 0, a * np.log2(np.where(a > 0, a, 1.0) / np.where(b > 0, b, 1.0)), np.where(np.isnan(a), np.nan, 0.0)
        )
    return terms.sum(axis=-1)  # type: ignore[no-any-return]


def _divided(a: Floats, b: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, a / np.where(b > 0, b, 1.0), np.nan)
