"""A whole study in BIDS: patients and controls, before and after exercise, with the truth beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..schema import unknown_word
from .bids_files import write_dataset, write_recording, write_sessions, write_tsv
from .cohort import EFFECTS, GROUPS, blood_at, components_at, draw_participant, muscles_at, time_course
from .eeg_sessions import paired_tep_session, tep_session
from .emg_sessions import session
from .resting_sessions import resting_eeg
from .stimuli import protocol_name, task_label

EMG_PROTOCOLS = (
    "m1/resting_motor_threshold",
    "m1/recruitment_curve",
    "m1/sici",
    "m1/icf",
    "m1/sicf",
    "m1/lici",
    "m1/cortical_silent_period",
)
#: Those of the battery ``dlpfc_exercise`` first.
EEG_PROTOCOLS = (
    "dlpfc/tep", "dlpfc/lici_tep", "dlpfc/resting_eeg", "dlpfc/sici_tep", "dlpfc/icf_tep", "m1/tep", "m1/sici_tep",
    "m1/icf_tep",
)  # fmt: skip
_LOG_MEASURES = (
    "conditioned_ratio",
    "lici_tep",
    "paired_pulse_tep",
    "mep_amplitude",
    "mep_max",
    "peak_slope",
    "area_under_curve",
)
_KEYS = ["protocol", "channel", "condition", "measure"]
#: (protocol, measure) -> parameter of the cohort whose mean change is the change of the measure.
_PARAMETERS = {
    ("m1/sici", "conditioned_ratio"): "sici",
    ("m1/icf", "conditioned_ratio"): "icf",
    ("m1/sicf", "conditioned_ratio"): "sicf",
    ("m1/lici", "conditioned_ratio"): "lici",
    ("m1/recruitment_curve", "mep_max"): "mep_max",
    ("dlpfc/lici_tep", "lici_tep"): "lici_eeg",
}


def _eeg_recording(protocol, participant, timepoint, options, rng):
    """Recording and true measures of one EEG protocol of a session."""
    rate = options["eeg_sampling_rate"]
    if protocol == "dlpfc/resting_eeg":
        return resting_eeg(
            duration=options["rest_duration"],
            aperiodic_exponent=1.25 * participant.factor("aperiodic_exponent", timepoint),
            alpha_frequency=10.0 * participant.factor("alpha_frequency", timepoint),
            sampling_rate=min(rate, 500.0),
            seed=rng,
        )
    folder, kind = protocol.split("/")
    target = folder.upper()
    made = {
        "n_trials": options["eeg_trials"],
        "components": components_at(participant, timepoint, target),
        "decay_amplitude": 25e-6,
        "sampling_rate": rate,
        "trial_interval": 1.0,
        "seed": rng,
    }
    if target == "M1":
        made["muscles"] = {"RFDI": muscles_at(participant, timepoint)["RFDI"]}
    if kind == "tep":
        return tep_session(target, association=0.4 if target == "M1" else 0.0, **made)
    kind = kind.removesuffix("_tep")
    if kind == "lici":
        made["ratio"] = 0.65 * participant.factor("lici_eeg", timepoint)
    return paired_tep_session(target, kind, **made)


def _eeg_protocol(name):
    if name not in EEG_PROTOCOLS:
        raise ValueError(unknown_word("EEG protocol to simulate", name, EEG_PROTOCOLS))
    return name


def _task(protocol):
    """Task label; that of EEG over M1 names its folder, for over the DLPFC it would be the same."""
    return task_label(protocol.replace("m1/", "m1") if protocol in EEG_PROTOCOLS else protocol)


def _write_session(root, participant, timepoint, options, seed):
    """Simulate and write all recordings of one session; returns its true measures."""
    rng = np.random.default_rng(seed)
    channels = muscles_at(participant, timepoint)
    # intensities are set once, from the threshold before exercise, and kept
    threshold = muscles_at(participant, "pre")["RFDI"]["motor_threshold"]
    truths = []

    def keep(raw, truth):
        protocol = raw.info["temp"]["excitability"]["protocol"]
        write_recording(root, raw, participant.label, timepoint, _task(protocol))
        truths.append(truth["measures"])

    for protocol in options["protocols"]:
        keep(
            *session(
                protocol,
                channels=channels,
                threshold=threshold,
                n_trials=options["n_trials"],
                sampling_rate=options["sampling_rate"],
                trial_interval=0.8,
                seed=rng,
            )
        )
    if timepoint in options["eeg"]:
        for protocol in options["eeg_protocols"]:
            keep(*_eeg_recording(protocol, participant, timepoint, options, rng))
    measures = pd.concat(truths, ignore_index=True)
    measures.insert(0, "participant", participant.label)
    measures.insert(1, "session", timepoint)
    measures.insert(2, "group", participant.group)
    return measures


def _population_change(protocol, measure, group, share):
    """Mean change of a measure in the population that participants are drawn from, as a log ratio."""
    name = _PARAMETERS.get((protocol, measure))
    return share * EFFECTS[name].change[GROUPS.index(group)] if name else np.nan


def _true_changes(measures, timepoints):
    """Mean true change of the participants by group, and of the population they are drawn from."""
    before = measures[measures["session"] == timepoints[0]].set_index(["participant", *_KEYS])["value"]
    rows = []
    for timepoint in timepoints[1:]:
        table = measures[measures["session"] == timepoint].copy()
        first = before.reindex(pd.MultiIndex.from_frame(table[["participant", *_KEYS]])).to_numpy()
        is_log = table["measure"].isin(_LOG_MEASURES).to_numpy()
        value = table["value"].to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            table["change"] = np.where(is_log, np.log(value / first), value - first)
        means = table.groupby([*_KEYS, "group"], sort=False)["change"].mean().unstack("group")
        for key, row in means.iterrows():
            share = time_course(timepoint)
            population = {group: _population_change(key[0], key[3], group, share) for group in row.index}
            row, population = row.to_dict(), dict(population)
            if set(row) == set(GROUPS):
                row["patient - control"] = row["patient"] - row["control"]
                population["patient - control"] = population["patient"] - population["control"]
            form = "log_ratio" if key[3] in _LOG_MEASURES else "difference"
            rows += [
                (*key, group, f"{timepoint} - {timepoints[0]}", row[group], population[group], form) for group in row
            ]
    return pd.DataFrame(rows, columns=[*_KEYS, "group", "contrast", "estimate", "population", "form"])


def study(
    path,
    *,
    n_patients=6,
    n_controls=6,
    timepoints=("pre", "post0", "post30"),
    protocols=EMG_PROTOCOLS,
    eeg=True,
    eeg_protocols=EEG_PROTOCOLS[:3],
    n_trials=None,
    eeg_trials=25,
    rest_duration=30.0,
    sampling_rate=2000.0,
    eeg_sampling_rate=1000.0,
    n_jobs=1,
    progress=None,
    seed,
):
    """Write a simulated study as BIDS: an exercise study of chronic low back pain with known answers.

    An M1 session (EMG of the right FDI at rest and the left erector spinae in contraction) and a DLPFC session
    (EEG) at every time point. Sizes of effects are invented examples
    (see :mod:`excitability.simulate.cohort`); gaps between trials are shortened to about a second.

    Parameters
    ----------
    path : path
        Folder to write; it must be empty or not exist.
    n_patients, n_controls : int
        Participants.
    timepoints : sequence of str
        The first is the one before the exercise: ``pre``, then ``post0``, ``post30`` …
    protocols : sequence of str
        EMG protocols.
    eeg : bool or sequence of str
        Whether to record EEG, or at which time points.
    eeg_protocols : sequence of str
        Those of the battery ``dlpfc_exercise``, or others of ``excitability.simulate.studies.EEG_PROTOCOLS``; over M1
        with EMG of the right FDI.
    n_trials : int or mapping, optional
        Trials a condition of the EMG protocols (a number, or a mapping by protocol); by default 8 to 15.
    eeg_trials : int
        Trials a condition of the EEG protocols.
    rest_duration : float
        Seconds of resting EEG.
    sampling_rate, eeg_sampling_rate : float
        Hz.
    n_jobs : int
        Processes.
    progress : callable, optional
        Called with the number of sessions written and their total.
    seed : int

    Returns
    -------
    truth : dict of DataFrame
        ``measures``: ``participant, session, group, protocol, channel, condition, measure, value`` in SI units and in
        the words of the result table; ``changes``: per group the mean true change of the participants
        (``estimate``) and, where one parameter sets it, of the population (``population``), as ``log_ratio`` or
        ``difference``; ``participants``. The first two are also in ``sourcedata/truth.tsv`` and
        ``truth_changes.tsv``.

    Raises
    ------
    ValueError
        When the folder is not empty, or a time point or protocol is unknown.

    Examples
    --------
    >>> import tempfile
    >>> from excitability.simulate import study
    >>> folder = tempfile.TemporaryDirectory()
    >>> truth = study(folder.name, n_patients=1, n_controls=1, timepoints=("pre", "post0"), protocols=["sici"],
    ...               eeg=False, n_trials=2, seed=1)
    >>> sorted(map(str, set(truth["measures"].query("measure == 'conditioned_ratio'")["condition"])))
    ['isi_0.002', 'isi_0.003']
    >>> folder.cleanup()
    """
    root = Path(path)
    if root.exists() and any(root.iterdir()):
        raise ValueError(f"the folder {root} is not empty; give a new one, or empty it first")
    timepoints = tuple(timepoints)
    options = {
        "protocols": [protocol_name(name) for name in protocols],
        "eeg": (timepoints if eeg else ()) if isinstance(eeg, bool) else tuple(eeg),
        "eeg_protocols": [_eeg_protocol(name) for name in eeg_protocols],
        "n_trials": n_trials,
        "eeg_trials": eeg_trials,
        "rest_duration": rest_duration,
        "sampling_rate": sampling_rate,
        "eeg_sampling_rate": eeg_sampling_rate,
    }
    for timepoint in (*timepoints, *options["eeg"]):
        time_course(timepoint)
    people = _participants(n_patients, n_controls, seed)
    _write_tables(root, people, timepoints, seed)
    jobs = [(person, timepoint) for person in people for timepoint in timepoints]
    measures = pd.concat(_run(root, jobs, options, n_jobs, progress, seed), ignore_index=True)
    truth = {
        "measures": measures,
        "changes": _true_changes(measures, timepoints),
        "participants": pd.DataFrame([{"participant": person.label, **person.covariates} for person in people]),
    }
    folder = root / "sourcedata"
    folder.mkdir()
    write_tsv(folder / "truth.tsv", measures)
    write_tsv(folder / "truth_changes.tsv", truth["changes"])
    return truth


def _participants(n_patients, n_controls, seed):
    """Participants, the groups in mixed order."""
    rng = np.random.default_rng([seed, 0])
    groups = rng.permutation(["patient"] * n_patients + ["control"] * n_controls)
    width = max(2, len(str(len(groups))))
    return [draw_participant(f"{number:0{width}d}", str(group), rng) for number, group in enumerate(groups, 1)]


def _write_tables(root, people, timepoints, seed):
    rng = np.random.default_rng([seed, 1])
    table = pd.DataFrame([{"participant_id": f"sub-{one.label}", **one.covariates} for one in people])
    write_dataset(root, "Simulated exercise study of chronic low back pain", table)
    for one in people:
        rows = [
            {"session_id": f"ses-{timepoint}", "timepoint": timepoint, **blood_at(one, timepoint, rng)}
            for timepoint in timepoints
        ]
        write_sessions(root, one.label, pd.DataFrame(rows))


def _run(root, jobs, options, n_jobs, progress, seed):
    """Write all sessions, in ``n_jobs`` processes; true measures in the order of ``jobs``."""
    from joblib import Parallel, delayed

    tasks = (
        delayed(_write_session)(root, person, timepoint, options, [seed, 2, number])
        for number, (person, timepoint) in enumerate(jobs)
    )
    results = []
    for result in Parallel(n_jobs=n_jobs, return_as="generator")(tasks):
        results.append(result)
        if progress is not None:
            progress(len(results), len(jobs))
    return results
