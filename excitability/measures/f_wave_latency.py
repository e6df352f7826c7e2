"""Onset latency of the F wave after supramaximal stimulation of a nerve."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._f_waves import find_f_waves
from ._registry import measure


@measure(kind="trial", unit="s", references=["10.1016/j.clinph.2012.01.010"])
def f_wave_latency(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.020, 0.045),
    first_pulse: Any = 0.0,
) -> np.ndarray:
    """Time from the stimulus to the beginning of the F wave, the late answer of the motor neurons themselves.

    What eight or more trials share after the M wave, up to where they begin to differ, and the smooth tail of each are
    taken away, and each trial is searched alone: F waves of one muscle differ in shape and latency. A wave counts from
    a size of 8 times the SD of the noise, of a tenth of what the tail spans in the window, and of 1.2 times what
    98 % of windows as long hold before the stimuli of all trials: ongoing motor units and hum are no F waves, and small
    F waves among them are not found. A latency at the beginning of the window, or further than a fifth of it from the
    median of five or more, is none. The share of trials with a latency is the persistence.

    Waves of a few motor units begin with small potentials: simulated ones of 2 % of the M wave are found up to 1 ms
    late in hand and foot; central conduction comes out half as much too short.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered.
    times : array, shape (n_times,)
        Seconds from the stimulus to the nerve. The tail is followed best where the epoch goes on for 45 ms after the
        window.
    window : tuple of float or str
        Where F waves may lie (s): after the M wave; 20 to 45 ms in the hand, 40 to 70 ms in the foot.
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
    >>> def wave(onset, duration):
    ...     return np.sin(2 * np.pi * np.clip((times - onset) / duration, 0, 1))
    >>> x = np.array([5e-3 * wave(0.0035, 0.012) + 1e-4 * wave(onset, 0.007) for onset in (0.0275, 0.0290)])
    >>> x += 4e-6 * np.random.default_rng(0).standard_normal(x.shape)
    >>> bool(np.all(abs(f_wave_latency(x, times) - [0.0275, 0.0290]) < 0.001))
    True
    """
    return find_f_waves(x, times, window, first_pulse, name="f_wave_latency").onset.copy()
