"""One row a participant, one column a measure: the table that other statistics programs read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..covariates import check_covariates
from ..labels import capital, times_in_order
from ..schema import COVARIATES, QUALITY, RESULT_COLUMNS, unknown_word, validate
from ..tables import write_text
from ._labels import as_text, some
from ._units import in_order
from .design import SERIES, check_units, level_column
from .sentences import subject

#: Columns of the data dictionary.
DICTIONARY = (
    "name", "label", "unit", "form", "protocol", "measure", "channel", "condition", "timepoint", "n", "missing",
)  # fmt: skip
_LONGEST = 64  # bytes a name may have in SPSS
#: Words that SPSS or R keep for themselves.
_RESERVED = {
    "all",
    "and",
    "by",
    "eq",
    "ge",
    "gt",
    "le",
    "lt",
    "ne",
    "not",
    "or",
    "to",
    "with",
    "if",
    "else",
    "for",
    "in",
}
_RESERVED |= {"function", "next", "repeat", "while", "break", "true", "false", "null", "na", "inf", "nan", "t", "f"}
_OF_A_SESSION = ("session", "timepoint", "file")


def wide_table(
    results: pd.DataFrame, within: str = "session", measures: Sequence[str] = (), by: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay a result table out as one row a participant, with a data dictionary.

    Parameters
    ----------
    results : DataFrame
        Result table, in SI units, with groups and covariates where the study has them.
    within : str
        Column of the sessions; ``"session"`` means the column ``timepoint`` where there is one.
    measures : sequence of str
        Measures to keep; all by default, without those that tell the quality of others.
    by : str, optional
        Column of the arms of a crossover: every arm then has columns of its own. ``"arm"`` where the same person has a
        time point in several.

    Returns
    -------
    wide : DataFrame
        ``participant``, then groups and covariates (one column, or one a time point where they change), then one column
        for each measure, condition, channel and time point. Missing and infinite values are NaN. Names begin with a
        letter, hold letters, digits and ``_`` only, are at most 64 characters long and differ in more than capitals:
        safe for SPSS, R, JASP and Stata's importer.
    dictionary : DataFrame
        One row a column of ``wide``: name, label in words, unit, form, where it comes from, and how many are known.

    Raises
    ------
    ValueError
        For missing columns, text where numbers belong, impossible covariates, mixed units or forms, rows without a
        participant, an unknown measure, and a value that is there twice.

    Examples
    --------
    >>> results = pd.DataFrame({"participant": ["01", "01", "02", "02"], "session": ["pre", "post0"] * 2,
    ...     "protocol": "m1/sici", "channel": "FDI", "condition": "isi_0.002", "measure": "conditioned_ratio",
    ...     "value": [0.5, 0.6, 0.4, None], "unit": "1", "form": "ratio", "age": [30, 30, 41, 41]})
    >>> wide, dictionary = wide_table(results)
    >>> list(wide.columns)
    ['participant', 'age', 'sici_conditioned_ratio_2ms_FDI_pre', 'sici_conditioned_ratio_2ms_FDI_post0']
    >>> dictionary["label"][2]
    'SICI ratio at 2 ms in FDI, pre'
    """
    validate(results, RESULT_COLUMNS, required=("participant", "measure", "value", "unit"), what="result table")
    if not len(results):
        raise ValueError("the result table is empty; wide_table needs the rows that run or run_batch returned")
    level_name = level_column(results, within)
    table = results.assign(**{name: as_text(results[name]) for name in (*SERIES, "unit", "form") if name in results})
    table = table.assign(**{name: "" for name in (*SERIES, "unit", "form") if name not in table})
    table["participant"], table[level_name] = as_text(table["participant"]), as_text(table[level_name])
    nameless = table["participant"].eq("")
    if nameless.any():
        raise ValueError(f"result table: no participant in row {some(table.index[nameless])}")
    known = [name for name in table.columns if name in COVARIATES]
    table = table.assign(**check_covariates(table[["participant", *known]], what="result table")[known])
    people = sorted(table["participant"].unique())
    cells = _cells(table, level_name, by)
    number = {cell.key: place for place, cell in enumerate(cells)}
    places = [number.get(key, -1) for key in _keys(table, level_name, cells)]
    table["_cell"] = np.array(places, dtype=np.int64)
    facts, told = _facts(table, people, cells, by or "arm")
    rows = table[table["measure"].ne("") & ~table["measure"].str.startswith(QUALITY) & table[level_name].ne("")]
    if "error" in rows:
        rows = rows[as_text(rows["error"]).eq("")]
    for name in measures:
        if name not in set(rows["measure"]):
            raise ValueError(unknown_word("measure", name, set(rows["measure"])))
    if measures:
        rows = rows[rows["measure"].isin(list(measures))]
    check_units(rows)
    columns, more = _measured(rows[rows["_cell"] >= 0], people, cells)
    names = _safe_names([entry["name"] for entry in told] + [entry["name"] for entry in more])
    parts = [*facts, *columns]
    wide = pd.DataFrame(dict(zip(names, parts, strict=True)), index=people)
    wide.insert(0, "participant", people)
    entries: list[dict[str, object]] = [{"name": "participant", "label": "participant"}]
    entries += [{**entry, "name": name} for entry, name in zip([*told, *more], names, strict=True)]
    dictionary = pd.DataFrame([{**dict.fromkeys(DICTIONARY, ""), **entry} for entry in entries])
    dictionary["n"] = wide.notna().sum().to_numpy()
    dictionary["missing"] = len(wide) - dictionary["n"]
    return wide.reset_index(drop=True), dictionary


