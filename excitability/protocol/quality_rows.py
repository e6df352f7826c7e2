"""The quality of an evoked potential as rows of the result table: their names begin with ``quality_``.

Gain of each peak and of sources, signal over noise, repeatability, what is left of the artefact, what was kept, and how
like a sham the response is. What a reader of a peak must know of it becomes a flag of the peak's own rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import mne
import numpy as np

from ..cleaning import greatest_loss, predicted_gain, source_gain, unknown_steps
from ..cleaning._instance import pulses_of_trials
from ..cleaning._registry import recorded
from ..cleaning.filters import gap_of
from ..cleaning.predicted_gain import LEAST
from ..measures import get_measure
from ..measures.tep_quality import peak_snr, similarity, split_half_reliability, steepness, usable_from
from ..schema import QUALITY, Estimate, join_flags
from .averages import implausible_scale, region_channels
from .evoked_flags import decay_outlasts, rebuilt_region
from .grammar import Protocol
from .rows import row

_LEAST_SNR = 3.0
_MOST = 1 / LEAST  # gain above which what was taken from a neighbouring wave, or an artefact, was added
_USUAL = {"p25": 0.025, "n45": 0.045, "p60": 0.06, "n100": 0.1, "p180": 0.18}  # where sources are tried without peaks
_RESPONSE = (0.015, 0.250)
_SHAM = re.compile(r"^(realistic_)?(sham|peripheral|auditory|somatosensory|control)", re.IGNORECASE)
_WINDOWS = {"early": (0.015, 0.060), "middle": (0.060, 0.140), "late": (0.140, 0.250)}
_LEAST_TRIALS = 2


def quality_rows(
    protocol: Protocol,
    epochs: mne.BaseEpochs,
    kept: Mapping[str, np.ndarray],
    lost: Mapping[str, int],
    channels: list[str] | None,
    rows: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Rows on the quality of the evoked potentials of a session; flags are added to the rows of the peaks.

    Parameters
    ----------
    protocol : Protocol
    epochs : mne.Epochs
        Cleaned trials.
    kept, lost : mapping
        Positions of the kept trials of each condition, and how many were lost.
    channels : list of str | None
        Channels instead of the regions of the protocol.
    rows : list of dict
        Rows of the peaks, which get their flags here.

    Returns
    -------
    list of dict
    """
    if not protocol.average or protocol.epoch.every is not None:
        return []
    entries = {key: entry for key, entry in protocol.average.items() if entry.get("measure", key) == "tep_peak"}
    region = next((entry.get("roi") for entry in protocol.average.values() if "roi" in entry), None)
    names, flag = region_channels(epochs, channels, region)
    label = region if channels is None and isinstance(region, str) else "+".join(channels or ["all"])
    scale = implausible_scale(epochs.get_data(picks="eeg", verbose="ERROR"))
    out: list[dict[str, Any]] = []
    for condition, positions in kept.items():
        values = _of_condition(epochs, positions, entries, names, _latencies(rows, entries, condition))
        for name, (value, unit) in values.items():
            value.flag = join_flags(value.flag, "" if name in _OF_ALL else flag, scale * (name in _OF_SCALE))
            value.n = positions.size
            where = "all" if name in _OF_ALL else label
            out.append(row(where, condition, f"{QUALITY}{name}", value, unit, "", lost[condition]))
        _flag_peaks(rows, entries, condition, values)
        usable = {label: _from(values["usable_from"][0]), "all": _head_usable_from(epochs, positions)}
        _flag_windows(protocol, rows, condition, usable)
    return out + _sham_rows(epochs, kept, lost)


def _latencies(rows: list[dict[str, Any]], entries: Mapping[str, Any], condition: str) -> dict[str, float]:
    found = {
        entry["measure"].removesuffix("_latency"): entry["value"]
        for entry in rows
        if entry["condition"] == condition and entry["measure"].endswith("_latency")
    }
    return {key: float(found.get(key, np.nan)) for key in entries}


