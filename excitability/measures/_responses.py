"""Everything the MEP measures share, found once: noise, artefact, evidence, onset and end of every response."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..kernels.edge import EDGE_COLUMNS, rising_edge, smoothed_squares
from ..kernels.windows import extremes, level
from ._artefact import without_artefact
from ._detection import detect
from ._extremes import best_of_two, p_value_of, probability_of
from ._onset import FRACTIONS, onset_from_edge
from ._template import Likeness, likeness
from ._windows import BASELINE, Window, baseline_samples, evenly, interval, rows_of, window_samples

FALSE_POSITIVE_RATE = 0.005
_HALF_WIDTHS = (0.0002, 0.0004, 0.0008)  # s; the smaller the response, the more its edge is smoothed
_HALF_LIMITS = (40.0, 12.0)  # peak-to-peak over noise above which the first and the second are used
_LEAST_NOISE = 1e-4  # of the peak-to-peak amplitude
_LEAST_ERROR = 0.05  # samples; straight lines between them are no better
_NOISE_TRIALS = 100  # trials that tell the colour of the noise
_COARSE = 0.00026  # s between samples, beyond which edges are read on a finer grid
_LEAST_PHASE = 0.012  # of the peak-to-peak amplitude, that a first phase must exceed
_BEYOND_NOISE = 3.7  # standard deviations of the smoothed noise that a run must exceed


@dataclass(frozen=True)
class Responses:
    """The response of every trial; times in s from the pulse, NaN where there is no response."""

    p_value: np.ndarray
    probability: np.ndarray
    present: np.ndarray
    onset: np.ndarray
    onset_error: np.ndarray
    end: np.ndarray
    base: np.ndarray
    noise: np.ndarray
    rectified_noise: np.ndarray
    artefact: np.ndarray
    traces: np.ndarray
    edges: np.ndarray


_LAST: list[tuple[Any, ...]] = []


#: Spans in volts between which a trial can be a signal at all.
SMALLEST, LARGEST = 1e-12, 1e6


def find_responses(
    x: np.ndarray,
    times: np.ndarray,
    window: Window,
    first_pulse: Any = 0.0,
    *,
    baseline: Window = BASELINE,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
    name: str = "find_responses",
) -> Responses:
    """Search every trial for a response; the last search is remembered, since several measures share it."""
    first = np.broadcast_to(np.asarray(first_pulse, dtype=float), (len(x),))
    key = (tuple(window), tuple(baseline), float(false_positive_rate), first.tobytes(), times.tobytes())
    # The weighted sums guard against a caller that changed the trials in place.
    used = window_samples(times, window, name)[1]
    mark = (x[:, :used] @ np.arange(1.0, used + 1.0)).tobytes()
    if _LAST and _LAST[0][0]() is x and _LAST[0][1] == key and _LAST[0][2] == mark:
        return _LAST[0][3]
    found = _search_usable(x, times, window, first, baseline, false_positive_rate, name)
    _LAST[:] = [(weakref.ref(x), key, mark, found)]
    return found


def _search_usable(
    x: np.ndarray,
    times: np.ndarray,
    window: Window,
    first: np.ndarray,
    baseline: Window,
    false_positive_rate: float,
    name: str,
) -> Responses:
    """Search the trials that hold a signal; the others are NaN throughout."""
    if not 0 < false_positive_rate < 1:
        raise ValueError(f"{name}: false_positive_rate is {false_positive_rate!r}; expected a number between 0 and 1")
    search, stop = window_samples(times, window, name)
    if len(x):
        quiet = baseline_samples(times, baseline, first, len(x), name)
        levels = level(x, *quiet)
        span = _span(x, search, stop)
        # squares of values beyond these overflow or vanish, and no amplifier gives them
        usable = (span > SMALLEST) & (span < LARGEST) & (np.abs(levels) < LARGEST).all(axis=1)
    else:
        usable = np.zeros(0, bool)
    if usable.all() and len(x):
        return _search(x, times, window, quiet, levels, span, false_positive_rate)
    if not usable.any():
        nothing = np.full(len(x), np.nan)
        return Responses(
            *(nothing,) * 2,
            np.zeros(len(x), bool),
            *(nothing,) * 7,
            traces=np.full((len(x), stop - search), np.nan),
            edges=np.full((len(x), len(EDGE_COLUMNS) + len(FRACTIONS) + 2), np.nan),
        )
    quiet = (quiet[0][usable], quiet[1][usable])
    some = _search(x[usable], times, window, quiet, levels[usable], span[usable], false_positive_rate)
    return Responses(*(_scatter(getattr(some, entry.name), usable) for entry in fields(Responses)))


def _scatter(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Values of the usable trials among all trials; the others are NaN, or False."""
    fill = False if values.dtype == bool else np.nan
    out = np.full((usable.size, *values.shape[1:]), fill, dtype=values.dtype)
    out[usable] = values
    return out


