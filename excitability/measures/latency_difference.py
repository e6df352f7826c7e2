"""Difference of onset latency between two ways of stimulating (I-wave recruitment; ipsilateral responses)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags
from ._differences import check_statistic, difference_of_levels
from ._registry import measure
from ._shared_error import with_shared_error
from ._tables import FEWEST, FEWEST_OF_MEDIAN, conditions, is_kept, nothing, numbers, seconds


@measure(kind="summary", unit="s", over="conditioned")
def latency_difference(
    table: pd.DataFrame,
    *,
    of: str = "mep_latency",
    test: str = "LM",
    statistic: Literal["mean", "median", "minimum"] = "mean",
) -> dict[str, Estimate]:
    """Onset latency of each condition minus that of a reference condition.

    Latero-medial current (LM) excites the axon of the corticospinal neuron and gives the D-wave; postero-anterior
    current (PA) gives early I-waves, antero-posterior (AP) late ones. ``AP − LM`` and ``PA − LM`` (each about one
    I-wave period, 1.5 ms, apart) tell which of them a direction recruits. Measure them in slight contraction, near the
    active threshold of each direction, with the same response size. The same difference, of ipsilateral against
    contralateral responses, tells how much later an ipsilateral response comes. The interval is Welch's: it covers
    95 % of normal latencies, 91–94 % of skewed ones when there are five a side; that of ``mep_latency`` with its
    standard errors also holds what the trials of each condition share.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel, with ``condition``.
    of : str
        Column with the onset latency (s from the pulse).
    test : str
        The reference condition.
    statistic : {"mean", "median", "minimum"}
        Level of the latencies. The shortest has no interval, and becomes shorter with more trials.

    Returns
    -------
    dict of str to Estimate
        One for each other condition: seconds; ``n`` counts its trials with a latency. Flags: ``no_trials``,
        ``no_test_trials`` (NaN), ``few_trials`` (fewer than three on one side, six for
        medians: no interval), ``no_response`` (more than a fifth of the trials of one side have no response: the
        latencies are those of the larger ones).

    Raises
    ------
    ValueError
        For an unknown column or statistic, and for latencies that are not seconds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({
    ...     "condition": ["LM"] * 15 + ["PA"] * 15 + ["AP"] * 15,
    ...     "mep_latency": np.repeat([0.0195, 0.0208, 0.0232], 15) + 3e-4 * rng.standard_normal(45),
    ... })
    >>> later = latency_difference(table)
    >>> {name: bool(value.ci_low < true < value.ci_high)
    ...  for (name, value), true in zip(later.items(), (0.0037, 0.0013))}
    {'AP': True, 'PA': True}
    """
    check_statistic(statistic)
    seconds(numbers(table, of), of)
    kept, condition = is_kept(table), conditions(table)
    return {
        name: _difference(table, of, kept, condition == name, condition == test, statistic)
        for name in sorted(set(condition) - {"", test})
    }


def _difference(
    table: pd.DataFrame, of: str, kept: np.ndarray, mine: np.ndarray, reference: np.ndarray, statistic: str
) -> Estimate:
    latency = numbers(table, of)
    sides = [kept & mine, kept & reference]
    n_rejected = int((mine & ~kept).sum())
    known, baseline = (latency[side][np.isfinite(latency[side])] for side in sides)
    if not known.size or not baseline.size:
        return nothing("no_test_trials" if known.size else "no_trials", known.size, n_rejected)
    lost = any(part.size < 0.8 * side.sum() for part, side in zip((known, baseline), sides, strict=True))
    few = min(known.size, baseline.size) < (FEWEST_OF_MEDIAN if statistic == "median" else FEWEST)
    flag = join_flags("few_trials" if few else "", "no_response" if lost else "")
    found = difference_of_levels(known, baseline, statistic)
    for side in sides:  # two shapes of response, so two errors
        found = with_shared_error(table, of, side, found)
    return Estimate(*found, known.size, flag, n_rejected)
