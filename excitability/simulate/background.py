"""What is recorded when there is no response: amplifier noise, hum, and the interference pattern of contraction."""

from __future__ import annotations

import numpy as np
from scipy import fft, signal

from .responses import motor_unit_potentials


def coloured_noise(n, n_times, sampling_rate, amplitude_of, rng):
    """Gaussian noise (n, n_times) whose amplitude spectrum is ``amplitude_of(frequencies)``, unit RMS."""
    length = fft.next_fast_len(n_times + n_times % 2, real=True)
    length += length % 2
    frequencies = fft.rfftfreq(length, 1 / sampling_rate)
    gain = np.zeros_like(frequencies)
    gain[1:] = amplitude_of(frequencies[1:])
    power = (gain[1:-1] ** 2).sum() * 2 + gain[-1] ** 2
    spectrum = rng.standard_normal((n, len(frequencies), 2)).view(complex)[..., 0] * gain
    spectrum[:, -1] = spectrum[:, -1].real * np.sqrt(2)
    return fft.irfft(spectrum, length, overwrite_x=True)[:, :n_times] * (length / np.sqrt(2 * power))


def _rest_spectrum(frequencies):
    """Amplifier and electrode noise: white, more below 30 Hz, an EMG band, a 10 Hz high-pass, 1 kHz low-pass."""
    emg = np.exp(-0.5 * ((frequencies - 110.0) / 90.0) ** 2)
    low = (15.0 / (frequencies + 5.0)) ** 1.0
    band = 1 / np.sqrt((1 + (10.0 / frequencies) ** 4) * (1 + (frequencies / 1000.0) ** 4))
    return (0.45 + emg + low) * band


def rest_noise(n, n_times, sampling_rate, rng, hum=0.25, hum_frequency=50.0):
    """Background of a muscle at rest, unit RMS, (n, n_times).

    Parameters
    ----------
    hum : float
        Share of the RMS that is mains hum (with its third harmonic), at a random phase in each trial.
    """
    noise = coloured_noise(n, n_times, sampling_rate, _rest_spectrum, rng)
    if hum:
        angle = 2 * np.pi * hum_frequency * np.arange(n_times) / sampling_rate
        phase = rng.uniform(0, 2 * np.pi, (n, 1))
        wave = np.sin(angle + phase) + 0.3 * np.sin(3 * (angle + phase) + 0.7)
        noise = noise * np.sqrt(1 - hum**2) + wave * (hum / np.sqrt((1 + 0.3**2) / 2))
    return noise


def interference_pattern(n_times, sampling_rate, rng, n_units=45, n_kernels=6):
    """EMG of a steady contraction, unit RMS, (n_times,): motor units firing at 7 to 18 Hz with a little jitter."""
    duration = n_times / sampling_rate
    kernels = motor_unit_potentials(rng, n_kernels, sampling_rate, widening=1.6)
    sizes = np.exp(rng.uniform(0.0, np.log(12.0), n_units))
    trains = np.zeros((n_kernels, n_times + 1))
    for unit in range(n_units):  # a loop over units, not samples
        period = 1 / rng.uniform(7.0, 18.0)
        count = int(duration / period * 1.5) + 20
        gaps = period * np.maximum(1 + 0.18 * rng.standard_normal(count), 0.3)
        place = (np.cumsum(gaps) - rng.uniform(0, 5 * period)) * sampling_rate
        place = place[(place >= 0) & (place < n_times)]
        bin_, part = place.astype(int), place % 1.0
        train = trains[unit % n_kernels]
        np.add.at(train, bin_, sizes[unit] * (1 - part))
        np.add.at(train, bin_ + 1, sizes[unit] * part)
    pattern = signal.oaconvolve(trains[:, :n_times], kernels, axes=1)[:, :n_times].sum(axis=0)
    pattern -= pattern.mean()
    return pattern / np.sqrt(np.mean(pattern**2))


def active_background(n, n_times, sampling_rate, rng):
    """Interference pattern cut into trials, unit RMS on average, (n, n_times)."""
    gap = round(0.05 * sampling_rate)
    pattern = interference_pattern(n * (n_times + gap), sampling_rate, rng)
    return np.ascontiguousarray(pattern.reshape(n, n_times + gap)[:, :n_times])
