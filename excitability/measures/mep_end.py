"""Time at which the MEP ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._registry import measure
from ._responses import FALSE_POSITIVE_RATE, find_responses
from ._shape import shapes_of


@measure(kind="trial", unit="s")
def mep_end(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    first_pulse: Any = 0.0,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Time from the pulse to the end of the response.

    The end is the last time at which the response itself, without noise, exceeds 1 % of its peak-to-peak amplitude,
    before it stays within that for 5 ms. Only 1.5 %, in noise only more, can be read, and the rest of the way is
    inferred from the clear responses of the recording, or from responses in general where there are none; where muscle
    falls silent after the response, the noise is that of the silence. A response may outlast the window by 30 ms.

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
    >>> from excitability.measures import mep_end
    >>> times = np.arange(-500, 1001) / 5000
    >>> phase = np.clip((times - 0.022) / 0.010, 0, 1)
    >>> x = 1e-3 * np.sin(2 * np.pi * phase) + 4e-6 * np.random.default_rng(0).standard_normal((9, times.size))
    >>> bool(np.all(abs(mep_end(x, times) - 0.032) < 0.0015))
    True
    """
    found = find_responses(x, times, window, first_pulse, false_positive_rate=false_positive_rate, name="mep_end")
    return shapes_of(found, x, times, window, first_pulse).ends.copy()
