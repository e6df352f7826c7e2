"""Number of turns of the MEP."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._registry import measure
from ._responses import FALSE_POSITIVE_RATE, find_responses
from ._shape import shapes_of


@measure(kind="trial", unit="1")
def mep_turns(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    first_pulse: Any = 0.0,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Number of peaks and troughs of the response.

    A turn is a peak of the distance from the baseline, between onset and end, in the trace smoothed over 0.8 ms: it is
    reached and left by a swing of at least 5 % of the peak-to-peak amplitude and of 5 standard deviations of the
    smoothed noise, and is as far from the baseline. A biphasic response has two. In noise small turns are lost, not
    added.

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
        Count; NaN where there is no response, or none of its peaks stands out from the noise.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of noise.

    Notes
    -----
    The MEPFeatX toolbox counts peaks away from the baseline too, of at least 50 µV or 10 % of the amplitude and with a
    prominence of three mean absolute deviations of the background. On its recordings the counts are the same in 38–85 %
    of the responses and within one in 80–100 %.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import mep_turns
    >>> times = np.arange(-500, 1001) / 5000
    >>> phase = np.clip((times - 0.022) / 0.010, 0, 1)
    >>> x = 1e-3 * np.sin(2 * np.pi * phase) + 4e-6 * np.random.default_rng(0).standard_normal((9, times.size))
    >>> mep_turns(x, times)
    array([2., 2., 2., 2., 2., 2., 2., 2., 2.])
    """
    found = find_responses(x, times, window, first_pulse, false_positive_rate=false_positive_rate, name="mep_turns")
    counts = shapes_of(found, x, times, window, first_pulse).counts[:, 0]
    return np.where(counts > 0, counts, np.nan)
