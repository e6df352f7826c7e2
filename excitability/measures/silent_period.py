"""Contralateral silent period."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.silence import quietest_stretch, return_onset, smallest_power
from ..kernels.windows import level
from ._registry import measure
from ._windows import BASELINE, baseline_samples, interval, window_samples

_QUIET_SHARE = 0.25  # silence: local amplitude below this share of the background's
_LEAST_DEPTH = 0.4  # the quietest 10 ms must fall below this share of the background
_RETURNED = 0.010  # s of activity that must follow; less, and the silence outlasts the epoch
_INDEPENDENT = 0.0011  # s after which EMG (to 450 Hz) is a new sample
_MEDIAN_SQUARE = 0.4549  # median of a squared standard normal variable
_RAMPS = (0.001, 0.008, 0.014, 0.020)  # s over which activity may grow back


@measure(kind="trial", unit="s", references=["10.1016/j.clinph.2015.02.001"])
def silent_period(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    stop: float | None = None,
    shortest: float = 0.015,
    first_pulse: Any = 0.0,
) -> np.ndarray:
    """Time from the pulse to where ongoing EMG begins to return after the response.

    The quietest lasting stretch after the pulse is found (a burst shorter than the silence around it does not end
    it), then the expected moment at which activity begins to grow back, over all moments and rates of growth
    weighted by their likelihood. The muscle must be active: silence is amplitude below a quarter of the
    background's, and longer than the gaps of the background itself.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered and not rectified, of a contracted muscle.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name; the search begins with it.
    stop : float, optional
        End of the search in s; the end of the epoch by default.
    shortest : float
        Shortest silence in s.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before.

    Returns
    -------
    array, shape (n_trials,)
        s; NaN where there is no silence, or it outlasts the epoch.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of background.

    Notes
    -----
    The convention "from the pulse" is one of three in use; subtract ``mep_latency`` or the end of the response for
    the others. See Hupfeld et al. 2020 for their consequences.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import silent_period
    >>> times = np.arange(-500, 1500) / 5000
    >>> loud = np.where((times > 0.03) & (times < 0.14), 3e-6, 80e-6)
    >>> x = loud * np.random.default_rng(0).standard_normal((9, times.size))
    >>> bool(np.all(abs(silent_period(x, times) - 0.14) < 0.003))
    True
    """
    step = interval(times)
    search, _ = window_samples(times, window, "silent_period")
    last = times.size if stop is None else window_samples(times, (float(window[0]), float(stop)), "silent_period")[1]
    quiet = baseline_samples(times, BASELINE, first_pulse, len(x), "silent_period")
    levels = level(x, *quiet)
    centre, power = levels[:, 0], levels[:, 1] ** 2
    begin, end = np.full(len(x), search), np.full(len(x), last)
    half = max(1, round(0.0015 / step))
    limit = _QUIET_SHARE**2 * power
    stretch = quietest_stretch(x, begin, end, centre, limit, half)
    # The background has gaps of its own; a silence must be longer than theirs.
    gaps = quietest_stretch(x, *quiet, centre, limit, half)[:, 2]
    usual_gap = np.nanquantile(gaps, 0.9) if len(x) else 0.0
    longest_gap = max(shortest / step, 1.2 * usual_gap)
    floor = smallest_power(x, begin, end, centre, max(2, round(0.010 / step)))
    silent = (stretch[:, 2] >= longest_gap) & (floor < _LEAST_DEPTH**2 * power)
    # What follows the stretch must be activity, by the same count.
    guess = np.where(silent & (last - stretch[:, 1] >= _RETURNED / step), stretch[:, 1], -1).astype(np.int64)
    inner = stretch[:, :2].astype(np.int64)
    rest = np.where(silent, _typical_power(x, inner[:, 0], inner[:, 1], centre), np.nan)
    ramps = np.array([max(1, round(ramp / step)) for ramp in _RAMPS])
    first = np.where(silent, inner[:, 0], 0)
    rest = np.where(np.isfinite(rest) & (rest > 0), rest, 1e-18)
    found = return_onset(
        x, guess, round(0.008 / step), first, last, centre, rest, power, ramps, max(1.0, _INDEPENDENT / step)
    )
    value = times[0] + found * step
    value[~(np.isfinite(x[:, search:last]).all(axis=1) & np.isfinite(power))] = np.nan
    return value


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
