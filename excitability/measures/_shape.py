"""End, turns and phases of every response, read from its smoothed trace.

The end is where the noise-free trace last goes beyond 1 % of its peak-to-peak amplitude, as the onset is where it first
does. Drift makes 1.5 % the lowest level that can be read, noise a higher one, and the end seen at a level is early. How
early is known from the clear responses of the recording, which show all levels, and else from responses in general.
"""

from __future__ import annotations

import functools
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kernels.edge import smoothed_squares
from ..kernels.shape import continued, ends_at, quietest_pair, turns_and_phases
from ..kernels.windows import span
from ._responses import Responses
from ._windows import BASELINE, Window, baseline_samples, evenly, interval, middle, rows_of, window_samples

LEVEL = 0.015  # of the peak-to-peak amplitude: the lowest that is read
_TO_THE_END = 0.03  # of the duration seen at that level, by which the end at 1 % is later in responses at large
BEYOND = 0.030  # s that a response is followed beyond the window
_HALF_WIDTH = 0.0004  # s; muscle has little beyond 500 Hz, noise has
_QUIET = 0.005  # s within the noise that end a response
_LIMIT_NOISE = 3.0  # standard deviations of the smoothed noise that count as beyond it
_FRACTIONS = np.array([0.015, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3])
#: Time from the end seen at each fraction to the end, over the time from onset to the end seen, in responses at large.
_USUAL_LAG = np.array([0.0, 0.05, 0.15, 0.25, 0.42, 0.6, 0.8, 1.0])
_CLEAR = 0.02  # fraction up to which a response is clear
_LEAST_CLEAR = 5  # clear responses that tell more than responses at large
_MOST_CLEAR = 100
_SLOPE = 0.010  # s before the end of the window that tell how an artefact goes on after it
_BLOCK = 0.004  # s; half of the stretch in which the silence after a response is looked for
_OF_LEAST = 1.25  # the quietest of several stretches is lower than their usual level
_SILENT = 0.6  # of the noise before the pulse: a quieter stretch is silence
_LEAST_SPREAD = 0.0005  # s
_LEAST_TURN = 0.05  # of the peak-to-peak amplitude: what is smaller is no feature of the response
_TURN_NOISE = 5.0  # standard deviations of the smoothed noise: peak to trough of noise is seldom more within 25 ms
_NOISE_TRIALS = 100  # trials that tell the colour of the noise

_LAST: list[tuple[Any, bytes, Shapes]] = []


