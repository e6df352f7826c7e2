"""The recording's own clear responses as a matched filter: small responses are found, and timed, by their likeness.

The clear responses are aligned at their onsets and averaged. Around the usual latency every trial is compared with
that average, in the colour of the recording's noise; the same comparison before the pulse says how much
likeness noise has. Where the responses of a recording do not resemble one another, nothing is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._extremes import learn_extremes
from ._windows import evenly, rows_of

_CLEAR_SIZE = 8.0  # peak-to-peak amplitude over the noise from which a response may teach
_CLEAR_SCORE = 10.0
_LEAST_CLEAR = 6
_MOST_CLEAR = 100
_LIKENESS = 0.75  # median correlation of the clear responses with their average, below which it is not used
_BEFORE = 0.001  # s of the template before the onset
_LONGEST = 0.025
_LEAST_SPREAD = 0.003  # s on each side of the usual onset that is searched
_LEAST_ERROR = 0.05  # samples
_NOISE_TRIALS = 100


@dataclass(frozen=True)
class Likeness:
    """Score of each trial (standard Gumbel without response), its onset and standard error in samples."""

    score: np.ndarray
    onset: np.ndarray
    error: np.ndarray


def _aligned(traces: np.ndarray, begin: np.ndarray, n_taps: int) -> np.ndarray:
    """Stretches of ``n_taps`` samples from fractional samples ``begin`` on, by linear interpolation."""
    whole = np.floor(begin).astype(int)
    share = (begin - whole)[:, None]
    columns = whole[:, None] + np.arange(n_taps + 1)
    columns = np.clip(columns, 0, traces.shape[1] - 1)
    part = np.take_along_axis(traces, columns, axis=1)
    return (1 - share) * part[:, :-1] + share * part[:, 1:]


def _template(
    traces: np.ndarray, onset: np.ndarray, end: np.ndarray, size: np.ndarray, step: float
) -> tuple[np.ndarray, float] | None:
    """Average of the aligned clear responses, of peak-to-peak amplitude near 1, and the usual onset."""
    usual = float(np.median(onset))
    near = np.abs(onset - usual) < 0.005 / step
    if near.sum() < _LEAST_CLEAR:
        return None
    before = round(_BEFORE / step)
    length = min(np.median(end[near] - onset[near]) + before, _LONGEST / step)
    n_taps = int(before + max(length, 0.005 / step))
    n_taps = min(n_taps, int(traces.shape[1] - usual))
    if n_taps < 8:
        return None
    parts = _aligned(traces[near], onset[near] - before, n_taps) / size[near, None]
    mean = parts.mean(axis=0)
    likeness = (parts @ mean) / np.maximum(np.linalg.norm(parts, axis=1) * np.linalg.norm(mean), 1e-300)
    if not np.median(likeness) > _LIKENESS:
        return None
    return mean, usual


def _whitened(template: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights of the matched filter in the noise of these rows, and their standard deviation on it."""
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.linalg import solve_toeplitz

    n = noise.shape[1]
    lags = np.arange(template.size)
    n_padded = next_fast_len(n + template.size, real=True)
    spectrum = rfft(noise - noise.mean(axis=1, keepdims=True), n_padded, axis=1)
    power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=0)
    covariance = irfft(power, n_padded)
    # Lags beyond a third of the baseline are hardly known; a taper keeps the matrix positive.
    covariance = covariance[: template.size] / n * np.exp(-((lags / (0.4 * n)) ** 2))
    # a recording without noise (made by hand, or coarsely quantised) has none to whiten by: white noise far below any
    covariance[0] += (1e-6 * np.abs(template).max()) ** 2 if covariance[0] <= 0 else 0.0
    ridge = covariance.copy()
    ridge[0] *= 1.1
    weights = solve_toeplitz(ridge, template)
    columns = np.abs(lags[:, None] - lags)
    return weights, float(np.sqrt(weights @ covariance[columns] @ weights))


def _correlation(x: np.ndarray, n_lags: int, weights: np.ndarray) -> np.ndarray:
    """``sum(weights * x[i, lag :])`` for each lag."""
    # One product with the shifted weights: this is where most of the time would go otherwise.
    shifted = np.zeros((n_lags + weights.size - 1, n_lags))
    for lag in range(n_lags):
        shifted[lag : lag + weights.size, lag] = weights
    return x @ shifted


