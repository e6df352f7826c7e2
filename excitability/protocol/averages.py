"""Rows of the measures on averages and on whole sets of trials: evoked potentials, silent periods, spectra."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..cleaning import band_of, filtered_across_pulse, gap_of
from ..labels import electrode
from ..measures import Measure, get_measure
from ..measures._chance import samples_looked_at, told_of_chance
from ..measures.bootstrap import bootstrap_average, bootstrap_epochs
from ..resources import roi_channels, tep_component
from ..schema import Estimate, join_flags
from .grammar import Protocol
from .region_match import by_position
from .rows import items, missing, row

#: Fewer trials than this make no average worth a number.
FEWEST = 2
_LARGEST = 1e-3  # V that the median of a cleaned EEG or of a muscle at rest never reaches


def average_rows(
    protocol: Protocol, epochs: mne.BaseEpochs, channels: list[str] | None, label: str, trials: pd.DataFrame
) -> list[dict[str, Any]]:
    """Result rows of the sections [average] and [epochs].

    Parameters
    ----------
    protocol : Protocol
    epochs : mne.Epochs
        Cleaned trials; ``.metadata["condition"]`` is theirs.
    channels : list of str | None
        Channels to measure on; the region of each entry where None.
    label : str
        Name of the channel in the rows; made from the region where empty.
    trials : DataFrame
        Trial table of the channel, whose rejected trials are left out; may be empty.
    """
    rows: list[dict[str, Any]] = []
    kept, lost = kept_trials(epochs, label, trials)
    read = _reader(epochs)
    for section in (protocol.average, protocol.epochs):
        for key, entry in section.items():
            if "responses" in get_measure(entry.get("measure", key)).parameters:
                rows += _joint_rows(key, dict(entry), epochs, kept, lost, channels, trials)
            else:
                outside = _outside(protocol, key, entry, epochs.times)
                rows += _entry_rows(key, dict(entry), epochs, kept, lost, channels, label, outside, read)
    return rows


def kept_trials(
    epochs: mne.BaseEpochs, label: str, trials: pd.DataFrame
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Positions of the kept trials of each condition, and how many were lost."""
    conditions = epochs.metadata["condition"].to_numpy(dtype=object)
    good = np.ones(len(epochs), dtype=bool)
    if len(trials) and label:
        mine = trials[trials["channel"] == label]
        good = np.isin(epochs.selection, mine.loc[mine["reject"] == "", "trial"])
    cut = (epochs.info["temp"] or {}).get("excitability", {}).get("cut", {}) if epochs.info.get("temp") else {}
    kept, lost = {}, {}
    for condition in dict.fromkeys([*cut, *conditions]):
        here = conditions == condition
        kept[condition] = np.flatnonzero(here & good)
        lost[condition] = max(int(cut.get(condition, here.sum())) - kept[condition].size, 0)
    return kept, lost


def evoked_of(epochs: mne.BaseEpochs) -> list[mne.Evoked]:
    """Evoked potential of each condition over the good trials, without what tells who the person is."""
    kept, _ = kept_trials(epochs, "", pd.DataFrame())
    found = []
    for condition, positions in kept.items():
        if condition and positions.size >= FEWEST:
            one = epochs[positions].average(picks="eeg")
            one.comment = condition
            found.append(one.anonymize(verbose="ERROR"))
    return found


