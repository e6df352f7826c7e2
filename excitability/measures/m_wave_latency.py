"""Onset latency of the direct response of a muscle to stimulation of its nerve (distal motor latency)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._registry import measure
from ._responses import FALSE_POSITIVE_RATE, find_responses


@measure(kind="trial", unit="s", references=["10.1016/j.clinph.2012.01.010"])
def m_wave_latency(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.002, 0.025),
    first_pulse: Any = 0.0,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Time from the stimulus to the beginning of the M wave, found as that of a MEP is (:func:`mep_latency`).

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered.
    times : array, shape (n_times,)
        Seconds from the stimulus to the nerve.
    window : tuple of float or str
        Where the M wave may lie (s).
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first stimulus in s, 0 or before; the noise is learnt before it.
    false_positive_rate : float
        Share of trials without response that may get a latency.

    Returns
    -------
    array, shape (n_trials,)
        s; NaN where there is no response.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of noise.

    Examples
    --------
    >>> times = np.arange(-500, 1001) / 5000
    >>> phase = np.clip((times - 0.0035) / 0.012, 0, 1)
    >>> x = 5e-3 * np.sin(2 * np.pi * phase) + 5e-6 * np.random.default_rng(0).standard_normal((5, times.size))
    >>> bool(np.all(abs(m_wave_latency(x, times) - 0.0035) < 0.0006))
    True
    """
    return find_responses(
        x, times, window, first_pulse, false_positive_rate=false_positive_rate, name="m_wave_latency"
    ).onset.copy()
