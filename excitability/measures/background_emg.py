"""Background muscle activity before the pulse."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.windows import level
from ._registry import measure
from ._windows import per_trial_samples


@measure(kind="trial", unit="V", references=["10.1016/j.clinph.2015.02.001"])
def background_emg(
    x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (-0.1, -0.005), first_pulse: Any = 0.0
) -> np.ndarray:
    """Root mean square of the EMG before the pulse, about its mean.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float
        Start and stop in s. A window that ends before 0 is counted back from the first pulse. The last 5 ms are
        left out because a zero-phase filter leaks the artefact into them.
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

    References
    ----------
    Rossini et al. 2015, doi:10.1016/j.clinph.2015.02.001.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import background_emg
    >>> times = np.arange(-500, 1001) / 5000
    >>> x = 8e-6 * np.random.default_rng(0).standard_normal((3, times.size))
    >>> bool(np.allclose(background_emg(x, times), 8e-6, rtol=0.1))
    True
    """
    start, stop = per_trial_samples(times, window, first_pulse, len(x), "background_emg")
    return level(x, start, stop)[:, 1]
