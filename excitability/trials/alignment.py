"""Pulses moved from their triggers to the artefact they leave, and the second pulse of a pair found by it."""

from __future__ import annotations

from dataclasses import dataclass

import mne
import numpy as np
import pandas as pd
from scipy.ndimage import maximum_filter1d

from .artefact import CAP, LEAST, THRESHOLD
from .windows import read_windows

#: Where the artefact of a trigger may lie, and how far apart the pulses of a pair may be (s).
REACH, LONGEST, SHORTEST = 0.005, 0.2, 0.001
FARTHEST = 0.5  # the same of pulses whose interval is stated (s)
_MARGIN = 0.01  # s read beyond that
_PROBE = 40  # triggers looked at first; all are only where those show something to correct
_CHANNELS = 8
COARSE = 0.00026  # s between samples beyond which measured intervals are too rough to be believed unseen
_FEW = 4  # trials of which an interval need not be another's too
_SHARPER = 4.0  # an artefact begins with the first bend that is no less than its sharpest by this factor
_BEFORE, _FORM = 0.0004, 0.0012  # s before and after its sharpest bend in which an artefact is compared
_BEGIN = 0.2  # of its steepest slope, with which it begins
_ALIKE = 0.8  # correlation from which a jump is another pulse
_LIKELY = 0.6  # the same at an interval that other trials have
_WEAKEST = 0.12  # size of a pulse's artefact over that of the recording's usual one
_ENOUGH = 0.9  # share of triggers that must have an artefact
LATE, LOOSE = 0.0005, 0.0002  # s of delay and of jitter (SD) that are corrected
UNSTEADY = 0.001  # s of jitter beyond which the artefacts are not those of the triggers


@dataclass(frozen=True)
class Pulses:
    """What the artefact says of each trigger; NaN where it shows none."""

    first: np.ndarray
    last: np.ndarray
    count: np.ndarray


def align(raw: mne.io.BaseRaw, table: pd.DataFrame, to: str = "artefact") -> tuple[pd.DataFrame, list[str]]:
    """Trials of a recording with their pulses where the artefact is, and what was found, in words.

    A trigger may precede its pulse by milliseconds, jitter, or mark the first pulse of a pair. Where at least nine
    triggers of ten have an artefact within 5 ms, delay and jitter are measured, and corrected from 0.5 ms (or one
    sample and a half) and 0.2 ms SD (or one sample) on. Pulses of a pair are told apart from 1 ms on; closer ones,
    whose artefacts merge, stay unknown.

    Parameters
    ----------
    raw : Raw
    table : DataFrame
        ``onset`` in s from the start of the recording; what it says of pairs is left as it is.
    to : {"artefact", "trigger"}
        ``"trigger"`` measures only, and counts time from the trigger of the last pulse.

    Returns
    -------
    table : DataFrame
    notes : list of str

    Examples
    --------
    >>> from excitability.simulate import session
    >>> raw, _ = session("sici", n_trials=4, seed=1)
    >>> trigger = pd.DataFrame({"onset": np.array([a["onset"] for a in raw.annotations]) - 0.0016})
    >>> moved, notes = align(raw, trigger)
    >>> bool(abs((moved["onset"] - trigger["onset"]).median() - 0.0016) < 0.00025)
    True
    >>> sorted(moved["pulse_count"].unique().tolist())
    [1.0, 2.0]
    """
    onset = table["onset"].to_numpy(dtype=float)
    told = table.columns.intersection(["pulse_count", "inter_stimulus_interval"])
    if not onset.size or table[told].notna().any(axis=None):
        return table, []
    rate = raw.info["sfreq"]
    probe = np.unique(np.linspace(0, onset.size - 1, min(onset.size, _PROBE)).astype(int))
    pulses = find_pulses(raw, onset[probe])
    if pulses is None or np.isfinite(pulses.last).mean() < _ENOUGH:
        return table, []
    offset = _offsets(pulses, onset[probe])
    if not (pulses.count > 1).any() and not _late(offset, 1.0 / rate):
        return table, []
    if probe.size < onset.size:
        pulses = find_pulses(raw, onset)
        if pulses is None or np.isfinite(pulses.last).mean() < _ENOUGH:
            return table, []
        offset = _offsets(pulses, onset)
    delay, jitter = float(np.median(offset)), float(np.std(offset))
    if jitter > UNSTEADY:
        return table, [
            f"artefacts lie {jitter * 1e3:.2f} ms (SD) about their triggers: pulses are left at the triggers"
        ]
    if abs(delay) > REACH + 2.5 / rate:  # waves of an average resemble one another as artefacts do
        return table, [
            f"what looks like artefacts lies {delay * 1e3:.1f} ms from the triggers: pulses are left at the triggers"
        ]
    return _moved(table, pulses, offset, delay, jitter, to, 1.0 / rate)


