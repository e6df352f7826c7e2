"""The design of a comparison: a result table checked and laid out as series × unit × time point."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..schema import QUALITY, RESULT_COLUMNS, join_flags, unknown_word, validate
from ._covariates import read_covariates
from ._given_values import NUMBERS, check_values, in_si, with_form
from ._labels import CONTROL, alike, as_text, some
from ._scale import LOG_FORMS, to_scale
from ._units import Units, in_two_groups, read_units

SERIES = ("protocol", "measure", "channel", "condition")
#: Values shrunken towards the population of the study: their spread is not that of people, nor of measurement.
_SHRUNKEN = ("hierarchical", "hierarchical_hbmep")
_WITHOUT_CURVE = ("area_under_curve",)  # trapezoids through the mean responses: in their rows, but not shrunken
#: Correlation of the errors of two sessions of a person whose shrunken curves lean on each other: found between 0.3
#: (30 trials a curve) and 0.5 (10) by simulation (benchmarks/shrunken_contrasts.py); the smaller errs on the wide side.
_SHARED = 0.3
#: Largest output of a stimulator (%MSO).
MAXIMUM = 100.0
#: Flags of values that are flags of what is concluded from them.
_LASTING = ("exploratory",)
#: Columns of a sessions table that tell sessions apart which have one time point.
_APART = ("arm", "period", "group", "dose", "session")


@dataclass(frozen=True)
class Design:
    """A result table ready for estimation; every array of values is (n_series, n_units, n_levels).

    A unit is a person, or in a crossover a person in one arm.
    """

    level_name: str
    before: str  # several baselines are joined by +
    baselines: tuple[int, ...]  # numbers of the levels whose mean is the baseline, (0,) where there is one
    after: tuple[str, ...]
    levels: tuple[str, ...]  # the baseline, those after, all others
    units: Units
    by: str | None
    covariates: tuple[str, ...]
    covariate_values: np.ndarray  # (n_units, n_columns), NaN where unknown
    covariate_columns: tuple[str, ...]  # the covariate that each column is of
    series: pd.DataFrame  # SERIES columns, unit, form, scale, flag, shrunken
    values: np.ndarray  # on the scale of estimation
    standard_errors: np.ndarray  # from the intervals of the results, same scale
    limits: np.ndarray  # of thresholds that are known only to lie above them, else NaN
    expected: np.ndarray  # (n_series, n_units): the person took part in the protocol

    @property
    def participants(self) -> tuple[str, ...]:
        """Label of each unit."""
        return self.units.labels

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the groups or arms; a control comes last."""
        return self.units.names

    @property
    def groups(self) -> np.ndarray:
        """Number of the group of each unit."""
        return self.units.groups

    @functools.cached_property
    def records(self) -> list[dict[str, str]]:
        """The series as plain dictionaries (a row of a DataFrame costs more than its statistics)."""
        return [{str(name): str(word) for name, word in row.items()} for row in self.series.to_dict("records")]

    @functools.cached_property
    def shrunken(self) -> np.ndarray:
        """Whether the values of each series are shrunken to the population, (n_series,) of bool."""
        return self.series["shrunken"].to_numpy(dtype=bool)

    @property
    def control(self) -> int | None:
        """Number of the control group, where a group's name says that it is one."""
        found = [i for i, name in enumerate(self.group_names) if CONTROL.match(name)]
        return found[0] if len(found) == 1 and self.by else None

    def change(self, number: int, level: int) -> np.ndarray:
        """Change of a series from the baseline to a level, (n_units,)."""
        return self.values[number][:, level] - self.values[number][:, 0]

    def unknown_of_changes(self, number: int, level: int) -> np.ndarray:
        """Variance of each person's change given the trials, (n_units,), from the intervals of both sessions."""
        squares = self.standard_errors[number] ** 2
        return (1 - _SHARED) * (squares[:, 0] + squares[:, level])

    def took_part(self, number: int, groups: Sequence[int]) -> int:
        """People of the groups who took part in the protocol of a series."""
        return len(np.unique(self.units.people[self.expected[number] & np.isin(self.groups, groups)]))

    def repeats(self) -> list[int]:
        """Levels that repeat the baseline: those it is the mean of, and those named like it (pre, pre2).

        Of pre1, post1, pre2, post2 the second pre belongs to the second post, after an intervention: no repeat, unless
        ``before`` names both.
        """
        own = list(self.baselines)
        name = self.levels[own[0]]
        if not (stem := re.match(r"(pre|base|baseline)(?![^\W\d_])", name.lower())):
            return own  # after "T0" or "day1", "T2" and "day3" are later time points
        pattern = re.compile(rf"{stem.group(1)}[\W_]?(\d+|[a-z]|retest|repeat)?$")
        used = {self.before, *self.after, *(self.levels[i] for i in own)}
        found = {i: pattern.match(level.lower()) for i, level in enumerate(self.levels) if level not in used}
        more = {i: match.group(1) for i, match in found.items() if match}
        blocks = {block for level in self.levels for block in re.findall(r"(\d+|(?<=[\W_])[a-z])$", level.lower())
                  if not pattern.match(level.lower())}  # fmt: skip
        first = pattern.match(name.lower())
        in_blocks = bool(first and first.group(1) in blocks)
        return own + [i for i, block in more.items() if not (in_blocks and block in blocks)]


