"""Responses of each condition at one and the same background EMG."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags, unknown_word
from ._background import USUAL_ERROR, adjust
from ._registry import measure
from ._tables import nothing, numbers


@measure(kind="summary", unit="", over="conditioned")
def background_matched_level(
    table: pd.DataFrame,
    *,
    of: str = "mep_area",
    background: str = "background_emg",
    at: float = float("nan"),
    test: str = "all",
    scale: Literal["linear", "log"] = "linear",
    background_error: float = USUAL_ERROR,
) -> dict[str, Estimate]:
    """Expected response of each condition at a common level of background EMG: an adjustment, and named as one.

    The response grows with the contraction before the pulse, so conditions of unequal background cannot be compared as
    they are. One regression for all conditions, ``response = level of its condition + slope · (background − at)``,
    gives the level of each at the same background ``at``; with ``scale = "log"`` both are logarithms, and the level is
    a geometric mean. Its interval allows for scatter that grows with the background (HC3). With ``at`` given, sessions
    can be compared at the same background too. The RMS of one trial before the pulse is itself uncertain by some 15 %,
    which makes the slope too flat: the interval holds for the slope as it is and for one freed of that error.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel, with ``condition``.
    of : str
        Column with the response: the net area of a contracting muscle may be negative; then take ``scale = "linear"``.
    background : str
        Column with the background (V), RMS or mean rectified.
    at : float
        Background to adjust to (V); the median of the trials where it is not given.
    test : str
        A condition that the trials must have.
    scale : {"linear", "log"}
        ``"log"`` for amplitudes, whose scatter grows with their size.
    background_error : float
        Relative standard error of the background of one trial; 0 takes it for exact.

    Returns
    -------
    dict of str to Estimate
        One for each condition, in the unit of the response. Flags: ``few_trials`` (fewer than three; NaN),
        ``extrapolated`` (no trial of the condition had a background as high, or as low, as ``at``),
        ``non_positive`` (trials without a logarithm were left out), ``slope_unknown`` (NaN: the background does not
        vary within conditions, and is not ``at``).

    Raises
    ------
    ValueError
        For an unknown column or scale, or an ``at`` that is not positive.

    Examples
    --------
    >>> rng = np.random.default_rng(8)
    >>> background = np.r_[rng.normal(20e-6, 3e-6, 40), rng.normal(24e-6, 3e-6, 40)]
    >>> area = 0.2 * background + np.repeat([0.0, 1e-6], 40) + 5e-7 * rng.standard_normal(80)
    >>> table = pd.DataFrame({
    ...     "condition": np.repeat(["all", "task"], 40), "background_emg": background, "mep_area": area,
    ... })
    >>> matched = background_matched_level(table, at=22e-6)
    >>> truth = {"all": 4.4e-6, "task": 5.4e-6}
    >>> [bool(matched[name].ci_low < true < matched[name].ci_high) for name, true in truth.items()]
    [True, True]
    """
    if scale not in ("linear", "log"):
        raise ValueError(unknown_word("scale", scale, ["linear", "log"]))
    found = adjust(table, of, background, float(at), scale == "log", background_error)
    levels = {}
    for name, n in found.n.items():
        if name not in found.names:
            levels[name] = nothing("few_trials", n, found.n_rejected[name])
            continue
        weights = np.array([float(other == name) for other in found.names])
        limits = found.interval(weights)
        value, low, high = np.exp(limits) if scale == "log" else limits
        least, _, most = found.span[name]
        outside = "" if least <= found.at <= most else "extrapolated"
        lost = scale == "log" and bool((numbers(table, of) <= 0).any())
        flag = join_flags(outside, "slope_unknown" if np.isnan(value) else "", "non_positive" if lost else "")
        levels[name] = Estimate(value, low, high, n, flag, found.n_rejected[name])
    return levels
