"""How much of a response a cleaning lets through: at each peak and for sources over the whole head.

Over-correction leaves no trace in the cleaned data. It is seen by sending a known response the same way
(:func:`pass_through`): waves at the latencies and with the topographies that were found, as wide as a fixed share of
their latency, as those of evoked potentials are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import mne
import numpy as np

from ..schema import Estimate
from ._instance import eeg_picks
from ._leadfield import leadfield_of
from ._passing import Pulses, pass_through, times_before
from ._registry import _records

WIDTH = 0.15  # standard deviation of a wave, of its latency
LEAST = 0.8  # gain below which a response is said to come out too small
_LEFT_IN = ("remove_pulse", "interpolate_pulse", "resample", "cut")  # cannot be left out


def _waves(times: np.ndarray, latencies: Sequence[float]) -> np.ndarray:
    """One wave a latency, (n_latencies, n_times), 1 at its peak, nothing before the pulse."""
    where = np.asarray(latencies, dtype=float)[:, None]
    return np.exp(-0.5 * ((times - where) / (WIDTH * np.abs(where))) ** 2) * (times > 0)


def _guesses(epochs: mne.BaseEpochs, average: np.ndarray, latencies: Sequence[float]) -> list[np.ndarray]:
    """Responses (n_channels, n_times before cleaning) that there may have been.

    The second has the sizes that were found, the third those free of what shifts neighbouring peaks alike; the first,
    which lies between them, is the best guess: some of what shifts them is left of a decay, some is response.
    """
    at = [int(np.argmin(np.abs(epochs.times - latency))) for latency in latencies]
    waves = _waves(times_before(epochs), latencies)
    picks = eeg_picks(epochs, bads=True)
    found = average[picks][:, at]
    free = found @ _among_neighbours(average[picks], at)
    guesses = []
    for sizes in ((found + free) / 2, found, free):
        x = np.zeros((len(average), waves.shape[1]))
        x[picks] = sizes @ waves
        guesses.append(x)
    return guesses


def _among_neighbours(average: np.ndarray, at: Sequence[int]) -> np.ndarray:
    """Matrix (n_peaks, n_peaks) from values to half the difference from the neighbours of opposite sign.

    What is left of a decay shifts neighbouring peaks alike; their difference does not know of it. The sign of a peak
    is that of its bend, in channels that have most of it.
    """
    n = len(at)
    bend = np.gradient(np.gradient(average, axis=1), axis=1)[:, at]
    matrix = np.eye(n)
    order = np.argsort(at)
    for before, after in pairwise(order):
        opposite = bend[:, before] @ bend[:, after] < 0
        if opposite:
            matrix[after, before] = matrix[before, after] = -1.0
    for peak in range(n):
        others = np.flatnonzero(matrix[:, peak] < 0)
        matrix[others, peak] /= 2 * max(len(others), 1)
        matrix[peak, peak] = 0.5 if len(others) else 1.0
    return matrix


def predicted_gain(
    epochs: mne.BaseEpochs,
    peaks: Mapping[str, float],
    region: Sequence[str],
    *,
    average: np.ndarray | None = None,
    pulses: Pulses | None = None,
    response: np.ndarray | None = None,
) -> dict[str, Estimate]:
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
    response : ndarray, shape (n_channels, n_times before cleaning), optional
        A response to be sent through, such as the average of a group; by default one is made of the peaks.

    Returns
    -------
    dict of Estimate
        Gain of each peak: 1 is untouched, 0 is lost. Peaks lean on each other: what is taken from one wave may be
        added to its neighbour of opposite sign, whose gain is then above 1. The limits are those of what the response
        may have been (see Notes), not of a sample.

    Raises
    ------
    ValueError
        When no channel of the region is there.

    Notes
    -----
    Of a response that is given, the gain is that of the operator as the recording fixed it; a cleaning that adapts to
    the response is not told. Against recordings cleaned with and without the response it was off by 0.02 where there
    was no decay, by 0.07 on average (0.17 at most, before 40 ms, and too high for the first wave) after large ones, and
    by 0.17 with SOUND's ``lambda_=0.1``. One made of the peaks cannot know what was lost of the response without a
    trace, a part as slow and smooth as a decay: it was off by 0.10 after large decays.

    Examples
    --------
    >>> from excitability.cleaning import filter
    >>> times = np.arange(-500, 500) / 1000.0
    >>> wave = -8e-6 * np.exp(-0.5 * ((times - 0.1) / 0.015) ** 2)
    >>> x = 1e-6 * np.random.default_rng(0).standard_normal((30, 2, 1000)) + wave
    >>> epochs = mne.EpochsArray(x, mne.create_info(["C3", "C4"], 1000.0, "eeg"), tmin=-0.5, verbose=False)
    >>> blurred = filter(epochs, l_freq=None, h_freq=8.0)  # too slow for a wave of 15 ms
    >>> bool(predicted_gain(blurred, {"n100": 0.1}, ["C3", "C4"])["n100"] < 0.8)
    True
    """
    found, rows, average = _asked(epochs, peaks, region, average)
    if not found:
        return {}
    latencies = list(found.values())
    probes = _guesses(epochs, average, latencies) if response is None else [np.asarray(response, dtype=float)]
    gains = np.array([_slopes(epochs, x, pass_through(epochs, x, pulses), rows, latencies) for x in probes])
    low, high = (gains.min(axis=0), gains.max(axis=0)) if response is None else np.full((2, len(latencies)), np.nan)
    return {name: Estimate(*limits) for name, *limits in zip(found, gains[0], low, high, strict=True)}


def _asked(
    epochs: mne.BaseEpochs, peaks: Mapping[str, float], region: Sequence[str], average: np.ndarray | None
) -> tuple[dict[str, float], list[int], np.ndarray]:
    """Peaks with a latency, rows of the region and the average."""
    found = {name: float(latency) for name, latency in peaks.items() if np.isfinite(latency) and latency > 0}
    rows = [epochs.ch_names.index(name) for name in region if name in epochs.ch_names]
    if not rows:
        raise ValueError(f"predicted_gain: none of the channels {', '.join(region)} is in the recording")
    return found, rows, epochs.get_data(verbose="error").mean(axis=0) if average is None else average


def _slopes(
    epochs: mne.BaseEpochs, given: np.ndarray, passed: np.ndarray, rows: Sequence[int], latencies: Sequence[float]
) -> np.ndarray:
    """Slope of what passed on what was given, in the mean over channels, around each latency."""
    there = np.interp(epochs.times, times_before(epochs), given[rows].mean(axis=0))
    here = passed[rows].mean(axis=0)
    near = np.abs(epochs.times - np.asarray(latencies)[:, None]) <= WIDTH * np.asarray(latencies)[:, None]
    power = near @ there**2
    return np.divide(near @ (here * there), power, out=np.full(len(near), np.nan), where=power > 0)


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
    found, rows, average = _asked(epochs, peaks, region, average)
    latencies, place = list(found.values()), list(found).index(peak)
    probe = _guesses(epochs, average, latencies)[0]
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
    n_sources: int = 30,
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