def _of_condition(
    epochs: mne.BaseEpochs, positions: np.ndarray, entries: Mapping[str, Any], names: list[str], peaks: dict[str, float]
) -> dict[str, tuple[Estimate, str]]:
    """Name -> value and unit."""
    if positions.size < _LEAST_TRIALS:
        return _nothing(entries, "too_few_trials") | _counts(epochs, positions)
    data = epochs.get_data(verbose="ERROR")[positions]
    average = data.mean(axis=0)
    pulses = next(times for times, rows in pulses_of_trials(epochs) if positions[0] in rows)
    rows = [epochs.ch_names.index(name) for name in names]
    start = gap_of(epochs)[1]
    seen = (epochs.times >= max(_RESPONSE[0], start)) & (epochs.times <= _RESPONSE[1])
    scalp = mne.pick_types(epochs.info, eeg=True)
    values = _sources(epochs, peaks, pulses)
    values["split_half_reliability_scalp"] = split_half_reliability(data[:, scalp][..., seen])
    values |= _residual(epochs, average, rows, start)
    told = {name: (value, _unit(name)) for name, value in values.items()} | _counts(epochs, positions)
    if not names:
        told = {name: value for name, value in told.items() if name in _OF_ALL}
        return _nothing(entries, "no_channel_of_region") | told
    values, rebuilt = {}, rebuilt_region(epochs, names)
    gains = predicted_gain(epochs, peaks, names, average=average, pulses=pulses)
    for key, latency in peaks.items():
        gain = gains.get(key, Estimate(np.nan, flag="absent"))
        if rebuilt:  # the probe is made of what was found, and what others do not know of the region is not in it
            gain = Estimate(np.nan, flag="region_rebuilt")
        flag = gain.flag
        if gain < LEAST:
            step = greatest_loss(epochs, key, peaks, names, average=average, pulses=pulses)
            flag = join_flags("gain_below_0.8", f"lost_by_{step}")
        elif gain > _MOST:
            flag = "gain_above_1.25"
        flag = join_flags(flag, *_unknown(epochs))
        values[f"{key}_gain"] = Estimate(gain, gain.ci_low, gain.ci_high, flag=flag)
        snr = peak_snr(data[:, rows], epochs.times, latency)
        values[f"{key}_snr"] = Estimate(snr, snr.ci_low, snr.ci_high, flag=snr.flag or ("low_snr" * (snr < _LEAST_SNR)))
    values["split_half_reliability"] = split_half_reliability(data[:, rows][..., seen])
    return {name: (value, _unit(name)) for name, value in values.items()} | told


def _nothing(entries: Mapping[str, Any], why: str) -> dict[str, tuple[Estimate, str]]:
    known = [*(f"{key}_{what}" for key in entries for what in ("gain", "snr")), *_NAMES]
    return {name: (Estimate(np.nan, flag=why), _unit(name)) for name in known}


_NAMES = (
    "source_gain", "source_gain_lowest_tenth", "split_half_reliability", "split_half_reliability_scalp",
    "steepest_early", "steepest_before_pulse", "decay_removed", "decay_time_constant", "usable_from",
)  # fmt: skip

_OF_SCALE = ("steepest_early", "steepest_before_pulse", "decay_removed")  # in V

_OF_ALL = (
    "source_gain", "source_gain_lowest_tenth", "split_half_reliability_scalp", "decay_removed", "decay_time_constant",
    "trials_kept", "channels_recorded", "channels_kept", "channels_rebuilt", "rank",
)  # fmt: skip


def _unit(name: str) -> str:
    units = {"usable_from": "s", "decay_time_constant": "s", "decay_removed": "V"}
    return units.get(name, "V/s" if name.startswith("steepest") else "1")


def _unknown(epochs: mne.BaseEpochs) -> list[str]:
    """A flag where a step did not say what it lets through."""
    return ["gain_incomplete"] if unknown_steps(epochs) else []


