"""Windows and areas of averaged responses."""

from __future__ import annotations

import numpy as np


def window_mask(times: np.ndarray, window: tuple[float, float], name: str) -> np.ndarray:
    """Samples within a window, both ends included; a window outside the epoch is an error."""
    start, stop = float(window[0]), float(window[1])
    sample = times[1] - times[0]
    if not start < stop:
        raise ValueError(f"{name}: window {tuple(window)} must be (start, stop) in seconds with start < stop")
    if start < times[0] - sample or stop > times[-1] + sample:
        raise ValueError(
            f"{name}: window {start:g} to {stop:g} s lies outside the epoch ({times[0]:g} to {times[-1]:g} s)"
        )
    return (times >= start - 1e-3 * sample) & (times <= stop + 1e-3 * sample)


def area(values: np.ndarray, times: np.ndarray) -> float:
    """Trapezoid area; NaN where a sample is missing."""
    return float(np.trapezoid(values, times))
