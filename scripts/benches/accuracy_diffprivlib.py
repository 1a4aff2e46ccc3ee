"""The peer of the accuracy benchmark, in an environment of its own: IBM diffprivlib's KMeans on rows in the unit cube."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from diffprivlib.models import KMeans


def main(folder: str, k: str, epsilon: str, seeds: str) -> None:
    warnings.filterwarnings("ignore")
    rows = np.load(f"{folder}/rows.npy")
    bounds = (np.zeros(rows.shape[1]), np.ones(rows.shape[1]))
    found = [
        KMeans(n_clusters=int(k), epsilon=float(epsilon), bounds=bounds, random_state=seed).fit(rows).cluster_centers_
        for seed in json.loads(seeds)
    ]
    np.save(f"{folder}/centers.npy", np.stack(found))


if __name__ == "__main__":
    main(*sys.argv[1:5])