@dataclass(frozen=True)
class _Cell:
    """A time point, or in a crossover a time point of an arm."""

    arm: str
    level: str
    by: str  # column of the arms, empty without

    @property
    def key(self) -> tuple[str, str]:
        return self.arm, self.level

    @property
    def label(self) -> str:
        return f"{self.arm}, {self.level}" if self.arm else self.level

    @property
    def suffix(self) -> str:
        return f"{self.arm}_{self.level}" if self.arm else self.level


def _cells(table: pd.DataFrame, level_name: str, by: str | None) -> list[_Cell]:
    """Time points in order, each arm's together where the same people have them in several arms."""
    if by is not None and by not in table:
        raise ValueError(unknown_word("column for by", by, map(str, table.columns)))
    levels = times_in_order([level for level in table[level_name].unique() if level])
    if by is None and "arm" in table:
        held = pd.DataFrame({"who": table["participant"], "level": table[level_name], "arm": as_text(table["arm"])})
        held = held[held["arm"].ne("") & held["level"].ne("")]
        by = "arm" if (held.groupby(["who", "level"])["arm"].nunique() > 1).any() else None
    if by is None:
        return [_Cell("", level, "") for level in levels]
    arms = as_text(table[by])
    there = set(zip(arms, table[level_name], strict=True))
    return [_Cell(arm, level, by) for arm in in_order(arms.unique()) for level in levels if (arm, level) in there]


def _keys(table: pd.DataFrame, level_name: str, cells: list[_Cell]) -> list[tuple[str, str]]:
    by = cells[0].by if cells else ""
    return list(zip(as_text(table[by]) if by else [""] * len(table), table[level_name], strict=True))


def write_wide(results: pd.DataFrame, path: str | Path, within: str = "session") -> tuple[Path, Path]:
    """Write the wide table, and its dictionary beside it.

    Parameters
    ----------
    results : DataFrame
    path : path
        Ends in ``.csv`` (separated by commas) or ``.tsv`` (by tabs). Missing values are empty cells; the decimal mark
        is a point.
    within : str

    Returns
    -------
    tuple of Path
        The table, and the dictionary: ``study.csv`` and ``study_dictionary.csv``.

    Raises
    ------
    ValueError
        For another suffix, and as :func:`wide_table`.
    """
    path = Path(path)
    mark = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower())
    if mark is None:
        raise ValueError(f"the wide table is written as .csv or .tsv, not {path.suffix or 'without a suffix'!r}")
    wide, dictionary = wide_table(results, within)
    beside = path.with_name(f"{path.stem}_dictionary{path.suffix}")
    for place, table in ((path, wide), (beside, dictionary)):
        write_text(place, table.to_csv(sep=mark, index=False, na_rep="", lineterminator="\n"))
    return path, beside


