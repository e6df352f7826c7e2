"""Morlet wavelets: the analytic course of each trial at each frequency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.fft import fft, ifft, irfft, next_fast_len, rfft

FREQUENCIES = tuple(float(f) for f in range(4, 46))


def check_frequencies(frequencies: Sequence[float] | float, rate: float, name: str) -> np.ndarray:
    """Frequencies (Hz) as an array; those that the sampling rate cannot hold are an error."""
    wanted = np.atleast_1d(np.asarray(frequencies, dtype=float))
    if wanted.min() <= 0 or wanted.max() >= rate / 2:
        raise ValueError(f"{name}: frequencies must lie between 0 and {rate / 2:g} Hz, half the sampling rate")
    return wanted


def slower(x: np.ndarray, times: np.ndarray, highest: float) -> tuple[np.ndarray, np.ndarray]:
    """The same trials at a rate of 6 times the highest frequency (Hz) or more: wavelets need no other.

    >>> times = np.arange(1000) / 1000.0
    >>> x, fewer = slower(np.sin(2 * np.pi * 10 * times)[None, None], times, 40.0)
    >>> fewer.size, bool(np.abs(x[0, 0] - np.sin(2 * np.pi * 10 * fewer)).max() < 0.01)
    (250, True)
    """
    rate = (times.size - 1) / (times[-1] - times[0])
    factor = max(1, int((rate + 1e-6) // (6 * highest)))
    n = times.size // factor
    if factor == 1 or n < 2:
        return x, times
    spectrum = rfft(x[..., : n * factor], axis=-1)[..., : n // 2 + 1]  # what is above would fold back
    return irfft(spectrum, n, axis=-1) / factor, times[: n * factor : factor]


def wavelet_power(x: np.ndarray, rate: float, frequencies: np.ndarray, cycles: tuple[float, float]) -> np.ndarray:
    """Power of one channel, ``x (n_trials, n_times)``, mean over trials, (n_freqs, n_times)."""
    return np.array([np.mean(np.abs(one) ** 2, axis=0) for one in wavelet_courses(x, rate, frequencies, cycles)])


def wavelet_courses(
    x: np.ndarray, rate: float, frequencies: np.ndarray, cycles: tuple[float, float]
) -> Iterator[np.ndarray]:
    """Complex courses (n_trials, n_times) of one channel, one frequency after the other.

    ``cycles`` are those of the wavelet at the lowest and at the highest frequency, linear between.
    """
    span = np.ptp(frequencies)
    share = (frequencies - frequencies.min()) / span if span else np.zeros_like(frequencies)
    widths = (cycles[0] + share * (cycles[1] - cycles[0])) / (2 * np.pi * frequencies)
    longest = int(np.ceil(5 * widths.max() * rate))
    size = next_fast_len(x.shape[-1] + 2 * longest)
    spectrum = fft(x - x.mean(axis=-1, keepdims=True), size, axis=-1)
    bins = np.fft.fftfreq(size, 1 / rate)
    for frequency, width in zip(frequencies, widths, strict=True):
        # a Morlet wavelet is a Gaussian around its frequency; negative frequencies have no part in it
        gain = np.exp(-0.5 * (2 * np.pi * width * (bins - frequency)) ** 2) * (bins >= 0)
        yield ifft(spectrum * gain, axis=-1)[:, : x.shape[-1]]
