"""The rising edge of a response: where it starts, how high its first phase is, where it ends.

The response is followed backwards from its largest deflection, over gaps shorter than ``gap``, to the first run of
the smoothed trace beyond the noise; on the edge of that first phase the times at which fixed fractions of the
peak-to-peak amplitude are crossed are read. They become an onset outside (``measures/_onset.py``).
"""

from __future__ import annotations

import numpy as np

from ._jit import njit
from .windows import range_of

#: Columns before the crossing times in the table of :func:`rising_edge`.
EDGE_COLUMNS = ("peak_to_peak", "height", "peak_at", "base", "end")


@njit
def mean_of(values, start, stop):
    """Mean of ``values[start:stop]``; 0 where it is empty."""
    total = 0.0
    for j in range(start, stop):
        total += values[j]
    return total / max(stop - start, 1)


@njit
def running_mean(source, n, half, target):
    """Mean of the ``2*half + 1`` samples around each of the first ``n``; fewer at the ends."""
    width = 2 * half + 1
    if half > 8 or n <= width:
        running_mean_by_sums(source, n, half, target)
        return
    # A short mean is summed anew for each sample: none waits for the one before it.
    for j in range(half):
        target[j] = mean_of(source, 0, min(j + half + 1, n))
        target[n - 1 - j] = mean_of(source, max(n - 1 - j - half, 0), n)
    m = n - 2 * half
    inner = target[half : half + m]
    for j in range(m):
        inner[j] = source[j]
    for k in range(1, width):
        part = source[k : k + m]
        for j in range(m):
            inner[j] += part[j]
    share = 1.0 / width
    for j in range(m):
        inner[j] *= share


@njit
def running_mean_by_sums(source, n, half, target):
    """The same for any width, by a sum that gains one sample and loses another."""
    total = 0.0
    count = 0
    for j in range(min(half, n)):
        total += source[j]
        count += 1
    for j in range(n):
        if j + half < n:
            total += source[j + half]
            count += 1
        if j - half - 1 >= 0:
            total -= source[j - half - 1]
            count -= 1
        target[j] = total / count


@njit
def smoothed_squares(x, start, stop, half):
    """Mean square about the mean of the twice smoothed ``x[i, start[i]:stop[i]]``, one value a trial."""
    n_longest = 0
    for i in range(x.shape[0]):
        n_longest = max(n_longest, stop[i] - start[i])
    first = np.empty(n_longest)
    second = np.empty(n_longest)
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        n = stop[i] - start[i]
        running_mean(x[i, start[i] : stop[i]], n, half, first)
        running_mean(first, n, half, second)
        even = n - n % 2
        total = other = squares = more = 0.0
        for j in range(0, even, 2):
            total += second[j]
            other += second[j + 1]
            squares += second[j] * second[j]
            more += second[j + 1] * second[j + 1]
        for j in range(even, n):
            total += second[j]
            squares += second[j] * second[j]
        out[i] = (squares + more) / n - ((total + other) / n) ** 2
    return out


@njit
def place_of(s, value, start, n):
    """First sample from ``start`` on that has the value; the last one where none has."""
    at = start
    while at < n - 1 and s[at] != value:
        at += 1
    return at


@njit
def first_phase(s, base, search, main, threshold, gap, min_run):
    """First sample beyond the noise of the response whose largest deflection is at ``main``, and its phase's peak."""
    begin = main
    peak = main
    quiet = 0
    j = main
    while j > search and quiet <= gap:
        j -= 1
        if not abs(s[j] - base) > threshold:
            quiet += 1
            continue
        # A run of one sign beyond the threshold: it counts when it is long enough to be muscle, not a spike.
        sign = 1.0 if s[j] > base else -1.0
        run_peak = j
        run_begin = j
        while run_begin >= search and sign * (s[run_begin] - base) > threshold:
            if sign * (s[run_begin] - s[run_peak]) > 0.0:
                run_peak = run_begin
            run_begin -= 1
        run_begin += 1
        if j - run_begin + 1 >= min_run:
            begin = run_begin
            # The walk starts on the near side of the main peak, whose run continues to its right.
            sign_main = 1.0 if s[main] > base else -1.0
            peak = main if (j == main - 1 and sign == sign_main) else run_peak
            quiet = 0
        else:
            quiet += j - run_begin + 1
        j = run_begin
    return begin, peak


