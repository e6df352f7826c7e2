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
from .schema import unknown_word
from .trials import PULSE, artefact_offsets, find_artefacts, find_triggers, join_log, pair_pulses
from .trials.alignment import align as align_pulses
from .trials.logs import read_log
from .trials.muscles import channel_muscles
from .trials.stimuli import own_stimuli, told_stimuli

_ALIGN = ("artefact", "trigger")
#: What a sidecar may say of the place of the pulses, which is then not measured.
_TOLD = {"delay", "pulse", "inter_stimulus_interval", "codes"}


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
        they leave. By default the trigger is taken that coincides with the artefact, and the artefact itself where
        there is no trigger.
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
    if PULSE in set(map(str, raw.annotations.description)) and trigger is None:
        table = _with_columns(told_stimuli(raw), _rule(raw))
    else:
        table = _found_pulses(raw, trigger, align)
        if not len(table) and log is not None and "onset" in log:
            return own_stimuli(raw, log)
    if log is not None:
        if not len(table):
            raise ValueError(
                f"a stimulus log with {len(log)} rows was given, but the recording shows no pulse by trigger or "
                "artefact; give the log a column 'onset' (s from the start of the recording)"
            )
        table = join_log(table, log)
    return own_stimuli(raw, table) if len(table) else raw


def _found_pulses(raw: mne.io.BaseRaw, trigger: str | None, align: str) -> pd.DataFrame:
    trains = find_triggers(raw)
    rule = _rule(raw)
    trigger = trigger if trigger is not None else rule.get("trigger")
    if trigger == "artefact":
        table = pair_pulses(find_artefacts(raw))
    elif trigger is not None:
        table = pair_pulses(_train(trains, trigger))
    elif rule.get("codes"):
        table = _coded(trains, rule["codes"])
    else:
        table = _best_train(raw, trains)
    if not _TOLD & set(rule) and not {"pulse_count", "inter_stimulus_interval"} & set(rule.get("columns", {})):
        table, notes = align_pulses(raw, table, align)
        _note(raw, notes)
    return _ruled(table, rule)


def _note(raw: mne.io.BaseRaw, notes: list[str]) -> None:
    """Add to the notes that a reader made."""
    if notes:
        facts = dict(raw.info.get("temp") or {})
        ours = dict(facts.get("excitability", {}))
        ours["notes"] = [*ours.get("notes", []), *notes]
        raw.info["temp"] = {**facts, "excitability": ours}


def _train(trains: Mapping[str, np.ndarray], trigger: str) -> np.ndarray:
    """Onsets of one trigger, by its whole name or by what follows the last slash."""
    hits = [name for name in trains if trigger in (name, name.rsplit("/", 1)[-1])]
    if not hits:
        raise ValueError(unknown_word("trigger", trigger, [*trains, "artefact"]))
    return trains[hits[0]]


def _coded(trains: Mapping[str, np.ndarray], codes: list[dict[str, Any]]) -> pd.DataFrame:
    """Trials of several triggers, each with the stimulus parameters that its code stands for."""
    parts = []
    for entry in codes:
        part = pd.DataFrame({"onset": _train(trains, str(entry["code"]))})
        parts.append(part.assign(**{name: value for name, value in entry.items() if name != "code"}))
    return pd.concat(parts, ignore_index=True).sort_values("onset", ignore_index=True)


def _rule(inst: mne.io.BaseRaw | mne.BaseEpochs) -> dict[str, Any]:
    """What a sidecar said of triggers."""
    return dict((inst.info.get("temp") or {}).get("excitability", {}).get("stimuli", {}))


def _ruled(table: pd.DataFrame, rule: Mapping[str, Any]) -> pd.DataFrame:
    """Pulses under a sidecar's word: a delay, the pulse of a pair that the trigger marks, constant columns."""
    table = table.copy()
    table["onset"] = table["onset"] + float(rule.get("delay", 0.0))
    interval = rule.get("inter_stimulus_interval")
    if rule.get("pulse") == "first" and interval:
        table["onset"] += float(interval)
        table["pulse_count"], table["inter_stimulus_interval"] = 2.0, float(interval)
    return _with_columns(table, rule)


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
    """The only trigger; else the trigger that the artefact confirms; else the artefact."""
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
        return pair_pulses(trains[min(confirmed, key=lambda name: (confirmed[name], -trains[name].size))])
    counts = ", ".join(f"{name!r} ({onsets.size})" for name, onsets in trains.items())
    warnings.warn(
        f"the recording has several triggers, {counts}, and no pulse artefact that tells which is the pulse; "
        "none was taken. Say which with trigger='NAME', or --trigger NAME",
        stacklevel=5,
    )
    return pair_pulses(np.empty(0))
