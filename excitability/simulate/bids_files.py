"""Writing simulated recordings as EMG-BIDS and EEG-BIDS.

The files are small and many, so the sidecars are written here, directly; a test opens them with mne-bids.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from ..schema import STIMULUS_COLUMNS

_EMG_RANGE = 20_000.0  # µV, 24 bit: 0.0024 µV a step
_EEG_RANGE = 3276.8  # µV, 16 bit: 0.1 µV a step; the pulse artefact clips, as it does in amplifiers
_GENERATED = [{"Name": "excitability.simulate", "Description": "simulated: no person was recorded"}]


def write_json(path, content):
    """Write a mapping as indented JSON."""
    Path(path).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tsv(path, table):
    """Write a table as BIDS does: tabs, ``n/a`` for what is missing."""
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")


def write_dataset(root, name, participants):
    """``dataset_description.json``, ``README`` and ``participants.tsv`` with its dictionary."""
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    description = {
        "Name": name,
        "BIDSVersion": "1.11.0",
        "DatasetType": "raw",
        "License": "CC0",
        "Authors": ["excitability.simulate"],
        "GeneratedBy": _GENERATED,
    }
    write_json(root / "dataset_description.json", description)
    (root / "README").write_text(
        f"{name}\n\nSimulated: no person was recorded, and sizes of effects are invented examples. Gaps between "
        "trials are shortened.\nWhat is true of every session: sourcedata/truth.tsv; of the groups: "
        "sourcedata/truth_changes.tsv.\n",
        encoding="utf-8",
    )
    write_tsv(root / "participants.tsv", participants)
    write_json(
        root / "participants.json",
        {
            "group": {"Levels": {"patient": "chronic low back pain", "control": "no pain"}},
            "age": {"Description": "age", "Units": "years"},
            "sex": {"Levels": {"F": "female", "M": "male"}},
            "height": {"Description": "body height", "Units": "m"},
            "pain_intensity": {"Description": "pain intensity, numeric rating 0 to 10"},
        },
    )


def write_sessions(root, participant, sessions):
    """``sub-XX_sessions.tsv`` with its dictionary."""
    folder = Path(root) / f"sub-{participant}"
    folder.mkdir(parents=True, exist_ok=True)
    write_tsv(folder / f"sub-{participant}_sessions.tsv", sessions)
    write_json(
        folder / f"sub-{participant}_sessions.json",
        {
            "timepoint": {"Description": "pre, or minutes after the exercise"},
            "bdnf": {"Description": "serum brain-derived neurotrophic factor", "Units": "ng/ml"},
            "lactate": {"Description": "blood lactate", "Units": "mmol/l"},
        },
    )


def _write_signals(raw, path, kind, stimuli):
    """EDF+ (EEG) or BDF+ (EMG) with one annotation a trial."""
    try:
        import edfio
    except ImportError as error:
        raise ImportError("writing a BIDS study needs the library edfio: pip install excitability[bids]") from error

    notes = [edfio.EdfAnnotation(onset, None, "TMS") for onset in stimuli["onset"]]
    limit = _EMG_RANGE if kind == "emg" else _EEG_RANGE
    microvolts = np.clip(raw.get_data() * 1e6, -limit, limit)

    def signals(signal_class):
        return [
            signal_class(row, raw.info["sfreq"], label=name, physical_dimension="uV", physical_range=(-limit, limit))
            for name, row in zip(raw.ch_names, microvolts, strict=True)
        ]

    if kind == "emg":
        edfio.Bdf(signals(edfio.BdfSignal), annotations=notes, data_record_duration=1.0).write(path)
    else:
        edfio.Edf(signals(edfio.EdfSignal), annotations=notes, data_record_duration=1.0).write(path)


def _events(raw):
    """The rows of ``events.tsv``: onset, duration, trial_type, value, sample and the stimulus columns."""
    annotations = raw.annotations
    events = pd.DataFrame(
        {
            "onset": annotations.onset.round(6),
            "duration": 0.0,
            "trial_type": "TMS",
            "value": 1,
            "sample": np.round(annotations.onset * raw.info["sfreq"]).astype(int),
        }
    )
    extras = pd.DataFrame(list(annotations.extras))
    return pd.concat([events, extras], axis=1)


def _channels_table(raw, kind):
    muscles = raw.info["temp"]["excitability"].get("muscles", {})
    table = pd.DataFrame(
        {"name": raw.ch_names, "type": [type_.upper() for type_ in raw.get_channel_types()], "units": "µV"}
    )
    if kind == "emg":
        table["signal_electrode"] = "n/a"
        table["target_muscle"] = [muscles.get(name, "n/a") for name in raw.ch_names]
        table["reference"] = "bipolar"
    table["low_cutoff"] = 10.0 if kind == "emg" else 0.1
    table["high_cutoff"] = raw.info["sfreq"] / 2
    table["sampling_frequency"] = raw.info["sfreq"]
    table["status"] = "good"
    return table


def _sidecar(raw, kind, task):
    common = {
        "TaskName": task,
        "TaskDescription": raw.info["temp"]["excitability"]["protocol"],
        "SamplingFrequency": raw.info["sfreq"],
        "PowerLineFrequency": 50,
        "SoftwareFilters": "n/a",
        "RecordingType": "continuous",
        "RecordingDuration": round(raw.n_times / raw.info["sfreq"], 3),
        "Manufacturer": "simulated",
    }
    if kind == "emg":
        return common | {
            "EMGReference": "bipolar, belly-tendon",
            "EMGGround": "simulated",
            "EMGPlacementScheme": "Other",
            "EMGPlacementSchemeDescription": "simulated",
            "EMGChannelCount": len(raw.ch_names),
        }
    return common | {
        "EEGReference": "average",
        "EEGGround": "simulated",
        "EEGPlacementScheme": "10-20",
        "EEGChannelCount": len(raw.copy().pick("eeg").ch_names),
        **({"EMGChannelCount": len(raw.copy().pick("emg").ch_names)} if "emg" in raw else {}),
    }


def _write_electrodes(raw, folder, stem):
    """Electrode positions, once a session: head coordinates of MNE are those that BIDS calls CapTrak."""
    raw = raw.copy().pick("eeg")
    positions = np.array([channel["loc"][:3] for channel in raw.info["chs"]]).round(5)
    table = pd.DataFrame(positions, columns=["x", "y", "z"])
    table.insert(0, "name", raw.ch_names)
    write_tsv(folder / f"{stem}_space-CapTrak_electrodes.tsv", table)
    landmarks = {
        {1: "LPA", 2: "NAS", 3: "RPA"}[int(point["ident"])]: [round(float(value), 5) for value in point["r"]]
        for point in raw.info["dig"]
        if int(point["kind"]) == 1
    }
    write_json(
        folder / f"{stem}_space-CapTrak_coordsystem.json",
        {
            "EEGCoordinateSystem": "CapTrak",
            "EEGCoordinateUnits": "m",
            "AnatomicalLandmarkCoordinates": landmarks,
            "AnatomicalLandmarkCoordinateSystem": "CapTrak",
            "AnatomicalLandmarkCoordinateUnits": "m",
        },
    )


def write_recording(root, raw, participant, session, task):
    """Write one recording with its sidecars and return the path of its signals.

    Parameters
    ----------
    root : path
    raw : mne.io.Raw
        As the simulators return it.
    participant, session, task : str
        BIDS labels.
    """
    kind = "eeg" if "eeg" in raw else "emg"  # EMG beside EEG is in its file
    folder = Path(root) / f"sub-{participant}" / f"ses-{session}" / kind
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"sub-{participant}_ses-{session}"
    name = f"{stem}_task-{task}"
    path = folder / f"{name}_{kind}.{'bdf' if kind == 'emg' else 'edf'}"
    events = _events(raw)
    _write_signals(raw, path, kind, events)
    write_json(folder / f"{name}_{kind}.json", _sidecar(raw, kind, task))
    write_tsv(folder / f"{name}_channels.tsv", _channels_table(raw, kind))
    if len(events):
        write_tsv(folder / f"{name}_events.tsv", events)
        known = {column: STIMULUS_COLUMNS[column] for column in events if column in STIMULUS_COLUMNS}
        write_json(
            folder / f"{name}_events.json",
            {
                column: {"Description": entry.meaning} | ({"Units": entry.unit} if entry.unit else {})
                for column, entry in known.items()
            },
        )
    if kind == "eeg":
        _write_electrodes(raw, folder, stem)
    return path
