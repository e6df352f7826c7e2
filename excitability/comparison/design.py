"""The design of a comparison: a result table checked and laid out as series × participant × time point."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..schema import COVARIATES, QUALITY, RESULT_COLUMNS, join_flags, unknown_word, validate

SERIES = ("protocol", "measure", "channel", "condition")
_CONTROL = re.compile(r"^(healthy|pain.?free|no.?pain|control|ctrl|con$|hc$|sham|placebo|rest)", re.IGNORECASE)
_NORMAL = 1.959963984540054
_LOG_FORMS = ("ratio", "percent", "percent_inhibition", "log_ratio")
#: Values shrunken towards the population of the study: their spread is not that of people, nor of measurement.
_SHRUNKEN = ("hierarchical", "hierarchical_hbmep")
_WITHOUT_CURVE = ("area_under_curve",)  # trapezoids through the mean responses: in their rows, but not shrunken
#: Correlation of the errors of two sessions of a person whose shrunken curves lean on each other: found between 0.3
#: (30 trials a curve) and 0.5 (10) by simulation (benchmarks/shrunken_contrasts.py); the smaller errs on the wide side.
_SHARED = 0.3
#: Flags of values that are flags of what is concluded from them.
_LASTING = ("exploratory",)
_LOG_UNITS = ("V", "V*s", "V^2", "V/%MSO", "V*%MSO", "V*m^2", "m^2")


@dataclass(frozen=True)
class Design:
    """A result table ready for estimation; every array of values is (n_series, n_participants, n_levels)."""

    level_name: str
    before: str
    after: tuple[str, ...]
    levels: tuple[str, ...]
    participants: tuple[str, ...]
    by: str | None
    group_names: tuple[str, ...]  # a control group comes last
    groups: np.ndarray  # (n_participants,) number of the participant's group
    covariates: tuple[str, ...]
    covariate_values: np.ndarray  # (n_participants, n_columns), NaN where unknown
    series: pd.DataFrame  # SERIES columns, unit, form, scale, flag, shrunken
    values: np.ndarray  # on the scale of estimation
    standard_errors: np.ndarray  # from the intervals of the results, same scale
    expected: np.ndarray  # (n_series, n_participants): took part in the protocol

    @functools.cached_property
    def records(self) -> list[dict[str, str]]:
        """The series as plain dictionaries (a row of a DataFrame costs more than its statistics)."""
        return [{str(name): str(word) for name, word in row.items()} for row in self.series.to_dict("records")]

    @property
    def control(self) -> int | None:
        """Number of the control group, where a group's name says that it is one."""
        found = [i for i, name in enumerate(self.group_names) if _CONTROL.match(name)]
        return found[0] if len(found) == 1 and self.by else None

    def unknown_of_changes(self, number: int, level: int) -> np.ndarray:
        """Variance of each person's change given the trials, (n_participants,), from the intervals of both sessions."""
        squares = self.standard_errors[number] ** 2
        return (1 - _SHARED) * (squares[:, 0] + squares[:, level])

    def repeats(self) -> list[int]:
        """Levels that repeat the baseline: its name, where that says baseline, with a suffix (pre, pre2)."""
        if not (stem := re.match(r"(pre|base|baseline)(?![^\W\d_])", self.before.lower())):
            return []  # after "T0" or "day1", "T2" and "day3" are later time points
        pattern = re.compile(rf"{stem.group(1)}[\W_]?(\d+|[a-z]|retest|repeat)?$")
        used = {self.before, *self.after}
        return [i for i, level in enumerate(self.levels) if level not in used and pattern.match(level.lower())]


