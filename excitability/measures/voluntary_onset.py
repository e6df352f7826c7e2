"""Onset of a voluntary burst of EMG, in a muscle that may be active already."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from ..kernels.silence import return_onset
from ._registry import measure
from ._windows import interval, window_samples

_SLOW = 0.015  # s: what lasts longer than this (movement, the T wave, most of the QRS complex) is taken away
_PART = 0.025  # s: power is judged in pieces of this length,
_PARTS = 3  # as many of which must follow one another; a heart beat fills two at most
_HIGHEST = 4.5  # robust deviations of the background's ln power that a burst must exceed,
_LARGEST = 1.5  # and times the largest power that is sustained in the baseline: of a heart beat, perhaps
_LEAST_SCATTER = 0.12  # of ln power in background so even that it has hardly any
_RAMPS = (0.001, 0.012, 0.030, 0.060)  # s over which a burst may grow
_REACH = 0.080  # s around the middle of the rise in which the onset is looked for
_INDEPENDENT = 0.002  # s after which EMG (to 250 Hz) is a new sample


@measure(kind="trial", unit="s")
def voluntary_onset(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.0, 0.5),
    baseline: tuple[float, float] = (-0.4, -0.005),
) -> np.ndarray:
    """Time at which a burst of voluntary activity begins.

    Slow waves are taken away (moving average of 15 ms). There is a burst where the power of three successive pieces of
    25 ms rises beyond what the background of the same trial, tonic activity included, does by chance: a heart beat is
    too short for that. Its beginning is where Gaussian noise of the background's power most likely turns into noise
    whose power grows to the burst's, over one of four rise times; all moments and rise times count by their
    likelihood. It is the change-point idea that Hodges & Bui (1996) and Staude (2001) compared with thresholds, which
    are late where a burst grows slowly and early where the background is uneven.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        EMG in V; time 0 is the event that the trial is cut around (a cue, or the movement).
    times : array, shape (n_times,)
        Seconds from the event.
    window : tuple of float or str
        Where the burst may begin and rise half-way (s).
    baseline : tuple of float
        Where the background is learnt (s).

    Returns
    -------
    array, shape (n_trials,)
        s from the event; NaN where there is no burst.

    Raises
    ------
    ValueError
        When window or baseline lies outside the epoch, or the baseline is shorter than 0.2 s.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> times = np.arange(-1000, 1600) / 2000
    >>> level = np.where(times > 0.21, 80e-6, 10e-6)
    >>> found = voluntary_onset(level * rng.standard_normal((8, times.size)), times)
    >>> bool(np.all(abs(found - 0.21) < 0.005))
    True
    """
    if baseline[1] - baseline[0] < 0.2 - 1e-9:
        raise ValueError(f"voluntary_onset: baseline {baseline[0]:g} to {baseline[1]:g} s; expected 0.2 s or more")
    first, last = window_samples(times, window, "voluntary_onset")
    begin, end = window_samples(times, baseline, "voluntary_onset")
    step = interval(times)
    fast = x - uniform_filter1d(x, max(3, round(_SLOW / step)), axis=1, mode="nearest")
    power = _power(fast, max(2, round(_PART / step)))
    piece = x.shape[1] - power.shape[1] + 1
    sustained = np.min([power[:, k * piece : power.shape[1] - (_PARTS - 1 - k) * piece] for k in range(_PARTS)], axis=0)
    if first + 2 > sustained.shape[1]:
        raise ValueError(
            f"voluntary_onset: a burst at {window[0]:g} s needs {_PARTS * _PART:g} s after it, but the epoch "
            f"ends at {times[-1]:g} s; cut a longer epoch"
        )
    quiet = _background(power[:, begin : end - piece + 1])
    found = _rise(sustained[:, first:last], sustained[:, begin : end - _PARTS * piece], quiet)
    guess = np.where(found[0] >= 0, found[0] + first, -1)
    onset = times[0] + step * _refined(
        fast, guess, first, min(last + round(_REACH / step), x.shape[1]), quiet, found[1], step
    )
    return np.where(onset <= window[1], onset, np.nan)


def _power(fast: np.ndarray, width: int) -> np.ndarray:
    """Mean square of the ``width`` samples from each one on."""
    total = np.cumsum(np.pad(fast**2, ((0, 0), (1, 0))), axis=1)
    return np.maximum(total[:, width:] - total[:, :-width], 0.0) / width


def _background(power: np.ndarray) -> np.ndarray:
    """Power of the background, which a heart beat or a short burst in the baseline does not move."""
    middle = np.median(power, axis=1)
    calm = power < 3 * middle[:, None]
    return np.where(calm.any(axis=1), (power * calm).sum(axis=1) / np.maximum(calm.sum(axis=1), 1), middle)


def _rise(window: np.ndarray, before: np.ndarray, quiet: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sample at which sustained power has risen half-way (−1: no burst), and the power it gains."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs, told = np.log(window), np.log(before)
        centre = np.median(told, axis=1)
        scatter = np.maximum(1.4826 * np.median(np.abs(told - centre[:, None]), axis=1), _LEAST_SCATTER)
        peak = window.max(axis=1)
        present = (logs.max(axis=1) - centre > _HIGHEST * scatter) & (peak > _LARGEST * before.max(axis=1))
        present &= (quiet > 0) & np.isfinite(peak) & (peak > quiet)
        half = np.sqrt(quiet) + 0.5 * (np.sqrt(peak) - np.sqrt(quiet))
        guess = np.argmax(window >= (half**2)[:, None], axis=1)
    return np.where(present, guess, -1), np.where(present, peak - quiet, 1.0)


def _refined(
    fast: np.ndarray, guess: np.ndarray, first: int, last: int, quiet: np.ndarray, active: np.ndarray, step: float
) -> np.ndarray:
    n = len(fast)
    ramps = np.array([max(1, round(ramp / step)) for ramp in _RAMPS])
    level = np.where(guess >= 0, quiet, 1.0)
    samples = max(1.0, _INDEPENDENT / step)
    data = np.ascontiguousarray(np.where(guess[:, None] >= 0, fast, 0.0))
    found: np.ndarray = return_onset(
        data, guess, round(_REACH / step), np.full(n, first), last, np.zeros(n), level, active, ramps, samples
    )
    return found