def _offsets(pulses: Pulses, onset: np.ndarray) -> np.ndarray:
    """From each trigger to the pulse that triggers mark, the first or the last of a trial; where one was found (s)."""
    both = np.stack([pulses.last - onset, pulses.first - onset])[:, np.isfinite(pulses.last)]
    steady = np.round(np.std(both, axis=1), 4)  # of one interval both are: the nearer pulse is the marked one
    return both[np.lexsort([np.abs(np.median(both, axis=1)), steady])[0]]


def _late(offset: np.ndarray, sample: float) -> bool:
    return bool(abs(np.median(offset)) > max(1.5 * sample, LATE) or np.std(offset) > max(sample, LOOSE))


def _moved(
    table: pd.DataFrame, pulses: Pulses, offset: np.ndarray, delay: float, jitter: float, to: str, sample: float
) -> tuple[pd.DataFrame, list[str]]:
    table = table.copy()
    onset = table["onset"].to_numpy(dtype=float)
    seen = np.isfinite(pulses.last)
    notes = []
    moved = onset.copy()
    late = _late(offset, sample)
    told = f"the artefact lies {delay * 1e3:.2f} ms after the trigger (median; jitter {jitter * 1e3:.2f} ms SD)"
    if late and to == "artefact":
        moved = np.where(seen, pulses.last, onset + delay)
        notes.append(f"{told}: pulses are at the artefact; align='trigger' leaves them at the trigger")
    else:
        # the trigger of a pair may be that of its first pulse
        marked = np.full(onset.size, np.nan)
        marked[seen] = onset[seen] + offset
        moved = np.where(seen, onset + (pulses.last - marked), onset)
        if late:
            notes.append(f"{told}: pulses are at the trigger, as align='trigger' says")
    paired = pulses.count > 1
    if paired.any():
        interval = np.where(paired, grouped_intervals(pulses.last - pulses.first, sample), np.nan)
        table["pulse_count"] = pulses.count
        table["inter_stimulus_interval"] = interval
        values, counts = np.unique(interval[paired], return_counts=True)
        shown = ", ".join(f"{value * 1e3:g} ms ({count})" for value, count in zip(values, counts, strict=True))
        notes.append(f"pairs of pulses measured by their artefacts: {shown}")
        if sample > COARSE:
            notes.append(
                f"at {1 / sample:g} Hz measured intervals are rough ({sample * 1e3:.2g} ms a sample; pairs under 3 ms "
                "may be off by two samples or taken for single pulses): state them in a log or a sidecar"
            )
    table["onset"] = moved
    return table, notes


def grouped_intervals(interval: np.ndarray, sample: float) -> np.ndarray:
    """Intervals that differ by no more than the sampling are one, whatever the phase of the samples.

    One interval is seen as two numbers of samples, their mean is what was given: it is rounded to 0.5 ms where its
    error (two standard errors) allows that, else to 0.1 ms. Neighbours that reach farther than a sample (a curve in
    steps of a sample) are rounded one by one.
    """
    order = np.argsort(interval, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(interval[order]) > max(0.0001, 1.1 * sample)) + 1)
    out = interval.copy()
    for group in (group for group in groups if group.size):
        alike = np.ptp(interval[group]) <= max(0.0002, 2.2 * sample)
        out[group] = _given(interval[group], sample) if alike else np.round(interval[group], 4)
    return out


def _given(interval: np.ndarray, sample: float) -> float:
    """The interval that one group of measured ones is of, by their mean (s)."""
    near = interval[np.abs(interval - np.median(interval)) <= 1.1 * sample]
    middle, error = float(np.mean(near)), float(np.std(near)) / near.size**0.5
    whole = np.round(middle * 2e3) / 2e3
    return float(np.round(whole if abs(middle - whole) <= max(2.0 * error, 0.00005) else middle, 4))


