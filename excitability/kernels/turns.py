"""Turns and phases of a response: how often the smoothed trace turns round, and how often it changes side."""

from __future__ import annotations

import numpy as np

from ._jit import njit
from .edge import running_mean


@njit
def turns_and_phases(x, start, stop, half, swing, level):
    """Count the turns and the phases of ``x[i, start[i]:stop[i]]``, smoothed by two running means.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Traces about their baseline.
    start, stop : array of int, shape (n_trials,)
        The response; a trial whose stop is not after its start gets 0 and 0.
    half : int
        Half width of the running means, in samples.
    swing : array, shape (n_trials,)
        A turn is a peak or trough that the trace reaches and leaves by at least this much.
    level : array, shape (n_trials,)
        A phase is a stretch on one side of the baseline that goes at least this far.

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
        out[i, 0], out[i, 1] = count_turns(s[offset : offset + n], swing[i], level[i])
    return out


@njit
def count_turns(s, swing, level):
    """Turns and phases of one smoothed trace that begins and ends at the baseline, 0."""
    turns = phases = 0
    direction = side = 0
    low = high = 0.0
    for j in range(s.size + 1):
        value = s[j] if j < s.size else 0.0
        if abs(value) >= level and (side == 0 or (value > 0.0) != (side > 0)):
            side = 1 if value > 0.0 else -1
            phases += 1
        low = min(low, value)
        high = max(high, value)
        if direction >= 0 and value <= high - swing:
            turns += direction  # the first departure from the baseline is no turn
            direction = -1
            low = value
        elif direction <= 0 and value >= low + swing:
            turns -= direction
            direction = 1
            high = value
    return turns, phases
