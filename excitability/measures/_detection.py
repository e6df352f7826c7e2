"""Is there a response? The largest contrast after the pulse against the same search before it.

The noise model is the recording itself: each trial's own level, and the colour and the extremes of all its
pre-stimulus windows, so that drift, mains and muscle activity are judged by what they do when nothing was stimulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels.contrast import largest_contrast

WIDTHS = (0.0015, 0.003, 0.006)  # s on each side: phases of hand, forearm and leg responses
_OWN_LEVEL = 8.0  # a trial's own noise level counts as this many cycles of the recording's against its own
_PRIOR_WINDOWS = 12.0  # the general shape of the extremes counts as this many pre-stimulus windows
_PRIOR_SPREAD = 0.22  # and this is it: standard deviation of the largest contrast over its mean
_EULER = 0.5772156649
_LARGEST = 300.0  # largest response considered, in units of the mean extreme of noise


@dataclass(frozen=True)
class Detection:
    """Evidence for a response in each trial."""

    p_value: np.ndarray
    probability: np.ndarray
    statistic: np.ndarray
    at: np.ndarray


def _null_windows(start: np.ndarray, stop: np.ndarray, length: int) -> list[tuple[np.ndarray, np.ndarray]]:
    shortest = int(np.min(stop - start))
    length = min(length, shortest)
    return [(stop - (k + 1) * length, stop - k * length) for k in range(shortest // length)]


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
    room = min(length, int(np.min(stop - start)))
    widths = np.array([max(1, min(round(w / step), room // 4)) for w in WIDTHS])
    _, _, squares, count = largest_contrast(x, start, stop, widths)
    n_trials = len(x)
    response, at, _, _ = largest_contrast(traces, np.full(n_trials, search), np.full(n_trials, traces.shape[1]), widths)
    cycles = (stop - start)[:, None] / (2.0 * widths)
    least = 1e-4 * noise[:, None] ** 2  # a trace without noise must not divide by zero
    level = squares / np.maximum(count, 1) + least
    overall = np.mean(level, axis=0)
    # What a trial's level at one width is expected to be from its level at all widths.
    loudness = np.mean(level / overall, axis=1)
    level = (cycles * level + _OWN_LEVEL * loudness[:, None] * overall) / (cycles + _OWN_LEVEL)
    windows = _null_windows(start, stop, length)
    null = []
    for begin, end in windows:
        largest, _, own, own_count = largest_contrast(x, begin, end, widths)
        rest = squares - own
        rest_level = level if len(windows) == 1 else np.maximum(rest, 0.0) / np.maximum(count - own_count, 1)
        rest_level = (cycles * rest_level + _OWN_LEVEL * loudness[:, None] * overall) / (cycles + _OWN_LEVEL)
        null.append(largest / np.sqrt(rest_level + least))
    null_values = np.concatenate(null)
    usual = np.maximum(np.median(null_values, axis=0), 1.0)
    null_statistic = np.max(null_values / usual, axis=1)
    # Remains of an artefact are noise of this trial.
    with_remains = residual_from >= 0
    if with_remains.any():
        _, _, left, left_count = largest_contrast(
            traces[with_remains], residual_from[with_remains], np.full(int(with_remains.sum()), search), widths
        )
        level[with_remains] = np.fmax(level[with_remains], left / np.maximum(left_count, 1))
    scaled = response / np.sqrt(level) / usual
    which = scaled.argmax(axis=1)
    statistic = scaled[np.arange(n_trials), which]
    mode, spread = _gumbel(null_statistic)
    p_value = -np.expm1(-np.exp(-(statistic - mode) / spread))
    return Detection(p_value, _probability(statistic, mode, spread), statistic, at[np.arange(n_trials), which])


def _gumbel(values: np.ndarray) -> tuple[float, float]:
    """Mode and scale of the extremes of noise; few windows lean on the general shape."""
    mean = max(float(np.mean(values)), 0.5)
    n = len(values)
    variance = (np.sum((values - mean) ** 2) + _PRIOR_WINDOWS * (_PRIOR_SPREAD * mean) ** 2) / (n + _PRIOR_WINDOWS)
    scale = np.sqrt(6.0 * variance) / np.pi
    return mean - _EULER * scale, float(scale)


def _probability(statistic: np.ndarray, mode: float, scale: float) -> np.ndarray:
    """Probability that a response is present: noise against a response of any size, share learnt from the trials."""
    z = (statistic - mode) / scale
    noise = np.exp(-z - np.exp(-np.clip(z, -30.0, None))) / scale
    # A response of unknown size (log-uniform) never makes the largest contrast smaller than noise alone does.
    rising = np.exp(-np.exp(-np.clip(z, -30.0, None)))
    response = rising / (np.maximum(statistic, 1e-12) * np.log(_LARGEST))
    share = 0.5
    for _ in range(50):
        posterior = share * response / np.maximum(share * response + (1.0 - share) * noise, 1e-300)
        share = (1.0 + posterior.sum()) / (2.0 + statistic.size)
    return share * response / np.maximum(share * response + (1.0 - share) * noise, 1e-300)
