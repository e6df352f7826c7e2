"""Difference of two levels of trials, or of two levels at once, with its interval."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from ..schema import unknown_word
from ._tables import FEWEST, LEVEL, median_interval

STATISTICS = ("mean", "median", "minimum")


def check_statistic(statistic: str) -> None:
    """Refuse a statistic that latencies are not summarised by."""
    if statistic not in STATISTICS:
        raise ValueError(unknown_word("statistic", statistic, STATISTICS))


def level_of(values: np.ndarray, statistic: str) -> float:
    """Mean, median or minimum of values that are all finite."""
    if statistic == "median":
        return float(np.median(values))
    return float(values.min() if statistic == "minimum" else values.mean())


def welch(variances: np.ndarray, freedoms: np.ndarray) -> float:
    """Half width of the interval of a sum of independent means with these variances (of the means)."""
    total = float(variances.sum())
    spread = float((variances**2 / np.maximum(freedoms, 1)).sum())
    freedom = total**2 / spread if spread > 0 else 1.0
    return float(stdtrit(freedom, (1 + LEVEL) / 2)) * float(np.sqrt(total))


def difference_of_levels(values: np.ndarray, reference: np.ndarray, statistic: str) -> tuple[float, float, float]:
    """Level of ``values`` minus that of ``reference``, with its interval.

    Means get Welch's interval; medians one that recovers the errors of the two from their own intervals (Zou &
    Donner 2008); minima none, for the minimum of few trials says nothing of how far it would move with more.
    """
    value = level_of(values, statistic) - level_of(reference, statistic)
    if statistic == "minimum" or min(values.size, reference.size) < FEWEST:
        return value, np.nan, np.nan
    if statistic == "mean":
        parts = np.array([part.var(ddof=1) / part.size for part in (values, reference)])
        reach = welch(parts, np.array([values.size - 1, reference.size - 1]))
        return value, value - reach, value + reach
    (low, high), (other_low, other_high) = median_interval(values), median_interval(reference)
    middle, other = float(np.median(values)), float(np.median(reference))
    return (
        value,
        value - float(np.hypot(middle - low, other_high - other)),
        value + float(np.hypot(high - middle, other - other_low)),
    )
