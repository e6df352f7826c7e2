"""Pulses as annotations: read, written, found among triggers, and paired."""

from __future__ import annotations

import difflib
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..schema import RELATIVE_INTENSITIES, STIMULUS_COLUMNS, TRIAL_COLUMNS, validate

#: Description of the annotation of a trial.
PULSE = "TMS"


def stimuli(inst: mne.io.BaseRaw | mne.BaseEpochs) -> pd.DataFrame:
    """Stimuli of a recording, one row a trial.

    Parameters
    ----------
    inst : Raw | Epochs
        A recording whose trials are annotated ``"TMS"``, or frames with metadata.

    Returns
    -------
    DataFrame
        ``onset`` (s from the start of the recording, of the last pulse) and the stimulus columns that are
        known. Where ``pulse_count`` was not given it follows from the inter-stimulus intervals: a trial
        without one, among trials that have one, is a single pulse. Where nobody told either, it is NaN. Intensities
        relative to a threshold (``intensity_amt``, ``conditioning_intensity_rmt``, …) that were not given follow
        from those in %MSO where the threshold (``active_motor_threshold``, ``resting_motor_threshold``) is known.

    Examples
    --------
    >>> import mne, numpy as np
    >>> raw = mne.io.RawArray(np.zeros((1, 5000)), mne.create_info(["FDI"], 1000.0, "emg"), verbose="ERROR")
    >>> raw = set_stimuli(raw, pd.DataFrame({"onset": [1.0, 3.0], "intensity": [50.0, 60.0]}))
    >>> stimuli(raw)[["onset", "intensity"]].values.tolist()
    [[1.0, 50.0], [3.0, 60.0]]
    """
    return relative_intensities(told_stimuli(inst))


def told_stimuli(inst: mne.io.BaseRaw | mne.BaseEpochs) -> pd.DataFrame:
    """As :func:`stimuli`, without the intensities that only follow from a threshold."""
    if isinstance(inst, mne.io.BaseRaw):
        begin = inst.first_time
        rows = [
            {"onset": onset - begin, **(extras or {})}
            for onset, description, extras in zip(
                inst.annotations.onset, inst.annotations.description, inst.annotations.extras, strict=True
            )
            if str(description) == PULSE
        ]
        table = pd.DataFrame(rows, columns=None if rows else ["onset"])
    else:
        # a frame's own time of day, where its reader knows it, beats the running sample count
        onset = inst.events[:, 0] / inst.info["sfreq"]
        table = pd.DataFrame(index=range(len(inst))) if inst.metadata is None else inst.metadata.reset_index(drop=True)
        if not set(table) & set(STIMULUS_COLUMNS):
            table = pd.concat([table, _annotated(inst)], axis=1)
        if "onset" not in table:
            table.insert(0, "onset", onset)
    # a table of trials has columns of its own under these names
    table = table.rename(columns={name: f"log_{name}" for name in table if name in TRIAL_COLUMNS and name != "onset"})
    validate(table, STIMULUS_COLUMNS, required=[], what="the trials of the recording")
    for name in table.columns.intersection(list(STIMULUS_COLUMNS)):
        if STIMULUS_COLUMNS[name].dtype == "float":
            table[name] = pd.to_numeric(table[name], errors="coerce")
    check_values(table, "the trials of the recording")
    if "pulse_count" not in table:
        interval = table.get("inter_stimulus_interval", pd.Series(np.nan, index=table.index))
        table["pulse_count"] = np.where(interval > 0, 2.0, 1.0 if (interval > 0).any() else np.nan)
    return table


def relative_intensities(table: pd.DataFrame) -> pd.DataFrame:
    """Add intensities in percent of motor threshold where they were not given but follow from the threshold.

    >>> told = pd.DataFrame({"intensity": [48.0, 60.0], "active_motor_threshold": 40.0, "intensity_amt": [np.nan, 149]})
    >>> relative_intensities(told)["intensity_amt"].tolist()
    [120.0, 149.0]
    """
    for name, (intensity, threshold) in RELATIVE_INTENSITIES.items():
        if intensity in table and threshold in table:
            base = pd.to_numeric(table[threshold], errors="coerce")
            percent = (100.0 * pd.to_numeric(table[intensity], errors="coerce") / base).where(base > 0)
            table = table.assign(**{name: table[name].fillna(percent) if name in table else percent})
    return table


