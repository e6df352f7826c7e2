"""A recording inside a BIDS dataset (EEG-BIDS, EMG-BIDS 1.11): its data through MNE, the rest from its sidecars.

The sidecars are read directly. ``mne_bids.read_raw_bids`` takes as long (8 ms for a small file, measured), but gives
columns of ``events.tsv`` that hold "n/a" as text, and neither the muscles nor the BIDS spelling of stimulus columns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..schema import STIMULUS_COLUMNS
from ._channels import facts, plain, volts_per
from ._registry import Reader, bids_root, first_bytes

_SUFFIXES = (".edf", ".bdf", ".vhdr", ".set", ".fif")
_ENTITIES = {"sub": "participant", "ses": "session", "task": "protocol"}
_TYPES = {
    "EEG": "eeg",
    "EMG": "emg",
    "EOG": "eog",
    "HEOG": "eog",
    "VEOG": "eog",
    "ECG": "ecg",
    "TRIG": "stim",
    "STIM": "stim",
    "RESP": "resp",
    "GSR": "gsr",
}
_FACTS = {
    "EEGReference": "reference",
    "EMGReference": "reference",
    "SoftwareFilters": "software_filters",
    "HardwareFilters": "hardware_filters",
    "Stimulator": "stimulator",
    "StimulatorModelName": "stimulator",
    "CoilType": "coil",
    "CoilModelName": "coil",
    "Waveform": "waveform",
    "PulseWaveform": "waveform",
}


def sniff(path: Path) -> bool:
    """Whether the file lies in a BIDS dataset and is one of its EEG or EMG recordings."""
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES or bids_root(path) is None:
        return False
    return path.stem.rsplit("_", 1)[-1] in ("eeg", "emg", "ieeg") and len(first_bytes(path, 8)) == 8


def read(path: Path) -> Any:
    """Open a recording of a BIDS dataset.

    Channel types, units, bad channels and muscles (``target_muscle``) come from ``channels.tsv``; annotations
    from ``events.tsv``, with every stimulus column, in our or in the BIDS spelling, in their ``extras``; events
    whose ``trial_type`` is "TMS" in any case are annotated "TMS"; participant, session, protocol (= task) from
    the file name; references, filters, stimulator and coil from the JSON.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    mne.io.Raw
    """
    import mne

    path = Path(path)
    readers = {
        ".edf": mne.io.read_raw_edf,
        ".bdf": mne.io.read_raw_bdf,
        ".vhdr": mne.io.read_raw_brainvision,
        ".set": mne.io.read_raw_eeglab,
        ".fif": mne.io.read_raw_fif,
    }
    raw = readers[path.suffix.lower()](path, verbose="error")
    root = bids_root(path)
    entities = dict(part.split("-", 1) for part in path.stem.split("_") if "-" in part)
    known = {meaning: entities[key] for key, meaning in _ENTITIES.items() if key in entities}
    described = _metadata(path, root)
    for key, meaning in _FACTS.items():
        if described.get(key) not in (None, "n/a"):
            known.setdefault(meaning, described[key])
    units = dict(getattr(raw, "_orig_units", None) or {})
    notes: list[str] = []
    muscles = _channels(raw, _beside(path, root, "channels.tsv"), units, notes)
    _events(raw, _beside(path, root, "events.tsv"), notes)
    _positions(raw, path, root)
    raw.info["temp"] = {"excitability": facts(path, units, notes, muscles=muscles, **known)}
    return raw


def _candidates(path: Path, root: Path | None, ending: str) -> list[Path]:
    """Sidecars that apply to a file, from the root down to the file's own (the BIDS inheritance principle)."""
    entities = set(path.stem.split("_")[:-1])
    folders = [path.parent]
    while root is not None and folders[-1] != root and folders[-1].absolute() != root:
        folders.append(folders[-1].parent)
    found = []
    for folder in reversed(folders):
        fitting = []
        for item in folder.glob(f"*{ending}"):
            words = set(item.name[: -len(ending)].strip("_").split("_")) - {""}
            if {word for word in words if not word.startswith("space-")} <= entities:
                fitting.append(item)
        found.extend(sorted(fitting, key=lambda item: len(item.name)))
    return found


def _beside(path: Path, root: Path | None, ending: str) -> Path | None:
    """The nearest table that applies to a recording."""
    found = _candidates(path, root, ending)
    return found[-1] if found else None


def _metadata(path: Path, root: Path | None) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for ending in (path.stem.rsplit("_", 1)[-1] + ".json", "nibs.json"):
        for item in _candidates(path, root, ending):
            try:
                merged.update(json.loads(item.read_text(encoding="utf-8")))
            except ValueError as error:
                raise ValueError(f"{path}: its sidecar {item} is not valid JSON: {error}") from None
    return merged


