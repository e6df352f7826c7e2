"""Size of the unconditioned (test) response, which belongs beside every paired-pulse ratio."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._registry import measure
from ._tables import nothing, with_condition
from .trial_mean import trial_mean


@measure(kind="summary", unit="", over="table", references=["10.1016/j.clinph.2012.05.003"])
def unconditioned_amplitude(table: pd.DataFrame, *, of: str = "mep_amplitude", test: str = "test") -> Estimate:
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

    Returns
    -------
    Estimate
        Flags: those of ``trial_mean``, and ``no_test_trials``.

    Raises
    ------
    ValueError
        For an unknown column.

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
    return trial_mean(table[rows], of=of)
