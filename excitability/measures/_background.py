"""Responses regressed on the background EMG before the pulse, with one slope and a level for each condition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ._tables import FEWEST, LEVEL, is_kept, numbers

#: Mean backgrounds further apart than this (as a ratio) are flagged: what is left of the difference after the
#: adjustment grows with it, since the background of one trial is itself measured with error.
FAR_APART = 1.25


@dataclass(frozen=True)
class Adjusted:
    """Least squares: ``response = level of condition + slope · (background − at)``, or the same of logarithms.

    Attributes
    ----------
    names : list of str
        Conditions with enough trials.
    levels : ndarray, shape (n_conditions,)
        Expected response at the common background.
    covariance : ndarray, shape (n_conditions + 1, n_conditions + 1)
        Of the levels and, last, the slope; robust to trials that scatter more at higher background (HC3).
    freedom : float
        Degrees of freedom.
    at : float
        The common background (V).
    n, n_rejected : dict of str to int
        Trials of each condition.
    span : dict of str to tuple
        Least, mean and largest background of each condition (V).
    """

    names: list[str]
    levels: np.ndarray
    covariance: np.ndarray
    freedom: float
    at: float
    n: dict[str, int]
    n_rejected: dict[str, int]
    span: dict[str, tuple[float, float, float]]

    def interval(self, weights: np.ndarray) -> tuple[float, float, float]:
        """A sum of levels with its interval."""
        value = float(weights @ self.levels)
        few = self.freedom < 1
        k = len(self.names)
        reach = float(stdtrit(max(self.freedom, 1.0), (1 + LEVEL) / 2)) * float(
            np.sqrt(max(weights @ self.covariance[:k, :k] @ weights, 0.0))
        )
        return value, np.nan if few else value - reach, np.nan if few else value + reach


def adjust(table: pd.DataFrame, of: str, background: str, at: float, logarithm: bool) -> Adjusted:
    """Fit all conditions of a table at once.

    ``at`` is the background to adjust to (V); NaN takes the median of all trials used.
    """
    response, level = numbers(table, of), numbers(table, background)
    kept = is_kept(table)
    told = table["condition"].fillna("") if "condition" in table else ["all"] * len(table)
    labels = [str(name) for name in told]
    condition = np.array(labels, dtype=object)
    known = kept & np.isfinite(response) & (level > 0) & (condition != "")
    if logarithm:
        known &= response > 0
    counts = {name: int((known & (condition == name)).sum()) for name in dict.fromkeys(labels) if name}
    lost = {name: int((~kept & (condition == name)).sum()) for name in counts}
    names = [name for name, n in counts.items() if n >= FEWEST]
    used = known & np.isin(condition, names)
    at = float(np.median(level[used])) if np.isnan(at) and used.any() else at
    spans = {
        name: (float(mine.min()), float(mine.mean()), float(mine.max()))
        for name in names
        if (mine := level[used & (condition == name)]).size
    }
    x = np.log(level[used] / at) if logarithm else level[used] - at
    y = np.log(response[used]) if logarithm else response[used]
    design = np.column_stack([*(condition[used] == name for name in names), x]).astype(float)
    levels, covariance, freedom = _least_squares(design, y)
    return Adjusted(names, levels[: len(names)], covariance, freedom, at, counts, lost, spans)


def _least_squares(design: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    n, k = design.shape
    if n == 0:
        return np.empty(0), np.empty((k, k)), 0.0
    scale = np.maximum(np.abs(design).max(axis=0), 1e-300)
    inverse = np.linalg.pinv((design / scale).T @ (design / scale)) / np.outer(scale, scale)
    values = inverse @ design.T @ y
    pull = np.einsum("ij,jk,ik->i", design, inverse, design)
    residual = (y - design @ values) / np.maximum(1 - pull, 1e-6)
    covariance = inverse @ (design.T * residual**2) @ design @ inverse
    return values, covariance, float(n - k)
