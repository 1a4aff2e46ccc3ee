"""Faults planted on purpose: an audit that does not find them proves nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audit import Mechanism, sound
from evenhand.privacy.noise import Laplace, OpenDPNoise
from evenhand.privacy.question import Integers, Part
from world import Prepare, prepared, with_every_row, without_clipping


def noise_halved(part: Part, exact: Integers) -> Integers:
    return OpenDPNoise().add(exact, replace(part.noise, scale=part.noise.scale / 2))


def noise_of_one_feature_for_all(part: Part, exact: Integers) -> Integers:
    """The sums get the noise that one feature alone would need, although one customer changes all of them."""
    return OpenDPNoise().add(exact, Laplace(part.noise.scale)) if part.width > 1 else sound(part, exact)


def only_observed_noised(part: Part, exact: Integers) -> Integers:
    """An empty row stays what it is: 0."""
    rows = exact.reshape(-1, part.width)
    observed, noisy = rows.any(axis=1), np.zeros_like(rows)
    if observed.any():
        own = rows[observed].ravel()
        noisy[observed] = sound(replace(part, cells=len(own)), own).reshape(-1, part.width)
    return noisy.ravel()


@dataclass(frozen=True)
class Fault:
    case: str
    found_in: tuple[str, ...]  # the releases whose audit must find it
    mechanism: Mechanism = sound
    prepare: Prepare = prepared


FAULTS = {
    "noise halved": Fault("at a corner", ("summary", "assessment"), noise_halved),
    "the noise of one feature for all": Fault("at a corner", ("summary", "assessment"), noise_of_one_feature_for_all),
    "only observed boxes get noise": Fault("alone in an empty box", ("summary",), only_observed_noised),
    # In the summary a value outside the bounds has no box at all, and the driver stops.
    "clipping skipped": Fault("far outside the bounds", ("assessment",), prepare=without_clipping),
    "two rows a customer": Fault("would be a second row", ("summary", "assessment"), prepare=with_every_row),
}
