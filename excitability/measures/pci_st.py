"""Perturbational complexity by state transitions (PCIst): Comolatti et al. 2019, doi:10.1016/j.brs.2019.05.013."""

from __future__ import annotations

import numpy as np

from ..kernels.transitions import median_distance, transitions
from ..schema import Estimate, join_flags
from ._evoked import window_mask
from ._registry import measure

#: Sampling rates (Hz) at which the measure was published and compared; others give other values.
_RATES = (500.0, 1500.0)


@measure(kind="average", unit="1", references=["10.1016/j.brs.2019.05.013"])
def pci_st(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.0, 0.3),
    baseline: tuple[float, float] = (-0.4, -0.05),
    k: float = 1.2,
    min_snr: float = 1.1,
    max_variance: float = 0.99,
    n_steps: int = 100,
) -> float:
    """Complexity of a response: state transitions of its principal components beyond those of the baseline.

    The distance matrix of each component is cut at every threshold; a transition is a pair of successive samples of
    which one is nearer than the threshold to a third and the other is not. Transitions are counted at all thresholds
    at once, without the matrices: a pair (a, b) of distances is one exactly where the threshold lies between them.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response of all channels, V, with the level before the pulse already subtracted.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window, baseline : tuple of float
        Response and baseline, s, first included, last not.
    k : float
        Weight of the transitions of the baseline.
    min_snr : float
        Least ratio of response to baseline, root mean square, of a component.
    max_variance : float
        Share of the variance of the response that the components must explain.
    n_steps : int
        Thresholds.

    Returns
    -------
    float
        0 when no component stands out from the baseline; NaN when a sample is missing. Depends on sampling rate,
        filters, windows, noise and thus the number of trials: compare only sessions that share them. Flags:
        ``unusual_sampling_rate`` outside 500 to 1500 Hz, where published values do not apply (``resample`` first),
        ``baseline_not_subtracted`` where the level before the pulse is off zero by more than its own noise.

    Raises
    ------
    ValueError
        When a window lies outside the epoch.

    References
    ----------
    doi:10.1016/j.brs.2019.05.013

    Examples
    --------
    >>> times = np.arange(-500, 400) / 1000.0
    >>> noise = np.random.default_rng(0).standard_normal((8, times.size)) * 1e-7
    >>> wave = np.where(times > 0, np.sin(2 * np.pi * 20 * times) * np.exp(-times / 0.1), 0)
    >>> flat, alive = pci_st(noise, times), pci_st(noise + 5e-6 * np.outer(np.arange(8), wave), times)
    >>> bool(alive > flat >= 0)
    True
    """
    before = _half_open(times, baseline)
    after = _half_open(times, window)
    if not np.all(np.isfinite(x[:, before | after])):
        return np.nan
    components = _components(x, before, after, min_snr, max_variance)
    value = float(sum(_gain(c[before], c[after], k, n_steps) for c in components))
    rate = (times.size - 1) / (times[-1] - times[0])
    level, spread = x[:, before].mean(axis=1), x[:, before].std(axis=1)
    return Estimate(
        value,
        flag=join_flags(
            "" if _RATES[0] <= rate * (1 + 1e-6) and rate <= _RATES[1] * (1 + 1e-6) else "unusual_sampling_rate",
            "baseline_not_subtracted" if np.median(np.abs(level) - spread) > 0 else "",
        ),
    )


def _half_open(times: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    mask = window_mask(times, window, "pci_st")
    mask[np.flatnonzero(mask)[-1]] = bool(times[mask][-1] < window[1] - 1e-9)
    return mask


def _components(
    x: np.ndarray, before: np.ndarray, after: np.ndarray, min_snr: float, max_variance: float
) -> np.ndarray:
    """Courses of the principal components of the response that explain it and exceed the baseline."""
    vectors, values, _ = np.linalg.svd(x[:, after], full_matrices=False)
    if values[0] == 0:
        return np.empty((0, x.shape[1]))
    share = np.cumsum(values**2) / np.sum(values**2)
    n = int(np.searchsorted(share, max_variance)) + 1
    courses = vectors[:, :n].T @ x
    noise = np.mean(courses[:, before] ** 2, axis=1)
    ratio = np.sqrt(np.mean(courses[:, after] ** 2, axis=1) / np.maximum(noise, np.finfo(float).tiny))
    return courses[ratio > min_snr]


def _gain(before: np.ndarray, after: np.ndarray, k: float, n_steps: int) -> float:
    before, after = np.ascontiguousarray(before), np.ascontiguousarray(after)
    lowest, highest = median_distance(before), float(np.ptp(after))
    thresholds = np.linspace(lowest, highest, n_steps)
    if highest < lowest:
        thresholds = thresholds[::-1].copy()
    counts = [transitions(part, thresholds) / part.size**2 for part in (before, after)]
    return max(float((counts[1] - k * counts[0]).max()), 0.0) * len(after)
