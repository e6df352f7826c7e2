"""Level and extremes of a window, one pass over each trial.

Trials may differ in their window (a conditioning pulse moves the baseline), which is where a compiled loop beats
numpy; a NaN inside the window makes the trial's values NaN.
"""

from __future__ import annotations

import numpy as np

from ._jit import njit


@njit
def level(x, start, stop):
    """Mean, root mean square about it and mean rectified value about it of ``x[i, start[i]:stop[i]]``.

    Returns
    -------
    array, shape (n_trials, 3)
    """
    out = np.empty((x.shape[0], 3))
    for i in range(x.shape[0]):
        row = x[i, start[i] : stop[i]]
        n = row.size
        even = n - n % 4
        # Four sums side by side: a single one would make each addition wait for the last (measured: 3 times slower).
        a = b = c = d = 0.0
        for j in range(0, even, 4):
            a += row[j]
            b += row[j + 1]
            c += row[j + 2]
            d += row[j + 3]
        for j in range(even, n):
            a += row[j]
        mean = ((a + b) + (c + d)) / n
        a = b = c = d = 0.0
        for j in range(0, even, 2):
            first = row[j] - mean
            second = row[j + 1] - mean
            a += first * first
            b += abs(first)
            c += second * second
            d += abs(second)
        for j in range(even, n):
            first = row[j] - mean
            a += first * first
            b += abs(first)
        out[i, 0] = mean
        out[i, 1] = np.sqrt((a + c) / n)
        out[i, 2] = (b + d) / n
    return out


@njit
def range_of(row):
    """Lowest and highest value, and whether there is none or a NaN; four side by side."""
    if row.size == 0:
        return np.nan, np.nan, True
    even = row.size - row.size % 4
    a = b = c = d = e = f = g = h = row[0]
    missing = row[0] != row[0]
    for j in range(0, even, 4):
        p, q, r, s = row[j], row[j + 1], row[j + 2], row[j + 3]
        a = p if p < a else a
        b = q if q < b else b
        c = r if r < c else c
        d = s if s < d else d
        e = p if p > e else e
        f = q if q > f else f
        g = r if r > g else g
        h = s if s > h else h
        missing |= (p != p) | (q != q) | (r != r) | (s != s)
    for j in range(even, row.size):
        a = min(a, row[j])
        e = max(e, row[j])
        missing |= row[j] != row[j]
    return min(min(a, b), min(c, d)), max(max(e, f), max(g, h)), missing


@njit
def extremes(x, start, stop):
    """Lowest and highest sample of ``x[i, start[i]:stop[i]]`` and where they are.

    Returns
    -------
    values : array, shape (n_trials, 2)
        Lowest, highest.
    at : array of int, shape (n_trials, 2)
        Their samples; −1 where a NaN is in the window.
    """
    values = np.empty((x.shape[0], 2))
    at = np.empty((x.shape[0], 2), np.int64)
    for i in range(x.shape[0]):
        row = x[i, start[i] : stop[i]]
        low, high, missing = range_of(row)
        low_at = start[i]
        high_at = start[i]
        if missing:
            low, high, low_at, high_at = np.nan, np.nan, -1, -1
        else:  # found by a second look: a search that carries places along takes three times as long
            while x[i, low_at] != low:
                low_at += 1
            while x[i, high_at] != high:
                high_at += 1
        values[i, 0] = low
        values[i, 1] = high
        at[i, 0] = low_at
        at[i, 1] = high_at
    return values, at


@njit
def span(x, start, stop):
    """Highest minus lowest sample of ``x[i, start:stop]``; NaN where one is NaN."""
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        low, high, missing = range_of(x[i, start:stop])
        out[i] = np.nan if missing else high - low
    return out


