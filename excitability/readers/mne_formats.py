"""The formats that MNE-Python opens: BrainVision, EDF, BDF, GDF, EEGLAB, FIF, Nexstim, ANT, Neuroscan, EGI, …"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from . import _matlab
from ._channels import channel_type, facts
from ._registry import Reader, bids_root, first_bytes, is_text, need

#: Formats without a mark of their own in the first bytes: taken by suffix when the content is not plain text.
_BY_SUFFIX = (".nxe", ".cdt", ".dap", ".mefd", ".nedf", ".ns3", ".con", ".sqd")
_TEXT_BY_SUFFIX = (".lay", ".ahdr")
_FOLDERS = (".mff", ".ds", ".mefd")

_FIF = b"\x00\x00\x00\x64\x00\x00\x00\x1f"


def sniff(path: Path) -> bool:
    """Whether the first bytes are those of a format that MNE opens (files of a BIDS dataset are left to it)."""
    path = Path(path)
    if path.is_dir():
        return path.suffix.lower() in _FOLDERS
    if bids_root(path) is not None:
        return False
    return bool(_kind(path))


def _kind(path: Path) -> str:
    head = first_bytes(path, 64)
    suffix = path.suffix.lower()
    text = head.decode("latin-1").lstrip("\ufeffï»¿").lower()
    if text.startswith(("brain vision data exchange", "brainvision data exchange")):
        return "brainvision"
    if suffix == ".eeg" and path.with_suffix(".vhdr").is_file():
        return "brainvision"
    if head[:8] in (b"0       ", b"\xffBIOSEMI") and len(head) == 64:
        return "bdf" if head[0] == 255 else "edf"
    if head[:4] == b"GDF ":
        return "other"
    if head[:8] == _FIF or (head[:2] == b"\x1f\x8b" and path.name.lower().endswith(".fif.gz")):
        return "fif"
    if head[:4] in (b"RIFF", b"RF64") and suffix == ".cnt":
        return "ant"
    if head[:9] == b"Version 3" and suffix in (".cnt", ""):
        return "neuroscan"
    if _matlab.is_matlab(path) and _matlab.kind(path) == "eeglab":
        return "eeglab"
    if suffix == ".nxe":
        return "nexstim" if len(head) == 64 and not is_text(head) else ""
    if suffix in _TEXT_BY_SUFFIX and is_text(head):
        return "other"
    return "other" if suffix in _BY_SUFFIX and len(head) == 64 and not is_text(head) else ""


def read(path: Path, *, data_format: str | None = None) -> Any:
    """Open a file with MNE and set the channel types where the vendor says nothing.

    Channels that the vendor's file types (stim, eog, …) keep their type. For the others the rule is by name: a
    name of the 10-05 system, or with "EEG", is ``eeg``; a muscle of ``muscles.toml`` or "EMG" is ``emg``; EOG,
    ECG and triggers by their names; a unit that is no voltage is ``misc``; a channel of which nothing is known
    stays what MNE made it, with a note.

    Parameters
    ----------
    path : path-like
    data_format : {"int16", "int32"}, optional
        Of Neuroscan files, where the header is unclear.

    Returns
    -------
    mne.io.Raw | mne.Epochs
        FIF and EEGLAB files may hold epochs.
    """
    path = Path(path)
    kind = _kind(path) if path.is_file() else "other"
    notes: list[str] = []
    inst = _open(path, kind, data_format, notes)
    units = dict(getattr(inst, "_orig_units", None) or {})
    unsure = _set_types(inst, units)
    inst.info["temp"] = {"excitability": {**facts(path, units, notes), "taken_as_eeg": unsure}}
    return inst


def _open(path: Path, kind: str, data_format: str | None, notes: list[str]) -> Any:
    import mne

    if kind == "brainvision":
        return mne.io.read_raw_brainvision(_header(path), verbose="warning")
    if kind in ("edf", "bdf"):
        # given by content, so that a wrong or missing suffix does not matter
        if path.suffix.lower() not in (".edf", ".bdf"):
            raise ValueError(f"{path} is a {kind.upper()} file; rename it to end in .{kind}")
        return getattr(mne.io, f"read_raw_{kind}")(path, verbose="warning")
    if kind == "fif":
        return _fif(path)
    if kind == "eeglab":
        return _eeglab(path)
    if kind == "nexstim":
        return _nexstim(path, notes)
    if kind == "ant":
        need("antio", "ANT .cnt files")
        return mne.io.read_raw_ant(path, verbose="warning")
    if kind == "neuroscan":
        chosen = data_format or _neuroscan_format(path)
        notes.append(f"Neuroscan samples read as {chosen}; type --data-format (data_format=) to change it")
        return mne.io.read_raw_cnt(path, data_format=chosen, verbose="warning")
    return mne.io.read_raw(path, verbose="warning")


def _header(path: Path) -> Path:
    """Header of a BrainVision recording, from any of its three files."""
    header = path.with_suffix(".vhdr")
    if path.suffix.lower() in (".eeg", ".vmrk") and not header.is_file():
        raise FileNotFoundError(f"{path} is part of a BrainVision recording whose header {header.name} is missing")
    return header if path.suffix.lower() in (".eeg", ".vmrk") else path


def _fif(path: Path) -> Any:
    import mne

    try:
        return mne.io.read_raw_fif(path, verbose="warning")
    except ValueError as error:
        if "No raw data" not in str(error):
            raise
    if mne.what(path) == "evoked":
        raise ValueError(
            f"{path} holds averages, and protocols need single trials; with averages: evoked = "
            "mne.read_evokeds(path)[0], then ex.measures.gmfa_area(evoked.data, evoked.times), ex.measures.tep_peak, "
            "ex.plots.tep_butterfly, and ex.compare_evoked for a study (docs/tms_eeg.md, You only have averages)"
        )
    epochs = mne.read_epochs(path, proj=False, preload=True, verbose="warning")
    return _with_markers(epochs)


def _eeglab(path: Path) -> Any:
    import mne

    need("pymatreader", "EEGLAB files")
    try:
        return mne.io.read_raw_eeglab(path, verbose="warning")
    except TypeError as error:  # MNE's way to say that the file holds epochs
        if "trials" not in str(error):
            raise
    return _with_markers(mne.io.read_epochs_eeglab(path, verbose="warning"))


def _with_markers(epochs: Any) -> Any:
    """Epochs whose metadata name the marker of each, where there are no metadata yet."""
    import pandas as pd

    if epochs.metadata is None:
        names = {code: name for name, code in epochs.event_id.items()}
        epochs.metadata = pd.DataFrame({"marker": [names[code] for code in epochs.events[:, 2]]})
    return epochs


def _nexstim(path: Path, notes: list[str]) -> Any:
    """MNE hands over the microvolts of .nxe files as if they were volts: its EEG step is 0.0763."""
    import mne

    raw = mne.io.read_raw_eximia(path, preload=True, verbose="warning")
    if max(channel["cal"] for channel in raw.info["chs"]) > 1e-3:
        raw.apply_function(lambda x: x * 1e-6, picks=["eeg", "eog"], verbose="error")
        notes.append("Nexstim values scaled from microvolts to volts")
    return raw


def _neuroscan_format(path: Path) -> str:
    """Sample width from the sizes in the header: the event table begins where the samples end."""
    head = first_bytes(path, 900)
    channels = struct.unpack_from("<H", head, 370)[0]
    samples = struct.unpack_from("<I", head, 864)[0]
    table = struct.unpack_from("<I", head, 886)[0]
    width = (table - 900 - 75 * channels) / (channels * samples) if channels * samples else 0.0
    for size, name in ((2, "int16"), (4, "int32")):
        if abs(width - size) < 0.01:
            return name
    raise ValueError(
        f"{path}: the header does not say whether samples are 16 or 32 bit; type --data-format int16 or "
        "--data-format int32 (in Python data_format=) and check the amplitudes (a wrong choice is off by 1000)"
    )


def _set_types(inst: Any, units: dict[str, str]) -> list[str]:
    """Types by name; back come channels taken as EEG only because their names say nothing."""
    unsure, types = [], {}
    for name, present in zip(inst.ch_names, inst.get_channel_types(), strict=True):
        if present not in ("eeg", "misc"):
            continue
        found = channel_type(name, units.get(name, "") if units.get(name, "") not in ("n/a", "") else "")
        # MNE's misc means that the unit was no voltage; only a name can make it a trigger
        if present == "misc":
            found = found if found == "stim" else "misc"
        if not found:
            unsure.append(name)
        elif found != present:
            types[name] = found
    if types:
        inst.set_channel_types(types, on_unit_change="ignore", verbose="error")
    return unsure if "eeg" not in [channel_type(name) for name in inst.ch_names] else []


READER = Reader(
    name="mne_formats",
    suffixes=(".vhdr", ".vmrk", ".eeg", ".edf", ".bdf", ".gdf", ".set", ".fif", ".fif.gz", ".nxe", ".cnt", *_FOLDERS),
    sniff=sniff,
    read=read,
    title="BrainVision, EDF, BDF, GDF, EEGLAB, FIF, Nexstim .nxe, ANT and Neuroscan .cnt, EGI .mff, Curry, Persyst",
)
