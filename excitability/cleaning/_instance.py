"""What cleaning steps need to know about a Raw or Epochs: its EEG channels, its samples, its pulses."""

from __future__ import annotations

from typing import Any

import mne
import numpy as np

from ..kernels._threads import one_thread as one_thread


def facts_of(inst: Any) -> dict[str, Any]:
    """Acquisition facts that travel with a recording (``info["temp"]["excitability"]``)."""
    if inst.info.get("temp") is None:
        inst.info["temp"] = {}
    return inst.info["temp"].setdefault("excitability", {})


def eeg_picks(inst: Any, *, bads: bool = False, required: bool = True) -> np.ndarray:
    """Indices of the EEG channels, the good ones unless ``bads``."""
    picks = mne.pick_types(inst.info, eeg=True, exclude=() if bads else "bads")
    if required and len(picks) == 0:
        kinds = ", ".join(sorted(set(inst.get_channel_types())))
        raise ValueError(f"no good EEG channel: the recording has {kinds}; use inst.set_channel_types")
    return picks


def data_of(inst: Any) -> np.ndarray:
    """The samples themselves, writable: (n_channels, n_times) of a Raw, (n_trials, n_channels, n_times) of Epochs.

    MNE has no public view for writing; ``apply_function`` would copy once more a step and hide the trial.
    """
    return inst._data


def pulses_of_trials(epochs: mne.BaseEpochs) -> list[tuple[tuple[float, ...], np.ndarray]]:
    """Trials grouped by where their pulses lie.

    Returns
    -------
    groups : list of (pulse times in s, trial indices)
        One pulse at 0, and the first pulse of a pair at ``-inter_stimulus_interval`` (or the second at plus that,
        where the trials are locked to the first). Epochs that do not begin before 0 are segments of rest: no pulse.
    """
    everyone = np.arange(len(epochs))
    if epochs.times[0] >= 0:
        return [((), everyone)]
    metadata = epochs.metadata
    if metadata is None or "inter_stimulus_interval" not in metadata:
        return [((0.0,), everyone)]
    interval = metadata["inter_stimulus_interval"].to_numpy(dtype=float, na_value=np.nan)
    interval = np.round(np.nan_to_num(interval), 4)
    sign = 1.0 if facts_of(epochs).get("lock") == "first_pulse" else -1.0
    groups = []
    for value in np.unique(interval):
        times = (0.0,) if value == 0 else tuple(sorted((0.0, sign * float(value))))
        groups.append((times, np.flatnonzero(interval == value)))
    return groups


def pulse_samples(raw: mne.io.BaseRaw) -> np.ndarray:
    """Sample index of every pulse of a Raw: the "TMS" annotations, and the first pulses of pairs before them."""
    times = []
    for annotation in raw.annotations:
        if not str(annotation["description"]).startswith("TMS"):
            continue
        onset = annotation["onset"] - raw.first_time
        times.append(onset)
        interval = (annotation.get("extras") or {}).get("inter_stimulus_interval")
        if interval is not None and np.isfinite(interval) and interval > 0:
            times.append(onset - interval)
    if not times:
        raise ValueError('the recording has no "TMS" annotations; set them with excitability.set_stimuli')
    samples = np.unique(np.round(np.array(times) * raw.info["sfreq"]).astype(int))
    return samples[(samples >= 0) & (samples < raw.n_times)]


def check_window(window: Any, what: str) -> tuple[float, float]:
    """Two increasing times in seconds."""
    start, stop = float(window[0]), float(window[1])
    if len(window) != 2 or not start < stop:
        raise ValueError(f"{what} must be (start, stop) in seconds with start < stop, not {window}")
    if max(abs(start), abs(stop)) > 60:
        raise ValueError(f"{what} = {window} looks like milliseconds; give seconds, e.g. (-0.002, 0.010)")
    return start, stop


def between(times: np.ndarray, start: float, stop: float) -> np.ndarray:
    """Mask of the samples from start to stop, both included (to a thousandth of a sample)."""
    slack = 1e-3 * (times[1] - times[0])
    return (times >= start - slack) & (times <= stop + slack)


def around_pulses(times: np.ndarray, pulses: tuple[float, ...], window: tuple[float, float]) -> np.ndarray:
    """Mask of the samples that lie within ``window`` of any of the pulses."""
    mask = np.zeros(times.size, dtype=bool)
    for pulse in pulses:
        mask |= between(times, pulse + window[0], pulse + window[1])
    return mask


def check_rate(inst: Any, window: tuple[float, float], what: str) -> None:
    """Refuse a window that holds fewer than two samples."""
    rate = float(inst.info["sfreq"])
    if (window[1] - window[0]) * rate < 2 - 1e-6:
        raise ValueError(
            f"{what}: at {rate:g} Hz the window {1e3 * window[0]:g} to {1e3 * window[1]:g} ms holds fewer than 2 "
            f"samples; give a longer window, or record at {2 / (window[1] - window[0]):g} Hz or more"
        )


def quantile_over_channels(x: np.ndarray, share: float) -> np.ndarray:
    """``np.quantile(x, share, axis=0)`` of an array (n_channels, n_times), which it overwrites.

    Sorting a few dozen channels at every sample takes a quarter of the time that selecting among them does.
    """
    x.sort(axis=0)  # NaN come last
    low, part = divmod(share * (len(x) - 1), 1)
    below, above = x[int(low)], x[min(int(low) + 1, len(x) - 1)]
    return np.where(np.isnan(x[-1]), np.nan, below + part * (above - below))


def stretches(mask: np.ndarray) -> list[slice]:
    """Where a mask is true, as slices: samples are read through them without a copy."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [slice(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
