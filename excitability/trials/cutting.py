"""Trials cut out of a recording around its pulses."""

from __future__ import annotations

from dataclasses import dataclass

import mne
import numpy as np
import pandas as pd

from .artefact import artefact_offsets
from .stimuli import stimuli
from .windows import read_windows

_SEVERAL, _SHOWN = 5, 0.8  # pulses that a recording at rest does not hold, and the share of them with an artefact


@dataclass(frozen=True)
class Cut:
    """Trials and the pulses that could not be cut.

    Attributes
    ----------
    epochs : mne.Epochs
        The trials; ``.metadata`` holds the stimulus columns, ``.selection`` the numbers of the pulses.
    table : DataFrame
        Stimuli of ALL pulses, those at the edge of the recording too.
    """

    epochs: mne.BaseEpochs
    table: pd.DataFrame


def bad_spans(inst: mne.io.BaseRaw | mne.BaseEpochs, table: pd.DataFrame, tmin: float, tmax: float) -> pd.Series:
    """Why each trial must not be used: the "BAD" annotation, or the join of two pieces, that it overlaps.

    Parameters
    ----------
    inst : Raw | Epochs
    table : DataFrame
        Stimuli, with ``onset``.
    tmin, tmax : float
        Reach of a trial around its onset, in seconds.

    Returns
    -------
    Series of str
        Empty where nothing is wrong.
    """
    reasons = pd.Series("", index=table.index, dtype=object)
    if not isinstance(inst, mne.io.BaseRaw):
        return reasons
    onset = table["onset"].to_numpy(dtype=float)
    for start, length, name in zip(
        inst.annotations.onset - inst.first_time,
        inst.annotations.duration,
        map(str, inst.annotations.description),
        strict=True,
    ):
        if name.upper().startswith(("BAD", "EDGE")):
            hit = (onset + tmin < start + length) & (onset + tmax > start)
            if length == 0:
                hit = (onset + tmin < start) & (onset + tmax > start)
            reasons[hit] = name
    return reasons


def first_pulse_times(table: pd.DataFrame, lock: str = "last_pulse") -> np.ndarray:
    """Time of the first pulse of each trial relative to the pulse it is locked to (s, never positive)."""
    if lock == "first_pulse" or "inter_stimulus_interval" not in table:
        return np.zeros(len(table))
    return -table["inter_stimulus_interval"].fillna(0.0).to_numpy(dtype=float)


def cut(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    *,
    tmin: float,
    tmax: float,
    lock: str = "last_pulse",
    every: float | None = None,
    picks: list[str] | None = None,
    only: np.ndarray | None = None,
    table: pd.DataFrame | None = None,
    annotations: bool = True,
) -> Cut:
    """Cut trials from a recording.

    Parameters
    ----------
    inst : Raw | Epochs
        Continuous recording with ``"TMS"`` annotations, or frames (their time 0 is the last pulse).
    tmin, tmax : float
        Limits in seconds; ``tmin`` is counted from the first pulse of a trial, so all trials begin earlier
        by the longest inter-stimulus interval.
    lock : {"last_pulse", "first_pulse"}
        The pulse at time 0.
    every : float, optional
        Length in seconds of the pieces that a recording without pulses is cut into.
    picks : list of str, optional
        Channels to keep.
    only : ndarray of bool, optional
        Which pulses to cut; the others stay out of the table too.
    table : DataFrame, optional
        The stimuli of the recording, where the caller has them already.
    annotations : bool
        Whether the trials of a continuous recording carry its annotations. Copying those of a thousand pulses takes
        longer than reading the trials, and nothing that is computed from trials looks at them.

    Returns
    -------
    Cut

    Raises
    ------
    ValueError
        When there are no pulses, or no trial fits into the recording; with ``every``, when there are pulses.
    """
    picks = list(inst.ch_names) if picks is None else picks
    if every is not None:
        return _cut_pieces(inst, every, picks)
    table = stimuli(inst) if table is None else table
    wanted = np.ones(len(table), dtype=bool) if only is None else only
    if not wanted.any():
        raise ValueError(
            "the recording has no pulses; mark them with ex.set_stimuli(raw, table), name the trigger with "
            "ex.read(path, trigger='NAME'), or run 'excitability inspect FILE' to see what it holds"
        )
    first = first_pulse_times(table)
    early = float(first[wanted].min()) if lock == "last_pulse" else 0.0
    shift = first if lock == "first_pulse" else np.zeros(len(table))
    if isinstance(inst, mne.io.BaseRaw):
        epochs = _cut_raw(inst, table, wanted, shift, tmin + early, tmax, picks)
        if not annotations:
            epochs.set_annotations(None)
        elif epochs.annotations is None:
            epochs.set_annotations(inst.annotations, on_missing="ignore")
    else:
        epochs = _cut_frames(inst, table, wanted, shift, tmin + early, tmax, picks)
    table = table[wanted]
    facts = epochs.info["temp"] if epochs.info.get("temp") else {}
    epochs.info["temp"] = {**facts, "excitability": {**facts.get("excitability", {}), "lock": lock}}
    if not len(epochs):
        raise ValueError(
            f"none of the {len(table)} trials fits into the recording with an epoch of {tmin + early:g} to {tmax:g} s"
        )
    return Cut(epochs, table)


