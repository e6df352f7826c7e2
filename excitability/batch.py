"""Many sessions at once: run, stored, resumed. A failure is a row, never a stop."""

from __future__ import annotations

import difflib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import mne
import pandas as pd

from . import __version__
from .labels import time_column
from .protocol import Battery, Protocol, derive, evoked_of, list_protocols, load_battery, run_all
from .recording import read
from .schema import RESULT_COLUMNS, join_flags, unknown_word
from .sessions import OWN_OPTIONS, checked_sessions, find_sessions
from .store import acquisition, evokes, inputs_of, keep, measure_columns, read_averages, stems, stored
from .tables import read_table, write_table, write_text
from .trials import stimuli

#: Columns of a sessions table (%MSO) that make intensities relative to threshold known in its file.
_THRESHOLDS = ("resting_motor_threshold", "active_motor_threshold")


def run_batch(
    sessions: pd.DataFrame | str | Path,
    protocol: str | Path | Protocol | Battery,
    output: str | Path | None = None,
    n_jobs: int = 1,
    *,
    picks: str | Iterable[str] | None = None,
    muscles: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    child: bool = False,
    height: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Run a protocol or a battery over many sessions.

    Parameters
    ----------
    sessions : DataFrame | path
        From :func:`find_sessions`, or what it takes.
    protocol : str | path | Protocol | Battery
        Recordings of other protocols are left alone.
    output : path, optional
        Folder for the tables (BIDS derivatives). Each recording is stored when it is done, and a later run
        computes only what is new or has changed. Without it nothing is stored or reused.
    n_jobs : int
        Processes, one recording each; -1 for all cores.
    picks, muscles
        As for :func:`excitability.run`, for every EMG recording.
    options : mapping, optional
        Options of :func:`excitability.read`, for every recording.
    child : bool
        Look for responses where children have them, in every recording.
    height : bool
        Move the windows of each participant by the column ``height`` (m) of the sessions table; a participant
        without one keeps those of 1.70 m.
    progress : callable, optional
        Called with (done, all, label) after each recording.

    Returns
    -------
    DataFrame
        Result rows of all sessions with the columns of the sessions table; a recording that failed is one row
        with its message in ``error``. Below them, with the protocol ``derived/NAME``, what the battery's
        ``[[derived]]`` make of several protocols or of all sessions together; NaN with a flag where a part is missing.

    Raises
    ------
    ValueError
        When no session has a recording of the protocol.

    Examples
    --------
    >>> import excitability as ex
    >>> sessions = ex.find_sessions(ex.sample_data_path() / "study")
    >>> results = run_batch(sessions[:2], "m1_exercise")
    >>> (results["error"] == "").all()
    np.True_
    """
    table = find_sessions(sessions) if isinstance(sessions, str | Path) else checked_sessions(sessions)
    battery = load_battery(protocol)
    tasks = _tasks(table, battery)
    folder = None if output is None else Path(output)
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"output {folder} is a file; give a folder for the tables")
        folder.mkdir(parents=True, exist_ok=True)
    if n_jobs == 0:
        raise ValueError("n_jobs = 0 runs nothing; give the number of processes, or -1 for all cores")
    reading = {
        "options": dict(options or {}),
        "picks": picks,
        "muscles": dict(muscles or {}) or None,
        "windows": {"child": child, "height": height},
        "alone": len(battery.protocols) == 1,
    }
    if height and "height" not in table:
        raise ValueError(f"height=True, but the sessions table has no column 'height' (m): {', '.join(table.columns)}")
    done = _run_tasks(tasks, folder, reading, n_jobs, progress)
    results = _joined([done[i][0] for i in range(len(tasks))], tasks, list(RESULT_COLUMNS))
    trials = _all_trials([done[i][1] for i in range(len(tasks))], tasks)
    results = _with_derived(battery, results, trials)
    if folder is not None:
        _write_study(folder, battery, table, results, trials)
    return results


def _tasks(table: pd.DataFrame, battery: Battery) -> list[tuple[dict[str, Any], Protocol]]:
    wanted = {protocol.name: protocol for protocol in battery.protocols}
    tasks = []
    for entry in table.to_dict("records"):
        row = {str(name): value for name, value in entry.items()}
        if row["protocol"] in wanted:
            tasks.append((row, wanted[row["protocol"]]))
        elif _misspelt(row["protocol"]):  # is a failure, not a recording left alone
            tasks.append((row, battery.protocols[0]))
        elif not row["protocol"]:
            # a recording of no named protocol may mix them (stimulus column 'protocol'), or be all there is
            tasks += [(row, protocol) for protocol in battery.protocols]
    if not tasks:
        have = ", ".join(sorted({str(name) for name in table["protocol"]}))
        raise ValueError(f"no recording of {', '.join(wanted)} among the sessions; they are of: {have}")
    return tasks


def _misspelt(word: str) -> bool:
    """Whether a word is no protocol but looks like one."""
    known = [form for name in list_protocols() for form in (name, name.rsplit("/", 1)[-1])]
    return word not in known and bool(difflib.get_close_matches(word, known, cutoff=0.7))


def _run_tasks(
    tasks: list[tuple[dict[str, Any], Protocol]],
    folder: Path | None,
    reading: Mapping[str, Any],
    n_jobs: int,
    progress: Callable[[int, int, str], None] | None,
) -> dict[int, tuple[pd.DataFrame, pd.DataFrame]]:
    from joblib import Parallel, delayed

    def label(index: int) -> str:
        row, protocol = tasks[index]
        return f"{row['participant']} {row['session']} {protocol.name}"

    places = stems(folder, tasks)
    work = (delayed(_numbered)(i, row, protocol, places[i], reading) for i, (row, protocol) in enumerate(tasks))
    done: dict[int, tuple[pd.DataFrame, pd.DataFrame]] = {}
    for index, results, trials in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(work):
        done[index] = (results, trials)
        if progress is not None:
            progress(len(done), len(tasks), label(index))
    return done


def _numbered(
    index: int, row: Mapping[str, Any], protocol: Protocol, stem: Path | None, reading: Mapping[str, Any]
) -> tuple[int, pd.DataFrame, pd.DataFrame]:
    return index, *_one(row, protocol, stem, reading)


def _one(
    row: Mapping[str, Any], protocol: Protocol, stem: Path | None, reading: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results and trials of one recording, from the store when nothing they depend on has changed."""
    try:
        reading = _reading_of(row, reading)
        inputs = inputs_of(row, protocol, reading)
        if stem is not None:
            known = stored(stem, inputs, protocol)
            if known is not None:
                return known
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results, trials, facts, averages = _compute(row, protocol, reading)
        told = join_flags(*(_flag(entry) for entry in caught))
        if told:
            results = results.assign(flag=[join_flags(flag, told) for flag in results["flag"]])
    except Exception as error:  # the one place where a batch goes on: the failure is a row
        return _failure(protocol, error), pd.DataFrame()
    if stem is not None:
        owner = {"participant": str(row["participant"]), "session": str(row["session"]), "protocol": protocol.name}
        keep(stem, results, trials, inputs, facts, averages, owner)
    return results, trials


def _reading_of(row: Mapping[str, Any], reading: Mapping[str, Any]) -> dict[str, Any]:
    """How one recording is read: the batch's options, and what its row says (log, trigger, sidecar)."""
    if not isinstance(row["file"], str) or not row["file"].strip():
        raise ValueError("the sessions table names no file for this session")
    word = row["protocol"]
    if isinstance(word, str) and word not in ("", *list_protocols()):
        raise ValueError(unknown_word("protocol", word, list_protocols()))
    own = {name: row[name] for name in OWN_OPTIONS if isinstance(row.get(name), str) and row[name]}
    known = pd.to_numeric(pd.Series([row.get(name) for name in _THRESHOLDS], _THRESHOLDS), errors="coerce").dropna()
    if len(known):
        own["columns"] = {**reading["options"].get("columns", {}), **known.to_dict()}
    return {**reading, "options": {**reading["options"], **own}}


def _flag(entry: warnings.WarningMessage) -> str:
    """A warning of this package about a recording as a flag; what libraries say among themselves is not."""
    return "see_log:" + str(entry.message)[:120].replace(";", ",") if entry.category is UserWarning else ""


def _compute(
    row: Mapping[str, Any], protocol: Protocol, reading: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], list[mne.Evoked]]:
    inst = read(row["file"], **reading["options"])
    if not row["protocol"] and reading["alone"] is False and "protocol" not in stimuli(inst):
        raise ValueError(
            "which protocol this recording is of is not said; add a column 'protocol' to the sessions table"
        )
    if protocol.modality == "emg":
        own = windows_of(row, reading)
        done = run_all(inst, protocol, reading["picks"], muscles=reading["muscles"], **own)
    else:
        done = run_all(inst, protocol)
    return done.results, done.trials, dict(done.facts), evoked_of(done.epochs) if evokes(protocol) else []


