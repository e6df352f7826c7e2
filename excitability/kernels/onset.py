"""Searches of the published onset rules, one trial after the other; -1 where a trial has no such sample.

Trials may differ in the stretch that is searched, ``x[i, start[i]:stop[i]]``, and most searches stop early, which is
where a compiled loop beats numpy. A NaN is never above nor outside anything, so it ends a search without a result.
"""

from __future__ import annotations

import numpy as np

from ._jit import njit


@njit
def first_run(x, start, stop, low, high, length):
    """First sample of the first run of ``length`` samples outside ``low[i]`` to ``high[i]``."""
    out = np.full(x.shape[0], -1)
    for i in range(x.shape[0]):
        run = 0
        for j in range(start[i], stop[i]):
            run = run + 1 if x[i, j] < low[i] or x[i, j] > high[i] else 0
            if run == length:
                out[i] = j - length + 1
                break
    return out


@njit
def back_to_level(x, start, peak, centre, height):
    """First sample of the run, ending at ``peak[i]``, of samples further than ``height[i]`` from ``centre[i]``.

    -1 when the run reaches ``start[i]``: the trace never came from within that level.
    """
    out = np.full(x.shape[0], -1)
    for i in range(x.shape[0]):
        j = peak[i]
        while j >= start[i] and abs(x[i, j] - centre[i]) > height[i]:
            j -= 1
        if start[i] <= j < peak[i]:
            out[i] = j + 1
    return out


@njit
def longest_rise(x, start, stop, length):
    """First sample of the longest run of rising samples before the first extreme, if it has over ``length`` steps.

    A trial whose minimum comes before its maximum is turned over.
    """
    out = np.full(x.shape[0], -1)
    for i in range(x.shape[0]):
        if stop[i] <= start[i]:
            continue
        row = x[i, start[i] : stop[i]]
        low, high = np.argmin(row), np.argmax(row)
        sign = -1.0 if low < high else 1.0
        longest = 0
        run = 0
        for j in range(1, min(low, high) + 1):
            run = run + 1 if sign * (row[j] - row[j - 1]) > 0 else 0
            if run > longest:
                longest = run
                out[i] = start[i] + j - run
        if longest <= length:
            out[i] = -1
    return out


@njit
def variance_change(x, start, stop, less):
    """First sample ``k`` of the later of two parts with the least ``k log(var) + (n - k - less) log(var)``."""
    out = np.full(x.shape[0], -1)
    for i in range(x.shape[0]):
        n = stop[i] - start[i]
        if n < 4:
            continue
        row = x[i, start[i] : stop[i]]
        row = row - row.mean()
        all_squares = np.sum(row * row)
        if not all_squares > 0:
            continue
        # Samples that are all the same have no logarithm of a variance; this is far below any amplifier's noise.
        floor = 1e-10 * all_squares / n
        total = 0.0
        squares = 0.0
        best = np.inf
        for k in range(1, n - 1):
            total += row[k - 1]
            squares += row[k - 1] * row[k - 1]
            if k < 2:
                continue
            before = squares / k - (total / k) ** 2
            after = (all_squares - squares) / (n - k) - (total / (n - k)) ** 2
            cost = k * np.log(max(before, floor)) + (n - k - less) * np.log(max(after, floor))
            if cost < best:
                best = cost
                out[i] = start[i] + k
    return out


@njit
def first_mean_change(x, start, stop, centre, changes):
    """First of the ``changes`` samples that cut ``|x - centre|`` into parts of least summed squares about their means.

    The best cut is exact (dynamic programming over all cuts), and costs ``changes * n**2``.
    """
    out = np.full(x.shape[0], -1)
    for i in range(x.shape[0]):
        n = stop[i] - start[i]
        if n <= changes:
            continue
        totals = np.zeros(n + 1)
        squares = np.zeros(n + 1)
        for j in range(n):
            value = abs(x[i, start[i] + j] - centre[i])
            totals[j + 1] = totals[j] + value
            squares[j + 1] = squares[j] + value * value
        if not squares[n] > 0:
            continue
        # cost[j]: least cost of the first j samples with as many cuts as the round; first[j]: where its first cut is.
        cost = np.full(n + 1, np.inf)
        first = np.zeros(n + 1, np.int64)
        for j in range(1, n + 1):
            cost[j] = squares[j] - totals[j] * totals[j] / j
        for cut in range(changes):
            further = np.full(n + 1, np.inf)
            begun = np.zeros(n + 1, np.int64)
            for j in range(cut + 2, n + 1):
                for k in range(cut + 1, j):
                    part = totals[j] - totals[k]
                    value = cost[k] + squares[j] - squares[k] - part * part / (j - k)
                    if value < further[j]:
                        further[j] = value
                        begun[j] = k if cut == 0 else first[k]
            cost, first = further, begun
        out[i] = start[i] + first[n]
    return out


@njit
def cusum_alarm(x, start, stop, centre, drift, limit, weight):
    """First sample at which the sum of deviations beyond ``drift[i]``, upwards or downwards, exceeds ``limit[i]``.

    Each sample counts ``weight`` times, so that sums at different sampling rates are of one size.
    """
    out = np.full(x.shape[0], -1)
    for i in range(x.shape[0]):
        up = 0.0
        down = 0.0
        for j in range(start[i], stop[i]):
            deviation = x[i, j] - centre[i]
            up = max(0.0, up + weight * (deviation - drift[i]))
            down = max(0.0, down + weight * (-deviation - drift[i]))
            if up > limit[i] or down > limit[i]:
                out[i] = j
                break
    return out
