"""Tracked inhibition averaged over several intervals ("averaged SICI")."""

from __future__ import annotations

import pandas as pd

from ..schema import Estimate
from ._intervals import nominal_intervals
from ._registry import measure
from ._tables import is_kept, nothing, numbers, with_condition
from ._tracking import threshold_change, tracked


@measure(kind="summary", unit="%", over="table")
def threshold_tracking_mean(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    by: str = "intensity",
    test: str = "test",
    target: float = 200e-6,
    intervals: tuple[float, float] = (0.001, 0.007),
) -> Estimate:
    """Mean change of the tracked threshold over all conditions whose interval lies in a range.

    ``mean(100 (θ_conditioned − θ_test) / θ_test)``: positive is inhibition. Each condition counts alike, whatever its
    number of trials. One regression gives all thresholds, as in ``threshold_tracking``.

    Parameters
    ----------
    table : DataFrame
        Tracked trials of one channel with ``inter_stimulus_interval`` (s).
    of, by : str
        Columns with the size of the response and with the test intensity (%MSO).
    test : str
        Condition of the unconditioned trials.
    target : float
        Response that is kept constant (V).
    intervals : tuple of float
        Shortest and longest interval that counts (s).

    Returns
    -------
    Estimate
        Flags: those of ``threshold_tracking``, ``no_conditioned_trials``, ``one_interval``.

    Raises
    ------
    ValueError
        For an unknown column.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> condition = np.tile(["test", "isi_0.001", "isi_0.003"], 30)
    >>> above = np.repeat([-2.0, 0.0, 2.0], 30)
    >>> table = pd.DataFrame({
    ...     "condition": condition,
    ...     "inter_stimulus_interval": np.tile([np.nan, 0.001, 0.003], 30),
    ...     "intensity": np.tile([50.0, 54.0, 58.0], 30) + above,
    ...     "mep_amplitude": 200e-6 * 10 ** (0.08 * above + rng.normal(0, 0.15, 90)),
    ... })
    >>> mean = threshold_tracking_mean(table)
    >>> bool(mean.ci_low < 12 < mean.ci_high), mean.flag
    (True, '')
    """
    table = with_condition(table, test)
    interval = nominal_intervals(numbers(table, "inter_stimulus_interval"))
    condition = table["condition"].fillna("").astype(str)
    inside = (interval >= intervals[0]) & (interval <= intervals[1]) & is_kept(table)
    names = sorted(set(condition[inside]) - {"", test})
    if not names:
        return nothing("no_conditioned_trials")
    found = threshold_change(tracked(table, of, by, test), names, test, target)
    if len(names) == 1:
        return nothing("one_interval", found.n, found.n_rejected)
    return found
