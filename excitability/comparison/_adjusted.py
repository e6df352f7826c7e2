"""What an adjustment for covariates makes of an estimate, in a flag and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..schema import display, join_flags

#: Columns that hold what a study gives to people, by lot or in turn; any other parts people who differ beforehand.
GIVEN = ("arm", "treatment", "intervention", "condition", "allocation")


def adjusted_for(names: Sequence[str]) -> str:
    """What an estimate is adjusted for, as it stands in a sentence.

    >>> adjusted_for(["pain_intensity", "baseline"])
    'adjusted for pain_intensity, the baseline'
    """
    return "adjusted for " + ", ".join("the baseline" if name == "baseline" else name for name in names)


def adjustment(
    columns: Sequence[str],
    values: np.ndarray,
    everyone: np.ndarray,
    members: Sequence[np.ndarray],
    groups: Sequence[str],
    by: str | None,
    unit: str = "",
) -> tuple[str, str]:
    """Flags of an adjusted estimate, and what its reader is told beyond the numbers.

    An adjusted estimate of a group is about people with the mean covariate of all groups together; where the group has
    none on both sides of that mean, it is a guess along the common slope.

    Parameters
    ----------
    columns : sequence of str
        The covariate that each column of values is of.
    values : ndarray, shape (n_units, n_columns)
    everyone : ndarray of bool, shape (n_units,)
        The units that enter the fit.
    members : sequence of ndarray of bool
        The units of each group of the estimate.
    groups : sequence of str
        How each group is called in a sentence.
    by : str or None
    unit : str
        Unit of the baseline, "log V" for logarithms of volts.
    """
    if not columns:
        return "", ""
    told, flag, several = [], "", len(members) > 1 or bool((everyone & ~members[0]).any())
    for name, column in zip(columns, values.T, strict=True):
        of = unit if name == "baseline" else ""
        if not several or not everyone.any():
            continue
        mean, beside = float(column[everyone].mean()), []
        for member, group in zip(members, groups, strict=True):
            own = column[member]
            if len(own) and not own.min() <= mean <= own.max():
                low, high = _shown(own.min(), of), _shown(own.max(), of)
                beside.append(f"{group} has {low if low == high else f'{low} to {high}'}")
        if beside:
            flag = "covariate_groups_apart"
            what = "a baseline" if name == "baseline" else name
            told.append(
                f"Extrapolated: this is for {what} of {_shown(mean, of)}, the mean of all, but {' and '.join(beside)}."
            )
    by_lot = ""
    if "baseline" in columns and several and by not in GIVEN:
        by_lot = "baseline_not_by_lot"
        if len(members) > 1:
            told.append(
                "Caution: adjusting for the baseline compares groups drawn by lot; groups that start apart differ by "
                "the adjustment alone, so read it beside the difference without it."
            )
    flags = join_flags("covariate_adjusted", flag, by_lot)
    return flags, " ".join(told)


def _shown(value: float, unit: str) -> str:
    if unit.startswith("log "):
        value, unit = math.exp(value), unit.removeprefix("log ")
    factor, label = display(unit, value)
    return (f"{value * factor:.3g}".replace("-", "−") + f" {label}").rstrip()
