"""Contrast between two neighbouring stretches of a trace: the shape of a response, blind to offset and slow drift.

``d(t) = mean of the w samples from t on, minus the mean of the w samples before t`` (a Haar wavelet). Running sums
make its cost independent of ``w``; three widths cover hand, forearm and leg responses.
"""

from __future__ import annotations

import numpy as np

from ._jit import njit


@njit
def largest_contrast(x, start, stop, widths):
    """Largest absolute contrast of each width within ``x[i, start[i]:stop[i]]``.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
    start, stop : array of int, shape (n_trials,)
    widths : array of int, shape (n_widths,)
        Samples on each side.

    Returns
    -------
    largest : array, shape (n_trials, n_widths)
        NaN where the stretch holds a NaN or is shorter than two widths.
    at : array of int, shape (n_trials, n_widths)
        First sample of the later half.
    squares : array, shape (n_trials, n_widths)
        Sum of the squared contrasts.
    count : array of int, shape (n_trials, n_widths)
        Number of contrasts.
    """
    n_trials = x.shape[0]
    n_widths = widths.size
    largest = np.full((n_trials, n_widths), np.nan)
    at = np.full((n_trials, n_widths), -1, np.int64)
    squares = np.zeros((n_trials, n_widths))
    count = np.zeros((n_trials, n_widths), np.int64)
    n_longest = 0
    for i in range(n_trials):
        n_longest = max(n_longest, stop[i] - start[i])
    running = np.empty(n_longest + 1)
    for i in range(n_trials):
        # Sums from the first sample on: every contrast is then three look-ups, none waiting for another.
        origin = x[i, start[i]]
        running[0] = 0.0
        for j in range(stop[i] - start[i]):
            running[j + 1] = running[j] + (x[i, start[i] + j] - origin)
        if not np.isfinite(running[stop[i] - start[i]]):
            continue
        for k in range(n_widths):
            w = widths[k]
            n = stop[i] - start[i] - 2 * w + 1
            if n < 1:
                continue
            best = -1.0
            best_at = -1
            total = 0.0
            for j in range(n):
                size = abs(running[j + 2 * w] - 2.0 * running[j + w] + running[j])
                total += size * size
                if size > best:
                    best = size
                    best_at = j
            largest[i, k] = best / w
            at[i, k] = start[i] + best_at + w
            squares[i, k] = total / (w * w)
            count[i, k] = n
    return largest, at, squares, count
