"""Intervals of the peaks and troughs of SICF in one person."""

from __future__ import annotations

import pandas as pd

from ..schema import Estimate
from ._registry import measure
from ._sicf import WINDOWS, sicf_extremes


@measure(
    kind="summary",
    unit={f"sicf_{name}_interval": "s" for name, _, _ in WINDOWS},
    over="table",
    references=["10.1111/j.1469-7793.1998.181bi.x"],
)
def sicf_intervals(
    table: pd.DataFrame, *, of: str = "mep_amplitude", test: str = "test", seed: int = 0
) -> dict[str, Estimate]:
    """Interval at which each peak and trough of short-interval intracortical facilitation lies.

    Peaks reflect the spacing of I-waves: in nine people they lay at 1.54 and 2.61 ms, troughs at 1.97 and 3.50 ms on
    average (Peurala et al. 2008). Found in the same curves as ``sicf_peaks``; a peak may lie between two intervals
    that were tried.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel: the first pulse alone, and pairs with their ``inter_stimulus_interval`` (s).
    of : str
        Column with the size of the response.
    test : str
        Condition of the first pulse alone.
    seed : int
        Of the drawn curves.

    Returns
    -------
    dict of Estimate
        ``sicf_peak_1_interval``, ``sicf_trough_1_interval``, … ``sicf_peak_3_interval`` (s); ``n``
        counts pairs. Flags: ``few_intervals`` (NaN: fewer than three intervals in the
        window), ``at_edge_of_window`` (the curve still rises or falls there),
        ``not_distinct`` (NaN: the
        interval would reach over four fifths of the window),
        ``no_test_trials``, ``test_at_noise_floor``.

    Raises
    ------
    ValueError
        For an unknown column.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(4)
    >>> isi = np.repeat(np.r_[np.nan, np.arange(10, 50, 2) * 1e-4], 12)
    >>> true = 1 + np.where(np.isnan(isi), 0, np.exp(-(((isi - 0.0014) / 0.0003) ** 2)))
    >>> table = pd.DataFrame({"condition": np.where(np.isnan(isi), "test", "pair"), "inter_stimulus_interval": isi,
    ...                       "mep_amplitude": 1e-3 * true * rng.lognormal(-0.08, 0.4, isi.size)})
    >>> peak = sicf_intervals(table)["sicf_peak_1_interval"]
    >>> bool(peak.ci_low < 0.0014 < peak.ci_high)
    True
    """
    found = sicf_extremes(table, of, test, seed)
    return {f"sicf_{name}_interval": place for name, (place, _) in found.items()}
