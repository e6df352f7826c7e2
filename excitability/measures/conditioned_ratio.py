"""Size of the conditioned response relative to the test response (Kujirai et al. 1993)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..schema import Estimate, join_flags, unknown_word
from ._registry import measure
from ._tables import FEWEST, LEVEL, is_kept, level, log_level, nothing, numbers, responded, with_condition

FORMS = ("ratio", "log_ratio", "percent", "percent_inhibition")


@measure(
    kind="summary",
    unit="1",
    form="ratio",
    over="conditioned",
    references=["10.1113/jphysiol.1993.sp019912"],
)
def conditioned_ratio(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    test: str = "test",
    form: Literal["ratio", "log_ratio", "percent", "percent_inhibition"] = "ratio",
    aggregate: Literal["mean", "median", "geometric_mean"] = "mean",
) -> Estimate | dict[str, Estimate]:
    """Ratio of the mean conditioned to the mean test response, for each condition.

    ``R = mean(conditioned) / mean(test)``: below 1 is inhibition, above 1 facilitation. Single trials are never
    divided by each other, which would be biased. The 95 % interval is built on ``ln R``, with the variances of
    the two levels added and Welch's degrees of freedom.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel. ``condition`` names test and conditioned trials; where it is missing, trials
        with an ``inter_stimulus_interval`` are conditioned and labelled ``isi_0.0025`` (seconds).
    of : str
        Column with the size of the response: an amplitude or an area.
    test : str
        Condition of the unconditioned trials. In a SICF session these are the first pulse alone.
    form : {"ratio", "log_ratio", "percent", "percent_inhibition"}
        ``R``, ``ln R``, ``100 R`` or ``100 (1 − R)``.
    aggregate : {"mean", "median", "geometric_mean"}
        Level that is compared; the mean is the convention.

    Returns
    -------
    Estimate or dict of Estimate
        One for each conditioned condition; the Estimate itself where there is only one. ``n`` counts conditioned
        trials. Flags: ``no_trials``, ``no_test_trials``, ``few_trials``, ``test_at_noise_floor`` (NaN: nothing
        to divide by), ``conditioned_at_noise_floor`` (most conditioned trials hold no response: the ratio is an
        upper limit, and ``ci_low`` counts these responses as zero), ``non_positive``.

    Raises
    ------
    ValueError
        For an unknown column, form or aggregate.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> table = pd.DataFrame({
    ...     "pulse_count": [1] * 20 + [2] * 20,
    ...     "inter_stimulus_interval": [np.nan] * 20 + [0.0025] * 20,
    ...     "mep_amplitude": np.r_[1e-3 * rng.lognormal(0, 0.5, 20), 4e-4 * rng.lognormal(0, 0.5, 20)],
    ... })
    >>> sici = conditioned_ratio(table)
    >>> sici < 1, bool(sici.ci_low < 0.4 < sici.ci_high), sici.n
    (True, True, 20)
    """
    if form not in FORMS:
        raise ValueError(unknown_word("form", form, FORMS))
    table = with_condition(table, test)
    condition = table["condition"].fillna("").astype(str)
    names = list(dict.fromkeys(name for name in condition if name not in ("", test)))
    tests = _trials(table[condition == test], of)
    ratios = {
        name: in_form(_ratio(_trials(table[condition == name], of), tests, aggregate), form) for name in sorted(names)
    }
    return next(iter(ratios.values())) if len(ratios) == 1 else ratios


def _trials(table: pd.DataFrame, of: str) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Values of the kept trials, whether each is a response, and how many trials were rejected."""
    kept = is_kept(table)
    values, response = numbers(table, of), responded(table, of)
    known = kept & np.isfinite(values)
    return values[known], None if response is None else response[known], int((~kept).sum())


