"""Tables as people read them: units of display, checks, and the description of each column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ._columns import (
    CLUSTER_COLUMNS,
    COMPARISON_COLUMNS,
    COVARIATES,
    RESULT_COLUMNS,
    SESSION_COLUMNS,
    STIMULUS_COLUMNS,
    TRIAL_COLUMNS,
    Column,
)

if TYPE_CHECKING:
    import pandas as pd

_ALL = COMPARISON_COLUMNS | TRIAL_COLUMNS | STIMULUS_COLUMNS | SESSION_COLUMNS | COVARIATES | RESULT_COLUMNS

_DISPLAY = {
    "V": (1e3, "mV"),
    "V*s": (1e6, "mV·ms"),
    "V^2": (1e12, "µV²"),
    "V/s": (1e3, "µV/ms"),
    "s": (1e3, "ms"),
    "m": (1e3, "mm"),
    "m^2": (1e4, "cm²"),
    "V*m^2": (1e7, "mV·cm²"),
    "V/%MSO": (1e3, "mV/%MSO"),
    "V*%MSO": (1e3, "mV·%MSO"),
    "1": (1.0, ""),
}

#: Values that would be shown as less than this many millivolts are shown in microvolts.
_SMALLEST = 0.1


def display(unit: str, size: float = math.nan) -> tuple[float, str]:
    """Factor and label that turn a value in ``unit`` into what a reader expects.

    Parameters
    ----------
    unit : str
        SI unit.
    size : float
        Typical absolute size of the values to show, which decides between mV and µV: below 0.1 mV it is µV.

    Examples
    --------
    >>> display("s"), display("V"), display("V", 4e-6)
    ((1000.0, 'ms'), (1000.0, 'mV'), (1000000.0, 'µV'))
    """
    factor, label = _DISPLAY.get(unit, (1.0, unit))
    if label.startswith("mV") and abs(size) * factor < _SMALLEST:
        return factor * 1e3, "µ" + label[1:]
    return factor, label


def display_units(table: pd.DataFrame) -> list[tuple[float, str]]:
    """Factor and label of each row of a result or comparison table, by :func:`display`.

    One unit for all that is read side by side: a protocol and channel, background activity by itself.
    """
    value = next(name for name in ("value", "estimate") if name in table)
    keys: list[pd.Series] = [table[word].fillna("") for word in ("protocol", "channel", "unit") if word in table]
    if "measure" in table:
        keys.append(table["measure"].fillna("").astype(str).str.startswith("background"))
    size = table[value].abs().groupby(keys).transform("median")
    return [display(unit, number) for unit, number in zip(table["unit"], size, strict=True)]


def in_display_units(table: pd.DataFrame) -> pd.DataFrame:
    """Copy of a result or comparison table in display units (mV, µV, ms, …)."""
    shown = table.copy()
    units = display_units(table)
    factors = [factor for factor, _ in units]
    for column, declared in _ALL.items():
        if declared.unit == "as in unit" and column in shown:
            shown[column] = shown[column] * factors
    shown["unit"] = [label for _, label in units]
    return shown


def validate(table: pd.DataFrame, columns: Mapping[str, Column], *, required: Iterable[str], what: str) -> None:
    """Check that a table has its required columns and numbers where numbers belong.

    Raises
    ------
    ValueError
        Naming the table, the missing column or the rows that hold text instead of a number.
    """
    import pandas as pd

    for name in required:
        if name not in table:
            given = ", ".join(map(str, table.columns))
            raise ValueError(f"{what} has no column {name!r}; its columns are: {given}")
    for name in table.columns.intersection(list(columns)):
        if columns[name].dtype not in ("float", "int"):
            continue
        bad = pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna() & (table[name] != "n/a")
        if bad.any():
            rows = ", ".join(str(row) for row in table.index[bad][:5])
            raise ValueError(
                f"{what}: column {name!r} must hold numbers ({columns[name].unit}), "
                f"but has {table[name][bad].iloc[0]!r} in row {rows}"
            )


def data_dictionary(
    table: pd.DataFrame, measures: Mapping[str, tuple[str, str]] | None = None
) -> dict[str, dict[str, str]]:
    """BIDS-style description of the columns of a table, for the JSON beside its TSV.

    Parameters
    ----------
    table : DataFrame
    measures : mapping, optional
        Unit and meaning of columns that this module does not declare, or declares for another table.
    """
    measures = measures or {}
    described = {}
    own = COMPARISON_COLUMNS if "estimate" in table else CLUSTER_COLUMNS if "mass" in table else {}
    for name in map(str, table.columns):
        column = None if name in measures else own.get(name) or _ALL.get(name)
        if column is None:
            unit, meaning = measures.get(name, ("", "column of the study"))
            described[name] = {"Description": meaning}
        else:
            described[name] = {"Description": column.meaning}
            unit = column.unit
            if column.bids:
                described[name]["BIDSName"] = column.bids
        if unit:
            described[name]["Units"] = unit
    return described
