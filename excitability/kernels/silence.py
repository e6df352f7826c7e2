"""The silent period: the longest quiet stretch after the pulse and the moment at which activity begins to return."""

from __future__ import annotations

import numpy as np

from ._jit import njit
from .edge import running_mean


@njit
def quietest_stretch(x, start, stop, centre, limit, half, longest_burst):
    """Stretch of each trial that is most consistently quiet.

    The local power (mean square about ``centre`` over ``2*half + 1`` samples) of each sample counts for silence
    when it is below ``limit`` and against it when above, by at most one each; the stretch with the largest sum is
    taken (Kadane's algorithm), so that a burst shorter than the silence on its either side does not end it; one of
    more than ``longest_burst`` samples does.

    Returns
    -------
    array, shape (n_trials, 3)
        First sample, the one after the last, and the sum (samples of silence).
    """
    n_longest = 0
    for i in range(x.shape[0]):
        n_longest = max(n_longest, stop[i] - start[i])
    square = np.empty(n_longest)
    power = np.empty(n_longest)
    out = np.zeros((x.shape[0], 3))
    for i in range(x.shape[0]):
        n = stop[i] - start[i]
        for j in range(n):
            square[j] = (x[i, start[i] + j] - centre[i]) ** 2
        running_mean(square, n, half, power)
        total = 0.0
        begin = 0
        best = 0.0
        highest = 0.0
        low = 0.5 * limit[i]
        high = 2.0 * limit[i]
        for j in range(n):
            # Within a factor of two of the limit the evidence is graded; most samples need no logarithm.
            if power[j] >= high:
                total -= 1.0
            elif power[j] <= low:
                total += 1.0
            else:
                evidence = np.log(limit[i] / max(power[j], 1e-300)) / 0.69
                total += min(max(evidence, -1.0), 1.0)
            highest = max(highest, total)
            if total <= 0.0 or highest - total > longest_burst:
                total = 0.0
                highest = 0.0
                begin = j + 1
            elif total > best:
                best = total
                out[i, 0] = start[i] + begin
                out[i, 1] = start[i] + j + 1
                out[i, 2] = best
    return out


@njit
def smallest_power(x, start, stop, centre, width):
    """Smallest mean square about ``centre`` over ``width`` samples within ``x[i, start[i]:stop[i]]``."""
    out = np.full(x.shape[0], np.nan)
    square = np.empty(x.shape[1])
    for i in range(x.shape[0]):
        row = x[i, start[i] : stop[i]]
        for j in range(row.size):
            square[j] = (row[j] - centre[i]) ** 2
        best = np.inf
        if row.size >= width:
            total = 0.0
            for j in range(width):
                total += square[j]
            best = total
            ahead = square[width : row.size]
            # what a step changes is taken first: the sum then waits for one addition only
            for j in range(ahead.size):
                total += ahead[j] - square[j]
                best = min(best, total)
        out[i] = max(best, 0.0) / width
    return out


@njit
def return_onset(x, guess, reach, first, last, centre, quiet, active, ramps, samples):
    """Expected sample at which activity begins to return, within ``reach`` of ``guess``.

    The trace is taken as Gaussian with variance ``quiet`` before and ``quiet + active * gain**2`` after, the gain
    rising from 0 to 1 over one of ``ramps`` samples. All moments and ramps are weighted by their likelihood;
    ``samples`` neighbouring ones count as one, since EMG is coloured.

    Returns
    -------
    array, shape (n_trials,)
        Sample, with fractions; NaN where ``guess`` is negative.
    """
    out = np.full(x.shape[0], np.nan)
    longest = 0
    for ramp in ramps:
        longest = max(longest, ramp)
    widest = reach + reach + longest
    square = np.empty(widest + longest)
    rest = np.empty(widest + longest + 1)
    costs = np.empty((ramps.size, widest))
    weight = np.empty(longest)
    offset = np.empty(longest)
    for i in range(x.shape[0]):
        if guess[i] < 0:
            continue
        low = max(first[i], guess[i] - reach - longest)
        high = min(last, guess[i] + reach)
        n = min(last, high + longest) - low
        loud = quiet[i] + active[i]
        rest[n] = 0.0
        for j in range(n - 1, -1, -1):
            square[j] = (x[i, low + j] - centre[i]) ** 2
            rest[j] = rest[j + 1] + np.log(loud / quiet[i]) + square[j] * (1.0 / loud - 1.0 / quiet[i])
        best = np.inf
        for r in range(ramps.size):
            ramp = ramps[r]
            for k in range(ramp):
                gain = (k + 0.5) / ramp
                variance = quiet[i] + active[i] * gain * gain
                weight[k] = 1.0 / variance - 1.0 / quiet[i]
                offset[k] = np.log(variance / quiet[i])
            for tau in range(high - low):
                cost = rest[min(tau + ramp, n)]
                for k in range(min(ramp, n - tau)):
                    cost += offset[k] + weight[k] * square[tau + k]
                costs[r, tau] = cost
                best = min(best, cost)
        total = 0.0
        moment = 0.0
        for r in range(ramps.size):
            for tau in range(high - low):
                likelihood = np.exp(-0.5 * (costs[r, tau] - best) / samples)
                total += likelihood
                moment += likelihood * tau
        out[i] = low + moment / total
    return out


@njit
def silent_run(trace, start, stop, limit, below, above, share):
    """First run below a limit, and where the trace is back above it, within ``trace[i, start[i]:stop[i]]``.

    The run is of at least ``below`` samples under ``limit[i]``. The trace is back at the first sample after them that
    is not under the limit and that begins ``above`` samples of which at least ``share`` are not.

    Returns
    -------
    array of int, shape (n_trials, 2)
        First sample of the run, -1 where there is none; sample at which the trace is back, -1 where it is not.
    """
    out = np.full((trace.shape[0], 2), -1)
    for i in range(trace.shape[0]):
        run = 0
        j = start[i]
        while j < stop[i] and run < below:
            run = run + 1 if trace[i, j] < limit[i] else 0
            j += 1
        if run < below:
            continue
        out[i, 0] = j - below
        count = 0
        for k in range(j, min(j + above, stop[i])):
            count += trace[i, k] >= limit[i]
        for k in range(j, stop[i] - above + 1):
            if trace[i, k] >= limit[i] and count >= share * above:
                out[i, 1] = k
                break
            count -= trace[i, k] >= limit[i]
            if k + above < stop[i]:
                count += trace[i, k + above] >= limit[i]
    return out
