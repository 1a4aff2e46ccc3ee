"""Fairness statistics of one table of counts, group by segment. Definitions only; noise and intervals are elsewhere."""

from __future__ import annotations

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
    """Greatest total variation distance between a group's distribution over segments and everybody's, shape (...).

    0.0 is even; 0.2 means that 20 % of a group would have to be in another segment.
    """
    group = _divided(counts, counts.sum(axis=-1, keepdims=True))
    everyone = _divided(counts.sum(axis=-2, keepdims=True), counts.sum(axis=(-2, -1), keepdims=True))
    return np.nanmax(np.abs(group - everyone).sum(axis=-1) / 2, axis=-1)  # type: ignore[no-any-return]


METRICS = {
    "representation_ratio": worst_representation,
    "balance": balance,
    "total_variation": total_variation,
}


def _divided(a: Floats, b: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, a / np.where(b > 0, b, 1.0), np.nan)
