"""Matched filtering of short traces: cut out at fractional samples, and the lag at which a template fits best."""

from __future__ import annotations

import numpy as np

from ._jit import njit


@njit
def aligned(x, begin, length, scale):
    """``length`` samples of each trial from the fractional sample ``begin`` on, by straight lines, over ``scale``.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
    begin : array, shape (n_trials,)
        Samples; beyond the ends of a trial its first or last sample is repeated.
    length : int
    scale : array, shape (n_trials,)

    Returns
    -------
    array, shape (n_trials, length)
    """
    out = np.empty((x.shape[0], length))
    last = x.shape[1] - 1
    for i in range(x.shape[0]):
        whole = int(np.floor(begin[i]))
        later = (begin[i] - whole) / scale[i]
        sooner = 1.0 / scale[i] - later
        for j in range(length):
            at = whole + j
            out[i, j] = sooner * x[i, min(max(at, 0), last)] + later * x[i, min(max(at + 1, 0), last)]
    return out


@njit
def best_lag(x, first, n_lags, weights):
    """Where ``sum(weights * x[i, first + lag :])`` is largest over lags from 0 on.

    Returns
    -------
    array, shape (n_trials, 3)
        The lag, with what a parabola through its neighbours adds; the sum there; its second difference there (that of
        the nearest inner lag at the ends, where nothing is added).
    """
    n_taps = weights.size
    out = np.empty((x.shape[0], 3))
    curve = np.empty(n_lags)
    even = n_taps - n_taps % 4
    for i in range(x.shape[0]):
        row = x[i, first : first + n_lags + n_taps - 1]
        for j in range(n_lags):
            curve[j] = 0.0
        # Four taps at a time: the sums of all lags are read and written less often.
        for k in range(0, even, 4):
            a, b, c, d = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            part = row[k : k + n_lags + 3]
            for j in range(n_lags):
                curve[j] += a * part[j] + b * part[j + 1] + c * part[j + 2] + d * part[j + 3]
        for k in range(even, n_taps):
            for j in range(n_lags):
                curve[j] += weights[k] * row[k + j]
        at = 0
        for j in range(n_lags):
            if curve[j] > curve[at]:
                at = j
        inner = min(max(at, 1), n_lags - 2)
        bend = curve[inner - 1] - 2.0 * curve[inner] + curve[inner + 1]
        out[i, 0] = at
        if bend < 0.0 and at == inner:
            out[i, 0] += min(max(0.5 * (curve[inner - 1] - curve[inner + 1]) / bend, -1.0), 1.0)
        out[i, 1] = curve[at]
        out[i, 2] = bend
    return out


@njit
def toeplitz_solution(column, target):
    """Solution of a symmetric, positive Toeplitz system by Levinson's recursion.

    Parameters
    ----------
    column, target : array, shape (n,)
        First column of the matrix, and the right side.
    """
    n = column.size
    solution, forward, backward = np.zeros(n), np.zeros(n), np.zeros(n)
    forward[0] = backward[0] = 1.0 / column[0]
    solution[0] = target[0] / column[0]
    reverse = column[::-1].copy()
    for m in range(1, n):
        lags = reverse[n - 1 - m : n - 1]
        wrong = miss = 0.0
        for k in range(m):
            wrong += lags[k] * forward[k]
            miss += lags[k] * solution[k]
        share = 1.0 / (1.0 - wrong * wrong)
        # The backward vector is the forward one from its end on, as the matrix is symmetric.
        for k in range(m, 0, -1):
            backward[k] = share * (backward[k - 1] - wrong * forward[k])
        backward[0] = -share * wrong * forward[0]
        for k in range(m + 1):
            forward[k] = backward[m - k]
        miss = target[m] - miss
        for k in range(m + 1):
            solution[k] += miss * backward[k]
    return solution
