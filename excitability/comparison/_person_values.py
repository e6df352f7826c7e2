"""One number a person: the change, or the baseline, of a measure or a covariate, found by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..covariates import check_covariates
from ..labels import capital, name_in_words
from ..schema import COVARIATES, QUALITY, RESULT_COLUMNS, unknown_word
from ._labels import as_text
from ._units import in_two_groups
from .design import SERIES, level_column, read_design
from .sentences import subject

#: What names a measure or a covariate: its column, words such as "sici conditioned_ratio isi_0.002 FDI", or a mapping.
Name = str | Mapping[str, str]


@dataclass(frozen=True)
class PersonValues:
    """Values of the people, by participant, with what they are."""

    name: str  # protocol measure condition channel, or the covariate
    words: str
    values: pd.Series
    unit: str
    log: bool
    key: tuple[str, str, str, str] | None = None  # protocol, measure, channel, condition


def person_values(
    results: pd.DataFrame, what: Name, within: str, before: str, after: str, *, of: str = "change"
) -> PersonValues:
    """The change from ``before`` to ``after`` of a measure or covariate in each person, or its value before.

    Parameters
    ----------
    results : DataFrame
        Result table.
    what : str or mapping
        See :data:`Name`.
    within, before, after : str
        As in :func:`compare`.
    of : {"change", "before"}

    Raises
    ------
    ValueError
        Where the name fits nothing or several measures, a covariate holds text, changes within a session, or is
        the same before and after in everybody.
    """
    if not isinstance(results, pd.DataFrame) or not len(results):
        raise ValueError("the result table is empty; give the rows that run or run_batch returned")
    for name in ("participant", "measure", "value", "unit"):
        if name not in results:
            raise ValueError("result table: " + unknown_word("column", name, map(str, results.columns)))
    if isinstance(what, str) and what in results and what not in RESULT_COLUMNS:
        return _covariate(results, what, within, before, after, of)
    rows = _rows_of(results, what)
    design = read_design(rows, within, before, after if of == "change" else _another(rows, within, before), None, ())
    values = design.values[0]
    info = design.records[0]
    number = values[:, 1] - values[:, 0] if of == "change" else values[:, 0]
    key = tuple(info[name] for name in SERIES)
    return PersonValues(
        name=" ".join(info[name] for name in ("protocol", "measure", "condition", "channel") if info[name]),
        words=subject(*key).rstrip(","),
        values=pd.Series(number, index=list(design.participants)),
        unit="1" if info["scale"] == "log_ratio" else info["unit"],
        log=info["scale"] == "log_ratio",
        key=(key[0], key[1], key[2], key[3]),
    )


def _another(rows: pd.DataFrame, within: str, before: str) -> str | tuple[str, ...]:
    """A level other than the baseline, which the layout asks for."""
    levels = as_text(rows[level_column(rows, within)])
    return next((level for level in levels if level not in ("", before)), ())


def _rows_of(results: pd.DataFrame, what: Name) -> pd.DataFrame:
    """Rows of the one measure that a name fits."""
    held = results[~results["measure"].astype(str).str.startswith(QUALITY)]
    text = {name: held[name].fillna("").astype(str) for name in SERIES if name in held}
    fits = pd.Series(True, index=held.index)
    if isinstance(what, Mapping):
        for name, value in what.items():
            if name not in text:
                raise ValueError(unknown_word("word of a measure", name, text))
            fits &= text[name].eq(str(value))
    else:
        for word in what.split():
            one = text.get("protocol", pd.Series("", held.index)).str.rsplit("/", n=1).str[-1].eq(word)
            for column in text.values():
                one |= column.eq(word)
            if not one.any():
                known = {value for column in text.values() for value in column.unique() if value}
                covariates = {str(name) for name in results if name not in RESULT_COLUMNS}
                raise ValueError(unknown_word("measure or covariate", word, known | covariates))
            fits &= one
    rows = held[fits]
    found = list(dict.fromkeys(zip(*(text[name][fits] for name in text), strict=True)))
    found = [key for key in found if key[list(text).index("measure")]]
    if len(found) == 1:
        return rows
    if not found:
        raise ValueError(f"no row of the result table is {what!r}; name protocol, measure, condition and channel")
    some = "; ".join(" ".join(filter(None, key)) for key in found[:4])
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    raise ValueError(
        f"{what!r} fits {len(found)} measures ({some}{more}); say which by protocol, condition and channel"
    )


def _covariate(results: pd.DataFrame, name: str, within: str, before: str, after: str, of: str) -> PersonValues:
    level_name = level_column(results, within)
    table = results[["participant", level_name, name]]
    table = table.assign(**{column: as_text(table[column]) for column in ("participant", level_name)})
    table = check_covariates(table, what="result table")
    for level in (before, after) if of == "change" else (before,):
        if level not in set(table[level_name]):
            raise ValueError(unknown_word(level_name, level, [known for known in table[level_name].unique() if known]))
    said = table[name].notna() & ~table[name].astype(str).isin(["", "n/a"])
    numbers = pd.to_numeric(table[name].where(said), errors="coerce")
    bad = said & numbers.isna()
    classes = sorted(table[name][said].astype(str).unique())
    declared = COVARIATES[name].dtype if name in COVARIATES else "str"
    if of == "before" and declared == "str" and bad[said].all() and len(classes) == 2:
        numbers, bad = (
            table[name].astype(str).eq(classes[1]).astype(float).where(said),
            bad & False,
        )  # sex, and the like
    if bad.any():
        rows = ", ".join(str(row) for row in table.index[bad][:5])
        raise ValueError(f"covariate {name!r} must hold numbers, but has {table[name][bad].iloc[0]!r} in row {rows}")
    people = sorted(table["participant"].unique())
    levels = {}
    for level in (before, after):
        own = numbers[table[level_name].eq(level)].dropna().groupby(table["participant"])
        several = own.nunique() > 1
        if several.any():
            who = ", ".join(several.index[several][:5])
            raise ValueError(f"covariate {name!r} has more than one value at {level!r} in participant {who}")
        levels[level] = own.first().reindex(people)
    if of == "before":  # what is said once of a person holds for all sessions
        anywhere = numbers.groupby(table["participant"]).agg(
            lambda held: held.dropna().iloc[0] if held.notna().any() else np.nan
        )
        values = levels[before].where(levels[before].notna(), anywhere.reindex(people))
    else:
        values = levels[after] - levels[before]
        if values.notna().any() and (values.dropna() == 0).all():
            raise ValueError(f"covariate {name!r} is the same at {before} and {after} in everybody: it has no change")
    if not values.notna().any():
        when = f"both {before} and {after}" if of == "change" else before
        raise ValueError(f"covariate {name!r} is known at {when} of nobody")
    unit = COVARIATES[name].unit if name in COVARIATES else ""
    return PersonValues(name, _in_words(name), values.astype(float), unit, log=False)


def _in_words(name: str) -> str:
    short = {"bdnf": "BDNF", "igf1": "IGF-1", "vegf": "VEGF", "probdnf": "proBDNF", "vo2_peak": "peak oxygen uptake"}
    return short.get(name, name_in_words(name))


def group_of(results: pd.DataFrame, by: str | None, people: pd.Index) -> pd.Series:
    """Group of each person; ``all`` without groups.

    Raises
    ------
    ValueError
        For an unknown column, a group that changes within a person, or fewer than two groups.
    """
    if by is None:
        return pd.Series("all", index=people)
    if by not in results:
        raise ValueError(unknown_word("column for by", by, map(str, results.columns)))
    pairs = pd.DataFrame({"participant": as_text(results["participant"]), by: as_text(results[by])})
    pairs = pairs[pairs[by].ne("")].drop_duplicates()
    twice = pairs["participant"][pairs["participant"].duplicated()]
    if len(twice) and by == "group":
        raise ValueError(in_two_groups(pairs, twice.unique()))
    if len(twice):
        raise ValueError(
            f"by={by!r} must be the same in all rows of a participant, but changes in {twice.iloc[0]}; of a crossover "
            "select the sessions of one arm"
        )
    groups = pairs.set_index("participant")[by].reindex(people)
    if groups.isna().any():
        raise ValueError(f"column {by!r} is empty for participant {', '.join(groups.index[groups.isna()][:5])}")
    if groups.nunique() < 2:
        raise ValueError(f"by={by!r} needs two or more groups; all rows are {groups.iloc[0]!r}. Leave by out")
    return groups


def adjusting(
    results: pd.DataFrame, names: tuple[Name, ...], within: str, before: str, people: pd.Index
) -> tuple[np.ndarray, list[str]]:
    """Values before of what an association is adjusted for, (n_people, n_names), and the names."""
    held = [person_values(results, name, within, before, before, of="before") for name in names]
    if len({one.name for one in held}) < len(held):
        raise ValueError(f"adjust={list(names)!r}: name each once")
    if not held:
        return np.empty((len(people), 0)), []
    columns = [one.values.reindex(people).to_numpy(dtype=float) for one in held]
    for one, column in zip(held, columns, strict=True):
        if np.nanmin(column) == np.nanmax(column):
            raise ValueError(
                f"covariate {one.name!r} is {column[0]:g} in every participant; a constant explains nothing"
            )
    return np.column_stack(columns), [one.name for one in held]


def heading(words: str) -> str:
    """Words at the beginning of a sentence."""
    return capital(words)


def session_values(results: pd.DataFrame, what: Name, sessions: Sequence[str]) -> tuple[np.ndarray, bool]:
    """Values of one measure, (n_participants, n_sessions), as they are compared, and whether they are logarithms."""
    design = read_design(_rows_of(results, what), "session", sessions[0], list(sessions[1:]), None, ())
    return design.values[0][:, : len(sessions)], design.records[0]["scale"] == "log_ratio"
