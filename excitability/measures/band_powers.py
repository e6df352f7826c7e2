"""Band power and the individual alpha frequency of resting EEG."""

from __future__ import annotations

import numpy as np

from ._registry import measure
from ._spectrum import Band, band_power, power_spectrum

ALPHA, BETA, TOTAL = (8.0, 13.0), (13.0, 30.0), (1.0, 45.0)
_IAF = "10.1016/S0167-8760(97)00773-3"


@measure(kind="epochs", unit="V^2")
def alpha_power(x: np.ndarray, times: np.ndarray, *, band: Band = ALPHA) -> np.ndarray:
    """Power in the alpha band of each channel.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Segments, V, of 1 s or more.
    times : ndarray, shape (n_times,)
        s.
    band : tuple of float
        Hz, the upper edge left out.

    Returns
    -------
    ndarray, shape (n_channels,)
        V².

    Raises
    ------
    ValueError
        When the segments are too short or the band lies above half the sampling rate.

    Examples
    --------
    >>> times = np.arange(1000) / 500.0
    >>> x = 1e-6 * np.sqrt(2) * np.sin(2 * np.pi * 10 * times) * np.ones((4, 1, 1))
    >>> round(float(alpha_power(x, times)[0]) * 1e12, 3)
    1.0
    """
    return band_power(*power_spectrum(x, times, "alpha_power"), band, "alpha_power")


@measure(kind="epochs", unit="V^2")
def beta_power(x: np.ndarray, times: np.ndarray, *, band: Band = BETA) -> np.ndarray:
    """Power in the beta band of each channel; see :func:`alpha_power`.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Segments, V.
    times : ndarray, shape (n_times,)
        s.
    band : tuple of float
        Hz.

    Returns
    -------
    ndarray, shape (n_channels,)
        V².

    Examples
    --------
    >>> times = np.arange(1000) / 500.0
    >>> x = 1e-6 * np.sqrt(2) * np.sin(2 * np.pi * 20 * times) * np.ones((4, 1, 1))
    >>> round(float(beta_power(x, times)[0]) * 1e12, 3)
    1.0
    """
    return band_power(*power_spectrum(x, times, "beta_power"), band, "beta_power")


@measure(kind="epochs", unit="1")
def alpha_relative_power(x: np.ndarray, times: np.ndarray, *, band: Band = ALPHA, total: Band = TOTAL) -> np.ndarray:
    """Share of the power between 1 and 45 Hz that lies in the alpha band, of each channel.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Segments, V.
    times : ndarray, shape (n_times,)
        s.
    band, total : tuple of float
        Hz.

    Returns
    -------
    ndarray, shape (n_channels,)
        0 to 1; NaN for a flat channel.

    Examples
    --------
    >>> times = np.arange(1000) / 500.0
    >>> x = np.sin(2 * np.pi * 10 * times) + np.sin(2 * np.pi * 20 * times)
    >>> round(float(alpha_relative_power(1e-6 * x[None, None], times)[0]), 2)
    0.5
    """
    spectrum = power_spectrum(x, times, "alpha_relative_power")
    part = band_power(*spectrum, band, "alpha_relative_power")
    whole = band_power(*spectrum, total, "alpha_relative_power")
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


@measure(kind="epochs", unit="Hz", references=[_IAF])
def individual_alpha_frequency(
    x: np.ndarray, times: np.ndarray, *, band: Band = (7.0, 13.0), fit: Band = (2.0, 30.0)
) -> np.ndarray:
    """Centre of gravity of the alpha peak above the aperiodic background, of each channel.

    The background is a straight line of log power on log frequency outside the band, so that its fall does not draw
    the centre down.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Segments, V.
    times : ndarray, shape (n_times,)
        s.
    band : tuple of float
        Where the peak is looked for, Hz.
    fit : tuple of float
        Range of the background, Hz.

    Returns
    -------
    ndarray, shape (n_channels,)
        Hz; NaN where no frequency of the band reaches twice the background, or what chance makes of so few segments
        in one of twenty recordings, all channels and frequencies together: there is no alpha rhythm to measure.

    References
    ----------
    doi:10.1016/S0167-8760(97)00773-3

    Examples
    --------
    >>> times = np.arange(1000) / 500.0
    >>> rng = np.random.default_rng(0)
    >>> x = np.cumsum(rng.standard_normal((30, 1, 1000)), axis=-1) + 20 * np.sin(2 * np.pi * 9.5 * times)
    >>> bool(abs(individual_alpha_frequency(1e-6 * x, times)[0] - 9.5) < 0.3)
    True
    """
    frequencies, density = power_spectrum(x, times, "individual_alpha_frequency")
    inside = (frequencies >= band[0]) & (frequencies <= band[1])
    outside = (frequencies >= fit[0]) & (frequencies <= fit[1]) & ~inside
    least = max(2.0, _chance_of_noise(x, times, inside.sum() * len(density)))
    values = np.full(len(density), np.nan)
    for channel, power in enumerate(density):
        if not np.all(np.isfinite(power)) or np.any(power[outside] <= 0):
            continue
        slope, offset = np.polyfit(np.log(frequencies[outside]), np.log(power[outside]), 1)
        background = np.exp(offset + slope * np.log(frequencies[inside]))
        if np.any(power[inside] > least * background):
            excess = np.maximum(power[inside] - background, 0)
            values[channel] = np.sum(excess * frequencies[inside]) / np.sum(excess)
    return values


def _chance_of_noise(x: np.ndarray, times: np.ndarray, n_looks: int) -> float:
    """Density over its expectation that noise reaches at one of ``n_looks`` places in a twentieth of recordings."""
    from scipy.special import chdtri

    pieces = max(1, int((times[-1] - times[0] + times[1] - times[0]) / 2.0))  # segments of 2 s that share no sample
    freedom = 2 * len(x) * pieces
    low = 1.5 / freedom  # by which the line through logarithms lies below the mean, its own error among it
    return float(chdtri(freedom, 0.05 / n_looks) / freedom * np.exp(2 * low))
