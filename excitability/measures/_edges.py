"""The edge of every response, smoothed as much as its noise asks for; the trial's and the average's are read alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels.edge import rising_edge, smoothed_squares
from ._onset import FRACTIONS
from ._windows import evenly, rows_of

_HALF_WIDTHS = (0.0002, 0.0004, 0.0008)  # s; the smaller the response, the more its edge is smoothed
_HALF_LIMITS = (40.0, 12.0)  # peak-to-peak over noise above which the first and the second are used
_KURTOSIS = 3.2  # above which noise comes in bursts, as that of a contraction; 3 is Gaussian
_NOISE_TRIALS = 60  # trials that tell the colour of the noise
_COARSE = 0.00026  # s between samples, beyond which edges are read on a finer grid
_LEAST_PHASE = 0.012  # of the peak-to-peak amplitude, that a first phase must exceed
_BEYOND_NOISE = 3.7  # standard deviations of the smoothed noise that a run must exceed
_SPANS = (0.005, 0.0006, 0.006, 0.0012, 0.005)  # s; gap, min_run, lookback, guard, quiet_run of the kernel


@dataclass(frozen=True)
class Smoothing:
    """Half widths (samples) of the running means, what each leaves of the noise, and the sampling interval (s).

    ``finer`` samples are read in place of each; ``bursts`` is whether the noise comes in bursts.
    """

    halves: np.ndarray
    left: np.ndarray
    step: float
    finer: int
    bursts: bool


def _finer(x: np.ndarray) -> np.ndarray:
    """Twice as many samples, on the band-limited curve through the given ones."""
    from scipy.signal import resample_poly

    return np.ascontiguousarray(resample_poly(x, 2, 1, axis=1, padtype="line"))


def smoothing_of(x: np.ndarray, quiet: tuple[np.ndarray, np.ndarray], noise: np.ndarray, step: float) -> Smoothing:
    """How much noise each smoothing leaves, pooled over the recording.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
    quiet : tuple of array of int, shape (n_trials,)
        First sample of the noise before the pulse and the one after its last.
    noise : array, shape (n_trials,)
        Its standard deviation.
    step : float
        Sampling interval in s.
    """
    some = evenly(noise, _NOISE_TRIALS)
    length = quiet[1][some] - quiet[0][some]
    rows = rows_of(x, some, quiet[0], int(length.max()))
    finer = 2 if step > _COARSE else 1  # straight lines between samples so far apart would read every crossing early
    if finer == 2:
        rows, length = _finer(rows), 2 * length
    apart = rows - rows.mean(axis=1, keepdims=True)
    squares = apart * apart
    fourth = np.einsum("ij,ij->", squares, squares) / squares.size
    power = np.einsum("ij->i", squares) / squares.shape[1]
    bursts = bool(fourth > _KURTOSIS * (power @ power) / power.size)
    halves = np.array([round(width * finer / step) for width in _HALF_WIDTHS])
    part = rows, np.zeros(some.size, np.int64), length
    left = np.array([smoothed_squares(*part, half).sum() for half in halves]) / (noise[some] @ noise[some])
    return Smoothing(halves, np.sqrt(np.maximum(left, 1e-12)), step, finer, bursts)


def edges_of(traces: np.ndarray, inside: int, size: np.ndarray, loud: np.ndarray, how: Smoothing) -> np.ndarray:
    """Columns of ``rising_edge``, then what the smoothing leaves of the noise and adds to the edge, in samples."""
    finer = how.finer
    if finer > 1:
        traces = _finer(traces)
    ratio = size / np.maximum(loud, 1e-300)
    which = np.where(ratio > _HALF_LIMITS[0], 0, np.where(ratio > _HALF_LIMITS[1], 1, 2))
    half = how.halves[which]
    smoothed_noise = loud * how.left[which]
    spans = [max(1, round(duration * finer / how.step)) for duration in _SPANS]
    limit = _BEYOND_NOISE * smoothed_noise
    first = max(finer * inside - spans[2] - spans[3] - 2 * int(how.halves[-1]), 0)  # what the local baseline asks for
    table = rising_edge(traces, first, finer * inside, traces.shape[1], half, limit, _LEAST_PHASE, *spans, FRACTIONS)
    # Smoothing by two running means widens the edge: standard deviation of the pair, in samples.
    widening = np.sqrt(2.0 * half * (half + 1) / 3.0)
    table[:, 2] /= finer
    table[:, 4:] /= finer
    return np.column_stack([table, smoothed_noise, widening / finer])
