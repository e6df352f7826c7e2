"""Conditioned over test response along the interval or the intensity of the pair: a smooth curve and its extremes.

The logarithms of the ratios are smoothed by Gaussian process regression: neighbours inform each other as far as the
data themselves say (evidence, summed over a grid of lengths and heights). Curves are drawn from what the data leave
open, and the extreme of each drawn curve is taken. The largest of several measured ratios is larger than the largest
true one, for chance helps to be the largest; the extremes of the drawn curves are not so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from ..kernels._threads import one_thread
from ..schema import RELATIVE_INTENSITIES, Estimate, join_flags
from ._intervals import nominal_intervals
from ._ratios import Trials
from ._tables import FEWEST, intensities, is_kept, log_level, with_condition

N_DRAWS = 2000
_HEIGHTS = (0.2, 0.4, 0.8, 1.5)  # standard deviation of ln R along the curve
_LENGTHS = (1.0, 1.5, 2.2, 3.2, 5.0, 10.0)  # steps between neighbouring levels
_LEVEL_SD = 1.5  # of the level of ln R: ratios from 0.05 to 20 are possible
_FINE = 8  # places between two levels
_ROUNDING = 1e-8  # variance that keeps the covariance of close places positive: 0.01 % of a ratio


@dataclass(frozen=True)
class RatioPoints:
    """Measured ratios: one a level of the interval or the intensity."""

    levels: np.ndarray
    log_ratio: np.ndarray
    variance: np.ndarray  # of the conditioned level alone
    test_variance: float  # of the test level, which all ratios share
    n: int
    n_rejected: int
    flag: str


@dataclass(frozen=True)
class RatioCurves:
    """Curves of ln R that the data leave open, ``(n_draws, n_places)``."""

    places: np.ndarray
    draws: np.ndarray


def ratio_points(table: pd.DataFrame, of: str, by: str, test: str) -> RatioPoints:
    """Ratio at each level of ``by``, with the variances of its parts; unknown ones are left out."""
    table = with_condition(table, test)
    condition = table["condition"].fillna("").astype(str).to_numpy()
    tests = Trials(table[condition == test], of)
    paired = (condition != "") & (condition != test)
    where = np.where(paired, intensities(table, by), np.nan) if paired.any() else np.full(len(table), np.nan)
    # as conditions are grouped: intervals as they were set, percent of a threshold to 5
    if by == "inter_stimulus_interval":
        where = nominal_intervals(where)
    else:
        where = 5 * np.round(where / 5) if by in RELATIVE_INTENSITIES else np.round(where, 4)
    n = int((paired & is_kept(table)).sum())
    lost = int((paired & ~is_kept(table)).sum())
    nothing = RatioPoints(np.empty(0), np.empty(0), np.empty(0), np.nan, n, lost, "no_test_trials")
    if tests.size.size < FEWEST:
        return nothing
    if tests.size.mean() <= 0:
        return RatioPoints(**{**vars(nothing), "flag": "non_positive"})
    if tests.share < 0.5:
        return RatioPoints(**{**vars(nothing), "flag": "test_at_noise_floor"})
    base, base_variance, _ = log_level(tests.size, "mean")
    found, at_floor, left_out = [], False, False
    for level in np.unique(where[np.isfinite(where)]):
        trials = Trials(table[where == level], of)
        if trials.size.size < FEWEST or trials.size.mean() <= 0:
            left_out |= trials.size.size > 0
            continue
        centre, variance, df = log_level(trials.size, "mean")
        at_floor |= trials.share < 0.5
        # a variance from few trials is itself uncertain: that of Student's t
        found.append((level, centre - base, variance * (df / (df - 2) if df > 4 else 2.0)))
    if not found:
        return RatioPoints(**{**vars(nothing), "flag": "no_conditioned_trials"})
    levels, logs, variances = np.array(found).T
    flag = join_flags("conditioned_at_noise_floor_in_some" if at_floor else "", "levels_left_out" if left_out else "")
    df = tests.size.size - 1
    inflated = base_variance * (df / (df - 2) if df > 4 else 2.0)
    return RatioPoints(levels, logs, variances, inflated, n, lost, flag)


def ratio_curves(
    points: RatioPoints, seed: int, lengths: Sequence[float] = (), heights: Sequence[float] = _HEIGHTS
) -> RatioCurves:
    """Draws of the smooth curve through the points, at and between the levels.

    ``lengths`` over which the curve changes, in the unit of the levels; by default from the steps between them.
    ``heights`` by which it does, in ln R.
    """
    rng = np.random.default_rng(seed)
    x, y = points.levels, points.log_ratio
    inner = [np.linspace(a, b, _FINE, endpoint=False) for a, b in pairwise(x)]
    places = np.concatenate([*inner, x[-1:]])
    step = float(np.median(np.diff(x)))
    lengths = lengths or [step * length for length in _LENGTHS]
    parts = []
    with one_thread():
        fits = [_posterior(x, y, points.variance, places, height, length)
                for height in heights for length in lengths]  # fmt: skip
        evidence = np.array([fit[0] for fit in fits])
        weight = np.exp(evidence - evidence.max())
        counts = rng.multinomial(N_DRAWS, weight / weight.sum())
        for (_, mean, covariance), count in zip(fits, counts, strict=True):
            if count:
                root = np.linalg.cholesky(covariance + _ROUNDING * np.eye(places.size))
                parts.append(mean + rng.standard_normal((count, places.size)) @ root.T)
    draws = np.concatenate(parts)
    # the test response is in all ratios: it moves a whole curve up or down
    return RatioCurves(places, draws + np.sqrt(points.test_variance) * rng.standard_normal((len(draws), 1)))


def _posterior(
    x: np.ndarray, y: np.ndarray, variance: np.ndarray, places: np.ndarray, height: float, length: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log evidence, mean and covariance of the curve at ``places`` for one height and length."""

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return _LEVEL_SD**2 + height**2 * np.exp(-0.5 * ((a[:, None] - b) / length) ** 2)

    seen = kernel(x, x) + np.diag(variance + _ROUNDING)
    factor = np.linalg.cholesky(seen)
    white = np.linalg.solve(factor, y)
    across = np.linalg.solve(factor, kernel(x, places))
    evidence = -0.5 * float(white @ white) - float(np.log(np.diag(factor)).sum())
    return evidence, across.T @ white, kernel(places, places) - across.T @ across


