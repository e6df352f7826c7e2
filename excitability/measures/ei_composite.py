"""Facilitation less inhibition: an exploratory composite of two paired-pulse protocols."""

from __future__ import annotations

import pandas as pd

from ._from_results import as_log_ratio, difference, matched, result_row, rows_of
from ._registry import measure


@measure(kind="results", unit="1", form="log_ratio", parts=("facilitation", "inhibition"))
def ei_composite(
    results: pd.DataFrame,
    *,
    of: str = "conditioned_ratio",
    inhibition: str = "m1/sici",
    facilitation: str = "m1/icf",
    inhibition_condition: str | None = None,
    facilitation_condition: str | None = None,
) -> pd.DataFrame:
    """``ln R`` of facilitation minus ``ln R`` of inhibition, for each person, session and channel.

    Larger is more facilitation, or less inhibition, or both: it cannot tell which. It is declared exploratory: no
    norms and no reliability of it are known here, and a primary outcome it is not.

    Parameters
    ----------
    results : DataFrame
        Result table with rows of both protocols.
    of : str
        Ratio that is used, of any ``form``.
    inhibition, facilitation : str
        Protocols.
    inhibition_condition, facilitation_condition : str, optional
        Condition, such as ``"isi_0.002"``; by default the mean of the logarithms over all conditions.

    Returns
    -------
    DataFrame
        Result rows with ``measure`` ``ei_composite``, ``form`` ``log_ratio`` and the flag ``exploratory``, to be put
        below ``results`` and compared like them. The interval takes the two protocols as independent: where they
        share their test pulses, it is wider than it need be.

    Raises
    ------
    ValueError
        When the results hold no row of a protocol, measure or condition.

    Examples
    --------
    >>> row = {"channel": "FDI", "measure": "conditioned_ratio", "form": "ratio", "n_trials": 15, "flag": ""}
    >>> results = pd.DataFrame([
    ...     {**row, "protocol": "m1/sici", "condition": "isi_0.002", "value": 0.5, "ci_low": 0.4, "ci_high": 0.625},
    ...     {**row, "protocol": "m1/icf", "condition": "isi_0.01", "value": 1.5, "ci_low": 1.2, "ci_high": 1.875},
    ... ])
    >>> found = ei_composite(results).iloc[0]
    >>> round(float(found["value"]), 4), round(float(found["ci_low"]), 4), found["flag"]
    (1.0986, 0.783, 'exploratory')
    """
    up = rows_of(results, of, facilitation, facilitation_condition)
    down = rows_of(results, of, inhibition, inhibition_condition)
    made_of = f"{facilitation}-{inhibition}"
    rows = []
    for more, less in matched(up, down):
        found = difference(as_log_ratio(more), as_log_ratio(less))
        rows.append(
            {**result_row(more.iloc[0], "ei_composite", found, "1", "log_ratio", "exploratory"), "protocol": made_of}
        )
    return pd.DataFrame(rows)
