"""Mean, median or geometric mean of a trial measure over the trials of a condition."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import STIMULUS_COLUMNS, Estimate
from ._registry import measure
from ._shared_error import EDGE, ONSET_COLUMNS, with_shared_error
from ._tables import FEWEST, FEWEST_OF_MEDIAN, is_kept, level, nothing, numbers, seconds

#: What every trial has unless its samples are missing; all else needs a response.
_ALWAYS = ("mep_amplitude", "mep_amplitude_corrected", "mep_area", "mep_probability")


@measure(kind="summary", unit="", over="condition")
def trial_mean(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    statistic: Literal["mean", "median", "geometric_mean"] = "mean",
) -> Estimate:
    """Level of a trial measure over the kept trials, with its 95 % interval.

    The unit is that of the trial measure. Amplitudes are right-skewed, so the interval of a mean of positive
    values is built on the logarithm of the mean with a guard for skewness; values that can be negative get
    Student's interval, a geometric mean the interval of the mean log, a median that of its order statistics. They
    take trials for independent: where each is like the one before (correlation of neighbours 0.3), they cover 81–90 %.
    The interval of onset latencies (``mep_latency`` with its ``mep_latency_standard_error`` in the table) also holds
    what the trials of one recording have in common, 0.45 of the mean standard error: without it, it covers 83 %.
    That of a mean probability is Wilson's, and covers more than 95 % where the single probabilities are not 0 or 1.
    A stimulus column (the ``intensity`` of tracked trials) gets none: each was chosen, after the responses before it.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel and one condition; rows with a reason in ``reject`` are left out.
    of : str
        Column of the trial measure.
    statistic : {"mean", "median", "geometric_mean"}
        The median counts a missing silent period as longer than every measured one, and so stays right when
        fewer than half of them outlast the epoch; the mean is one of the measured trials only.

    Returns
    -------
    Estimate
        ``n`` counts the trials that have a value. Flags: ``no_trials``, ``few_trials`` (fewer than three, or six for
        a median: no interval), ``censored`` (some trials have no end of a silent period), ``no_silent_period`` (none
        has), ``no_response`` (latency, duration … missing in some trials), ``window_edge`` (missing since the onset lay
        at the window's edge), ``missing_values`` (what every trial has, missing in some), ``non_positive`` (no
        geometric mean exists).

    Raises
    ------
    ValueError
        For an unknown column or statistic, a column that holds words or infinities, and latencies that are not seconds.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"mep_amplitude": 1e-3 * rng.lognormal(0, 0.5, 20)})
    >>> mean = trial_mean(table, of="mep_amplitude")
    >>> mean.n, bool(mean.ci_low < 1.13e-3 < mean.ci_high)
    (20, True)
    """
    kept = is_kept(table)
    values = numbers(table, of)[kept]
    if of.endswith("_latency"):
        seconds(values, of)
    n_rejected = int((~kept).sum())
    if values.size == 0:
        return nothing("no_trials", n_rejected=n_rejected)
    missing = np.isnan(values)
    known = values[~missing]
    flag = _of_missing(of, _at_edge(table, kept)[missing]) if missing.any() else ""
    if known.size == 0:
        return nothing("no_silent_period" if of == "silent_period" else flag, n_rejected=n_rejected)
    ordered = values if of == "silent_period" else known  # only a missing silent period is a long one
    value, low, high = with_shared_error(table, of, kept, level(ordered if statistic == "median" else known, statistic))
    if statistic == "geometric_mean" and known.min() <= 0:
        flag = "non_positive"
    elif known.size < (FEWEST_OF_MEDIAN if statistic == "median" else FEWEST):
        flag = ";".join(filter(None, (flag, "few_trials")))
    if of in STIMULUS_COLUMNS:
        low = high = np.nan
    elif of == "mep_probability":
        low, high = _share(known) if statistic == "mean" else (low, min(high, 1.0))
    return Estimate(value, low, high, n=known.size, flag=flag, n_rejected=n_rejected)


def _of_missing(of: str, at_edge: np.ndarray) -> str:
    """Why some trials have no value; ``at_edge`` are those among them whose onset was at the edge of the window."""
    if of == "silent_period":
        return "censored"
    if not of.startswith("mep_") or of in _ALWAYS:
        return "missing_values"
    if of not in ONSET_COLUMNS or not at_edge.any():
        return "no_response"
    return "window_edge" if at_edge.all() else "window_edge;no_response"


def _at_edge(table: pd.DataFrame, kept: np.ndarray) -> np.ndarray:
    """Kept trials whose flags say that the response may begin or end outside the window."""
    if "flag" not in table:
        return np.zeros(int(kept.sum()), bool)
    return np.array([EDGE in str(flag).split(";") for flag in table["flag"].to_numpy()[kept]], dtype=bool)


def _share(values: np.ndarray) -> tuple[float, float]:
    """Wilson's interval: a probability stays between 0 and 1 even when every trial responds."""
    n, z, share = values.size, 1.959964, float(values.mean())
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return float(centre - reach), float(centre + reach)
