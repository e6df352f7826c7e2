"""Rows and sentences of associations between people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..schema import Column, display, join_flags
from ._person_values import PersonValues, heading
from .estimation import Contrast
from .multiplicity import holm
from .sentences import percent

#: Columns of :func:`associate` and :func:`moderate`.
COLUMNS = {
    name: Column(name, unit, dtype, meaning)
    for name, unit, dtype, meaning in (
        ("outcome", "", "str", "what changes: protocol, measure, condition and channel, or a covariate"),
        ("other", "", "str", "what it is associated with: another change, or a value before"),
        ("group", "", "str", "group, 'all', or 'one - other' for a difference of slopes"),
        ("contrast", "", "str", "what changes are taken between"),
        ("method", "", "str", "pearson, spearman, or slope"),
        ("estimate", "as in unit", "float", "correlation, or change of the outcome by unit of the other"),
        ("unit", "", "str", "unit of estimate and its limits; 1 for correlations"),
        ("ci_low", "as in unit", "float", "lower limit of the 95 % interval: Fisher's z, or t for slopes"),
        ("ci_high", "as in unit", "float", "upper limit of the 95 % interval"),
        (
            "bootstrap_low",
            "as in unit",
            "float",
            "lower limit of the 95 % interval by bootstrap: t of z, or percentiles for ranks",
        ),
        ("bootstrap_high", "as in unit", "float", "upper limit of the 95 % interval by bootstrap"),
        ("p_value", "1", "float", "two-sided p value of no association"),
        ("p_adjusted", "1", "float", "p_value corrected for all tests of this table, by Holm's method"),
        ("n_tests", "1", "int", "tests that p_adjusted is corrected for"),
        ("n", "1", "int", "participants with both values"),
        ("adjusted_for", "", "str", "values before that the association is adjusted for"),
        ("model", "", "str", "the model, with its formula"),
        ("flag", "", "str", "what a reader of the estimate must know"),
        ("sentence", "", "str", "the result in plain words"),
    )
}
#: People below which a correlation is only a rough guess.
FEW = 10


def correlation_row(
    one: PersonValues,
    two: PersonValues,
    label: str,
    method: str,
    found: dict[str, float],
    names: list[str],
    contrast: str,
    flag: str,
    by: str | None,
) -> dict[str, object]:
    """One row of :func:`associate` by correlation: of a group, of the difference of two, or of all."""
    taken = [*names, *([by] if by and label == "all" else [])]
    n, estimate = int(found["n"]), found["estimate"]
    few = "" if n >= FEW else "few_participants"
    flags = join_flags(flag, few if math.isfinite(estimate) else "not_estimable")
    given = f" given {', '.join(taken)}" if taken else ""
    return {
        **dict.fromkeys(COLUMNS, ""),
        **found,
        "outcome": one.name,
        "other": two.name,
        "group": label,
        "contrast": contrast,
        "method": method,
        "unit": "1",
        "n": n,
        "adjusted_for": ", ".join(taken),
        "model": f"{method.capitalize()} correlation of the changes{given}, Fisher z",
        "flag": flags,
        "sentence": _correlation_sentence(one, two, label, method, found, taken),
    }


def as_table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Rows as a table, their p values corrected for each other; each sentence tells of how many tests it is one."""
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    p = table["p_value"].to_numpy(dtype=float)
    table["p_adjusted"], table["n_tests"] = holm(p), int(np.isfinite(p).sum())
    told = []
    for text, adjusted, n_tests, flag in zip(
        table["sentence"], table["p_adjusted"], table["n_tests"], table["flag"], strict=True
    ):
        if np.isfinite(adjusted) and n_tests > 1:
            number = "p < 0.001" if adjusted < 0.001 else f"p = {adjusted:.2g}"
            text += f" One of {n_tests} tests: corrected for them, {number}."
        if "few_participants" in str(flag).split(";"):
            text += f" Fewer than {FEW} people in a group: a rough guess."
        told.append(text)
    return table.assign(sentence=told).astype({"n": "int64", "n_tests": "int64"})


