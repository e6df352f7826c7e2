"""Is there a response? The largest contrast after the pulse against the same search before it.

The noise model is the recording itself: each trial's own level, and the colour and the extremes of all its
pre-stimulus windows, so that drift, mains and muscle activity are judged by what they do when nothing was stimulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels.contrast import contrast_power, largest_contrast
from ._extremes import learn_extremes
from ._windows import evenly, rows_of

WIDTHS = (0.0015, 0.003, 0.006)  # s on each side: phases of hand, forearm and leg responses
_OWN_LEVEL = 8.0  # a trial's own noise level counts as this many cycles of the recording's against its own
_NOISE_TRIALS = 250  # trials whose pre-stimulus windows are searched
_LEAST_WINDOWS = 3  # pre-stimulus windows a trial
_PRIOR_SPREAD = 0.22  # and this is it: standard deviation of the largest contrast over its mean


@dataclass(frozen=True)
class Detection:
    """Evidence for a response in each trial: a standard Gumbel variable without one; and where it is strongest."""

    score: np.ndarray
    at: np.ndarray


def _null_windows(start: np.ndarray, stop: np.ndarray, length: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stretches before the pulse, at least three a trial; the level of each is known from the others."""
    shortest = int(np.min(stop - start))
    length = min(length, shortest // _LEAST_WINDOWS)
    return [(stop - (k + 1) * length, stop - k * length) for k in range(shortest // length)]


def _own_level(level: np.ndarray, overall: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """Power of the contrasts of each trial: its own, leaning on what the recording's colour makes of its loudness."""
    loudness = np.mean(level / overall, axis=1, keepdims=True)
    return (cycles * level + _OWN_LEVEL * loudness * overall) / (cycles + _OWN_LEVEL)


def detect(
    x: np.ndarray,
    baseline: tuple[np.ndarray, np.ndarray],
    traces: np.ndarray,
    search: int,
    residual_from: np.ndarray,
    noise: np.ndarray,
    step: float,
) -> Detection:
    """Evidence for a response in ``traces[:, search:]``.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Recorded trials.
    baseline : tuple of array of int, shape (n_trials,)
        First sample of the pre-stimulus stretch of each trial and the one after its last.
    traces : array, shape (n_trials, n_samples)
        From just after the pulse to the end of the window, without artefact.
    search : int
        Sample of ``traces`` where the window begins.
    residual_from : array of int, shape (n_trials,)
        Sample of ``traces`` from which the remains of an artefact can be judged; −1 where there was none.
    noise : array, shape (n_trials,)
        Standard deviation of the noise of each trial, above 0.
    step : float
        Sampling interval in s.

    Returns
    -------
    Detection
    """
    start, stop = baseline
    length = traces.shape[1] - search
    windows = _null_windows(start, stop, length)
    null_length = int(windows[0][1][0] - windows[0][0][0])
    room = min(length, null_length)
    widths = np.array([max(1, min(round(w / step), room // 4)) for w in WIDTHS])
    squares, count = contrast_power(x, start, stop, widths)
    n_trials = len(x)
    response, at, _, _ = largest_contrast(traces, np.full(n_trials, search), np.full(n_trials, traces.shape[1]), widths)
    cycles = (stop - start)[:, None] / (2.0 * widths)
    least = 1e-4 * noise[:, None] ** 2  # a trace without noise must not divide by zero
    level = squares / np.maximum(count, 1) + least
    overall = np.mean(level, axis=0)
    level = _own_level(level, overall, cycles)
    null = []
    some = evenly(noise, _NOISE_TRIALS)
    squares, count, cycles, least = squares[some], count[some], cycles[some], least[some]
    whole = np.zeros(some.size, np.int64), np.full(some.size, null_length)
    for begin, _ in windows:
        largest, _, own, own_count = largest_contrast(rows_of(x, some, begin, null_length), *whole, widths)
        rest = squares - own
        # The level must not know of the window, as that of a trial does not know of its response.
        rest_level = np.maximum(rest, 0.0) / np.maximum(count - own_count, 1) + least
        null.append(largest / np.sqrt(_own_level(rest_level, overall, cycles)))
    null_values = np.concatenate(null)
    usual = np.maximum(np.median(null_values, axis=0), 1.0)
    null_statistic = np.max(null_values / usual, axis=1)
    # Remains of an artefact are noise of this trial.
    with_remains = residual_from >= 0
    if with_remains.any():
        begin = np.where(with_remains, residual_from, search)
        left, left_count = contrast_power(traces, begin, np.full(n_trials, search), widths)
        level = np.where(with_remains[:, None], np.fmax(level, left / np.maximum(left_count, 1)), level)
    scaled = response / np.sqrt(level) / usual
    which = scaled.argmax(axis=1)
    statistic = scaled[np.arange(n_trials), which]
    longer = np.median((length - 2.0 * widths + 1) / (null_length - 2.0 * widths + 1))
    spread = _PRIOR_SPREAD * float(np.mean(null_statistic)) + 1e-3
    extremes = learn_extremes(null_statistic, prior_spread=spread, longer=longer)
    return Detection(extremes.score(statistic), at[np.arange(n_trials), which])