def likeness(
    x: np.ndarray,
    baseline: tuple[np.ndarray, np.ndarray],
    traces: np.ndarray,
    search: int,
    score: np.ndarray,
    onset: np.ndarray,
    end: np.ndarray,
    size: np.ndarray,
    noise: np.ndarray,
    loud: np.ndarray,
    step: float,
) -> Likeness | None:
    """Compare every trial with the recording's clear responses; None where there are too few, or they differ.

    Parameters
    ----------
    x, traces : array, shape (n_trials, …)
        Recorded trials; the part after the pulse without artefact.
    baseline : tuple of array of int
        First sample of the noise of each trial and the one after its last.
    search : int
        Sample of ``traces`` where the window begins.
    score, onset, end : array, shape (n_trials,)
        Evidence, onset and end (samples of ``traces``) found so far.
    size, noise : array, shape (n_trials,)
        Peak-to-peak amplitude, and standard deviation of the noise.
    loud : array, shape (n_trials,)
        The same, with what remains of an artefact.
    step : float
        Sampling interval in s.
    """
    ratio = size / loud
    clear = np.flatnonzero((score > _CLEAR_SCORE) & (ratio > _CLEAR_SIZE) & np.isfinite(onset + end))
    if clear.size < _LEAST_CLEAR:
        return None
    # The largest teach: their onsets are the least disturbed.
    count = min(max(2 * _LEAST_CLEAR, clear.size // 2), _MOST_CLEAR)
    clear = clear[np.argsort(-ratio[clear], kind="stable")[:count]]
    learnt = _template(traces[clear], onset[clear], end[clear], size[clear], step)
    if learnt is None:
        return None
    template, usual = learnt
    before = round(_BEFORE / step)
    spread = 1.4826 * np.median(np.abs(onset[clear] - usual))
    reach = int(np.ceil(max(_LEAST_SPREAD / step, 4.0 * spread)))
    first = int(max(usual - reach, search) - before)
    first = max(first, 0)
    n_lags = int(min(usual + reach - before, traces.shape[1] - template.size)) - first + 1
    shortest = int(np.min(baseline[1] - baseline[0]))
    if n_lags < 3 or shortest < template.size + n_lags:
        return None
    quiet = evenly(noise, _NOISE_TRIALS)
    rows = rows_of(x, quiet, baseline[0], shortest)
    rows = (rows - rows.mean(axis=1, keepdims=True)) / noise[quiet, None]
    weights, deviation = _whitened(template, rows)
    length = template.size + n_lags - 1
    null = np.concatenate(
        [
            _correlation(rows[:, shortest - (k + 1) * length : shortest - k * length], n_lags, weights).max(axis=1)
            for k in range(shortest // length)
        ]
    )
    curve = _correlation(traces[:, first : first + length], n_lags, weights) / (deviation * loud[:, None])
    at = curve.argmax(axis=1)
    peak = curve[np.arange(len(x)), at]
    extremes = learn_extremes(null / deviation, prior_spread=0.6)
    inner = np.clip(at, 1, n_lags - 2)
    around = curve[np.arange(len(x))[:, None], inner[:, None] + np.array([-1, 0, 1])]
    bend = around[:, 0] - 2 * around[:, 1] + around[:, 2]
    shift = np.where(bend < 0, 0.5 * (around[:, 0] - around[:, 2]) / np.where(bend < 0, bend, 1.0), 0.0)
    place = first + before + np.where((at > 0) & (at < n_lags - 1), inner + np.clip(shift, -1, 1), at)
    # Cramér and Rao: timing error = 1 / (size over noise × bandwidth), the bandwidth from the bend at the peak.
    timing = 1.0 / np.sqrt(np.maximum(-bend * np.maximum(peak, 1e-12), 1e-12))
    difference = onset[clear] - place[clear]
    offset = np.median(difference)
    own = 1.4826 * np.median(np.abs(difference - offset))
    return Likeness(extremes.score(peak), place + offset, np.sqrt(timing**2 + own**2 + _LEAST_ERROR**2))
