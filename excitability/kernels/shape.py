"""Shape of a response: its turns, phases and end, and the background within its area."""

from __future__ import annotations

import numpy as np

from ._jit import njit
from .edge import running_mean
from .windows import range_of


@njit
def turns_and_phases(x, start, stop, half, least):
    """Count the turns and the phases of ``x[i, start[i]:stop[i]]``, smoothed by two running means.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Traces about their baseline.
    start, stop : array of int, shape (n_trials,)
        The response; a trial whose stop is not after its start gets 0 and 0.
    half : int
        Half width of the running means, in samples.
    least : array, shape (n_trials,)
        A phase is a stretch on one side of the baseline that goes at least this far; a turn is a peak of the distance
        from the baseline that is as far away from it, reached and left by a swing as large.

    Returns
    -------
    array of int, shape (n_trials, 2)
        Turns, phases.
    """
    out = np.zeros((x.shape[0], 2), np.int64)
    first = np.empty(x.shape[1])
    s = np.empty(x.shape[1])
    for i in range(x.shape[0]):
        n = stop[i] - start[i]
        if n <= 0:
            continue
        # smoothed with its surroundings, so that the response's own ends are not flattened
        before = max(start[i] - 2 * half, 0)
        after = min(stop[i] + 2 * half, x.shape[1])
        running_mean(x[i, before:after], after - before, half, first)
        running_mean(first, after - before, half, s)
        offset = start[i] - before
        out[i, 0], out[i, 1] = count_turns(s[offset : offset + n], least[i])
    return out


@njit
def count_turns(s, least):
    """Turns and phases of one smoothed trace that begins and ends at the baseline, 0."""
    turns = phases = 0
    direction = side = 0
    low = high = 0.0
    for j in range(s.size + 1):
        value = s[j] if j < s.size else 0.0
        if abs(value) >= least and (side == 0 or (value > 0.0) != (side > 0)):
            side = 1 if value > 0.0 else -1
            phases += 1
        low = min(low, value)
        high = max(high, value)
        if direction >= 0 and value <= high - least:
            if direction > 0 and high >= least:
                turns += 1
            direction = -1
            low = value
        elif direction <= 0 and value >= low + least:
            if direction < 0 and low <= -least:
                turns += 1
            direction = 1
            high = value
    return turns, phases


@njit
def ends_at(x, start, search, half, limits, quiet_run):
    """Where the smoothed response last goes beyond each of some limits.

    Each trace is followed from its largest deflection in ``x[i, start[i]:search]`` until it stays within the limit
    for ``quiet_run`` samples.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Traces about their baseline.
    start : array of int, shape (n_trials,)
        First sample of the response; −1 where there is none, which gives NaN.
    search : int
        The one after the last sample that may be its largest.
    half : int
        Half width of the two running means, in samples.
    limits : array, shape (n_trials, n_limits)
    quiet_run : int

    Returns
    -------
    array, shape (n_trials, n_limits)
        In samples, with fractions; the last sample where the trace does not return.
    """
    n = x.shape[1]
    first = np.empty(n)
    s = np.empty(n)
    out = np.full(limits.shape, np.nan)
    for i in range(x.shape[0]):
        if start[i] < 0:
            continue
        begin = max(start[i] - 2 * half, 0)
        running_mean(x[i, begin:], n - begin, half, first)
        running_mean(first, n - begin, half, s)
        low, high, _ = range_of(s[start[i] - begin : search - begin])
        peak = start[i] - begin
        while peak < search - begin - 1 and abs(s[peak]) != max(-low, high):
            peak += 1
        for k in range(limits.shape[1]):
            out[i, k] = begin + end_at(s[: n - begin], peak, limits[i, k], quiet_run)
    return out


@njit
def end_at(s, peak, limit, quiet_run):
    """The same for one smoothed trace and one limit, from the sample of its peak on."""
    last = peak
    for j in range(peak, s.size):
        if abs(s[j]) > limit:
            last = j
        elif j - last > quiet_run:
            break
    if last >= s.size - 1:
        return s.size - 1.0
    above = abs(s[last]) - limit
    below = limit - abs(s[last + 1])
    return last + max(above, 0.0) / max(above + below, 1e-300)


