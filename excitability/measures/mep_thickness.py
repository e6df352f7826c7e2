"""Thickness of the MEP: its area over its amplitude."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._registry import measure
from ._responses import FALSE_POSITIVE_RATE, find_responses
from .mep_amplitude import mep_amplitude
from .mep_area import mep_area


@measure(kind="trial", unit="s")
def mep_thickness(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    first_pulse: Any = 0.0,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Rectified area of the response over its peak-to-peak amplitude, a duration that does not grow with the size.

    The area is that of :func:`mep_area` (net of background in active muscle), the amplitude the recorded one of
    :func:`mep_amplitude`.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before; the noise is learnt before it.
    false_positive_rate : float
        Share of trials without response that may be taken to have one.

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
    >>> import numpy as np
    >>> from excitability.measures import mep_thickness
    >>> times = np.arange(-500, 1001) / 5000
    >>> phase = np.clip((times - 0.022) / 0.010, 0, 1)
    >>> x = 1e-3 * np.sin(2 * np.pi * phase) + 4e-6 * np.random.default_rng(0).standard_normal((9, times.size))
    >>> bool(np.allclose(mep_thickness(x, times), 0.010 / np.pi, rtol=0.02))
    True
    """
    found = find_responses(x, times, window, first_pulse, false_positive_rate=false_positive_rate, name="mep_thickness")
    area = mep_area(x, times, window=window, first_pulse=first_pulse, false_positive_rate=false_positive_rate)
    amplitude = mep_amplitude(x, times, window=window)
    return np.where(found.present, area / np.where(amplitude > 0, amplitude, np.nan), np.nan)
