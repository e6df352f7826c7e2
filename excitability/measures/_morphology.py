"""Counts of turns and phases, shared by both measures."""

from __future__ import annotations

import numpy as np

from ..kernels.edge import smoothed_squares
from ..kernels.turns import turns_and_phases
from ._end import response_ends
from ._responses import Responses
from ._windows import BASELINE, Window, baseline_samples, interval, window_samples

_HALF_WIDTH = 0.0004  # s; muscle has little beyond 500 Hz, noise has
_LEAST_SWING = 0.05  # of the peak-to-peak amplitude: what is smaller is no feature of the response
_SWING_NOISE = 5.5  # standard deviations of the smoothed noise: peak to trough of noise is seldom more within 25 ms
_LEVEL_NOISE = 3.7  # the same for one side


def counts(found: Responses, x: np.ndarray, times: np.ndarray, window: Window, first_pulse: object) -> np.ndarray:
    """Turns and phases, shape (n_trials, 2); NaN where there is no response."""
    out = np.full((len(x), 2), np.nan)
    present = np.flatnonzero(found.present)
    if not present.size:
        return out
    step = interval(times)
    half = max(1, round(_HALF_WIDTH / step))
    quiet = baseline_samples(times, BASELINE, first_pulse, len(x), "mep_turns")
    loud = np.fmax(found.noise, found.artefact)[present]
    smoothed = np.sqrt(smoothed_squares(x[present], quiet[0][present], quiet[1][present], half))
    smoothed *= loud / found.noise[present]  # remains of an artefact count as noise
    _, last = window_samples(times, window, "mep_turns")
    begin = last - found.traces.shape[1]
    traces = found.traces[present]
    # The response lies within the window; its size is that of the smoothed trace there.
    end = response_ends(found, x, times, window)[present]
    limits = np.stack([found.onset[present], end])
    start, stop = np.round((limits - times[0]) / step).astype(int) - begin
    stop = np.minimum(stop + 1, traces.shape[1])
    size = np.array([np.ptp(row[a:b]) if b > a else 0.0 for row, a, b in zip(traces, start, stop, strict=True)])
    swing = np.maximum(_SWING_NOISE * smoothed, _LEAST_SWING * size)
    level = np.maximum(_LEVEL_NOISE * smoothed, _LEAST_SWING * size)
    out[present] = turns_and_phases(traces, start, stop, half, swing, level)
    return out