def extreme(
    curves: RatioCurves, window: tuple[float, float], *, largest: bool
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Place and ln R of the extreme of each drawn curve in a window, and the share that lies at its edge.

    ``ln R`` has two rows: at the extreme of the curve itself, and at the extreme of the mean of all curves. Where the
    truth is flat the first is too far out, where it is sharp the second is not far enough.
    """
    inside = np.flatnonzero((curves.places >= window[0] - 1e-9) & (curves.places <= window[1] + 1e-9))
    if inside.size < 2:
        return None
    sign = 1.0 if largest else -1.0
    part = sign * curves.draws[:, inside]
    at = part.argmax(axis=1)
    own = part[np.arange(len(part)), at]
    common = part[:, int(part.mean(axis=0).argmax())]
    at_edge = float(np.mean((at == 0) | (at == inside.size - 1)))
    return curves.places[inside[at]], sign * np.array([own, common]), at_edge


def estimate_of(draws: np.ndarray, points: RatioPoints, flag: str = "") -> Estimate:
    """Median of what was drawn with the middle 95 %; of two rows the middle of both and the wider limits."""
    low, middle, high = np.quantile(np.atleast_2d(draws), [0.025, 0.5, 0.975], axis=1)
    value = float(middle.mean())
    flag = join_flags(flag, points.flag)
    return Estimate(value, float(low.min()), float(high.max()), points.n, flag, points.n_rejected)
