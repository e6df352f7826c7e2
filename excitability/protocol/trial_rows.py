"""The trial table: one row a trial and channel, from the cleaned trials of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..resources import muscle, muscle_window
from ..schema import join_flags
from ..trials import bad_spans, first_pulse_times, reject
from ..trials.measuring import flags_of, measure_trials
from ..trials.muscles import channel_muscles
from ..trials.rejection import apply_decisions, muscle_state, read_decisions
from .grammar import Protocol


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
    """
    needs_muscle = any(entry.get("window") == "muscle" for entry in protocol.trial.values())
    named = channel_muscles(inst, channels, muscles, required=needs_muscle)
    pulses = rejected_without_condition(pulses)
    kept = pulses.index.get_indexer(epochs.selection)
    told = bad_spans(inst, pulses.iloc[kept], epochs.tmin, epochs.tmax)
    data = epochs.get_data(copy=False, verbose="ERROR")
    tables = []
    for channel in channels:
        # contiguous once, not again in every measure; windows read straight from a file are already
        x = np.ascontiguousarray(data[:, epochs.ch_names.index(channel)])
        tables.append(_of_channel(protocol, channel, named[channel], x, epochs.times, pulses, kept, told))
        del x  # before the next one is made: the memory of a copy is used again
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
) -> pd.DataFrame:
    """Rows of one channel: its trials ``x`` are those of the pulses ``kept``; ``told`` says which must not be used."""
    table = pulses.copy()
    table.insert(0, "trial", pulses.index)
    table.insert(2, "channel", channel)
    table.insert(3, "muscle", named)
    first, flag = first_pulse_times(pulses, protocol.epoch.lock), ""
    for name, parameters in protocol.trial.items():
        values = np.full(len(table), np.nan)
        values[kept], shortened = measure_trials(name, x, times, parameters, muscle=named, first_pulse=first[kept])
        table[name] = values
        flag = join_flags(flag, shortened)
    table.loc[table["reject"] == "", "reject"] = "epoch outside recording"
    rows = table.index[kept]
    measured = table.loc[rows]
    usual = muscle(named).state if named else "rest"
    before = int(np.searchsorted(times, min(-0.002, float(np.min(first)) - 0.002)))
    state, inferred = muscle_state(measured, usual, x[:, :before], times[:before])
    lost = "trials_without_condition" if (pulses["condition"] == "").any() else ""
    flag = join_flags(flag, inferred, _scale(x), lost)
    table.loc[rows, "reject"] = told.where(told != "", reject(measured, protocol.reject, state))
    table["flag"] = flag
    window = _response_window(protocol, named)
    if window[1] <= times[-1]:
        table.loc[rows, "flag"] = flags_of(x, times, window, flag)
    return table


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
    largest = float(np.nanmax(np.abs(x - np.nanmedian(x)))) if np.isfinite(x).any() else np.nan
    return "implausible_scale" if largest < 2e-6 or largest > 0.5 else ""


def _response_window(protocol: Protocol, muscle_name: str) -> tuple[float, float]:
    given = protocol.trial.get("mep_amplitude", {}).get("window", "muscle")
    if given == "muscle":
        return muscle_window(muscle_name) if muscle_name else (0.015, 0.050)
    return muscle_window(given) if isinstance(given, str) else tuple(given)
