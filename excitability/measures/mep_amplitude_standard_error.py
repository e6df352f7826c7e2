"""Standard error of the corrected MEP amplitude."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._corrected_amplitude import corrected_amplitude, standard_error
from ._registry import measure


@measure(kind="trial", unit="V")
def mep_amplitude_standard_error(
    x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.015, 0.050), first_pulse: Any = 0.0
) -> np.ndarray:
    """Standard error of :func:`mep_amplitude_corrected` in each trial, from the noise.

    Responses of known amplitude, with the shape of the recording's own clear responses (or of usual ones, where it
    has none), are added to pre-stimulus windows of the recording and measured; the root mean square error of those as
    large as the trial's response is its standard error. It tells what the noise before the pulse does to one value,
    not how responses vary from trial to trial.

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

    Returns
    -------
    array, shape (n_trials,)
        V; NaN where the window or the noise before the pulse holds a NaN.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of noise.

    Notes
    -----
    In simulations with clear responses among the trials, the value ± 1.96 standard errors covers the truth in 92 to
    100 % of the trials from 2 times the noise on: in white noise, in noise of the colour of EMG and in contraction.
    Below, it covers 88 to 100 %, least in the bursts of few motor units. Where the background falls silent after the
    response, it covers 97 to 100 %: the noise before the pulse is more than what is left of it.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import mep_amplitude_corrected, mep_amplitude_standard_error
    >>> times = np.arange(-500, 1001) / 5000
    >>> response = 100e-6 * np.sin(2 * np.pi * np.clip((times - 0.022) / 0.010, 0, 1))
    >>> x = response + 20e-6 * np.random.default_rng(0).standard_normal((200, times.size))
    >>> off = np.abs(mep_amplitude_corrected(x, times) - 200e-6) / mep_amplitude_standard_error(x, times)
    >>> bool(np.mean(off < 1.96) > 0.9)
    True
    """
    return standard_error(corrected_amplitude(x, times, window, first_pulse, "mep_amplitude_standard_error"))
