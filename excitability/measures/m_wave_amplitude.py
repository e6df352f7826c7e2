"""Peak-to-peak amplitude of the direct response of a muscle to stimulation of its nerve."""

from __future__ import annotations

import numpy as np

from ._registry import measure
from .mep_amplitude import mep_amplitude


@measure(kind="trial", unit="V")
def m_wave_amplitude(x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.002, 0.022)) -> np.ndarray:
    """Highest minus lowest sample in the window of the M wave.

    The usual window holds M waves of hand and leg muscles (onset 3 to 8 ms) and ends before F waves and H reflexes.
    After stimulation at Erb's point, or where the stimulus artefact is long, begin it later.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V.
    times : array, shape (n_times,)
        Seconds from the stimulus to the nerve.
    window : tuple of float or str
        Start and stop in s.

    Returns
    -------
    array, shape (n_trials,)
        V; NaN where the window holds a NaN or an infinity.

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

    Examples
    --------
    >>> times = np.arange(-500, 1001) / 5000
    >>> x = 6e-3 * np.sin(2 * np.pi * 125 * (times - 0.004)) * ((times > 0.004) & (times < 0.012))
    >>> m_wave_amplitude(x[None], times).round(4)
    array([0.012])
    """
    values: np.ndarray = mep_amplitude(x, times, window=window)
    return values