@njit
def rising_edge(x, start, search, stop, half, threshold, floor, gap, min_run, lookback, guard, quiet_run, fractions):
    """Landmarks of the response of each trial.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Traces without pulse artefact.
    start, search, stop : int
        First usable sample, first sample of the window, end of the window.
    half : array of int, shape (n_trials,)
        Half width of the smoothing; −1 leaves the trial out (its row is NaN).
    threshold : array, shape (n_trials,)
        Deflection of the smoothed trace that noise does not reach.
    floor : float
        The same as a fraction of the peak-to-peak amplitude; the larger of the two is used.
    gap, min_run, lookback, guard, quiet_run : int
        Samples: longest silence within a response; shortest run; length of the local baseline and its distance
        from the response; silence that ends a response.
    fractions : array, shape (n_fractions,)
        Fractions of the peak-to-peak amplitude, falling; one beyond the height of the first phase gives its peak.

    Returns
    -------
    array, shape (n_trials, 5 + n_fractions)
        ``EDGE_COLUMNS``, then the crossing times, in samples.
    """
    n = stop - start
    first = np.empty(n)
    s = np.empty(n)
    out = np.full((x.shape[0], 5 + fractions.size), np.nan)
    for i in range(x.shape[0]):
        if half[i] < 0:
            continue
        running_mean(x[i, start:stop], n, half[i], first)
        running_mean(first, n, half[i], s)
        low, high, _ = range_of(s[search - start : n])
        limit = max(threshold[i], floor * (high - low))
        base = mean_of(s, max(0, search - start - lookback), max(search - start, 1))
        lowest = place_of(s, low, search - start, n)
        highest = place_of(s, high, search - start, n)
        main = highest if high - base > base - low else lowest
        begin, peak = first_phase(s, base, search - start, main, limit, gap, min_run)
        until = begin - guard
        if until - max(0, until - lookback) >= lookback // 2:
            base = mean_of(s, max(0, until - lookback), until)
            main = highest if high - base > base - low else lowest
            begin, peak = first_phase(s, base, search - start, main, limit, gap, min_run)
        height = s[peak] - base
        out[i, 0] = high - low
        out[i, 1] = height
        out[i, 2] = start + peak
        out[i, 3] = base
        out[i, 4] = start + response_end(s, base, peak, n, max(threshold[i] * 0.75, 0.015 * (high - low)), quiet_run)
        sign = 1.0 if height > 0 else -1.0
        j = peak
        for k in range(fractions.size):
            target = fractions[k] * (high - low)
            if target >= abs(height):
                out[i, 5 + k] = start + peak
                continue
            while j > 0 and sign * (s[j - 1] - base) > target:
                j -= 1
            if j > 0:
                above = sign * (s[j] - base)
                below = sign * (s[j - 1] - base)
                out[i, 5 + k] = start + j - (above - target) / max(above - below, 1e-300)
            else:
                out[i, 5 + k] = start
    return out


@njit
def onset_on_edge(edges, fractions, readable, weights, earliest, latest, steep):
    """From the lowest readable level of each edge to its onset, by a regression on how the edge runs above it.

    Parameters
    ----------
    edges : array, shape (n_trials, 7 + n_fractions)
        Columns of :func:`rising_edge`, then the standard deviation of the smoothed noise and the widening of the edge
        by the smoothing, in samples.
    fractions : array, shape (n_fractions,)
    readable : float
        Standard deviations of the noise above which a level can be read.
    weights : array, shape (n_fractions - 1, n_above + 2)
        Of the lags, in samples, from the lowest level to those above, to the peak, and of the widening; one row for
        each lowest level but the first.
    earliest, latest : array, shape (n_fractions - 1,)
        Bounds of the onset about the lowest level, over the widening.
    steep : int
        Levels above the lowest over which the steepness is read.

    Returns
    -------
    onset, steepness : array, shape (n_trials,)
        In samples; the steepness is the time the edge takes, half a sample or more.
    lowest : array of int, shape (n_trials,)
        The level.
    """
    n_above = weights.shape[1] - 2
    onset, steepness = np.empty(len(edges)), np.empty(len(edges))
    lowest = np.ones(len(edges), np.int64)
    for i in range(len(edges)):
        row = edges[i]
        crossings = row[5 : 5 + fractions.size]
        noise, widening = row[row.size - 2], row[row.size - 1]
        level = -1
        for k in range(fractions.size):
            level += fractions[k] * row[0] >= readable * noise
        level = min(max(level, 1), fractions.size - 1)
        weight = weights[level - 1]
        way = 0.0
        steepest = 0.5
        for k in range(n_above):
            lag = crossings[level - 1 - k] - crossings[level] if k < level else 0.0
            way += weight[k] * lag
            if k < steep and not lag <= steepest:
                steepest = lag
        way += weight[n_above] * (row[2] - crossings[level]) + weight[n_above + 1] * widening
        if widening > 0.0:  # without smoothing there is none to measure by
            way = min(max(way, earliest[level - 1] * widening), latest[level - 1] * widening)
        onset[i], steepness[i], lowest[i] = crossings[level] + way, steepest, level
    return onset, steepness, lowest


@njit
def response_end(s, base, peak, n, limit, quiet_run):
    """First sample after the peak from which the smoothed trace stays within ``limit`` for ``quiet_run`` samples."""
    last = peak
    for j in range(peak, n):
        if abs(s[j] - base) > limit:
            last = j
        elif j - last > quiet_run:
            break
    return min(last + 1, n - 1)
