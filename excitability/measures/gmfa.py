"""Global and local mean field amplitude: how far the scalp, or a part of it, is from being flat at each moment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..schema import Estimate
from ._evoked import area, window_mask
from ._registry import measure

_DOI = "10.1016/0013-4694(80)90419-8"


@measure(kind="course", unit="V", references=[_DOI])
def gmfa(x: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Standard deviation over all channels at each time, divisor n (Lehmann & Skrandies 1980).

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response, V. The reference does not matter.
    times : ndarray, shape (n_times,)

    Returns
    -------
    ndarray, shape (n_times,)
        V.

    References
    ----------
    doi:10.1016/0013-4694(80)90419-8

    Examples
    --------
    >>> round(float(gmfa(np.array([[1.0, 1], [-1, 1], [0, 1]]), np.array([0, 0.001]))[0]), 6)
    0.816497
    """
    return x.std(axis=0)


@measure(kind="course", unit="V", references=[_DOI])
def lmfa(x: np.ndarray, times: np.ndarray, picks: Sequence[int] | None = None) -> np.ndarray:
    """Standard deviation over the channels of a region at each time, divisor n.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response, V.
    times : ndarray, shape (n_times,)
    picks : sequence of int, optional
        Rows of the region; all by default.

    Returns
    -------
    ndarray, shape (n_times,)
        V.

    Raises
    ------
    ValueError
        When fewer than two channels are picked: one alone has no field.

    Examples
    --------
    >>> lmfa(np.array([[1.0, 1], [-1, 1], [5, 5]]), np.array([0, 0.001]), picks=[0, 1]).tolist()
    [1.0, 0.0]
    """
    chosen = x if picks is None else x[list(picks)]
    if len(chosen) < 2:
        raise ValueError(f"lmfa needs at least two channels, not {len(chosen)}")
    return chosen.std(axis=0)


@measure(kind="average", unit="V*s", references=[_DOI])
def gmfa_area(x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.020, 0.250)) -> float:
    """Area under the global mean field amplitude.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window : tuple of float
        s.

    Returns
    -------
    float
        V·s; NaN for one channel, which has no field. Noise adds to it, more with fewer trials: compare sessions with
        the same number of trials.

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

    Examples
    --------
    >>> times = np.arange(0, 301) / 1000.0
    >>> x = np.outer([1e-6, -1e-6], np.ones_like(times))
    >>> round(gmfa_area(x, times, window=(0.1, 0.2)) * 1e6, 6)
    0.1
    """
    inside = window_mask(times, window, "gmfa_area")
    if len(x) < 2:
        return Estimate(np.nan, flag="too_few_channels")
    return area(x[:, inside].std(axis=0), times[inside])


@measure(kind="average", unit="V*s", references=[_DOI])
def lmfa_area(x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.020, 0.250)) -> float:
    """Area under the local mean field amplitude of the channels given.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response of the channels of a region, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window : tuple of float
        s.

    Returns
    -------
    float
        V·s; NaN for one channel, which has no field. Noise adds to it as to :func:`gmfa_area`.

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

    Examples
    --------
    >>> times = np.arange(0, 301) / 1000.0
    >>> round(lmfa_area(np.outer([1e-6, -1e-6], np.ones_like(times)), times, window=(0.1, 0.2)) * 1e6, 6)
    0.1
    """
    inside = window_mask(times, window, "lmfa_area")
    if len(x) < 2:
        return Estimate(np.nan, flag="too_few_channels")
    return area(x[:, inside].std(axis=0), times[inside])
