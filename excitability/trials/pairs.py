"""Pairs of pulses as they were stated, held against the artefacts that they left."""

from __future__ import annotations

from dataclasses import dataclass

import mne
import numpy as np
import pandas as pd

from .alignment import LATE, LOOSE, SHORTEST, UNSTEADY, Pulses, find_pulses, grouped_intervals

#: Largest difference of a measured from a stated interval (s); one sample and a half where that is more.
TOLERANCE = 0.0003
_EACH = 8  # trials of each interval looked at first; all are only where those show something to tell
_CLEAR = 0.8  # share of the pairs of an interval that must agree
_SEEN = 0.5  # share of them whose two artefacts must be seen
_ENOUGH = 0.9  # share of trials that must have an artefact
_RARE = 0.2  # share of single pulses up to which something like a second artefact is not a trait of the recording


@dataclass(frozen=True)
class _Seen:
    """What the artefacts say of each trial: NaN, or an empty word, where they say nothing."""

    pulses: Pulses
    interval: np.ndarray
    place: np.ndarray  # "first", "last" or "": the pulse of a pair that its marker is at
    delay: float


def align_stated(
    raw: mne.io.BaseRaw,
    table: pd.DataFrame,
    to: str = "artefact",
    *,
    marked: str | None = None,
    delay: bool = True,
) -> tuple[pd.DataFrame, list[str]]:
    """Trials whose intervals are stated, with their last pulses where the artefacts show them, and what was found.

    A marker may be at the first or the last pulse of a pair, and a stated interval may be wrong. Where at least eight
    of ten pairs of an interval have their second artefact after the marker, the marker is at the first pulse; an
    interval that differs by more than 0.3 ms (or one sample and a half) from what the artefacts show is told, and both
    are kept.
    Where the artefacts are not clear, what was said holds.

    Parameters
    ----------
    raw : Raw
    table : DataFrame
        ``onset`` of the markers in s from the start of the recording, and ``inter_stimulus_interval``.
    to : {"artefact", "trigger"}
        ``"trigger"`` leaves pulses where it was said that they are.
    marked : {"first", "last"}, optional
        The pulse of a pair that its marker is said to be at; the last one where nothing was said.
    delay : bool
        Whether a delay of the artefacts behind the markers is corrected (not where a delay was stated).

    Returns
    -------
    table : DataFrame
        ``onset`` of the last pulses. Where a stated interval is wrong, ``measured_interval`` (s) holds what the
        artefacts show, NaN where they show no pair.
    notes : list of str

    Examples
    --------
    >>> from excitability.simulate import session
    >>> raw, _ = session("sici", n_trials=8, seed=1)
    >>> from excitability.trials import stimuli
    >>> true = stimuli(raw)
    >>> first = true.assign(onset=true["onset"] - true["inter_stimulus_interval"].fillna(0.0))
    >>> found, notes = align_stated(raw, first)
    >>> bool(abs(found["onset"] - true["onset"]).max() < 0.0005)
    True
    """
    onset = table["onset"].to_numpy(dtype=float)
    stated = _stated(table)
    said = onset + (stated if marked == "first" else 0.0)
    tolerance = max(TOLERANCE, 1.5 / raw.info["sfreq"])
    probe = _probe(stated)
    seen = _look(raw, onset[probe], stated[probe], tolerance)
    if seen is None or not _worth(seen, stated[probe], marked, tolerance, delay, raw.info["sfreq"]):
        return table.assign(onset=said), []
    if probe.size < onset.size:
        seen = _look(raw, onset, stated, tolerance)
        if seen is None:
            return table.assign(onset=said), []
    table, notes = table.copy(), []
    wrong = _wrong(seen.interval, stated, tolerance)
    if wrong.any():
        table["measured_interval"] = seen.interval
        notes += _differences(seen.interval, stated, wrong)
    table["onset"], told = _moved(onset, stated, seen, to, marked, delay, raw.info["sfreq"])
    return table, [*told, *notes]


def _stated(table: pd.DataFrame) -> np.ndarray:
    """Interval of each trial (s), 0 for single pulses."""
    interval = pd.to_numeric(table["inter_stimulus_interval"], errors="coerce").fillna(0.0).to_numpy(dtype=float)
    single = table["pulse_count"].to_numpy(dtype=float) == 1 if "pulse_count" in table else np.zeros(len(table), bool)
    return np.where(single, 0.0, interval)


def _probe(stated: np.ndarray) -> np.ndarray:
    """Some trials of each interval, spread over the recording."""
    rows = [np.flatnonzero(stated == value) for value in np.unique(stated)]
    return np.sort(np.concatenate([r[np.unique(np.linspace(0, r.size - 1, _EACH).astype(int))] for r in rows]))


