"""Intracortical inhibition as the change of the intensity that keeps a response constant (T-SICI)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..schema import Estimate
from ._registry import measure
from ._tables import is_kept, nothing, numbers, with_condition


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
    on intensity with a slope common to the conditions; the interval is Fieller's, by inverting the test of each T.

    Parameters
    ----------
    table : DataFrame
        Tracked trials of one channel: an intensity and a response each, test and conditioned.
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
        ``no_test_trials``, ``few_trials``, ``slope_unknown`` (responses do not rise with intensity).

    Raises
    ------
    ValueError
        For an unknown column.

    Notes
    -----
    A tenfold smaller amplitude goes with about 18 % more threshold in 50 people, with wide scatter: tracked and
    amplitude values are two measures and are never converted into each other here.

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
    table = with_condition(table, test)
    s, size = numbers(table, by), numbers(table, of)
    condition = table["condition"].fillna("").astype(str).to_numpy()
    known = is_kept(table) & np.isfinite(s) & (size > 0)
    names = sorted(set(condition) - {"", test})
    found = {
        name: _change(s, np.log10(size, where=size > 0, out=np.zeros_like(size)), condition, known, name, test, target)
        for name in names
    }
    return next(iter(found.values())) if len(found) == 1 else found


def _change(
    s: np.ndarray,
    logs: np.ndarray,
    condition: np.ndarray,
    known: np.ndarray,
    name: str,
    test: str,
    target: float,
) -> Estimate:
    groups = [known & (condition == label) for label in (test, name)]
    n = int(groups[1].sum())
    if n == 0 or not groups[0].any():
        return nothing("no_trials" if n == 0 else "no_test_trials", n)
    rows = known & (condition != "")  # the slope is common to all conditions
    labels = condition[rows]
    x, y = s[rows].copy(), logs[rows].copy()
    for label in set(labels):
        mine = labels == label
        x[mine] -= x[mine].mean()
        y[mine] -= y[mine].mean()
    freedom = int(rows.sum()) - len(set(labels)) - 1
    sxx = float(x @ x)
    if freedom < 3 or sxx == 0:
        return nothing("few_trials", n)
    slope = float(x @ y) / sxx
    residual = float(np.sum((y - slope * x) ** 2)) / freedom
    t = float(stdtrit(freedom, 0.975))
    if slope <= 0 or t**2 * residual / sxx >= slope**2:
        return nothing("slope_unknown", n)
    centre = [float(s[group].mean()) for group in groups]
    away = [float(np.log10(target) - logs[group].mean()) for group in groups]
    count = [int(group.sum()) for group in groups]
    base, conditioned = (centre[i] + away[i] / slope for i in (0, 1))
    if base <= 0:
        return nothing("slope_unknown", n)
    ratio = conditioned / base
    # T solves conditioned − ratio · base = 0: both sides times the slope are linear in the three estimates
    low, high = _fieller(ratio, slope, centre, away, count, residual, sxx, t)
    return Estimate(100 * (ratio - 1), 100 * (low - 1), 100 * (high - 1), n)


def _fieller(
    ratio: float,
    slope: float,
    centre: list[float],
    away: list[float],
    count: list[int],
    residual: float,
    sxx: float,
    t: float,
) -> tuple[float, float]:
    """Ratios r that the data do not contradict: ``(g(r) / se(g(r)))² ≤ t²`` with ``g`` linear in the estimates.

    ``g(r) = slope (c₁ − r c₀) + (a₁ − r a₀)``; a quadratic in r.
    """
    square = (slope * centre[0] + away[0]) ** 2 - t**2 * residual * (centre[0] ** 2 / sxx + 1 / count[0])
    cross = (slope * centre[0] + away[0]) * (slope * centre[1] + away[1]) - t**2 * residual * centre[0] * centre[
        1
    ] / sxx
    constant = (slope * centre[1] + away[1]) ** 2 - t**2 * residual * (centre[1] ** 2 / sxx + 1 / count[1])
    inside = cross**2 - square * constant
    if square <= 0 or inside < 0:
        return float("nan"), float("nan")
    return (cross - np.sqrt(inside)) / square, (cross + np.sqrt(inside)) / square
