"""Recruitment (input–output) curve: S50, threshold, plateau, slope and area (Devanne et al. 1997)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..schema import Estimate, join_flags
from ._curve_fit import CurveFit, fit_recruitment_curve
from ._registry import measure
from ._tables import NOISE_RANGE, intensities, is_kept, nothing, numbers, relative_variance, single_pulses

KEYS = ("s50", "recruitment_threshold", "mep_max", "peak_slope", "area_under_curve", "plateau_reached")
#: Share of the plateau that must be reached at the highest intensity.
PLATEAU = 0.9
#: Widest interval of the plateau, upper over lower limit: beyond it the data say nothing about the plateau.
WIDEST = 6.0
#: Peak-to-peak of the background as a share of the plateau from which it bends the curve.
_BACKGROUND = 0.1


@measure(
    kind="summary",
    unit={
        "s50": "%MSO",
        "recruitment_threshold": "%MSO",
        "mep_max": "V",
        "peak_slope": "V/%MSO",
        "area_under_curve": "V*%MSO",
        "plateau_reached": "1",
    },
    over="table",
    references=["10.1007/PL00005641"],
)
def recruitment_curve(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    by: str = "intensity",
    form: Literal["boltzmann", "rectified_logistic", "log_logistic", "best"] = "boltzmann",
) -> dict[str, Estimate]:
    """Fit a recruitment curve to single trials and report what laboratories compare, each with its interval.

    The curve is the mean response at each intensity above a noise floor; trials scatter in proportion to it.
    Single trials are fitted, not their averages, so that unequal numbers of trials carry their own weight.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel; paired pulses and rejected rows are left out.
    of : str
        Column with the size of the response.
    by : str
        Column with the intensity; the units below assume %MSO.
    form : {"boltzmann", "rectified_logistic", "log_logistic", "best"}
        Curve (see ``excitability.measures.curves``); ``best`` is chosen by AICc.

    Returns
    -------
    dict of Estimate
        ``s50`` (%MSO), ``recruitment_threshold`` (%MSO; S50 − 2k of a Boltzmann curve, where a rectified logistic
        leaves the floor), ``mep_max`` (V above the floor), ``peak_slope`` (V/%MSO), ``area_under_curve`` (V·%MSO,
        trapezoids through the mean responses, no model), ``plateau_reached`` (1 when the plateau is known and the
        curve at the highest intensity is at least 90 % of it; the interval is 0 to 1 when that is undecided).
        Flags: ``no_trials``, ``few_intensities``, ``no_response`` (the responses do not rise), ``no_plateau`` (S50 and
        mep_max cannot be known and are NaN), ``plateau_extrapolated`` (they are known from the shape of the curve,
        no level tested reached the plateau), ``no_rise_in_range`` (half of the plateau lies below the tested
        range), ``floor_not_sampled`` (even the lowest intensity evoked responses), ``background_bends_curve`` (the
        range of the background EMG is more than a tenth of the plateau, as in a contracting muscle of the back. It
        hides small responses and adds little to large ones, so the threshold comes out late and the plateau low: in
        simulated back muscles by 6 and 15 % of the value from ``mep_amplitude``, where S50 is 2 % late, and by 3 and
        7 % from ``mep_amplitude_corrected``, which is to be preferred. Intervals do not hold that error).

    Raises
    ------
    ValueError
        For an unknown column or form.

    Examples
    --------
    >>> from excitability.measures.curves import boltzmann
    >>> rng = np.random.default_rng(6)
    >>> intensity = np.repeat(np.arange(40.0, 81, 5), 8)
    >>> response = boltzmann(intensity, 3e-3, 58, 4, 2e-5) * rng.lognormal(0, 0.4, intensity.size)
    >>> curve = recruitment_curve(pd.DataFrame({"intensity": intensity, "mep_amplitude": response}))
    >>> bool(curve["s50"].ci_low < 58 < curve["s50"].ci_high)
    True
    """
    table = single_pulses(table)
    kept = is_kept(table)
    n_rejected = int((~kept).sum())
    s, y = intensities(table, by)[kept], numbers(table, of)[kept]
    known = np.isfinite(s) & np.isfinite(y)
    s, y = s[known], y[known]
    n = int(s.size)
    if n == 0:
        return {key: nothing("no_trials", 0, n_rejected) for key in KEYS}
    values, scatter = without_fit(s, y, form), np.nan
    if values is None:
        fit = fit_recruitment_curve(s, y, form)
        values = with_background(fitted_values(fit), fit, table[kept], of)
        scatter = fit.variance[0]
    values["area_under_curve"] = area_under_curve(s, y, scatter)
    return {
        key: Estimate(values[key], values[key].ci_low, values[key].ci_high, n, values[key].flag, n_rejected)
        for key in KEYS
    }


def without_fit(s: np.ndarray, y: np.ndarray, form: str) -> dict[str, Estimate] | None:
    """NaN for everything that needs a curve, where there is none to fit."""
    from scipy.stats import spearmanr

    if np.unique(s).size < (5 if form == "rectified_logistic" else 4) or s.size < 8:
        return {key: nothing("few_intensities") for key in KEYS}
    rise = spearmanr(s, y) if np.ptp(y) > 0 else None
    if rise is None or not (rise.statistic > 0 and rise.pvalue < 0.01):
        return {key: nothing("no_response") for key in KEYS}
    return None


def fitted_values(fit: CurveFit) -> dict[str, Estimate]:
    """Rows of a fitted curve with their intervals; NaN and a flag where the levels tested do not tell them."""
    curve = fit.curve
    s50 = fit.derived(lambda at: curve.s50(at[:, :-2]))
    threshold = fit.derived(lambda at: curve.threshold(at[:, :-2]))
    height = fit.derived(lambda at: np.exp(at[:, -2]))
    slope = fit.derived(lambda at: np.exp(at[:, -2]) * curve.slope(at[:, :-2]))
    share = fit.derived(lambda at: curve.shape(np.array([[fit.range[1]]]), at[:, None, :-2])[:, 0])
    reached, low, high = (float(limit >= PLATEAU) for limit in share)
    sampled = curve.shape(np.array([fit.range[0]]), fit.parameters[:-2])[0] <= 0.1
    floor = "" if sampled else "floor_not_sampled"
    plateau = "no_plateau" if height[2] > WIDEST * height[1] or s50[0] > fit.range[1] else ""
    rise = "no_rise_in_range" if s50[0] < fit.range[0] else ""  # half of the plateau was passed before the first level
    unknown = join_flags(plateau, rise)
    if plateau:  # a plateau whose height is unknown has not been reached, whatever the best curve says
        reached = low = 0.0
    beyond = "" if reached else "plateau_extrapolated"  # from the curve's shape, not from responses at the plateau
    return {
        "s50": nothing(unknown) if unknown else Estimate(*s50, flag=join_flags(floor, beyond)),
        "recruitment_threshold": nothing(rise) if rise else Estimate(*threshold, flag=floor),
        "mep_max": nothing(plateau) if plateau else Estimate(*height, flag=beyond),
        "peak_slope": nothing(rise) if rise else Estimate(*slope, flag=plateau),
        "plateau_reached": Estimate(reached, low, high, flag=plateau or beyond),
    }


def with_background(values: dict[str, Estimate], fit: CurveFit, kept: pd.DataFrame, of: str) -> dict[str, Estimate]:
    """The same rows, flagged where the background EMG is not small beside the plateau."""
    if not of.startswith("mep_amplitude") or "background_emg" not in kept:
        return values
    background = numbers(kept, "background_emg")
    background = background[np.isfinite(background)]
    if not background.size or NOISE_RANGE * float(np.median(background)) <= _BACKGROUND * fit.mep_max:
        return values
    bent = {
        key: Estimate(value, value.ci_low, value.ci_high, value.n, join_flags(value.flag, "background_bends_curve"))
        for key, value in values.items()
        if key in ("s50", "recruitment_threshold", "mep_max")
    }
    return values | bent


def area_under_curve(intensity: np.ndarray, response: np.ndarray, scatter: float = np.nan) -> Estimate:
    """Trapezoids through the mean response of each intensity, with an interval on the logarithm.

    Areas can be compared between sessions only when the intensities are the same. Intensities closer together than a
    thousandth of their range are one: a stimulator that reports what it gave does not repeat itself to the last digit.

    Parameters
    ----------
    intensity, response : ndarray, shape (n_trials,)
    scatter : float
        Squared coefficient of variation of the trials, used where no intensity was repeated.

    Examples
    --------
    >>> round(area_under_curve(np.array([40.0, 50.0, 60.0]), np.array([0.0, 1e-3, 3e-3])), 6)
    0.025
    """
    intensity = np.asarray(intensity, dtype=float)
    order = np.argsort(intensity)
    index = np.empty(order.size, dtype=int)
    index[order] = np.cumsum(np.diff(intensity[order], prepend=-np.inf) > 1e-3 * np.ptp(intensity)) - 1
    count = np.bincount(index)
    levels, mean = (np.bincount(index, weights=values) / count for values in (intensity, response))
    n = int(response.size)
    if levels.size < 2:
        return nothing("few_intensities", n)
    share = np.zeros(levels.size)
    share[:-1] += np.diff(levels) / 2
    share[1:] += np.diff(levels) / 2
    area = float(share @ mean)
    repeated = [response[index == i] for i in np.flatnonzero(count > 2)]
    repeated = [values for values in repeated if values.min() > 0]
    if area <= 0 or not (repeated or np.isfinite(scatter)):
        return Estimate(area, n=n, flag="no_repeats")
    if not repeated:
        reach = 1.959964 * float(np.sqrt(np.sum((share * mean) ** 2 * scatter / count))) / area
        return Estimate(area, area * np.exp(-reach), area * np.exp(reach), n)
    spread = np.array([relative_variance(values) for values in repeated])
    freedom = np.array([values.size - 1 for values in repeated], dtype=float)
    place = np.array([share[i] * mean[i] for i in np.flatnonzero(count > 2) if response[index == i].min() > 0])
    common = float(np.average(spread, weights=freedom * place**2))  # trials where the area comes from
    error = np.sqrt(np.sum((share * mean) ** 2 * common / count)) / area
    weight = (freedom * place**2) / np.sum(freedom * place**2)
    reach = float(stdtrit(max(1 / np.sum(weight**2 / freedom), 1), 0.975)) * error
    return Estimate(area, area * np.exp(-reach), area * np.exp(reach), n)
