"""How far a block lies from baseline, in units of the scatter of single trials at baseline."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import gammaln, nctdtrinc

from ..schema import Estimate, join_flags
from ._registry import measure
from ._tables import (
    CONDITIONED_AT_FLOOR,
    FEWEST,
    LEVEL,
    conditions,
    is_kept,
    noise_floor_flags,
    nothing,
    numbers,
    responded,
)


@measure(kind="summary", unit="1", over="conditioned")
def change_in_baseline_deviations(
    table: pd.DataFrame, *, of: str = "mep_amplitude", test: str = "pre"
) -> dict[str, Estimate]:
    """``(mean ln block − mean ln baseline) / SD(ln baseline)`` of each block: Glass's delta with Hedges' correction.

    A description of one person's after-effect beside the scatter of his own responses. It is no rule for who responds:
    after-effects form a continuum (Wilson et al. 2016), and with this rule a drift between blocks makes a responder
    too. The interval inverts the noncentral t distribution, which holds the errors of the two means and of the standard
    deviation: it covers 95–97 % of log-normal responses, up to 99 % of those that fail at times.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel, with ``condition``.
    of : str
        Column with the size of the response; trials at zero or below are left out and flagged.
    test : str
        Condition of the baseline trials.

    Returns
    -------
    dict of str to Estimate
        One for each other condition. Flags: ``no_trials``, ``no_test_trials``, ``few_trials`` (NaN: fewer than three
        baseline trials; no interval: fewer than three in the block), ``no_variation`` (NaN: all baseline trials are
        alike), ``non_positive`` (some trials had no logarithm), ``test_at_noise_floor`` (NaN: most baseline trials hold
        no response), ``conditioned_at_noise_floor`` (most of the block hold none: an upper limit, without ``ci_low``),
        ``conditioned_at_noise_floor_in_some``.

    Raises
    ------
    ValueError
        For an unknown column.

    Examples
    --------
    >>> rng = np.random.default_rng(6)
    >>> logs = np.r_[0.5 * rng.standard_normal(30), 0.4 + 0.5 * rng.standard_normal(30)]
    >>> table = pd.DataFrame({"condition": np.repeat(["pre", "post0"], 30), "mep_amplitude": 1e-3 * np.exp(logs)})
    >>> change = change_in_baseline_deviations(table)["post0"]
    >>> bool(change.ci_low < 0.8 < change.ci_high)
    True
    """
    values, kept = numbers(table, of), is_kept(table)
    condition = conditions(table)
    known = kept & (values > 0)
    logs = np.log(np.where(known, values, 1.0))
    found = responded(table, of)
    before = known & (condition == test)
    below = "non_positive" if (kept & (values <= 0) & (condition != "")).any() else ""
    changes = {}
    for name in sorted(set(condition) - {"", test}):
        mine = known & (condition == name)
        floor, at_floor = noise_floor_flags(*(None if found is None else found[part] for part in (before, mine)))
        n_rejected = int(((condition == name) & ~kept).sum())
        if floor and mine.any():
            changes[name] = nothing(floor, int(mine.sum()), n_rejected)
            continue
        changes[name] = _delta(logs[mine], logs[before], join_flags(below, at_floor), n_rejected)
    return changes


def _delta(values: np.ndarray, baseline: np.ndarray, flag: str, n_rejected: int) -> Estimate:
    n, m = values.size, baseline.size
    if not n or not m:
        return nothing("no_test_trials" if n else "no_trials", n, n_rejected)
    if m < FEWEST:
        return nothing("few_trials", n, n_rejected)
    spread = float(baseline.std(ddof=1))
    if spread <= 1e-12 * max(abs(float(baseline.mean())), 1.0):
        return nothing("no_variation", n, n_rejected)
    freedom = m - 1
    unbiased = float(np.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / np.sqrt(freedom / 2))
    delta = unbiased * float(values.mean() - baseline.mean()) / spread
    if n < FEWEST:
        return Estimate(delta, n=n, flag=join_flags("few_trials", flag), n_rejected=n_rejected)
    parts = np.array([float(values.var(ddof=1)) / spread**2 / n, 1 / m])
    scale = float(np.sqrt(parts.sum()))
    t = delta / unbiased / scale
    low, high = (scale * float(nctdtrinc(freedom, p, t)) for p in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    low = np.nan if CONDITIONED_AT_FLOOR in flag.split(";") else low
    return Estimate(delta, low, high, n, flag, n_rejected)
