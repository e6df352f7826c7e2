"""Size of the unconditioned (test) response, which belongs beside every paired-pulse ratio."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags
from ._registry import measure
from ._tables import nothing, with_condition
from .trial_mean import trial_mean


@measure(kind="summary", unit="", over="table", references=["10.1016/j.clinph.2012.05.003"])
def unconditioned_amplitude(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    test: str = "test",
    usual: tuple[float, float] | None = None,
) -> Estimate:
    """Mean response to the test pulse alone, with its 95 % interval.

    Inhibition and facilitation depend on the size of the test response, so a ratio whose test response has
    changed between sessions cannot be read alone (an item of the Chipchase checklist).

    Parameters
    ----------
    table : DataFrame
        Trials of one channel.
    of : str
        Column with the size of the response; the result has its unit.
    test : str
        Condition of the unconditioned trials.
    usual : tuple of float, optional
        Smallest and largest level the protocol means to have, in the unit of ``of``: (0.5e-3, 1.5e-3) where the test
        intensity was that of 1 mV. Without it nothing is flagged: trunk muscles and children have smaller responses.

    Returns
    -------
    Estimate
        Flags: those of ``trial_mean``, ``no_test_trials``, ``test_smaller_than_usual`` and ``test_larger_than_usual``
        (the whole interval lies outside ``usual``; the level where it has no interval).

    Raises
    ------
    ValueError
        For an unknown column, and limits that are not in order.

    Examples
    --------
    >>> table = pd.DataFrame({"condition": ["test", "test", "isi_0.002"], "mep_amplitude": [1e-3, 1.2e-3, 3e-4]})
    >>> round(unconditioned_amplitude(table), 6)
    0.0011
    """
    table = with_condition(table, test)
    rows = table["condition"].astype(str) == test
    if not np.any(rows):
        return nothing("no_test_trials")
    level = trial_mean(table[rows], of=of)
    if usual is not None:
        level.flag = join_flags(level.flag, _outside(level, *usual))
    return level


def _outside(level: Estimate, smallest: float, largest: float) -> str:
    """Flag of a level that is certainly not the one that was meant."""
    if not smallest < largest:
        raise ValueError(f"usual = ({smallest:g}, {largest:g}) must be (smallest, largest), such as (0.5e-3, 1.5e-3) V")
    low, high = (level.ci_low, level.ci_high) if np.isfinite(level.ci_low) else (float(level), float(level))
    return "test_smaller_than_usual" if high < smallest else "test_larger_than_usual" if low > largest else ""
