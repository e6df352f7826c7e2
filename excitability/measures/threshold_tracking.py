"""Intracortical inhibition as the change of the intensity that keeps a response constant (T-SICI)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._registry import measure
from ._tables import with_condition
from ._tracking import threshold_change, tracked

#: Increase of the threshold (%) that goes with a response of a tenth, in a group.
_PERCENT_OF_TENFOLD = 18.0


@measure(kind="summary", unit="%", over="conditioned")
def threshold_tracking(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    by: str = "intensity",
    test: str = "test",
    target: float = 200e-6,
) -> Estimate | dict[str, Estimate]:
    """Change of the tracked threshold by a conditioning pulse, in percent of the unconditioned threshold.

    ``T = 100 (θ_conditioned − θ_test) / θ_test``, where θ is the intensity of a response of the target size. Positive
    values are inhibition, negative values facilitation. All thresholds come from one regression of log10 amplitude
    on intensity with a slope common to the conditions, corrected for what tracking does to it (an intensity follows
    from the responses before it); the interval is Fieller's, by inverting the test of each T.

    Parameters
    ----------
    table : DataFrame
        Tracked trials of one channel in the order they were given (or with ``onset`` or ``trial``): an intensity
        and a response each, test and conditioned.
    of, by : str
        Columns with the size of the response and with the test intensity (%MSO).
    test : str
        Condition of the unconditioned trials.
    target : float
        Response that is kept constant (V).

    Returns
    -------
    Estimate or dict of Estimate
        One for each conditioned condition; the Estimate itself where there is only one. Flags: ``no_trials``,
        ``no_test_trials``, ``few_trials``, ``slope_unknown`` (responses do not rise with intensity),
        ``serial_tracking`` (one condition after the other; without it they were interleaved, tracked in parallel),
        ``non_positive`` (trials of no size were left out), ``test_at_noise_floor`` (NaN: most test trials hold no
        response), ``conditioned_at_noise_floor`` (most conditioned trials hold none: a lower limit, without
        ``ci_high``), ``conditioned_at_noise_floor_in_some``.

    Raises
    ------
    ValueError
        For an unknown column, or a target that is not positive.

    Notes
    -----
    Serial and parallel tracking are not equivalent: serial tracking gave larger increases at 3.5–5 ms (Tankisi et al.
    2021). Tracked thresholds and ratios of amplitudes are two measures that are never mixed; :func:`equivalent_ratio`
    says what goes with what in a group, and no result is made with it.

    Examples
    --------
    >>> intensity = np.tile([48.0, 50.0, 52.0], 10)
    >>> rng = np.random.default_rng(3)
    >>> def sizes(above_threshold):
    ...     return 200e-6 * 10 ** (0.08 * above_threshold + rng.normal(0, 0.15, 30))
    >>> table = pd.DataFrame({
    ...     "condition": ["test"] * 30 + ["isi_0.0025"] * 30,
    ...     "intensity": np.r_[intensity, intensity + 5],
    ...     "mep_amplitude": np.r_[sizes(intensity - 50), sizes(intensity - 50)],
    ... })
    >>> tracked = threshold_tracking(table)
    >>> bool(tracked.ci_low < 10 < tracked.ci_high)
    True
    """
    trials = tracked(table, of, by, test)
    names = sorted({str(name) for name in with_condition(table, test)["condition"].fillna("")} - {"", test})
    found = {name: threshold_change(trials, [name], test, target) for name in names}
    return next(iter(found.values())) if len(found) == 1 else found


def equivalent_ratio(change: float) -> float:
    """Ratio of amplitudes that goes with a change of the tracked threshold in a group: for information only.

    ``10 ** (-change / 18)``: in 50 people a tenfold smaller response went with about 18 % more threshold (Tankisi et
    al. 2021), with wide scatter between people. No measure uses it, and no result is made with it: ratios of
    amplitudes and tracked thresholds must not be mixed in one analysis.

    Parameters
    ----------
    change : float
        Change of the tracked threshold (%).

    Examples
    --------
    >>> round(equivalent_ratio(10.0), 3)
    0.278
    """
    return float(10 ** (-change / _PERCENT_OF_TENFOLD))


def equivalent_threshold_change(ratio: float) -> float:
    """Inverse of :func:`equivalent_ratio`, in percent: for information only.

    Raises
    ------
    ValueError
        For a ratio that is not positive.

    Examples
    --------
    >>> round(equivalent_threshold_change(0.5), 2)
    5.42
    """
    if not ratio > 0:
        raise ValueError(f"ratio = {ratio:g} must be positive, such as 0.5")
    return float(-_PERCENT_OF_TENFOLD * np.log10(ratio))
