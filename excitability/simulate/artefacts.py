"""What the stimulator leaves on an EMG electrode, in four families."""

from __future__ import annotations

import numpy as np

from ..schema import unknown_word

RAIL = 10e-3  # V; where a saturating amplifier clips


def _none(times, n, rng):
    return np.zeros((n, len(times)))


def _decay(times, n, rng):
    """Spike of some millivolts and an exponential that is over after 15 ms."""
    sign = rng.choice([-1.0, 1.0])
    size = rng.uniform(0.5e-3, 3e-3) * np.exp(0.15 * rng.standard_normal((n, 1)))
    constant = rng.uniform(0.0012, 0.0033) * np.exp(0.05 * rng.standard_normal((n, 1)))
    return sign * size * (np.exp(-times / constant) - 2.5 * np.exp(-times / 0.0004))


def _ringing(times, n, rng):
    """Damped oscillation of the input stage, 150 to 500 Hz, over after 15 ms."""
    size = rng.uniform(0.5e-3, 3e-3) * np.exp(0.15 * rng.standard_normal((n, 1)))
    frequency = rng.uniform(150.0, 500.0)
    constant = rng.uniform(0.0012, 0.003) * np.exp(0.05 * rng.standard_normal((n, 1)))
    phase = rng.uniform(0, 2 * np.pi) + 0.1 * rng.standard_normal((n, 1))
    return size * np.sin(2 * np.pi * frequency * times + phase) * np.exp(-times / constant)


def _saturation(times, n, rng):
    """The amplifier sits at its rail for 2 to 5 ms, recovers, and overshoots a little."""
    sign = rng.choice([-1.0, 1.0])
    clipped = rng.uniform(0.002, 0.005) * np.exp(0.05 * rng.standard_normal((n, 1)))
    constant = rng.uniform(0.0008, 0.0013)
    recovery = RAIL * np.exp(-(times - clipped) / constant)
    overshoot = 0.08 * RAIL * np.exp(-(times - clipped) / 0.0025) * (1 - np.exp(-times / 0.003))
    return sign * np.clip(recovery - overshoot, -RAIL, RAIL)


ARTEFACTS = {"none": _none, "decay": _decay, "ringing": _ringing, "saturation": _saturation}


def pulse_artefact(times, n, kind, rng):
    """Artefact of one pulse at t = 0 in ``n`` trials, (n, n_times), volts.

    Parameters
    ----------
    times : array, (n_times,)
        Seconds from the pulse.
    kind : str
        ``none``, ``decay``, ``ringing`` or ``saturation``.
    """
    if kind not in ARTEFACTS:
        raise ValueError(unknown_word("artefact", kind, ARTEFACTS))
    artefact = np.zeros((n, len(times)))
    after = times > -1e-9
    artefact[:, after] = ARTEFACTS[kind](times[after], n, rng)
    return artefact


def shock_artefact(times, n):
    """Artefact of an electrical shock at t = 0 in ``n`` trials, (n, n_times), volts: over after 1.5 ms."""
    wave = np.where(times > -1e-9, 2e-3 * np.exp(-np.maximum(times, 0.0) / 0.0003), 0.0)
    return np.tile(wave, (n, 1))


def saturate(x, kind):
    """Clip at the amplifier's rail, where the family of artefact says that the amplifier has one."""
    return np.clip(x, -RAIL, RAIL) if kind == "saturation" else x
