"""Covariates of the participants as regressors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..covariates import check_covariates
from ..schema import COVARIATES, RESULT_COLUMNS, unknown_word
from ._labels import as_text, some


def read_covariates(
    table: pd.DataFrame,
    names: tuple[str, ...],
    units: tuple[str, ...],
    level_name: str,
    before: str,
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Columns of regressors, one value a unit (participant, or participant in an arm): that at the baseline.

    With them the covariates, and the covariate that each column is of.

    Known covariates must hold numbers that a person can have; the message names the rows.
    """
    if len(set(names)) < len(names):
        raise ValueError(f"covariates={list(names)!r}: name each once")
    known = [name for name in names if name in COVARIATES and name in table]
    check_covariates(table[["participant", *known]], what="result table")
    columns: list[np.ndarray] = []
    kept: list[str] = []
    of: list[str] = []
    for name in names:
        if name == "baseline" and name not in table:
            kept.append(name)  # filled in for each series by the estimation
            continue
        if name not in table:
            known = [c for c in table.columns if c not in RESULT_COLUMNS and not str(c).startswith("_")]
            raise ValueError(unknown_word("covariate", name, [*known, "baseline"]))
        baseline = table[level_name].eq(before)
        held = table[name][baseline].groupby(table["_unit"][baseline]).first()
        anywhere = table[name].groupby(table["_unit"]).first()
        values = held.reindex(list(units)).where(lambda s: s.notna(), anywhere.reindex(list(units)))
        changing = table[name][baseline].groupby(table["_unit"][baseline]).nunique() > 1
        if changing.any():
            raise ValueError(
                f"covariate {name!r} has more than one value at {before!r} in participant "
                f"{some(changing.index[changing])}"
            )
        columns.extend(own := _numeric(values, name))
        of.extend([name] * len(own))
        kept.append(name)
    if not columns:
        return np.empty((len(units), 0)), tuple(kept), ()
    return np.column_stack(columns), tuple(kept), tuple(of)


def _numeric(values: pd.Series, name: str) -> list[np.ndarray]:
    """One column for a number, one fewer than its classes for a text."""
    text = as_text(values)
    numbers = pd.to_numeric(text.where(text.ne("")), errors="coerce").astype(float)
    bad = text.ne("") & numbers.isna()
    declared = COVARIATES[name].dtype if name in COVARIATES else ""
    if bad.any() and (declared == "float" or numbers.notna().any()):
        raise ValueError(
            f"covariate {name!r} must hold numbers, but has {text[bad].iloc[0]!r} in participant "
            f"{some(text.index[bad])}"
        )
    classes = sorted(text[text.ne("")].unique())
    if len(classes) < 2:
        given = repr(classes[0]) if classes else "empty"
        raise ValueError(f"covariate {name!r} is {given} in every participant; a constant explains nothing")
    if bad.any():
        return [np.where(text.eq(""), np.nan, text.eq(word).astype(float)) for word in classes[1:]]
    return [numbers.to_numpy()]