def find_pulses(raw: mne.io.BaseRaw, onset: np.ndarray, stated: np.ndarray | None = None) -> Pulses | None:
    """First and last pulse of each trigger's trial, by the artefact; None where no channel can tell.

    Other pulses of a trial are jumps of the form of the recording's usual artefact; an interval that only one trial has
    is no interval. Where an interval is ``stated`` (s, 0 or NaN for none), it is looked at first.
    """
    rate = raw.info["sfreq"]
    stated = np.zeros(onset.size) if stated is None else np.nan_to_num(stated)
    farthest = max(LONGEST, min(float(stated.max(initial=0.0)) + REACH, FARTHEST))
    picks = mne.pick_types(raw.info, meg=False, emg=True, exclude="bads")
    picks = picks if picks.size else mne.pick_types(raw.info, meg=False, eeg=True, exclude="bads")
    reach = round((farthest + REACH + _MARGIN) * rate)
    inside = np.flatnonzero((onset * rate >= reach) & (onset * rate < raw.n_times - reach - 1))
    first, last, count = (np.full(onset.size, np.nan) for _ in range(3))
    if not picks.size or not inside.size:
        return None
    picks = picks[:_CHANNELS]
    trigger = np.round(onset[inside] * rate).astype(int)
    some = np.unique(np.linspace(0, inside.size - 1, min(inside.size, _PROBE)).astype(int))
    learnt = _learn(_read(raw, trigger[some] - reach, 2 * reach + 1, picks), reach, rate)
    if learnt is None:
        return Pulses(first, last, count)
    artefact, begun = learnt
    parts = [_likeness(begun, artefact, reach, rate)] if some.size == inside.size else []
    for begin in range(0, inside.size if not parts else 0, _PROBE):  # a few: a long recording must not lie in memory
        bend = np.diff(_read(raw, trigger[begin : begin + _PROBE] - reach, 2 * reach + 1, picks), n=artefact.order)
        parts.append(_likeness((bend, *_begin(bend, artefact.order, reach, rate)[:2]), artefact, reach, rate))
    has, at, size, alike = (np.concatenate(part) for part in zip(*parts, strict=True))
    shortest, longest = round(SHORTEST * rate), round(farthest * rate)
    found, confirmed = [], np.zeros(len(at), dtype=bool)
    for j, interval in enumerate(stated[inside].tolist()):
        span = round(interval * rate) + np.arange(-1, 2)
        peaks = _expected(size[j], alike[j], int(at[j]), span) if span[1] >= shortest else []
        confirmed[j] = len(peaks) > 1
        found.append(peaks if confirmed[j] else _peaks(size[j], alike[j], at[j], shortest, longest))
    spans = np.array([peaks[-1] - peaks[0] for peaks in found])
    near_enough = max(round(0.0001 * rate), 1)
    shared = confirmed | ((np.abs(spans[:, None] - spans[has]) <= near_enough).sum(axis=1) > 1)
    usual_spans = np.unique(spans[has & shared & (spans > 0)])
    for k in np.flatnonzero(has):
        # one trial alone may be an average, whose waves resemble one another
        peaks = found[k] if shared[k] or 1 < len(found) < _FEW else [int(at[k])]
        if len(peaks) == 1:  # at the intervals of the other trials a weaker likeness is enough
            peaks = _expected(size[k], alike[k], peaks[0], usual_spans)
        times = (np.array(peaks) + artefact.begins - reach + trigger[k]) / rate
        first[inside[k]], last[inside[k]], count[inside[k]] = times[0], times[-1], min(times.size, 2)
    return Pulses(first, last, count)


@dataclass(frozen=True)
class _Artefact:
    """The usual artefact of a recording: its differences of some order, and the sample of it where it begins."""

    order: int
    form: np.ndarray
    begins: int


#: Bends of some trials, whether each has an artefact, and where it begins.
_Begun = tuple[np.ndarray, np.ndarray, np.ndarray]


