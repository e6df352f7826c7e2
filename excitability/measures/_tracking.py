"""Tracked thresholds: one regression of log size on intensity for all conditions, and the change between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..schema import Estimate, join_flags
from ._tables import (
    CONDITIONED_AT_FLOOR,
    intensities,
    is_kept,
    noise_floor_flags,
    nothing,
    numbers,
    responded,
    with_condition,
)

#: Flag of a session whose conditions were tracked one after the other.
SERIAL = "serial_tracking"


@dataclass(frozen=True)
class Tracked:
    """Kept trials of all conditions in the order they were given, shape (n_trials,)."""

    intensity: np.ndarray
    log_size: np.ndarray
    condition: np.ndarray
    n_rejected: dict[str, int]
    response: np.ndarray | None = None  # 1 or 0, NaN where nothing tells
    non_positive: bool = False  # trials of no size were left out

    @property
    def order(self) -> str:
        """``serial_tracking`` where the conditions follow each other in blocks, else empty (parallel)."""
        changes = int(np.sum(self.condition[1:] != self.condition[:-1]))
        several = len(set(self.condition))
        return SERIAL if several > 1 and self.condition.size >= 4 * several and changes < 2 * several else ""


def tracked(table: pd.DataFrame, of: str, by: str, test: str) -> Tracked:
    """Trials with an intensity and a positive response."""
    table = with_condition(table, test)
    for column in ("onset", "trial"):
        if column in table:
            table = table.sort_values(column, kind="stable")
            break
    s, size = intensities(table, by), numbers(table, of)
    condition = table["condition"].fillna("").astype(str).to_numpy(dtype=object)
    kept = is_kept(table)
    known = kept & np.isfinite(s) & (size > 0) & (condition != "")
    lost = {str(name): int(np.sum(~kept & (condition == name))) for name in set(condition)}
    found = responded(table, of)
    left_out = bool((kept & np.isfinite(s) & (size <= 0) & (condition != "")).any())
    told = None if found is None else found[known]
    return Tracked(s[known], np.log10(size[known]), condition[known], lost, told, left_out)


def threshold_change(trials: Tracked, names: Sequence[str], test: str, target: float) -> Estimate:
    """Change of the mean threshold of some conditions in percent of that of the test pulse alone.

    The slope is common to all conditions; the interval is Fieller's. Trials of noise are larger than their response:
    where most of a condition are, its threshold is a lower limit.
    """
    if not (np.isfinite(target) and target > 0):
        raise ValueError(f"target = {target:g} must be the size of a response above 0 (V), such as 200e-6")
    groups = [trials.condition == name for name in (test, *names)]
    n = int(sum(group.sum() for group in groups[1:]))
    lost = sum(trials.n_rejected.get(name, 0) for name in names)
    if n == 0 or not groups[0].any() or not all(group.any() for group in groups):
        return nothing("no_test_trials" if n and not groups[0].any() else "no_trials", n, lost)
    told = trials.response
    others = np.any(groups[1:], axis=0)
    floor, at_floor = ("", "") if told is None else noise_floor_flags(told[groups[0]], told[others])
    if floor:
        return nothing(floor, n, lost)
    freedom = trials.condition.size - len(set(trials.condition)) - 1
    slope, sxx, residual = _common_slope(trials)
    if freedom < 3 or sxx == 0:
        return nothing("few_trials", n, lost)
    residual /= freedom
    t2 = float(stdtrit(freedom, 0.975)) ** 2
    if not slope > 0 or t2 * residual / sxx >= slope**2:
        return nothing("slope_unknown", n, lost)
    centres = np.array([trials.intensity[group].mean() for group in groups])
    away = np.array([np.log10(target) - trials.log_size[group].mean() for group in groups])
    inverse = np.array([1 / group.sum() for group in groups])
    share = 1 / len(names)
    base = (float(centres[0]), float(away[0]), float(inverse[0]))
    other = (float(centres[1:].mean()), float(away[1:].mean()), float(inverse[1:].sum() * share**2))
    thresholds = [part[0] + part[1] / slope for part in (base, other)]
    if thresholds[0] <= 0:
        return nothing("slope_unknown", n, lost)
    low, high = _fieller(slope, base, other, residual, sxx, t2)
    ratio = thresholds[1] / thresholds[0]
    high = np.nan if at_floor == CONDITIONED_AT_FLOOR else high
    flag = join_flags(trials.order, at_floor, "non_positive" if trials.non_positive else "")
    return Estimate(100 * (ratio - 1), 100 * (low - 1), 100 * (high - 1), n, flag, lost)


def _common_slope(trials: Tracked) -> tuple[float, float, float]:
    """Slope of log size on intensity within conditions, sum of squares of the intensities and of the residuals.

    The intensity of a tracked trial follows from the responses before it, which makes the slope too steep, the more
    the shorter the track: the half-panel jackknife takes most of that away.
    """
    s, logs, condition = trials.intensity, trials.log_size, trials.condition
    slope, sxx = _slope_within(s, logs, condition)
    early = np.zeros(s.size, dtype=bool)
    for name in set(condition):
        rows = np.flatnonzero(condition == name)
        early[rows[: rows.size // 2]] = True
    halves = [_slope_within(s[part], logs[part], condition[part]) for part in (early, ~early)]
    if min(part[1] for part in halves) > 0.1 * sxx:
        slope = 2 * slope - sum(part[0] for part in halves) / 2
    rest = _centred(logs, condition) - slope * _centred(s, condition)
    return slope, sxx, float(rest @ rest)


def _slope_within(s: np.ndarray, logs: np.ndarray, condition: np.ndarray) -> tuple[float, float]:
    x, y = _centred(s, condition), _centred(logs, condition)
    sxx = float(x @ x)
    return float(x @ y) / sxx if sxx > 0 else np.nan, sxx


def _centred(values: np.ndarray, condition: np.ndarray) -> np.ndarray:
    centred = values.copy()
    for name in set(condition):
        centred[condition == name] -= values[condition == name].mean()
    return centred


def _fieller(
    slope: float,
    base: tuple[float, float, float],
    other: tuple[float, float, float],
    residual: float,
    sxx: float,
    t2: float,
) -> tuple[float, float]:
    """Ratios r that the data do not contradict: ``(g(r) / se(g(r)))² ≤ t²`` with ``g`` linear in the estimates.

    ``base`` and ``other`` are mean intensity, distance of the mean log size from the target, and 1 / trials:
    ``g(r) = slope (c₁ − r c₀) + (a₁ − r a₀)``; a quadratic in r.
    """
    (c0, a0, v0), (c1, a1, v1) = base, other
    g0, g1 = slope * c0 + a0, slope * c1 + a1
    square = g0**2 - t2 * residual * (c0**2 / sxx + v0)
    cross = g0 * g1 - t2 * residual * c0 * c1 / sxx
    constant = g1**2 - t2 * residual * (c1**2 / sxx + v1)
    inside = cross**2 - square * constant
    if square <= 0 or inside < 0:
        return float("nan"), float("nan")
    return (cross - np.sqrt(inside)) / square, (cross + np.sqrt(inside)) / square