def read_design(
    results: pd.DataFrame,
    within: str,
    before: str,
    after: str | Sequence[str],
    by: str | None,
    covariates: Sequence[str],
) -> Design:
    """Check a result table and lay it out.

    Raises
    ------
    ValueError
        For missing columns, text where numbers belong, duplicated rows, mixed units or forms, unknown
        time points or columns, fewer than two groups, a group that changes within a participant, and
        covariates that are constant or not numbers.
    """
    if not isinstance(results, pd.DataFrame):
        raise ValueError(f"compare takes a result table (pandas DataFrame), not {type(results).__name__}")
    if not len(results):
        raise ValueError("the result table is empty; compare needs the rows that run or run_batch returned")
    validate(results, RESULT_COLUMNS, required=("participant", "measure", "value", "unit"), what="result table")
    level_name = level_column(results, within)
    table = _tidy(results[~results["measure"].astype(str).str.startswith(QUALITY)], level_name)
    afters = _levels_asked(table, level_name, before, after)
    participants = tuple(sorted(table["participant"].unique()))
    group_names, groups = _groups(table, by, participants)
    covariate_values, names = _covariates(table, tuple(covariates), participants, level_name, before)
    rows = table[table["_usable"]]
    _check_units(rows)
    series, codes = _series(rows)
    present = [level for level in rows[level_name].unique() if level not in {before, *afters}]
    levels = (before, *afters, *sorted(present))
    place = (
        codes,
        pd.Index(participants).get_indexer(rows["participant"]),
        pd.Index(levels).get_indexer(rows[level_name]),
    )
    _check_duplicates(rows, place, level_name)
    values, low, high = (_cube(rows[name], place, len(series), participants, levels) for name in _NUMBERS)
    series, values, errors = _to_scale(series, values, low, high)
    return Design(
        level_name=level_name,
        before=before,
        after=afters,
        levels=levels,
        participants=participants,
        by=by,
        group_names=group_names,
        groups=groups,
        covariates=names,
        covariate_values=covariate_values,
        series=series,
        values=values,
        standard_errors=errors,
        expected=_expected(table, series, participants),
    )


_NUMBERS = ("value", "ci_low", "ci_high")


def level_column(table: pd.DataFrame, within: str) -> str:
    """Column that holds the levels of the comparison within participants."""
    if within == "session" and "timepoint" in table and as_text(table["timepoint"]).ne("").any():
        return "timepoint"
    if within not in table:
        raise ValueError(unknown_word("column for within", within, map(str, table.columns)))
    return within


def as_text(column: pd.Series) -> pd.Series:
    """Labels as text; a missing one is the empty text. Whole numbers read as floats lose their '.0'."""
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").fillna("").replace("n/a", "").astype(object)


def _tidy(results: pd.DataFrame, level_name: str) -> pd.DataFrame:
    table = pd.DataFrame(index=results.index)
    for name in (*SERIES, "participant", "unit", "form", "protocol_sha256", "error", level_name):
        table[name] = as_text(results[name]) if name in results else ""
    for name in _NUMBERS:
        table[name] = pd.to_numeric(results[name], errors="coerce") if name in results else np.nan
        table[name] = table[name].astype(float).replace([np.inf, -np.inf], np.nan)
    for name in results.columns.difference(table.columns):
        table[name] = results[name]
    nameless = table["participant"].eq("")
    if nameless.any():
        raise ValueError(f"result table: no participant in row {_some(table.index[nameless])}")
    table["_words"] = ";" + (as_text(results["flag"]) if "flag" in results else "") + ";"
    # the message of a failed session is a row without a measure; it counts as a missing session
    table["_usable"] = table["measure"].ne("") & table["error"].eq("") & table[level_name].ne("")
    return table


def _levels_asked(table: pd.DataFrame, level_name: str, before: str, after: str | Sequence[str]) -> tuple[str, ...]:
    afters = (after,) if isinstance(after, str) else tuple(after)
    known = [level for level in table[level_name].unique() if level]
    for level in (before, *afters):
        if level not in known:
            raise ValueError(unknown_word(level_name, level, known))
    if not afters or before in afters or len(set(afters)) < len(afters):
        raise ValueError(
            f"after must name one or more {level_name} labels other than before={before!r}, each once; "
            f"got {after!r}; the table has {', '.join(sorted(known))}"
        )
    return afters


