"""A recording opened and made ready: its pulses found and described. And what a file holds, in words."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from .readers import open_recording
from .schema import STIMULUS_COLUMNS, unknown_word
from .trials import PULSE, artefact_offsets, find_artefacts, find_triggers, first_pulse_times, join_log, pair_pulses
from .trials import stimuli as stimuli_of
from .trials.logs import read_log
from .trials.muscles import channel_muscles
from .trials.stimuli import own_stimuli


def read(
    path: str | Path,
    *,
    stimuli: str | Path | pd.DataFrame | None = None,
    trigger: str | None = None,
    muscles: Mapping[str, str] | None = None,
    **options: Any,
) -> mne.io.BaseRaw | mne.BaseEpochs:
    """Open a recording of any known format, with its pulses annotated.

    Parameters
    ----------
    path : path
        The recording; its format is found by content.
    stimuli : path | DataFrame, optional
        A log with one row a trial, joined to the pulses one by one; mismatches are reported. With a column
        ``onset`` (s) it can also stand in for pulses that the recording does not mark.
    trigger : str, optional
        The annotation or stimulus channel that marks the pulses, or ``"artefact"`` to find them by the artefact
        they leave. By default the trigger is taken that coincides with the artefact, and the artefact itself where
        there is no trigger.
    muscles : mapping of channel to muscle, optional
    **options
        What the format needs to be told (``sampling_rate=``, ``unit=``, ``pulse_time=``, ``sidecar=`` …): see
        the documentation of the reader.

    Returns
    -------
    mne.io.Raw | mne.Epochs
        Volts; one annotation ``"TMS"`` a trial, at its last pulse, with the stimulus parameters in ``extras``.

    Raises
    ------
    FileNotFoundError, ValueError
        With what was given, what was expected and what to type.

    Examples
    --------
    >>> import excitability as ex
    >>> raw = ex.read(ex.sample_data_path() / "formats" / "mne_formats" / "brainvision.vhdr")
    >>> len(ex.stimuli(raw))
    4
    """
    inst = open_recording(path, **options)
    log = None
    stimuli = stimuli if stimuli is not None else _rule(inst).get("table")
    if stimuli is not None:
        log = stimuli if isinstance(stimuli, pd.DataFrame) else read_log(stimuli)
    if isinstance(inst, mne.io.BaseRaw):
        inst = _with_pulses(inst, trigger, log)
    elif trigger is not None:
        raise ValueError(f"trigger={trigger!r} was given, but {Path(path).name} holds frames, each with its pulse at 0")
    elif log is not None:
        frames = join_log(_frame_table(inst), log)
        inst = inst.copy()
        with mne.utils.use_log_level("ERROR"):
            inst.metadata = frames
    if muscles:
        channel_muscles(inst, list(muscles), muscles)
        facts = dict(inst.info.get("temp") or {})
        ours = dict(facts.get("excitability", {}))
        ours["muscles"] = {**ours.get("muscles", {}), **muscles}
        inst.info["temp"] = {**facts, "excitability": ours}
    return inst


def _frame_table(frames: mne.BaseEpochs) -> pd.DataFrame:
    metadata = frames.metadata
    table = pd.DataFrame(index=range(len(frames))) if metadata is None else metadata.reset_index(drop=True)
    if "onset" not in table:
        table = table.assign(onset=frames.events[:, 0] / frames.info["sfreq"])
    return table


def _with_pulses(raw: mne.io.BaseRaw, trigger: str | None, log: pd.DataFrame | None) -> mne.io.BaseRaw:
    """The recording with "TMS" annotations: its own, from triggers or artefact, and with the log joined."""
    if PULSE in set(map(str, raw.annotations.description)) and trigger is None:
        table = stimuli_of(raw)
    else:
        table = _found_pulses(raw, trigger)
        if not len(table) and log is not None and "onset" in log:
            return own_stimuli(raw, log)
    if log is not None:
        if not len(table):
            raise ValueError(
                f"a stimulus log with {len(log)} rows was given, but the recording shows no pulse by trigger or "
                "artefact; give the log a column 'onset' (s from the start of the recording)"
            )
        table = join_log(table, log)
    return own_stimuli(raw, table) if len(table) else raw


def _found_pulses(raw: mne.io.BaseRaw, trigger: str | None) -> pd.DataFrame:
    trains = find_triggers(raw)
    rule = _rule(raw)
    trigger = trigger if trigger is not None else rule.get("trigger")
    if trigger == "artefact":
        table = pair_pulses(find_artefacts(raw))
    elif trigger is not None:
        table = pair_pulses(_train(trains, trigger))
    elif rule.get("codes"):
        table = _coded(trains, rule["codes"])
    else:
        table = _best_train(raw, trains)
    return _ruled(table, rule)


def _train(trains: Mapping[str, np.ndarray], trigger: str) -> np.ndarray:
    """Onsets of one trigger, by its whole name or by what follows the last slash."""
    hits = [name for name in trains if trigger in (name, name.rsplit("/", 1)[-1])]
    if not hits:
        raise ValueError(unknown_word("trigger", trigger, [*trains, "artefact"]))
    return trains[hits[0]]


def _coded(trains: Mapping[str, np.ndarray], codes: list[dict[str, Any]]) -> pd.DataFrame:
    """Trials of several triggers, each with the stimulus parameters that its code stands for."""
    parts = []
    for entry in codes:
        part = pd.DataFrame({"onset": _train(trains, str(entry["code"]))})
        parts.append(part.assign(**{name: value for name, value in entry.items() if name != "code"}))
    return pd.concat(parts, ignore_index=True).sort_values("onset", ignore_index=True)


def _rule(inst: mne.io.BaseRaw | mne.BaseEpochs) -> dict[str, Any]:
    """What a sidecar said of triggers."""
    return dict((inst.info.get("temp") or {}).get("excitability", {}).get("stimuli", {}))


def _ruled(table: pd.DataFrame, rule: Mapping[str, Any]) -> pd.DataFrame:
    """Pulses under a sidecar's word: a delay, the pulse of a pair that the trigger marks, constant columns."""
    table = table.copy()
    table["onset"] = table["onset"] + float(rule.get("delay", 0.0))
    interval = rule.get("inter_stimulus_interval")
    if rule.get("pulse") == "first" and interval:
        table["onset"] += float(interval)
        table["pulse_count"], table["inter_stimulus_interval"] = 2.0, float(interval)
    for column, value in rule.get("columns", {}).items():
        if isinstance(value, Mapping) and "cycle" in value:
            value = np.resize(np.array(value["cycle"], dtype=object), len(table))
        if isinstance(value, list | np.ndarray) and len(value) != len(table):
            raise ValueError(f"the sidecar gives {len(value)} values of {column!r} for {len(table)} pulses")
        table[column] = value
    return table