def _entry_rows(
    key: str,
    arguments: dict[str, Any],
    epochs: mne.BaseEpochs,
    kept: Mapping[str, np.ndarray],
    lost: Mapping[str, int],
    channels: list[str] | None,
    label: str,
    outside: bool,
    read: Callable[[tuple[str, ...]], tuple[np.ndarray, str]],
) -> list[dict[str, Any]]:
    measure = get_measure(arguments.pop("measure", key))
    region = arguments.pop("roi", None)
    seeds = arguments.get("n_seed", measure.parameters.get("n_seed", 0))
    names, flag = region_channels(epochs, channels, region, seeds)
    if not label:
        whole = "all" if region is None else "+".join(names)
        label = "+".join(channels) if channels is not None else region if isinstance(region, str) else whole
    form = arguments.get("form", measure.form) if measure.form else ""
    if not names:
        absent = missing(key, measure, Estimate(np.nan, flag=flag))
        return [row(label, "all", name, item, unit, form, 0) for name, item, unit in absent]
    paired = {}  # conditions that a measure of pairs is given beside the pairs
    if measure.over == "conditioned":
        for word in ("test", "conditioning"):
            if word == "test" or word in measure.parameters:
                paired[word] = arguments.pop(word, word)
    data, scale = read(tuple(names))
    flag = join_flags(flag, scale)
    if filtered_across_pulse(epochs):
        flag = join_flags(flag, "filtered_across_pulse")
    rows: list[dict[str, Any]] = []
    for condition, positions in kept.items():
        if condition in paired.values():
            continue
        if positions.size < FEWEST or ("test" in paired and kept.get(paired["test"], np.empty(0)).size < FEWEST):
            nothing = Estimate(np.nan, n=positions.size, flag=join_flags("too_few_trials", flag))
            for name, item, unit in missing(key, measure, nothing):
                rows.append(row(label, condition, name, item, unit, form, lost[condition]))
            continue
        if outside:
            for name, item, unit in missing(key, measure, Estimate(np.nan, n=positions.size, flag="outside_epoch")):
                rows.append(row(label, condition, name, item, unit, form, lost[condition]))
            continue
        others = {word: kept[name] for word, name in paired.items() if kept.get(name, np.empty(0)).size >= FEWEST}
        value = _value(measure, data, epochs, positions, others, arguments)
        for name, item, unit in items(key, measure, value):
            item.flag = join_flags(item.flag, flag)
            rows.append(row(label, condition, name, item, unit, form, lost[condition]))
    return rows


def _reader(epochs: mne.BaseEpochs) -> Callable[[tuple[str, ...]], tuple[np.ndarray, str]]:
    """Samples of channels and the flag of their scale, each read once: most measures look at one region."""

    @functools.cache
    def read(names: tuple[str, ...]) -> tuple[np.ndarray, str]:
        data = epochs.get_data(picks=list(names), verbose="ERROR")
        return data, implausible_scale(data)

    return read


def _outside(protocol: Protocol, key: str, entry: Mapping[str, Any], times: np.ndarray) -> bool:
    """Whether a measure looks beyond trials that are shorter than its protocol cuts them."""
    sample = times[1] - times[0]
    if times[0] < protocol.epoch.tmin + 1.5 * sample and times[-1] > protocol.epoch.tmax - 1.5 * sample:
        return False
    known = {**get_measure(entry.get("measure", key)).parameters, **entry}
    named = {"window": "component", "second_window": "second_component"}
    for word in ("window", "second_window", "baseline"):
        component = known.get(named.get(word, ""), "")
        span = tep_component(component)["window"] if component else known.get(word)
        if isinstance(span, tuple | list) and (span[0] < times[0] - sample or span[1] > times[-1] + sample):
            return True
    return False


def implausible_scale(data: np.ndarray) -> str:
    """Flag of trials that cannot be in volts; empty where they may be."""
    large = np.count_nonzero(np.abs(data) > _LARGEST)  # the median is, or is not, without looking for it
    if 2 * large == data.size and large:
        large += int(np.median(np.abs(data)) > _LARGEST)
    return "implausible_scale" if 2 * large > data.size else ""


