"""Who changes more: the change of a measure as a function of what people were before."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ._association_rows import as_table, slope_row
from ._person_values import Name, adjusting, group_of, person_values
from .associations import parts
from .estimation import Contrast


def moderate(
    results: pd.DataFrame,
    outcome: Name,
    moderator: Name,
    before: str = "pre",
    after: str = "post0",
    within: str = "session",
    by: str | None = None,
    adjust: Sequence[Name] = (),
) -> pd.DataFrame:
    """Ask whether a change depends on what people were before, and whether that differs between groups.

    Parameters
    ----------
    results : DataFrame
        Result table with covariates as columns.
    outcome, moderator : str or mapping
        What changes, and the covariate or measure whose value before may moderate it; named as in
        :func:`associate`.
    before, after, within : str
        As in :func:`compare`.
    by : str, optional
        Column of the groups: a slope in each, and their differences – the moderation of an effect of treatment.
    adjust : sequence
        Values before that enter each group's regression beside the moderator.

    Returns
    -------
    DataFrame
        One row a group and a difference of groups, columns as of :func:`associate`; ``estimate`` is the change of the
        outcome by unit of the moderator (of its logarithm where it is compared as one).

    Raises
    ------
    ValueError
        As :func:`associate`, and for a moderator that is constant.

    Notes
    -----
    Ordinary regression in each group with a variance of its own; differences of slopes have Welch-Satterthwaite
    degrees of freedom. A moderator that is the outcome's own value before is flagged ``coupled``: error of
    measurement alone makes a negative slope (regression to the mean), and no number of people helps.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> n = 24
    >>> activity = rng.normal(2000, 800, n)
    >>> results = pd.DataFrame({"participant": [f"{i:02d}" for i in range(n)] * 2,
    ...     "session": ["pre"] * n + ["post0"] * n, "protocol": "m1/cortical_silent_period", "channel": "FDI",
    ...     "condition": "all", "measure": "silent_period", "unit": "s", "form": "",
    ...     "value": np.r_[np.full(n, 0.15), 0.15 + 1e-5 * activity + rng.normal(0, 0.004, n)],
    ...     "physical_activity": np.r_[activity, activity]})
    >>> found = moderate(results, "silent_period", "physical_activity")
    >>> bool(found["ci_low"][0] < 1e-5 < found["ci_high"][0])
    True
    """
    change = person_values(results, outcome, within, before, after)
    other = person_values(results, moderator, within, before, after, of="before")
    people = change.values.index.union(other.values.index)
    groups = group_of(results, by, people)
    z, names = adjusting(results, tuple(adjust), within, before, people)
    y, m = (held.values.reindex(people).to_numpy(dtype=float) for held in (change, other))
    whole = np.isfinite(y) & np.isfinite(m) & np.isfinite(z).all(axis=1)
    if whole.any() and np.ptp(m[whole]) == 0:
        raise ValueError(f"{other.name!r} is {m[whole][0]:g} in every participant; a constant moderates nothing")
    flag = "coupled" if change.key is not None and change.key == other.key else ""
    held = [part for part in parts(groups, whole) if by is None or part[0] != "all"]
    slopes = {label: slope(y[members], m[members], z[members]) for label, members in held}
    sizes = {label: int(members.sum()) for label, members in held}
    contrast = f"{after} - {before}"
    rows = [slope_row(change, other, name, slopes[name], sizes[name], names, contrast, flag) for name in slopes]
    for one, two in itertools.combinations(slopes, 2):
        found = difference(slopes[one], slopes[two])
        label, n = f"{one} - {two}", sizes[one] + sizes[two]
        rows.append(slope_row(change, other, label, found, n, names, contrast, flag))
    return as_table(rows)


def slope(y: np.ndarray, x: np.ndarray, taken: np.ndarray) -> Contrast:
    """Slope of y on x, with other columns beside it, by ordinary regression."""
    design = np.column_stack([np.ones(len(y)), x - x.mean() if len(x) else x, taken])
    df = len(y) - design.shape[1]
    if df < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return Contrast(math.nan, math.nan, math.nan)
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ y
    variance = float(np.sum((y - design @ coefficients) ** 2)) / df
    return Contrast(float(coefficients[1]), math.sqrt(variance * inverse[1, 1]), df)


def difference(one: Contrast, two: Contrast) -> Contrast:
    """Difference of two independent estimates with Welch-Satterthwaite degrees of freedom."""
    variances = np.array([one.standard_error, two.standard_error]) ** 2
    whole = float(variances.sum())
    if not whole > 0:
        return Contrast(one.estimate - two.estimate, math.sqrt(whole) if whole == 0 else math.nan, math.nan)
    df = whole**2 / float(np.sum(variances**2 / np.array([one.df, two.df])))
    return Contrast(one.estimate - two.estimate, math.sqrt(whole), df)
