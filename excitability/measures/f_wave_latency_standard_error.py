"""Standard error of the onset latency of the F wave."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._f_waves import find_f_waves
from ._registry import measure


@measure(kind="trial", unit="s")
def f_wave_latency_standard_error(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.020, 0.045),
    first_pulse: Any = 0.0,
) -> np.ndarray:
    """How well the latency of each F wave is known, from the steepness of its edge and the noise of the trial.

    It belongs to ``f_wave_latency`` with the same arguments. It is 0.4 of that of a lone edge, which fits the errors of
    three constructions of simulated F waves. A first phase that the noise hides is not in it.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered.
    times : array, shape (n_times,)
        Seconds from the stimulus to the nerve.
    window : tuple of float or str
        Where F waves may lie (s).
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first stimulus in s, 0 or before; the noise is learnt before it.

    Returns
    -------
    array, shape (n_trials,)
        s; NaN where there is no F wave.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of noise.

    Examples
    --------
    >>> times = np.arange(-500, 501) / 5000
    >>> x = 1e-4 * np.sin(2 * np.pi * np.clip((times - 0.0275) / 0.007, 0, 1)) * np.ones((2, 1))
    >>> x += 4e-6 * np.random.default_rng(0).standard_normal(x.shape)
    >>> bool(np.all(f_wave_latency_standard_error(x, times) < 0.001))
    True
    """
    return find_f_waves(x, times, window, first_pulse, name="f_wave_latency_standard_error").error.copy()