def region_channels(
    epochs: mne.BaseEpochs, channels: list[str] | None, region: Any, n_seed: int = 0
) -> tuple[list[str], str]:
    """Channels of a region that were recorded and are good, and a flag where some are not.

    Its first ``n_seed`` channels are a seed: without them there is no region. Where no channel has the name of an
    electrode, those of a region are found by where they lie.
    """
    if channels is not None:
        wanted: Iterable[str] = channels
    elif region is None:
        wanted = [epochs.ch_names[i] for i in mne.pick_types(epochs.info, eeg=True, exclude="bads")]
    else:
        wanted = roi_channels(region) if isinstance(region, str) else region
    recorded = {electrode(name): name for name in epochs.ch_names if name not in epochs.info["bads"]}
    wanted = list(wanted)
    found = [recorded[electrode(name)] for name in wanted if electrode(name) in recorded]
    placed = by_position(epochs.info, wanted) if not found and channels is None and region is not None else []
    if placed and len(by_position(epochs.info, wanted[:n_seed])) == n_seed:
        return placed, join_flags("region_by_position", "region_incomplete" * (len(placed) < len(wanted)))
    if any(electrode(name) not in recorded for name in wanted[:n_seed]):
        return [], "no_seed_channel"
    if len(found) == len(wanted):
        return found, ""
    return found, "no_channel_of_region" if not found else "region_incomplete"


def _value(
    measure: Measure,
    data: np.ndarray,
    epochs: mne.BaseEpochs,
    positions: np.ndarray,
    others: Mapping[str, np.ndarray],
    arguments: Mapping[str, Any],
) -> Any:
    """The measure on the trials of one condition, with an interval from resampled trials."""
    arguments = dict(arguments)
    for word, known in (("interval", _interval), ("lowpass", _lowpass), ("pulse_end", _pulse_end)):
        if word in measure.parameters and word not in arguments:
            arguments[word] = known(epochs, positions)
    function = partial(measure.function, **arguments)
    if measure.kind == "epochs":
        value = bootstrap_epochs(data[positions], epochs.times, function)
        return told_of_chance(measure, value, data[positions], epochs.times, arguments)
    data, times = samples_looked_at(data, epochs.times, measure, arguments)
    trials = {word: data[rows] for word, rows in others.items()}
    value = bootstrap_average(data[positions], times, function, **trials)
    return value if trials else told_of_chance(measure, value, data[positions], times, arguments)


def _joint_rows(
    key: str,
    arguments: dict[str, Any],
    epochs: mne.BaseEpochs,
    kept: Mapping[str, np.ndarray],
    lost: Mapping[str, int],
    channels: list[str] | None,
    trials: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Rows of a measure that takes a value of the muscle for each trial: one an EMG channel; none without EMG."""
    measure = get_measure(arguments.pop("measure", key))
    of, region = arguments.pop("of", "mep_amplitude"), arguments.pop("roi", None)
    if of not in trials:
        return []
    names, flag = region_channels(epochs, channels, region)
    if filtered_across_pulse(epochs):
        flag = join_flags(flag, "filtered_across_pulse")
    where = region if isinstance(region, str) and channels is None else "+".join(names)
    data = epochs.get_data(picks=names, verbose="ERROR") if names else np.empty((len(epochs), 1, epochs.times.size))
    rows: list[dict[str, Any]] = []
    for channel, mine in trials.groupby("channel", sort=False):
        values = mine.set_index("trial")[of].where((mine["reject"] == "").to_numpy()).reindex(epochs.selection)
        for condition, positions in kept.items():
            given = values.to_numpy(dtype=float)[positions] if names else np.full(positions.size, np.nan)
            value = measure.function(data[positions], epochs.times, responses=given, **arguments)
            for name, item, unit in items(key, measure, value):
                item.flag = join_flags(item.flag, flag)
                rows.append(row(f"{where}+{channel}", condition, name, item, unit, "", lost[condition]))
    return rows


def _lowpass(epochs: mne.BaseEpochs, positions: np.ndarray) -> float:
    return band_of(epochs)


def _pulse_end(epochs: mne.BaseEpochs, positions: np.ndarray) -> float:
    return gap_of(epochs)[1]


def _interval(epochs: mne.BaseEpochs, positions: np.ndarray) -> float:
    metadata = epochs.metadata
    if "inter_stimulus_interval" not in metadata:
        return float("nan")
    return float(metadata["inter_stimulus_interval"].iloc[positions].median())
