"""A recording opened and made ready: its pulses found and described."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from .readers import open_recording
from .schema import code_matches, unknown_word
from .trials import PULSE, artefact_offsets, find_artefacts, find_triggers, join_log, pair_pulses
from .trials.alignment import align as align_pulses
from .trials.logs import read_log
from .trials.muscles import channel_muscles
from .trials.pairs import align_stated
from .trials.stimuli import own_stimuli, told_stimuli

_ALIGN = ("artefact", "trigger")
#: What a sidecar may say of the place of the pulses, which is then not measured.
_TOLD = {"delay", "pulse_count", "inter_stimulus_interval", "codes"}
#: Markers farther than this (s) from all of another trigger mark other pulses.
_APART = 0.35


def read(
    path: str | Path,
    *,
    stimuli: str | Path | pd.DataFrame | None = None,
    trigger: str | None = None,
    align: str = "artefact",
    muscles: Mapping[str, str] | None = None,
    **options: Any,
) -> mne.io.BaseRaw | mne.BaseEpochs:
    """Open a recording of any known format, with its pulses annotated.

    Parameters
    ----------
    path : path
        The recording; its format is found by content.
    stimuli : path | DataFrame, optional
        A log with one row a trial, joined to the pulses one by one; mismatches are reported. With a column
        ``onset`` (s) it can also stand in for pulses that the recording does not mark.
    trigger : str, optional
        The annotation or stimulus channel that marks the pulses, or ``"artefact"`` to find them by the artefact
        they leave. By default the trigger is taken that coincides with the artefact, with all others that do and mark
        other pulses (codes of conditions; column ``marker``), and the artefact itself where there is no trigger.
    align : {"artefact", "trigger"}
        Where a pulse is: at its artefact, where nearly every trigger has one and it is not where the trigger is, or
        always at the trigger. Delay, jitter and the pairs of pulses that only the artefact shows are told in the notes
        of the recording. A delay in the sidecar, and pulses that are annotated ``"TMS"``, stay as they are.
    muscles : mapping of channel to muscle, optional
    **options
        What the format needs to be told (``sampling_rate=``, ``unit=``, ``pulse_time=``, ``sidecar=`` …): see
        the documentation of the reader.

    Returns
    -------
    mne.io.Raw | mne.Epochs
        Volts; one annotation ``"TMS"`` a trial, at its last pulse, with the stimulus parameters in ``extras``.

    Raises
    ------
    FileNotFoundError, ValueError
        With what was given, what was expected and what to type.

    Examples
    --------
    >>> import excitability as ex
    >>> raw = ex.read(ex.sample_data_path() / "formats" / "mne_formats" / "brainvision.vhdr")
    >>> len(ex.stimuli(raw))
    4
    """
    if align not in _ALIGN:
        raise ValueError(unknown_word("align", align, _ALIGN))
    inst = open_recording(path, **options)
    log = None
    stimuli = stimuli if stimuli is not None else _rule(inst).get("table")
    if stimuli is not None:
        log = stimuli if isinstance(stimuli, pd.DataFrame) else read_log(stimuli)
    if isinstance(inst, mne.io.BaseRaw):
        inst = _with_pulses(inst, trigger, log, align)
    elif trigger is not None:
        raise ValueError(f"trigger={trigger!r} was given, but {Path(path).name} holds frames, each with its pulse at 0")
    elif log is not None:
        frames = join_log(_frame_table(inst), log)
        inst = inst.copy()
        with mne.utils.use_log_level("ERROR"):
            inst.metadata = frames
    if muscles:
        channel_muscles(inst, list(muscles), muscles)
        facts = dict(inst.info.get("temp") or {})
        ours = dict(facts.get("excitability", {}))
        ours["muscles"] = {**ours.get("muscles", {}), **muscles}
        inst.info["temp"] = {**facts, "excitability": ours}
    return inst


def _frame_table(frames: mne.BaseEpochs) -> pd.DataFrame:
    metadata = frames.metadata
    table = pd.DataFrame(index=range(len(frames))) if metadata is None else metadata.reset_index(drop=True)
    if "onset" not in table:
        table = table.assign(onset=frames.events[:, 0] / frames.info["sfreq"])
    return table


def _with_pulses(raw: mne.io.BaseRaw, trigger: str | None, log: pd.DataFrame | None, align: str) -> mne.io.BaseRaw:
    """The recording with "TMS" annotations: its own, from triggers or artefact, and with the log joined."""
    rule = _rule(raw)
    own = PULSE in set(map(str, raw.annotations.description)) and trigger is None
    table = told_stimuli(raw) if own else _found_pulses(raw, trigger)
    if not own and not len(table) and log is not None and "onset" in log:
        return own_stimuli(raw, log)
    stated = _states_intervals(rule, log)
    if not own and not stated and not _TOLD & {*rule, *rule.get("columns", {})}:
        table, notes = align_pulses(raw, table, align)
        _note(raw, notes)
    if not own:
        table = table.assign(onset=table["onset"] + float(rule.get("delay", 0.0)))
    table = _with_columns(table, rule)
    if log is not None:
        if not len(table):
            raise ValueError(
                f"a stimulus log with {len(log)} rows was given, but the recording shows no pulse by trigger or "
                "artefact; give the log a column 'onset' (s from the start of the recording)"
            )
        table = join_log(table, log)
    if stated or (own and "pulse" in rule):
        table = _with_stated_pairs(raw, table, rule, align, own)
    elif rule.get("pulse") == "first" and not _known(table, "inter_stimulus_interval"):
        raise ValueError(
            'pulse = "first" needs the inter_stimulus_interval (s) of the trials: in a log, or in a sidecar under '
            "[stimuli], [stimuli.columns] or [[stimuli.codes]]"
        )
    return own_stimuli(raw, table) if len(table) else raw


def _known(table: pd.DataFrame, name: str) -> bool:
    return name in table and bool(pd.to_numeric(table[name], errors="coerce").notna().any())


def _states_intervals(rule: Mapping[str, Any], log: pd.DataFrame | None) -> bool:
    """Whether a log or a sidecar says how far apart the pulses of pairs are."""
    name = "inter_stimulus_interval"
    said = any(name in entry for entry in (rule, rule.get("columns", {}), *rule.get("codes", [])))
    return said or (log is not None and _known(log, name))


def _with_stated_pairs(
    raw: mne.io.BaseRaw, table: pd.DataFrame, rule: Mapping[str, Any], align: str, own: bool
) -> pd.DataFrame:
    """Pulses under what a sidecar or a log says of pairs, held against the artefacts."""
    interval, marked = rule.get("inter_stimulus_interval"), rule.get("pulse")
    if interval and not _known(table, "inter_stimulus_interval"):
        single = table["pulse_count"] == 1 if "pulse_count" in table else pd.Series(False, index=table.index)
        table = table.assign(
            pulse_count=np.where(single, 1.0, 2.0),
            inter_stimulus_interval=np.where(single, np.nan, float(interval)),
        )
    if not _known(table, "inter_stimulus_interval"):
        return table
    # who annotates pulses says where they are; their intervals may still be wrong
    to = "trigger" if own and marked is None else align
    table, notes = align_stated(raw, table, to, marked=marked, delay="delay" not in rule and not own)
    _note(raw, notes)
    return table


def _found_pulses(raw: mne.io.BaseRaw, trigger: str | None) -> pd.DataFrame:
    trains = find_triggers(raw)
    rule = _rule(raw)
    trigger = trigger if trigger is not None else rule.get("trigger")
    if trigger == "artefact":
        return pair_pulses(find_artefacts(raw))
    if trigger is not None:
        return pair_pulses(_train(trains, trigger))
    if rule.get("codes"):
        return _coded(trains, rule["codes"])
    return _best_train(raw, trains)


def _note(raw: mne.io.BaseRaw, notes: list[str]) -> None:
    """Add to the notes that a reader made."""
    if notes:
        facts = dict(raw.info.get("temp") or {})
        ours = dict(facts.get("excitability", {}))
        ours["notes"] = [*ours.get("notes", []), *notes]
        raw.info["temp"] = {**facts, "excitability": ours}


def _train(trains: Mapping[str, np.ndarray], trigger: str, what: str = "trigger") -> np.ndarray:
    """Onsets of one trigger, by its whole name, by what follows the last slash, or by its number."""
    hits = [name for name in trains if trigger in (name, name.rsplit("/", 1)[-1])]
    hits = hits or [name for name in trains if code_matches(trigger, name)]
    if not hits:
        raise ValueError(unknown_word(what, trigger, [*trains, *(["artefact"] if what == "trigger" else [])]))
    if len(hits) > 1 and len({name.rsplit("/", 1)[-1] for name in hits}) > 1:
        raise ValueError(f"{what} {trigger!r} may be any of {', '.join(map(repr, hits))}; give the whole name")
    return trains[hits[0]]


def _coded(trains: Mapping[str, np.ndarray], codes: list[dict[str, Any]]) -> pd.DataFrame:
    """Trials of several triggers, each with the stimulus parameters that its code stands for."""
    parts = []
    for entry in codes:
        part = pd.DataFrame({"onset": _train(trains, str(entry["code"]), "code")})
        parts.append(part.assign(**{name: value for name, value in entry.items() if name != "code"}))
    return pd.concat(parts, ignore_index=True).sort_values("onset", ignore_index=True)


def _rule(inst: mne.io.BaseRaw | mne.BaseEpochs) -> dict[str, Any]:
    """What a sidecar said of triggers."""
    return dict((inst.info.get("temp") or {}).get("excitability", {}).get("stimuli", {}))


def _with_columns(table: pd.DataFrame, rule: Mapping[str, Any]) -> pd.DataFrame:
    """Pulses with the stimulus columns that a sidecar or an option gives for all of them."""
    table = table.copy()
    for column, value in rule.get("columns", {}).items():
        if isinstance(value, Mapping) and "cycle" in value:
            value = np.resize(np.array(value["cycle"], dtype=object), len(table))
        if isinstance(value, list | np.ndarray) and len(value) != len(table):
            raise ValueError(f"the sidecar gives {len(value)} values of {column!r} for {len(table)} pulses")
        table[column] = value
    return table


def _best_train(raw: mne.io.BaseRaw, trains: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The only trigger; else the triggers that the artefact confirms; else the artefact."""
    if len(trains) == 1:
        return pair_pulses(next(iter(trains.values())))
    if not trains:
        return pair_pulses(find_artefacts(raw))
    confirmed = {}
    for name, onsets in trains.items():
        offsets = artefact_offsets(raw, onsets)
        if np.isfinite(offsets).mean() >= 0.8:
            confirmed[name] = abs(np.nanmedian(offsets))
    if confirmed:
        best = sorted(confirmed, key=lambda name: (confirmed[name], -trains[name].size))
        return _together(raw, {name: trains[name] for name in best})
    counts = ", ".join(f"{name!r} ({onsets.size})" for name, onsets in trains.items())
    warnings.warn(
        f"the recording has several triggers, {counts}, and no pulse artefact that tells which is the pulse; "
        "none was taken. Say which with trigger='NAME', or --trigger NAME",
        stacklevel=5,
    )
    return pair_pulses(np.empty(0))


def _together(raw: mne.io.BaseRaw, trains: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Pulses of the first trigger, and of all others that mark other pulses: codes of conditions."""
    names = list(trains)
    taken = {names[0]: trains[names[0]]}
    for name in names[1:]:
        others = np.concatenate(list(taken.values()))
        if np.abs(np.subtract.outer(trains[name], others)).min() > _APART:
            taken[name] = trains[name]
    if len(taken) == 1:
        return pair_pulses(taken[names[0]])
    counts = ", ".join(f"{name!r} ({onsets.size})" for name, onsets in sorted(taken.items()))
    _note(raw, [f"pulses of several markers are taken together, as their artefacts show: {counts}"])
    marker = pd.Series(np.concatenate([[name] * onsets.size for name, onsets in taken.items()]))
    onset = np.concatenate(list(taken.values()))
    order = np.argsort(onset, kind="stable")
    table = pair_pulses(onset)
    return table.assign(marker=marker[order].to_numpy()) if len(table) == len(onset) else table
