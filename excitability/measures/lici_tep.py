"""Paired-pulse indices of the evoked potential, corrected for the response to the conditioning pulse.

Daskalakis et al. 2008, doi:10.1038/npp.2008.22 (index); Rogasch et al. 2015, doi:10.1016/j.cortex.2014.10.003
(correction).
"""

from __future__ import annotations

import numpy as np

from ._evoked import area, window_mask
from ._registry import measure

_FORMS = ("ratio", "log_ratio", "percent", "percent_inhibition")


@measure(
    kind="average",
    unit="1",
    form="ratio",
    over="conditioned",
    references=["10.1038/npp.2008.22", "10.1016/j.cortex.2014.10.003"],
)
def lici_tep(
    x: np.ndarray,
    times: np.ndarray,
    *,
    test: np.ndarray,
    interval: float = np.nan,
    window: tuple[float, float] = (0.050, 0.150),
    form: str = "ratio",
    correct: bool = True,
) -> float:
    """Rectified area of the response to the second pulse of a pair, relative to that of a single pulse.

    Serves for any pair (LICI, SICI, ICF); the window says which part of the response. Channels are averaged first.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response to pairs, V.
    times : ndarray, shape (n_times,)
        s from the last pulse.
    test : ndarray, shape (n_channels, n_times)
        Average response to single pulses, V.
    interval : float
        Interval between the pulses of the pair, s.
    window : tuple of float
        s after the last pulse.
    form : {"ratio", "log_ratio", "percent", "percent_inhibition"}
        ``percent`` is 100 x conditioned / test, ``percent_inhibition`` 100 x (1 - ratio).
    correct : bool
        Subtract the response to the single pulse, shifted back by the interval, in place of the response to the
        conditioning pulse that lies under that to the test pulse.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For an unknown form, a correction without interval, or an epoch that ends before window plus interval.

    Examples
    --------
    >>> times = np.arange(-300, 500) / 1000.0
    >>> response = lambda t: -5e-6 * np.exp(-0.5 * ((t - 0.1) / 0.015) ** 2)
    >>> single, pair = response(times)[None], (0.6 * response(times) + response(times + 0.1))[None]
    >>> round(lici_tep(pair, times, test=single, interval=0.1), 3)
    0.6
    """
    if form not in _FORMS:
        raise ValueError(f"lici_tep: form must be one of {', '.join(_FORMS)}, not {form!r}")
    inside = window_mask(times, window, "lici_tep")
    conditioned, alone = x.mean(axis=0), np.asarray(test, dtype=float).mean(axis=0)
    if correct:
        conditioned = conditioned - _shifted(alone, times, interval, window)
    below = area(np.abs(alone[inside]), times[inside])
    ratio = area(np.abs(conditioned[inside]), times[inside]) / below if below > 0 else np.nan
    return {
        "ratio": ratio,
        "log_ratio": float(np.log(ratio)) if ratio > 0 else np.nan,
        "percent": 100 * ratio,
        "percent_inhibition": 100 * (1 - ratio),
    }[form]


def _shifted(alone: np.ndarray, times: np.ndarray, interval: float, window: tuple[float, float]) -> np.ndarray:
    """The single-pulse response as the first pulse of the pair evoked it."""
    if not interval > 0:
        raise ValueError(
            f"lici_tep: the correction needs the interval between the pulses in seconds, not {interval}; "
            "give interval=0.1, or correct=False"
        )
    if window[1] + interval > times[-1] + (times[1] - times[0]):
        raise ValueError(
            f"lici_tep: the response to the conditioning pulse is needed up to {window[1] + interval:g} s, "
            f"but the epoch ends at {times[-1]:g} s"
        )
    return np.interp(times + interval, times, alone)
