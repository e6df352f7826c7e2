"""Whether a recording was filtered across the pulse before it came here.

Nothing that a pulse does can be seen before it. A filter that runs both ways over it spreads the artefact to earlier
samples, and a narrow one-way filter smears it over later ones (Rogasch et al. 2017,
doi:10.1016/j.neuroimage.2016.10.031).
"""

from __future__ import annotations

from typing import Any

import mne
import numpy as np

from ._instance import data_of, eeg_picks, facts_of, pulse_samples, pulses_of_trials

_LOOK = (-0.014, -0.003)  # s before the first pulse: nearer to it lies what the amplifier's own filter does
_QUIET = (-0.045, -0.018)
_SIZE = 3e-6  # V; a smaller smear harms no response
_CHANCE = 6.0  # standard errors
_SHARE = 0.2  # of the channels
_NARROW = 150.0  # Hz
_SLOWEST = 0.5  # Hz; amplifiers are coupled directly, or with 10 s and more


def smear(inst: Any) -> str:
    """What shows that the EEG was filtered across its pulses; empty when nothing does.

    Parameters
    ----------
    inst : mne.io.Raw or mne.Epochs
        With the pulse artefact still there.

    Returns
    -------
    str
        One clause for the log.

    Examples
    --------
    >>> rng, times = np.random.default_rng(0), np.arange(-200, 200) / 1000.0
    >>> x = 1e-6 * rng.standard_normal((20, 4, 400)) + 4e-3 * (times == 0)
    >>> info = mne.create_info(4, 1000.0, "eeg")
    >>> smear(mne.EpochsArray(x, info, tmin=-0.2, verbose="error"))
    ''
    >>> low_passed = mne.filter.filter_data(x, 1000.0, None, 80.0, verbose="error")
    >>> smear(mne.EpochsArray(low_passed, info, tmin=-0.2, verbose="error"))[:36]
    'filtered across the pulse beforehand'
    """
    lowpass = float(inst.info["lowpass"] or np.inf)
    told = f"filtered across the pulse beforehand (low-pass {lowpass:g} Hz)" if lowpass <= _NARROW else ""
    highpass = float(inst.info["highpass"] or 0.0)
    if not told and highpass >= _SLOWEST:  # an artefact leaves a tail of the other sign, of a fit of a decay too
        told = f"filtered across the pulse beforehand (high-pass {highpass:g} Hz)"
    pieces = _before_pulses(inst)
    if pieces is None or len(pieces) < 4:
        return told
    rate = float(inst.info["sfreq"])
    times = _QUIET[0] + np.arange(pieces.shape[-1]) / rate
    quiet, look = times <= _QUIET[1] + 1e-9, (times >= _LOOK[0] - 1e-9) & (times <= _LOOK[1] + 1e-9)
    if quiet.sum() < 4 or not look.any():
        return told
    # the background has a slope, and it is the same before the pulse: what bends off it is of the pulse
    design = np.vander(times, 2)
    rest = pieces - pieces[..., quiet] @ np.linalg.pinv(design[quiet]).T @ design.T
    average = np.abs(rest[..., look].mean(axis=0))
    error = rest[..., look].std(axis=0, ddof=1) / np.sqrt(len(rest))
    hit = ((average > _CHANCE * error) & (average > _SIZE)).any(axis=1)
    if hit.mean() < _SHARE:
        return told
    return (
        f"filtered across the pulse beforehand: up to {1e6 * average.max():.0f} µV locked to the pulse "
        f"{-1e3 * _LOOK[1]:g} to {-1e3 * _LOOK[0]:g} ms before it"
    )


def _before_pulses(inst: Any) -> np.ndarray | None:
    """What precedes the first pulse of each trial, (n_pulses, n_good_channels, n_samples); None for nothing."""
    picks = eeg_picks(inst)
    rate = float(inst.info["sfreq"])
    offsets = np.arange(round(_QUIET[0] * rate), round(_LOOK[1] * rate) + 1)
    data = data_of(inst)
    if isinstance(inst, mne.io.BaseRaw):
        samples = pulse_samples(inst)
        alone = np.diff(samples, prepend=-(10**9)) > -2 * offsets[0]
        samples = samples[alone & (samples + offsets[0] >= 0)]
        return data[picks][:, samples[:, None] + offsets].transpose(1, 0, 2) if len(samples) else None
    parts = []
    for pulses, rows in pulses_of_trials(inst):
        if not pulses:
            continue
        start = round((min(pulses) - float(inst.times[0])) * rate) + int(offsets[0])
        if start >= 0:
            parts.append(data[np.ix_(rows, picks, start + np.arange(len(offsets)))])
    return np.concatenate(parts) if parts else None


def filtered_across_pulse(inst: Any) -> bool:
    """Whether an earlier :func:`remove_pulse` found the recording filtered across its pulses."""
    return any(record.get("smeared") for record in facts_of(inst).get("cleaning", []))
