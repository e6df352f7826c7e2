"""Facilitation at the peaks and in the troughs of SICF."""

from __future__ import annotations

import pandas as pd

from ..schema import Estimate
from ._registry import measure
from ._sicf import WINDOWS, sicf_extremes


@measure(
    kind="summary",
    unit={f"sicf_{name}_ratio": "1" for name, _, _ in WINDOWS},
    form="ratio",
    over="table",
    references=["10.1111/j.1469-7793.1998.181bi.x"],
)
def sicf_peaks(
    table: pd.DataFrame, *, of: str = "mep_amplitude", test: str = "test", seed: int = 0
) -> dict[str, Estimate]:
    """Ratio of the pair to the first pulse alone at each peak and trough of one person.

    A smooth curve of ``ln R`` over the interval (Gaussian process regression, see ``paired_pulse_curve``) has its
    largest values in 1.0–1.8, 2.3–3.1 and 3.9–4.9 ms, its smallest in 1.6–2.4 and 3.0–4.0 ms. The largest of the
    measured ratios would be too large: chance helps it to be the largest. The value at a fixed interval, the same
    for all people, is the row of ``conditioned_ratio`` at that interval.

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
        ``sicf_peak_1_ratio``, ``sicf_trough_1_ratio``, … ``sicf_peak_3_ratio``; ``n``
        counts pairs. Flags: ``few_intervals`` (NaN: fewer than three intervals in the
        window), ``at_edge_of_window`` (the curve still rises or falls there),
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
    >>> peak = sicf_peaks(table)["sicf_peak_1_ratio"]
    >>> bool(peak.ci_low < 2 < peak.ci_high)
    True
    """
    found = sicf_extremes(table, of, test, seed)
    return {f"sicf_{name}_ratio": ratio for name, (_, ratio) in found.items()}
