"""Peak-to-peak amplitude without what noise adds to it, and what is left of its error."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kernels.windows import smoothed_range
from ._responses import Responses, find_responses
from ._windows import BASELINE, Window, baseline_samples, evenly, interval, rows_of, window_samples

_SMOOTHING = 0.001  # s on each side of the local parabola
_SHARP = 0.0004  # the same where the noise does not matter
_CLEAR = 20.0  # peak-to-peak amplitude over the noise from which it does not
_SHAPES = 4  # responses whose shape the error is learnt with
_NOISE_WINDOWS = 60
_SIZES = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0, 40.0])  # amplitudes over noise that are tried
_USUAL_LENGTHS = (0.009, 0.012, 0.016)  # s, of responses where the recording holds no clear one
_USUAL_START = 0.006  # s after the window's


@dataclass(frozen=True)
class Corrected:
    """Amplitudes of the trials, and what their error follows from."""

    value: np.ndarray
    noise: np.ndarray
    traces: np.ndarray
    size: np.ndarray
    pre_stimulus: np.ndarray
    usual: float
    flattening: float
    step: float


_LAST: list[tuple[Any, Corrected]] = []


def corrected_amplitude(x: np.ndarray, times: np.ndarray, window: Window, first_pulse: Any, name: str) -> Corrected:
    """See :func:`mep_amplitude_corrected`."""
    start, stop = window_samples(times, window, name)
    found = find_responses(x, times, window, first_pulse, name=name)
    # a search is of one window and pulse; both measures of it share this
    if _LAST and _LAST[0][0]() is found:
        return _LAST[0][1]
    corrected = _corrected(found, x, times, stop - start, first_pulse, name)
    _LAST[:] = [(weakref.ref(found), corrected)]
    return corrected


def _corrected(
    found: Responses, x: np.ndarray, times: np.ndarray, width: int, first_pulse: Any, name: str
) -> Corrected:
    """The same for responses found in a window of ``width`` samples."""
    step = interval(times)
    traces = found.traces[:, -width:]
    if not np.isfinite(found.noise).any():
        nothing = np.full(len(x), np.nan)
        return Corrected(nothing, found.noise, traces, nothing, np.empty((0, 1)), np.nan, 1.0, step)
    quiet = baseline_samples(times, BASELINE, first_pulse, len(x), name)
    weights = _parabola(step, _SMOOTHING)
    inside = np.full(len(x), found.traces.shape[1] - width)
    size = smoothed_range(found.traces, inside, width, weights)
    room = int(np.min(quiet[1] - quiet[0]))
    length = min(width, room)
    some = np.flatnonzero(np.isfinite(found.noise))
    noise, windows = [], []
    few = some[evenly(found.noise[some], _NOISE_WINDOWS)]
    for k in range(room // length):
        begin = quiet[1] - (k + 1) * length
        noise.append(smoothed_range(x, begin, length, weights) / found.noise)
        windows.append((rows_of(x, few, begin, length) - found.base[few, None]) / found.noise[few, None])
    usual = float(np.nanmean(noise))
    if length < width:  # the extremes of a longer window are larger
        usual *= np.sqrt(np.log(width / weights.size + 2.0) / np.log(length / weights.size + 2.0))
    sharp = smoothed_range(found.traces, inside, width, _parabola(step, _SHARP))
    flattening = _flattening(sharp, size, found.noise)
    value = _without_noise(size, usual * found.noise) * flattening
    # noise only adds: a corrected amplitude is never above the highest minus the lowest sample
    value = np.minimum(value, smoothed_range(found.traces, inside, width, np.ones(1)))
    return Corrected(value, found.noise, traces, size, np.concatenate(windows), usual, flattening, step)


def standard_error(found: Corrected) -> np.ndarray:
    """Root mean square error that responses of the same amplitude have in the recording's own noise (V)."""
    if not found.pre_stimulus.size:
        return np.full(found.value.size, np.nan)
    weights = _parabola(found.step, _SMOOTHING)
    noise = _smooth(found.pre_stimulus, weights)
    noise = noise[np.linspace(0, len(noise) - 1, min(len(noise), _NOISE_WINDOWS)).astype(int)]
    with np.errstate(invalid="ignore"):
        clear = np.flatnonzero(found.size > _CLEAR * found.noise)
    flattening = found.flattening
    if clear.size:
        order = np.argsort(-(found.size / found.noise)[clear], kind="stable")
        shapes = found.traces[clear[order[:_SHAPES]]]
        shapes = shapes / np.ptp(_smooth(shapes, _parabola(found.step, _SHARP)), axis=1, keepdims=True)
    else:
        shapes, flattening = _usual_shapes(found.traces.shape[1], found.step), 1.0
    shapes = _smooth(shapes, weights)
    n = min(shapes.shape[1], noise.shape[1])
    together = noise[:, :n] + _SIZES[:, None, None, None] * shapes[:, None, :n]
    estimate = flattening * _without_noise(np.ptp(together, axis=-1), found.usual).reshape(_SIZES.size, -1)
    error = np.sqrt(np.mean((estimate - _SIZES[:, None]) ** 2, axis=1))
    # small responses are not told from one another by their amplitude: none has a smaller error than larger ones
    error = np.maximum.accumulate(error[::-1])[::-1]
    size = np.abs(found.value)
    shape_error = 0.5 * (found.flattening - 1.0) * size  # how much the smoothing took differs from trial to trial
    return np.hypot(np.interp(size / found.noise, _SIZES, error) * found.noise, shape_error)


def _without_noise(size: np.ndarray, noise: np.ndarray | float) -> np.ndarray:
    difference = size**2 - noise**2
    return np.sign(difference) * np.sqrt(np.abs(difference))


def _usual_shapes(n: int, step: float) -> np.ndarray:
    """Biphasic responses of either polarity, of unit amplitude."""
    time = np.arange(n) * step - _USUAL_START
    phase = np.clip(time / np.array(_USUAL_LENGTHS)[:, None], 0.0, 1.0)
    shapes = np.sin(2.0 * np.pi * phase) * np.exp(-1.5 * phase)
    shapes /= np.maximum(np.ptp(shapes, axis=1, keepdims=True), 1e-9)
    return np.concatenate([shapes, -shapes])


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