def _groups(table: pd.DataFrame, by: str | None, participants: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    if by is None:
        return ("all",), np.zeros(len(participants), dtype=int)
    if by not in table:
        columns = [name for name in table.columns if not str(name).startswith("_")]
        raise ValueError(unknown_word("column for by", by, columns))
    label = as_text(table[by])
    known = label.ne("")
    pairs = pd.DataFrame({"participant": table["participant"], by: label})[known].drop_duplicates()
    twice = pairs["participant"][pairs["participant"].duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"by={by!r} must be the same in all rows of a participant, but changes in {_some(twice)}; "
            f"for a crossover select one {by} first"
        )
    lost = sorted(set(participants) - set(pairs["participant"]))
    if lost:
        raise ValueError(f"column {by!r} is empty for participant {_some(lost)}")
    names = sorted(pairs[by].unique(), key=lambda name: (bool(_CONTROL.match(name)), name))
    if len(names) < 2:
        raise ValueError(f"by={by!r} needs two or more groups; all rows are {names[0]!r}. Leave by out")
    group_of = pairs.set_index("participant")[by]
    return tuple(names), pd.Index(names).get_indexer(group_of.loc[list(participants)])


def _covariates(
    table: pd.DataFrame,
    names: tuple[str, ...],
    participants: tuple[str, ...],
    level_name: str,
    before: str,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Columns of participant-level regressors; the value at the baseline is taken."""
    columns, kept = [], []
    for name in names:
        if name == "baseline" and name not in table:
            kept.append(name)  # filled in for each series by the estimation
            continue
        if name not in table:
            known = [c for c in table.columns if c not in RESULT_COLUMNS and not str(c).startswith("_")]
            raise ValueError(unknown_word("covariate", name, [*known, "baseline"]))
        baseline = table[level_name].eq(before)
        held = table[name][baseline].groupby(table["participant"][baseline]).first()
        anywhere = table[name].groupby(table["participant"]).first()
        values = held.reindex(list(participants)).where(lambda s: s.notna(), anywhere.reindex(list(participants)))
        changing = table[name][baseline].groupby(table["participant"][baseline]).nunique() > 1
        if changing.any():
            raise ValueError(
                f"covariate {name!r} has more than one value at {before!r} in participant "
                f"{_some(changing.index[changing])}"
            )
        columns.extend(_numeric(values, name))
        kept.append(name)
    if not columns:
        return np.empty((len(participants), 0)), tuple(kept)
    return np.column_stack(columns), tuple(kept)


def _numeric(values: pd.Series, name: str) -> list[np.ndarray]:
    """One column for a number, one fewer than its classes for a text."""
    text = as_text(values)
    numbers = pd.to_numeric(text.where(text.ne("")), errors="coerce").astype(float)
    bad = text.ne("") & numbers.isna()
    declared = COVARIATES[name].dtype if name in COVARIATES else ""
    if bad.any() and (declared == "float" or numbers.notna().any()):
        raise ValueError(
            f"covariate {name!r} must hold numbers, but has {text[bad].iloc[0]!r} in participant "
            f"{_some(text.index[bad])}"
        )
    classes = sorted(text[text.ne("")].unique())
    if len(classes) < 2:
        given = repr(classes[0]) if classes else "empty"
        raise ValueError(f"covariate {name!r} is {given} in every participant; a constant explains nothing")
    if bad.any():
        return [np.where(text.eq(""), np.nan, text.eq(word).astype(float)) for word in classes[1:]]
    return [numbers.to_numpy()]


def _check_units(rows: pd.DataFrame) -> None:
    held = rows[rows["value"].notna()]
    for name in ("unit", "form"):
        several = held.groupby(["protocol", "measure"])[name].transform("nunique") > 1
        if several.any():
            bad = held[several]
            first = bad[(bad["protocol"] == bad["protocol"].iloc[0]) & (bad["measure"] == bad["measure"].iloc[0])]
            examples = [
                f"{word!r} in row {_some(first.index[first[name] == word][:3])}" for word in first[name].unique()
            ]
            raise ValueError(
                f"measure {first['measure'].iloc[0]!r} has more than one {name}: {'; '.join(examples)}. "
                f"Bring them to one {name} before comparing"
            )
    wrong = sorted(set(held["form"]) - {"", *_LOG_FORMS, *_SHRUNKEN})
    if wrong:
        raise ValueError(unknown_word("form", wrong[0], [*_LOG_FORMS, *_SHRUNKEN]))


def _series(rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    grouped = rows.groupby(list(SERIES), sort=True)
    codes = grouped.ngroup().to_numpy()
    series = grouped.agg(unit=("unit", "max"), form=("form", "max")).reset_index()
    sha = rows["protocol_sha256"].where(rows["protocol_sha256"].ne(""))
    versions = sha.groupby(codes).nunique().reindex(range(len(series))).to_numpy()
    series["flag"] = np.where(versions > 1, "protocol_changed", "")
    series["shrunken"] = series["form"].isin(_SHRUNKEN) & ~series["measure"].isin(_WITHOUT_CURVE)
    told = [(word, rows["_words"].str.contains(f";{word};", regex=False).groupby(codes).any()) for word in _LASTING]
    told.append(("shrunken", series["shrunken"]))
    for word, here in told:
        series["flag"] = [join_flags(flag, word if has else "") for flag, has in zip(series["flag"], here, strict=True)]
    return series, codes


def _check_duplicates(rows: pd.DataFrame, place: tuple[np.ndarray, ...], level_name: str) -> None:
    twice = pd.DataFrame(dict(enumerate(place))).duplicated(keep=False).to_numpy()
    if not twice.any():
        return
    first = rows[twice].iloc[0]
    same = rows.index[twice & np.logical_and.reduce([part == part[twice][0] for part in place])]
    raise ValueError(
        f"participant {first['participant']!r} has {len(same)} values of {first['measure']!r} "
        f"({first['channel']}, {first['condition']}) at {level_name} {first[level_name]!r}: rows {_some(same)}. "
        f"Keep one, or select one arm or run first"
    )


def _cube(
    column: pd.Series, place: tuple[np.ndarray, ...], n_series: int, people: Sequence, levels: Sequence
) -> np.ndarray:
    cube = np.full((n_series, len(people), len(levels)), np.nan)
    cube[place] = column.to_numpy(dtype=float)
    return cube


def _expected(table: pd.DataFrame, series: pd.DataFrame, participants: tuple[str, ...]) -> np.ndarray:
    """Who took part in the protocol of each series, failed sessions included."""
    took_part = {
        protocol: np.isin(participants, table["participant"][table["protocol"].isin([protocol, ""])].unique())
        for protocol in series["protocol"].unique()
    }
    return np.array([took_part[protocol] for protocol in series["protocol"]]).reshape(-1, len(participants))


def is_signed(protocol: str, measure: str) -> bool:
    """Whether a measure in volts has a sign, as the peaks of an evoked potential do."""
    evoked = "tep" in re.split(r"[/_]", protocol)
    return bool(re.match(r"^[np]\d+_amplitude$", measure)) or (evoked and measure.endswith("_amplitude"))


def is_log(protocol: str, measure: str, unit: str, form: str) -> bool:
    """Whether changes and means of a measure are taken of logarithms: ratios, amplitudes, areas.

    >>> is_log("m1/mep", "mep_amplitude", "V", ""), is_log("dlpfc/tep", "n100_amplitude", "V", "")
    (True, False)
    """
    return form in _LOG_FORMS or (unit in _LOG_UNITS and not is_signed(protocol, measure))


def _to_scale(
    series: pd.DataFrame, values: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Bring every series to the scale on which its change is estimated; one scale a protocol × measure."""
    values, spread = values.copy(), np.full(values.shape, np.nan)
    scales, flags = np.full(len(series), "difference", dtype=object), series["flag"].to_numpy(dtype=object)
    codes, names = pd.MultiIndex.from_frame(series[["protocol", "measure"]]).factorize()
    for code, (protocol, measure) in enumerate(names):
        rows = np.flatnonzero(codes == code)
        form, unit = series["form"].iloc[rows].max(), series["unit"].iloc[rows].max()
        part, ends = values[rows], np.stack([low[rows], high[rows]])
        wanted = is_log(protocol, measure, unit, form)
        flag = ""
        if form == "percent_inhibition" and not (part >= 100).any():
            part, ends, flag = 1 - part / 100, 1 - ends / 100, "as_ratio"
        if wanted and form != "log_ratio":
            if (part <= 0).any() or (form == "percent_inhibition" and not flag):
                wanted, flag = False, "not_positive_so_difference"
            else:
                with np.errstate(divide="ignore", invalid="ignore"):
                    part, ends = np.log(part), np.log(ends)
        with np.errstate(invalid="ignore"):
            values[rows], spread[rows] = part, np.abs(ends[1] - ends[0])
        scales[rows] = "log_ratio" if wanted else "difference"
        flags[rows] = [join_flags(old, flag) for old in flags[rows]]
    errors = np.where(np.isfinite(spread), spread / (2 * _NORMAL), np.nan)
    return series.assign(scale=scales, flag=flags), values, errors


def _some(labels: Iterable, limit: int = 5) -> str:
    words = [str(label) for label in labels]
    return ", ".join(words[:limit]) + (f" and {len(words) - limit} more" if len(words) > limit else "")
