"""Do people in whom one thing changed more also change more in another: correlations of changes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from ..schema import unknown_word
from ._association_rows import COLUMNS as COLUMNS
from ._association_rows import as_table, correlation_row
from ._person_values import Name, PersonValues, adjusting, group_of, person_values
from ._units import in_order

METHODS = ("pearson", "spearman")
_NORMAL = 1.959963984540054


def associate(
    results: pd.DataFrame,
    first: Name,
    second: Name,
    before: str = "pre",
    after: str = "post0",
    within: str = "session",
    by: str | None = None,
    adjust: Sequence[Name] = (),
    method: Sequence[str] = METHODS,
    n_bootstrap: int = 1999,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate the changes of two measures, or of a measure and a covariate, over people.

    Parameters
    ----------
    results : DataFrame
        Result table with covariates as columns; a covariate may differ from session to session.
    first, second : str or mapping
        A covariate's column (``"pain_intensity"``), or a measure by words that fit only it
        (``"sici conditioned_ratio isi_0.002 FDI"``) or by a mapping as in a battery.
    before, after, within : str
        As in :func:`compare`.
    by : str, optional
        Column of the groups: a correlation in each, and one over all with the means of the groups taken out.
    adjust : sequence
        Covariates or measures whose values before are taken out of both changes (age, resting motor threshold).
    method : sequence of {"pearson", "spearman"}
    n_bootstrap : int
        Resamples of people; 0 for no bootstrap.
    seed : int

    Returns
    -------
    DataFrame
        One row = method × group, columns as ``COLUMNS`` says.

    Raises
    ------
    ValueError
        For names that fit nothing or several measures, text in a covariate, or covariates that do not change.

    Notes
    -----
    Changes are those that :func:`compare` estimates: of logarithms for ratios, amplitudes and areas, else of the
    values. The interval is Fisher's z with variance ``1/(n − 3 − k)`` for k adjusted columns, for Spearman's
    coefficient ``(1 + r²/2)/(n − 3 − k)`` (Bonett & Wright 2000, 10.1007/BF02294183), whose p value is of the same z.
    All tests of one call are corrected together by Holm's method (``p_adjusted``). The bootstrap interval does not
    assume normal changes: for Pearson's coefficient the bootstrap t of z with the standard error of its influence
    function, for Spearman's the percentile one (people drawn twice are ties, which make that t far too wide).
    Two ratios to the same test pulses are correlated by that alone: flag ``shared_test_trials``.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> n = 30
    >>> change = rng.normal(0, 0.3, n)
    >>> results = pd.DataFrame({"participant": [f"{i:02d}" for i in range(n)] * 2,
    ...     "session": ["pre"] * n + ["post0"] * n, "protocol": "m1/sici", "channel": "FDI",
    ...     "condition": "isi_0.002", "measure": "conditioned_ratio", "unit": "1", "form": "ratio",
    ...     "value": np.r_[np.full(n, 0.5), 0.5 * np.exp(change)],
    ...     "pain_intensity": np.r_[np.full(n, 5.0), 5 - 3 * change + rng.normal(0, 0.5, n)]})
    >>> found = associate(results, "conditioned_ratio", "pain_intensity", method=["pearson"])
    >>> bool(found["ci_high"][0] < 0)
    True
    """
    for name in method:
        if name not in METHODS:
            raise ValueError(unknown_word("method", name, METHODS))
    one = person_values(results, first, within, before, after)
    two = person_values(results, second, within, before, after)
    if one.name == two.name:
        raise ValueError(f"{one.name!r} is both measures; a change is always correlated with itself")
    people = one.values.index.union(two.values.index)
    groups = group_of(results, by, people)
    z, names = adjusting(results, tuple(adjust), within, before, people)
    x, y = (held.values.reindex(people).to_numpy(dtype=float) for held in (one, two))
    whole = np.isfinite(x) & np.isfinite(y) & np.isfinite(z).all(axis=1)
    flag = _shared(one, two)
    rng = np.random.default_rng(seed)
    rows = []
    for name in method:
        for label, members in parts(groups, whole):
            dummies = _dummies(groups[members]) if label == "all" else np.empty((int(members.sum()), 0))
            taken = np.column_stack([z[members], dummies])
            found = partial_correlation(x[members], y[members], taken, name, n_bootstrap, rng)
            rows.append(correlation_row(one, two, label, name, found, names, f"{after} - {before}", flag, by))
    return as_table(rows)


