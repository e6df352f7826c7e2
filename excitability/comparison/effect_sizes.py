"""Standardised mean changes and differences (Lakens 2013, 10.3389/fpsyg.2013.00863; Morris 2008)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from ..schema import Estimate


def small_sample_correction(df: float) -> float:
    """Hedges' factor J that removes the bias of a standardised mean, exact.

    ``J(m) = Γ(m/2) / (√(m/2) Γ((m−1)/2))``; NaN for fewer than two degrees of freedom.

    Parameters
    ----------
    df : float
        Degrees of freedom of the standard deviation.

    References
    ----------
    .. [1] Hedges LV. J Educ Stat 1981;6:107-128. 10.3102/10769986006002107

    Examples
    --------
    >>> round(small_sample_correction(18), 6)
    0.957646
    """
    if not df > 1:
        return math.nan
    return math.exp(special.gammaln(df / 2) - 0.5 * math.log(df / 2) - special.gammaln((df - 1) / 2))


def hedges_g(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Standardised difference of two independent groups, ``J · (M1 − M2) / SD_pooled``.

    Parameters
    ----------
    first, second : array-like, shape (n1,), (n2,)
        Values of the two groups; missing values are left out.

    Returns
    -------
    Estimate
        With the 95 % interval of the noncentral t distribution (equal variances).

    Raises
    ------
    ValueError
        When a group has fewer than two values, or all values are equal.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> g = hedges_g(rng.normal(1, 1, 20), rng.normal(0, 1, 20))
    >>> g.ci_low < g < g.ci_high
    True
    """
    one, two = _sample(first, "first"), _sample(second, "second")
    df = len(one) + len(two) - 2
    spread = _pooled(one, two)
    t_per_d = math.sqrt(len(one) * len(two) / (len(one) + len(two)))
    t = float(one.mean() - two.mean()) / spread * t_per_d
    return _with_interval(t, small_sample_correction(df) / t_per_d, df, 1.0, len(one) + len(two))


def g_av(before: Sequence[float], after: Sequence[float]) -> Estimate:
    """Change standardised by the average of the two standard deviations, ``J(n−1) · M_diff / ((SD1 + SD2)/2)``.

    Parameters
    ----------
    before, after : array-like, shape (n,)
        Values of the same participants in the same order; incomplete pairs are left out.

    Returns
    -------
    Estimate
        Interval from the noncentral t of the paired test, rescaled (Algina & Keselman 2003).

    Raises
    ------
    ValueError
        For unequal lengths, fewer than three pairs, or no variation.

    Examples
    --------
    >>> round(g_av([1.0, .8, 1.2, .9, 1.1, .7], [1.3, .9, 1.5, 1.0, 1.6, .8]), 7)
    0.7570769
    """
    first, second = _pairs(before, after)
    return _paired(first, second, (first.std(ddof=1) + second.std(ddof=1)) / 2, corrected=True)


def d_av(before: Sequence[float], after: Sequence[float]) -> Estimate:
    """Change standardised by the average of the two standard deviations, without correction for bias.

    Parameters
    ----------
    before, after : array-like, shape (n,)

    Examples
    --------
    >>> round(d_av([1.0, .8, 1.2, .9, 1.1, .7], [1.3, .9, 1.5, 1.0, 1.6, .8]), 7)
    0.9004794
    """
    first, second = _pairs(before, after)
    return _paired(first, second, (first.std(ddof=1) + second.std(ddof=1)) / 2, corrected=False)


def d_z(before: Sequence[float], after: Sequence[float]) -> Estimate:
    """Change standardised by the standard deviation of the changes; not comparable with other effect sizes.

    Parameters
    ----------
    before, after : array-like, shape (n,)

    Examples
    --------
    >>> round(d_z([1.0, .8, 1.2, .9, 1.1, .7], [1.3, .9, 1.5, 1.0, 1.6, .8]), 7)
    1.428869
    """
    first, second = _pairs(before, after)
    return _paired(first, second, (second - first).std(ddof=1), corrected=False)


