"""Clustering the private summary: a few thousand weighted points, at no further privacy budget.

The start decides a k-means fit, not the noise: MLlib's k-means|| and scikit-learn's k-means++ compete on the same
summary, and the cheapest fit wins and is named.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.ml.clustering import KMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from sklearn.cluster import KMeans as FastKMeans
from threadpoolctl import threadpool_limits

from evenhand.ask.boxes import Summary
from evenhand.errors import DataError
from evenhand.learn.spread import room
from evenhand.plan.geometry import STEPS

Floats = NDArray[np.float64]
ITERATIONS = 100
MLLIB_ITERATIONS = 20
THREADS = 3


@dataclass(frozen=True)
class Fit:
    """`centers` (k, features) in fixed point, `cost` the weighted sum of squared distances on the summary (unit cube, stretched)."""

    centers: Floats
    cost: float
    method: str

    @property
    def k(self) -> int:
        return len(self.centers)


def best_fit(spark: SparkSession | None, summary: Summary, k: int, mllib_seeds: int, restarts: int) -> tuple[Fit, list[Fit]]:
    """The cheapest fit on the summary, and all candidates; without a session those of scikit-learn alone."""
    if spark is None:
        only = fast_fit(summary, k, restarts)
        return only, [only]
    _check(summary, k)
    points = _points(spark, summary).cache()
    try:
        with ThreadPoolExecutor(THREADS) as pool:  # MLlib on small data is mostly waiting for its own jobs
            models = {seed: pool.submit(_mllib(k, seed).fit, points) for seed in range(1, mllib_seeds + 1)}
            fits = [fast_fit(summary, k, restarts)]
        # Asked in this thread: over Spark Connect a model looks for the session of the thread that asks it.
        centers = {seed: np.asarray(model.result().clusterCenters()) for seed, model in models.items()}
    finally:
        points.unpersist()
    fits += [fit_of(summary, found, f"MLlib KMeans, seed {seed}") for seed, found in centers.items()]
    fits = [fit for fit in fits if fit.k == k]  # MLlib hands back fewer centers where some fell together
    return min(fits, key=lambda f: f.cost), fits


def fast_fit(summary: Summary, k: int, restarts: int) -> Fit:
    """Best of several k-means++ restarts (Arthur and Vassilvitskii, 2007) with scikit-learn, seeded."""
    _check(summary, k)
    model = FastKMeans(n_clusters=k, n_init=restarts, max_iter=ITERATIONS, random_state=1)
    with threadpool_limits(1):  # as in fit_of
        model.fit(summary.places, sample_weight=summary.weights)
    return fit_of(summary, model.cluster_centers_, "scikit-learn k-means++")


def _points(spark: SparkSession, summary: Summary) -> DataFrame:
    rows = spark.createDataFrame(pa.table({"point": pa.array(summary.places.tolist()), "weight": summary.weights}))
    return rows.select(array_to_vector(rows["point"]).alias("features"), "weight").coalesce(1)


def _mllib(k: int, seed: int) -> KMeans:
    return KMeans(k=k, seed=seed, maxIter=MLLIB_ITERATIONS, weightCol="weight")


def squared_distances(points: Floats, centers: Floats, stretch: Floats | float) -> Floats:
    """Squared distances of fixed-point points to centers in the stretched unit cube, shape (points, centers)."""
    a, b = points / STEPS * stretch, centers / STEPS * stretch
    squared: Floats = np.maximum((a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1), 0.0)
    return squared


def fit_of(summary: Summary, found: Floats, method: str) -> Fit:
    """The fit of centers that were found among the summary's places."""
    centers = np.clip(found / summary.stretch, 0, 1) * STEPS
    with threadpool_limits(1):  # several threads add up in any order; a resumed run must find the very same centers and costs
        distances = squared_distances(summary.points, centers, summary.stretch)
    cost = math.fsum(distances.min(axis=1) * summary.weights)
    # The largest segment is number 1, so that a number means something.
    sizes = np.bincount(distances.argmin(axis=1), weights=summary.weights, minlength=len(centers))
    return Fit(centers[np.argsort(-sizes, kind="stable")], cost, method)


def _check(summary: Summary, k: int) -> None:
    places = min(room(summary), len(np.unique(summary.points, axis=0)))
    if places < k:
        raise DataError(
            f"segments.k: only {places} {'place' if places == 1 else 'places'} where customers are can be told apart, too few for {k} "
            "segments; where they have no more different values than that, ask for fewer segments, or for features that tell them "
            "apart; where the noise hides more, raise privacy.epsilon; nothing was published"
        )
