"""What a recording holds, what is missing, and what to type next."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from .next_step import (
    MONTAGE,
    eeg_notes,
    eeg_protocols,
    fitting_protocols,
    in_montage,
    missing_positions,
    next_command,
    unplaced_channels,
)
from .recording import read
from .schema import STIMULUS_COLUMNS
from .trials import PULSE, find_artefacts, find_triggers, first_pulse_times, pair_pulses
from .trials import stimuli as stimuli_of
from .trials.alignment import LONGEST, REACH
from .trials.muscles import channel_muscles

_HEAD = 20  # EEG channels from which EEG is meant
_SEVERAL = 3  # pulses from which their artefacts are compared with their markers


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
        if self.pulses["artefact_offset"].notna().any():
            lines.append(
                "  (artefact_offset: from the marker to the artefact; used: markers that agree with the trials)"
            )
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
    missing = (
        told + _late_artefacts(pulses) + _unused_markers(recording, trials) + _missing(recording, channels, trials)
    )
    unplaced = unplaced_channels(recording)
    missing += [missing_positions(unplaced)] if unplaced else []
    notes = [str(note) for note in facts.get("notes", [])] + eeg_notes(channels, trials)
    kinds = channels["type"].tolist()
    emg, eeg = "emg" in kinds or "eeg" not in kinds, kinds.count("eeg") >= _HEAD
    if not len(trials) and not eeg:
        return Inspection(summary, channels, pulses, trials, missing, notes, "")
    muscles = [word for word in dict.fromkeys(channels["muscle"]) if word]
    of_eeg = eeg_protocols(trials) if eeg or not emg else []
    of_emg = fitting_protocols(trials, muscles[0] if muscles else "") if emg and len(trials) else []
    told = [str(facts["protocol"])] if facts.get("protocol") else []
    fitting = list(dict.fromkeys([*told, *of_eeg, *of_emg]))
    if len(fitting) > 1:
        notes.append(f"the stimuli are those of {', '.join(fitting)}: a run for each")
    if not name or len(trials) == 1:  # one trial is an average, or no measurement
        return Inspection(summary, channels, pulses, trials, missing, notes, "")
    if unplaced and not {"montage", "sidecar"} & set(options) and in_montage(unplaced):
        options = {**options, "montage": MONTAGE}
    picks = muscles[0] if muscles and fitting[0] not in of_eeg else ""
    return Inspection(summary, channels, pulses, trials, missing, notes, next_command(name, fitting[0], picks, options))


def recording_notes(inst: mne.io.BaseRaw | mne.BaseEpochs) -> list[str]:
    """What to know of a recording beside its results: what its reader met, and pulses that nobody takes.

    Parameters
    ----------
    inst : Raw | Epochs

    Returns
    -------
    list of str

    Examples
    --------
    >>> import excitability as ex
    >>> raw, truth = ex.simulate.session(["m1/sici"], seed=1)
    >>> recording_notes(raw)
    ['gaps between trials are shortened']
    """
    facts = (inst.info.get("temp") or {}).get("excitability", {})
    trials = stimuli_of(inst)
    notes = [str(note) for note in facts.get("notes", [])]
    if not len(trials):
        return notes
    return [*notes, *_late_artefacts(_pulse_table(inst, trials)), *_unused_markers(inst, trials)]


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
        # pulses may have been moved to their artefact, and the trigger of a pair is that of either pulse
        # one of several codes is that of some trials only
        either = (used, used + first_pulse_times(trials))
        taken = max(*(_shared(pulse, onsets) for pulse in either), *(_shared(onsets, pulse) for pulse in either)) > 0.9
        counted = trials if ours else grouped
        paired = int((counted["pulse_count"] > 1).sum()) if len(counted) else 0
        rows.append((source, onsets.size, gap, paired, offset, jitter, "yes" if taken else ""))
    return pd.DataFrame(rows, columns=columns)


def _late_artefacts(pulses: pd.DataFrame) -> list[str]:
    """What to say of pulses whose artefact comes too long before or after them to be corrected when reading."""
    offset = pulses["artefact_offset"].to_numpy(dtype=float)
    ours = pulses["source"].str.startswith("annotations")  # of these it is known where the first pulse is
    several = pulses["count"] >= _SEVERAL  # the waves of one average are no artefacts
    late = np.flatnonzero(ours & several & (np.abs(offset) > REACH))[:1]
    return [
        f"the artefact comes {offset[k] * 1e3:.1f} ms after {pulses['source'].iloc[k]}; latencies are wrong by that: "
        f"a sidecar with [stimuli] delay = {offset[k]:.4f}"
        for k in late
    ]


def _unused_markers(inst: mne.io.BaseRaw | mne.BaseEpochs, trials: pd.DataFrame) -> list[str]:
    """Markers that lie at pulses nobody takes, with what to write to take them."""
    if not isinstance(inst, mne.io.BaseRaw) or not len(trials):
        return []
    artefacts = find_artefacts(inst)
    last = trials["onset"].to_numpy(float)
    taken = np.concatenate([last, last + first_pulse_times(trials)])
    unused = {}
    for name, onsets in find_triggers(inst).items():
        gap = onsets[:, None] - artefacts  # of a pair the artefact of the first pulse is found
        at_pulses = ((gap >= -REACH) & (gap <= LONGEST + REACH)).any(axis=1).mean() if artefacts.size else 0.0
        elsewhere = (np.abs(np.subtract.outer(onsets, taken)).min(axis=1) > LONGEST).mean()
        if at_pulses >= 0.8 and elsewhere >= 0.8:
            unused[name] = onsets.size
    if not unused:
        gap = artefacts[:, None] - taken
        lost = int((np.abs(gap).min(axis=1) > LONGEST).sum()) if artefacts.size else 0
        if lost < max(3, 0.1 * artefacts.size) or _shared(taken[len(last) :], artefacts) < 0.9:
            return []
        return [f"{lost} of {artefacts.size} pulse artefacts have no marker that is used: --trigger artefact takes all"]
    listed = ", ".join(f"{name!r} ({count})" for name, count in sorted(unused.items()))
    code = sorted(unused)[0].rsplit("/", 1)[-1]
    return [
        f"markers at pulses that are not used: {listed}; {len(trials)} trials of {artefacts.size} artefacts are. To "
        f'use them, a sidecar with one [[stimuli.codes]] block each, e.g. code = "{code}", pulse_count = 2, '
        "inter_stimulus_interval = 0.003"
    ]


def _shared(pulses: np.ndarray, onsets: np.ndarray) -> float:
    """Share of the pulses that have a marker within the reach of their alignment."""
    if not pulses.size or not onsets.size:
        return 0.0
    return float((np.abs(np.subtract.outer(pulses, onsets)).min(axis=1) <= REACH).mean())


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
    eeg = bool((channels["type"] == "eeg").sum() >= _HEAD)
    if not len(trials):
        rest = " (nothing, if the recording is one at rest)" * eeg
        missing.append(f"pulses: --trigger NAME, or --stimuli LOG.csv with a column 'onset' in seconds{rest}")
        return missing
    known = {name for name in trials if name in STIMULUS_COLUMNS and trials[name].notna().any()}
    for name in ("frame_state", "marker"):
        told = {"inter_stimulus_interval"} if name == "frame_state" else {"inter_stimulus_interval", "intensity"}
        unclear = not told <= known
        if name in trials and trials[name].nunique() > 1 and unclear:
            counts = trials[name].astype(str).value_counts().sort_index()
            listed = ", ".join(f"{code} × {count}" for code, count in counts.items())
            first = str(counts.index[0]).rsplit("/", 1)[-1]
            quoted = first if name == "frame_state" else f'"{first}"'
            missing.append(
                f"what each {name} means ({listed}): a sidecar with one [[stimuli.codes]] block each, e.g. "
                f"code = {quoted}, pulse_count = 1, intensity = 55"
            )
    needed = bool((channels["type"] == "emg").any()) or not eeg  # an evoked potential asks for none
    if needed and "intensity" not in known and not known & {"intensity_rmt", "intensity_amt", "protocol"}:
        missing.append("stimulus intensities: --stimuli LOG.csv with a column 'intensity' (one row a trial)")
    if eeg and not known & {"target", "protocol"}:
        missing.append("the stimulated area, M1 or DLPFC: --set target=DLPFC (m1/… is named below without it)")
    if eeg and (trials["pulse_count"] == 2).any() and not known & {"intensity", "conditioning_intensity"}:
        missing.append(
            "which single pulses are test pulses: --stimuli LOG.csv with 'intensity' and 'conditioning_intensity' "
            "(%MSO; a conditioning pulse alone has no intensity)"
        )
    unknown = int(trials["pulse_count"].isna().sum())
    if unknown and (trials["pulse_count"] == 2).any():
        missing.append(
            f"pulse_count of {unknown} trials beside the pairs: pulse_count = 1 in their code, or in the log"
        )
    if (trials["pulse_count"] == 2).any() and "inter_stimulus_interval" not in known:
        missing.append("inter-stimulus intervals: --stimuli LOG.csv with 'inter_stimulus_interval' in seconds")
    return missing