def d_rm(before: Sequence[float], after: Sequence[float]) -> Estimate:
    """Change standardised for repeated measures, ``d_z · √(2(1 − r))``.

    Parameters
    ----------
    before, after : array-like, shape (n,)
        Values of the same participants in the same order; incomplete pairs are left out.

    Returns
    -------
    Estimate
        Interval by the delta method with the uncertainty of both spreads and of their correlation, and t with n − 1
        degrees of freedom; NaN when ``before`` or ``after`` is constant. It is wide for few people (97 to 99.8 % of the
        limits hold the truth at n = 6, so that it may hold zero where the paired test finds a change), but that of
        ``d_z`` on the scale of d_rm holds a large effect in 89 % only.

    Raises
    ------
    ValueError
        For unequal lengths, fewer than three pairs, or no variation of the changes.

    Examples
    --------
    >>> round(d_rm([1.0, .8, 1.2, .9, 1.1, .7], [1.3, .9, 1.5, 1.0, 1.6, .8]), 7)
    0.4412634
    """
    first, second = _pairs(before, after)
    n, change = len(first), second - first
    if not change.std(ddof=1) > 0:
        raise ValueError("all changes are equal: a standardised change cannot be computed")
    (u, c), (_, v) = np.cov(first, second)
    r, squared = c / math.sqrt(u * v) if u * v > 0 else 1.0, u + v - 2 * c
    if r > 1 - 1e-12:  # one is constant, or everybody changed by the same factor
        return Estimate(math.nan, n=n, flag="no_variation")
    value = float(change.mean()) * math.sqrt(max(2 * (1 - r), 0.0) / squared)
    # slopes of the logarithm of the divisor in the two variances and the covariance, and what these vary by
    slopes = np.array([r / (4 * u * (1 - r)) - 0.5 / squared, r / (4 * v * (1 - r)) - 0.5 / squared, 0.0])
    slopes[2] = 1 / squared - 0.5 / (math.sqrt(u * v) * (1 - r))
    spread = np.array(
        [[2 * u * u, 2 * c * c, 2 * u * c], [2 * c * c, 2 * v * v, 2 * v * c], [2 * u * c, 2 * v * c, 0.0]]
    )
    spread[2, 2] = u * v + c * c
    error = math.sqrt(2 * max(1 - r, 0.0) / n + value**2 * float(slopes @ spread @ slopes) / (n - 1))
    half = float(special.stdtrit(n - 1, 0.975)) * error
    return Estimate(value, value - half, value + half, n=n)


def d_ppc2(
    before_treated: Sequence[float],
    after_treated: Sequence[float],
    before_control: Sequence[float],
    after_control: Sequence[float],
) -> Estimate:
    """Difference of the changes of two groups by the pooled baseline spread (Morris 2008).

    ``J(nT + nC − 2) · (ΔM_T − ΔM_C) / SD_before,pooled``

    Parameters
    ----------
    before_treated, after_treated : array-like, shape (n_treated,)
    before_control, after_control : array-like, shape (n_control,)
        Incomplete pairs are left out.

    Returns
    -------
    Estimate
        Interval from the noncentral t of the difference of changes, rescaled to the baseline spread.

    Raises
    ------
    ValueError
        For unequal lengths, fewer than three pairs in a group, or no variation.

    References
    ----------
    .. [1] Morris SB. Organ Res Methods 2008;11:364-386. 10.1177/1094428106291059

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> before = rng.normal(0, 1, (2, 30))
    >>> d_ppc2(before[0], before[0] + 0.8, before[1], before[1] + rng.normal(0, 0.1, 30)) > 0.4
    True
    """
    one, two = _pairs(before_treated, after_treated), _pairs(before_control, after_control)
    change = one[1] - one[0], two[1] - two[0]
    df = len(one[0]) + len(two[0]) - 2
    difference = float(change[0].mean() - change[1].mean())
    error = _pooled(*change) * math.sqrt(1 / len(one[0]) + 1 / len(two[0]))
    scale = error / _pooled(one[0], two[0])
    return _with_interval(difference / error, scale, df, small_sample_correction(df), len(one[0]) + len(two[0]))