def _sources(epochs: mne.BaseEpochs, peaks: Mapping[str, float], pulses: tuple[float, ...]) -> dict[str, Estimate]:
    """Median and lowest tenth of the gain of sources over the whole head, of the peak where it is smallest."""
    start, stop = gap_of(epochs)[1], float(epochs.times[-1])
    found = {name: latency for name, latency in peaks.items() if np.isfinite(latency)}
    found = found or {name: latency for name, latency in _USUAL.items() if start < latency < stop}
    if not found:
        nothing = Estimate(np.nan, flag="no_time_after_pulse")
        return {"source_gain": nothing, "source_gain_lowest_tenth": Estimate(np.nan, flag=nothing.flag)}
    try:
        gains = source_gain(epochs, found, pulses=pulses)
    except ValueError:  # no positions: there is no head to have sources in
        nothing = Estimate(np.nan, flag="no_electrode_positions")
        return {"source_gain": nothing, "source_gain_lowest_tenth": Estimate(np.nan, flag=nothing.flag)}
    middle = np.median(gains, axis=0)
    worst = int(np.argmin(middle))
    flag = join_flags("gain_below_0.8" * bool(middle[worst] < LEAST), *_unknown(epochs))
    low = float(np.quantile(gains[:, worst], 0.1))
    return {"source_gain": Estimate(float(middle[worst]), flag=flag), "source_gain_lowest_tenth": Estimate(low)}


def _residual(epochs: mne.BaseEpochs, average: np.ndarray, rows: list[int], start: float) -> dict[str, Estimate]:
    after, before = steepness(average[rows], epochs.times, start) if rows else (np.nan, np.nan)
    size = recorded(epochs, "remove_decay", "size")
    constant = recorded(epochs, "remove_decay", "time_constant")
    course = recorded(epochs, "remove_decay", "course")
    with_decay = np.zeros(0) if size is None else constant[(size > 1e-6) & np.isfinite(constant)]
    removed = None
    if course is not None and rows:
        times = recorded(epochs, "remove_decay", "times")
        place = {pick: number for number, pick in enumerate(mne.pick_types(epochs.info, eeg=True, exclude=()))}
        removed = np.array([np.interp(epochs.times, times, course[place[pick]]) for pick in rows])
    usable = usable_from(average[rows], epochs.times, start, removed) if rows else np.nan
    return {
        "steepest_early": Estimate(after, flag="no_variation" * (not np.isfinite(after))),
        "steepest_before_pulse": Estimate(before, flag="no_baseline" * (not np.isfinite(before))),
        "decay_removed": Estimate(np.nan if size is None else float(size.max()), flag="not_done" * (size is None)),
        "decay_time_constant": Estimate(
            float(np.median(with_decay)) if with_decay.size else np.nan,
            flag=decay_outlasts(epochs, epochs.ch_names) if with_decay.size else "no_decay",
        ),
        "usable_from": _usable(usable, decay_outlasts(epochs, [epochs.ch_names[pick] for pick in rows])),
    }


def _usable(when: float, flag: str) -> Estimate:
    if np.isinf(when):
        return Estimate(np.nan, flag=join_flags("early_unusable", "never_usable", flag))
    return Estimate(when, flag=join_flags("early_unusable" * bool(when >= 0.030), flag))


def _from(usable: Estimate) -> float:
    """When the response can be read, infinite where never."""
    return float("inf") if "never_usable" in usable.flag else float(usable)


def _counts(epochs: mne.BaseEpochs, positions: np.ndarray) -> dict[str, tuple[Estimate, str]]:
    """What was kept: trials, channels, those of them that were rebuilt, and the dimensions that are left."""
    bads = recorded(epochs, "bad_channels", "bads", [])
    rebuilt = recorded(epochs, "sound", "replaced", [])
    everyone, good = mne.pick_types(epochs.info, eeg=True, exclude=()), mne.pick_types(epochs.info, eeg=True)
    rank = next((record["rank"] for record in reversed(_log(epochs)) if "rank" in record), np.nan)
    numbers = {
        "trials_kept": positions.size,
        "channels_recorded": len(everyone),
        "channels_kept": len(everyone) - len(set(bads) | set(rebuilt) | set(epochs.info["bads"])),
        "channels_rebuilt": len(set(rebuilt)),
        "rank": rank if len(good) else np.nan,
    }
    return {name: (Estimate(float(number)), "1") for name, number in numbers.items()}


