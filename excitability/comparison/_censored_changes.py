"""Thresholds above the maximum output among the changes of a comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from .estimation import Contrast, StatedContrast
from .tobit import tobit_changes

_NOTHING = Contrast(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class TobitContrast(StatedContrast):
    """A change with the limits and the p value of its profile likelihood."""

    flag: str
    n: int
    n_censored: int


@dataclass(frozen=True)
class TobitFit:
    """Changes of groups in which some thresholds are known only to lie above a limit."""

    table: pd.DataFrame  # of tobit_changes, the groups named by their numbers

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate the change of one group or the difference of two; nothing else can be asked for."""
        used = np.flatnonzero(weights)
        if not (weights[used[0]] == 1 and (len(used) == 1 or (len(used) == 2 and weights[used[1]] == -1))):
            return _NOTHING
        row = self.table[self.table["group"] == " - ".join(map(str, used))].to_dict("records")[0]
        low, high, df = (float(row[name]) for name in ("ci_low", "ci_high", "df"))
        bounded = math.isfinite(low) and math.isfinite(high) and df >= 1
        error = (high - low) / 2 / float(special.stdtrit(df, 0.975)) if bounded else math.nan
        known = (float(row["estimate"]), error, df, (low, high), float(row["p_value"]), str(row["flag"]))
        return TobitContrast(*known, int(row["n"]), int(row["n_censored"]))


def censored_fit(values: np.ndarray, limits: np.ndarray, groups: np.ndarray) -> TobitFit | None:
    """Fit of people whose two thresholds are known or known to lie above a limit.

    Parameters
    ----------
    values, limits : ndarray, shape (n_people, 2)
        Before and after; where there is no value there is a limit.
    groups : ndarray of int, shape (n_people,)
        Numbered from 0.
    """
    if not len(values):
        return None
    order = np.argsort(groups, kind="stable")  # differences are named in order of appearance
    values, limits = values[order], limits[order]
    censored = ~np.isfinite(values)
    known = np.where(censored, limits, values)
    names = groups[order].astype(str)
    return TobitFit(tobit_changes(known[:, 0], known[:, 1], censored[:, 0], censored[:, 1], names))


def in_words(contrast: Contrast) -> str:
    """What was done, for the column ``model``."""
    if not isinstance(contrast, TobitContrast):
        return "Tobit"
    df = f", df = {contrast.df:.1f}" if math.isfinite(contrast.df) else ""
    return f"Tobit, {contrast.n_censored} of {contrast.n} people with a threshold above the limit{df}"
