"""F waves after supramaximal stimulation of a nerve: the tail of the M wave taken away, each trial searched alone.

An F wave is the answer of a few motor neurons, others in every trial: neither its shape nor its latency returns, so
what other trials look like tells nothing, and every trial is judged by its own noise. The tail of the M wave is smooth:
a polynomial fitted to the trial itself follows it, and a wave of some milliseconds is an outlier to that.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._responses import FALSE_POSITIVE_RATE, find_responses
from ._unchanged import mark_of
from ._windows import BASELINE, Window, baseline_samples, interval, window_samples

_DEGREE = 7  # of the polynomial: over some 70 ms it follows waves of 25 ms, and none of 8 ms
_AHEAD, _BEYOND = 0.002, 0.045  # s around the window that the fit sees
_ROUNDS = 30
_LEAST_OVER_NOISE = 8.0  # peak to peak over the SD of the noise; the range of noise alone is 5 to 6
_HIDDEN = 0.00035  # s, SD of the shortest latency beyond its standard error, on three constructions of F waves
_FAR = 0.06  # share of F waves that may be timed far too early
_OF_EDGE = 0.4  # error of single onsets over that of a lone edge, on the same constructions
_LEAST_OVER_BEFORE, _RARELY = 1.2, 0.98  # times the size that so many windows before the stimuli stay below
_PART_OF_WAVE, _GAP = 0.12, 0.002  # of the largest deflection; s of silence that part it from what was before
_FEWEST_TO_SHARE = 8  # trials whose median tells what repeats
_DIFFER, _VARIES, _JITTER = 3.0, 0.15, 1e-4  # spread over noise, share of the M wave and s by which it varies
_BRIEF, _FADING = 0.001, 0.004  # s: of differing that counts; in which what repeats fades where trials differ
_SPAN, _FEWEST_TO_AGREE = 0.2, 5  # of the median latency: F waves of one nerve lie no further from it
_LEAST_OVER_TAIL = 0.1  # and over what the tail spans in the window, of which some is left


@dataclass(frozen=True)
class FWaves:
    """F wave of every trial: onset and its standard error (s from the stimulus), NaN where there is none."""

    onset: np.ndarray
    error: np.ndarray


def shortest_latency(
    latency: np.ndarray, error: np.ndarray, rng: np.random.Generator, n_draws: int = 4000
) -> np.ndarray:
    """Draws of the shortest true latency of the F waves that were recorded.

    Around the shortest that was measured: its error, the small first phase that noise hides, and, since a single wave
    may have been timed far too early, the next ones in the draws that leave some of the waves out.
    """
    left_out = rng.random((n_draws, latency.size)) < _FAR
    left_out[left_out.all(axis=1)] = False
    at = np.argmin(np.where(left_out, np.inf, latency), axis=1)
    return latency[at] + np.hypot(_HIDDEN, error[at]) * rng.standard_normal(n_draws)


_LAST: list[tuple[Any, ...]] = []


def find_f_waves(
    x: np.ndarray, times: np.ndarray, window: Window, first_pulse: Any = 0.0, *, name: str = "f_wave_latency"
) -> FWaves:
    """Search every trial for an F wave; the last search is remembered, since two measures share it."""
    first = np.broadcast_to(np.asarray(first_pulse, dtype=float), (len(x),))
    start, stop = window_samples(times, window, name)
    given, key = x, (tuple(window), first.tobytes(), times.tobytes())
    ahead = max(start - round(_AHEAD / interval(times)), 0)
    end = min(stop + round(_BEYOND / interval(times)), times.size)
    mark = mark_of(x, end)
    if _LAST and _LAST[0][0]() is x and _LAST[0][1] == key and _LAST[0][2] == mark:
        return _LAST[0][3]
    onset, error = np.full(len(x), np.nan), np.full(len(x), np.nan)
    if len(x):
        quiet = baseline_samples(times, BASELINE, first, len(x), name)
        before = _largest_before(x, quiet, stop - start)
        x = _without_repeated(x, quiet, ahead, end, interval(times))
    for k in range(len(x)):
        rest = x[k, quiet[0][k] : quiet[1][k]]
        if not (np.isfinite(rest).all() and np.isfinite(x[k, ahead:end]).all()) or np.ptp(rest) == 0:
            continue
        trace, least = _without_tail(x[k], rest, ahead, start, stop, end)
        if np.ptp(trace[start:stop]) < max(least, before):
            continue
        _rest_before_wave(trace, rest, start, stop, interval(times))
        found = find_responses(trace[None], times, window, first[k], false_positive_rate=FALSE_POSITIVE_RATE, name=name)
        onset[k], error[k] = found.onset[0], _OF_EDGE * found.onset_error[0]
    lost = _apart(onset, float(window[0]) + 1e-9)
    onset[lost] = error[lost] = np.nan
    done = FWaves(onset, error)
    _LAST[:] = [(weakref.ref(given), key, mark, done)]
    return done


def _largest_before(x: np.ndarray, quiet: tuple[np.ndarray, np.ndarray], length: int) -> float:
    """Size that what goes on before the stimulus (motor units, hum) rarely has in as long a window, over all trials."""
    sizes = [
        np.ptp(trial[begin : begin + length])
        for trial, first, last in zip(x, *quiet, strict=True)
        for begin in range(first, max(last - length, first) + 1, max(length // 2, 1))
        if np.isfinite(trial[first:last]).all()
    ]
    return _LEAST_OVER_BEFORE * float(np.quantile(sizes, _RARELY)) if sizes else 0.0


def _without_repeated(
    x: np.ndarray, quiet: tuple[np.ndarray, np.ndarray], ahead: int, end: int, step: float
) -> np.ndarray:
    """Trials without what all of them hold after the M wave, up to where they begin to differ: F waves do not repeat.

    Beyond, only the smooth part of what they share is taken away.
    """
    rests = [trial[begin:last] for trial, begin, last in zip(x, *quiet, strict=True)]
    good = np.array([np.isfinite(rest).all() for rest in rests]) & np.isfinite(x[:, ahead:end]).all(axis=1)
    if good.sum() < _FEWEST_TO_SHARE:
        return x
    levels = np.array([np.median(rest) for rest in rests])
    noise = float(np.median([1.4826 * np.median(np.abs(rests[k] - levels[k])) for k in np.flatnonzero(good)]))
    part = x[good, ahead:end] - levels[good, None]
    shared = np.median(part, axis=0)
    spread = 1.4826 * np.median(np.abs(part - shared), axis=0)
    smooth = _smooth_tail(shared, noise)
    change = np.gradient(shared)
    bound = _DIFFER * noise + _VARIES * np.abs(shared - smooth) + _JITTER / step * np.abs(np.gradient(shared - smooth))
    brief = max(round(_BRIEF / step), 1)
    differ = np.convolve(spread > bound, np.ones(brief) / brief)[: spread.size] > 0.7
    until = max(int(np.argmax(differ)) - brief, 0) if differ.any() else spread.size
    if until < 1:
        return x
    out = np.array(x, dtype=float)
    out[:, ahead:end] -= smooth + _faded(shared - smooth, until, step)
    basis = np.column_stack([_faded(shared, until, step), _faded(change, until, step)])
    if until > 4 * basis.shape[1]:  # M waves a little larger or later than usual
        left = out[good, ahead:end] - levels[good, None]
        out[good, ahead:end] -= (basis @ np.linalg.lstsq(basis[:until], left[:, :until].T, rcond=None)[0]).T
    return out


def _faded(shared: np.ndarray, until: int, step: float) -> np.ndarray:
    """What trials share as long as they do, and a steady way from its last value to nothing."""
    out = shared.copy()
    away = np.arange(1, shared.size - until + 1) * step
    out[until:] = float(np.mean(shared[max(until - 3, 0) : until])) * np.exp(-away / _FADING)
    return out


def _rest_before_wave(trace: np.ndarray, rest: np.ndarray, start: int, stop: int, step: float) -> None:
    """Put rest in place of what lies well before the largest wave: what is left of the tail, and no part of it."""
    level = float(np.median(rest))
    size = np.abs(trace - level)
    at = start + int(np.argmax(size[start:stop]))
    loud = np.flatnonzero(size[start : at + 1] > _PART_OF_WAVE * size[at]) + start
    gaps = np.flatnonzero(np.diff(loud) > round(_GAP / step))
    cut = int(loud[gaps[-1] + 1] if gaps.size else loud[0]) - round(_GAP / step)
    length = min(rest.size, cut)
    if cut > start:
        trace[cut - length : cut] = rest[::-1][-length:]


def _apart(onset: np.ndarray, edge: float) -> np.ndarray:
    """Onsets at the beginning of the window, where the wave began before it, or far from the others."""
    lost = onset < edge
    usual = onset[np.isfinite(onset) & ~lost]
    if usual.size >= _FEWEST_TO_AGREE:
        middle = float(np.median(usual))
        lost |= np.abs(onset - middle) > _SPAN * middle
    return np.asarray(lost, dtype=bool)


def _without_tail(
    trial: np.ndarray, rest: np.ndarray, ahead: int, start: int, stop: int, end: int
) -> tuple[np.ndarray, float]:
    """Trial with rest in place of stimulus and M wave and without the tail; least size of what is an F wave in it."""
    level = float(np.median(rest))
    noise = 1.4826 * float(np.median(np.abs(rest - level))) or float(np.std(rest))
    tail = _smooth_tail(trial[ahead:end], noise)
    trace = trial.copy()
    trace[ahead:end] += level - tail
    trace[end:] = level
    trace[ahead - min(rest.size, ahead) : ahead] = rest[::-1][-min(rest.size, ahead) :]
    within = tail[start - ahead : stop - ahead]
    return trace, max(_LEAST_OVER_NOISE * noise, _LEAST_OVER_TAIL * float(np.ptp(within)))


def _smooth_tail(x: np.ndarray, noise: float) -> np.ndarray:
    """Polynomial through most of a trace; the scale of what is an outlier shrinks to that of the noise.

    Its degree grows on the way: a stiff curve first tells what is a wave, which a pliant one would follow at the ends.
    """
    basis = np.polynomial.legendre.legvander(np.linspace(-1, 1, x.size), _DEGREE)
    rest = x - np.median(x)
    scale = max(1.4826 * float(np.median(np.abs(rest))), noise)
    weight, fitted = np.ones(x.size), x
    for turn in range(_ROUNDS):
        part = basis[:, : min(1 + turn // 3, _DEGREE) + 1]
        weighted = part * weight[:, None]
        fitted = part @ np.linalg.solve(weighted.T @ part, weighted.T @ x)
        rest = x - fitted
        scale = max(noise, min(0.8 * scale, 1.4826 * float(np.median(np.abs(rest)))))
        weight = 1.0 / (1.0 + (rest / (2.0 * scale)) ** 2) ** 2
    return fitted
