"""Mean rectified muscle activity before the pulse."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.windows import level
from ._registry import measure
from ._windows import per_trial_samples


@measure(kind="trial", unit="V")
def background_mean_rectified(
    x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (-0.1, -0.005), first_pulse: Any = 0.0
) -> np.ndarray:
    """Mean absolute deviation of the EMG before the pulse from its mean (0.8 of the RMS for Gaussian noise).

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
    >>> from excitability.measures import background_mean_rectified
    >>> times = np.arange(-500, 1001) / 5000
    >>> x = 8e-6 * np.random.default_rng(0).standard_normal((3, times.size))
    >>> bool(np.allclose(background_mean_rectified(x, times), 8e-6 * np.sqrt(2 / np.pi), rtol=0.1))
    True
    """
    start, stop = per_trial_samples(times, window, first_pulse, len(x), "background_mean_rectified")
    return level(x, start, stop)[:, 2]
