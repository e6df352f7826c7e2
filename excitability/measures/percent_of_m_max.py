"""Responses of one protocol relative to the largest M wave, which another protocol measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._from_results import difference, estimate_of, logarithm, matched, result_row, rows_of
from ._registry import measure


@measure(kind="results", unit="%", form="percent", parts=("responses", "m_wave"))
def percent_of_m_max(
    results: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    responses: str = "m1/mep",
    m_wave: str = "m1/m_max",
) -> pd.DataFrame:
    """``100 · response / M_max`` of the same muscle and session, for each condition of the responses.

    It takes away what electrodes, skin and muscle size do to an amplitude, where the M wave was recorded on its own;
    within one recording ``normalised_amplitude`` does the same from the trials.

    Parameters
    ----------
    results : DataFrame
        Result table with rows of both protocols.
    of : str
        Response in volts, peak to peak as the M wave is.
    responses, m_wave : str
        Protocols of the responses and of ``m_max``.

    Returns
    -------
    DataFrame
        Result rows with ``measure`` ``percent_of_m_max`` and ``form`` ``percent``. The interval is built on the
        logarithm and holds the errors of both. Flags are those of both, such as ``plateau_not_reached``.

    Raises
    ------
    ValueError
        When the results hold no row of a protocol or measure.

    Examples
    --------
    >>> row = {"channel": "FDI", "form": "", "n_trials": 20, "flag": ""}
    >>> results = pd.DataFrame([
    ...     {**row, "protocol": "m1/mep", "condition": "all", "measure": "mep_amplitude",
    ...      "value": 1e-3, "ci_low": 0.8e-3, "ci_high": 1.25e-3},
    ...     {**row, "protocol": "m1/m_max", "condition": "all", "measure": "m_max",
    ...      "value": 10e-3, "ci_low": 9.9e-3, "ci_high": 10.1e-3},
    ... ])
    >>> share = percent_of_m_max(results).iloc[0]
    >>> round(float(share["value"]), 3), round(float(share["ci_high"]), 2)
    (10.0, 12.5)
    """
    sizes, largest = rows_of(results, of, responses), rows_of(results, "m_max", m_wave)
    rows = []
    for mine, whole in matched(sizes, largest):
        base = logarithm(whole.iloc[0])
        for _, size in mine.iterrows():
            part = difference(logarithm(size), base)
            value, low, high = (100 * float(np.exp(limit)) for limit in (part, part.ci_low, part.ci_high))
            found = Estimate(value, low, high, estimate_of(size).n, part.flag)
            row = result_row(size, "percent_of_m_max", found, "%", "percent")
            rows.append({**row, "condition": size["condition"]})
    return pd.DataFrame(rows)
