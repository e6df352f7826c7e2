"""Paired-pulse indices of the evoked potential (SICI, ICF, LICI), free of the response to the conditioning pulse.

Index: Daskalakis et al. 2008, doi:10.1038/npp.2008.22. Correction: Rogasch et al. 2015,
doi:10.1016/j.cortex.2014.10.003.
"""

from __future__ import annotations

import numpy as np

from ..schema import Estimate, unknown_word
from ._evoked import area, window_mask
from ._registry import measure

_FORMS = ("ratio", "log_ratio", "percent", "percent_inhibition")
_SUBTRACT = ("conditioning", "test", "none")
_REFERENCES = ["10.1038/npp.2008.22", "10.1016/j.cortex.2014.10.003"]


@measure(kind="average", unit="1", form="ratio", over="conditioned", references=_REFERENCES)
def paired_pulse_tep(
    x: np.ndarray,
    times: np.ndarray,
    *,
    test: np.ndarray,
    conditioning: np.ndarray | None = None,
    interval: float = np.nan,
    window: tuple[float, float] = (0.020, 0.150),
    form: str = "ratio",
    subtract: str = "conditioning",
) -> float:
    """Rectified area of the response to the last pulse of a pair, relative to that of the test pulse alone.

    What the conditioning pulse evoked goes on under the response to the test pulse and is subtracted first, shifted by
    the interval. Where the pulses differ, as in SICI and ICF, it is known from trials with the conditioning pulse
    alone; where they are equal, as in LICI, the response to the test pulse alone stands for it. Channels are averaged
    before rectification.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response to pairs, V.
    times : ndarray, shape (n_times,)
        s from the last pulse.
    test : ndarray, shape (n_channels, n_times)
        Average response to the test pulse alone, V.
    conditioning : ndarray, shape (n_channels, n_times), optional
        Average response to the conditioning pulse alone, V, with that pulse at time 0.
    interval : float
        Interval between the pulses of the pair, s.
    window : tuple of float
        s after the last pulse.
    form : {"ratio", "log_ratio", "percent", "percent_inhibition"}
        ``percent`` is 100 x conditioned / test, ``percent_inhibition`` 100 x (1 - ratio).
    subtract : {"conditioning", "test", "none"}
        What stands for the response to the conditioning pulse.

    Returns
    -------
    Estimate
        Flag ``conditioning_response_not_subtracted`` where it should be and no such trials were given. Noise of few
        trials adds to both areas and draws the ratio towards 1.

    Raises
    ------
    ValueError
        For an unknown form, a correction without interval, or an epoch that ends before window plus interval.

    References
    ----------
    doi:10.1038/npp.2008.22, doi:10.1016/j.cortex.2014.10.003

    Examples
    --------
    >>> times = np.arange(-300, 500) / 1000.0
    >>> response = lambda t: -5e-6 * np.exp(-0.5 * ((t - 0.1) / 0.015) ** 2)
    >>> test, alone = response(times)[None], 0.3 * response(times)[None]  # a weak conditioning pulse
    >>> pair = 0.7 * test + 0.3 * response(times + 0.01)[None]
    >>> round(float(paired_pulse_tep(pair, times, test=test, conditioning=alone, interval=0.01)), 3)
    0.7
    """
    if form not in _FORMS:
        raise ValueError(f"paired_pulse_tep: form must be one of {', '.join(_FORMS)}, not {form!r}")
    inside = window_mask(times, window, "paired_pulse_tep")
    conditioned, alone, flag = corrected_pair(x, times, test, conditioning, interval, window, subtract)
    below = area(np.abs(alone[inside]), times[inside])
    ratio = area(np.abs(conditioned[inside]), times[inside]) / below if below > 0 else np.nan
    value = {
        "ratio": ratio,
        "log_ratio": float(np.log(ratio)) if ratio > 0 else np.nan,
        "percent": 100 * ratio,
        "percent_inhibition": 100 * (1 - ratio),
    }[form]
    return Estimate(value, flag=flag)


@measure(kind="average", unit="V", over="conditioned", references=_REFERENCES)
def paired_pulse_tep_change(
    x: np.ndarray,
    times: np.ndarray,
    *,
    test: np.ndarray,
    conditioning: np.ndarray | None = None,
    interval: float = np.nan,
    window: tuple[float, float] = (0.025, 0.035),
    subtract: str = "conditioning",
) -> float:
    """Mean amplitude in a window after the last pulse of a pair, minus that after the test pulse alone.

    Unlike a ratio of areas it is signed, noise does not move it, and it is defined where the response crosses zero: a
    P30 that shrinks is negative, an N45 that grows too.

    Parameters
    ----------
    x, times, test, conditioning, interval, window, subtract
        As of :func:`paired_pulse_tep`.

    Returns
    -------
    Estimate
        V, with the flag of :func:`paired_pulse_tep`.

    Examples
    --------
    >>> times = np.arange(-300, 500) / 1000.0
    >>> test = np.where((times > 0.02) & (times < 0.04), 4e-6, 0.0)[None]
    >>> change = paired_pulse_tep_change(0.5 * test, times, test=test, conditioning=0 * test, interval=0.002)
    >>> round(float(change) * 1e6, 3)
    -2.0
    """
    inside = window_mask(times, window, "paired_pulse_tep_change")
    conditioned, alone, flag = corrected_pair(x, times, test, conditioning, interval, window, subtract)
    return Estimate(float((conditioned - alone)[inside].mean()), flag=flag)


def corrected_pair(
    x: np.ndarray,
    times: np.ndarray,
    test: np.ndarray,
    conditioning: np.ndarray | None,
    interval: float,
    window: tuple[float, float],
    subtract: str,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Course of the pair free of its conditioning response, that of the test pulse alone, and a flag."""
    if subtract not in _SUBTRACT:
        raise ValueError(unknown_word("subtract", subtract, _SUBTRACT))
    conditioned, alone = x.mean(axis=0), np.asarray(test, dtype=float).mean(axis=0)
    if subtract == "none":
        return conditioned, alone, ""
    if subtract == "test":
        return conditioned - _shifted(alone, times, interval, window), alone, ""
    if conditioning is None:
        return conditioned, alone, "conditioning_response_not_subtracted"
    first = np.asarray(conditioning, dtype=float).mean(axis=0)
    return conditioned - _shifted(first, times, interval, window), alone, ""


def _shifted(alone: np.ndarray, times: np.ndarray, interval: float, window: tuple[float, float]) -> np.ndarray:
    """The response to one pulse as the first pulse of the pair evoked it."""
    if not interval > 0:
        raise ValueError(
            f"the correction needs the interval between the pulses in seconds, not {interval}; "
            'give interval=0.1, or take nothing off (subtract="none", correct=False)'
        )
    if window[1] + interval > times[-1] + (times[1] - times[0]):
        raise ValueError(
            f"the response to the conditioning pulse is needed up to {window[1] + interval:g} s, "
            f"but the epoch ends at {times[-1]:g} s"
        )
    return np.interp(times + interval, times, alone)
