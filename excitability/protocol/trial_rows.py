"""The trial table: one row a trial and channel, from the cleaned trials of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..measures._unchanged import unchanged
from ..measures._windows import BASELINE
from ..measures.silent_period import silent_period_flags
from ..resources import muscle, muscle_window
from ..schema import join_flags
from ..trials import bad_spans, first_pulse_times, reject
from ..trials.measuring import flags_of, measure_trials
from ..trials.muscles import channel_muscles
from ..trials.rejection import apply_decisions, muscle_state, read_decisions
from .grammar import Protocol
from .own_trials import (
    is_direct,
    lost_by_stated_interval,
    own_trials_lost,
    trial_measures,
    without_onset_at_edge,
    without_words_of_responses,
)
from .stimulus_flags import stimulus_flags

#: Sampling rate (Hz) below which no recommendation lets EMG be measured: an onset lies between samples.
SLOWEST = 2000.0

#: What MNE says of a file that ends before its header or its annotations do.
CUT_SHORT = ("does not match the file size", "outside data range", "outside the data range")


def facts_of(inst: Any) -> dict[str, Any]:
    """What the reader knew of the recording beside its signals."""
    return dict((inst.info.get("temp") or {}).get("excitability", {}))


def table_of(
    inst: Any,
    protocol: Protocol,
    epochs: mne.BaseEpochs,
    pulses: pd.DataFrame,
    channels: list[str],
    muscles: Mapping[str, str] | None,
    *,
    child: bool = False,
    height: float | None = None,
) -> pd.DataFrame:
    """Trial table of cleaned trials: see :func:`excitability.trial_table`.

    Parameters
    ----------
    inst : Raw | Epochs
        The recording the trials are of.
    protocol : Protocol
    epochs : mne.Epochs
        Trials; their ``selection`` are rows of ``pulses``.
    pulses : DataFrame
        Stimuli of all pulses, with ``condition`` (empty where none applies).
    channels : list of str
    muscles : mapping of channel to muscle | None
    child, height
        Whose windows are meant: see :func:`excitability.resources.muscle_window`.
    """
    needs_muscle = any(entry.get("window") == "muscle" for entry in protocol.trial.values())
    named = channel_muscles(inst, channels, muscles, required=needs_muscle)
    pulses = rejected_without_condition(pulses)
    kept = pulses.index.get_indexer(epochs.selection)
    told = bad_spans(inst, pulses.iloc[kept], epochs.tmin, epochs.tmax)
    data = epochs.get_data(copy=False, verbose="ERROR")
    tables = []
    for channel in channels:
        # contiguous once, not again in every measure
        x = np.ascontiguousarray(data[:, epochs.ch_names.index(channel)])
        window, flag = response_window(protocol, named[channel], child=child, height=height)
        flag = join_flags(flag, recorded_flags(inst, channel), _scale(x))
        with unchanged(x):
            tables.append(
                _of_channel(protocol, channel, named[channel], x, epochs.times, pulses, kept, told, window, flag)
            )
        del x  # before the next one is made: the memory is used again
    whole = pd.concat(tables, ignore_index=True)
    source = facts_of(inst).get("source")
    decisions = read_decisions(source) if source else None
    return whole if decisions is None else apply_decisions(whole, decisions)


def _of_channel(
    protocol: Protocol,
    channel: str,
    named: str,
    x: np.ndarray,
    times: np.ndarray,
    pulses: pd.DataFrame,
    kept: np.ndarray,
    told: pd.Series,
    window: tuple[float, float],
    flag: str,
) -> pd.DataFrame:
    """Rows of one channel: its trials ``x`` are those of the pulses ``kept``; ``told`` says which must not be used."""
    first = first_pulse_times(pulses, protocol.epoch.lock)
    wanted = trial_measures(protocol)
    measures = {name: np.full(len(pulses), np.nan) for name in wanted}
    alike = _kinds_of_stimulus(pulses.iloc[kept])
    parts_of = [(kept, x)] if len(alike) < 2 else [(kept[rows], np.ascontiguousarray(x[rows])) for rows in alike]
    for rows, own in parts_of:
        for name, parameters in wanted.items():
            measures[name][rows], shortened = measure_trials(
                name, own, times, parameters, muscle=named, window=window, first_pulse=first[rows]
            )
            flag = join_flags(flag, shortened)
    # made at once: a column put into a table costs as much as a measure of a thousand trials
    onset, *others = pulses.columns
    parts = {"trial": pulses.index, onset: pulses[onset], "channel": channel, "muscle": named}
    parts |= {name: pulses[name] for name in others} | {"window_start": window[0], "window_stop": window[1]}
    table = pd.DataFrame(parts | measures, index=pulses.index)
    measured = table.iloc[kept]
    usual = muscle(named).state if named else "rest"
    before = int(np.searchsorted(times, min(-0.002, float(np.min(first)) - 0.002)))
    state, inferred = muscle_state(measured, usual, x[:, :before], times[:before])
    lost = "trials_without_condition" if own_trials_lost(protocol, pulses).any() else ""
    heartless = "no_heart_beats_found" if "ecg_distance" in protocol.reject and "ecg_distance" not in pulses else ""
    misstated = "trials_lost_by_stated_interval" if lost_by_stated_interval(protocol, pulses) else ""
    flag = join_flags(flag, inferred, lost, misstated, heartless)
    reasons = pulses["reject"].to_numpy(dtype=object, copy=True)
    reasons[reasons == ""] = "epoch outside recording"
    reasons[kept] = told.where(told != "", reject(measured, protocol.reject, state))
    flags = np.full(len(pulses), flag, dtype=object)
    seen = (window[0], min(window[1], float(times[-1])))
    latency = measures["mep_latency"][kept] if "mep_latency" in measures else None
    if latency is not None:
        without_onset_at_edge(table, protocol, window, float(times[1] - times[0]))
    if seen[1] > seen[0]:
        flags[kept] = flags_of(x, times, seen, flag, first_pulse=first[kept], latency=latency)
    if "silent_period" in protocol.trial and np.isnan(measures["silent_period"][kept]).any():
        given = protocol.trial["silent_period"]
        given = {**given, "window": window} if given.get("window") == "muscle" else given
        longer = silent_period_flags(x, times, **given, first_pulse=first[kept])
        late = kept[longer != ""]
        flags[late] = [join_flags(*words) for words in zip(flags[late], longer[longer != ""], strict=True)]
    flags = np.array([join_flags(*both) for both in zip(flags, stimulus_flags(protocol, pulses), strict=True)], object)
    direct = is_direct(pulses)  # no response is looked for in the window of those to the cortex
    flags[direct] = [without_words_of_responses(word) for word in flags[direct]]
    near = other_pulse(pulses, first, window)
    flags[near] = [join_flags(word, "another_pulse") for word in flags[near]]
    table["reject"], table["flag"] = reasons, flags
    return table


def _kinds_of_stimulus(pulses: pd.DataFrame) -> list[np.ndarray]:
    """Rows of each kind of stimulus: responses to nerve, root and cortex come at other times and look otherwise."""
    if "stimulus_type" not in pulses:
        return []
    kind = pulses["stimulus_type"].fillna("tms").astype(str).to_numpy()
    return [np.flatnonzero(kind == word) for word in np.unique(kind)]


def rejected_without_condition(pulses: pd.DataFrame) -> pd.DataFrame:
    """Pulses with the column ``reject``: those of no condition of the protocol are rejected, not dropped."""
    reasons = np.where(pulses["condition"] == "", "no condition of the protocol", "")
    return pulses.drop(columns="reject", errors="ignore").assign(reject=reasons)


def eeg_trials(protocol: Protocol, pulses: pd.DataFrame, epochs: mne.BaseEpochs) -> pd.DataFrame:
    """One row a pulse (or piece of rest) of an EEG protocol: which were averaged, and why others were not."""
    if protocol.epoch.every is None:
        table = rejected_without_condition(pulses)
    else:
        onset = protocol.epoch.every * np.arange(len(epochs.drop_log))
        table = pd.DataFrame({"onset": onset, "condition": "all", "reject": ""})
    table.insert(0, "trial", table.index)
    table.insert(2, "channel", "EEG")
    table.insert(3, "muscle", "")
    averaged = set(epochs.selection.tolist())
    for trial in table.index[table["reject"] == ""]:
        if trial not in averaged:
            dropped = epochs.drop_log[trial] if trial < len(epochs.drop_log) else ()
            table.loc[trial, "reject"] = ", ".join(map(str, dropped)) or "epoch outside recording"
    return table.assign(flag="")


def _scale(x: np.ndarray) -> str:
    """Flag of EMG whose size is not that of EMG in volts."""
    span = float(np.fmax.reduce(x, axis=None) - np.fmin.reduce(x, axis=None)) if x.size else np.nan
    if 4e-6 <= span <= 0.5:  # the largest deviation lies between half of it and all of it: no median is needed
        return ""
    finite = x[np.isfinite(x)]
    largest = float(np.max(np.abs(finite - np.median(finite)))) if finite.size else np.nan
    return "implausible_scale" if largest < 2e-6 or largest > 0.5 else ""


def response_window(
    protocol: Protocol, muscle_name: str, *, child: bool = False, height: float | None = None
) -> tuple[tuple[float, float], str]:
    """Where a protocol looks for the response of a muscle, in s, and a flag where that is not what was asked for."""
    given = protocol.trial.get("mep_amplitude", {}).get("window", "muscle")
    named = muscle_name if given == "muscle" else given
    if not isinstance(named, str):
        return (float(given[0]), float(given[1])), "adult_window" if child or height is not None else ""
    if not named:
        return muscle_window("FDI", child=child, height=height), ""
    without = child and muscle(named).child_window is None
    return muscle_window(named, child=child, height=height), "adult_window" if without else ""


def recorded_flags(inst: Any, channel: str) -> str:
    """What is known against a channel before it is measured: marked bad, too slow for a latency, cut short."""
    told = " ".join(map(str, facts_of(inst).get("notes", [])))
    rules = {
        "bad_channel": channel in inst.info["bads"],
        "low_sampling_rate": inst.info["sfreq"] < SLOWEST * (1 - 1e-6),
        "recording_cut_short": any(words in told for words in CUT_SHORT),
    }
    return join_flags(*(word for word, hit in rules.items() if hit))


def other_pulse(pulses: pd.DataFrame, first: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Which trials have a pulse of another trial between their baseline and the end of their window."""
    onset = pulses["onset"].to_numpy(dtype=float)
    order = np.argsort(onset, kind="stable")
    begin, end = onset[order] + np.minimum(first[order], 0.0), onset[order]
    gap = begin[1:] - end[:-1]  # from the last pulse of a trial to the first of the next
    hit = np.zeros(len(pulses), dtype=bool)
    hit[order[1:]] |= gap < -BASELINE[0]
    hit[order[:-1]] |= gap < window[1]
    return hit