def windows_of(row: Mapping[str, Any], reading: Mapping[str, Any]) -> dict[str, Any]:
    """Whose windows a recording of a batch is measured in: arguments of :func:`excitability.run`."""
    asked = reading.get("windows") or {}
    told = pd.to_numeric(pd.Series([row.get("height") if asked.get("height") else None]), errors="coerce").iloc[0]
    return {"child": bool(asked.get("child")), "height": None if pd.isna(told) else float(told)}


def _failure(protocol: Protocol, error: Exception) -> pd.DataFrame:
    table = pd.DataFrame([dict.fromkeys(RESULT_COLUMNS, "")])
    for name, column in RESULT_COLUMNS.items():
        if column.dtype != "str":
            table[name] = float("nan")
    table["n_trials"] = table["n_rejected"] = 0
    table["protocol"], table["protocol_sha256"], table["version"] = protocol.name, protocol.sha256, __version__
    message = " ".join(str(error).split()) or "no message"
    return table.assign(error=f"{type(error).__name__}: {message}")


def _joined(
    parts: list[pd.DataFrame], tasks: list[tuple[dict[str, Any], Protocol]], columns: list[str]
) -> pd.DataFrame:
    """All parts with what the sessions table says of each."""
    frames = []
    for part, (row, _) in zip(parts, tasks, strict=True):
        if len(part):
            facts = {name: value for name, value in row.items() if name not in ("file", "protocol", *OWN_OPTIONS)}
            frames.append(part.assign(**{name: [value] * len(part) for name, value in facts.items()}))
    if not frames:
        return pd.DataFrame(columns=columns)
    whole = pd.concat(frames, ignore_index=True)
    first = [name for name in columns if name in whole]
    return whole[[*first, *(name for name in whole if name not in first)]]