def _channels(raw: Any, table_path: Path | None, units: dict[str, str], notes: list[str]) -> dict[str, str]:
    """Types, units and bad channels; returns the muscle of each channel that has one."""
    import pandas as pd

    if table_path is None:
        notes.append("no channels.tsv: channel types are those of the data file")
        return {}
    table = pd.read_csv(table_path, sep="\t", dtype=str, keep_default_na=False)
    absent = [name for name in table["name"] if name not in raw.ch_names]
    if absent:
        raise ValueError(
            f"{table_path}: channels {', '.join(absent)} are not in the recording, which has: {', '.join(raw.ch_names)}"
        )
    types, muscles, bads = {}, {}, []
    for row in table.to_dict("records"):
        name = row["name"]
        types[name] = _TYPES.get(row.get("type", "").upper(), "misc")
        unit = row.get("units", "")
        if unit not in ("", "n/a"):
            units[name] = unit
            # a quantity that is no voltage stays as it is, and must not be taken for one
            if volts_per(unit) is None and types[name] in ("eeg", "emg", "eog", "ecg"):
                notes.append(f"channel {name}: type {row['type']} but unit {unit}, which is no voltage")
        if row.get("status") == "bad":
            bads.append(name)
        if row.get("target_muscle", "n/a") not in ("", "n/a"):
            muscles[name] = row["target_muscle"]
    raw.set_channel_types(types, on_unit_change="ignore", verbose="error")
    raw.info["bads"] = bads
    return muscles


def _positions(raw: Any, path: Path, root: Path | None) -> None:
    """Electrode positions, where the dataset has them; CapTrak is MNE's head frame."""
    import mne
    import pandas as pd

    table_path = _beside(path, root, "electrodes.tsv")
    system_path = _beside(path, root, "coordsystem.json")
    if table_path is None or system_path is None or "eeg" not in raw.get_channel_types():
        return
    system = json.loads(system_path.read_text(encoding="utf-8"))
    scale = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}.get(str(system.get("EEGCoordinateUnits")))
    if scale is None:
        return
    table = pd.read_csv(table_path, sep="\t", na_values=["n/a"]).dropna(subset=["x", "y", "z"])
    places = {
        str(name): scale * np.array([x, y, z], dtype=float)
        for name, x, y, z in zip(table["name"], table["x"], table["y"], table["z"], strict=True)
        if str(name) in raw.ch_names
    }
    captrak = system.get("EEGCoordinateSystem") == "CapTrak"
    marks = system.get("AnatomicalLandmarkCoordinates", {}) if captrak else {}
    named = {"NAS": "nasion", "LPA": "lpa", "RPA": "rpa"}
    fiducials = {named[key]: scale * np.array(value, dtype=float) for key, value in marks.items() if key in named}
    montage = mne.channels.make_dig_montage(places, coord_frame="head" if captrak else "unknown", **fiducials)
    raw.set_montage(montage, on_missing="ignore", verbose="error")


def _events(raw: Any, table_path: Path | None, notes: list[str]) -> None:
    """Annotations of the recording from its table of events."""
    import mne
    import pandas as pd

    if table_path is None:
        return
    table = pd.read_csv(table_path, sep="\t", keep_default_na=True, na_values=["n/a"])
    if "onset" not in table:
        raise ValueError(f"{table_path} has no column 'onset'; its columns are: {', '.join(map(str, table.columns))}")
    if table["onset"].isna().any():
        notes.append(f"{int(table['onset'].isna().sum())} events without an onset are left out")
        table = table[table["onset"].notna()].reset_index(drop=True)
    spelling = {column.bids: name for name, column in STIMULUS_COLUMNS.items() if column.bids}
    table = table.rename(columns={old: new for old, new in spelling.items() if old in table and new not in table})
    columns = [name for name in table.columns if name in STIMULUS_COLUMNS]
    described = next((name for name in ("trial_type", "value") if name in table), None)
    words = table[described].astype(object) if described else pd.Series(["event"] * len(table))
    words = words.where(words.notna(), "event").astype(str)
    words = words.where(words.str.lower() != "tms", "TMS")
    extras = []
    for row in table[columns].to_dict("records"):
        given = {name: plain(value) for name, value in row.items()}
        extras.append({name: value for name, value in given.items() if value is not None})
    duration = pd.to_numeric(table.get("duration", pd.Series(0.0, index=table.index)), errors="coerce").fillna(0.0)
    onset = table["onset"].to_numpy(dtype=float)
    # gaps that the data file itself marks stay; its other annotations are what events.tsv was made from
    gaps = raw.annotations[[str(word).startswith("BAD") for word in raw.annotations.description]].copy()
    raw.set_annotations(mne.Annotations(onset, duration.to_numpy(float), list(words), extras=extras), verbose="error")
    if len(gaps):
        raw.set_annotations(raw.annotations + gaps, verbose="error")


READER = Reader(
    name="bids", suffixes=_SUFFIXES, sniff=sniff, read=read, title="a recording of a BIDS dataset (EEG-BIDS, EMG-BIDS)"
)
