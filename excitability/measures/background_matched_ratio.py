"""Response of a condition relative to a reference condition, both at the same background EMG."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags, unknown_word
from ._background import FAR_APART, USUAL_ERROR, Adjusted, adjust
from ._registry import measure
from ._tables import CONDITIONED_AT_FLOOR, noise_floor_flags, nothing
from .conditioned_ratio import FORMS, in_form


@measure(kind="summary", unit="1", form="ratio", over="conditioned")
def background_matched_ratio(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    background: str = "background_emg",
    test: str = "test",
    background_error: float = USUAL_ERROR,
    form: Literal["ratio", "log_ratio", "percent", "percent_inhibition"] = "ratio",
) -> dict[str, Estimate]:
    """Ratio of geometric means with the difference of background EMG taken out: an adjustment, and named as one.

    ``ln response = level of its condition + slope · ln background`` is fitted to all trials (analysis of covariance);
    the difference of two levels is ``ln R`` at equal background, whatever that background is. Put it beside the
    unadjusted ratio: where the two differ, the background made the difference. A slope of zero is right where the
    background does not matter, and then nothing changes. The RMS of one trial before the pulse is itself uncertain by
    some 15 %, which makes the slope too flat, and leaves a part of a large difference in the ratio: the interval holds
    for the slope as it is and for one freed of that error.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel, with ``condition``.
    of : str
        Column with the size of the response; trials at zero or below have no logarithm and are left out.
    background : str
        Column with the background (V).
    background_error : float
        Relative standard error of the background of one trial; 0 takes it for exact.
    test : str
        The reference condition.
    form : {"ratio", "log_ratio", "percent", "percent_inhibition"}
        ``R``, ``ln R``, ``100 R`` or ``100 (1 − R)``.

    Returns
    -------
    dict of str to Estimate
        One for each other condition; ``n`` counts its trials. Flags: ``no_test_trials``, ``few_trials`` (NaN),
        ``backgrounds_differ`` (their means by more than a quarter: some of that difference stays),
        ``backgrounds_apart`` (no background of one condition occurs in the other: nothing but the model compares them),
        ``slope_unknown`` (NaN: the background differs between the conditions and does not vary within them),
        ``test_at_noise_floor`` (NaN: most test trials hold no response), ``conditioned_at_noise_floor`` (most others
        hold none: an upper limit, ``ci_low`` is 0), ``conditioned_at_noise_floor_in_some``.

    Raises
    ------
    ValueError
        For an unknown column or form.

    Examples
    --------
    >>> rng = np.random.default_rng(9)
    >>> background = 20e-6 * np.exp(0.25 * rng.standard_normal(60) + np.repeat([0.0, 0.2], 30))
    >>> size = 1e-3 * np.repeat([1.0, 0.5], 30) * (background / 20e-6) ** 0.8 * rng.lognormal(0, 0.3, 60)
    >>> table = pd.DataFrame({
    ...     "condition": np.repeat(["test", "isi_0.003"], 30), "background_emg": background, "mep_amplitude": size,
    ... })
    >>> ratio = background_matched_ratio(table)["isi_0.003"]
    >>> bool(ratio.ci_low < 0.5 < ratio.ci_high)
    True
    """
    if form not in FORMS:
        raise ValueError(unknown_word("form", form, FORMS))
    found = adjust(table, of, background, float("nan"), logarithm=True, error=background_error)
    return {name: in_form(_ratio(found, name, test), form) for name in sorted(found.n) if name != test}


def _ratio(found: Adjusted, name: str, test: str) -> Estimate:
    n, n_rejected = found.n[name], found.n_rejected[name]
    if test not in found.names:
        return nothing("few_trials" if found.n.get(test) else "no_test_trials", n, n_rejected)
    if name not in found.names:
        return nothing("few_trials", n, n_rejected)
    told = found.response or {}
    floor, at_floor = noise_floor_flags(told.get(test), told.get(name))
    if floor:
        return nothing(floor, n, n_rejected)
    weights = np.array([float(other == name) - float(other == test) for other in found.names])
    value, low, high = np.exp(found.interval(weights))
    if at_floor == CONDITIONED_AT_FLOOR and np.isfinite(low):
        low = 0.0
    (least, mean, most), (other_least, other_mean, other_most) = found.span[name], found.span[test]
    differ = max(mean, other_mean) > FAR_APART * min(mean, other_mean)
    apart = least > other_most or other_least > most
    unknown = "slope_unknown" if np.isnan(value) else ""
    flag = join_flags(at_floor, unknown, "backgrounds_differ" if differ else "", "backgrounds_apart" if apart else "")
    return Estimate(value, low, high, n, flag, n_rejected)