def _all_trials(trials: list[pd.DataFrame], tasks: list[tuple[dict[str, Any], Protocol]]) -> pd.DataFrame:
    first = ["participant", "session", "protocol", "trial", "onset", "channel"]
    named = [
        part.assign(protocol=protocol.name) if len(part) else part
        for part, (_, protocol) in zip(trials, tasks, strict=True)
    ]
    return _joined(named, tasks, first)


def _with_derived(battery: Battery, results: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """The results and below them those of ``[[derived]]``, with what the sessions table says of each session."""
    found = [derive(entry, results, trials, battery.by) for entry in battery.derived]
    parts = [part for part in found if len(part)]
    if not parts:
        return results
    owner = ["participant", "session"]
    facts = results[owner + [name for name in results if name not in RESULT_COLUMNS]].drop_duplicates(owner)
    rows = pd.concat(parts, ignore_index=True).merge(facts, on=owner, how="left", validate="many_to_one")
    return pd.concat([results, rows[list(results.columns)]], ignore_index=True)


def _write_study(
    folder: Path, battery: Battery, sessions: pd.DataFrame, results: pd.DataFrame, trials: pd.DataFrame
) -> None:
    """The tables of the whole study, each replaced at once."""
    description = {
        "Name": f"excitability results: {battery.title}",
        "BIDSVersion": "1.11.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "excitability", "Version": __version__}],
    }
    write_text(folder / "dataset_description.json", json.dumps(description, indent=2) + "\n")
    write_text(folder / "battery.json", json.dumps(battery.content(), indent=2, ensure_ascii=False) + "\n")
    write_table(results, folder / "results.tsv", facts={"Acquisition": acquisition(folder)})
    write_table(trials, folder / "trials.tsv", measures=measure_columns())
    relative = [os.path.relpath(file, folder.resolve()) for file in sessions["file"]]
    write_table(sessions.assign(file=relative), folder / "sessions.tsv")


def plan_of(battery: Battery, results: pd.DataFrame) -> dict[str, Any]:
    """What a battery planned, for the time points that were recorded.

    These are the arguments of :func:`excitability.compare`, and ``at`` of :func:`excitability.compare_groups`. A
    planned time point that nobody was measured at is left out, with a warning.
    """
    recorded = set(results[time_column(results)])
    befores = (battery.before,) if isinstance(battery.before, str) else battery.before
    present = [label for label in befores if label in recorded]
    plan: dict[str, Any] = {"before": present if len(present) > 1 else present[0]} if present else {}
    after = [label for label in battery.after if label in recorded]
    if len(after) < len(battery.after):
        absent = ", ".join(label for label in battery.after if label not in recorded)
        warnings.warn(f"no recording at the planned time point {absent}; it is not compared", stacklevel=2)
    if after:
        plan["after"] = after
    if battery.by and battery.by in results:
        plan["by"] = battery.by
    if battery.covariates:
        plan["covariates"] = list(battery.covariates)
    if at := [label for label in battery.at if label in recorded]:
        plan["at"] = at
    if battery.method != "t":
        plan["method"] = battery.method
    if battery.trials:
        plan["trials"] = True
    if battery.trial_covariates:
        plan["trial_covariates"] = list(battery.trial_covariates)
    return plan


def load_results(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame, Battery]:
    """Results, trials and battery of a folder that :func:`run_batch` wrote.

    Raises
    ------
    FileNotFoundError
        When the folder holds no results, or no battery.
    ValueError
        For a file that is none of these, naming it.
    """
    folder = Path(folder)
    if not (folder / "results.tsv").is_file():
        raise FileNotFoundError(f"{folder} holds no results.tsv; run 'excitability batch STUDY -o {folder}' first")
    trials = folder / "trials.tsv"
    table = read_table(trials) if trials.is_file() and trials.stat().st_size > 2 else pd.DataFrame()
    return read_table(folder / "results.tsv"), table, _stored_battery(folder / "battery.json")


def _stored_battery(path: Path) -> Battery:
    """The battery that a study was run with."""
    again = f"run 'excitability batch STUDY -o {path.parent}' again"
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} holds no battery.json beside results.tsv; {again}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}); {again}") from None
    if not isinstance(content, dict) or "protocols" not in content or "name" not in content:
        raise ValueError(f"{path} holds no battery (a name and protocols are expected); {again}")
    return Battery.from_mapping(content)