def partial_correlation(
    x: np.ndarray, y: np.ndarray, taken: np.ndarray, method: str, n_bootstrap: int, rng: np.random.Generator
) -> dict[str, float]:
    """Correlation of two columns with others taken out of both, with its intervals and p value.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
    taken : ndarray, shape (n, k)
        Columns that are taken out; ranks of them too for Spearman's coefficient.
    method : {"pearson", "spearman"}
    n_bootstrap : int
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``estimate, ci_low, ci_high, bootstrap_low, bootstrap_high, p_value, n``; NaN where too few people are left.
    """
    n, k = len(x), taken.shape[1]
    found = dict.fromkeys(("estimate", "ci_low", "ci_high", "bootstrap_low", "bootstrap_high", "p_value"), math.nan)
    found["n"] = n
    if n < 4 + k or np.ptp(x) == 0 or np.ptp(y) == 0:
        return found
    columns = np.column_stack([x, y, taken])
    r = float(_coefficients(columns[None], method)[0])
    if not math.isfinite(r):
        return found
    df = n - 2 - k
    found["estimate"] = r
    if abs(r) >= 1 - 1e-12:
        return {**found, "p_value": 0.0 if df > 0 else math.nan}
    t = r * math.sqrt(df / (1 - r * r))
    found["p_value"] = float(2 * special.stdtr(df, -abs(t)))
    more = 1 + r * r / 2 if method == "spearman" else 1.0
    half = _NORMAL * math.sqrt(more / (n - 3 - k))
    if method == "spearman":  # the test whose interval this is: the two cannot contradict each other
        found["p_value"] = float(2 * special.ndtr(-abs(math.atanh(r)) / half * _NORMAL))
    found["ci_low"], found["ci_high"] = math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)
    if n_bootstrap:
        drawn = columns[rng.integers(0, n, (n_bootstrap, n))]
        limits = _bootstrap_t(columns, drawn) if method == "pearson" else _percentiles(drawn, method)
        found["bootstrap_low"], found["bootstrap_high"] = limits
    return found


def _percentiles(drawn: np.ndarray, method: str) -> tuple[float, float]:
    """Percentile interval of a correlation of ranks."""
    r = _coefficients(drawn, method)
    r = r[np.isfinite(r)]
    if len(r) < 0.5 * len(drawn):
        return math.nan, math.nan
    low, high = np.quantile(r, [0.025, 0.975])
    return float(low), float(high)


def _bootstrap_t(columns: np.ndarray, drawn: np.ndarray) -> tuple[float, float]:
    """Bootstrap-t interval of a correlation on the scale of Fisher's z."""
    [z], [error] = _z_and_error(columns[None])
    z_drawn, error_drawn = _z_and_error(drawn)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (z_drawn - z) / error_drawn
    t = t[np.isfinite(t)]
    if len(t) < 0.5 * len(drawn):
        return math.nan, math.nan
    low, high = np.quantile(t, [0.025, 0.975])
    return math.tanh(z - high * error), math.tanh(z - low * error)


def _z_and_error(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fisher's z of each sample, and its standard error from the influence of each person; (n_samples,) each."""
    a, b = _residuals(columns, "pearson")
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = a / a.std(axis=1, keepdims=True), b / b.std(axis=1, keepdims=True)
        r = (a * b).mean(axis=1)
        influence = a * b - r[:, None] * (a * a + b * b) / 2
        error = np.sqrt((influence**2).sum(axis=1)) / a.shape[1] / (1 - r * r)
        return np.arctanh(np.clip(r, -1 + 1e-9, 1 - 1e-9)), np.where(error > 1e-9, error, np.nan)


def _coefficients(columns: np.ndarray, method: str) -> np.ndarray:
    a, b = _residuals(columns, method)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 0, (a * b).sum(axis=1) / scale, np.nan)


def _residuals(columns: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """The first two columns of each sample (n_samples, n, 2 + k) with the mean and the others taken out."""
    if method == "spearman":
        columns = _ranks(columns)
    columns = columns - columns.mean(axis=1, keepdims=True)
    pair, taken = columns[..., :2], columns[..., 2:]
    if taken.shape[-1]:
        spread = taken.std(axis=1, keepdims=True)
        taken = taken / np.where(spread > 0, spread, 1.0)
        across = np.swapaxes(taken, 1, 2)
        pair = pair - taken @ (np.linalg.pinv(across @ taken, hermitian=True) @ (across @ pair))
    return pair[..., 0], pair[..., 1]


def _ranks(columns: np.ndarray) -> np.ndarray:
    """Ranks within samples, ties shared."""
    from scipy.stats import rankdata

    return rankdata(columns, axis=1)


def parts(groups: pd.Series, whole: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Each group, controls last as in :func:`compare`, and all together, with who is in it."""
    label = groups.to_numpy()
    names = in_order(sorted(set(label)))
    parts = [(str(name), whole & (label == name)) for name in names] if len(names) > 1 else []
    return [*parts, ("all", whole)]


def _dummies(groups: pd.Series) -> np.ndarray:
    label = groups.to_numpy()
    return (label[:, None] == np.array(sorted(set(label))[1:], dtype=object)).astype(float)


def _shared(one: PersonValues, two: PersonValues) -> str:
    """Whether two measures hold the same test responses, which correlates them whatever happens."""
    if one.key is None or two.key is None or one.key[0] != two.key[0] or one.key[2] != two.key[2]:
        return ""
    ratios = [key[1].startswith("conditioned_ratio") for key in (one.key, two.key)]
    tests = [key[1] == "test_amplitude" or key[3] == "test" for key in (one.key, two.key)]
    return "shared_test_trials" if all(ratios) or (any(ratios) and any(tests)) else ""
