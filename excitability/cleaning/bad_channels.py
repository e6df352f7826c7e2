"""Channels that carry noise of their own: found by what their neighbours cannot explain, marked, not dropped.

The noise of a channel is the residual of its prediction from all others (data-driven Wiener estimate, Mutanen et al.
2018, doi:10.1016/j.neuroimage.2017.10.021), measured away from the pulse so that large artefacts do not decide.
"""

from __future__ import annotations

from typing import Any

import mne  # noqa: F401  (used by the example)
import numpy as np

from ._instance import around_pulses, data_of, eeg_picks, pulses_of_trials
from ._passing import unchanged
from ._registry import note, step


@step(references=["10.1016/j.neuroimage.2017.10.021"])
def bad_channels(inst: Any, *, threshold: float = 5.0, flat: float = 1e-7, response: float = 0.3) -> Any:
    """Mark flat and noisy channels in ``info["bads"]``.

    Parameters
    ----------
    inst : mne.Epochs
    threshold : float
        A channel is bad when the logarithm of its own noise lies more than this many robust standard deviations
        above the median of all channels.
    flat : float
        A channel whose standard deviation is below this (V) is flat.
    response : float
        Seconds after the pulse that are not looked at.

    Returns
    -------
    cleaned : mne.Epochs
        A copy with the same data; later steps leave bad channels out, and :func:`sound` rebuilds them.

    Raises
    ------
    ValueError
        When more than a third of the channels would be bad: then the recording, not a channel, is at fault.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((5, 1, 500)) * 1e-5 + rng.standard_normal((5, 12, 500)) * 1e-6
    >>> x[:, 3] += rng.standard_normal((5, 500)) * 1e-4
    >>> epochs = mne.EpochsArray(x, mne.create_info(12, 1000.0, "eeg"), tmin=-0.1, verbose=False)
    >>> bad_channels(epochs).info["bads"]
    ['3']
    """
    picks = eeg_picks(inst)
    covariance, n_samples = _quiet_covariance(inst, picks, response)
    deviation = np.sqrt(np.diag(covariance) / n_samples)
    is_flat = ~(deviation > flat)
    noise = np.full(len(picks), np.nan)
    alive = np.flatnonzero(~is_flat)
    if len(alive) > 2:
        noise[alive] = own_noise(covariance[np.ix_(alive, alive)]) / np.sqrt(n_samples)
    level = np.log(noise)
    middle = np.nanmedian(level) if len(alive) else np.nan
    # channels at the rim have fewer neighbours and are less well explained: spread below 15 % is not believed
    spread = max(1.4826 * np.nanmedian(np.abs(level - middle)), 0.15) if len(alive) else np.nan
    bad = is_flat | (np.nan_to_num((level - middle) / spread) > threshold)
    if bad.sum() > len(picks) / 3:
        raise ValueError(
            f"bad_channels: {bad.sum()} of {len(picks)} EEG channels are flat or noisy; "
            "check the recording's channel types and units"
        )
    names = [inst.ch_names[pick] for pick in picks[bad]]
    inst.info["bads"] = [*inst.info["bads"], *names]
    note(inst, f"marked {', '.join(names)}" if names else "nothing", bads=names, noise=noise, passes=unchanged)
    return inst


def own_noise(covariance: np.ndarray) -> np.ndarray:
    """Standard deviation, times the root of the number of samples, that the other channels do not explain."""
    loading = np.mean(np.diag(covariance))
    noise = np.empty(len(covariance))
    for channel in range(len(covariance)):
        others = np.delete(np.arange(len(covariance)), channel)
        inner = covariance[np.ix_(others, others)]
        cross = covariance[others, channel]
        weights = np.linalg.solve(inner + 1e-3 * loading * np.eye(len(others)), cross)
        residual = covariance[channel, channel] - 2 * weights @ cross + weights @ inner @ weights
        noise[channel] = np.sqrt(max(residual, 0))
    return noise


def _quiet_covariance(inst: Any, picks: np.ndarray, response: float) -> tuple[np.ndarray, int]:
    """Sum of products of channels away from the pulse, each trial around its own mean; and the number of samples."""
    covariance, n_samples = np.zeros((len(picks), len(picks))), 0
    for pulses, rows in pulses_of_trials(inst):
        quiet = ~around_pulses(inst.times, pulses, (-0.005, response))
        for row in rows:
            x = data_of(inst)[row][np.ix_(picks, np.flatnonzero(quiet))]
            x = x - x.mean(axis=1, keepdims=True)
            covariance += x @ x.T
            n_samples += x.shape[1]
    return covariance, max(n_samples, 1)
