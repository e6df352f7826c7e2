"""Contralateral silent period of the rectified average."""

from __future__ import annotations

import numpy as np

from ._named_rules import Rule
from ._registry import measure
from ._responses import find_responses
from ._silence_rules import rule_of
from ._windows import BASELINE, window_samples

_NAME = "silent_period_average"


@measure(
    kind="epochs",
    unit={
        "silent_period_average_onset": "s",
        "silent_period_average_end": "s",
        "silent_period_average_duration": "s",
        "silent_period_average_from_mep_onset": "s",
    },
    references=["10.1016/j.jneumeth.2020.108950"],
)
def silent_period_average(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.015, 0.050),
    baseline: tuple[float, float] = BASELINE,
    stop: float | None = None,
    method: str | Rule = "half_depth",
) -> dict[str, float]:
    """Beginning and end of the silent period on the average of the rectified trials.

    Where single trials differ, the average returns slowly: by ``half_depth`` the end is where half of the activity is
    back, which is the median of the trials' ends and half of the time that activity takes to grow back (some 4 ms).
    The other rules mark the first returns or the last, as their limit is low or high.

    Parameters
    ----------
    x : ndarray, shape (n_trials, 1, n_times)
        EMG of one contracting muscle (V), not rectified.
    times : ndarray, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name; the silence is looked for from its highest point on.
    baseline : tuple of float
        Background before the pulse (s).
    stop : float, optional
        End of the search in s; the end of the epoch by default.
    method : str or callable
        A rule of :func:`~excitability.measures.list_silent_period_methods`, applied to the rectified average, or your
        own; see :func:`silent_period`. ``"excitability"`` is for single trials only.

    Returns
    -------
    dict of float
        ``silent_period_average_onset`` and ``_end`` (s from the pulse; the end is the absolute silent period),
        ``_duration`` (end minus onset, the relative one) and ``_from_mep_onset`` (end minus the median latency of
        the trials' responses). NaN where EMG does not fall silent, or is not back before the end of the search.

    Raises
    ------
    ValueError
        When x holds more than one channel, a window lies outside the epoch, or the method is unknown.

    Examples
    --------
    >>> from excitability.measures import silent_period_average
    >>> from excitability.simulate import silent_period_trials
    >>> x, times, truth = silent_period_trials(15, silent_period_mean=0.15, silent_period_sd=0.008, seed=2)
    >>> found = silent_period_average(x[:, None], times)
    >>> bool(abs(found["silent_period_average_end"] - truth["silent_period"].median() - 0.004) < 0.006)
    True
    """
    if x.shape[1] != 1:
        raise ValueError(f"{_NAME} takes one channel, got {x.shape[1]}; pick one with picks=")
    if isinstance(method, str) and method == "excitability":
        raise ValueError(f"{_NAME}: method 'excitability' is for single trials; type 'half_depth' or another rule")
    rule = rule_of(method)
    search, until = window_samples(times, window, _NAME)
    last = times.size if stop is None else window_samples(times, (float(window[0]), float(stop)), _NAME)[1]
    before = slice(*window_samples(times, baseline, _NAME))
    trials = np.ascontiguousarray(x[:, 0])
    emg = np.abs(trials - trials[:, before].mean(axis=1, keepdims=True)).mean(axis=0)
    onset = end = latency = float("nan")
    if np.isfinite(emg[search:last]).all():
        limits = (times[search + int(emg[search : min(until, last - 2)].argmax())], times[last - 1])
        onset, end = np.asarray(rule(emg[None], times, window=limits, baseline=baseline), dtype=float)[0]
        end = float("nan") if np.isinf(end) else end
        onsets = find_responses(trials, times, window, 0.0, name=_NAME).onset
        latency = float(np.nanmedian(onsets)) if np.isfinite(onsets).any() else latency
    values = {"onset": onset, "end": end, "duration": end - onset, "from_mep_onset": end - latency}
    return {f"{_NAME}_{name}": float(value) for name, value in values.items()}