def _ratio(conditioned: tuple, tests: tuple, aggregate: str) -> Estimate:
    values, response, n_rejected = conditioned
    baseline, test_response, _ = tests
    n = values.size
    if n == 0 or baseline.size == 0:
        return nothing("no_trials" if n == 0 else "no_test_trials", n, n_rejected)
    if test_response is not None and test_response.mean() < 0.5:
        return nothing("test_at_noise_floor", n, n_rejected)
    ratio, low, high = ratio_of_levels(values, baseline, aggregate)
    flag = "" if np.isfinite(ratio) else "non_positive"
    if np.isfinite(ratio) and not np.isfinite(low):
        flag = "few_trials"
    if response is not None and response.mean() < 0.5:
        flag = join_flags(flag, "conditioned_at_noise_floor")
        smallest = np.where(response, values, 0.0)  # a response hidden in noise lies between 0 and what was measured
        low = min(low, ratio_of_levels(smallest, baseline, "mean")[1] if response.sum() > 1 else 0.0)
    return Estimate(ratio, low, high, n=n, flag=flag, n_rejected=n_rejected)


def ratio_of_levels(values: np.ndarray, baseline: np.ndarray, aggregate: str) -> tuple[float, float, float]:
    """Ratio of two levels with its interval, built on the logarithm."""
    if aggregate == "median":
        return _ratio_of_medians(values, baseline)
    if aggregate not in ("mean", "geometric_mean"):
        raise ValueError(unknown_word("aggregate", aggregate, ["mean", "median", "geometric_mean"]))
    if aggregate == "geometric_mean" and min(values.min(), baseline.min()) <= 0:
        return np.nan, np.nan, np.nan
    if min(values.mean(), baseline.mean()) <= 0:
        return np.nan, np.nan, np.nan
    (top, top_variance, top_df), (base, base_variance, base_df) = (
        log_level(part, aggregate) if part.min() > 0 else _signed_level(part) for part in (values, baseline)
    )
    variance = top_variance + base_variance
    if not np.isfinite(variance):
        return float(np.exp(top - base)), np.nan, np.nan
    spread = top_variance**2 / max(top_df, 1) + base_variance**2 / max(base_df, 1)
    df = variance**2 / spread if spread > 0 else 1.0
    reach = float(stdtrit(df, (1 + LEVEL) / 2)) * np.sqrt(variance)
    return tuple(float(np.exp(top - base + step)) for step in (0.0, -reach, reach))  # type: ignore[return-value]


def _signed_level(values: np.ndarray) -> tuple[float, float, float]:
    """Log of a mean whose trials may be zero or negative (background-subtracted areas)."""
    n, mean = values.size, values.mean()
    return float(np.log(mean)), float(values.var(ddof=1) / mean**2 / n) if n >= FEWEST else np.nan, n - 1


def _ratio_of_medians(values: np.ndarray, baseline: np.ndarray) -> tuple[float, float, float]:
    """Ratio of medians; its interval recovers the variances from the two intervals (Zou & Donner 2008)."""
    (top, top_low, top_high), (base, base_low, base_high) = level(values, "median"), level(baseline, "median")
    if min(top, base) <= 0:
        return np.nan, np.nan, np.nan
    ratio = top / base
    if not np.all(np.isfinite([top_low, top_high, base_low, base_high])) or min(top_low, base_low) <= 0:
        return ratio, np.nan, np.nan
    down = np.hypot(np.log(top / top_low), np.log(base_high / base))
    up = np.hypot(np.log(top_high / top), np.log(base / base_low))
    return ratio, float(ratio * np.exp(-down)), float(ratio * np.exp(up))


def in_form(ratio: Estimate, form: str) -> Estimate:
    """A ratio as ``ln R``, ``100 R`` or ``100 (1 − R)``."""
    value, low, high = float(ratio), ratio.ci_low, ratio.ci_high
    if form == "log_ratio":
        with np.errstate(divide="ignore"):
            value, low, high = (float(np.log(number)) for number in (value, low, high))
    elif form == "percent":
        value, low, high = 100 * value, 100 * low, 100 * high
    elif form == "percent_inhibition":
        value, low, high = 100 * (1 - value), 100 * (1 - high), 100 * (1 - low)
    return Estimate(value, low, high, ratio.n, ratio.flag, ratio.n_rejected)
