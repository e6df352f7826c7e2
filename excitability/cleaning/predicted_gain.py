"""How much of a response a cleaning lets through: at each peak and for sources over the whole head.

Over-correction leaves no trace in the cleaned data. It is seen by sending a known response the same way
(:func:`pass_through`): waves at the latencies that were found, with the topographies that were found, of the sizes
that come out as they were found. A wave's width is a fixed share of its latency, as that of evoked waves is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mne
import numpy as np

from ._instance import eeg_picks
from ._leadfield import leadfield_of
from ._passing import Pulses, pass_through, times_before
from ._registry import _records

WIDTH = 0.15  # standard deviation of a wave, of its latency
LEAST = 0.8  # gain below which a response is said to come out too small
_ROUNDS, _PART = 6, 0.7  # of the search for the sizes
_LEFT_IN = ("remove_pulse", "interpolate_pulse", "resample", "cut")  # cannot be left out
_SMALL = 0.2  # of the largest peak


def probe_of(
    epochs: mne.BaseEpochs, average: np.ndarray, latencies: Sequence[float], pulses: Pulses | None = None
) -> np.ndarray:
    """The response that comes through the cleaning as it was found at some latencies.

    Parameters
    ----------
    epochs : mne.Epochs
        Cleaned trials.
    average : ndarray, shape (n_channels, n_times)
        Their average at all channels, V.
    latencies : sequence of float
        s.
    pulses : tuple of float, optional
        As for :func:`pass_through`.

    Returns
    -------
    ndarray, shape (n_channels, n_times before cleaning)
        V.
    """
    at = [int(np.argmin(np.abs(epochs.times - latency))) for latency in latencies]
    waves = _waves(times_before(epochs), latencies)
    wanted = np.zeros((len(average), len(at)))
    picks = eeg_picks(epochs, bads=True)
    wanted[picks] = average[np.ix_(picks, at)]
    sizes = wanted.copy()
    for _ in range(_ROUNDS):
        sizes[picks] += _PART * (wanted - pass_through(epochs, sizes @ waves, pulses)[:, at])[picks]
    return sizes @ waves


def _waves(times: np.ndarray, latencies: Sequence[float]) -> np.ndarray:
    """One wave a latency, (n_latencies, n_times), 1 at its peak, nothing before the pulse."""
    where = np.asarray(latencies, dtype=float)[:, None]
    return np.exp(-0.5 * ((times - where) / (WIDTH * np.abs(where))) ** 2) * (times > 0)


def predicted_gain(
    epochs: mne.BaseEpochs,
    peaks: Mapping[str, float],
    region: Sequence[str],
    *,
    average: np.ndarray | None = None,
    pulses: Pulses | None = None,
) -> dict[str, float]:
    """Factor by which each peak comes through the whole cleaning, in the mean over a region.

    Parameters
    ----------
    epochs : mne.Epochs
        Cleaned trials, with the log of their cleaning.
    peaks : mapping of str to float
        Latency of each peak, s; NaN is left out.
    region : sequence of str
        Channels.
    average : ndarray, shape (n_channels, n_times), optional
        Average of the trials that are meant; by default of all.
    pulses : tuple of float, optional
        As for :func:`pass_through`.

    Returns
    -------
    dict
        Gain of each peak: 1 is untouched, 0 is lost. Peaks lean on each other: what is taken from one wave may be
        added to its neighbour of opposite sign, whose gain is then above 1.

    Raises
    ------
    ValueError
        When no channel of the region is there.

    Examples
    --------
    >>> from excitability.cleaning import filter
    >>> times = np.arange(-500, 500) / 1000.0
    >>> wave = -8e-6 * np.exp(-0.5 * ((times - 0.1) / 0.015) ** 2)
    >>> x = 1e-6 * np.random.default_rng(0).standard_normal((30, 2, 1000)) + wave
    >>> epochs = mne.EpochsArray(x, mne.create_info(["C3", "C4"], 1000.0, "eeg"), tmin=-0.5, verbose=False)
    >>> blurred = filter(epochs, l_freq=None, h_freq=8.0)  # too slow for a wave of 15 ms
    >>> predicted_gain(blurred, {"n100": 0.1}, ["C3", "C4"])["n100"] < 0.8
    True
    """
    found = {name: float(latency) for name, latency in peaks.items() if np.isfinite(latency) and latency > 0}
    rows = [epochs.ch_names.index(name) for name in region if name in epochs.ch_names]
    if not rows:
        raise ValueError(f"predicted_gain: none of the channels {', '.join(region)} is in the recording")
    if not found:
        return {}
    if average is None:
        average = epochs.get_data(verbose="error").mean(axis=0)
    latencies = list(found.values())
    probe = probe_of(epochs, average, latencies, pulses)
    gains = _slopes(epochs, probe, pass_through(epochs, probe, pulses), rows, latencies)
    at = [int(np.argmin(np.abs(epochs.times - latency))) for latency in latencies]
    size = np.abs(average[rows].mean(axis=0)[at])
    for number in np.flatnonzero(size < _SMALL * size.max()):  # its neighbours would decide: alone it is told better
        latency = latencies[number : number + 1]
        one = np.abs(average).max() * np.isin(np.arange(len(average)), rows)[:, None] * _waves(times_before(epochs), latency)
        gains[number] = _slopes(epochs, one, pass_through(epochs, one, pulses), rows, latency)[0]
    return dict(zip(found, gains.tolist(), strict=True))


def greatest_loss(
    epochs: mne.BaseEpochs,
    peak: str,
    peaks: Mapping[str, float],
    region: Sequence[str],
    *,
    average: np.ndarray | None = None,
    pulses: Pulses | None = None,
) -> str:
    """The step without which a peak would be the largest; arguments as for :func:`predicted_gain`."""
    found = {name: float(latency) for name, latency in peaks.items() if np.isfinite(latency) and latency > 0}
    rows = [epochs.ch_names.index(name) for name in region if name in epochs.ch_names]
    if average is None:
        average = epochs.get_data(verbose="error").mean(axis=0)
    latencies, place = list(found.values()), list(found).index(peak)
    probe = probe_of(epochs, average, latencies, pulses)
    steps = dict.fromkeys(record["step"] for record in _records(epochs) if record["step"] not in _LEFT_IN)
    gains = {
        step: _slopes(epochs, probe, pass_through(epochs, probe, pulses, without=step), rows, latencies)[place]
        for step in steps
    }
    return max(gains, key=lambda step: gains[step]) if gains else ""


def source_gain(
    epochs: mne.BaseEpochs,
    peaks: Mapping[str, float],
    *,
    leadfield: Any = None,
    pulses: Pulses | None = None,
    n_sources: int = 50,
) -> np.ndarray:
    """Factor by which sources over the whole head come through the cleaning.

    Each source has a wave at every latency, of alternating sign, and comes through by itself.

    Parameters
    ----------
    epochs, peaks, pulses
        As for :func:`predicted_gain`.
    leadfield : None, ndarray or mne.Forward
        As for :func:`sound`, for all EEG channels; None builds a spherical head on the electrode positions.
    n_sources : int
        Sources tried, evenly among those of the lead field.

    Returns
    -------
    ndarray, shape (n_sources, n_peaks)
        1 is untouched, 0 is lost.

    Raises
    ------
    ValueError
        Without electrode positions or a lead field.
    """
    latencies = [float(latency) for latency in peaks.values() if np.isfinite(latency) and latency > 0]
    picks = eeg_picks(epochs, bads=True)
    gain = leadfield_of(epochs, picks, leadfield)
    chosen = gain[:, np.unique(np.linspace(0, gain.shape[1] - 1, n_sources).astype(int))]
    waves = _waves(times_before(epochs), latencies)
    course = (np.resize([1.0, -1.0], len(latencies)) @ waves) if latencies else np.zeros(waves.shape[1])
    there = np.interp(epochs.times, times_before(epochs), course)
    where = np.asarray(latencies)
    near = np.abs(epochs.times - where[:, None]) <= WIDTH * where[:, None]
    found = np.empty((chosen.shape[1], len(latencies)))
    x = np.zeros((len(epochs.ch_names), course.size))
    for number, field in enumerate(chosen.T):
        unit = 5e-6 * field / np.abs(field).max()
        x[picks] = np.outer(unit, course)
        seen = unit @ pass_through(epochs, x, pulses)[picks] / (unit @ unit)
        found[number] = (near @ (seen * there)) / (near @ there**2)
    return found


def _slopes(
    epochs: mne.BaseEpochs, given: np.ndarray, passed: np.ndarray, rows: Sequence[int], latencies: Sequence[float]
) -> np.ndarray:
    """Slope of what passed on what was given, in the mean over channels, around each latency."""
    before = given[rows].mean(axis=0)
    there = np.interp(epochs.times, times_before(epochs), before)
    here = passed[rows].mean(axis=0)
    near = np.abs(epochs.times - np.asarray(latencies)[:, None]) <= WIDTH * np.asarray(latencies)[:, None]
    power = near @ there**2
    return np.divide(near @ (here * there), power, out=np.full(len(near), np.nan), where=power > 0)
