"""The package's own search for the silence after a response, trial by trial; see :func:`silent_period`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.silence import quietest_stretch, return_onset, smallest_power
from ..kernels.windows import level
from ._windows import interval

_QUIET_SHARE = 0.25  # silence: local amplitude below this share of the background's
_LEAST_DEPTH = 0.4  # the quietest 10 ms must fall below this share of the background
_LONGEST_BURST = 0.020  # s of activity within a silence that does not end it
_RETURNED = 0.010  # s of activity that must follow; less, and the silence outlasts the epoch
_INDEPENDENT = 0.0011  # s after which EMG (to 450 Hz) is a new sample
_MEDIAN_SQUARE = 0.4549  # median of a squared standard normal variable
_RAMPS = (0.001, 0.008, 0.014, 0.020)  # s over which activity may grow back


def find_silences(
    x: np.ndarray, times: np.ndarray, search: int, last: int, quiet: tuple[Any, Any], shortest: float
) -> np.ndarray:
    """Beginning and end of the silence of each trial within the samples ``search`` to ``last``.

    ``quiet`` are the first sample of each trial's background and the one after its last.

    Returns
    -------
    array, shape (n_trials, 2)
        s from the pulse. NaN where there is none; the end is infinite where the silence outlasts the search.
    """
    step = interval(times)
    levels = level(x, *quiet)
    centre, power = levels[:, 0], levels[:, 1] ** 2
    begin, end = np.full(len(x), search), np.full(len(x), last)
    floor = smallest_power(x, begin, end, centre, max(2, round(0.010 / step)))
    # Most trials at rest have no such stretch at all: only the others are searched.
    silent = (floor < _LEAST_DEPTH**2 * power) & np.isfinite(power)
    half, burst = max(1, round(0.0015 / step)), _LONGEST_BURST / step
    limit = _QUIET_SHARE**2 * power
    stretch = quietest_stretch(x, begin, np.where(silent, end, begin), centre, limit, half, burst)
    silent &= stretch[:, 2] >= shortest / step
    if silent.any():
        # The background has gaps of its own; a silence must be longer than theirs.
        gaps = quietest_stretch(x, *quiet, centre, limit, half, burst)[:, 2]
        silent &= stretch[:, 2] >= 1.2 * np.quantile(gaps, 0.9)
        silent[silent] = np.isfinite(x[silent, search:last]).all(axis=1)
    found = np.full((len(x), 2), np.nan)
    if not silent.any():
        return found
    # What follows the stretch must be activity, by the same count.
    returns = silent & (last - stretch[:, 1] >= _RETURNED / step)
    first, stop = stretch.astype(np.int64).T[:2]
    rest = np.full(len(x), np.nan)
    rest[silent] = _typical_power(x[silent], first[silent], stop[silent], centre[silent])
    rest = np.where(np.isfinite(rest) & (rest > 0), rest, 1e-18)
    ramps = np.array([max(1, round(ramp / step)) for ramp in _RAMPS])
    samples = max(1.0, _INDEPENDENT / step)
    guess = np.where(returns, stop, -1)
    ends = return_onset(x, guess, round(0.008 / step), first, last, centre, rest, power, ramps, samples)
    found[:, 0] = np.where(silent, times[0] + stretch[:, 0] * step, np.nan)
    found[:, 1] = np.where(silent & ~returns, np.inf, times[0] + ends * step)
    return found


def _typical_power(x: np.ndarray, start: np.ndarray, stop: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Variance of the middle of each stretch as its median square tells it, which a burst does not move."""
    length = stop - start
    first = start + length // 3
    last = np.maximum(stop - length // 6, first + 1)
    width = int(np.max(last - first, initial=1))
    columns = first[:, None] + np.arange(width)
    square = (np.take_along_axis(x, np.minimum(columns, x.shape[1] - 1), axis=1) - centre[:, None]) ** 2
    square = np.sort(np.where(columns < last[:, None], square, np.inf), axis=1)
    middle = (last - first - 1) // 2
    return np.take_along_axis(square, middle[:, None], axis=1)[:, 0] / _MEDIAN_SQUARE
