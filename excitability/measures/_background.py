"""Responses regressed on the background EMG before the pulse, with one slope and a level for each condition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ._tables import FEWEST, LEVEL, conditions, is_kept, numbers, responded

#: Mean backgrounds further apart than this (as a ratio) are flagged: what is left of the difference after the
#: adjustment grows with it, since the background of one trial is itself measured with error.
FAR_APART = 1.25
#: Relative standard error of the background of one trial: the RMS of 100 ms of EMG.
USUAL_ERROR = 0.15
#: Where the background hardly varies beyond its error, the slope could be anything: it is not made steeper than this.
LEAST_RELIABLE = 0.5
#: Backgrounds that differ by this (of logarithms, or V) are the same but for rounding.
_ALIKE = 1e-12


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
    away : ndarray, shape (n_conditions,)
        Mean background of each condition minus the common one (V, or of logarithms).
    reliability : float
        Share of the variance of the background within conditions that is not measurement error.
    slope : float
        Change of the response with the background; NaN where the background does not vary.
    response : dict of str to ndarray, or None
        What :func:`responded` says of the trials of each condition.
    """

    names: list[str]
    levels: np.ndarray
    covariance: np.ndarray
    freedom: float
    at: float
    n: dict[str, int]
    n_rejected: dict[str, int]
    span: dict[str, tuple[float, float, float]]
    away: np.ndarray
    reliability: float
    slope: float
    response: dict[str, np.ndarray] | None = None

    def interval(self, weights: np.ndarray) -> tuple[float, float, float]:
        """A sum of levels with its interval, which holds for a background seen with or without error.

        An error of the background makes the slope too flat, by the reliability; the levels move with the slope as far
        as their condition's mean background is away.
        """
        away = float(weights @ self.away)
        if np.isnan(self.slope) and abs(away) > _ALIKE:  # nothing tells what the difference of background made
            return np.nan, np.nan, np.nan
        if self.freedom < 1:
            return float(weights @ self.levels), np.nan, np.nan
        steeper = -(1 / self.reliability - 1) * away
        exact, freed = (self._limits(np.append(weights, slope)) for slope in (0.0, steeper))
        return exact[0], min(exact[1], freed[1]), max(exact[2], freed[2])

    def _limits(self, weights: np.ndarray) -> tuple[float, float, float]:
        value = float(weights @ np.append(self.levels, np.nan_to_num(self.slope)))
        error = float(np.sqrt(max(weights @ self.covariance @ weights, 0.0)))
        reach = float(stdtrit(self.freedom, (1 + LEVEL) / 2)) * error
        return value, value - reach, value + reach


def adjust(
    table: pd.DataFrame, of: str, background: str, at: float, logarithm: bool, error: float = USUAL_ERROR
) -> Adjusted:
    """Fit all conditions of a table at once.

    ``at`` is the background to adjust to (V); NaN takes the median of all trials used. ``error`` is the relative
    standard error of one trial's background.
    """
    if not 0 <= error < 1:
        raise ValueError(f"background_error = {error:g} must be a share of the background from 0 to 1, such as 0.15")
    if at < 0 or (logarithm and at == 0):
        raise ValueError(f"at = {at:g} must be a background above 0 (V), such as 20e-6")
    response, level = numbers(table, of), numbers(table, background)
    kept = is_kept(table)
    labels = list(conditions(table)) if "condition" in table else ["all"] * len(table)
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
    away = np.array([x[condition[used] == name].mean() for name in names])
    groups = np.column_stack([condition[used] == name for name in names]).astype(float) if names else np.empty((0, 0))
    varies = bool(names) and bool(np.any(np.abs(x - groups @ away) > max(_ALIKE, 1e-9 * float(np.abs(x).max()))))
    design = np.column_stack([groups, x]) if varies else groups
    levels, covariance, freedom = _least_squares(design, y)
    if not varies:
        covariance = np.pad(covariance, (0, 1))
    seen = 1.0 if logarithm else float(np.mean(level[used] ** 2)) if names else 1.0
    reliability = _reliability(x, condition[used], names, error**2 * seen)
    found = responded(table, of)
    told = None if found is None else {name: found[known & (condition == name)] for name in counts}
    fit = levels[: len(names)], covariance, freedom, at, counts, lost, spans, away, reliability
    return Adjusted(names, *fit, float(levels[-1]) if varies else np.nan, told)


def _reliability(x: np.ndarray, condition: np.ndarray, names: list[str], noise: float) -> float:
    """Share of the variance within conditions that the error of one trial's background does not explain."""
    freedom = x.size - len(names)
    if freedom < 1:
        return 1.0
    variance = sum(float(np.sum((part - part.mean()) ** 2)) for name in names if (part := x[condition == name]).size)
    variance /= freedom
    return float(np.clip(1 - noise / variance, LEAST_RELIABLE, 1.0)) if variance > 0 else 1.0


def _least_squares(design: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    n, k = design.shape
    if n == 0:
        return np.empty(0), np.empty((k, k)), 0.0
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    inverse = np.linalg.pinv((design / scale).T @ (design / scale)) / np.outer(scale, scale)
    values = inverse @ design.T @ y
    pull = np.einsum("ij,jk,ik->i", design, inverse, design)
    residual = (y - design @ values) / np.maximum(1 - pull, 1e-6)
    covariance = inverse @ (design.T * residual**2) @ design @ inverse
    return values, covariance, float(n - k)
