"""A simulator that no detector of ours was built with: the one the peers were first measured on, from its description.

Soft onset (the response grows as the time since its start to the power of 1.8), 20 % polyphasic, amplitude
log-normal around 0.6 mV (sigma 0.9), start N(21, 1.2) ms, a decaying artefact of 0.5 to 3 mV, 20 % of the trials
without a response. Written apart from ``excitability.simulate`` (other shapes, noise and artefact). It was used once
to bound how early an onset may lie (seed 40, with the other generators), and for nothing else.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

_FINE = 50_000.0  # Hz; where the truth is read
_FINE_BLOCK = 200


def reference_trials(
    n: int,
    *,
    noise_rms: tuple[float, float],
    seed: int,
    sampling_rate: float = 5000.0,
    active: bool = False,
    amplitude_median: float = 0.6e-3,
    amplitude_sigma: float = 0.9,
    no_response: float = 0.2,
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Trials (n, n_times) in V, times from −0.1 to 0.2 s, and the truth: ``present, onset, amplitude, noise_rms``.

    The onset is the first time at which the noise-free response exceeds 1 % of its own peak-to-peak.
    """
    rng = np.random.default_rng(seed)
    times = np.arange(round(-0.1 * sampling_rate), round(0.2 * sampling_rate)) / sampling_rate
    present = rng.random(n) >= no_response
    amplitude = amplitude_median * np.exp(amplitude_sigma * rng.standard_normal(n))
    start = rng.normal(0.021, 0.0012, n)
    shape = _Shape(n, rng)
    fine = np.arange(round(0.06 * _FINE)) / _FINE
    onset, response = np.full(n, np.nan), np.zeros((n, times.size))
    for first in range(0, n, _FINE_BLOCK):
        rows = slice(first, first + _FINE_BLOCK)
        truth = shape(rows, np.broadcast_to(fine, (len(start[rows]), fine.size)))
        size = np.ptp(truth, axis=1)
        onset[rows] = start[rows] + fine[(np.abs(truth) > 0.01 * size[:, None]).argmax(axis=1)]
        response[rows] = shape(rows, times - start[rows, None]) * (amplitude[rows] / size)[:, None]
    response[~present], onset[~present] = 0.0, np.nan
    rms = rng.uniform(*noise_rms, n)
    noise = _active_noise(n, times, start, present, rng) if active else _rest_noise(n, times.size, sampling_rate, rng)
    x = response + rms[:, None] * noise + _artefact(n, times, rng)
    truth = pd.DataFrame(
        {"present": present, "onset": onset, "amplitude": np.where(present, amplitude, 0.0), "noise_rms": rms}
    )
    return x, times, truth


class _Shape:
    """Two or three phases, each rising as u**1.8; one person's proportions with small changes from trial to trial."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        vary = np.exp(0.07 * rng.standard_normal((4, n, 1)))
        self.rise = 0.0030 * np.exp(0.1 * rng.standard_normal()) * vary[0]
        self.delay = 0.0045 * np.exp(0.1 * rng.standard_normal()) * vary[1]
        self.second = rng.uniform(0.7, 1.1) * vary[2]
        self.third = np.where(rng.random((n, 1)) < 0.2, rng.uniform(0.3, 0.8, (n, 1)), 0.0)
        self.sign = rng.choice([-1.0, 1.0])

    def __call__(self, rows: slice, u: np.ndarray) -> np.ndarray:
        rise, delay = self.rise[rows], self.delay[rows]
        wave = _phase(u, rise) - self.second[rows] * _phase(u - delay, 1.3 * rise)
        return self.sign * (wave + self.third[rows] * _phase(u - 2.2 * delay, 0.9 * rise))


def _phase(u: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """Zero before u = 0, 1 at ``rise``."""
    v = np.maximum(u, 0.0) / rise
    return v**1.8 * np.exp(0.9 * (1 - v**2))


def _rest_noise(n: int, n_times: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Unit RMS: white from the amplifier, and slower noise (first-order, 2 ms) from electrodes and muscle."""
    keep = np.exp(-1 / (0.002 * rate))
    slow = rng.standard_normal((n, n_times))
    for j in range(1, n_times):
        slow[:, j] = keep * slow[:, j - 1] + np.sqrt(1 - keep**2) * slow[:, j]
    return np.sqrt(0.65) * rng.standard_normal((n, n_times)) + np.sqrt(0.35) * slow


def _active_noise(
    n: int, times: np.ndarray, start: np.ndarray, present: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Unit RMS: noise of 20 to 300 Hz that swells and fades, silent after a response for 60 to 150 ms."""
    frequencies = np.fft.rfftfreq(times.size, times[1] - times[0])
    gain = np.exp(-0.5 * ((frequencies - 90) / 70) ** 2) * (frequencies > 20)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal((n, times.size)), axis=1) * gain, times.size, axis=1)
    noise /= noise.std()
    swell = 1 + 0.4 * np.sin(2 * np.pi * (rng.uniform(4, 12, (n, 1)) * times + rng.random((n, 1))))
    end = start + rng.uniform(0.06, 0.15, n)
    outside = np.maximum(start[:, None] + 0.003 - times, times - end[:, None]) / 0.003
    gate = np.where(present[:, None], np.clip(outside, 0.05, 1.0), 1.0)
    return noise * swell / np.sqrt(1 + 0.4**2 / 2) * gate


def _artefact(n: int, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exponential decay of 0.5 to 3 mV."""
    size = rng.choice([-1.0, 1.0]) * rng.uniform(0.5e-3, 3e-3, (n, 1))
    return np.where(times >= 0, size * np.exp(-np.maximum(times, 0) / rng.uniform(0.001, 0.003)), 0.0)