def read_design(
    results: pd.DataFrame,
    within: str,
    before: str | Sequence[str],
    after: str | Sequence[str] | None,
    by: str | None,
    covariates: Sequence[str],
) -> Design:
    """Check a result table and lay it out; with ``after=None`` there is one level and no change.

    Raises
    ------
    ValueError
        For missing columns, text where numbers belong, duplicated rows, mixed units or forms, unknown
        time points or columns, fewer than two groups, a group that changes within a participant, and
        covariates that are constant or not numbers.
    """
    for name, given in (("by", by), ("within", within)):
        if given is not None and not isinstance(given, str):
            raise ValueError(f"{name} is the name of one column, such as 'group', not {given!r}")
    table, level_name = tidy(results, within)
    befores = _as_labels(before)
    if after is None and befores[0] not in set(table[level_name]):
        raise ValueError(unknown_word(level_name, befores[0], [level for level in table[level_name].unique() if level]))
    afters = () if after is None else _levels_asked(table, level_name, befores, after)
    units, labels = read_units(table, by, level_name, (*befores, *afters))
    table["_unit"] = labels
    regressors, names, of = read_covariates(table, tuple(covariates), units.labels, level_name, befores[0])
    rows = table[table["_usable"] & table["_unit"].ne("")]
    check_units(rows)
    series, codes = _series(rows)
    several = len(befores) > 1
    first = ("+".join(befores),) if several else befores
    present = [level for level in rows[level_name].unique() if level not in {*first, *afters}]
    levels = (*first, *afters, *sorted(present))
    place = (
        codes,
        pd.Index(units.labels).get_indexer(pd.Index(rows["_unit"])),
        pd.Index(levels).get_indexer(rows[level_name]),
    )
    _check_duplicates(rows, place, level_name, by)
    values, low, high = (_cube(rows[name], place, len(series), units.labels, levels) for name in NUMBERS)
    baselines = tuple(levels.index(name) for name in befores) if several else (0,)
    used = (*baselines, *range(1, len(afters) + 1))
    series, values, errors = to_scale(series, values, low, high, used)
    limits = _cube(rows["_limit"], place, len(series), units.labels, levels)
    if several:
        values[:, :, 0], errors[:, :, 0] = _mean_baseline(values[:, :, baselines], errors[:, :, baselines])
    return Design(
        level_name=level_name,
        before=first[0],
        baselines=baselines,
        after=afters,
        levels=levels,
        units=units,
        by=by,
        covariates=names,
        covariate_values=regressors,
        covariate_columns=of,
        series=series,
        values=values,
        standard_errors=errors,
        limits=limits,
        expected=_expected(table, series, units),
    )


