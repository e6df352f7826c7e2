"""Ongoing EEG: a 1/f background with a known exponent, alpha and beta rhythms, blinks, hum."""

from __future__ import annotations

import numpy as np

from .background import coloured_noise
from .fields import head, nearness


def aperiodic(channels, n_times, sampling_rate, exponent, rms, rng):
    """Background whose power falls as 1/f**exponent, (n_channels, n_times), mean RMS over channels ``rms``."""
    mixing = head(channels)["background"]

    def spectrum(frequencies):
        return np.where(frequencies >= 0.25, np.maximum(frequencies, 0.25), np.inf) ** (-exponent / 2)

    sources = coloured_noise(len(channels), n_times, sampling_rate, spectrum, rng)
    scale = rms / np.sqrt(np.mean(np.sum(mixing**2, axis=1)))
    return scale * mixing @ sources


def rhythm(channels, n_times, sampling_rate, electrodes, frequency, width, rms, rng):
    """Narrow-band rhythm from dipoles under some electrodes; ``rms`` is that of the strongest channel."""
    fields = head(channels)["radial"]
    fields = fields[:, [channels.index(name) for name in electrodes if name in channels]]
    sources = coloured_noise(
        fields.shape[1],
        n_times,
        sampling_rate,
        lambda f: np.exp(-0.25 * ((f - frequency) / width) ** 2),
        rng,
    )
    strength = np.sqrt(np.sum(fields**2, axis=1)).max()
    return rms / strength * fields @ sources


def blinks(channels, n_times, sampling_rate, amplitude, rng, every=6.0):
    """Eye blinks, (n_channels, n_times), about one every ``every`` seconds, largest at the forehead."""
    trace = np.zeros(n_times)
    if amplitude:
        width = round(0.35 * sampling_rate)
        shape = np.hanning(width) ** 1.5
        count = max(int(n_times / sampling_rate / every), 1)
        starts = rng.integers(0, max(n_times - width, 1), count)
        sizes = amplitude * rng.uniform(0.7, 1.3, count)
        np.add.at(trace, np.minimum(starts[:, None] + np.arange(width), n_times - 1), sizes[:, None] * shape)
    weight = nearness(channels, "Fp1", 0.055) + nearness(channels, "Fp2", 0.055)
    return (weight / weight.max())[:, None] * trace


def ongoing_eeg(
    channels,
    n_times,
    sampling_rate,
    rng,
    *,
    aperiodic_exponent,
    aperiodic_rms,
    alpha_frequency,
    alpha_rms,
    beta_rms,
    blink_amplitude,
    line_noise,
    sensor_noise,
):
    """Sum of everything that goes on in an EEG without stimulation, (n_channels, n_times), volts."""
    data = aperiodic(channels, n_times, sampling_rate, aperiodic_exponent, aperiodic_rms, rng)
    data += rhythm(channels, n_times, sampling_rate, ("O1", "O2", "Pz"), alpha_frequency, 0.9, alpha_rms, rng)
    data += rhythm(channels, n_times, sampling_rate, ("C3", "C4", "Fz"), 20.0, 2.5, beta_rms, rng)
    data += blinks(channels, n_times, sampling_rate, blink_amplitude, rng)
    data += sensor_noise * rng.standard_normal(data.shape)
    angle = 2 * np.pi * 50.0 * np.arange(n_times) / sampling_rate
    return data + line_noise * rng.uniform(0.3, 1.7, (len(channels), 1)) * np.sin(angle)
