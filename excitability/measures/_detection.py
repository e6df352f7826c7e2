"""Is there a response? The largest contrast after the pulse against the same search before it.

The noise model is the recording itself: each trial's own level, and the colour and the extremes of all its
pre-stimulus windows, so that drift, mains and muscle activity are judged by what they do when nothing was stimulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..kernels.contrast import contrast_apart, contrast_power, largest_contrast
from ._extremes import Extremes, learn_extremes
from ._windows import evenly, quantiles

WIDTHS = (0.0015, 0.003, 0.006)  # s on each side: phases of hand, forearm and leg responses
_GAP = 0.020  # s between the noise of a trial and its window
_PRIOR_LOUDNESS = 12.0  # trials
_LOUDNESS_SPREAD = 0.3
_USUAL_SLOPE = 0.6
_CLEAR_SCORE = 10.0
_LEAST_CLEAR = 6  # clear responses that tell where a recording has them
_PLACE_WIDTH = 0.0015  # s
_ANYWHERE = 0.15  # share of the weight that is spread over the window
NOISE_TRIALS = 250  # trials whose pre-stimulus windows are searched
_LEAST_WINDOWS = 3  # pre-stimulus windows a trial
_PRIOR_SPREAD = 0.22  # and this is it: standard deviation of the largest contrast over its mean


@dataclass(frozen=True)
class Null:
    """The same search in stretches before the pulse, two a trial."""

    trials: np.ndarray  # (n_null,) that were searched
    begins: tuple[int, ...]  # samples from the start of the noise
    slope: float  # how well the loudness of a trial's noise tells that of its window, 0 ... 1
    score: np.ndarray  # (n_stretches, n_null)
    at: np.ndarray  # (n_stretches, n_null), place in the window


@dataclass(frozen=True)
class Detection:
    """Evidence for a response in each trial: a standard Gumbel variable without one; and where it is strongest."""

    score: np.ndarray
    at: np.ndarray
    null: Null
    extremes: Extremes  # of the largest contrast of noise


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
    shortest = int(np.min(stop - start))
    null_length = min(length, shortest // _LEAST_WINDOWS)
    room = min(length, null_length)
    widths = np.array([max(1, min(round(w / step), room // 4)) for w in WIDTHS])
    n_trials = len(x)
    squares, count = contrast_power(x, start, stop, widths)
    response, at, _, _ = largest_contrast(traces, np.full(n_trials, search), np.full(n_trials, traces.shape[1]), widths)
    least = 1e-4 * noise[:, None] ** 2  # a trace without noise must not divide by zero
    power = squares / np.maximum(count, 1) + least
    some = evenly(noise, NOISE_TRIALS)
    begins, guard = stretches_apart(shortest, null_length, step)
    largest, inside, apart, null_at = contrast_apart(x, some, start, stop, np.array(begins), null_length, guard, widths)
    # After an earlier pulse the first stretch is louder: then only the last, next to the pulse, tells.
    kept = _alike(largest[..., 0])
    largest, inside, apart, null_at = largest[kept], inside[kept], apart[kept], null_at[kept]
    begins = begins[kept]
    quiet = _centred(_loudness(apart + least[some]))
    slope = _loudness_slope(quiet, _centred(_loudness(inside + least[some])))
    values = largest / np.exp(0.5 * slope * quiet)[..., None]
    usual = np.sort(values.reshape(-1, widths.size), axis=0)[values[..., 0].size // 2]
    usual = np.maximum(usual, 0.01 * (noise.sum() / n_trials))
    null_scaled = values / usual
    level = np.exp(slope * _centred(_loudness(power)))[:, None]
    # Remains of an artefact are noise of this trial.
    remains = np.flatnonzero(residual_from >= 0)
    if remains.size:
        left, left_count = contrast_power(
            traces[remains], residual_from[remains], np.full(remains.size, search), widths
        )
        left /= np.maximum(left_count, 1) * np.exp(np.mean(np.log(power), axis=0))
        level = np.repeat(level, widths.size, axis=1)
        level[remains] = np.fmax(level[remains], left)
    statistic, at = _largest(response / np.sqrt(level) / usual, at)
    null_statistic, null_at = _largest(null_scaled, null_at)
    longer = (length - 2.0 * widths[1] + 1) / (null_length - 2.0 * widths[1] + 1)
    spread = _PRIOR_SPREAD * float(null_statistic.sum() / null_statistic.size) + 1e-3
    extremes = learn_extremes(null_statistic.ravel(), prior_spread=spread, longer=longer, n_trials=some.size)
    null_place = search + null_at * length // null_length
    null = Null(some, begins, slope, extremes.score(null_statistic) + np.log(longer), null_place)
    return Detection(extremes.score(statistic), at, null, extremes)


def _loudness(power: np.ndarray) -> np.ndarray:
    """Mean over the last axis, of few values, of the logarithms."""
    n = power.shape[-1]
    return np.log(math.prod(power[..., k] for k in range(n))) / n


def _largest(values: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest over the last axis, of few values, and where it is; the first of equals."""
    best, place = values[..., 0], at[..., 0]
    for k in range(1, values.shape[-1]):
        more = values[..., k] > best
        best, place = np.where(more, values[..., k], best), np.where(more, at[..., k], place)
    return best, place


def stretches_apart(n: int, length: int, step: float) -> tuple[tuple[int, ...], int]:
    """Where the first and the last ``length`` of ``n`` samples begin, and the samples between them and their noise."""
    return (0, n - length), min(round(_GAP / step), (n - length) // 3)


def _alike(largest: np.ndarray) -> slice:
    """Both stretches, or the last alone when far more of the largest contrasts lie in the first."""
    high = np.sum(largest > quantiles(largest, [0.75])[0], axis=1)
    return slice(1, 2) if high[0] - high[1] > 3.0 * np.sqrt(high.sum()) else slice(0, 2)


def _centred(values: np.ndarray) -> np.ndarray:
    """Values less their median, along the last axis."""
    return values - np.sort(values, axis=-1)[..., values.shape[-1] // 2, None]


def _loudness_slope(quiet: np.ndarray, inside: np.ndarray) -> float:
    """How well the noise of a trial tells that of a stretch apart from it, both as centred logarithms of power.

    All in steady contraction, nothing where heart beats come and go.
    """
    prior = _PRIOR_LOUDNESS * _LOUDNESS_SPREAD**2
    slope = (float((quiet * inside).sum()) + prior * _USUAL_SLOPE) / (float((quiet * quiet).sum()) + prior)
    return min(max(slope, 0.0), 1.0)


def usual_place(found: Detection, begin: int, stop: int, step: float) -> np.ndarray | None:
    """Logarithm of a weight for each place in the window, high where clear responses lie; None with too few.

    A p value may be divided by a weight that depends on its place alone, if the weights are 1 on average: evidence
    at the usual place is believed sooner and that of motor units and heart beats, which come anywhere, later.
    """
    clear = found.at[found.score > _CLEAR_SCORE]
    if clear.size < _LEAST_CLEAR:
        return None
    width = _PLACE_WIDTH / step
    reach = int(np.ceil(4.0 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    counts = np.bincount(clear - begin, minlength=stop - begin).astype(float)
    density = np.convolve(counts, kernel)[reach : reach + stop - begin]
    return np.log(_ANYWHERE + (1.0 - _ANYWHERE) * density / density.mean())