def _learn(data: np.ndarray, reach: int, rate: float) -> tuple[_Artefact, _Begun] | None:
    """The usual artefact of some trials, (n, n_channels, n_times) about their triggers; None without one in most."""
    before = max(round(_BEFORE * rate), 1)
    length = before + max(round(_FORM * rate), 4)
    # the bends of an artefact stand out of its tail and of responses; filtered, it may have none, and its slopes do
    for order in (2, 1):
        bend = np.diff(data, n=order, axis=-1)
        has, at, height = _begin(bend, order, reach, rate)
        if has.mean() >= _ENOUGH:
            break
    else:
        return None
    usual = np.flatnonzero(has)[np.argsort(height[has], kind="stable")[has.sum() // 2]]
    start = at[usual] - before
    alike = _beside(bend, bend[usual][:, start : start + length], at, before, reach, rate)
    form = np.median(np.stack([bend[k, :, alike[k] : alike[k] + length] for k in np.flatnonzero(has)]), axis=0)
    spread = np.maximum(np.median(np.abs(bend), axis=(0, 2))[:, None], 1e-3 * np.abs(form).max(axis=1, keepdims=True))
    slope = np.abs((np.cumsum(form, axis=1) if order == 2 else form) / np.maximum(spread, 1e-15)).mean(axis=0)
    return _Artefact(order, form, int((slope > _BEGIN * slope.max()).argmax()) + order), (bend, has, at)


def _near(reach: int, rate: float) -> tuple[int, int]:
    """Samples of a window between which the artefact of its trigger may begin."""
    return reach - round(REACH * rate) - 2, reach + round(REACH * rate) + 1


def _begin(bend: np.ndarray, order: int, reach: int, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each trial has an artefact near its trigger, its first sharp bend, and the height of the sharpest."""
    spread = np.median(np.abs(bend), axis=-1, keepdims=True) / 0.6745
    least = np.sqrt(np.mean(bend**2, axis=-1, keepdims=True)) * 1e-3  # a coarse converter: most bends are 0
    begin, end = _near(reach, rate)
    score = np.abs(bend[..., begin:end]) / np.maximum(np.maximum(spread, least), 1e-15)
    if order == 1:  # channels of one amplifier may be a sample apart
        score = maximum_filter1d(score, size=3, axis=-1)
    n_channels = bend.shape[1]
    height = np.log(np.clip(score, 1e-3, CAP if n_channels > 1 else np.inf)).mean(axis=1)
    highest = height.max(axis=1)
    large = np.log(max(LEAST, THRESHOLD / np.sqrt(n_channels)))
    first = (height > np.maximum(highest - np.log(_SHARPER), large)[:, None]).argmax(axis=1)
    return highest > large, begin + first, highest


def _beside(bend: np.ndarray, form: np.ndarray, at: np.ndarray, before: int, reach: int, rate: float) -> np.ndarray:
    """Where the form begins in each trial: the sharpest bend of one artefact may be the next sample's of another."""
    begin, end = (sample - before for sample in _near(reach, rate))
    size, alike = _compared(bend[..., begin : end + form.shape[1] - 1], form)
    # not farther: what rings is like itself a period later
    close = np.abs(np.arange(begin, begin + size.shape[1]) - (at - before)[:, None]) <= before
    size = np.where(close & (alike > _ALIKE), size, 0.0)
    return np.where(size.max(axis=1) > 0, begin + size.argmax(axis=1), at - before)


def _likeness(begun: _Begun, artefact: _Artefact, reach: int, rate: float) -> tuple[np.ndarray, ...]:
    """Whether and where each trial has the artefact of its trigger, and where else something is like it."""
    bend, has, at = begun
    at = _beside(bend, artefact.form, at, max(round(_BEFORE * rate), 1), reach, rate)
    return has, at, *(part.astype(np.float32) for part in _compared(bend, artefact.form))


def _expected(size: np.ndarray, alike: np.ndarray, main: int, spans: np.ndarray) -> list[int]:
    """The main pulse, and the other one where a jump lies at one of the intervals of the recording."""
    places = np.concatenate([main - spans, main + spans]).astype(int)
    places = places[(places >= 0) & (places < size.size)]
    likely = places[(alike[places] > _LIKELY) & (size[places] > _WEAKEST)]
    return sorted([main, *likely[alike[likely].argsort()[-1:]].tolist()])


def _read(raw: mne.io.BaseRaw, starts: np.ndarray, length: int, picks: np.ndarray) -> np.ndarray:
    windows = read_windows(raw, starts, length, [raw.ch_names[pick] for pick in picks])
    if windows is None:
        windows = np.stack(
            [raw.get_data(picks=picks, start=s, stop=s + length, verbose="ERROR") for s in starts.tolist()]
        )
    return windows if np.isfinite(windows.sum()) else np.nan_to_num(windows, copy=False)


def _compared(bend: np.ndarray, form: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size of ``form`` at each sample, and its correlation with what is there, over all channels: (n_trials, n)."""
    length = form.shape[1]
    n = bend.shape[2] - length + 1
    inner = sum(np.einsum("tcn,c->tn", bend[..., k : k + n], form[:, k]) for k in range(length))
    power = np.cumsum(np.einsum("tcn,tcn->tn", bend, bend), axis=1)
    square = power[:, length - 1 :] - np.pad(power, ((0, 0), (1, 0)))[:, :n]
    own = float(np.sum(form**2))
    return inner / own, inner / np.sqrt(np.maximum(square, 1e-12 * power[:, -1:] + 1e-300) * own)


def _peaks(size: np.ndarray, alike: np.ndarray, main: int, shortest: int, longest: int) -> list[int]:
    """Samples of the pulses of one trial: the main one, and what resembles it at a possible interval."""
    peaks = [main]
    candidates = np.flatnonzero((alike > _ALIKE) & (size > _WEAKEST))
    for k in candidates[np.argsort(-size[candidates], kind="stable")].tolist():
        if abs(k - main) <= longest and all(abs(k - p) >= max(shortest, 2) for p in peaks):
            peaks.append(k)
    return sorted(peaks)
