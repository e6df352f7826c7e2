"""Probability that a trial holds a response."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._registry import measure
from ._responses import find_responses


@measure(kind="trial", unit="1")
def mep_probability(
    x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.015, 0.050), first_pulse: Any = 0.0
) -> np.ndarray:
    """Probability that the window holds a response, from the recording's own noise.

    The largest contrast between neighbouring stretches of the trace, at three widths, its place among the recording's
    own clear responses and the likeness to them are compared with the same search in stretches before the pulse, each
    judged by noise as far apart from it: what motor units, heart beats or drift do before a pulse is not taken for a
    response after it. A mixture of noise and of responses, averaged over how large these may be and how many
    trials may hold one, gives the probability. No fixed voltage takes part, so it holds at rest and in contraction.
    Where responses are no larger than the background EMG, the trials leave open how many there are, and the probability
    of a single one stays near its share; responses that never stand out of it cannot be told from none.

    A latency is given where noise alone reaches the evidence with at most ``false_positive_rate`` and the probability
    is 0.1 or more: the few trials of an empty recording that noise puts beyond the rate have none. A high probability
    without a latency is no contradiction: where nearly all trials respond, so does most likely one lost in noise.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before.

    Returns
    -------
    array, shape (n_trials,)
        0 … 1; NaN where the window or the noise before the pulse holds a NaN.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of noise.

    Notes
    -----
    The noise is learnt from the recording. With few trials it is hardly known: at a stated rate of 0.5 %, 6 % of empty
    single trials at rest are called a response, 2 % in twos and threes, 1 % in fives; from ten on the rate holds
    (14, 5, 3, 2 % in contraction; simulated).

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import mep_probability
    >>> times = np.arange(-500, 1001) / 5000
    >>> x = 5e-6 * np.random.default_rng(0).standard_normal((20, times.size))
    >>> x[:10] += 0.3e-3 * np.sin(2 * np.pi * np.clip((times - 0.022) / 0.010, 0, 1))
    >>> (mep_probability(x, times) > 0.5).sum()
    np.int64(10)
    """
    return find_responses(x, times, window, first_pulse, name="mep_probability").probability.copy()
