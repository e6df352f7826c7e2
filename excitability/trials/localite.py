"""Coil positions of Localite TMS Navigator: one trigger marker a pulse, in ``TMSTrigger/TriggerMarkers_Coil*.xml``."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd

_ROOT = b"<TriggerMarkerList"


def is_localite(path: Path) -> bool:
    """Whether a file is a list of trigger markers, or a folder holds such lists."""
    if path.is_dir():
        return any(_lists(path))
    try:
        with path.open("rb") as file:
            return _ROOT in file.read(2000)
    except OSError:
        return False


def read_localite(path: str | Path) -> pd.DataFrame:
    """Positions of the coil, pulse by pulse, as a stimulus log.

    Parameters
    ----------
    path : path
        A file ``TriggerMarkers_Coil*.xml``, or the folder of a session that recorded one series of pulses. The
        navigator saves a series several times while it grows: of a folder, the longest list is read.

    Returns
    -------
    DataFrame
        ``onset`` (s from the start of the series, clock of the navigator), ``coil_x``, ``coil_y``, ``coil_z`` (m;
        NaN where the coil was not seen), ``intensity`` (%MSO) where the stimulator told it, and
        ``log_coordinate_space`` (the frame of the positions: MNI or the patient's own).

    Raises
    ------
    ValueError
        For a damaged file, a list without pulses, or a folder with several series (the message names them).

    Examples
    --------
    >>> import tempfile
    >>> at = [("00", 1), ("11", 1), ("22", 1), ("33", 1), ("03", -55.0), ("13", 5.5), ("23", 85.0)]
    >>> matrix = " ".join(f'data{place}="{value}"' for place, value in at)
    >>> path = Path(tempfile.mkdtemp()) / "TriggerMarkers_Coil0_1.xml"
    >>> _ = path.write_text('<TriggerMarkerList coordinateSpace="MNI"><TriggerMarker recordingTime="1500" set="true">'
    ...                     f"<Matrix4D {matrix}/></TriggerMarker></TriggerMarkerList>")
    >>> read_localite(path)[["onset", "coil_x", "coil_y", "coil_z"]].round(4).values.tolist()
    [[1.5, -0.055, 0.0055, 0.085]]
    """
    path = Path(path)
    if path.is_dir():
        path = _longest(path)
    root = _parsed(path)
    markers = root.findall("TriggerMarker")
    if not markers:
        raise ValueError(
            f"{path} holds no pulse; the navigator also writes empty lists, when a series begins and for a second "
            "coil: choose the one with pulses, or give the folder"
        )
    table = pd.DataFrame([_pulse(marker, path) for marker in markers])
    if not np.isfinite(table["intensity"]).any():
        table = table.drop(columns="intensity")
    return table.assign(log_coordinate_space=root.get("coordinateSpace", "")).sort_values("onset", ignore_index=True)


def _lists(folder: Path) -> list[Path]:
    return sorted([*folder.glob("TriggerMarkers_*.xml"), *folder.glob("TMSTrigger/TriggerMarkers_*.xml")])


def _longest(folder: Path) -> Path:
    """The longest list of a session that holds one series."""
    series: dict[tuple[str, str], tuple[int, Path]] = {}
    for path in _lists(folder):
        root = _parsed(path)
        coil = re.search(r"Coil\d+", path.name)
        key = (root.get("startTime", ""), coil.group() if coil else "")
        count = len(root.findall("TriggerMarker"))
        if count > series.get(key, (0, path))[0]:
            series[key] = (count, path)
    if not series:
        raise ValueError(f"{folder}: none of its lists of trigger markers holds a pulse")
    if len(series) > 1:
        told = ", ".join(f"{path.name} ({count} pulses from {key[0]})" for key, (count, path) in series.items())
        raise ValueError(f"{folder} holds {len(series)} series of pulses: {told}; give the file of one")
    return next(iter(series.values()))[1]


def _parsed(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} looks like a list of Localite trigger markers, but is damaged: {error}") from error


def _pulse(marker: ElementTree.Element, path: Path) -> dict[str, float]:
    """One trigger marker; a coil that was not seen has no, or an empty, matrix."""
    matrix = marker.find("Matrix4D")
    place = np.full(3, np.nan)
    if matrix is not None and marker.get("set", "true") == "true":
        place = 1e-3 * np.array([_number(matrix.get(f"data{row}3"), path) for row in range(3)])
        if not place.any():
            place[:] = np.nan
    told = {value.get("key"): value.get("response") for value in marker.iter("Value")}
    power = _number(told.get("amplitudeA", told.get("amplitude")), path)
    return {
        "onset": 1e-3 * _number(marker.get("recordingTime"), path),
        **dict(zip(("coil_x", "coil_y", "coil_z"), place, strict=True)),
        "intensity": power if power > 0 else np.nan,  # 0 where no stimulator was connected
    }


def _number(text: str | None, path: Path) -> float:
    if text is None:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{path} holds {text!r} where a number was expected; is the file whole?") from None
