"""Ongoing EEG: a 1/f background with a known exponent, alpha and beta rhythms, blinks, hum."""

from __future__ import annotations

import numpy as np

from .background import coloured_noise
from .fields import head, nearness

_LOWEST = 0.25  # Hz
_ALPHA = (("O1", "O2", "Pz"), 0.9)  # electrodes, standard deviation of the power over frequency (Hz)
_BETA = (("C3", "C4", "Fz"), 20.0, 2.5)


def _aperiodic_gain(frequencies, exponent):
    return np.where(frequencies >= _LOWEST, np.maximum(frequencies, _LOWEST), np.inf) ** (-exponent / 2)


def _rhythm_gain(frequencies, frequency, width):
    return np.exp(-0.25 * ((frequencies - frequency) / width) ** 2)


def aperiodic(channels, n_times, sampling_rate, exponent, rms, rng):
    """Background whose power falls as 1/f**exponent, (n_channels, n_times), mean RMS over channels ``rms``."""
    mixing = _aperiodic_mixing(channels, rms)
    sources = coloured_noise(len(channels), n_times, sampling_rate, lambda f: _aperiodic_gain(f, exponent), rng)
    return mixing @ sources


def _aperiodic_mixing(channels, rms):
    mixing = head(channels)["background"]
    return rms / np.sqrt(np.mean(np.sum(mixing**2, axis=1))) * mixing


def rhythm(channels, n_times, sampling_rate, electrodes, frequency, width, rms, rng):
    """Narrow-band rhythm from dipoles under some electrodes; ``rms`` is that of the strongest channel."""
    mixing = _rhythm_mixing(channels, electrodes, rms)
    sources = coloured_noise(mixing.shape[1], n_times, sampling_rate, lambda f: _rhythm_gain(f, frequency, width), rng)
    return mixing @ sources


def _rhythm_mixing(channels, electrodes, rms):
    fields = head(channels)["radial"]
    fields = fields[:, [channels.index(name) for name in electrodes if name in channels]]
    return rms / np.sqrt(np.sum(fields**2, axis=1)).max() * fields


def coupled_rhythm(channels, n_times, sampling_rate, electrodes, frequency, width, rms, rng):
    """One narrow-band rhythm under two electrodes, a quarter of a cycle later under the second.

    ``rms`` (V) is that of each at the strongest electrode. What the two share no common source can mimic.
    """
    first = coloured_noise(1, n_times, sampling_rate, lambda f: _rhythm_gain(f, frequency, width), rng)
    spectrum = np.fft.rfft(first, axis=-1)
    later = np.fft.irfft(-1j * spectrum, n_times, axis=-1)
    mixing = np.column_stack([_rhythm_mixing(channels, [name], rms)[:, 0] for name in electrodes])
    return mixing @ np.concatenate([first, later])


def activity_density(
    channels,
    frequencies,
    sampling_rate,
    *,
    aperiodic_exponent,
    aperiodic_rms,
    alpha_frequency,
    alpha_rms,
    beta_rms,
    sensor_noise,
    coupled=None,
):
    """Cross-spectral density of the ongoing EEG without blinks and hum, (n_freqs, n_channels, n_channels), V²/Hz.

    One-sided, of the average reference; ``[f, i, j]`` is the mean of channel i times the conjugate of channel j.
    ``coupled`` holds the electrodes, frequency, width and rms of a coupled rhythm.
    """
    step = 0.01
    grid = np.arange(step, sampling_rate / 2, step)

    def unit(gain_of):
        return gain_of(frequencies) ** 2 / (np.sum(gain_of(grid) ** 2) * step)

    parts = [(_aperiodic_mixing(channels, aperiodic_rms), unit(lambda f: _aperiodic_gain(f, aperiodic_exponent)))]
    for (electrodes, frequency, width), rms in (
        ((_ALPHA[0], alpha_frequency, _ALPHA[1]), alpha_rms),
        (_BETA, beta_rms),
    ):
        mixing = _rhythm_mixing(channels, electrodes, rms)
        parts.append((mixing, unit(lambda f, at=frequency, wide=width: _rhythm_gain(f, at, wide))))
    if coupled is not None:
        electrodes, frequency, width, rms = coupled
        pair = np.column_stack([_rhythm_mixing(channels, [name], rms)[:, 0] for name in electrodes])
        later = pair * np.array([1.0, -1j])  # by a quarter of a cycle
        mixing = later.sum(axis=1, keepdims=True)
        parts.append((mixing, unit(lambda f: _rhythm_gain(f, frequency, width))))
    n = len(channels)
    sensors = sensor_noise * (np.eye(n) - 1 / n)
    parts.append((sensors, np.full(frequencies.shape, 2 / sampling_rate)))
    return sum(density[:, None, None] * (mixing @ mixing.conj().T) for mixing, density in parts)


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
    forehead = [name for name in ("Fp1", "Fp2") if name in channels]
    if not amplitude or not forehead:
        return np.zeros((len(channels), n_times))
    weight = sum(nearness(channels, name, 0.055) for name in forehead)
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
    data += rhythm(channels, n_times, sampling_rate, _ALPHA[0], alpha_frequency, _ALPHA[1], alpha_rms, rng)
    data += rhythm(channels, n_times, sampling_rate, *_BETA, beta_rms, rng)
    data += blinks(channels, n_times, sampling_rate, blink_amplitude, rng)
    data += sensor_noise * rng.standard_normal(data.shape)
    angle = 2 * np.pi * 50.0 * np.arange(n_times) / sampling_rate
    return data + line_noise * rng.uniform(0.3, 1.7, (len(channels), 1)) * np.sin(angle)
