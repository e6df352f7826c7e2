"""The sessions of a study: found in a BIDS tree, or read from a table, and checked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .covariates import check_covariates
from .protocol import protocol_of_task
from .schema import RESULT_COLUMNS, TRIAL_COLUMNS
from .store import ENTITIES
from .tables import read_table

_SUFFIXES = (".vhdr", ".edf", ".bdf", ".set", ".fif", ".smr", ".mat", ".txt", ".npy", ".npz", ".csv")
_KEYS = ("participant", "session", "file", "protocol")
#: Columns of a sessions table that say how its file is read; paths are relative to the table.
OWN_OPTIONS = ("stimuli", "sidecar", "trigger")


def find_sessions(path: str | Path) -> pd.DataFrame:
    """Recordings of a study, one row each.

    Parameters
    ----------
    path : path
        A BIDS tree, or a TSV with the columns ``participant, session, file`` (relative to the TSV) and optionally
        ``protocol``, ``timepoint``, ``group``, ``arm`` and covariates.

    Returns
    -------
    DataFrame
        ``participant, session, file, protocol``, then what the study says of its sessions. In a BIDS tree the
        protocol is that of the ``task``, ``group`` and covariates come from ``participants.tsv``, ``timepoint`` and
        covariates of a session from ``sub-*_sessions.tsv``.

    Raises
    ------
    FileNotFoundError, ValueError
        When there is nothing to find, a column is missing, or a covariate holds text, an impossible number or
        another unit than expected (:data:`excitability.schema.COVARIATES`).

    Examples
    --------
    >>> import excitability as ex
    >>> sessions = find_sessions(ex.sample_data_path() / "study")
    >>> {"participant", "session", "file", "protocol", "group"} <= set(sessions.columns)
    True
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no study {path}; expected a BIDS folder or a TSV of participant, session, file")
    sessions = _from_tree(path) if path.is_dir() else _from_table(path)
    if not len(sessions):
        raise ValueError(
            f"{path} holds no recording; expected files such as sub-01/ses-pre/emg/sub-01_ses-pre_task-sici_emg.bdf, "
            "or give a TSV with the columns participant, session, file"
        )
    return check_covariates(sessions, _units(path), f"the study {path.name}" if path.is_dir() else path.name)


def _units(path: Path) -> dict[str, str]:
    """Units of the columns that the JSON beside the tables of people and sessions tell."""
    files = [path / "participants.json", *sorted(path.glob("sub-*/sub-*_sessions.json"))[:1]]
    found: dict[str, str] = {}
    for file in files if path.is_dir() else [path.with_suffix(".json")]:
        if file.is_file():
            for name, entry in json.loads(file.read_text(encoding="utf-8")).items():
                if isinstance(entry, dict) and isinstance(entry.get("Units"), str):
                    found[name] = entry["Units"]
    return found


def _from_table(path: Path) -> pd.DataFrame:
    table = read_table(path)
    for name in ("participant", "session", "file"):
        if name not in table:
            given = ", ".join(table.columns)
            tabs = "" if len(table.columns) > 1 else " (columns are separated by tabs)"
            raise ValueError(f"{path.name} has no column {name!r}; its columns are: {given}{tabs}")
    for name in ("file", "stimuli", "sidecar"):
        if name in table:
            known = table[name].notna() & (table[name].astype(str).str.strip() != "")
            table[name] = [
                _absolute(path.parent / str(file)) if told else ""
                for file, told in zip(table[name], known, strict=True)
            ]
    if "protocol" not in table:
        table["protocol"] = ""
    table["protocol"] = [_protocol_name(word) for word in table["protocol"]]
    rest = [name for name in table if name not in _KEYS]
    return table[[*_KEYS, *rest]]


def _absolute(file: Path) -> str:
    """Where a file is, links kept: what describes a recording lies beside the link, not beside its target."""
    return os.path.abspath(file)


def _protocol_name(word: Any) -> str:
    return protocol_of_task(word) if isinstance(word, str) and word else ""


def _from_tree(root: Path) -> pd.DataFrame:
    rows = []
    for kind in ("emg", "eeg"):
        for file in sorted([*root.glob(f"sub-*/{kind}/*"), *root.glob(f"sub-*/ses-*/{kind}/*")]):
            if not file.stem.endswith(f"_{kind}") or file.suffix.lower() not in _SUFFIXES:
                continue
            found = dict(ENTITIES.findall(file.stem))
            rows.append(
                {
                    "participant": found.get("sub", ""),
                    "session": found.get("ses", ""),
                    "file": _absolute(file),
                    "protocol": _protocol_name(found.get("task", "")),
                }
            )
    table = pd.DataFrame(rows, columns=list(_KEYS)).sort_values(list(_KEYS), ignore_index=True)
    people = root / "participants.tsv"
    if people.is_file() and len(table) and people.read_text(encoding="utf-8").strip():
        facts = _labelled(read_table(people), "participant_id", "participant", "sub-")
        table = table.merge(facts, on="participant", how="left", validate="many_to_one")
    frames = []
    for participant in table["participant"].unique():
        file = root / f"sub-{participant}" / f"sub-{participant}_sessions.tsv"
        if file.is_file():
            facts = _labelled(read_table(file), "session_id", "session", "ses-")
            frames.append(facts.assign(participant=participant))
    if frames:
        facts = pd.concat(frames, ignore_index=True)
        facts = facts.drop(columns=[name for name in table if name in facts and name not in ("participant", "session")])
        table = table.merge(facts, on=["participant", "session"], how="left", validate="many_to_one")
    return table


def _labelled(table: pd.DataFrame, column: str, name: str, prefix: str) -> pd.DataFrame:
    if column not in table:
        raise ValueError(f"a BIDS table has no column {column!r}; its columns are: {', '.join(table.columns)}")
    table = table.rename(columns={column: name})
    table[name] = table[name].str.removeprefix(prefix)
    return table


def checked_sessions(sessions: pd.DataFrame) -> pd.DataFrame:
    """A table of sessions with the column ``protocol``; a missing column or a recording listed twice is an error."""
    for name in ("participant", "session", "file"):
        if name not in sessions:
            raise ValueError(
                f"the sessions table has no column {name!r}; its columns are: {', '.join(map(str, sessions.columns))}"
            )
    table = sessions.reset_index(drop=True)
    if "protocol" not in table:
        table = table.assign(protocol="")
    table = table.assign(protocol=[_protocol_name(word) for word in table["protocol"]])
    taken = [name for name in table if name in {*RESULT_COLUMNS, *TRIAL_COLUMNS} - {*_KEYS}]
    if taken:
        raise ValueError(f"the sessions table has a column {taken[0]!r}, which results have too; rename it")
    table = check_covariates(table)
    twice = table.duplicated(list(_KEYS))
    if twice.any():
        row = table[twice].iloc[0]
        raise ValueError(
            f"the sessions table lists a recording twice: {row['participant']} {row['session']} {row['file']} "
            f"(row {int(np.flatnonzero(twice)[0])})"
        )
    return table