def _annotated(epochs: mne.BaseEpochs) -> pd.DataFrame:
    """Stimulus columns of epochs that someone cut from an annotated recording, by the pulse at their time 0."""
    told = epochs.annotations
    pulses = [i for i, text in enumerate(told.description) if str(text) == PULSE] if told is not None else []
    if not pulses:
        return pd.DataFrame(index=range(len(epochs)))
    onset = np.asarray(told.onset)[pulses]
    at = epochs.events[:, 0] / epochs.info["sfreq"]
    nearest = np.abs(np.subtract.outer(at, onset)).argmin(axis=1)
    near = np.abs(onset[nearest] - at) < 1.5 / epochs.info["sfreq"]
    rows = [dict(told.extras[pulses[i]] or {}) if hit else {} for i, hit in zip(nearest, near, strict=True)]
    return pd.DataFrame(rows, index=range(len(epochs)))


def set_stimuli(raw: mne.io.BaseRaw, table: pd.DataFrame) -> mne.io.BaseRaw:
    """Copy of a recording whose trials are those of a table.

    Parameters
    ----------
    raw : Raw
    table : DataFrame
        One row a trial: ``onset`` (s from the start of the recording, of the LAST pulse of the trial) and any
        stimulus columns (``intensity``, ``inter_stimulus_interval``, …). Other columns are kept as they are,
        but one that looks like a misspelt stimulus column is an error.

    Returns
    -------
    Raw
        A copy; other annotations stay.

    Raises
    ------
    ValueError
        When ``onset`` is missing or outside the recording, or a column is misspelt.

    Examples
    --------
    >>> import mne, numpy as np
    >>> raw = mne.io.RawArray(np.zeros((1, 5000)), mne.create_info(["FDI"], 1000.0, "emg"), verbose="ERROR")
    >>> set_stimuli(raw, pd.DataFrame({"onset": [1.0], "intensty": [50.0]}))
    Traceback (most recent call last):
    ...
    ValueError: the stimulus table has a column 'intensty': did you mean 'intensity'?
    """
    return _with_stimuli(raw, table, copy=True)


def own_stimuli(raw: mne.io.BaseRaw, table: pd.DataFrame) -> mne.io.BaseRaw:
    """As :func:`set_stimuli`, in place: for a recording that nobody else holds, such as one just opened."""
    return _with_stimuli(raw, table, copy=False)


def _with_stimuli(raw: mne.io.BaseRaw, table: pd.DataFrame, copy: bool) -> mne.io.BaseRaw:
    if not isinstance(raw, mne.io.BaseRaw):
        raise TypeError(
            f"set_stimuli takes a continuous recording (mne.io.Raw), not {type(raw).__name__}; "
            "for frames, set epochs.metadata"
        )
    table = pd.DataFrame(table)
    validate(table, STIMULUS_COLUMNS, required=["onset"], what="the stimulus table")
    check_columns(table, "the stimulus table")
    onset = pd.to_numeric(table["onset"], errors="coerce").to_numpy(dtype=float)
    end = (raw.n_times - 1) / raw.info["sfreq"]  # raw.times would hold every sample's time in memory
    bad = ~((onset >= 0) & (onset <= end))
    if bad.any():
        raise ValueError(
            f"stimulus {int(np.flatnonzero(bad)[0])} has onset {table['onset'].iloc[int(np.flatnonzero(bad)[0])]}; "
            f"expected seconds from the start of the recording, 0 to {end:.3f}"
        )
    repeated = np.flatnonzero(np.diff(np.sort(onset)) == 0)
    if repeated.size:
        raise ValueError(f"two stimuli have the onset {np.sort(onset)[repeated[0]]:.4f} s; each needs its own")
    out = raw.copy() if copy else raw
    told = out.annotations
    told.delete([i for i, text in enumerate(told.description) if str(text) == PULSE])
    # appended: a new set would be checked, copied and cropped with the extras of a thousand pulses in it. MNE keeps
    # the times of annotations to the microsecond
    told.append(
        np.round(onset, 6) + out.first_time,
        np.zeros(onset.size),
        [PULSE] * onset.size,
        extras=[_extras(row) for row in table.drop(columns="onset").to_dict("records")],
    )
    return out


