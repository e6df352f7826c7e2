"""Peaks of the TMS-evoked potential, with rules in seconds rather than in samples."""

from __future__ import annotations

import numpy as np

from ..resources import tep_component
from ..schema import Estimate
from ._evoked import window_mask
from ._registry import measure

_TESA = "10.1016/j.neuroimage.2016.10.031"


@measure(kind="average", unit={"amplitude": "V", "latency": "s"}, references=[_TESA])
def tep_peak(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.080, 0.150),
    sign: int = -1,
    neighbourhood: float = 0.005,
    nearest: float | None = None,
    component: str = "",
) -> dict[str, float]:
    """Amplitude and latency of one component.

    The channels given are averaged. A peak is a sample that is larger than every other within ``neighbourhood`` of
    it, on both sides; of several the largest counts. Amplitude and latency are those of the parabola through the
    peak and its two neighbours. A positive peak that rides on a negative wave has a negative amplitude: it is there,
    flagged ``opposite_sign``, and :func:`tep_peak_to_peak` measures it free of what it rides on.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window : tuple of float
        Where the peak may lie, s.
    sign : int
        1 for a positive component, -1 for a negative one.
    neighbourhood : float
        How far on either side the peak must be the largest, s.
    nearest : float, optional
        Take the peak nearest to this latency (s) instead of the largest.
    component : str
        A component of ``protocols/shared/tep_components.toml``, such as "M1 N45" or "DLPFC P60", whose window, sign and
        neighbourhood are then taken. Without a name the window and sign given count, those of the N100 by default.

    Returns
    -------
    dict
        ``amplitude`` (V, signed) and ``latency`` (s); both NaN when there is no peak: an
        amplitude at a fixed latency would be another measure.

    Raises
    ------
    ValueError
        When the window lies outside the epoch or holds fewer than three samples, ``sign`` is neither 1 nor -1, or the
        component is unknown.

    References
    ----------
    doi:10.1016/j.neuroimage.2016.10.031 (there in samples)

    Examples
    --------
    >>> times = np.arange(-100, 300) / 1000.0
    >>> x = -5e-6 * np.exp(-0.5 * ((times - 0.1043) / 0.015) ** 2)[None]
    >>> peak = tep_peak(x, times, window=(0.08, 0.15), sign=-1)
    >>> round(peak["amplitude"] * 1e6, 2), round(peak["latency"], 4)
    (-5.0, 0.1043)
    >>> tep_peak(x, times, component="M1 N100") == tep_peak(x, times, window=(0.08, 0.15), sign=-1)
    True
    """
    if component:
        window, sign, neighbourhood = tep_component(component).values()
    if sign not in (1, -1):
        raise ValueError(f"tep_peak: sign must be 1 or -1, not {sign!r}")
    inside = np.flatnonzero(window_mask(times, window, "tep_peak"))
    if inside.size < 3:
        raise ValueError(
            f"tep_peak: the window {window[0]:g} to {window[1]:g} s holds {inside.size} samples at "
            f"{1 / (times[1] - times[0]):g} Hz; a peak needs 3: give a longer window or a faster recording"
        )
    course = sign * x.mean(axis=0)
    reach = max(1, round(neighbourhood / (times[1] - times[0])))
    first, last = max(inside[0] - reach, 0), min(inside[-1] + reach + 1, times.size)
    absent = {"amplitude": np.nan, "latency": np.nan}
    if not np.all(np.isfinite(course[first:last])):
        return absent
    peaks = _peaks(course, inside, reach)
    if not peaks.size:
        return absent
    best = peaks[np.argmax(course[peaks]) if nearest is None else np.argmin(np.abs(times[peaks] - nearest))]
    shift, height = _vertex(course[best - 1], course[best], course[best + 1])
    return {
        "amplitude": Estimate(float(sign * height), flag="opposite_sign" * bool(height < 0)),
        "latency": float(times[best] + shift * (times[1] - times[0])),
    }


def _peaks(course: np.ndarray, inside: np.ndarray, reach: int) -> np.ndarray:
    """Samples of ``inside`` that none within ``reach`` exceeds, and whose left neighbour is smaller."""
    inside = inside[(inside >= reach) & (inside < course.size - reach)]
    if not inside.size:
        return inside
    first = inside[0] - reach
    piece = course[first : inside[-1] + reach + 1]
    highest = np.lib.stride_tricks.sliding_window_view(piece, 2 * reach + 1).max(axis=1)
    return inside[(course[inside] == highest) & (course[inside] > course[inside - 1])]


def _vertex(left: float, middle: float, right: float) -> tuple[float, float]:
    """Where the parabola through three points one sample apart is highest (in samples), and how high."""
    curvature = left - 2 * middle + right
    if curvature >= 0:
        return 0.0, middle
    shift = 0.5 * (left - right) / curvature
    return shift, middle - 0.25 * (left - right) * shift


@measure(kind="average", unit="V", references=["10.1101/2024.12.20.629675"])
def tep_peak_to_peak(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.010, 0.020),
    second_window: tuple[float, float] = (0.020, 0.040),
    sign: int = -1,
    neighbourhood: float = 0.005,
    component: str = "",
    second_component: str = "",
) -> float:
    """Difference between two neighbouring peaks of opposite sign, such as N15 and P30.

    More reliable than either peak, since a shift of the whole response drops out.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response, V; channels are averaged.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window, second_window : tuple of float
        Where the first and the second peak may lie, s.
    sign : int
        Sign of the first peak; the second has the other.
    neighbourhood : float
        As in :func:`tep_peak`.
    component, second_component : str
        Components by name, as in :func:`tep_peak`.

    Returns
    -------
    float
        V, positive; NaN when either peak is absent.

    Examples
    --------
    >>> times = np.arange(-100, 300) / 1000.0
    >>> wave = lambda at, width: np.exp(-0.5 * ((times - at) / width) ** 2)
    >>> x = (-4e-6 * wave(0.015, 0.003) + 5e-6 * wave(0.030, 0.004))[None]
    >>> round(tep_peak_to_peak(x, times) * 1e6, 1)
    9.0
    """
    second_sign = -sign
    reach = neighbourhood
    if component:
        window, sign, neighbourhood = tep_component(component).values()
    if second_component:
        second_window, second_sign, reach = tep_component(second_component).values()
    first = tep_peak(x, times, window=window, sign=sign, neighbourhood=neighbourhood)
    second = tep_peak(x, times, window=second_window, sign=second_sign, neighbourhood=reach)
    return float(abs(second["amplitude"] - first["amplitude"]))
