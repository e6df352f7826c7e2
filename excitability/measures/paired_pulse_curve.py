"""Level and extremes of the ratio over the interval or the conditioning intensity."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._ratio_curve import estimate_of, extreme, ratio_curves, ratio_points
from ._registry import measure
from ._tables import nothing

#: Levels from which a curve has extremes worth the name.
FEWEST_LEVELS = 4
_NAMES = ("ratio_mean", "ratio_smallest", "ratio_largest")


@measure(kind="summary", unit={name: "1" for name in _NAMES}, form="ratio", over="table")
def paired_pulse_curve(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    by: Literal[
        "inter_stimulus_interval", "conditioning_intensity", "conditioning_intensity_rmt", "conditioning_intensity_amt"
    ] = "inter_stimulus_interval",
    test: str = "test",
    seed: int = 0,
) -> dict[str, Estimate]:
    """Mean, smallest and largest ratio of conditioned to test response along a curve.

    The ratios of the single levels are rows of ``conditioned_ratio``; these are the numbers of the whole curve. The
    mean is geometric, over the range of the levels. Smallest and largest are those of a smooth curve through the
    ratios (Gaussian process regression on ``ln R``), not of the points: the most extreme of several measured ratios is
    too extreme, by the more the fewer the trials. A dip sharper than the steps between the levels is not
    seen: the interval of its bottom covers 83–90 %, where those of smooth curves cover 92–98 %.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel: test pulses alone, and pairs at several levels of ``by``.
    of : str
        Column with the size of the response.
    by : {"inter_stimulus_interval", "conditioning_intensity", "conditioning_intensity_rmt", …_amt}
        Column of the levels (s, %MSO, or percent of a motor threshold in steps of 5).
    test : str
        Condition of the unconditioned trials.
    seed : int
        Of the drawn curves.

    Returns
    -------
    dict of Estimate
        ``ratio_mean``, ``ratio_smallest``, ``ratio_largest``; ``n`` counts conditioned trials. Flags: ``few_levels``
        (fewer than four), ``no_test_trials``, ``no_conditioned_trials``, ``test_at_noise_floor``,
        ``conditioned_at_noise_floor_in_some`` (at some level most trials hold no response), ``levels_left_out`` (a
        level of fewer than three trials or without a positive mean), ``non_positive`` (the test mean is not).

    Raises
    ------
    ValueError
        For an unknown column.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> level = np.repeat([np.nan, 30, 34, 38, 42, 46], 12)
    >>> true = np.where(np.isnan(level), 1.0, 0.4 + ((level - 40) / 12) ** 2)
    >>> table = pd.DataFrame({"condition": np.where(np.isnan(level), "test", "cs"), "conditioning_intensity": level,
    ...                       "mep_amplitude": 1e-3 * true * rng.lognormal(-0.08, 0.4, level.size)})
    >>> curve = paired_pulse_curve(table, by="conditioning_intensity")
    >>> bool(curve["ratio_smallest"].ci_low < 0.4 < curve["ratio_smallest"].ci_high)
    True
    """
    points = ratio_points(table, of, by, test)
    if points.levels.size < FEWEST_LEVELS:
        flag = points.flag if not points.levels.size else "few_levels"
        return {name: nothing(flag, points.n, points.n_rejected) for name in _NAMES}
    curves = ratio_curves(points, seed)
    span = (float(points.levels[0]), float(points.levels[-1]))
    found = {"ratio_mean": np.trapezoid(curves.draws, curves.places, axis=1) / (span[1] - span[0])}
    for name, largest in (("ratio_smallest", False), ("ratio_largest", True)):
        most = extreme(curves, span, largest=largest)
        assert most is not None  # four levels have places between them
        found[name] = most[1]
    return {name: estimate_of(np.exp(draws), points) for name, draws in found.items()}
