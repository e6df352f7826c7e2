"""Peak-to-peak amplitude of the MEP, as recorded."""

from __future__ import annotations

import numpy as np

from ..kernels.windows import extremes
from ._registry import measure
from ._windows import window_samples


@measure(kind="trial", unit="V", references=["10.1016/j.clinph.2015.02.001"])
def mep_amplitude(x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.015, 0.050)) -> np.ndarray:
    """Highest minus lowest sample in the window.

    The extremes of noise are never zero: of a trial without response it gives the noise, and it lies above the size
    of a small response. ``mep_amplitude_corrected`` takes that away.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Start and stop in s, or a muscle's name.

    Returns
    -------
    array, shape (n_trials,)
        V; NaN where the window holds a NaN or an infinity.

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

    References
    ----------
    Rossini et al. 2015, doi:10.1016/j.clinph.2015.02.001.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import mep_amplitude
    >>> times = np.arange(-500, 1001) / 5000
    >>> x = 0.5e-3 * np.sin(2 * np.pi * 100 * times) * ((times > 0.02) & (times < 0.03))
    >>> mep_amplitude(x[None], times).round(4)
    array([0.001])
    """
    start, stop = window_samples(times, window, "mep_amplitude")
    n_trials = len(x)
    values, _ = extremes(x, np.full(n_trials, start), np.full(n_trials, stop))
    return values[:, 1] - values[:, 0]
