"""Oscillations that the pulse evokes: spectral perturbation and natural frequency.

Rosanova et al. 2009, doi:10.1523/JNEUROSCI.0445-09.2009.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._evoked import window_mask
from ._registry import measure
from ._wavelets import FREQUENCIES, check_frequencies, slower, wavelet_power

_DOI = "10.1523/JNEUROSCI.0445-09.2009"


@measure(kind="epochs", unit="dB", references=[_DOI])
def trsp(
    x: np.ndarray,
    times: np.ndarray,
    *,
    frequencies: Sequence[float] = FREQUENCIES,
    baseline: tuple[float, float] = (-0.4, -0.1),
    cycles: tuple[float, float] = (3.0, 10.0),
    induced: bool = False,
) -> np.ndarray:
    """TMS-related spectral perturbation: power of Morlet wavelets over that before the pulse.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Trials, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    frequencies : sequence of float
        Hz.
    baseline : tuple of float
        s.
    cycles : tuple of float
        Cycles of the wavelet at the lowest and at the highest frequency, linear between.
    induced : bool
        Subtract the average from every trial first: what is left is not locked to the pulse.

    Returns
    -------
    ndarray, shape (n_channels, n_freqs, n_times)
        dB; 0 is no change. Within half a wavelet of the pulse and of the ends of the epoch, values mix what is on
        both sides.

    Raises
    ------
    ValueError
        When the baseline lies outside the epoch or a frequency above half the sampling rate.

    References
    ----------
    doi:10.1523/JNEUROSCI.0445-09.2009

    Examples
    --------
    >>> times = np.arange(-500, 500) / 500.0
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((60, 1, 1000)) * 1e-6
    >>> change = trsp(x, times, frequencies=[10.0, 20.0])
    >>> change.shape, bool(abs(change[..., 200:800].mean()) < 0.5)
    ((1, 2, 1000), True)
    """
    before = window_mask(times, baseline, "trsp")
    rate = (times.size - 1) / (times[-1] - times[0])
    if induced:
        x = x - x.mean(axis=0)
    wanted = check_frequencies(frequencies, rate, "trsp")
    change = np.empty((x.shape[1], wanted.size, times.size))
    for channel in range(x.shape[1]):
        power = wavelet_power(x[:, channel], rate, wanted, cycles)
        level = power[:, before].mean(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            change[channel] = 10 * np.log10(power / level)
    return change


@measure(kind="epochs", unit="Hz", references=[_DOI])
def natural_frequency(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.020, 0.200),
    baseline: tuple[float, float] = (-0.4, -0.1),
    frequencies: Sequence[float] = FREQUENCIES,
) -> float:
    """Frequency at which power rises most after the pulse in the channels given.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Trials, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window, baseline : tuple of float
        s.
    frequencies : sequence of float
        Hz, increasing.

    Returns
    -------
    float
        Hz, that of the parabola through the highest rise (dB, mean over the window and the channels) and its two
        neighbours; NaN where power rises most at either end of the frequencies: the maximum then lies outside them.

    Notes
    -----
    The interval that a protocol gives (trials left out in turn) held the value of very many trials in 93 to 97 % of
    150 simulated sessions of 30 or 100 trials; in 72 to 75 % where two frequencies rise almost alike (by 4.9 and
    4.7 dB), of which it may see one. With 3 to 10 cycles a wavelet is wide: a ringing of 18.4 Hz is found at 18.8 Hz.

    References
    ----------
    doi:10.1523/JNEUROSCI.0445-09.2009

    Examples
    --------
    >>> times = np.arange(-500, 500) / 500.0
    >>> rng = np.random.default_rng(0)
    >>> ring = np.where(times > 0, np.sin(2 * np.pi * 20 * times) * np.exp(-times / 0.15), 0)
    >>> x = 1e-6 * (rng.standard_normal((40, 1, 1000)) + 5 * ring)
    >>> bool(abs(natural_frequency(x, times) - 20) <= 2)
    True
    """
    window_mask(times, baseline, "natural_frequency")
    window_mask(times, window, "natural_frequency")
    x, times = slower(x, times, float(np.max(frequencies)))
    after = window_mask(times, window, "natural_frequency")
    # the mean of the channels first: of two that ring at 7 and at 25 Hz, a mean of the peaks would be in neither
    rise = trsp(x, times, frequencies=frequencies, baseline=baseline)[..., after].mean(axis=(0, 2))
    if not np.all(np.isfinite(rise)) or not 0 < np.argmax(rise) < rise.size - 1:
        return np.nan
    best = int(np.argmax(rise))
    shift = 0.5 * (rise[best - 1] - rise[best + 1]) / (rise[best - 1] - 2 * rise[best] + rise[best + 1])
    nearest = best + (1 if shift > 0 else -1)
    return float(frequencies[best] + abs(shift) * (frequencies[nearest] - frequencies[best]))