def _facts(
    table: pd.DataFrame, people: list[str], cells: list[_Cell], by: str
) -> tuple[list[pd.Series], list[dict[str, str]]]:
    """Groups and covariates: one column, or one a time point where they change within anybody."""
    crossed = bool(cells and cells[0].arm)
    columns, told = [], []
    for name in table.columns:
        if name in RESULT_COLUMNS or name in _OF_A_SESSION or str(name).startswith("_") or (crossed and name == by):
            continue
        known = table[table[name].notna() & as_text(table[name]).ne("")]
        if known.empty:
            continue
        declared = COVARIATES.get(str(name))
        entry = {"name": str(name), "label": declared.meaning if declared else str(name).replace("_", " ")}
        entry["unit"] = declared.unit if declared else ""
        if (known.groupby("participant")[name].nunique() <= 1).all():
            columns.append(known.groupby("participant")[name].first().reindex(people))
            told.append(entry)
            continue
        for number, cell in enumerate(cells):
            own = known[known["_cell"].eq(number)].groupby("participant")[name]
            twice = own.nunique() > 1
            if twice.any():
                raise ValueError(
                    f"{name!r} has more than one value at {cell.label!r} in participant {some(twice.index[twice])}"
                )
            columns.append(own.first().reindex(people))
            named = {"name": f"{name}_{cell.suffix}", "label": f"{entry['label']}, {cell.label}"}
            told.append({**entry, **named, "timepoint": cell.level})
    return columns, told


def _measured(
    rows: pd.DataFrame, people: list[str], cells: list[_Cell]
) -> tuple[list[pd.Series], list[dict[str, str]]]:
    keys = [*SERIES, "_cell", "participant"]
    twice = rows.duplicated(keys, keep=False)
    if twice.any():
        first = rows[twice].iloc[0]
        same = rows.index[twice & (rows[keys] == first[keys]).all(axis=1)]
        raise ValueError(
            f"participant {first['participant']!r} has {len(same)} values of {first['measure']!r} ({first['channel']}, "
            f"{first['condition']}) at {cells[first['_cell']].label!r}: rows {some(same)}. Keep one"
        )
    grouped = rows.groupby(list(SERIES), sort=False)
    series = grouped.agg(unit=("unit", "max"), form=("form", "max")).reset_index()
    values = np.full((len(series), len(cells), len(people)), np.nan)
    place = (
        grouped.ngroup().to_numpy(),
        rows["_cell"].to_numpy(),
        pd.Index(people).get_indexer(pd.Index(rows["participant"])),
    )
    numbers = pd.to_numeric(rows["value"], errors="coerce").to_numpy(dtype=float)
    values[place] = np.where(np.isfinite(numbers), numbers, np.nan)
    columns, told = [], []
    for number, own in enumerate(series.to_dict("records")):
        protocol, measure, channel, condition = (str(own[name]) for name in SERIES)
        words = capital(subject(protocol, measure, channel, condition).rstrip(","))
        stem = protocol.rsplit("/", 1)[-1]
        name = measure if measure.startswith(stem) else stem if stem.endswith(measure) else f"{stem}_{measure}"
        parts = [name, *([] if condition in ("", "all") else [_short(condition)]), *([channel] if channel else [])]
        entry = {"unit": str(own["unit"]), "form": str(own["form"]), "protocol": protocol, "measure": measure}
        entry |= {"channel": channel, "condition": condition}
        for place_of_cell, cell in enumerate(cells):
            columns.append(pd.Series(values[number, place_of_cell], index=people))
            named = {"name": "_".join([*parts, cell.suffix]), "label": f"{words}, {cell.label}"}
            told.append({**named, **entry, "timepoint": cell.level})
    return columns, told


def _short(condition: str) -> str:
    """A condition for a column's name: an interval in milliseconds.

    >>> _short("isi_0.0025"), _short("test")
    ('2p5ms', 'test')
    """
    found = re.fullmatch(r"isi_(\d*\.?\d+)", condition)
    return f"{1000 * float(found.group(1)):g}ms".replace(".", "p") if found else condition


def _safe_names(names: list[str]) -> list[str]:
    """Names that every program takes, each once whatever the capitals.

    >>> _safe_names(["sici ratio (2 ms)", "SICI_ratio__2_ms_", "2nd", "by"])
    ['sici_ratio_2_ms', 'SICI_ratio_2_ms_2', 'v_2nd', 'v_by']
    """
    taken: set[str] = {"participant"}
    safe = []
    for name in names:
        plain = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", _ascii(name))).strip("_") or "column"
        if not plain[0].isalpha() or plain.lower() in _RESERVED:
            plain = f"v_{plain}"
        plain, number, candidate = plain[:_LONGEST].rstrip("_"), 1, ""
        candidate = plain
        while candidate.lower() in taken:
            number += 1
            candidate = f"{plain[: _LONGEST - len(str(number)) - 1]}_{number}"
        taken.add(candidate.lower())
        safe.append(candidate)
    return safe


def _ascii(name: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFKD", name.replace("µ", "u")).encode("ascii", "ignore").decode()
