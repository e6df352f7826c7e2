"""Silent periods of a condition, those that outlast the epoch included."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import log_ndtr, stdtrit

from ..schema import Estimate, join_flags
from ._registry import measure
from ._tables import is_kept, level, nothing, numbers
from .silent_period import OUTLASTS

_NAMES = ("silent_period_censored_mean", "silent_period_censored_median", "silent_period_outlasting")


@measure(
    kind="summary",
    unit={
        "silent_period_censored_mean": "s",
        "silent_period_censored_median": "s",
        "silent_period_outlasting": "1",
    },
    over="condition",
)
def silent_period_summary(
    table: pd.DataFrame, *, of: str = "silent_period", longest: float | None = None
) -> dict[str, Estimate]:
    """Mean and median of the silent periods when some outlast the epoch, and the share that does.

    A trial whose EMG is not back at the end of the epoch has the longest silent period of all: the mean of the others
    is too short. A trial that never fell silent has none, and is left out.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel and one condition, with the column ``flag`` that tells which outlast the epoch; rows
        with a reason in ``reject`` are left out.
    of : str
        Column of the silent period.
    longest : float, optional
        Longest silent period that could be measured, in s: the end of the search less the 10 ms of activity that must
        follow. By default the longest value of the table, which is on the short side.

    Returns
    -------
    dict of Estimate
        ``silent_period_censored_mean`` (s; of a normal distribution by maximum likelihood, jackknife interval: it
        covers 95 % of normal silent periods; of skewed ones 91 % when 15 % of them outlast the epoch and 76–89 % when
        35 % do, for then the tail is not seen, and the median is the number to use),
        ``silent_period_censored_median`` (s; that of Kaplan and Meier, interval of order statistics; NaN when half of
        the trials or more outlast the epoch) and ``silent_period_outlasting`` (share). ``n`` counts the trials with
        a silence. Flags: ``censored``, ``few_trials``, ``no_silent_period``, ``no_trials``.

    Raises
    ------
    ValueError
        For an unknown column.

    Examples
    --------
    >>> from excitability.measures.silent_period import OUTLASTS
    >>> values = np.r_[np.linspace(0.14, 0.20, 10), np.nan, np.nan]
    >>> table = pd.DataFrame({"silent_period": values, "flag": np.where(np.isnan(values), OUTLASTS, "")})
    >>> found = silent_period_summary(table, longest=0.2)
    >>> round(float(found["silent_period_outlasting"]), 3), bool(found["silent_period_censored_mean"] > 0.17)
    (0.167, True)
    """
    kept = is_kept(table)
    n_rejected = int((~kept).sum())
    values = numbers(table, of)[kept]
    flags = table["flag"].fillna("").astype(str).to_numpy()[kept] if "flag" in table else np.full(values.size, "")
    longer = np.isnan(values) & np.array([OUTLASTS in flag.split(";") for flag in flags], dtype=bool)
    known = values[np.isfinite(values)]
    n, n_longer = known.size + int(longer.sum()), int(longer.sum())
    if n == 0:
        return {name: nothing("no_trials" if not values.size else "no_silent_period", 0, n_rejected) for name in _NAMES}
    limit = longest if longest is not None else float(known.max(initial=0.0))
    silent = np.r_[known, np.full(n_longer, np.nan)]
    flag = "censored" if n_longer else ""
    few = join_flags(flag, "few_trials" if known.size < 3 else "")
    median = level(silent, "median") if known.size else (np.nan,) * 3
    estimates = [
        Estimate(*_mean_interval(known, n_longer, limit), n=n, flag=few, n_rejected=n_rejected),
        Estimate(*median, n=n, flag=few, n_rejected=n_rejected),
        Estimate(*_share(n_longer, n), n=n, flag=flag, n_rejected=n_rejected),
    ]
    return dict(zip(_NAMES, estimates, strict=True))


def _censored_mean(known: np.ndarray, n_longer: int, limit: float) -> float:
    """Mean of a normal distribution of which ``n_longer`` values are only known to exceed ``limit``.

    Expectation and maximisation: the censored values are replaced by their expectation until nothing changes.
    """
    if n_longer == 0 or known.size < 2:
        return float(known.mean()) if n_longer == 0 and known.size else np.nan
    n = known.size + n_longer
    mean, spread = float(known.mean()), float(known.std()) + 1e-9
    for _ in range(200):
        z = (limit - mean) / spread
        ratio = float(np.exp(-0.5 * z**2 - log_ndtr(-z)) / np.sqrt(2 * np.pi))  # density over what lies beyond
        beyond = mean + spread * ratio
        square = spread**2 * (1 + z * ratio - ratio**2) + beyond**2
        before = mean
        mean = (known.sum() + n_longer * beyond) / n
        spread = np.sqrt(max((np.sum(known**2) + n_longer * square) / n - mean**2, 1e-12))
        if abs(mean - before) < 1e-7:
            break
    return float(mean)


def _mean_interval(known: np.ndarray, n_longer: int, limit: float) -> tuple[float, float, float]:
    """The censored mean with its interval from leaving out each trial in turn."""
    mean = _censored_mean(known, n_longer, limit)
    if known.size < 3 or not np.isfinite(mean):
        return mean, np.nan, np.nan
    n = known.size + n_longer
    parts = [_censored_mean(np.delete(known, i), n_longer, limit) for i in range(known.size)]
    parts += [_censored_mean(known, n_longer - 1, limit)] * n_longer
    error = np.sqrt((n - 1) / n * np.sum((np.array(parts) - np.mean(parts)) ** 2))
    half = float(stdtrit(max(known.size - 1, 1), 0.975) * error)
    return mean, mean - half, mean + half


def _share(k: int, n: int) -> tuple[float, float, float]:
    """A share with Wilson's interval."""
    z = 1.959964
    share = k / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return share, max(float(centre - reach), 0.0), min(float(centre + reach), 1.0)
