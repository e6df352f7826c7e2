"""One row a participant, one column a measure: the table that other statistics programs read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..labels import capital, times_in_order
from ..schema import COVARIATES, QUALITY, RESULT_COLUMNS, unknown_word, validate
from ..tables import write_text
from ._labels import as_text, some
from .design import SERIES, level_column
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
    results: pd.DataFrame, within: str = "session", measures: Sequence[str] = ()
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

    Returns
    -------
    wide : DataFrame
        ``participant``, then groups and covariates (one column, or one a time point where they change), then one column
        for each measure, condition, channel and time point. Missing values are NaN. Names begin with a letter, hold
        letters, digits and ``_`` only, are at most 64 characters long and differ in more than capitals: safe for SPSS,
        R, JASP and Stata's importer.
    dictionary : DataFrame
        One row a column of ``wide``: name, label in words, unit, form, where it comes from, and how many are known.

    Raises
    ------
    ValueError
        For missing columns, text where numbers belong, an unknown measure, and a value that is there twice.

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
    level_name = level_column(results, within)
    table = results.assign(**{name: as_text(results[name]) for name in (*SERIES, "unit", "form") if name in results})
    table = table.assign(**{name: "" for name in (*SERIES, "unit", "form") if name not in table})
    table["participant"], table[level_name] = as_text(table["participant"]), as_text(table[level_name])
    people = sorted(table["participant"].unique())
    levels = times_in_order([level for level in table[level_name].unique() if level])
    facts, told = _facts(table, people, levels, level_name)
    rows = table[table["measure"].ne("") & ~table["measure"].str.startswith(QUALITY) & table[level_name].ne("")]
    if "error" in rows:
        rows = rows[as_text(rows["error"]).eq("")]
    for name in measures:
        if name not in set(rows["measure"]):
            raise ValueError(unknown_word("measure", name, set(rows["measure"])))
    if measures:
        rows = rows[rows["measure"].isin(list(measures))]
    columns, more = _measured(rows, people, levels, level_name)
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
    table: pd.DataFrame, people: list[str], levels: list[str], level_name: str
) -> tuple[list[pd.Series], list[dict[str, str]]]:
    """Groups and covariates: one column, or one a time point where they change within anybody."""
    columns, told = [], []
    for name in table.columns:
        if name in RESULT_COLUMNS or name in _OF_A_SESSION or str(name).startswith("_"):
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
        for level in levels:
            own = known[known[level_name].eq(level)].groupby("participant")[name]
            twice = own.nunique() > 1
            if twice.any():
                raise ValueError(
                    f"{name!r} has more than one value at {level!r} in participant {some(twice.index[twice])}"
                )
            columns.append(own.first().reindex(people))
            told.append({**entry, "name": f"{name}_{level}", "label": f"{entry['label']}, {level}", "timepoint": level})
    return columns, told


def _measured(
    rows: pd.DataFrame, people: list[str], levels: list[str], level_name: str
) -> tuple[list[pd.Series], list[dict[str, str]]]:
    keys = [*SERIES, level_name, "participant"]
    twice = rows.duplicated(keys, keep=False)
    if twice.any():
        first = rows[twice].iloc[0]
        same = rows.index[twice & (rows[keys] == first[keys]).all(axis=1)]
        raise ValueError(
            f"participant {first['participant']!r} has {len(same)} values of {first['measure']!r} ({first['channel']}, "
            f"{first['condition']}) at {level_name} {first[level_name]!r}: rows {some(same)}. Keep one"
        )
    columns, told = [], []
    for key, own in rows.groupby(list(SERIES), sort=False):
        protocol, measure, channel, condition = map(str, key)
        words = capital(subject(protocol, measure, channel, condition).rstrip(","))
        stem = protocol.rsplit("/", 1)[-1]
        name = measure if measure.startswith(stem) else stem if stem.endswith(measure) else f"{stem}_{measure}"
        parts = [name, *([] if condition in ("", "all") else [_short(condition)]), *([channel] if channel else [])]
        values = own.assign(value=pd.to_numeric(own["value"], errors="coerce")).set_index([level_name, "participant"])
        for level in levels:
            here = values["value"].loc[level] if level in values.index.get_level_values(0) else pd.Series(dtype=float)
            columns.append(here.reindex(people).astype(float))
            told.append(
                {
                    "name": "_".join([*parts, level]),
                    "label": f"{words}, {level}",
                    "unit": str(own["unit"].max()),
                    "form": str(own["form"].max()),
                    "protocol": protocol,
                    "measure": measure,
                    "channel": channel,
                    "condition": condition,
                    "timepoint": level,
                }
            )
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
