"""The stimulus artefact itself: samples around each pulse are cut out and bridged.

Cutting and cubic bridging as in TESA (Rogasch et al. 2017, doi:10.1016/j.neuroimage.2016.10.031).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mne
import numpy as np

from ._across_pulse import smear
from ._autoregressive import autoregressive_bridge
from ._instance import (
    around_pulses,
    between,
    check_rate,
    check_window,
    data_of,
    eeg_picks,
    pulse_samples,
    pulses_of_trials,
)
from ._registry import note, recorded, step

_TESA = "10.1016/j.neuroimage.2016.10.031"
WINDOW = (-0.002, 0.010)
METHODS = ("cubic", "linear", "autoregressive")


@step(on=("raw", "epochs"), references=[_TESA])
def remove_pulse(inst: Any, *, window: tuple[float, float] = WINDOW) -> Any:
    """Set the EEG samples around every pulse to zero.

    Parameters
    ----------
    inst : mne.io.Raw or mne.Epochs
        A Raw needs "TMS" annotations. In Epochs the pulses are at 0 and, of paired trials, at
        ``-inter_stimulus_interval`` of the metadata.
    window : tuple of float
        First and last sample removed, s from each pulse.

    Returns
    -------
    cleaned : same type as ``inst``
        A copy; EMG and other channels are untouched. Zeros are a hole, not data: follow with
        :func:`interpolate_pulse`.

    Raises
    ------
    ValueError
        When the window is not in seconds or shorter than two samples, when there is no pulse, or no EEG channel.

    Notes
    -----
    The log says so where the recording was filtered across the pulse before: what such a filter spread cannot be cut
    out any more. Results made of it are flagged ``filtered_across_pulse``.

    References
    ----------
    doi:10.1016/j.neuroimage.2016.10.031

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((3, 2, 400)) * 1e-6
    >>> x[..., 200:204] += 5e-3  # the pulse
    >>> epochs = mne.EpochsArray(x, mne.create_info(2, 1000.0, "eeg"), tmin=-0.2, verbose=False)
    >>> float(abs(remove_pulse(epochs).get_data()).max()) < 1e-5
    True
    """
    window = check_window(window, "window of remove_pulse")
    picks = eeg_picks(inst, bads=True)
    check_rate(inst, window, "remove_pulse")
    smeared = smear(inst)
    data = data_of(inst)
    if isinstance(inst, mne.io.BaseRaw):
        samples = pulse_samples(inst)
        for start, stop in _gaps_of_raw(inst, samples, window):
            data[picks, start:stop] = 0.0
        n_pulses = len(samples)
    else:
        n_pulses = 0
        for pulses, rows in pulses_of_trials(inst):
            gap = around_pulses(inst.times, pulses, window)
            data[np.ix_(rows, picks, np.flatnonzero(gap))] = 0.0
            n_pulses += len(pulses) * len(rows)
    text = f"{1e3 * window[0]:g} to {1e3 * window[1]:g} ms around {n_pulses} pulses"
    if smeared:
        text += f"; {smeared}"
    passes = partial(_emptied, picks=picks, times=inst.times, window=window)
    note(inst, text, window=window, smeared=smeared, passes=passes)
    return inst


def _emptied(
    x: np.ndarray, pulses: tuple[float, ...], *, picks: np.ndarray, times: np.ndarray, window: tuple[float, float]
) -> np.ndarray:
    x[np.ix_(picks, np.flatnonzero(around_pulses(times, pulses, window)))] = 0.0
    return x


@step(on=("raw", "epochs"), references=[_TESA])
def interpolate_pulse(
    inst: Any,
    *,
    window: tuple[float, float] | None = None,
    method: str = "cubic",
    fit: tuple[float, float] = (0.02, 0.02),
) -> Any:
    """Bridge the samples around every pulse, per channel and trial.

    Parameters
    ----------
    inst : mne.io.Raw or mne.Epochs
    window : tuple of float, optional
        First and last sample bridged, s from each pulse; by default what :func:`remove_pulse` (or a later step
        that found more to be unusable) cut out.
    method : {"cubic", "linear", "autoregressive"}
        A polynomial of third order fitted by least squares to what lies on both sides, a straight line between
        the two neighbouring samples, or the continuation of either side by an autoregressive model (Burg), blended:
        it keeps rhythms faster than the gap, which the others flatten.
    fit : tuple of float
        Seconds before and after the gap that a cubic or an autoregressive model is fitted to.

    Returns
    -------
    cleaned : same type as ``inst``
        A copy; EMG and other channels are untouched.

    References
    ----------
    doi:10.1016/j.neuroimage.2016.10.031

    Examples
    --------
    >>> times = np.arange(-200, 200) / 1000.0
    >>> x = np.tile(1e-6 * (1 + times), (3, 2, 1))
    >>> epochs = mne.EpochsArray(x, mne.create_info(2, 1000.0, "eeg"), tmin=-0.2, verbose=False)
    >>> bridged = interpolate_pulse(remove_pulse(epochs))
    >>> bool(np.allclose(bridged.get_data(), x, atol=1e-12))
    True
    """
    if method not in METHODS:
        raise ValueError(f"method of interpolate_pulse must be one of {', '.join(METHODS)}, not {method!r}")
    if window is None:
        window = recorded(inst, "remove_decay", "window", recorded(inst, "remove_pulse", "window", WINDOW))
    window = check_window(window, "window of interpolate_pulse")
    picks = eeg_picks(inst, bads=True)
    data = data_of(inst)
    if isinstance(inst, mne.io.BaseRaw):
        sfreq = inst.info["sfreq"]
        margin = round(max(fit) * sfreq) + 2
        for start, stop in _gaps_of_raw(inst, pulse_samples(inst), window):
            around = slice(max(start - margin, 0), min(stop + margin, inst.n_times))
            gap = np.zeros(around.stop - around.start, dtype=bool)
            gap[start - around.start : stop - around.start] = True
            piece = data[picks, around]
            bridge(piece, np.arange(gap.size) / sfreq, gap, method, fit)
            data[picks, around] = piece
    else:
        for pulses, rows in pulses_of_trials(inst):
            for pulse in pulses:
                gap = between(inst.times, pulse + window[0], pulse + window[1])
                if not gap.any():
                    continue
                near = _near(gap, fit, inst.info["sfreq"])
                for row in rows:
                    piece = data[row, picks, near]
                    bridge(piece, inst.times[near], gap[near], method, fit)
                    data[row, picks, near] = piece
    passes = partial(_bridged, picks=picks, times=inst.times, window=window, method=method, fit=fit)
    note(inst, f"{method} bridge over {1e3 * window[0]:g} to {1e3 * window[1]:g} ms", window=window, passes=passes)
    return inst


def _bridged(
    x: np.ndarray,
    pulses: tuple[float, ...],
    *,
    picks: np.ndarray,
    times: np.ndarray,
    window: tuple[float, float],
    method: str,
    fit: tuple[float, float],
) -> np.ndarray:
    piece = x[picks]
    for pulse in pulses:
        gap = between(times, pulse + window[0], pulse + window[1])
        if gap.any():
            bridge(piece, times, gap, method, fit)
    x[picks] = piece
    return x


def _near(gap: np.ndarray, fit: tuple[float, float], rate: float) -> slice:
    """The gap and what its bridge is built from."""
    first, last = np.flatnonzero(gap)[[0, -1]]
    return slice(max(int(first) - round(fit[0] * rate) - 2, 0), int(last) + round(fit[1] * rate) + 3)


def _gaps_of_raw(raw: mne.io.BaseRaw, samples: np.ndarray, window: tuple[float, float]) -> list[tuple[int, int]]:
    """Start and stop (exclusive) samples of the windows, those that touch joined into one."""
    sfreq = raw.info["sfreq"]
    gaps: list[tuple[int, int]] = []
    for sample in samples:
        start = max(int(sample + np.ceil(window[0] * sfreq - 1e-3)), 0)
        stop = min(int(sample + np.floor(window[1] * sfreq + 1e-3)) + 1, raw.n_times)
        if gaps and start <= gaps[-1][1]:
            gaps[-1] = (gaps[-1][0], max(stop, gaps[-1][1]))
        elif stop > start:
            gaps.append((start, stop))
    return gaps


def bridge(data: np.ndarray, times: np.ndarray, gap: np.ndarray, method: str, fit: tuple[float, float]) -> None:
    """Fill ``data[..., gap]`` in place; the gap is in one piece."""
    first, last = np.flatnonzero(gap)[[0, -1]]
    if first == 0 or last == times.size - 1:
        raise ValueError("the pulse lies at the edge of the recording: there is nothing to bridge it from")
    if method == "linear":
        weight = (times[gap] - times[first - 1]) / (times[last + 1] - times[first - 1])
        data[..., gap] = data[..., [first - 1]] * (1 - weight) + data[..., [last + 1]] * weight
        return
    step_ = times[1] - times[0]
    before = between(times, times[first] - fit[0], times[first] - step_)
    after = between(times, times[last] + step_, times[last] + fit[1])
    known = before | after
    if method == "autoregressive":
        if min(before.sum(), after.sum()) < 6:
            raise ValueError(
                f"fit = {tuple(fit)} s leaves {before.sum()} samples before the pulse and {after.sum()} after it; "
                "an autoregressive model needs 6 on either side: give a longer fit"
            )
        data[..., gap] = autoregressive_bridge(data[..., before], data[..., after], int(gap.sum()))
        return
    if known.sum() < 4:
        raise ValueError(
            f"fit = {tuple(fit)} s leaves {known.sum()} samples around the pulse; a cubic needs at least 4"
        )
    scaled = (times - times[gap].mean()) / (times[known] - times[gap].mean()).max()
    solve = np.linalg.pinv(np.vander(scaled[known], 4))
    data[..., gap] = (data[..., known] @ solve.T) @ np.vander(scaled[gap], 4).T