@dataclass(frozen=True, eq=False)
class Shapes:
    """Traces from just after the pulse to beyond the window, about their baseline and without artefact.

    ``noise`` is what smoothing by two running means of ``2 * half + 1`` samples leaves of the noise; ``start`` is the
    sample of the onset, −1 where there is no response.
    """

    traces: np.ndarray
    begin: int
    inside: int
    start: np.ndarray
    half: int
    noise: np.ndarray
    before: np.ndarray
    size: np.ndarray
    times: np.ndarray

    @functools.cached_property
    def ends(self) -> np.ndarray:
        """Time at which each response ends, s, shape (n_trials,); NaN where there is none."""
        step = interval(self.times)
        after = _OF_LEAST * np.sqrt(quietest_pair(self.traces, self.start, round(_BLOCK / step)))
        noise = self.noise * np.where(after < _SILENT * self.before, after / self.before, 1.0)
        readable = np.maximum(_LIMIT_NOISE * noise, LEVEL * self.size)
        seen = self._seen(slice(None), readable[:, None])[:, 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            fraction = readable / self.size
        if (fraction > _FRACTIONS[0]).any():
            seen = self._prolonged(seen, fraction)
        seen = np.minimum(seen + _TO_THE_END * (seen - self.start), self.traces.shape[1] - 1)
        ends = self.times[0] + (self.begin + seen) * step
        return np.where(self.start >= 0, ends, np.nan)

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """Turns and phases, shape (n_trials, 2); NaN where there is no response."""
        present = self.start >= 0
        stop = np.where(present, (self.ends - self.times[0]) / interval(self.times) - self.begin + 1.5, -1.0)
        stop = np.minimum(stop, self.traces.shape[1]).astype(int)
        least = np.maximum(_TURN_NOISE * self.noise, _LEAST_TURN * self.size)
        found = turns_and_phases(self.traces, self.start, stop, self.half, least)
        return np.where(present[:, None], found, np.nan)

    def _seen(self, rows: Any, limits: np.ndarray) -> np.ndarray:
        run = round(_QUIET / interval(self.times))
        return ends_at(self.traces[rows], self.start[rows], self.inside, self.half, limits, run)

    def _prolonged(self, seen: np.ndarray, fraction: np.ndarray) -> np.ndarray:
        """Ends as they would be seen at the lowest level, from those seen at a ``fraction`` of the amplitude."""
        clear = np.flatnonzero((fraction <= _CLEAR) & (self.start >= 0))
        if clear.size < _LEAST_CLEAR:
            return seen + (seen - self.start) * np.interp(fraction, _FRACTIONS, _USUAL_LAG)
        some = clear[evenly(fraction[clear], _MOST_CLEAR)]
        levels = self._seen(some, self.size[some, None] * _FRACTIONS)
        lags = levels[:, :1] - levels
        own = seen + np.interp(fraction, _FRACTIONS, middle(lags))
        spread = np.interp(fraction, _FRACTIONS, np.std(lags, axis=0))
        # the usual duration is another guess; each counts with what is known of its error
        durations = levels[:, 0] - self.start[some]
        as_usual = self.start + middle(durations)
        other = max(float(np.std(durations)), _LEAST_SPREAD / interval(self.times))
        share = other**2 / (other**2 + spread**2)
        mixed = np.maximum(share * own + (1.0 - share) * as_usual, self.start + 1.0)
        return np.where(fraction > _FRACTIONS[0], mixed, seen)


def shapes_of(found: Responses, x: np.ndarray, times: np.ndarray, window: Window, first_pulse: Any) -> Shapes:
    """Shapes of responses found; those asked for last are remembered, since several measures share them."""
    step = interval(times)
    _, stop = window_samples(times, window, "mep_end")
    until = min(stop + round(BEYOND / step), times.size)
    # A few samples guard against a caller that changed the trials in place; the search has looked at the others.
    mark = x[:, stop : until : max((until - stop) // 4, 1)].tobytes()
    if _LAST and _LAST[0][0]() is found and _LAST[0][1] == mark:
        return _LAST[0][2]
    inside = found.traces.shape[1]
    length = min(round(_SLOPE / step), inside)
    traces = continued(found.traces, x, found.base, found.artefact, length, stop, until)
    begin = stop - inside
    start = np.where(found.present, (found.onset - times[0]) / step - begin, -1.0)
    start = np.where(found.present, np.clip(np.round(start), 0, inside - 2), -1).astype(int)
    half = max(1, round(_HALF_WIDTH / step))
    noise = np.fmax(found.noise, found.artefact)
    size = span(traces, 0, inside)
    left = _left(found.noise, x, times, half, first_pulse)
    made = Shapes(traces, begin, inside, start, half, left * noise, noise, size, times)
    _LAST[:] = [(weakref.ref(found), mark, made)]
    return made


def _left(noise: np.ndarray, x: np.ndarray, times: np.ndarray, half: int, first_pulse: Any) -> float:
    """What smoothing leaves of the noise, pooled over the recording: its colour."""
    usable = np.flatnonzero(noise > 0)
    if not usable.size:
        return 1.0
    quiet = baseline_samples(times, BASELINE, first_pulse, len(x), "mep_end")
    some = usable[evenly(noise[usable], _NOISE_TRIALS)]
    length = quiet[1][some] - quiet[0][some]
    part = rows_of(x, some, quiet[0], int(length.max()))
    squares = smoothed_squares(part, np.zeros(some.size, np.int64), length, half)
    return float(np.sqrt(squares.sum() / (noise[some] @ noise[some])))
