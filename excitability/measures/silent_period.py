"""Contralateral silent period."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..resources import muscle_window
from ..schema import unknown_word
from ._named_rules import DEFAULT, Rule
from ._registry import check_span, measure
from ._silence_rules import silences
from .mep_duration import mep_duration
from .mep_latency import mep_latency

STARTS = ("pulse", "mep_onset", "mep_end")
#: Flag of a trial whose EMG is silent to the end of the search.
OUTLASTS = "silent_period_outlasts_epoch"


@measure(kind="trial", unit="s", references=["10.1016/j.jneumeth.2020.108950"])
def silent_period(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    start: Literal["pulse", "mep_onset", "mep_end"] = "pulse",
    stop: float | None = None,
    shortest: float = 0.015,
    first_pulse: Any = 0.0,
    method: str | Rule = DEFAULT,
) -> np.ndarray:
    """Time from the pulse to where ongoing EMG begins to return after the response.

    The quietest lasting stretch after the pulse is found (a burst shorter than 20 ms and than the silence around it
    does not end it), then the expected moment at which activity begins to grow back, over all moments and rates of
    growth weighted by their likelihood. The muscle must be active: silence is amplitude below a quarter of the
    background's, and longer than the gaps of the background itself.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered and not rectified, of a contracted muscle.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name; the search begins with it.
    start : {"pulse", "mep_onset", "mep_end"}
        What the silent period is counted from: the absolute convention, that from :func:`mep_latency`, or the
        relative one from the end of the response (:func:`mep_duration`). They differ by some 20 to 50 ms in hands.
    stop : float, optional
        End of the search in s; the end of the epoch by default.
    shortest : float
        Shortest silence in s, of the default method.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before.
    method : str or callable
        ``"excitability"`` is what is described above. Rules in use, so that a laboratory can repeat its own past:
        ``mcd``, ``threshold_fraction``, ``half_depth``, ``sd``, ``derivative``, ``changepoint``; see
        :func:`~excitability.measures.list_silent_period_methods`. They look for the silence from the later extreme
        of the response on; their constants are those commonly used (check your paper), and none has a test against
        gaps of the background. Or your own rule, called as ``method(emg, times, window=window, baseline=baseline)``
        with the rectified trials and one (start, stop) in s a trial; it returns beginning and end of each silence,
        shape (n_trials, 2), NaN without one and with an infinite end where it outlasts the window. A rule with other
        constants is ``functools.partial`` of its function.

    Returns
    -------
    array, shape (n_trials,)
        s; NaN where there is no silence, it outlasts the epoch (see :func:`silent_period_flags`), or the response it
        is counted from is not found.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, the epoch holds less than 15 ms of background, or ``start`` or
        ``method`` is unknown.

    Notes
    -----
    See Hupfeld et al. 2020 for the consequences of the three conventions. A silence that outlasts the epoch is longer
    than any other: leaving it out makes a mean too short, see :func:`silent_period_summary`.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import silent_period
    >>> times = np.arange(-500, 1500) / 5000
    >>> loud = np.where((times > 0.03) & (times < 0.14), 3e-6, 80e-6)
    >>> x = loud * np.random.default_rng(0).standard_normal((9, times.size))
    >>> bool(np.all(abs(silent_period(x, times) - 0.14) < 0.003))
    True
    """
    if start not in STARTS:
        raise ValueError(unknown_word("silent period start", start, STARTS))
    ends = silences(x, times, window, stop, first_pulse, method, shortest)[:, 1]
    ends[np.isinf(ends)] = np.nan
    if start == "pulse":
        return ends
    ends -= mep_latency(x, times, window=window, first_pulse=first_pulse)
    if start == "mep_end":
        ends -= mep_duration(x, times, window=window, first_pulse=first_pulse)
    return ends


def silent_period_flags(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] | str = (0.015, 0.050),
    start: str = "pulse",
    stop: float | None = None,
    shortest: float = 0.015,
    first_pulse: Any = 0.0,
    method: str | Rule = DEFAULT,
) -> np.ndarray:
    """Which trials are silent to the end of the epoch; the arguments are those of :func:`silent_period`.

    Returns
    -------
    array of str, shape (n_trials,)
        ``silent_period_outlasts_epoch`` where EMG is silent and not back at the end of the search: the silent period
        is longer than that, or ends within its last 10 ms. Else empty; a trial without value and without flag has no
        silent period.

    Examples
    --------
    >>> from excitability.measures.silent_period import silent_period_flags
    >>> from excitability.simulate import silent_period_trials
    >>> x, times, truth = silent_period_trials(4, no_return=1.0, seed=1)
    >>> silent_period_flags(x, times).tolist()[0]
    'silent_period_outlasts_epoch'
    """
    x, times = np.ascontiguousarray(x, dtype=float), np.asarray(times, dtype=float)
    check_span(window, "silent_period_flags: window")
    limits = muscle_window(window) if isinstance(window, str) else window
    ends = silences(x, times, limits, stop, first_pulse, method, shortest)[:, 1]
    return np.where(np.isinf(ends), OUTLASTS, "").astype(object)
