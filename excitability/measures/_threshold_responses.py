"""Responses of a threshold search as people type them, and files of them."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..schema import unknown_word
from ._tables import check_table, intensities, is_kept, numbers, single_pulses

_YES = {"y", "yes", "true"}
_NO = {"n", "no", "false"}
#: Columns of a table of responses that are words, whatever they look like.
_WORDS = ("channel", "participant", "participant_id", "reject", "response")
_VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6}
#: No evoked potential is larger (V): a number beyond it is in another unit than was said.
_LARGEST = 0.02
#: Nor is one near a threshold (V): a typed amplitude beyond it is probably microvolts.
_NEAR_THRESHOLD = 0.005


def read_response(words: str, proposed: float, criterion: float = 50e-6, unit: str = "mV") -> tuple[float, bool]:
    """Intensity and response from a typed line: ``52 y``, ``52 0.08``, or ``y`` alone at the proposed intensity.

    Parameters
    ----------
    words : str
        y or n, or an amplitude in ``unit``; the intensity (%MSO) before it where it is not the proposed one.
    proposed : float
        Intensity that was proposed.
    criterion : float
        Smallest response (V).
    unit : {"mV", "uV", "V"}
        Unit of typed amplitudes.

    Returns
    -------
    (intensity, responded) : (float, bool)

    Raises
    ------
    ValueError
        For anything else, with what to type.

    Examples
    --------
    >>> read_response("52 0.08", 50), read_response("n", 50)
    ((52.0, True), (50.0, False))
    """
    if unit not in _VOLTS:
        raise ValueError(unknown_word("unit", unit, ["V", "mV", "uV"]))
    _check_criterion(criterion)
    parts = words.replace(",", ".").replace(";", " ").split()
    wanted = f"type the intensity and y, n or the amplitude in {unit}, e.g. '52 y', not {words.strip()!r}"
    if not 1 <= len(parts) <= 2:
        raise ValueError(wanted)
    answer = parts[-1].lower()
    try:
        intensity = float(parts[0]) if len(parts) == 2 else float(proposed)
        if math.isnan(intensity):
            raise ValueError(wanted)
        if answer in _YES | _NO:
            return intensity, answer in _YES
        amplitude = float(answer) * _VOLTS[unit]
    except ValueError:
        raise ValueError(wanted) from None
    if not 0 <= amplitude <= _LARGEST:
        raise ValueError(f"{answer} {unit} is no amplitude of an evoked potential: {wanted}; --unit uV for microvolts")
    if amplitude >= _NEAR_THRESHOLD:
        small = float(answer) * _VOLTS[unit] / 1e3  # the same number in the next smaller unit
        meant = f"did you mean {small * 1e6:g} µV? type {small / _VOLTS[unit]:g}" if unit == "mV" else "check the unit"
        raise ValueError(f"{answer} {unit} is too large near a threshold: {meant}; if it is right, type y instead")
    return intensity, amplitude >= criterion


def understood(words: str, responded: bool, unit: str = "mV") -> str:
    """What a typed line was taken for.

    >>> understood("52 0.08", True), understood("n", False)
    ('0.08 mV: response', 'no response')
    """
    answer = words.replace(",", ".").replace(";", " ").split()[-1].lower()
    size = "" if answer in _YES | _NO else f"{answer} {unit}: "
    return f"{size}{'response' if responded else 'no response'}"


def _check_criterion(criterion: float) -> None:
    if not 0 < criterion <= _LARGEST:
        raise ValueError(f"criterion = {criterion:g} must be the smallest response in V, such as 50e-6")


def read_responses(path: str | Path, criterion: float = 50e-6, unit: str = "") -> list[tuple[float, bool]]:
    """Intensities and responses of a file: typed lines, or a table with a header; lines with ``#`` are comments.

    Parameters
    ----------
    path : path
        Lines as :func:`read_response` takes them, or a table (parted by tabs, commas, or semicolons, then with decimal
        commas too) with ``intensity`` (%MSO) and either ``response`` (y or n) or ``mep_amplitude``, such as the trial
        table of one channel; its rejected rows are left out.
    criterion : float
        Smallest response (V).
    unit : {"", "mV", "uV", "V"}
        Unit of amplitudes: mV in typed lines and V in tables where nothing is said.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is empty or no text, the table lacks a column or holds several channels or participants, an
        amplitude is larger than any evoked potential, or a line cannot be understood; the error names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file of responses {path}")
    if unit and unit not in _VOLTS:
        raise ValueError(unknown_word("unit", unit, ["V", "mV", "uV"]))
    _check_criterion(criterion)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text; expected lines such as '52 y', or a TSV or CSV") from None
    lines = {
        number: line
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    if not lines:
        raise ValueError(f"{path} is empty; expected lines such as '52 y', or a TSV or CSV")
    if not any(letter.isalpha() for letter in next(iter(lines.values())).split()[0]):
        return [_of_line(path, number, line, math.nan, criterion, unit or "mV") for number, line in lines.items()]
    try:
        table = _table_of(lines)
        check_table(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    table = single_pulses(table)
    table = table[is_kept(table)]
    of = next((name for name in ("response", "mep_amplitude") if name in table), None)
    if of is None:
        raise ValueError(f"{path} has no column 'response' or 'mep_amplitude'; its columns: {', '.join(table.columns)}")
    s = intensities(table, "intensity")
    if of == "mep_amplitude":
        size = numbers(table.rename(columns={of: "size"}), "size") * _VOLTS[unit or "V"]  # perhaps no volts yet
        if (size > _LARGEST).any():
            given = size[size > _LARGEST][0] / _VOLTS[unit or "V"]
            said = f"{given:g} {unit or 'V'} is no amplitude of an evoked potential"
            raise ValueError(f"{path}: {said}; say its unit with --unit mV or uV")
        known = np.isfinite(s) & np.isfinite(size)
        return [(float(a), bool(b >= criterion)) for a, b in zip(s[known], size[known], strict=True)]
    told = {"1": "y", "0": "n", "1.0": "y", "0.0": "n"}
    words = [told.get(word, word) for word in (str(answer).strip().lower() for answer in table[of])]
    unknown = ("", "n/a", "nan", "none", "<na>")
    return [
        _of_line(path, int(number), f"{a:g} {word}", math.nan)
        for number, a, word in zip(table.index, s, words, strict=True)
        if word not in unknown
    ]


def _of_line(path: Path, number: int, *told: Any) -> tuple[float, bool]:
    """One response of a file; an error names its line."""
    try:
        return read_response(*told)
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}") from None


def _table_of(lines: Mapping[int, str]) -> pd.DataFrame:
    """Rows under a header, parted by tabs, semicolons or commas; the index is their lines."""
    header = next(iter(lines.values()))
    mark = max("\t;,", key=header.count)
    separator = mark if mark in header else r"\s+"
    decimal = "," if mark == ";" and "," in "".join(lines.values()) else "."
    table = pd.read_csv(
        io.StringIO("\n".join(lines.values())), sep=separator, decimal=decimal, keep_default_na=False,
        na_values=["n/a"], skipinitialspace=True, index_col=False, dtype=dict.fromkeys(_WORDS, "str"),
    )  # fmt: skip
    table.columns = [str(name).strip() for name in table.columns]
    table.index = pd.Index(list(lines)[1:])
    return table
