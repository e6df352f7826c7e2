"""Filters that never see the pulse: each side is filtered alone and the gap is bridged again.

A filter that runs across the stimulus spreads what is left of its artefact over the response and into the baseline
(Rogasch et al. 2017, doi:10.1016/j.neuroimage.2016.10.031; Hernandez-Pavon et al. 2023, doi:10.1016/j.brs.2023.02.009).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mne
import numpy as np

from ._instance import around_pulses, check_window, data_of, eeg_picks, facts_of, pulses_of_trials, stretches
from ._passing import unchanged
from ._registry import note, recorded, step

_GAP = (-0.002, 0.010)


@step(references=["10.1016/j.neuroimage.2016.10.031", "10.1016/j.brs.2023.02.009"])
def filter(
    inst: Any,
    *,
    l_freq: float | None = 1.0,
    h_freq: float | None = 80.0,
    gap: tuple[float, float] | None = None,
    response: float = 0.3,
    order: int = 4,
) -> Any:
    """Take slow drifts and fast noise out of each trial without crossing the pulse.

    The low-pass is a zero-phase Butterworth run on each side of the gap alone. The high-pass is the least-squares
    fit of all cosines slower than ``l_freq``, fitted outside the response and subtracted throughout: unlike a
    recursive high-pass it can neither pull the baseline nor leave an undershoot after a large response.

    Parameters
    ----------
    inst : mne.Epochs
    l_freq, h_freq : float or None
        Edges of the band, Hz; None leaves that side open.
    gap : tuple of float, optional
        What lies between the two sides, s from each pulse; by default what the pulse steps cut out.
    response : float
        Seconds after the last pulse that do not take part in the fit of the drift.
    order : int
        Order of the Butterworth filter (its slope is that of twice the order, being run forth and back).

    Returns
    -------
    cleaned : mne.Epochs
        A copy; EMG and other channels are untouched.

    Raises
    ------
    ValueError
        When the band is empty or lies above half the sampling rate.

    Examples
    --------
    >>> times = np.arange(-500, 500) / 1000.0
    >>> x = np.tile(1e-6 * np.sin(2 * np.pi * 200 * times) + 1e-5 * (1 + times), (2, 2, 1))
    >>> epochs = mne.EpochsArray(x, mne.create_info(2, 1000.0, "eeg"), tmin=-0.5, verbose=False)
    >>> float(abs(filter(epochs).get_data()).max()) < 1e-6
    True
    """
    from scipy.signal import butter

    _check_band(l_freq, h_freq, inst.info["sfreq"])
    if gap is None:
        gap = gap_of(inst)
    gap = check_window(gap, "gap of filter")
    picks = eeg_picks(inst, bads=True)
    data = data_of(inst)
    sos = None if h_freq is None else butter(order, h_freq, fs=inst.info["sfreq"], output="sos")
    parts = {}
    for pulses, rows in pulses_of_trials(inst):
        hole = around_pulses(inst.times, pulses, gap)
        quiet = ~around_pulses(inst.times, pulses, (gap[0], response))
        drift = None if l_freq is None else _drift(inst.times, l_freq, quiet)
        for row in rows:
            trial = data[row][picks]
            if drift is not None:
                trial -= (trial[:, quiet] @ drift[0]) @ drift[1]
            if sos is not None:
                piecewise(trial, sos, hole)
            data[row][picks] = trial
        parts[tuple(pulses)] = hole, quiet, drift
    low, high = ("DC" if l_freq is None else f"{l_freq:g}"), ("open" if h_freq is None else f"{h_freq:g} Hz")
    passes = partial(_filtered, picks=picks, parts=parts, sos=sos)
    note(inst, f"all outside {low} to {high}, each side of the pulse alone", passes=passes)
    return inst


def _filtered(
    x: np.ndarray, pulses: tuple[float, ...], *, picks: np.ndarray, parts: dict, sos: np.ndarray | None
) -> np.ndarray:
    hole, quiet, drift = parts[pulses]
    trial = x[picks]
    if drift is not None:
        trial -= (trial[:, quiet] @ drift[0]) @ drift[1]
    if sos is not None:
        piecewise(trial, sos, hole)
    x[picks] = trial
    return x


@step()
def resample(inst: Any, *, sampling_rate: float = 1000.0) -> Any:
    """Lower the sampling rate: a low-pass that does not cross the pulse, then every n-th sample.

    The sample at the pulse is kept, and the new rate is the nearest whole fraction that is not below
    ``sampling_rate``. EMG channels share the rate of the EEG and are low-passed with it: take MEP measures before.

    Parameters
    ----------
    inst : mne.Epochs
    sampling_rate : float
        Lowest rate wanted, Hz.

    Returns
    -------
    cleaned : mne.Epochs

    Examples
    --------
    >>> x = np.zeros((2, 2, 1000))
    >>> epochs = mne.EpochsArray(x, mne.create_info(2, 5000.0, "eeg"), tmin=-0.1, verbose=False)
    >>> resample(epochs).info["sfreq"]
    1000.0
    """
    eeg_picks(inst, bads=True)
    from scipy.signal import butter

    rate = inst.info["sfreq"]
    factor = int((rate + 1e-6) // sampling_rate)
    if factor < 2:
        note(inst, f"nothing: the recording has {rate:g} Hz already", passes=unchanged)
        return inst
    picks = mne.pick_types(inst.info, eeg=True, emg=True, eog=True, ecg=True, misc=False, exclude=())
    data = data_of(inst)
    # 0.8 of the new Nyquist rate: order 8 forth and back is 40 dB down where aliases would fold onto the band
    sos = butter(8, 0.4 * rate / factor, fs=rate, output="sos")
    holes = {}
    for pulses, rows in pulses_of_trials(inst):
        hole = holes[tuple(pulses)] = around_pulses(inst.times, pulses, gap_of(inst))
        for row in rows:
            trial = data[row][picks]
            piecewise(trial, sos, hole)
            data[row][picks] = trial
    offset = int(np.argmin(np.abs(inst.times))) % factor
    inst.decimate(factor, offset=offset, verbose="error")
    passes = partial(_resampled, picks=picks, holes=holes, sos=sos, thinning=slice(offset, None, factor))
    note(inst, f"every sample but each {factor}th: {rate:g} to {rate / factor:g} Hz", passes=passes)
    return inst


def _resampled(
    x: np.ndarray, pulses: tuple[float, ...], *, picks: np.ndarray, holes: dict, sos: np.ndarray, thinning: slice
) -> np.ndarray:
    trial = x[picks]
    piecewise(trial, sos, holes[pulses])
    x[picks] = trial
    return x[:, thinning]


def gap_of(inst: Any) -> tuple[float, float]:
    """The unusable time around a pulse, as the pulse steps left it."""
    for name in ("interpolate_pulse", "remove_decay", "remove_pulse"):
        window = recorded(inst, name, "window")
        if window is not None:
            return window
    return _GAP


def band_of(inst: Any) -> float:
    """Upper edge of the band that is left, Hz: of the recording, or of a filter that ran since."""
    edges = [float(inst.info["lowpass"] or np.inf), inst.info["sfreq"] / 2]
    for record in facts_of(inst).get("cleaning", []):
        if record.get("step") == "filter" and record["parameters"].get("h_freq") is not None:
            edges.append(float(record["parameters"]["h_freq"]))
    return min(edges)


def piecewise(trial: np.ndarray, sos: np.ndarray, hole: np.ndarray) -> None:
    """Filter ``trial (n_channels, n_times)`` in place on each side of ``hole`` alone, and bridge the hole."""
    from ..kernels.recursive import filter_both_ways

    for side in stretches(~hole):
        length = side.stop - side.start
        if length < 4:
            continue
        piece = trial[:, side].T  # as scipy.signal.sosfiltfilt pads it, mirrored about its ends
        padding = min(length - 1, 30 * sos.shape[0])
        padded = np.empty((length + 2 * padding, len(trial)))
        padded[:padding] = 2 * piece[0] - piece[padding:0:-1]
        padded[padding : padding + length] = piece
        padded[padding + length :] = 2 * piece[-1] - piece[-2 : -padding - 2 : -1]
        filter_both_ways(padded, sos)
        trial[:, side] = padded[padding : padding + length].T
    bridge_linear(trial, hole)


def bridge_linear(trial: np.ndarray, hole: np.ndarray) -> None:
    """Join both sides of every hole by a straight line, in place; at an end, its one side goes on."""
    if not hole.any() or hole.all():
        return
    missing, known = np.flatnonzero(hole), np.flatnonzero(~hole)
    after = np.searchsorted(known, missing)
    left, right = known[np.maximum(after - 1, 0)], known[np.minimum(after, known.size - 1)]
    slope = (trial[:, right] - trial[:, left]) / np.maximum(right - left, 1)
    trial[:, missing] = slope * (missing - left) + trial[:, left]


def _drift(times: np.ndarray, l_freq: float, quiet: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices that turn the quiet samples of a trial into its drift: (n_quiet, n_cosines), (n_cosines, n_times)."""
    duration = times[-1] - times[0]
    n_cosines = int(2 * duration * l_freq)  # a cosine of k half cycles has the frequency k / (2 duration)
    place = (times - times[0]) / duration
    # the straight line, which cosines follow badly at its ends, takes the place of the slowest cosine
    cosines = [np.cos(np.pi * k * place) for k in range(2, n_cosines)]
    basis = np.array([np.ones_like(place), place - 0.5, *cosines])
    return np.linalg.pinv(basis[:, quiet]), basis


def _check_band(l_freq: float | None, h_freq: float | None, rate: float) -> None:
    low, high = l_freq or 0.0, rate / 2 if h_freq is None else h_freq
    if not 0 <= low < high or (h_freq is not None and h_freq >= rate / 2):
        raise ValueError(
            f"filter: the band {l_freq} to {h_freq} Hz must be increasing and below half the sampling rate "
            f"({rate / 2:g} Hz)"
        )
