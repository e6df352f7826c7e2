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
_HIDDEN = 0.0004  # s, SD of the shortest latency beyond its standard error, on three shapes of simulated F waves
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

    The shortest of several measured latencies is too short, since error helps to be the shortest: each latency leans
    on the others by what is known of its error (empirical Bayes), and the shortest of each set of draws is taken.
    What no error tells is added: a small first phase that noise hides, latencies that do not spread evenly.
    """
    hidden = _HIDDEN * rng.standard_normal(n_draws)
    if latency.size < 2:
        return latency.min() + error[0] * rng.standard_normal(n_draws) + hidden
    spread = max(float(np.var(latency, ddof=1) - np.mean(error**2)), 0.0)
    for _ in range(20):  # moments weighted by what is known of each
        weight = 1.0 / (spread + error**2 + 1e-18)
        middle = float(np.sum(weight * latency) / weight.sum())
        excess = latency.size / (latency.size - 1) * (latency - middle) ** 2 - error**2
        spread = max(float(np.sum(weight**2 * excess) / np.sum(weight**2)), 0.0)
    share = spread / (spread + error**2 + 1e-18)
    centre, sd = middle + share * (latency - middle), np.sqrt(share) * error
    draws = centre + sd * rng.standard_normal((n_draws, latency.size))
    return draws.min(axis=1) + hidden


_LAST: list[tuple[Any, ...]] = []


def find_f_waves(
    x: np.ndarray, times: np.ndarray, window: Window, first_pulse: Any = 0.0, *, name: str = "f_wave_latency"
) -> FWaves:
    """Search every trial for an F wave; the last search is remembered, since two measures share it."""
    first = np.broadcast_to(np.asarray(first_pulse, dtype=float), (len(x),))
    start, stop = window_samples(times, window, name)
    key = (tuple(window), first.tobytes(), times.tobytes())
    ahead = max(start - round(_AHEAD / interval(times)), 0)
    end = min(stop + round(_BEYOND / interval(times)), times.size)
    mark = mark_of(x, end)
    if _LAST and _LAST[0][0]() is x and _LAST[0][1] == key and _LAST[0][2] == mark:
        return _LAST[0][3]
    onset, error = np.full(len(x), np.nan), np.full(len(x), np.nan)
    if len(x):
        quiet = baseline_samples(times, BASELINE, first, len(x), name)
    for k in range(len(x)):
        rest = x[k, quiet[0][k] : quiet[1][k]]
        if not (np.isfinite(rest).all() and np.isfinite(x[k, ahead:end]).all()) or np.ptp(rest) == 0:
            continue
        trace, least = _without_tail(x[k], rest, ahead, start, stop, end)
        found = find_responses(trace[None], times, window, first[k], false_positive_rate=FALSE_POSITIVE_RATE, name=name)
        if np.ptp(trace[start:stop]) >= least:
            onset[k], error[k] = found.onset[0], found.onset_error[0]
    done = FWaves(onset, error)
    _LAST[:] = [(weakref.ref(x), key, mark, done)]
    return done


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
