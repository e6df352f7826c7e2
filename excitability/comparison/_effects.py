"""Standardised sizes of the rows of a comparison, with intervals by the noncentral t."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .effect_sizes import noncentrality_interval, small_sample_correction
from .estimation import Contrast


@dataclass(frozen=True)
class Effect:
    """An effect size by its name."""

    name: str = ""
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


NONE = Effect()


def of_change(
    samples: Sequence[np.ndarray], contrast: Contrast, n: int, *, crossed: bool = False, pooled: bool = False
) -> Effect:
    """Hedges g_av of the change of one group, Morris d_ppc2 of a difference of changes, on the scale of the estimate.

    Parameters
    ----------
    samples : sequence of ndarray, shape (n_people, 2)
        Values before and after, one array a group or arm.
    contrast : Contrast
        The estimate, which covariates or single trials may have gone into.
    n : int
        People.
    crossed : bool
        Whether the same people are in both arms.
    pooled : bool
        Whether the interval is that of Morris's d with one variance of the changes; else that of the contrast.
    """
    if min(map(len, samples)) < 2:
        return NONE
    df = n - 1 if crossed else n - len(samples)
    if len(samples) == 1:
        divisor = float((samples[0][:, 0].std(ddof=1) + samples[0][:, 1].std(ddof=1)) / 2)
        return _standardised("g_av", contrast, divisor, df)
    free = sum(len(sample) - 1 for sample in samples)
    divisor = math.sqrt(sum((len(s) - 1) * float(s[:, 0].var(ddof=1)) for s in samples) / free)
    error = math.nan
    if pooled and len(samples) == 2:
        squares = sum((len(s) - 1) * float((s[:, 1] - s[:, 0]).var(ddof=1)) for s in samples)
        error = math.sqrt(squares / free * sum(1 / len(s) for s in samples))
    return _standardised("d_ppc2", contrast, divisor, df, error)


def of_level(
    samples: Sequence[np.ndarray], contrast: Contrast, *, paired: bool = False, pooled: bool = False
) -> Effect:
    """Hedges' g of two groups at one time point, by their pooled standard deviation."""
    if len(samples) < 2 or min(map(len, samples)) < 2:
        return NONE
    free = sum(len(sample) - 1 for sample in samples)
    divisor = math.sqrt(sum((len(s) - 1) * float(s.var(ddof=1)) for s in samples) / free)
    error = divisor * math.sqrt(sum(1 / len(s) for s in samples)) if pooled else math.nan
    df = free // 2 if paired else free
    return _standardised("hedges_g", contrast, divisor, df, error, corrected_limits=True)


def _standardised(
    name: str, contrast: Contrast, divisor: float, df: int, error: float = math.nan, *, corrected_limits: bool = False
) -> Effect:
    """Estimate by a divisor; the limits from the noncentrality of its t, by ``error`` or the contrast's own error.

    The correction for bias stays out of the limits but for Hedges' g (see :mod:`.effect_sizes`).
    """
    if not divisor > 0:
        return NONE
    factor = small_sample_correction(df)
    value = factor * contrast.estimate / divisor
    free = float(df)
    if not error > 0:
        error = contrast.standard_error
        free = round(contrast.df, 1) if math.isfinite(contrast.df) else free
    if not (error > 0 and free >= 1 and math.isfinite(value)):
        return Effect(name, value)
    low, high = noncentrality_interval(contrast.estimate / error, free)
    scale = error / divisor * (factor if corrected_limits else 1.0)
    return Effect(name, value, scale * low, scale * high)