def _paired(first: np.ndarray, second: np.ndarray, divisor: float, *, corrected: bool) -> Estimate:
    change = second - first
    n = len(change)
    spread = float(change.std(ddof=1))
    if not spread > 0:
        raise ValueError("all changes are equal: a standardised change cannot be computed")
    factor = small_sample_correction(n - 1) if corrected else 1.0
    error = spread / math.sqrt(n)
    scale = error / divisor if divisor > 0 else math.nan
    return _with_interval(float(change.mean()) / error, scale, n - 1, factor, n)


def _with_interval(t: float, scale: float, df: float, factor: float, n: int) -> Estimate:
    """Effect size ``factor · scale · t`` with the interval of the noncentrality of t, on the scale ``scale``.

    The correction for bias is left out of the limits: with it they cover a large effect too seldom
    (benchmarks/association_calibration.py).
    """
    if not math.isfinite(scale):
        return Estimate(math.nan, n=n, flag="no_variation")
    low, high = noncentrality_interval(t, df)
    return Estimate(factor * scale * t, scale * low, scale * high, n=n)


def noncentrality_interval(t: float, df: float, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the noncentrality parameter of an observed t.

    Parameters
    ----------
    t : float
        Observed t.
    df : float
        Degrees of freedom.
    level : float
        Confidence level.

    Examples
    --------
    >>> low, high = noncentrality_interval(2.0, 10)
    >>> low < 2 < high
    True
    """
    tail = (1 - level) / 2
    return _noncentrality(t, df, 1 - tail), _noncentrality(t, df, tail)


def _noncentrality(t: float, df: float, probability: float) -> float:
    from scipy import optimize

    # the spread of t around its noncentrality grows with t; ten of these always bracket the root
    reach = 10 * math.sqrt(1 + t * t / max(df, 1.0)) + 1
    ratios, weights = _spreads(df)

    def excess(noncentrality: float) -> float:
        return float(weights @ special.ndtr(t * ratios - noncentrality)) - probability

    return float(optimize.brentq(excess, t - reach, t + reach))


@functools.lru_cache(maxsize=512)
def _spreads(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for averages over estimated / true standard deviation, by Gauss and Legendre.

    With them the noncentral t distribution is an average of normal ones (scipy's is NaN at some of its arguments).
    """
    low, high = (
        math.sqrt(2 * limit / df) for limit in (special.gammaincinv(df / 2, 1e-14), special.gammainccinv(df / 2, 1e-14))
    )
    nodes, weights = _nodes()
    ratios = low + (high - low) * (nodes + 1) / 2
    log = (df / 2) * math.log(df / 2) - special.gammaln(df / 2) + (df - 1) * np.log(ratios) - df * ratios**2 / 2
    return ratios, weights * (high - low) * np.exp(log)


@functools.cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(200)


def _sample(values: Sequence[float], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one value a participant, but has shape {array.shape}")
    array = array[np.isfinite(array)]
    if len(array) < 2:
        raise ValueError(f"{name} has {len(array)} values; two or more are needed")
    return array


def _pairs(before: Sequence[float], after: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"before and after must be one value a participant in the same order, got shapes "
            f"{first.shape} and {second.shape}"
        )
    whole = np.isfinite(first) & np.isfinite(second)
    if whole.sum() < 3:
        raise ValueError(f"{int(whole.sum())} complete pairs; three or more are needed")
    return first[whole], second[whole]


def _pooled(one: np.ndarray, two: np.ndarray) -> float:
    squares = (len(one) - 1) * one.var(ddof=1) + (len(two) - 1) * two.var(ddof=1)
    spread = math.sqrt(squares / (len(one) + len(two) - 2))
    if not spread > 0:
        raise ValueError("all values of both groups are equal: a standardised difference cannot be computed")
    return spread
