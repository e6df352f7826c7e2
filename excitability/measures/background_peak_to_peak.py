"""Peak-to-peak muscle activity before the pulse."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.windows import extremes
from ._registry import measure
from ._windows import per_trial_samples


@measure(kind="trial", unit="V")
def background_peak_to_peak(
    x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (-0.1, -0.005), first_pulse: Any = 0.0
) -> np.ndarray:
    """Highest minus lowest sample of the EMG before the pulse; grows with the length of the window.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float
        Start and stop in s. A window that ends before 0 is counted back from the first pulse.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before.

    Returns
    -------
    array, shape (n_trials,)
        V; NaN where the window holds a NaN.

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import background_peak_to_peak
    >>> times = np.arange(-500, 1001) / 5000
    >>> x = 8e-6 * np.random.default_rng(0).standard_normal((3, times.size))
    >>> bool(np.all(background_peak_to_peak(x, times) > 40e-6))
    True
    """
    start, stop = per_trial_samples(times, window, first_pulse, len(x), "background_peak_to_peak")
    values, _ = extremes(x, start, stop)
    return values[:, 1] - values[:, 0]
