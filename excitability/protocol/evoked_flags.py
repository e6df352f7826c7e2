"""What a reader of an evoked potential must know of its recording: flags on all rows of a condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..cleaning._registry import recorded
from ..labels import electrode
from ..resources import regions, roi_channels
from ..schema import join_flags
from ..trials import first_pulse_times
from .grammar import Protocol
from .own_pulses import flags_of_pulses
from .region_match import by_position

_FEW_TRIALS = 20  # below which an average is mostly noise: a peak of 3 µV in trials of 15 µV is within one error
_FEW_SECONDS = 60.0  # of rest: a proposal; below, spectra and couplings of one person differ from minute to minute
_FEW_CHANNELS = 20  # good ones; a proposal: with fewer neither SOUND nor an average reference knows the head
_REBUILT = 0.5  # share of a region's electrodes of which the value is that of others
_MOST, _SOME = 0.5, 0.2  # shares of the trials, as everywhere in results
_FIT_END = 0.5  # s: what the step remove_decay looks at
_LEFT, _LARGE = 0.2, 5e-6  # of a decay at the end of its fit, and its size (V): as large as a response


def flag_rows(
    protocol: Protocol,
    epochs: mne.BaseEpochs,
    kept: Mapping[str, np.ndarray],
    rows: list[dict[str, Any]],
    pulses: pd.DataFrame,
) -> None:
    """Write the flags of a recording, of its conditions and of regions onto the rows of an evoked potential, in place.

    Parameters
    ----------
    protocol : Protocol
    epochs : mne.Epochs
        Cleaned trials.
    kept : mapping
        Positions of the kept trials of each condition.
    rows : list of dict
        Rows of the measures on averages and on trials.
    pulses : DataFrame
        All pulses of the recording.
    """
    if protocol.epoch.every is not None:
        for entry in rows:
            seconds = kept.get(entry["condition"], np.empty(0)).size * protocol.epoch.every
            entry["flag"] = join_flags(entry["flag"], "few_pieces" * bool(0 < seconds < _FEW_SECONDS))
        return
    of_all = [*_of_recording(protocol, epochs), *flags_of_pulses(protocol, pulses)]
    near = _near_another(protocol, epochs, pulses)
    for entry in rows:
        own = kept.get(entry["condition"], np.empty(0, dtype=int))
        entry["flag"] = join_flags(
            entry["flag"],
            *of_all,
            *_of_channels(epochs, _channels(epochs, entry["channel"])),
            "few_trials" if 2 <= own.size < _FEW_TRIALS else "",
            _share("another_pulse", near[own]),
        )


def rebuilt_region(epochs: mne.BaseEpochs, names: Iterable[str]) -> bool:
    """Whether half or more of the channels hold what others were made to say of them.

    Parameters
    ----------
    epochs : mne.Epochs
        Cleaned trials, with the log of their cleaning.
    names : iterable of str
        Channels of a region.
    """
    names = list(names)
    gone = _gone(epochs)
    return bool(names) and sum(name in gone for name in names) >= _REBUILT * len(names)


def decay_outlasts(epochs: mne.BaseEpochs, names: Iterable[str]) -> str:
    """Flag where a fifth of the channels or more have a decay, or a step, that the trial does not see the end of.

    Of such a decay the course cannot be told from a slow response, so that what is left of it may be as large as one.

    Parameters
    ----------
    epochs : mne.Epochs
        Cleaned trials, with the log of their cleaning.
    names : iterable of str
        Channels.
    """
    course, times = (recorded(epochs, "remove_decay", fact) for fact in ("course", "times"))
    everyone = [epochs.ch_names[pick] for pick in mne.pick_types(epochs.info, eeg=True, exclude=())]
    here = np.isin(everyone, list(names))
    if course is None or len(course) != len(everyone) or not here.any():
        return ""
    last = course[:, int(np.searchsorted(times, min(_FIT_END, times[-1])))]
    largest = course.max(axis=1)
    return "decay_longer_than_trial" * bool(np.mean(((largest > _LARGE) & (last > _LEFT * largest))[here]) >= _SOME)


def _gone(epochs: mne.BaseEpochs) -> set[str]:
    """Channels that were bad, by the recording or by a step."""
    found = (recorded(epochs, step, fact, []) for step, fact in (("bad_channels", "bads"), ("sound", "replaced")))
    return {name for names in found for name in names} | set(epochs.info["bads"])


def _of_recording(protocol: Protocol, epochs: mne.BaseEpochs) -> list[str]:
    single = not any("inter_stimulus_interval" in one for one in protocol.conditions)
    everyone = [epochs.ch_names[pick] for pick in mne.pick_types(epochs.info, eeg=True, exclude=())]
    few = len(set(everyone) - _gone(epochs)) < _FEW_CHANNELS
    removed = any(step["step"] == "remove_recharge" for step in protocol.cleaning)
    return [
        "pairs_left_out" * bool(single and _fact(epochs, "pairs_left_out")),
        "few_channels" * few,
        "recharge_suspected" * bool(_faults(epochs, "recharge") and not removed),
    ]


def _of_channels(epochs: mne.BaseEpochs, names: list[str]) -> list[str]:
    clipped, bridged = (set(_faults(epochs, what)) for what in ("clipped", "bridged"))
    return [
        "region_rebuilt" * rebuilt_region(epochs, names),
        decay_outlasts(epochs, names),
        "clipped" * bool(clipped & set(names)),
        "bridged_electrodes" * bool(bridged & set(names)),
    ]


def _channels(epochs: mne.BaseEpochs, label: str) -> list[str]:
    """EEG channels that the rows of a label are of: a region, channels joined by +, or all."""
    everyone = [epochs.ch_names[pick] for pick in mne.pick_types(epochs.info, eeg=True, exclude=())]
    wanted: Iterable[str] = (
        word for part in label.split("+") for word in (roi_channels(part) if part in regions() else (part,))
    )
    wanted = list(wanted)
    lower = {electrode(name) for name in wanted}
    named = [name for name in everyone if electrode(name) in lower]
    return everyone if label == "all" else named or by_position(epochs.info, wanted)


def _near_another(protocol: Protocol, epochs: mne.BaseEpochs, pulses: pd.DataFrame) -> np.ndarray:
    """Trials, (n_trials,), with a pulse of another trial inside."""
    if "onset" not in pulses or not len(pulses):
        return np.zeros(len(epochs), dtype=bool)
    onset = pulses["onset"].to_numpy(dtype=float)
    order = np.argsort(onset, kind="stable")
    apart = np.diff(onset[order])
    hit = np.zeros(len(pulses), dtype=bool)
    hit[order[1:]] |= apart < -protocol.epoch.tmin
    hit[order[:-1]] |= apart + first_pulse_times(pulses, protocol.epoch.lock)[order][1:] < protocol.epoch.tmax
    where = pulses.index.get_indexer(epochs.selection)
    return np.asarray((where >= 0) & hit[where])


def _share(word: str, there: np.ndarray) -> str:
    share = float(there.mean()) if there.size else 0.0
    return word if share > _MOST else f"{word}_in_some" if share >= _SOME else ""


def _faults(epochs: mne.BaseEpochs, what: str) -> list[Any]:
    return list(_fact(epochs, "faults", {}).get(what, []))


def _fact(epochs: mne.BaseEpochs, name: str, default: Any = None) -> Any:
    return ((epochs.info.get("temp") or {}).get("excitability") or {}).get(name, default)