@njit
def continued(traces, x, base, artefact, length, stop, until):
    """Traces that end before sample ``stop`` of the trials, with what follows in ``x[i, stop:until]`` about ``base``.

    Parameters
    ----------
    traces : array, shape (n_trials, n_samples)
    x : array, shape (n_trials, n_times)
    base : array, shape (n_trials,)
    artefact : array, shape (n_trials,)
        NaN where the record itself follows; elsewhere what was taken away from it is followed as an exponential.
    length : int
        Samples before ``stop`` at whose ends that is seen.
    stop, until : int

    Returns
    -------
    array, shape (n_trials, n_samples + until - stop)
        0 where a sample is missing.
    """
    n = traces.shape[1]
    out = np.empty((traces.shape[0], n + until - stop))
    for i in range(traces.shape[0]):
        row, after, ahead, level = out[i], out[i, n:], x[i, stop:until], base[i]
        for j in range(n):  # a slice assigned takes seconds to compile
            row[j] = traces[i, j]
        for j in range(ahead.size):
            after[j] = ahead[j] - level
        taken = x[i, stop - 1] - level - traces[i, n - 1]
        before = x[i, stop - length] - level - traces[i, n - length]
        if np.isfinite(artefact[i]) and 0.0 < abs(taken) < abs(before) and (taken > 0.0) == (before > 0.0):
            decay = (taken / before) ** (1.0 / max(length - 1, 1))
            for j in range(ahead.size):
                taken *= decay
                after[j] -= taken
        missing = False
        for j in range(row.size):
            missing |= not (abs(row[j]) < np.inf)
        if missing:
            for j in range(row.size):
                row[j] = row[j] if abs(row[j]) < np.inf else 0.0
    return out


@njit
def quietest_pair(x, start, block):
    """Least mean square of two neighbouring blocks of each trial, of those that begin after ``start[i]``.

    Returns
    -------
    array, shape (n_trials,)
        Infinite where there is none, or ``start`` is negative.
    """
    out = np.full(x.shape[0], np.inf)
    for i in range(x.shape[0]):
        if start[i] < 0:
            continue
        before = np.inf
        for k in range(start[i] // block + 1, x.shape[1] // block):
            part = x[i, k * block : (k + 1) * block]
            even = block - block % 4
            a = b = c = d = 0.0
            for j in range(0, even, 4):
                a += part[j] * part[j]
                b += part[j + 1] * part[j + 1]
                c += part[j + 2] * part[j + 2]
                d += part[j + 3] * part[j + 3]
            for j in range(even, block):
                a += part[j] * part[j]
            power = (a + b) + (c + d)
            out[i] = min(out[i], 0.5 * (before + power) / block)
            before = power
    return out


@njit
def drowned_background(x, quiet_start, quiet_stop, base, noise, traces, start, stop, left):
    """What ongoing muscle activity adds to the rectified area of each response, in volts times samples.

    Where a response is much larger than the background, rectifying their sum adds nothing on average; where there is
    none, it adds the mean rectified background. A sample ``u`` counts with ``(1 - v / 1.5625) exp(-v / 2)`` of
    ``v = (u / noise)²``, scaled such that all of the pre-stimulus stretch ``x[i, quiet_start[i]:quiet_stop[i]]`` comes
    to zero. From ``start`` to ``stop`` the background sinks to a share ``left`` of itself.

    Parameters
    ----------
    x, traces : array, shape (n_trials, …)
        Recorded trials with the level ``base`` before the pulse, and the traces that the area is taken of, about 0.
    quiet_start, quiet_stop : array of int, shape (n_trials,)
    base, noise, left : array, shape (n_trials,)
    start, stop : array, shape (n_trials,)
        Limits of the area in ``traces``, in samples with fractions; NaN gives NaN.

    Returns
    -------
    array, shape (n_trials,)
    """
    out = np.full(len(x), np.nan)
    for i in range(len(x)):
        if not (stop[i] > start[i]):
            continue
        scale = 1.0 / noise[i]
        rectified = weights = 0.0
        for j in range(quiet_start[i], quiet_stop[i]):
            u = x[i, j] - base[i]
            rectified += abs(u)
            weights += drowned(u * scale)
        total = 0.0
        slope = (left[i] - 1.0) / (stop[i] - start[i])
        # each sample stands for the half interval on both sides of it, as far as the limits go
        for j in range(int(np.floor(start[i])), int(np.ceil(stop[i])) + 1):
            share = min(j + 0.5, stop[i]) - max(j - 0.5, start[i])
            if share > 0.0:
                part = 1.0 + slope * (min(max(float(j), start[i]), stop[i]) - start[i])
                if part > 0.0:
                    u = traces[i, min(j, traces.shape[1] - 1)]
                    total += share * part * drowned(u * scale / part)
        out[i] = total * rectified / weights
    return out


@njit
def drowned(u):
    """Weight of a sample of ``u`` standard deviations of the background."""
    return (1.0 - u * u / 1.5625) * np.exp(-0.5 * u * u)
