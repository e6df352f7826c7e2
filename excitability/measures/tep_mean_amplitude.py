"""Mean amplitude of a region in a fixed window."""

from __future__ import annotations

import numpy as np

from ._evoked import window_mask
from ._registry import measure


@measure(kind="average", unit="V", references=["10.1016/j.brs.2023.02.009"])
def tep_mean_amplitude(x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.025, 0.035)) -> float:
    """Mean over the channels given and over a window, signed.

    It has a value where a peak has none, and noise neither enlarges it nor moves it to another latency; but a
    component that comes earlier in one person than in another is met at another part of its wave.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window : tuple of float
        s.

    Returns
    -------
    float
        V; NaN where a sample is missing.

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

    Examples
    --------
    >>> times = np.arange(-100, 300) / 1000.0
    >>> x = np.where((times > 0.02) & (times < 0.04), 3e-6, 0.0)[None]
    >>> round(tep_mean_amplitude(x, times) * 1e6, 3)
    3.0
    """
    return float(x[:, window_mask(times, window, "tep_mean_amplitude")].mean())