@njit
def smoothed(x, weights):
    """Running weighted mean of each trial: the ``n_times - weights.size + 1`` whole ones, or ``x`` if they are below 2.

    Returns
    -------
    array, shape (n_trials, n)
    """
    n = x.shape[1] - weights.size + 1
    if n < 2:
        return x.copy()
    out = np.zeros((x.shape[0], n))
    for i in range(x.shape[0]):
        row = x[i]
        s = out[i]
        for k in range(weights.size):
            part = row[k : k + n]
            weight = weights[k]
            for j in range(n):
                s[j] += weight * part[j]
    return out


@njit
def held(x, at, stop, run):
    """Whether each trial stays on its lowest or highest value for ``run`` samples in a row.

    ``at`` holds the first sample of either value, as :func:`extremes` gives it; nothing is held where it is −1.
    """
    out = np.zeros(x.shape[0], np.bool_)
    for i in range(x.shape[0]):
        for side in range(at.shape[1]):
            if at[i, side] < 0:
                continue
            value = x[i, at[i, side]]
            longest = 0
            length = 0
            for j in range(at[i, side], stop[i]):
                length = length + 1 if x[i, j] == value else 0
                longest = max(longest, length)
            out[i] |= longest >= run
    return out


@njit
def longest_constant(x, start, stop):
    """Samples of the longest stretch of ``x[i, start[i]:stop[i]]`` that holds one value."""
    out = np.zeros(x.shape[0], np.int64)
    for i in range(x.shape[0]):
        length = 1
        longest = min(1, stop[i] - start[i])
        for j in range(start[i] + 1, stop[i]):
            length = length + 1 if x[i, j] == x[i, j - 1] else 1
            longest = max(longest, length)
        out[i] = longest
    return out


@njit
def rested_share(x, start, stop, run):
    """Share of ``x[i, start[i]:stop[i]]`` that lies on its lowest or on its highest value, whichever is more.

    Zero where the trial stays on neither for ``run`` samples in a row, and where the stretch is empty or holds a NaN.
    """
    out = np.zeros(x.shape[0])
    for i in range(x.shape[0]):
        row = x[i, start[i] : stop[i]]
        low, high, missing = range_of(row)
        if missing:
            continue
        most = 0
        longest = 0
        for value in (low, high):
            count = 0
            length = 0
            for j in range(row.size):
                same = row[j] == value
                count += same
                length = length + 1 if same else 0
                longest = max(longest, length)
            most = max(most, count)
        if longest >= run:
            out[i] = most / row.size
    return out


@njit
def fingerprints(bits, stop):
    """A number for each row of ``bits[:, :stop]`` (unsigned, 64 bits) that no change of one value leaves as it is."""
    out = np.zeros(bits.shape[0], np.uint64)
    left = (np.arange(stop) % 63 + 1).astype(np.uint64)  # turned by its place, a value loses no bit
    right = np.uint64(64) - left
    for i in range(bits.shape[0]):
        row = bits[i, :stop]
        total = np.uint64(0)
        for j in range(row.size):
            total ^= (row[j] << left[j]) | (row[j] >> right[j])
        out[i] = total
    return out


@njit
def rectified_area(x, start, stop, centre, step):
    """Integral of ``|x - centre|`` from time ``start`` to ``stop`` of each trial, in samples with fractions.

    The trace is joined by straight lines between samples (trapezoid rule); fractions of a sample at both ends
    count, so that the area does not jump when an onset moves by less than a sample. NaN limits give NaN.
    """
    out = np.full(x.shape[0], np.nan)
    for i in range(x.shape[0]):
        if not (stop[i] > start[i]):
            continue
        first = int(np.floor(start[i]))
        last = int(np.ceil(stop[i]))
        total = 0.0
        for j in range(first, last):
            left = abs(x[i, j] - centre[i])
            right = abs(x[i, j + 1] - centre[i])
            if first < j < last - 1:
                total += 0.5 * (left + right)
                continue
            a = max(start[i] - j, 0.0)
            b = min(stop[i] - j, 1.0)
            total += (b - a) * (left + 0.5 * (a + b) * (right - left))
        out[i] = total * step
    return out
