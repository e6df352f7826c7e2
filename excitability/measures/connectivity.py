"""Coupling of the stimulated site with the rest of the scalp that common sources cannot mimic.

Imaginary coherence: Nolte et al. 2004, doi:10.1016/j.clinph.2004.04.029. Weighted phase-lag index: Vinck et al. 2011,
doi:10.1016/j.neuroimage.2011.01.055. Formulas as in mne-connectivity, to which the tests compare.
"""

from __future__ import annotations

import numpy as np

from ._registry import measure
from ._spectrum import Band, cross_spectra

_ALPHA = (8.0, 13.0)


@measure(kind="epochs", unit="1", references=["10.1016/j.neuroimage.2011.01.055"])
def alpha_wpli(x: np.ndarray, times: np.ndarray, *, band: Band = _ALPHA, n_seed: int = 1) -> float:
    """Weighted phase-lag index between a seed and the other channels, mean over pairs and frequencies.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Segments, V. The first ``n_seed`` channels are the seed: list it first in the region.
    times : ndarray, shape (n_times,)
        s.
    band : tuple of float
        Hz.
    n_seed : int
        Channels of the seed.

    Returns
    -------
    float
        0 to 1. Biased upward with few trials (below 50): compare sessions with equal numbers.

    Raises
    ------
    ValueError
        Without a channel beside the seed, or without a frequency in the band.

    References
    ----------
    doi:10.1016/j.neuroimage.2011.01.055

    Examples
    --------
    >>> times = np.arange(1000) / 500.0
    >>> phase = np.random.default_rng(0).uniform(0, 6.28, (40, 1, 1))
    >>> lag = np.array([0.0, np.pi / 2])[:, None]
    >>> x = 1e-6 * np.sin(2 * np.pi * 10 * times + phase - lag)
    >>> round(alpha_wpli(x, times, band=(10, 10)), 3)
    1.0
    """
    return wpli(*cross_spectra(x, times, band, n_seed, "alpha_wpli"))


def wpli(cross: np.ndarray, seed: np.ndarray, others: np.ndarray) -> float:
    """Weighted phase-lag index of cross-spectra, mean over pairs and frequencies; the powers do not matter."""
    above, below = np.abs(cross.imag.mean(axis=0)), np.abs(cross.imag).mean(axis=0)
    if not np.all(np.isfinite(below)):
        return np.nan
    return float(np.mean(np.divide(above, below, out=np.zeros_like(above), where=below > 0)))


@measure(kind="epochs", unit="1", references=["10.1016/j.clinph.2004.04.029"])
def alpha_imaginary_coherence(x: np.ndarray, times: np.ndarray, *, band: Band = _ALPHA, n_seed: int = 1) -> float:
    """Size of the imaginary part of coherency between a seed and the other channels, mean over pairs and frequencies.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Segments, V. The first ``n_seed`` channels are the seed: list it first in the region.
    times : ndarray, shape (n_times,)
        s.
    band : tuple of float
        Hz.
    n_seed : int
        Channels of the seed.

    Returns
    -------
    float
        0 to 1: a mixture of the same source in both channels gives 0.

    References
    ----------
    doi:10.1016/j.clinph.2004.04.029

    Examples
    --------
    >>> times = np.arange(1000) / 500.0
    >>> source = np.random.default_rng(0).standard_normal((40, 1, 1000))
    >>> x = 1e-6 * source * np.array([1.0, 0.5])[:, None]  # one source, two channels
    >>> round(alpha_imaginary_coherence(x, times), 6)
    0.0
    """
    return imaginary_coherence(*cross_spectra(x, times, band, n_seed, "alpha_imaginary_coherence"))


def imaginary_coherence(cross: np.ndarray, seed: np.ndarray, others: np.ndarray) -> float:
    """Size of the imaginary part of the coherency of cross-spectra, mean over pairs and frequencies."""
    power = np.sqrt(seed.mean(axis=0)[:, None] * others.mean(axis=0)[None])
    if not np.all(np.isfinite(power)):
        return np.nan
    imaginary = np.abs(cross.mean(axis=0).imag)
    return float(np.mean(np.divide(imaginary, power, out=np.zeros_like(power), where=power > 0)))
