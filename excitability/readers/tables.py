"""Tables of waveforms: .csv, .tsv, .txt and .xlsx. What the table does not say, a sidecar or options must."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..schema import STIMULUS_COLUMNS
from ._array import build, missing, trial_columns
from ._channels import make_epochs, make_raw
from ._registry import Reader, first_bytes, is_text, need, workbook_text
from ._sidecar import Array, as_slice

_TIME = re.compile(r"^(time|t|zeit|temps)\s*[_ (\[]*\s*(s|sec|seconds|ms|us|µs)?\s*[)\]]*$", re.I)
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_TRIAL = ("trial", "frame", "sweep", "epoch")
#: Other text formats begin like this.
_NOT_OURS = (b"#", b"%", b"<", b"{", b"[", b"Interval=", b"Brain", b"brain", b"Version", b"0       ")


def sniff(path: Path) -> bool:
    """Whether the file is a workbook, or lines of separated numbers (after at most one line of names)."""
    path = Path(path)
    head = first_bytes(path, 8192)
    if head[:4] == b"PK\x03\x04":
        words = workbook_text(path)
        return bool(words) and b"# Sample Name" not in words
    if not is_text(head) or head.lstrip(b"\xef\xbb\xbf").startswith(_NOT_OURS):
        return False
    lines = head.decode("latin-1").splitlines()
    lines = [line for line in (lines[:-1] or lines) if line.strip()]  # the last may be cut off
    if len(lines) < 2:
        return False
    cells = re.split(r"[,;\t]", lines[1])
    numbers = [cell for cell in cells if re.fullmatch(r"\s*[-+]?(\d+[.,]?\d*([eE][-+]?\d+)?|nan|n/a)?\s*", cell, re.I)]
    return len(cells) >= 2 and len(numbers) == len(cells)


def read(
    path: Path,
    *,
    array: Array | None = None,
    columns: dict[str, Any] | None = None,
    decimal: str = ".",
    sheet: int | str = 0,
) -> Any:
    """Open a table of waveforms.

    Two shapes are understood. *With names*: one column a channel ("FDI (mV)", "RFDI"), optionally a column of time
    ("time_s", "time (ms)") and a column ``trial``; a time column that runs from negative to positive says itself
    where the pulse is. *Without names*: a plain matrix, for which ``axes`` is needed ("trials, samples" = one row a
    trial).

    Parameters
    ----------
    path : path-like
    array, columns : optional
        Sections of the sidecar, as for arrays. ``unit`` holds for columns that do not state their own.
    decimal : str
        "," where the numbers have decimal commas.
    sheet : int | str
        Which sheet of a workbook.

    Returns
    -------
    mne.Epochs
        With a column ``trial``, or a matrix with an axis of trials.
    mne.io.Raw
        Otherwise.
    """
    path = Path(path)
    said = array if array is not None else Array()
    table = _load(path, decimal, sheet)
    if table.columns.dtype != object and not isinstance(table.columns[0], str):
        return build(
            table.to_numpy(dtype=float), said, source=path, variable_of=_no_variables(path), columns=dict(columns or {})
        )
    return _named(path, table, said, dict(columns or {}))


def _no_variables(path: Path) -> Any:
    def variable_of(name: str) -> np.ndarray:
        raise ValueError(f"{path}: a table has no variable {name!r}; write the values, or a column of that name")

    return variable_of


def _load(path: Path, decimal: str, sheet: int | str) -> pd.DataFrame:
    if first_bytes(path, 4) == b"PK\x03\x04":
        need("openpyxl", "Excel workbooks")
        table = pd.read_excel(path, sheet_name=sheet, header=None)
    else:
        head = first_bytes(path, 4096)
        first = head.decode("latin-1").splitlines()[0]
        separator = "\t" if "\t" in first else ";" if ";" in first else ","
        encoding = {"encoding": "utf-8-sig", "encoding_errors": "replace"}
        table = pd.read_csv(path, sep=separator, header=None, dtype=str, **encoding)  # type: ignore[call-overload]
    names = [str(cell) for cell in table.iloc[0]]
    # a row of names has a word in it that is neither a number nor "nan"
    named = any(name.lower() != "nan" and not _is_number(name, decimal) for name in names)
    body = table.iloc[1:].reset_index(drop=True) if named else table
    numbers = body.apply(lambda column: _as_numbers(column, decimal))
    if named:
        numbers.columns = [name.strip() for name in names]
    return numbers


def _is_number(text: str, decimal: str) -> bool:
    try:
        float(text.replace(decimal, "."))
    except ValueError:
        return False
    return True


def _as_numbers(column: pd.Series, decimal: str) -> pd.Series:
    if column.dtype != object and not pd.api.types.is_string_dtype(column):
        return column
    text = column.astype(str).str.strip().str.replace(decimal, ".", regex=False)
    numbers = pd.to_numeric(text.where(~text.str.lower().isin(["nan", "n/a", ""])), errors="coerce")
    return column if numbers.isna().all() and column.notna().any() else numbers


def _named(path: Path, table: pd.DataFrame, said: Array, columns: dict[str, Any]) -> Any:
    """Recording from a table whose columns are channels."""
    time_column = next((name for name in table.columns if _TIME.match(name)), None)
    trial_column = next((name for name in table.columns if name.lower() in _TRIAL), None)
    stimulus = [name for name in table.columns if name in STIMULUS_COLUMNS]
    channels = [name for name in table.columns if name not in (time_column, trial_column, *stimulus)]
    numbers = [*channels, time_column] if time_column else channels
    bad = [name for name in numbers if not pd.api.types.is_numeric_dtype(table[name])]
    if bad or not channels:
        raise ValueError(
            f"{path}: columns {', '.join(bad) or '(none)'} hold no numbers; expected one column a "
            "channel (decimal commas: type decimal=',' in Python, or decimal = ',' under [reader] in a sidecar)"
        )
    names, units = zip(*(_name_and_unit(name, said.unit) for name in channels), strict=True)
    times = _times(table[time_column], time_column) if time_column else None
    if trial_column is None:
        rate = _rate(path, said, times)
        _need(path, said, rate, [name for name, unit in zip(names, units, strict=True) if unit is None], False)
        return make_raw(table[channels].to_numpy(float).T, names, float(rate or 0), list(units), source=path)
    groups = [group for _, group in table.groupby(trial_column, sort=False)]
    lengths = {len(group) for group in groups}
    if len(lengths) != 1:
        raise ValueError(f"{path}: its trials have {min(lengths)} to {max(lengths)} rows; expected the same in each")
    one = times[groups[0].index.to_numpy()] if times is not None else None
    rate = _rate(path, said, one)
    zeroed = one is not None and one[0] < 0 < one[-1] and said.pulse_time is None
    _need(path, said, rate, [n for n, u in zip(names, units, strict=True) if u is None], not zeroed)
    tmin = float(one[0]) if zeroed and one is not None else -float(said.pulse_time or 0.0)
    data = np.stack([group[channels].to_numpy(float).T for group in groups])
    metadata = trial_columns(columns, {"trials": len(groups)}, _no_variables(path), path)
    for name in stimulus:
        metadata[name] = [group[name].iloc[0] for group in groups]
    keep = np.arange(len(groups))[as_slice(said.select)] if said.select else np.arange(len(groups))
    return make_epochs(data[keep], names, float(rate or 0), list(units), tmin, metadata.iloc[keep], source=path)


def _name_and_unit(column: str, unit: str | None) -> tuple[str, str | None]:
    """Name and unit of a channel: "FDI (mV)", "FDI [uV]", "FDI_mV"; else the unit that was said."""
    match = re.fullmatch(r"(.*?)\s*[\(\[](.+?)[\)\]]", column) or re.fullmatch(r"(.+)_(n[Vv]|[uµμ][Vv]|mV|V)", column)
    if match:
        return match.group(1).strip(), match.group(2).strip()
    return column, unit


def _times(column: pd.Series, name: str) -> np.ndarray | None:
    """Seconds, when the name of the column states a unit."""
    match = _TIME.match(name)
    unit = (match.group(2) or "").lower() if match else ""
    return column.to_numpy(dtype=float) * _SECONDS[unit] if unit else None


def _rate(path: Path, said: Array, times: np.ndarray | None) -> float | None:
    if said.sampling_rate is not None:
        if isinstance(said.sampling_rate, str):
            raise ValueError(f"{path}: a table has no variables; sampling_rate must be a number in Hz")
        return float(said.sampling_rate)
    if times is None or len(times) < 3:
        return None
    step = np.diff(times)
    if not np.allclose(step, np.median(step), rtol=0.05, atol=1e-9) or np.median(step) <= 0:
        raise ValueError(f"{path}: its times do not increase evenly ({step.min():.3g} to {step.max():.3g} s)")
    rate = (len(times) - 1) / (times[-1] - times[0])
    # times are printed with few digits: a rate within 0.1 % of a whole number is that number
    return float(np.round(rate)) if abs(rate - np.round(rate)) < 1e-3 * rate else float(rate)


def _need(path: Path, said: Array, rate: float | None, unitless: list[str], pulse: bool) -> None:
    absent = ["sampling_rate"] if rate is None else []
    absent += ["unit"] if unitless else []
    absent += ["pulse_time"] if pulse and said.pulse_time is None else []
    if absent:
        raise missing(path, absent, "a time column named 'time_s' or 'time (ms)' and channels named 'FDI (mV)' also do")


READER = Reader(
    name="tables",
    suffixes=(".csv", ".tsv", ".txt", ".xlsx"),
    sniff=sniff,
    read=read,
    title="tables of waveforms (.csv, .tsv, .xlsx)",
)
