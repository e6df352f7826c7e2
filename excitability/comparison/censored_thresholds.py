"""Thresholds of a result table compared between time points, those above the stimulator's maximum included."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import unknown_word
from ._labels import as_text, some
from .design import level_column
from .tobit import tobit_changes

_SERIES = ["protocol", "channel", "condition"]


def compare_thresholds(
    results: pd.DataFrame,
    measure: str = "resting_motor_threshold",
    within: str = "session",
    before: str = "pre",
    after: str = "post0",
    by: str | None = None,
    maximum: float = 100.0,
) -> pd.DataFrame:
    """Compare a threshold between two time points without losing those above the maximum output.

    A row with the flag ``ceiling`` has no value, but is known to lie above ``maximum``; one with the flag
    ``above_tested_range`` lies above its ``ci_low``. :func:`tobit_changes` takes them as such.

    Parameters
    ----------
    results : DataFrame
        Result table with ``participant``, ``measure``, ``value``, ``flag`` and the level column.
    measure : str
        A threshold in %MSO.
    within, before, after : str
        Column of the levels, and the two that are compared; see :func:`compare`.
    by : str, optional
        Column that parts the participants into groups.
    maximum : float
        Largest output (%MSO).

    Returns
    -------
    DataFrame
        ``protocol``, ``channel``, ``condition``, ``measure``, ``contrast``, and the columns of :func:`tobit_changes`.

    Raises
    ------
    ValueError
        For unknown columns, measures and levels, and for two values of a participant at one level.

    Examples
    --------
    >>> import pandas as pd
    >>> before, after = [52.0, 61, 70, 95, 66, 58], [55.0, 66, 71, None, 72, 60]
    >>> results = pd.DataFrame({"participant": list("abcdef") * 2, "timepoint": ["pre"] * 6 + ["post0"] * 6,
    ...     "protocol": "m1/rmt", "channel": "FDI", "condition": "all", "measure": "resting_motor_threshold",
    ...     "value": before + after, "ci_low": None, "flag": [""] * 9 + ["ceiling"] + [""] * 2})
    >>> found = compare_thresholds(results)
    >>> found[["contrast", "n", "n_censored"]].values.tolist(), bool(found["estimate"][0] > 3)
    ([['post0 - pre', 6, 1]], True)
    """
    level_name = level_column(results, within)
    for name in ("participant", "measure", "value", "flag", *([] if by is None else [by])):
        if name not in results:
            raise ValueError("result table: " + unknown_word("column", name, map(str, results.columns)))
    rows = results[as_text(results["measure"]).eq(measure)].copy()
    if not len(rows):
        raise ValueError(unknown_word("measure", measure, sorted(set(as_text(results["measure"])) - {""})))
    rows["_level"] = as_text(rows[level_name])
    for level in (before, after):
        if not rows["_level"].eq(level).any():
            raise ValueError(unknown_word(level_name, level, sorted(set(rows["_level"]) - {""})))
    rows = rows[rows["_level"].isin([before, after])]
    for name in _SERIES:
        rows[name] = as_text(rows[name]) if name in rows else ""
    keys = [*_SERIES, "participant", "_level"]
    twice = rows.duplicated(keys, keep=False)
    if twice.any():
        raise ValueError(
            f"{measure!r} has more than one value of a participant at one {level_name}: rows "
            f"{some(rows.index[twice])}. Keep one"
        )
    rows["_value"], rows["_censored"] = _known(rows, maximum)
    parts = [_compared(part, before, after, by) for _, part in rows.groupby(_SERIES, sort=True)]
    table = pd.concat(parts, ignore_index=True)
    table.insert(3, "measure", measure)
    table.insert(4, "contrast", f"{after} - {before}")
    return table


def _known(rows: pd.DataFrame, maximum: float) -> tuple[np.ndarray, np.ndarray]:
    """Value or limit of each row, and whether it is a limit."""
    value = pd.to_numeric(rows["value"], errors="coerce").to_numpy(dtype=float)
    words = ";" + as_text(rows["flag"]) + ";"
    ceiling = words.str.contains(";ceiling;", regex=False).to_numpy(dtype=bool)
    above = words.str.contains(";above_tested_range;", regex=False).to_numpy(dtype=bool)
    low = rows["ci_low"] if "ci_low" in rows else pd.Series(np.nan, rows.index)
    limit = np.where(ceiling, maximum, np.where(above, pd.to_numeric(low, errors="coerce").astype(float), np.nan))
    censored = ~np.isfinite(value) & np.isfinite(limit)
    return np.where(censored, limit, value), censored


def _compared(part: pd.DataFrame, before: str, after: str, by: str | None) -> pd.DataFrame:
    values = part.pivot(index="participant", columns="_level", values="_value").reindex(columns=[before, after])
    limits = part.pivot(index="participant", columns="_level", values="_censored").reindex(columns=[before, after])
    limits = limits.eq(True)
    groups = None if by is None else as_text(part.groupby("participant")[by].first()).to_numpy(dtype=str)
    found = tobit_changes(
        values[before].to_numpy(), values[after].to_numpy(), limits[before].to_numpy(), limits[after].to_numpy(), groups
    )
    for place, name in enumerate(_SERIES):
        found.insert(place, name, part[name].iloc[0])
    return found
