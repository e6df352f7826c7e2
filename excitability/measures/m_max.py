"""Largest direct response of a muscle to stimulation of its nerve."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import fdtri, stdtrit

from ..schema import STIMULUS_COLUMNS, Estimate, join_flags, unknown_word
from ._registry import measure
from ._tables import FEWEST, LEVEL, is_kept, nothing, numbers, stimulus_types

_FULL = 0.995  # share of the height at which the plateau begins
_GROWTH = 0.999  # confidence with which the M wave must have grown with intensity at all


@measure(kind="summary", unit={"m_max": "V", "m_max_plateau_reached": "1"}, over="table")
def m_max(
    table: pd.DataFrame,
    *,
    of: str = "m_wave_amplitude",
    by: str = "intensity",
    statistic: Literal["plateau", "largest"] = "plateau",
) -> dict[str, Estimate]:
    """Amplitude of the M wave when every axon of the nerve is excited.

    A sigmoid fitted to all trials tells from which intensity on the M wave has 99.5 % of its height; the trials there
    are the plateau, and their mean is M_max, with Student's interval. The largest single M wave, the older convention,
    is larger by what noise and movement add to the largest of several, and grows with the number of trials.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel; those with ``stimulus_type`` "nerve" are used, all of them where no trial has a type.
    of : str
        Column with the amplitude of the M wave.
    by : str
        Column with the intensity of the nerve stimulus; where it is missing all trials count as supramaximal. Trials
        whose intensity alone is not known are left out.
    statistic : {"plateau", "largest"}
        Mean of the plateau, or largest trial (no interval).

    Returns
    -------
    dict of Estimate
        ``m_max`` (V) and ``m_max_plateau_reached`` (1 when the two highest intensities or more lie on one plateau, 0
        when the M wave still grew, NaN when the intensities are not known). Flags: ``no_m_wave_trials``,
        ``few_trials``, ``plateau_unknown``, ``plateau_not_reached`` (M_max is at least this; no interval).

    Raises
    ------
    ValueError
        For an unknown column or statistic.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> intensity = np.repeat([10.0, 20.0, 30.0, 40.0, 50.0], 3)
    >>> size = 9e-3 / (1 + np.exp(-(intensity - 20) / 3)) * rng.lognormal(0, 0.02, 15)
    >>> table = pd.DataFrame({"stimulus_type": "nerve", "intensity": intensity, "m_wave_amplitude": size})
    >>> found = m_max(table)
    >>> bool(found["m_max"].ci_low < 9e-3 < found["m_max"].ci_high), float(found["m_max_plateau_reached"])
    (True, 1.0)
    """
    if statistic not in ("plateau", "largest"):
        raise ValueError(unknown_word("statistic", statistic, ["plateau", "largest"]))
    values = numbers(table, of)
    nerve = _nerve(table)
    kept = is_kept(table)
    known = nerve & kept & np.isfinite(values)
    n_rejected = int((nerve & ~kept).sum())
    if not known.any():
        empty = nothing("no_m_wave_trials", n_rejected=n_rejected)
        return {"m_max": empty, "m_max_plateau_reached": empty}
    absent = by not in table and by in STIMULUS_COLUMNS
    intensity = np.full(len(table), np.nan) if absent else numbers(table, by)
    if np.isfinite(intensity[known]).any():  # one trial of unknown intensity says nothing of the others
        known &= np.isfinite(intensity)
    plateau, reached = plateau_of(values[known], intensity[known])
    flag = {1.0: "", 0.0: "plateau_not_reached"}.get(reached, "plateau_unknown")
    n = plateau.size
    if statistic == "largest":
        value, reach = float(values[known].max()), np.nan
    else:
        value = float(plateau.mean())
        enough = n >= FEWEST
        sure = enough and reached != 0
        reach = float(stdtrit(n - 1, (1 + LEVEL) / 2) * plateau.std(ddof=1) / np.sqrt(n)) if sure else np.nan
        flag = join_flags(flag, "" if enough else "few_trials")
    return {
        "m_max": Estimate(value, value - reach, value + reach, n, flag, n_rejected),
        "m_max_plateau_reached": Estimate(reached, n=int(known.sum()), flag=flag, n_rejected=n_rejected),
    }


def _nerve(table: pd.DataFrame) -> np.ndarray:
    if "stimulus_type" not in table or table["stimulus_type"].isna().all():
        return np.ones(len(table), dtype=bool)
    return stimulus_types(table) == "nerve"


def plateau_of(values: np.ndarray, intensity: np.ndarray) -> tuple[np.ndarray, float]:
    """Trials of the plateau, and whether it was reached (NaN where intensities are not known or only one was used).

    A sigmoid fitted to all trials says where the plateau begins, the trials there what its height is: a rule that looks
    for the plateau in their sizes alone stops where noise happens to be low, and its mean is too large.
    """
    if np.isnan(intensity).any() or np.unique(intensity).size < 2:
        return values, np.nan
    plateau = intensity >= min(_plateau_start(values, intensity), float(intensity.max()))
    return values[plateau], float(np.unique(intensity[plateau]).size > 1 and plateau.sum() >= FEWEST)


def _plateau_start(values: np.ndarray, intensity: np.ndarray) -> float:
    """Intensity at which the fitted sigmoid has grown to 99.5 % of its height."""
    from scipy.optimize import least_squares

    low, high, largest = float(intensity.min()), float(intensity.max()), float(values.max())
    span = high - low
    if largest <= 0:
        return high

    def misfit(part: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return part[0] / (1 + np.exp((part[1] - intensity) / part[2])) - values / largest

    bounds = ([0.5, low - 3 * span, span / 500], [2.0, high, span])
    fits = [
        least_squares(misfit, [0.95, start, span / 12], bounds=bounds, x_scale=[1.0, span, span / 10])
        for start in (low + span / 5, low + span / 2)
    ]
    best = min(fits, key=lambda fit: float(fit.cost))
    left, freedom = 2 * float(best.cost), values.size - 3
    grown = float(np.sum((values - values.mean()) ** 2)) / largest**2 - left
    if freedom < 1 or grown / 2 <= fdtri(2, freedom, _GROWTH) * left / freedom:
        return low  # no growth at all: every intensity was supramaximal
    _, middle, width = best.x
    return float(middle + np.log(_FULL / (1 - _FULL)) * width)
