"""Onset latency of the MEP."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._named_rules import DEFAULT, Rule
from ._onset_rules import onsets_by
from ._registry import measure
from ._responses import FALSE_POSITIVE_RATE, find_responses


@measure(kind="trial", unit="s", references=["10.1016/j.clinph.2015.02.001"])
def mep_latency(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    first_pulse: Any = 0.0,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
    method: str | Rule = DEFAULT,
) -> np.ndarray:
    """Time from the pulse to the beginning of the response.

    The beginning is the first time at which the response itself, without noise, exceeds 1 % of its peak-to-peak
    amplitude. In a quiet recording that level is read from the edge of the first phase; in noise the lowest readable
    level is, and the rest of the way is inferred, since what the eye sees in noise is late. Where the clear responses
    of the recording resemble one another, their average times the small ones, and tells of a small first phase that
    noise hides in single trials. The tail of the pulse artefact is modelled before, and nothing is filtered. How well
    each latency is known: :func:`~excitability.measures.mep_latency_standard_error`.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered; the more trials of one recording, the better its noise is known.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before; the noise is learnt before it.
    false_positive_rate : float
        Share of trials without response that may get a latency; the published rules have no such promise.
    method : str or callable
        ``"excitability"`` is what is described above. The published rules, so that a laboratory can repeat its own
        past: ``sd``, ``ahte``, ``shte``, ``derivative``, ``derivative_ratio``, ``aic``, ``changepoint``,
        ``changepoint_mean``, ``cusum``, ``mad_crossing``, ``xcorr``, ``median_rule``; see
        :func:`~excitability.measures.list_onset_methods`. They are applied to the trials as they are: their
        constants are those commonly used (check your paper), the artefact is not modelled, and many have no test for
        a response; none has a standard error. Or your own rule, called as
        ``method(x, times, window=window, baseline=baseline)`` with the window in s and one (start, stop) in s a
        trial, shape (n_trials, 2); it returns one onset a trial. A
        published rule with other constants is ``functools.partial`` of its function.

    Returns
    -------
    array, shape (n_trials,)
        s; NaN where there is no response.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, the epoch holds less than 15 ms of noise, or the method is unknown.

    Notes
    -----
    The noise is learnt from the recording. With few trials it is hardly known: at a stated rate of 0.5 %, 6 % of empty
    single trials at rest are called a response, 2 % in twos and threes, 1 % in fives; from ten on the rate holds
    (14, 5, 3, 2 % in contraction; simulated).

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import mep_latency
    >>> times = np.arange(-500, 1001) / 5000
    >>> phase = np.clip((times - 0.022) / 0.010, 0, 1)
    >>> x = 1e-3 * np.sin(2 * np.pi * phase) + 4e-6 * np.random.default_rng(0).standard_normal((9, times.size))
    >>> bool(np.all(abs(mep_latency(x, times) - 0.022) < 0.0006))
    True
    >>> mep_latency(x, times, method="sd")[:3].round(4)
    array([0.0222, 0.0222, 0.0222])
    """
    if method != DEFAULT:
        return onsets_by(method, x, times, window, first_pulse)
    return find_responses(
        x, times, window, first_pulse, false_positive_rate=false_positive_rate, name="mep_latency"
    ).onset.copy()
