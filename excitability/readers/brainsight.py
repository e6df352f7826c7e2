"""Rogue Research Brainsight text exports (versions 12, 13, 14): one epoch a sample that has EMG."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ._channels import make_epochs
from ._registry import Reader, first_bytes, need, workbook_text

_MISSING = ("", "(null)", "null", "nan", "n/a")
_LENGTHS = {"millimetres": 1e-3, "millimeters": 1e-3, "mm": 1e-3, "centimetres": 1e-2, "metres": 1.0, "meters": 1.0}
_TIMES = {"milliseconds": 1e-3, "ms": 1e-3, "seconds": 1.0, "microseconds": 1e-6}
_VOLTAGES = {"microvolts": "uV", "millivolts": "mV", "volts": "V", "uv": "uV", "µv": "uV", "mv": "mV"}
_LENGTH_COLUMNS = ("Dist. to Target", "Target Error")


def sniff(path: Path) -> bool:
    """Whether the first lines are those of a Brainsight export, as text or re-saved as .xlsx."""
    path = Path(path)
    head = first_bytes(path, 65536)
    if head[:4] == b"PK\x03\x04":
        return b"# Sample Name" in workbook_text(path)
    text = _decode(head)
    return text.lstrip("\ufeff").startswith("#") and (
        "# Sample Name" in text or ("# Version:" in text and "# Created by: Brainsight" in text)
    )


def _decode(content: bytes) -> str:
    for encoding in ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def read(path: Path) -> Any:
    """Open a Brainsight export.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    mne.Epochs
        One epoch a sample that has EMG; samples without are left out, with a note. t = 0 is the trigger. Metadata:
        ``sample`` and ``sample_name``, ``onset`` (s from the first sample, by Date and Time), ``coil_x``, ``coil_y``,
        ``coil_z`` (m), ``intensity``, for pairs ``conditioning_intensity`` (power A), ``intensity`` (power B),
        ``inter_stimulus_interval`` (s), ``pulse_count``; target, errors (m, degrees) and comment of the sample.
    """
    path = Path(path)
    header, table = _sections(_rows(path))
    if table is None:
        raise ValueError(f"{path}: no line begins with '# Sample Name'; export the samples from Brainsight's Review")
    length, time, voltage, notes = _units(header)
    columns = _emg_columns(table, path)
    present = table[columns].map(lambda cell: str(cell).strip().lower() not in _MISSING)
    silent = [column for column in columns if not present[column].any()]
    columns = [column for column in columns if column not in silent]
    rows = present[columns].any(axis=1)
    if not rows.any():
        raise ValueError(f"{path}: none of its {len(table)} samples holds EMG; export with the EMG data columns")
    if silent:
        notes.append(f"{', '.join(silent)}: no sample has data; left out")
    if (~rows).any():
        notes.append(f"{int((~rows).sum())} of {len(table)} samples have no EMG and are left out")
    kept = table[rows].reset_index(drop=True)
    data, rate, tmin = _frames(kept, columns, time, path, notes)
    metadata = _metadata(table, length, time, notes)[rows.to_numpy()]
    names = [column.replace("EMG Data", "EMG") for column in columns]
    epochs = make_epochs(
        data,
        names,
        rate,
        [voltage] * len(names),
        tmin,
        metadata,
        source=path,
        notes=notes,
        software_version=header.get("Version"),
        coordinate_system=header.get("Coordinate system"),
    )
    return epochs


def _rows(path: Path) -> list[list[str]]:
    """All lines, cut into cells."""
    content = path.read_bytes() if first_bytes(path, 4) != b"PK\x03\x04" else b""
    if content:
        return [line.split("\t") for line in _decode(content).splitlines()]
    openpyxl = need("openpyxl", "Excel workbooks")
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    rows = []
    for line in book.active.iter_rows(values_only=True):
        cells = ["" if cell is None else str(cell) for cell in line]
        while cells and cells[-1] == "":
            cells.pop()
        rows.append(cells or [""])
    book.close()
    return rows


def _sections(rows: list[list[str]]) -> tuple[dict[str, str], pd.DataFrame | None]:
    """Facts of the header, and the table of samples; sections of targets and landmarks may come anywhere."""
    header: dict[str, str] = {}
    columns: list[str] | None = None
    samples: list[list[str]] = []
    inside = False
    for cells in rows:
        first = cells[0].strip()
        if first.startswith("#"):
            inside = first.lstrip("# ").startswith("Sample Name")
            if inside and columns is None:
                columns = [cell.strip() for cell in [first.lstrip("# "), *cells[1:]]]
            elif ":" in first:
                key, value = first.lstrip("# ").split(":", 1)
                header.setdefault(key.strip(), value.strip())
        elif inside and columns is not None and any(cell.strip() for cell in cells):
            # trailing empty cells are dropped by spreadsheets
            samples.append([*cells, *[""] * len(columns)][: len(columns)])
    if columns is None:
        return header, None
    return header, pd.DataFrame(samples, columns=columns, dtype=str)


def _units(header: dict[str, str]) -> tuple[float, float, str, list[str]]:
    """Metres, seconds and the voltage unit that the line "# Units:" states."""
    words = re.findall(r"[a-zµ]+", header.get("Units", "").lower())
    length = next((_LENGTHS[word] for word in words if word in _LENGTHS), None)
    time = next((_TIMES[word] for word in words if word in _TIMES), None)
    voltage = next((_VOLTAGES[word] for word in words if word in _VOLTAGES), None)
    notes = []
    if None in (length, time, voltage):
        notes.append("the header does not state all units: millimetres, milliseconds, microvolts are assumed")
    return length or 1e-3, time or 1e-3, voltage or "uV", notes


def _emg_columns(table: pd.DataFrame, path: Path) -> list[str]:
    """Columns of waveforms, numbered from 0 or from 1 by version."""
    found = [column for column in table.columns if re.fullmatch(r"EMG Data \d+", column)]
    if not found:
        raise ValueError(
            f"{path}: it has no column 'EMG Data 1'; its columns are: {', '.join(table.columns[:40])}. "
            "Export again from Brainsight with the EMG data"
        )
    return sorted(found, key=lambda column: int(column.rsplit(" ", 1)[1]))


def _numbers(cells: pd.Series) -> np.ndarray:
    """A column as numbers, NaN where the export has none; a decimal comma is accepted."""
    plain = cells.astype(str).str.strip().str.replace(",", ".", regex=False)
    return pd.to_numeric(plain.where(~plain.str.lower().isin(_MISSING)), errors="coerce").to_numpy(dtype=float)


def _waveform(cell: object) -> np.ndarray:
    text = str(cell).strip().strip(";")
    if text.lower() in _MISSING:
        return np.zeros(0)
    # with ";" between the values, a comma can only be a decimal comma
    return np.array([float(part.replace(",", ".")) for part in text.split(";")])


def _frames(
    table: pd.DataFrame, columns: list[str], time: float, path: Path, notes: list[str]
) -> tuple[np.ndarray, float, float]:
    """Waveforms on one time axis: array (n_trials, n_channels, n_times), rate, time of the first sample."""
    for name in ("EMG Start", "EMG Res."):
        if name not in table or np.isnan(_numbers(table[name])).any():
            raise ValueError(f"{path}: column {name!r} is missing or not complete; it places the EMG in time")
    start = _numbers(table["EMG Start"]) * time
    resolution = _numbers(table["EMG Res."]) * time
    if np.ptp(resolution) > 1e-9:
        low, high = resolution.min(), resolution.max()
        raise ValueError(f"{path}: the samples have different EMG resolutions ({low} to {high} s)")
    # 0.333 ms is a rounded 1/3 ms: a rate is a whole number of Hz
    rate = float(np.round(1.0 / resolution[0])) if resolution[0] < 0.1 else 1.0 / float(resolution[0])
    rate = 3000.0 if abs(rate - 3000.0) < 5.0 else rate
    waves = [[_waveform(cell) for cell in table[column]] for column in columns]
    lengths = np.array([[wave.size for wave in channel] for channel in waves]).max(axis=0)
    offset = np.round((start - start.min()) * rate).astype(int)
    data = np.full((len(table), len(columns), int((offset + lengths).max())), np.nan)
    for channel, line in enumerate(waves):
        for trial, wave in enumerate(line):
            data[trial, channel, offset[trial] : offset[trial] + wave.size] = wave
    if np.isnan(data).any():
        notes.append("samples differ in length, or a channel has no EMG in some: filled with NaN")
    return data, rate, float(start.min())


def _metadata(table: pd.DataFrame, length: float, time: float, notes: list[str]) -> pd.DataFrame:
    """Stimulus columns and what else the samples say, in SI units."""
    found = pd.DataFrame({"sample": np.arange(len(table)), "sample_name": table["Sample Name"].to_numpy()})
    if {"Date", "Time"} <= set(table.columns):
        words = table["Date"].str.strip() + " " + table["Time"].str.strip()
        stamps = pd.to_datetime(words, errors="coerce", format="mixed")
        found["onset"] = (stamps - stamps.min()).dt.total_seconds().to_numpy()
    for axis in "XYZ":
        if f"Loc. {axis}" in table:
            found[f"coil_{axis.lower()}"] = _numbers(table[f"Loc. {axis}"]) * length
    for cell in [f"m{row}n{column}" for row in range(3) for column in range(3)]:
        if cell in table:
            found[cell] = _numbers(table[cell])
    _intensities(found, table, time, notes)
    for column, name in (
        ("Dist. to Target", "distance_to_target"),
        ("Target Error", "position_error"),
        ("Angular Error", "angular_error"),
        ("Twist Error", "twist_error"),
    ):
        if column in table:
            found[name] = _numbers(table[column]) * (length if column in _LENGTH_COLUMNS else 1.0)
    texts = {"Assoc. Target": "associated_target", "Session Name": "brainsight_session", "Comment": "comment"}
    for column, name in texts.items():
        if column in table:
            text = table[column].str.strip()
            found[name] = text.where(~text.str.lower().isin(_MISSING), "").to_numpy()
    return found


def _intensities(found: pd.DataFrame, table: pd.DataFrame, time: float, notes: list[str]) -> None:
    """Power A alone is a single pulse; A, interval and B are a pair: conditioning and test."""
    single = next((name for name in ("Stim. Power A", "Stim. Power") if name in table), None)
    if single is None:
        return
    first = _numbers(table[single])
    interval = _numbers(table["Stim. Pulse Interval"]) * time if "Stim. Pulse Interval" in table else np.nan * first
    second = _numbers(table["Stim. Power B"]) if "Stim. Power B" in table else np.nan * first
    pair = (interval > 0) & ~np.isnan(second)
    found["intensity"] = np.where(pair, second, first)
    if pair.any():
        found["conditioning_intensity"] = np.where(pair, first, np.nan)
        found["inter_stimulus_interval"] = np.where(pair, interval, np.nan)
        found["pulse_count"] = np.where(pair, 2.0, 1.0)
        notes.append('paired samples: t = 0 is taken as the last pulse; if it is the first, type pulse="first"')


READER = Reader(name="brainsight", suffixes=(".txt", ".xlsx"), sniff=sniff, read=read, title="Brainsight text export")
