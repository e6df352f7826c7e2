"""Intervals as they were set, from intervals as they were measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

#: Longest interval that laboratories set in steps of 0.1 ms (s): SICI and SICF. Longer ones are whole milliseconds.
_FINE = 0.0065
#: How far neighbouring measurements of one interval lie apart (s), below and above: triggers fall between samples.
_APART = (60e-6, 150e-6)
#: An interval this near the middle of two steps was set there (s).
_MIDDLE = 12e-6


def nominal_intervals(intervals: ArrayLike) -> np.ndarray:
    """Settings of the stimulator behind measured intervals, so that their jitter neither moves nor splits a condition.

    Intervals next to each other (60 µs; 150 µs above 6.5 ms) are one setting, wherever a rounding border lies among
    them; it is their median to 0.1 ms, or the whole millisecond within 0.15 ms above 6.5 ms, where intervals are set in
    whole milliseconds. A setting such as 2.45 ms stays itself. Neighbours that reach too far to be jitter (a curve in
    steps of 0.1 ms) are rounded one by one.

    Parameters
    ----------
    intervals : array-like, shape (n_trials,)
        Seconds; NaN stays NaN.

    Returns
    -------
    ndarray, shape (n_trials,)

    Examples
    --------
    >>> nominal_intervals([0.00099999, 0.00101, 0.00244, 0.00246, 0.0999, 0.1001]).tolist()
    [0.001, 0.001, 0.00245, 0.00245, 0.1, 0.1]
    """
    values = np.array(intervals, dtype=float)
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return values
    order = known[np.argsort(values[known], kind="stable")]
    ordered = values[order]
    gap = np.where(np.abs(ordered[1:]) > _FINE, _APART[1], _APART[0])
    for part in np.split(order, np.flatnonzero(np.diff(ordered) > gap) + 1):
        own = values[part]
        middle = float(np.median(own))
        jitter = np.ptp(own) <= 2 * _APART[abs(middle) > _FINE] + 1e-9
        values[part] = _setting(middle) if jitter else np.round(own, 4)
    return values + 0.0  # no negative zero


def _setting(interval: float) -> float:
    whole, tenth = round(interval, 3), round(interval, 4)
    if abs(interval) > _FINE:
        return whole if abs(interval - whole) <= _APART[1] + 1e-9 else tenth
    between = (np.floor(interval * 1e4) + 0.5) / 1e4
    return round(float(between), 5) if abs(interval - between) <= _MIDDLE else tenth
