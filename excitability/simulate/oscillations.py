"""Oscillations after the pulse, locked to it or not, and what time-frequency measures make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fields import topography


@dataclass(frozen=True)
class Oscillation:
    """A burst that each pulse evokes, with a Gaussian envelope.

    Attributes
    ----------
    frequency : float
        Hz.
    amplitude : float
        V, at the strongest electrode and the peak of the envelope.
    electrode : str
        Above the dipole.
    latency, width : float
        Peak and standard deviation of the envelope, s from the pulse.
    locking : float
        Length of the mean phase vector over trials: 1 for the same phase in every trial (evoked), 0 for any phase
        (induced).
    """

    frequency: float = 20.0
    amplitude: float = 4e-6
    electrode: str = "Cz"
    latency: float = 0.11
    width: float = 0.04
    locking: float = 0.0

    def phases(self, n, rng):
        """Phase of ``n`` trials (rad): normal around 0, wrapped, so that the mean vector has the length stated."""
        if not 0 <= self.locking <= 1:
            raise ValueError(f"locking={self.locking}: expected 0 (any phase) to 1 (the same phase in every trial)")
        if self.locking == 0:
            return rng.uniform(0, 2 * np.pi, n)
        return np.sqrt(-2 * np.log(self.locking)) * rng.standard_normal(n)

    def courses(self, times, phases):
        """Time courses (n, n_times), V at the strongest electrode; nothing before the pulse."""
        envelope = self.amplitude * np.exp(-0.5 * ((times - self.latency) / self.width) ** 2) * (times > 0)
        angle = 2 * np.pi * self.frequency * (times - self.latency)
        return envelope * np.cos(angle + np.reshape(phases, (-1, 1)))

    def field(self, channels):
        """Topography (n_channels,), 1 at the strongest electrode."""
        return topography(channels, self.electrode, 0.0)


def morlet_power(x, rate, frequencies, cycles=(3.0, 10.0)):
    """Power (n_freqs, n_times) of a course under Morlet wavelets, by convolution.

    ``cycles`` at the lowest and at the highest frequency, linear between; gain 1 for an analytic signal of that
    frequency, so that a cosine of amplitude a has a power of a² (of its analytic signal).
    """
    share = (frequencies - frequencies.min()) / max(np.ptp(frequencies), 1e-12)
    power = []
    for frequency, width in zip(frequencies, (cycles[0] + share * (cycles[1] - cycles[0])) / frequencies, strict=True):
        sd = width / (2 * np.pi)
        at = np.arange(-np.ceil(5 * sd * rate), np.ceil(5 * sd * rate) + 1) / rate
        wavelet = np.exp(-0.5 * (at / sd) ** 2) / (sd * np.sqrt(2 * np.pi) * rate) * np.exp(2j * np.pi * frequency * at)
        power.append(4 * np.abs(np.convolve(x, wavelet)[at.size // 2 : at.size // 2 + x.size]) ** 2)
    return np.array(power)


def _noise_power(at, density, frequencies, cycles=(3.0, 10.0)):
    """Mean power (n_freqs,) of noise of a one-sided density (V²/Hz, at even steps) under the same wavelets."""
    share = (frequencies - frequencies.min()) / max(np.ptp(frequencies), 1e-12)
    widths = (cycles[0] + share * (cycles[1] - cycles[0])) / frequencies
    gain = np.exp(-((widths[:, None] * (at - frequencies[:, None])) ** 2))
    return 2 * (at[1] - at[0]) * gain @ density


def time_frequency_truth(locked, free, varying, rate, times, density_of):
    """What time-frequency measures of a region find with very many trials.

    Parameters
    ----------
    locked : array, (n_channels, n_times)
        What is the same in every trial, V.
    free : array, (n_channels, n_times)
        What has another phase in every trial, V.
    varying : sequence of array, (n_channels, n_times)
        What changes in size from trial to trial: its standard deviation, V.
    rate, times
        Hz; s from the pulse, (n_times,).
    density_of : callable
        One-sided density of the background (V²/Hz) of each channel, (n_channels, n_freqs), at frequencies (Hz).

    Returns
    -------
    dict
        ``natural_frequency`` (Hz, NaN at either end), ``beta_evoked``, ``beta_induced`` (dB), ``phase_locking``.
    """
    after = (times >= 0.020 - 1e-9) & (times <= 0.200 + 1e-9)
    before = (times >= -0.4 - 1e-9) & (times <= -0.1 + 1e-9)  # where wavelets see a part of the response
    at = np.arange(0.05, 200.0, 0.05)
    density = density_of(at)

    def parts(frequencies):
        """Power (n_channels, n_freqs, n_times) of the background, of what is locked, loose, and varies."""
        noise = np.array([_noise_power(at, one, frequencies) for one in density])[..., None]
        powers = [
            np.array([morlet_power(one, rate, frequencies) for one in courses]) for courses in (locked, free, *varying)
        ]
        return noise, *powers[:2], sum(powers[2:])

    noise, evoked, loose, unsteady = parts(np.arange(4.0, 46.0))
    total = noise + evoked + loose + unsteady
    rise = 10 * np.log10(total[..., after] / total[..., before].mean(axis=2, keepdims=True))
    rise = rise.mean(axis=(0, 2))
    best = int(np.argmax(rise))
    natural = np.nan
    if 0 < best < rise.size - 1:
        left, top, right = rise[best - 1 : best + 2]
        natural = 4.0 + best + 0.5 * (left - right) / (left - 2 * top + right)
    noise, evoked, loose, unsteady = parts(np.arange(13.0, 31.0))
    induced = noise + loose + unsteady
    level = (induced + evoked)[..., before].mean(axis=2)
    ratios = {
        "beta_evoked": 1 + evoked[..., after].mean(axis=2) / level,
        "beta_induced": induced[..., after].mean(axis=2) / induced[..., before].mean(axis=2),
    }
    change = {name: np.mean(10 * np.log10(ratio.mean(axis=1))) for name, ratio in ratios.items()}
    noise, evoked, loose, unsteady = parts(np.arange(8.0, 31.0))
    fixed, turning, spread = np.sqrt(evoked), np.sqrt(loose), noise + unsteady
    locking = _locking(fixed[..., after], turning[..., after], spread[..., after]) ** 2
    return {
        "natural_frequency": float(natural),
        **{name: float(value) for name, value in change.items()},
        "phase_locking": float(np.mean(locking)),
    }


def _locking(fixed, loose, noise_power):
    """Length of the mean phase vector of a fixed and a loose phase amid complex normal noise."""
    from scipy.special import i0e, i1e

    total = np.zeros(fixed.shape)
    for angle in 2 * np.pi * (np.arange(16) + 0.5) / 16:
        vector = fixed + loose * np.exp(1j * angle)
        half = np.abs(vector) ** 2 / (2 * noise_power)
        total += np.sqrt(np.pi * half / 2) * (i0e(half) + i1e(half)) * np.cos(np.angle(vector)) / 16
    return total
