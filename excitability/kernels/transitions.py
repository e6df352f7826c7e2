"""Transitions between states of a signal: changes of a distance matrix that is cut at thresholds."""

from __future__ import annotations

import numpy as np

from ._jit import njit


@njit
def transitions(x, thresholds):
    """Changes along the rows of ``abs(x[:, None] - x) <= threshold``, counted at all thresholds in one pass.

    Parameters
    ----------
    x : array, shape (n_times,)
    thresholds : array, shape (n_thresholds,)
        Evenly spaced, ascending.

    Returns
    -------
    array of int, shape (n_thresholds,)
    """
    n = thresholds.size
    change = np.zeros(n + 1, np.int64)
    step = (thresholds[-1] - thresholds[0]) / max(n - 1, 1)
    scale = 1.0 / step if step > 0.0 else 0.0
    for i in range(x.size):
        last = -1
        for j in range(x.size):
            distance = abs(x[i] - x[j])
            # thresholds below the distance: by division, then by what they are to the last digit
            below = min(max(int((distance - thresholds[0]) * scale) + 1, 0), n)
            while below > 0 and thresholds[below - 1] >= distance:
                below -= 1
            while below < n and thresholds[below] < distance:
                below += 1
            if last >= 0 and last != below:
                change[min(last, below)] += 1
                change[max(last, below)] -= 1
            last = below
    return np.cumsum(change)[:n]


@njit
def median_distance(x):
    """Median of ``abs(x[:, None] - x)``, the zeros of the diagonal included, without the matrix.

    Parameters
    ----------
    x : array, shape (n_times,)

    Returns
    -------
    float
    """
    s = np.sort(x)
    n = s.size * s.size
    upper = distance_of_rank(s, n // 2)
    return upper if n % 2 else 0.5 * (distance_of_rank(s, n // 2 - 1) + upper)


@njit
def distance_of_rank(s, rank):
    """The distance of this rank (from 0) among all pairs of sorted numbers, each pair counted both ways."""
    low, high = -1.0, s[-1] - s[0]
    while True:  # between neighbouring floats there is no middle
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if pairs_within(s, middle)[0] > rank:
            high = middle
        else:
            low = middle
    return pairs_within(s, high)[1]


@njit
def pairs_within(s, limit):
    """How many pairs of sorted numbers are no farther apart than ``limit``, and the largest distance among them."""
    count, largest, first = 0, 0.0, 0
    for j in range(s.size):
        while s[j] - s[first] > limit:
            first += 1
        count += 2 * (j - first) + 1
        largest = max(largest, s[j] - s[first])
    return count, largest