def _log(epochs: mne.BaseEpochs) -> list[dict[str, Any]]:
    return ((epochs.info.get("temp") or {}).get("excitability") or {}).get("cleaning", [])


def _flag_peaks(
    rows: list[dict[str, Any]], entries: Mapping[str, Any], condition: str, values: Mapping[str, tuple[Estimate, str]]
) -> None:
    """Write onto the rows of a peak, and of differences between peaks, what its quality says of them."""
    usable = _from(values["usable_from"][0])
    for entry in (entry for entry in rows if entry["condition"] == condition):
        words = entry["measure"].split("_")
        for key in (key for key in entries if key in words):
            told = [values[f"{key}_gain"][0].flag.split(";")[0], values[f"{key}_snr"][0].flag]
            told = [word for word in told if word in ("gain_below_0.8", "gain_above_1.25", "low_snr")]
            latency = entry["value"] if entry["measure"].endswith("_latency") else _latency(rows, key, condition)
            if latency < usable:
                told.append("before_usable")
            entry["flag"] = join_flags(entry["flag"], *told)


def _head_usable_from(epochs: mne.BaseEpochs, positions: np.ndarray) -> float:
    """From when on the mean field of all channels can be read, s."""
    everyone, picks = (mne.pick_types(epochs.info, eeg=True, exclude=which) for which in ((), "bads"))
    if positions.size < _LEAST_TRIALS or not len(picks):
        return float("nan")
    average = epochs.get_data(picks=picks, verbose="ERROR")[positions].mean(axis=0)
    course, removed = recorded(epochs, "remove_decay", "course"), None
    if course is not None:
        times = recorded(epochs, "remove_decay", "times")
        removed = np.interp(epochs.times, times, course[np.isin(everyone, picks)].std(axis=0))[None]
    return usable_from(average.std(axis=0)[None], epochs.times, gap_of(epochs)[1], removed)


def _flag_windows(protocol: Protocol, rows: list[dict[str, Any]], condition: str, usable: Mapping[str, float]) -> None:
    """Write onto the rows of measures over a window, such as areas, that it begins before the response can be read."""
    for key, entry in (*protocol.average.items(), *protocol.epochs.items()):
        measure = get_measure(entry.get("measure", key))
        window = {**measure.parameters, **entry}.get("window")
        if "component" in measure.parameters or not isinstance(window, tuple | list):
            continue  # peaks have a latency to be judged by
        for one in rows:
            late = max(window[0], _RESPONSE[0]) < usable.get(one["channel"], np.nan)
            if late and one["measure"] == key and one["condition"] == condition:
                one["flag"] = join_flags(one["flag"], "before_usable")


def _latency(rows: list[dict[str, Any]], key: str, condition: str) -> float:
    return _latencies(rows, {key: None}, condition)[key]


def _sham_rows(epochs: mne.BaseEpochs, kept: Mapping[str, np.ndarray], lost: Mapping[str, int]) -> list[dict[str, Any]]:
    """Likeness of each response to each that holds no direct effect of the pulse on the cortex."""
    shams = [name for name in kept if _SHAM.match(name) and kept[name].size >= _LEAST_TRIALS]
    reals = [name for name in kept if not _SHAM.match(name) and kept[name].size >= _LEAST_TRIALS]
    picks = mne.pick_types(epochs.info, eeg=True)
    if not shams or not reals or not len(picks):
        return []
    data = epochs.get_data(picks=picks, verbose="ERROR")
    out = []
    for real in reals:
        for sham in shams:
            told = similarity(data[kept[real]], data[kept[sham]], epochs.times, _WINDOWS)
            for name, value in told.items():
                value.flag = "like_sham" * bool(value.ci_low > 0.5)
                out.append(row("all", real, f"{QUALITY}similarity_to_{sham}_{name}", value, "1", "", lost[real]))
    return out
