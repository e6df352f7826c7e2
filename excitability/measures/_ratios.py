"""Ratio of two levels with its interval, and what the noise floor leaves unknown of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..schema import unknown_word
from ._tables import FEWEST, LEVEL, is_kept, level, log_level, numbers, responded, share_of_responses

AGGREGATES = ("mean", "median", "geometric_mean")
#: Mean peak-to-peak of noise alone in a response window, in units of its RMS (see NOISE_RANGE in ``_tables``).
USUAL_NOISE_RANGE = 5.3
Interval = tuple[float, float, float]
UNKNOWN: Interval = (np.nan, np.nan, np.nan)


class Trials:
    """Kept trials of one condition: size, whether each is a response, and size without what noise adds.

    ``size`` and the others have shape (n_trials,); ``response`` (1, 0, or NaN where nothing tells) and ``noise_free``
    are None where the table cannot tell.
    """

    def __init__(self, table: pd.DataFrame, of: str) -> None:
        kept = is_kept(table)
        values = numbers(table, of)
        known = kept & np.isfinite(values)
        self.size = values[known]
        self.n_rejected = int((~kept).sum())
        found = responded(table, of)
        self.response = None if found is None else found[known]
        self.noise_free = None
        if of == "mep_amplitude" and "background_emg" in table:
            noise = USUAL_NOISE_RANGE * np.nan_to_num(numbers(table, "background_emg")[known])
            rest = self.size**2 - noise**2
            self.noise_free = np.sign(rest) * np.sqrt(np.abs(rest))

    @property
    def share(self) -> float:
        """Share of the trials that hold a response; 1 where the table cannot tell."""
        return share_of_responses(self.response)


def ratio_of_levels(values: np.ndarray, baseline: np.ndarray, aggregate: str, *more: np.ndarray) -> Interval:
    """Ratio of the levels of two sets of trials with its interval; ``more`` baselines are added to the first.

    Positive trials: Welch's interval of the difference of logarithms. Values that may be negative (noise-corrected
    amplitudes, areas net of background): Fieller's. Medians: variances recovered from the intervals of the two.
    """
    if aggregate not in AGGREGATES:
        raise ValueError(unknown_word("aggregate", aggregate, AGGREGATES))
    if more and aggregate != "mean":
        raise ValueError(
            f"aggregate = {aggregate!r}: the sum of two responses has a mean only; give aggregate = 'mean'"
        )
    if aggregate == "median":
        return _ratio_of_medians(values, baseline)
    if aggregate == "geometric_mean" and min(values.min(), baseline.min()) <= 0:
        return UNKNOWN
    if values.min() <= 0 or any(part.min() <= 0 for part in (baseline, *more)):
        return _fieller(values, (baseline, *more))
    top, top_variance, top_df = log_level(values, aggregate)
    base, base_variance, base_df = _log_sum((baseline, *more), aggregate)
    variance = top_variance + base_variance
    ratio = float(np.exp(top - base))
    if not np.isfinite(variance):
        return ratio, np.nan, np.nan
    spread = top_variance**2 / max(top_df, 1) + base_variance**2 / max(base_df, 1)
    df = variance**2 / spread if spread > 0 else 1.0
    reach = float(stdtrit(df, (1 + LEVEL) / 2)) * np.sqrt(variance)
    return ratio, float(np.exp(top - base - reach)), float(np.exp(top - base + reach))


def _log_sum(parts: tuple[np.ndarray, ...], aggregate: str) -> Interval:
    """Logarithm of the sum of the levels of positive trials, its variance and degrees of freedom."""
    found = [log_level(part, aggregate) for part in parts]
    if len(found) == 1:
        return found[0]
    levels = np.exp([centre for centre, _, _ in found])
    variances = (levels / levels.sum()) ** 2 * [variance for _, variance, _ in found]
    spread = float(np.sum(variances**2 / [max(df, 1) for _, _, df in found]))
    df = float(variances.sum()) ** 2 / spread if spread > 0 else 1.0
    return float(np.log(levels.sum())), float(variances.sum()), df


def _fieller(values: np.ndarray, bases: tuple[np.ndarray, ...]) -> Interval:
    """Ratio of means of which the upper may be zero or negative."""
    top, base = float(values.mean()), float(sum(part.mean() for part in bases))
    if base <= 0:
        return UNKNOWN
    if min(len(values), *map(len, bases)) < FEWEST:
        return top / base, np.nan, np.nan
    top_variance = float(values.var(ddof=1)) / len(values)
    parts = [float(part.var(ddof=1)) / len(part) for part in bases]
    ratio, base_variance = top / base, sum(parts)
    spread = top_variance**2 / (len(values) - 1)
    spread += ratio**4 * sum(variance**2 / (len(part) - 1) for variance, part in zip(parts, bases, strict=True))
    variance = top_variance + ratio**2 * base_variance
    df = variance**2 / spread if spread > 0 else 1.0
    t2 = float(stdtrit(max(df, 1.0), (1 + LEVEL) / 2)) ** 2
    square = base**2 - t2 * base_variance
    inside = (top * base) ** 2 - square * (top**2 - t2 * top_variance)
    if square <= 0 or inside < 0:  # the baseline itself may be zero
        return ratio, np.nan, np.nan
    return ratio, float((top * base - np.sqrt(inside)) / square), float((top * base + np.sqrt(inside)) / square)


def _ratio_of_medians(values: np.ndarray, baseline: np.ndarray) -> Interval:
    """Ratio of medians; its interval recovers the variances from the two intervals (Zou & Donner 2008)."""
    (top, top_low, top_high), (base, base_low, base_high) = level(values, "median"), level(baseline, "median")
    if min(top, base) <= 0:
        return UNKNOWN
    ratio = top / base
    if not np.all(np.isfinite([top_low, top_high, base_low, base_high])) or base_low <= 0:
        return ratio, np.nan, np.nan
    up = np.hypot(np.log(top_high / top), np.log(base / base_low))
    if top_low <= 0:
        return ratio, 0.0, float(ratio * np.exp(up))
    down = np.hypot(np.log(top / top_low), np.log(base_high / base))
    return ratio, float(ratio * np.exp(-down)), float(ratio * np.exp(up))


def noise_floor_limits(
    conditioned: Trials, bases: tuple[Trials, ...], aggregate: str, measured: Interval
) -> tuple[float, float]:
    """Interval widened by what noise may have added: it holds for the measured and for the noise-free responses.

    Noise makes a peak-to-peak larger, the small response more than the large one, and so draws ratios towards 1.
    """
    _, low, high = measured
    parts = [part.noise_free for part in (conditioned, *bases)]
    if any(part is None for part in parts):
        free: Interval = UNKNOWN
    else:
        top, base, *more = (part for part in parts if part is not None)
        free = ratio_of_levels(top, base, aggregate, *more)
        if np.isnan(free[0]):
            free = (0.0, 0.0, np.nan)
    if np.isfinite(low):
        low, high = float(np.fmin(low, free[1])), float(np.fmax(high, free[2]))
        if conditioned.share < 0.5 and conditioned.response is not None:
            # a response hidden in noise lies between 0 and what was measured
            smallest = np.where(conditioned.response != 0, conditioned.size, 0.0)
            low = min(low, ratio_of_levels(smallest, bases[0].size, "mean")[1] if smallest.any() else 0.0)
        low = max(low, 0.0)
    if high < 0:  # of signed values that chance made negative altogether
        return np.nan, np.nan
    return low, high
