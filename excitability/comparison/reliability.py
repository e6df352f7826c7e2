"""How well a measure repeats: intraclass correlation, error of measurement, detectable change, agreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from ..schema import Estimate, unknown_word

ICC_FORMS = ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")
_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance of a participants × sessions table."""

    rows: float
    columns: float
    error: float
    within: float
    n: int
    k: int


def mean_squares(values: np.ndarray) -> MeanSquares:
    """Mean squares of a participants × sessions table; participants with a missing session are left out.

    Parameters
    ----------
    values : array-like, shape (n_participants, n_sessions)

    Raises
    ------
    ValueError
        When fewer than two participants have all of two or more sessions.

    Examples
    --------
    >>> round(mean_squares([[9, 2], [6, 1], [8, 4]]).error, 4)
    1.1667
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"reliability needs participants × two or more sessions, got shape {table.shape}")
    table = table[np.isfinite(table).all(axis=1)]
    n, k = table.shape
    if n < 2:
        raise ValueError(f"{n} participant with all {k} sessions; reliability needs two or more")
    centre = table.mean()
    rows, columns = table.mean(axis=1) - centre, table.mean(axis=0) - centre
    rest = table - centre - rows[:, None] - columns
    squares = np.array([k * rows @ rows, n * columns @ columns, np.sum(rest**2)])
    rounding = table.size * (1e-13 * np.abs(table).max()) ** 2
    square_rows, square_columns, square_rest = np.where(squares > rounding, squares, 0.0)
    return MeanSquares(
        rows=float(square_rows / (n - 1)),
        columns=float(square_columns / (k - 1)),
        error=float(square_rest / ((n - 1) * (k - 1))),
        within=float((square_columns + square_rest) / (n * (k - 1))),
        n=n,
        k=k,
    )


def sessions_differ(values: np.ndarray) -> bool:
    """Whether the means of repeated sessions differ by more than chance: F of the sessions, p < 0.05.

    >>> sessions_differ(np.array([[9, 2], [6, 1], [8, 4]]))
    True
    """
    ms = mean_squares(values)
    df = (ms.n - 1) * (ms.k - 1)
    return bool(ms.error > 0 and special.fdtrc(ms.k - 1, df, ms.columns / ms.error) < 0.05)


def icc(values: np.ndarray, form: str = "2,1") -> Estimate:
    """Intraclass correlation coefficient with its 95 % interval.

    Parameters
    ----------
    values : array-like, shape (n_participants, n_sessions)
        Participants with a missing session are left out.
    form : str
        Shrout and Fleiss form: ``"1,1"`` one-way, ``"2,1"`` absolute agreement (McGraw & Wong's A,1),
        ``"3,1"`` consistency (C,1); ``"1,k"``, ``"2,k"``, ``"3,k"`` for the mean of the k sessions.

    Returns
    -------
    Estimate
        May be negative; it is not clipped. A coefficient of one session of −1/(k − 1) or less has no coefficient of the
        mean: that, and such a limit, is NaN. Flag ``no_variation`` when all values are equal.

    Raises
    ------
    ValueError
        For an unknown form or too few participants.

    References
    ----------
    .. [1] Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428. 10.1037/0033-2909.86.2.420
    .. [2] McGraw KO, Wong SP. Psychol Methods 1996;1:30-46. 10.1037/1082-989X.1.1.30

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> person = rng.normal(0, 1, (200, 1))
    >>> bool(abs(icc(person + rng.normal(0, 0.5, (200, 2))) - 0.8) < 0.1)
    True
    """
    if form not in ICC_FORMS:
        raise ValueError(unknown_word("form of the intraclass correlation", form, ICC_FORMS))
    ms = mean_squares(values)
    model, k = form[0], ms.k
    if ms.rows == 0 and ms.within == 0:
        return Estimate(math.nan, n=ms.n, flag="no_variation")
    single, low, high = {"1": _one_way, "2": _agreement, "3": _consistency}[model](ms)
    if form.endswith("k"):
        single, low, high = (_mean_of(value, k) for value in (single, low, high))
    return Estimate(single, low, high, n=ms.n)


def _mean_of(value: float, k: int) -> float:
    """Spearman-Brown: the coefficient of the mean of k sessions."""
    divisor = 1 + (k - 1) * value
    return k * value / divisor if divisor > 1e-12 else math.nan  # at zero and below sessions oppose each other


def _quantile(df1: float, df2: float) -> float:
    return float(special.fdtri(df1, df2, 0.975))


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else math.inf


def _from_f(f: float, k: int) -> float:
    return 1.0 if math.isinf(f) else (f - 1) / (f + k - 1)


def _one_way(ms: MeanSquares) -> tuple[float, float, float]:
    df1, df2 = ms.n - 1, ms.n * (ms.k - 1)
    f = _ratio(ms.rows, ms.within)
    return (
        _from_f(f, ms.k),
        _from_f(f / _quantile(df1, df2), ms.k),
        _from_f(f * _quantile(df2, df1), ms.k),
    )


def _consistency(ms: MeanSquares) -> tuple[float, float, float]:
    df1, df2 = ms.n - 1, (ms.n - 1) * (ms.k - 1)
    f = _ratio(ms.rows, ms.error)
    return (
        _from_f(f, ms.k),
        _from_f(f / _quantile(df1, df2), ms.k),
        _from_f(f * _quantile(df2, df1), ms.k),
    )


def _agreement(ms: MeanSquares) -> tuple[float, float, float]:
    n, k = ms.n, ms.k
    value = (ms.rows - ms.error) / (ms.rows + (k - 1) * ms.error + k * (ms.columns - ms.error) / n)
    if ms.error == 0 and ms.columns == 0:
        return value, value, value
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    v = (a * ms.columns + b * ms.error) ** 2 / (
        (a * ms.columns) ** 2 / (k - 1) + (b * ms.error) ** 2 / ((n - 1) * (k - 1))
    )
    if not v >= 1:  # only where the coefficient is negative: there people add nothing to what sessions scatter by
        v = (n - 1) * (k - 1)
    lower, upper = _quantile(n - 1, v), _quantile(v, n - 1)
    rest = k * ms.columns + (k * n - k - n) * ms.error
    low = n * (ms.rows - lower * ms.error) / (lower * rest + n * ms.rows)
    high = n * (upper * ms.rows - ms.error) / (rest + n * upper * ms.rows)
    return value, low, high


def sem(values: np.ndarray, kind: str = "agreement") -> Estimate:
    """Standard error of measurement, in the unit of the values.

    Parameters
    ----------
    values : array-like, shape (n_participants, n_sessions)
    kind : {"agreement", "consistency"}
        With or without the systematic difference between sessions. For two sessions ``consistency`` is
        the standard deviation of the differences divided by √2.

    Returns
    -------
    Estimate
        Its 95 % interval is that of a standard deviation: exact for ``consistency``, with Satterthwaite's degrees of
        freedom for ``agreement``, where it is that of these sessions: two or three say little of what others would add.

    Raises
    ------
    ValueError
        For an unknown kind or too few participants.

    Examples
    --------
    >>> error = sem([[9, 2], [6, 1], [8, 4]], kind="consistency")
    >>> round(error, 4), round(error.ci_low, 2), round(error.ci_high, 2)
    (1.0801, 0.56, 6.79)
    """
    if kind not in ("agreement", "consistency"):
        raise ValueError(unknown_word("kind of error", kind, ("agreement", "consistency")))
    ms = mean_squares(values)
    df = float((ms.n - 1) * (ms.k - 1))
    variance = ms.error
    if kind == "agreement" and ms.columns > ms.error:
        parts = ms.columns / ms.n, ms.error * (1 - 1 / ms.n)
        variance = sum(parts)
        df = variance**2 / (parts[0] ** 2 / (ms.k - 1) + parts[1] ** 2 / df)
    return _spread(math.sqrt(variance), df, ms.n)


def _spread(value: float, df: float, n: int) -> Estimate:
    """A standard deviation with its 95 % interval by chi-square."""
    low, high = (math.sqrt(df / float(special.chdtri(df, tail))) for tail in (0.025, 0.975))
    return Estimate(value, value * low, value * high, n=n)


def sdc(values: np.ndarray, kind: str = "agreement", n: int = 1) -> Estimate:
    """Smallest detectable change, ``1.96 · √2 · SEM``, of one person or of a group of ``n``.

    Parameters
    ----------
    values : array-like, shape (n_participants, n_sessions)
        Repeated measurements without an intervention between them.
    kind : {"agreement", "consistency"}
    n : int
        People averaged; the change of a group is detected ``√n`` times more finely.

    Returns
    -------
    Estimate
        With the interval of the standard error of measurement.

    Raises
    ------
    ValueError
        For an unknown kind, too few participants, or ``n`` below one.

    Examples
    --------
    >>> round(sdc([[9, 2], [6, 1], [8, 4]], kind="consistency"), 3)
    2.994
    """
    if n < 1:
        raise ValueError(f"n is the number of people averaged, 1 or more, not {n}")
    error, factor = sem(values, kind), 1.96 * math.sqrt(2) / math.sqrt(n)  # 1.96 by convention, not the exact quantile
    return Estimate(factor * error, factor * error.ci_low, factor * error.ci_high, n=error.n)


def cv(values: np.ndarray, log: bool = True) -> Estimate:
    """Coefficient of variation within participants, as a fraction.

    Parameters
    ----------
    values : array-like, shape (n_participants, n_sessions)
    log : bool
        From the logarithms, ``√(exp(s²) − 1)`` (for positive, skewed measures), or ``SD_within / mean``.

    Returns
    -------
    Estimate
        With the interval of the standard deviation within participants; without logarithms the mean counts as known.

    Raises
    ------
    ValueError
        For values that have no logarithm, or too few participants.

    Examples
    --------
    >>> round(cv([[1.0, 1.1], [2.0, 2.2], [3.0, 3.3]]), 3)
    0.067
    """
    table = np.asarray(values, dtype=float)
    if log and (table <= 0).any():
        raise ValueError("cv(log=True) needs values above zero; use log=False")
    ms = mean_squares(np.log(table) if log else table)
    within = _spread(math.sqrt(ms.within), ms.n * (ms.k - 1), ms.n)
    if log:
        value, low, high = (math.sqrt(math.expm1(spread**2)) for spread in (within, within.ci_low, within.ci_high))
    else:
        mean = abs(float(table[np.isfinite(table).all(axis=1)].mean()))
        value, low, high = (spread / mean for spread in (within, within.ci_low, within.ci_high))
    return Estimate(value, low, high, n=ms.n)


def bland_altman(first: Sequence[float], second: Sequence[float]) -> dict[str, Estimate]:
    """Bias and limits of agreement of two measurements of the same people.

    Parameters
    ----------
    first, second : array-like, shape (n,)
        Incomplete pairs are left out. Use logarithms where the spread grows with the value.

    Returns
    -------
    dict of Estimate
        ``bias`` (mean of second − first), ``lower`` and ``upper`` limit of agreement, each with its interval.

    Raises
    ------
    ValueError
        For unequal lengths or fewer than three pairs.

    References
    ----------
    .. [1] Bland JM, Altman DG. Stat Methods Med Res 1999;8:135-160. 10.1177/096228029900800204

    Examples
    --------
    >>> round(bland_altman([1.0, 2.0, 3.0, 4.0], [1.2, 2.1, 3.4, 4.1])["bias"], 2)
    0.2
    """
    one, two = _two(first, second)
    difference = two - one
    n, bias, spread = len(difference), float(difference.mean()), float(difference.std(ddof=1))
    t = float(special.stdtrit(n - 1, 0.975))
    of_bias = t * spread / math.sqrt(n)
    of_limit = t * spread * math.sqrt(1 / n + 1.96**2 / (2 * (n - 1)))
    lower, upper = bias - 1.96 * spread, bias + 1.96 * spread
    return {
        "bias": Estimate(bias, bias - of_bias, bias + of_bias, n=n),
        "lower": Estimate(lower, lower - of_limit, lower + of_limit, n=n),
        "upper": Estimate(upper, upper - of_limit, upper + of_limit, n=n),
    }


def ccc(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Concordance correlation coefficient of two measurements (Lin 1989).

    Parameters
    ----------
    first, second : array-like, shape (n,)
        Incomplete pairs are left out.

    Returns
    -------
    Estimate
        Moments with divisor n, as Lin defined them; interval by the z transform.

    Raises
    ------
    ValueError
        For unequal lengths or fewer than three pairs.

    References
    ----------
    .. [1] Lin LI. Biometrics 1989;45:255-268. 10.2307/2532051

    Examples
    --------
    >>> ccc([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1
    True
    """
    one, two = _two(first, second)
    n = len(one)
    covariance = float(np.mean((one - one.mean()) * (two - two.mean())))
    product = float(one.std() * two.std())
    shift = float(one.mean() - two.mean())
    if product == 0:
        return Estimate(math.nan, n=n, flag="no_variation")
    value = 2 * covariance / (one.var() + two.var() + shift**2)
    r, u = covariance / product, shift / math.sqrt(product)
    if abs(value) >= 1 - 1e-12 or abs(r) < 1e-12:
        return Estimate(value, value, value, n=n) if abs(r) >= 1e-12 else Estimate(value, n=n)
    spread = (
        (1 - r**2) * value**2 / ((1 - value**2) * r**2)
        + 2 * value**3 * (1 - value) * u**2 / (r * (1 - value**2) ** 2)
        - value**4 * u**4 / (2 * r**2 * (1 - value**2) ** 2)
    ) / (n - 2)
    half = _NORMAL * math.sqrt(max(spread, 0.0))
    z = math.atanh(value)
    return Estimate(value, math.tanh(z - half), math.tanh(z + half), n=n)


def _two(first: Sequence[float], second: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if one.shape != two.shape or one.ndim != 1:
        raise ValueError(f"two measurements of the same people are needed, got shapes {one.shape} and {two.shape}")
    whole = np.isfinite(one) & np.isfinite(two)
    if whole.sum() < 3:
        raise ValueError(f"{int(whole.sum())} complete pairs; three or more are needed")
    return one[whole], two[whole]
