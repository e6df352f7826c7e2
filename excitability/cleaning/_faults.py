"""What is wrong with trials as they were recorded, and shows in no cleaned number: clipping, bridges, recharge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._instance import around_pulses, data_of, eeg_picks, pulses_of_trials, quantile_over_channels, stretches
from .recharge import recharge_times

_PULSE = (-0.005, 0.020)  # s around each pulse in which an amplifier may be at its limit
_BEFORE = 0.05  # s before the pulse where a filter across it no longer shows
_RUN = 3  # samples in a row on the highest or the lowest value of a channel
_SHARE = 1e-3  # of all samples of a channel
_SAME = 0.01  # of the noise of two channels that their difference holds: two inputs have noise of their own
_UNLIKE = 0.1  # of what the difference from the nearest channel usually holds


def recorded_faults(epochs: Any) -> dict[str, Any]:
    """Faults of trials that were cut and not cleaned.

    Parameters
    ----------
    epochs : mne.Epochs
        Trials as they were recorded, the pulse artefact among them.

    Returns
    -------
    dict
        ``clipped``: channels that rest on their highest or lowest value away from the pulse; ``bridged``: channels
        that record what another does, noise and all; ``recharge``: times (s after the pulse) of a jump that is common
        to the trials. Lists, empty where there is nothing.

    Examples
    --------
    >>> import mne
    >>> x = 1e-5 * np.random.default_rng(0).standard_normal((10, 5, 400))
    >>> x[:, 1] = np.clip(x[:, 1], -1e-5, 1e-5)
    >>> x[:, 3] = x[:, 2]
    >>> faults = recorded_faults(mne.EpochsArray(x, mne.create_info(5, 1000.0, "eeg"), tmin=-0.2, verbose="error"))
    >>> faults["clipped"], faults["bridged"], faults["recharge"]
    (['1'], ['2', '3'], [])
    """
    picks = eeg_picks(epochs, required=False)
    names = np.array([epochs.ch_names[pick] for pick in picks])
    if not len(epochs) or not len(picks):
        return {"clipped": [], "bridged": [], "recharge": []}
    highest, lowest = _limits(epochs, picks)
    top, bottom = highest.max(axis=0), lowest.min(axis=0)
    alive = top > bottom
    held, covariance = np.zeros(len(picks)), np.zeros((alive.sum(), alive.sum()))
    for row, quiet, before in _trials(epochs):
        x = data_of(epochs)[row]
        for limit, reached in ((top, highest[row]), (bottom, lowest[row])):
            there = np.flatnonzero(reached == limit)  # a channel that is not clipped is there in one trial
            held[there] += _held((x[picks[there]] == limit[there, None]) & quiet)
        for span in stretches(before):
            steps = np.diff(x[picks[alive], span], axis=1)
            steps -= quantile_over_channels(steps.copy(), 0.5)  # beyond what is common to all
            covariance += steps @ steps.T
    n_samples = sum(int(quiet.sum()) for _, quiet, _ in _trials(epochs))
    bridged = np.zeros(len(picks), dtype=bool)
    if covariance.any():
        bridged[alive] = _bridged(covariance)
    return {
        "clipped": names[alive & (held > _SHARE * n_samples)].tolist(),
        "bridged": names[bridged].tolist(),
        "recharge": recharge_times(epochs),
    }


def _trials(epochs: Any) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Each trial with its samples away from the pulses, and those well before them."""
    for pulses, rows in pulses_of_trials(epochs):
        quiet = ~around_pulses(epochs.times, pulses, _PULSE)
        before = epochs.times < min(pulses, default=np.inf) - _BEFORE
        for row in rows:
            yield int(row), quiet, before


def _limits(epochs: Any, picks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Highest and lowest value away from the pulse, of each trial and channel."""
    highest, lowest = np.full((len(epochs), len(picks)), -np.inf), np.full((len(epochs), len(picks)), np.inf)
    for row, quiet, _ in _trials(epochs):
        for span in stretches(quiet):
            x = data_of(epochs)[row, picks, span]
            np.maximum(highest[row], x.max(axis=1), out=highest[row])
            np.minimum(lowest[row], x.min(axis=1), out=lowest[row])
    return highest, lowest


def _held(mask: np.ndarray) -> np.ndarray:
    """How many samples of each channel lie in runs of ``_RUN`` or more."""
    inside = np.lib.stride_tricks.sliding_window_view(mask, _RUN, axis=1).all(axis=2)
    held = np.zeros_like(mask)
    for shift in range(_RUN):
        held[:, shift : shift + inside.shape[1]] |= inside
    return np.asarray(held.sum(axis=1))


def _bridged(covariance: np.ndarray) -> np.ndarray:
    """Channels whose steps from sample to sample, of which this is the covariance, are those of another."""
    if len(covariance) < 4:
        return np.zeros(len(covariance), dtype=bool)
    power = np.diag(covariance)
    apart = (power[:, None] + power[None] - 2 * covariance) / np.maximum(power[:, None] + power[None], 1e-300)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    return np.asarray((nearest < _SAME) & (nearest < _UNLIKE * np.median(nearest)))
