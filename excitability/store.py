"""The tables of one recording on disk: where they are, what they depend on, and whether they still hold."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mne
import pandas as pd

from . import __version__
from .measures import get_measure, list_measures
from .protocol import Protocol
from .tables import read_table, write_table

ENTITIES = re.compile(r"(?:^|_)(sub|ses|task|run|acq)-([A-Za-z0-9]+)")


def stems(folder: Path | None, tasks: list[tuple[dict[str, Any], Protocol]]) -> list[Path | None]:
    """Where the tables of each recording are stored; two that would share a place are told apart by their files."""
    if folder is None:
        return [None] * len(tasks)
    places = [_stem(folder, row, protocol) for row, protocol in tasks]
    shared = {stem for stem in places if places.count(stem) > 1}
    return [
        stem.with_name(f"{stem.name}-{_digest(str(row['participant']) + str(row['file']))}") if stem in shared else stem
        for stem, (row, _) in zip(places, tasks, strict=True)
    ]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def inputs_of(row: Mapping[str, Any], protocol: Protocol, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Everything a stored result depends on: the recording and its tables, the options, the protocol, the version."""
    file = Path(row["file"])
    stem = re.sub(r"_(emg|eeg)$", "", file.name.split(".")[0])
    beside = {other for other in file.parent.glob(f"{_escaped(stem)}*") if other.is_file()}
    beside |= {other for pattern in ("*.toml", "*.csv", "*.tsv") for other in file.parent.glob(pattern)}
    return {
        "Files": [[other.name, other.stat().st_size, other.stat().st_mtime_ns] for other in sorted(beside)],
        "Protocol": protocol.sha256,
        "Version": __version__,
        "Reading": {name: _fingerprint(value) for name, value in sorted(reading.items())},
    }


