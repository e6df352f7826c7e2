"""Means of groups judged by the bootstrap of their t: for changes that lie askew about their mean.

People are drawn with replacement within their group, and each drawn study gives the t of its means about those of the
study itself (Efron & Tibshirani 1993, chapter 12). In one group the limits are the estimate less the upper and the
lower 2.5 % point of these t times the standard error, so that the interval reaches further on the side to which the
changes trail off. In a difference, in which skewness largely cancels, the 95 % point of the size of Welch's t is taken.

Measured on 3,000 studies each (standard error 0.4 %): of 12 exponential changes intervals held the truth in 94.5 %
(t: 91.4), of 40 in 94.4 (t: 92.7), of normal ones in 95.0 with 6 % more width. Where one person in ten lies far off to
either side they held it in 92 to 94 % (t: 95 to 97): trimmed means are for those. Between groups of 12 and 12 skewed
people 96.5 % (t: 95.7). So t stays the default.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from .estimation import Contrast, StatedContrast

#: Drawn studies.
DRAWN = 4999
#: Fewest people of a group: of five there are 126 different studies, and some have no spread.
FEWEST = 6


@dataclass(frozen=True)
class BootstrapContrast(StatedContrast):
    """A combination of means with the limits and the p value of drawn studies."""

    n_drawn: int


@dataclass(frozen=True)
class BootstrapGroups:
    """Means of groups; every combination of them is judged by drawn studies of its own."""

    samples: tuple[np.ndarray, ...]

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ means``."""
        used = np.flatnonzero(weights)
        samples = [self.samples[g] for g in used]
        estimate = float(sum(weights[g] * self.samples[g].mean() for g in used))
        if min(map(len, samples)) < 2:
            return Contrast(estimate, math.nan, math.nan)
        error = math.sqrt(sum(weights[g] ** 2 * self.samples[g].var(ddof=1) / len(self.samples[g]) for g in used))
        if error <= 1e-12 * max(float(np.abs(sample).max()) for sample in samples):
            return Contrast(estimate, 0.0, math.nan)
        if min(map(len, samples)) < FEWEST:
            return BootstrapContrast(estimate, error, math.nan, (math.nan, math.nan), math.nan, 0)
        away, squares = np.zeros(DRAWN), np.zeros(DRAWN)
        for place, (group, sample) in enumerate(zip(used, samples, strict=True)):
            weight, n = float(weights[group]), len(sample)
            counts = _drawn(n, place)
            centred = sample - sample.mean()
            mean = counts @ centred / n
            variance = np.maximum(counts @ centred**2 / n - mean**2, 0.0) / (n - 1)
            away += weight * mean
            squares += weight**2 * variance
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(squares > 1e-20 * error**2, away / np.sqrt(squares), np.copysign(np.inf, away))
        seen = estimate / error
        if len(samples) == 1:
            low, high = np.quantile(t, [0.025, 0.975], method="inverted_cdf")
            beyond = 2 * min(int(np.sum(t <= seen)), int(np.sum(t >= seen))) + 1
        else:
            high = np.quantile(np.abs(t), 0.95, method="inverted_cdf")
            low, beyond = -high, int(np.sum(np.abs(t) >= abs(seen)))
        p = min(1.0, (1 + beyond) / (1 + DRAWN))
        return BootstrapContrast(estimate, error, math.nan, (estimate - high * error, estimate - low * error), p, DRAWN)


def bootstrap_groups(changes: np.ndarray, groups: np.ndarray, n_groups: int) -> BootstrapGroups:
    """Changes of each group; every group must have a member.

    Examples
    --------
    >>> skewed = np.random.default_rng(0).exponential(1.0, 20)
    >>> found = bootstrap_groups(skewed, np.zeros(20, dtype=int), 1).contrast(np.ones(1))
    >>> bool(found.interval[1] - found.estimate > found.estimate - found.interval[0])
    True
    """
    return BootstrapGroups(tuple(changes[groups == group] for group in range(n_groups)))


@functools.lru_cache(maxsize=32)
def _drawn(n: int, place: int) -> np.ndarray:
    """How often each of n people is in each drawn study, (DRAWN, n); seeded by both numbers."""
    return np.random.default_rng([n, place]).multinomial(n, np.full(n, 1 / n), DRAWN).astype(float)
