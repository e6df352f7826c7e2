"""ADInstruments LabChart text exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ._channels import channel_type, make_raw
from ._registry import Reader, first_bytes

_KEYS = ("Interval=", "ExcelDateTime=", "TimeFormat=", "DateFormat=", "ChannelTitle=", "Range=", "UnitName=")


def sniff(path: Path) -> bool:
    """Whether the first lines are the header of a LabChart block."""
    head = first_bytes(Path(path), 4096).decode("latin-1").lstrip("ï»¿")
    return head.startswith("Interval=") and "ChannelTitle=" in head


def read(path: Path) -> Any:
    """Open a LabChart text export.

    Blocks are joined end to end, each join marked "BAD boundary"; comments (after ``#*``) are annotations. A
    saturated sample is NaN. Where a channel's unit is "*" it is that of its range.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    mne.io.Raw
    """
    import mne

    path = Path(path)
    lines = path.read_text(encoding="latin-1").splitlines()
    blocks, header = _blocks(lines, path)
    interval = header["Interval="][0].replace(",", ".").split()
    rate = 1.0 / (float(interval[0]) * {"ms": 1e-3, "s": 1.0, "us": 1e-6}[interval[1] if len(interval) > 1 else "s"])
    names = header["ChannelTitle="]
    onsets, words, start, pieces, segments = [], [], 0.0, [], []
    for number, (rows, comments) in enumerate(blocks):
        if number:
            onsets += [start, start]
            words += ["BAD boundary", "EDGE boundary"]
        piece = np.array(rows, dtype=float)
        onsets += [start + index / rate for index, _ in comments]
        words += [word for _, word in comments]
        segments.append({"start": start, "recorded": float(piece[0, 0]), "duration": len(piece) / rate})
        start += len(piece) / rate
        pieces.append(piece[:, 1:])
    data = np.concatenate(pieces).T
    names = (names + [""] * len(data))[: len(data)]
    units = _units(header, len(data))
    # LabChart records anything: an unnamed voltage is EMG only where no channel is named as EMG
    named = any(channel_type(name, unit) == "emg" for name, unit in zip(names, units, strict=True))
    raw = make_raw(data, names, round(rate, 6), units, source=path, unknown="misc" if named else "emg")
    raw.set_annotations(mne.Annotations(onsets, [0.0] * len(onsets), words), verbose="error")
    raw.info["temp"]["excitability"]["segments"] = segments
    return raw


def _units(header: dict[str, list[str]], count: int) -> list[str]:
    """Unit of each channel; "*" means the unit of the range ("100.00 mV")."""
    named = (header.get("UnitName=", []) + ["*"] * count)[:count]
    ranges = (header.get("Range=", []) + [""] * count)[:count]
    units = []
    for name, span in zip(named, ranges, strict=True):
        parts = span.split()
        units.append(name.strip() if name.strip() not in ("*", "") else parts[-1] if len(parts) > 1 else "")
    return units


def _number(cell: str) -> float:
    text = cell.strip().replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _blocks(lines: list[str], path: Path) -> tuple[list[Any], dict[str, list[str]]]:
    """Rows and comments of each block, and the header of the first."""
    blocks: list[tuple[list[list[float]], list[tuple[int, str]]]] = []
    header: dict[str, list[str]] = {}
    in_header = False
    for line in lines:
        key = line.split("\t", 1)[0].strip()
        if key.endswith("=") and not key[:1].isdigit():
            if not in_header:
                blocks.append(([], []))
            in_header = True
            header.setdefault(key, [cell.strip() for cell in line.split("\t")[1:]])
            continue
        if not line.strip() or not blocks:
            continue
        in_header = False
        data, _, comment = line.partition("#*")
        cells = [cell for cell in data.rstrip("\t").split("\t")]
        width = 1 + len(header.get("ChannelTitle=", []))
        blocks[-1][0].append([_number(cell) for cell in (cells + ["nan"] * width)[:width]])
        if comment:
            blocks[-1][1].append((len(blocks[-1][0]) - 1, comment.strip().lstrip("0123456789 ") or comment.strip()))
    blocks = [block for block in blocks if block[0]]
    if not blocks or not {"Interval=", "ChannelTitle="} <= set(header):
        raise ValueError(f"{path}: no data after its header; expected the lines {', '.join(_KEYS)} and rows of numbers")
    return blocks, header


READER = Reader(name="labchart_text", suffixes=(".txt",), sniff=sniff, read=read, title="LabChart text export")
