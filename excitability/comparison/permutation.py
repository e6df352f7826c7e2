"""Means of groups judged by permutation: intervals by inversion of the test, no distribution assumed.

One group: signs of the changes are flipped, which needs changes that lie symmetrically about their centre. The limits
are order statistics of the means of all subsets of the people (Hartigan 1969), so that the coverage is exact.

Two groups or more: people change places between the groups, and the statistic is Welch's, so that unequal spreads of
groups of unequal size do little harm (Janssen 1997). The interval holds the values that, taken away, are not rejected.

All flips or orders are used where there are at most 2^13, else as many drawn from a fixed seed, the order observed
among them.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .estimation import Contrast, StatedContrast

#: Most flips or orders.
MOST = 2**13
_ALPHA = 0.05
_HALVINGS = 16


@dataclass(frozen=True)
class PermutedContrast(StatedContrast):
    """A combination of means with the limits and the p value of a permutation test."""

    n_permutations: int


@dataclass(frozen=True)
class PermutedGroups:
    """Means of groups; every combination of them has a permutation test of its own."""

    samples: tuple[np.ndarray, ...]

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ means``: flips of sign for one group, else weights that add up to zero."""
        active = np.flatnonzero(weights)
        samples = [self.samples[g] for g in active]
        own = weights[active]
        estimate = float(sum(w * sample.mean() for w, sample in zip(own, samples, strict=True)))
        if min(len(sample) for sample in samples) < 2:
            return Contrast(estimate, math.nan, math.nan)
        error = math.sqrt(sum(w**2 * sample.var(ddof=1) / len(sample) for w, sample in zip(own, samples, strict=True)))
        if error <= 1e-12 * max(float(np.abs(sample).max()) for sample in samples):
            return Contrast(estimate, 0.0, math.nan)
        if len(samples) == 1:
            limits, p, n = _by_flips(own[0] * samples[0])
        else:
            limits, p, n = _by_orders(samples, own, error)
        return PermutedContrast(estimate, error, math.nan, limits, p, n)


def permuted_groups(changes: np.ndarray, groups: np.ndarray, n_groups: int) -> PermutedGroups:
    """Changes of each group; every group must have a member.

    Examples
    --------
    >>> found = permuted_groups(np.array([0.3, 0.1, 0.2, 0.4, 0.2, 0.1]), np.zeros(6, dtype=int), 1)
    >>> found.contrast(np.ones(1)).p_value
    0.03125
    """
    return PermutedGroups(tuple(changes[groups == group] for group in range(n_groups)))


def _by_flips(x: np.ndarray) -> tuple[tuple[float, float], float, int]:
    """Limits and p value of the mean of one sample.

    Flipping a set of people makes the mean of ``x − d`` larger exactly where the mean of the set is less than ``d``.
    """
    subsets, sizes = _subsets(len(x))
    means = np.sort(subsets @ x / sizes)
    n = len(means) + 1
    rank = int(_ALPHA / 2 * n)
    slack = 1e-12 * float(np.abs(x).max())
    above = (1 + int(np.sum(means <= slack))) / n
    below = (1 + int(np.sum(means >= -slack))) / n
    p = min(1.0, 2 * min(above, below))
    if rank < 1:
        return (math.nan, math.nan), p, n
    return (float(means[rank - 1]), float(means[-rank])), p, n


@functools.lru_cache(maxsize=16)
def _subsets(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sets of people, (n_sets, n) of 0 and 1, all but the empty one, and their sizes."""
    if 2**n <= MOST:
        sets = (np.arange(1, 2**n)[:, None] >> np.arange(n) & 1).astype(float)
    else:
        sets = np.random.default_rng(n).integers(0, 2, (MOST - 1, n)).astype(float)
        sets = sets[sets.any(axis=1)]
    return sets, sets.sum(axis=1)


def _by_orders(samples: list[np.ndarray], weights: np.ndarray, error: float) -> tuple[tuple[float, float], float, int]:
    """Limits and p value of ``weights @ means`` of independent samples; the weights add up to zero.

    Under the hypothesis of a value d, what remains of each sample without ``d · scores`` comes from one population.
    All sums are quadratic in d, so that they are taken once for all values of d.
    """
    sizes = np.array([len(sample) for sample in samples])
    scores = np.repeat(weights / np.sum(weights**2), sizes)
    x = np.concatenate(samples)
    estimate = float(np.sum(np.repeat(weights / sizes, sizes) * x))
    y = (x - estimate * scores) / error
    y = y - y.mean()
    orders = _orders(tuple(int(n) for n in sizes))
    columns = np.column_stack([y, scores, y * y, y * scores, scores * scores])
    sums = np.stack([members @ columns for members in orders])  # (n_groups, n_orders, 5)

    def p_of(shift: float) -> float:  # of the estimate + shift · error
        mean = (sums[..., 0] - shift * sums[..., 1]) / sizes[:, None]
        squares = sums[..., 2] - 2 * shift * sums[..., 3] + shift**2 * sums[..., 4] - sizes[:, None] * mean**2
        combined = weights @ mean
        variance = (weights**2 / (sizes * (sizes - 1))) @ np.maximum(squares, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.nan_to_num(combined**2 / variance, nan=0.0, posinf=np.inf)
        return float(np.mean(t >= t[0] * (1 - 1e-9)))

    low, high = _limit(p_of, -1.0), _limit(p_of, 1.0)
    return (estimate + low * error, estimate + high * error), p_of(-estimate / error), sums.shape[1]


def _limit(p_of: Callable[[float], float], sign: float) -> float:
    """Where the p value falls to 5 % on one side of the estimate; NaN where it never does."""
    inside, outside = 0.0, 2.0
    while p_of(sign * outside) > _ALPHA:
        inside, outside = outside, 2 * outside
        if outside > 1e6:
            return math.nan
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if p_of(sign * middle) > _ALPHA else (inside, middle)
    return sign * outside


@functools.lru_cache(maxsize=16)
def _orders(sizes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Members of each group in every order, (n_orders, n) of 0 and 1 each; the first is the order observed."""
    n = sum(sizes)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    if len(sizes) == 2 and math.comb(n, sizes[0]) <= MOST:
        chosen = np.array(list(itertools.combinations(range(n), sizes[0])))
        members = np.zeros((len(chosen), n))
        np.put_along_axis(members, chosen, 1.0, axis=1)
        return members, 1.0 - members
    orders = np.tile(codes, (MOST, 1))
    orders[1:] = np.random.default_rng(n).permuted(orders[1:], axis=1)
    return tuple((orders == group).astype(float) for group in range(len(sizes)))
