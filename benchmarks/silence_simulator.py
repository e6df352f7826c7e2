"""Silent periods of a construction of their own: coloured Gaussian noise behind a gate that opens at once.

Nothing of the package makes these trials except coloured noise of a given spectrum; the response is a damped sine, the
contraction waxes and wanes within the sweep, and EMG comes back 49 % above its level.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

REBOUND = 0.49  # share above the background just after the return; it decays over 60 ms


def gated_noise(n, *, rate=5000.0, background=(50e-6, 100e-6), noise=4e-6, mean=0.15, sd=0.02, no_return=0.0, seed):
    """Trials (n, n_times) in V, times (s) and where EMG returns in each (s; NaN where it does not)."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(-0.1 * rate), round(0.4 * rate)) / rate
    rms = rng.uniform(*background, (n, 1))
    onset, duration = rng.normal(0.022, 0.0008, (n, 1)), rng.uniform(0.012, 0.020, (n, 1))
    end = onset + duration
    returns = np.maximum(rng.normal(mean, sd, (n, 1)), end + 0.02)
    returns[rng.random(n) < no_return] = np.inf
    since = times - returns
    gate = np.where((times > onset + 0.6 * duration) & (since < 0), 0.0, 1.0)
    gate *= np.where(since > 0, 1 + REBOUND * np.exp(-np.maximum(since, 0) / 0.06), 1.0)
    waves = rng.uniform(0.5, 2.0, (n, 1)) * times + rng.random((n, 1))
    gate *= 1 + 0.3 * rng.uniform(-1, 1, (n, 1)) * np.sin(2 * np.pi * waves)
    phase = np.clip((times - onset) / duration, 0, 1)
    response = 0.55 * rng.uniform(1e-3, 5e-3, (n, 1)) * np.sin(2 * np.pi * phase) * np.sqrt(np.sin(np.pi * phase))
    decay = 2e-3 * rng.uniform(-1, 1, (n, 1)) * np.exp(-np.maximum(times, 0) / 0.002) * (times >= 0.0008)
    emg = _coloured(n, times.size, rate, lambda f: (f / 60) / (1 + (f / 60) ** 2) / np.sqrt(1 + (f / 250) ** 4), rng)
    amplifier = _coloured(n, times.size, rate, lambda f: (1 + 20 / (f + 5)) / np.sqrt(1 + (f / 800) ** 4), rng)
    x = response + decay + rms * gate * emg + noise * amplifier
    return x, times, np.where(np.isinf(returns), np.nan, returns)[:, 0]


def _coloured(n, n_times, rate, amplitude, rng):
    """Gaussian noise of an amplitude spectrum, unit RMS."""
    length = fft.next_fast_len(2 * n_times, real=True)
    gain = amplitude(fft.rfftfreq(length, 1 / rate))
    gain[0] = 0.0
    wave = fft.irfft(fft.rfft(rng.standard_normal((n, length))) * gain)[:, :n_times]
    return wave / np.sqrt(np.mean(wave**2))