def _best_train(raw: mne.io.BaseRaw, trains: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The only trigger; else the trigger that the artefact confirms; else the artefact."""
    if len(trains) == 1:
        return pair_pulses(next(iter(trains.values())))
    if not trains:
        return pair_pulses(find_artefacts(raw))
    confirmed = {}
    for name, onsets in trains.items():
        offsets = artefact_offsets(raw, onsets)
        if np.isfinite(offsets).mean() >= 0.8:
            confirmed[name] = abs(np.nanmedian(offsets))
    if confirmed:
        return pair_pulses(trains[min(confirmed, key=lambda name: (confirmed[name], -trains[name].size))])
    counts = ", ".join(f"{name!r} ({onsets.size})" for name, onsets in trains.items())
    warnings.warn(
        f"the recording has several triggers, {counts}, and no pulse artefact that tells which is the pulse; "
        "none was taken. Say which with trigger='NAME', or --trigger NAME",
        stacklevel=5,
    )
    return pair_pulses(np.empty(0))


@dataclass(frozen=True)
class Inspection:
    """What a recording holds; ``print`` it, or look at its tables.

    Attributes
    ----------
    summary : dict
        Format, kind, duration, sampling rate.
    channels : DataFrame
        ``channel, type, muscle, typical`` (median absolute value, V), ``largest`` (V) and ``flag``.
    pulses : DataFrame
        One row a trigger and one for the artefact: ``source, count, interval`` (median s between trials),
        ``paired`` (pairs of pulses), ``artefact_offset`` and ``artefact_jitter`` (s), ``used``.
    stimuli : DataFrame
        The trials as they will be run.
    missing : list of str
        What is not known, each with what to type.
    notes : list of str
        What the reader met on the way.
    next : str
        A command to go on with, where a file was given.
    """

    summary: dict[str, Any]
    channels: pd.DataFrame
    pulses: pd.DataFrame
    stimuli: pd.DataFrame
    missing: list[str]
    notes: list[str]
    next: str

    def __str__(self) -> str:
        lines = [f"{key:<14}{value}" for key, value in self.summary.items()]
        lines += ["", "Channels", _table(_shown_channels(self.channels))]
        lines += ["", "Pulses", _table(_shown_pulses(self.pulses))]
        known = [
            name
            for name in self.stimuli
            if name in STIMULUS_COLUMNS and self.stimuli[name].notna().any() and name != "pulse_count"
        ]
        lines += ["", f"Trials: {len(self.stimuli)}; known of each: {', '.join(known) or 'nothing but its time'}"]
        if "inter_stimulus_interval" in known:
            counts = self.stimuli["inter_stimulus_interval"].round(4).value_counts().sort_index()
            lines.append(
                "ISIs: "
                + ", ".join(
                    f"{isi * 1e3:g} ms × {count}" for isi, count in zip(counts.index.to_numpy(), counts, strict=True)
                )
            )
        for name in ("frame_state", "marker"):
            if name in self.stimuli:
                counts = self.stimuli[name].value_counts().sort_index()
                lines.append(f"{name}: " + ", ".join(f"{value} × {count}" for value, count in counts.items()))
        lines += [f"Note: {entry}" for entry in self.notes]
        lines += ["", "Missing" if self.missing else "Nothing is missing."]
        lines += [f"  - {entry}" for entry in self.missing]
        lines += ["", f"Next: {self.next}"] if self.next else []
        return "\n".join(lines)


def _table(table: pd.DataFrame) -> str:
    return "  " + table.to_string(index=False).replace("\n", "\n  ") if len(table) else "  (none)"


def _shown_channels(channels: pd.DataFrame) -> pd.DataFrame:
    shown = channels.copy()
    volts = channels["type"].isin(["emg", "eeg", "eog", "ecg"])
    for name, factor, unit in (("typical", 1e6, "µV"), ("largest", 1e3, "mV")):
        shown[name] = [
            f"{value * factor:.3g} {unit}" if known else f"{value:.3g}"
            for value, known in zip(channels[name], volts, strict=True)
        ]
    return shown


def _shown_pulses(pulses: pd.DataFrame) -> pd.DataFrame:
    shown = pulses.copy()
    for name in ("artefact_offset", "artefact_jitter"):
        shown[name] = ["" if np.isnan(value) else f"{value * 1e3:.2f} ms" for value in pulses[name]]
    shown["interval"] = ["" if np.isnan(value) else f"{value:.2f} s" for value in pulses["interval"]]
    return shown


def inspect(recording: str | Path | mne.io.BaseRaw | mne.BaseEpochs, **options: Any) -> Inspection:
    """What a recording holds, what is missing, and what to type next.

    Parameters
    ----------
    recording : path | Raw | Epochs
    **options
        As for :func:`read`.

    Returns
    -------
    Inspection

    Examples
    --------
    >>> import excitability as ex
    >>> raw, truth = ex.simulate.session(["m1/sici"], seed=1)
    >>> ex.inspect(raw).missing
    []
    """
    name = ""
    if isinstance(recording, str | Path):
        name = str(recording)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recording = read(recording, **options)
        told = [str(entry.message) for entry in caught]
    else:
        told = []
    continuous = isinstance(recording, mne.io.BaseRaw)
    facts = (recording.info.get("temp") or {}).get("excitability", {})
    summary: dict[str, Any] = {"File": name} if name else {}
    summary["Format"] = facts.get("format", "an MNE object")
    length = recording.times[-1] - recording.times[0]
    summary["Holds"] = (
        f"continuous, {length:.1f} s"
        if continuous
        else f"{len(recording)} frames of {recording.times[0] * 1e3:.0f} to {recording.times[-1] * 1e3:.0f} ms"
    )
    summary["Rate"] = f"{recording.info['sfreq']:g} Hz"
    for key in ("participant", "session", "protocol", "stimulator", "coil", "waveform", "software_filters"):
        if facts.get(key):
            summary[key.replace("_", " ").capitalize()] = facts[key]
    trials = stimuli_of(recording)
    channels = _channel_table(recording)
    pulses = _pulse_table(recording, trials)
    missing = told + _missing(recording, channels, trials)
    notes = [str(note) for note in facts.get("notes", [])]
    return Inspection(summary, channels, pulses, trials, missing, notes, _next(name, facts, channels, trials))


def _next(file: str, facts: Mapping[str, Any], channels: pd.DataFrame, trials: pd.DataFrame) -> str:
    """The command that a reader of an inspection would type next."""
    if not file or not len(trials):
        return ""
    paired = (trials["pulse_count"] == 2).any()
    protocol = facts.get("protocol") or ("sici" if paired else "mep")
    muscles = [word for word in dict.fromkeys(channels["muscle"]) if word]
    picks = f" --picks {muscles[0]}" if muscles and (channels["type"] == "emg").any() else ""
    return f"excitability run {shlex.quote(file)} --protocol {protocol}{picks}"


def _channel_table(inst: mne.io.BaseRaw | mne.BaseEpochs) -> pd.DataFrame:
    data = inst.get_data() if isinstance(inst, mne.io.BaseRaw) else inst.get_data(verbose="ERROR")
    data = data if data.ndim == 2 else np.moveaxis(data, 1, 0).reshape(data.shape[1], -1)
    types = inst.get_channel_types()
    named = channel_muscles(inst, [n for n, t in zip(inst.ch_names, types, strict=True) if t == "emg"], required=False)
    rows = []
    for index, (channel, kind) in enumerate(zip(inst.ch_names, types, strict=True)):
        values = data[index][np.isfinite(data[index])]
        if not values.size:
            rows.append((channel, kind, named.get(channel, ""), np.nan, np.nan, "no data"))
            continue
        centred = values - np.median(values)
        typical, largest = float(np.median(np.abs(centred))), float(np.abs(centred).max())
        flags = _signal_flags(values, typical, largest) if kind in ("emg", "eeg") else []
        twins = [
            inst.ch_names[other]
            for other in range(index)
            if kind in ("emg", "eeg") and largest > 0 and np.array_equal(data[other], data[index], equal_nan=True)
        ]
        flags += [f"copy of {twin}" for twin in twins]
        rows.append((channel, kind, named.get(channel, ""), typical, largest, ", ".join(flags)))
    return pd.DataFrame(rows, columns=["channel", "type", "muscle", "typical", "largest", "flag"])


def _signal_flags(values: np.ndarray, typical: float, largest: float) -> list[str]:
    """What is wrong with a signal: flat, clipped, or of a size that EMG and EEG do not have."""
    if largest == 0 or np.ptp(values) == 0:
        return ["flat"]
    flags = []
    top = max(np.mean(values == values.max()), np.mean(values == values.min()))
    if top > 1e-3 and np.unique(values).size > 16:
        flags.append("clipped")
    if typical > 5e-3 or largest > 0.5:
        flags.append("too large for volts: check the unit (mV read as V?)")
    elif largest < 2e-6:
        flags.append("too small for volts: check the unit")
    return flags


def _pulse_table(inst: mne.io.BaseRaw | mne.BaseEpochs, trials: pd.DataFrame) -> pd.DataFrame:
    columns = ["source", "count", "interval", "paired", "artefact_offset", "artefact_jitter", "used"]
    if not isinstance(inst, mne.io.BaseRaw):
        gap = float(np.median(np.diff(trials["onset"]))) if len(trials) > 1 else np.nan
        paired = int((trials["pulse_count"] == 2).sum())
        return pd.DataFrame([("frames", len(trials), gap, paired, np.nan, np.nan, "yes")], columns=columns)
    artefacts = find_artefacts(inst)
    rows = []
    trains = {**find_triggers(inst), "pulse artefact": artefacts}
    if len(trials):
        trains = {f"annotations {PULSE!r}": trials["onset"].to_numpy(float), **trains}
    used = trials["onset"].to_numpy(float)
    for source, onsets in trains.items():
        grouped = pair_pulses(onsets)
        gap = float(np.median(np.diff(grouped["onset"]))) if len(grouped) > 1 else np.nan
        ours = source.startswith("annotations")
        first = first_pulse_times(trials) if ours else 0.0  # of a pair the artefact of the first pulse is found
        nearest = _offsets(onsets + first, artefacts)
        offset = float(np.median(nearest)) if nearest.size else np.nan
        jitter = float(np.std(nearest)) if nearest.size > 1 else np.nan
        taken = used.size > 0 and onsets.size > 0 and np.isin(np.round(used, 4), np.round(onsets, 4)).mean() > 0.9
        counted = trials if ours else grouped
        paired = int((counted["pulse_count"] > 1).sum()) if len(counted) else 0
        rows.append((source, onsets.size, gap, paired, offset, jitter, "yes" if taken else ""))
    return pd.DataFrame(rows, columns=columns)


def _offsets(onsets: np.ndarray, artefacts: np.ndarray) -> np.ndarray:
    """Offsets of the artefacts from the markers that have one within 20 ms."""
    if not onsets.size or not artefacts.size:
        return np.empty(0)
    nearest = artefacts[np.abs(np.subtract.outer(onsets, artefacts)).argmin(axis=1)] - onsets
    return nearest[np.abs(nearest) <= 0.02]


def _missing(inst: Any, channels: pd.DataFrame, trials: pd.DataFrame) -> list[str]:
    missing = []
    if not channels["type"].isin(["emg", "eeg"]).any():
        missing.append(
            "no EMG or EEG channel: raw.set_channel_types({'NAME': 'emg'}) or a sidecar with [channels] types"
        )
    for channel in channels.loc[(channels["type"] == "emg") & (channels["muscle"] == ""), "channel"]:
        missing.append(f"muscle of channel {channel!r}: --muscle '{channel}=FDI'")
    if not len(trials):
        missing.append("pulses: --trigger NAME, or --stimuli LOG.csv with a column 'onset' in seconds")
        return missing
    known = {name for name in trials if name in STIMULUS_COLUMNS and trials[name].notna().any()}
    for name in ("frame_state", "marker"):
        if name in trials and trials[name].nunique() > 1 and "inter_stimulus_interval" not in known:
            missing.append(
                f"what each {name} means: a sidecar with one [[stimuli.codes]] a state, e.g. code = "
                f"{trials[name].iloc[0]}, pulse_count = 1"
            )
    if "intensity" not in known and not known & {"intensity_rmt", "protocol"}:
        missing.append("stimulus intensities: --stimuli LOG.csv with a column 'intensity' (one row a trial)")
    if (trials["pulse_count"] == 2).any() and "inter_stimulus_interval" not in known:
        missing.append("inter-stimulus intervals: --stimuli LOG.csv with 'inter_stimulus_interval' in seconds")
    return missing