def _fingerprint(value: Any) -> Any:
    """A value as JSON that changes whenever its content does; files and tables by what is in them."""
    if isinstance(value, Mapping):
        return {str(name): _fingerprint(entry) for name, entry in value.items()}
    if isinstance(value, pd.DataFrame):
        return "table " + _digest(value.to_csv())
    if isinstance(value, str | Path) and len(str(value)) < 1000 and Path(value).is_file():
        return f"{value} {hashlib.sha256(Path(value).read_bytes()).hexdigest()[:12]}"
    if isinstance(value, list | tuple | set):
        return [_fingerprint(entry) for entry in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def as_given(reading: Any) -> Any:
    """Options of reading as they were given, from the inputs that were stored: files without their checksums.

    >>> as_given({"options": {"stimuli": "log.csv 2301b77c4e59"}, "picks": ["FDI"]})
    {'options': {'stimuli': 'log.csv'}, 'picks': ['FDI']}
    """
    if isinstance(reading, Mapping):
        return {name: as_given(value) for name, value in reading.items()}
    if isinstance(reading, list):
        return [as_given(value) for value in reading]
    return re.sub(r"(?<=.) [0-9a-f]{12}$", "", reading) if isinstance(reading, str) else reading


def _escaped(text: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", text)


def _stem(folder: Path, row: Mapping[str, Any], protocol: Protocol) -> Path:
    """Where the tables of one recording are: ``sub-01/ses-pre/emg/sub-01_ses-pre_task-sici_…``."""
    clean = {key: re.sub(r"[^A-Za-z0-9]", "", str(row[key])) for key in ("participant", "session")}
    task = re.sub(r"[^A-Za-z0-9]", "", protocol.name.rsplit("/", 1)[-1])
    extra = "".join(
        f"_{key}-{value}" for key, value in ENTITIES.findall(Path(row["file"]).stem) if key in ("run", "acq")
    )
    parts = [f"sub-{clean['participant']}"] + ([f"ses-{clean['session']}"] if clean["session"] else [])
    name = "_".join([*parts, f"task-{task}"]) + extra + "_desc-excitability"
    return folder.joinpath(*parts, protocol.modality, name)


def stored(stem: Path, inputs: Mapping[str, Any], protocol: Protocol) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Tables of an earlier run, where they are whole and belong to the same inputs."""
    results = stem.with_name(stem.name + "_results.tsv")
    trials = stem.with_name(stem.name + "_trials.tsv")
    if not (results.is_file() and trials.is_file() and results.with_suffix(".json").is_file()):
        return None
    try:
        told = json.loads(results.with_suffix(".json").read_text(encoding="utf-8"))
        if not isinstance(told, dict) or told.get("Inputs") != inputs:
            return None
        table = read_table(results)
        rows = told["Rows"]
        second = read_table(trials) if rows["trials"] else pd.DataFrame()
        if evokes(protocol) and rows["averages"] and not _averages_of(stem).is_file():
            return None
    except (ValueError, KeyError, TypeError):  # a damaged store is computed again
        return None
    whole = len(table) == rows["results"] and len(second) == rows["trials"]
    return (table, second) if whole and set(table["protocol_sha256"]) <= {protocol.sha256} else None


def keep(
    stem: Path,
    results: pd.DataFrame,
    trials: pd.DataFrame,
    inputs: Mapping[str, Any],
    facts: Mapping[str, Any],
    averages: Sequence[mne.Evoked] = (),
    owner: Mapping[str, str] | None = None,
) -> None:
    """Write the tables of one recording; a run killed in the middle leaves nothing that a later run would trust."""
    path = stem.with_name(stem.name + "_results.tsv")
    path.with_suffix(".json").unlink(missing_ok=True)
    write_table(trials, stem.with_name(stem.name + "_trials.tsv"), measures=measure_columns())
    _write_averages(_averages_of(stem), averages)
    # the file that says what the results belong to comes last
    rows = {"results": len(results), "trials": len(trials), "averages": len(averages)}
    told = {"Inputs": inputs, "Rows": rows, "Acquisition": facts, "Owner": dict(owner or {})}
    write_table(results, path, facts=told)


def evokes(protocol: Protocol) -> bool:
    """Whether a protocol makes evoked potentials that are worth keeping."""
    return protocol.modality == "eeg" and protocol.epoch.every is None


def _averages_of(stem: Path) -> Path:
    return stem.with_name(stem.name + "_ave.fif")


def _write_averages(path: Path, averages: Sequence[mne.Evoked]) -> None:
    """All conditions in one file, at once or not at all."""
    path.unlink(missing_ok=True)
    if averages:
        draft = path.with_name(f".{os.getpid()}.tmp_{path.name}")
        mne.write_evokeds(draft, list(averages), overwrite=True, verbose="ERROR")
        os.replace(draft, path)


def read_averages(folder: Path) -> pd.DataFrame:
    """Evoked potentials below a folder: ``participant, session, protocol, condition, evoked``, one row each."""
    rows = []
    for path in sorted(folder.glob("sub-*/**/*_ave.fif")):
        told = path.with_name(path.name.removesuffix("_ave.fif") + "_results.json")
        owner = json.loads(told.read_text(encoding="utf-8")).get("Owner") if told.is_file() else None
        if owner:  # without it a run was killed here, and the next one makes it again
            for one in mne.read_evokeds(path, verbose="ERROR"):
                rows.append({**owner, "condition": one.comment, "evoked": one})
    return pd.DataFrame(rows, columns=["participant", "session", "protocol", "condition", "evoked"])


def acquisition(folder: Path) -> dict[str, list[str]]:
    """Stimulators, coils, filters … of all stored recordings, each value once."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob("sub-*/**/*_results.json")):
        for name, value in json.loads(path.read_text(encoding="utf-8")).get("Acquisition", {}).items():
            found.setdefault(name, set()).add(str(value))
    return {name: sorted(values) for name, values in found.items()}


def measure_columns() -> dict[str, tuple[str, str]]:
    """Unit and meaning of the columns that trial measures make, for the data dictionary."""
    found = {}
    for name in list_measures("trial"):
        entry = get_measure(name)
        found[name] = (entry.unit_of(), (entry.function.__doc__ or name).strip().splitlines()[0])
    return found
