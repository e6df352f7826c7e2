"""Facilitation less inhibition: an exploratory composite of two paired-pulse protocols."""

from __future__ import annotations

import pandas as pd

from ..labels import ratio_effect
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
        Condition, such as ``"isi_0.002"``; by default the mean of the logarithms over all conditions, and where that
        are several the flag ``mean_over_conditions`` and, in ``condition``, what was averaged.

    Returns
    -------
    DataFrame
        Result rows with ``measure`` ``ei_composite``, ``form`` ``log_ratio`` and the flag ``exploratory``, to be put
        below ``results`` and compared like them; NaN with the flag ``no_logarithm`` where a ratio is 0. The interval
        takes the two protocols as independent: where they share their test pulses, it is wider than it need be.

    Raises
    ------
    ValueError
        When the results hold no row of a protocol, measure or condition, or a protocol that is known to facilitate is
        given as the inhibition, or the other way about.

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
    _check_kinds(inhibition, facilitation)
    up = rows_of(results, of, facilitation, facilitation_condition)
    down = rows_of(results, of, inhibition, inhibition_condition)
    made_of = f"{facilitation}-{inhibition}"
    rows = []
    for more, less in matched(up, down):
        found = difference(as_log_ratio(more), as_log_ratio(less))
        averaged = any(part["condition"].nunique() > 1 for part in (more, less))
        flag = "exploratory;mean_over_conditions" if averaged else "exploratory"
        row = result_row(more.iloc[0], "ei_composite", found, "1", "log_ratio", flag)
        condition = f"{_made_of(more)}-{_made_of(less)}" if averaged else "all"
        rows.append({**row, "condition": condition, "protocol": made_of})
    return pd.DataFrame(rows)


def _made_of(rows: pd.DataFrame) -> str:
    """The condition, or what was averaged."""
    names = "+".join(dict.fromkeys(rows["condition"].astype(str)))
    return f"mean_of_{names}" if rows["condition"].nunique() > 1 else names


def _check_kinds(inhibition: str, facilitation: str) -> None:
    for word, given, other in (
        ("inhibition", inhibition, "facilitation"),
        ("facilitation", facilitation, "inhibition"),
    ):
        if ratio_effect(given) == other:
            raise ValueError(
                f"{word} = {given!r} is a protocol of {other}; swap them: "
                f"inhibition = {facilitation!r}, facilitation = {inhibition!r}"
            )
