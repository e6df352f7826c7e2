"""Many tests of one study: p values corrected within the families that the battery declared before the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..schema import COMPARISON_COLUMNS, NOT_A_CHANGE, unknown_word

if TYPE_CHECKING:
    from ..protocol.library import Battery

#: What :func:`adjust` adds to a comparison.
COLUMNS = {name: COMPARISON_COLUMNS[name] for name in ("family", "p_adjusted", "adjustment")}
_METHODS = {"primary": "Holm", "secondary": "Holm", "exploratory": "Benjamini-Hochberg"}


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction, which bounds the chance of any false positive in the family.

    Parameters
    ----------
    p_values : array-like, shape (n_tests,)
        NaN (no test) stays NaN and is not counted.

    Returns
    -------
    ndarray, shape (n_tests,)

    References
    ----------
    .. [1] Holm S. Scand J Stat 1979;6:65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = _checked(p_values)
    held = np.flatnonzero(np.isfinite(p))
    order = held[np.argsort(p[held], kind="stable")]
    adjusted = p.copy()
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's correction, which bounds the expected share of false ones among the positives.

    Parameters
    ----------
    p_values : array-like, shape (n_tests,)
        NaN (no test) stays NaN and is not counted.

    Returns
    -------
    ndarray, shape (n_tests,)

    References
    ----------
    .. [1] Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300. 10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    p = _checked(p_values)
    held = np.flatnonzero(np.isfinite(p))
    order = held[np.argsort(p[held], kind="stable")][::-1]
    adjusted = p.copy()
    steps = p[order] * len(order) / np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.minimum.accumulate(steps), 1.0)
    return adjusted


def adjust(comparison: pd.DataFrame, battery: Battery | None = None) -> pd.DataFrame:
    """Correct the p values of a comparison within the families that a battery declares.

    Parameters
    ----------
    comparison : DataFrame
        Table that :func:`compare` returned.
    battery : Battery, optional
        Its ``[[primary]]``, ``[[secondary]]`` and ``[[exploratory]]`` outcomes declare the families, an outcome named
        twice belongs to the stricter. What it does not name is exploratory, and so is everything without it.

    Returns
    -------
    DataFrame
        Copy with the columns ``family``, ``p_adjusted`` and ``adjustment`` (:data:`COLUMNS`). Rows of a ``form`` that
        is no change (:data:`excitability.schema.NOT_A_CHANGE`: means, trends, the effect of the period, all time
        points together) are in no family: their ``family`` and ``adjustment`` are empty.

    Raises
    ------
    ValueError
        For a table without p values, or a battery that declares an outcome by a word that no column has.

    Notes
    -----
    A family are all tests that could be reported in answer to one question: every channel, condition and time point
    of the outcomes that the battery puts into one class. Changes within groups and differences of changes between
    groups are two questions, each with families of its own, so that describing the groups does not weaken the
    comparison of them. In a design with groups it is the difference that decides: a change that is significant in one
    group and not in the other is no difference between them (Bland & Altman 2011, 10.1186/1745-6215-12-264). To keep
    a family small, name channel and condition in the battery.

    Primary and secondary families are corrected by Holm's method, the exploratory by Benjamini and Hochberg's.
    Intervals stay those of single contrasts.

    Examples
    --------
    >>> table = pd.DataFrame({"protocol": ["m1/sici"] * 2, "measure": "conditioned_ratio", "group": "all",
    ...     "p_value": [0.01, 0.04]})
    >>> adjust(table)["p_adjusted"].tolist()
    [0.02, 0.04]
    """
    if "p_value" not in comparison:
        raise ValueError("comparison table has no column 'p_value'; pass what compare returned")
    p = comparison["p_value"].to_numpy(dtype=float)
    family = families(comparison, battery)
    groups = comparison["group"].astype(str) if "group" in comparison else pd.Series("all", index=comparison.index)
    between = groups.str.contains(" - ", regex=False).to_numpy()
    family[~changes(comparison)] = ""
    adjusted, told = np.full(len(p), np.nan), np.full(len(p), "", dtype=object)
    for name, method in _METHODS.items():
        for question in (False, True):
            rows = (family == name) & (between == question) & np.isfinite(p)
            adjusted[rows] = (holm if method == "Holm" else benjamini_hochberg)(p[rows])
            tests = int(rows.sum())
            told[rows] = f"{method}, {tests} test{'s' * (tests != 1)}"
    return comparison.assign(family=family, p_adjusted=adjusted, adjustment=told)


def changes(comparison: pd.DataFrame) -> np.ndarray:
    """Which rows of a comparison are a change or a difference, (n_rows,)."""
    if "form" not in comparison:
        return np.ones(len(comparison), dtype=bool)
    return ~comparison["form"].isin(NOT_A_CHANGE).to_numpy()


def families(comparison: pd.DataFrame, battery: Battery | None) -> np.ndarray:
    """Class of each row of a comparison under a battery: ``primary``, ``secondary`` or ``exploratory``."""
    family = np.full(len(comparison), "exploratory", dtype=object)
    for name in ("secondary", "primary"):  # the stricter last, so that it stays
        outcomes = getattr(battery, name) if battery is not None else ()
        family[_named(comparison, outcomes, name)] = name
    return family


def _named(comparison: pd.DataFrame, outcomes: Iterable[Mapping[str, str]], kind: str) -> np.ndarray:
    """Rows that one of the outcomes names."""
    chosen = np.zeros(len(comparison), dtype=bool)
    for outcome in outcomes:
        fits = np.ones(len(comparison), dtype=bool)
        for word, value in outcome.items():
            if word not in comparison:
                raise ValueError(f"[[{kind}]]: {unknown_word('column of a comparison', word, comparison.columns)}")
            fits &= (comparison[word].astype(str) == str(value)).to_numpy()
        chosen |= fits
    return chosen


def _checked(p_values: np.ndarray) -> np.ndarray:
    p = np.array(p_values, dtype=float)
    if p.ndim != 1 or ((p < 0) | (p > 1)).any():
        raise ValueError(f"p values are numbers from 0 to 1 in one row, got {p_values!r}")
    return p
