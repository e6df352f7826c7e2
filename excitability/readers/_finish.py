"""The last step of opening a file: what a person says about it, applied to the recording."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..schema import STIMULUS_COLUMNS, code_matches, unknown_word
from ._array import check_text, numbered, trial_columns
from ._channels import channel_types, volts_per
from ._sidecar import GRAMMAR, Sidecar, as_slice


def finish(inst: Any, said: Sidecar, *, path: Path, sidecar_path: Path | None, frames_done: bool) -> Any:
    """Apply names, types, units, muscles, stimulus columns and facts.

    Parameters
    ----------
    inst : Raw | Epochs
        As the reader returned it; changed in place where MNE allows.
    said : Sidecar
    path, sidecar_path : Path
        The recording, and the sidecar when there is one.
    frames_done : bool
        Whether the reader has applied ``select`` and the stimulus columns itself.
    """
    info = inst.info["temp"]["excitability"]
    _channels(inst, said, info, path)
    for key, value in said.recording.model_dump(exclude_none=True).items():
        info[key] = value
    stimuli = said.stimuli.model_dump(exclude_unset=True)
    if "table" in stimuli and sidecar_path is not None:
        beside = sidecar_path.parent / stimuli["table"]
        stimuli["table"] = str(beside) if beside.is_file() else stimuli["table"]
    if stimuli:
        info["stimuli"] = stimuli
    if isinstance(inst, mne.BaseEpochs):
        with mne.utils.use_log_level("error"):  # MNE tells of every change of metadata
            inst = _frames(inst, said, path, frames_done)
        return inst
    if said.array.select is not None:
        raise ValueError(f"{path}: select keeps frames, but this file is one continuous recording; remove select")
    for name, value in said.stimuli.columns.items():
        values = value.get("values") if isinstance(value, dict) else value
        if isinstance(values, str) and values.startswith("variable:"):
            _no_variables(path)(values.removeprefix("variable:"))
        check_text(name, values, _no_variables(path), path)
    return inst


def _no_variables(path: Path) -> Callable[[str], np.ndarray]:
    def variable_of(name: str) -> np.ndarray:
        raise ValueError(f"{path}: 'variable:{name}' works only for frames in files of bare arrays (.mat, .npz)")

    return variable_of


def _channels(inst: Any, said: Sidecar, info: dict[str, Any], path: Path) -> None:
    names, given = said.channels.names, dict(said.channels.types)
    every = given.pop("*", None)
    # numbers without names: what the person calls the channels says what they are
    bare = info["format"] == "arrays" and inst.ch_names == numbered(len(inst.ch_names))
    if names is None and bare and every is not None:
        names = numbered(len(inst.ch_names), every.upper())
    if names is not None:
        _rename(inst, names, info, path)
    for what, entries in (("types", given), ("units", said.channels.units), ("muscles", said.channels.muscles)):
        for channel in entries:
            if channel not in inst.ch_names:
                raise ValueError(f"{path}: {what}: {unknown_word('channel', channel, inst.ch_names)}")
    for channel, unit in said.channels.units.items():
        _rescale(inst, channel, info["units"].get(channel, ""), unit, path)
        info["units"][channel] = unit
    types: dict[str, str] = {}
    if bare and names is not None:
        units = [info["units"].get(name, "V") for name in inst.ch_names]
        types = dict(zip(inst.ch_names, channel_types(inst.ch_names, units, unknown="emg"), strict=True))
    if every is not None:
        types = dict.fromkeys(inst.ch_names, every)
    # a channel whose muscle is given is EMG, whatever its name
    types |= dict.fromkeys(said.channels.muscles, "emg") | given
    if types:
        inst.set_channel_types(types, on_unit_change="ignore", verbose="error")
    _tell_guesses(inst, info, set(types))
    if said.channels.muscles:
        info["muscles"] = {**info.get("muscles", {}), **said.channels.muscles}
    if said.channels.montage is not None:
        _place(inst, said.channels.montage, path)


def _tell_guesses(inst: Any, info: dict[str, Any], told: set[str]) -> None:
    """Say of channels that they are taken as EEG only where nobody said what they are."""
    kinds = dict(zip(inst.ch_names, inst.get_channel_types(), strict=True))
    unsure = [name for name in info.pop("taken_as_eeg", []) if kinds.get(name) == "eeg" and name not in told]
    if unsure:
        info["notes"].append(
            f"channels {', '.join(unsure[:8])}{' …' if len(unsure) > 8 else ''} are taken as EEG: their names say "
            "nothing; type --channel-type NAME=emg (in Python channel_types={'NAME': 'emg'})"
        )


def _rename(inst: Any, names: list[str], info: dict[str, Any], path: Path) -> None:
    count = len(inst.ch_names)
    if len(names) != count:
        raise ValueError(
            f"{path}: {len(names)} channel names were given for {count} channels: {', '.join(inst.ch_names)}"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: channel names given twice: {', '.join(twice)}; expected {count} different names")
    renamed = dict(zip(inst.ch_names, names, strict=True))
    inst.rename_channels(renamed, verbose="error")
    info["units"] = {renamed.get(name, name): unit for name, unit in info["units"].items()}
    if "taken_as_eeg" in info:
        info["taken_as_eeg"] = [renamed.get(name, name) for name in info["taken_as_eeg"]]
    if "muscles" in info:
        info["muscles"] = {renamed.get(name, name): muscle for name, muscle in info["muscles"].items()}


def _place(inst: Any, word: str, path: Path) -> None:
    """Electrode positions by name from a montage that MNE knows."""
    known = mne.channels.get_builtin_montages()
    if word not in known:
        raise ValueError(f"{path}: {unknown_word('montage', word, known)} ({GRAMMAR})")
    electrodes = [name for name, kind in zip(inst.ch_names, inst.get_channel_types(), strict=True) if kind == "eeg"]
    if not electrodes:
        raise ValueError(
            f"{path}: montage = {word!r} places EEG channels, but none is EEG; their names or types say so: "
            f'types = "eeg" under [channels], or --channel-type eeg ({GRAMMAR})'
        )
    montage = mne.channels.make_standard_montage(word)
    places = {name.lower() for name in montage.ch_names}
    without = [name for name in electrodes if name.lower() not in places]
    if without:
        listed = ", ".join(without[:20]) + (" …" if len(without) > 20 else "")
        raise ValueError(
            f"{path}: the montage {word} has no position for {len(without)} of {len(electrodes)} EEG channels: "
            f'{listed}. Give names in the order of the file (names = ["Fp1", …], or --channel-name '
            f'Fp1,…), or the type of what is no EEG channel (types = {{ "{without[0]}" = "misc" }}, or '
            f"--channel-type {without[0]}=misc) ({GRAMMAR})"
        )
    inst.set_montage(montage, match_case=False, verbose="error")


def _rescale(inst: Any, channel: str, before: str, after: str, path: Path) -> None:
    new = volts_per(after)
    if new is None:
        raise ValueError(f"{path}: units: {channel} = {after!r} is not a voltage; expected V, mV, uV or nV")
    factor = new / (volts_per(before) or 1.0)
    if factor != 1.0:
        inst.load_data(verbose="error")
        inst.apply_function(lambda x: x * factor, picks=[channel], verbose="error")


def _frames(epochs: mne.BaseEpochs, said: Sidecar, path: Path, frames_done: bool) -> mne.BaseEpochs:
    table = epochs.metadata
    table = pd.DataFrame({"frame": np.arange(len(epochs))}) if table is None else table.reset_index(drop=True).copy()
    if not frames_done:
        given = trial_columns(said.stimuli.columns, {"trials": len(table)}, _no_variables(path), path)
        for name in given.columns.drop("frame"):
            table[name] = given[name]
    _codes(table, said.stimuli.codes, path)
    interval = said.stimuli.inter_stimulus_interval
    if interval is not None and "inter_stimulus_interval" not in table:
        single = table["pulse_count"] == 1 if "pulse_count" in table else pd.Series(False, index=table.index)
        table["inter_stimulus_interval"] = np.where(single, np.nan, float(interval))
    kept = {key: value for key, value in epochs.info["temp"].items()}
    epochs.metadata = table
    if said.array.select is not None and not frames_done:
        epochs = epochs[as_slice(said.array.select)]
    if said.stimuli.pulse == "first":
        epochs = _to_last_pulse(epochs, path)
    epochs.info["temp"] = kept
    return epochs


def _codes(table: pd.DataFrame, codes: list[dict[str, Any]], path: Path) -> None:
    """Write what each state or marker means into the rows that have it."""
    if not codes:
        return
    source = next((name for name in ("frame_state", "marker") if name in table), None)
    if source is None:
        raise ValueError(f"{path}: stimuli.codes were given, but the frames of this file have no states or markers")
    present = table[source].astype(str)
    for entry in codes:
        rows = present.map(partial(code_matches, entry["code"]))
        for name, value in entry.items():
            if name == "code":
                continue
            number = STIMULUS_COLUMNS[name].dtype == "float"
            if name not in table:
                table[name] = np.full(len(table), np.nan) if number else np.full(len(table), None, dtype=object)
            table.loc[rows, name] = float(value) if number else str(value)


def _to_last_pulse(epochs: mne.BaseEpochs, path: Path) -> mne.BaseEpochs:
    """Move t = 0 from the first pulse of each trial to its last, and cut to the times all trials share."""
    table = epochs.metadata
    if "inter_stimulus_interval" not in table:
        raise ValueError(
            f'{path}: pulse = "first" needs the inter_stimulus_interval (s) of the trials, under [stimuli], '
            "[stimuli.columns] or [[stimuli.codes]]"
        )
    rate = epochs.info["sfreq"]
    interval = table["inter_stimulus_interval"].fillna(0.0).to_numpy(dtype=float)
    if "pulse_count" in table:
        interval = np.where(table["pulse_count"] == 1, 0.0, interval)
    if np.ptp(interval) == 0:
        return epochs.copy().shift_time(-interval[0], relative=True)
    shift = np.round(interval * rate).astype(int)
    length = len(epochs.times) - int(shift.max() - shift.min())
    if length < 2:
        raise ValueError(f"{path}: the frames are shorter than the spread of their inter-stimulus intervals")
    data = epochs.get_data(copy=False)
    # a trial with a longer interval begins earlier before its last pulse: drop what the others do not have
    start = shift - shift.min()
    moved = np.stack([trial[:, first : first + length] for trial, first in zip(data, start, strict=True)])
    return mne.EpochsArray(
        moved,
        epochs.info,
        events=epochs.events,
        tmin=epochs.tmin - shift.min() / rate,
        event_id=epochs.event_id,
        metadata=table,
        baseline=None,
        proj=False,
        verbose="error",
    )
