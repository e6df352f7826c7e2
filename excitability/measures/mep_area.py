"""Rectified area of the MEP."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..kernels.windows import rectified_area
from ..schema import unknown_word
from ._registry import measure
from ._responses import FALSE_POSITIVE_RATE, find_responses
from ._windows import interval, window_samples

#: Median background (V, RMS) of a recording above which its muscle is taken to be active.
ACTIVE_BACKGROUND = 20e-6
_BACKGROUND = ("auto", "subtract", "keep")


@measure(kind="trial", unit="V*s", references=["10.1016/j.clinph.2015.02.001"])
def mep_area(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    first_pulse: Any = 0.0,
    background: Literal["auto", "subtract", "keep"] = "auto",
    false_positive_rate: float = FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Area under the rectified trace from the onset of the response to its end.

    ``∫ |x − mean of the baseline| dt``. In active muscle what the background would have added, its mean
    rectified value times the duration, is subtracted. A trial without a response is measured over the usual
    response of the recording (median onset to median end, or the whole window when there is none), always net of
    background: its area scatters about zero and may be negative, and stays in the mean.

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
    background : {"auto", "subtract", "keep"}
        "auto" subtracts where the median background of the recording exceeds 20 µV (RMS).
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
    onset, end = found.onset.copy(), found.end.copy()
    start, stop = window_samples(times, window, "mep_area")
    onset[~present] = np.median(onset[present]) if present.any() else times[start]
    end[~present] = np.median(end[present]) if present.any() else times[stop - 1]
    end = np.maximum(end, onset + step)
    # One sample of room on the right, where a straight line to the next sample begins.
    limits = np.clip((np.stack([onset, end]) - times[0]) / step, 0, times.size - 1.0 - 1e-9)
    area = rectified_area(x, limits[0], limits[1], found.base, step)
    usual_noise = np.nanmedian(found.noise)
    active = background == "subtract" or (background == "auto" and usual_noise > ACTIVE_BACKGROUND)
    net = ~present | active
    area[net] -= (found.rectified_noise * (end - onset))[net]
    area[~np.isfinite(found.p_value)] = np.nan
    return area
