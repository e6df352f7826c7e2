"""Heart beats as the muscles of the trunk and an ECG channel see them."""

from __future__ import annotations

import numpy as np

#: P wave, Q, R, S and T wave: seconds from the R wave, width (s), height relative to it.
_WAVES = (
    (-0.17, 0.022, 0.12),
    (-0.024, 0.007, -0.15),
    (0.0, 0.010, 1.0),
    (0.026, 0.009, -0.3),
    (0.25, 0.040, 0.22),
)
_REACH = (-0.3, 0.5)  # s around the R wave


def heart_beats(duration, rng, per_minute=68.0):
    """Times (s) of R waves: the rate goes with breathing (15 a minute) and is irregular by itself."""
    beats, time = [], rng.uniform(0.0, 0.8)
    while time < duration:
        beats.append(time)
        breathing = 0.05 * np.sin(2 * np.pi * 0.25 * time)
        time += 60 / per_minute * (1 + breathing + 0.02 * rng.standard_normal())
    return np.array(beats)


def heart_trace(beats, n_times, rate):
    """ECG (n_times,) whose R waves are about 1 high and go with breathing."""
    trace = np.zeros(n_times)
    samples = np.arange(round(_REACH[0] * rate), round(_REACH[1] * rate))
    for beat in beats:
        at = round(beat * rate) + samples
        t = at / rate - beat
        wave = sum(size * np.exp(-0.5 * ((t - centre) / width) ** 2) for centre, width, size in _WAVES)
        inside = (at >= 0) & (at < n_times)
        trace[at[inside]] += (1 + 0.1 * np.sin(2 * np.pi * 0.25 * beat)) * wave[inside]
    return trace
