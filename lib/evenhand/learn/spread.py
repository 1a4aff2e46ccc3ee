"""Several points a box in the place of one, so that a segment may end inside a box. Post-processing, at no further budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.boxes import Summary, boxes_of
from evenhand.ask.histograms import BINS, WIDTH, Marginals
from evenhand.plan.models import Plan

Floats = NDArray[np.float64]
POINTS_A_BOX = 16  # from trials: 8 are nearly as good, 32 no better
KEPT = 0.7  # of the deviation, since features hang together inside a box too; what suits skewed and clustered data, from trials
LEAST = 1e-12  # in the place of a width of 0, where all places are at one end already
MOST_POINTS = 20_000  # of a summary; with more boxes each is small, and k-means would take long


def spread_out(summary: Summary, marginals: Marginals | None, plan: Plan) -> Summary:
    """The summary with up to 16 points a box, around the box's mean, spread in each feature as the marginals say.

    With one point a box k-means moves a whole box at once from one segment to another, and as many segments as boxes look
    perfect. Without marginals points are spread evenly. Seeded, so that a resumed run finds the same points. With very many
    boxes the summary as it is.
    """
    each = min(POINTS_A_BOX, MOST_POINTS // max(len(summary.boxes), 1))
    if each < (2 if marginals else POINTS_A_BOX):
        return summary
    boxes, random = boxes_of(plan, marginals), np.random.default_rng(1)
    shares = marginals.shares if marginals else np.full((boxes.features, BINS), 1 / BINS)
    points = np.repeat(summary.points[:, None], each, axis=1)  # of categories every point has the shares of its box
    for i, (j, edges) in enumerate(zip(boxes.numbers, boxes.edges, strict=True)):
        digits, of = boxes.digits[summary.boxes, i], shares[j]
        low, high = np.array(edges[:-1])[digits], np.array(edges[1:])[digits]
        places = random.permuted(quantiles(of, edges, each)[digits], axis=1)
        center = places.mean(axis=1, keepdims=True)
        places = center + KEPT * (places - center)
        points[:, :, j] = with_mean(summary.points[:, j, None], places, low[:, None], high[:, None])
    return Summary(
        np.repeat(summary.boxes, each),
        np.repeat(summary.weights / each, each),
        points.reshape(-1, boxes.features),
        summary.private,
        known_inside=marginals is not None,
        around=np.repeat(np.maximum(summary.around - points.var(axis=1), 0.0), each, axis=0),
        stretch=summary.stretch,
    )


def room(summary: Summary) -> int:
    """How many segments the boxes can be divided into at most: one each, or as many as the bins that its points are spread over.

    Points nearer to each other than a bin of the histograms are one place: nothing that was released tells them apart. So are
    all of a box without histograms.
    """
    _, box, each = np.unique(summary.boxes, return_inverse=True, return_counts=True)
    if not summary.known_inside:
        return len(each)

    def means(of: Floats) -> Floats:
        return np.stack([np.bincount(box, column) for column in of.T], axis=1) / each[:, None]

    deviations = np.sqrt(means((summary.points - means(summary.points)[box]) ** 2))
    bins = np.prod(np.maximum(deviations / (KEPT * WIDTH / np.sqrt(12)), 1.0), axis=1)
    return int(np.minimum(np.rint(bins), each).sum())


def quantiles(shares: Floats, edges: tuple[int, ...], each: int) -> Floats:
    """Evenly many customers apart inside every interval of a feature, by its histogram, shape (intervals, each)."""
    filled = np.concatenate([[0.0], np.cumsum(shares + 1e-9)])  # an interval without anybody is filled evenly
    at = np.interp(edges, np.arange(BINS + 1) * WIDTH, filled)
    middles = (np.arange(each) + 0.5) / each
    wanted = at[:-1, None] + np.diff(at)[:, None] * middles
    return np.interp(wanted, filled, np.arange(BINS + 1) * WIDTH)  # type: ignore[no-any-return]


def with_mean(mean: Floats, places: Floats, low: Floats, high: Floats) -> Floats:
    """The places drawn towards one end of the box, so that their mean over axis 1 is the given one and none leaves the box."""
    now = places.mean(axis=1, keepdims=True)
    upwards = high - (high - places) * (high - mean) / np.maximum(high - now, LEAST)
    downwards = low + (places - low) * (mean - low) / np.maximum(now - low, LEAST)
    return np.where(mean >= now, upwards, downwards)  # type: ignore[no-any-return]