def _span(x: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Highest minus lowest sample of each trial; NaN where one is NaN."""
    values, _ = extremes(x, np.full(len(x), start), np.full(len(x), stop))
    return values[:, 1] - values[:, 0]


def _search(
    x: np.ndarray,
    times: np.ndarray,
    window: Window,
    quiet: tuple[np.ndarray, np.ndarray],
    levels: np.ndarray,
    span: np.ndarray,
    false_positive_rate: float,
) -> Responses:
    """Search trials that all hold a signal; their noise, of ``levels``, is in ``quiet``."""
    step = interval(times)
    search, stop = window_samples(times, window, "find_responses")
    # A trace without any noise has the noise of its converter.
    noise = np.maximum(levels[:, 1], _LEAST_NOISE * span)
    pulse = round(-times[0] / step)
    traces, start, residual = without_artefact(x, quiet, levels[:, 0], noise, pulse, search, stop, step)
    inside = search - start
    remains = np.where(np.isfinite(residual), int(inside * 0.4), -1)
    found = detect(x, quiet, traces, inside, remains, noise, step)
    # Landmarks are read wherever there may be a response; whether there is one is decided last.
    loud = np.fmax(noise, residual)
    size = _span(traces, inside, traces.shape[1])
    edges = _edges(x, quiet, traces, inside, size / np.maximum(loud, 1e-300), loud, noise, step)
    onset, error = onset_from_edge(edges)
    score = found.score
    alike = likeness(x, quiet, traces, inside, score, onset, edges[:, 4], size, noise, loud, step)
    if alike is not None:
        score = best_of_two(score, alike.score)
        onset, error = _combined(onset, error, alike)
    p_value = p_value_of(score)
    present = p_value <= false_positive_rate
    at = np.maximum(times[0] + (start + onset) * step, float(window[0]))
    end = times[0] + (start + edges[:, 4]) * step
    present &= end > at
    return Responses(
        p_value,
        probability_of(score),
        present,
        np.where(present, at, np.nan),
        np.where(present, error * step, np.nan),
        np.where(present, end, np.nan),
        levels[:, 0],
        noise,
        levels[:, 2],
        residual,
        traces,
        edges,
    )


def _combined(onset: np.ndarray, error: np.ndarray, alike: Likeness) -> tuple[np.ndarray, np.ndarray]:
    """Onset by the edge and by likeness, each weighted by what is known of its error.

    The edge of a small response may be that of noise or of a later phase: where the two disagree beyond
    their errors the likeness, which uses the whole response, decides.
    """
    error = np.maximum(error, _LEAST_ERROR)
    edge_weight = 1.0 / error**2
    like_weight = 1.0 / alike.error**2
    both = (edge_weight * onset + like_weight * alike.onset) / (edge_weight + like_weight)
    apart = np.abs(onset - alike.onset) > 3.0 * np.sqrt(error**2 + alike.error**2)
    lost = ~np.isfinite(onset) | (apart & (error > alike.error))
    value = np.where(lost, alike.onset, np.where(apart, onset, both))
    spread = np.where(lost, alike.error, np.where(apart, error, 1.0 / np.sqrt(edge_weight + like_weight)))
    return value, spread


def _finer(x: np.ndarray) -> np.ndarray:
    """Twice as many samples, on the band-limited curve through the given ones."""
    from scipy.signal import resample_poly

    return np.ascontiguousarray(resample_poly(x, 2, 1, axis=1, padtype="line"))


def _edges(
    x: np.ndarray,
    quiet: tuple[np.ndarray, np.ndarray],
    traces: np.ndarray,
    inside: int,
    ratio: np.ndarray,
    loud: np.ndarray,
    noise: np.ndarray,
    step: float,
) -> np.ndarray:
    """Columns of ``rising_edge``, then what the smoothing leaves of the noise and adds to the edge."""
    if step > _COARSE:  # straight lines between samples so far apart would read every crossing early
        finer = _finer(traces), 2 * inside, ratio, loud, noise, 0.5 * step
        table = _edges(_finer(x[:, : int(quiet[1].max())]), (2 * quiet[0], 2 * quiet[1]), *finer)
        table[:, 2] *= 0.5
        table[:, 4:-2] *= 0.5
        table[:, -1] *= 0.5
        return table
    halves = np.array([round(width / step) for width in _HALF_WIDTHS])
    # Colour of the noise: what smoothing leaves of it, pooled over the recording.
    some = evenly(noise, _NOISE_TRIALS)
    length = quiet[1][some] - quiet[0][some]
    part = rows_of(x, some, quiet[0], int(length.max())), np.zeros(some.size, np.int64), length
    left = np.array([np.mean(smoothed_squares(*part, half)) for half in halves]) / np.mean(noise[some] ** 2)
    which = np.where(ratio > _HALF_LIMITS[0], 0, np.where(ratio > _HALF_LIMITS[1], 1, 2))
    half = halves[which]
    smoothed_noise = loud * np.sqrt(np.maximum(left[which], 1e-12))
    samples = [max(1, round(duration / step)) for duration in (0.005, 0.0006, 0.006, 0.0012, 0.005)]
    table = rising_edge(
        traces, 0, inside, traces.shape[1], half, _BEYOND_NOISE * smoothed_noise, _LEAST_PHASE, *samples, FRACTIONS
    )
    # Smoothing by two running means widens the edge: standard deviation of the pair, in samples.
    widening = np.sqrt(2.0 * half * (half + 1) / 3.0)
    return np.column_stack([table, smoothed_noise, widening])
