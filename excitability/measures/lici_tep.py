"""Paired-pulse indices of the evoked potential, corrected for the response to the conditioning pulse.

Daskalakis et al. 2008, doi:10.1038/npp.2008.22 (index); Rogasch et al. 2015, doi:10.1016/j.cortex.2014.10.003
(correction).
"""

from __future__ import annotations

import numpy as np

from ._registry import measure
from .paired_pulse_tep import paired_pulse_tep


@measure(
    kind="average",
    unit="1",
    form="ratio",
    over="conditioned",
    references=["10.1038/npp.2008.22", "10.1016/j.cortex.2014.10.003"],
)
def lici_tep(
    x: np.ndarray,
    times: np.ndarray,
    *,
    test: np.ndarray,
    interval: float = np.nan,
    window: tuple[float, float] = (0.050, 0.150),
    form: str = "ratio",
    correct: bool = True,
) -> float:
    """Rectified area of the response to the second pulse of a pair, relative to that of a single pulse.

    :func:`paired_pulse_tep` with the window of LICI, whose pulses are equal. Channels are averaged first.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response to pairs, V.
    times : ndarray, shape (n_times,)
        s from the last pulse.
    test : ndarray, shape (n_channels, n_times)
        Average response to single pulses, V.
    interval : float
        Interval between the pulses of the pair, s.
    window : tuple of float
        s after the last pulse.
    form : {"ratio", "log_ratio", "percent", "percent_inhibition"}
        ``percent`` is 100 x conditioned / test, ``percent_inhibition`` 100 x (1 - ratio).
    correct : bool
        Subtract the response to the single pulse, shifted back by the interval, in place of the response to the
        conditioning pulse that lies under that to the test pulse.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For an unknown form, a correction without interval, or an epoch that ends before window plus interval.

    Examples
    --------
    >>> times = np.arange(-300, 500) / 1000.0
    >>> response = lambda t: -5e-6 * np.exp(-0.5 * ((t - 0.1) / 0.015) ** 2)
    >>> single, pair = response(times)[None], (0.6 * response(times) + response(times + 0.1))[None]
    >>> round(lici_tep(pair, times, test=single, interval=0.1), 3)
    0.6
    """
    subtract = "test" if correct else "none"
    return float(paired_pulse_tep(x, times, test=test, interval=interval, window=window, form=form, subtract=subtract))