def _look(raw: mne.io.BaseRaw, onset: np.ndarray, stated: np.ndarray, tolerance: float) -> _Seen | None:
    """What the artefacts of some trials say; None where they can say nothing."""
    pulses = find_pulses(raw, onset, stated)
    if pulses is None or np.isfinite(pulses.last).mean() < _ENOUGH:
        return None
    single = (stated == 0) & (pulses.count == 1)
    after, before = pulses.first - onset, pulses.last - onset
    ends = np.where(np.abs(after) < np.abs(before), after, before)
    delay = float(np.nanmedian(ends[single] if single.sum() > 1 else ends))
    span = np.where(pulses.count > 1, pulses.last - pulses.first, np.nan)
    interval = _credible(span, stated, tolerance)
    paired = np.isfinite(interval)
    interval[paired] = grouped_intervals(interval[paired], 1.0 / raw.info["sfreq"])
    interval = np.where(paired & ~_wrong(interval, stated, tolerance), stated, interval)
    place = np.full(onset.size, "", dtype=object)
    at_first = np.abs(after - delay) < np.abs(before - delay)
    for value in np.unique(stated[stated > 0]):
        mine = stated == value
        shown = mine & paired
        if shown.sum() < max(2, _SEEN * mine.sum()):
            continue
        share = at_first[shown].mean()
        place[mine] = "first" if share >= _CLEAR else "last" if share <= 1 - _CLEAR else ""
    told = set(place[place != ""])
    if len(told) == 1:  # pairs too close, or too unlike, to be told apart have their marker where the others have it
        place[stated > 0] = told.pop()
    return _Seen(pulses, interval, place, delay)


def _credible(span: np.ndarray, stated: np.ndarray, tolerance: float) -> np.ndarray:
    """Measured intervals without those that something else than a pair of pulses may have made."""
    values = np.unique(stated[stated >= SHORTEST])
    known = [*values]
    singles = span[stated == 0]
    for value in values:
        mine = span[stated == value]
        shown = mine[np.isfinite(mine)]
        if shown.size < max(2, _SEEN * mine.size):
            continue
        middle = float(np.median(shown))
        alike = (np.abs(shown - middle) <= tolerance).mean()
        also = (np.abs(singles - middle) <= tolerance).mean() if singles.size else 0.0
        if alike >= _CLEAR and also <= _RARE:
            known.append(middle)
    near = np.abs(span[:, None] - np.array(known)).min(axis=1, initial=np.inf) <= tolerance
    return np.where(near, span, np.nan)


def _wrong(measured: np.ndarray, stated: np.ndarray, tolerance: float) -> np.ndarray:
    return np.isfinite(measured) & (np.abs(measured - stated) > tolerance)


def _is_late(seen: _Seen, onset_offset: np.ndarray, rate: float) -> bool:
    jitter = float(np.nanstd(onset_offset))
    off = abs(seen.delay) > max(1.5 / rate, LATE) or jitter > max(1.0 / rate, LOOSE)
    return bool(off and jitter <= UNSTEADY)


def _worth(seen: _Seen, stated: np.ndarray, marked: str | None, tolerance: float, delay: bool, rate: float) -> bool:
    """Whether the artefacts say anything else than what was said."""
    other = (seen.place != "") & (seen.place != (marked or "last"))
    wrong = _wrong(seen.interval, stated, tolerance)
    return bool(other.any() or wrong.any() or (delay and abs(seen.delay) > max(1.5 / rate, LATE)))


def _moved(
    onset: np.ndarray, stated: np.ndarray, seen: _Seen, to: str, marked: str | None, delay: bool, rate: float
) -> tuple[np.ndarray, list[str]]:
    """Times of the last pulses, and what is to be told of them."""
    said = marked or "last"
    place = np.where(seen.place == "", said, seen.place)
    other = (stated > 0) & (place != said)
    notes = []
    if other.any():
        where = _counted(stated[other])
        told = f"pulse = {marked!r} was said, but" if marked else "of pairs"
        what = f"{told} the artefacts show the markers at the {place[other][0]} pulse: {where}"
        if to != "artefact":
            notes.append(f"{what}; align='trigger' leaves pulses where they were said to be")
            return onset + (stated if said == "first" else 0.0), notes
        notes.append(f"{what}; pulses are taken so (align='trigger' leaves them where they were said to be)")
    elif to != "artefact":
        return onset + (stated if said == "first" else 0.0), notes
    interval = np.where(np.isfinite(seen.interval) & (stated > 0), seen.interval, stated)
    moved = onset + np.where(place == "first", interval, 0.0)
    marker = np.where((place == "first") & (stated > 0), seen.pulses.first, seen.pulses.last) - onset
    reliable = np.isfinite(marker) & ((stated == 0) | np.isfinite(seen.interval))
    reliable &= np.abs(marker - seen.delay) < 2 * UNSTEADY
    if delay and reliable.any() and _is_late(seen, marker[reliable], rate):
        moved = moved + np.where(reliable, marker, seen.delay)
        notes.append(
            f"the artefact lies {seen.delay * 1e3:.2f} ms after the marker (median; jitter "
            f"{np.std(marker[reliable]) * 1e3:.2f} ms SD): pulses are at the artefact; align='trigger' leaves them"
        )
    return moved, notes


def _counted(values: np.ndarray) -> str:
    found, counts = np.unique(values, return_counts=True)
    return ", ".join(f"{value * 1e3:g} ms ({count})" for value, count in zip(found, counts, strict=True))


def _differences(measured: np.ndarray, stated: np.ndarray, wrong: np.ndarray) -> list[str]:
    """One note for each stated interval that the artefacts do not show."""
    notes = []
    for value in np.unique(stated[wrong]):
        mine = wrong & (stated == value)
        was = f"an interval of {value * 1e3:g} ms" if value else "a single pulse"
        notes.append(
            f"{was} is stated, but the artefacts lie {_counted(measured[mine])} apart "
            f"({mine.sum()} of {(stated == value).sum()} trials: interval_not_as_stated)"
        )
    return notes
