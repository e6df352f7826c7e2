"""Power spectra and band power of segments."""

from __future__ import annotations

import numpy as np

Band = tuple[float, float]


def power_spectrum(x: np.ndarray, times: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Welch spectrum (Hann segments of 2 s, half overlapping), averaged over trials.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
    times : ndarray, shape (n_times,)
    name : str
        Measure, for the error message.

    Returns
    -------
    frequencies : ndarray, shape (n_freqs,)
        Hz.
    density : ndarray, shape (n_channels, n_freqs)
        V²/Hz.
    """
    from scipy.signal import welch

    rate = (times.size - 1) / (times[-1] - times[0])
    length = min(round(2 * rate), times.size)
    if length < 0.9 * rate:
        raise ValueError(f"{name}: the segments last {times.size / rate:.2g} s; at least 1 s is needed for a spectrum")
    frequencies, density = welch(x, rate, nperseg=length, axis=-1)
    return frequencies, density.mean(axis=0)


def band_power(frequencies: np.ndarray, density: np.ndarray, band: Band, name: str) -> np.ndarray:
    """Power within a band, V² (n_channels,): the sum of the density over its frequencies, the upper edge left out."""
    low, high = float(band[0]), float(band[1])
    if not 0 <= low < high <= frequencies[-1]:
        raise ValueError(f"{name}: the band {low:g} to {high:g} Hz must lie within 0 to {frequencies[-1]:g} Hz")
    inside = (frequencies >= low - 1e-9) & (frequencies < high - 1e-9)
    return density[:, inside].sum(axis=1) * (frequencies[1] - frequencies[0])


def cross_spectra(
    x: np.ndarray, times: np.ndarray, band: Band, n_seed: int, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cross-spectra of each trial between the first ``n_seed`` channels and all others, within a band.

    Returns
    -------
    cross : ndarray, shape (n_trials, n_seed, n_others, n_freqs)
    seed_power, other_power : ndarray, shape (n_trials, n_seed or n_others, n_freqs)
    """
    return crossed(*coefficients(x, times, band, n_seed, name))


def coefficients(x: np.ndarray, times: np.ndarray, band: Band, n_seed: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Fourier coefficients within a band of the seed and of the others, (n_trials, n_seed or n_others, n_freqs)."""
    if not 1 <= n_seed < x.shape[1]:
        raise ValueError(f"{name}: n_seed = {n_seed} of {x.shape[1]} channels leaves no pair; give 1 or more others")
    rate = (times.size - 1) / (times[-1] - times[0])
    centred = (x - x.mean(axis=-1, keepdims=True)) * np.hanning(times.size)
    frequencies = np.fft.rfftfreq(times.size, 1 / rate)
    inside = (frequencies >= band[0] - 1e-9) & (frequencies <= band[1] + 1e-9)
    if not inside.any():
        raise ValueError(f"{name}: no frequency of these trials lies in the band {band[0]:g} to {band[1]:g} Hz")
    values = np.fft.rfft(centred, axis=-1)[..., inside]
    return values[:, :n_seed], values[:, n_seed:]


def crossed(seed: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cross-spectra and powers, as :func:`cross_spectra`, of coefficients."""
    return seed[:, :, None] * np.conj(others[:, None]), np.abs(seed) ** 2, np.abs(others) ** 2
