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
    size = np.empty(n_longest + 1)
    for i in range(n_trials):
        # Sums from the first sample on: every contrast is then three look-ups, none waiting for another.
        running_sum(x[i, start[i] : stop[i]], running)
        if not np.isfinite(running[stop[i] - start[i]]):
            continue
        for k in range(n_widths):
            w = widths[k]
            n = stop[i] - start[i] - 2 * w + 1
            if n < 1:
                continue
            # Slices, since an index that might be negative is looked at twice.
            after, middle = running[2 * w : 2 * w + n], running[w : w + n]
            for j in range(n):
                size[j] = abs(after[j] - 2.0 * middle[j] + running[j])
            total, best = sum_and_largest(size, n)
            best_at = 0
            while size[best_at] < best:
                best_at += 1
            largest[i, k] = best / w
            at[i, k] = start[i] + best_at + w
            squares[i, k] = total / (w * w)
            count[i, k] = n
    return largest, at, squares, count


@njit
def contrast_power(x, start, stop, widths):
    """Sum of squares of the contrasts of each width, a third of it apart, and their number; none with a NaN.

    Contrasts closer together share most of their samples and tell the power no better.
    """
    n_trials = x.shape[0]
    squares = np.zeros((n_trials, widths.size))
    count = np.zeros((n_trials, widths.size), np.int64)
    n_longest = 0
    for i in range(n_trials):
        n_longest = max(n_longest, stop[i] - start[i])
    running = np.empty(n_longest + 1)
    for i in range(n_trials):
        if stop[i] <= start[i]:
            continue
        running_sum(x[i, start[i] : stop[i]], running)
        if not np.isfinite(running[stop[i] - start[i]]):
            continue
        for k in range(widths.size):
            w = widths[k]
            n = stop[i] - start[i] - 2 * w + 1
            if n < 1:
                continue
            after, middle = running[2 * w : 2 * w + n], running[w : w + n]
            apart = max(1, w // 3)
            a = b = 0.0
            even = n - (n - 1) % (2 * apart) - 1
            for j in range(0, even, 2 * apart):
                p = after[j] - 2.0 * middle[j] + running[j]
                q = after[j + apart] - 2.0 * middle[j + apart] + running[j + apart]
                a += p * p
                b += q * q
            for j in range(even, n, apart):
                p = after[j] - 2.0 * middle[j] + running[j]
                a += p * p
            squares[i, k] = (a + b) / (w * w)
            count[i, k] = (n - 1) // apart + 1
    return squares, count


@njit
def running_sum(row, target):
    """``target[j] = sum(row[:j] - row[0])``; four quarters side by side, so that no addition waits for the last."""
    n = row.size
    origin = row[0]
    quarter = n // 4
    second, third, fourth = row[quarter:], row[2 * quarter :], row[3 * quarter :]
    target[0] = 0.0
    one, two = target[1:], target[quarter + 1 :]
    three, four = target[2 * quarter + 1 :], target[3 * quarter + 1 :]
    a = b = c = d = 0.0
    for j in range(quarter):
        a += row[j] - origin
        b += second[j] - origin
        c += third[j] - origin
        d += fourth[j] - origin
        one[j] = a
        two[j] = b
        three[j] = c
        four[j] = d
    for j in range(quarter, n - 3 * quarter):
        d += fourth[j] - origin
        four[j] = d
    for j in range(quarter):
        two[j] += a
        three[j] += a + b
    for j in range(n - 3 * quarter):
        four[j] += a + b + c


@njit
def sum_and_largest(size, n):
    """Sum of squares and largest of the first ``n`` values, none negative; four side by side."""
    a = b = c = d = 0.0
    e = f = g = h = 0.0
    even = n - n % 4
    for j in range(0, even, 4):
        p, q, r, s = size[j], size[j + 1], size[j + 2], size[j + 3]
        a += p * p
        b += q * q
        c += r * r
        d += s * s
        e = p if p > e else e
        f = q if q > f else f
        g = r if r > g else g
        h = s if s > h else h
    for j in range(even, n):
        a += size[j] * size[j]
        e = max(e, size[j])
    return (a + b) + (c + d), max(max(e, f), max(g, h))


@njit
def contrast_apart(x, trials, start, stop, begin, length, guard, widths):
    """Largest contrast and mean square of stretches within ``x[i, start[i]:stop[i]]``, and the mean square of the rest.

    Parameters
    ----------
    x : array, shape (n_all, n_times)
    trials : array of int, shape (n_trials,)
        Rows of ``x`` that are looked at.
    start, stop : array of int, shape (n_all,)
    begin : array of int, shape (n_stretches,)
        First sample of each stretch, counted from ``start``.
    length : int
        Samples in a stretch.
    guard : int
        Samples on each side of a stretch that belong neither to it nor to the rest.
    widths : array of int, shape (n_widths,)

    Returns
    -------
    largest, inside, apart : array, shape (n_stretches, n_trials, n_widths)
        NaN where the trial holds a NaN or no contrast fits in.
    at : array of int, shape (n_stretches, n_trials, n_widths)
        First sample of the later half of the largest contrast, counted from the beginning of the stretch; or −1.
    """
    shape = (begin.size, trials.size, widths.size)
    largest, inside, apart = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    at = np.full(shape, -1, np.int64)
    n_longest = 0
    for i in trials:
        n_longest = max(n_longest, stop[i] - start[i])
    running, size = np.empty(n_longest + 1), np.empty(n_longest + 1)
    for i in range(trials.size):
        first, last = start[trials[i]], stop[trials[i]]
        running_sum(x[trials[i], first:last], running)
        if not np.isfinite(running[last - first]):
            continue
        for k in range(widths.size):
            w = widths[k]
            n = max(last - first - 2 * w + 1, 0)
            after, middle = running[2 * w : 2 * w + n], running[w : w + n]
            for j in range(n):
                size[j] = abs(after[j] - 2.0 * middle[j] + running[j]) / w
            for s in range(begin.size):
                left = min(max(begin[s] - guard - 2 * w + 1, 0), n)
                right = min(begin[s] + length + guard, n)
                own = min(length - 2 * w + 1, n - begin[s])
                if own < 1 or left + n - right < 1:
                    continue
                stretch = size[begin[s] :]
                within, best = sum_and_largest(stretch, own)
                place = 0
                while stretch[place] < best:
                    place += 1
                largest[s, i, k] = best
                at[s, i, k] = place + w
                before, _ = sum_and_largest(size, left)
                later, _ = sum_and_largest(size[right:], n - right)
                inside[s, i, k] = within / own
                apart[s, i, k] = (before + later) / (left + n - right)
    return largest, inside, apart, at
