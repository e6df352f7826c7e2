"""A protocol applied to one recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..cleaning import apply
from ..cleaning._faults import recorded_faults
from ..cleaning._registry import apply_in_place
from ..measures._intervals import nominal_intervals
from ..query import evaluate
from ..schema import STIMULUS_COLUMNS
from ..trials import bad_spans, cut, pick_channels, stimuli
from .averages import average_rows, kept_trials
from .continuous_cleaning import cleaned_whole, continuous_steps
from .evoked_flags import flag_rows
from .grammar import Protocol, condition_labels
from .library import list_protocols, load_protocol
from .own_pulses import refuse_missing_conditions
from .quality_rows import quality_rows
from .summaries import finished, summarise
from .trial_rows import eeg_trials, facts_of, table_of
from .usable_trials import check_number, check_rate, paired, protocols_of_pairs, without_gaps

#: What of the acquisition travels from a recording into results and methods.
ACQUISITION = ("stimulator", "coil", "waveform", "reference", "software_filters", "hardware_filters", "format")


@dataclass(frozen=True)
class Run:
    """Everything one protocol made of one recording."""

    protocol: Protocol
    results: pd.DataFrame
    trials: pd.DataFrame
    epochs: mne.BaseEpochs
    cleaning: pd.DataFrame
    facts: Mapping[str, Any]  # of the acquisition: stimulator, coil, waveform, filters …


def conditions_of(protocol: Protocol, table: pd.DataFrame) -> pd.Series:
    """Condition of each stimulus; empty where none applies.

    Queries and labels see intervals as they were set: measured ones scatter about them.

    Raises
    ------
    ValueError
        When a stimulus belongs to two conditions, or none belongs to any, or a protocol of pairs has none.
    """
    if not protocol.conditions:
        return pd.Series("all", index=table.index, dtype=object)
    labels = pd.Series("", index=table.index, dtype=object)
    mine = _of_protocol(protocol, table)
    for name in table.columns.intersection(["inter_stimulus_interval", "interval_after_n20"]):
        table = table.assign(**{name: nominal_intervals(table[name])})
    for name, query in protocol.conditions.items():
        rows = evaluate(query, table, STIMULUS_COLUMNS) & mine
        twice = rows & (labels != "").to_numpy()
        if twice.any():
            number = int(table.index[twice][0])
            raise ValueError(
                f"{protocol.name}: trial {number} belongs to two conditions, {labels[number]!r} and {name!r}; "
                "make their queries exclude one another"
            )
        labels[rows] = condition_labels(name, table[rows])
    if len(table) and not (labels != "").any():
        known = ", ".join(_described(table))
        asked = "; ".join(f"{name}: {query}" for name, query in protocol.conditions.items())
        raise ValueError(
            f"none of the {len(table)} trials belongs to a condition of {protocol.name} ({asked}). "
            f"Known of the trials: {known}.{protocols_of_pairs(protocol, table)} Give the missing columns with "
            "--stimuli LOG.csv, ex.read(path, stimuli=…) or ex.set_stimuli"
        )
    if protocol.modality == "eeg":  # before minutes of cleaning, not after
        refuse_missing_conditions(protocol, table.assign(condition=labels)[mine])
    return labels


def _of_protocol(protocol: Protocol, table: pd.DataFrame) -> np.ndarray:
    """Trials that a mixed recording assigns to this protocol."""
    if "protocol" not in table or table["protocol"].isna().all():
        return np.ones(len(table), dtype=bool)
    stem = protocol.name.rsplit("/", 1)[-1]
    return table["protocol"].isin([protocol.name, stem]).to_numpy() | table["protocol"].isna().to_numpy()


def _described(table: pd.DataFrame) -> Iterable[str]:
    for name in table.columns.intersection(list(STIMULUS_COLUMNS)):
        values = sorted(table[name].dropna().unique().tolist(), key=str)
        if values:
            shown = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values[:6])
            yield f"{name} = {shown}{' …' if len(values) > 6 else ''}"


def _as_protocol(inst: Any, protocol: Any) -> Protocol:
    if isinstance(inst, mne.Evoked):
        raise TypeError(
            "protocols need single trials, not an average; with averages: ex.measures.gmfa_area(evoked.data, "
            "evoked.times), ex.measures.tep_peak, ex.plots.tep_butterfly, ex.compare_evoked (docs/tms_eeg.md, You only "
            "have averages)"
        )
    if not isinstance(inst, mne.io.BaseRaw | mne.BaseEpochs):
        raise TypeError(
            f"expected a recording (mne.io.Raw or Epochs), not {type(inst).__name__}; open files with ex.read(path)"
        )
    return load_protocol(protocol)


def clean(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    protocol: str | Path | Protocol,
    picks: str | Iterable[str] | None = None,
) -> tuple[mne.BaseEpochs, pd.DataFrame]:
    """Cut the trials of a protocol and run its cleaning steps.

    Parameters
    ----------
    inst : Raw | Epochs
    protocol : str | path | Protocol
    picks : str | list of str | None
        Channels to keep; all EEG, EMG and EOG channels by default.

    Returns
    -------
    epochs : mne.Epochs
        Cleaned trials with their EMG channels; ``.selection`` is the pulse number, ``.metadata`` the stimuli and, of
        EMG recorded beside EEG, the trial measures of the protocol (NaN where it rejects the trial), measured before
        any step for EEG.
    log : DataFrame
        One row a step: what it removed, and the channels, trials and rank that remain.
    """
    protocol = _as_protocol(inst, protocol)
    epochs, log, pulses = _cleaned(inst, protocol, picks, annotations=True)
    emg = _emg_beside(protocol, epochs)
    if emg:
        with_responses(epochs, protocol, _responses(inst, protocol, pulses, emg, None))
    return epochs, log


def _emg_beside(protocol: Protocol, epochs: mne.BaseEpochs) -> list[str]:
    """EMG channels of an EEG recording whose responses the protocol measures."""
    if protocol.modality != "eeg" or not protocol.trial:
        return []
    return [name for name, type_ in zip(epochs.ch_names, epochs.get_channel_types(), strict=True) if type_ == "emg"]


def _responses(
    inst: Any, protocol: Protocol, pulses: pd.DataFrame, emg: list[str], muscles: Any, **whose: Any
) -> pd.DataFrame:
    """Trial table of the EMG beside EEG, from its own samples: steps for EEG drop trials and lower the rate."""
    own, _, _ = _cleaned(inst, protocol.replace(cleaning=continuous_steps(protocol)[0]), emg)
    return table_of(inst, protocol, own, pulses, emg, muscles, **whose)


def with_responses(epochs: mne.BaseEpochs, protocol: Protocol, trials: pd.DataFrame) -> None:
    """Write the trial measures of the EMG into ``epochs.metadata``, in place; rejected trials are NaN.

    One column a measure; with several EMG channels one a measure and channel, ``mep_amplitude_FDI``.
    """
    columns = {}
    channels = trials["channel"].unique()
    for channel in channels:
        mine = trials[trials["channel"] == channel].set_index("trial")
        for name in protocol.trial:
            values = mine[name].where(mine["reject"] == "").reindex(epochs.selection)
            columns[name if len(channels) == 1 else f"{name}_{channel}"] = values.to_numpy(dtype=float)
    with mne.utils.use_log_level("ERROR"):
        epochs.metadata = epochs.metadata.assign(**columns)


def _cleaned(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    protocol: Protocol,
    picks: str | Iterable[str] | None,
    *,
    annotations: bool = False,
) -> tuple[mne.BaseEpochs, pd.DataFrame, pd.DataFrame]:
    """Cleaned trials, the cleaning log, and all pulses with their condition (none where the protocol needs none)."""
    if picks is None:
        types = zip(inst.ch_names, inst.get_channel_types(), strict=True)
        names = [name for name, type_ in types if type_ in ("eeg", "emg", "eog", "ecg")]
    else:
        names = pick_channels(inst, picks, protocol.modality)
    if not names or protocol.modality not in inst.get_channel_types(picks=names):
        pick_channels(inst, None, protocol.modality)  # the error that names the channels there are
    whole, steps = continuous_steps(protocol)
    inst, log = cleaned_whole(inst, whole, names)
    epoch = protocol.epoch
    table = stimuli(inst) if epoch.every is None else pd.DataFrame({"onset": []})
    labels = conditions_of(protocol, table)
    only = (labels != "").to_numpy() if protocol.conditions and len(table) else None
    pieces = cut(
        inst,
        tmin=epoch.tmin,
        tmax=epoch.tmax,
        lock=epoch.lock,
        every=epoch.every,
        picks=names,
        only=only,
        table=table if epoch.every is None else None,
        annotations=annotations,
    )
    epochs = pieces.epochs
    here = pd.Series("all", index=pieces.table.index) if epoch.every is not None else labels.loc[pieces.table.index]
    with mne.utils.use_log_level("ERROR"):
        epochs.metadata = epochs.metadata.assign(condition=here.loc[epochs.selection].to_numpy())
    if protocol.modality == "eeg" and epoch.every is None:
        told = bad_spans(inst, epochs.metadata, epochs.tmin, epochs.tmax)
        if (told != "").any():
            epochs = epochs[(told == "").to_numpy()]
        epochs = without_gaps(epochs)
    facts = dict(epochs.info["temp"])
    pairs_left_out = int((paired(table) & (labels == "").to_numpy() & _of_protocol(protocol, table)).sum())
    counts = {str(label): int(number) for label, number in here.value_counts(sort=False).items()}
    own = {**facts["excitability"], "cut": counts, "pairs_left_out": pairs_left_out}
    if protocol.modality == "eeg" and epoch.every is None:
        check_rate(protocol, float(epochs.info["sfreq"]))
        check_number(protocol, epochs)
        own["faults"] = recorded_faults(epochs.load_data())
    epochs.info["temp"] = {**facts, "excitability": own}
    # trials cut from a continuous recording are nobody else's
    epochs, later = apply_in_place(epochs, steps) if isinstance(inst, mne.io.BaseRaw) else apply(epochs, steps)
    log = pd.concat([log, later], ignore_index=True) if len(log) else later
    return epochs, log, table.assign(condition=labels)[_of_protocol(protocol, table)]


def trial_table(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    protocol: str | Path | Protocol,
    picks: str | Iterable[str] | None = None,
    *,
    muscles: Mapping[str, str] | None = None,
    child: bool = False,
    height: float | None = None,
) -> pd.DataFrame:
    """One row a trial and channel: stimulus columns, measures, and why a trial was rejected.

    Parameters
    ----------
    inst : Raw | Epochs
    protocol : str | path | Protocol
    picks : str | list of str | None
        Channels or muscles; all EMG channels by default.
    muscles : mapping of channel to muscle, optional
    child : bool
        Look for responses where children have them (``child_window`` of muscles.toml).
    height : float, optional
        Body height in m: windows move with the length of the way (:func:`excitability.resources.muscle_window`).

    Returns
    -------
    DataFrame
        ``trial, onset, channel, muscle``, the stimulus columns, ``condition``, ``window_start`` and ``window_stop`` (s:
        where the response was looked for), one column a trial measure (SI units), ``reject`` (empty when kept) and
        ``flag``. Rejected trials keep their values; a trial at the edge of
        the recording is a row without values.

    Examples
    --------
    >>> import excitability as ex
    >>> raw, truth = ex.simulate.session(["m1/sici"], seed=1)
    >>> table = ex.trial_table(raw, "sici", picks=["FDI"])
    >>> sorted(table["condition"].unique())
    ['isi_0.002', 'isi_0.003', 'test']
    """
    protocol = _as_protocol(inst, protocol)
    if protocol.modality == "eeg" and not (protocol.trial and "emg" in inst.get_channel_types()):
        epochs, _, pulses = _cleaned(inst, protocol, None)
        return eeg_trials(protocol, pulses, epochs)
    channels = pick_channels(inst, picks, "emg", muscles)
    epochs, _, pulses = _cleaned(inst, protocol.replace(cleaning=continuous_steps(protocol)[0]), channels)
    return table_of(inst, protocol, epochs, pulses, channels, muscles, child=child, height=height)


def run(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    protocol: str | Path | Protocol,
    picks: str | Iterable[str] | None = None,
    *,
    muscles: Mapping[str, str] | None = None,
    child: bool = False,
    height: float | None = None,
) -> pd.DataFrame:
    """Result table of one recording under one protocol.

    Parameters
    ----------
    inst : Raw | Epochs
        A recording from :func:`excitability.read`, or any MNE object with ``"TMS"`` annotations.
    protocol : str | path | Protocol
        Name (``"sici"``), path of a TOML file, or a Protocol.
    picks : str | list of str | None
        EMG: channels or muscles. EEG: the electrodes of the region of interest instead of the protocol's.
    muscles : mapping of channel to muscle, optional
    child : bool
        Look for responses where children have them (``child_window`` of muscles.toml).
    height : float, optional
        Body height in m: windows move with the length of the way (:func:`excitability.resources.muscle_window`).

    Returns
    -------
    DataFrame
        Tidy results in SI units, one row a channel, condition and measure, with 95 % intervals, the number of trials
        and a flag where a value needs care.

    Raises
    ------
    ValueError
        When there are no pulses, no trial belongs to a condition, or a channel's muscle is unknown.

    Examples
    --------
    >>> import excitability as ex
    >>> raw, truth = ex.simulate.session(["m1/sici"], seed=1)
    >>> result = ex.run(raw, "sici", picks=["FDI"])
    >>> ratios = result[result["measure"] == "conditioned_ratio"].set_index("condition")["value"]
    >>> bool(ratios["isi_0.002"] < 1)
    True
    """
    return run_all(inst, protocol, picks, muscles=muscles, child=child, height=height).results


def run_all(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    protocol: str | Path | Protocol,
    picks: str | Iterable[str] | None = None,
    *,
    muscles: Mapping[str, str] | None = None,
    child: bool = False,
    height: float | None = None,
) -> Run:
    """As :func:`run`, with the trial table, the cleaned trials and the cleaning log."""
    protocol = _as_protocol(inst, protocol)
    rows: list[dict[str, Any]] = []
    trials = pd.DataFrame()
    if protocol.modality == "emg":
        channels = pick_channels(inst, picks, "emg", muscles)
        epochs, log, pulses = _cleaned(inst, protocol, channels)
        trials = table_of(inst, protocol, epochs, pulses, channels, muscles, child=child, height=height)
        results = summarise(protocol, trials)
        for channel in channels:
            rows += average_rows(protocol, epochs, [channel], channel, trials)
    else:
        epochs, log, pulses = _cleaned(inst, protocol, None)
        emg = _emg_beside(protocol, epochs)
        trials = eeg_trials(protocol, pulses, epochs)
        if emg:
            trials = _responses(inst, protocol, pulses, emg, muscles, child=child, height=height)
            with_responses(epochs, protocol, trials)
        results = summarise(protocol, trials) if emg and protocol.summary else finished(protocol, [])
        chosen = None if picks is None else pick_channels(inst, picks, "eeg")
        rows += average_rows(protocol, epochs, chosen, "", trials)
        kept, lost = kept_trials(epochs, "", trials)
        flag_rows(protocol, epochs, kept, rows, pulses)
        rows += quality_rows(protocol, epochs, kept, lost, chosen, rows)
    if rows:
        parts = [part for part in (results, finished(protocol, rows)) if len(part)]
        results = pd.concat(parts, ignore_index=True)
    facts = facts_of(inst)
    results["participant"] = str(facts.get("participant", "") or "")
    results["session"] = str(facts.get("session", "") or "")
    return Run(protocol, results, trials, epochs, log, {name: facts[name] for name in ACQUISITION if facts.get(name)})


def protocol_of_task(task: str) -> str:
    """Protocol that a BIDS task label means: their names agree but for what a label may not contain."""

    def bare(word: str) -> str:
        return "".join(character for character in word.lower() if character.isalnum())

    for name in list_protocols():
        if bare(task) in (bare(name), bare(name.rsplit("/", 1)[-1])):
            return name
    return task
