"""Phase locking: how alike the phase of an oscillation is from trial to trial.

Inter-trial coherence, the phase-locking factor of Tallon-Baudry et al. 1996, doi:10.1523/JNEUROSCI.16-13-04240.1996.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._evoked import window_mask
from ._registry import measure
from ._wavelets import FREQUENCIES, check_frequencies, slower, wavelet_courses

_DOI = "10.1523/JNEUROSCI.16-13-04240.1996"


@measure(kind="epochs", unit="1", references=[_DOI])
def phase_locking(
    x: np.ndarray,
    times: np.ndarray,
    *,
    frequencies: Sequence[float] = FREQUENCIES,
    cycles: tuple[float, float] = (3.0, 10.0),
    unbiased: bool = False,
) -> np.ndarray:
    """Length of the mean phase vector over trials, at each frequency and time.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Trials, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    frequencies : sequence of float
        Hz.
    cycles : tuple of float
        Cycles of the wavelet at the lowest and at the highest frequency, linear between.
    unbiased : bool
        Give the squared length free of what chance adds to it, ``(n L² − 1) / (n − 1)``; it may be below 0.

    Returns
    -------
    ndarray, shape (n_channels, n_freqs, n_times)
        From 0 to 1. Chance alone gives about ``0.89 / sqrt(n_trials)``: compare conditions with equal numbers of
        trials, or use ``unbiased``. Any response that is the same in every trial locks the phase, without an
        oscillation being there; and a wavelet sees the pulse up to half its length away.

    Raises
    ------
    ValueError
        When a frequency lies above half the sampling rate.

    References
    ----------
    doi:10.1523/JNEUROSCI.16-13-04240.1996

    Examples
    --------
    >>> times = np.arange(-500, 500) / 500.0
    >>> noise = np.random.default_rng(0).standard_normal((100, 1, 1000))
    >>> locked = np.where(times > 0, 10 * np.sin(2 * np.pi * 20 * times), 0)
    >>> course = phase_locking(noise + locked, times, frequencies=[20.0])[0, 0]
    >>> bool(course[700:800].min() > 0.9), bool(course[200:400].mean() < 0.15)
    (True, True)
    """
    rate = (times.size - 1) / (times[-1] - times[0])
    wanted = check_frequencies(frequencies, rate, "phase_locking")
    locking = np.empty((x.shape[1], wanted.size, times.size))
    for channel in range(x.shape[1]):
        for row, course in enumerate(wavelet_courses(x[:, channel], rate, wanted, cycles)):
            with np.errstate(divide="ignore", invalid="ignore"):
                locking[channel, row] = np.abs(np.mean(course / np.abs(course), axis=0))
    if not unbiased:
        return locking
    n = len(x)
    return (n * locking**2 - 1) / (n - 1) if n > 1 else np.full_like(locking, np.nan)


@measure(kind="epochs", unit="1", references=[_DOI])
def band_phase_locking(
    x: np.ndarray,
    times: np.ndarray,
    *,
    band: tuple[float, float] = (8.0, 30.0),
    window: tuple[float, float] = (0.020, 0.200),
    unbiased: bool = True,
) -> np.ndarray:
    """Phase locking of each channel, mean over a band and a window.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Trials, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    band : tuple of float
        Hz, both ends included, in steps of 1 Hz.
    window : tuple of float
        s.
    unbiased : bool
        As of :func:`phase_locking`: 0 is chance, whatever the number of trials.

    Returns
    -------
    ndarray, shape (n_channels,)

    Examples
    --------
    >>> times = np.arange(-500, 500) / 500.0
    >>> noise = np.random.default_rng(0).standard_normal((60, 1, 1000))
    >>> bool(abs(band_phase_locking(noise, times)[0]) < 0.05)
    True
    """
    window_mask(times, window, "band_phase_locking")
    frequencies = np.arange(band[0], band[1] + 1e-9)
    x, times = slower(x, times, float(frequencies.max()))
    inside = window_mask(times, window, "band_phase_locking")
    locking = phase_locking(x, times, frequencies=tuple(frequencies), unbiased=unbiased)
    return locking[..., inside].mean(axis=(1, 2))