def _correlation_sentence(
    one: PersonValues, two: PersonValues, label: str, method: str, found: dict[str, float], taken: list[str]
) -> str:
    r, low, high = found["estimate"], found["ci_low"], found["ci_high"]
    whom = "" if label == "all" else f" in {label}"
    if not math.isfinite(r):
        return f"{heading(one.words)} and {two.words}: an association of their changes cannot be estimated{whom}."
    symbol = "r" if method == "pearson" else "Spearman's r"
    p = "p < 0.001" if found["p_value"] < 0.001 else f"p = {found['p_value']:.2g}"
    given = f", given {', '.join(taken)}" if taken else ""
    numbers = f"({symbol} = {r:.2f}, 95 % interval {low:.2f} to {high:.2f}, n = {int(found['n'])}, {p}{given})"
    numbers = numbers.replace("-", "−")
    if low > 0 or high < 0:
        how = "more" if r > 0 else "less"
        return f"People whose {one.words} rose more had {how} of a rise of {two.words}{whom} {numbers}."
    return f"{heading(one.words)} and {two.words} show no clear association of their changes{whom} {numbers}."


def slope_row(
    change: PersonValues,
    other: PersonValues,
    label: str,
    found: Contrast,
    n: int,
    names: list[str],
    contrast: str,
    flag: str,
) -> dict[str, object]:
    """One row of a regression of changes: the change of one measure per unit of the other."""
    low, high = found.interval
    few = "few_participants" if n < FEW * (1 + (" - " in label)) else ""
    given = "".join(f" + {name}" for name in names)
    unit = f"{change.unit} per {_one_unit(other.unit)}"
    df = f", df = {found.df:.1f}" if math.isfinite(found.df) else ""
    return {
        **dict.fromkeys(COLUMNS, ""),
        "outcome": change.name,
        "other": other.name,
        "group": label,
        "contrast": contrast,
        "method": "slope",
        "estimate": found.estimate,
        "unit": unit,
        "ci_low": low,
        "ci_high": high,
        "bootstrap_low": math.nan,
        "bootstrap_high": math.nan,
        "p_value": found.p_value,
        "n": n,
        "adjusted_for": ", ".join(names),
        "model": f"change ~ {other.name.replace(' ', ':')} before{given}; regression in each group{df}",
        "flag": join_flags(flag, few if math.isfinite(found.estimate) else "not_estimable"),
        "sentence": _slope_sentence(change, other, label, found, n),
    }


def _one_unit(unit: str) -> str:
    """A unit in the singular; a scale of points counts in points."""
    if not unit or unit == "1":
        return "unit"
    return "point" if unit[0].isdigit() else unit.removesuffix("s") if unit in ("years", "months") else unit


def _slope_sentence(change: PersonValues, other: PersonValues, label: str, found: Contrast, n: int) -> str:
    low, high = found.interval
    name = heading(change.words)
    if not math.isfinite(low):
        return f"{name}: whether its change depends on {other.words} cannot be estimated."

    factor, label_of_unit = display(change.unit, max(abs(low), abs(high)))

    def shown(value: float) -> str:
        return f"{percent(value) if change.log else value * factor:.3g}".replace("-", "−")

    unit = " %" if change.log else f" {label_of_unit}" if label_of_unit else ""
    per = f" per {_one_unit(other.unit)}"
    p = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.2g}"
    numbers = f"({shown(found.estimate)}{unit}{per}, 95 % interval {shown(low)} to {shown(high)}{unit}, n = {n}, {p})"
    clear = low > 0 or high < 0
    if " - " in label:
        how = "differs" if clear else "does not clearly differ"
        pair = label.replace(" - ", " and ")
        return f"{name}: how far its change depends on {other.words} {how} between {pair} {numbers}."
    whom = "" if label == "all" else f" in {label}"
    if not clear:
        return f"{name} shows no clear dependence of its change on {other.words} before{whom} {numbers}."
    more = "more" if found.estimate > 0 else "less"
    return f"{name} rose {more} in people with a higher {other.words} before{whom} {numbers}."
