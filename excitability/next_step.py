"""Which protocol the stimuli of a recording are those of, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from .resources import muscle

#: Intervals of paired pulses over one area (s) and the protocol of each.
_BANDS = {"sici": (0.0, 0.0065), "icf": (0.0065, 0.045), "lici": (0.045, 0.1995), "lcd": (0.1995, 0.35)}
#: Protocols that have a form for the trunk.
_TRUNK = ("mep", "sici", "sicf", "recruitment_curve", "motor_map", "cortical_silent_period")
#: Positions by the names of the 10-05 system.
MONTAGE = "colin27_1005"
_CHANNELS, _TRIALS = 60, 80  # of EEG, recommended
_MANY = 8  # intervals of a curve
_STEPS = 5  # intensities of a recruitment curve
_WORDS = {
    "stimuli": "--stimuli", "trigger": "--trigger", "sidecar": "--sidecar", "sampling_rate": "--sampling-rate",
    "unit": "--unit", "pulse_time": "--pulse-time", "variable": "--variable", "axes": "--axes", "select": "--select",
    "montage": "--montage", "format": "--format", "data_format": "--data-format",
}  # fmt: skip
_PAIRED_WORDS = {"muscles": "--muscle", "columns": "--set"}


def next_command(file: str, protocol: str, picks: str, options: Mapping[str, Any]) -> str:
    """The command that runs a protocol on a file that was read with these options.

    >>> next_command("a b.vhdr", "sici", "FDI", {"sidecar": "lab.toml", "muscles": {"Chan1": "FDI"}})
    "excitability run 'a b.vhdr' --protocol sici --picks FDI --sidecar lab.toml --muscle Chan1=FDI"
    """
    words = ["excitability", "run", file, "--protocol", protocol, *(["--picks", picks] if picks else [])]
    for name, value in options.items():
        if name in _WORDS and isinstance(value, str | Path | int | float):
            words += [_WORDS[name], f"{value:g}" if isinstance(value, float) else str(value)]
        elif name in _PAIRED_WORDS and isinstance(value, Mapping):
            for key, entry in value.items():
                words += [_PAIRED_WORDS[name], f"{key}={f'{entry:g}' if isinstance(entry, float) else entry}"]
        elif name == "channel_names" and value:
            words += ["--channel-name", ",".join(value)]
        elif name == "channel_types" and value:
            given = value if isinstance(value, Mapping) else {"*": value}
            for key, entry in given.items():
                words += ["--channel-type", str(entry) if key == "*" else f"{key}={entry}"]
    return shlex.join(words)


def fitting_protocols(trials: pd.DataFrame, muscle_name: str = "", *, emg: bool = True) -> list[str]:
    """Protocols that the stimuli of a recording are those of, the one with most trials first.

    Parameters
    ----------
    trials : DataFrame
        Stimulus columns, one row a trial.
    muscle_name : str
        The muscle recorded: some protocols have a form for the trunk.
    emg : bool
        Whether there is any EMG; without it the responses are those of the EEG.

    Returns
    -------
    list of str

    Examples
    --------
    >>> fitting_protocols(pd.DataFrame({"pulse_count": [1, 2], "inter_stimulus_interval": [np.nan, 0.1]}))
    ['lici']
    """
    if not emg:
        return eeg_protocols(trials)
    told = trials["protocol"].dropna() if "protocol" in trials else pd.Series(dtype=object)
    if len(told):
        return list(told.value_counts().index.astype(str))
    pairs = trials[trials["pulse_count"] == 2] if "pulse_count" in trials else trials[:0]
    found = _by_kind(trials) or _of_pairs(pairs, trials) or [_of_singles(trials, muscle_name)]
    trunk = bool(muscle_name) and muscle(muscle_name).region == "trunk"
    return [f"{name}_trunk" if trunk and name in _TRUNK else name for name in found]


def eeg_protocols(trials: pd.DataFrame) -> list[str]:
    """Protocols of evoked potentials that the stimuli are those of; of rest, where there are none.

    >>> eeg_protocols(pd.DataFrame({"pulse_count": [1, 2], "inter_stimulus_interval": [np.nan, 0.003], "target": "M1"}))
    ['m1/sici_tep']
    >>> eeg_protocols(pd.DataFrame({"onset": [1.0, 5.0], "target": "left DLPFC"})), eeg_protocols(pd.DataFrame())
    (['dlpfc/tep'], ['dlpfc/resting_eeg'])
    """
    if not len(trials):
        return ["dlpfc/resting_eeg"]
    told = trials["protocol"].dropna() if "protocol" in trials else pd.Series(dtype=object)
    own = [name for name in told.value_counts().index.astype(str) if name.endswith("tep")]
    if own:
        return own
    area = "dlpfc" if is_prefrontal(trials) else "m1"
    pairs = trials[trials["pulse_count"] == 2] if "pulse_count" in trials else trials[:0]
    counts = {}
    for name in ("sici", "icf", "lici") if len(pairs) else ():
        low, high = _BANDS[name]
        interval = _numbers(pairs, "inter_stimulus_interval")
        counts[f"{area}/{name}_tep"] = int(((interval >= low) & (interval < high)).sum())
    known = ("m1/sici_tep", "m1/icf_tep", "dlpfc/sici_tep", "dlpfc/icf_tep", "dlpfc/lici_tep")
    found = [name for name in sorted(counts, key=lambda name: -counts[name]) if counts[name] and name in known]
    return found or [f"{area}/tep"]


def is_prefrontal(trials: pd.DataFrame) -> bool:
    """Whether what was said of the stimulated area is the dorsolateral prefrontal cortex."""
    said = " ".join(_words(trials, "target")).lower()
    return any(word in said for word in ("dlpfc", "prefrontal", "f3", "f4"))


def unplaced_channels(inst: mne.io.BaseRaw | mne.BaseEpochs) -> list[str]:
    """EEG channels without a position."""
    picks = mne.pick_types(inst.info, eeg=True, exclude=[])
    place = {inst.ch_names[pick]: inst.info["chs"][pick]["loc"][:3] for pick in picks}
    return [name for name, at in place.items() if not (np.isfinite(at).all() and np.any(at))]


def in_montage(names: list[str]) -> bool:
    """Whether the usual montage has a position for all of these names."""
    known = {name.lower() for name in mne.channels.make_standard_montage(MONTAGE).ch_names}
    return {name.lower() for name in names} <= known


def missing_positions(names: list[str]) -> str:
    """What to type where EEG channels have no position."""
    what = f"positions of {len(names)} EEG channels ({', '.join(names[:3])}{' …' if len(names) > 3 else ''})"
    if in_montage(names):
        return f"{what}: --montage {MONTAGE}"
    return f"{what}: --channel-name with names of the 10-05 system, then --montage {MONTAGE}"


def eeg_notes(channels: pd.DataFrame, trials: pd.DataFrame) -> list[str]:
    """What a recording of EEG has too little of for an evoked potential."""
    n = int((channels["type"] == "eeg").sum())
    if not n or not len(trials):
        return []
    if len(trials) == 1:
        return ["one trial: an average? Protocols need single trials; docs/tms_eeg.md, You only have averages"]
    few = [f"{n} EEG channels, where the protocols ask for 60 or more"] if n < _CHANNELS else []
    few += [f"{len(trials)} trials, where 80 or more of each kind are recommended"] if len(trials) < _TRIALS else []
    return few


def _words(table: pd.DataFrame, name: str) -> set[str]:
    return set(table[name].dropna().astype(str)) if name in table else set()


def _numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    if name not in table:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float)


def _distinct(table: pd.DataFrame, *names: str) -> int:
    """Number of different values of the first column that has any."""
    for name in names:
        values = np.unique(np.round(_numbers(table, name), 5))
        if np.isfinite(values).any():
            return int(np.isfinite(values).sum())
    return 0


def _by_kind(trials: pd.DataFrame) -> list[str]:
    """Protocols that are known by what stimulates."""
    kinds = _words(trials, "stimulus_type")
    if kinds == {"movement"}:
        return ["anticipatory_activation"]
    if "root" in kinds:
        return ["central_conduction"]
    if "nerve" in kinds:
        if "tms" in _words(trials, "conditioning_type"):
            return ["triple_stimulation"]
        return ["central_conduction_f_wave" if "f_wave_latency" in trials else "m_max"]
    return []


def _of_pairs(pairs: pd.DataFrame, trials: pd.DataFrame) -> list[str]:
    """Protocols of pairs of pulses: by where and how strong the first is, then by the interval."""
    interval = _numbers(pairs, "inter_stimulus_interval")
    if not np.isfinite(interval).any():
        return ["sici"] if len(pairs) else []
    middle = float(np.nanmedian(interval))
    if "nerve" in _words(pairs, "conditioning_type"):
        return ["lai" if middle >= 0.1 else "sai"]
    targets = " ".join(_words(pairs, "conditioning_target")).lower()
    if targets:
        opposite = "lihi" if middle > 0.025 else "ihi"
        return ["cbi" if "cereb" in targets else opposite if "m1" in targets else "dual_site"]
    stronger = np.zeros(len(pairs), dtype=bool)
    for scale in ("", "_rmt", "_amt"):
        stronger |= _numbers(pairs, f"conditioning_intensity{scale}") > _numbers(pairs, f"intensity{scale}")
    counts: dict[str, int] = {}
    for name, (low, high) in _BANDS.items():
        mine = (interval >= low) & (interval < high)
        if mine.any():
            reverse = name in ("sici", "icf") and stronger[mine].mean() > 0.5
            counts["sicf" if reverse else name] = int(mine.sum())
    if _distinct(pairs, "inter_stimulus_interval") >= _MANY:
        if set(counts) == {"sicf"}:
            return ["sicf_curve"]
        if len(counts) > 2:
            return ["paired_pulse_curve", *sorted(counts, key=lambda name: -counts[name])]
    if set(counts) == {"sici"}:
        if _distinct(pairs, "conditioning_intensity", "conditioning_intensity_rmt", "conditioning_intensity_amt") >= 4:
            return ["sici_intensity_curve"]
        if _distinct(trials, "intensity") >= _STEPS:
            return ["threshold_tracking_sici"]
    return sorted(counts, key=lambda name: -counts[name])


def _of_singles(trials: pd.DataFrame, muscle_name: str) -> str:
    """The protocol of single pulses."""
    if _distinct(trials, "coil_x") * _distinct(trials, "coil_y") >= 9:
        return "motor_map"
    if len(_words(trials, "current_direction")) > 1:
        return "i_wave_latency"
    if len(_words(trials, "block")) > 1:
        return "plasticity"
    if _distinct(trials, "intensity", "intensity_rmt", "intensity_amt") >= _STEPS:
        return "recruitment_curve"
    trunk = bool(muscle_name) and muscle(muscle_name).region == "trunk"
    if trunk and {"left", "right"} <= _words(trials, "hemisphere"):
        return "trunk_laterality"
    return "cortical_silent_period" if _words(trials, "muscle_state") == {"active"} and not trunk else "mep"