def _extras(row: dict[Any, Any]) -> dict[str, float | str]:
    """Values of one row as annotation extras; missing ones are left out."""
    values: dict[str, float | str] = {}
    for key, value in row.items():
        if value is None or value != value or value is pd.NA or str(value) == "n/a":
            continue
        values[str(key)] = value if isinstance(value, str) else float(value)
    return values


#: What laboratories call the stimulus columns in their logs.
_MEANT = {
    "isi": "inter_stimulus_interval",
    "interval": "inter_stimulus_interval",
    "cs": "conditioning_intensity",
    "ts": "intensity",
    "mso": "intensity",
    "stim": "intensity",
    "int": "intensity",
    "amplitude": "intensity",
    "rmt": "intensity_rmt",
    "amt": "intensity_amt",
    "pulses": "pulse_count",
    "state": "muscle_state",
}
#: Least and largest value that can be meant, and what was probably meant instead. Intervals of pairs reach 1 s (LAI).
_RANGE: dict[str, tuple[float, float, str]] = {
    "inter_stimulus_interval": (0.0, 1.0, "; milliseconds? give seconds, e.g. 0.003"),
    "pulse_count": (1, 4, ""),
    "intensity": (0.0, 100.0, ""),
    "conditioning_intensity": (0.0, 100.0, ""),
    "resting_motor_threshold": (0.0, 100.0, ""),
    "active_motor_threshold": (0.0, 100.0, ""),
    **dict.fromkeys(RELATIVE_INTENSITIES, (0.0, 400.0, "")),
    **dict.fromkeys(("coil_x", "coil_y", "coil_z"), (-1.0, 1.0, "; millimetres? give metres, e.g. 0.035")),
}


#: Percent of a motor threshold below which a fraction of it was meant.
_LEAST_PERCENT = 5.0
#: What an intensity in percent of a threshold may differ from that in %MSO (%MSO): stimulators have whole steps.
_SAME = 1.0


def check_values(table: pd.DataFrame, what: str) -> None:
    """Refuse values that cannot be meant: milliseconds for seconds, fractions for %MSO, millimetres for metres."""
    for name, (least, largest, hint) in _RANGE.items():
        if name not in table:
            continue
        values = pd.to_numeric(table[name], errors="coerce")
        bad = (values > largest) | (values < least)
        if bad.any():
            unit = STIMULUS_COLUMNS[name].unit
            raise ValueError(
                f"{what}: {name} = {values[bad].iloc[0]:g} in row {values.index[bad][0]}; expected {least:g} to "
                f"{largest:g}{f' {unit}' if unit != '1' else ''}{hint}"
            )
        fraction = 0 < values.max() <= 1 and name.endswith(("intensity", "threshold"))
        if fraction or (name in RELATIVE_INTENSITIES and 0 < values.max() < _LEAST_PERCENT):
            unit = STIMULUS_COLUMNS[name].unit
            usual = "0 to 100" if unit == "%MSO" else "such as 70 or 120"
            raise ValueError(f"{what}: {name} reaches {values.max():g}; expected {unit}, {usual}, not a fraction")
        if name.endswith("_threshold") and (values == 0).any():
            raise ValueError(
                f"{what}: {name} = 0 in row {values.index[values == 0][0]}; a threshold is above 0 %MSO; n/a if unknown"
            )
    _check_thresholds(table, what)


def _check_thresholds(table: pd.DataFrame, what: str) -> None:
    """Refuse intensities in percent of a threshold that the threshold and the intensity in %MSO contradict."""
    for name, (intensity, threshold) in RELATIVE_INTENSITIES.items():
        if not {name, intensity, threshold} <= set(table.columns):
            continue
        percent, given, base = (pd.to_numeric(table[word], errors="coerce") for word in (name, intensity, threshold))
        apart = (percent * base / 100.0 - given).abs() > _SAME
        if apart.any():
            row = int(np.flatnonzero(apart)[0])
            told, was, of = (float(part.iloc[row]) for part in (percent, given, base))
            raise ValueError(
                f"{what}: {name} = {told:g} in row {row}, but {intensity} = {was:g} %MSO is "
                f"{100.0 * was / of:.0f} % of {threshold} = {of:g} %MSO; correct one, or leave "
                f"{name} out: it follows"
            )


