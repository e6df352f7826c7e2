"""Measures that need the results of two protocols: rows of one person, session and channel are put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..schema import RESULT_COLUMNS, Estimate, join_flags, unknown_word
from .conditioned_ratio import FORMS

_OWNER = ("participant", "session", "timepoint", "channel")


def rows_of(results: pd.DataFrame, measure: str, protocol: str = "", condition: str | None = None) -> pd.DataFrame:
    """Rows of a measure, of a protocol (by its path or its last part) and of a condition.

    Raises
    ------
    ValueError
        When the table lacks a column, or holds no such row.
    """
    for name in ("measure", "value", "ci_low", "ci_high", "channel", "condition", "protocol"):
        if name not in results:
            raise ValueError(f"the results have no column {name!r}; give the table that ex.run or ex.run_batch made")
    for name, wanted in (("measure", measure), ("protocol", protocol), ("condition", condition)):
        if not wanted:
            continue
        column = results[name].fillna("").astype(str)
        hit = column == wanted
        if name == "protocol":
            hit |= column.str.rsplit("/", n=1).str[-1] == wanted.rsplit("/", 1)[-1]
        if not hit.any():
            raise ValueError(unknown_word(f"{name} of the results", wanted, set(column) - {""}))
        results = results[hit]
    return results


def matched(first: pd.DataFrame, second: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Rows of both tables that belong to the same person, session and channel."""
    keys = [name for name in _OWNER if name in first and name in second]

    def owned(table: pd.DataFrame) -> Iterator[tuple[Any, pd.DataFrame]]:
        # an empty label is NaN where the table was read from a file, and no NaN equals another
        yield from table.groupby(
            [table[name].astype(object).where(table[name].notna(), "").astype(str) for name in keys], sort=False
        )

    there = dict(owned(second))
    for key, part in owned(first):
        if key in there:
            yield part, there[key]


def as_log_ratio(rows: pd.DataFrame) -> Estimate:
    """Mean of the log ratios of some rows, whatever their form.

    The rows share their test response, so their errors are alike: the error of the mean is the mean of the errors.
    """
    form = rows["form"].fillna("").to_numpy(dtype=object) if "form" in rows else np.full(len(rows), "", dtype=object)
    for at in np.flatnonzero([word not in FORMS for word in form]):
        raise ValueError(
            f"{rows['measure'].iloc[at]} of {rows['protocol'].iloc[at]} is no ratio (form {form[at]!r}); expected rows "
            f"with the form {', '.join(FORMS)}: tracked thresholds and ratios of amplitudes are never mixed"
        )
    values = {name: pd.to_numeric(rows[name]).to_numpy(dtype=float) for name in ("value", "ci_low", "ci_high")}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, number in values.items():
            ratio = np.where(form == "percent", number / 100, number)
            ratio = np.where(form == "percent_inhibition", 1 - number / 100, ratio)
            values[name] = np.where(form == "log_ratio", number, np.log(np.where(ratio >= 0, ratio, np.nan)))
    limits = np.sort([values["ci_low"], values["ci_high"]], axis=0)  # more inhibition is less of a ratio
    told = [estimate_of(row) for _, row in rows.iterrows()]
    n, flags = sum(one.n for one in told), join_flags(*(one.flag for one in told))
    if np.isinf(values["value"]).any():  # a ratio of 0: all conditioned responses were absent
        return Estimate(np.nan, n=n, flag=join_flags("no_logarithm", flags))
    return Estimate(float(values["value"].mean()), float(limits[0].mean()), float(limits[1].mean()), n, flags)


def estimate_of(row: pd.Series) -> Estimate:
    """Estimate of a result row; what it does not tell of trials and flags is 0 and empty."""
    flag, n = row.get("flag", ""), float(row.get("n_trials", np.nan))
    value, low, high = (float(row[name]) for name in ("value", "ci_low", "ci_high"))
    return Estimate(value, low, high, 0 if np.isnan(n) else int(n), flag if isinstance(flag, str) else "")


def logarithm(row: pd.Series) -> Estimate:
    """Logarithm of a positive value and of its limits; NaN where there is none."""
    told = estimate_of(row)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = (np.log(number) for number in (float(told), told.ci_low, told.ci_high))
    return Estimate(value if np.isfinite(value) else np.nan, low, high, told.n, told.flag)


def difference(one: Estimate, two: Estimate) -> Estimate:
    """``one − two`` of independent estimates; the variances are recovered from their intervals (Zou & Donner 2008)."""
    value = float(one) - float(two)
    low = value - np.hypot(float(one) - one.ci_low, two.ci_high - float(two))
    high = value + np.hypot(one.ci_high - float(one), float(two) - two.ci_low)
    low, high = (limit if np.isfinite(limit) else np.nan for limit in (low, high))
    return Estimate(value, low, high, one.n + two.n, join_flags(one.flag, two.flag))


def result_row(source: pd.Series, name: str, found: Estimate, unit: str, form: str, flag: str = "") -> dict[str, Any]:
    """Row of a result table that keeps whose it is; what it was made of stands in ``protocol``."""
    own = {
        "condition": "all",
        "measure": name,
        "value": float(found),
        "unit": unit,
        "form": form,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "n_trials": found.n,
        "n_rejected": found.n_rejected,
        "flag": join_flags(flag, found.flag),
        "protocol_sha256": "",
    }
    kept = {
        key: value for key, value in source.items() if key in RESULT_COLUMNS or key in ("timepoint", "group", "arm")
    }
    return {**kept, **own}
