"""Duration of the MEP."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._registry import measure
from ._responses import FALSE_POSITIVE_RATE, find_responses
from ._shape import shapes_of


@measure(kind="trial", unit="s", references=["10.1016/j.clinph.2015.02.001"])
def mep_duration(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    first_pulse: Any = 0.0,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Time from the onset of the response to its end.

    Onset as in :func:`mep_latency`, end as in :func:`mep_end`.

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
    false_positive_rate : float
        Share of trials without response that may get a duration.

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
    >>> from excitability.measures import mep_duration
    >>> times = np.arange(-500, 1001) / 5000
    >>> phase = np.clip((times - 0.022) / 0.010, 0, 1)
    >>> x = 1e-3 * np.sin(2 * np.pi * phase) + 4e-6 * np.random.default_rng(0).standard_normal((9, times.size))
    >>> bool(np.all(abs(mep_duration(x, times) - 0.010) < 0.0015))
    True
    """
    found = find_responses(x, times, window, first_pulse, false_positive_rate=false_positive_rate, name="mep_duration")
    return shapes_of(found, x, times, window, first_pulse).ends - found.onset