def check_columns(table: pd.DataFrame, what: str) -> None:
    """Refuse a column that looks like a stimulus column under another name, and values that cannot be meant."""
    check_values(table, what)
    for name in map(str, table.columns):
        if name.lower() in STIMULUS_COLUMNS and name not in STIMULUS_COLUMNS:
            raise ValueError(f"{what} has a column {name!r}: did you mean {name.lower()!r}?")
        bare = name.lower().removesuffix("_ms").removesuffix("_s").removesuffix("_mso").strip(" %()")
        meant = _MEANT.get(bare)
        if meant and name not in STIMULUS_COLUMNS and meant not in table:
            unit = STIMULUS_COLUMNS[meant].unit
            raise ValueError(f"{what} has a column {name!r}: did you mean {meant!r}{f' ({unit})' if unit else ''}?")
        near = difflib.get_close_matches(name, STIMULUS_COLUMNS, n=1, cutoff=0.82)
        if name not in STIMULUS_COLUMNS and near:
            raise ValueError(f"{what} has a column {name!r}: did you mean {near[0]!r}?")


def find_triggers(raw: mne.io.BaseRaw) -> dict[str, np.ndarray]:
    """Onsets in seconds of every train of triggers: annotations by description, and stimulus channels.

    Parameters
    ----------
    raw : Raw

    Returns
    -------
    dict of str to ndarray
        Trigger name to onsets (s from the start of the recording). Markers that say a segment began
        or that data are bad are no triggers.
    """
    trains: dict[str, list[float]] = {}
    for onset, description in zip(raw.annotations.onset, raw.annotations.description, strict=True):
        name = str(description)
        if name != PULSE and not name.upper().startswith(("BAD", "EDGE", "NEW SEGMENT", "TMS ARTEFACT")):
            trains.setdefault(name, []).append(onset - raw.first_time)
    found = {name: np.sort(np.array(onsets)) for name, onsets in trains.items()}
    for channel in mne.pick_types(raw.info, meg=False, stim=True):
        data = raw.get_data(picks=[channel])[0]
        low, high = np.nanmin(data), np.nanmax(data)
        if not high > low:
            continue
        rises = np.flatnonzero(np.diff((data > (low + high) / 2).astype(np.int8)) == 1) + 1
        if rises.size:
            found[raw.ch_names[channel]] = rises / raw.info["sfreq"]
    return found


def pair_pulses(onsets: np.ndarray, longest: float = 0.35) -> pd.DataFrame:
    """Trials of single and paired pulses from the times of all pulses.

    Parameters
    ----------
    onsets : ndarray, shape (n_pulses,)
        Times of the pulses in seconds.
    longest : float
        Two pulses closer than this are one trial (LICI reaches 250 ms, LAI is given by its own trigger).

    Returns
    -------
    DataFrame
        ``onset`` of the last pulse, ``pulse_count``, ``inter_stimulus_interval``.

    Examples
    --------
    >>> pair_pulses(np.array([1.0, 5.0, 5.003])).values.tolist()
    [[1.0, 1.0, nan], [5.003, 2.0, 0.003]]
    """
    onsets = np.sort(np.asarray(onsets, dtype=float))
    groups = np.split(onsets, np.flatnonzero(np.diff(onsets) > longest) + 1) if onsets.size else []
    paired = any(group.size > 1 for group in groups)  # else one trigger may stand for a pair: the count is not known
    return pd.DataFrame(
        {
            "onset": [group[-1] for group in groups],
            "pulse_count": [float(group.size) if group.size > 1 or paired else np.nan for group in groups],
            "inter_stimulus_interval": [
                round(group[-1] - group[0], 6) if group.size > 1 else np.nan for group in groups
            ],
        }
    )