def tidy(results: pd.DataFrame, within: str) -> tuple[pd.DataFrame, str]:
    """A result table with text where text belongs and numbers where numbers do, and its column of levels."""
    if not isinstance(results, pd.DataFrame):
        raise ValueError(f"compare takes a result table (pandas DataFrame), not {type(results).__name__}")
    if not len(results):
        raise ValueError("the result table is empty; compare needs the rows that run or run_batch returned")
    validate(results, RESULT_COLUMNS, required=("participant", "measure", "value", "unit"), what="result table")
    level_name = level_column(results, within)
    return _tidy(results[~results["measure"].astype(str).str.startswith(QUALITY)], level_name), level_name


def _mean_baseline(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the baselines a person has, and its standard error; the levels are on the last axis."""
    held = np.isfinite(values)
    n = held.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(held, values, 0.0).sum(axis=-1) / n
        error = np.sqrt((np.where(held, errors, 0.0) ** 2).sum(axis=-1)) / n
    return mean, error


def level_column(table: pd.DataFrame, within: str) -> str:
    """Column that holds the levels of the comparison within participants."""
    if within == "session" and "timepoint" in table and as_text(table["timepoint"]).ne("").any():
        return "timepoint"
    if within not in table:
        raise ValueError(unknown_word("column for within", within, map(str, table.columns)))
    return within


def _tidy(results: pd.DataFrame, level_name: str) -> pd.DataFrame:
    table = pd.DataFrame(index=results.index)
    for name in (*SERIES, "participant", "unit", "form", "protocol_sha256", "error", level_name):
        table[name] = as_text(results[name]) if name in results else ""
    for name in NUMBERS:
        table[name] = pd.to_numeric(results[name], errors="coerce") if name in results else np.nan
        infinite = np.isinf(table[name].astype(float))
        if name == "value":
            table["_infinite"] = infinite
        table[name] = table[name].astype(float).mask(infinite)
    table["_reversed"] = table["ci_low"] > table["ci_high"]
    table[["ci_low", "ci_high"]] = table[["ci_low", "ci_high"]].mask(table["_reversed"])
    for name in results.columns.difference(table.columns):
        table[name] = results[name]
    table = with_form(in_si(table))
    people = sorted(table["participant"].unique())
    if (twice := alike(people, people)) is not None:
        raise ValueError(
            f"result table: participants {twice[0]!r} and {twice[1]!r} are both there; name one person alike"
        )
    nameless = table["participant"].eq("")
    if nameless.any():
        raise ValueError(f"result table: no participant in row {some(table.index[nameless])}")
    table["_words"] = ";" + (as_text(results["flag"]) if "flag" in results else "") + ";"
    table["_limit"] = _limits(table)
    # the message of a failed session is a row without a measure; it counts as a missing session
    table["_usable"] = table["measure"].ne("") & table["error"].eq("") & table[level_name].ne("")
    return table


def _limits(table: pd.DataFrame) -> pd.Series:
    """What a threshold in %MSO without a value is known to lie above: the maximum output, or what was tested."""

    def has(word: str) -> pd.Series:
        return table["_words"].str.contains(f";{word};", regex=False)

    lost = table["value"].isna() & table["unit"].eq("%MSO")
    limit = table["ci_low"].where(has("above_tested_range"))
    return limit.mask(has("ceiling"), MAXIMUM).where(lost)


def _levels_asked(
    table: pd.DataFrame, level_name: str, before: str | Sequence[str], after: str | Sequence[str]
) -> tuple[str, ...]:
    befores, afters = _as_labels(before), _as_labels(after)
    known = [level for level in table[level_name].unique() if level]
    for level in (*befores, *afters):
        if level not in known:
            raise ValueError(unknown_word(level_name, level, known))
    if not befores or not afters or len({*befores, *afters}) < len(befores) + len(afters):
        raise ValueError(
            f"after must name one or more {level_name} labels other than before={before!r}, each once; "
            f"got {after!r}; the table has {', '.join(sorted(known))}"
        )
    return afters


def _as_labels(given: object) -> tuple[str, ...]:
    """One label or several as text; numbers are labels too."""
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    return tuple(str(as_text(pd.Series([label])).iloc[0]) for label in several)


def check_units(rows: pd.DataFrame) -> None:
    """Refuse a measure in several units or forms, naming rows of each."""
    held = rows[rows["value"].notna()]
    for name in ("unit", "form"):
        several = held.groupby(["protocol", "measure"])[name].transform("nunique") > 1
        if several.any():
            bad = held[several]
            first = bad[(bad["protocol"] == bad["protocol"].iloc[0]) & (bad["measure"] == bad["measure"].iloc[0])]
            examples = [
                f"{word!r} in row {some(first.index[first[name] == word][:3])}" for word in first[name].unique()
            ]
            raise ValueError(
                f"measure {first['measure'].iloc[0]!r} has more than one {name}: {'; '.join(examples)}. "
                f"Bring them to one {name} before comparing"
            )
    wrong = sorted(set(held["form"]) - {"", *LOG_FORMS, *_SHRUNKEN})
    if wrong:
        raise ValueError(unknown_word("form", wrong[0], [*LOG_FORMS, *_SHRUNKEN]))
    check_values(rows)


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
    told.append(("interval_reversed", rows["_reversed"].groupby(codes).any()))
    told.append(("form_unknown", rows["_no_form"].groupby(codes).any()))
    told.append(("infinite_values", rows["_infinite"].groupby(codes).any()))
    for word, here in told:
        series["flag"] = [join_flags(flag, word if has else "") for flag, has in zip(series["flag"], here, strict=True)]
    return series, codes


def _check_duplicates(rows: pd.DataFrame, place: tuple[np.ndarray, ...], level_name: str, by: str | None) -> None:
    twice = pd.DataFrame(dict(enumerate(place))).duplicated(keep=False).to_numpy()
    if not twice.any():
        return
    first = rows[twice].iloc[0]
    same = rows.index[twice & np.logical_and.reduce([part == part[twice][0] for part in place])]
    apart = [name for name in _APART if name in rows and name != by and as_text(rows.loc[same, name]).nunique() > 1]
    if apart[:1] == ["group"]:
        pairs = rows.loc[same, ["participant", "group"]].assign(group=as_text(rows.loc[same, "group"]))
        raise ValueError(in_two_groups(pairs, pairs["participant"].unique()))
    told = "Keep one"
    if apart:
        told = f"They differ in {apart[0]!r}: " + ("by='arm' compares the arms" if apart[0] == "arm" else "select one")
    raise ValueError(
        f"participant {first['participant']!r} has {len(same)} values of {first['measure']!r} "
        f"({first['channel']}, {first['condition']}) at {level_name} {first[level_name]!r}: rows {some(same)}. {told}"
    )


def _cube(
    column: pd.Series, place: tuple[np.ndarray, ...], n_series: int, people: Sequence, levels: Sequence
) -> np.ndarray:
    cube = np.full((n_series, len(people), len(levels)), np.nan)
    cube[place] = column.to_numpy(dtype=float)
    return cube


def _expected(table: pd.DataFrame, series: pd.DataFrame, units: Units) -> np.ndarray:
    """Who took part in the protocol of each series, failed sessions included; in a crossover, in any arm."""
    person = table["participant"].map({who: i for i, who in enumerate(sorted(table["participant"].unique()))})
    took_part = {
        protocol: np.isin(units.people, person[table["protocol"].isin([protocol, ""])].unique())
        for protocol in series["protocol"].unique()
    }
    return np.array([took_part[protocol] for protocol in series["protocol"]]).reshape(-1, len(units.labels))
