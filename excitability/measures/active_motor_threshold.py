"""Active motor threshold by every method in use (Rossini et al. 2015)."""

from __future__ import annotations

import pandas as pd

from ..schema import Estimate
from ._registry import measure
from ._thresholds import thresholds


@measure(kind="summary", unit="%MSO", over="table", references=["10.1016/j.clinph.2015.02.001"])
def active_motor_threshold(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    by: str = "intensity",
    criterion: float = 200e-6,
) -> dict[str, Estimate]:
    """Intensity at which half of the pulses evoke a response in the contracting muscle, by every method.

    As ``resting_motor_threshold``, with the larger criterion of an active muscle: where a contraction is so strong that
    it reaches the criterion by itself, a response must also stand out of it.

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
        ``active_motor_threshold`` (preferred, Bayesian) and one entry a method; methods and flags are those of
        ``resting_motor_threshold``.

    Raises
    ------
    ValueError
        For an unknown column.

    Examples
    --------
    >>> intensity = [34.0] * 10 + [36.0] * 10 + [38.0] * 10
    >>> large = [0] * 10 + [1] * 5 + [0] * 5 + [1] * 10
    >>> table = pd.DataFrame({"intensity": intensity, "mep_amplitude": [1e-4 + 3e-4 * each for each in large]})
    >>> 34 < active_motor_threshold(table)["active_motor_threshold"] < 38
    True
    """
    return thresholds(table, "active_motor_threshold", of, by, criterion)
