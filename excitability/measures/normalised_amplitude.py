"""Size of a response relative to the largest direct response of its muscle (%Mmax)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import STIMULUS_COLUMNS, Estimate, join_flags
from ._registry import measure
from ._tables import conditions, is_kept, nothing, numbers
from .conditioned_ratio import in_form, ratio_of_levels
from .m_max import plateau_of


@measure(kind="summary", unit="1", form="percent", over="conditioned")
def normalised_amplitude(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    reference: str = "m_wave_amplitude",
    test: str = "m_wave",
    by: str = "intensity",
    form: Literal["ratio", "log_ratio", "percent", "percent_inhibition"] = "percent",
) -> dict[str, Estimate]:
    """Mean response of each condition relative to M_max of the same recording.

    ``100 · mean(MEP) / M_max``, M_max being the mean of the plateau of the M waves (:func:`m_max`). It takes away what
    electrodes, skin and muscle size do to the amplitude. The interval is built on the logarithm and holds the errors
    of both.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel, with ``condition``.
    of : str
        Column with the size of the response.
    reference : str
        Column with the size of the M wave, of the same kind (peak-to-peak to peak-to-peak).
    test : str
        Condition of the M waves.
    by : str
        Column with the intensity, which tells the plateau.
    form : {"percent", "ratio", "log_ratio", "percent_inhibition"}
        ``100 R``, ``R``, ``ln R`` or ``100 (1 − R)``.

    Returns
    -------
    dict of str to Estimate
        One for each other condition; ``n`` counts its trials. Flags: ``no_trials``, ``no_m_wave_trials`` (NaN),
        ``few_trials``, ``plateau_unknown``, ``plateau_not_reached``, ``non_positive``.

    Raises
    ------
    ValueError
        For an unknown column or form.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> table = pd.DataFrame({
    ...     "condition": ["m_wave"] * 5 + ["all"] * 20,
    ...     "m_wave_amplitude": 10e-3 * rng.lognormal(0, 0.02, 25),
    ...     "mep_amplitude": 1e-3 * rng.lognormal(-0.125, 0.5, 25),
    ... })
    >>> share = normalised_amplitude(table)["all"]
    >>> bool(share.ci_low < 10 < share.ci_high), share.flag
    (True, 'plateau_unknown')
    """
    kept = is_kept(table)
    condition = conditions(table)
    size, direct = numbers(table, of), numbers(table, reference)
    waves = kept & np.isfinite(direct) & (condition == test)
    absent = by not in table and by in STIMULUS_COLUMNS
    intensity = np.full(len(table), np.nan) if absent else numbers(table, by)
    plateau, reached = plateau_of(direct[waves], intensity[waves]) if waves.any() else (np.empty(0), np.nan)
    told = {1.0: "", 0.0: "plateau_not_reached"}.get(reached, "plateau_unknown")
    return {
        name: in_form(_share(size, kept, condition == name, plateau, told), form)
        for name in sorted(set(condition) - {"", test})
    }


def _share(size: np.ndarray, kept: np.ndarray, mine: np.ndarray, plateau: np.ndarray, told: str) -> Estimate:
    values = size[kept & mine & np.isfinite(size)]
    n_rejected = int((mine & ~kept).sum())
    if not values.size or not plateau.size:
        return nothing("no_m_wave_trials" if values.size else "no_trials", values.size, n_rejected)
    ratio, low, high = ratio_of_levels(values, plateau, "mean")
    flag = "" if np.isfinite(low) else "few_trials" if np.isfinite(ratio) else "non_positive"
    return Estimate(ratio, low, high, values.size, join_flags(flag, told), n_rejected)