def load_evoked(folder: str | Path) -> pd.DataFrame:
    """Evoked potentials that :func:`run_batch` stored of the EEG protocols, for :func:`excitability.compare_evoked`.

    Parameters
    ----------
    folder : path
        The ``output`` of :func:`run_batch`; each recording's potentials are in a file ``…_ave.fif`` of their own.

    Returns
    -------
    DataFrame
        ``participant, session, protocol, condition, evoked`` (:class:`mne.Evoked`, average over the good trials) and
        what the sessions table says of each session (``timepoint``, ``group``, …); empty where none was stored.

    Raises
    ------
    FileNotFoundError
        When the folder holds no results.

    Examples
    --------
    >>> import tempfile
    >>> load_evoked(tempfile.mkdtemp())
    Traceback (most recent call last):
        ...
    FileNotFoundError: ... holds no results.tsv; run 'excitability batch STUDY -o ...' first
    """
    folder = Path(folder)
    results, _, battery = load_results(folder)
    found = read_averages(folder)
    found = found[found["protocol"].isin([protocol.name for protocol in battery.protocols])]
    owner = ["participant", "session"]
    facts = [name for name in results if name not in RESULT_COLUMNS]
    sessions = results[owner + facts].drop_duplicates(owner)
    return found.merge(sessions, on=owner, how="inner", validate="many_to_one")
