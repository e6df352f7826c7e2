"""Transcallosal conduction time: onset of the ipsilateral silent period minus latency of the response."""

from __future__ import annotations

import pandas as pd

from ._from_results import difference, estimate_of, matched, result_row, rows_of
from ._registry import measure


@measure(kind="results", unit={"transcallosal_conduction_time": "s"}, parts=("onset_protocol", "latency_protocol"))
def transcallosal_conduction(
    results: pd.DataFrame,
    *,
    latency: str = "mep_latency",
    latency_protocol: str = "m1/mep",
    onset_protocol: str = "m1/ipsilateral_silent_period",
    latency_condition: str | None = None,
) -> pd.DataFrame:
    """``onset of the ipsilateral silent period − latency of the response`` of the same muscle.

    The silent period is evoked from the motor cortex of the muscle's own side, the response from that of the other
    side: the difference is the time across the corpus callosum and in the cortex. Both have an interval, so that their
    difference has one; ``contralateral_latency`` of ``ipsilateral_silent_period`` takes the latency as known.

    Parameters
    ----------
    results : DataFrame
        Result table with ``ipsilateral_silent_period_onset`` and the latency, of the same channel.
    latency : str
        Measure of the latency of the response.
    latency_protocol : str
        Protocol of the latency.
    onset_protocol : str
        Protocol of the silent period.
    latency_condition : str, optional
        Condition of the latency, where it has several.

    Returns
    -------
    DataFrame
        Result rows with ``measure`` ``transcallosal_conduction_time`` (s), one for each condition of the silent period.

    Raises
    ------
    ValueError
        When the results hold no row of a measure or protocol, or several latencies of one person, session and channel.

    Examples
    --------
    >>> row = {"channel": "RFDI", "condition": "all", "form": "", "n_trials": 20, "flag": ""}
    >>> onset = {"measure": "ipsilateral_silent_period_onset", "protocol": "m1/ipsilateral_silent_period"}
    >>> mep = {"measure": "mep_latency", "protocol": "m1/mep"}
    >>> results = pd.DataFrame([
    ...     {**row, **onset, "value": 0.0350, "ci_low": 0.0330, "ci_high": 0.0370},
    ...     {**row, **mep, "value": 0.0215, "ci_low": 0.0212, "ci_high": 0.0218},
    ... ])
    >>> found = transcallosal_conduction(results).iloc[0]
    >>> round(float(found["value"]), 4), round(float(found["ci_high"]), 4)
    (0.0135, 0.0155)
    """
    onset = rows_of(results, "ipsilateral_silent_period_onset", onset_protocol)
    response = rows_of(results, latency, latency_protocol, latency_condition)
    rows = []
    for silent, early in matched(onset, response):
        if len(early) > 1:
            raise ValueError(
                f"{early['channel'].iloc[0]} has {len(early)} rows of {latency} (conditions "
                f"{', '.join(map(repr, early['condition']))}); give latency_condition = one of them"
            )
        for _, late in silent.iterrows():
            found = difference(estimate_of(late), estimate_of(early.iloc[0]))
            row = result_row(late, "transcallosal_conduction_time", found, "s", "")
            rows.append({**row, "condition": late["condition"]})
    return pd.DataFrame(rows)
