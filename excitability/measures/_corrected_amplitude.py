"""Peak-to-peak amplitude without what noise adds to it, and what is left of its error."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..kernels.windows import extremes, smoothed, span
from ._responses import Responses, find_responses
from ._windows import BASELINE, Window, baseline_samples, evenly, interval, quantiles, rows_of, window_samples

_SMOOTHING = 0.001  # s on each side of the local parabola
_SHARP = 0.0004  # the same where the noise does not matter
_CLEAR = 20.0  # peak-to-peak amplitude over the noise from which it does not
_SHAPES = 4  # responses whose shape the error is learnt with
_NOISE_WINDOWS = 50
_USUAL = (2.0, 3.0)  # peak-to-peak over that of noise: where responses usually are decides up to the first
_FEWEST = 4  # responses that tell where they usually are
_ROOM = 0.001  # s around it
_LATE = 0.010  # s at the window's end that tell whether the background pauses
_RARELY = 0.1  # share of the background as quiet as what counts as a pause
_UNPAUSED = 0.45  # share of the response's place in which a background that pauses goes on
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
    before: np.ndarray
    usual: float
    place: tuple[int, int]
    usual_there: float
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
    traces = np.ascontiguousarray(found.traces[:, -width:])
    some = np.flatnonzero(np.isfinite(found.noise))
    if not some.size:
        nothing = np.full(len(x), np.nan)
        return Corrected(nothing, found.noise, traces, nothing, np.empty((0, 1)), np.nan, (0, width), np.nan, 1.0, step)
    start, stop = baseline_samples(times, BASELINE, first_pulse, len(x), name)
    few = some[evenly(found.noise[some], _NOISE_WINDOWS)]
    room = int(np.min(stop - start))
    before = rows_of(x, few, stop - room, room)
    before = (before - found.base[few, None]) / found.noise[few, None]
    weights = _parabola(step, _SMOOTHING)
    smooth, quiet = smoothed(traces, weights), smoothed(before, weights)
    taps = width - smooth.shape[1] + 1
    size = span(smooth, 0, smooth.shape[1])
    flattening = _flattening(traces, size, found.noise, _parabola(step, _SHARP))
    usual = _usual_range(quiet, width, taps)
    place = _place_of_responses(smooth, found.present & (size > _USUAL[0] * usual * found.noise), step)
    length = place[1] - place[0]
    there = span(smooth, *place)
    usual_there = _usual_range(quiet, length + taps - 1, taps)
    least = _usual_range(quiet, int(_UNPAUSED * length) + taps, taps)
    pause = _pause(traces, found.noise, before, max(min(round(_LATE / step), width // 3), 1))
    noise_there = np.sqrt(usual_there**2 + pause * (least**2 - usual_there**2))
    value = _amplitude(size / found.noise, there / found.noise, usual, noise_there) * found.noise * flattening
    # noise only adds: a corrected amplitude is never above the highest minus the lowest sample
    value = np.minimum(value, span(traces, 0, width))
    return Corrected(value, found.noise, traces, size, before, usual, place, usual_there, flattening, step)


def _amplitude(size: np.ndarray, there: np.ndarray, usual: float, usual_there: np.ndarray | float) -> np.ndarray:
    """Amplitude, over the noise, from the range in the window and the one where responses usually are.

    Noise reaches further in the whole window, a large response may lie elsewhere: the latter decides for small ones.
    """
    whole = np.clip((size / max(usual, 1e-9) - _USUAL[0]) / (_USUAL[1] - _USUAL[0]), 0.0, 1.0)
    return whole * _without_noise(size, usual) + (1.0 - whole) * _without_noise(there, usual_there)


def _stretches(before: np.ndarray, length: int) -> list[np.ndarray]:
    """Stretches of the noise before the pulse, the latest first."""
    room = before.shape[1]
    return [before[:, room - (k + 1) * length : room - k * length] for k in range(room // length)]


def _squares(x: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", x, x)


def _over_the_rest(before: np.ndarray, part: np.ndarray) -> np.ndarray:
    """A stretch over the noise of the others, as the window after the pulse is judged by noise that is not in it."""
    others = before.shape[1] - part.shape[1]
    if others < part.shape[1] // 2:
        return part
    rest = np.sqrt((_squares(before) - _squares(part)) / others)
    return part / np.maximum(rest, 0.5)[:, None]


def _usual_range(quiet: np.ndarray, width: int, taps: int) -> float:
    """Mean range in ``width`` samples of noise smoothed by ``taps`` weights."""
    room = quiet.shape[1] + taps - 1
    length = min(width, room)
    begins = room - length * np.arange(1, room // length + 1)
    usual = float(np.mean([span(quiet, begin, begin + max(length - taps + 1, 1)) for begin in begins]))
    if length < width:  # the extremes of a longer stretch are larger
        usual *= np.sqrt(np.log(width / taps + 2.0) / np.log(length / taps + 2.0))
    return usual


def _place_of_responses(smooth: np.ndarray, clear: np.ndarray, step: float) -> tuple[int, int]:
    """First sample in which the clear responses have their peaks and the one after the last; else the whole window."""
    width = smooth.shape[1]
    rows = np.flatnonzero(clear)
    if rows.size < _FEWEST:
        return 0, width
    _, at = extremes(smooth[rows], np.zeros(rows.size, np.int64), np.full(rows.size, width))
    room = round(_ROOM / step)
    # a few have their peak in the noise
    first = int(quantiles(at.min(axis=1), [0.05])[0]) - room
    last = int(quantiles(at.max(axis=1), [0.95])[0]) + room
    return max(first, 0), min(last + 1, width)


def _pause(traces: np.ndarray, noise: np.ndarray, before: np.ndarray, length: int) -> np.ndarray:
    """How surely the background pauses after the response of each trial, 0 to 1: it is rarely as quiet before."""
    late = np.sqrt(_squares(traces[:, -length:]) / length) / noise
    usual = np.sqrt(np.concatenate([_squares(part) for part in _stretches(before, length)]) / length)
    return np.clip(3.0 * (1.0 - late / max(quantiles(usual, [_RARELY])[0], 1e-9)), 0.0, 1.0)


def standard_error(found: Corrected) -> np.ndarray:
    """Root mean square error that responses of the same amplitude have in the recording's own noise (V)."""
    if not found.before.size:
        return np.full(found.value.size, np.nan)
    weights = _parabola(found.step, _SMOOTHING)
    before = found.before
    windows = np.concatenate(
        [_over_the_rest(before, part) for part in _stretches(before, min(found.traces.shape[1], before.shape[1]))]
    )
    noise = smoothed(windows[np.linspace(0, len(windows) - 1, min(len(windows), _NOISE_WINDOWS)).astype(int)], weights)
    with np.errstate(invalid="ignore"):
        clear = np.flatnonzero(found.size > _CLEAR * found.noise)
    flattening = found.flattening
    if clear.size:
        order = np.argsort(-(found.size / found.noise)[clear], kind="stable")
        shapes = found.traces[clear[order[:_SHAPES]]]
        shapes = shapes / np.ptp(smoothed(shapes, _parabola(found.step, _SHARP)), axis=1, keepdims=True)
    else:
        shapes, flattening = _usual_shapes(found.traces.shape[1], found.step), 1.0
    shapes = smoothed(shapes, weights)
    noise = np.take(noise, np.arange(shapes.shape[1]), axis=1, mode="wrap")  # a short epoch repeats it
    together = (noise + _SIZES[:, None, None, None] * shapes[:, None]).reshape(-1, shapes.shape[1])
    estimate = _amplitude(
        span(together, 0, shapes.shape[1]), span(together, *found.place), found.usual, found.usual_there
    )
    estimate = flattening * estimate.reshape(_SIZES.size, -1)
    error = np.sqrt(np.mean((estimate - _SIZES[:, None]) ** 2, axis=1))
    # small responses are not told from one another by their amplitude: none has a smaller error than larger ones
    error = np.maximum.accumulate(error[::-1])[::-1]
    size = np.abs(found.value)
    over = size / found.noise
    # a value may be that of a smaller response with its larger error
    over = np.maximum(over - np.interp(over, _SIZES, error), 0.0)
    shape_error = 0.5 * (found.flattening - 1.0) * size  # how much the smoothing took differs from trial to trial
    return np.hypot(np.interp(over, _SIZES, error) * found.noise, shape_error)


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


def _flattening(traces: np.ndarray, size: np.ndarray, noise: np.ndarray, weights: np.ndarray) -> float:
    """What the smoothing takes from the peaks, known from the largest responses of the recording (a factor)."""
    with np.errstate(invalid="ignore"):
        clear = np.flatnonzero(size > _CLEAR * noise)
    if not clear.size:
        return 1.0
    largest = clear[np.argsort(-(size / noise)[clear], kind="stable")[: max(3, clear.size // 2)]]
    sharp = smoothed(traces[largest], weights)
    return max(float(np.median(span(sharp, 0, sharp.shape[1]) / size[largest])), 1.0)


@lru_cache(maxsize=16)
def _parabola(step: float, width: float) -> np.ndarray:
    """Weights of the local parabola (Savitzky and Golay 1964)."""
    half = round(width / step)
    if half < 2:
        return np.ones(1)
    place = np.arange(-half, half + 1.0)
    return np.linalg.pinv(np.vander(place, 3, increasing=True))[0]
