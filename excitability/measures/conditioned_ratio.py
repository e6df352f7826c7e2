"""Size of the conditioned response relative to the test response (Kujirai et al. 1993)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags, unknown_word
from ._ratios import Trials, noise_floor_limits, ratio_of_levels
from ._registry import measure
from ._tables import noise_floor_flags, nothing, with_condition

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
    second: str | None = None,
    form: Literal["ratio", "log_ratio", "percent", "percent_inhibition"] = "ratio",
    aggregate: Literal["mean", "median", "geometric_mean"] = "mean",
) -> Estimate | dict[str, Estimate]:
    """Ratio of the mean conditioned to the mean test response, for each condition.

    ``R = mean(conditioned) / mean(test)``: below 1 is inhibition, above 1 facilitation. Single trials are never
    divided by each other, which would be biased. The 95 % interval is built on ``ln R``, with the variances of
    the two levels added and Welch's degrees of freedom; for values that may be negative it is Fieller's. Where the
    table has ``background_emg``, the interval of peak-to-peak amplitudes also holds the ratio without what noise adds
    to them: noise draws small ratios towards 1. It covers 94–98 % of independent trials from 8 a condition on, of every
    aggregate, and of conditions that are interleaved in a drifting session; 85–91 % where they follow one another in
    blocks and each trial is like the one before (correlation 0.3).

    Parameters
    ----------
    table : DataFrame
        Trials of one channel. ``condition`` names test and conditioned trials; where it is missing, trials
        with an ``inter_stimulus_interval`` are conditioned and labelled ``isi_0.0025`` (seconds).
    of : str
        Column with the size of the response: an amplitude or an area.
    test : str
        Condition of the unconditioned trials. In a SICF session these are the first pulse alone.
    second : str, optional
        Condition of the second pulse alone, where that evokes responses (SICF): the conditioned response is then
        compared with the sum of both, ``R = mean(pair) / (mean(first) + mean(second))``.
    form : {"ratio", "log_ratio", "percent", "percent_inhibition"}
        ``R``, ``ln R``, ``100 R`` or ``100 (1 − R)``; ``ln R`` has no lower limit where that of ``R`` is 0.
    aggregate : {"mean", "median", "geometric_mean"}
        Level that is compared; the mean is the convention.

    Returns
    -------
    Estimate or dict of Estimate
        One for each conditioned condition; the Estimate itself where there is only one. ``n`` counts conditioned
        trials. Flags: ``no_trials``, ``no_test_trials``, ``few_trials``, ``test_at_noise_floor`` (NaN: nothing
        to divide by), ``conditioned_at_noise_floor`` (most conditioned trials hold no response: the ratio is an
        upper limit, and ``ci_low`` counts these responses as zero), ``conditioned_at_noise_floor_in_some`` (at least
        a fifth hold none), ``baseline_is_sum`` (``second`` was given), ``non_positive`` (NaN; the interval begins at
        0 where the conditioned level alone is not positive).

    Raises
    ------
    ValueError
        For an unknown column, form or aggregate, and a sum of other levels than means.

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
    names = sorted(set(condition) - {"", test, second})
    bases = tuple(Trials(table[condition == name], of) for name in (test, second) if name is not None)
    ratios = {name: in_form(_ratio(Trials(table[condition == name], of), bases, aggregate), form) for name in names}
    return next(iter(ratios.values())) if len(ratios) == 1 and second is None else ratios


def _ratio(conditioned: Trials, bases: tuple[Trials, ...], aggregate: str) -> Estimate:
    n, lost = conditioned.size.size, conditioned.n_rejected
    if n == 0 or any(base.size.size == 0 for base in bases):
        return nothing("no_trials" if n == 0 else "no_test_trials", n, lost)
    floor, at_floor = noise_floor_flags(bases[0].response, conditioned.response)
    if floor:
        return nothing(floor, n, lost)
    measured = ratio_of_levels(conditioned.size, bases[0].size, aggregate, *(base.size for base in bases[1:]))
    low, high = noise_floor_limits(conditioned, bases, aggregate, measured)
    ratio, flag = measured[0], ""
    if not np.isfinite(ratio) or ratio <= 0:
        ratio, flag = np.nan, "non_positive"
    elif not np.isfinite(low):
        flag = "few_trials"
    flag = join_flags(flag, at_floor, "baseline_is_sum" if len(bases) > 1 else "")
    return Estimate(ratio, low, high, n, flag, lost)


def in_form(ratio: Estimate, form: str) -> Estimate:
    """A ratio as ``ln R``, ``100 R`` or ``100 (1 − R)``; the logarithm of a limit at zero is NaN: an open interval."""
    value, low, high = float(ratio), ratio.ci_low, ratio.ci_high
    if form == "log_ratio":
        value, low, high = (float(np.log(number)) if number > 0 else np.nan for number in (value, low, high))
    elif form == "percent":
        value, low, high = 100 * value, 100 * low, 100 * high
    elif form == "percent_inhibition":
        value, low, high = 100 * (1 - value), 100 * (1 - high), 100 * (1 - low)
    return Estimate(value, low, high, ratio.n, ratio.flag, ratio.n_rejected)
