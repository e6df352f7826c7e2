"""The immediate response: fast waves 2 to 6 ms after the pulse, which only very few recordings can show."""

from __future__ import annotations

import numpy as np

from ..schema import Estimate, join_flags
from ._evoked import window_mask
from ._registry import measure

_SLOWEST = 5000.0  # Hz: the waves are little more than a millisecond apart
_NARROWEST = 1000.0  # Hz
_BEND = 0.0003  # s over which a bend is looked at: a quarter of a wave is no shorter
_DYING = 3.0  # waves of cortex are as large 4 ms after the pulse as 2 ms after it; 1 ms of ringing loses a factor of 20
_LARGEST = 0.5  # share of the largest wave that another must have to be counted


@measure(kind="average", unit={"amplitude": "V", "latency": "s", "frequency": "Hz"})
def immediate_tep(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.002, 0.006),
    lowpass: float = np.nan,
    pulse_end: float = np.nan,
) -> dict[str, float]:
    """Largest wave, latency of its first peak, and frequency of the immediate response.

    The decay under it is taken off as a parabola through the window. Recordings that cannot hold such waves are
    refused: a number from them would be of a filter or of an interpolation.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response, V; channels are averaged.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window : tuple of float
        s.
    lowpass : float
        Upper edge of the band of the recording, Hz; a protocol takes it from the recording. NaN where unknown.
    pulse_end : float
        End of what was cut out or bridged around the pulse, s; a protocol takes it from the cleaning.

    Returns
    -------
    dict
        ``amplitude`` (V): largest difference between neighbouring extremes; ``latency`` (s): of the first positive
        extreme; ``frequency`` (Hz): inverse of the mean distance of positive extremes, NaN with one. NaN with a flag:
        ``sampling_rate_too_low`` (below 5 kHz), ``low_passed`` (below 1 kHz), ``window_holds_the_pulse`` (what was cut
        out reaches into the window), ``rings_on`` (the
        trace swings three times as much in the first third of the window as later, as what the pulse sets ringing
        does), ``absent``. Muscle of the scalp and ringing of the amplifier look alike: a value
        is no evidence of cortex.

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

    Notes
    -----
    Young and little replicated; the limits here are a proposal of this project.

    Examples
    --------
    >>> times = np.arange(-500, 500) / 10000.0
    >>> x = (2e-6 * np.sin(2 * np.pi * 600 * times) * np.exp(-(((times - 0.004) / 0.0015) ** 2)))[None]
    >>> found = immediate_tep(x, times, pulse_end=0.001)
    >>> round(found["frequency"], -2), immediate_tep(x, times, pulse_end=0.010)["amplitude"].flag
    (600.0, 'window_holds_the_pulse')
    """
    inside = window_mask(times, window, "immediate_tep")
    rate = (times.size - 1) / (times[-1] - times[0])
    flag = join_flags(
        "sampling_rate_too_low" if rate < _SLOWEST * (1 - 1e-6) else "",
        "low_passed" if lowpass < _NARROWEST else "",
        "window_holds_the_pulse" if pulse_end > window[0] + 0.5 / rate else "",
    )
    course, at = x.mean(axis=0)[inside], times[inside]
    if flag or not np.all(np.isfinite(course)):
        return {key: Estimate(np.nan, flag=flag) for key in ("amplitude", "latency", "frequency")}
    if _rings(course, at):
        return {key: Estimate(np.nan, flag="rings_on") for key in ("amplitude", "latency", "frequency")}
    scaled = (at - at.mean()) / (at[-1] - at[0])
    course = course - np.polyval(np.polyfit(scaled, course, 2), scaled)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(course))) != 0) + 1
    if turns.size < 2 or np.ptp(course) < 1e-6 * np.abs(x[:, inside]).max():  # a straight line, to rounding
        return {key: Estimate(np.nan, flag="absent") for key in ("amplitude", "latency", "frequency")}
    largest = float(np.abs(np.diff(course[turns])).max())
    # a wave rises from the extreme before it: small ones are noise
    rises = np.diff(course[turns], prepend=np.nan)
    high = turns[(course[turns] > course[turns - 1]) & ~(rises < _LARGEST * largest)]
    distance = np.mean(np.diff(at[high])) if high.size > 1 else np.nan
    return {
        "amplitude": Estimate(largest),
        "latency": Estimate(float(at[high[0]]) if high.size else np.nan),
        "frequency": Estimate(float(1 / distance)),
    }


def _rings(course: np.ndarray, at: np.ndarray) -> bool:
    """Whether the trace swings most when the window begins and dies away: it rings on from the pulse."""
    reach = max(1, round(_BEND * (at.size - 1) / (at[-1] - at[0])))
    smooth = np.convolve(course, np.full(reach, 1 / reach), "valid")
    bends = np.abs(smooth[2 * reach :] - 2 * smooth[reach:-reach] + smooth[: -2 * reach])  # a slow decay has few
    first, middle, last = (float(part.max()) for part in np.array_split(bends, 3))
    return first > _DYING * max(middle, last)
