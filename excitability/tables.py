"""Tables on disk: TSV with ``n/a`` for what is missing, and a JSON data dictionary beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .schema import (
    CLUSTER_COLUMNS,
    COMPARISON_COLUMNS,
    COVARIATES,
    RESULT_COLUMNS,
    SESSION_COLUMNS,
    STIMULUS_COLUMNS,
    TRIAL_COLUMNS,
    data_dictionary,
)

_TEXT = {
    name
    for columns in (
        RESULT_COLUMNS,
        TRIAL_COLUMNS,
        STIMULUS_COLUMNS,
        SESSION_COLUMNS,
        COMPARISON_COLUMNS,
        CLUSTER_COLUMNS,
        COVARIATES,
    )
    for name, column in columns.items()
    if column.dtype == "str"
} | {"equivalence_sentence"}

_NUMBERS = {
    name
    for columns in (RESULT_COLUMNS, TRIAL_COLUMNS, STIMULUS_COLUMNS, COMPARISON_COLUMNS, COVARIATES)
    for name, column in columns.items()
    if column.dtype in ("float", "int")
}


def write_text(path: Path, text: str) -> Path:
    """Write a file at once or not at all: a killed run leaves no half file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
    return path


def write_table(
    table: pd.DataFrame,
    path: str | Path,
    *,
    measures: Mapping[str, tuple[str, str]] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Write a table as TSV, with its data dictionary as JSON beside it.

    Parameters
    ----------
    table : DataFrame
    path : path
        Ends in ``.tsv``.
    measures : mapping, optional
        Unit and meaning of columns that the schema does not declare.
    facts : mapping, optional
        Further entries of the JSON, such as where the numbers come from.

    Returns
    -------
    Path
    """
    path = Path(path)
    dictionary: dict[str, Any] = {**data_dictionary(table, measures), **(facts or {})}
    beside = path.with_suffix(".json")
    beside.unlink(missing_ok=True)  # a table and the JSON of another never stand side by side
    text = table.map(lambda value: " ".join(value.split()) if isinstance(value, str) else value)
    write_text(path, text.to_csv(sep="\t", index=False, na_rep="n/a", lineterminator="\n"))
    write_text(beside, json.dumps(dictionary, indent=2, ensure_ascii=False) + "\n")
    return path


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table that :func:`write_table` wrote, or any BIDS-like TSV, with text kept as text.

    What is missing may be ``n/a``, or in a column of numbers an empty cell, as other programs write it.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        For a file that is empty or no text, naming it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no table {path}")
    try:
        names = pd.read_csv(path, sep="\t", nrows=0, encoding="utf-8-sig").columns
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no table separated by tabs: {error}") from None
    text = [name for name in names if name in _TEXT or name in ("participant_id", "session_id")]
    table = pd.read_csv(
        path,
        sep="\t",
        encoding="utf-8-sig",
        dtype=dict.fromkeys(text, "str"),
        keep_default_na=False,
        na_values=["n/a"],
    )
    for name in table.columns.intersection([*RESULT_COLUMNS, *TRIAL_COLUMNS]):
        if name in text:
            table[name] = table[name].fillna("")
    for name in table.columns.difference(text, sort=False):
        if not pd.api.types.is_numeric_dtype(table[name]):
            table[name] = _without_empty(table[name], name in _NUMBERS)
    return table


def _without_empty(column: pd.Series, declared: bool) -> pd.Series:
    """A column of numbers with its empty cells missing; text as it is."""
    empty = column.map(lambda value: isinstance(value, str) and not value.strip())
    if not empty.any():
        return column
    filled = column.mask(empty)
    numbers = pd.to_numeric(filled, errors="coerce")
    if numbers.notna().equals(filled.notna()) and (declared or numbers.notna().any()):
        return numbers
    return filled if declared else column
