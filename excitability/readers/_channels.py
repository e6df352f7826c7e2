"""Units, channel types and the recordings built from them: what every reader shares."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..resources import muscles_in_name

#: Volts in one unit; keys in lower case with the micro sign written "u".
_VOLTS = {
    "v": 1.0,
    "volt": 1.0,
    "volts": 1.0,
    "mv": 1e-3,
    "millivolt": 1e-3,
    "millivolts": 1e-3,
    "uv": 1e-6,
    "microvolt": 1e-6,
    "microvolts": 1e-6,
    "nv": 1e-9,
    "nanovolt": 1e-9,
    "nanovolts": 1e-9,
}

_STIM = re.compile(r"(?<![a-z])(stim\w*|sti\d*|trig\w*|ttl\w*|status|marker\w*|sync\w*|gatein)(?![a-z])", re.I)
_DERIVED = re.compile(
    r"(?<![a-z])(rms|rect\w*|integr\w*|envelope|force|torque|gonio\w*|angle|acc\w*|gyro\w*|resp\w*|flow|pressure"
    r"|temp\w*|gsr|eda|photo\w*|load\w*|position|velocity)(?![a-z])",
    re.I,
)
_EOG = re.compile(r"(?<![a-z])[hv]?eog", re.I)
_ECG = re.compile(r"(?<![a-z])e[ck]g(?![a-z])", re.I)
_EMG = re.compile(r"emg|muscle", re.I)
#: Names of the 10-05 system of electrodes.
_ELECTRODE = re.compile(
    r"(n|nfp|fp|afp|af|aff|f|fft|ffc|ft|ftt|fc|fcc|t|ttp|tpp|c|ccp|tp|cp|cpp|p|ppo|po|poo|o|oi|i)(z|\d{1,2}h?)|[am][12]",
    re.I,
)
_EEG_WORD = re.compile(r"(?<![a-z])eeg(?![a-z])", re.I)


def volts_per(unit: str) -> float | None:
    """Volts in one unit, or None when the unit is not a voltage.

    >>> volts_per("µV"), volts_per("Volts"), volts_per("cmH2O")
    (1e-06, 1.0, None)
    """
    plain = unit.strip().lower().replace("\u00b5", "u").replace("\u03bc", "u").replace("\u00c2", "")
    return _VOLTS.get(plain.replace("\u00e2", "").strip())


def channel_type(name: str, unit: str = "") -> str:
    """MNE channel type by name and unit, or "" when neither says anything.

    The rule, first match wins: a name of the 10-05 system or with "EEG" is ``eeg``; Stim, Trigger, TTL, Status,
    Marker are ``stim``; EOG and ECG by their names; a unit that is not a voltage, or a name such as RMS, Force,
    Torque, Angle, Acc is ``misc`` (not a raw voltage); "EMG" or a muscle of ``muscles.toml`` is ``emg``.

    >>> [channel_type(name) for name in ("Cz", "RFDI", "TA-RMS", "Stim", "Chan1")]
    ['eeg', 'emg', 'misc', 'stim', '']
    """
    bare = re.sub(r"^eeg[ _-]*|[ _-]*(ref|le|avg)$", "", name.strip(), flags=re.I)
    if _ELECTRODE.fullmatch(bare) or _EEG_WORD.search(name):
        return "eeg"
    if _STIM.search(name):
        return "stim"
    if _EOG.search(name):
        return "eog"
    if _ECG.search(name):
        return "ecg"
    if (unit.strip() not in ("", "*") and volts_per(unit) is None) or _DERIVED.search(name):
        return "misc"
    if _EMG.search(name) or muscles_in_name(name):
        return "emg"
    return ""


def channel_types(names: Sequence[str], units: Sequence[str], *, unknown: str) -> list[str]:
    """Type of each channel; ``unknown`` where its name says nothing and its unit is a voltage, else ``misc``."""
    types = []
    for name, unit in zip(names, units, strict=True):
        types.append(channel_type(name, unit) or (unknown if volts_per(unit) is not None else "misc"))
    return types


def to_volts(data: np.ndarray, units: Sequence[str], *, axis: int) -> np.ndarray:
    """Copy of ``data`` as float64 with every voltage in volts; other quantities as the file has them."""
    factors = np.array([1.0 if volts_per(unit) is None else volts_per(unit) for unit in units], dtype=float)
    shape = [1] * data.ndim
    shape[axis] = -1
    return np.asarray(data, dtype=np.float64) * factors.reshape(shape)


def facts(
    source: object, units: Mapping[str, str] | None = None, notes: Sequence[str] = (), **others: Any
) -> dict[str, Any]:
    """Content of ``info["temp"]["excitability"]`` as a reader hands it over."""
    return {
        "source": str(source),
        "units": dict(units or {}),
        "notes": list(notes),
        **{key: value for key, value in others.items() if value not in (None, "", {}, [])},
    }


def unique_names(names: Sequence[str]) -> list[str]:
    """Channel names made unique and non-empty, as MNE needs them.

    >>> unique_names(["EMG", "EMG", ""])
    ['EMG', 'EMG-1', 'channel 3']
    """
    found: list[str] = []
    for index, name in enumerate(names):
        base = name.strip() or f"channel {index + 1}"
        candidate, number = base, 0
        while candidate in found:
            number += 1
            candidate = f"{base}-{number}"
        found.append(candidate)
    return found


def _info(names: Sequence[str], sampling_rate: float, types: Sequence[str]) -> Any:
    import mne

    return mne.create_info(list(names), float(sampling_rate), list(types), verbose="error")


def make_raw(
    data: np.ndarray,
    names: Sequence[str],
    sampling_rate: float,
    units: Sequence[str],
    *,
    source: object,
    unknown: str = "emg",
    types: Sequence[str] | None = None,
    **others: Any,
) -> Any:
    """Continuous recording in volts from an array.

    Parameters
    ----------
    data : array, shape (n_channels, n_times)
        In ``units``.
    names, units : sequence of str, length n_channels
        A unit that is no voltage makes the channel ``misc`` and keeps its values.
    sampling_rate : float
        Hz.
    source : path-like
        The file.
    unknown : str
        Type of channels whose name and unit say nothing.
    types : sequence of str, optional
        Types, where the file knows them.
    **others
        Further facts for ``info["temp"]["excitability"]``.

    Returns
    -------
    mne.io.RawArray
    """
    import mne

    names = unique_names(names)
    kinds = list(types) if types is not None else channel_types(names, units, unknown=unknown)
    raw = mne.io.RawArray(to_volts(data, units, axis=0), _info(names, sampling_rate, kinds), verbose="error")
    raw.info["temp"] = {"excitability": facts(source, dict(zip(names, units, strict=True)), **others)}
    return raw


def make_epochs(
    data: np.ndarray,
    names: Sequence[str],
    sampling_rate: float,
    units: Sequence[str],
    tmin: float,
    metadata: Any = None,
    *,
    source: object,
    unknown: str = "emg",
    types: Sequence[str] | None = None,
    **others: Any,
) -> Any:
    """Frames in volts, t = 0 at the pulse, from an array of shape (n_trials, n_channels, n_times).

    ``tmin`` is the time of the first sample from the pulse in seconds; ``metadata`` has one row a frame.
    The other arguments are those of :func:`make_raw`. Returns an ``mne.EpochsArray``.
    """
    import mne
    import pandas as pd

    names = unique_names(names)
    kinds = list(types) if types is not None else channel_types(names, units, unknown=unknown)
    count, _, length = data.shape
    events = np.column_stack([np.arange(count) * length, np.zeros(count), np.ones(count)]).astype(int)
    if metadata is None:
        metadata = pd.DataFrame({"frame": np.arange(count)})
    epochs = mne.EpochsArray(
        to_volts(data, units, axis=1),
        _info(names, sampling_rate, kinds),
        events=events,
        tmin=tmin,
        event_id={"TMS": 1},
        metadata=metadata.reset_index(drop=True),
        baseline=None,
        proj=False,
        verbose="error",
    )
    epochs.info["temp"] = {"excitability": facts(source, dict(zip(names, units, strict=True)), **others)}
    return epochs


def plain(value: Any) -> float | str | None:
    """One value of a table as an annotation's extras may hold it: a float, a string, or None.

    >>> plain(np.int64(3)), plain("n/a"), plain(float("nan")), plain("left")
    (3.0, None, None, 'left')
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "n/a", "(null)")):
        return None
    if isinstance(value, str):
        return value
    number = float(value)
    return None if np.isnan(number) else number
