"""The peer of the benchmark of categories, in an environment of its own: k-prototypes (Huang, 1998) without privacy."""

from __future__ import annotations

import json
import sys

import numpy as np
from kmodes.kprototypes import KPrototypes


def main(folder: str, k: str, gamma: str, seeds: str) -> None:
    found = np.load(f"{folder}/rows.npz")
    numbers, categories = found["numbers"], found["categories"]
    columns = list(range(numbers.shape[1], numbers.shape[1] + categories.shape[1]))
    rows = np.concatenate([numbers.astype(object), categories.astype(object)], axis=1)
    fits = [
        KPrototypes(int(k), gamma=float(gamma), n_init=1, random_state=seed).fit_predict(rows, categorical=columns)
        for seed in json.loads(seeds)
    ]
    np.save(f"{folder}/segments.npy", np.stack(fits))


if __name__ == "__main__":
    main(*sys.argv[1:5])
