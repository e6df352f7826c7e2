"""What pulses leave on the electrodes of an EEG that is no brain: ringing, decays, scalp muscle, the recharge."""

from __future__ import annotations

import numpy as np

from ..schema import unknown_word
from .fields import nearness

DECAYS = ("none", "exponential", "power")
_RECHARGE = (300e-6, 0.0006)  # V, s


def pulse_on_scalp(times, channels, electrode, n, decay, decay_amplitude, muscle_amplitude, ringing, rng):
    """What one pulse leaves on the electrodes, (n_trials, n_channels, n_times)."""
    if decay not in DECAYS:
        raise ValueError(unknown_word("decay", decay, DECAYS))
    near = nearness(channels, electrode, 0.045)
    after = np.where(times >= -1e-9, np.maximum(times, 0.0), np.inf)
    pulse = np.exp(-after / ringing) * np.where(after < 1, np.cos(2 * np.pi * 310.0 * np.minimum(after, 1)), 0)
    signs = rng.choice([-1.0, 1.0], len(channels))
    fixed = (4e-3 * (0.2 + near) * signs)[:, None] * pulse
    if decay != "none":
        constants = rng.uniform(0.008, 0.014, (len(channels), 1))
        tail = np.exp(-after / constants) if decay == "exponential" else (1 + after / (constants / 3)) ** -1.3
        fixed = fixed + (decay_amplitude * (0.1 + near) * signs)[:, None] * np.where(after < 1, tail, 0)
    block = fixed * (1 + 0.15 * rng.standard_normal((n, 1, 1)))
    if muscle_amplitude:  # scalp muscle: a burst of a few milliseconds at the lateral electrodes near the coil
        temporal = nearness(channels, "F7" if electrode == "F3" else "T7", 0.05)
        burst = np.exp(-0.5 * ((times - 0.007) / 0.0035) ** 2) * np.sin(2 * np.pi * 105.0 * (times - 0.004))
        burst = np.where(times > 0, burst, 0.0)
        gain = muscle_amplitude * (1 + 0.25 * rng.standard_normal((n, 1, 1)))
        block = block + gain * temporal[:, None] * burst
    return block


def recharge_on_scalp(times, channels, electrode, delay):
    """The jump when the stimulator loads its capacitors, (n_channels, n_times)."""
    since = np.where(times >= delay - 1e-9, times - delay, np.inf)
    size, constant = _RECHARGE
    return size * (0.2 + nearness(channels, electrode, 0.06))[:, None] * np.exp(-since / constant)