def _cut_raw(
    raw: mne.io.BaseRaw,
    table: pd.DataFrame,
    wanted: np.ndarray,
    shift: np.ndarray,
    tmin: float,
    tmax: float,
    picks: list[str],
) -> mne.BaseEpochs:
    """Every pulse is an event, those that are not wanted of another kind: so pulses keep their numbers."""
    sfreq = raw.info["sfreq"]
    samples = np.round((table["onset"].to_numpy(float) + shift) * sfreq).astype(int) + raw.first_samp
    events = np.column_stack([samples, np.zeros_like(samples), np.where(wanted, 1, 2)])
    if np.unique(samples).size < samples.size:
        raise ValueError("two trials fall on the same sample; each pulse needs its own time")
    mapped = _cut_mapped(raw, table, events, tmin, tmax, picks)
    if mapped is not None:
        return mapped
    epochs = mne.Epochs(
        raw,
        events,
        {"TMS": 1},
        tmin,
        tmax,
        picks=picks,
        baseline=None,
        preload=True,
        reject_by_annotation=False,
        proj=False,
        verbose="ERROR",
    )
    with mne.utils.use_log_level("ERROR"):
        # handed over with the events, MNE 1.13 gives a trial the row of an earlier one where pulses are left out
        epochs.metadata = table.reset_index(drop=True).iloc[epochs.selection]
    return epochs


def _cut_mapped(
    raw: mne.io.BaseRaw, table: pd.DataFrame, events: np.ndarray, tmin: float, tmax: float, picks: list[str]
) -> mne.BaseEpochs | None:
    """What ``mne.Epochs`` makes of these events, with the samples taken straight from the file; None if it cannot."""
    sfreq = raw.info["sfreq"]
    begin = round(tmin * sfreq)
    length = round(tmax * sfreq) + 1 - begin
    starts = events[:, 0] - raw.first_samp + begin
    wanted = events[:, 2] == 1
    early, late = starts < 0, starts + length > raw.n_times
    kept = np.flatnonzero(wanted & ~early & ~late)
    data = read_windows(raw, starts[kept], length, picks) if kept.size else None
    if data is None:
        return None
    # the words of mne.Epochs
    reasons = np.select([~wanted, early, late], ["IGNORED", "NO_DATA", "TOO_SHORT"], "")
    return mne.EpochsArray(
        data,
        mne.pick_info(raw.info, [raw.ch_names.index(name) for name in picks]),
        events=events[kept],
        event_id={"TMS": 1},
        tmin=begin / sfreq,
        baseline=None,
        metadata=table.reset_index(drop=True).iloc[kept],
        proj=False,
        selection=kept,
        drop_log=tuple((reason,) if reason else () for reason in reasons.tolist()),
        verbose="ERROR",
    )


def _cut_frames(
    frames: mne.BaseEpochs,
    table: pd.DataFrame,
    wanted: np.ndarray,
    shift: np.ndarray,
    tmin: float,
    tmax: float,
    picks: list[str],
) -> mne.BaseEpochs:
    """Frames keep what they hold of the asked epoch: their length was decided at the recording."""
    sfreq = frames.info["sfreq"]
    moved = np.round(shift[wanted] * sfreq).astype(int)
    data = frames.get_data(picks=picks, verbose="ERROR")[wanted]
    times = frames.times
    low = max(tmin, times[0] - moved.min() / sfreq) if moved.any() else max(tmin, times[0])
    high = min(tmax, times[-1])
    begin = int(np.round((low - times[0]) * sfreq))
    length = int(np.round((high - low) * sfreq)) + 1
    rows = begin + moved[:, None] + np.arange(length)
    inside = (rows >= 0) & (rows < times.size)
    out = np.take_along_axis(data, np.clip(rows, 0, times.size - 1)[:, None, :], axis=2)
    out = np.where(inside[:, None, :], out, np.nan)
    info = mne.pick_info(frames.info, [frames.ch_names.index(name) for name in picks])
    events = frames.events[wanted].copy()
    events[:, 2] = 1
    return mne.EpochsArray(
        out,
        info,
        events=events,
        event_id={"TMS": 1},
        tmin=times[0] + begin / sfreq,
        baseline=None,
        metadata=table[wanted].reset_index(drop=True),
        proj=False,
        selection=np.flatnonzero(wanted),
        drop_log=tuple(() if keep else ("IGNORED",) for keep in wanted),
        verbose="ERROR",
    )


def _refuse_pulses(raw: mne.io.BaseRaw) -> None:
    """Refuse to take a recording with stimulation for one at rest; markers without an artefact are no pulses."""
    onset = stimuli(raw)["onset"].to_numpy(dtype=float)
    if onset.size >= _SEVERAL and np.isfinite(artefact_offsets(raw, onset)).mean() >= _SHOWN:
        raise ValueError(
            f"the recording holds {onset.size} pulses, the first at {onset.min():.2f} s, and is not one at rest; run a "
            "protocol of evoked potentials (dlpfc/tep, m1/tep), or crop the time without pulses: raw.crop(tmin, tmax)"
        )


def _cut_pieces(inst: mne.io.BaseRaw | mne.BaseEpochs, every: float, picks: list[str]) -> Cut:
    if isinstance(inst, mne.io.BaseRaw):
        _refuse_pulses(inst)
        if inst.times[-1] < every:
            raise ValueError(f"the recording lasts {inst.times[-1]:.1f} s; pieces of {every:g} s do not fit")
        epochs = mne.make_fixed_length_epochs(inst, duration=every, preload=True, verbose="ERROR", proj=False)
        epochs.pick(picks, verbose="ERROR")
    else:
        epochs = inst.copy().load_data().pick(picks, verbose="ERROR")
    table = pd.DataFrame({"onset": (epochs.events[:, 0] - epochs.events[0, 0]) / epochs.info["sfreq"]})
    with mne.utils.use_log_level("ERROR"):
        epochs.metadata = table.copy()
    return Cut(epochs, table)
