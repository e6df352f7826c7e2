"""Peak-to-peak amplitude of the MEP without what noise adds to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.windows import extremes
from ._registry import measure
from ._responses import find_responses
from ._windows import BASELINE, baseline_samples, interval, window_samples

_SMOOTHING = 0.001  # s on each side of the local parabola
_SHARP = 0.0004  # the same where the noise does not matter
_CLEAR = 20.0  # peak-to-peak amplitude over the noise from which it does not


@measure(kind="trial", unit="V")
def mep_amplitude_corrected(
    x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.015, 0.050), first_pulse: Any = 0.0
) -> np.ndarray:
    """Peak-to-peak amplitude with the extreme-value bias of noise removed.

    ``sign(d) · sqrt(|d|)`` with ``d = a² − b²``: ``a`` is highest minus lowest value in the window of the trace
    without artefact, smoothed by local parabolas (1 ms on each side); ``b`` is the same in pre-stimulus windows of
    equal length, their mean over the recording scaled to the noise of the trial. What the smoothing takes from sharp
    peaks is known from the largest responses of the recording and is given back. Trials without response scatter
    about zero, so values may be negative; leave them in a mean.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before; the noise is learnt before it.

    Returns
    -------
    array, shape (n_trials,)
        V; NaN where the window or the noise before the pulse holds a NaN.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of noise.

    Notes
    -----
    The recorded maximum minus minimum lies 1 to 3 standard deviations of the noise above the truth for responses of 2
    to 10 times the noise and 4 to 5 above it for none; this one within 1 below and at 0.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import mep_amplitude, mep_amplitude_corrected
    >>> times = np.arange(-500, 1001) / 5000
    >>> x = 20e-6 * np.random.default_rng(0).standard_normal((50, times.size))
    >>> bool(mep_amplitude(x, times).mean() > 90e-6)
    True
    >>> bool(abs(mep_amplitude_corrected(x, times).mean()) < 10e-6)
    True
    """
    name = "mep_amplitude_corrected"
    step = interval(times)
    start, stop = window_samples(times, window, name)
    found = find_responses(x, times, window, first_pulse, name=name)
    if not np.isfinite(found.noise).any():
        return np.full(len(x), np.nan)
    quiet = baseline_samples(times, BASELINE, first_pulse, len(x), name)
    weights = _parabola(step, _SMOOTHING)
    traces = found.traces[:, -(stop - start) :]
    size = _range(_smooth(traces, weights))
    length = int(min(stop - start, np.min(quiet[1] - quiet[0])))
    noise = []
    for k in range(int(np.min(quiet[1] - quiet[0])) // length):
        begin = quiet[1] - (k + 1) * length
        columns = begin[:, None] + np.arange(length)
        noise.append(_range(_smooth(np.take_along_axis(x, columns, axis=1), weights)) / found.noise)
    usual = float(np.nanmean(noise))
    if length < stop - start:  # the extremes of a longer window are larger
        usual *= np.sqrt(np.log((stop - start) / weights.size + 2.0) / np.log(length / weights.size + 2.0))
    difference = size**2 - (usual * found.noise) ** 2
    value = np.sign(difference) * np.sqrt(np.abs(difference))
    sharp = _range(_smooth(traces, _parabola(step, _SHARP)))
    # noise only adds: a corrected amplitude is never above the highest minus the lowest sample
    return np.minimum(value * _flattening(sharp, size, found.noise), _range(traces))


def _flattening(sharp: np.ndarray, size: np.ndarray, noise: np.ndarray) -> float:
    """What the smoothing takes from the peaks, known from the largest responses of the recording (a factor)."""
    with np.errstate(invalid="ignore"):
        clear = np.flatnonzero(size > _CLEAR * noise)
    if not clear.size:
        return 1.0
    largest = clear[np.argsort(-(size / noise)[clear], kind="stable")[: max(3, clear.size // 2)]]
    return max(float(np.median(sharp[largest] / size[largest])), 1.0)


def _parabola(step: float, width: float) -> np.ndarray:
    """Weights of the local parabola (Savitzky and Golay 1964)."""
    half = round(width / step)
    if half < 2:
        return np.ones(1)
    place = np.arange(-half, half + 1.0)
    return np.linalg.pinv(np.vander(place, 3, increasing=True))[0]


def _smooth(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Running weighted mean; the ends keep the nearest whole value."""
    if weights.size == 1 or x.shape[1] <= weights.size:
        return x
    n = x.shape[1] - weights.size + 1
    out = np.zeros((len(x), n))
    for k, weight in enumerate(weights):
        out += weight * x[:, k : k + n]
    return out


def _range(x: np.ndarray) -> np.ndarray:
    n = len(x)
    values, _ = extremes(np.ascontiguousarray(x), np.zeros(n, np.int64), np.full(n, x.shape[1]))
    return values[:, 1] - values[:, 0]
