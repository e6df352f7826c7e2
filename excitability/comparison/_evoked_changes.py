"""Evoked potentials of a study laid out as people × times × channels, as the change from one time point to another."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..schema import join_flags, unknown_word
from ._labels import as_text
from ._units import groups_of_people
from .design import _levels_asked, level_column

_NEEDED = ("participant", "evoked")
_FEWEST_CHANNELS = 2  # fewer have no neighbours
_ALL_NEIGHBOURS = 3  # channels; no triangles can be laid over fewer, and in one all are neighbours
_SCALE = 300.0  # times as large as others: a thousand is another unit, ten another person


@dataclass(frozen=True)
class Changes:
    """The change of one protocol and condition: after minus before, one a person with both."""

    protocol: str
    condition: str
    before: str
    after: str
    info: mne.Info
    times: np.ndarray  # (n_times,), s from the pulse
    data: np.ndarray  # (n_people, n_times, n_channels), V
    groups: np.ndarray  # (n_people,) number of the person's group
    group_names: tuple[str, ...]  # a control group comes last
    missing: np.ndarray  # (n_groups,) people without both time points
    flag: str

    @functools.cached_property
    def adjacency(self) -> Any:
        """Which electrodes are neighbours: sparse, (n_channels, n_channels), by Delaunay triangles of the montage."""
        from scipy.sparse import csr_array

        if self.data.shape[2] <= _ALL_NEIGHBOURS:
            return csr_array(np.ones((self.data.shape[2],) * 2))
        with mne.utils.use_log_level("ERROR"):
            return mne.channels.find_ch_adjacency(self.info, "eeg")[0]

    def samples(self, groups: Sequence[int]) -> list[np.ndarray]:
        """Changes of each of the groups."""
        return [self.data[self.groups == group] for group in groups]


def as_table(evoked: Any, by: Any) -> tuple[pd.DataFrame, str | None]:
    """A table of evoked potentials, and the column of the groups, from either form that may be given."""
    if isinstance(evoked, pd.DataFrame):
        for name in _NEEDED:
            if name not in evoked:
                raise ValueError(f"the table of evoked potentials has no column {name!r}: {', '.join(evoked.columns)}")
        table = evoked.copy()
        for name in ("protocol", "condition"):
            table[name] = as_text(table[name]) if name in table else ""
        return table, by
    if not isinstance(evoked, Mapping) or not all(isinstance(people, Mapping) for people in evoked.values()):
        raise TypeError(
            "expected {time point: {participant: mne.Evoked}} or the table of ex.load_evoked(folder), "
            f"not {type(evoked).__name__}"
        )
    rows = [
        {"participant": str(who), "session": str(level), "protocol": "", "condition": "all", "evoked": one}
        for level, people in evoked.items()
        for who, one in people.items()
    ]
    table = pd.DataFrame(rows, columns=["participant", "session", "protocol", "condition", "evoked"])
    if isinstance(by, str):
        raise ValueError(f"by={by!r} names a column; with a mapping of evoked potentials give {{participant: group}}")
    if by is None:
        return table, None
    known = {str(who): group for who, group in by.items()}
    return table.assign(group=[known.get(who, "") for who in table["participant"]]), "group"


def read_changes(
    table: pd.DataFrame, within: str, before: str, after: str | Sequence[str], by: str | None, picks: Any
) -> list[Changes]:
    """The changes of each protocol, condition and time point.

    Raises
    ------
    ValueError
        For unknown time points, groups or channels, two potentials of a person at one time point, no montage, and
        potentials whose times differ.
    """
    if not len(table):
        raise ValueError("there is no evoked potential to compare; run 'excitability batch' with an EEG protocol first")
    for one in table["evoked"]:
        if not isinstance(one, mne.Evoked):
            raise TypeError(f"column 'evoked' must hold mne.Evoked, not {type(one).__name__}; average your epochs")
    level_name = level_column(table, within)
    table = table.assign(**{name: as_text(table[name]) for name in ("participant", level_name)})
    afters = _levels_asked(table, level_name, before, after)
    participants = tuple(sorted(table["participant"].unique()))
    names, codes = groups_of_people(table, by, participants)
    group_of = dict(zip(participants, codes, strict=True))
    found = []
    for (protocol, condition), own in table.groupby(["protocol", "condition"], sort=False):
        kept = own[own[level_name].isin((before, *afters))]
        twice = kept.duplicated(["participant", level_name])
        if twice.any():
            first = kept[twice].iloc[0]
            raise ValueError(
                f"participant {first['participant']!r} has more than one evoked potential of {protocol or 'the study'} "
                f"({condition}) at {level_name} {first[level_name]!r}; keep one"
            )
        by_level = {level: part.set_index("participant")["evoked"] for level, part in kept.groupby(level_name)}
        for level in afters:
            one, two = (by_level.get(name, pd.Series(dtype=object)) for name in (before, level))
            both = [who for who in participants if who in one.index and who in two.index]
            members = [who for who in participants if who in set(own["participant"])]
            missing = np.bincount([group_of[who] for who in members if who not in both], minlength=len(names))
            if not both:
                raise ValueError(
                    f"nobody has an evoked potential ({protocol} {condition}) at both {before} and {level}"
                )
            pairs = [(one[who], two[who]) for who in both]
            info, times, data, flag = _laid_out(pairs, both, picks)
            codes_here = np.array([group_of[who] for who in both])
            found.append(
                Changes(
                    str(protocol), str(condition), before, level, info, times, data, codes_here, names, missing, flag
                )
            )
    return found


def _laid_out(
    pairs: Iterable[tuple[mne.Evoked, mne.Evoked]], people: Sequence[str], picks: Any
) -> tuple[mne.Info, np.ndarray, np.ndarray, str]:
    """Info and times that all share, and the changes (n_people, n_times, n_channels)."""
    pairs = list(pairs)
    everyone = [one for pair in pairs for one in pair]
    names = _common_channels(everyone, picks)
    first = everyone[0]
    for who, pair in zip(people, pairs, strict=True):
        for one in pair:
            if one.times.size != first.times.size or not np.allclose(one.times, first.times, atol=1e-6):
                raise ValueError(
                    f"times of participant {who!r} ({_span(one)}) are not those of {people[0]!r} ({_span(first)}); "
                    "bring all to the same with evoked.resample and evoked.crop"
                )
    info = _positioned(first, names)
    flag = "" if len(names) == max(_n_eeg(one) for one in everyone) or picks is not None else "channels_left_out"
    mended = [_mended(one, names) for one in everyone]
    flag = join_flags(flag, "interpolated_channels" if any(told for _, told in mended) else "")
    data = np.array([values.T for values, _ in mended])
    _check_scale(data, people)
    changes = data[1::2] - data[::2]
    if not np.isfinite(changes).all():
        who = people[int(np.flatnonzero(~np.isfinite(changes).all(axis=(1, 2)))[0])]
        raise ValueError(f"the evoked potential of participant {who!r} holds values that are not numbers")
    return info, first.times, changes, flag


def _check_scale(data: np.ndarray, people: Sequence[str]) -> None:
    """Refuse a person whose potentials are of another unit: all others would drown."""
    with np.errstate(invalid="ignore"):
        size = np.nanmedian(np.abs(data - np.nanmean(data, axis=2, keepdims=True)), axis=(1, 2)).reshape(-1, 2)
    usual = float(np.nanmedian(size))
    wrong = np.flatnonzero((size > _SCALE * usual).any(axis=1)) if usual > 0 else np.empty(0, dtype=int)
    if wrong.size:
        raise ValueError(
            f"the evoked potentials of participant {people[wrong[0]]!r} are {size[wrong[0]].max() / usual:.0e} times "
            "as large as those of the others; all must be in volts: were these in microvolts? Divide them by 1e6"
        )


def _n_eeg(one: mne.Evoked) -> int:
    return len(mne.pick_types(one.info, eeg=True, exclude=()))


def _span(one: mne.Evoked) -> str:
    return f"{one.tmin:g} to {one.tmax:g} s at {one.info['sfreq']:g} Hz"


def _common_channels(everyone: Sequence[mne.Evoked], picks: Any) -> list[str]:
    """EEG channels that every potential has, in the order of the first."""
    per_one = [{one.ch_names[i] for i in mne.pick_types(one.info, eeg=True, exclude=())} for one in everyone]
    names = [name for name in everyone[0].ch_names if all(name in own for own in per_one)]
    if picks is not None:
        wanted = [picks] if isinstance(picks, str) else list(picks)
        for name in wanted:
            if name not in names:
                raise ValueError(unknown_word("EEG channel that every recording has", name, names))
        names = [name for name in names if name in wanted]
    if len(names) < _FEWEST_CHANNELS:
        raise ValueError(f"the evoked potentials share {len(names)} EEG channels; clusters need two or more")
    return names


def _positioned(one: mne.Evoked, names: list[str]) -> mne.Info:
    """Info of the channels; without their positions nobody knows which are neighbours."""
    info = mne.pick_info(one.info, [one.ch_names.index(name) for name in names])
    places = np.array([channel["loc"][:3] for channel in info["chs"]])
    lost = ~(np.isfinite(places).all(axis=1) & (np.abs(places).sum(axis=1) > 0))
    if lost.any():
        without = ", ".join(name for name, here in zip(names[:], lost, strict=True) if here)[:60]
        raise ValueError(
            f"no electrode position of {without}: clusters need a montage; type evoked.set_montage('colin27_1020'), "
            "or read the recordings with montage='colin27_1020'"
        )
    info["bads"] = []
    return info


def _mended(one: mne.Evoked, names: list[str]) -> tuple[np.ndarray, bool]:
    """The values of the channels; bad ones are rebuilt from their neighbours, or people could not be lined up."""
    bad = [name for name in one.info["bads"] if name in names]
    if bad:
        one = one.copy().pick("eeg", exclude=())
        with mne.utils.use_log_level("ERROR"):
            one.interpolate_bads(reset_bads=True)
    return one.data[[one.ch_names.index(name) for name in names]], bool(bad)
