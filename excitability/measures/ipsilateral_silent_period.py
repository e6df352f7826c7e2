"""Interruption of contraction by stimulation of the motor cortex of the same side."""

from __future__ import annotations

import numpy as np

from ._registry import measure


@measure(
    kind="epochs",
    unit={
        "ipsilateral_silent_period_onset": "s",
        "ipsilateral_silent_period_duration": "s",
        "ipsilateral_silent_period_depth": "1",
        "ipsilateral_silent_period_area": "V*s",
        "ipsilateral_silent_period_normalised_area": "1",
    },
    references=["10.1016/j.clinph.2015.02.001"],
)
def ipsilateral_silent_period(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.025, 0.080),
    baseline: tuple[float, float] = (-0.1, -0.005),
    shortest: float = 0.005,
    smoothing: float = 0.003,
) -> dict[str, float]:
    """Onset, duration, depth and area of the ipsilateral silent period of the rectified average.

    The trials are rectified, averaged and smoothed. There is a silent period when the lowest point of the window lies
    more than three standard deviations of the background of that average below its mean (fewer than 5 % of averages
    without one reach that); it begins and ends where the average crosses half of the way down.

    Parameters
    ----------
    x : ndarray, shape (n_trials, 1, n_times)
        EMG of one contracting muscle (V).
    times : ndarray, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float
        Where the silent period is looked for (s).
    baseline : tuple of float
        Background before the pulse (s).
    shortest : float
        Shortest interruption that counts (s).
    smoothing : float
        Width of the moving average (s).

    Returns
    -------
    dict of float
        Beginning with ``ipsilateral_silent_period``: ``_onset`` (s from the pulse), ``_duration`` (s), ``_depth``
        (share of the background that is missing in the silent period, 0…1), ``_area`` (missing EMG, V·s),
        ``_normalised_area`` (area over background times duration of the window). All NaN when there is none.

    Raises
    ------
    ValueError
        When x holds more than one channel, or a window lies outside the epoch.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> times = np.arange(-0.1, 0.2, 1 / 5000)
    >>> strength = np.where((times > 0.035) & (times < 0.060), 0.3, 1.0)
    >>> x = 100e-6 * strength * rng.standard_normal((20, 1, times.size))
    >>> found = ipsilateral_silent_period(x, times)
    >>> abs(found["ipsilateral_silent_period_onset"] - 0.035) < 0.003
    True
    """
    if x.shape[1] != 1:
        raise ValueError(f"ipsilateral_silent_period takes one channel, got {x.shape[1]}; pick one with picks=")
    for name, span in (("window", window), ("baseline", baseline)):
        if span[0] < times[0] - 1e-9 or span[1] > times[-1] + 1e-9:
            raise ValueError(
                f"ipsilateral_silent_period: {name} {span[0]:g} to {span[1]:g} s lies outside the epoch, "
                f"{times[0]:g} to {times[-1]:g} s"
            )
    emg = x[:, 0] - x[:, 0].mean(axis=-1, keepdims=True)
    trace = _smooth(np.abs(emg).mean(axis=0), max(1, round(smoothing / float(times[1] - times[0]))))
    before = (times >= baseline[0]) & (times <= baseline[1])
    inside = np.flatnonzero((times >= window[0]) & (times <= window[1]))
    level, spread = float(trace[before].mean()), float(trace[before].std())
    found = _stretch(trace, inside, level, spread)
    step = float(times[1] - times[0])
    names = ("onset", "duration", "depth", "area", "normalised_area")
    if found is None or (found[1] - found[0]) * step < shortest or not level > 0:
        return {f"ipsilateral_silent_period_{name}": float("nan") for name in names}
    start, stop = found
    missing = level - trace[start:stop]
    area = float(missing.sum() * step)
    values = (
        float(times[start]),
        (stop - start) * step,
        float(missing.mean() / level),
        area,
        area / (level * (window[1] - window[0])),
    )
    return {f"ipsilateral_silent_period_{name}": value for name, value in zip(names, values, strict=True)}


def _smooth(trace: np.ndarray, width: int) -> np.ndarray:
    """Moving average that keeps the ends."""
    width += 1 - width % 2
    padded = np.pad(trace, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def _stretch(trace: np.ndarray, inside: np.ndarray, level: float, spread: float) -> tuple[int, int] | None:
    """Samples around the lowest point of the window that stay below half of its depth."""
    lowest = int(inside[np.argmin(trace[inside])])
    if not trace[lowest] < level - 3 * spread:
        return None
    # the lowest sample is an extreme of noise: the floor is the mean around it
    near = trace[max(lowest - 10, 0) : lowest + 11]
    half = (level + float(near.mean())) / 2
    start, stop = lowest, lowest
    while start > inside[0] and trace[start - 1] < half:
        start -= 1
    while stop < inside[-1] and trace[stop + 1] < half:
        stop += 1
    return start, stop + 1
