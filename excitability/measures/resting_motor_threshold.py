"""Resting motor threshold by every method in use (Rossini et al. 2015)."""

from __future__ import annotations

import pandas as pd

from ..schema import Estimate
from ._registry import measure
from ._thresholds import thresholds


@measure(kind="summary", unit="%MSO", over="table", references=["10.1016/j.clinph.2015.02.001"])
def resting_motor_threshold(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    by: str = "intensity",
    criterion: float = 50e-6,
) -> dict[str, Estimate]:
    """Intensity at which half of the pulses evoke a response at rest, by every method in use.

    Any sequence of single pulses will do: a descending staircase, an adaptive search, a recruitment curve. A response
    has at least the criterion size. Where the background reaches that size by itself (7 times its median RMS; flag
    ``criterion_below_noise``), a response must also stand out of it: ``mep_probability`` of at least a half decides
    where it was measured, else the background of the trial. Elsewhere all count, and where many of them probably are
    none, the flag is ``some_responses_doubtful``.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel; paired pulses and rejected rows are left out.
    of : str
        Column with the size of the response.
    by : str
        Column with the intensity; the unit of the result assumes %MSO.
    criterion : float
        Smallest response (V).

    Returns
    -------
    dict of Estimate
        ``resting_motor_threshold`` is the preferred estimate: Bayesian, with the spread unknown. Beside it, ending in
        the method: ``_relative_frequency`` (Rossini–Rothwell, half of the responses and more), ``_mills_nithi`` (middle
        of two levels), ``_mlpest`` (maximum likelihood, relative spread 0.07; Bayesian interval), ``_bayesian``,
        ``_stochastic_approximation`` (where that search ended, for trials it led), ``_regression`` (log amplitude on
        intensity).
        Flags, all with NaN: ``ceiling`` (no threshold up to 100 %MSO: right-censored, ``ci_low`` is what is known),
        ``above_tested_range``, ``below_tested_range``, ``few_trials_per_level``, ``few_intensities``,
        ``slope_unknown``, ``inconsistent_responses``, ``no_level_with_responses_only`` and
        ``no_level_without_responses`` (Mills–Nithi needs both), ``not_led_by_stochastic_approximation``,
        ``no_trials``; with a value: ``criterion_below_noise``, ``some_responses_doubtful``.

    Notes
    -----
    Nominal 95 % intervals cover 95 % (Bayesian, and maximum likelihood, which has the same one; 98 % after an adaptive
    search, which says nothing about the spread) over spreads of 0.05–0.10 and three shapes of curve. That of
    stochastic approximation covers 89–95 %. Relative frequency and Mills–Nithi have no model of sampling: their
    intervals are wide (99 %), and the first finds thresholds 1–2 %MSO too high.
    ``benchmarks/threshold_and_curve_calibration.py`` repeats this.

    Raises
    ------
    ValueError
        For an unknown column.

    Examples
    --------
    >>> intensity = [44.0] * 10 + [46.0] * 10 + [48.0] * 10 + [50.0] * 10
    >>> large = [0] * 10 + [1] * 2 + [0] * 8 + [1] * 6 + [0] * 4 + [1] * 10
    >>> table = pd.DataFrame({"intensity": intensity, "mep_amplitude": [1e-5 + 1e-4 * each for each in large]})
    >>> threshold = resting_motor_threshold(table)
    >>> threshold["resting_motor_threshold_relative_frequency"] == 48
    True
    >>> 46 < threshold["resting_motor_threshold"] < 49
    True
    """
    return thresholds(table, "resting_motor_threshold", of, by, criterion)
