"""Rectified area of the MEP."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..kernels.shape import drowned_background
from ..kernels.windows import rectified_area
from ..schema import unknown_word
from ._registry import measure
from ._responses import FALSE_POSITIVE_RATE, find_responses
from ._shape import shapes_of
from ._windows import BASELINE, baseline_samples, interval, middle, window_samples

_BACKGROUND = ("adaptive", "subtract", "keep")
_AFTER = (0.005, 0.025)  # s after the usual end of responses, where the silent period shows
_LEAST_AFTER = 0.010  # s of that which must be recorded


@measure(kind="trial", unit="V*s", references=["10.1016/j.clinph.2015.02.001"])
def mep_area(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    first_pulse: Any = 0.0,
    background: Literal["adaptive", "subtract", "keep"] = "adaptive",
    false_positive_rate: float = FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Area under the rectified trace from the onset of the response to its end.

    ``∫ |x − mean of the baseline| dt`` of the trace without pulse artefact, from the onset (:func:`mep_latency`) to the
    end (:func:`mep_end`), less what the background adds. A trial without a response is measured over the usual response
    of the recording (median onset to median end, or the whole window when there is none): its area scatters about zero
    and may be negative, and stays in the mean.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before.
    background : {"adaptive", "subtract", "keep"}
        What is subtracted. "subtract" is the usual formula: mean rectified background times duration; it takes too much
        under responses larger than the background, to which rectification adds nothing. "adaptive" takes each sample's
        share only as far as the background is not drowned by the response, and has the background sink from onset to
        end to what is left of it 5–25 ms later (in trials with and in trials without a response): contracting muscle
        falls silent. "keep" takes nothing away from responses; trials without one are treated as by "subtract".
    false_positive_rate : float
        Share of trials without response that may be taken to have one.

    Returns
    -------
    array, shape (n_trials,)
        V·s; NaN where the window or the noise before the pulse holds a NaN.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, the epoch holds less than 15 ms of noise, or ``background`` is unknown.

    Notes
    -----
    Simulated responses of 4–8, 8–20 and 20–60 times a background of 5–100 µV, at rest and in contraction that goes on
    or falls silent with them, come out 5–50, 1–14 and 0–4 % low by "adaptive", 38–79, 21–38 and 11–16 % by "subtract".
    What is smaller than four times the background drowns, and less is seen of it: curves and maps of areas begin late.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import mep_area
    >>> times = np.arange(-500, 1001) / 5000
    >>> phase = np.clip((times - 0.022) / 0.010, 0, 1)
    >>> x = 1e-3 * np.sin(2 * np.pi * phase) + 2e-6 * np.random.default_rng(0).standard_normal((9, times.size))
    >>> bool(np.allclose(mep_area(x, times), 1e-3 * 0.010 * 2 / np.pi, rtol=0.02))
    True
    """
    if background not in _BACKGROUND:
        raise ValueError(unknown_word("background of mep_area", background, _BACKGROUND))
    found = find_responses(x, times, window, first_pulse, false_positive_rate=false_positive_rate, name="mep_area")
    if not np.isfinite(found.noise).any():
        return np.full(len(x), np.nan)
    step = interval(times)
    present = np.isfinite(found.onset)
    shapes = shapes_of(found, x, times, window, first_pulse)
    traces, onset, end = shapes.traces, found.onset.copy(), shapes.ends.copy()
    start, stop = window_samples(times, window, "mep_area")
    onset[~present] = middle(onset[present]) if present.any() else times[start]
    end[~present] = middle(end[present]) if present.any() else times[stop - 1]
    end = np.maximum(end, onset + step)
    # One sample of room on the right, where a straight line to the next sample begins.
    limits = np.clip((np.stack([onset, end]) - times[0]) / step - shapes.begin, 0, traces.shape[1] - 1.0 - 1e-9)
    area = rectified_area(traces, limits[0], limits[1], np.zeros(len(x)), step)
    net = ~present if background == "keep" else np.ones(len(x), bool)
    if background == "adaptive":
        quiet = baseline_samples(times, BASELINE, first_pulse, len(x), "mep_area")
        noise = np.where(np.isfinite(found.p_value), found.noise, np.nan)
        left = _left(traces, noise, limits[1], present, step)
        area -= step * drowned_background(x, *quiet, found.base, found.noise, traces, *limits, left)
    else:
        area[net] -= (found.rectified_noise * (end - onset))[net]
    area[~np.isfinite(found.p_value)] = np.nan
    return area


def _left(traces: np.ndarray, noise: np.ndarray, end: np.ndarray, present: np.ndarray, step: float) -> np.ndarray:
    """Share of the background that is left when a response ends, of trials with and of trials without a response.

    Seen in the 20 ms from 5 ms after the usual end; one trial of full background is added, lest few trials tell much.
    """
    left = np.ones(len(traces))
    if not present.any():
        return left
    begin = round(middle(end[present]) + _AFTER[0] / step)
    after = traces[:, begin : begin + round((_AFTER[1] - _AFTER[0]) / step)]
    if after.shape[1] * step < _LEAST_AFTER:
        return left
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.mean(np.square(after), axis=1) / np.square(noise)
    for kind in (present, ~present):
        seen = power[kind & np.isfinite(power)]
        left[kind] = min(float(np.sqrt((seen.sum() + 1) / (seen.size + 1))), 1.0)
    return left
